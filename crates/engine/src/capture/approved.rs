//! Whether a policy has the approvals that whoever captures asks for.
//!
//! Hidden here: that the question is asked twice. The coordinator asks before anything is prepared, and each agent asks again, of its own
//! keyring and of the decisions that it has resolved by itself, since a coordinator may be somebody else's.

use std::collections::BTreeSet;

use reenact_mask::approval::{Required, Subject, Verdict, verify};
use reenact_mask::{Approval, Plan, Policy};
use reenact_model::{EntityId, Result};

/// What was reviewed before a capture, and what whoever captures asks for.
#[derive(Clone, Debug, Default)]
pub struct Reviewed {
    /// The digest of a plan that was reviewed.
    pub plan: Option<String>,
    /// The policy's approvals.
    pub approvals: Vec<Approval>,
    /// How many must hold, and whose keys count.
    pub required: Required,
}

/// Holds the approvals against what a policy decides.
pub(super) fn approved(
    policy: &Policy,
    plan: &Plan,
    reached: &BTreeSet<EntityId>,
    approvals: &[Approval],
    required: &Required,
) -> Result<Verdict> {
    if approvals.is_empty() && required.count == 0 {
        return Ok(Verdict::default());
    }
    let verdict = verify(&Subject::of(policy, plan, reached), approvals, required, super::now_ms());
    verdict.enough(required)?;
    Ok(verdict)
}
