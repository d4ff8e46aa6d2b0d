//! Putting everything in force again after a load.
//!
//! Hidden here: which statements were done already, what to do with a reference that does not hold (it is added without
//! validation; the engine finds and lists such rows itself), and where sequences have to go on.

use std::borrow::Cow;

use reenact_model::names::unquote;
use reenact_model::{Class, Result};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::describe::{flag, long, text};
use super::{execute, failure, literal, rows};

/// What became of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    /// It is in force for all records.
    Whole,
    /// It is in force for new records; those that are there do not all keep to it.
    Unproven,
    /// What it is about is there no more.
    Gone,
}

/// Runs a statement that adds a constraint, index or trigger, unless that is there already.
pub(super) async fn enforce(connection: &mut PgConnection, statement: &str) -> Result<()> {
    let Some((table, constraint, definition)) = added(statement) else {
        return execute(connection, statement).await;
    };
    if constraint_is(connection, table, constraint).await?.is_some() {
        return Ok(());
    }
    if definition.starts_with("FOREIGN KEY") {
        return reference(connection, statement).await.map(|_| ()).map_err(|error| failure(&error));
    }
    execute(connection, statement).await
}

/// Puts back what was set aside; it may be there already, and its table may be gone.
pub(super) async fn put(connection: &mut PgConnection, statement: &str) -> Result<Put> {
    let done = match added(statement) {
        Some((table, constraint, _)) => match constraint_is(connection, table, constraint).await? {
            Some(true) => return Ok(Put::Whole),
            Some(false) => {
                let validate = format!("ALTER TABLE {table} VALIDATE CONSTRAINT {constraint}");
                proven(single(connection, &validate).await)
            }
            None => reference(connection, statement).await,
        },
        None => single(connection, statement).await.map(|()| Put::Whole),
    };
    let code =
        |error: &sqlx::Error| error.as_database_error().and_then(sqlx::error::DatabaseError::code).map(Cow::into_owned);
    match done {
        // No such table, column, or other object.
        Err(error) if matches!(code(&error).as_deref(), Some("42P01" | "42703" | "42704")) => Ok(Put::Gone),
        done => done.map_err(|error| failure(&error)),
    }
}

/// Whether a constraint is there, and whether all records were found to keep to it.
async fn constraint_is(connection: &mut PgConnection, table: &str, constraint: &str) -> Result<Option<bool>> {
    let sql = format!(
        "SELECT convalidated AS valid FROM pg_constraint WHERE conrelid = to_regclass({}) AND conname = {}",
        literal(table),
        literal(&unquote(constraint))
    );
    Ok(rows(connection, &sql).await?.first().map(|row| flag(row, "valid")))
}

/// Adds a foreign key, without validation if there are records that break it.
async fn reference(connection: &mut PgConnection, statement: &str) -> std::result::Result<Put, sqlx::Error> {
    let valid = statement.strip_suffix(" NOT VALID").unwrap_or(statement);
    match proven(single(connection, valid).await)? {
        Put::Unproven => single(connection, &format!("{valid} NOT VALID")).await.map(|()| Put::Unproven),
        put => Ok(put),
    }
}

fn proven(done: std::result::Result<(), sqlx::Error>) -> std::result::Result<Put, sqlx::Error> {
    match done {
        Ok(()) => Ok(Put::Whole),
        Err(error) if error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_foreign_key_violation) => {
            Ok(Put::Unproven)
        }
        Err(error) => Err(error),
    }
}

/// Runs one statement, and no second one behind it: some stand in a table, where others may have written, too.
async fn single(connection: &mut PgConnection, statement: &str) -> std::result::Result<(), sqlx::Error> {
    let query = sqlx::query(AssertSqlSafe(statement.to_owned())).persistent(false);
    query.execute(connection).await.map(|_| ())
}

/// Table, constraint (both quoted) and definition of an `ALTER TABLE … ADD CONSTRAINT …`.
fn added(statement: &str) -> Option<(&str, &str, &str)> {
    let rest = statement.strip_prefix("ALTER TABLE ")?;
    let end = outside_quotes(rest, " ADD CONSTRAINT ")?;
    let (table, rest) = (&rest[..end], &rest[end + " ADD CONSTRAINT ".len()..]);
    let end = outside_quotes(rest, " ")?;
    Some((table, &rest[..end], &rest[end + 1..]))
}

fn outside_quotes(text: &str, what: &str) -> Option<usize> {
    let mut inside = false;
    text.char_indices()
        .find(|(at, c)| {
            inside ^= *c == '"';
            !inside && text[*at..].starts_with(what)
        })
        .map(|(at, _)| at)
}

/// Moves every sequence past the values of the columns that use it; one whose columns are empty stays at its start.
pub(super) async fn advance_sequences(connection: &mut PgConnection) -> Result<()> {
    let sql = "SELECT DISTINCT s.seqrelid::regclass::text AS sequence, s.seqincrement AS increment, \
               a.attrelid::regclass::text AS table, quote_ident(a.attname) AS column \
               FROM pg_sequence s JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = s.seqrelid \
               AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') \
               JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid \
               JOIN pg_class t ON t.oid = a.attrelid AND t.relkind IN ('r', 'p') \
               UNION SELECT s.seqrelid::regclass::text, s.seqincrement, a.attrelid::regclass::text, quote_ident(a.attname) \
               FROM pg_sequence s JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = s.seqrelid \
               AND d.classid = 'pg_attrdef'::regclass JOIN pg_attrdef f ON f.oid = d.objid \
               JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum \
               JOIN pg_type y ON y.oid = a.atttypid WHERE y.typcategory = 'N' ORDER BY 1";
    for row in rows(connection, sql).await? {
        let (sequence, column, table) = (text(&row, "sequence"), text(&row, "column"), text(&row, "table"));
        let (most, further) = if long(&row, "increment") > 0 { ("max", ">") } else { ("min", "<") };
        // A value beyond the sequence's bounds was never made by it.
        let advance = format!(
            "SELECT setval({name}, v.most) FROM (SELECT {most}({column})::int8 AS most FROM {table}) v, {sequence} q, pg_sequence s \
             WHERE s.seqrelid = {name}::regclass AND v.most BETWEEN s.seqmin AND s.seqmax \
             AND (v.most {further} q.last_value OR (v.most = q.last_value AND NOT q.is_called))",
            name = literal(&sequence)
        );
        match execute(connection, &advance).await {
            Err(error) if error.class() != Class::Unreachable => return Err(error),
            // A sequence of somebody else's in the same database is not ours to move.
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_are_found_in_their_statements() {
        let statement =
            r#"ALTER TABLE "a b"." ADD CONSTRAINT " ADD CONSTRAINT "fk "" x" FOREIGN KEY (a) REFERENCES b(c)"#;
        assert_eq!(
            added(statement),
            Some((r#""a b"." ADD CONSTRAINT ""#, r#""fk "" x""#, "FOREIGN KEY (a) REFERENCES b(c)"))
        );
        assert_eq!(added("CREATE INDEX x ON y (z)"), None);
    }
}
