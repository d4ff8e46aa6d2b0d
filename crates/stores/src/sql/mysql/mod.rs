//! MySQL and MariaDB.
//!
//! Hidden here: the dialect in both directions. Rows come by the text protocol, in which every value has an exact text (a
//! `FLOAT` is asked for as a `DOUBLE`, a `BIT` as a number); dates stay texts, since `0000-00-00` and `2020-00-00` are values
//! there. Stock MySQL shares no snapshot between sessions, so one session reads.

mod describe;
mod read;
mod target;

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt};
use reenact_model::catalog::Scope;
use reenact_model::{Captured, Class, Dsn, Entity, Error, KeySet, Kind, Part, Position, Result, ServiceCatalog, Site};
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlDatabaseError, MySqlRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Decode, MySql, Row, ValueRef};
use tokio::sync::Mutex;

use crate::{Estimate, MARKER, Pinned, Read, Source, Store, Target, address};

/// The store of MySQL and MariaDB databases.
#[derive(Clone, Copy, Debug)]
pub struct Mysql;

#[async_trait]
impl Store for Mysql {
    fn kind(&self) -> Kind {
        Kind::Mysql
    }

    async fn source(&self, dsn: &Dsn, scope: &Scope) -> Result<Box<dyn Source>> {
        Ok(Box::new(MysqlSource::open(dsn, scope).await?))
    }

    async fn target(&self, dsn: &Dsn, service: &str) -> Result<Box<dyn Target>> {
        let writing = "SET SESSION foreign_key_checks = 0";
        Ok(Box::new(target::MysqlTarget::new(Database::open(dsn, service, writing).await?)))
    }

    async fn places(&self, dsn: &Dsn) -> Vec<String> {
        let Ok(options) = MySqlConnectOptions::from_str(dsn.expose()) else { return Vec::new() };
        let database = options.get_database().unwrap_or_default();
        match options.get_socket() {
            Some(socket) => address::of_file(socket, &format!("{} {database}", options.get_port())),
            None => address::of_host(options.get_host(), options.get_port(), database).await,
        }
    }

    async fn mark(&self, dsn: &Dsn) -> Result<()> {
        let database = Database::open(dsn, "", "DO 0").await?;
        database.execute(&format!("CREATE TABLE IF NOT EXISTS {MARKER} (note TEXT)")).await
    }
}

/// One session, for either side.
struct Database {
    service: String,
    connection: Mutex<MySqlConnection>,
    queries: AtomicU64,
}

/// A row of a catalog query: texts by position.
type Texts = Vec<Option<String>>;

impl Database {
    async fn open(dsn: &Dsn, service: &str, settings: &'static str) -> Result<Self> {
        let site = || Site::service(service);
        let options = MySqlConnectOptions::from_str(dsn.expose()).map_err(|_| {
            Error::new(Class::Input, "the url is no MySQL url")
                .at(site())
                .help("write `mysql://user@host:3306/database`")
        })?;
        let options = options.charset("utf8mb4").disable_statement_logging();
        let mut connection =
            super::in_time(options.connect()).await.map_err(|error| unreachable(&error, dsn).at(site()))?;
        // Zero dates and the id 0 are values; backslashes stand for themselves nowhere, since literals are hexadecimal.
        let session = "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION', \
                       SESSION time_zone = '+00:00', SESSION sql_quote_show_create = 1, SESSION group_concat_max_len = 1048576";
        for statement in [session, settings] {
            sqlx::raw_sql(statement).execute(&mut connection).await.map_err(|error| failure(&error).at(site()))?;
        }
        let database =
            Self { service: service.to_owned(), connection: Mutex::new(connection), queries: AtomicU64::new(0) };
        if database.texts("SELECT DATABASE()").await?.first().is_none_or(|row| row[0].is_none()) {
            return Err(Error::new(Class::Input, "the url names no database").at(site()));
        }
        Ok(database)
    }

    fn count_query(&self) {
        self.queries.fetch_add(1, Ordering::Relaxed);
    }

    async fn execute(&self, statement: &str) -> Result<()> {
        self.count_query();
        let mut connection = self.connection.lock().await;
        let done = sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut *connection).await;
        done.map(|_| ()).map_err(|error| failure(&error).at(Site::service(&self.service)))
    }

    /// Rows of a catalog query; never of an entity.
    async fn texts(&self, statement: &str) -> Result<Vec<Texts>> {
        self.count_query();
        let mut connection = self.connection.lock().await;
        let rows = sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).fetch_all(&mut *connection).await;
        let rows = rows.map_err(|error| failure(&error).at(Site::service(&self.service)))?;
        let text = |row: &MySqlRow, at| cell(row, at).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        Ok(rows.iter().map(|row| (0..row.len()).map(|at| text(row, at)).collect()).collect())
    }
}

/// A value of the text protocol as it came.
fn cell(row: &MySqlRow, at: usize) -> Option<&[u8]> {
    let value = row.try_get_raw(at).ok().filter(|value| !value.is_null())?;
    <&[u8] as Decode<MySql>>::decode(value).ok()
}

/// The reading side.
struct MysqlSource {
    database: Database,
    scope: Scope,
}

impl MysqlSource {
    async fn open(dsn: &Dsn, scope: &Scope) -> Result<Self> {
        let database = Database::open(dsn, &scope.service, "SET SESSION TRANSACTION READ ONLY").await?;
        Ok(Self { database, scope: scope.clone() })
    }
}

#[async_trait]
impl Source for MysqlSource {
    async fn describe(&self) -> Result<ServiceCatalog> {
        describe::catalog(&self.database, &self.scope).await
    }

    async fn estimate(&self, read: &Read) -> Result<Estimate> {
        let (sql, _) = read::select(read)?;
        let plan = self.database.texts(&format!("EXPLAIN {sql}")).await?;
        // id, select_type, table, [partitions,] type, possible_keys, key, …, rows: the places differ between the two servers.
        let mut estimate = Estimate::default();
        let mut steps = Vec::new();
        for row in &plan {
            let at = |n: usize| row.get(n).cloned().flatten().unwrap_or_default();
            let shift = usize::from(row.len() > 10);
            let (kind, rows) = (at(3 + shift), at(8 + shift).parse::<u64>().ok());
            estimate.rows = estimate.rows.max(rows);
            estimate.full_scan |= kind == "ALL" && rows.is_some_and(|rows| rows > 100_000);
            steps.push(format!("{kind} on {} using {}", at(2), at(5 + shift)));
        }
        estimate.how = steps.join("; ");
        Ok(estimate)
    }

    async fn pin(&mut self, part: &Part, _known: &[(Arc<Entity>, KeySet)]) -> Result<Pinned> {
        let site = Site::service(&self.database.service);
        if *part != Part::Database {
            return Err(Error::new(Class::Input, format!("MySQL has no {part} to pin")).at(site));
        }
        self.database.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ").await?;
        self.database.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").await?;
        let now = self.database.texts("SELECT UTC_TIMESTAMP(6)").await?;
        let mut position = Position::of("taken_at", now.first().and_then(|row| row[0].clone()).unwrap_or_default());
        // What the account may see of the log's position; MariaDB tells that of the snapshot itself.
        for (sql, name) in [
            ("SHOW STATUS LIKE 'binlog_snapshot_%'", None),
            ("SELECT @@global.gtid_executed", Some("gtid_executed")),
            ("SELECT @@global.gtid_binlog_pos", Some("gtid_binlog_pos")),
        ] {
            for row in self.database.texts(sql).await.unwrap_or_default() {
                let text = |at: usize| row.get(at).cloned().flatten().unwrap_or_default();
                let (key, value) = name.map_or_else(|| (text(0).to_lowercase(), text(1)), |n| (n.to_owned(), text(0)));
                if !value.is_empty() && value != "0" {
                    position = position.with(&key, value);
                }
            }
        }
        let sql = "SELECT TABLE_NAME, ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() \
                   AND TABLE_TYPE LIKE '%TABLE' AND ENGINE NOT IN ('InnoDB', 'RocksDB')";
        let loose = self.database.texts(sql).await?;
        let gaps = loose.iter().map(|row| {
            let text = |at: usize| row[at].clone().unwrap_or_default();
            format!("table `{}` ({}) is not transactional: it is read as it is later", text(0), text(1))
        });
        Ok(Pinned { position, gaps: gaps.collect() })
    }

    fn read(&self, read: Read) -> BoxStream<'_, Result<Captured>> {
        let (entity, via) = (read.entity.clone(), read.via);
        read::batches(&self.database, &read).map(move |batch| Ok(Captured::new(entity.clone(), batch?, via))).boxed()
    }

    fn queries(&self) -> u64 {
        self.database.queries.load(Ordering::Relaxed)
    }
}

/// A name in backticks.
fn quote(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text as a hexadecimal literal, which nothing in it can end.
fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(3 + bytes.len() * 2);
    out.push_str("x'");
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
    out.push('\'');
    out
}

fn unreachable(error: &sqlx::Error, dsn: &Dsn) -> Error {
    let number = number(error);
    let (what, help) = match number {
        Some(1045 | 1044 | 1698) => ("did not let us in", "check the user, the password and the grants"),
        Some(1049) => ("has no such database", "check the database in the url"),
        Some(1040) => ("has no connection left", "raise `max_connections` or close other sessions"),
        _ => ("can't be reached", "check the host, the port and that the server runs"),
    };
    let code = number.map(|n| format!("MySQL error {n}"));
    let message = super::coded(&format!("{} {what}", dsn.place()), code.as_deref());
    Error::new(Class::Unreachable, message).help(help)
}

fn number(error: &sqlx::Error) -> Option<u16> {
    let database = error.as_database_error()?.try_downcast_ref::<MySqlDatabaseError>()?;
    Some(database.number())
}

/// The one place where the server's errors become ours: the number, and the name of a broken key; never the message, which
/// quotes the row (`Duplicate entry '…'`).
fn failure(error: &sqlx::Error) -> Error {
    let Some(number) = number(error) else {
        return match error {
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) => Error::new(Class::Unreachable, "the connection broke"),
            _ => Error::new(Class::Unexpected, "the driver failed"),
        };
    };
    let (class, what) = match number {
        1062 | 1586 => (Class::Write, "a unique key does not hold"),
        1048 | 1364 => (Class::Write, "a column must not be NULL"),
        1216 | 1217 | 1451 | 1452 => (Class::Write, "a foreign key does not hold"),
        3819 | 4025 => (Class::Write, "a check does not hold"),
        1264 | 1265 | 1292 | 1366 | 1406 | 1416 => (Class::Write, "a value does not fit its column"),
        1021 | 1114 | 3 | 28 => (Class::Write, "no space is left"),
        1044 | 1142 | 1143 | 1227 | 1370 => (Class::Unreachable, "the account has no right to do this"),
        1792 => (Class::Refused, "the session is read-only"),
        1205 | 1213 => (Class::Limit, "a lock was not free in time"),
        1153 => (Class::Limit, "a statement is larger than the server's `max_allowed_packet`"),
        1969 | 3024 => (Class::Limit, "the statement timed out"),
        1053 | 1927 | 2006 | 2013 => (Class::Unreachable, "the server closed the session"),
        _ => (Class::Unexpected, "the server refused a statement"),
    };
    Error::new(class, super::coded(what, Some(&format!("MySQL error {number}"))))
}

/// The same for a statement that reads a table, with the statement that would allow it.
fn unread(error: &sqlx::Error, entity: &Entity) -> Error {
    let failed = failure(error);
    if matches!(number(error), Some(1142 | 1143)) {
        let table = quote(&super::table_name(entity));
        return failed.help(format!("run `GRANT SELECT ON {table} TO` the URL's account, in the URL's database"));
    }
    failed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::common::Server;

    #[tokio::test(flavor = "multi_thread")]
    async fn no_session_can_write() {
        Server::with(Kind::Mysql, async |server| {
            let dsn = server.with_tables("CREATE TABLE t (id int)").await;
            let mut source = MysqlSource::open(&dsn, &Scope::default()).await.expect("opens");
            for pinned in [false, true] {
                if pinned {
                    source.pin(&Part::Database, &[]).await.expect("pins");
                }
                for sql in ["INSERT INTO t VALUES (1)", "TRUNCATE t", "CREATE TABLE u (id int)"] {
                    let error = source.database.execute(sql).await.expect_err("nothing is written");
                    assert_eq!(error.class(), Class::Refused, "{sql}: {error}");
                }
            }
        })
        .await;
    }
}
