//! How fast whole tables leave PostgreSQL and come back: `REENACT_BENCH_URL=postgres://… cargo bench -p reenact-stores`.
//!
//! Reads every table of the database and drops it; with `REENACT_BENCH_TARGET`, an empty database, loads it there too.

#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]

use std::time::Instant;

use futures::{StreamExt, TryStreamExt};
use reenact_model::catalog::Scope;
use reenact_model::{Dsn, Result};
use reenact_stores::conformance::everything;
use reenact_stores::sql::postgres::Postgres;
use reenact_stores::{LoadStep, Store};

fn url(name: &str) -> Option<Dsn> {
    std::env::var(name).ok().map(Dsn::new)
}

#[tokio::main]
async fn main() -> Result<()> {
    let Some(from) = url("REENACT_BENCH_URL") else {
        println!("not measured: REENACT_BENCH_URL is not set");
        return Ok(());
    };
    let scope = Scope { service: "bench".into(), ..Scope::default() };
    let source = Postgres.source(&from, &scope).await?;
    let catalog = source.describe().await?;
    for entity in &catalog.entities {
        for round in 1..=3 {
            let (started, mut rows) = (Instant::now(), 0);
            let mut batches = source.read(everything(entity));
            while let Some(batch) = batches.try_next().await? {
                rows += batch.rows();
            }
            println!("read {} round {round}: {rows} rows in {:.2} s", entity.id, started.elapsed().as_secs_f64());
        }
    }
    let Some(to) = url("REENACT_BENCH_TARGET") else { return Ok(()) };
    Postgres.mark(&to).await?;
    let mut target = Postgres.target(&to, "bench").await?;
    target.gates(std::slice::from_ref(&catalog.identity)).await?;
    let started = Instant::now();
    target.prepare(&catalog).await?;
    for entity in &catalog.entities {
        #[expect(clippy::disallowed_methods, reason = "the rows of a benchmark were never real")]
        let batches = source.read(everything(entity)).map(|batch| Ok(batch?.expose().1)).boxed();
        let rows = target.load(&LoadStep::Insert { entity: entity.clone(), later: Vec::new() }, batches).await?.rows;
        println!("load {}: {rows} rows after {:.2} s", entity.id, started.elapsed().as_secs_f64());
    }
    target.settle(&catalog, &[]).await?;
    println!("settled after {:.2} s", started.elapsed().as_secs_f64());
    Ok(())
}
