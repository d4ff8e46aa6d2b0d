//! SQLite: a file.
//!
//! Hidden here: the dialect, and that a type belongs to a value and not to a column. Every column travels as
//! [`ValueType::Tagged`](reenact_model::ValueType::Tagged): the storage class, then the value's text or bytes, so that a text
//! in an integer column, a whole real and a NUL in a text come back as they were. A source is opened read-only; its pin is
//! a read transaction.

mod describe;
mod read;
mod target;

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt};
use reenact_model::catalog::{Identity, Scope};
use reenact_model::{Captured, Class, Dsn, Entity, Error, KeySet, Kind, Part, Position, Result, ServiceCatalog, Site};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Row};
use tokio::sync::Mutex;

use super::table_name;
use crate::{Estimate, MARKER, Pinned, Read, Selection, Source, Store, Target, address};

/// The store of SQLite files.
#[derive(Clone, Copy, Debug)]
pub struct Sqlite;

#[async_trait]
impl Store for Sqlite {
    fn kind(&self) -> Kind {
        Kind::Sqlite
    }

    async fn source(&self, dsn: &Dsn, scope: &Scope) -> Result<Box<dyn Source>> {
        Ok(Box::new(SqliteSource::open(dsn, scope).await?))
    }

    async fn target(&self, dsn: &Dsn, service: &str) -> Result<Box<dyn Target>> {
        Ok(Box::new(target::SqliteTarget::new(Database::open(dsn, service, Access::Write).await?)))
    }

    async fn places(&self, dsn: &Dsn) -> Vec<String> {
        let options = SqliteConnectOptions::from_str(dsn.expose());
        options.map_or_else(|_| Vec::new(), |options| address::of_file(options.get_filename(), ""))
    }

    async fn mark(&self, dsn: &Dsn) -> Result<()> {
        let database = Database::open(dsn, "", Access::Write).await?;
        database.execute(&format!("CREATE TABLE IF NOT EXISTS {MARKER} (note TEXT)")).await
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

/// One connection to one file, for either side.
struct Database {
    service: String,
    path: PathBuf,
    connection: Mutex<SqliteConnection>,
    queries: AtomicU64,
}

impl Database {
    async fn open(dsn: &Dsn, service: &str, access: Access) -> Result<Self> {
        let site = || Site::service(service);
        let options = SqliteConnectOptions::from_str(dsn.expose()).map_err(|_| {
            Error::new(Class::Input, "the url is no SQLite url").at(site()).help("write `sqlite:///path/to/file.db`")
        })?;
        let path = options.get_filename().to_owned();
        let options = options
            .read_only(access == Access::Read)
            .create_if_missing(access == Access::Write)
            .foreign_keys(false)
            .busy_timeout(Duration::from_secs(5))
            .disable_statement_logging();
        let unreachable = || {
            let (why, help) = match std::fs::metadata(&path) {
                Ok(found) if found.is_dir() => ("is a folder", "name the file of a database"),
                Ok(_) if std::fs::File::open(&path).is_ok() => {
                    ("can't be read as a SQLite database", "check that it is one; an encrypted one can't be read")
                }
                Ok(_) => ("can't be opened", "check its permissions"),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => ("is not there", "check the path"),
                Err(_) => ("can't be opened", "check the path and its permissions"),
            };
            Error::new(Class::Unreachable, format!("the file {} {why}", path.display())).at(site()).help(help)
        };
        let mut connection = options.connect().await.map_err(|_| unreachable())?;
        // SQLite opens lazily: only a read shows whether the file is a database.
        let encoding: String =
            sqlx::query_scalar("PRAGMA encoding").fetch_one(&mut connection).await.map_err(|_| unreachable())?;
        let first = sqlx::query("SELECT count(*) FROM sqlite_schema").execute(&mut connection).await;
        first.map_err(|_| unreachable())?;
        if encoding != "UTF-8" {
            return Err(Error::new(Class::Input, format!("the database is encoded in {encoding}"))
                .at(site())
                .help("only UTF-8 databases can be read; convert it with `VACUUM INTO` a new UTF-8 file"));
        }
        let path = std::fs::canonicalize(&path).map_err(|_| unreachable())?;
        Ok(Self { service: service.to_owned(), path, connection: Mutex::new(connection), queries: AtomicU64::new(0) })
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
    async fn rows(&self, statement: String, arguments: &[&str]) -> Result<Vec<SqliteRow>> {
        self.count_query();
        let mut connection = self.connection.lock().await;
        let mut query = sqlx::query(AssertSqlSafe(statement));
        for argument in arguments {
            query = query.bind((*argument).to_owned());
        }
        query.fetch_all(&mut *connection).await.map_err(|error| failure(&error).at(Site::service(&self.service)))
    }

    fn identity(&self) -> Result<Identity> {
        let meta = std::fs::metadata(&self.path)
            .map_err(|_| Error::new(Class::Unreachable, "the file is gone").at(Site::service(&self.service)))?;
        // A file system gives a removed file's inode to the next file; when it was made tells the two apart.
        let born = meta.created().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
        let born = born.map_or_else(String::new, |since| format!("@{}", since.as_nanos()));
        Ok(Identity(format!("sqlite:{}:{}:{}{born}", self.path.display(), meta.dev(), meta.ino())))
    }
}

/// The reading side.
struct SqliteSource {
    database: Database,
    scope: Scope,
}

impl SqliteSource {
    async fn open(dsn: &Dsn, scope: &Scope) -> Result<Self> {
        let database = Database::open(dsn, &scope.service, Access::Read).await?;
        Ok(Self { database, scope: scope.clone() })
    }
}

#[async_trait]
impl Source for SqliteSource {
    async fn describe(&self) -> Result<ServiceCatalog> {
        describe::catalog(&self.database, &self.scope).await
    }

    async fn estimate(&self, read: &Read) -> Result<Estimate> {
        let query = read::Query::new(read)?;
        let rows = self.database.rows(format!("EXPLAIN QUERY PLAN {}", query.sql), &[]).await?;
        let table = table_name(&read.entity);
        let steps: Vec<String> = rows.iter().filter_map(|row| row.try_get::<String, _>("detail").ok()).collect();
        let full_scan =
            steps.iter().any(|step| step.strip_prefix("SCAN ").is_some_and(|rest| rest.starts_with(&table)));
        let rows = if matches!(read.selection, Selection::All) { read.entity.estimate } else { None };
        Ok(Estimate { rows, full_scan, how: steps.join("; ") })
    }

    async fn pin(&mut self, part: &Part, _known: &[(Arc<Entity>, KeySet)]) -> Result<Pinned> {
        if *part != Part::Database {
            let message = format!("a SQLite file has no {part} to pin");
            return Err(Error::new(Class::Input, message).at(Site::service(&self.database.service)));
        }
        self.database.execute("BEGIN").await?;
        self.database.rows("SELECT count(*) FROM sqlite_schema".to_owned(), &[]).await?;
        let rows = self.database.rows("PRAGMA data_version".to_owned(), &[]).await?;
        let version: i64 = rows.first().and_then(|row| row.try_get(0).ok()).unwrap_or_default();
        Ok(Pinned { position: Position::of("data_version", version), gaps: Vec::new() })
    }

    fn read(&self, read: Read) -> BoxStream<'_, Result<Captured>> {
        let (entity, via) = (read.entity.clone(), read.via);
        let captured = move |batch| Captured::new(entity.clone(), batch, via);
        read::batches(&self.database, &read).map(move |batch| batch.map(&captured)).boxed()
    }

    fn queries(&self) -> u64 {
        self.database.queries.load(Ordering::Relaxed)
    }
}

/// A name in double quotes.
fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The one place where SQLite's errors become ours: its number, and of its words only the names of a broken constraint.
fn failure(error: &sqlx::Error) -> Error {
    let Some(database) = error.as_database_error() else {
        return Error::new(Class::Unexpected, "the connection to the file failed");
    };
    let code: i32 = database.code().and_then(|code| code.parse().ok()).unwrap_or_default();
    let message = database.message();
    // 1811 is a trigger's own message, which may hold values; the others name tables and columns.
    let named = match message.split_once("constraint failed: ") {
        Some((_, names)) if code != 1811 => format!(": {names}"),
        _ => String::new(),
    };
    let (class, what) = match code & 0xff {
        5 | 6 => (Class::Unreachable, "the database is locked"),
        8 => (Class::Write, "the file is read-only"),
        10 => (Class::Write, "the disk failed"),
        13 => (Class::Write, "no space is left"),
        11 | 26 => (Class::Unreachable, "the file is no SQLite database, or is damaged"),
        19 => (Class::Write, "a constraint does not hold"),
        20 => (Class::Write, "a value has the wrong type for its column"),
        _ => (Class::Unexpected, "SQLite failed"),
    };
    Error::new(class, format!("{}{named}", super::coded(what, Some(&format!("SQLite error {code}")))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_session_can_write() {
        let folder = tempfile::tempdir().expect("a folder");
        let dsn = Dsn::new(format!("sqlite://{}", folder.path().join("t.db").display()));
        Sqlite.mark(&dsn).await.expect("marks");
        let mut source = SqliteSource::open(&dsn, &Scope::default()).await.expect("opens");
        for pinned in [false, true] {
            if pinned {
                source.pin(&Part::Database, &[]).await.expect("pins");
            }
            for sql in [&format!("INSERT INTO {MARKER} VALUES (1)"), "CREATE TABLE t (id)"] {
                let error = source.database.execute(sql).await.expect_err("nothing is written");
                assert_eq!((error.class(), error.message().contains("read-only")), (Class::Write, true), "{error}");
            }
        }
    }
}
