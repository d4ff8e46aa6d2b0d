//! Kafka passes the suite, and keeps what only a log has: windows, transactions, groups; also on the mock cluster.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod kafka_common;
mod redis_common;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kafka_common::{Clusters, Plain, WAIT, all, config, create, plain, produce, ready, scope, transaction};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};
use redis_common::{Servers, by_path, datasets, digest, fields, load, read, read_of};
use reenact_environment::{Embedded, Provider as _, Registry, Wanted, WantedService};
use reenact_model::{Class, Dsn, Key, Kind, Part};
use reenact_stores::conformance;
use reenact_stores::kafka::Kafka;
use reenact_stores::{GroupOffsets, Match, Selection, Store as _};

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

fn awkward(at: i64) -> Vec<Plain> {
    let header = |name: &str, value: Option<&str>| (name.to_owned(), value.map(|v| v.as_bytes().to_vec()));
    let mut with_headers = Plain::new(0, at + 5, Some("k"), Some("{\"id\":7}"));
    with_headers.headers = vec![
        header("b", Some("1")),
        header("a", None),
        header("b", Some("")),
        header("baggage", Some("session.id=s1,x=y")),
    ];
    let mut binary = Plain::new(1, at, None, None);
    (binary.key, binary.value) = (Some(vec![0, 255]), Some(vec![255, 0, 10]));
    vec![
        Plain::new(0, at + 9, None, Some("{\"id\":1}")),
        Plain::new(0, at + 3, Some(""), Some("")),
        Plain::new(0, at + 4, Some("null"), None),
        with_headers,
        binary,
        Plain::new(1, at + 1, None, None),
    ]
}

/// What a record holds, without its coordinates in the log.
fn content(mut records: Vec<Plain>) -> Vec<Plain> {
    for record in &mut records {
        record.offset = 0;
    }
    records
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_passes_the_suite() {
    let servers = Servers::start(&[("one", Kind::Kafka), ("two", Kind::Kafka)]).await;
    conformance::run(&Clusters::Brokers([servers.dsn("one"), servers.dsn("two")])).await;
    servers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mock_cluster_passes_the_suite() {
    let (base, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let provider = Embedded::new(Registry::at(state.path()).unwrap()).base(base.path());
    conformance::run(&Clusters::Mocks(provider)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_go_round_with_markers_groups_and_offsets() {
    let servers = Servers::start(&[("one", Kind::Kafka), ("two", Kind::Kafka)]).await;
    let (one, two) = (servers.dsn("one"), servers.dsn("two"));
    create(&one, &[("orders", 2), ("quiet", 1)]).await;
    let at = now() - 86_400_000 * 30;
    produce(&one, "orders", &awkward(at));
    let record = |value: &str| Plain::new(0, at + 20, Some("tx"), Some(value));
    transaction(&one, "t1", "orders", &[record("{\"id\":100}")], Some(true));
    transaction(&one, "t2", "orders", &[record("{\"id\":666}"), record("{\"id\":667}")], Some(false));

    let mut source = Kafka.source(&one, &scope(&["orders", "quiet"], &["billing", "fresh"])).await.unwrap();
    let catalog = source.describe().await.unwrap();
    let (orders, quiet) = (&catalog.entities[0], &catalog.entities[1]);
    assert_eq!(orders.properties["partitions"], "2");
    assert_eq!(catalog.parts[1], Part::Group("billing".into()));
    // Two control markers and two aborted records stand at the end of partition 0: 4 + 2 + 3 offsets.
    let started = Instant::now();
    let found = all(&*source, orders, Selection::All).await;
    assert!(started.elapsed() < Duration::from_secs(10), "no hang at the tail");
    let offsets: Vec<_> = found.iter().map(|record| (record.partition, record.offset)).collect();
    assert_eq!(offsets, [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (1, 0), (1, 1)]);
    let mut expected = awkward(at);
    expected.insert(4, record("{\"id\":100}"));
    assert_eq!(content(found.clone()), expected);
    assert!(all(&*source, quiet, Selection::All).await.is_empty());

    // A group's offsets, without joining it.
    let consumer: BaseConsumer = config(&one).set("group.id", "billing").create().unwrap();
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset("orders", 0, Offset::Offset(3)).unwrap();
    consumer.commit(&offsets, CommitMode::Sync).unwrap();
    let pinned = source.pin(&Part::Group("billing".into()), &[]).await.unwrap();
    assert_eq!((pinned.position.at["orders/0"].as_str(), pinned.position.at["orders/1"].as_str()), ("3", "-1"));
    let fresh = source.pin(&Part::Group("fresh".into()), &[]).await.unwrap();
    assert!(fresh.position.at.values().all(|offset| offset == "-1"));

    // The end is the last stable offset: an open transaction is not part of it, and neither is what comes later.
    let open = transaction(&one, "t3", "orders", &[record("{\"id\":200}")], None);
    let pinned = source.pin(&Part::TopicEnds, &[]).await.unwrap();
    assert_eq!(pinned.position.at["orders/0"], "9");
    assert_eq!((pinned.position.at["orders/0:from"].as_str(), pinned.gaps.len()), ("0", 0));
    rdkafka::producer::Producer::commit_transaction(&open, WAIT).unwrap();
    produce(&one, "orders", &[record("{\"id\":201}")]);
    assert!(source.gaps().is_empty(), "nothing was read since the pin");
    let batches = read(&*source, read_of(orders, Selection::All)).await.unwrap();
    assert_eq!(plain(&batches), found);
    // The marker of a commit, two records of an aborted transaction, and its marker; partition 1 has no transaction.
    let hole = "orders/0: 4 offsets without a record (control records, aborted or compacted): 5..9";
    assert_eq!(source.gaps(), [hole]);
    assert_eq!(all(&*source, orders, Selection::All).await.len(), 7);
    assert_eq!(source.gaps(), [hole], "a second read finds the same");

    // Elsewhere: same contents, an exact map, the group where it was.
    let mut target = ready(&two, &catalog).await;
    let loaded = load(&mut *target, orders, batches.clone()).await.unwrap();
    assert_eq!(loaded.rows, 7);
    assert_eq!(loaded.offsets[..5], [(0, 0, 0), (0, 1, 1), (0, 2, 2), (0, 3, 3), (0, 4, 4)]);
    let offsets = vec![("orders".to_owned(), 0, 3), ("orders".to_owned(), 1, -1)];
    let group = GroupOffsets { group: "billing".into(), offsets };
    target.settle(&catalog, std::slice::from_ref(&group)).await.unwrap();
    assert_eq!(target.digest(orders).await.unwrap(), digest(orders, &batches));
    assert_eq!(target.digest(quiet).await.unwrap().count, 0);
    let mut copy = Kafka.source(&two, &scope(&["orders"], &["billing"])).await.unwrap();
    assert_eq!(content(all(&*copy, orders, Selection::All).await), content(found));
    let pinned = copy.pin(&Part::Group("billing".into()), &[]).await.unwrap();
    assert_eq!((pinned.position.at["orders/0"].as_str(), pinned.position.at["orders/1"].as_str()), ("3", "-1"));

    // A topic of another shape would put records where they do not belong.
    let mut other = catalog.clone();
    let mut narrower = (**orders).clone();
    narrower.properties.insert("partitions".into(), "1".into());
    other.entities = vec![narrower.into()];
    let error = target.prepare(&other).await.unwrap_err();
    assert_eq!((error.class(), error.message()), (Class::Refused, "the topic has 2 partitions, the source has 1"));
    produce(&two, "orders", &[record("{}")]);
    assert_ne!(target.digest(orders).await.unwrap(), digest(orders, &batches));
    servers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_compaction_took_out_of_a_window_is_told() {
    let servers = Servers::with(&[("one", Kind::Kafka)], &[(Kind::Kafka, "log.cleaner.backoff.ms", "100")]).await;
    let one = servers.dsn("one");
    let admin: AdminClient<DefaultClientContext> = config(&one).create().unwrap();
    let prices = NewTopic::new("prices", 1, TopicReplication::Fixed(1))
        .set("cleanup.policy", "compact")
        .set("min.cleanable.dirty.ratio", "0.001")
        .set("segment.ms", "60000");
    let options = AdminOptions::new().operation_timeout(Some(WAIT));
    assert!(admin.create_topics([&prices], &options).await.unwrap().iter().all(Result::is_ok));
    // The last one is so much later that it begins a segment of its own, and the one before can be compacted.
    let at = now() - 86_400_000;
    let record = |n: i64, key: &str| Plain::new(0, at + n, Some(key), Some(&format!("{{\"id\":{n}}}")));
    let keys = ["a", "a", "b", "a", "c", "c", "c", "a"];
    produce(&one, "prices", &(0..).zip(keys).map(|(n, key)| record(n, key)).collect::<Vec<_>>());
    produce(&one, "prices", &[record(3_600_000, "d")]);
    let begun = Instant::now();
    let (source, found) = loop {
        let mut source = Kafka.source(&one, &scope(&["prices"], &[])).await.unwrap();
        let entity = source.describe().await.unwrap().entities[0].clone();
        let pinned = source.pin(&Part::TopicEnds, &[]).await.unwrap();
        assert_eq!((pinned.position.at["prices/0:from"].as_str(), pinned.position.at["prices/0"].as_str()), ("0", "9"));
        let found: Vec<i64> = all(&*source, &entity, Selection::All).await.iter().map(|record| record.offset).collect();
        if found.len() < 9 {
            break (source, found);
        }
        assert!(source.gaps().is_empty(), "a whole log has no gaps");
        assert!(begun.elapsed() < Duration::from_mins(2), "the log was not compacted");
    };
    assert_eq!(found, [2, 6, 7, 8]);
    let hole = "prices/0: 5 offsets without a record (control records, aborted or compacted): 0..2, 3..6";
    assert_eq!(source.gaps(), [hole]);
    servers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_no_replay_could_write_are_refused() {
    let servers = Servers::start(&[("one", Kind::Kafka)]).await;
    let (base, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let provider = Embedded::new(Registry::at(state.path()).unwrap()).base(base.path());
    let service = WantedService { topics: vec![("orders".to_owned(), 1)], ..WantedService::new("one", Kind::Kafka) };
    let lease = provider.lease(&Wanted { services: vec![service] }).await.unwrap();
    create(&servers.dsn("one"), &[("orders", 1)]).await;
    // -1 stands for no time in the protocol; a broker takes no other time before 1970, and the mock cluster takes any.
    for (dsn, time) in [(servers.dsn("one"), -1), (lease.dsn("one").unwrap().clone(), -5)] {
        let records =
            [Plain::new(0, 1, Some("k"), Some("{}")), Plain::new(0, time, Some("canary"), Some("{\"canary\":1}"))];
        produce(&dsn, "orders", &records);
        let mut source = Kafka.source(&dsn, &scope(&["orders"], &[])).await.unwrap();
        let entity = source.describe().await.unwrap().entities[0].clone();
        source.pin(&Part::TopicEnds, &[]).await.unwrap();
        let error = read(&*source, read_of(&entity, Selection::All)).await.unwrap_err();
        assert_eq!((error.class(), error.site().entity.as_deref()), (Class::Input, Some("orders")), "{error}");
        assert!(error.message().contains("the record at 0/1 has no time, or one before 1970"), "{error}");
        assert!(error.help_text().is_some_and(|help| help.contains("window")), "{error}");
        assert!(!format!("{error:?}").contains("canary"), "{error}");
        // Outside of the window it is in nobody's way.
        let mut narrow = scope(&["orders"], &[]);
        narrow.topics[0].records = Some(1);
        produce(&dsn, "orders", &records[..1]);
        let mut source = Kafka.source(&dsn, &narrow).await.unwrap();
        source.pin(&Part::TopicEnds, &[]).await.unwrap();
        assert_eq!(all(&*source, &entity, Selection::All).await.len(), 1);
    }
    provider.release(&lease).await.unwrap();
    servers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_and_places() {
    let servers = Servers::start(&[("one", Kind::Kafka)]).await;
    let one = servers.dsn("one");
    create(&one, &[("orders", 2)]).await;
    // Partition 0: one record a minute, 1,000 of them; partition 1 stays empty.
    let at = now();
    let record = |n: i64| Plain::new(0, at - (1000 - n) * 60_000, Some("k"), Some(&format!("{{\"id\":{n}}}")));
    produce(&one, "orders", &(0..1000).map(record).collect::<Vec<_>>());
    let pin = async |back: Option<i64>, records: Option<u64>| {
        let mut scope = scope(&["orders"], &[]);
        (scope.topics[0].back_ms, scope.topics[0].records) = (back, records);
        let mut source = Kafka.source(&one, &scope).await.unwrap();
        let pinned = source.pin(&Part::TopicEnds, &[]).await.unwrap();
        (source, pinned)
    };
    let (source, pinned) = pin(Some(60 * 60_000 + 30_000), None).await;
    assert_eq!(pinned.position.at["orders/0:from"], "940");
    assert_eq!(pinned.gaps, ["orders/0: offsets 0..940 lie before the window"]);
    let entity = source.describe().await.unwrap().entities[0].clone();
    assert_eq!(all(&*source, &entity, Selection::All).await.len(), 60);
    let (_, pinned) = pin(Some(60 * 60_000), Some(25)).await;
    assert_eq!(pinned.position.at["orders/0:from"], "975");
    let (_, pinned) = pin(Some(1), None).await;
    assert_eq!(pinned.position.at["orders/0:from"], "1000");

    let (source, _) = pin(None, None).await;
    assert_eq!(all(&*source, &entity, by_path("key", &["k"])).await.len(), 1000);
    let places = [Key::new(["0", "3"]), Key::new(["0", "900"]), Key::new(["1", "0"]), Key::new(["x", "0"])];
    let test = Match {
        fields: [fields("partition"), fields("offset")].concat(),
        keys: std::sync::Arc::new(places.into_iter().collect()),
        condition: None,
    };
    let few = Selection::Match { any: vec![test], except: vec![] };
    let estimate = source.estimate(&read_of(&entity, few.clone())).await.unwrap();
    assert_eq!((estimate.rows, estimate.full_scan), (Some(2), false));
    let found = all(&*source, &entity, few.clone()).await;
    assert_eq!(found.iter().map(|record| record.offset).collect::<Vec<_>>(), [3, 900]);
    let told = "orders/0: only 2 of the window's 1000 offsets were looked at; of the others it is not known which hold a record";
    assert_eq!(source.gaps().first().map(String::as_str), None, "the whole window was read before");
    let (sought, _) = pin(None, None).await;
    assert_eq!(all(&*sought, &entity, few).await.len(), 2);
    assert_eq!(sought.gaps(), [told]);

    // Deleted records are a gap, and no hang.
    let admin: AdminClient<DefaultClientContext> = config(&one).create().unwrap();
    let mut until = TopicPartitionList::new();
    until.add_partition_offset("orders", 0, Offset::Offset(100)).unwrap();
    admin.delete_records(&until, &AdminOptions::new()).await.unwrap();
    let (fresh, pinned) = pin(None, None).await;
    assert_eq!(pinned.gaps, ["orders/0: offsets 0..100 are on the broker no longer"]);
    assert_eq!(all(&*fresh, &entity, Selection::All).await.len(), 900);
    // Deleted after the pin: never silently fewer.
    let error = read(&*source, read_of(&entity, Selection::All)).await.unwrap_err();
    assert_eq!(error.class(), Class::Partial, "{error}");
    servers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mock_cluster_s_times_are_not_believed() {
    let (base, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let provider = Embedded::new(Registry::at(state.path()).unwrap()).base(base.path());
    let service =
        |name: &str| WantedService { topics: vec![("orders".to_owned(), 2)], ..WantedService::new(name, Kind::Kafka) };
    let lease = provider.lease(&Wanted { services: vec![service("one"), service("two")] }).await.unwrap();
    let (one, two) = (lease.dsn("one").unwrap(), lease.dsn("two").unwrap());
    // The mock answers `end` for every time: the window must be found by the records themselves.
    let at = now();
    let record = |n: i64| Plain::new(0, at - (1000 - n) * 60_000, None, Some(&format!("{{\"id\":{n}}}")));
    produce(one, "orders", &(0..1000).map(record).collect::<Vec<_>>());
    produce(one, "orders", &awkward(at)[4..]);
    let mut scope = scope(&["orders"], &["billing"]);
    scope.topics[0].back_ms = Some(60 * 60_000 + 30_000);
    let mut source = Kafka.source(one, &scope).await.unwrap();
    let catalog = source.describe().await.unwrap();
    let entity = &catalog.entities[0];
    let pinned = source.pin(&Part::TopicEnds, &[]).await.unwrap();
    assert_eq!(
        (pinned.position.at["orders/0:from"].as_str(), pinned.position.at["orders/1:from"].as_str()),
        ("940", "0")
    );
    let batches = read(&*source, read_of(entity, Selection::All)).await.unwrap();
    assert_eq!(plain(&batches).len(), 62);
    let started = Instant::now();
    let mut target = ready(two, &catalog).await;
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    let loaded = load(&mut *target, entity, batches.clone()).await.unwrap();
    assert_eq!((loaded.offsets[0], loaded.offsets[61]), ((0, 940, 0), (1, 1, 1)));
    let group = GroupOffsets { group: "billing".into(), offsets: vec![("orders".to_owned(), 0, 7)] };
    target.settle(&catalog, &[group]).await.unwrap();
    assert_eq!(target.digest(entity).await.unwrap(), digest(entity, &batches));
    provider.release(&lease).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_settings_and_topics_are_told() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for parameter in ["no.such.setting=canary", "security.protocol=canary"] {
        let dsn = Dsn::new(format!("kafka://{nobody}?{parameter}"));
        let error = Kafka.source(&dsn, &scope(&["orders"], &[])).await.err().unwrap();
        assert_eq!(error.class(), Class::Input, "{error}");
        assert!(!error.to_string().contains("canary"), "{error}");
    }
    let (base, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let provider = Embedded::new(Registry::at(state.path()).unwrap()).base(base.path());
    let lease = provider.lease(&Wanted::new([("one", Kind::Kafka)])).await.unwrap();
    let source = Kafka.source(lease.dsn("one").unwrap(), &scope(&["absent"], &[])).await.unwrap();
    for _ in 0..2 {
        let error = source.describe().await.unwrap_err();
        assert_eq!((error.class(), error.site().entity.as_deref()), (Class::Input, Some("absent")), "and is not made");
    }
    provider.release(&lease).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_events_of_the_reference_incident_go_elsewhere() {
    use base64::Engine as _;
    let Some(folder) = datasets() else { return };
    let servers = Servers::start(&[("one", Kind::Kafka), ("two", Kind::Kafka)]).await;
    let one = servers.dsn("one");
    create(&one, &[("orders", 1)]).await;
    let lines = std::fs::read_to_string(folder.join("scenario-otel/kafka-orders.jsonl")).unwrap();
    let record = |line: &str| {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        let headers = event["headers"].as_object().unwrap().iter();
        Plain {
            timestamp: event["timestamp_ms"].as_i64().unwrap(),
            key: event["key"].as_str().map(|key| key.as_bytes().to_vec()),
            value: Some(
                base64::engine::general_purpose::STANDARD.decode(event["value_b64"].as_str().unwrap()).unwrap(),
            ),
            headers: headers.map(|(k, v)| (k.clone(), v.as_str().map(|v| v.as_bytes().to_vec()))).collect(),
            ..Plain::default()
        }
    };
    let records: Vec<Plain> = lines.lines().map(record).collect();
    produce(&one, "orders", &records);
    let source = Kafka.source(&one, &scope(&["orders"], &[])).await.unwrap();
    let catalog = source.describe().await.unwrap();
    let entity = &catalog.entities[0];
    assert_eq!(content(all(&*source, entity, Selection::All).await), records);
    // The record's session, by a path into a header.
    let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    let session = first["headers"]["baggage"].as_str().unwrap().split(['=', ',']).nth(1).unwrap().to_owned();
    let of_session = lines.lines().filter(|line| line.contains(&format!("session.id={session}"))).count();
    let path = "headers:$.baggage['session.id']";
    let batches = read(&*source, read_of(entity, by_path(path, &[&session]))).await.unwrap();
    assert_eq!(plain(&batches).len(), of_session);
    let mut target = ready(&servers.dsn("two"), &catalog).await;
    load(&mut *target, entity, batches.clone()).await.unwrap();
    assert_eq!(target.digest(entity).await.unwrap(), digest(entity, &batches));
    servers.stop().await;
}
