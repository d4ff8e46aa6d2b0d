//! What a capture states about itself inside the bundle.

use std::collections::BTreeMap;

use reenact_mask::masker::unmet;
use reenact_model::{Entity, graph};
use reenact_stores::GroupOffsets;

use super::plan::Prepared;
use super::walk::Pseudonyms;
use crate::capture::agent::Collected;
use crate::pipeline::{Bound, Pipeline, Value};
use crate::record::{CaptureRecord, Grade, PinnedPart, RootRecord};

pub(super) type Cut = (Vec<PinnedPart>, Vec<(String, GroupOffsets)>, u64, Grade);

/// How good a cut is: `exact` needs one part that was read at one moment, `causal` that nothing was read after its pin and that
/// the flow has no cycle. Parts of one turn are a cycle: each causes the other, and one of them was pinned first.
pub(super) fn grade(parts: &[PinnedPart], late: u64) -> Grade {
    let cycle = parts.windows(2).any(|pair| pair[0].turn == pair[1].turn);
    match parts {
        _ if late > 0 || cycle => Grade::Skewed,
        [part] if part.position.is_moment() => Grade::Exact,
        _ => Grade::Causal,
    }
}

/// The name of the seed that gives a value.
pub(super) fn seed(value: &Value) -> Option<String> {
    if let Value::Seed(name) = value { Some(name.clone()) } else { None }
}

pub(super) fn roots(pipeline: &Pipeline, bound: &Bound) -> Vec<RootRecord> {
    bound
        .roots
        .iter()
        .zip(&pipeline.roots)
        .map(|(b, r)| RootRecord {
            entities: b.entities.clone(),
            filter: r.filter.iter().map(|(f, v)| (f.clone(), seed(v), Vec::new())).collect(),
        })
        .collect()
}

pub(super) fn record(
    pipeline: &Pipeline,
    prepared: &Prepared,
    collected: &[Collected],
    (parts, groups, skew_ms, grade): Cut,
    pseudonyms: &Pseudonyms,
    queries: BTreeMap<String, u64>,
) -> CaptureRecord {
    let mut roots = roots(pipeline, &prepared.bound);
    let mut seeds = BTreeMap::new();
    for (root, values) in pseudonyms {
        for ((_, seed, slot), value) in roots[*root].filter.iter_mut().zip(values) {
            slot.clone_from(value);
            if let Some(seed) = seed {
                seeds.insert(seed.clone(), value.clone());
            }
        }
    }
    let mut dangling: Vec<_> = collected.iter().flat_map(|c| c.dangling.clone()).collect();
    dangling.sort_by_key(|d| d.edge);
    let reached = &prepared.bound.reached;
    let waves = prepared
        .catalogs
        .iter()
        .map(|catalog| {
            let entities: Vec<&Entity> =
                catalog.entities.iter().map(|e| &**e).filter(|e| reached.contains(&e.id)).collect();
            let own: Vec<_> = prepared
                .bound
                .relationships
                .iter()
                .filter(|r| r.child.entity.service == catalog.service && r.parent.entity.service == catalog.service)
                .cloned()
                .collect();
            (catalog.service.clone(), graph::waves(&entities, &own))
        })
        .collect();
    CaptureRecord {
        pipeline: pipeline.digest.clone(),
        policy: prepared.plan.policy_digest().to_owned(),
        grade,
        skew_ms,
        parts,
        roots,
        seeds,
        decisions: prepared.plan.decisions().to_vec(),
        dangling,
        groups,
        reached: reached.iter().cloned().collect(),
        load_order: prepared.bound.load_order.clone(),
        waves,
        queries,
        residue: None,
        places: prepared.places.clone(),
        approvals: prepared.approvals.held.clone(),
        unapproved: prepared.approvals.added.clone(),
        warnings: unmet(&collected.iter().flat_map(|c| c.named.clone()).collect::<Vec<_>>()),
    }
}

#[cfg(test)]
mod tests {
    use reenact_model::{Part, Position};

    use super::*;

    #[test]
    fn a_cut_is_no_better_than_its_parts_and_its_order() {
        let part = |service: &str, turn| PinnedPart {
            service: service.to_owned(),
            part: Part::Database,
            position: Position::of("lsn", 7),
            turn,
            gaps: Vec::new(),
        };
        assert_eq!(grade(&[part("a", 0)], 0), Grade::Exact);
        assert_eq!(grade(&[part("a", 0), part("b", 1)], 0), Grade::Causal);
        assert_eq!(grade(&[part("a", 0), part("b", 1)], 1), Grade::Skewed);
        // Each causes the other, so no order of pins is right.
        assert_eq!(grade(&[part("a", 0), part("b", 0)], 0), Grade::Skewed);
    }
}
