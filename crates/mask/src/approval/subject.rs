//! What an approval is of: every field's decision, with everything that decides what becomes of a value.
//!
//! Hidden here: which parts of a policy matter to an approver. The text of a policy may move freely; its masks, their arguments, domains,
//! canonical forms, reasons, and the patterns that reach into payloads may not. Rules are taken apart without a rest, so a new part of a rule
//! does not compile here until somebody has decided whether approvals are over it. Sets of quasi-identifiers are left out: what is measured of them
//! decides nothing, and no value becomes another by them.

use std::collections::{BTreeMap, BTreeSet};

use reenact_model::{EntityId, FieldId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::plan::{Action, ColumnPlan, Fulfils, Plan, mask_of};
use crate::policy::{Canonical, Does, Domain, Keep, MaskUse, Policy, Rule, SubjectField, Undecided};

/// Everything that is decided about one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolved {
    /// The field.
    pub field: FieldId,
    /// What becomes of its values.
    pub does: Outcome,
}

/// What becomes of a field's values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Outcome {
    /// They are masked.
    Mask(Masking),
    /// They are kept.
    Keep(Keep),
    /// They are replaced by a placeholder, because no rule names them.
    Redact,
    /// They are a coordinate of the store, which is kept.
    Coordinate,
    /// They are taken apart.
    Payload(Inside),
    /// One or the other, record by record.
    Choice(Box<Choice>),
}

/// What becomes of a field's values where a condition is fulfilled, and where it is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// The condition.
    pub when: Fulfils,
    /// What becomes of the values of a record that fulfils it.
    pub fulfilled: Outcome,
    /// What becomes of the others.
    pub otherwise: Outcome,
}

/// A mask with everything that its results depend on, but the keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Masking {
    /// The mask's name.
    pub mask: String,
    /// Its arguments, as the policy has them.
    pub args: BTreeMap<String, String>,
    /// The domain whose key is used.
    pub domain: String,
    /// When two values are equal.
    pub canonical: Canonical,
    /// Whose record it is, for masks that work by subject: the fields that tell.
    pub subject: Vec<String>,
    /// The partitioner and the topics in whose partitions pseudonyms stay.
    pub partition: Option<(String, Vec<String>)>,
    /// Whether it is accepted that counting undoes a pseudonym where a field has few values.
    pub accepts_few: bool,
}

/// What becomes of the parts of a payload that only the data shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inside {
    /// What happens to a part that no rule names.
    pub undecided: Undecided,
    /// The rules that reach into it, by name.
    pub rules: Vec<Leaf>,
}

/// A rule for parts of a payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaf {
    /// Its name.
    pub rule: String,
    /// The selectors that reach into this payload.
    pub on: BTreeSet<String>,
    /// The types that it is for, if not all.
    pub types: BTreeSet<String>,
    /// Those of the other rules here that it outranks.
    pub overrides: BTreeSet<String>,
    /// The condition under which it decides, if not always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Fulfils>,
    /// What becomes of what they name.
    pub does: Outcome,
}

/// What an approval is of: all decisions, and the entities that they are for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// The entities that a capture may read.
    pub scope: BTreeSet<EntityId>,
    /// Every field's decision, by field.
    pub fields: Vec<Resolved>,
}

impl Subject {
    /// What a policy decides for the entities that a capture may read.
    pub fn of(policy: &Policy, plan: &Plan, reached: &BTreeSet<EntityId>) -> Self {
        let rules: BTreeMap<&str, &Rule> = policy.rules.iter().map(|rule| (rule.name.as_str(), &**rule)).collect();
        let fields = plan.decisions().iter().map(|decision| {
            let does = match (&decision.action, decision.rule.as_deref().and_then(|name| rules.get(name))) {
                (Action::Mask { .. }, Some(rule)) => masked(policy, rule),
                // A mask without a rule is what `undecided: redact` does.
                (Action::Redact | Action::Mask { .. }, _) => Outcome::Redact,
                (Action::Keep(keep), _) => Outcome::Keep(keep.clone()),
                (Action::Coordinate, _) => Outcome::Coordinate,
                (Action::Payload, _) => Outcome::Payload(inside(policy, plan, &decision.field)),
            };
            let does = match decision.when.as_ref().and_then(|when| Some((when, rules.get(when.rule.as_str())?))) {
                Some((when, rule)) => Outcome::Choice(Box::new(Choice {
                    when: when.condition.clone(),
                    fulfilled: masked(policy, rule),
                    otherwise: does,
                })),
                None => does,
            };
            Resolved { field: decision.field.clone(), does }
        });
        Self { scope: reached.clone(), fields: fields.collect() }
    }

    /// SHA-256 of the whole, in hexadecimal: a name for people to compare.
    pub fn digest(&self) -> String {
        hex::encode(Sha256::digest(canonical_bytes(self)))
    }

    /// The decision on a field.
    pub fn field(&self, field: &FieldId) -> Option<&Outcome> {
        self.fields.iter().find(|resolved| resolved.field == *field).map(|resolved| &resolved.does)
    }
}

/// The bytes that stand for a thing: JSON without white space, its members in the order of their declaration, maps and sets sorted.
pub(super) fn canonical_bytes(of: &impl Serialize) -> Vec<u8> {
    // Structures of texts, numbers, lists and maps of texts always have a JSON form.
    serde_json::to_vec(of).unwrap_or_default()
}

fn masked(policy: &Policy, rule: &Rule) -> Outcome {
    let Some((MaskUse { spec, args, span: _ }, canonical)) = mask_of(policy, rule) else { return kept(rule) };
    let (domain, partition) = match &rule.does {
        Does::Domain(name) => {
            // Taken apart without a rest, so that what a domain will have in future can't be forgotten here.
            let partition =
                policy.domains.get(name).and_then(|Domain { canonical: _, mask: _, partition }| partition.as_ref());
            (name.clone(), partition)
        }
        Does::Mask(_) | Does::Keep(_) => (format!("rule:{}", rule.name), None),
    };
    let subject = rule.subject.iter().flat_map(|(fields, _)| fields).map(|field| match field {
        SubjectField::Own(path) => path.to_string(),
        SubjectField::Of(field) => field.to_string(),
    });
    Outcome::Mask(Masking {
        mask: spec.name.to_owned(),
        args: args.0.clone(),
        domain,
        canonical,
        subject: subject.collect(),
        partition: partition.map(|p| (p.by.clone(), p.topics.iter().map(ToString::to_string).collect())),
        accepts_few: rule.accepts_few,
    })
}

fn kept(rule: &Rule) -> Outcome {
    match &rule.does {
        Does::Keep(keep) => Outcome::Keep(keep.clone()),
        Does::Domain(_) | Does::Mask(_) => Outcome::Redact,
    }
}

fn inside(policy: &Policy, plan: &Plan, field: &FieldId) -> Inside {
    let mut rules = Vec::new();
    let mut undecided = policy.undecided;
    if let Some(ColumnPlan::Payload { leaves, undecided: told, codec: _ }) = plan.column(field) {
        undecided = *told;
        let here: BTreeSet<&str> = leaves.iter().map(|leaf| leaf.rule.name.as_str()).collect();
        for leaf in leaves {
            // What is not taken here stands in `does`.
            let Rule {
                name,
                span: _,
                on,
                types,
                does: _,
                when,
                subject: _,
                accepts_few: _,
                accepts_check: _,
                overrides,
            } = &*leaf.rule;
            let into = on.iter().filter(|(s, _)| s.has_path() && s.matches_column(field));
            rules.push(Leaf {
                rule: name.clone(),
                on: into.map(|(s, _)| s.text().to_owned()).collect(),
                types: types.iter().cloned().collect(),
                overrides: overrides.iter().filter(|other| here.contains(other.as_str())).cloned().collect(),
                when: when.as_ref().map(Fulfils::of),
                does: masked(policy, &leaf.rule),
            });
        }
    }
    rules.sort_by(|a, b| a.rule.cmp(&b.rule));
    Inside { undecided, rules }
}
