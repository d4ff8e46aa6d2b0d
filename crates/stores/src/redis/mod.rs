//! Redis and Valkey.
//!
//! Hidden here: how typed values are read in one act without `DUMP`, whose format differs between servers, and made again
//! from their parts. A small value is read in one transaction; a large one is paged under `WATCH`, so that the server
//! is never held up by it. What can't be carried exactly (module types, expiring hash fields) is refused by name. A
//! server's own words are never passed on, since it quotes keys in them.

mod link;
mod read;
mod reply;
mod write;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use ::redis::{ConnectionAddr, IntoConnectionInfo as _, Value, cmd};
use async_trait::async_trait;
use reenact_model::catalog::{Identity, Kind, Scope};
use reenact_model::payload::Template;
use reenact_model::{Dsn, Error, Part, Position, Result, Site};

use crate::keyspace::{About, KeySource, KeyTarget, Keyspace, MARKER, Record};
use crate::{Source, Store, Target, address};
use link::Link;
use reply::{Info, bytes, int, items};

/// The store of kind `redis`.
#[derive(Debug)]
pub struct Redis;

#[async_trait]
impl Store for Redis {
    fn kind(&self) -> Kind {
        Kind::Redis
    }

    async fn source(&self, dsn: &Dsn, scope: &Scope) -> Result<Box<dyn Source>> {
        let server = Server::open(dsn).await.map_err(|error| error.at(Site::service(&scope.service)))?;
        Ok(Box::new(KeySource::new(Box::new(server), scope)?))
    }

    async fn target(&self, dsn: &Dsn, service: &str) -> Result<Box<dyn Target>> {
        let server = Server::open(dsn).await.map_err(|error| error.at(Site::service(service)))?;
        Ok(Box::new(KeyTarget::new(Box::new(server), service)))
    }

    async fn places(&self, dsn: &Dsn) -> Vec<String> {
        let Ok(info) = dsn.expose().into_connection_info() else { return Vec::new() };
        let database = info.redis_settings().db().to_string();
        match info.addr() {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                address::of_host(host, *port, &database).await
            }
            ConnectionAddr::Unix(path) => address::of_file(path, &database),
            _ => Vec::new(),
        }
    }

    async fn mark(&self, dsn: &Dsn) -> Result<()> {
        Server::open(dsn).await?.mark().await
    }
}

/// One database of one server.
struct Server {
    link: Link,
    database: i64,
    /// Whether fields of hashes may expire by themselves there.
    field_expiry: bool,
    /// Whether streams tell how many entries were ever added (7.0).
    stream_counters: bool,
}

impl Server {
    async fn open(dsn: &Dsn) -> Result<Self> {
        let link = Link::open(dsn).await?;
        let mut server = Self { database: link.database(), link, field_expiry: false, stream_counters: false };
        let info = server.info().await?;
        if info.get("cluster_enabled") == Some("1") {
            return Err(Error::new(reenact_model::Class::Input, "the server is a node of a Redis Cluster")
                .help("capture from a server that is no cluster: this build reads single nodes only"));
        }
        if info.get("redis_mode") == Some("sentinel") {
            return Err(Error::new(reenact_model::Class::Input, "the server is a sentinel, which holds no data")
                .help("give the URL of the server that it watches"));
        }
        server.stream_counters = info.at_least(7, 0);
        server.field_expiry = match server.link.raw(vec![known("HPEXPIRETIME")]).await?.pop() {
            Some(Value::Array(answer)) => answer.first().is_some_and(|about| *about != Value::Nil),
            _ => info.at_least(7, 4),
        };
        // Our reads must not keep keys from being evicted; older servers don't know this.
        server.link.raw(vec![cmd("CLIENT").arg("NO-TOUCH").arg("ON").clone()]).await?;
        Ok(server)
    }

    async fn info(&self) -> Result<Info> {
        let sections = ["server", "replication", "cluster"];
        let answers = self.link.ask(sections.iter().map(|name| cmd("INFO").arg(name).clone()).collect()).await?;
        Ok(Info::read(answers))
    }

    fn identity(&self, info: &Info) -> Identity {
        let word = |name: &str| info.get(name).unwrap_or("?").to_owned();
        let mut words = format!("run={} replication={}", word("run_id"), word("master_replid"));
        // The history that a promoted server, or one that was restarted from its file, goes on from.
        if let Some(before) = info.get("master_replid2").filter(|id| !is_nothing(id)) {
            let _ = write!(words, " before={before}");
        }
        Identity(format!("{words} database={}", self.database))
    }
}

/// Whether an id is what a server tells that has none.
fn is_nothing(id: &str) -> bool {
    id.bytes().all(|c| c == b'0')
}

fn known(command: &str) -> ::redis::Cmd {
    cmd("COMMAND").arg("INFO").arg(command).clone()
}

#[async_trait]
impl Keyspace for Server {
    fn kind(&self) -> Kind {
        Kind::Redis
    }

    fn part(&self) -> Part {
        Part::Node(0)
    }

    async fn about(&self) -> Result<About> {
        let info = self.info().await?;
        let version = match (info.get("valkey_version"), info.get("redis_version")) {
            (Some(version), _) => format!("valkey {version}"),
            (None, version) => format!("redis {}", version.unwrap_or("?")),
        };
        Ok(About { version, identity: self.identity(&info) })
    }

    async fn position(&self) -> Result<Position> {
        let info = self.info().await?;
        let time = self.link.ask(vec![cmd("TIME")]).await?.pop().map(items).unwrap_or_default();
        let part = |n: usize| time.get(n).cloned().and_then(reply::text).and_then(|text| text.parse::<i64>().ok());
        let millis = part(0).unwrap_or_default() * 1000 + part(1).unwrap_or_default() / 1000;
        let word = |name: &str| info.get(name).unwrap_or("?").to_owned();
        Ok(Position::of("replication", word("master_replid"))
            .with("offset", word("master_repl_offset"))
            .with("time_ms", millis))
    }

    async fn is_one_of(&self, sources: &[Identity]) -> Result<bool> {
        let info = self.info().await?;
        let names = ["run_id", "master_replid", "master_replid2"];
        let own: Vec<&str> = names.iter().filter_map(|name| info.get(name)).filter(|id| !is_nothing(id)).collect();
        let database = format!("database={}", self.database);
        // A replica and its master are one store, and so is a server that was promoted since.
        Ok(sources.iter().any(|source| {
            let words: Vec<&str> = source.0.split(' ').collect();
            let is_ours = |word: &&str| word.split_once('=').is_some_and(|(_, id)| own.contains(&id));
            words.contains(&database.as_str()) && words.iter().any(is_ours)
        }))
    }

    async fn scan(&self, template: &Template) -> Result<BTreeSet<Vec<u8>>> {
        let (mut keys, mut cursor) = (BTreeSet::new(), b"0".to_vec());
        loop {
            let scan = cmd("SCAN").arg(&cursor).arg("MATCH").arg(template.glob()).arg("COUNT").arg(1000).clone();
            let answer = self.link.ask(vec![scan]).await?.pop().map(items).unwrap_or_default();
            let [next, page] = <[Value; 2]>::try_from(answer).map_err(|_| reply::strange("SCAN"))?;
            keys.extend(items(page).into_iter().filter_map(bytes).filter(|key| template.decode(key).is_some()));
            cursor = bytes(next).ok_or_else(|| reply::strange("SCAN"))?;
            if cursor == b"0" {
                return Ok(keys);
            }
        }
    }

    async fn fetch(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Record>>> {
        read::fetch(self, keys).await
    }

    async fn put(&self, records: &[Record]) -> Result<()> {
        write::put(self, records).await
    }

    async fn size(&self) -> Result<u64> {
        let answer = self.link.ask(vec![cmd("DBSIZE")]).await?.pop().and_then(int);
        answer.and_then(|size| u64::try_from(size).ok()).ok_or_else(|| reply::strange("DBSIZE"))
    }

    async fn is_marked(&self) -> Result<bool> {
        Ok(self.link.ask(vec![cmd("EXISTS").arg(MARKER).clone()]).await?.pop().and_then(int) == Some(1))
    }

    async fn mark(&self) -> Result<()> {
        self.link.ask(vec![cmd("SET").arg(MARKER).arg("1").clone()]).await.map(|_| ())
    }

    fn queries(&self) -> u64 {
        self.link.sent()
    }
}
