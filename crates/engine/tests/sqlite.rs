//! A whole capture and replay over SQLite services: in one process, and with every agent behind a byte pipe.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reenact_bundle::{Bundle, BundleWriter, Identity, Keyring, Memory, SigningKey};
use reenact_engine::capture::{self, Agent, Captured, Captures, LocalAgent, PipeAgent, serve};
use reenact_engine::pipeline::{Pipeline, Seeds};
use reenact_engine::why::{self, Asked};
use reenact_engine::{CaptureRecord, Silent, replay};
use reenact_environment::Endpoint;
use reenact_mask::RootKey;
use reenact_mask::approval::Required;
use reenact_model::{Class, Dsn, Kind};
use sqlx::{Connection as _, Executor as _};

const CUSTOMERS: &str = "
    create table customers (id integer primary key, name text not null, email text not null unique, manager_id integer references customers (id));
    insert into customers values (1, 'Ann Canary', 'ann@canary.test', null), (2, 'Bob', 'bob@canary.test', 1), (3, 'Eve', 'eve@canary.test', 3);";
const ORDERS: &str = "
    create table orders (id integer primary key, customer_id integer not null, note text);
    create table items (order_id integer not null references orders (id), line integer not null, product_id integer not null, primary key (order_id, line));
    insert into orders values (7, 2, 'call Bob Canary'), (8, 3, null), (9, 99, 'nobody');
    insert into items values (7, 1, 100), (7, 2, 100), (8, 1, 101), (9, 1, 100);";
const PIPELINE: &str = r#"
version: 1
services:
  customers: { kind: sqlite, url: "${C}" }
  orders: { kind: sqlite, url: "${O}" }
flow: [ "customers -> orders" ]
relationships: [ orders/orders.customer_id -> customers/customers.id ]
roots: [ { from: orders/orders, where: { id: "${seed.order}" }, children: true } ]
policy: policy.yaml
"#;
const POLICY: &str = r#"
version: 1
domains:
  customer: { canonical: integer, mask: { integer: { max: 99999999 } } }
  order: { canonical: integer, mask: { integer: { max: 99999999 } } }
rules:
  - { name: customers, on: [ customers/customers.id, "**.customer_id", "**.manager_id" ], domain: customer }
  - { name: orders, on: [ orders/orders.id, "**.order_id" ], domain: order }
  - { name: mail, on: [ "**.email" ], mask: email }
  - { name: names, on: [ "**.name" ], mask: name }
  - { name: notes, on: [ "**.note" ], mask: redact }
  - { name: goods, on: [ orders/items.line, orders/items.product_id ], keep: { reason: test } }
"#;

struct Shop {
    folder: tempfile::TempDir,
}

impl Shop {
    async fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let shop = Self { folder };
        fill(&shop.path("customers.db"), CUSTOMERS).await;
        fill(&shop.path("orders.db"), ORDERS).await;
        shop
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn url(&self, name: &str) -> String {
        format!("sqlite://{}", self.path(name).display())
    }

    fn pipeline(&self, text: &str) -> Pipeline {
        let env = |name: &str| match name {
            "C" => Some(self.url("customers.db")),
            "O" => Some(self.url("orders.db")),
            _ => None,
        };
        Pipeline::parse("pipeline.yaml", text, &env, &|_| None).expect("a pipeline")
    }
}

async fn fill(path: &Path, sql: &'static str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true).foreign_keys(false);
    let mut connection = sqlx::SqliteConnection::connect_with(&options).await.expect("opens");
    connection.execute(sqlx::raw_sql(sql)).await.expect("fills");
    connection.close().await.expect("closes");
}

struct Keys {
    identity: Identity,
    signing: Arc<SigningKey>,
    root: RootKey,
}

impl Keys {
    fn new() -> Self {
        Self {
            identity: Identity::generate(),
            signing: Arc::new(SigningKey::generate()),
            root: RootKey::generate().expect("a key"),
        }
    }

    fn keyring(&self) -> Keyring {
        let identity = self.identity.reveal().parse().expect("an identity");
        Keyring { trusted: vec![self.signing.public()], identities: vec![identity], ..Keyring::default() }
    }
}

fn agents(pipeline: &Pipeline, keys: &Keys, writer: &Arc<BundleWriter>, piped: bool) -> Captures {
    let agent = |service: &reenact_engine::pipeline::Service| {
        let local = LocalAgent::new(service.clone(), keys.root.clone(), Some(writer.clone()));
        let agent: Box<dyn Agent> = if piped {
            let (here, there) = tokio::io::duplex(4096);
            tokio::spawn(serve(Box::new(local), there));
            Box::new(PipeAgent::new(here))
        } else {
            Box::new(local)
        };
        (service.name.clone(), agent)
    };
    pipeline.services.iter().map(agent).collect()
}

async fn captured(
    pipeline: &Pipeline,
    policy: &str,
    keys: &Keys,
    place: &Arc<Memory>,
    order: &str,
    piped: bool,
) -> reenact_model::Result<Captured> {
    let writer = Arc::new(BundleWriter::create(place.clone(), &[keys.identity.recipient()]).expect("a writer"));
    let agents = agents(pipeline, keys, &writer, piped);
    let seeds = order
        .split(',')
        .filter(|order| !order.is_empty())
        .fold(Seeds::default(), |seeds, order| seeds.with("order", order));
    capture::capture(
        pipeline,
        policy,
        agents,
        &seeds,
        &writer,
        &keys.signing,
        None,
        &capture::Reviewed::default(),
        &Silent,
    )
    .await
}

async fn replayed(shop: &Shop, keys: &Keys, place: &Arc<Memory>) -> (Arc<Bundle>, replay::ReplayReport) {
    let bundle = Arc::new(Bundle::open(place.clone(), &keys.keyring()).expect("opens"));
    let endpoints: BTreeMap<String, Endpoint> = ["customers", "orders"]
        .map(|name| {
            (name.to_owned(), Endpoint { kind: Kind::Sqlite, dsn: Dsn::new(shop.url(&format!("{name}-target.db"))) })
        })
        .into();
    for endpoint in endpoints.values() {
        reenact_stores::store(Kind::Sqlite).expect("sqlite").mark(&endpoint.dsn).await.expect("marks");
    }
    let report = replay::replay(&bundle, replay::Targets::Given(&endpoints), false, &Silent).await.expect("replays");
    (bundle, report)
}

fn counts(captured: &Captured) -> Vec<(String, u64)> {
    captured.rows.iter().map(|(e, n)| (e.to_string(), *n)).collect()
}

#[tokio::test]
async fn an_incident_is_captured_masked_replayed_and_verified() {
    for piped in [false, true] {
        let (shop, keys, place) = (Shop::open().await, Keys::new(), Arc::new(Memory::new()));
        let pipeline = shop.pipeline(PIPELINE);
        let captured = captured(&pipeline, POLICY, &keys, &place, "7", piped).await.expect("captures");
        let expected = [("customers/customers", 2), ("orders/items", 2), ("orders/orders", 1)];
        assert_eq!(counts(&captured), expected.map(|(e, n)| (e.to_owned(), n)));
        let (bundle, report) = replayed(&shop, &keys, &place).await;
        assert_eq!(report.differences, []);
        assert_eq!(report.rows.values().sum::<u64>(), 5);
        let record = CaptureRecord::of(bundle.contents()).expect("a record");
        let asked = Asked::read("seed.order", &record).expect("a seed");
        let found = why::records(&bundle, &asked).expect("the root");
        assert_eq!(found[0].iter().find(|(n, _)| n == "note").expect("note").1.as_deref(), Some("[redacted]"));
        let customer = found[0].iter().find(|(n, _)| n == "customer_id").expect("the customer").1.clone();
        let asked =
            Asked::read(&format!("customers/customers.id={}", customer.expect("a value")), &record).expect("reads");
        let chain = why::why(&bundle, &record, &asked).expect("a chain");
        let hows: Vec<&str> = chain.iter().map(|l| l.how.as_str()).collect();
        assert_eq!(hows, ["root 1 (seed.order)", "referred to by orders/orders.customer_id"]);
    }
}

#[tokio::test]
async fn a_reference_that_dangled_must_dangle_again() {
    let (shop, keys, place) = (Shop::open().await, Keys::new(), Arc::new(Memory::new()));
    let captured = captured(&shop.pipeline(PIPELINE), POLICY, &keys, &place, "9", false).await.expect("captures");
    assert_eq!(captured.record.dangling.iter().map(|d| d.keys.len()).collect::<Vec<_>>(), [1]);
    let (_, report) = replayed(&shop, &keys, &place).await;
    assert_eq!(report.differences, []);
}

#[tokio::test]
async fn an_agent_asks_for_approvals_whatever_its_coordinator_says() {
    let (shop, keys, place) = (Shop::open().await, Keys::new(), Arc::new(Memory::new()));
    let pipeline = shop.pipeline(PIPELINE);
    let writer = Arc::new(BundleWriter::create(place.clone(), &[keys.identity.recipient()]).expect("a writer"));
    let mut agents = agents(&pipeline, &keys, &writer, true);
    let service = pipeline.services.iter().find(|service| service.name == "orders").expect("a service");
    let required = Required { count: 1, approvers: vec![keys.signing.public()] };
    let strict = LocalAgent::new(service.clone(), keys.root.clone(), Some(writer.clone())).requiring(required);
    let (here, there) = tokio::io::duplex(4096);
    tokio::spawn(serve(Box::new(strict), there));
    agents.insert("orders".to_owned(), Box::new(PipeAgent::new(here)));
    let (seeds, lax) = (Seeds::default().with("order", "7"), capture::Reviewed::default());
    let refused =
        capture::capture(&pipeline, POLICY, agents, &seeds, &writer, &keys.signing, None, &lax, &Silent).await;
    let error = refused.expect_err("an agent refuses");
    assert_eq!(error.class(), Class::Policy);
    assert!(error.message().starts_with("0 of the 1 approvals"), "{error}");
    assert_eq!(error.site().service.as_deref(), Some("orders"));
}

#[tokio::test]
async fn a_seed_may_have_several_values() {
    let (shop, keys, place) = (Shop::open().await, Keys::new(), Arc::new(Memory::new()));
    let captured = captured(&shop.pipeline(PIPELINE), POLICY, &keys, &place, "8,7", true).await.expect("captures");
    assert_eq!(captured.rows.values().sum::<u64>(), 8);
    let values = &captured.record.seeds["order"];
    assert_eq!(values.len(), 2);
    let (bundle, report) = replayed(&shop, &keys, &place).await;
    assert_eq!(report.differences, []);
    // Each value has a name, and the first has the seed's own.
    for (name, value, items, how) in [
        ("seed.order", &values[0], 1, "root 1 (seed.order)"),
        ("seed.order.1", &values[0], 1, "root 1 (seed.order)"),
        ("seed.order.2", &values[1], 2, "root 1 (seed.order.2)"),
    ] {
        let asked = Asked::read(name, &captured.record).expect("a seed");
        assert_eq!(asked.value, *value, "{name}");
        let chain = why::why(&bundle, &captured.record, &asked).expect("a chain");
        assert_eq!(chain.iter().map(|l| l.how.as_str()).collect::<Vec<_>>(), [how]);
        let asked = Asked::read(&format!("orders/items.order_id={value}"), &captured.record).expect("reads");
        assert_eq!(why::records(&bundle, &asked).expect("items").len(), items, "{name}");
        assert_eq!(why::why(&bundle, &captured.record, &asked).expect("a chain")[0].how, how);
    }
    for (name, told) in
        [("seed.order.3", "has 2 values"), ("seed.order.0", "has 2 values"), ("seed.ordr", "seed.order, seed.order.2")]
    {
        let error = Asked::read(name, &captured.record).expect_err("no such value");
        assert!(error.class() == Class::Input && error.to_string().contains(told), "{name}: {error}");
    }
    let contract = replay::contract(bundle.contents(), "id", &BTreeMap::new()).expect("a contract");
    let seeds: Vec<_> = contract.iter().filter(|(name, _)| name.starts_with("REENACT_SEED_")).collect();
    let named = |name: &str, value: &String| (name.to_owned(), value.clone());
    assert_eq!(seeds, [&named("REENACT_SEED_ORDER", &values[0]), &named("REENACT_SEED_ORDER_2", &values[1])]);
}

#[tokio::test]
async fn values_that_match_nothing_are_told_by_their_numbers() {
    let (shop, keys, place) = (Shop::open().await, Keys::new(), Arc::new(Memory::new()));
    let other = "{ from: customers/customers, where: { id: \"${seed.order}\" } }, { from: orders/orders";
    for (text, order, told) in [
        (PIPELINE.to_owned(), "404", "orders/orders: root 1 matches no record"),
        (
            PIPELINE.to_owned(),
            "8,404,7,405,406",
            "orders/orders: values 2, 4 and 5 of the seed `order` match no record",
        ),
        (PIPELINE.to_owned(), "404,7", "orders/orders: value 1 of the seed `order` matches no record"),
        // Every root is told at once: the customers are 1 to 3, the orders 7 to 9.
        (
            PIPELINE.replace("{ from: orders/orders", other),
            "2,8",
            "value 2 of the seed `order` matches no record of customers/customers (root 1); \
             value 1 of the seed `order` matches no record of orders/orders (root 2)",
        ),
    ] {
        let error = captured(&shop.pipeline(&text), POLICY, &keys, &place, order, true).await.expect_err("no record");
        assert_eq!(error.class(), Class::Input);
        let line = error.to_string();
        assert!(line.contains(told) && line.contains("help:"), "{line}");
        assert!(!line.contains("40"), "a value is told: {line}");
    }
}

#[tokio::test]
async fn a_root_whose_records_another_root_took_does_match() {
    let (shop, keys, place) = (Shop::open().await, Keys::new(), Arc::new(Memory::new()));
    let again = "roots: [ { from: orders/orders, where: { id: \"7\" } }, ";
    let pipeline = shop.pipeline(&PIPELINE.replace("roots: [ ", again));
    let captured = captured(&pipeline, POLICY, &keys, &place, "7", false).await.expect("captures");
    assert_eq!(counts(&captured)[2], ("orders/orders".to_owned(), 1));
}

#[tokio::test]
async fn whole_services_are_captured_and_replayed() {
    let (shop, keys, place) = (Shop::open().await, Keys::new(), Arc::new(Memory::new()));
    let text = PIPELINE.replace(
        "{ from: orders/orders, where: { id: \"${seed.order}\" }, children: true }",
        "{ from: customers/** }, { from: orders/** }",
    );
    let captured = captured(&shop.pipeline(&text), POLICY, &keys, &place, "", false).await.expect("captures");
    assert_eq!(captured.rows.values().sum::<u64>(), 10);
    assert_eq!(captured.record.dangling.len(), 1, "order 9 refers to nobody");
    let (_, report) = replayed(&shop, &keys, &place).await;
    assert_eq!(report.differences, []);
}

#[tokio::test]
async fn children_of_a_whole_entity_are_taken() {
    for children in ["true", "[ orders/orders ]"] {
        let (shop, keys, place) = (Shop::open().await, Keys::new(), Arc::new(Memory::new()));
        let root = format!("{{ from: customers/customers, children: {children} }}");
        let text = PIPELINE.replace("{ from: orders/orders, where: { id: \"${seed.order}\" }, children: true }", &root);
        let captured = captured(&shop.pipeline(&text), POLICY, &keys, &place, "", false).await.expect("captures");
        let expected = [("customers/customers", 3), ("orders/orders", 2)];
        assert_eq!(counts(&captured), expected.map(|(e, n)| (e.to_owned(), n)), "{children}");
    }
}

#[tokio::test]
async fn what_the_policy_leaves_open_stops_the_capture_and_leaves_nothing() {
    let (shop, keys, place) = (Shop::open().await, Keys::new(), Arc::new(Memory::new()));
    let policy = POLICY.replace("  - { name: notes, on: [ \"**.note\" ], mask: redact }\n", "");
    let error = captured(&shop.pipeline(PIPELINE), &policy, &keys, &place, "7", false).await.expect_err("refused");
    assert_eq!(error.class(), Class::Policy);
    assert!(error.to_string().contains("orders/orders.note"), "{error}");
    assert!(Bundle::open(place, &keys.keyring()).is_err());
}

#[tokio::test]
async fn limits_name_the_edge_that_blew_up() {
    let (shop, keys, place) = (Shop::open().await, Keys::new(), Arc::new(Memory::new()));
    let text = PIPELINE.replace("policy:", "limits: { rows: 2 }\npolicy:");
    let error = captured(&shop.pipeline(&text), POLICY, &keys, &place, "7", false).await.expect_err("limited");
    assert_eq!(error.class(), Class::Limit, "{error}");
    assert!(error.to_string().contains("->"), "{error}");
}

#[tokio::test]
async fn no_original_is_in_any_member_or_message() {
    let (shop, keys, place) = (Shop::open().await, Keys::new(), Arc::new(Memory::new()));
    let captured = captured(&shop.pipeline(PIPELINE), POLICY, &keys, &place, "7", false).await.expect("captures");
    let (bundle, _) = replayed(&shop, &keys, &place).await;
    let mut all = format!("{captured:?} {:?}", bundle.contents());
    for entity in captured.rows.keys() {
        for rows in bundle.rows(entity).expect("rows") {
            write!(all, "{:?}", rows.expect("rows").batch()).expect("writes");
        }
    }
    assert!(!all.to_lowercase().contains("canary"), "an original got through");
}

#[tokio::test]
async fn what_a_mask_replaced_stands_nowhere_else() {
    let keep_notes = POLICY.replace(
        "on: [ \"**.note\" ], mask: redact",
        "on: [ orders/orders.note ], keep: { reason: \"sabotage\", owner: nobody }",
    );
    let leaks = [
        "mail BOB@canary.test today",
        "{\"to\": \"bob\\u0040canary.test\"}",
        "to=bob%40canary.test&x",
        "Ym9iQGNhbmFyeS50ZXN0",
        "the customer Ann   Canary called",
    ];
    for (piped, note) in [false, true].into_iter().cycle().zip(leaks) {
        let (shop, keys, place) = (Shop::open().await, Keys::new(), Arc::new(Memory::new()));
        let mut orders = sqlx::SqliteConnection::connect(&shop.url("orders.db")).await.expect("opens");
        let sql = "update orders set note = ?1 where id = 7";
        sqlx::query(sql).bind(note).execute(&mut orders).await.expect("leaks");
        let pipeline = shop.pipeline(PIPELINE);
        let error = captured(&pipeline, &keep_notes, &keys, &place, "7", piped).await.expect_err("is found");
        assert_eq!((error.class(), error.class().exit_code()), (Class::Residue, 13), "{note}: {error}");
        let text = format!("{error} {error:?}").to_lowercase();
        assert!(text.contains("orders/orders.note") && !text.contains("bob") && !text.contains("ann"), "{text}");
        assert!(Bundle::open(place.clone(), &keys.keyring()).is_err(), "nothing is left");
        // Masked, the same note is no leak.
        let place = Arc::new(Memory::new());
        let done = captured(&pipeline, POLICY, &keys, &place, "7", piped).await.expect("captures");
        let residue = done.record.residue.expect("a proof");
        assert!(residue.originals >= 3 && residue.values > 5, "{residue:?}");
    }
}

#[tokio::test]
async fn a_schema_that_holds_what_was_masked_stops_the_capture() {
    let (shop, keys, place) = (Shop::open().await, Keys::new(), Arc::new(Memory::new()));
    fill(&shop.path("orders.db"), "create table outbox (id integer, cc text default 'bob@canary.test')").await;
    let policy =
        POLICY.replace("  - { name: goods, on: [ ", "  - { name: goods, on: [ orders/outbox.id, orders/outbox.cc, ");
    let error = captured(&shop.pipeline(PIPELINE), &policy, &keys, &place, "7", false).await.expect_err("is found");
    assert_eq!(error.class(), Class::Residue, "{error}");
    assert!(!error.to_string().contains("bob"), "{error}");
}

#[tokio::test]
async fn a_value_that_stands_in_few_of_many_rows_is_found() {
    let policy =
        POLICY.replace("on: [ \"**.note\" ], mask: redact", "on: [ orders/orders.note ], keep: { reason: sabotage }");
    let text = PIPELINE.replace(
        "{ from: orders/orders, where: { id: \"${seed.order}\" }, children: true }",
        "{ from: customers/** }, { from: orders/** }",
    );
    for leaks in [true, false] {
        let (shop, keys, place) = (Shop::open().await, Keys::new(), Arc::new(Memory::new()));
        let mut orders = sqlx::SqliteConnection::connect(&shop.url("orders.db")).await.expect("opens");
        // Few different notes, so the column is written with a dictionary.
        let sql = "with recursive n (i) as (select 100 union all select i + 1 from n where i < 30000)
            insert into orders select i, 2, case i % 20000 when 9999 then ?1 else 'note ' || i % 5 end from n";
        let note = if leaks { "for Eve@Canary.test!" } else { "for nobody" };
        sqlx::query(sql).bind(note).execute(&mut orders).await.expect("fills");
        sqlx::query("update orders set note = null where id < 100").execute(&mut orders).await.expect("cleans");
        let done = captured(&shop.pipeline(&text), &policy, &keys, &place, "", true).await;
        match done {
            Err(error) if leaks => assert_eq!(error.class(), Class::Residue, "{error}"),
            Ok(done) if !leaks => {
                let residue = done.record.residue.expect("a proof");
                assert!(residue.values < 40_000, "a value that repeats counts once");
            }
            other => panic!("leaks: {leaks}: {:?}", other.map(|done| done.rows)),
        }
    }
}

#[tokio::test]
async fn limits_hold_for_all_services_together() {
    let whole = PIPELINE.replace(
        "{ from: orders/orders, where: { id: \"${seed.order}\" }, children: true }",
        "{ from: customers/** }, { from: orders/** }",
    );
    // Three customers, three orders, four items.
    for (limits, told) in [
        ("rows: 10", None),
        ("rows: 9", Some("all services together")),
        ("rows: 6", Some("of root 2")),
        // Told by the agent that read too much, before it masks or writes it; the coordinator only adds up.
        ("bytes: 1B", Some("the capture has more than the limit of 1 bytes")),
    ] {
        let (shop, keys, place) = (Shop::open().await, Keys::new(), Arc::new(Memory::new()));
        let text = whole.replace("policy:", &format!("limits: {{ {limits} }}\npolicy:"));
        let done = captured(&shop.pipeline(&text), POLICY, &keys, &place, "", true).await;
        match (done, told) {
            (Ok(done), None) => assert_eq!(done.rows.values().sum::<u64>(), 10),
            (Err(error), Some(told)) => {
                assert_eq!(error.class(), Class::Limit, "{limits}: {error}");
                assert!(error.to_string().contains(told), "{limits}: {error}");
            }
            (done, _) => panic!("{limits}: {:?}", done.map(|done| done.rows)),
        }
    }
}

#[tokio::test]
async fn answers_to_conditions_reach_their_agents_sealed() {
    let policy = |that: &str| {
        format!(
            "{POLICY}  - {{ name: known, on: [ orders/orders.note ], keep: {{ reason: test }}, overrides: [ notes ], when: {{ on: customers/customers, that: '{that}', missing: true }} }}
  - {{ name: sold, on: [ orders/items.product_id ], mask: redact, overrides: [ goods ], when: {{ on: orders/orders, that: 'note == \"nobody\"' }} }}
"
        )
    };
    for piped in [false, true] {
        // Order 9 refers to nobody, and its note is the condition of its own lines.
        for (order, that, note) in [
            ("7", "manager_id == 1 && email.startsWith(\"bob\")", "call Bob Canary"),
            ("7", "manager_id != 1", "[redacted]"),
            ("9", "manager_id != 1", "nobody"),
        ] {
            let (shop, keys, place) = (Shop::open().await, Keys::new(), Arc::new(Memory::new()));
            let pipeline = shop.pipeline(PIPELINE);
            let done = captured(&pipeline, &policy(that), &keys, &place, order, piped).await;
            done.unwrap_or_else(|error| panic!("{error:?}"));
            let (bundle, report) = replayed(&shop, &keys, &place).await;
            assert_eq!(report.differences, []);
            let record = CaptureRecord::of(bundle.contents()).expect("a record");
            let found = why::records(&bundle, &Asked::read("seed.order", &record).expect("a seed")).expect("the root");
            let told = found[0].iter().find(|(name, _)| name == "note").expect("note").1.clone();
            assert_eq!(told.as_deref(), Some(note), "{order} {that}");
            let id = found[0].iter().find(|(name, _)| name == "id").expect("id").1.clone().expect("a key");
            let line = Asked::read(&format!("orders/items.order_id={id}"), &record).expect("reads");
            let line = why::records(&bundle, &line).expect("lines");
            let product = line[0].iter().find(|(name, _)| name == "product_id").expect("product").1.clone();
            assert_eq!(product.as_deref() == Some("100"), order == "7", "the line of {order}");
        }
    }
}
