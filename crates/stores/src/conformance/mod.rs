//! The one suite that every store passes, on the real thing.
//!
//! Hidden here: what "a store" promises beyond its signatures. `source` holds what is read: exactly what was asked for, and
//! what was there at the pin. `target` holds what is written: nothing where the marker is missing, a source stands or
//! records lie; else what was sent, whole. A store's own test file gives a [`Ground`], on which [`run`] tries the store;
//! [`sql`] adds what only SQL stores promise. What one store alone promises stands in that store's own tests.
//!
//! The sample is the same everywhere, in each store's own words: an entity `person` with the records of [`PERSONS`] in this
//! order, and an entity `item` with one record for each of [`SKUS`] in its field `sku`.

#![expect(clippy::missing_panics_doc, reason = "a suite reports by panicking")]

mod source;
pub mod sql;
mod target;

use std::net::SocketAddr;
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use reenact_model::captured::Extractor;
use reenact_model::catalog::{Role, Scope};
use reenact_model::digest::EntityDigest;
use reenact_model::graph::{Wave, waves};
use reenact_model::{Class, Dsn, Entity, FieldPath, Key, KeySet, Result, ServiceCatalog, Via};

use crate::{LoadStep, Loaded, Match, Read, Selection, Source, Store, Target};

/// The records of `person`: the fields `id`, `name`, `email` and `boss_id`, which is the `id` of another one.
pub const PERSONS: [(&str, [Option<&str>; 3]); 4] = [
    ("1", [Some("Ann"), Some("ann@shop.example"), None]),
    ("2", [Some(""), Some("bob@shop.example"), Some("1")]),
    ("3", [None, None, Some("2")]),
    ("40", [Some("Zoë ☃"), None, Some("40")]),
];

/// The names of the fields of `person` after `id`.
pub const FIELDS: [&str; 3] = ["name", "email", "boss_id"];

/// The `sku` of each `item`: texts that break quoting.
pub const SKUS: [&str; 7] =
    ["plain", "it's", "say \"hi\"", "back\\slash", "a,b{c}d", "two\nlines\tand a tab", "canary-ünï-NULL"];

/// Where a store is tried: a sample to read and empty places to write to.
#[async_trait]
pub trait Ground: Sync {
    /// The store.
    fn store(&self) -> &'static dyn Store;

    /// What the pipeline declares of the sample.
    fn scope(&self) -> Scope {
        Scope { service: "shop".to_owned(), ..Scope::default() }
    }

    /// How the store spells one of the sample's entities.
    fn entity(&self, name: &str) -> String {
        name.to_owned()
    }

    /// How the store spells one of the sample's fields.
    fn field(&self, name: &str) -> FieldPath {
        FieldPath::column(name)
    }

    /// A service with the sample; what an earlier call gave may be gone.
    async fn sample(&self) -> Dsn;

    /// A service that holds nothing, not even the marker; what an earlier call gave may be gone.
    async fn empty(&self) -> Dsn;

    /// Commits one more `person` to a sample and, where records can change, another `name` of the one with the `id` 2.
    async fn change(&self, dsn: &Dsn);

    /// Whether a pin holds all records, and not only those that were known to be needed.
    fn has_snapshots(&self) -> bool {
        true
    }

    /// The URL of a server at this address, with the password `canary`; `None` if the store's URLs hold no address.
    fn at(&self, _address: SocketAddr) -> Option<Dsn> {
        None
    }

    /// URLs that don't open though the sample does, such as one with the password `canary`.
    fn shut(&self, _sample: &Dsn) -> Vec<Dsn> {
        Vec::new()
    }
}

/// Runs all that any store promises.
pub async fn run(ground: &dyn Ground) {
    let dsn = ground.sample().await;
    let sample = Sample::open(ground, &dsn).await;
    source::run(&sample).await;
    target::run(&sample).await;
    tells_what_is_out_of_reach(&sample).await;
    source::holds_its_pin(ground, &dsn).await;
}

/// What does not answer, or does not let us in, is told in time, with help and without the password.
async fn tells_what_is_out_of_reach(sample: &Sample<'_>) {
    let ground = sample.ground;
    let mute = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").and_then(|closed| closed.local_addr()).expect("a port");
    let addresses = [mute.local_addr().expect("an address"), nobody];
    for dsn in addresses.into_iter().filter_map(|address| ground.at(address)).chain(ground.shut(&sample.dsn)) {
        let (store, scope) = (ground.store(), ground.scope());
        let opening = async {
            let (source, target) = tokio::join!(store.source(&dsn, &scope), store.target(&dsn, &scope.service));
            [source.err(), target.err()]
        };
        let errors = tokio::time::timeout(std::time::Duration::from_secs(8), opening).await.expect("told in time");
        for error in errors {
            let error = error.unwrap_or_else(|| panic!("{dsn} does not open"));
            assert_eq!(error.class(), Class::Unreachable, "{dsn}: {error}");
            assert_eq!(error.site().service.as_deref(), Some(&*scope.service), "{error}");
            assert!(error.help_text().is_some() && !format!("{error} {error:?}").contains("canary"), "{error}");
        }
    }
}

/// A sample that is open for reading, in the words of the suite.
struct Sample<'a> {
    ground: &'a dyn Ground,
    dsn: Dsn,
    source: Box<dyn Source>,
    catalog: ServiceCatalog,
}

impl<'a> Sample<'a> {
    async fn open(ground: &'a dyn Ground, dsn: &Dsn) -> Self {
        let source = ground.store().source(dsn, &ground.scope()).await.expect("opens");
        let catalog = source.describe().await.expect("describes");
        Self { ground, dsn: dsn.clone(), source, catalog }
    }

    fn entity(&self, name: &str) -> Arc<Entity> {
        let found = self.catalog.entity(&self.ground.entity(name));
        found.unwrap_or_else(|| panic!("`{name}` is described")).clone()
    }

    fn fields(&self, names: &[&str]) -> Vec<FieldPath> {
        names.iter().map(|name| self.ground.field(name)).collect()
    }

    /// The records whose fields equal these texts.
    fn equal(&self, tests: &[(&str, &str)]) -> Selection {
        Selection::Where(tests.iter().map(|(name, text)| (self.ground.field(name), (*text).to_owned())).collect())
    }

    fn matching(&self, names: &[&str], keys: Arc<KeySet>) -> Match {
        Match { fields: self.fields(names), keys, condition: None }
    }

    /// One field of the records that a selection takes, in the records' order.
    async fn find(&self, entity: &str, selection: Selection, field: &str) -> Vec<String> {
        let read = Read { selection, ordered: true, ..everything(&self.entity(entity)) };
        let keys = keys(&*self.source, read, &self.fields(&[field])).await.expect("reads");
        keys.iter().map(|key| key.parts()[0].to_string()).collect()
    }

    /// Opens an empty place for writing.
    async fn target(&self, dsn: &Dsn) -> Box<dyn Target> {
        self.ground.store().target(dsn, &self.ground.scope().service).await.expect("opens")
    }
}

/// The records that match one of these.
fn any(any: Vec<Match>) -> Selection {
    Selection::Match { any, except: Vec::new() }
}

/// A set of keys of one field.
pub fn key_set(values: &[&str]) -> Arc<KeySet> {
    Arc::new(values.iter().map(|value| Key::new([*value])).collect())
}

/// A read of everything.
pub fn everything(entity: &Arc<Entity>) -> Read {
    Read {
        entity: entity.clone(),
        columns: Vec::new(),
        selection: Selection::All,
        via: Via::root(0),
        limit: None,
        ordered: false,
    }
}

/// The batches of a read, as they are.
///
/// # Errors
/// If the read fails.
#[expect(clippy::disallowed_methods, reason = "the suite compares rows that were never real")]
pub async fn batches(source: &dyn Source, read: Read) -> Result<Vec<RecordBatch>> {
    source.read(read).map_ok(|captured| captured.expose().1).try_collect().await
}

/// The number of records that a read gives.
///
/// # Errors
/// If the read fails.
pub async fn count(source: &dyn Source, read: Read) -> Result<usize> {
    Ok(batches(source, read).await?.iter().map(RecordBatch::num_rows).sum())
}

/// The keys of some fields, in the order of the records.
///
/// # Errors
/// If the read fails.
pub async fn keys(source: &dyn Source, read: Read, fields: &[FieldPath]) -> Result<Vec<Key>> {
    let extractor = Extractor::new(&read.entity, fields, None)?;
    let mut keys = Vec::new();
    for batch in batches(source, read).await? {
        keys.extend(extractor.keys(&batch)?.into_iter().flatten());
    }
    Ok(keys)
}

/// Count and digest of what a read gives, as a bundle states them.
async fn digest(source: &dyn Source, read: Read) -> Result<EntityDigest> {
    let entity = read.entity.clone();
    let mut digest = EntityDigest::default();
    for batch in batches(source, read).await? {
        digest.add(&batch, entity.compared());
    }
    Ok(digest)
}

/// Writes whole records.
async fn insert(
    target: &mut dyn Target,
    entity: &Arc<Entity>,
    later: Vec<String>,
    batches: Vec<RecordBatch>,
) -> Result<Loaded> {
    let step = LoadStep::Insert { entity: entity.clone(), later };
    target.load(&step, stream::iter(batches).map(Ok).boxed()).await
}

/// Loads all of a source into a target, as a replay does: prepared, in waves, later columns patched, settled.
///
/// # Errors
/// If any step fails.
pub async fn load(source: &dyn Source, target: &mut dyn Target, catalog: &ServiceCatalog) -> Result<()> {
    target.gates(std::slice::from_ref(&catalog.identity)).await?;
    target.prepare(catalog).await?;
    let entities: Vec<&Entity> = catalog.entities.iter().map(AsRef::as_ref).collect();
    let waves = waves(&entities, &catalog.relationships);
    for wave in &waves {
        load_wave(source, target, catalog, wave).await?;
    }
    // A column that was left out may refer to a record of any later wave.
    for wave in &waves {
        for (name, columns) in &wave.later {
            let Some(entity) = catalog.entity(name).filter(|entity| !entity.key.is_empty()) else { continue };
            let got = batches(source, everything(entity)).await?;
            let step = LoadStep::Patch { entity: entity.clone(), columns: columns.clone() };
            target.load(&step, stream::iter(got).map(Ok).boxed()).await?;
        }
    }
    target.settle(catalog, &[]).await
}

async fn load_wave(source: &dyn Source, target: &mut dyn Target, catalog: &ServiceCatalog, wave: &Wave) -> Result<()> {
    if !wave.deferred.is_empty() {
        target.defer(&wave.deferred).await?;
    }
    let members = || wave.entities.iter().filter_map(|id| catalog.entity(&id.name));
    for entity in members() {
        // A record without a key can't be found again, so it is written whole.
        let later = wave.later.get(&entity.id.name).filter(|_| !entity.key.is_empty()).cloned().unwrap_or_default();
        let got = batches(source, everything(entity)).await?;
        let rows: usize = got.iter().map(RecordBatch::num_rows).sum();
        let places = places(entity, &got)?;
        let loaded = insert(target, entity, later, got).await?;
        assert_eq!(loaded.rows, rows as u64, "{}: all records are written", entity.id);
        let told =
            loaded.offsets.iter().map(|(partition, from, _)| Key::new([partition.to_string(), from.to_string()]));
        assert!(told.collect::<KeySet>() == places, "{}: where each record went is told", entity.id);
        assert_eq!(loaded.offsets.len(), places.len(), "{}: and told once", entity.id);
    }
    Ok(())
}

/// The keys of records that a target can't keep, because it numbers its records by itself.
fn places(entity: &Entity, batches: &[RecordBatch]) -> Result<KeySet> {
    let is_relative = |column: &String| entity.field(column).is_some_and(|field| field.role == Role::Relative);
    let mut places = KeySet::new();
    if entity.key.iter().any(is_relative) {
        let fields: Vec<FieldPath> = entity.key.iter().map(FieldPath::column).collect();
        let extractor = Extractor::new(entity, &fields, None)?;
        for batch in batches {
            places.extend(&extractor.key_set(batch)?);
        }
    }
    Ok(places)
}

/// Reads all, loads it elsewhere, and compares every entity's digest with that of what was read.
///
/// # Errors
/// If any step fails.
pub async fn round_trip(store: &dyn Store, scope: &Scope, from: &Dsn, to: &Dsn) -> Result<ServiceCatalog> {
    let source = store.source(from, scope).await?;
    let catalog = source.describe().await?;
    store.mark(to).await?;
    let mut target = store.target(to, &scope.service).await?;
    load(&*source, &mut *target, &catalog).await?;
    for entity in &catalog.entities {
        let sent = digest(&*source, everything(entity)).await?;
        assert_eq!(target.digest(entity).await?, sent, "{}: what was loaded is what was sent", entity.id);
    }
    Ok(catalog)
}
