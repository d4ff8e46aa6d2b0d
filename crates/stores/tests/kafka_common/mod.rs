//! What tests of Kafka share: a producer that writes what a test wants, and a look at what was read.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};
use async_trait::async_trait;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use reenact_environment::{Embedded, Provider as _, Wanted, WantedService};
use reenact_model::catalog::{Entity, Group, Scope, Topic};
use reenact_model::payload::{Codec, Format, Headers};
use reenact_model::{Dsn, FieldPath, Kind, Path, ServiceCatalog};
use reenact_stores::conformance::{FIELDS, Ground, PERSONS, SKUS};
use reenact_stores::kafka::Kafka;
use reenact_stores::{Selection, Source, Store, Target};
use serde_json::json;

use crate::redis_common::{read, read_of};

pub(crate) const WAIT: Duration = Duration::from_secs(20);

/// Clusters of the conformance suite: two brokers that are cleared each time, or a new mock cluster each time.
pub(crate) enum Clusters {
    Brokers([Dsn; 2]),
    Mocks(Embedded),
}

impl Clusters {
    /// A cluster with no record; a mock can't make topics later, so it has them from the beginning.
    async fn fresh(&self, number: usize) -> Dsn {
        match self {
            Self::Brokers(both) => {
                clear(&both[number]).await;
                both[number].clone()
            }
            Self::Mocks(provider) => {
                let topics = SHOP.map(|(topic, partitions)| (topic.to_owned(), partitions)).into();
                let service = WantedService { topics, ..WantedService::new("one", Kind::Kafka) };
                let lease = provider.lease(&Wanted { services: vec![service] }).await.unwrap();
                lease.dsn("one").unwrap().clone()
            }
        }
    }
}

const SHOP: [(&str, i32); 2] = [("person", 2), ("item", 1)];

#[async_trait]
impl Ground for Clusters {
    fn store(&self) -> &'static dyn Store {
        &Kafka
    }

    fn scope(&self) -> Scope {
        Scope { service: "shop".to_owned(), ..scope(&SHOP.map(|(topic, _)| topic), &["billing"]) }
    }

    fn field(&self, name: &str) -> FieldPath {
        FieldPath::inner("value", Path::key(name))
    }

    async fn sample(&self) -> Dsn {
        let dsn = self.fresh(0).await;
        if let Self::Brokers(_) = self {
            create(&dsn, &SHOP).await;
        }
        let persons: Vec<Plain> = PERSONS.iter().map(|(id, values)| person(id, values)).collect();
        // The marker of the transaction takes an offset, so that the copies come to lie elsewhere.
        transaction(&dsn, "shop", "person", &persons[..1], Some(true));
        produce(&dsn, "person", &persons[1..]);
        let item = |sku: &str| Plain::new(0, 1, Some(sku), Some(&json!({ "sku": sku }).to_string()));
        produce(&dsn, "item", &SKUS.map(item));
        dsn
    }

    async fn empty(&self) -> Dsn {
        self.fresh(1).await
    }

    async fn change(&self, dsn: &Dsn) {
        produce(dsn, "person", &[person("50", &[Some("new"), None, None])]);
    }

    fn at(&self, address: SocketAddr) -> Option<Dsn> {
        let account = "security.protocol=sasl_plaintext&sasl.mechanisms=PLAIN&sasl.username=u&sasl.password=canary";
        Some(Dsn::new(format!("kafka://{address}?{account}")))
    }
}

fn person(id: &str, values: &[Option<&str>; 3]) -> Plain {
    let number = id.parse::<i32>().unwrap();
    let mut value = json!({ "id": number });
    for (name, text) in FIELDS.iter().zip(values) {
        value[name] = json!(text);
    }
    Plain::new(i32::from(number > 2), i64::from(number), Some(id), Some(&value.to_string()))
}

/// Deletes all topics, and waits until they are gone.
async fn clear(dsn: &Dsn) {
    let admin: AdminClient<DefaultClientContext> = config(dsn).create().unwrap();
    let topics = || -> Vec<String> {
        let metadata = admin.inner().fetch_metadata(None, WAIT).unwrap();
        metadata.topics().iter().map(|topic| topic.name().to_owned()).filter(|name| !name.starts_with("__")).collect()
    };
    loop {
        let there = topics();
        if there.is_empty() {
            return;
        }
        let there: Vec<&str> = there.iter().map(String::as_str).collect();
        admin.delete_topics(&there, &AdminOptions::new().operation_timeout(Some(WAIT))).await.unwrap();
    }
}

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
