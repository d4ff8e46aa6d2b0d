//! Redis passes the suite, and keeps what only key spaces hold: types, large values, expiries.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod redis_common;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{Client, Value, cmd};
use async_trait::async_trait;
use redis_common::{
    Servers, all, batch, blob, by_path, datasets, digest, load, read, read_of, ready, samples, scope, shop, shop_field,
    shop_hashes,
};
use reenact_model::catalog::Scope;
use reenact_model::payload::RedisValue;
use reenact_model::{Class, Dsn, FieldPath, Key, Kind, Part};
use reenact_stores::conformance::{self, Ground};
use reenact_stores::redis::Redis;
use reenact_stores::{Selection, Store};

async fn connect(dsn: &Dsn) -> MultiplexedConnection {
    let config = ::redis::AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(20)));
    Client::open(dsn.expose()).unwrap().get_multiplexed_async_connection_with_config(&config).await.unwrap()
}

async fn run(connection: &mut MultiplexedConnection, words: &[&str]) -> Value {
    let mut command = cmd(words[0]);
    words[1..].iter().for_each(|word| {
        command.arg(word);
    });
    command.query_async(connection).await.unwrap()
}

/// The databases of one server, each in its turn.
struct Databases<'a> {
    servers: &'a Servers,
    next: AtomicU32,
}

impl Databases<'_> {
    async fn next(&self) -> (Dsn, MultiplexedConnection) {
        // A server has 16 of them.
        let number = self.next.fetch_add(1, Ordering::Relaxed) % 16;
        let first = self.servers.dsn("one");
        let dsn = Dsn::new(format!("{}/{number}", first.expose().strip_suffix("/0").unwrap()));
        let mut connection = connect(&dsn).await;
        run(&mut connection, &["FLUSHDB"]).await;
        (dsn, connection)
    }
}

#[async_trait]
impl Ground for Databases<'_> {
    fn store(&self) -> &'static dyn Store {
        &Redis
    }

    fn scope(&self) -> Scope {
        shop()
    }

    fn field(&self, name: &str) -> FieldPath {
        shop_field(name)
    }

    async fn sample(&self) -> Dsn {
        let (dsn, mut connection) = self.next().await;
        for (key, fields) in shop_hashes() {
            let fields: Vec<(&[u8], &[u8])> = fields.iter().map(|(name, value)| (&*name.0, &*value.0)).collect();
            cmd("HSET").arg(key).arg(fields).query_async::<()>(&mut connection).await.unwrap();
        }
        dsn
    }

    async fn empty(&self) -> Dsn {
        self.next().await.0
    }

    async fn change(&self, dsn: &Dsn) {
        for key in ["person:2", "person:50"] {
            run(&mut connect(dsn).await, &["HSET", key, "name", "other"]).await;
        }
    }

    fn has_snapshots(&self) -> bool {
        false
    }

    fn at(&self, address: SocketAddr) -> Option<Dsn> {
        Some(Dsn::new(format!("redis://:canary@{address}/0")))
    }

    fn shut(&self, sample: &Dsn) -> Vec<Dsn> {
        vec![Dsn::new(format!("redis://:canary@{}/0", sample.place()))]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_passes_the_suite() {
    let servers = Servers::start(&[("one", Kind::Redis)]).await;
    conformance::run(&Databases { servers: &servers, next: AtomicU32::new(0) }).await;
    servers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_goes_round() {
    let servers = Servers::start(&[("one", Kind::Redis), ("two", Kind::Redis), ("three", Kind::Redis)]).await;
    // The samples come into the first server by our own code, so what counts is the server's own account of them.
    let source = Redis.source(&servers.dsn("one"), &scope(&[("all", "k:{id}")])).await.unwrap();
    let catalog = source.describe().await.unwrap();
    assert!(catalog.version.starts_with("redis ") || catalog.version.starts_with("valkey "));
    let entity = &catalog.entities[0];
    Redis.mark(&servers.dsn("one")).await.unwrap();
    let mut first = Redis.target(&servers.dsn("one"), "cart").await.unwrap();
    load(&mut *first, entity, vec![batch(entity, &samples())]).await.unwrap();
    let read_back = all(&*source, entity, Selection::All).await;
    for (key, value, ttl) in samples() {
        let (found, found_ttl) = &read_back[&key];
        assert_eq!(*found, value, "{}", String::from_utf8_lossy(&key));
        assert_eq!(found_ttl.is_some(), ttl.is_some());
        assert!(found_ttl.is_none_or(|found| ttl.is_some_and(|ttl| found <= ttl && found > ttl - 20_000)));
    }
    let batches = read(&*source, read_of(entity, Selection::All)).await.unwrap();
    let mut target = ready(&Redis, &servers.dsn("two"), &catalog).await;
    assert_eq!(load(&mut *target, entity, batches.clone()).await.unwrap().rows, samples().len() as u64);
    target.settle(&catalog, &[]).await.unwrap();
    assert_eq!(target.digest(entity).await.unwrap(), digest(entity, &batches));

    let (mut one, mut two) = (connect(&servers.dsn("one")).await, connect(&servers.dsn("two")).await);
    for words in [
        vec!["XPENDING", "k:stream", "billing", "-", "+", "10"],
        vec!["XPENDING", "k:stream", "billing"],
        vec!["XINFO", "GROUPS", "k:stream"],
        vec!["XRANGE", "k:stream", "-", "+"],
        vec!["ZRANGE", "k:zset", "0", "-1", "WITHSCORES"],
        vec!["LRANGE", "k:list", "0", "-1"],
        vec!["TYPE", "k:none"],
        vec!["DBSIZE"],
    ] {
        let (mut a, mut b) = (run(&mut one, &words).await, run(&mut two, &words).await);
        // Idle times grow.
        if words.len() == 6 {
            for side in [&mut a, &mut b] {
                let Value::Array(entries) = side else { panic!("a list") };
                for entry in entries {
                    let Value::Array(parts) = entry else { panic!("a list") };
                    let Value::Int(idle) = parts.remove(2) else { panic!("a number") };
                    assert!(idle > 1_000_000_000, "the time of delivery is kept");
                }
            }
        }
        assert_eq!(a, b, "{words:?}");
    }
    // A key that expires otherwise than loaded is a difference, and so is a value that was changed.
    run(&mut two, &["PERSIST", "k:hash"]).await;
    let error = target.digest(entity).await.unwrap_err();
    assert_eq!((error.class(), error.message()), (Class::Differences, "1 keys expire otherwise than loaded"));
    run(&mut two, &["PEXPIRE", "k:hash", "50000"]).await;
    target.digest(entity).await.unwrap();
    run(&mut two, &["HSET", "k:hash", "f", "x"]).await;
    assert_ne!(target.digest(entity).await.unwrap(), digest(entity, &batches));
    servers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_value_is_read_whole_or_not_at_all() {
    let servers = Servers::start(&[("one", Kind::Redis), ("two", Kind::Redis)]).await;
    let mut one = connect(&servers.dsn("one")).await;
    let script = "for i=1,25000 do redis.call('HSET','k:hash','f'..i,'0') redis.call('RPUSH','k:list',i) \
                  redis.call('SADD','k:set','m'..i) redis.call('ZADD','k:zset',i/7,'m'..i) \
                  redis.call('XADD','k:stream',i..'-1','f',i) end \
                  redis.call('XGROUP','CREATE','k:stream','g','0') \
                  redis.call('XREADGROUP','GROUP','g','c','COUNT','10500','STREAMS','k:stream','>') \
                  redis.call('PEXPIRE','k:hash',100000) return 1";
    cmd("EVAL").arg(script).arg(0).query_async::<()>(&mut one).await.unwrap();
    let source = Redis.source(&servers.dsn("one"), &scope(&[("all", "k:{id}")])).await.unwrap();
    let catalog = source.describe().await.unwrap();
    let entity = &catalog.entities[0];
    let batches = read(&*source, read_of(entity, Selection::All)).await.unwrap();
    let found = all(&*source, entity, Selection::All).await;
    let size = |key: &str| match &found[key.as_bytes()].0 {
        RedisValue::Hash(fields) => fields.len(),
        RedisValue::List(items) | RedisValue::Set(items) => items.len(),
        RedisValue::Zset(members) => members.len(),
        RedisValue::Stream(stream) => stream.entries.len() + stream.groups[0].pending.len(),
        RedisValue::String(_) => 0,
    };
    assert_eq!(["k:hash", "k:list", "k:set", "k:zset", "k:stream"].map(size), [25_000, 25_000, 25_000, 25_000, 35_500]);
    assert!(found[&b"k:hash"[..]].1.is_some());
    let mut target = ready(&Redis, &servers.dsn("two"), &catalog).await;
    load(&mut *target, entity, batches.clone()).await.unwrap();
    assert_eq!(target.digest(entity).await.unwrap(), digest(entity, &batches));

    // While it changes all the time it is never read; as soon as it rests it is, and all its fields agree.
    let mut writer = connect(&servers.dsn("one")).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let writing = tokio::spawn(async move {
        let mut round = 0;
        while !*stopped.borrow() {
            round += 1;
            let mut pipe = ::redis::pipe();
            pipe.atomic().cmd("HSET").arg("k:hash").arg("f1").arg(round).arg("f24999").arg(round);
            pipe.query_async::<()>(&mut writer).await.unwrap();
        }
        round
    });
    let error = read(&*source, read_of(entity, by_path("key:id", &["hash"]))).await.unwrap_err();
    assert_eq!(error.class(), Class::Limit, "{error}");
    stop.send(true).unwrap();
    let last = writing.await.unwrap().to_string();
    let found = all(&*source, entity, by_path("key:id", &["hash"])).await;
    let RedisValue::Hash(fields) = &found[&b"k:hash"[..]].0 else { panic!("a hash") };
    let of = |name: &str| &fields.iter().find(|(field, _)| field.0 == name.as_bytes()).unwrap().1;
    assert_eq!((of("f1"), of("f24999")), (&blob(&last), &blob(&last)));
    servers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scans_names_and_pins() {
    let servers = Servers::start(&[("one", Kind::Redis)]).await;
    let mut one = connect(&servers.dsn("one")).await;
    let script = "for i=1,9000 do redis.call('SET','cart:'..i,'v'..i) end redis.call('SET','user:1','x') return 1";
    cmd("EVAL").arg(script).arg(0).query_async::<()>(&mut one).await.unwrap();
    let mut source =
        Redis.source(&servers.dsn("one"), &scope(&[("cart", "cart:{id}"), ("user", "user:{id}")])).await.unwrap();
    let catalog = source.describe().await.unwrap();
    let cart = &catalog.entities[0];
    assert_eq!(catalog.parts, [Part::Node(0)]);
    let batches = read(&*source, read_of(cart, Selection::All)).await.unwrap();
    assert_eq!(batches.iter().map(arrow::array::RecordBatch::num_rows).sum::<usize>(), 9000);
    assert!(batches.iter().all(|batch| batch.num_rows() <= 4096 + 128));
    let before = source.queries();
    assert_eq!(all(&*source, cart, by_path("key:id", &["5", "6", "0"])).await.len(), 2);
    assert!(source.queries() - before < 30, "asked by name");
    assert_eq!(all(&*source, cart, by_path("value", &["v7"])).await.len(), 0, "a whole value is its typed form");
    assert_eq!(all(&*source, cart, by_path("value:$", &["v7"])).await.len(), 1);

    let known = [Key::new(["cart:1"]), Key::new(["cart:none"])].into_iter().collect();
    let pinned = source.pin(&Part::Node(0), &[(cart.clone(), known)]).await.unwrap();
    assert!(pinned.position.at["time_ms"].parse::<u64>().unwrap() > 1_700_000_000_000);
    assert!(pinned.position.at.contains_key("offset") && pinned.gaps.is_empty());
    run(&mut one, &["SET", "cart:1", "new"]).await;
    run(&mut one, &["SET", "cart:none", "new"]).await;
    run(&mut one, &["SET", "cart:2", "new"]).await;
    let found = all(&*source, cart, by_path("key:id", &["1", "2", "none"])).await;
    let found: Vec<_> = found.into_values().map(|(value, _)| value).collect();
    assert_eq!(found, [RedisValue::String(blob("v1")), RedisValue::String(blob("new"))]);
    servers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_refuses_is_told_without_values() {
    let servers = Servers::start(&[("one", Kind::Redis), ("two", Kind::Redis)]).await;
    let good = servers.dsn("one");
    let scope = scope(&[("all", "canary:{id}")]);
    let error = Redis.source(&Dsn::new("redis//x"), &scope).await.err().unwrap();
    assert_eq!(error.class(), Class::Input);
    let beyond = Dsn::new(good.expose().replace("/0", "/99"));
    assert_ne!(beyond.expose(), good.expose());
    let error = Redis.source(&beyond, &scope).await.err().unwrap();
    assert_eq!(error.class(), Class::Unreachable, "{error}");
    assert!(error.help_text().is_some_and(|help| help.contains("number of the database")), "{error}");

    // No right to run a command, no memory, the wrong type in a transaction: no key and no value in the text.
    let mut one = connect(&good).await;
    run(&mut one, &["ACL", "SETUSER", "reader", "on", ">pw", "~*", "+@all", "-get"]).await;
    run(&mut one, &["SET", "canary:1", "canary"]).await;
    let reader = Dsn::new(format!("redis://reader:pw@{}/0", good.place()));
    let source = Redis.source(&reader, &scope).await.unwrap();
    let entity = source.describe().await.unwrap().entities[0].clone();
    let error = read(&*source, read_of(&entity, Selection::All)).await.unwrap_err();
    assert_eq!(error.class(), Class::Unreachable, "{error}");
    assert!(!error.to_string().contains("canary:1"), "{error}");
    let catalog = source.describe().await.unwrap();
    let mut target = ready(&Redis, &servers.dsn("two"), &catalog).await;
    let record = |key: &str| (key.as_bytes().to_vec(), RedisValue::String(blob("canary-value")), None);
    let mut two = connect(&servers.dsn("two")).await;
    run(&mut two, &["CONFIG", "SET", "maxmemory", "1"]).await;
    let error = load(&mut *target, &entity, vec![batch(&entity, &[record("canary:y")])]).await.unwrap_err();
    assert_eq!(error.class(), Class::Write, "{error}");
    assert!(!error.to_string().contains("canary:y"), "{error}");
    servers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_expires_is_no_record() {
    let servers = Servers::start(&[("one", Kind::Redis)]).await;
    let mut one = connect(&servers.dsn("one")).await;
    let script =
        "for i=1,3000 do redis.call('SET','k:'..i,'v','PX',i%30+1) end redis.call('SET','k:stay','v') return 1";
    let source = Redis.source(&servers.dsn("one"), &scope(&[("all", "k:{id}")])).await.unwrap();
    let entity = source.describe().await.unwrap().entities[0].clone();
    for _ in 0..5 {
        cmd("EVAL").arg(script).arg(0).query_async::<()>(&mut one).await.unwrap();
        let found = all(&*source, &entity, Selection::All).await;
        assert!(found.contains_key(&b"k:stay"[..]));
        assert!(found.values().all(|(_, ttl)| ttl.is_none_or(|ttl| ttl >= 0)));
    }
    servers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_carts_of_the_reference_incident_go_elsewhere() {
    use base64::Engine as _;
    let Some(folder) = datasets() else { return };
    let servers = Servers::start(&[("one", Kind::Redis), ("two", Kind::Redis)]).await;
    let mut one = connect(&servers.dsn("one")).await;
    let lines = std::fs::read_to_string(folder.join("scenario-otel/redis-carts.jsonl")).unwrap();
    let mut sessions = Vec::new();
    for line in lines.lines() {
        let cart: serde_json::Value = serde_json::from_str(line).unwrap();
        let value = cart["fields"]["cart"]["b64"].as_str().unwrap();
        let value = base64::engine::general_purpose::STANDARD.decode(value).unwrap();
        let key = cart["key"].as_str().unwrap().to_owned();
        cmd("HSET").arg(&key).arg("cart").arg(value).query_async::<()>(&mut one).await.unwrap();
        cmd("PEXPIRE").arg(&key).arg(cart["ttl_ms"].as_i64().unwrap()).query_async::<()>(&mut one).await.unwrap();
        sessions.push(key);
    }
    assert_eq!(sessions.len(), 200);
    let source = Redis.source(&servers.dsn("one"), &scope(&[("cart", "{session}")])).await.unwrap();
    let catalog = source.describe().await.unwrap();
    let entity = &catalog.entities[0];
    let wanted: Vec<&str> = sessions.iter().step_by(2).map(String::as_str).collect();
    let batches = read(&*source, read_of(entity, by_path("key:session", &wanted))).await.unwrap();
    let mut target = ready(&Redis, &servers.dsn("two"), &catalog).await;
    assert_eq!(load(&mut *target, entity, batches.clone()).await.unwrap().rows, 100);
    assert_eq!(target.digest(entity).await.unwrap(), digest(entity, &batches));
    servers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_snapshot_files_go_elsewhere() {
    let Some(folder) = datasets() else { return };
    let folder = folder.join("redis/rdb").canonicalize().unwrap();
    let target = Servers::start(&[("two", Kind::Redis)]).await;
    let mut two = connect(&target.dsn("two")).await;
    let mut records = 0;
    for file in std::fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "rdb") {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap();
        let (dir, redis) = (folder.to_str().unwrap(), Kind::Redis);
        let servers = Servers::with(&[("one", redis)], &[(redis, "dir", dir), (redis, "dbfilename", name)]).await;
        let source = Redis.source(&servers.dsn("one"), &scope(&[("all", "{key}")])).await.unwrap();
        let catalog = source.describe().await.unwrap();
        let entity = &catalog.entities[0];
        let batches = read(&*source, read_of(entity, Selection::All)).await.unwrap();
        run(&mut two, &["FLUSHALL"]).await;
        let mut target = ready(&Redis, &target.dsn("two"), &catalog).await;
        records += load(&mut *target, entity, batches.clone()).await.unwrap().rows;
        assert_eq!(target.digest(entity).await.unwrap(), digest(entity, &batches), "{name}");
        servers.stop().await;
    }
    assert!(records > 20, "{records}");
    target.stop().await;
}
