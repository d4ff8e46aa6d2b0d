//! How a failure is told: where it happened, which exit code it means, and which edit mends it.
//!
//! Hidden here: the one shape of every error of every crate. An error names a [`Site`] and never holds a value of a row;
//! a caller that knows more fills the blanks with [`Error::at`] and never wraps. The message format follows the command
//! line's habits: lower-case fragments without a full stop, then `help:` with the edit.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A result whose error is an [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// What kind of failure this is; each class is one exit code of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Class {
    /// A bug of ours, or something nobody foresaw (exit code 1).
    Unexpected,
    /// Text that does not parse or does not resolve: usage, unknown keys, missing tables, cyclic services (2).
    Input,
    /// The work ended with parts left out, and says which (3).
    Partial,
    /// Findings of a check (10).
    Findings,
    /// Differences: verification after a load, drift (11).
    Differences,
    /// A capture that the policy stopped: uncovered field, dead rule, expired keep (12).
    Policy,
    /// A direct identifier was found in the output (13).
    Residue,
    /// A service can't be reached, or did not let us in (20).
    Unreachable,
    /// A target without the marker, or that is a source (21).
    Refused,
    /// A bundle that is missing, damaged, unsigned or signed by a stranger (23).
    Bundle,
    /// A condition that did not come true in time (24).
    Await,
    /// Something could not be removed (25).
    Cleanup,
    /// A limit of rows, bytes, keys or time was exceeded (26).
    Limit,
    /// No space left, or a write failed (27).
    Write,
}

impl Class {
    /// The exit code that the command line returns for this class.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Unexpected => 1,
            Self::Input => 2,
            Self::Partial => 3,
            Self::Findings => 10,
            Self::Differences => 11,
            Self::Policy => 12,
            Self::Residue => 13,
            Self::Unreachable => 20,
            Self::Refused => 21,
            Self::Bundle => 23,
            Self::Await => 24,
            Self::Cleanup => 25,
            Self::Limit => 26,
            Self::Write => 27,
        }
    }
}

/// A place in a text that a person wrote: file, 1-based line and column, and the length of the offending text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// The file as it was named by the user.
    pub file: String,
    /// 1-based line.
    pub line: u32,
    /// 1-based column, in characters.
    pub column: u32,
    /// Length of the offending text in characters; at least 1.
    pub length: u32,
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Where something happened: whatever is known of service, entity, field and rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// The service's name in the pipeline.
    pub service: Option<String>,
    /// The entity's name within the service.
    pub entity: Option<String>,
    /// The field, with its path into a payload if it has one.
    pub field: Option<String>,
    /// The name of the rule that decided.
    pub rule: Option<String>,
    /// Where the text that caused this stands.
    pub span: Option<Span>,
}

impl Site {
    /// A site that names a service only.
    pub fn service(name: &str) -> Self {
        Self { service: Some(name.to_owned()), ..Self::default() }
    }

    /// A site that names an entity.
    pub fn entity(id: &crate::EntityId) -> Self {
        Self { service: Some(id.service.clone()), entity: Some(id.name.clone()), ..Self::default() }
    }

    /// A site that names a field of an entity.
    pub fn field(id: &crate::FieldId) -> Self {
        Self { field: Some(id.field.to_string()), ..Self::entity(&id.entity) }
    }

    /// Whether both name the same service, entity and field.
    pub fn same_place(&self, other: &Self) -> bool {
        self.service == other.service && self.entity == other.entity && self.field == other.field
    }

    /// The same site at a place in a text.
    #[must_use]
    pub fn with_span(mut self, span: Option<Span>) -> Self {
        self.span = span;
        self
    }

    /// The same site, decided by a rule.
    #[must_use]
    pub fn with_rule(mut self, rule: &str) -> Self {
        self.rule = Some(rule.to_owned());
        self
    }

    /// Takes from `outer` whatever this site does not know yet.
    fn fill(&mut self, outer: Site) {
        self.service = self.service.take().or(outer.service);
        self.entity = self.entity.take().or(outer.entity);
        self.field = self.field.take().or(outer.field);
        self.rule = self.rule.take().or(outer.rule);
        self.span = self.span.take().or(outer.span);
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut wrote = false;
        if let Some(service) = &self.service {
            write!(f, "{service}")?;
            wrote = true;
        }
        if let Some(entity) = &self.entity {
            write!(f, "{}{entity}", if wrote { "/" } else { "" })?;
            wrote = true;
        }
        if let Some(field) = &self.field {
            write!(f, "{}{field}", if wrote { "." } else { "" })?;
            wrote = true;
        }
        if let Some(rule) = &self.rule {
            write!(f, "{}rule `{rule}`", if wrote { ", " } else { "" })?;
            wrote = true;
        }
        if let Some(span) = &self.span {
            write!(f, "{}{span}", if wrote { ", " } else { "" })?;
        }
        Ok(())
    }
}

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Severity {
    /// Worth knowing; stops nothing.
    Note,
    /// May be accepted by a reviewer.
    Warning,
    /// Stops the work and can't be accepted.
    Error,
}

/// A reviewable remark on a text or a plan: what is wrong, where, and the edit that mends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable code, such as `POL-004`.
    pub code: Cow<'static, str>,
    /// How much it weighs.
    pub severity: Severity,
    /// Where it is.
    pub site: Site,
    /// What is wrong; never a value of a row.
    pub message: String,
    /// The edit that mends it.
    pub help: Option<String>,
}

impl Finding {
    /// A finding that stops the work.
    pub fn error(code: &'static str, site: Site, message: impl Into<String>) -> Self {
        Self { code: code.into(), severity: Severity::Error, site, message: message.into(), help: None }
    }

    /// A finding that a reviewer may accept.
    pub fn warning(code: &'static str, site: Site, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, site, message) }
    }

    /// The same finding with the edit that mends it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] ", self.code)?;
        let site = self.site.to_string();
        if !site.is_empty() {
            write!(f, "{site}: ")?;
        }
        write!(f, "{}", self.message)?;
        if let Some(help) = &self.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

/// The one error of every crate: a class, a site, a message without row values, a help text, and the findings behind it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Error(Box<Inner>);

#[derive(Clone, Serialize, Deserialize)]
struct Inner {
    class: Class,
    site: Site,
    message: String,
    help: Option<String>,
    findings: Vec<Finding>,
}

impl Error {
    /// An error of a class; `message` is a lower-case fragment that holds no value of a row.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            class,
            site: Site::default(),
            message: message.into(),
            help: None,
            findings: Vec::new(),
        }))
    }

    /// One error out of many findings, so that all of them are told at once.
    ///
    /// Returns `None` if no finding is of severity [`Severity::Error`].
    pub fn from_findings(class: Class, what: &str, findings: &[Finding]) -> Option<Self> {
        let errors: Vec<Finding> = findings.iter().filter(|f| f.severity == Severity::Error).cloned().collect();
        if errors.is_empty() {
            return None;
        }
        let message = match errors.len() {
            1 => format!("{what}: 1 finding"),
            n => format!("{what}: {n} findings"),
        };
        let mut error = Self::new(class, message);
        error.0.findings = errors;
        Some(error)
    }

    /// Adds what the caller knows about the place; what is known already stays.
    #[must_use]
    pub fn at(mut self, site: Site) -> Self {
        self.0.site.fill(site);
        self
    }

    /// Adds the edit that mends it, unless one is named already.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help.get_or_insert_with(|| help.into());
        self
    }

    /// The kind of failure.
    pub fn class(&self) -> Class {
        self.0.class
    }

    /// Where it happened, as far as known.
    pub fn site(&self) -> &Site {
        &self.0.site
    }

    /// What is wrong, without the site.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The edit that mends it.
    pub fn help_text(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// The findings behind it; empty for a plain error.
    pub fn findings(&self) -> &[Finding] {
        &self.0.findings
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let site = self.0.site.to_string();
        if !site.is_empty() {
            write!(f, "{site}: ")?;
        }
        write!(f, "{}", self.0.message)?;
        if let Some(help) = &self.0.help {
            write!(f, "\n  help: {help}")?;
        }
        for finding in &self.0.findings {
            write!(f, "\n{finding}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.class)
    }
}

impl std::error::Error for Error {}

/// Why the operating system refuses a file, without its path.
pub fn refused(error: &std::io::Error) -> String {
    match error.kind() {
        // The library calls it an entity, which is something else here.
        std::io::ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        kind => kind.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_fills_blanks_and_never_overwrites() {
        let inner = Error::new(Class::Input, "no such column").at(Site { field: Some("a".into()), ..Site::default() });
        let outer = inner.at(Site { service: Some("s".into()), field: Some("b".into()), ..Site::default() });
        assert_eq!(outer.to_string(), "s.a: no such column");
    }

    #[test]
    fn warnings_alone_are_no_error() {
        let warning = Finding::warning("X-1", Site::default(), "hm");
        assert!(Error::from_findings(Class::Policy, "policy", &[warning]).is_none());
    }
}
