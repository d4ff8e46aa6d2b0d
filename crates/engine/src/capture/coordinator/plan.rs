//! Everything that is decided before a record is read: the binding, the policy's plan, and the order of the pins.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use reenact_mask::approval::Verdict;
use reenact_mask::{Plan, Policy, PolicyText, Salt};
use reenact_model::catalog::Schemas;
use reenact_model::graph;
use reenact_model::{Class, Entity, EntityId, Error, Finding, Part, Result, ServiceCatalog, Site};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Captures;
use super::record::{roots, seed};
use crate::capture::agent::{Described, Estimated, RootSetup, Setup};
use crate::capture::approved::{Reviewed, approved};
use crate::events::{Event, Observer};
use crate::pipeline::{Bound, Pipeline};
use crate::places::Places;
use crate::record::RootRecord;

/// What a plan tells before a record is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// `reenact/plan`.
    pub format: String,
    /// The version of this document's shape.
    pub format_version: String,
    /// SHA-256 of pipeline, policy and schemas; a capture refuses a plan of which one moved.
    pub digest: String,
    /// The services in the order of loading.
    pub services: Vec<String>,
    /// The roots: their entities, fields and seeds; never a value.
    pub roots: Vec<RootRecord>,
    /// The edges that the walk may take.
    pub edges: Vec<String>,
    /// Entities with the server's estimate of their records.
    pub entities: Vec<(EntityId, Option<u64>)>,
    /// Every field's decision.
    pub decisions: Vec<reenact_mask::Decision>,
    /// The servers' estimates for one key of each question: edge, entity, records, whether all would be read, and how.
    pub estimates: Vec<Estimated>,
    /// The order of the pins.
    pub pins: Vec<Vec<String>>,
    /// What is worth knowing.
    pub warnings: Vec<Finding>,
}

/// Everything that is known before the walk.
pub(super) struct Prepared {
    pub(super) catalogs: Vec<ServiceCatalog>,
    pub(super) bound: Bound,
    pub(super) plan: Plan,
    pub(super) approvals: Verdict,
    pub(super) setup: Setup,
    pub(super) pins_keys: bool,
    pub(super) digest: String,
    pub(super) places: BTreeMap<String, Places>,
}

pub(super) async fn prepare(
    pipeline: &Pipeline,
    policy_text: PolicyText,
    agents: &mut Captures,
    reviewed: &Reviewed,
    observer: &dyn Observer,
) -> Result<Prepared> {
    let described = describe(agents, observer).await?;
    let catalogs: Vec<ServiceCatalog> = described.iter().map(|d| d.catalog.clone()).collect();
    let bound = pipeline.bind(&catalogs)?;
    check_flow(pipeline)?;
    let policy_text = named(policy_text, pipeline);
    let policy = Policy::read(&policy_text)?;
    let plan = Plan::resolve(&policy, &catalogs, &bound.relationships, &bound.reached)?;
    let verdict = approved(&policy, &plan, &bound.reached, &reviewed.approvals, &reviewed.required)?;
    if !verdict.held.is_empty() {
        let keys = verdict.held.iter().map(|held| held.key.id()).collect();
        observer.event(&Event::Approved { keys, added: verdict.added.clone(), gone: verdict.gone.clone() });
    }
    let whole: BTreeSet<EntityId> = bound
        .roots
        .iter()
        .zip(&pipeline.roots)
        .filter(|(_, root)| root.filter.is_empty())
        .flat_map(|(b, _)| b.entities.iter().cloned())
        .collect();
    let roots = bound
        .roots
        .iter()
        .zip(&pipeline.roots)
        .map(|(b, r)| RootSetup {
            fields: r.filter.iter().map(|(f, _)| f.clone()).collect(),
            seeds: r.filter.iter().map(|(_, v)| seed(v)).collect(),
            along: b.along.clone(),
        })
        .collect();
    let setup = Setup {
        catalogs: catalogs.clone(),
        relationships: bound.relationships.clone(),
        roots,
        reached: bound.reached.clone(),
        whole,
        policy: policy_text,
        approvals: reviewed.approvals.clone(),
        salt: Salt::generate()?,
        recipients: agents.keys().cloned().zip(described.iter().map(|d| d.recipient.clone())).collect(),
        limits: (pipeline.limits.rows, pipeline.limits.bytes),
    };
    try_join_all(agents.values_mut().map(|agent| agent.prepare(setup.clone()))).await?;
    let digest = digest(pipeline, &policy, &catalogs);
    let pins_keys = described.iter().any(|d| d.pins_keys);
    let places = agents.keys().cloned().zip(described.into_iter().map(|d| d.places)).collect();
    Ok(Prepared { catalogs, bound, plan, approvals: verdict, setup, pins_keys, digest, places })
}

/// What a policy is held against: the schemas that a capture may read. No record is read.
///
/// # Errors
/// Findings of the pipeline against the servers' own schemas; what the servers report.
pub async fn schemas(pipeline: &Pipeline, mut agents: Captures, observer: &dyn Observer) -> Result<Schemas> {
    let described = describe(&mut agents, observer).await?;
    let catalogs: Vec<ServiceCatalog> = described.into_iter().map(|d| d.catalog).collect();
    let bound = pipeline.bind(&catalogs)?;
    Ok(Schemas {
        format: "reenact/schemas".to_owned(),
        format_version: "1.0".to_owned(),
        catalogs,
        relationships: bound.relationships,
        reached: bound.reached,
    })
}

async fn describe(agents: &mut Captures, observer: &dyn Observer) -> Result<Vec<Described>> {
    let described = try_join_all(agents.values_mut().map(|agent| agent.describe())).await?;
    for (service, described) in agents.keys().zip(&described) {
        observer.event(&Event::Described { service: service.clone(), entities: described.catalog.entities.len() });
    }
    Ok(described)
}

/// A policy's text under the name that messages should show.
pub(super) fn named(text: PolicyText, pipeline: &Pipeline) -> PolicyText {
    if text.file.is_empty() { PolicyText { file: policy_file(pipeline), ..text } } else { text }
}

/// The policy's file as messages should name it: beside the pipeline.
pub fn policy_file(pipeline: &Pipeline) -> String {
    let beside = std::path::Path::new(&pipeline.file).parent().unwrap_or(std::path::Path::new(""));
    let mut out = std::path::PathBuf::new();
    for part in beside.join(&pipeline.policy).components() {
        let up = part == std::path::Component::ParentDir;
        if !(up && out.file_name().is_some() && out.pop()) {
            out.push(part);
        }
    }
    out.display().to_string()
}

/// Services that are captured together need a place in the flow, or nothing says in which order they must be pinned.
fn check_flow(pipeline: &Pipeline) -> Result<()> {
    if pipeline.services.len() < 2 {
        return Ok(());
    }
    let missing: Vec<Finding> = pipeline
        .services
        .iter()
        .filter(|s| !pipeline.flow.iter().any(|(a, b)| *a == s.name || *b == s.name))
        .map(|s| {
            Finding::error(
                "PIPE-024",
                Site::service(&s.name).with_span(Some(s.span.clone())),
                "the service stands in no flow",
            )
            .help("say what its commits cause, or what causes them: `flow: [ \"orders -> events\" ]`")
        })
        .collect();
    Error::from_findings(Class::Input, "the flow is incomplete", &missing).map_or(Ok(()), Err)
}

fn digest(pipeline: &Pipeline, policy: &Policy, catalogs: &[ServiceCatalog]) -> String {
    let mut hash = Sha256::new();
    hash.update(&pipeline.digest);
    hash.update(&policy.digest);
    for catalog in catalogs {
        for entity in &catalog.entities {
            // Estimates move by themselves; the schema is what a plan stands on.
            let mut steady = Entity { estimate: None, ..(**entity).clone() };
            steady.fields.iter_mut().for_each(|field| field.distinct = None);
            hash.update(serde_json::to_vec(&steady).unwrap_or_default());
        }
        hash.update(serde_json::to_vec(&catalog.relationships).unwrap_or_default());
    }
    hex::encode(hash.finalize())
}

/// The parts in the order of their pins, effects before causes.
pub(super) fn pin_order(pipeline: &Pipeline, catalogs: &[ServiceCatalog]) -> Vec<Vec<(String, Part)>> {
    let mut nodes: Vec<(String, Part)> = Vec::new();
    for catalog in catalogs {
        nodes.extend(catalog.parts.iter().map(|part| (catalog.service.clone(), part.clone())));
    }
    let label = |service: &str, part: &Part| format!("{service} {part}");
    let names: Vec<String> = nodes.iter().map(|(s, p)| label(s, p)).collect();
    let main = |service: &str| {
        let found = nodes.iter().find(|(s, p)| s == service && !matches!(p, Part::Group(_)));
        found.map(|(s, p)| label(s, p))
    };
    let mut edges: Vec<(String, String)> =
        pipeline.flow.iter().filter_map(|(a, b)| Some((main(a)?, main(b)?))).collect();
    for (service, part) in &nodes {
        let Part::Group(group) = part else { continue };
        // A group's offsets are an effect of its consumer, and of the topic.
        edges.extend(main(service).map(|m| (m, label(service, part))));
        let declared = pipeline.services.iter().find(|s| s.name == *service);
        let consumer = declared.and_then(|s| s.scope.groups.iter().find(|g| g.name == *group)?.consumer.clone());
        edges.extend(consumer.and_then(|c| main(&c)).map(|m| (m, label(service, part))));
    }
    let mut order: Vec<Vec<(String, Part)>> = graph::levels(&names, &edges)
        .into_iter()
        .map(|group| group.iter().filter_map(|n| nodes.iter().find(|(s, p)| label(s, p) == *n).cloned()).collect())
        .collect();
    order.reverse();
    order
}

/// Plans a capture: everything but reading records.
///
/// # Errors
/// All findings of pipeline and policy against the servers' own schemas.
pub async fn plan(
    pipeline: &Pipeline,
    policy_text: impl Into<PolicyText>,
    mut agents: Captures,
    observer: &dyn Observer,
) -> Result<Planned> {
    let prepared = prepare(pipeline, policy_text.into(), &mut agents, &Reviewed::default(), observer).await?;
    let estimates: Vec<Vec<Estimated>> = try_join_all(agents.values_mut().map(|agent| agent.estimate())).await?;
    let reached = &prepared.bound.reached;
    let entities = prepared.catalogs.iter().flat_map(|c| &c.entities).filter(|e| reached.contains(&e.id));
    Ok(Planned {
        format: "reenact/plan".to_owned(),
        format_version: "1.0".to_owned(),
        digest: prepared.digest,
        services: prepared.bound.load_order.clone(),
        roots: roots(pipeline, &prepared.bound),
        edges: prepared.bound.relationships.iter().map(ToString::to_string).collect(),
        entities: entities.map(|e| (e.id.clone(), e.estimate)).collect(),
        decisions: prepared.plan.decisions().to_vec(),
        estimates: estimates.into_iter().flatten().collect(),
        pins: pin_order(pipeline, &prepared.catalogs)
            .iter()
            .map(|turn| turn.iter().map(|(s, p)| format!("{s} {p}")).collect())
            .collect(),
        warnings: prepared.plan.warnings().to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use reenact_model::Kind;
    use reenact_model::catalog::Identity;

    use super::*;

    /// The order of the pins of a cluster with a group, and of the group's consumer under a name.
    fn pins(consumer: &str, flow: &str) -> Vec<Vec<String>> {
        let text = format!(
            r#"
version: 1
services:
  events: {{ kind: kafka, bootstrap: "b:1", topics: [ {{ name: orders }} ], groups: [ {{ name: g, consumer: {consumer} }} ] }}
  {consumer}: {{ kind: sqlite, url: "sqlite:c.db" }}
flow: [ "{flow}" ]
roots: [ {{ from: events/orders }} ]
policy: p.yaml
"#
        );
        let pipeline = Pipeline::parse("p.yaml", &text, &|_| None, &|_| None).expect("a pipeline");
        let catalog = |service: &str, kind, parts| ServiceCatalog {
            service: service.to_owned(),
            kind,
            version: String::new(),
            identity: Identity(service.to_owned()),
            entities: Vec::new(),
            relationships: Vec::new(),
            ddl: Vec::new(),
            parts,
        };
        let mut catalogs = [
            catalog(consumer, Kind::Sqlite, vec![Part::Database]),
            catalog("events", Kind::Kafka, vec![Part::TopicEnds, Part::Group("g".to_owned())]),
        ];
        catalogs.sort_by(|a, b| a.service.cmp(&b.service));
        let order = pin_order(&pipeline, &catalogs);
        order.iter().map(|turn| turn.iter().map(|(s, p)| format!("{s} {p}")).collect()).collect()
    }

    #[test]
    fn a_group_is_pinned_before_its_consumer_s_database() {
        // What a group has consumed, its database shows: pinned later, it would show records that the group counts as to come.
        for consumer in ["a", "z"] {
            let database = format!("{consumer} database");
            let expected = [vec!["events group g"], vec![&database], vec!["events topic ends"]];
            assert_eq!(pins(consumer, &format!("events -> {consumer}")), expected, "a consumer of what others produce");
            // A consumer that produces, too: its commits cause records, and still its group's offsets come after them.
            let order = pins(consumer, &format!("{consumer} -> events"));
            let place = |part: &str| order.iter().position(|turn| turn.iter().any(|p| p == part)).expect("a turn");
            assert!(place("events group g") < place(&database), "{order:?}");
        }
    }
}
