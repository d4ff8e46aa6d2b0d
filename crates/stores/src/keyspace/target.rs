//! The writing side of a key space.
//!
//! Hidden here: what makes a load exact. A key that fits its family no more, or that is there already, stops the load, since
//! one record would silently swallow another one; expiries are compared on reading back, because they are in no digest. A
//! key that has lived out its time meanwhile is as it would be in production, so it counts as there; one that is gone too
//! early, or that had no end, is lost.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Array as _, AsArray as _, BinaryArray, RecordBatch};
use arrow::datatypes::Int64Type;
use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use reenact_model::captured::Extractor;
use reenact_model::catalog::{Condition, Identity};
use reenact_model::digest::EntityDigest;
use reenact_model::payload::RedisValue;
use reenact_model::{Class, Entity, Error, FieldPath, KeySet, Relationship, Result, ServiceCatalog, Site, Via};

use super::read::{Held, stream};
use super::{Families, Keyspace, Record, template_of};
use crate::{GroupOffsets, LoadStep, Loaded, Read, Selection, Target};

/// How many records are written at once.
const CHUNK: usize = 256;
/// About how many bytes are written at once.
const CHUNK_BYTES: usize = 1 << 20;

/// The writing side of any [`Keyspace`].
pub(crate) struct KeyTarget {
    space: Box<dyn Keyspace>,
    service: String,
    sources: Vec<Identity>,
    families: Families,
    nothing_held: Held,
    /// By entity, the records that were loaded with an end, by the hash of the key.
    lives: HashMap<String, HashMap<u64, Life>>,
    hasher: RandomState,
}

/// What is remembered of a record that expires.
struct Life {
    /// As it was loaded, in milliseconds.
    ttl: i64,
    /// Before this the record can't have expired; `None` if that is beyond all time.
    end: Option<Instant>,
    /// Its part of the entity's digest.
    digest: EntityDigest,
}

impl Life {
    fn is_over(&self, now: Instant) -> bool {
        self.end.is_some_and(|end| end <= now)
    }
}

impl KeyTarget {
    pub(crate) fn new(space: Box<dyn Keyspace>, service: &str) -> Self {
        Self {
            space,
            service: service.to_owned(),
            sources: Vec::new(),
            families: Families::default(),
            nothing_held: Held::new(),
            lives: HashMap::new(),
            hasher: RandomState::new(),
        }
    }

    /// Asked before each destructive step.
    async fn check(&self) -> Result<()> {
        let refused = |message: &str| Error::new(Class::Refused, message).at(Site::service(&self.service));
        if !self.space.is_marked().await? {
            return Err(refused("the target has no key `reenact:target`")
                .help("if it is meant to be overwritten, mark it: `SET reenact:target 1`"));
        }
        if self.space.is_one_of(&self.sources).await? {
            return Err(refused("the target is a store that the bundle was captured from")
                .help("a replica of it counts as the same store: load into one that was made anew"));
        }
        Ok(())
    }

    fn all(&self, entity: &Entity) -> BoxStream<'_, Result<RecordBatch>> {
        let read = Read {
            entity: Arc::new(entity.clone()),
            columns: Vec::new(),
            selection: Selection::All,
            via: Via::root(0),
            limit: None,
            ordered: true,
        };
        stream(&*self.space, &self.families, &self.nothing_held, read)
    }

    /// Checks what was read back against what was loaded.
    fn check_expiries(&self, entity: &Entity, batch: &RecordBatch) -> Result<()> {
        let Some(loaded) = self.lives.get(&entity.id.name) else { return Ok(()) };
        let keys = binary(batch, "key")?;
        let expiries = batch.column_by_name("expires_ms").and_then(|array| array.as_primitive_opt::<Int64Type>());
        let now = |row: usize| expiries.filter(|array| array.is_valid(row)).map(|array| array.value(row));
        let wrong = (0..batch.num_rows()).filter(|row| {
            match (loaded.get(&self.hasher.hash_one(keys.value(*row))), now(*row)) {
                (Some(loaded), Some(now)) => now > loaded.ttl,
                (None, None) => false,
                _ => true,
            }
        });
        match wrong.count() {
            0 => Ok(()),
            count => Err(Error::new(Class::Differences, format!("{count} keys expire otherwise than loaded"))),
        }
    }
}

/// The shortest life, in milliseconds by our clock, of a record that is loaded with so much: the store counts whole
/// milliseconds, and its clock may be a little faster.
fn shortest(ttl: i64) -> u64 {
    let ttl = u64::try_from(ttl).unwrap_or(0);
    ttl.saturating_sub(1 + ttl / 1_000)
}

#[async_trait]
impl Target for KeyTarget {
    async fn identity(&mut self) -> Result<Identity> {
        Ok(self.space.about().await?.identity)
    }

    async fn gates(&mut self, sources: &[Identity]) -> Result<()> {
        self.sources = sources.to_vec();
        self.check().await
    }

    async fn prepare(&mut self, catalog: &ServiceCatalog) -> Result<()> {
        self.check().await?;
        self.families = Families::of(&catalog.entities)?;
        for entity in &catalog.entities {
            let keys = self.space.scan(template_of(entity)?).await?;
            let count = keys.iter().filter(|key| self.families.owns(entity, key)).count();
            if count > 0 {
                return Err(Error::new(
                    Class::Refused,
                    format!("the target holds {count} keys of this family already"),
                )
                .at(Site::entity(&entity.id))
                .help("load into an empty database"));
            }
        }
        // A store that was restarted has another identity than its bundle knows; keys of somebody else still tell it.
        let others = self.space.size().await?.saturating_sub(1);
        if others > 0 {
            let message = format!("the target holds {others} keys that are not the bundle's");
            return Err(Error::new(Class::Refused, message)
                .at(Site::service(&self.service))
                .help("load into an empty database"));
        }
        Ok(())
    }

    async fn defer(&mut self, _constraints: &[String]) -> Result<()> {
        self.check().await
    }

    async fn load(&mut self, step: &LoadStep, mut batches: BoxStream<'_, Result<RecordBatch>>) -> Result<Loaded> {
        self.check().await?;
        let LoadStep::Insert { entity, .. } = step else {
            return Err(Error::new(Class::Unexpected, "keys are never patched").at(Site::service(&self.service)));
        };
        let site = Site::entity(&entity.id);
        let template = template_of(entity)?;
        let mut loaded = Loaded::default();
        let mut lives = self.lives.remove(&entity.id.name).unwrap_or_default();
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            let mut chunk: (Vec<Record>, usize) = (Vec::new(), 0);
            for row in 0..batch.num_rows() {
                let record = record(&batch, row).map_err(|error| error.at(site.clone()))?;
                if template.decode(&record.key).is_none() || !self.families.owns(entity, &record.key) {
                    let message = "a key that is to be loaded does not fit the family's pattern";
                    return Err(Error::new(Class::Differences, message)
                        .at(site)
                        .help("a mask changed it: let its output hold none of the pattern's own characters"));
                }
                chunk.1 += record.key.len() + binary(&batch, "value")?.value(row).len();
                chunk.0.push(record);
                if chunk.0.len() >= CHUNK || chunk.1 >= CHUNK_BYTES || row + 1 == batch.num_rows() {
                    let records = std::mem::take(&mut chunk).0;
                    // Our clock starts before the store's own does.
                    let now = Instant::now();
                    for (n, record) in records.iter().enumerate() {
                        let Some(ttl) = record.ttl else { continue };
                        let mut digest = EntityDigest::default();
                        digest.add(&batch.slice(row + 1 - records.len() + n, 1), entity.compared());
                        let end = now.checked_add(Duration::from_millis(shortest(ttl)));
                        lives.insert(self.hasher.hash_one(record.key.as_slice()), Life { ttl, end, digest });
                    }
                    self.space.put(&records).await.map_err(|error| error.at(site.clone()))?;
                    loaded.rows += records.len() as u64;
                }
            }
        }
        self.lives.insert(entity.id.name.clone(), lives);
        Ok(loaded)
    }

    async fn settle(&mut self, _catalog: &ServiceCatalog, groups: &[GroupOffsets]) -> Result<()> {
        self.check().await?;
        match groups {
            [] => Ok(()),
            _ => Err(Error::new(Class::Unexpected, "a key space has no consumer groups of its own")
                .at(Site::service(&self.service))),
        }
    }

    async fn digest(&mut self, entity: &Entity) -> Result<EntityDigest> {
        let mut digest = EntityDigest::default();
        let mut there: HashSet<u64> = HashSet::new();
        let mut batches = self.all(entity);
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            digest.add(&batch, entity.compared());
            self.check_expiries(entity, &batch).map_err(|error| error.at(Site::entity(&entity.id)))?;
            there.extend(binary(&batch, "key")?.iter().flatten().map(|key| self.hasher.hash_one(key)));
        }
        let now = Instant::now();
        let lives = self.lives.get(&entity.id.name).into_iter().flatten();
        let expired = lives.filter(|(key, life)| !there.contains(key) && life.is_over(now));
        Ok(expired.fold(digest, |digest, (_, life)| digest.merge(life.digest)))
    }

    fn expired(&self, entity: &Entity) -> u64 {
        let now = Instant::now();
        let lives = self.lives.get(&entity.id.name).into_iter().flatten();
        lives.filter(|(_, life)| life.is_over(now)).count() as u64
    }

    async fn keys(&mut self, entity: &Entity, fields: &[FieldPath], condition: Option<&Condition>) -> Result<KeySet> {
        let extractor = Extractor::new(entity, fields, condition)?;
        let mut keys = KeySet::new();
        let mut batches = self.all(entity);
        while let Some(batch) = batches.next().await {
            keys.extend(&extractor.key_set(&batch?)?);
        }
        Ok(keys)
    }

    async fn dangling(&mut self, edge: &Relationship, child: &Entity, parent: &Entity) -> Result<KeySet> {
        let children = self.keys(child, &edge.child.fields, edge.condition.as_ref()).await?;
        let parents = self.keys(parent, &edge.parent.fields, None).await?;
        Ok(children.minus(&parents))
    }
}

/// A binary column of a batch that is to be loaded.
fn binary<'a>(batch: &'a RecordBatch, column: &str) -> Result<&'a BinaryArray> {
    batch
        .column_by_name(column)
        .and_then(|array| array.as_binary_opt::<i32>())
        .ok_or_else(|| Error::new(Class::Bundle, format!("the column `{column}` is missing or of another type")))
}

fn record(batch: &RecordBatch, row: usize) -> Result<Record> {
    let (keys, values) = (binary(batch, "key")?, binary(batch, "value")?);
    let value = Some(values).filter(|values| values.is_valid(row) && keys.is_valid(row));
    let value = value.and_then(|values| RedisValue::read(values.value(row)));
    let ttl = batch.column_by_name("expires_ms").and_then(|array| array.as_primitive_opt::<Int64Type>());
    Ok(Record {
        key: keys.value(row).to_vec(),
        value: value.ok_or_else(|| Error::new(Class::Bundle, "a value does not decode"))?,
        ttl: ttl.filter(|array| array.is_valid(row)).map(|array| array.value(row)),
    })
}
