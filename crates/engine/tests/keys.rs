//! Key families in a capture and a replay: what belongs to the cut of a store without snapshots, how the cut is graded, and
//! keys that expire.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _};
use reenact_bundle::{Bundle, BundleWriter, Identity, Keyring, Memory, SigningKey};
use reenact_engine::capture::{self, Agent, Captured, Captures, LocalAgent};
use reenact_engine::pipeline::{Pipeline, Seeds};
use reenact_engine::record::Grade;
use reenact_engine::{Event, Observer, Silent, replay};
use reenact_environment::Endpoint;
use reenact_mask::RootKey;
use reenact_model::payload::{Blob, RedisValue};
use reenact_model::{Dsn, EntityId, Kind, Result};
use reenact_stores::memory::Dataset;
use sqlx::{Connection as _, Executor as _};

const CUSTOMERS: &str = "
    create table customers (id integer primary key, email text not null);
    insert into customers values (1, 'ann@canary.test'), (2, 'bob@canary.test');";

const POLICY: &str = r#"
version: 1
domains:
  customer: { canonical: integer, mask: { integer: { max: 99999999 } } }
rules:
  - { name: customers, on: [ customers/customers.id, "cart/cart.key:customer_id" ], domain: customer }
  - { name: mail, on: [ "**.email" ], mask: email }
  - { name: items, on: [ "cart/cart.key:n", "cart/cart.value:$.sku" ], keep: { reason: names nobody } }
"#;

/// Customers in SQLite, and their carts in a data set of this process.
struct Shop {
    folder: tempfile::TempDir,
    name: &'static str,
    carts: Dataset,
}

impl Shop {
    async fn open(name: &'static str) -> Self {
        let shop = Self { folder: tempfile::tempdir().expect("a folder"), name, carts: Dataset::named(name) };
        let options =
            sqlx::sqlite::SqliteConnectOptions::new().filename(shop.path("customers.db")).create_if_missing(true);
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await.expect("opens");
        connection.execute(sqlx::raw_sql(CUSTOMERS)).await.expect("fills");
        connection.close().await.expect("closes");
        shop
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn cart(&self, key: &str, ttl: Option<i64>) {
        self.carts.put(key, RedisValue::String(Blob(br#"{"sku":"a"}"#.to_vec())), ttl);
    }

    /// `flow` and `root` as they stand in a pipeline.
    fn pipeline(&self, flow: &str, root: &str) -> Pipeline {
        let text = format!(
            r#"
version: 1
services:
  customers: {{ kind: sqlite, url: "${{C}}" }}
  cart: {{ kind: memory, url: "${{M}}", keys: [ {{ entity: cart, pattern: "cart:{{customer_id}}:{{n}}", values: [ {{ path: $, as: {{ json: {{}} }} }} ] }} ] }}
flow: [ "{flow}" ]
relationships: [ "cart/cart.key:customer_id -> customers/customers.id" ]
roots: [ {root} ]
policy: policy.yaml
"#
        );
        self.parsed(&text)
    }

    fn parsed(&self, text: &str) -> Pipeline {
        let env = |name: &str| match name {
            "C" => Some(format!("sqlite://{}", self.path("customers.db").display())),
            "M" => Some(format!("memory:{}", self.name)),
            _ => None,
        };
        Pipeline::parse("pipeline.yaml", text, &env, &|_| None).expect("a pipeline")
    }
}

/// A capture of a pipeline into memory, while an observer may write into the sources.
struct Incident {
    captured: Captured,
    place: Arc<Memory>,
    keyring: Keyring,
}

impl Incident {
    async fn capture(pipeline: &Pipeline, policy: &str, observer: &dyn Observer) -> Result<Self> {
        let (identity, signing, root) = (Identity::generate(), Arc::new(SigningKey::generate()), RootKey::generate()?);
        let place = Arc::new(Memory::new());
        let writer = Arc::new(BundleWriter::create(place.clone(), &[identity.recipient()])?);
        let agent = |service: &reenact_engine::pipeline::Service| -> (String, Box<dyn Agent>) {
            (service.name.clone(), Box::new(LocalAgent::new(service.clone(), root.clone(), Some(writer.clone()))))
        };
        let agents: Captures = pipeline.services.iter().map(agent).collect();
        let seeds = Seeds::default();
        let captured = capture::capture(
            pipeline,
            policy,
            agents,
            &seeds,
            &writer,
            &signing,
            None,
            &capture::Reviewed::default(),
            observer,
        )
        .await?;
        let keyring = Keyring { trusted: vec![signing.public()], identities: vec![identity], ..Keyring::default() };
        Ok(Self { captured, place, keyring })
    }

    fn carts(&self) -> u64 {
        self.captured.rows.get(&EntityId::new("cart", "cart")).copied().unwrap_or(0)
    }

    fn grade(&self) -> Grade {
        self.captured.record.grade
    }
}

/// Does something each time a service is pinned.
struct Pins<F: Fn(&str) + Send + Sync>(F);

impl<F: Fn(&str) + Send + Sync> Observer for Pins<F> {
    fn event(&self, event: &Event) {
        if let Event::Pinned { service, .. } = event {
            (self.0)(service);
        }
    }
}

#[tokio::test]
async fn a_whole_family_is_what_it_was_at_its_pin() {
    let shop = Shop::open("keys-whole").await;
    for key in ["cart:1:1", "cart:2:1", "cart:2:2"] {
        shop.cart(key, None);
    }
    let pipeline = shop.pipeline("customers -> cart", "{ from: cart/cart }");
    let incident = Incident::capture(&pipeline, POLICY, &Silent).await.expect("captures");
    assert_eq!((incident.grade(), incident.carts()), (Grade::Causal, 3));

    // A key that comes after the pin is of no cut, and makes none worse.
    let writes = Pins(|service| {
        if service == "cart" {
            shop.cart("cart:1:late", None);
            shop.carts.remove(b"cart:2:2");
        }
    });
    let incident = Incident::capture(&pipeline, POLICY, &writes).await.expect("captures");
    assert_eq!((incident.grade(), incident.carts()), (Grade::Causal, 3));
    assert_eq!(incident.captured.record.dangling, []);
}

#[tokio::test]
async fn a_cause_that_came_between_the_walk_and_the_pin_is_in_the_cut() {
    let shop = Shop::open("keys-cause").await;
    shop.cart("cart:1:1", None);
    // Here the carts are causes: customers are pinned first, and what they show may have been caused until then.
    let pipeline = shop.pipeline("cart -> customers", "{ from: cart/cart }");
    let writes = Pins(|service| {
        if service == "customers" {
            shop.cart("cart:2:between", None);
        }
    });
    let incident = Incident::capture(&pipeline, POLICY, &writes).await.expect("captures");
    assert_eq!((incident.grade(), incident.carts()), (Grade::Causal, 2));
    let position = &incident.captured.record.parts.iter().find(|p| p.service == "cart").expect("a part").position;
    assert!(!position.is_moment(), "keys are read one after the other");
}

#[tokio::test]
async fn a_key_that_becomes_known_after_its_pin_makes_a_cut_skewed() {
    let shop = Shop::open("keys-late").await;
    shop.cart("cart:1:1", None);
    let pipeline = shop.pipeline("customers -> cart", "{ from: customers/customers, children: [ cart/cart ] }");
    let incident = Incident::capture(&pipeline, POLICY, &Silent).await.expect("captures");
    assert_eq!((incident.grade(), incident.carts()), (Grade::Causal, 1));
    let writes = Pins(|service| {
        if service == "cart" {
            shop.cart("cart:1:late", None);
        }
    });
    let incident = Incident::capture(&pipeline, POLICY, &writes).await.expect("captures");
    assert_eq!((incident.grade(), incident.carts()), (Grade::Skewed, 2));
}

#[tokio::test]
async fn several_keys_of_one_part_are_not_of_one_moment() {
    let shop = Shop::open("keys-alone").await;
    shop.cart("cart:1:1", None);
    shop.cart("cart:2:1", None);
    let text = r#"
version: 1
services:
  cart: { kind: memory, url: "${M}", keys: [ { entity: cart, pattern: "cart:{customer_id}:{n}", values: [ { path: $, as: { json: {} } } ] } ] }
roots: [ ROOT ]
policy: policy.yaml
"#;
    let policy = POLICY
        .replace("customers/customers.id, ", "")
        .replace("  - { name: mail, on: [ \"**.email\" ], mask: email }\n", "");
    for (root, grade) in [
        ("{ from: cart/cart }", Grade::Causal),
        ("{ from: cart/cart, where: { \"key:n\": \"1\" } }", Grade::Causal),
        ("{ from: cart/cart, where: { \"key:customer_id\": \"1\", \"key:n\": \"1\" } }", Grade::Exact),
    ] {
        let pipeline = shop.parsed(&text.replace("ROOT", root));
        let incident = Incident::capture(&pipeline, &policy, &Silent).await.expect("captures");
        assert_eq!(incident.grade(), grade, "{root}");
    }
}

/// Acts on the target once its carts are loaded: waits until those that expire have done so, and removes others.
struct Loaded<'a> {
    target: &'a Dataset,
    expiring: &'a [Vec<u8>],
    removed: &'a [Vec<u8>],
}

impl Observer for Loaded<'_> {
    fn event(&self, event: &Event) {
        if let Event::Loaded { entity, .. } = event
            && entity.service == "cart"
        {
            while self.expiring.iter().any(|key| self.target.get(key).is_some()) {
                std::thread::yield_now();
            }
            assert!(self.removed.iter().all(|key| self.target.remove(key)));
        }
    }
}

#[tokio::test]
async fn keys_that_expire_between_load_and_comparison_are_told_and_no_difference() {
    let shop = Shop::open("keys-expiry").await;
    shop.cart("cart:1:1", None);
    // Customer 3 is in no table: this reference dangles as long as the key lives.
    for key in ["cart:2:1", "cart:3:1"] {
        shop.cart(key, Some(3_000));
    }
    let mut pipeline = shop.pipeline("customers -> cart", "{ from: cart/cart }");
    // Customers refer to carts as well, so that one loses what it refers to.
    let mut back = pipeline.relationships[0].clone();
    std::mem::swap(&mut back.relationship.child, &mut back.relationship.parent);
    pipeline.relationships.push(back);
    let incident = Incident::capture(&pipeline, POLICY, &Silent).await.expect("captures");
    assert_eq!(incident.carts(), 3);
    let bundle = Arc::new(Bundle::open(incident.place.clone(), &incident.keyring).expect("opens"));
    let (mut expiring, mut staying) = (Vec::new(), Vec::new());
    for rows in bundle.rows(&EntityId::new("cart", "cart")).expect("carts") {
        let rows = rows.expect("rows");
        let keys = rows.batch().column_by_name("key").expect("keys").as_binary::<i32>().clone();
        let ends = rows.batch().column_by_name("expires_ms").expect("ends").clone();
        for (row, key) in keys.iter().flatten().enumerate() {
            if ends.is_valid(row) { &mut expiring } else { &mut staying }.push(key.to_vec());
        }
    }
    assert_eq!((expiring.len(), staying.len()), (2, 1));
    for (name, removed) in [("keys-expiry-target", &[][..]), ("keys-loss-target", &staying)] {
        let endpoints: BTreeMap<String, Endpoint> = [
            ("customers", Kind::Sqlite, format!("sqlite://{}", shop.path(name).display())),
            ("cart", Kind::Memory, format!("memory:{name}")),
        ]
        .map(|(service, kind, url)| (service.to_owned(), Endpoint { kind, dsn: Dsn::new(url) }))
        .into();
        for endpoint in endpoints.values() {
            reenact_stores::store(endpoint.kind).expect("a store").mark(&endpoint.dsn).await.expect("marks");
        }
        let target = Dataset::named(name);
        let observer = Loaded { target: &target, expiring: &expiring, removed };
        let report =
            replay::replay(&bundle, replay::Targets::Given(&endpoints), false, &observer).await.expect("replays");
        assert_eq!(report.expired, BTreeMap::from([(EntityId::new("cart", "cart"), 2)]));
        let differences: Vec<String> = report.differences.iter().map(ToString::to_string).collect();
        if removed.is_empty() {
            assert_eq!(differences, Vec::<String>::new());
        } else {
            assert_eq!(differences[0], "cart/cart: 2 records, and the bundle has 3");
        }
    }
}

/// Acts on the target's carts between the comparison of their contents and that of references.
struct Compared<F: Fn() + Send + Sync>(F);

impl<F: Fn() + Send + Sync> Observer for Compared<F> {
    fn event(&self, event: &Event) {
        if let Event::Verified { entity, .. } = event
            && entity.service == "cart"
        {
            (self.0)();
        }
    }
}

#[tokio::test]
async fn references_that_dangle_otherwise_than_in_production_are_told() {
    let shop = Shop::open("keys-dangling").await;
    for key in ["cart:1:1", "cart:3:1"] {
        shop.cart(key, None);
    }
    let pipeline = shop.pipeline("customers -> cart", "{ from: cart/cart }");
    let incident = Incident::capture(&pipeline, POLICY, &Silent).await.expect("captures");
    let dangling = &incident.captured.record.dangling;
    assert_eq!(dangling.iter().map(|d| d.keys.len()).collect::<Vec<_>>(), [1], "customer 3 is in no table");
    let lost = format!("cart:{}:1", dangling[0].keys[0].parts()[0]);
    let bundle = Arc::new(Bundle::open(incident.place.clone(), &incident.keyring).expect("opens"));
    let told = |found: usize| {
        format!(
            "cart/cart.key:$.customer_id -> customers/customers.id: {found} references lead nowhere, and 1 did in production"
        )
    };
    // Fewer, more, as many but others, and exactly those of production.
    for (name, removes, adds, expected) in [
        ("keys-fewer", true, false, vec![told(0)]),
        ("keys-more", false, true, vec![told(2)]),
        ("keys-others", true, true, vec![told(1)]),
        ("keys-same", false, false, vec![]),
    ] {
        let endpoints: BTreeMap<String, Endpoint> = [
            ("customers", Kind::Sqlite, format!("sqlite://{}", shop.path(name).display())),
            ("cart", Kind::Memory, format!("memory:{name}")),
        ]
        .map(|(service, kind, url)| (service.to_owned(), Endpoint { kind, dsn: Dsn::new(url) }))
        .into();
        for endpoint in endpoints.values() {
            reenact_stores::store(endpoint.kind).expect("a store").mark(&endpoint.dsn).await.expect("marks");
        }
        let target = Dataset::named(name);
        let observer = Compared(|| {
            if removes {
                assert!(target.remove(lost.as_bytes()), "the reference that dangled was loaded");
            }
            if adds {
                target.put("cart:100000001:1", RedisValue::String(Blob(Vec::new())), None);
            }
        });
        let report =
            replay::replay(&bundle, replay::Targets::Given(&endpoints), false, &observer).await.expect("replays");
        let differences: Vec<String> = report.differences.iter().map(ToString::to_string).collect();
        assert_eq!(differences, expected, "{name}");
    }
}
