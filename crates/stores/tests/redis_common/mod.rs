//! What tests of key spaces share.

#![allow(dead_code, clippy::unwrap_used, reason = "each test binary uses its own part; a failed step fails the test")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use futures::{StreamExt as _, TryStreamExt as _};
use reenact_environment::{Lease, Process, Provider as _, Registry, Wanted};
use reenact_model::catalog::{Entity, KeyFamily, Scope};
use reenact_model::digest::EntityDigest;
use reenact_model::payload::{Blob, Pending, RedisValue, Stream, StreamGroup};
use reenact_model::{Dsn, FieldPath, Key, KeySet, Kind, Path, Result, ServiceCatalog, Via};
use reenact_stores::conformance::{FIELDS, PERSONS, SKUS};
use reenact_stores::{LoadStep, Loaded, Match, Read, Selection, Source, Store, Target};

pub(crate) struct Servers {
    process: Process,
    pub(crate) lease: Lease,
    _base: tempfile::TempDir,
    state: tempfile::TempDir,
}

impl Servers {
    pub(crate) async fn start(wanted: &[(&str, Kind)]) -> Self {
        Self::with(wanted, &[]).await
    }

    pub(crate) async fn with(wanted: &[(&str, Kind)], settings: &[(Kind, &str, &str)]) -> Self {
        let open = std::fs::Permissions::from_mode(0o755);
        let base = tempfile::Builder::new().prefix("stores-").permissions(open).tempdir().unwrap();
        let state = tempfile::tempdir().unwrap();
        let process = Process::new(Registry::at(state.path()).unwrap()).base(base.path());
        let process =
            settings.iter().fold(process, |process, (kind, name, value)| process.setting(*kind, *name, *value));
        let lease = process.lease(&Wanted::new(wanted.iter().copied())).await.unwrap();
        Self { process, lease, _base: base, state }
    }

    /// Also after a failed step: what a panic leaves is taken away by the register.
    fn take_down(&self) {
        let (state, id) = (self.state.path().to_owned(), self.lease.id.clone());
        let down = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(Registry::at(&state).unwrap().down(&id)).unwrap();
        });
        down.join().unwrap();
    }

    pub(crate) fn dsn(&self, service: &str) -> Dsn {
        self.lease.dsn(service).unwrap().clone()
    }

    pub(crate) async fn stop(self) {
        self.process.release(&self.lease).await.unwrap();
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.take_down();
        }
    }
}

pub(crate) fn scope(families: &[(&str, &str)]) -> Scope {
    let family = |(entity, pattern): &(&str, &str)| KeyFamily {
        entity: (*entity).to_owned(),
        pattern: (*pattern).to_owned(),
        values: Vec::new(),
    };
    Scope { service: "cart".to_owned(), keys: families.iter().map(family).collect(), ..Scope::default() }
}

pub(crate) fn blob(bytes: impl AsRef<[u8]>) -> Blob {
    Blob(bytes.as_ref().to_vec())
}

/// A value of every type, awkward bytes and numbers among them; with the remaining life of the key.
pub(crate) fn samples() -> Vec<(Vec<u8>, RedisValue, Option<i64>)> {
    let key = |text: &str| format!("k:{text}").into_bytes();
    let stream = Stream {
        entries: vec![
            ("5-1".into(), vec![(blob("f"), blob(b"\xff")), (blob("f"), blob("again"))]),
            ("7-0".into(), vec![(blob(""), blob(""))]),
        ],
        last_id: "9-3".into(),
        entries_added: Some(12),
        max_deleted_id: Some("6-2".into()),
        groups: vec![
            StreamGroup {
                name: blob("billing"),
                last_delivered: "7-0".into(),
                entries_read: Some(11),
                consumers: vec![blob("a"), blob("b\x00"), blob("idle")],
                pending: vec![
                    Pending { id: "5-1".into(), consumer: 1, delivered_ms: 1_700_000_000_123, deliveries: 7 },
                    // Deleted while it was pending.
                    Pending { id: "6-2".into(), consumer: 0, delivered_ms: 1_700_000_000_456, deliveries: 1 },
                ],
            },
            StreamGroup {
                name: blob("late"),
                last_delivered: "0-0".into(),
                entries_read: None,
                consumers: vec![],
                pending: vec![],
            },
        ],
    };
    let empty = Stream {
        last_id: "0-0".into(),
        entries_added: Some(0),
        max_deleted_id: Some("0-0".into()),
        ..Stream::default()
    };
    let scores = ["-inf", "-0.5", "0", "0.1", "1e300", "1e-320", "9007199254740992", "inf"];
    vec![
        (key("string"), RedisValue::String(blob("text")), Some(3_600_000)),
        (b"k:\xff\xfe".to_vec(), RedisValue::String(blob([0, 255, 10, 13])), None),
        (key("empty"), RedisValue::String(blob("")), None),
        (key("hash"), RedisValue::Hash(vec![(blob(b"\xfe"), blob("")), (blob(b"\xff\x00"), blob("v"))]), Some(60_000)),
        (key("list"), RedisValue::List(vec![blob("b"), blob("a"), blob(""), blob("b")]), None),
        (key("set"), RedisValue::Set(vec![blob(""), blob("1"), blob("2"), blob(b"\xc3")]), Some(120_000)),
        (
            key("zset"),
            RedisValue::Zset(scores.iter().enumerate().map(|(n, s)| (blob(n.to_string()), (*s).to_owned())).collect()),
            None,
        ),
        (key("stream"), RedisValue::Stream(stream), Some(7_200_000)),
        (key("none"), RedisValue::Stream(empty), None),
        (
            key("group"),
            RedisValue::Stream(Stream {
                last_id: "0-0".into(),
                entries_added: Some(0),
                max_deleted_id: Some("0-0".into()),
                groups: vec![StreamGroup {
                    name: blob("only"),
                    last_delivered: "0-0".into(),
                    entries_read: Some(0),
                    consumers: vec![],
                    pending: vec![],
                }],
                ..Stream::default()
            }),
            None,
        ),
    ]
}

/// The key families of the conformance suite's sample.
pub(crate) fn shop() -> Scope {
    Scope { service: "shop".to_owned(), ..scope(&[("person", "person:{id}"), ("item", "item:{sku}")]) }
}

/// How key families spell the fields of that sample: the names are in the keys, all else is in hashes.
pub(crate) fn shop_field(name: &str) -> FieldPath {
    let column = if matches!(name, "id" | "sku") { "key" } else { "value" };
    FieldPath::inner(column, Path::key(name))
}

/// The keys of that sample with their hashes.
pub(crate) fn shop_hashes() -> Vec<(String, Vec<(Blob, Blob)>)> {
    let person = |(id, values): (&str, [Option<&str>; 3])| {
        let fields = FIELDS.into_iter().zip(values).filter_map(|(name, value)| Some((blob(name), blob(value?))));
        (format!("person:{id}"), fields.collect())
    };
    let item = |sku| (format!("item:{sku}"), vec![(blob("price"), blob("1.50"))]);
    PERSONS.into_iter().map(person).chain(SKUS.into_iter().map(item)).collect()
}

/// A batch of an entity.
pub(crate) fn batch(entity: &Entity, records: &[(Vec<u8>, RedisValue, Option<i64>)]) -> RecordBatch {
    use arrow::array::{ArrayRef, BinaryArray, Int64Array, StringArray};
    let values: Vec<Vec<u8>> = records.iter().map(|(_, value, _)| value.write()).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(BinaryArray::from_iter_values(records.iter().map(|(key, ..)| key))),
        Arc::new(StringArray::from_iter_values(records.iter().map(|(_, value, _)| value.type_name()))),
        Arc::new(records.iter().map(|(.., ttl)| *ttl).collect::<Int64Array>()),
        Arc::new(BinaryArray::from_iter_values(&values)),
    ];
    RecordBatch::try_new(entity.schema(), columns).unwrap()
}

/// The records of a batch.
pub(crate) fn records(batch: &RecordBatch) -> BTreeMap<Vec<u8>, (RedisValue, Option<i64>)> {
    let binary = |name: &str| batch.column_by_name(name).unwrap().as_binary::<i32>().clone();
    let (keys, values) = (binary("key"), binary("value"));
    let ttls = batch.column_by_name("expires_ms").unwrap().as_primitive::<arrow::datatypes::Int64Type>().clone();
    (0..batch.num_rows())
        .map(|row| {
            let ttl = ttls.is_valid(row).then(|| ttls.value(row));
            (keys.value(row).to_vec(), (RedisValue::read(values.value(row)).unwrap(), ttl))
        })
        .collect()
}

pub(crate) fn read_of(entity: &Arc<Entity>, selection: Selection) -> Read {
    let (columns, via) = (Vec::new(), Via::root(0));
    Read { entity: entity.clone(), columns, selection, via, limit: None, ordered: true }
}

pub(crate) fn by_path(path: &str, keys: &[&str]) -> Selection {
    Selection::Match { any: vec![one_match(path, keys)], except: Vec::new() }
}

pub(crate) fn one_match(path: &str, keys: &[&str]) -> Match {
    let id: reenact_model::FieldId = format!("s/e.{path}").parse().unwrap();
    let keys: KeySet = keys.iter().map(|key| Key::new([*key])).collect();
    Match { fields: vec![id.field], keys: Arc::new(keys), condition: None }
}

/// What a test may see of a read: the rows themselves.
#[allow(clippy::disallowed_methods, reason = "a test compares what was read")]
pub(crate) async fn read(source: &dyn Source, read: Read) -> Result<Vec<RecordBatch>> {
    source.read(read).map(|batch| batch.map(|batch| batch.expose().1)).try_collect().await
}

pub(crate) async fn all(
    source: &dyn Source,
    entity: &Arc<Entity>,
    selection: Selection,
) -> BTreeMap<Vec<u8>, (RedisValue, Option<i64>)> {
    read(source, read_of(entity, selection)).await.unwrap().iter().flat_map(records).collect()
}

pub(crate) fn digest(entity: &Entity, batches: &[RecordBatch]) -> EntityDigest {
    let mut digest = EntityDigest::default();
    for batch in batches {
        digest.add(batch, entity.compared());
    }
    digest
}

pub(crate) async fn load(target: &mut dyn Target, entity: &Arc<Entity>, batches: Vec<RecordBatch>) -> Result<Loaded> {
    let step = LoadStep::Insert { entity: entity.clone(), later: Vec::new() };
    target.load(&step, futures::stream::iter(batches.into_iter().map(Ok)).boxed()).await
}

/// Opens a target that is marked and ready for a catalog.
pub(crate) async fn ready(store: &dyn Store, dsn: &Dsn, catalog: &ServiceCatalog) -> Box<dyn Target> {
    store.mark(dsn).await.unwrap();
    let mut target = store.target(dsn, "cart").await.unwrap();
    target.gates(std::slice::from_ref(&catalog.identity)).await.unwrap();
    target.prepare(catalog).await.unwrap();
    target
}

pub(crate) fn fields(text: &str) -> Vec<FieldPath> {
    let id: reenact_model::FieldId = format!("s/e.{text}").parse().unwrap();
    vec![id.field]
}

/// The folder of development data sets, if it is there.
pub(crate) fn datasets() -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/datasets");
    let folder = std::env::var_os("REENACT_DATASETS").map_or_else(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    // Past the test harness, which keeps what passing tests print to itself.
    let _ = std::io::stderr().write_all(b"*** NOT RUN: a test on data sets; set `REENACT_DATASETS` ***\n");
    None
}
