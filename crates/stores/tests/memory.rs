//! The store in memory passes the suite, and keeps what only key spaces hold: types, families, expiries.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod redis_common;

use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use redis_common::{
    all, batch, blob, by_path, digest, load, read, read_of, ready, samples, scope, shop, shop_field, shop_hashes,
};
use reenact_model::catalog::Scope;
use reenact_model::payload::RedisValue;
use reenact_model::{Class, Dsn, FieldPath, Key, Part};
use reenact_stores::conformance::{self, Ground};
use reenact_stores::memory::{Dataset, Memory};
use reenact_stores::{Selection, Store};

fn text(text: &str) -> RedisValue {
    RedisValue::String(blob(text))
}

/// Data sets of this process, each with a number.
#[derive(Default)]
struct Numbered(AtomicU32);

impl Numbered {
    fn next(&self) -> String {
        format!("suite-{}", self.0.fetch_add(1, Ordering::Relaxed))
    }
}

#[async_trait]
impl Ground for Numbered {
    fn store(&self) -> &'static dyn Store {
        &Memory
    }

    fn scope(&self) -> Scope {
        shop()
    }

    fn field(&self, name: &str) -> FieldPath {
        shop_field(name)
    }

    async fn sample(&self) -> Dsn {
        let name = self.next();
        for (key, fields) in shop_hashes() {
            Dataset::named(&name).put(key, RedisValue::Hash(fields), None);
        }
        Dsn::new(format!("memory:{name}"))
    }

    async fn empty(&self) -> Dsn {
        Dsn::new(format!("memory:{}", self.next()))
    }

    async fn change(&self, dsn: &Dsn) {
        let data = Dataset::named(dsn.expose().strip_prefix("memory:").unwrap());
        for key in ["person:2", "person:50"] {
            data.put(key, RedisValue::Hash(vec![(blob("name"), blob("other"))]), None);
        }
    }

    fn has_snapshots(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn memory_passes_the_suite() {
    conformance::run(&Numbered::default()).await;
}

#[tokio::test]
async fn every_type_goes_round() {
    let (from, to) = (Dsn::new("memory:round-from"), Dsn::new("memory:round-to"));
    for (key, value, ttl) in samples() {
        Dataset::named("round-from").put(key, value, ttl);
    }
    let source = Memory.source(&from, &scope(&[("all", "k:{id}")])).await.unwrap();
    let catalog = source.describe().await.unwrap();
    let entity = &catalog.entities[0];
    let batches = read(&*source, read_of(entity, Selection::All)).await.unwrap();
    let mut target = ready(&Memory, &to, &catalog).await;
    let loaded = load(&mut *target, entity, batches.clone()).await.unwrap();
    assert_eq!(loaded.rows, samples().len() as u64);
    target.settle(&catalog, &[]).await.unwrap();
    assert_eq!(target.digest(entity).await.unwrap(), digest(entity, &batches));
    let (value, ttl) = Dataset::named("round-to").get(b"k:hash").unwrap();
    assert_eq!(value, samples()[3].1);
    assert!(ttl.unwrap() <= 60_000 && ttl.unwrap() > 50_000);
}

#[tokio::test]
async fn a_key_belongs_to_the_most_specific_family_alone() {
    let data = Dataset::named("families");
    for n in 0..300 {
        data.put(format!("cart:{n}"), text("x"), None);
    }
    data.put("other", text("x"), None);
    let families = scope(&[("cart", "cart:{id}"), ("rest", "{any}")]);
    let source = Memory.source(&Dsn::new("memory:families"), &families).await.unwrap();
    let catalog = source.describe().await.unwrap();
    let (cart, rest) = (&catalog.entities[0], &catalog.entities[1]);
    assert_eq!(all(&*source, cart, Selection::All).await.len(), 300);
    assert_eq!(all(&*source, rest, Selection::All).await.into_keys().collect::<Vec<_>>(), [b"other"]);
    let whole = all(&*source, cart, by_path("key", &["cart:7", "other"])).await;
    assert_eq!(whole.into_keys().collect::<Vec<_>>(), [b"cart:7"]);
    let estimate = source.estimate(&read_of(cart, by_path("key:id", &["1", "2"]))).await.unwrap();
    assert_eq!((estimate.rows, estimate.full_scan), (Some(2), false));
    assert!(source.estimate(&read_of(cart, Selection::All)).await.unwrap().full_scan);
    for pattern in ["{a}{b}", ""] {
        let source = Memory.source(&Dsn::new("memory:families"), &scope(&[("k", pattern)])).await;
        assert_eq!(source.err().unwrap().class(), Class::Input);
    }
    assert_eq!(Memory.target(&Dsn::new("memory:"), "cart").await.err().unwrap().class(), Class::Input);
}

#[tokio::test]
async fn a_pin_holds_what_was_and_what_was_not() {
    let data = Dataset::named("pin");
    data.put("k:1", text("old"), None);
    let mut source = Memory.source(&Dsn::new("memory:pin"), &scope(&[("k", "k:{id}")])).await.unwrap();
    let entity = source.describe().await.unwrap().entities[0].clone();
    let known = [Key::new(["k:1"]), Key::new(["k:2"])].into_iter().collect();
    source.pin(&Part::Database, &[(entity.clone(), known)]).await.unwrap();
    data.put("k:1", text("new"), None);
    data.put("k:2", text("new"), None);
    data.put("k:3", text("new"), None);
    for selection in [Selection::All, by_path("key:id", &["1", "2", "3"])] {
        let found = all(&*source, &entity, selection).await;
        let found: Vec<_> = found.into_iter().map(|(key, (value, _))| (key, value)).collect();
        assert_eq!(found, [(b"k:1".to_vec(), text("old")), (b"k:3".to_vec(), text("new"))]);
    }
    data.remove(b"k:1");
    assert_eq!(all(&*source, &entity, Selection::All).await.len(), 2, "a held key outlives its removal");
}

#[tokio::test]
async fn what_would_swallow_a_record_stops_the_load() {
    let source =
        Memory.source(&Dsn::new("memory:swallow-from"), &scope(&[("k", "k:{id}"), ("kk", "k:k:{id}")])).await.unwrap();
    let catalog = source.describe().await.unwrap();
    let entity = &catalog.entities[0];
    let mut target = ready(&Memory, &Dsn::new("memory:swallow-to"), &catalog).await;
    let record = |key: &str| (key.as_bytes().to_vec(), text("canary-value"), None);
    for keys in [&["k:canary-1", "k:canary-1"][..], &["x:canary"], &["k:k:canary"], &["reenact:target"]] {
        let records: Vec<_> = keys.iter().map(|key| record(key)).collect();
        let error = load(&mut *target, entity, vec![batch(entity, &records)]).await.unwrap_err();
        assert_eq!(error.class(), Class::Differences, "{keys:?}");
        assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
    }
}

#[tokio::test]
async fn keys_of_somebody_else_refuse_a_load() {
    let source = Memory.source(&Dsn::new("memory:other-from"), &scope(&[("k", "k:{id}")])).await.unwrap();
    let catalog = source.describe().await.unwrap();
    let to = Dsn::new("memory:other-to");
    Memory.mark(&to).await.unwrap();
    let mut target = Memory.target(&to, "cart").await.unwrap();
    target.prepare(&catalog).await.unwrap();
    Dataset::named("other-to").put("session:canary", text("x"), None);
    let error = target.prepare(&catalog).await.unwrap_err();
    assert_eq!((error.class(), error.message()), (Class::Refused, "the target holds 1 keys that are not the bundle's"));
}
