//! A policy: which rule decides which field.
//!
//! Hidden here: the policy language. [`Policy::parse`] reads the text and tells every finding at once, each at its place;
//! what a policy means for a catalog is [`crate::plan`]'s task.

mod assemble;
mod expect;
mod partition;
mod profiles;
mod selector;
mod syntax;
mod text;
mod types;

use std::collections::BTreeMap;
use std::sync::Arc;

use reenact_model::{Class, EntityId, Error, FieldId, FieldPath, Finding, Result, Site, Span};

pub use reenact_model::equality::Canonical;

pub use expect::{Expectation, PolicyTest};
pub use selector::Selector;
pub use text::PolicyText;

use crate::kernels::{self, Args, MaskSpec};
use crate::yaml;

/// A parsed policy without findings.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The file, as the user named it.
    pub file: String,
    /// What happens to a field that no rule names.
    pub undecided: Undecided,
    /// The domains, by name.
    pub domains: BTreeMap<String, Domain>,
    /// The rules, in the order of the file; the order decides nothing.
    pub rules: Vec<Arc<Rule>>,
    /// The profiles whose rules it applies, each where it is named.
    pub profiles: Vec<(&'static str, Span)>,
    /// The tests inside the policy.
    pub tests: Vec<PolicyTest>,
    /// Sets of columns of one entity that may together tell who somebody is: they are measured, and decide nothing.
    pub quasi_identifiers: Vec<QuasiIdentifier>,
    /// SHA-256 of the text, and of what it includes.
    pub digest: String,
}

/// Columns of one entity that may together tell who somebody is, each where it is named; at least one.
pub type QuasiIdentifier = Vec<(FieldId, Span)>;

/// What happens to a field that no rule names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Undecided {
    /// The capture is refused.
    Refuse,
    /// It becomes a placeholder of its type, and is listed.
    Redact,
}

/// A namespace in which equal values have equal pseudonyms.
#[derive(Clone, Debug)]
pub struct Domain {
    /// How values are made equal before the mask sees them.
    pub canonical: Canonical,
    /// The mask that all its fields share.
    pub mask: MaskUse,
    /// The topics in whose partitions its pseudonyms stay.
    pub partition: Option<Partition>,
}

/// The topics in whose partitions a domain's pseudonyms stay.
#[derive(Clone, Debug)]
pub struct Partition {
    /// The partitioner: the word that the masks' argument `partition_by` takes.
    pub by: String,
    /// The topics.
    pub topics: Vec<EntityId>,
    /// Where it stands.
    pub span: Span,
}

/// A mask with its arguments.
#[derive(Clone, Debug)]
pub struct MaskUse {
    /// The mask.
    pub spec: &'static MaskSpec,
    /// Its arguments.
    pub args: Args,
    /// Where it stands.
    pub span: Span,
}

impl PartialEq for MaskUse {
    fn eq(&self, other: &Self) -> bool {
        self.spec.name == other.spec.name && self.args == other.args
    }
}

/// One rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub span: Span,
    /// Which fields it decides.
    pub on: Vec<(Selector, Span)>,
    /// The types of the fields that it decides, if not all; see `docs/policy.md`.
    pub types: Vec<String>,
    /// What it decides.
    pub does: Does,
    /// Under which condition it decides, if not always.
    pub when: Option<When>,
    /// Whose record it is, for masks that work by subject: the fields together, and where they are named.
    pub subject: Option<(Vec<SubjectField>, Span)>,
    /// Whether it accepts that counting undoes a pseudonym where a field has few values.
    pub accepts_few: bool,
    /// Whether it answers for results that a constraint of the server binds, which is not understood here.
    pub accepts_check: bool,
    /// The rules that it outranks where both match.
    pub overrides: Vec<String>,
}

/// The condition under which a rule decides.
#[derive(Clone, Debug)]
pub struct When {
    /// The entity that the record refers to and whose record is asked; none if the record itself is.
    pub on: Option<EntityId>,
    /// The condition, in CEL.
    pub that: String,
    /// Whether it counts as fulfilled where the reference leads to no record; such a record is refused if this is not said.
    pub missing: Option<bool>,
    /// Where it stands.
    pub span: Span,
}

/// A field that tells whose a record is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectField {
    /// A field of the record itself.
    Own(FieldPath),
    /// A field of the subject's own entity: the record is of that entity, or refers to it.
    Of(FieldId),
}

impl Rule {
    /// Whether both decide alike, wherever they decide.
    pub fn agrees(&self, other: &Self) -> bool {
        let subject = |rule: &Self| rule.subject.as_ref().map(|(fields, _)| fields.clone());
        self.does == other.does && subject(self) == subject(other)
    }

    /// Whether it keeps public reference data.
    pub fn is_reference(&self) -> bool {
        matches!(&self.does, Does::Keep(keep) if keep.reference)
    }
}

/// What a rule decides.
#[derive(Clone, Debug, PartialEq)]
pub enum Does {
    /// The domain's mask.
    Domain(String),
    /// A mask under the rule's own key.
    Mask(MaskUse),
    /// The value as it is.
    Keep(Keep),
}

/// Why a value is kept.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Keep {
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// The last day on which it holds, such as `2027-06-30`.
    pub expires: Option<String>,
    /// Whether the values are public reference data (a catalogue, a gazetteer): what is masked elsewhere may stand here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reference: bool,
    /// Whether it answers for a field that seems to hold a direct identifier or a secret: `reason` then says why it may pass.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accepts_personal: bool,
}

impl Policy {
    /// Parses a policy that includes no file; `file` is the name that findings show.
    ///
    /// # Errors
    /// As [`Policy::read`].
    pub fn parse(file: &str, text: &str) -> Result<Self> {
        Self::read(&PolicyText::of(file, text))
    }

    /// Parses a policy with all that it includes.
    ///
    /// # Errors
    /// [`Class::Input`] with all findings, each at its place.
    pub fn read(text: &PolicyText) -> Result<Self> {
        let mut findings = Vec::new();
        // What stands in the files that it includes is told as well.
        let document = yaml::read::<syntax::Document>(&text.file, &text.text, &mut findings);
        let Some(document) = document.or_else(|| assemble::only_includes(text)) else {
            return Err(Error::from_findings(Class::Input, &format!("`{}` can't be read", text.file), &findings)
                .unwrap_or_else(|| Error::new(Class::Input, "the policy can't be read")));
        };
        let policy = assemble::resolve(text, document, &mut findings);
        match Error::from_findings(Class::Input, &format!("`{}` has mistakes", text.file), &findings) {
            Some(error) => Err(error),
            None => Ok(policy),
        }
    }
}

/// Looks a mask up and checks its arguments against its spec; findings go to `findings`.
fn mask_use(reference: &syntax::MaskRef, span: Span, findings: &mut Vec<Finding>) -> Option<MaskUse> {
    let site = Site::default().with_span(Some(span.clone()));
    let Some(spec) = kernels::find(&reference.name) else {
        let known: Vec<&str> = kernels::MASKS.iter().map(|m| m.name).collect();
        findings.push(
            Finding::error("POL-005", site, format!("there is no mask `{}`", reference.name))
                .help(format!("the masks are {}", known.join(", "))),
        );
        return None;
    };
    let mut args = BTreeMap::new();
    let mut sound = true;
    for (name, value) in &reference.args {
        let mut wrong = |message: String| {
            findings.push(Finding::error("POL-006", site.clone(), message).help(arguments(spec)));
            sound = false;
        };
        match spec.args.iter().find(|arg| arg.name == name) {
            None => wrong(format!("mask `{}` has no argument `{name}`", spec.name)),
            Some(arg) => match arg.kind.check(value) {
                Ok(()) => {
                    args.insert(name.clone(), value.clone());
                }
                Err(what) => wrong(format!("the argument `{name}` of mask `{}` is {what}", spec.name)),
            },
        }
    }
    sound.then_some(MaskUse { spec, args: Args(args), span })
}

fn arguments(spec: &MaskSpec) -> String {
    if spec.args.is_empty() {
        return format!("write `mask: {}`", spec.name);
    }
    let list: Vec<String> = spec.args.iter().map(|arg| format!("`{}` ({})", arg.name, arg.doc)).collect();
    format!("its arguments are {}", list.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: &str) -> String {
        let error = Policy::parse("p.yaml", text).expect_err("has findings");
        assert_eq!(error.class(), Class::Input);
        error.findings().iter().fold(String::new(), |all, f| all + &format!("{} {}\n", f.code, f.site))
    }

    #[test]
    fn a_policy_reads() {
        let policy = Policy::parse(
            "p.yaml",
            r#"
version: 1
undecided: redact
domains:
  customer: { canonical: integer, mask: integer }
  email: { canonical: email, mask: { email: { at: corp.example } } }
rules:
  - { name: ids, on: ["*/**.customer_id", "cart/cart.key:customer_id"], domain: customer }
  - { name: mail, on: ["**.email", "events/orders.value:$..email"], domain: email }
  - { name: notes, on: [orders/public.orders.note], mask: redact }
  - { name: amounts, on: [orders/public.orders.amount], keep: { reason: rounding, owner: payments, expires: 2027-06-30 } }
"#,
        )
        .expect("parses");
        assert_eq!((policy.rules.len(), policy.undecided), (4, Undecided::Redact));
        assert_eq!(policy.domains["email"].mask.args.text("at"), Some("corp.example"));
    }

    #[test]
    fn all_mistakes_are_told_at_once_with_their_places() {
        let text = "version: 1
domains:
  a: { mask: nonsense }
rules:
  - { name: r, on: [s/t.c], mask: { email: { att: x } } }
  - { name: r, on: [s/t.d], domain: nowhere }
  - { name: both, on: [s/t.e], domain: a, mask: null }
  - { name: wide, on: [\"**.x\"], keep: { reason: because } }
  - { name: odd, on: [\"s/t.c:$[\"], mask: redact, overrides: [ghost] }
";
        assert_eq!(
            findings(text),
            "POL-005 p.yaml:3:14
POL-006 rule `r`, p.yaml:5:35
POL-014 rule `r`, p.yaml:6:13
POL-007 rule `r`, p.yaml:6:37
POL-008 rule `both`, p.yaml:7:13
POL-004 rule `wide`, p.yaml:8:24
POL-012 rule `odd`, p.yaml:9:23
POL-015 rule `odd`, p.yaml:9:62
"
        );
    }

    #[test]
    fn unknown_and_duplicate_keys_are_refused() {
        for text in
            ["version: 1\nrules: []\nrulez: []\n", "version: 1\nversion: 1\nrules: []\n", "version: 2\nrules: []\n"]
        {
            let error = Policy::parse("p.yaml", text).expect_err("refused");
            assert_eq!(error.class(), Class::Input, "{error}");
        }
    }
}
