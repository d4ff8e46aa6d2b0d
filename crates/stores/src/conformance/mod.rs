//! The one suite that every store passes, on real servers.
//!
//! Hidden here: what "a store" promises beyond its signatures: what is read is what is there, a pin holds, limits hold, a
//! target without the marker (or one that is a source, or holds records) is refused, and what was loaded reads back equal. A
//! store's own test file gives a [`Ground`] with a sample; [`sql`] holds what only SQL stores promise.

#![expect(clippy::missing_panics_doc, reason = "a suite reports by panicking")]

pub mod sql;

use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use reenact_model::captured::Extractor;
use reenact_model::catalog::Scope;
use reenact_model::digest::EntityDigest;
use reenact_model::graph::{Wave, waves};
use reenact_model::{Class, Dsn, Entity, FieldPath, Key, KeySet, Result, ServiceCatalog, Via};

use crate::{LoadStep, Read, Selection, Source, Store, Target, sql as shared};

/// Where a store is tried: a sample to read and empty places to write to.
#[async_trait]
pub trait Ground: Sync {
    /// The store.
    fn store(&self) -> &'static dyn Store;

    /// How the store spells one of the sample's entities.
    fn entity(&self, name: &str) -> String;

    /// A new service with the sample.
    async fn sample(&self) -> Dsn;

    /// A new service that holds nothing, not even the marker.
    async fn empty(&self) -> Dsn;

    /// Commits one more record to the entity `person` of a sample.
    async fn change(&self, dsn: &Dsn);

    /// What the pipeline declares of the sample.
    fn scope(&self) -> Scope {
        Scope { service: "shop".to_owned(), ..Scope::default() }
    }
}

/// Opens a source of a ground's store.
///
/// # Errors
/// If it does not open.
pub async fn source(ground: &dyn Ground, dsn: &Dsn) -> Result<Box<dyn Source>> {
    ground.store().source(dsn, &ground.scope()).await
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

/// The keys of some columns, in the order of the records.
///
/// # Errors
/// If the read fails.
pub async fn keys(source: &dyn Source, read: Read, columns: &[&str]) -> Result<Vec<Key>> {
    let fields: Vec<FieldPath> = columns.iter().copied().map(FieldPath::column).collect();
    let extractor = Extractor::new(&read.entity, &fields, None)?;
    let mut keys = Vec::new();
    for batch in batches(source, read).await? {
        keys.extend(extractor.keys(&batch)?.into_iter().flatten());
    }
    Ok(keys)
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
        let step = LoadStep::Insert { entity: entity.clone(), later };
        let loaded = target.load(&step, stream::iter(got).map(Ok).boxed()).await?;
        assert_eq!(loaded.rows, rows as u64, "{}: all records are written", entity.id);
    }
    Ok(())
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
        let columns = shared::stored_columns(entity);
        let mut sent = EntityDigest::default();
        for batch in batches(&*source, everything(entity)).await? {
            sent.add(&batch, columns.iter().map(String::as_str));
        }
        assert_eq!(target.digest(entity).await?, sent, "{}: what was loaded is what was sent", entity.id);
    }
    Ok(catalog)
}

/// The sample comes back equal from a fresh target.
pub async fn loads_what_it_reads(ground: &dyn Ground) {
    let (from, to) = (ground.sample().await, ground.empty().await);
    let catalog = round_trip(ground.store(), &ground.scope(), &from, &to).await.expect("a round trip");
    assert!(!catalog.entities.is_empty());
    // The copy describes itself as the original did.
    let copy = source(ground, &to).await.expect("opens").describe().await.expect("describes");
    for entity in &catalog.entities {
        let copied = copy.entity(&entity.id.name).expect("is there");
        assert_eq!((&copied.fields, &copied.key), (&entity.fields, &entity.key), "{}", entity.id);
        assert_eq!(copied.uniques, entity.uniques, "{}", entity.id);
    }
    let edges = |catalog: &ServiceCatalog| {
        let mut edges: Vec<String> = catalog.relationships.iter().map(ToString::to_string).collect();
        edges.sort();
        edges
    };
    assert_eq!(edges(&copy), edges(&catalog));
    assert_ne!(copy.identity, catalog.identity);
}

/// Only a marked target that is empty and no source is written to.
pub async fn refuses_what_it_must_not_write(ground: &dyn Ground) {
    let (from, to) = (ground.sample().await, ground.empty().await);
    let store = ground.store();
    let source = source(ground, &from).await.expect("opens");
    let catalog = source.describe().await.expect("describes");
    let refused = |result: Result<()>, what: &str| {
        let error = result.expect_err(what);
        assert_eq!(error.class(), Class::Refused, "{what}: {error}");
    };
    let mut target = store.target(&to, "shop").await.expect("opens");
    refused(target.gates(&[]).await, "no marker");
    refused(target.prepare(&catalog).await, "no marker, at the load");
    store.mark(&to).await.expect("marks");
    target.gates(std::slice::from_ref(&catalog.identity)).await.expect("a marked target is taken");
    let own = target.identity().await.expect("an identity");
    refused(target.gates(&[catalog.identity.clone(), own]).await, "the target is a source");
    refused(target.prepare(&catalog).await, "the target is a source, at the load");
    load(&*source, &mut *target, &catalog).await.expect("loads");
    refused(target.prepare(&catalog).await, "the target holds records");
}

/// A pinned source does not see what is committed later; a new one does.
pub async fn holds_its_pin(ground: &dyn Ground) {
    let dsn = ground.sample().await;
    let mut pinned = source(ground, &dsn).await.expect("opens");
    let catalog = pinned.describe().await.expect("describes");
    let person = catalog.entity(&ground.entity("person")).expect("the sample has persons").clone();
    for part in &catalog.parts {
        let pin = pinned.pin(part, &[]).await.expect("pins");
        assert!(!pin.position.at.is_empty(), "{part} has a position");
    }
    let before = count(&*pinned, everything(&person)).await.expect("reads");
    ground.change(&dsn).await;
    assert_eq!(count(&*pinned, everything(&person)).await.expect("reads"), before);
    let later = source(ground, &dsn).await.expect("opens");
    assert_eq!(count(&*later, everything(&person)).await.expect("reads"), before + 1);
    assert!(pinned.queries() > 0);
}

/// A read gives as many records as its limit allows, or says that there are more.
pub async fn holds_its_limit(ground: &dyn Ground) {
    let source = source(ground, &ground.sample().await).await.expect("opens");
    let catalog = source.describe().await.expect("describes");
    let person = catalog.entity(&ground.entity("person")).expect("the sample has persons");
    let rows = count(&*source, everything(person)).await.expect("reads");
    let limited = |limit: usize| Read { limit: Some(limit as u64), ..everything(person) };
    assert_eq!(count(&*source, limited(rows)).await.expect("as many as the limit"), rows);
    let error = count(&*source, limited(rows - 1)).await.expect_err("one more");
    assert_eq!(error.class(), Class::Limit);
    assert!(error.to_string().contains(&person.id.to_string()), "{error}");
    // The source is of use after an error, and after a stream that was dropped.
    drop(source.read(everything(person)).next().await);
    assert_eq!(count(&*source, everything(person)).await.expect("reads"), rows);
}

/// A set of keys of one column.
pub fn key_set(values: &[&str]) -> Arc<KeySet> {
    Arc::new(values.iter().map(|value| Key::new([*value])).collect())
}

/// Runs all that any store promises.
pub async fn run(ground: &dyn Ground) {
    loads_what_it_reads(ground).await;
    refuses_what_it_must_not_write(ground).await;
    holds_its_pin(ground).await;
    holds_its_limit(ground).await;
}
