//! A plan: a policy resolved against a catalog, with exactly one decision for every field.
//!
//! Hidden here: how rules become decisions (`resolve`), and which promises are checked before a row is read (`checks`): coverage,
//! dead rules, rules that disagree, keys and unique fields, both ends of a relationship in one domain, results that fit. A plan
//! holds no secret; keys join it in [`Plan::masker`].

mod checks;
mod resolve;

use std::collections::BTreeMap;
use std::sync::Arc;

use reenact_model::payload::Codec;
use reenact_model::{EntityId, FieldId, Finding, Span};
use serde::{Deserialize, Serialize};

pub(crate) use self::resolve::{mask_of, redaction};
use crate::domain::ScopeKeys;
use crate::kernels::{Group, Guarantees, Mask, Shape};
use crate::masker::Masker;
use crate::policy::{Canonical, Keep, Rule, Undecided};

/// What happens to one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The field.
    pub field: FieldId,
    /// What is done.
    pub action: Action,
    /// The rule that decided; none for coordinates and for what `undecided: redact` redacts.
    pub rule: Option<String>,
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
    warnings: Vec<Finding>,
    policy_digest: String,
}

/// What happens to the columns of one entity.
#[derive(Clone, Debug)]
pub(crate) struct EntityPlan {
    pub(crate) columns: BTreeMap<String, ColumnPlan>,
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
    /// The rule that chose it, for messages.
    pub(crate) rule: Option<(String, Span)>,
}

/// What a rule does to the leaves that its selectors name.
#[derive(Clone, Debug)]
pub(crate) struct LeafRule {
    pub(crate) rule: Arc<Rule>,
    /// `None` keeps.
    pub(crate) apply: Option<Apply>,
}

impl Plan {
    /// Every field's decision, by field.
    pub fn decisions(&self) -> &[Decision] {
        &self.decisions
    }

    /// The decision on a field; decisions are in the order of fields.
    fn decision(&self, field: &FieldId) -> Option<&Decision> {
        self.decisions.binary_search_by(|d| d.field.cmp(field)).ok().map(|at| &self.decisions[at])
    }

    /// What the mask of a field holds to, with its arguments there; none if nothing masks it.
    pub fn guarantees(&self, field: &FieldId) -> Option<Guarantees> {
        let apply = match self.column(field)? {
            ColumnPlan::Apply(apply) => Some(apply),
            ColumnPlan::Payload { leaves, .. } => {
                let rule = self.decision(field)?.rule.as_ref()?;
                leaves.iter().find(|leaf| leaf.rule.name == *rule)?.apply.as_ref()
            }
            ColumnPlan::Keep { .. } => None,
        };
        apply.map(|apply| apply.mask.guarantees())
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

    /// Joins the plan with the keys of a scope.
    pub fn masker(&self, keys: &ScopeKeys) -> Masker {
        Masker::new(self.entities.clone(), keys)
    }
}
