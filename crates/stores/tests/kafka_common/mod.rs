//! What tests of Kafka share: a producer that writes what a test wants, and a look at what was read.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use reenact_model::catalog::{Entity, Group, Scope, Topic};
use reenact_model::payload::{Codec, Format, Headers};
use reenact_model::{Dsn, ServiceCatalog};
use reenact_stores::kafka::Kafka;
use reenact_stores::{Selection, Source, Store as _, Target};

use crate::redis_common::{read, read_of};

pub(crate) const WAIT: Duration = Duration::from_secs(20);

pub(crate) fn config(dsn: &Dsn) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", dsn.expose().strip_prefix("kafka://").unwrap());
    config
}

pub(crate) async fn create(dsn: &Dsn, topics: &[(&str, i32)]) {
    let admin: AdminClient<DefaultClientContext> = config(dsn).create().unwrap();
    let topics: Vec<_> =
        topics.iter().map(|(name, count)| NewTopic::new(name, *count, TopicReplication::Fixed(1))).collect();
    let options = AdminOptions::new().operation_timeout(Some(WAIT));
    assert!(admin.create_topics(&topics, &options).await.unwrap().iter().all(Result::is_ok));
}

/// A record as tests write and see it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Plain {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Plain {
    pub(crate) fn new(partition: i32, timestamp: i64, key: Option<&str>, value: Option<&str>) -> Self {
        let bytes = |text: Option<&str>| text.map(|text| text.as_bytes().to_vec());
        Self { partition, timestamp, key: bytes(key), value: bytes(value), ..Self::default() }
    }
}

pub(crate) fn send(producer: &BaseProducer, topic: &str, records: &[Plain]) {
    for record in records {
        let mut message: BaseRecord<'_, [u8], [u8]> =
            BaseRecord::to(topic).partition(record.partition).timestamp(record.timestamp);
        (message.key, message.payload) = (record.key.as_deref(), record.value.as_deref());
        if !record.headers.is_empty() {
            let all = record
                .headers
                .iter()
                .fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value: value.as_ref() }));
            message.headers = Some(all);
        }
        producer.send(message).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(WAIT).unwrap();
}

pub(crate) fn produce(dsn: &Dsn, topic: &str, records: &[Plain]) {
    send(&config(dsn).create().unwrap(), topic, records);
}

/// Writes records in a transaction and ends it, or leaves it open if `end` says nothing.
pub(crate) fn transaction(dsn: &Dsn, id: &str, topic: &str, records: &[Plain], end: Option<bool>) -> BaseProducer {
    let producer: BaseProducer = config(dsn).set("transactional.id", id).create().unwrap();
    producer.init_transactions(WAIT).unwrap();
    producer.begin_transaction().unwrap();
    send(&producer, topic, records);
    match end {
        Some(true) => producer.commit_transaction(WAIT).unwrap(),
        Some(false) => producer.abort_transaction(WAIT).unwrap(),
        None => {}
    }
    producer
}

pub(crate) fn scope(topics: &[&str], groups: &[&str]) -> Scope {
    let topic = |name: &&str| Topic {
        name: (*name).to_owned(),
        key: Some(Codec::of(Format::Text)),
        value: Some(Codec::of(Format::Json)),
        headers: vec![("baggage".to_owned(), Codec::of(Format::Baggage))],
        back_ms: None,
        records: None,
    };
    Scope {
        service: "events".to_owned(),
        topics: topics.iter().map(topic).collect(),
        groups: groups.iter().map(|name| Group { name: (*name).to_owned(), consumer: None }).collect(),
        ..Scope::default()
    }
}

pub(crate) fn plain(batches: &[RecordBatch]) -> Vec<Plain> {
    let mut out = Vec::new();
    for batch in batches {
        let int64 = |name: &str| batch.column_by_name(name).unwrap().as_primitive::<Int64Type>();
        let bytes = |name: &str, row: usize| {
            let array = batch.column_by_name(name).unwrap().as_binary::<i32>();
            array.is_valid(row).then(|| array.value(row).to_vec())
        };
        for row in 0..batch.num_rows() {
            out.push(Plain {
                partition: batch.column_by_name("partition").unwrap().as_primitive::<Int32Type>().value(row),
                offset: int64("offset").value(row),
                timestamp: int64("timestamp").value(row),
                key: bytes("key", row),
                value: bytes("value", row),
                headers: bytes("headers", row).map(|cell| Headers::read(&cell).unwrap().0).unwrap_or_default(),
            });
        }
    }
    out
}

pub(crate) async fn all(source: &dyn Source, entity: &Arc<Entity>, selection: Selection) -> Vec<Plain> {
    plain(&read(source, read_of(entity, selection)).await.unwrap())
}

/// Opens a target that is marked and ready for a catalog.
pub(crate) async fn ready(dsn: &Dsn, catalog: &ServiceCatalog) -> Box<dyn Target> {
    Kafka.mark(dsn).await.unwrap();
    let mut target = Kafka.target(dsn, "events").await.unwrap();
    target.gates(std::slice::from_ref(&catalog.identity)).await.unwrap();
    target.prepare(catalog).await.unwrap();
    target
}
