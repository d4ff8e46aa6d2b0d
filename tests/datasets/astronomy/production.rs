//! The shop as production has it: rows, carts and events in their real encodings.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};
use serde::Deserialize;

use crate::servers::{Servers, psql, read};

/// The consumer groups with the offset of the next record that each would consume.
pub(super) const GROUPS: [(&str, i64); 2] = [("accounting", 299), ("fraud-detection", 150)];

/// The numbers that the set itself states.
#[derive(Deserialize)]
pub(super) struct Facts {
    pub(super) kafka_records: u64,
    pub(super) distinct_orders: usize,
    pub(super) accounting_orders: u64,
    pub(super) in_kafka_not_in_sql: Vec<String>,
    pub(super) duplicated_order: String,
    pub(super) duplicated_records: usize,
    pub(super) redis_keys: u64,
}

impl Facts {
    pub(super) fn read(folder: &Path) -> Self {
        serde_json::from_str(&read(&folder.join("expected.json"))).expect("the facts")
    }
}

/// An event as it was produced.
pub(super) struct Event {
    pub(super) order: String,
    pub(super) offset: i64,
    pub(super) timestamp: i64,
    pub(super) session: String,
    pub(super) traceparent: String,
}

#[derive(Deserialize)]
struct CartLine {
    key: String,
    ttl_ms: i64,
    fields: BTreeMap<String, Encoded>,
}

#[derive(Deserialize)]
struct Encoded {
    b64: String,
}

#[derive(Deserialize)]
struct EventLine {
    topic: String,
    partition: i32,
    offset: i64,
    timestamp_ms: i64,
    headers: BTreeMap<String, String>,
    value_b64: String,
}

fn lines<T: for<'de> Deserialize<'de>>(file: &Path) -> Vec<T> {
    read(file).lines().map(|line| serde_json::from_str(line).expect("a line of the set")).collect()
}

fn decoded(base64: &str) -> Vec<u8> {
    STANDARD.decode(base64).expect("base64")
}

/// Loads all three stores; gives the events.
pub(super) async fn load(folder: &Path, production: &Servers) -> Vec<Event> {
    // The set makes accounts and a database of its own, and asks for an extension that only watches.
    let skip = |line: &str| {
        ["CREATE USER ", "CREATE DATABASE ", "GRANT ", "\\connect ", "CREATE EXTENSION "]
            .iter()
            .any(|start| line.starts_with(start))
    };
    psql(production.dsn("shop"), &[folder.join("init.sql"), folder.join("accounting-rows.sql")], &skip);
    carts(folder, production).await;
    events(folder, production).await
}

async fn carts(folder: &Path, production: &Servers) {
    let client = redis::Client::open(production.dsn("cart").expose()).expect("a client");
    let mut connection = client.get_multiplexed_async_connection().await.expect("connects");
    let mut all = redis::pipe();
    for cart in lines::<CartLine>(&folder.join("redis-carts.jsonl")) {
        for (field, value) in &cart.fields {
            all.hset(&cart.key, field, decoded(&value.b64)).ignore();
        }
        all.pexpire(&cart.key, cart.ttl_ms).ignore();
    }
    let () = all.query_async(&mut connection).await.expect("the carts are written");
}

async fn events(folder: &Path, production: &Servers) -> Vec<Event> {
    let servers = production.dsn("events").place();
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &servers);
    let admin: AdminClient<DefaultClientContext> = config.create().expect("an admin");
    // The records are from another day; without this the broker would drop the oldest of them.
    let topic = NewTopic::new("orders", 1, TopicReplication::Fixed(1)).set("retention.ms", "-1");
    let made = admin.create_topics([&topic], &AdminOptions::new()).await.expect("an answer");
    assert!(made.iter().all(Result::is_ok), "{made:?}");
    let producer: FutureProducer = config.create().expect("a producer");
    let mut events = Vec::new();
    for line in lines::<EventLine>(&folder.join("kafka-orders.jsonl")) {
        let value = decoded(&line.value_b64);
        let headers = ["traceparent", "baggage"]
            .iter()
            .fold(OwnedHeaders::new(), |all, name| all.insert(Header { key: name, value: line.headers.get(*name) }));
        let record = FutureRecord::<[u8], [u8]>::to(&line.topic)
            .partition(line.partition)
            .timestamp(line.timestamp_ms)
            .headers(headers)
            .payload(&value);
        let at = producer.send(record, Duration::from_secs(30)).await.map_err(|(e, _)| e).expect("is written");
        assert_eq!(at.offset, line.offset, "events stand in the order of the set");
        // The order's id is the first field: a tag, a length of 36, and the text.
        let order = String::from_utf8(value[2..38].to_vec()).expect("an order's id");
        let session = line.headers["baggage"].split(['=', ',']).nth(1).expect("a session").to_owned();
        let traceparent = line.headers["traceparent"].clone();
        events.push(Event { order, offset: line.offset, timestamp: line.timestamp_ms, session, traceparent });
    }
    for (group, offset) in GROUPS {
        let consumer: BaseConsumer = config.clone().set("group.id", group).create().expect("a consumer");
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset("orders", 0, Offset::Offset(offset)).expect("an offset");
        consumer.commit(&offsets, CommitMode::Sync).expect("is committed");
    }
    events
}
