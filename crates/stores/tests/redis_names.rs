//! Reads that want nothing but the names of keys.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod redis_common;

use std::sync::Arc;

use arrow::array::RecordBatch;
use redis_common::{Servers, one_match, read, read_of, scope};
use reenact_model::catalog::Entity;
use reenact_model::{Key, Kind, Part};
use reenact_stores::redis::Redis;
use reenact_stores::{Read, Selection, Store as _};

fn names_of(entity: &Arc<Entity>, selection: Selection) -> Read {
    Read { columns: vec!["key".to_owned()], ..read_of(entity, selection) }
}

fn count(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::num_rows).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_listed_without_reading_a_value() {
    let servers = Servers::start(&[("one", Kind::Redis)]).await;
    let client = ::redis::Client::open(servers.dsn("one").expose()).unwrap();
    let mut one = client.get_multiplexed_async_connection().await.unwrap();
    let script = "for i=1,9000 do redis.call('SET','cart:'..i,'v'..i) end return 1";
    ::redis::cmd("EVAL").arg(script).arg(0).query_async::<()>(&mut one).await.unwrap();
    let mut source = Redis.source(&servers.dsn("one"), &scope(&[("cart", "cart:{id}")])).await.unwrap();
    let cart = source.describe().await.unwrap().entities[0].clone();
    let before = source.queries();
    let batches = read(&*source, names_of(&cart, Selection::All)).await.unwrap();
    assert_eq!((count(&batches), batches[0].num_columns()), (9000, 1));
    // Pages of a scan, and nothing else.
    assert!(source.queries() - before < 100, "{} queries", source.queries() - before);

    // What is asked for by name may not be there, so it is looked at.
    let asked = Selection::Match { any: vec![one_match("key:id", &["1", "9001"])], except: Vec::new() };
    assert_eq!(count(&read(&*source, names_of(&cart, asked)).await.unwrap()), 1);
    // What a pin found absent stays absent, and what it holds stays there.
    let known = [Key::new(["cart:1"]), Key::new(["cart:none"])].into_iter().collect();
    source.pin(&Part::Node(0), &[(cart.clone(), known)]).await.unwrap();
    ::redis::cmd("SET").arg("cart:none").arg("new").query_async::<()>(&mut one).await.unwrap();
    ::redis::cmd("DEL").arg("cart:1").query_async::<()>(&mut one).await.unwrap();
    assert_eq!(count(&read(&*source, names_of(&cart, Selection::All)).await.unwrap()), 9000);
    servers.stop().await;
}
