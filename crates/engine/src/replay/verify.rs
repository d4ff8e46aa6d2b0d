//! The proof: what the targets hold is what the bundle holds.

use std::collections::BTreeMap;
use std::fmt;

use reenact_bundle::Contents;
use reenact_model::catalog::Relationship;
use reenact_model::{Class, Entity, EntityId, Error, KeySet, Result, Site};
use reenact_stores::Target;

use super::ReplayReport;
use crate::events::{Event, Observer};
use crate::record::CaptureRecord;

/// Something that differs between bundle and target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// Another number of records.
    Count {
        /// The entity.
        entity: EntityId,
        /// Records in the bundle.
        expected: u64,
        /// Records in the target.
        found: u64,
    },
    /// The same number of records with other contents.
    Content {
        /// The entity.
        entity: EntityId,
    },
    /// References that lead nowhere, or lead somewhere, otherwise than in production.
    References {
        /// The relationship.
        edge: String,
        /// References without a parent in production.
        expected: usize,
        /// References without a parent in the target.
        found: usize,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count { entity, expected, found } => {
                write!(f, "{entity}: {found} records, and the bundle has {expected}")
            }
            Self::Content { entity } => write!(f, "{entity}: the records' contents differ from the bundle's"),
            Self::References { edge, expected, found } => {
                write!(f, "{edge}: {found} references lead nowhere, and {expected} did in production")
            }
        }
    }
}

pub(super) async fn verify(
    contents: &Contents,
    record: &CaptureRecord,
    targets: &mut BTreeMap<String, Box<dyn Target>>,
    report: &mut ReplayReport,
    observer: &dyn Observer,
) -> Result<()> {
    let digests = contents.digests();
    for id in &record.reached {
        let Some(entity) = contents.entity(id) else { continue };
        let expected = digests.get(id).copied().unwrap_or_default();
        let found = target(targets, &id.service)?.digest(entity).await.map_err(|e| e.at(Site::entity(id)))?;
        report.compared += 1;
        let equal = expected == found;
        observer.event(&Event::Verified { entity: id.clone(), equal });
        if expected.count != found.count {
            report.differences.push(Difference::Count {
                entity: id.clone(),
                expected: expected.count,
                found: found.count,
            });
        } else if !equal {
            report.differences.push(Difference::Content { entity: id.clone() });
        }
    }
    for (n, edge) in contents.relationships.iter().enumerate() {
        let reached = |id: &EntityId| record.reached.contains(id);
        let (Some(child), Some(parent)) = (contents.entity(&edge.child.entity), contents.entity(&edge.parent.entity))
        else {
            continue;
        };
        if !reached(&child.id) || !reached(&parent.id) {
            continue;
        }
        let expected: KeySet =
            record.dangling.iter().filter(|d| d.edge == n).flat_map(|d| d.keys.iter().cloned()).collect();
        let found = dangling(targets, edge, child, parent).await?;
        report.compared += 1;
        // A child that expired refers to nothing any more, and what refers to a parent that expired dangles from then on.
        let expired = |entity: &Entity| targets.get(&entity.id.service).is_some_and(|t| t.expired(entity) > 0);
        let fewer = !expected.minus(&found).is_empty() && !expired(child);
        let more = !found.minus(&expected).is_empty() && !expired(parent);
        if fewer || more {
            report.differences.push(Difference::References {
                edge: edge.to_string(),
                expected: expected.len(),
                found: found.len(),
            });
        }
    }
    // At the end, so that what expired during the comparison is told as well.
    for entity in record.reached.iter().filter_map(|id| contents.entity(id)) {
        let expired = target(targets, &entity.id.service)?.expired(entity);
        if expired > 0 {
            report.expired.insert(entity.id.clone(), expired);
        }
    }
    Ok(())
}

fn target<'a>(targets: &'a mut BTreeMap<String, Box<dyn Target>>, service: &str) -> Result<&'a mut Box<dyn Target>> {
    targets.get_mut(service).ok_or_else(|| Error::new(Class::Unexpected, "a target is missing"))
}

/// The child keys without a parent: an anti-join on one server, or a comparison of both ends' keys.
async fn dangling(
    targets: &mut BTreeMap<String, Box<dyn Target>>,
    edge: &Relationship,
    child: &Entity,
    parent: &Entity,
) -> Result<KeySet> {
    let plain = edge.child.fields.iter().chain(&edge.parent.fields).all(|f| f.path.is_none());
    if child.id.service == parent.id.service && plain {
        return target(targets, &child.id.service)?.dangling(edge, child, parent).await;
    }
    let refers = target(targets, &child.id.service)?
        .keys(child, &edge.child.fields, edge.condition.as_ref())
        .await
        .map_err(|e| e.at(Site::entity(&child.id)))?;
    let exist = target(targets, &parent.id.service)?
        .keys(parent, &edge.parent.fields, None)
        .await
        .map_err(|e| e.at(Site::entity(&parent.id)))?;
    Ok(refers.minus(&exist))
}
