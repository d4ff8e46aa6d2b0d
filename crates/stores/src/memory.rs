//! The store in this process's memory: keys with typed values, for demonstrations and tests without a server.
//!
//! Hidden here: the data sets themselves, one per name of a URL `memory:NAME`, shared by everything in this process. It
//! behaves like Redis as far as captures and replays can tell, expiry included, and ends with the process.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use reenact_model::catalog::{Identity, Kind, Scope};
use reenact_model::payload::{Blob, RedisValue, Template};
use reenact_model::{Class, Dsn, Error, Part, Position, Result};

use crate::keyspace::{About, KeySource, KeyTarget, Keyspace, MARKER, Record};
use crate::{Source, Store, Target};

static DATASETS: LazyLock<Mutex<BTreeMap<String, Dataset>>> = LazyLock::new(Mutex::default);

/// The store of kind `memory`.
#[derive(Debug)]
pub struct Memory;

/// A named data set of this process; clones are the same data set.
#[derive(Clone)]
pub struct Dataset {
    name: String,
    state: Arc<Mutex<State>>,
}

/// A data set as one source or target uses it.
struct Session {
    data: Dataset,
    commands: AtomicU64,
}

#[derive(Default)]
struct State {
    keys: BTreeMap<Vec<u8>, Entry>,
    version: u64,
}

struct Entry {
    value: RedisValue,
    /// Milliseconds since 1970.
    expires: Option<i64>,
}

impl State {
    fn is_alive(entry: &Entry, now: i64) -> bool {
        entry.expires.is_none_or(|expires| expires > now)
    }

    fn get(&self, key: &[u8]) -> Option<Record> {
        let now = now_ms();
        let entry = self.keys.get(key).filter(|entry| Self::is_alive(entry, now))?;
        let ttl = entry.expires.map(|expires| expires - now);
        Some(Record { key: key.to_vec(), value: entry.value.clone(), ttl })
    }

    fn put(&mut self, key: Vec<u8>, value: RedisValue, ttl: Option<i64>) {
        self.version += 1;
        self.keys.insert(key, Entry { value, expires: ttl.map(|ttl| now_ms().saturating_add(ttl.max(1))) });
    }
}

impl fmt::Debug for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dataset({}, {} keys)", self.name, self.state().keys.len())
    }
}

impl Dataset {
    /// The data set of a name; an empty one if there is none yet.
    pub fn named(name: &str) -> Self {
        let mut datasets = DATASETS.lock().unwrap_or_else(PoisonError::into_inner);
        let made = || Self { name: name.to_owned(), state: Arc::default() };
        datasets.entry(name.to_owned()).or_insert_with(made).clone()
    }

    /// Forgets the data set of a name; who holds it still keeps it.
    pub fn forget(name: &str) {
        DATASETS.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// Writes a key, with the time after which it expires in milliseconds.
    pub fn put(&self, key: impl Into<Vec<u8>>, value: RedisValue, ttl_ms: Option<i64>) {
        self.state().put(key.into(), value, ttl_ms);
    }

    /// The value of a key and what remains of its life in milliseconds.
    pub fn get(&self, key: &[u8]) -> Option<(RedisValue, Option<i64>)> {
        self.state().get(key).map(|record| (record.value, record.ttl))
    }

    /// Removes a key; `false` if there was none.
    pub fn remove(&self, key: &[u8]) -> bool {
        let mut state = self.state();
        state.version += 1;
        state.keys.remove(key).is_some()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn open(dsn: &Dsn) -> Result<Self> {
        match dsn.expose().strip_prefix("memory:") {
            Some(name) if !name.is_empty() => Ok(Self { data: Dataset::named(name), commands: AtomicU64::new(0) }),
            _ => Err(Error::new(Class::Input, "the URL names no data set").help("write it like `memory:cart`")),
        }
    }

    /// The state for one command.
    fn command(&self) -> MutexGuard<'_, State> {
        self.commands.fetch_add(1, Ordering::Relaxed);
        self.data.state()
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[async_trait]
impl Store for Memory {
    fn kind(&self) -> Kind {
        Kind::Memory
    }

    async fn source(&self, dsn: &Dsn, scope: &Scope) -> Result<Box<dyn Source>> {
        Ok(Box::new(KeySource::new(Box::new(Session::open(dsn)?), scope)?))
    }

    async fn target(&self, dsn: &Dsn, service: &str) -> Result<Box<dyn Target>> {
        Ok(Box::new(KeyTarget::new(Box::new(Session::open(dsn)?), service)))
    }

    /// A data set is told by its name, which is its identity, and ends with this process.
    async fn places(&self, _dsn: &Dsn) -> Vec<String> {
        Vec::new()
    }

    async fn mark(&self, dsn: &Dsn) -> Result<()> {
        Session::open(dsn)?.mark().await
    }
}

#[async_trait]
impl Keyspace for Session {
    fn kind(&self) -> Kind {
        Kind::Memory
    }

    fn part(&self) -> Part {
        Part::Database
    }

    async fn about(&self) -> Result<About> {
        let version = concat!("reenact ", env!("CARGO_PKG_VERSION")).to_owned();
        Ok(About { version, identity: Identity(format!("memory:{}", self.data.name)) })
    }

    async fn position(&self) -> Result<Position> {
        Ok(Position::of("offset", self.data.state().version).with("time_ms", now_ms()))
    }

    async fn is_one_of(&self, sources: &[Identity]) -> Result<bool> {
        Ok(sources.contains(&self.about().await?.identity))
    }

    async fn scan(&self, template: &Template) -> Result<BTreeSet<Vec<u8>>> {
        let state = self.command();
        let now = now_ms();
        let alive = state.keys.iter().filter(|(_, entry)| State::is_alive(entry, now));
        Ok(alive.map(|(key, _)| key).filter(|key| template.decode(key).is_some()).cloned().collect())
    }

    async fn fetch(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Record>>> {
        let state = self.command();
        Ok(keys.iter().map(|key| state.get(key)).collect())
    }

    async fn put(&self, records: &[Record]) -> Result<()> {
        let mut state = self.command();
        for record in records {
            if state.get(&record.key).is_some() {
                return Err(crate::keyspace::written_twice());
            }
            state.put(record.key.clone(), record.value.clone(), record.ttl);
        }
        Ok(())
    }

    async fn size(&self) -> Result<u64> {
        Ok(self.command().keys.len() as u64)
    }

    async fn is_marked(&self) -> Result<bool> {
        Ok(self.command().get(MARKER).is_some())
    }

    async fn mark(&self) -> Result<()> {
        self.command().put(MARKER.to_vec(), RedisValue::String(Blob(b"1".to_vec())), None);
        Ok(())
    }

    fn queries(&self) -> u64 {
        self.commands.load(Ordering::Relaxed)
    }
}
