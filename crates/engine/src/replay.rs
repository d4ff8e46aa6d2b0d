//! Replay: a bundle into an environment, and the proof that it arrived.
//!
//! Hidden here: the order of loading and what is compared afterwards. Services come along the flow, entities by waves,
//! columns that close a circle second. Then everything is read back: counts and digests per entity, and for each
//! relationship the references that lead nowhere, which must be those that led nowhere in production.

mod verify;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use futures::StreamExt;
use futures::stream::BoxStream;
use reenact_bundle::{Bundle, Contents};
use reenact_environment::{Endpoint, Lease, Wanted, WantedService};
use reenact_model::{Class, Dsn, Entity, EntityId, Error, Kind, Result, ServiceCatalog, Site};
use reenact_stores::{GroupOffsets, LoadStep, Target};

use crate::events::{Event, Observer};
use crate::record::{CaptureRecord, Grade};

pub use verify::Difference;

/// What a replay did.
#[derive(Clone, Debug, Default)]
pub struct ReplayReport {
    /// Records loaded, by entity.
    pub rows: BTreeMap<EntityId, u64>,
    /// Entities and relationships compared.
    pub compared: usize,
    /// How long loading took, in milliseconds.
    pub load_ms: u64,
    /// How long reading back and comparing took, in milliseconds.
    pub verify_ms: u64,
    /// Records whose time to live ran out after they were loaded, by entity: no difference, since they would be gone in
    /// production too.
    pub expired: BTreeMap<EntityId, u64>,
    /// What differs; empty if the replay is exact.
    pub differences: Vec<Difference>,
}

/// The environment that a bundle needs.
pub fn wanted(contents: &Contents) -> Wanted {
    let service = |catalog: &ServiceCatalog| {
        let mut wanted = WantedService::new(&catalog.service, catalog.kind);
        if catalog.kind == Kind::Kafka {
            let partitions = |e: &Entity| e.properties.get("partitions").and_then(|p| p.parse().ok()).unwrap_or(1);
            wanted.topics = catalog.entities.iter().map(|e| (e.id.name.clone(), partitions(e))).collect();
            wanted.topics.push(("reenact.target".to_owned(), 1));
        }
        wanted
    };
    Wanted { services: contents.services.iter().map(service).collect() }
}

/// Marks the stores of an environment that was made for this purpose.
///
/// # Errors
/// If a store can't be written.
pub async fn mark(lease: &Lease) -> Result<()> {
    for (service, endpoint) in &lease.endpoints {
        store(endpoint.kind)?.mark(&endpoint.dsn).await.map_err(|e| e.at(Site::service(service)))?;
    }
    Ok(())
}

fn store(kind: Kind) -> Result<&'static dyn reenact_stores::Store> {
    reenact_stores::store(kind)
        .ok_or_else(|| Error::new(Class::Input, format!("this build has no store of kind `{kind}`")))
}

/// The stores to load into.
#[derive(Clone, Copy, Debug)]
pub enum Targets<'a> {
    /// Of a lease that a provider made for this purpose. Such a store is no source, whatever stood at its address before.
    Made(&'a BTreeMap<String, Endpoint>),
    /// That somebody names.
    Given(&'a BTreeMap<String, Endpoint>),
}

impl Targets<'_> {
    fn endpoint(&self, service: &str) -> Result<&Endpoint> {
        let (Self::Made(endpoints) | Self::Given(endpoints)) = self;
        endpoints.get(service).ok_or_else(|| Error::new(Class::Input, "the environment has no such service"))
    }

    /// Refuses a store that stands where a source stood, even if it is another one by its own account.
    async fn admit(&self, endpoint: &Endpoint, record: &CaptureRecord) -> Result<()> {
        if matches!(self, Self::Made(_)) {
            return Ok(());
        }
        for (source, places) in &record.places {
            if places.hold(endpoint.kind, &endpoint.dsn).await {
                let message =
                    format!("the target stands where the bundle was captured from: at the address of `{source}`");
                return Err(Error::new(Class::Refused, message).help(
                    "a store that was restarted or restored is still a source; if this is another one, give it a port, a \
                     database or a path of its own, or let `reenact run` make the servers",
                ));
            }
        }
        Ok(())
    }
}

/// Loads a bundle into an environment and verifies it.
///
/// # Errors
/// [`Class::Refused`] for a target without marker, one that is a source of the bundle, one that holds records, or a
/// `skewed` bundle that was not accepted; what the stores report. Differences are no error here: they are in the report.
pub async fn replay(
    bundle: &Arc<Bundle>,
    targets: Targets<'_>,
    accept_skewed: bool,
    observer: &dyn Observer,
) -> Result<ReplayReport> {
    let contents = bundle.contents();
    let record = CaptureRecord::of(contents)?;
    if record.grade == Grade::Skewed && !accept_skewed {
        return Err(Error::new(Class::Refused, "the bundle's cut is `skewed`: something was read after its source")
            .help("capture again, or accept it with `--accept-skewed`"));
    }
    let sources: Vec<_> = contents.services.iter().map(|c| c.identity.clone()).collect();
    let mut opened: BTreeMap<String, Box<dyn Target>> = BTreeMap::new();
    for catalog in &contents.services {
        let site = || Site::service(&catalog.service);
        let endpoint = targets.endpoint(&catalog.service).map_err(|e| e.at(site()))?;
        targets.admit(endpoint, &record).await.map_err(|e| e.at(site()))?;
        let store = store(endpoint.kind)?;
        let mut target = store.target(&endpoint.dsn, &catalog.service).await.map_err(|e| e.at(site()))?;
        target.gates(&sources).await.map_err(|e| e.at(site()))?;
        opened.insert(catalog.service.clone(), target);
    }
    let mut report = ReplayReport::default();
    let start = Instant::now();
    for service in &record.load_order {
        let Some(catalog) = contents.services.iter().find(|c| c.service == *service) else { continue };
        let target = opened.get_mut(service).ok_or_else(|| Error::new(Class::Unexpected, "a target is missing"))?;
        load_service(bundle, &record, catalog, &mut **target, &mut report, observer)
            .await
            .map_err(|e| e.at(Site::service(service)))?;
    }
    report.load_ms = millis(start);
    let start = Instant::now();
    verify::verify(contents, &record, &mut opened, &mut report, observer).await?;
    report.verify_ms = millis(start);
    Ok(report)
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

async fn load_service(
    bundle: &Arc<Bundle>,
    record: &CaptureRecord,
    catalog: &ServiceCatalog,
    target: &mut dyn Target,
    report: &mut ReplayReport,
    observer: &dyn Observer,
) -> Result<()> {
    let reached: BTreeSet<&EntityId> = record.reached.iter().collect();
    target.prepare(&reached_only(catalog, &reached)).await?;
    let waves = record.waves.get(&catalog.service).map_or(&[][..], Vec::as_slice);
    let mut offsets: BTreeMap<String, Vec<(i32, i64, i64)>> = BTreeMap::new();
    let mut patches = Vec::new();
    for wave in waves {
        if !wave.deferred.is_empty() {
            target.defer(&wave.deferred).await?;
        }
        for id in &wave.entities {
            let Some(entity) = catalog.entity(&id.name) else { continue };
            if !bundle.contents().members.iter().any(|m| m.entity == *id) {
                continue;
            }
            let later = wave.later.get(&id.name).cloned().unwrap_or_default();
            let step = LoadStep::Insert { entity: Arc::clone(entity), later: later.clone() };
            let loaded = target.load(&step, rows(bundle, id)?).await.map_err(|e| e.at(Site::entity(id)))?;
            observer.event(&Event::Loaded { entity: id.clone(), rows: loaded.rows });
            report.rows.insert(id.clone(), loaded.rows);
            offsets.entry(id.name.clone()).or_default().extend(loaded.offsets);
            if !later.is_empty() {
                patches.push(LoadStep::Patch { entity: Arc::clone(entity), columns: later });
            }
        }
    }
    for step in patches {
        let LoadStep::Patch { entity, .. } = &step else { continue };
        let id = entity.id.clone();
        target.load(&step, rows(bundle, &id)?).await.map_err(|e| e.at(Site::entity(&id)))?;
    }
    let groups: Vec<GroupOffsets> = record
        .groups
        .iter()
        .filter(|(service, _)| *service == catalog.service)
        .map(|(_, group)| translate(group, &offsets))
        .collect();
    target.settle(&reached_only(catalog, &reached), &groups).await
}

/// The catalog without what the capture could not reach: no table of it is needed.
fn reached_only(catalog: &ServiceCatalog, reached: &BTreeSet<&EntityId>) -> ServiceCatalog {
    let mut out = catalog.clone();
    out.entities.retain(|e| reached.contains(&e.id));
    out.ddl.retain(|d| d.entity.as_ref().is_none_or(|e| reached.contains(e)));
    out.relationships.retain(|r| reached.contains(&r.child.entity) && reached.contains(&r.parent.entity));
    out
}

/// A group's offsets in the target: the next record that was kept, or the end.
fn translate(group: &GroupOffsets, offsets: &BTreeMap<String, Vec<(i32, i64, i64)>>) -> GroupOffsets {
    let moved = |(topic, partition, offset): &(String, i32, i64)| {
        let map = offsets.get(topic).map_or(&[][..], Vec::as_slice);
        let own = map.iter().filter(|(p, _, _)| p == partition);
        let next = own.clone().filter(|(_, source, _)| source >= offset).map(|(_, _, target)| *target).min();
        let end = own.map(|(_, _, target)| target + 1).max().unwrap_or(0);
        (topic.clone(), *partition, next.unwrap_or(end))
    };
    GroupOffsets { group: group.group.clone(), offsets: group.offsets.iter().map(moved).collect() }
}

/// The rows of an entity as a stream; decoding runs on a thread of its own, a few batches ahead.
fn rows(bundle: &Arc<Bundle>, entity: &EntityId) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let batches = bundle.rows(entity)?;
    let (send, receive) = tokio::sync::mpsc::channel(2);
    tokio::task::spawn_blocking(move || {
        for rows in batches {
            let rows = rows.map(|rows| rows.batch().clone());
            let failed = rows.is_err();
            if send.blocking_send(rows).is_err() || failed {
                break;
            }
        }
    });
    Ok(futures::stream::unfold(receive, |mut receive| async move { receive.recv().await.map(|rows| (rows, receive)) })
        .boxed())
}

/// The environment contract of a child process: names and values.
///
/// # Errors
/// [`Class::Bundle`] if the capture record is of another version.
pub fn contract(
    contents: &Contents,
    lease_id: &str,
    endpoints: &BTreeMap<String, Endpoint>,
) -> Result<Vec<(String, String)>> {
    let record = CaptureRecord::of(contents)?;
    let mut out = vec![("REENACT_ENV_ID".to_owned(), lease_id.to_owned())];
    let upper = |name: &str| name.to_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    let mut first: BTreeSet<Kind> = BTreeSet::new();
    // The first service of a kind in the order of loading has the conventional names.
    for service in &record.load_order {
        let Some(endpoint) = endpoints.get(service) else { continue };
        let url = plain_url(endpoint);
        out.push((format!("REENACT_{}_URL", upper(service)), url.clone()));
        if first.insert(endpoint.kind) {
            out.extend(conventional(endpoint.kind, &endpoint.dsn, &url));
        }
    }
    if let Some(sql) = record.load_order.iter().filter_map(|s| endpoints.get(s)).find(|e| e.kind.is_sql()) {
        out.push(("DATABASE_URL".to_owned(), plain_url(sql)));
    }
    let own: BTreeSet<String> = record.seeds.keys().map(|seed| upper(seed)).collect();
    for (name, value) in record.named_seeds() {
        // A seed `order_2` has its variable for itself, even if `order` has a second value.
        if record.seeds.contains_key(&name) || !own.contains(&upper(&name)) {
            out.push((format!("REENACT_SEED_{}", upper(&name)), value.to_owned()));
        }
    }
    let values = record.roots.iter().filter_map(|r| r.filter.first()?.2.first().cloned());
    for (n, value) in values.enumerate() {
        out.push((format!("REENACT_ROOT_{}", n + 1), value));
    }
    Ok(out)
}

/// Kafka has no URL: its clients take `host:port`.
fn plain_url(endpoint: &Endpoint) -> String {
    let url = endpoint.dsn.expose();
    if endpoint.kind == Kind::Kafka { url.trim_start_matches("kafka://").to_owned() } else { url.to_owned() }
}

fn conventional(kind: Kind, dsn: &Dsn, url: &str) -> Vec<(String, String)> {
    let pair = |name: &str, value: String| (name.to_owned(), value);
    let parts = |prefix: [&str; 5]| {
        let Ok(parsed) = url::Url::parse(dsn.expose()) else { return Vec::new() };
        let values = [
            parsed.host_str().unwrap_or_default().to_owned(),
            parsed.port().map(|p| p.to_string()).unwrap_or_default(),
            parsed.username().to_owned(),
            parsed.password().unwrap_or_default().to_owned(),
            parsed.path().trim_start_matches('/').to_owned(),
        ];
        prefix.iter().zip(values).map(|(name, value)| pair(name, value)).collect()
    };
    match kind {
        Kind::Postgres => parts(["PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE"]),
        Kind::Mysql => parts(["MYSQL_HOST", "MYSQL_TCP_PORT", "MYSQL_USER", "MYSQL_PWD", "MYSQL_DATABASE"]),
        Kind::Redis => vec![pair("REDIS_URL", url.to_owned())],
        Kind::Kafka => vec![pair("KAFKA_BOOTSTRAP_SERVERS", url.to_owned())],
        Kind::Sqlite | Kind::Memory => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_goes_on_at_the_next_record_kept() {
        let offsets = BTreeMap::from([("t".to_owned(), vec![(0, 10, 0), (0, 20, 1), (1, 5, 0)])]);
        let at = |offset| {
            let group = GroupOffsets { group: "g".into(), offsets: vec![("t".into(), 0, offset)] };
            translate(&group, &offsets).offsets[0].2
        };
        assert_eq!([at(3), at(10), at(11), at(20), at(21)], [0, 0, 1, 1, 2]);
    }
}
