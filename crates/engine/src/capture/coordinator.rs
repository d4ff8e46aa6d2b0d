//! The coordinator: routes sealed keys, counts, orders the pins, and signs what the agents wrote. It never sees a value.

mod plan;
mod record;
mod walk;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::try_join_all;
use reenact_bundle::{BundleId, BundleWriter, Contents, MemberInfo, Sealed, SigningKey};
use reenact_mask::{Policy, PolicyText};
use reenact_model::{Class, EntityId, Error, Finding, Part, Result, Site};

use super::agent::{Agent, Collected};
use super::approved::Reviewed;
use super::now_ms;
use super::residue::prove;
use crate::events::{Event, Observer};
use crate::pipeline::{Limits, Pipeline, Seeds};
use crate::record::CaptureRecord;

use self::plan::prepare;
pub use self::plan::{Planned, plan, policy_file, schemas};
use self::record::{grade, record};
use self::walk::Walk;

/// Agents by service.
pub type Captures = BTreeMap<String, Box<dyn Agent>>;

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

/// Captures an incident into a bundle.
///
/// `reviewed` is what was reviewed before, and how many approvals whoever captures asks for.
///
/// # Errors
/// Findings as for [`plan()`]; [`Class::Limit`] with the edge that blew up; what stores and the bundle report. Whatever
/// fails, no bundle is left behind.
#[expect(clippy::too_many_arguments, reason = "each is a decision of the caller")]
pub async fn capture(
    pipeline: &Pipeline,
    policy_text: impl Into<PolicyText>,
    mut agents: Captures,
    seeds: &Seeds,
    out: &Arc<BundleWriter>,
    signer: &Arc<SigningKey>,
    expires_ms: Option<i64>,
    reviewed: &Reviewed,
    observer: &dyn Observer,
) -> Result<Captured> {
    let done = run(pipeline, policy_text.into(), &mut agents, seeds, out, signer, expires_ms, reviewed, observer).await;
    if done.is_err() {
        // The first error is the one to tell; what can't be removed now is removed by `gc`.
        drop(agents);
        let _ = out.abandon();
    }
    let limits = || Site::default().with_span(pipeline.limits_at.clone());
    done.map_err(|error| if error.class() == Class::Limit { error.at(limits()) } else { error })
}

#[expect(clippy::too_many_arguments, reason = "the same as `capture`, which it serves")]
async fn run(
    pipeline: &Pipeline,
    policy_text: PolicyText,
    agents: &mut Captures,
    seeds: &Seeds,
    out: &Arc<BundleWriter>,
    signer: &Arc<SigningKey>,
    expires_ms: Option<i64>,
    reviewed: &Reviewed,
    observer: &dyn Observer,
) -> Result<Captured> {
    for name in pipeline.seeds() {
        if !seeds.0.contains_key(&name) {
            return Err(Error::new(Class::Input, format!("the seed `{name}` has no value"))
                .help(format!("give it as `--seed {name}=…`, or `--seed-file {name}=PATH`")));
        }
    }
    if let Some(name) = seeds.0.keys().find(|name| !pipeline.seeds().contains(*name)) {
        return Err(Error::new(Class::Input, format!("no root asks for a seed `{name}`")).help(
            match pipeline.seeds().into_iter().collect::<Vec<_>>().as_slice() {
                [] => "write `where: { FIELD: \"${seed.NAME}\" }` in a root, or give no seed".to_owned(),
                seeds => format!("the seeds are {}", seeds.join(", ")),
            },
        ));
    }
    let captured_ms = now_ms();
    let prepared = prepare(pipeline, policy_text, agents, reviewed, observer).await?;
    if reviewed.plan.as_ref().is_some_and(|digest| *digest != prepared.digest) {
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
        answer(agents).await?;
        let collected = try_join_all(agents.values_mut().map(|agent| agent.collect())).await?;
        Ok::<_, Error>((parts, groups, skew_ms, pseudonyms, collected))
    });
    let (mut parts, groups, skew_ms, pseudonyms, collected) = held.await.map_err(|_| {
        let limit = pipeline.limits.read_time.as_secs_f64();
        Error::new(Class::Limit, format!("the sources were held longer than the limit of {limit} s"))
            .help("raise `limits: { read_time: … }` in the pipeline, or narrow the root")
    })??;
    let unknown: Vec<Finding> = collected.iter().flat_map(|c| c.unknown.clone()).collect();
    if prepared_refuses(&prepared.setup.policy)
        && let Some(error) = Error::from_findings(Class::Policy, "parts of payloads are undecided", &unknown)
    {
        return Err(error);
    }
    within_limits(&pipeline.limits, &collected)?;
    let queries = agents.keys().cloned().zip(collected.iter().map(|c| c.queries)).collect();
    for (service, collected) in agents.keys().zip(&collected) {
        if let Some(read) = parts.iter_mut().find(|p| p.service == *service && !matches!(p.part, Part::Group(_))) {
            read.gaps.extend(collected.gaps.iter().cloned());
        }
    }
    let late: u64 = collected.iter().map(|c| c.late).sum();
    let grade = grade(&parts, late);
    let mut record = record(pipeline, &prepared, &collected, (parts, groups, skew_ms, grade), &pseudonyms, queries);
    let sealed: Vec<Sealed> = collected.into_iter().flat_map(|c| c.sealed).collect();
    for member in &sealed {
        observer.event(&Event::Collected { entity: member.entity.clone(), rows: member.digest.count });
    }
    let mut rows = BTreeMap::new();
    for member in &sealed {
        *rows.entry(member.entity.clone()).or_default() += member.digest.count;
    }
    let mut contents = Contents {
        format_version: reenact_bundle::FORMAT_VERSION,
        tool: format!("reenact {}", env!("CARGO_PKG_VERSION")),
        captured_ms,
        services: prepared.catalogs.clone(),
        relationships: prepared.bound.relationships.clone(),
        members: sealed.iter().map(|s| MemberInfo { id: s.id, entity: s.entity.clone(), digest: s.digest }).collect(),
        record: serde_json::to_value(&record).map_err(|_| unwritten())?,
    };
    let account = serde_json::to_value(&contents).map_err(|_| unwritten())?;
    record.residue = Some(prove(agents, &account).await?);
    contents.record = serde_json::to_value(&record).map_err(|_| unwritten())?;
    let writer = Arc::clone(out);
    let signer = Arc::clone(signer);
    let bundle = tokio::task::spawn_blocking(move || writer.finish(sealed, &contents, &signer, expires_ms))
        .await
        .map_err(|_| Error::new(Class::Unexpected, "the bundle's writer stopped unexpectedly"))??;
    Ok(Captured { bundle, record, rows })
}

/// Each agent keeps the limits by itself; here they are kept by all together.
fn within_limits(limits: &Limits, collected: &[Collected]) -> Result<()> {
    let rows: u64 = collected.iter().flat_map(|c| &c.sealed).map(|sealed| sealed.digest.count).sum();
    let bytes: u64 = collected.iter().map(|c| c.bytes).sum();
    let (limit, what, word) = match () {
        () if rows > limits.rows => (limits.rows, "records", "rows"),
        () if bytes > limits.bytes => (limits.bytes, "bytes", "bytes"),
        () => return Ok(()),
    };
    let mut largest: Vec<_> = collected.iter().flat_map(|c| &c.sealed).collect();
    largest.sort_by_key(|sealed| std::cmp::Reverse(sealed.digest.count));
    let site = largest.first().map_or_else(Site::default, |sealed| Site::entity(&sealed.entity));
    let message =
        format!("all services together give more than the limit of {limit} {what}; most records are of this entity");
    Err(Error::new(Class::Limit, message)
        .help(format!("raise `limits: {{ {word}: … }}` in the pipeline, or narrow the roots"))
        .at(site))
}

/// Lets every agent know what the records that its own refer to answered to conditions; what they answered stays sealed.
async fn answer(agents: &mut Captures) -> Result<()> {
    let names: Vec<String> = agents.keys().cloned().collect();
    for name in &names {
        let Some(agent) = agents.get_mut(name) else { continue };
        for (service, verdicts) in agent.verdicts().await? {
            if let Some(agent) = agents.get_mut(&service) {
                agent.heed(verdicts).await?;
            }
        }
    }
    Ok(())
}

fn unwritten() -> Error {
    Error::new(Class::Unexpected, "the record can't be written")
}

fn prepared_refuses(policy_text: &PolicyText) -> bool {
    Policy::read(policy_text).is_ok_and(|p| p.undecided == reenact_mask::Undecided::Refuse)
}
