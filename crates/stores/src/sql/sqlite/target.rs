//! The writing side of a SQLite file.
//!
//! Hidden here: how tagged values become values of their class again: many rows to a statement, one transaction to a step.
//! Foreign keys are not enforced by this connection; the engine checks each reference by query afterwards. Triggers of a
//! table that was there before are away while it is loaded: they are dropped and made again within the step's transaction,
//! so that a load that is killed costs none.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BinaryArray, RecordBatch};
use async_trait::async_trait;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use reenact_model::catalog::{Condition, Identity, Phase, Scope};
use reenact_model::digest::EntityDigest;
use reenact_model::{Class, Entity, Error, FieldPath, KeySet, Relationship, Result, ServiceCatalog, Site};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{AssertSqlSafe, Sqlite};

use super::{Database, describe, failure, quote, read};
use crate::sql::{admit, agree, dangling, digest, holds_records, keys, own_entity, stored_columns, table_name};
use crate::{GroupOffsets, LoadStep, Loaded, MARKER, Target};

/// Parameters of one statement; SQLite takes 32,766.
const PARAMETERS: usize = 2_000;

/// The writing side.
pub(super) struct SqliteTarget {
    database: Database,
    sources: Vec<Identity>,
}

impl SqliteTarget {
    pub(super) fn new(database: Database) -> Self {
        Self { database, sources: Vec::new() }
    }

    async fn own(&self) -> Result<ServiceCatalog> {
        let scope = Scope { service: self.database.service.clone(), ..Scope::default() };
        describe::catalog(&self.database, &scope).await
    }

    async fn check(&self) -> Result<()> {
        let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1".to_owned();
        let is_marked = !self.database.rows(sql, &[MARKER]).await?.is_empty();
        let identity = self.database.identity()?;
        let is_own = |source: &Identity| is_same_file(&source.0, &identity.0);
        admit(&self.database.service, is_marked, self.sources.iter().any(is_own))
    }
}

/// Whether two identities are of one file, under whatever name: device and inode are the same, and so is the moment when
/// it was made, unless a file system keeps none.
fn is_same_file(one: &str, other: &str) -> bool {
    let parts = |identity: &str| -> Option<(String, String, Option<String>)> {
        let (rest, inode) = identity.strip_prefix("sqlite:")?.rsplit_once(':')?;
        let (inode, born) = inode.split_once('@').map_or((inode, None), |(inode, born)| (inode, Some(born.to_owned())));
        Some((rest.rsplit(':').next()?.to_owned(), inode.to_owned(), born))
    };
    let (Some(one), Some(other)) = (parts(one), parts(other)) else { return false };
    (&one.0, &one.1) == (&other.0, &other.1) && (one.2 == other.2 || one.2.is_none() || other.2.is_none())
}

#[async_trait]
impl Target for SqliteTarget {
    async fn identity(&mut self) -> Result<Identity> {
        self.database.identity()
    }

    async fn gates(&mut self, sources: &[Identity]) -> Result<()> {
        self.sources = sources.to_vec();
        self.check().await
    }

    async fn prepare(&mut self, catalog: &ServiceCatalog) -> Result<()> {
        self.check().await?;
        let own = self.own().await?;
        for entity in &catalog.entities {
            let Some(there) = own.entity(&entity.id.name) else { continue };
            agree(entity, there)?;
            let sql = format!("SELECT 1 FROM {} LIMIT 1", quote(&table_name(entity)));
            if !self.database.rows(sql, &[]).await?.is_empty() {
                return Err(holds_records(entity));
            }
        }
        for ddl in catalog.ddl.iter().filter(|ddl| ddl.phase == Phase::Before) {
            let there = ddl.entity.as_ref().is_some_and(|id| own.entity(&id.name).is_some());
            if !there {
                self.database.execute(&ddl.statement).await.map_err(|error| match &ddl.entity {
                    Some(id) => error.at(Site::entity(id)),
                    None => error,
                })?;
            }
        }
        Ok(())
    }

    async fn defer(&mut self, _constraints: &[String]) -> Result<()> {
        self.check().await
    }

    async fn load(&mut self, step: &LoadStep, mut batches: BoxStream<'_, Result<RecordBatch>>) -> Result<Loaded> {
        self.check().await?;
        let (LoadStep::Insert { entity, .. } | LoadStep::Patch { entity, .. }) = step;
        own_entity(&self.own().await?, entity)?;
        let site = || Site::entity(&entity.id);
        let mut connection = self.database.connection.lock().await;
        let run = async |connection: &mut SqliteConnection, sql: String| {
            let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await;
            done.map(|_| ()).map_err(|error| failure(&error).at(site()))
        };
        run(&mut connection, "BEGIN IMMEDIATE".to_owned()).await?;
        let mut rows = 0;
        let result = async {
            let triggers = set_aside(&mut connection, entity).await?;
            while let Some(batch) = batches.try_next().await? {
                rows += match step {
                    LoadStep::Insert { entity, later } => insert(&mut connection, entity, later, &batch).await?,
                    LoadStep::Patch { entity, columns } => patch(&mut connection, entity, columns, &batch).await?,
                };
            }
            for statement in triggers {
                run(&mut connection, statement).await?;
            }
            Ok(())
        }
        .await;
        match result {
            Ok(()) => run(&mut connection, "COMMIT".to_owned()).await?,
            Err(error) => {
                // The first error is the one to tell, whether or not the roll-back works.
                let _ = run(&mut connection, "ROLLBACK".to_owned()).await;
                return Err(error);
            }
        }
        Ok(Loaded { rows, offsets: Vec::new() })
    }

    async fn settle(&mut self, catalog: &ServiceCatalog, _groups: &[GroupOffsets]) -> Result<()> {
        self.check().await?;
        for ddl in catalog.ddl.iter().filter(|ddl| ddl.phase == Phase::After) {
            self.database.execute(&ddl.statement).await.map_err(|error| match &ddl.entity {
                Some(id) => error.at(Site::entity(id)),
                None => error,
            })?;
        }
        Ok(())
    }

    async fn digest(&mut self, entity: &Entity) -> Result<EntityDigest> {
        let own = own_entity(&self.own().await?, entity)?;
        digest(|read| read::batches(&self.database, read), &own, entity).await
    }

    async fn keys(&mut self, entity: &Entity, fields: &[FieldPath], condition: Option<&Condition>) -> Result<KeySet> {
        keys(|read| read::batches(&self.database, read), entity, fields, condition).await
    }

    async fn dangling(&mut self, edge: &Relationship, child: &Entity, parent: &Entity) -> Result<KeySet> {
        let anti_join = || {
            let (sql, columns) = read::anti_join(edge, child, parent)?;
            Ok(read::rows_of(&self.database, &Arc::new(child.clone()), sql, columns, Vec::new()))
        };
        dangling(|read| read::batches(&self.database, read), anti_join, edge, child, parent).await
    }
}

/// Drops the triggers of an entity's table; gives the statements that make them again.
async fn set_aside(connection: &mut SqliteConnection, entity: &Entity) -> Result<Vec<String>> {
    let failed = |error: sqlx::Error| failure(&error).at(Site::entity(&entity.id));
    let sql =
        "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE ORDER BY rowid";
    let found: Vec<(String, String)> =
        sqlx::query_as(sql).bind(table_name(entity)).fetch_all(&mut *connection).await.map_err(failed)?;
    for (name, _) in &found {
        let drop = AssertSqlSafe(format!("DROP TRIGGER {}", quote(name)));
        sqlx::raw_sql(drop).execute(&mut *connection).await.map_err(failed)?;
    }
    Ok(found.into_iter().map(|(_, statement)| statement).collect())
}

/// The cells of some columns of a batch, in the order asked.
fn cells<'a>(entity: &Entity, batch: &'a RecordBatch, columns: &[String]) -> Result<Vec<&'a BinaryArray>> {
    let cell = |column: &String| {
        batch.column_by_name(column).and_then(|array| array.as_binary_opt::<i32>()).ok_or_else(|| {
            Error::new(Class::Unexpected, "the column is not in the batch as tagged values")
                .at(crate::sql::site(entity, column))
        })
    };
    columns.iter().map(cell).collect()
}

async fn insert(
    connection: &mut SqliteConnection,
    entity: &Entity,
    later: &[String],
    batch: &RecordBatch,
) -> Result<u64> {
    let columns: Vec<String> = stored_columns(entity).into_iter().filter(|column| !later.contains(column)).collect();
    let table = quote(&table_name(entity));
    if columns.is_empty() {
        return Err(Error::new(Class::Unexpected, "no column is left to insert").at(Site::entity(&entity.id)));
    }
    let cells = cells(entity, batch, &columns)?;
    let names: Vec<String> = columns.iter().map(|column| quote(column)).collect();
    let chunk = (PARAMETERS / columns.len()).max(1);
    for start in (0..batch.num_rows()).step_by(chunk) {
        let rows = start..(start + chunk).min(batch.num_rows());
        let mut sql = format!("INSERT INTO {table} ({}) VALUES ", names.join(", "));
        for row in rows.clone() {
            sql.push_str(if row == start { "(" } else { ", (" });
            for (at, array) in cells.iter().enumerate() {
                sql.push_str(if at == 0 { "" } else { ", " });
                sql.push_str(placeholder(array, row));
            }
            sql.push(')');
        }
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for row in rows {
            for array in &cells {
                query = bind(query, array, row);
            }
        }
        query.execute(&mut *connection).await.map_err(|error| failure(&error).at(Site::entity(&entity.id)))?;
    }
    Ok(batch.num_rows() as u64)
}

async fn patch(
    connection: &mut SqliteConnection,
    entity: &Entity,
    columns: &[String],
    batch: &RecordBatch,
) -> Result<u64> {
    if entity.key.is_empty() {
        return Err(
            Error::new(Class::Unexpected, "a record without a key can't be patched").at(Site::entity(&entity.id))
        );
    }
    let (values, keys) = (cells(entity, batch, columns)?, cells(entity, batch, &entity.key)?);
    for row in 0..batch.num_rows() {
        let set: Vec<String> = columns
            .iter()
            .zip(&values)
            .map(|(column, array)| format!("{} = {}", quote(column), placeholder(array, row)))
            .collect();
        let found: Vec<String> = entity
            .key
            .iter()
            .zip(&keys)
            .map(|(column, array)| format!("{} IS {}", quote(column), placeholder(array, row)))
            .collect();
        let sql = format!("UPDATE {} SET {} WHERE {}", quote(&table_name(entity)), set.join(", "), found.join(" AND "));
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for array in values.iter().chain(&keys) {
            query = bind(query, array, row);
        }
        let done =
            query.execute(&mut *connection).await.map_err(|error| failure(&error).at(Site::entity(&entity.id)))?;
        if done.rows_affected() != 1 {
            return Err(
                Error::new(Class::Unexpected, "a record to patch was not found once").at(Site::entity(&entity.id))
            );
        }
    }
    Ok(batch.num_rows() as u64)
}

/// A parameter; a text that is no UTF-8 is bound as bytes and made a text by the server.
fn placeholder(array: &BinaryArray, row: usize) -> &'static str {
    match array.value(row).split_first() {
        Some((b't', text)) if !array.is_null(row) && std::str::from_utf8(text).is_err() => "CAST(? AS TEXT)",
        _ => "?",
    }
}

fn bind<'q>(
    query: Query<'q, Sqlite, SqliteArguments>,
    array: &BinaryArray,
    row: usize,
) -> Query<'q, Sqlite, SqliteArguments> {
    if array.is_null(row) {
        return query.bind(None::<i64>);
    }
    let (class, value) = array.value(row).split_first().unwrap_or((&b't', &[]));
    let text = || std::str::from_utf8(value).ok();
    match class {
        b'i' => match text().and_then(|text| text.parse::<i64>().ok()) {
            Some(number) => query.bind(number),
            None => query.bind(text().map(str::to_owned)),
        },
        b'r' => match text().and_then(|text| text.parse::<f64>().ok()) {
            Some(number) => query.bind(number),
            None => query.bind(text().map(str::to_owned)),
        },
        b't' => match text() {
            Some(text) => query.bind(text.to_owned()),
            None => query.bind(value.to_vec()),
        },
        _ => query.bind(value.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::is_same_file;

    #[test]
    fn a_file_is_the_same_under_every_name_and_no_file_is_one_that_was_there_before() {
        for (one, other, same) in [
            ("sqlite:/a.db:1:7@5", "sqlite:/b.db:1:7@5", true),
            ("sqlite:/a.db:1:7@5", "sqlite:/a.db:1:7@6", false),
            ("sqlite:/a.db:1:7", "sqlite:/a.db:1:7@6", true),
            ("sqlite:/a.db:1:7@5", "sqlite:/a.db:2:7@5", false),
            ("sqlite:/a:b@c.db:1:7@5", "sqlite:/x.db:1:7@5", true),
            ("postgres:1:7@5", "sqlite:/a.db:1:7@5", false),
        ] {
            assert_eq!(is_same_file(one, other), same, "{one} {other}");
        }
    }
}
