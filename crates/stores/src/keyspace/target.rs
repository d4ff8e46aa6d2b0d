//! The writing side of a key space.
//!
//! Hidden here: what makes a load exact. A key that fits its family no more, or that is there already, stops the load, since
//! one record would silently swallow another one; expiries are compared on reading back, because they are in no digest.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

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
    /// By entity, the expiries that were loaded, by the hash of the key.
    expiries: HashMap<String, HashMap<u64, i64>>,
    hasher: RandomState,
}

impl KeyTarget {
    pub(crate) fn new(space: Box<dyn Keyspace>, service: &str) -> Self {
        Self {
            space,
            service: service.to_owned(),
            sources: Vec::new(),
            families: Families::default(),
            nothing_held: Held::new(),
            expiries: HashMap::new(),
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
            return Err(refused("the target is a store that the bundle was captured from"));
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
        let Some(loaded) = self.expiries.get(&entity.id.name) else { return Ok(()) };
        let keys = binary(batch, "key")?;
        let expiries = batch.column_by_name("expires_ms").and_then(|array| array.as_primitive_opt::<Int64Type>());
        let now = |row: usize| expiries.filter(|array| array.is_valid(row)).map(|array| array.value(row));
        let wrong = (0..batch.num_rows()).filter(|row| {
            match (loaded.get(&self.hasher.hash_one(keys.value(*row))), now(*row)) {
                (Some(loaded), Some(now)) => now > *loaded,
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
        let mut expiries = self.expiries.remove(&entity.id.name).unwrap_or_default();
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
                if let Some(ttl) = record.ttl {
                    expiries.insert(self.hasher.hash_one(record.key.as_slice()), ttl);
                }
                chunk.1 += record.key.len() + binary(&batch, "value")?.value(row).len();
                chunk.0.push(record);
                if chunk.0.len() >= CHUNK || chunk.1 >= CHUNK_BYTES || row + 1 == batch.num_rows() {
                    let records = std::mem::take(&mut chunk).0;
                    self.space.put(&records).await.map_err(|error| error.at(site.clone()))?;
                    loaded.rows += records.len() as u64;
                }
            }
        }
        self.expiries.insert(entity.id.name.clone(), expiries);
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
        let mut batches = self.all(entity);
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            digest.add(&batch, entity.compared());
            self.check_expiries(entity, &batch).map_err(|error| error.at(Site::entity(&entity.id)))?;
        }
        Ok(digest)
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
