//! Selectors: which fields a rule names.
//!
//! Hidden here: their grammar, `[service/][entity.]field[:path]`. `*` stands for any characters but a dot, `**` for any at
//! all; in a path, `$..name` finds a name at any depth and `.*` any member. `~` behind a path selects the names of the members that it
//! finds, and not what they hold.

use std::str::FromStr;

use reenact_model::names::{FieldId, Path, Step, split_unquoted, unquote};

/// A selector of fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    text: String,
    service: String,
    entity: String,
    column: String,
    path: Option<Vec<Pattern>>,
    /// Whether it selects the names of members.
    names: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    Key(String),
    Each,
    /// Any steps, also none.
    Deep,
}

impl Selector {
    /// The text it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The selector of one column.
    pub(super) fn exactly(id: &FieldId) -> Self {
        Self {
            text: id.to_string(),
            service: id.entity.service.clone(),
            entity: id.entity.name.clone(),
            column: id.field.column.clone(),
            path: None,
            names: false,
        }
    }

    /// Whether it selects names of members, and not what they hold.
    pub fn selects_names(&self) -> bool {
        self.names
    }

    /// Whether it selects the name of the member at this path.
    pub fn matches_member(&self, path: &Path) -> bool {
        self.names && self.path.as_ref().is_some_and(|pattern| matches_path(pattern, path))
    }

    /// Whether it names one field and nothing else.
    pub fn is_exact(&self) -> bool {
        let glob = |text: &str| text.contains('*');
        let path = self.path.iter().flatten().any(|p| match p {
            Pattern::Key(key) => glob(key),
            Pattern::Each => false,
            Pattern::Deep => true,
        });
        !(glob(&self.service) || glob(&self.entity) || glob(&self.column) || path)
    }

    /// Whether it leads into a payload.
    pub fn has_path(&self) -> bool {
        self.path.is_some()
    }

    /// Whether it may name fields of this column, at whatever path.
    pub fn matches_column(&self, field: &FieldId) -> bool {
        glob(&self.service, &field.entity.service)
            && glob(&self.entity, &field.entity.name)
            && glob(&self.column, &field.field.column)
    }

    /// The path that it names, if it names exactly one.
    pub fn path(&self) -> Option<Path> {
        if self.names {
            return None;
        }
        let step = |pattern: &Pattern| match pattern {
            Pattern::Key(key) if !key.contains('*') => Some(Step::Key(key.clone())),
            Pattern::Each => Some(Step::Each),
            Pattern::Key(_) | Pattern::Deep => None,
        };
        self.path.as_ref()?.iter().map(step).collect::<Option<Vec<_>>>().map(Path)
    }

    /// Whether it names this field: a column if it has no path, a leaf if it has one.
    pub fn matches(&self, field: &FieldId) -> bool {
        self.matches_column(field)
            && match (&self.path, &field.field.path) {
                (None, None) => true,
                (Some(_), Some(path)) => self.matches_path(path),
                _ => false,
            }
    }

    /// Whether its path names this path.
    pub fn matches_path(&self, path: &Path) -> bool {
        !self.names && self.path.as_ref().is_some_and(|pattern| matches_path(pattern, path))
    }
}

fn matches_path(pattern: &[Pattern], path: &Path) -> bool {
    fn at(pattern: &[Pattern], steps: &[Step]) -> bool {
        match (pattern.split_first(), steps.split_first()) {
            (None, None) => true,
            (Some((Pattern::Deep, rest)), _) => {
                at(rest, steps) || steps.split_first().is_some_and(|(_, tail)| at(pattern, tail))
            }
            (Some((Pattern::Each, rest)), Some((Step::Each, tail))) => at(rest, tail),
            // A name is one step however many dots it has.
            (Some((Pattern::Key(name), rest)), Some((Step::Key(key), tail))) => {
                (name == key || glob(&name.replace('*', "**"), key)) && at(rest, tail)
            }
            _ => false,
        }
    }
    at(pattern, &path.0)
}

/// `*` is any run of characters but dots, `**` any run at all.
fn glob(pattern: &str, text: &str) -> bool {
    let Some(star) = pattern.find('*') else { return pattern == text };
    let Some(tail) = text.strip_prefix(&pattern[..star]) else { return false };
    let (rest, deep) = match pattern[star + 1..].strip_prefix('*') {
        Some(rest) => (rest, true),
        None => (&pattern[star + 1..], false),
    };
    let reach = if deep { tail.len() } else { tail.find('.').unwrap_or(tail.len()) };
    (0..=reach).filter(|at| tail.is_char_boundary(*at)).any(|at| glob(rest, &tail[at..]))
}

impl FromStr for Selector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = split_unquoted(text, ':')[0];
        let path = text[name.len()..].strip_prefix(':');
        let bare = path.and_then(|path| path.strip_suffix('~'));
        let names = bare.is_some();
        let path = bare.or(path).map(pattern).transpose()?;
        if names && !matches!(path.as_deref(), Some([.., Pattern::Key(_)])) {
            return Err(format!("`{text}` selects names of members: write `~` behind one, such as `$.byMail.*~`"));
        }
        let (service, rest) = match split_unquoted(name, '/').as_slice() {
            [rest] => ("**", *rest),
            [service, rest] => (*service, *rest),
            _ => return Err(format!("`{text}` has more than one `/`")),
        };
        let parts = split_unquoted(rest, '.');
        let (column, entity) = match parts.split_last() {
            Some((column, [])) => (*column, "**".to_owned()),
            Some((column, entity)) => (*column, entity.join(".")),
            None => return Err(format!("`{text}` names no field")),
        };
        if column.is_empty() || entity.is_empty() || service.is_empty() {
            return Err(format!("`{text}` has an empty part: write `service/entity.field`"));
        }
        Ok(Self { text: text.to_owned(), service: service.to_owned(), entity, column: unquote(column), path, names })
    }
}

fn pattern(text: &str) -> Result<Vec<Pattern>, String> {
    let mut out = Vec::new();
    let mut rest = match text.strip_prefix('$') {
        Some(rest) => rest.to_owned(),
        None => format!(".{text}"),
    };
    while !rest.is_empty() {
        if let Some(tail) = rest.strip_prefix("..") {
            out.push(Pattern::Deep);
            rest = if tail.starts_with('[') { tail.to_owned() } else { format!(".{tail}") };
            continue;
        }
        // A step without wildcards is read by the grammar of paths, so that quoting works alike.
        if let Some(tail) = rest.strip_prefix('.') {
            let end = tail.find(['.', '[']).unwrap_or(tail.len());
            let step = &tail[..end];
            if step.is_empty() {
                return Err(format!("`{text}`: a step is empty"));
            }
            out.push(if step == "**" { Pattern::Deep } else { Pattern::Key(step.to_owned()) });
            rest = tail[end..].to_owned();
            continue;
        }
        let end = if rest.starts_with("['") { rest.find("']").map(|n| n + 2) } else { rest.find(']').map(|n| n + 1) };
        let end = end.ok_or_else(|| format!("`{text}`: a bracket is not closed"))?;
        let path: Path = format!("${}", &rest[..end]).parse()?;
        out.extend(path.0.into_iter().map(|step| match step {
            Step::Key(key) => Pattern::Key(key),
            Step::Each => Pattern::Each,
        }));
        rest = rest[end..].to_owned();
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(selector: &str, field: &str) -> bool {
        selector.parse::<Selector>().expect("a selector").matches(&field.parse().expect("a field"))
    }

    #[test]
    fn columns_are_selected() {
        assert!(matches("**.email", "orders/public.users.email"));
        assert!(matches("*/**.customer_id", "orders/public.orders.customer_id"));
        assert!(matches("orders/public.*.note", "orders/public.orders.note"));
        assert!(!matches("orders/*.note", "orders/public.orders.note"), "a star does not pass a dot");
        assert!(matches("email", "orders/public.users.email"));
        assert!(!matches("**.email", "orders/public.users.email2"));
        assert!(matches("s/\"a.b\".\"c d\"", "s/\"a.b\".\"c d\""));
    }

    #[test]
    fn leaves_are_selected() {
        assert!(matches("events/orders.value:$..email", "events/orders.value:$.a.b[*].email"));
        assert!(matches("events/orders.value:$.items[*].id", "events/orders.value:$.items[*].id"));
        assert!(matches("events/orders.value:$.address.*", "events/orders.value:$.address.city"));
        assert!(!matches("events/orders.value:$.address.*", "events/orders.value:$.address.geo.lat"));
        assert!(matches("events/orders.value:$..*", "events/orders.value:$.address.geo.lat"));
        assert!(matches("cart/cart.key:customer_id", "cart/cart.key:$.customer_id"));
        assert!(matches("e/o.headers:$.baggage['session.id']", "e/o.headers:$.baggage['session.id']"));
        assert!(!matches("events/orders.value", "events/orders.value:$.id"));
        assert!(matches("e/o.value:$.by_mail.*.n", "e/o.value:$.by_mail['ann@x.test'].n"), "a name may have dots");
        assert!(matches("e/o.value:$.by_mail['*@x.test']", "e/o.value:$.by_mail['ann.lee@x.test']"));
    }

    #[test]
    fn names_of_members_are_selected() {
        let selector = |text: &str| text.parse::<Selector>();
        let path = |text: &str| text.parse::<Path>().expect("a path");
        let names = selector("e/o.value:$.by_mail.*~").expect("parses");
        assert!(names.matches_member(&path("$.by_mail['ann@x.test']")) && names.selects_names());
        assert!(!names.matches_member(&path("$.by_mail.a.b")) && !names.matches_path(&path("$.by_mail.a")));
        assert!(!names.matches(&"e/o.value:$.by_mail.a".parse().expect("a field")) && names.path().is_none());
        assert!(!selector("e/o.value:$.by_mail.*").expect("parses").matches_member(&path("$.by_mail.a")));
        assert!(selector("e/o.value:$.a['b~']").expect("parses").matches_path(&path("$.a['b~']")));
        for wrong in ["e/o.value:$~", "e/o.value:$.a[*]~", "e/o.value:$..~"] {
            assert!(selector(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_what_has_no_wildcard_is_exact() {
        assert!("s/t.c:$.a[*].b".parse::<Selector>().expect("parses").is_exact());
        for wide in ["**.c", "c", "s/t.c*", "s/t.c:$..x", "s/t.c:$.*"] {
            assert!(!wide.parse::<Selector>().expect("parses").is_exact(), "{wide}");
        }
    }
}
