//! The reading side of a key space.
//!
//! Hidden here: how a space without snapshots is pinned. The keys known to be needed are read at the pin, whole, and held;
//! what was absent then is remembered as absent.

use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use reenact_model::catalog::Scope;
use reenact_model::{Captured, Class, Entity, Error, KeySet, Part, Result, ServiceCatalog, Site, canonical};

use super::read::{Held, spelled_out, stream};
use super::{Families, Keyspace, entities, template_of};
use crate::{Estimate, Pinned, Read, Source};

/// The reading side of any [`Keyspace`].
pub(crate) struct KeySource {
    space: Box<dyn Keyspace>,
    service: String,
    entities: Vec<Arc<Entity>>,
    families: Families,
    held: Held,
}

impl KeySource {
    pub(crate) fn new(space: Box<dyn Keyspace>, scope: &Scope) -> Result<Self> {
        let entities = entities(scope)?;
        let families = Families::of(&entities)?;
        Ok(Self { space, service: scope.service.clone(), entities, families, held: Held::new() })
    }

    /// The names of the keys in a set of whole keys.
    fn names(&self, entity: &Entity, keys: &KeySet) -> Result<Vec<Vec<u8>>> {
        let template = template_of(entity)?;
        let names = keys.iter().filter_map(|key| canonical::bytes_of(key.parts().first()?));
        Ok(names.filter(|name| template.decode(name).is_some() && self.families.owns(entity, name)).collect())
    }
}

#[async_trait]
impl Source for KeySource {
    async fn describe(&self) -> Result<ServiceCatalog> {
        let about = self.space.about().await?;
        Ok(ServiceCatalog {
            service: self.service.clone(),
            kind: self.space.kind(),
            version: about.version,
            identity: about.identity,
            entities: self.entities.clone(),
            relationships: Vec::new(),
            ddl: Vec::new(),
            parts: vec![self.space.part()],
        })
    }

    async fn estimate(&self, read: &Read) -> Result<Estimate> {
        Ok(match spelled_out(template_of(&read.entity)?, &read.selection) {
            Some(keys) => Estimate {
                rows: Some(keys.len() as u64),
                full_scan: false,
                how: "each key is asked for by its name".to_owned(),
            },
            None => Estimate {
                rows: Some(self.space.size().await?),
                full_scan: true,
                how: "a scan over all keys of the database".to_owned(),
            },
        })
    }

    async fn pin(&mut self, part: &Part, known: &[(Arc<Entity>, KeySet)]) -> Result<Pinned> {
        if *part != self.space.part() {
            return Err(
                Error::new(Class::Input, format!("there is no part `{part}` to pin")).at(Site::service(&self.service))
            );
        }
        let before = self.space.position().await?;
        let mut held = Held::new();
        for (entity, keys) in known {
            let names = self.names(entity, keys)?;
            let mut rest = names.as_slice();
            while !rest.is_empty() {
                let chunk = &rest[..rest.len().min(128)];
                let found = self.space.fetch(chunk).await.map_err(|error| error.at(Site::entity(&entity.id)))?;
                let read = found.len().clamp(1, chunk.len());
                held.extend(rest[..read].iter().cloned().zip(found));
                rest = &rest[read..];
            }
        }
        let position = self.space.position().await?;
        // One key is read in one act; several are read one after the other, between these two states of the data.
        let position = if held.len() > 1 { position.since(&before) } else { position };
        self.held = held;
        Ok(Pinned { position, gaps: Vec::new() })
    }

    fn read(&self, read: Read) -> BoxStream<'_, Result<Captured>> {
        let (entity, via) = (Arc::clone(&read.entity), read.via);
        let batches = stream(&*self.space, &self.families, &self.held, read);
        batches.map(move |batch| batch.map(|batch| Captured::new(Arc::clone(&entity), batch, via))).boxed()
    }

    fn queries(&self) -> u64 {
        self.space.queries()
    }
}
