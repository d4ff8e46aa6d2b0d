//! Services that are there already, at URLs that the user gives.
//!
//! Hidden here: nothing is started and nothing is stopped. Whether such a server may be written to is decided elsewhere,
//! by the marker in it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use async_trait::async_trait;
use reenact_model::{Class, Error, Kind, Result, Site};

use crate::lease::{Endpoint, Lease, Provider, Wanted};
use crate::names::random_hex;

/// The provider of services at URLs that the user gives.
#[derive(Clone, Debug)]
pub struct External {
    endpoints: BTreeMap<String, Endpoint>,
}

impl External {
    /// A provider of these endpoints, by service name.
    pub fn new(endpoints: BTreeMap<String, Endpoint>) -> Self {
        Self { endpoints }
    }
}

#[async_trait]
impl Provider for External {
    fn name(&self) -> &'static str {
        "external"
    }

    /// Picks an endpoint of the right kind for each wanted service; no server is asked.
    async fn lease(&self, wanted: &Wanted) -> Result<Lease> {
        wanted.check()?;
        let mut endpoints = BTreeMap::new();
        for service in &wanted.services {
            let site = || Site::service(&service.name);
            let endpoint = self.endpoints.get(&service.name).ok_or_else(|| {
                Error::new(Class::Input, "no URL is given for the service")
                    .help(format!("give a `{}` URL for `{}`", service.kind, service.name))
                    .at(site())
            })?;
            if endpoint.kind != service.kind {
                let message =
                    format!("the URL given is of a `{}` service, wanted is `{}`", endpoint.kind, service.kind);
                return Err(Error::new(Class::Input, message).at(site()));
            }
            if !schemes(service.kind).contains(&endpoint.dsn.scheme()) {
                let message = format!("a `{}` URL does not begin with `{}:`", service.kind, endpoint.dsn.scheme());
                let help = format!("begin it with one of {}", schemes(service.kind).join(", "));
                return Err(Error::new(Class::Input, message).help(help).at(site()));
            }
            endpoints.insert(service.name.clone(), endpoint.clone());
        }
        Ok(Lease { id: random_hex(8)?, dir: PathBuf::new(), endpoints, open: Vec::new(), admins: BTreeMap::new() })
    }

    /// Leaves the servers alone.
    async fn release(&self, _lease: &Lease) -> Result<()> {
        Ok(())
    }
}

fn schemes(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Postgres => &["postgres", "postgresql"],
        Kind::Mysql => &["mysql", "mariadb"],
        Kind::Sqlite => &["sqlite"],
        Kind::Redis => &["redis", "rediss", "valkey", "valkeys"],
        Kind::Kafka => &["kafka"],
        Kind::Memory => &["memory"],
    }
}
