//! What is set aside for a load of tables that were there before.
//!
//! Hidden here: the marker remembers it. A constraint is dropped, or a trigger disabled, in the transaction that writes the
//! statement which undoes that into the marker table. So a load that is killed loses none: the next one puts it back before
//! it looks at the tables. A reference that does not hold among what such a load left is put back without validation, and
//! stays noted until it does.

use std::fmt::Write as _;

use reenact_model::Result;
use sqlx::postgres::PgConnection;

use super::describe::{flag, text};
use super::settle::{Put, put};
use super::{execute, literal, quote, rows};
use crate::MARKER;

/// What a note begins with; other notes in the marker are somebody's own.
const NOTE: &str = "put back: ALTER TABLE ";

/// The marker table, quoted; `None` if there is none.
pub(super) async fn marker(connection: &mut PgConnection) -> Result<Option<String>> {
    let sql = format!(
        "SELECT n.nspname::text AS schema FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' \
         AND c.relname = {} AND n.nspname !~ '^pg_' ORDER BY 1",
        literal(MARKER)
    );
    let found = rows(connection, &sql).await?;
    Ok(found.first().map(|row| format!("{}.{}", quote(&text(row, "schema")), quote(MARKER))))
}

/// Runs statements and notes, for each, the one that undoes it: all of it, or nothing. Gives the undoing statements.
pub(super) async fn set_aside(connection: &mut PgConnection, steps: Vec<(String, String)>) -> Result<Vec<String>> {
    let Some(marker) = marker(connection).await?.filter(|_| !steps.is_empty()) else { return Ok(Vec::new()) };
    let mut all = String::from("BEGIN;");
    if !takes_notes(connection, &marker).await? {
        // Somebody made the marker by hand.
        let _ = write!(all, "ALTER TABLE {marker} ADD COLUMN note text;");
    }
    for (away, back) in &steps {
        let note = literal(&format!("put back: {back}"));
        let _ = write!(all, "INSERT INTO {marker} (note) VALUES ({note}); {away};");
    }
    all += "COMMIT";
    if let Err(error) = execute(connection, &all).await {
        // The first error is the one to tell, whether or not the roll-back works.
        let _ = execute(connection, "ROLLBACK").await;
        return Err(error.help("the account must own the tables, and be able to write into the marker table"));
    }
    Ok(steps.into_iter().map(|(_, back)| back).collect())
}

/// Puts back what this load set aside: a reference that does not hold, as in production, stays without validation.
pub(super) async fn restore(connection: &mut PgConnection, statements: Vec<String>) -> Result<()> {
    let marker = marker(connection).await?;
    for statement in statements {
        put(connection, &statement).await?;
        if let Some(marker) = &marker {
            forget(connection, marker, &statement).await?;
        }
    }
    Ok(())
}

/// Puts back what a load set aside that did not come to its end.
pub(super) async fn recover(connection: &mut PgConnection) -> Result<()> {
    let Some(marker) = marker(connection).await? else { return Ok(()) };
    if !takes_notes(connection, &marker).await? {
        return Ok(());
    }
    let sql = format!("SELECT DISTINCT note FROM {marker} WHERE starts_with(note, {}) ORDER BY 1", literal(NOTE));
    for row in rows(connection, &sql).await? {
        let note = text(&row, "note");
        let Some(statement) = note.strip_prefix("put back: ") else { continue };
        match put(connection, statement).await? {
            Put::Whole | Put::Gone => forget(connection, &marker, statement).await?,
            Put::Unproven => {}
        }
    }
    Ok(())
}

async fn takes_notes(connection: &mut PgConnection, marker: &str) -> Result<bool> {
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass({}) AND attname = 'note' AND NOT attisdropped) AS it",
        literal(marker)
    );
    Ok(rows(connection, &sql).await?.first().is_some_and(|row| flag(row, "it")))
}

async fn forget(connection: &mut PgConnection, marker: &str, statement: &str) -> Result<()> {
    let note = literal(&format!("put back: {statement}"));
    execute(connection, &format!("DELETE FROM {marker} WHERE note = {note}")).await
}
