//! One capture by an example's pipeline and policy, and its replay.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::TryStreamExt as _;
use reenact_bundle::{Bundle, BundleWriter, Identity, Keyring, Memory, SigningKey};
use reenact_engine::capture::{self, Agent, Captured, LocalAgent};
use reenact_engine::pipeline::{Pipeline, Seeds, Service};
use reenact_engine::record::Grade;
use reenact_engine::{Silent, replay};
use reenact_environment::Endpoint;
use reenact_mask::RootKey;
use reenact_mask::plan::Action;
use reenact_model::canonical::Reader;
use reenact_model::{Entity, EntityId, ServiceCatalog, Via};
use reenact_stores::{Read, Selection};

/// A record as canonical texts, by field.
pub(crate) type Record = BTreeMap<String, Option<String>>;

/// A pipeline of `pipelines`, its variables filled in.
pub(crate) fn pipeline(file: &str, variables: &[(&str, &str)]) -> Pipeline {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines").join(file);
    let variable =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    Pipeline::load(&path, &variable).unwrap_or_else(|e| panic!("{e}"))
}

/// A capture that succeeded.
pub(crate) struct Incident {
    pub(crate) pipeline: Pipeline,
    pub(crate) captured: Captured,
    pub(crate) bundle: Arc<Bundle>,
}

impl Incident {
    /// Captures. `seed` is the value of the pipeline's one seed.
    pub(crate) async fn capture(pipeline: Pipeline, seed: Option<&str>) -> Self {
        let (identity, signing) = (Identity::generate(), Arc::new(SigningKey::generate()));
        let root = RootKey::generate().expect("a key");
        let place = Arc::new(Memory::new());
        let writer = Arc::new(BundleWriter::create(place.clone(), &[identity.recipient()]).expect("a writer"));
        let agent = |service: &Service| {
            let agent = LocalAgent::new(service.clone(), root.clone(), Some(writer.clone()));
            (service.name.clone(), Box::new(agent) as Box<dyn Agent>)
        };
        let agents = pipeline.services.iter().map(agent).collect();
        let all = pipeline.seeds();
        let seeds = all.iter().fold(Seeds::default(), |seeds, name| seeds.with(name, seed.unwrap_or_default()));
        let policy = PathBuf::from(&pipeline.file).with_file_name(&pipeline.policy);
        let policy = std::fs::read_to_string(&policy).unwrap_or_else(|e| panic!("{}: {e}", policy.display()));
        let captured = capture::capture(
            &pipeline,
            &policy,
            agents,
            &seeds,
            &writer,
            &signing,
            None,
            &capture::Reviewed::default(),
            &Silent,
        )
        .await;
        let captured = captured.unwrap_or_else(|e| panic!("no capture: {e}"));
        let keyring = Keyring { trusted: vec![signing.public()], identities: vec![identity], ..Keyring::default() };
        let bundle = Bundle::open(place, &keyring).unwrap_or_else(|e| panic!("no bundle: {e}"));
        Self { pipeline, captured, bundle: Arc::new(bundle) }
    }

    /// How many records of each entity were taken, by the entity's name.
    pub(crate) fn counts(&self) -> BTreeMap<String, u64> {
        let rows = self.captured.rows.iter();
        rows.filter(|(_, n)| **n > 0).map(|(entity, n)| (entity.name.clone(), *n)).collect()
    }

    /// The references that lead nowhere: how many keys, by relationship.
    pub(crate) fn dangling(&self) -> BTreeMap<String, usize> {
        let edges = &self.bundle.contents().relationships;
        let dangling = self.captured.record.dangling.iter();
        dangling.map(|d| (edges[d.edge].child.to_string(), d.keys.len())).collect()
    }

    /// The masked records of an entity.
    pub(crate) fn rows(&self, entity: &EntityId) -> Vec<Record> {
        let mut out = Vec::new();
        for rows in self.bundle.rows(entity).unwrap_or_else(|e| panic!("{e}")) {
            let rows = rows.unwrap_or_else(|e| panic!("{e}"));
            out.extend(records(rows.entity(), rows.batch()));
        }
        out
    }

    /// The columns that the policy keeps, by entity.
    pub(crate) fn kept(&self) -> BTreeMap<EntityId, BTreeSet<String>> {
        let mut kept: BTreeMap<EntityId, BTreeSet<String>> = BTreeMap::new();
        for decision in &self.captured.record.decisions {
            if matches!(decision.action, Action::Keep(_)) && decision.field.field.path.is_none() {
                kept.entry(decision.field.entity.clone()).or_default().insert(decision.field.field.column.clone());
            }
        }
        kept
    }

    /// Replays, and asserts that what arrived is what was sent. Nobody writes into the production of a test, so a cut that
    /// could be skewed is none.
    pub(crate) async fn replay(&self, endpoints: &BTreeMap<String, Endpoint>) {
        for endpoint in endpoints.values() {
            let store = reenact_stores::store(endpoint.kind).expect("a store");
            store.mark(&endpoint.dsn).await.unwrap_or_else(|e| panic!("no mark: {e}"));
        }
        let skewed = self.captured.record.grade == Grade::Skewed;
        let report = replay::replay(&self.bundle, replay::Targets::Given(endpoints), skewed, &Silent).await;
        let report = report.unwrap_or_else(|e| panic!("no replay: {e}"));
        let differences: Vec<String> = report.differences.iter().map(ToString::to_string).collect();
        assert_eq!(differences, Vec::<String>::new());
        assert_eq!(report.rows.values().sum::<u64>(), self.captured.rows.values().sum::<u64>());
    }

    /// Asserts that no value of a masked column is still there, for masks whose results can't be somebody's by chance.
    pub(crate) async fn assert_masked(&self) {
        let mut originals: BTreeMap<EntityId, Vec<Record>> = BTreeMap::new();
        let mut checked = 0;
        for decision in &self.captured.record.decisions {
            let Action::Mask { mask, .. } = &decision.action else { continue };
            let id = &decision.field.entity;
            if !matches!(mask.as_str(), "email" | "phone" | "token" | "uuid") || decision.field.field.path.is_some() {
                continue;
            }
            if !originals.contains_key(id) {
                let service = self.pipeline.services.iter().find(|s| s.name == id.service).expect("a service");
                originals.extend(read(service, Some(&id.name)).await);
            }
            let column = &decision.field.field.column;
            let values = |rows: &[Record]| -> BTreeSet<String> {
                rows.iter().filter_map(|row| row[column].clone()).filter(|value| !value.is_empty()).collect()
            };
            let (before, after) = (values(&originals[id]), values(&self.rows(id)));
            let common = before.intersection(&after).count();
            assert_eq!(common, 0, "{common} values of {} are as they were", decision.field);
            checked += after.len();
        }
        assert!(checked > 0, "nothing was masked");
    }
}

fn records(entity: &Entity, batch: &arrow::array::RecordBatch) -> Vec<Record> {
    let columns: Vec<_> = entity
        .fields
        .iter()
        .filter_map(|f| Some((f, batch.column_by_name(&f.name)?)))
        .map(|(f, array)| (f.name.clone(), Reader::new(array, f.value)))
        .collect();
    let record =
        |row| columns.iter().map(move |(name, c)| (name.clone(), c.get(row).map(std::borrow::Cow::into_owned)));
    (0..batch.num_rows()).map(|row| record(row).collect()).collect()
}

/// The unmasked records of a service, or of one entity of it.
#[expect(clippy::disallowed_methods, reason = "the originals are what masked rows are compared with")]
pub(crate) async fn read(service: &Service, only: Option<&str>) -> BTreeMap<EntityId, Vec<Record>> {
    let store = reenact_stores::store(service.kind).expect("a store");
    let source = store.source(&service.dsn, &service.scope).await.unwrap_or_else(|e| panic!("{e}"));
    let catalog: ServiceCatalog = source.describe().await.unwrap_or_else(|e| panic!("{e}"));
    let mut out = BTreeMap::new();
    for entity in catalog.entities.iter().filter(|e| only.is_none_or(|name| e.id.name == name)) {
        let read = Read {
            entity: Arc::clone(entity),
            columns: Vec::new(),
            selection: Selection::All,
            via: Via::root(0),
            limit: None,
            ordered: false,
        };
        let batches: Vec<_> = source.read(read).try_collect().await.unwrap_or_else(|e| panic!("{e}"));
        let rows = batches.into_iter().flat_map(|rows: reenact_model::Captured| {
            let (entity, batch, _) = rows.expose();
            records(&entity, &batch)
        });
        out.insert(entity.id.clone(), rows.collect());
    }
    out
}
