//! What is asked of a provider and what it answers.
//!
//! Hidden here: how a lease is kept for a later process. Its URLs hold passwords, so they stand in one file (0600) inside
//! the lease's own folder (0700), never in the register.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use reenact_model::{Class, Dsn, Error, Kind, Result, Site};
use serde::{Deserialize, Serialize};

const LEASE_FILE: &str = "lease.json";

/// The services that a run needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// One entry per service; their names differ.
    pub services: Vec<WantedService>,
}

/// One service that a run needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedService {
    /// The service's name in the pipeline.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// Kafka topics with their number of partitions; only an embedded broker needs them beforehand.
    pub topics: Vec<(String, i32)>,
}

impl WantedService {
    /// A service of a name and kind, without topics.
    pub fn new(name: impl Into<String>, kind: Kind) -> Self {
        Self { name: name.into(), kind, topics: Vec::new() }
    }
}

impl Wanted {
    /// The services that a run needs, by name and kind.
    pub fn new<'a>(services: impl IntoIterator<Item = (&'a str, Kind)>) -> Self {
        Self { services: services.into_iter().map(|(name, kind)| WantedService::new(name, kind)).collect() }
    }

    /// Refuses empty and repeated names before anything is started.
    pub(crate) fn check(&self) -> Result<()> {
        let mut seen = BTreeSet::new();
        for service in &self.services {
            if service.name.is_empty() {
                return Err(Error::new(Class::Input, "a wanted service has an empty name"));
            }
            if !seen.insert(&service.name) {
                return Err(Error::new(Class::Input, "the service is wanted twice").at(Site::service(&service.name)));
            }
        }
        Ok(())
    }
}

/// Where one service of a lease is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The service's kind.
    pub kind: Kind,
    /// Its URL, with the credentials of this lease.
    pub dsn: Dsn,
}

/// A set of services that belongs to one run until it is released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// What tells this lease from every other: 16 hexadecimal digits.
    pub id: String,
    /// The lease's own folder (0700), or an empty path if the provider made none.
    pub dir: PathBuf,
    /// One endpoint per wanted service, by the service's name.
    pub endpoints: BTreeMap<String, Endpoint>,
    /// What is left open to others on this machine, one statement each, such as
    /// `kafka service `events`: no authentication, loopback only`.
    pub open: Vec<String>,
    /// URLs of accounts that may do everything on a server, by service, for tests that must set up roles; empty unless
    /// the provider was asked for them.
    #[serde(default)]
    pub admins: BTreeMap<String, Dsn>,
}

impl Lease {
    /// The URL of a service.
    ///
    /// # Errors
    ///
    /// [`Class::Input`] if the lease has no such service.
    pub fn dsn(&self, service: &str) -> Result<&Dsn> {
        self.endpoints.get(service).map(|endpoint| &endpoint.dsn).ok_or_else(|| {
            Error::new(Class::Input, format!("lease `{}` has no such service", self.id)).at(Site::service(service))
        })
    }

    /// Writes the lease, passwords included, into its own folder.
    pub(crate) fn save(&self) -> Result<()> {
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| Error::new(Class::Unexpected, format!("a lease does not serialise: {error}")))?;
        secret_file(&self.dir.join(LEASE_FILE), &text)
            .map_err(|error| Error::new(Class::Write, format!("can't write the lease's own file: {error}")))
    }

    /// Reads what [`Lease::save`] wrote, if it is there.
    pub(crate) fn read(dir: &Path) -> Result<Option<Self>> {
        let path = dir.join(LEASE_FILE);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(Error::new(Class::Unexpected, format!("can't read `{}`: {error}", path.display())));
            }
        };
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|_| Error::new(Class::Unexpected, format!("`{}` does not parse", path.display())))
    }
}

/// Creates a file that only its owner may read; refuses to follow or overwrite what is there.
pub(crate) fn secret_file(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)
}

/// A place where services come from: child processes, URLs that the user gives, this process itself.
///
/// Releasing twice is no error, and neither is releasing what is gone already.
#[async_trait]
pub trait Provider: Send + Sync + fmt::Debug {
    /// The provider's name, as the command line spells it.
    fn name(&self) -> &'static str;

    /// Brings up what is wanted, and returns when every service answers; after an error nothing is left behind.
    async fn lease(&self, wanted: &Wanted) -> Result<Lease>;

    /// Takes away everything that belongs to a lease, in the reverse order of its creation.
    async fn release(&self, lease: &Lease) -> Result<()>;
}
