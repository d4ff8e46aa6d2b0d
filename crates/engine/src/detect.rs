//! Detection beside the stores: a bounded sample of every entity that a pipeline reaches.
//!
//! Hidden here: how little is read. Each entity is read from its beginning, in the server's own order, and the read ends as soon as the
//! sample is full. The values stay in this process; what goes on is which fields there are, each with a sample that tells no value.

use futures::StreamExt as _;
use reenact_mask::detect::{Place, Sampler};
use reenact_model::catalog::Schemas;
use reenact_model::{Class, Error, Result, Site, Via};
use reenact_stores::{Read, Selection};

use crate::pipeline::{Pipeline, Service};

/// The schemas of a pipeline's services, and the fields that its captures may read. With `sample`, so many records of each entity are looked
/// at; without, no record is read.
///
/// # Errors
/// If a service can't be reached, described or read.
pub async fn places(pipeline: &Pipeline, sample: Option<usize>) -> Result<(Schemas, Vec<Place>)> {
    let mut sources = Vec::new();
    let mut catalogs = Vec::new();
    for service in &pipeline.services {
        let source = open(service).await?;
        catalogs.push(source.describe().await.map_err(|e| e.at(Site::service(&service.name)))?);
        sources.push(source);
    }
    let bound = pipeline.bind(&catalogs)?;
    let mut places = Vec::new();
    for (source, catalog) in sources.iter().zip(&catalogs) {
        for entity in catalog.entities.iter().filter(|entity| bound.reached.contains(&entity.id)) {
            let mut sampler = Sampler::new(entity)?;
            let columns = sampler.columns();
            if let Some(most) = sample.filter(|most| *most > 0 && !columns.is_empty()) {
                let read = Read {
                    entity: entity.clone(),
                    columns,
                    selection: Selection::All,
                    via: Via::root(0),
                    limit: None,
                    ordered: false,
                };
                let mut batches = source.read(read);
                // Dropping the stream ends the read.
                while sampler.rows() < most
                    && let Some(batch) = batches.next().await
                {
                    sampler.take(batch.map_err(|e| e.at(Site::entity(&entity.id)))?, most);
                }
            }
            places.extend(sampler.places());
        }
    }
    let schemas = Schemas {
        format: "reenact/schemas".to_owned(),
        format_version: "1.0".to_owned(),
        catalogs,
        relationships: bound.relationships,
        reached: bound.reached,
    };
    Ok((schemas, places))
}

async fn open(service: &Service) -> Result<Box<dyn reenact_stores::Source>> {
    let site = Site::service(&service.name).with_span(Some(service.span.clone()));
    let store = reenact_stores::store(service.kind).ok_or_else(|| {
        Error::new(Class::Input, format!("this build has no store of kind `{}`", service.kind)).at(site.clone())
    })?;
    store.source(&service.dsn, &service.scope).await.map_err(|e| e.at(site))
}
