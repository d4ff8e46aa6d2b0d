//! Loading: batches into a table by binary `COPY`.
//!
//! Hidden here: which columns the wire takes as they are, and which go through a temporary table as text and are cast by the
//! server; and how rows of an inheritance tree find the table they came from.

use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use reenact_model::{Class, Entity, Error, Field, Result, Site, ValueType};
use sqlx::Row;
use sqlx::postgres::PgConnection;
use tokio::sync::mpsc::channel;

use super::describe::text;
use super::encode::{Column, HEADER, TRAILER, encode};
use super::select::is_by_text;
use super::{execute, failure, literal, quote, rows, table};
use crate::sql::{LEAF, field, stored_columns};

const STAGE: &str = "pg_temp.reenact_stage";

/// Writes whole records, with the columns in `later` left NULL. `own` is the target's table.
pub(super) async fn insert(
    connection: &mut PgConnection,
    own: &Entity,
    entity: &Arc<Entity>,
    later: &[String],
    batches: BoxStream<'_, Result<RecordBatch>>,
) -> Result<u64> {
    let columns: Vec<String> = stored_columns(entity).into_iter().filter(|column| !later.contains(column)).collect();
    let fields = columns.iter().map(|column| field(own, column)).collect::<Result<Vec<_>>>()?;
    let real: Vec<&&Field> = fields.iter().filter(|field| field.name != LEAF).collect();
    if real.is_empty() {
        return Err(Error::new(Class::Unexpected, "no column is left to insert").at(Site::entity(&entity.id)));
    }
    // `jsonb` is the one by-text type whose wire form is known by its name.
    let staged = fields.iter().any(|field| (is_by_text(field) && !is_json(field)) || field.name == LEAF);
    let names: Vec<String> = real.iter().map(|field| quote(&field.name)).collect();
    if !staged {
        return copy_in(connection, entity, &format!("{} ({})", table(&entity.id), names.join(", ")), &fields, batches)
            .await;
    }
    let rows = stage(connection, entity, &fields, batches).await?;
    let values: Vec<String> = real.iter().map(|field| unstage(field, "s")).collect();
    let leaves = if real.len() < fields.len() { leaves(connection, entity).await? } else { Vec::new() };
    let copy = |to: &str, condition: &str| {
        let (names, values) = (names.join(", "), values.join(", "));
        format!("INSERT INTO {to} ({names}) OVERRIDING SYSTEM VALUE SELECT {values} FROM {STAGE} AS s {condition}")
    };
    let mut written = 0;
    if leaves.is_empty() {
        written += run(connection, &copy(&table(&entity.id), "")).await?;
    }
    for leaf in leaves {
        let condition = format!("WHERE s.{} = {}", quote(LEAF), literal(&leaf));
        written += run(connection, &copy(&leaf, &condition)).await?;
    }
    execute(connection, &format!("DROP TABLE {STAGE}")).await?;
    if written != rows {
        return Err(Error::new(Class::Differences, "records name a table of the tree that the target has not"));
    }
    Ok(rows)
}

/// Sets columns of records that are there, found by the entity's key.
pub(super) async fn patch(
    connection: &mut PgConnection,
    own: &Entity,
    entity: &Arc<Entity>,
    columns: &[String],
    batches: BoxStream<'_, Result<RecordBatch>>,
) -> Result<u64> {
    if entity.key.is_empty() {
        return Err(Error::new(Class::Unexpected, "a record without a key can't be patched"));
    }
    let fields = |names: &[String]| names.iter().map(|name| field(own, name)).collect::<Result<Vec<_>>>();
    let (keys, values) = (fields(&entity.key)?, fields(columns)?);
    let all: Vec<&Field> = keys.iter().chain(&values).copied().collect();
    let rows = stage(connection, entity, &all, batches).await?;
    let set: Vec<String> = values.iter().map(|f| format!("{} = {}", quote(&f.name), unstage(f, "s"))).collect();
    let same: Vec<String> =
        keys.iter().map(|f| format!("{} = {}", super::select::input(f, "t"), unstage(f, "s"))).collect();
    let table = super::select::from(entity);
    let update = format!("UPDATE {table} AS t SET {} FROM {STAGE} AS s WHERE {}", set.join(", "), same.join(" AND "));
    let written = run(connection, &update).await?;
    execute(connection, &format!("DROP TABLE {STAGE}")).await?;
    if written != rows {
        return Err(Error::new(Class::Unexpected, "records to patch were not found once each"));
    }
    Ok(rows)
}

fn is_json(field: &Field) -> bool {
    matches!(field.native.as_str(), "json" | "jsonb")
}

/// A staged column in the type of its column.
fn unstage(field: &Field, alias: &str) -> String {
    let column = format!("{alias}.{}", quote(&field.name));
    if is_by_text(field) { format!("{column}::{}", field.native) } else { column }
}

async fn run(connection: &mut PgConnection, statement: &str) -> Result<u64> {
    let done = sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())).execute(connection).await;
    done.map(|done| done.rows_affected()).map_err(|error| failure(&error))
}

/// The tables of an inheritance tree, as `regclass` writes them.
async fn leaves(connection: &mut PgConnection, entity: &Entity) -> Result<Vec<String>> {
    let sql = format!(
        "WITH RECURSIVE tree AS (SELECT to_regclass({})::oid AS oid UNION SELECT i.inhrelid FROM pg_inherits i JOIN tree \
         ON i.inhparent = tree.oid) SELECT oid::regclass::text AS name FROM tree",
        literal(&table(&entity.id))
    );
    Ok(rows(connection, &sql).await?.iter().map(|row| text(row, "name")).collect())
}

/// Writes batches into a new temporary table.
async fn stage(
    connection: &mut PgConnection,
    entity: &Arc<Entity>,
    fields: &[&Field],
    batches: BoxStream<'_, Result<RecordBatch>>,
) -> Result<u64> {
    let column = |field: &&Field| {
        let kind = if is_by_text(field) { "text" } else { &field.native };
        format!("{} {kind}", quote(&field.name))
    };
    let columns: Vec<String> = fields.iter().map(column).collect();
    let create = format!("DROP TABLE IF EXISTS {STAGE}; CREATE TEMP TABLE reenact_stage ({})", columns.join(", "));
    execute(connection, &create).await?;
    let plain: Vec<Field> = fields
        .iter()
        .map(|field| {
            let mut plain = (*field).clone();
            if is_by_text(field) {
                (plain.value, plain.native) = (field.value, "text".to_owned());
            }
            plain
        })
        .collect();
    copy_in(connection, entity, STAGE, &plain.iter().collect::<Vec<_>>(), batches).await
}

/// Encodes on a thread, sends what is encoded, both bounded.
async fn copy_in(
    connection: &mut PgConnection,
    entity: &Arc<Entity>,
    to: &str,
    fields: &[&Field],
    mut batches: BoxStream<'_, Result<RecordBatch>>,
) -> Result<u64> {
    let columns: Vec<Column> = fields
        .iter()
        .map(|f| Column {
            name: f.name.clone(),
            value: f.value,
            jsonb: f.value == ValueType::Json && f.native == "jsonb",
        })
        .collect();
    let (to_encoder, mut from_source) = channel::<RecordBatch>(2);
    let (to_server, mut from_encoder) = channel::<Vec<u8>>(4);
    let site = entity.clone();
    let encoding = tokio::task::spawn_blocking(move || -> Result<()> {
        let mut buffer = HEADER.to_vec();
        while let Some(batch) = from_source.blocking_recv() {
            let mut give = |chunk| to_server.blocking_send(chunk).is_ok();
            if !encode(&site, &columns, &batch, &mut buffer, &mut give)? {
                return Ok(());
            }
        }
        buffer.extend_from_slice(TRAILER);
        let _ = to_server.blocking_send(buffer);
        Ok(())
    });
    let statement = format!("COPY {to} FROM STDIN (FORMAT binary)");
    let mut copy = connection.copy_in_raw(&statement).await.map_err(|error| failure(&error))?;
    let feeding = async {
        while let Some(batch) = batches.try_next().await? {
            if to_encoder.send(batch).await.is_err() {
                break;
            }
        }
        drop(to_encoder);
        Ok::<_, Error>(())
    };
    let sending = async {
        while let Some(chunk) = from_encoder.recv().await {
            copy.send(chunk).await.map_err(|error| failure(&error))?;
        }
        drop(from_encoder);
        Ok::<_, Error>(())
    };
    let sent = futures::future::try_join(feeding, sending).await;
    let encoded = encoding.await.map_err(|_| Error::new(Class::Unexpected, "the encoding thread died"))?;
    match sent.map(|_| ()).and(encoded) {
        Ok(()) => copy.finish().await.map_err(|error| failure(&error)),
        Err(error) => match copy.abort("stopped").await {
            // The server's own complaint says more than a pipe that broke.
            Err(server) if server.as_database_error().is_some() => Err(failure(&server)),
            _ => Err(error),
        },
    }
}

/// Whether a table holds a row.
pub(super) async fn holds_rows(connection: &mut PgConnection, entity: &Entity) -> Result<bool> {
    let found = rows(connection, &format!("SELECT EXISTS (SELECT 1 FROM {}) AS held", table(&entity.id))).await?;
    Ok(found.first().and_then(|row| row.try_get("held").ok()).unwrap_or(false))
}
