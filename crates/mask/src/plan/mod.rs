//! A plan: a policy resolved against a catalog, with exactly one decision for every field.
//!
//! Hidden here: how rules become decisions (`resolve`), and which promises are checked before a row is read (`checks`): coverage,
//! dead rules, rules that disagree, keys and unique fields, both ends of a relationship in one domain, results that fit. A plan
//! holds no secret; keys join it in [`Plan::masker`].

mod checks;
mod few;
mod resolve;
mod subject;

use std::collections::BTreeMap;
use std::sync::Arc;

use reenact_model::payload::Codec;
use reenact_model::{EntityId, FieldId, Finding, Path, Site, Span};
use serde::{Deserialize, Serialize};

pub(crate) use self::resolve::{mask_of, redaction};
pub(crate) use self::subject::Subject;
use crate::domain::ScopeKeys;
use crate::kernels::{Group, Guarantees, Mask, Shape};
use crate::masker::Masker;
use crate::policy::{Canonical, Keep, Rule, Selector, Undecided};

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
    pub(crate) selectors: Vec<Selector>,
    /// `None` keeps.
    pub(crate) apply: Option<Apply>,
}

impl LeafRule {
    pub(crate) fn new(rule: &Arc<Rule>, container: &FieldId, apply: Option<Apply>) -> Self {
        let selectors = rule.on.iter().map(|(selector, _)| selector).filter(|s| s.matches_column(container));
        Self { rule: Arc::clone(rule), selectors: selectors.cloned().collect(), apply }
    }

    /// Whether it names a path of the payload.
    pub(crate) fn names(&self, path: &Path) -> bool {
        self.selectors.iter().any(|selector| selector.matches_path(path))
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
            ColumnPlan::Keep { .. } => None,
        }
    }

    /// What the mask of a field holds to, with its arguments there; none if nothing masks it.
    pub fn guarantees(&self, field: &FieldId) -> Option<Guarantees> {
        self.apply(field).map(|apply| apply.mask.guarantees())
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

    /// Joins the plan with the keys of a scope.
    pub fn masker(&self, keys: &ScopeKeys) -> Masker {
        Masker::new(self.entities.clone(), keys)
    }
}
