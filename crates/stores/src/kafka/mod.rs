//! Apache Kafka.

use async_trait::async_trait;
use reenact_model::catalog::{Kind, Scope};
use reenact_model::{Class, Dsn, Error, Result};

use crate::{Source, Store, Target};

/// The store of kind `kafka`.
#[derive(Debug)]
pub struct Kafka;

#[async_trait]
impl Store for Kafka {
    fn kind(&self) -> Kind {
        Kind::Kafka
    }

    async fn source(&self, _dsn: &Dsn, _scope: &Scope) -> Result<Box<dyn Source>> {
        Err(Error::new(Class::Unexpected, "not built yet"))
    }

    async fn target(&self, _dsn: &Dsn, _service: &str) -> Result<Box<dyn Target>> {
        Err(Error::new(Class::Unexpected, "not built yet"))
    }

    async fn mark(&self, _dsn: &Dsn) -> Result<()> {
        Err(Error::new(Class::Unexpected, "not built yet"))
    }
}
