//! The coordinator: routes sealed keys, counts, orders the pins, and signs what the agents wrote. It never sees a value.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use futures::future::try_join_all;
use reenact_bundle::{BundleId, BundleWriter, Contents, MemberInfo, Sealed, SigningKey};
use reenact_mask::{Plan, Policy, Salt};
use reenact_model::graph;
use reenact_model::{Class, Entity, EntityId, Error, Finding, Key, Part, Result, ServiceCatalog, Site};
use reenact_stores::GroupOffsets;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::agent::{Agent, Collected, Estimated, Found, RootSetup, Setup, Step, What};
use super::sealed::SealedBox;
use crate::events::{Event, Observer};
use crate::pipeline::{Bound, Pipeline, Seeds, Value};
use crate::record::{CaptureRecord, Grade, PinnedPart, RootRecord};

/// Agents by service.
pub type Captures = BTreeMap<String, Box<dyn Agent>>;

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

/// What a capture gave.
#[derive(Clone, Debug)]
pub struct Captured {
    /// The bundle.
    pub bundle: BundleId,
    /// What was done.
    pub record: CaptureRecord,
    /// Records by entity.
    pub rows: BTreeMap<EntityId, u64>,
}

/// Everything that is known before the walk.
struct Prepared {
    catalogs: Vec<ServiceCatalog>,
    bound: Bound,
    plan: Plan,
    setup: Setup,
    pins_keys: bool,
    digest: String,
}

async fn prepare(
    pipeline: &Pipeline,
    policy_text: &str,
    agents: &mut Captures,
    observer: &dyn Observer,
) -> Result<Prepared> {
    let described = try_join_all(agents.values_mut().map(|agent| agent.describe())).await?;
    for (service, described) in agents.keys().zip(&described) {
        observer.event(&Event::Described { service: service.clone(), entities: described.catalog.entities.len() });
    }
    let catalogs: Vec<ServiceCatalog> = described.iter().map(|d| d.catalog.clone()).collect();
    let bound = pipeline.bind(&catalogs)?;
    check_flow(pipeline)?;
    let policy_file = policy_file(pipeline);
    let policy = Policy::parse(&policy_file, policy_text)?;
    let plan = Plan::resolve(&policy, &catalogs, &bound.relationships, &bound.reached)?;
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
        .map(|(b, r)| RootSetup { fields: r.filter.iter().map(|(f, _)| f.clone()).collect(), along: b.along.clone() })
        .collect();
    let setup = Setup {
        catalogs: catalogs.clone(),
        relationships: bound.relationships.clone(),
        roots,
        reached: bound.reached.clone(),
        whole,
        policy: (policy_file, policy_text.to_owned()),
        salt: Salt::generate()?,
        recipients: agents.keys().cloned().zip(described.iter().map(|d| d.recipient.clone())).collect(),
        limits: (pipeline.limits.rows, pipeline.limits.bytes),
    };
    try_join_all(agents.values_mut().map(|agent| agent.prepare(setup.clone()))).await?;
    let digest = digest(pipeline, &policy, &catalogs);
    let pins_keys = described.iter().any(|d| d.pins_keys);
    Ok(Prepared { catalogs, bound, plan, setup, pins_keys, digest })
}

/// The policy's file as messages should name it: beside the pipeline.
fn policy_file(pipeline: &Pipeline) -> String {
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
            let steady = Entity { estimate: None, ..(**entity).clone() };
            hash.update(serde_json::to_vec(&steady).unwrap_or_default());
        }
        hash.update(serde_json::to_vec(&catalog.relationships).unwrap_or_default());
    }
    hex::encode(hash.finalize())
}

/// The parts in the order of their pins, effects before causes.
fn pin_order(pipeline: &Pipeline, catalogs: &[ServiceCatalog]) -> Vec<Vec<(String, Part)>> {
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
    policy_text: &str,
    mut agents: Captures,
    observer: &dyn Observer,
) -> Result<Planned> {
    let prepared = prepare(pipeline, policy_text, &mut agents, observer).await?;
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

fn roots(pipeline: &Pipeline, bound: &Bound) -> Vec<RootRecord> {
    let seed = |value: &Value| if let Value::Seed(name) = value { Some(name.clone()) } else { None };
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

/// Captures an incident into a bundle.
///
/// `planned` is the digest of a plan that was reviewed, if there was one.
///
/// # Errors
/// Findings as for [`plan`]; [`Class::Limit`] with the edge that blew up; what stores and the bundle report. Whatever
/// fails, no bundle is left behind.
#[expect(clippy::too_many_arguments, reason = "each is a decision of the caller")]
pub async fn capture(
    pipeline: &Pipeline,
    policy_text: &str,
    mut agents: Captures,
    seeds: &Seeds,
    out: &Arc<BundleWriter>,
    signer: &Arc<SigningKey>,
    expires_ms: Option<i64>,
    planned: Option<&str>,
    observer: &dyn Observer,
) -> Result<Captured> {
    let done = run(pipeline, policy_text, &mut agents, seeds, out, signer, expires_ms, planned, observer).await;
    if done.is_err() {
        // The first error is the one to tell; what can't be removed now is removed by `gc`.
        drop(agents);
        let _ = out.abandon();
    }
    done
}

#[expect(clippy::too_many_arguments, reason = "the same as `capture`, which it serves")]
async fn run(
    pipeline: &Pipeline,
    policy_text: &str,
    agents: &mut Captures,
    seeds: &Seeds,
    out: &Arc<BundleWriter>,
    signer: &Arc<SigningKey>,
    expires_ms: Option<i64>,
    planned: Option<&str>,
    observer: &dyn Observer,
) -> Result<Captured> {
    for name in pipeline.seeds() {
        if !seeds.0.contains_key(&name) {
            return Err(Error::new(Class::Input, format!("the seed `{name}` has no value"))
                .help(format!("give it as `--seed {name}=…`, or `--seed-file {name}=PATH`")));
        }
    }
    if let Some(name) = seeds.0.keys().find(|name| !pipeline.seeds().contains(*name)) {
        return Err(Error::new(Class::Input, format!("no root asks for a seed `{name}`"))
            .help(format!("the seeds are {}", pipeline.seeds().into_iter().collect::<Vec<_>>().join(", "))));
    }
    let captured_ms = now_ms();
    let prepared = prepare(pipeline, policy_text, agents, observer).await?;
    if planned.is_some_and(|digest| digest != prepared.digest) {
        return Err(Error::new(Class::Policy, "the plan is stale: pipeline, policy or a schema moved since")
            .help("plan again, and have the new plan reviewed"));
    }
    let mut walk = Walk { pipeline, prepared: &prepared, seeds, observer, rows: 0 };
    if prepared.pins_keys {
        walk.scout(agents).await?;
    }
    let held = tokio::time::timeout(pipeline.limits.read_time, async {
        let (parts, groups, skew_ms) = walk.pin(agents).await?;
        let pseudonyms = walk.scout(agents).await?;
        let collected = try_join_all(agents.values_mut().map(|agent| agent.collect())).await?;
        Ok::<_, Error>((parts, groups, skew_ms, pseudonyms, collected))
    });
    let (parts, groups, skew_ms, pseudonyms, collected) = held.await.map_err(|_| {
        let limit = pipeline.limits.read_time.as_secs();
        Error::new(Class::Limit, format!("the sources were held longer than the limit of {limit} s"))
            .help("raise `limits: { read_time: … }` in the pipeline, or narrow the root")
    })??;
    let unknown: Vec<Finding> = collected.iter().flat_map(|c| c.unknown.clone()).collect();
    if prepared_refuses(policy_text)
        && let Some(error) = Error::from_findings(Class::Policy, "parts of payloads are undecided", &unknown)
    {
        return Err(error);
    }
    let queries = agents.keys().cloned().zip(collected.iter().map(|c| c.queries)).collect();
    let late: u64 = collected.iter().map(|c| c.late).sum();
    let grade = match (parts.len(), late) {
        (1, 0) => Grade::Exact,
        (_, 0) => Grade::Causal,
        _ => Grade::Skewed,
    };
    let record = record(pipeline, &prepared, &collected, (parts, groups, skew_ms, grade), &pseudonyms, queries);
    let sealed: Vec<Sealed> = collected.into_iter().flat_map(|c| c.sealed).collect();
    for member in &sealed {
        observer.event(&Event::Collected { entity: member.entity.clone(), rows: member.digest.count });
    }
    let mut rows = BTreeMap::new();
    for member in &sealed {
        *rows.entry(member.entity.clone()).or_default() += member.digest.count;
    }
    let contents = Contents {
        format_version: reenact_bundle::FORMAT_VERSION,
        tool: format!("reenact {}", env!("CARGO_PKG_VERSION")),
        captured_ms,
        services: prepared.catalogs.clone(),
        relationships: prepared.bound.relationships.clone(),
        members: sealed.iter().map(|s| MemberInfo { id: s.id, entity: s.entity.clone(), digest: s.digest }).collect(),
        record: serde_json::to_value(&record)
            .map_err(|_| Error::new(Class::Unexpected, "the record can't be written"))?,
    };
    let writer = Arc::clone(out);
    let signer = Arc::clone(signer);
    let bundle = tokio::task::spawn_blocking(move || writer.finish(sealed, &contents, &signer, expires_ms))
        .await
        .map_err(|_| Error::new(Class::Unexpected, "the bundle's writer stopped unexpectedly"))??;
    Ok(Captured { bundle, record, rows })
}

fn prepared_refuses(policy_text: &str) -> bool {
    Policy::parse("", policy_text).is_ok_and(|p| p.undecided == reenact_mask::Undecided::Refuse)
}

fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}

/// Pseudonyms of the roots' filters.
type Pseudonyms = BTreeMap<usize, Vec<Vec<String>>>;

type Cut = (Vec<PinnedPart>, Vec<(String, GroupOffsets)>, u64, Grade);

fn record(
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
    }
}

/// One walk of the closure, and the pins.
struct Walk<'a> {
    pipeline: &'a Pipeline,
    prepared: &'a Prepared,
    seeds: &'a Seeds,
    observer: &'a dyn Observer,
    rows: u64,
}

impl Walk<'_> {
    /// Walks until no agent finds a new key.
    async fn scout(&mut self, agents: &mut Captures) -> Result<Pseudonyms> {
        self.rows = 0;
        let mut pseudonyms = Pseudonyms::new();
        let mut steps = self.first()?;
        let mut depth = 0;
        while !steps.is_empty() {
            let asked = |service: &str| -> Vec<Step> {
                steps.iter().filter(|s| s.entity.service == service).cloned().collect()
            };
            let round = agents.iter_mut().map(|(service, agent)| (asked(service), agent));
            let round = round.filter(|(own, _)| !own.is_empty()).map(|(own, agent)| async move {
                let scouted = agent.scout(own.clone()).await;
                (own, scouted)
            });
            let mut next: Vec<Found> = Vec::new();
            for (asked, scouted) in futures::future::join_all(round).await {
                let scouted = scouted.map_err(|e| match asked.as_slice() {
                    [one] => self.along(&e, one),
                    _ => e,
                })?;
                for (step, rows) in asked.iter().zip(&scouted.rows) {
                    self.rows += rows;
                    if let (What::Root(n), true, 0) = (step.what, step.keys.is_some(), *rows) {
                        return Err(Error::new(Class::Input, format!("root {} matches no record", n + 1))
                            .help("check the seed's value, and that it is spelt as the store has it")
                            .at(Site::entity(&step.entity)));
                    }
                    if self.rows > self.pipeline.limits.rows {
                        let message =
                            format!("the closure has more than the limit of {} records", self.pipeline.limits.rows);
                        let error = Error::new(Class::Limit, format!("{message}; the last step found {rows}"))
                            .help("raise `limits: { rows: … }` in the pipeline, or ask for fewer children");
                        return Err(self.along(&error, step));
                    }
                }
                pseudonyms.extend(scouted.roots);
                next.extend(scouted.found);
            }
            self.observer.event(&Event::Scouted { depth, rows: self.rows });
            depth += 1;
            steps = next
                .into_iter()
                .map(|f| Step { what: f.what, entity: f.entity, levels: f.levels, depth, keys: Some(f.keys) })
                .collect();
        }
        Ok(pseudonyms)
    }

    /// Names the edge that an error happened on.
    fn along(&self, error: &Error, step: &Step) -> Error {
        let how = match step.what {
            What::Root(n) => format!("at root {}", n + 1),
            What::Parent(n) => format!("along {}", self.prepared.bound.relationships[n]),
            What::Child(n) => format!("along the children of {}", self.prepared.bound.relationships[n]),
        };
        let mut told = Error::new(error.class(), format!("{} ({how})", error.message()));
        if let Some(help) = error.help_text() {
            told = told.help(help);
        }
        told.at(error.site().clone()).at(Site::entity(&step.entity))
    }

    fn first(&self) -> Result<Vec<Step>> {
        let mut steps = Vec::new();
        for (n, (bound, root)) in self.prepared.bound.roots.iter().zip(&self.pipeline.roots).enumerate() {
            for entity in &bound.entities {
                let keys = if root.filter.is_empty() {
                    None
                } else {
                    let recipient = self.prepared.setup.recipients.get(&entity.service);
                    Some(SealedBox::new(recipient.map_or("", String::as_str), &self.values(root)?)?)
                };
                let what = What::Root(n);
                steps.push(Step { what, entity: entity.clone(), levels: bound.levels, depth: 0, keys });
            }
        }
        Ok(steps)
    }

    /// The keys that a root's filter asks for: one, or one for each value of its seed.
    fn values(&self, root: &crate::pipeline::Root) -> Result<Vec<Key>> {
        let columns: Vec<Vec<String>> = root
            .filter
            .iter()
            .map(|(_, value)| match value {
                Value::Literal(text) => vec![text.clone()],
                Value::Seed(name) => self.seeds.0.get(name).cloned().unwrap_or_default(),
            })
            .collect();
        let longest = columns.iter().map(Vec::len).max().unwrap_or(0);
        if columns.iter().any(|c| c.len() != longest && c.len() != 1) {
            return Err(Error::new(Class::Input, "the seeds of a root have different numbers of values")
                .help("give each seed one value, or all of them as many")
                .at(Site::default().with_span(Some(root.span.clone()))));
        }
        Ok((0..longest).map(|n| Key::new(columns.iter().map(|c| c[n.min(c.len() - 1)].as_str()))).collect())
    }

    /// Pins all parts, sinks first, each turn waiting for the one before.
    async fn pin(&mut self, agents: &mut Captures) -> Result<(Vec<PinnedPart>, Vec<(String, GroupOffsets)>, u64)> {
        let start = Instant::now();
        let mut parts = Vec::new();
        let mut groups = Vec::new();
        for (turn, group) in pin_order(self.pipeline, &self.prepared.catalogs).into_iter().enumerate() {
            // Parts of one cycle are pinned one right after another: no order is better than another there.
            for (service, part) in group {
                let agent =
                    agents.get_mut(&service).ok_or_else(|| Error::new(Class::Unexpected, "an agent is missing"))?;
                let pinned = agent.pin(part.clone()).await?;
                self.observer.event(&Event::Pinned { service: service.clone(), part: part.clone() });
                if let Part::Group(name) = &part {
                    groups.push((service.clone(), offsets(name, &pinned.position)));
                }
                parts.push(PinnedPart { service, part, position: pinned.position, turn, gaps: pinned.gaps });
            }
        }
        let skew_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok((parts, groups, skew_ms))
    }
}

/// A group's offsets out of its position, `topic/partition → offset`; -1 means that nothing was committed.
fn offsets(group: &str, position: &reenact_model::Position) -> GroupOffsets {
    let offsets = position
        .at
        .iter()
        .filter_map(|(key, value)| {
            let (topic, partition) = key.rsplit_once('/')?;
            let offset: i64 = value.parse().ok()?;
            (offset >= 0).then_some((topic.to_owned(), partition.parse().ok()?, offset))
        })
        .collect();
    GroupOffsets { group: group.to_owned(), offsets }
}
