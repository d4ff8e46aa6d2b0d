//! Native servers as child processes, on free loopback ports, in a folder that is thrown away.
//!
//! Hidden here: which server programs serve which kind and how each is brought up with credentials of its own. All
//! PostgreSQL services of a lease share one server and all MySQL services another, with a database and an account per
//! service that does not let the others in; every Redis and every Kafka service has a server of its own, since neither
//! keeps two services apart within one. A SQLite service is a file. The servers of a lease start at the same time, and
//! no server ever listens without its password, except Kafka, of which the lease says so.

mod kafka;
mod mariadb;
mod postgres;
pub(crate) mod redis;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use reenact_model::{Class, Dsn, Error, Kind, Result, Site};
use tokio::task::JoinSet;

use crate::account::Account;
use crate::child::Ground;
use crate::lease::{Endpoint, Lease, Provider, Wanted, WantedService};
use crate::names::sqlite_url;
use crate::programs::SearchPath;
use crate::registry::Registry;

/// The provider of native servers as child processes.
#[derive(Clone, Debug)]
pub struct Process {
    registry: Registry,
    base: PathBuf,
    search: SearchPath,
    options: Options,
}

/// What all servers of a lease are told.
#[derive(Clone, Debug, Default)]
struct Options {
    settings: Vec<(Kind, String, String)>,
    admins: bool,
    cache: Option<PathBuf>,
}

impl Options {
    fn settings(&self, kind: Kind) -> impl Iterator<Item = (&str, &str)> {
        self.settings.iter().filter(move |(k, ..)| *k == kind).map(|(_, name, value)| (name.as_str(), value.as_str()))
    }
}

/// One service that answers.
struct Up {
    service: String,
    kind: Kind,
    dsn: Dsn,
    admin: Option<Dsn>,
    open: Option<String>,
}

impl Process {
    /// A provider that registers what it starts, finds programs on `PATH` and where distributions put them, and makes its
    /// folders where the system keeps temporary files.
    pub fn new(registry: Registry) -> Self {
        Self { registry, base: std::env::temp_dir(), search: SearchPath::of_system(), options: Options::default() }
    }

    /// Looks for server programs in these folders and nowhere else.
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

    /// Keeps what was downloaded (Kafka's jars) below this folder instead of the user's cache.
    #[must_use]
    pub fn cache(mut self, folder: impl Into<PathBuf>) -> Self {
        self.options.cache = Some(folder.into());
        self
    }

    /// Passes a setting to every server of a kind, in the words of its own configuration file.
    #[must_use]
    pub fn setting(mut self, kind: Kind, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.settings.push((kind, name.into(), value.into()));
        self
    }

    /// Keeps an account per SQL server that may do everything, and tells its URLs in [`Lease::admins`]; without this
    /// nobody can log in as such.
    #[must_use]
    pub fn with_admins(mut self) -> Self {
        self.options.admins = true;
        self
    }

    async fn start(&self, ground: &Arc<Ground>, wanted: &Wanted) -> Result<Lease> {
        let mut starting: JoinSet<Result<Vec<Up>>> = JoinSet::new();
        let of = |kind: Kind| wanted.services.iter().filter(move |s| s.kind == kind).cloned().collect::<Vec<_>>();
        let options = Arc::new(self.options.clone());
        let (shared, jars) = (|| (Arc::clone(ground), Arc::clone(&options)), Arc::<kafka::Jars>::default());
        if let services @ [_, ..] = of(Kind::Postgres).as_slice() {
            let (services, (ground, options)) = (services.to_vec(), shared());
            starting.spawn(async move { postgres::start(&ground, &services, &options).await });
        }
        if let services @ [_, ..] = of(Kind::Mysql).as_slice() {
            let (services, (ground, options)) = (services.to_vec(), shared());
            starting.spawn(async move { mariadb::start(&ground, &services, &options).await });
        }
        for (number, service) in wanted.services.iter().cloned().enumerate() {
            let ((ground, options), jars) = (shared(), Arc::clone(&jars));
            starting.spawn(async move {
                let up = match service.kind {
                    Kind::Redis => redis::start(&ground, number, &service.name, options.settings(Kind::Redis)).await,
                    Kind::Kafka => kafka::start(&ground, number, &service.name, &options, &jars).await,
                    Kind::Sqlite => sqlite(ground.draft.dir(), number).await,
                    Kind::Postgres | Kind::Mysql | Kind::Memory => return Ok(Vec::new()),
                };
                up.map(|up| vec![up.into_up(&service)]).map_err(|error| error.at(Site::service(&service.name)))
            });
        }
        let mut lease = Lease {
            id: ground.draft.id().to_owned(),
            dir: ground.draft.dir().to_owned(),
            endpoints: BTreeMap::new(),
            open: Vec::new(),
            admins: BTreeMap::new(),
        };
        while let Some(ended) = starting.join_next().await {
            let up = ended.map_err(|error| Error::new(Class::Unexpected, format!("starting a server failed: {error}")));
            match up.and_then(|up| up) {
                Ok(up) => up.into_iter().for_each(|up| add(&mut lease, up)),
                Err(error) => {
                    // Nothing may be started any more once the caller takes the lease down.
                    starting.shutdown().await;
                    return Err(error);
                }
            }
        }
        lease.open.sort();
        ground.draft.finish(&lease)?;
        Ok(lease)
    }
}

fn add(lease: &mut Lease, up: Up) {
    lease.open.extend(up.open);
    if let Some(admin) = up.admin {
        lease.admins.insert(up.service.clone(), admin);
    }
    lease.endpoints.insert(up.service, Endpoint { kind: up.kind, dsn: up.dsn });
}

/// A server with one service.
pub(crate) struct Single {
    pub(crate) dsn: Dsn,
    pub(crate) open: Option<String>,
}

impl Single {
    fn into_up(self, service: &WantedService) -> Up {
        Up { service: service.name.clone(), kind: service.kind, dsn: self.dsn, admin: None, open: self.open }
    }
}

/// Makes an empty SQLite file, and opens it once.
pub(crate) async fn sqlite(dir: &Path, number: usize) -> Result<Single> {
    use sqlx::{ConnectOptions as _, Connection as _};
    let path = dir.join(format!("{number}.db"));
    let cannot = |error: sqlx::Error| Error::new(Class::Write, format!("can't make a SQLite file: {error}"));
    crate::lease::secret_file(&path, b"")
        .map_err(|error| Error::new(Class::Write, format!("can't make a SQLite file: {error}")))?;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let mut connection = options.connect().await.map_err(cannot)?;
    sqlx::query("SELECT 1").execute(&mut connection).await.map_err(cannot)?;
    connection.close().await.map_err(cannot)?;
    Ok(Single { dsn: Dsn::new(sqlite_url(&path)), open: None })
}

#[async_trait]
impl Provider for Process {
    fn name(&self) -> &'static str {
        "process"
    }

    async fn lease(&self, wanted: &Wanted) -> Result<Lease> {
        wanted.check()?;
        if let Some(service) = wanted.services.iter().find(|service| service.kind == Kind::Memory) {
            return Err(Error::new(Class::Input, "a `memory` service is no server that `process` could start")
                .help("use the provider `embedded`")
                .at(Site::service(&service.name)));
        }
        let servers = wanted.services.iter().any(|service| service.kind != Kind::Sqlite);
        let account = if servers { Account::to_drop_to()? } else { None };
        let draft = self.registry.begin(self.name(), &self.base, account.as_ref())?;
        let ground = Arc::new(Ground { draft, account, search: self.search.clone() });
        let started = self.start(&ground, wanted).await;
        if started.is_err() {
            // What can't be removed now stays registered, and `gc` tells of it.
            let _ = self.registry.down(ground.draft.id()).await;
        }
        started
    }

    async fn release(&self, lease: &Lease) -> Result<()> {
        self.registry.down(&lease.id).await
    }
}
