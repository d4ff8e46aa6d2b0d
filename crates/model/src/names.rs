//! Names of entities and fields, and how they are written.
//!
//! Hidden here: the grammar. A field is `service/entity.column` with an optional path into a payload:
//! `events/orders.value:$.items[*].id`. Entities of SQL stores are `schema.table`; a part that holds anything but
//! letters, digits, `_`, `$` or `-` is written in double quotes, so that a dot in a name never splits it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An entity of a service: a table, a Redis key family or a Kafka topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EntityId {
    /// The service's name in the pipeline.
    pub service: String,
    /// The entity's display name, such as `public.orders`; parts are quoted where needed.
    pub name: String,
}

impl EntityId {
    /// An entity by its service and display name.
    pub fn new(service: impl Into<String>, name: impl Into<String>) -> Self {
        Self { service: service.into(), name: name.into() }
    }

    /// An entity of a SQL store, from the unquoted names of its schema and table.
    pub fn table(service: &str, schema: Option<&str>, table: &str) -> Self {
        let name = match schema {
            Some(schema) => format!("{}.{}", quote(schema), quote(table)),
            None => quote(table),
        };
        Self::new(service, name)
    }

    /// The unquoted parts of the name: `public."a.b"` gives `public` and `a.b`.
    pub fn parts(&self) -> Vec<String> {
        split_unquoted(&self.name, '.').iter().map(|part| unquote(part)).collect()
    }
}

impl fmt::Display for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.service, self.name)
    }
}

/// One step of a [`Path`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Step {
    /// The member of an object, the segment of a key template, or the name of a header.
    Key(String),
    /// Every element of a list.
    Each,
}

/// A path into a payload, such as `$.items[*].id`; the empty path `$` is the payload itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Path(pub Vec<Step>);

impl Path {
    /// The path of one member.
    pub fn key(name: impl Into<String>) -> Self {
        Self(vec![Step::Key(name.into())])
    }

    /// The same path with one more step.
    #[must_use]
    pub fn join(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// Whether this path leads through `prefix`.
    pub fn starts_with(&self, prefix: &Path) -> bool {
        self.0.starts_with(&prefix.0)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("$")?;
        for step in &self.0 {
            match step {
                Step::Each => f.write_str("[*]")?,
                Step::Key(key) if is_plain(key) => write!(f, ".{key}")?,
                Step::Key(key) => write!(f, "['{}']", key.replace('\\', "\\\\").replace('\'', "\\'"))?,
            }
        }
        Ok(())
    }
}

impl FromStr for Path {
    type Err = String;

    /// Reads `$.a['b c'][*]`, or a bare `name` as `$.name`.
    fn from_str(text: &str) -> Result<Self, String> {
        let Some(mut rest) = text.strip_prefix('$') else {
            return if is_plain(text) {
                Ok(Self::key(text))
            } else {
                Err(format!("`{text}` is no path: write `$.name`"))
            };
        };
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(tail) = rest.strip_prefix("[*]") {
                steps.push(Step::Each);
                rest = tail;
            } else if let Some(tail) = rest.strip_prefix("['") {
                let (key, tail) = quoted(tail).ok_or_else(|| format!("`{text}`: a quote is not closed"))?;
                steps.push(Step::Key(key));
                rest = tail;
            } else if let Some(tail) = rest.strip_prefix('.') {
                let end = tail.find(['.', '[']).unwrap_or(tail.len());
                if !is_plain(&tail[..end]) {
                    return Err(format!("`{text}`: a step is empty or needs quotes, as in `$['a b']`"));
                }
                steps.push(Step::Key(tail[..end].to_owned()));
                rest = &tail[end..];
            } else {
                return Err(format!("`{text}` is no path: write `$.name`, `$['a b']` or `$.list[*]`"));
            }
        }
        Ok(Self(steps))
    }
}

/// Reads a quoted step up to `']`; gives the key and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut key = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => key.push(chars.next()?.1),
            '\'' => return text[at..].strip_prefix("']").map(|tail| (key, tail)),
            c => key.push(c),
        }
    }
    None
}

/// A column of an entity, or a path into the payload that the column holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FieldPath {
    /// The column's unquoted name.
    pub column: String,
    /// The path into its payload, if it is decoded.
    pub path: Option<Path>,
}

impl FieldPath {
    /// A whole column.
    pub fn column(name: impl Into<String>) -> Self {
        Self { column: name.into(), path: None }
    }

    /// A path into a column's payload.
    pub fn inner(name: impl Into<String>, path: Path) -> Self {
        Self { column: name.into(), path: Some(path) }
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&quote(&self.column))?;
        self.path.as_ref().map_or(Ok(()), |path| write!(f, ":{path}"))
    }
}

/// A field of a named entity: `orders/public.users.email`, `events/orders.value:$.id`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FieldId {
    /// The entity.
    pub entity: EntityId,
    /// The field within it.
    pub field: FieldPath,
}

impl FieldId {
    /// A field of an entity.
    pub fn new(entity: &EntityId, field: &FieldPath) -> Self {
        Self { entity: entity.clone(), field: field.clone() }
    }
}

impl fmt::Display for FieldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.entity, self.field)
    }
}

impl FromStr for FieldId {
    type Err = String;

    /// Reads `service/entity.column` or `service/entity.column:path`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (service, rest) =
            text.split_once('/').ok_or_else(|| format!("`{text}` names no service: write `service/entity.column`"))?;
        let mut halves = split_unquoted(rest, ':').into_iter();
        let name = halves.next().unwrap_or_default();
        let path = match rest[name.len()..].strip_prefix(':') {
            Some(path) => Some(path.parse()?),
            None => None,
        };
        let parts = split_unquoted(name, '.');
        let Some((column, entity)) = parts.split_last().filter(|(_, entity)| !entity.is_empty()) else {
            return Err(format!("`{text}` names no column: write `service/entity.column`"));
        };
        if service.is_empty() || column.is_empty() {
            return Err(format!("`{text}` has an empty part: write `service/entity.column`"));
        }
        Ok(Self {
            entity: EntityId::new(service, entity.join(".")),
            field: FieldPath { column: unquote(column), path },
        })
    }
}

/// Whether a name can be written without quotes.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | '-'))
}

/// A name as it is written: in double quotes where it has to be.
pub fn quote(name: &str) -> String {
    if is_plain(name) { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// A written name without its quotes.
pub fn unquote(name: &str) -> String {
    match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => name.to_owned(),
    }
}

/// Splits at a separator that stands outside double quotes; the pieces keep their quotes.
pub fn split_unquoted(text: &str, separator: char) -> Vec<&str> {
    let (mut pieces, mut start, mut inside) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        if c == '"' {
            inside = !inside;
        } else if c == separator && !inside {
            pieces.push(&text[start..at]);
            start = at + c.len_utf8();
        }
    }
    pieces.push(&text[start..]);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_read_and_print_alike() {
        for text in [
            "orders/public.users.email",
            "events/orders.value:$.items[*].id",
            "events/orders.headers:$.baggage['session.id']",
            "pg/\"we.ird\".\"t\"\"x\".\"c d\"",
        ] {
            assert_eq!(text.parse::<FieldId>().map(|f| f.to_string()), Ok(text.to_owned()));
        }
        let short: FieldId = "cart/cart.key:customer_id".parse().expect("parses");
        assert_eq!(short.to_string(), "cart/cart.key:$.customer_id");
    }

    #[test]
    fn what_is_no_field_is_refused() {
        for text in ["orders", "orders/users", "/a.b", "s/t.c:$.", "s/t.c:$['x"] {
            assert!(text.parse::<FieldId>().is_err(), "{text}");
        }
    }

    #[test]
    fn quoted_parts_keep_their_dots() {
        assert_eq!(EntityId::table("s", Some("a.b"), "t").parts(), ["a.b", "t"]);
    }
}
