//! PostgreSQL, version 12 and later.
//!
//! Hidden here: the dialect in both directions. Rows come by binary `COPY` and are decoded straight into Arrow builders; they
//! go back the same way. A type without an exact Arrow form travels as its text, under session settings that are the same on
//! both sides. A source can't write: its sessions are read-only, and its pin is an exported snapshot that parallel readers
//! share. A target needs no superuser: constraints and indexes are made after the rows.

mod aside;
mod bounds;
mod ddl;
mod decode;
mod describe;
mod encode;
mod load;
mod select;
mod settle;
mod source;
mod target;

use std::fmt::Write as _;
use std::str::FromStr;

use async_trait::async_trait;
use reenact_model::catalog::Scope;
use reenact_model::{Class, Dsn, EntityId, Error, Kind, Result, Site};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgDatabaseError, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions};

use super::in_time;
use crate::{MARKER, Source, Store, Target, address};

/// The property of an entity that is read without its heirs.
const ONLY: &str = "only";
/// The property of an entity whose rows lie in partitions.
const PARTED: &str = "partitioned";

/// The store of PostgreSQL databases.
#[derive(Clone, Copy, Debug)]
pub struct Postgres;

#[async_trait]
impl Store for Postgres {
    fn kind(&self) -> Kind {
        Kind::Postgres
    }

    async fn source(&self, dsn: &Dsn, scope: &Scope) -> Result<Box<dyn Source>> {
        Ok(Box::new(source::PgSource::open(dsn, scope).await?))
    }

    async fn target(&self, dsn: &Dsn, service: &str) -> Result<Box<dyn Target>> {
        Ok(Box::new(target::PgTarget::open(dsn, service).await?))
    }

    async fn places(&self, dsn: &Dsn) -> Vec<String> {
        let Ok(options) = PgConnectOptions::from_str(dsn.expose()) else { return Vec::new() };
        let database = options.get_database().unwrap_or_default();
        match options.get_socket() {
            Some(socket) => address::of_file(socket, &format!("{} {database}", options.get_port())),
            None => address::of_host(options.get_host(), options.get_port(), database).await,
        }
    }

    async fn mark(&self, dsn: &Dsn) -> Result<()> {
        // The marker belongs into the default search path, so this one session keeps it.
        let mut connection = open(dsn, "").await?;
        execute(&mut connection, &format!("CREATE TABLE IF NOT EXISTS {MARKER} (note text)")).await
    }
}

/// A session as the server gives it.
async fn open(dsn: &Dsn, service: &str) -> Result<PgConnection> {
    let options = PgConnectOptions::from_str(dsn.expose()).map_err(|_| {
        Error::new(Class::Input, "the url is no PostgreSQL url")
            .at(Site::service(service))
            .help("write `postgres://user@host:5432/database`")
    })?;
    let options = options.application_name("reenact").disable_statement_logging();
    in_time(options.connect()).await.map_err(|error| unreachable(&error, dsn, service))
}

/// What every session of ours sets, so that a text means the same on both sides.
const SESSION: &str = "SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres'; SET extra_float_digits = 1; \
    SET bytea_output = 'hex'; SET lc_monetary = 'C'; SET timezone = 'UTC'; SET search_path = ''; SET row_security = off; \
    SET xmloption = 'content'; SET standard_conforming_strings = on; SET client_min_messages = 'error'; \
    SET quote_all_identifiers = off;";

/// What sessions of a source set: they can't write, do not queue for locks, and do not outlive us for long.
const READ_ONLY: &str = "SET default_transaction_read_only = on; SET lock_timeout = '5s'; \
    SET idle_in_transaction_session_timeout = '30min';";

/// What sessions of a target set: nothing there has to survive a crash of the server that a new replay would not mend.
const WRITING: &str = "SET synchronous_commit = off; SET maintenance_work_mem = '256MB'; SET lock_timeout = '30s';";

async fn connect(dsn: &Dsn, service: &str, settings: &str) -> Result<PgConnection> {
    let mut connection = open(dsn, service).await?;
    execute(&mut connection, &format!("{SESSION} {settings}")).await.map_err(|e| e.at(Site::service(service)))?;
    Ok(connection)
}

fn unreachable(error: &sqlx::Error, dsn: &Dsn, service: &str) -> Error {
    let code = error.as_database_error().and_then(|e| e.code().map(std::borrow::Cow::into_owned));
    let place = dsn.place();
    let (message, help) = match code.as_deref() {
        Some(code) if code.starts_with("28") => ("did not let us in", "check the user, the password and `pg_hba.conf`"),
        Some("3D000") => ("has no such database", "check the database in the url"),
        Some("53300") => ("has no connection left", "raise `max_connections` or close other sessions"),
        _ => ("can't be reached", "check the host, the port and that the server runs"),
    };
    let message = super::coded(&format!("{place} {message}"), code.map(|c| format!("SQLSTATE {c}")).as_deref());
    Error::new(Class::Unreachable, message).at(Site::service(service)).help(help)
}

/// The one place where PostgreSQL's errors become ours: SQLSTATE and the names of constraint and column, never the
/// message, its detail or its context, which quote rows.
fn failure(error: &sqlx::Error) -> Error {
    let Some(database) = error.as_database_error().and_then(|e| e.try_downcast_ref::<PgDatabaseError>()) else {
        return match error {
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) => Error::new(Class::Unreachable, "the connection broke"),
            _ => Error::new(Class::Unexpected, "the driver failed"),
        };
    };
    let code = database.code();
    let shortened = code == "42501" && database.routine() == Some("check_enable_rls");
    let (class, what) = match (&code[..2], code) {
        _ if shortened => (Class::Unreachable, "row-level security would keep records from this role"),
        (_, "42501") => (Class::Unreachable, "the role has no right to do this"),
        (_, "57014") => (Class::Limit, "the statement was cancelled or timed out"),
        (_, "55P03") => (Class::Limit, "a lock was not free in time"),
        (_, "25006") => (Class::Refused, "the session is read-only"),
        ("23", _) => (Class::Write, "a constraint does not hold"),
        ("22", _) => (Class::Write, "a value does not fit its column"),
        ("53", _) => (Class::Write, "the server is out of space, memory or connections"),
        ("08" | "57" | "28", _) => (Class::Unreachable, "the server closed the session"),
        _ => (Class::Unexpected, "PostgreSQL refused a statement"),
    };
    let mut message = super::coded(what, Some(&format!("SQLSTATE {code}")));
    for (word, name) in
        [("table", database.table()), ("constraint", database.constraint()), ("column", database.column())]
    {
        if let Some(name) = name {
            let _ = write!(message, ", {word} `{name}`");
        }
    }
    let error = Error::new(class, message);
    if shortened {
        return error.help("read as a role with BYPASSRLS, or leave the table out by the service's `exclude`");
    }
    error
}

/// The same for a statement that reads a table, with the statement that would allow it.
fn unread(error: &sqlx::Error, dsn: &Dsn, id: &EntityId) -> Error {
    let failed = failure(error);
    let (Some("42501"), Ok(options)) = (
        error.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref(),
        PgConnectOptions::from_str(dsn.expose()),
    ) else {
        return failed;
    };
    let (schema, table, role) = (id.parts().swap_remove(0), table(id), quote(options.get_username()));
    let schema = quote(&schema);
    failed.help(format!("run `GRANT USAGE ON SCHEMA {schema} TO {role}; GRANT SELECT ON {table} TO {role}`"))
}

async fn execute(connection: &mut PgConnection, statements: &str) -> Result<()> {
    let done = sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(connection).await;
    done.map(|_| ()).map_err(|error| failure(&error))
}

/// Rows of a catalog query; never of an entity.
async fn rows(connection: &mut PgConnection, statement: &str) -> Result<Vec<PgRow>> {
    fetch(connection, statement).await.map_err(|error| failure(&error))
}

async fn fetch(connection: &mut PgConnection, statement: &str) -> std::result::Result<Vec<PgRow>, sqlx::Error> {
    sqlx::query(AssertSqlSafe(statement.to_owned())).persistent(false).fetch_all(connection).await
}

/// A name in double quotes.
fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A table's schema and name, quoted.
fn table(id: &EntityId) -> String {
    id.parts().iter().map(|part| quote(part)).collect::<Vec<_>>().join(".")
}

/// A text literal; the caller has made sure that there is no NUL in it.
fn literal(text: &str) -> String {
    // `standard_conforming_strings` is on, so a backslash is a backslash.
    format!("'{}'", text.replace('\'', "''"))
}

/// An array literal of texts, as the content of a quoted literal.
fn array_literal<'a>(items: impl Iterator<Item = &'a str>) -> String {
    let mut out = String::from("'{");
    for (n, item) in items.enumerate() {
        if n > 0 {
            out.push(',');
        }
        out.push('"');
        for c in item.chars() {
            match c {
                '\'' => out.push_str("''"),
                '"' | '\\' => {
                    out.push('\\');
                    out.push(c);
                }
                c => out.push(c),
            }
        }
        out.push('"');
    }
    out.push_str("}'");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_keep_to_themselves() {
        assert_eq!(literal("it's \\ \"x\""), "'it''s \\ \"x\"'");
        assert_eq!(
            array_literal(["a", "", "NULL", "{,}", "q\"\\'"].into_iter()),
            r#"'{"a","","NULL","{,}","q\"\\''"}'"#
        );
        assert_eq!(quote("a\"b"), "\"a\"\"b\"");
    }
}
