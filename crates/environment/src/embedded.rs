//! Stand-ins within this process, for a first look and for tests without servers.
//!
//! Hidden here: which stand-in serves which kind. SQLite is itself; Kafka is the mock cluster of librdkafka, which lives as
//! long as this process and the lease (it answers no admin requests and no offsets by time); Redis is a child process if
//! a server is installed, else the store in memory. PostgreSQL and MySQL have no stand-in worth the name, so they are
//! refused.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, Producer as _};
use reenact_model::{Class, Dsn, Error, Kind, Result, Site};

use crate::account::Account;
use crate::child::Ground;
use crate::lease::{Endpoint, Lease, Provider, Wanted, WantedService};
use crate::process::{redis, sqlite};
use crate::programs::SearchPath;
use crate::registry::Registry;

/// The provider of stand-ins within this process.
#[derive(Clone)]
pub struct Embedded {
    registry: Registry,
    base: PathBuf,
    search: SearchPath,
    /// The producers that own the mock clusters, by lease.
    clusters: Arc<Mutex<BTreeMap<String, Vec<BaseProducer>>>>,
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").field("registry", &self.registry).field("base", &self.base).finish_non_exhaustive()
    }
}

impl Embedded {
    /// A provider that registers the folders and the Redis servers that it makes.
    pub fn new(registry: Registry) -> Self {
        Self { registry, base: std::env::temp_dir(), search: SearchPath::of_system(), clusters: Arc::default() }
    }

    /// Looks for a Redis server in these folders and nowhere else.
    #[must_use]
    pub fn search_path(mut self, folders: Vec<PathBuf>) -> Self {
        self.search = SearchPath::only(folders);
        self
    }

    /// Makes the folders of leases below this one.
    #[must_use]
    pub fn base(mut self, folder: impl Into<PathBuf>) -> Self {
        self.base = folder.into();
        self
    }

    fn clusters(&self) -> MutexGuard<'_, BTreeMap<String, Vec<BaseProducer>>> {
        self.clusters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn start(&self, ground: &Ground, wanted: &Wanted) -> Result<Lease> {
        let mut lease = Lease {
            id: ground.draft.id().to_owned(),
            dir: ground.draft.dir().to_owned(),
            endpoints: BTreeMap::new(),
            open: Vec::new(),
            admins: BTreeMap::new(),
        };
        for (number, service) in wanted.services.iter().enumerate() {
            let dsn = match service.kind {
                Kind::Sqlite => sqlite(ground.draft.dir(), number).await.map(|up| up.dsn),
                Kind::Redis if self.search.find(&redis::PROGRAMS).is_some() => {
                    redis::start(ground, number, &service.name, std::iter::empty()).await.map(|up| up.dsn)
                }
                Kind::Kafka => self.kafka(&mut lease, service),
                // A number keeps two services apart, the lease's id two leases.
                _ => Ok(Dsn::new(format!("memory:{}-{number}", lease.id))),
            };
            let dsn = dsn.map_err(|error| error.at(Site::service(&service.name)))?;
            let kind = if dsn.scheme() == "memory" { Kind::Memory } else { service.kind };
            lease.endpoints.insert(service.name.clone(), Endpoint { kind, dsn });
        }
        ground.draft.finish(&lease)?;
        Ok(lease)
    }

    fn kafka(&self, lease: &mut Lease, service: &WantedService) -> Result<Dsn> {
        let failed = |error: &dyn fmt::Display| {
            Error::new(Class::Unexpected, format!("the mock cluster of librdkafka does not start: {error}"))
        };
        let producer: BaseProducer =
            ClientConfig::new().set("test.mock.num.brokers", "1").create().map_err(|error| failed(&error))?;
        let servers = {
            let cluster = producer.client().mock_cluster().ok_or_else(|| failed(&"there is none"))?;
            for (topic, partitions) in &service.topics {
                cluster.create_topic(topic, *partitions, 1).map_err(|error| failed(&error))?;
            }
            cluster.bootstrap_servers()
        };
        self.clusters().entry(lease.id.clone()).or_default().push(producer);
        lease.open.push(format!("kafka service `{}`: no authentication, loopback only", service.name));
        Ok(Dsn::new(format!("kafka://{servers}")))
    }
}

#[async_trait]
impl Provider for Embedded {
    fn name(&self) -> &'static str {
        "embedded"
    }

    async fn lease(&self, wanted: &Wanted) -> Result<Lease> {
        wanted.check()?;
        if let Some(service) = wanted.services.iter().find(|s| matches!(s.kind, Kind::Postgres | Kind::Mysql)) {
            return Err(Error::new(
                Class::Input,
                format!("a `{}` service can't run within this process", service.kind),
            )
            .help("use the provider `process`, or `external` with a URL")
            .at(Site::service(&service.name)));
        }
        let child =
            wanted.services.iter().any(|s| s.kind == Kind::Redis) && self.search.find(&redis::PROGRAMS).is_some();
        let account = if child { Account::to_drop_to()? } else { None };
        let draft = self.registry.begin(self.name(), &self.base, account.as_ref())?;
        let ground = Ground { draft, account, search: self.search.clone() };
        let started = self.start(&ground, wanted).await;
        if started.is_err() {
            self.clusters().remove(ground.draft.id());
            // What can't be removed now stays registered, and `gc` tells of it.
            let _ = self.registry.down(ground.draft.id()).await;
        }
        started
    }

    async fn release(&self, lease: &Lease) -> Result<()> {
        self.clusters().remove(&lease.id);
        self.registry.down(&lease.id).await
    }
}
