//! The store in memory.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod redis_common;

use redis_common::{all, batch, blob, by_path, digest, load, one_match, read, read_of, ready, samples, scope};
use reenact_model::payload::RedisValue;
use reenact_model::{Class, Dsn, Key, Part};
use reenact_stores::memory::{Dataset, Memory};
use reenact_stores::{Selection, Store as _};

fn text(text: &str) -> RedisValue {
    RedisValue::String(blob(text))
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
async fn selections_name_keys_or_filter_a_scan() {
    let data = Dataset::named("select");
    for n in 0..300 {
        data.put(format!("cart:{n}"), RedisValue::Hash(vec![(blob("owner"), blob(format!("u{}", n % 3)))]), None);
    }
    data.put("other", text("x"), None);
    let source =
        Memory.source(&Dsn::new("memory:select"), &scope(&[("cart", "cart:{id}"), ("rest", "{any}")])).await.unwrap();
    let catalog = source.describe().await.unwrap();
    let (cart, rest) = (&catalog.entities[0], &catalog.entities[1]);
    assert_eq!(all(&*source, cart, Selection::All).await.len(), 300);
    // A key belongs to the most specific family alone.
    assert_eq!(all(&*source, rest, Selection::All).await.into_keys().collect::<Vec<_>>(), [b"other"]);
    let named = all(&*source, cart, by_path("key:id", &["7", "8", "900"])).await;
    assert_eq!(named.into_keys().collect::<Vec<_>>(), [b"cart:7", b"cart:8"]);
    let whole = all(&*source, cart, by_path("key", &["cart:7", "nothing"])).await;
    assert_eq!(whole.len(), 1);
    assert_eq!(all(&*source, cart, by_path("value:owner", &["u1"])).await.len(), 100);
    let where_ = Selection::Where(vec![
        (redis_common::fields("value:owner").remove(0), "u2".into()),
        (redis_common::fields("key:id").remove(0), "2".into()),
    ]);
    assert_eq!(all(&*source, cart, where_).await.len(), 1);
    let except = Selection::Match {
        any: vec![one_match("value:owner", &["u1", "u0"])],
        except: vec![one_match("key:id", &["0"]), one_match("value:owner", &["u1"])],
    };
    assert_eq!(all(&*source, cart, except).await.len(), 99);
    let mut limited = read_of(cart, Selection::All);
    limited.limit = Some(299);
    assert_eq!(read(&*source, limited).await.unwrap_err().class(), Class::Limit);
    let mut narrow = read_of(cart, by_path("value:owner", &["u1"]));
    (narrow.columns, narrow.limit) = (vec!["key".into()], Some(100));
    let batches = read(&*source, narrow).await.unwrap();
    assert_eq!((batches[0].num_columns(), batches[0].num_rows()), (1, 100));
    let estimate = source.estimate(&read_of(cart, by_path("key:id", &["1", "2"]))).await.unwrap();
    assert_eq!((estimate.rows, estimate.full_scan), (Some(2), false));
    assert!(source.estimate(&read_of(cart, Selection::All)).await.unwrap().full_scan);
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
    assert!(source.pin(&Part::TopicEnds, &[]).await.is_err());
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
    let error = target.prepare(&catalog).await.unwrap_err();
    assert_eq!((error.class(), error.message()), (Class::Refused, "the target holds 1 keys of this family already"));
}

#[tokio::test]
async fn gates_want_a_marker_and_no_source() {
    let dsn = Dsn::new("memory:gates");
    let mut target = Memory.target(&dsn, "cart").await.unwrap();
    assert_eq!(target.gates(&[]).await.unwrap_err().class(), Class::Refused);
    Memory.mark(&dsn).await.unwrap();
    target.gates(&[]).await.unwrap();
    let own = target.identity().await.unwrap();
    assert_eq!(target.gates(&[own]).await.unwrap_err().class(), Class::Refused);
    assert!(Memory.target(&Dsn::new("memory:"), "cart").await.is_err());
    for pattern in ["{a}{b}", ""] {
        assert_eq!(Memory.source(&dsn, &scope(&[("k", pattern)])).await.err().unwrap().class(), Class::Input);
    }
}
