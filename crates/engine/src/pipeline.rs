//! A pipeline: which services take part in an incident, how their records refer to each other, and where a capture begins.
//!
//! Hidden here: the pipeline language, from YAML to checked values. All findings of a file are told at once. `${VAR}`,
//! `${VAR:-default}` and `${VAR:?message}` are filled in from the environment; `${seed.NAME}` stays a name, since a root's
//! literal is somebody's value.

mod relationships;
mod syntax;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path as FsPath;
use std::time::Duration;

use reenact_model::catalog::{Relationship, Scope};
use reenact_model::{Class, Dsn, Error, FieldPath, Finding, Kind, Result, ServiceCatalog, Site, Span};
use sha2::{Digest, Sha256};

/// A checked pipeline.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// The file, as the user named it.
    pub file: String,
    /// The services, in the order of the file.
    pub services: Vec<Service>,
    /// "A commit in the first can cause a commit in the second."
    pub flow: Vec<(String, String)>,
    /// Relationships that no server knows of.
    pub relationships: Vec<Virtual>,
    /// Where a capture begins.
    pub roots: Vec<Root>,
    /// What stops a capture.
    pub limits: Limits,
    /// Where its limits stand, if it sets some.
    pub limits_at: Option<Span>,
    /// The policy's file, beside the pipeline's own place.
    pub policy: String,
    /// SHA-256 of the text.
    pub digest: String,
}

/// A service of a pipeline.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// Where it is.
    pub dsn: Dsn,
    /// What the pipeline declares of it.
    pub scope: Scope,
    /// Where it stands in the file.
    pub span: Span,
}

/// A relationship that the pipeline declares.
#[derive(Clone, Debug, PartialEq)]
pub struct Virtual {
    /// The relationship.
    pub relationship: Relationship,
    /// Whether a child may be loaded before its parent.
    pub soft: bool,
    /// Where it stands.
    pub span: Span,
}

/// Where a capture begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Root {
    /// The service and entity; a glob (`shop/**`) takes whole entities.
    pub from: String,
    /// The fields that a record must have, with a literal or the name of a seed.
    pub filter: Vec<(FieldPath, Value)>,
    /// Which records that refer to the root are taken too.
    pub children: Children,
    /// Where it stands.
    pub span: Span,
}

/// A value in a root's filter.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// The value of a seed, given at capture.
    Seed(String),
    /// A literal of the file.
    Literal(String),
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Seed(name) => write!(f, "${{seed.{name}}}"),
            Self::Literal(_) => f.write_str("(literal)"),
        }
    }
}

/// Which children a root asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Children {
    /// None.
    None,
    /// Records that refer to the root's, along so many edges; `u32::MAX` for all descendants.
    Levels(u32),
    /// Records that refer, along these child fields, to anything that was taken.
    Along(Vec<String>),
}

/// What stops a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most records.
    pub rows: u64,
    /// The most bytes of one service, as they are in memory.
    pub bytes: u64,
    /// The longest time that a source is held.
    pub read_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { rows: 1_000_000, bytes: 4 << 30, read_time: Duration::from_mins(10) }
    }
}

impl Pipeline {
    /// Reads a pipeline's file; names of other files in it are beside it.
    ///
    /// # Errors
    /// [`Class::Input`] with all findings.
    pub fn load(path: &FsPath, env: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| {
            Error::new(
                Class::Input,
                format!("`{}` can't be read: {}", path.display(), reenact_model::error::refused(&e)),
            )
        })?;
        let beside = path.parent().unwrap_or(FsPath::new(".")).to_owned();
        Self::parse(&path.display().to_string(), &text, env, &|name| std::fs::read_to_string(beside.join(name)).ok())
    }

    /// Parses a pipeline; `file_text` gives the text of a file that it names.
    ///
    /// # Errors
    /// [`Class::Input`] with all findings.
    pub fn parse(
        file: &str,
        text: &str,
        env: &dyn Fn(&str) -> Option<String>,
        file_text: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self> {
        let mut findings = Vec::new();
        let Some(document) = reenact_mask::yaml::read::<syntax::Document>(file, text, &mut findings) else {
            return Err(Error::from_findings(Class::Input, &format!("`{file}` can't be read"), &findings)
                .unwrap_or_else(|| Error::new(Class::Input, "the pipeline can't be read")));
        };
        let digest = hex::encode(Sha256::digest(text.as_bytes()));
        let pipeline = document.resolve(file, digest, env, file_text, &mut findings);
        match Error::from_findings(Class::Input, &format!("`{file}` has mistakes"), &findings) {
            Some(error) => Err(error),
            None => Ok(pipeline),
        }
    }

    /// The names of all seeds that the roots need.
    pub fn seeds(&self) -> BTreeSet<String> {
        let values = self.roots.iter().flat_map(|r| &r.filter);
        values.filter_map(|(_, v)| if let Value::Seed(name) = v { Some(name.clone()) } else { None }).collect()
    }

    /// The names of the services.
    pub fn names(&self) -> Vec<String> {
        self.services.iter().map(|s| s.name.clone()).collect()
    }

    /// Puts foreign keys and the pipeline's relationships together, and checks every name against the catalogs.
    ///
    /// # Errors
    /// [`Class::Input`] with all findings: services, entities and fields that are not there, paths without a codec, services
    /// that refer to each other in a circle.
    pub fn bind(&self, catalogs: &[ServiceCatalog]) -> Result<Bound> {
        relationships::bind(self, catalogs)
    }
}

/// A pipeline bound to catalogs.
#[derive(Clone, Debug)]
pub struct Bound {
    /// All relationships: foreign keys first, in the servers' order.
    pub relationships: Vec<Relationship>,
    /// For each root, the entities that it names.
    pub roots: Vec<BoundRoot>,
    /// The entities that the capture may read.
    pub reached: BTreeSet<reenact_model::EntityId>,
    /// The services in the order in which they are loaded: those that are referred to first.
    pub load_order: Vec<String>,
}

/// A root bound to catalogs.
#[derive(Clone, Debug)]
pub struct BoundRoot {
    /// The entities it names: one, or all that the glob matches.
    pub entities: Vec<reenact_model::EntityId>,
    /// The edges along which children of anything taken are taken too, by index.
    pub along: BTreeSet<usize>,
    /// How many edges of children are taken from the root's own records.
    pub levels: u32,
}

fn finding(code: &'static str, span: &Span, message: impl Into<String>) -> Finding {
    Finding::error(code, Site::default().with_span(Some(span.clone())), message)
}

/// Fills in `${VAR}`, `${VAR:-default}`, `${VAR:?message}` and `$$`, in the Compose syntax; `${seed.…}` is left alone.
///
/// # Errors
/// What is wrong, with the variable's name.
pub fn interpolate(text: &str, env: &dyn Fn(&str) -> Option<String>) -> std::result::Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(tail) = rest.strip_prefix('$') {
            out.push('$');
            rest = tail;
            continue;
        }
        let Some(tail) = rest.strip_prefix('{') else {
            out.push('$');
            continue;
        };
        let end = tail.find('}').ok_or("a `${` is not closed")?;
        let (inside, after) = (&tail[..end], &tail[end + 1..]);
        rest = after;
        if inside.starts_with("seed.") {
            out.push_str("${");
            out.push_str(inside);
            out.push('}');
            continue;
        }
        let end = inside.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(inside.len());
        let (name, operator) = inside.split_at(end);
        if name.is_empty() {
            return Err(format!("`${{{inside}}}` names no variable"));
        }
        let value = env(name);
        let filled = value.as_deref().filter(|v| !v.is_empty());
        match operator.split_at_checked(2).unwrap_or((operator, "")) {
            ("", _) => match &value {
                Some(value) => out.push_str(value),
                None => return Err(format!("the variable `{name}` is not set")),
            },
            (":-", default) => out.push_str(filled.unwrap_or(default)),
            (":?", message) => match filled {
                Some(value) => out.push_str(value),
                None => return Err(format!("the variable `{name}` is not set: {message}")),
            },
            _ => match (operator.as_bytes()[0], &operator[1..]) {
                (b'-', default) => out.push_str(value.as_deref().unwrap_or(default)),
                (b'?', message) => match &value {
                    Some(value) => out.push_str(value),
                    None => return Err(format!("the variable `{name}` is not set: {message}")),
                },
                _ => {
                    return Err(format!(
                        "`${{{inside}}}`: write `${{VAR}}`, `${{VAR:-default}}` or `${{VAR:?message}}`"
                    ));
                }
            },
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// Reads `30s`, `10m`, `2h`, `7d` or `500ms`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..end].parse().ok()?;
    let millis = match &text[end..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis)
}

/// Reads `100`, `64KiB`, `256MiB` or `4GiB`.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..end].parse().ok()?;
    let shift = match text[end..].trim() {
        "" | "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return None,
    };
    number.checked_mul(1 << shift)
}

/// Seeds by name, each with one value or several: any of them makes a root. Their values print nowhere.
#[derive(Clone, Default)]
pub struct Seeds(pub BTreeMap<String, Vec<String>>);

impl Seeds {
    /// Adds a value to a seed.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.entry(name.into()).or_default().push(value.into());
        self
    }
}

impl std::fmt::Debug for Seeds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests;
