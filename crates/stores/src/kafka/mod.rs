//! Apache Kafka and what speaks its protocol.
//!
//! Hidden here: how a log becomes records, and records a log. A capture chooses a prefix of each partition (up to the last
//! stable offset) and a window at its end; it never joins a group and never commits. A read ends when the *position* has
//! reached the end of the window, not at a last record, since control markers and aborted records take offsets too. A
//! replay writes each record to its recorded partition and keeps the exact map from source to target offsets. What a
//! broker claims about offsets by time is checked against records, because some answer nonsense.

mod client;
mod gaps;
mod produce;
mod records;
mod scan;
mod source;
mod target;
mod window;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use reenact_model::catalog::{Entity, Field, Kind, Role, Scope, Topic, ValueType};
use reenact_model::payload::{Codec, Format};
use reenact_model::{Class, Dsn, EntityId, Error, Path, Result, Site};

use crate::{Source, Store, Target, address};
use client::Cluster;

/// The topic that a target must hold.
const MARKER: &str = "reenact.target";
/// The property that tells the number of partitions.
const PARTITIONS: &str = "partitions";

/// The store of kind `kafka`.
#[derive(Debug)]
pub struct Kafka;

#[async_trait]
impl Store for Kafka {
    fn kind(&self) -> Kind {
        Kind::Kafka
    }

    async fn source(&self, dsn: &Dsn, scope: &Scope) -> Result<Box<dyn Source>> {
        let site = Site::service(&scope.service);
        let cluster = Cluster::open(dsn).await.map_err(|error| error.at(site.clone()))?;
        let mut names = BTreeSet::new();
        if let Some(topic) = scope.topics.iter().find(|topic| !names.insert(&topic.name)) {
            let id = EntityId::new(&scope.service, &topic.name);
            return Err(Error::new(Class::Input, "the topic is declared twice").at(Site::entity(&id)));
        }
        Ok(Box::new(source::KafkaSource::new(cluster, scope)))
    }

    async fn target(&self, dsn: &Dsn, service: &str) -> Result<Box<dyn Target>> {
        let cluster = Cluster::open(dsn).await.map_err(|error| error.at(Site::service(service)))?;
        Ok(Box::new(target::KafkaTarget::new(cluster, service)))
    }

    async fn places(&self, dsn: &Dsn) -> Vec<String> {
        let mut out = Vec::new();
        for (host, port) in Cluster::brokers(dsn) {
            out.extend(address::of_host(&host, port, "").await);
        }
        out
    }

    async fn mark(&self, dsn: &Dsn) -> Result<()> {
        target::mark(&Cluster::open(dsn).await?).await
    }
}

/// The entity of a topic with so many partitions.
fn entity(service: &str, topic: &Topic, partitions: usize) -> Arc<Entity> {
    let relative = |mut field: Field| {
        field.role = Role::Relative;
        field
    };
    let payload = |name: &str, codec: &Option<Codec>| {
        let field = Field::new(name, ValueType::Bytes, "bytes");
        codec.clone().map_or(field.clone(), |codec| field.with_codec(codec))
    };
    let headers = topic.headers.iter().map(|(name, codec)| (Path::key(name.as_str()), codec.clone())).collect();
    let mut kind = Field::new("timestamp_type", ValueType::Text, "text").required();
    kind.values = Some(["create", "append", "none"].map(str::to_owned).into());
    Arc::new(Entity {
        id: EntityId::new(service, &topic.name),
        fields: vec![
            Field::new("partition", ValueType::Int32, "int32").required().coordinate(),
            relative(Field::new("offset", ValueType::Int64, "int64").required()),
            Field::new("timestamp", ValueType::Int64, "milliseconds").coordinate(),
            // A target takes the recorded times as given, also those that the source's broker had made.
            relative(kind),
            payload("key", &topic.key),
            payload("value", &topic.value),
            Field::new("headers", ValueType::Bytes, "headers")
                .with_codec(Codec { format: Format::Headers, inner: headers }),
        ],
        key: vec!["partition".to_owned(), "offset".to_owned()],
        uniques: Vec::new(),
        estimate: None,
        properties: [(PARTITIONS.to_owned(), partitions.to_string())].into(),
    })
}
