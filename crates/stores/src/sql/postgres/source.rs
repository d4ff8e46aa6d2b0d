//! The reading side, and the pipeline from a `COPY` to batches, which a target uses too to read back.
//!
//! Hidden here: sessions. One session describes and holds the snapshot; reads run on others that share it, at most two at a
//! time. A session whose read was not finished is closed, never used again: the server stops sending.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use async_trait::async_trait;
use futures::TryStreamExt;
use futures::stream::{BoxStream, StreamExt};
use reenact_model::catalog::Scope;
use reenact_model::{Captured, Class, Dsn, Entity, Error, KeySet, Part, Position, Result, ServiceCatalog, Site};
use sqlx::postgres::PgConnection;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::decode::Decoder;
use super::describe::{describe, text};
use super::{READ_ONLY, connect, execute, fetch, literal, rows, select, unread};
use crate::sql::{Rows, limited};
use crate::stream::produce;
use crate::{Estimate, Pinned, Read, Source};

/// Bytes that are joined before they go to the decoder.
const CHUNK: usize = 1 << 20;
/// Reads at the same time.
const READERS: usize = 2;

/// The sessions that read.
pub(super) struct Sessions {
    dsn: Dsn,
    service: String,
    settings: &'static str,
    snapshot: Mutex<Option<String>>,
    idle: Mutex<Vec<PgConnection>>,
    slots: Arc<Semaphore>,
    queries: AtomicU64,
}

impl Sessions {
    pub(super) fn new(dsn: &Dsn, service: &str, settings: &'static str) -> Arc<Self> {
        Arc::new(Self {
            dsn: dsn.clone(),
            service: service.to_owned(),
            settings,
            snapshot: Mutex::new(None),
            idle: Mutex::new(Vec::new()),
            slots: Arc::new(Semaphore::new(READERS)),
            queries: AtomicU64::new(0),
        })
    }

    async fn take(&self) -> Result<PgConnection> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(connection) = idle {
            return Ok(connection);
        }
        let mut connection = connect(&self.dsn, &self.service, self.settings).await?;
        let snapshot = self.snapshot.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(snapshot) = snapshot {
            let snapshot = literal(&snapshot);
            let begin = format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT {snapshot}");
            execute(&mut connection, &begin).await.map_err(|e| e.at(Site::service(&self.service)))?;
        }
        Ok(connection)
    }

    fn put(&self, connection: PgConnection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }

    /// Forgets idle sessions, so that the next ones start afresh.
    pub(super) fn forget(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(super) fn count_query(&self) {
        self.queries.fetch_add(1, Ordering::Relaxed);
    }
}

/// The rows of a table or of a query in parentheses, as batches: read by one task, decoded by one thread, both bounded.
pub(super) fn copy_out<'a>(
    sessions: &Arc<Sessions>,
    entity: &Arc<Entity>,
    from: String,
    columns: Vec<String>,
) -> Rows<'a> {
    let (sessions, entity) = (sessions.clone(), entity.clone());
    produce(move |out: Sender<RecordBatch>| async move {
        let site = || Site::entity(&entity.id);
        let (chunks, incoming) = channel::<Vec<u8>>(4);
        let mut decoder = Decoder::new(&entity, &columns);
        let decoding = tokio::task::spawn_blocking(move || decode(&mut decoder, incoming, &out));
        let reading = tokio::spawn(read(sessions, entity.clone(), from, chunks));
        let died = |_| Error::new(Class::Unexpected, "a reading task died").at(site());
        let outcome = decoding.await.map_err(died)?;
        // When the decoder stopped, the reader finds its channel closed and stops too.
        let read = reading.await.map_err(died)?;
        read.map_err(|e| e.at(site()))?;
        outcome
    })
}

fn decode(decoder: &mut Decoder, mut incoming: Receiver<Vec<u8>>, out: &Sender<RecordBatch>) -> Result<()> {
    while let Some(chunk) = incoming.blocking_recv() {
        if chunk.is_empty() {
            if let Some(batch) = decoder.finish()? {
                let _ = out.blocking_send(batch);
            }
            return Ok(());
        }
        if !decoder.push(&chunk, &mut |batch| out.blocking_send(batch).is_ok())? {
            return Ok(());
        }
    }
    // The reader failed, and tells why itself.
    Ok(())
}

/// Sends the chunks of a `COPY`, and an empty one at its end.
async fn read(sessions: Arc<Sessions>, entity: Arc<Entity>, from: String, chunks: Sender<Vec<u8>>) -> Result<()> {
    let failed = |error: sqlx::Error| unread(&error, &sessions.dsn, &entity.id);
    let closed = |_| Error::new(Class::Unexpected, "the reader was closed");
    let _slot = sessions.slots.clone().acquire_owned().await.map_err(closed)?;
    let mut connection = sessions.take().await?;
    sessions.count_query();
    {
        let statement = format!("COPY {from} TO STDOUT (FORMAT binary)");
        let mut stream = connection.copy_out_raw(&statement).await.map_err(failed)?;
        let mut joined: Vec<u8> = Vec::with_capacity(CHUNK + (CHUNK >> 3));
        while let Some(bytes) = stream.try_next().await.map_err(failed)? {
            joined.extend_from_slice(&bytes);
            if joined.len() >= CHUNK {
                let full = std::mem::replace(&mut joined, Vec::with_capacity(CHUNK + (CHUNK >> 3)));
                if chunks.send(full).await.is_err() {
                    return Ok(());
                }
            }
        }
        if !joined.is_empty() && chunks.send(joined).await.is_err() {
            return Ok(());
        }
    }
    sessions.put(connection);
    let _ = chunks.send(Vec::new()).await;
    Ok(())
}

/// The batches of a read.
pub(super) fn batches<'a>(sessions: &Arc<Sessions>, read: &Read) -> Rows<'a> {
    let (sql, columns) = match select::select(read) {
        Ok(query) => query,
        Err(error) => return futures::stream::once(async { Err(error) }).boxed(),
    };
    let from = select::plain(read, &columns).unwrap_or_else(|| format!("({sql})"));
    limited(read, copy_out(sessions, &read.entity, from, columns))
}

/// The reading side.
pub(super) struct PgSource {
    main: tokio::sync::Mutex<PgConnection>,
    sessions: Arc<Sessions>,
    scope: Scope,
}

impl PgSource {
    pub(super) async fn open(dsn: &Dsn, scope: &Scope) -> Result<Self> {
        let main = tokio::sync::Mutex::new(connect(dsn, &scope.service, READ_ONLY).await?);
        Ok(Self { main, sessions: Sessions::new(dsn, &scope.service, READ_ONLY), scope: scope.clone() })
    }

    fn site(&self) -> Site {
        Site::service(&self.scope.service)
    }
}

#[async_trait]
impl Source for PgSource {
    async fn describe(&self) -> Result<ServiceCatalog> {
        self.sessions.count_query();
        let mut connection = self.main.lock().await;
        Ok(describe(&mut connection, &self.scope).await.map_err(|e| e.at(self.site()))?.catalog)
    }

    async fn estimate(&self, read: &Read) -> Result<Estimate> {
        self.sessions.count_query();
        let (sql, _) = select::select(read)?;
        let mut connection = self.main.lock().await;
        let found = fetch(&mut connection, &format!("EXPLAIN (FORMAT JSON) {sql}")).await;
        let id = &read.entity.id;
        let found = found.map_err(|e| unread(&e, &self.sessions.dsn, id).at(Site::entity(id)))?;
        let plan: Option<serde_json::Value> = found
            .first()
            .and_then(|row| sqlx::Row::try_get_unchecked::<String, _>(row, 0).ok())
            .and_then(|plan| serde_json::from_str(&plan).ok());
        let top = plan.as_ref().map(|plan| &plan[0]["Plan"]);
        let mut estimate = Estimate { rows: top.and_then(|top| top["Plan Rows"].as_u64()), ..Estimate::default() };
        let large = read.entity.estimate.is_none_or(|rows| rows > 100_000);
        let mut steps = Vec::new();
        if let Some(top) = top {
            walk(top, &mut steps);
        }
        estimate.full_scan = large && steps.iter().any(|step| step.starts_with("Seq Scan"));
        estimate.how = steps.join("; ");
        Ok(estimate)
    }

    async fn pin(&mut self, part: &Part, _known: &[(Arc<Entity>, KeySet)]) -> Result<Pinned> {
        if *part != Part::Database {
            return Err(Error::new(Class::Input, format!("PostgreSQL has no {part} to pin")).at(self.site()));
        }
        let site = self.site();
        let mut connection = self.main.lock().await;
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        execute(&mut connection, begin).await.map_err(|e| e.at(site.clone()))?;
        let sql = "SELECT pg_export_snapshot() AS snapshot, (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() \
                   ELSE pg_current_wal_lsn() END)::text AS lsn, count(*) FROM pg_class";
        let found = rows(&mut connection, sql).await.map_err(|e| e.at(site))?;
        let get = |column| found.first().map(|row| text(row, column)).unwrap_or_default();
        let snapshot = get("snapshot");
        *self.sessions.snapshot.lock().unwrap_or_else(PoisonError::into_inner) = Some(snapshot.clone());
        self.sessions.forget();
        Ok(Pinned { position: Position::of("lsn", get("lsn")).with("snapshot", snapshot), gaps: Vec::new() })
    }

    fn read(&self, read: Read) -> BoxStream<'_, Result<Captured>> {
        let (entity, via) = (read.entity.clone(), read.via);
        batches(&self.sessions, &read).map(move |batch| Ok(Captured::new(entity.clone(), batch?, via))).boxed()
    }

    fn queries(&self) -> u64 {
        self.sessions.queries.load(Ordering::Relaxed)
    }
}

/// The steps of a plan, by node and the names it uses; a plan's conditions hold values and are left out.
fn walk(node: &serde_json::Value, steps: &mut Vec<String>) {
    if let Some(kind) = node["Node Type"].as_str() {
        let mut step = kind.to_owned();
        for (word, name) in [(" using ", "Index Name"), (" on ", "Relation Name")] {
            if let Some(name) = node[name].as_str() {
                step.push_str(word);
                step.push_str(name);
            }
        }
        steps.push(step);
    }
    for child in node["Plans"].as_array().into_iter().flatten() {
        walk(child, steps);
    }
}

#[cfg(test)]
mod tests {
    use reenact_model::Kind;

    use super::*;
    use crate::sql::common::Server;

    #[tokio::test(flavor = "multi_thread")]
    async fn no_session_can_write() {
        Server::with(Kind::Postgres, async |server| {
            let dsn = server.with_tables("CREATE TABLE t (id int); CREATE SEQUENCE s").await;
            let mut source = PgSource::open(&dsn, &Scope::default()).await.expect("opens");
            for pinned in [false, true] {
                if pinned {
                    source.pin(&Part::Database, &[]).await.expect("pins");
                }
                for sql in ["INSERT INTO public.t VALUES (1)", "SELECT nextval('public.s')", "CREATE TABLE public.u ()"]
                {
                    let mut reading = source.sessions.take().await.expect("connects");
                    let mut main = source.main.lock().await;
                    // What fails ends a transaction, so the pin's own session is tried when it is not needed any more.
                    let all = if pinned { vec![&mut reading] } else { vec![&mut *main, &mut reading] };
                    for connection in all {
                        let error = execute(connection, sql).await.expect_err("nothing is written");
                        assert_eq!(error.class(), Class::Refused, "{sql}: {error}");
                    }
                }
            }
            let mut main = source.main.lock().await;
            let error = execute(&mut main, "INSERT INTO public.t VALUES (1)").await.expect_err("nothing is written");
            assert_eq!(error.class(), Class::Refused, "{error}");
        })
        .await;
    }

    async fn ids(source: &PgSource, entity: &Arc<Entity>) -> Result<usize> {
        let read = Read {
            entity: entity.clone(),
            columns: Vec::new(),
            selection: crate::Selection::All,
            via: reenact_model::Via::root(0),
            limit: None,
            ordered: false,
        };
        source.read(read).try_fold(0, async |sum, rows| Ok(sum + rows.rows())).await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_session_of_a_pin_reads_at_one_moment() {
        Server::with(Kind::Postgres, async |server| {
            let dsn = server.with_tables("CREATE TABLE t (id int); CREATE TABLE u (id int)").await;
            let mut source = PgSource::open(&dsn, &Scope::default()).await.expect("opens");
            let catalog = source.describe().await.expect("describes");
            let table = |name: &str| catalog.entity(name).expect("a table").clone();
            source.pin(&Part::Database, &[]).await.expect("pins");
            let both = "WITH t AS (INSERT INTO t VALUES (1)) INSERT INTO u VALUES (1)";
            server.run(&dsn, both).await;
            assert_eq!(ids(&source, &table("public.t")).await.expect("reads"), 0, "the first session");
            // That session is taken, so the next read needs another one.
            let taken = source.sessions.take().await.expect("connects");
            server.run(&dsn, both).await;
            assert_eq!(ids(&source, &table("public.u")).await.expect("reads"), 0, "a session opened later");
            drop(taken);
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_table_that_a_policy_of_rows_would_shorten_is_refused() {
        Server::with(Kind::Postgres, async |server| {
            let dsn = server
                .with_tables(
                    "CREATE TABLE t (id int); INSERT INTO t VALUES (1), (2); CREATE POLICY ones ON t USING (id = 1);
                     ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY",
                )
                .await;
            let mut source =
                PgSource::open(&dsn, &Scope { service: "s".into(), ..Scope::default() }).await.expect("opens");
            let table = source.describe().await.expect("describes").entity("public.t").expect("a table").clone();
            for pinned in [false, true] {
                if pinned {
                    source.pin(&Part::Database, &[]).await.expect("pins");
                }
                let error = ids(&source, &table).await.expect_err("never fewer rows in silence");
                assert_eq!((error.class(), error.site().entity.as_deref()), (Class::Unreachable, Some("public.t")));
                assert!(error.message().contains("row-level security"), "{error}");
                assert!(error.help_text().is_some_and(|help| help.contains("BYPASSRLS")), "{error}");
            }
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_missing_right_is_told_with_the_statement_that_gives_it() {
        Server::with(Kind::Postgres, async |server| {
            let dsn = server.database().await;
            let theirs = "CREATE SCHEMA theirs; CREATE TABLE theirs.\"T\" (id int)";
            server.run(&server.admin(&dsn), theirs).await;
            let source = PgSource::open(&dsn, &Scope { service: "s".into(), ..Scope::default() }).await.expect("opens");
            let table = source.describe().await.expect("describes").entities[0].clone();
            let read = Read {
                entity: table.clone(),
                columns: Vec::new(),
                selection: crate::Selection::All,
                via: reenact_model::Via::root(0),
                limit: None,
                ordered: false,
            };
            let estimated = source.estimate(&read).await.map(|_| 0);
            for outcome in [ids(&source, &table).await, estimated] {
                let error = outcome.expect_err("no right");
                assert_eq!(
                    (error.class(), error.site().entity.as_deref()),
                    (Class::Unreachable, Some(&*table.id.name))
                );
                let help = error.help_text().expect("a help");
                assert!(help.contains("GRANT USAGE ON SCHEMA \"theirs\" TO"), "{error}");
                assert!(help.contains("GRANT SELECT ON \"theirs\".\"T\" TO"), "{error}");
            }
        })
        .await;
    }
}
