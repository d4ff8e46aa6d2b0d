//! Leases one service of each kind from the `process` provider, writes the lease's id, and holds it until it is killed.
//!
//! `hold STATE_FOLDER BASE_FOLDER`: what is left after a kill is removed by `Registry::at(STATE_FOLDER)?.gc()`.

use std::io::Write as _;
use std::path::PathBuf;

use reenact_environment::{Process, Provider, Registry, Wanted};
use reenact_model::{Class, Error, Kind, Result};

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(state), Some(base)) = (arguments.next(), arguments.next()) else {
        return Err(Error::new(Class::Input, "two folders are needed").help("hold STATE_FOLDER BASE_FOLDER"));
    };
    let wanted = Wanted::new([
        ("orders", Kind::Postgres),
        ("billing", Kind::Mysql),
        ("ledger", Kind::Sqlite),
        ("cart", Kind::Redis),
        ("events", Kind::Kafka),
    ]);
    let began = std::time::Instant::now();
    let lease = Process::new(Registry::at(state)?).base(base).lease(&wanted).await?;
    let mut out = std::io::stdout();
    writeln!(out, "{} up after {} ms", lease.id, began.elapsed().as_millis())
        .and_then(|()| out.flush())
        .map_err(|error| Error::new(Class::Write, format!("can't write: {error}")))?;
    std::future::pending().await
}
