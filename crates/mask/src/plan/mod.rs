//! A plan: a policy resolved against a catalog, with exactly one decision for every field.
//!
//! Hidden here: how rules become decisions (`resolve`), and which promises are checked before a row is read (`checks`): coverage,
//! dead rules, rules that disagree, keys and unique fields, both ends of a relationship in one domain, results that fit. A plan
//! holds no secret; keys join it in [`Plan::masker`].

mod bound;
mod checks;
mod conditional;
mod few;
mod personal;
mod resolve;
mod subject;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reenact_model::payload::Codec;
use reenact_model::{EntityId, FieldId, Finding, Path, Site, Span};
use serde::{Deserialize, Serialize};

pub(crate) use self::conditional::{Asked, Carried, choose};
pub(crate) use self::resolve::{decide, mask_of, redaction};
pub(crate) use self::subject::Subject;
use crate::domain::ScopeKeys;
use crate::kernels::{Group, Guarantees, Mask, Shape};
use crate::masker::Masker;
use crate::policy::{Canonical, Keep, Rule, Selector, Undecided, When};

/// What happens to one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The field.
    pub field: FieldId,
    /// What is done.
    pub action: Action,
    /// The rule that decided; none for coordinates and for what `undecided: redact` redacts.
    pub rule: Option<String>,
    /// What is done instead with the records that fulfil a condition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Box<Conditional>>,
}

impl Decision {
    /// A decision without a condition.
    pub fn new(field: FieldId, action: Action, rule: Option<String>) -> Self {
        Self { field, action, rule, when: None }
    }

    /// Why values are kept, in all records or in those that fulfil a condition, and the rule that keeps them.
    pub fn keeps(&self) -> Option<(&Keep, Option<&str>)> {
        match (&self.action, &self.when) {
            (Action::Keep(keep), _) => Some((keep, self.rule.as_deref())),
            (_, Some(when)) => match &when.action {
                Action::Keep(keep) => Some((keep, Some(&when.rule))),
                _ => None,
            },
            _ => None,
        }
    }
}

/// What is done with the values of records that fulfil a condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conditional {
    /// The condition.
    #[serde(flatten)]
    pub condition: Fulfils,
    /// What is done.
    pub action: Action,
    /// The rule that decides.
    pub rule: String,
}

/// A condition, as a policy has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fulfils {
    /// The entity that the record refers to and whose record is asked; none if the record itself is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<EntityId>,
    /// The condition, in CEL.
    pub that: String,
    /// Whether it counts as fulfilled where the reference leads to no record; such a record is refused if this is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<bool>,
}

impl Fulfils {
    /// The condition of a rule.
    pub fn of(when: &When) -> Self {
        Self { on: when.on.clone(), that: when.that.clone(), missing: when.missing }
    }
}

impl std::fmt::Display for Fulfils {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.on {
            None => write!(f, "`{}`", self.that)?,
            Some(on) => write!(f, "its record of {on} has `{}`", self.that)?,
        }
        match self.missing {
            None => Ok(()),
            Some(true) => f.write_str(", or it has none"),
            Some(false) => f.write_str(", and it has one"),
        }
    }
}

/// What is done with a field's values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Masked; fields of one domain share their pseudonyms.
    Mask {
        /// The mask's name.
        mask: String,
        /// The domain whose key is used: the policy's, or the rule's own (`rule:name`).
        domain: String,
    },
    /// Kept as it is.
    Keep(Keep),
    /// Replaced by a placeholder, because no rule names it.
    Redact,
    /// A coordinate of the store, kept: partition, offset, timestamp, type, expiry.
    Coordinate,
    /// Taken apart; its leaves have decisions of their own.
    Payload,
}

/// The plan for all services of a capture.
#[derive(Clone, Debug)]
pub struct Plan {
    decisions: Vec<Decision>,
    entities: BTreeMap<EntityId, EntityPlan>,
    /// Conditions that other records ask of records of an entity.
    carried: Vec<Arc<Carried>>,
    warnings: Vec<Finding>,
    policy_digest: String,
}

/// What happens to the columns of one entity.
#[derive(Clone, Debug, Default)]
pub(crate) struct EntityPlan {
    pub(crate) columns: BTreeMap<String, ColumnPlan>,
    /// The conditions of rules that decide here, by rule.
    pub(crate) conditions: BTreeMap<String, Asked>,
}

#[derive(Clone, Debug)]
pub(crate) enum ColumnPlan {
    /// Kept; `reference` data is not searched for what is masked elsewhere.
    Keep {
        reference: bool,
    },
    Apply(Apply),
    Payload {
        codec: Codec,
        leaves: Vec<LeafRule>,
        undecided: Undecided,
    },
    /// One or the other, by the condition of a rule.
    Choice {
        rule: String,
        fulfilled: Box<ColumnPlan>,
        otherwise: Box<ColumnPlan>,
    },
}

/// A mask under a domain's key.
#[derive(Clone, Debug)]
pub(crate) struct Apply {
    pub(crate) mask: Arc<dyn Mask>,
    pub(crate) domain: String,
    pub(crate) canonical: Canonical,
    pub(crate) shape: Shape,
    /// The mask's name in a policy.
    pub(crate) name: &'static str,
    /// What the mask is for.
    pub(crate) group: Group,
    /// Whose record it is, if the rule says so.
    pub(crate) subject: Option<Arc<Subject>>,
    /// The rule that chose it, for messages.
    pub(crate) rule: Option<(String, Span)>,
}

/// What a rule does to leaves of one payload.
#[derive(Clone, Debug)]
pub(crate) struct LeafRule {
    pub(crate) rule: Arc<Rule>,
    /// Those of the rule's selectors that lead into this payload: a path says nothing without the column that it starts from.
    pub(crate) selectors: Vec<(Selector, Span)>,
    /// `None` keeps.
    pub(crate) apply: Option<Apply>,
}

impl LeafRule {
    pub(crate) fn new(rule: &Arc<Rule>, container: &FieldId, apply: Option<Apply>) -> Self {
        let selectors =
            rule.on.iter().filter(|(selector, _)| selector.has_path() && selector.matches_column(container));
        Self { rule: Arc::clone(rule), selectors: selectors.cloned().collect(), apply }
    }

    /// Whether it names the member at a path, and not what it holds.
    pub(crate) fn names_member(&self, path: &Path) -> bool {
        self.selectors.iter().any(|(selector, _)| selector.matches_member(path))
    }

    /// Whether it names a path of the payload.
    pub(crate) fn names(&self, path: &Path) -> bool {
        self.selectors.iter().any(|(selector, _)| selector.matches_path(path))
    }
}

impl Plan {
    /// Every field's decision, by field.
    pub fn decisions(&self) -> &[Decision] {
        &self.decisions
    }

    /// Whether the capture may read an entity.
    pub fn covers(&self, entity: &EntityId) -> bool {
        self.entities.contains_key(entity)
    }

    /// The decision on a field; decisions are in the order of fields.
    fn decision(&self, field: &FieldId) -> Option<&Decision> {
        self.decisions.binary_search_by(|d| d.field.cmp(field)).ok().map(|at| &self.decisions[at])
    }

    /// What masks a field, if anything does.
    fn apply(&self, field: &FieldId) -> Option<&Apply> {
        match self.column(field)? {
            ColumnPlan::Apply(apply) => Some(apply),
            ColumnPlan::Payload { leaves, .. } => {
                let rule = self.decision(field)?.rule.as_ref()?;
                leaves.iter().find(|leaf| leaf.rule.name == *rule)?.apply.as_ref()
            }
            ColumnPlan::Keep { .. } | ColumnPlan::Choice { .. } => None,
        }
    }

    /// What the mask of a field holds to, with its arguments there; none if nothing masks it.
    pub fn guarantees(&self, field: &FieldId) -> Option<Guarantees> {
        // What holds to something in one record and not in another holds to nothing.
        let always = self.decision(field).is_none_or(|decision| decision.when.is_none());
        self.apply(field).filter(|_| always).map(|apply| apply.mask.guarantees())
    }

    /// The form under which two values of a field are one to its mask; [`Canonical::Text`] where nothing masks it.
    pub fn canonical(&self, field: &FieldId) -> Canonical {
        self.apply(field).map(|apply| apply.canonical).unwrap_or_default()
    }

    /// Where a field's mask was chosen: the field, and the rule at its place.
    pub fn site(&self, field: &FieldId) -> Site {
        let (rule, span) = self.apply(field).and_then(|apply| apply.rule.clone()).unzip();
        Site { rule, span, ..Site::field(field) }
    }

    /// What happens to a column.
    pub(crate) fn column(&self, field: &FieldId) -> Option<&ColumnPlan> {
        self.entities.get(&field.entity)?.columns.get(&field.field.column)
    }

    /// What is worth knowing and stops nothing.
    pub fn warnings(&self) -> &[Finding] {
        &self.warnings
    }

    /// SHA-256 of the policy's text.
    pub fn policy_digest(&self) -> &str {
        &self.policy_digest
    }

    /// The relationships along which conditions are asked of a service's records, each with the columns that they look at.
    pub fn asked_along(&self, service: &str) -> Vec<(usize, BTreeSet<String>)> {
        let of = self.carried.iter().filter(|carried| carried.parent.id.service == service);
        of.map(|carried| (carried.edge, carried.condition.columns().map(str::to_owned).collect())).collect()
    }

    /// The relationships that a service's records carry conditions along.
    pub fn carries_along(&self, service: &str) -> BTreeSet<usize> {
        let of = self.carried.iter().filter(|carried| carried.child.service == service);
        of.map(|carried| carried.edge).collect()
    }

    /// Joins the plan with the keys of a scope.
    pub fn masker(&self, keys: &ScopeKeys) -> Masker {
        Masker::new(self.entities.clone(), self.carried.clone(), keys)
    }
}
