//! Approvals: signed files over every field's decision, and whether enough of them hold.
//!
//! Hidden here: what a signature is over, and what makes it void. How many approvals are needed and whose keys count is [`Required`], which
//! comes from the keyring of whoever captures, never from a policy, a pipeline or an approval. Only what tells less than was approved may
//! change under an approval: a field that no rule names and `undecided: redact` replaces, and a field that is gone.

mod key;
mod subject;
#[cfg(test)]
mod tests;

use reenact_model::{Class, Error, FieldId, Finding, Result, Site};
use serde::{Deserialize, Serialize};

use self::key::unhex;
pub use self::key::{PublicKey, under};
use self::subject::canonical_bytes;
pub use self::subject::{Inside, Leaf, Masking, Outcome, Resolved, Subject};

/// What signatures of approvals are made under.
pub const DOMAIN: &str = "reenact/approval/v1";
const FORMAT: &str = "reenact/approval";
const VERSION: &str = "1.0";
/// The largest file that is read as an approval, in bytes.
pub const MAX_BYTES: usize = 16 << 20;

/// What somebody states with a signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// What is approved.
    pub subject: Subject,
    /// SHA-256 of the policy's text at that time: told, and not compared.
    pub policy: String,
    /// When, in milliseconds since 1970.
    pub approved_ms: i64,
    /// Until when, in milliseconds since 1970.
    pub expires_ms: i64,
}

impl Statement {
    /// The bytes that are signed under [`DOMAIN`].
    pub fn bytes(&self) -> Vec<u8> {
        canonical_bytes(self)
    }
}

/// A statement with a signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    format: String,
    format_version: String,
    /// What is stated.
    pub statement: Statement,
    /// Whose signature it claims to be: a name, never proof.
    pub key: PublicKey,
    signature: String,
}

impl Approval {
    /// Joins a statement and its signature.
    pub fn new(statement: Statement, key: PublicKey, signature: &[u8; 64]) -> Self {
        let signature = hex::encode(signature);
        Self { format: FORMAT.to_owned(), format_version: VERSION.to_owned(), statement, key, signature }
    }

    /// Reads a file; `name` is what errors call it.
    ///
    /// # Errors
    /// [`Class::Input`] if it is no approval of this version.
    pub fn read(name: &str, text: &str) -> Result<Self> {
        let unread = |why: &str| {
            Error::new(Class::Input, format!("`{name}` is no approval: {why}"))
                .help("approvals are made by `reenact policy approve`; take away what is none")
        };
        if text.len() > MAX_BYTES {
            return Err(unread("it is too large"));
        }
        let approval: Self =
            serde_json::from_str(text).map_err(|error| unread(&format!("line {} does not read", error.line())))?;
        if approval.format != FORMAT || approval.format_version != VERSION {
            return Err(unread("it is of another version"));
        }
        Ok(approval)
    }

    /// The file's text.
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Whether one of the operator's approvers has signed it, whatever it is of and however old.
    pub fn counts(&self, required: &Required) -> bool {
        required.approvers.iter().any(|key| *key == self.key && self.is_signed_by(key))
    }

    /// Whether a key has signed it.
    fn is_signed_by(&self, key: &PublicKey) -> bool {
        unhex(&self.signature).is_some_and(|signature| key.verifies(DOMAIN, &self.statement.bytes(), &signature))
    }
}

/// What the operator asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Required {
    /// How many approvals, each by another key.
    pub count: usize,
    /// The keys that count.
    pub approvers: Vec<PublicKey>,
}

/// An approval that holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Who approved.
    pub key: PublicKey,
    /// When, in milliseconds since 1970.
    pub approved_ms: i64,
    /// Until when, in milliseconds since 1970.
    pub expires_ms: i64,
}

/// What became of the approvals.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Those that hold, one for each key.
    pub held: Vec<Held>,
    /// Why the others don't.
    pub refused: Vec<Finding>,
    /// Fields that an approval which holds does not name: all of them are redacted because no rule names them.
    pub added: Vec<FieldId>,
    /// Fields that were approved, and are there no more.
    pub gone: Vec<FieldId>,
}

/// Holds approvals against what is decided now.
pub fn verify(subject: &Subject, approvals: &[Approval], required: &Required, now_ms: i64) -> Verdict {
    let mut verdict = Verdict::default();
    for approval in approvals {
        let id = approval.key.id();
        let about = |site: Site, code: &'static str, what: &str| {
            Finding::error(code, site, format!("approval by {id}: {what}"))
        };
        let nowhere = Site::default;
        let statement = &approval.statement;
        let Some(key) = required.approvers.iter().find(|key| **key == approval.key) else {
            let finding = about(nowhere(), "APR-001", "this key is none of the keyring's approvers");
            verdict
                .refused
                .push(finding.help("put the key into `approvers` of the keyring, if its holder may approve"));
            continue;
        };
        if !approval.is_signed_by(key) {
            verdict.refused.push(about(nowhere(), "APR-002", "its signature does not hold: the file was changed"));
            continue;
        }
        if statement.expires_ms <= now_ms {
            let finding = about(nowhere(), "APR-003", "it has expired");
            verdict.refused.push(finding.help("review again, and approve again"));
            continue;
        }
        let mut changed: Vec<Finding> = Vec::new();
        for entity in subject.scope.difference(&statement.subject.scope) {
            changed.push(about(Site::entity(entity), "APR-004", "this entity was not in its scope"));
        }
        let mut added = Vec::new();
        for now in &subject.fields {
            match (statement.subject.field(&now.field), &now.does) {
                (Some(was), does) if was == does => {}
                // Whatever it was, a placeholder tells less.
                (_, Outcome::Redact) => added.push(now.field.clone()),
                (was, _) => {
                    let what =
                        if was.is_some() { "it approved another decision" } else { "it does not know this field" };
                    changed.push(about(Site::field(&now.field), "APR-005", what));
                }
            }
        }
        if changed.is_empty() {
            if !verdict.held.iter().any(|held| held.key == *key) {
                verdict.held.push(Held {
                    key: key.clone(),
                    approved_ms: statement.approved_ms,
                    expires_ms: statement.expires_ms,
                });
            }
            verdict.added.extend(added);
            let known = statement.subject.fields.iter().map(|was| &was.field);
            verdict.gone.extend(known.filter(|field| subject.field(field).is_none()).cloned());
        } else {
            verdict.refused.extend(changed);
        }
    }
    for list in [&mut verdict.added, &mut verdict.gone] {
        list.sort();
        list.dedup();
    }
    verdict
}

impl Verdict {
    /// Nothing, if enough approvals hold.
    ///
    /// # Errors
    /// [`Class::Policy`] with the reason why each of the others does not.
    pub fn enough(&self, required: &Required) -> Result<()> {
        if self.held.len() >= required.count {
            return Ok(());
        }
        let what = format!(
            "{} of the {} approvals that the keyring asks for {}",
            self.held.len(),
            required.count,
            if self.held.len() == 1 { "holds" } else { "hold" }
        );
        let error = Error::from_findings(Class::Policy, &what, &self.refused)
            .unwrap_or_else(|| Error::new(Class::Policy, what));
        Err(error.help(
            "have the policy reviewed, and signed with `reenact policy approve PIPELINE` by keys that stand in the keyring's `approvers`",
        ))
    }
}
