//! Keys whose time to live ends between their loading and the comparison.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod redis_common;

use std::time::Duration;

use redis_common::{Servers, batch, blob, digest, load, ready, scope};
use reenact_model::payload::RedisValue;
use reenact_model::{Dsn, Kind};
use reenact_stores::memory::{Dataset, Memory};
use reenact_stores::redis::Redis;
use reenact_stores::{Store, Target};

/// Loads four keys: two that never end, one that ends at once and one that ends in an hour.
async fn loaded(store: &dyn Store, from: &Dsn, to: &Dsn) -> (Box<dyn Target>, Loaded) {
    let catalog = store.source(from, &scope(&[("all", "k:{id}")])).await.unwrap().describe().await.unwrap();
    let entity = catalog.entities[0].clone();
    let text = |key: &str, ttl| (key.as_bytes().to_vec(), RedisValue::String(blob(key)), ttl);
    let records = [text("k:a", None), text("k:b", None), text("k:short", Some(30)), text("k:long", Some(3_600_000))];
    let rows = batch(&entity, &records);
    let expected = digest(&entity, std::slice::from_ref(&rows));
    let mut target = ready(store, to, &catalog).await;
    load(&mut *target, &entity, vec![rows]).await.unwrap();
    (target, Loaded { entity, expected })
}

struct Loaded {
    entity: std::sync::Arc<reenact_model::Entity>,
    expected: reenact_model::digest::EntityDigest,
}

/// Compares until the short key has ended; it must never be a difference, neither before nor after.
async fn until_expired(target: &mut dyn Target, loaded: &Loaded) {
    while target.expired(&loaded.entity) == 0 {
        assert_eq!(target.digest(&loaded.entity).await.unwrap(), loaded.expected);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_redis_a_key_that_lived_out_its_time_is_no_loss_and_any_other_one_is() {
    let servers = Servers::start(&[("one", Kind::Redis), ("two", Kind::Redis)]).await;
    let (mut target, loaded) = loaded(&Redis, &servers.dsn("one"), &servers.dsn("two")).await;
    until_expired(&mut *target, &loaded).await;
    let client = ::redis::Client::open(servers.dsn("two").expose()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut run = async |words: &[&str]| -> i64 {
        let mut command = ::redis::cmd(words[0]);
        words[1..].iter().for_each(|word| {
            command.arg(word);
        });
        command.query_async(&mut connection).await.unwrap()
    };
    while run(&["EXISTS", "k:short"]).await == 1 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(target.expired(&loaded.entity), 1);
    assert_eq!(target.digest(&loaded.entity).await.unwrap(), loaded.expected);
    // One that has an hour left did not expire.
    assert_eq!(run(&["DEL", "k:long"]).await, 1);
    let without = target.digest(&loaded.entity).await.unwrap();
    assert_eq!(without.count, loaded.expected.count - 1);
    assert_eq!(run(&["DEL", "k:a"]).await, 1);
    assert_eq!(target.digest(&loaded.entity).await.unwrap().count, loaded.expected.count - 2);
    assert_eq!(target.expired(&loaded.entity), 1, "what was removed did not expire");
    servers.stop().await;
}

#[tokio::test]
async fn in_memory_a_key_that_lived_out_its_time_is_no_loss_and_any_other_one_is() {
    let (from, to) = (Dsn::new("memory:expiry-from"), Dsn::new("memory:expiry-to"));
    let (mut target, loaded) = loaded(&Memory, &from, &to).await;
    until_expired(&mut *target, &loaded).await;
    assert!(Dataset::named("expiry-to").get(b"k:short").is_none());
    assert_eq!(target.digest(&loaded.entity).await.unwrap(), loaded.expected);
    assert!(Dataset::named("expiry-to").remove(b"k:a"));
    let without = target.digest(&loaded.entity).await.unwrap();
    assert_eq!(without.count, loaded.expected.count - 1);
    // A key in its place is another record, not the one that is missing.
    Dataset::named("expiry-to").put("k:c", RedisValue::String(blob("k:a")), None);
    let other = target.digest(&loaded.entity).await.unwrap();
    assert!(other.count == loaded.expected.count && other != loaded.expected);
}
