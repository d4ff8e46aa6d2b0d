//! Real servers for one test, and databases on them.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::os::unix::fs::PermissionsExt as _;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::FutureExt;
use reenact_environment::{Lease, Process, Provider, Registry, Wanted};
use reenact_model::{Dsn, Kind};
use sqlx::{AssertSqlSafe, Connection, MySqlConnection, PgConnection};

/// A server of one kind, with as many databases as a test asks for.
pub(crate) struct Server {
    lease: Lease,
    kind: Kind,
    next: AtomicU32,
}

impl Server {
    /// Runs a test with a server of a kind, and takes the server away whether or not the test passes.
    pub(crate) async fn with(kind: Kind, body: impl AsyncFnOnce(&Server)) {
        let open = std::fs::Permissions::from_mode(0o755);
        let folder = tempfile::Builder::new().prefix("st-").permissions(open).tempdir().expect("a folder");
        let state = tempfile::tempdir().expect("a folder");
        let registry = Registry::at(state.path()).expect("a register");
        let provider = Process::new(registry).base(folder.path()).with_admins();
        let lease = provider.lease(&Wanted::new([("db", kind)])).await.expect("a server");
        let server = Server { lease: lease.clone(), kind, next: AtomicU32::new(0) };
        let result = AssertUnwindSafe(body(&server)).catch_unwind().await;
        provider.release(&lease).await.expect("released");
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    }

    /// The same server and account, another database.
    #[expect(clippy::unused_self, reason = "a question to the server")]
    pub(crate) fn at(&self, dsn: &Dsn, database: &str) -> Dsn {
        let (server, _) = dsn.expose().rsplit_once('/').expect("a database in the url");
        Dsn::new(format!("{server}/{database}"))
    }

    /// The account that may do everything, in a database of the plain account's.
    pub(crate) fn admin(&self, dsn: &Dsn) -> Dsn {
        let (_, database) = dsn.expose().rsplit_once('/').expect("a database in the url");
        self.at(&self.lease.admins["db"], database)
    }

    /// URLs by which the server lets nobody in: a wrong password, and no database.
    pub(crate) fn shut(&self, dsn: &Dsn) -> Vec<Dsn> {
        let (before, place) = dsn.expose().rsplit_once('@').expect("an account");
        vec![Dsn::new(format!("{before}canary@{place}")), self.at(dsn, "no_such_database")]
    }

    /// A new database that the plain account owns.
    pub(crate) async fn database(&self) -> Dsn {
        let own = self.lease.dsn("db").expect("a url");
        let mut name = format!("d{}", self.next.fetch_add(1, Ordering::Relaxed));
        let mut charset = "";
        if self.kind == Kind::Mysql {
            // The account may make databases whose names begin with its own.
            let (_, first) = own.expose().rsplit_once('/').expect("a database in the url");
            (name, charset) = (format!("{first}__{name}"), " CHARACTER SET utf8mb4");
        }
        self.run(own, &format!("CREATE DATABASE {name}{charset}")).await;
        self.at(own, &name)
    }

    /// The names of all databases of a MySQL server.
    pub(crate) async fn databases(&self) -> Vec<String> {
        let mut connection = MySqlConnection::connect(self.lease.admins["db"].expose()).await.expect("connects");
        let sql = "SELECT cast(SCHEMA_NAME AS char) FROM information_schema.SCHEMATA";
        sqlx::query_scalar(sql).fetch_all(&mut connection).await.expect("names")
    }

    /// A new database with tables and rows.
    pub(crate) async fn with_tables(&self, sql: &str) -> Dsn {
        let dsn = self.database().await;
        self.run(&dsn, sql).await;
        dsn
    }

    /// Runs statements.
    pub(crate) async fn run(&self, dsn: &Dsn, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        if self.kind == Kind::Postgres {
            let mut connection = PgConnection::connect(dsn.expose()).await.expect("connects");
            sqlx::raw_sql(sql).execute(&mut connection).await.expect("runs");
        } else {
            let mut connection = MySqlConnection::connect(dsn.expose()).await.expect("connects");
            sqlx::raw_sql(sql).execute(&mut connection).await.expect("runs");
        }
    }
}
