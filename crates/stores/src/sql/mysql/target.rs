//! The writing side of MySQL and MariaDB.
//!
//! Hidden here: rows as parameters of multi-row inserts, one transaction to a step. Foreign keys are not checked by this
//! session; the engine checks each reference by query afterwards. The counters of tables move on by themselves.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, UInt64Type};
use async_trait::async_trait;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use reenact_model::catalog::{Condition, Identity, Phase, Scope};
use reenact_model::digest::EntityDigest;
use reenact_model::names::unquote;
use reenact_model::{
    Class, Entity, Error, Field, FieldPath, KeySet, Relationship, Result, ServiceCatalog, Site, ValueType,
};
use sqlx::mysql::{MySqlArguments, MySqlConnection};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, MySql};

use super::{Database, describe, failure, quote, read};
use crate::sql::{
    admit, agree, dangling, digest, field, holds_records, keys, own_entity, site, stored_columns, table_name,
};
use crate::{GroupOffsets, LoadStep, Loaded, MARKER, Target};

/// Parameters and bytes of one statement.
const PARAMETERS: usize = 10_000;
const STATEMENT: usize = 4 << 20;

/// The writing side.
pub(super) struct MysqlTarget {
    database: Database,
    sources: Vec<Identity>,
    own: Option<ServiceCatalog>,
}

impl MysqlTarget {
    pub(super) fn new(database: Database) -> Self {
        Self { database, sources: Vec::new(), own: None }
    }

    async fn own(&mut self) -> Result<&ServiceCatalog> {
        if self.own.is_none() {
            let scope = Scope { service: self.database.service.clone(), ..Scope::default() };
            self.own = Some(describe::catalog(&self.database, &scope).await?);
        }
        self.own.as_ref().ok_or_else(|| Error::new(Class::Unexpected, "the target was not described"))
    }

    async fn check(&self) -> Result<()> {
        let sql = format!(
            "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = '{MARKER}'"
        );
        let is_marked = !self.database.texts(&sql).await?.is_empty();
        let own = describe::identity(&self.database).await?;
        admit(&self.database.service, is_marked, self.sources.contains(&own))
    }
}

#[async_trait]
impl Target for MysqlTarget {
    async fn identity(&mut self) -> Result<Identity> {
        describe::identity(&self.database).await
    }

    async fn gates(&mut self, sources: &[Identity]) -> Result<()> {
        self.sources = sources.to_vec();
        self.check().await
    }

    async fn prepare(&mut self, catalog: &ServiceCatalog) -> Result<()> {
        self.check().await?;
        self.own = None;
        let own = self.own().await?.clone();
        let sql =
            "SELECT DISTINCT EVENT_OBJECT_TABLE FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()";
        let triggers = self.database.texts(sql).await?;
        for entity in &catalog.entities {
            let Some(there) = own.entity(&entity.id.name) else { continue };
            agree(entity, there)?;
            let name = table_name(entity);
            if !self.database.texts(&format!("SELECT 1 FROM {} LIMIT 1", quote(&name))).await?.is_empty() {
                return Err(holds_records(entity));
            }
            if triggers.iter().any(|row| row[0].as_deref() == Some(&name)) {
                let message = "the target's table has triggers, which this server can't switch off";
                return Err(Error::new(Class::Refused, message)
                    .at(Site::entity(&entity.id))
                    .help("create the triggers after the replay"));
            }
        }
        for ddl in catalog.ddl.iter().filter(|ddl| ddl.phase == Phase::Before) {
            let Some(id) = ddl.entity.as_ref().filter(|id| own.entity(&id.name).is_none()) else { continue };
            self.database.execute(&ddl.statement).await.map_err(|e| e.at(Site::entity(id)))?;
        }
        self.own = None;
        Ok(())
    }

    async fn defer(&mut self, _constraints: &[String]) -> Result<()> {
        self.check().await
    }

    async fn load(&mut self, step: &LoadStep, mut batches: BoxStream<'_, Result<RecordBatch>>) -> Result<Loaded> {
        self.check().await?;
        let (LoadStep::Insert { entity, .. } | LoadStep::Patch { entity, .. }) = step;
        let own = own_entity(self.own().await?, entity)?;
        let site = || Site::entity(&entity.id);
        let mut connection = self.database.connection.lock().await;
        let run = async |connection: &mut MySqlConnection, sql: &'static str| {
            sqlx::raw_sql(sql).execute(connection).await.map(|_| ()).map_err(|error| failure(&error).at(site()))
        };
        run(&mut connection, "START TRANSACTION").await?;
        let mut rows = 0;
        let result = async {
            while let Some(batch) = batches.try_next().await? {
                match step {
                    LoadStep::Insert { entity, later } => insert(&mut connection, &own, entity, later, &batch).await?,
                    LoadStep::Patch { entity, columns } => {
                        patch(&mut connection, &own, entity, columns, &batch).await?;
                    }
                }
                rows += batch.num_rows() as u64;
            }
            Ok(())
        }
        .await;
        match result {
            Ok(()) => run(&mut connection, "COMMIT").await?,
            Err(error) => {
                // The first error is the one to tell, whether or not the roll-back works.
                let _ = run(&mut connection, "ROLLBACK").await;
                return Err(Error::at(error, site()));
            }
        }
        Ok(Loaded { rows, offsets: Vec::new() })
    }

    async fn settle(&mut self, catalog: &ServiceCatalog, _groups: &[GroupOffsets]) -> Result<()> {
        self.check().await?;
        let sql = "SELECT TABLE_NAME, CONSTRAINT_NAME FROM information_schema.TABLE_CONSTRAINTS \
                   WHERE CONSTRAINT_SCHEMA = DATABASE() AND CONSTRAINT_TYPE = 'FOREIGN KEY'";
        let there = self.database.texts(sql).await?;
        for ddl in catalog.ddl.iter().filter(|ddl| ddl.phase == Phase::After) {
            let Some(id) = &ddl.entity else { continue };
            let table = unquote(&id.name);
            let same = |row: &super::Texts| {
                let (of, name) = (row[0].as_deref().unwrap_or_default(), row[1].as_deref().unwrap_or_default());
                of.eq_ignore_ascii_case(&table) && ddl.statement.contains(&format!(" ADD CONSTRAINT {} ", quote(name)))
            };
            if !there.iter().any(same) {
                self.database.execute(&ddl.statement).await.map_err(|e| e.at(Site::entity(id)))?;
            }
        }
        self.own = None;
        Ok(())
    }

    async fn digest(&mut self, entity: &Entity) -> Result<EntityDigest> {
        let own = own_entity(self.own().await?, entity)?;
        digest(|read| read::batches(&self.database, read), &own, entity).await
    }

    async fn keys(&mut self, entity: &Entity, fields: &[FieldPath], condition: Option<&Condition>) -> Result<KeySet> {
        keys(|read| read::batches(&self.database, read), entity, fields, condition).await
    }

    async fn dangling(&mut self, edge: &Relationship, child: &Entity, parent: &Entity) -> Result<KeySet> {
        let anti_join = || {
            let (sql, columns) = read::anti_join(edge, child, parent)?;
            Ok(read::rows_of(&self.database, &Arc::new(child.clone()), sql, columns))
        };
        dangling(|read| read::batches(&self.database, read), anti_join, edge, child, parent).await
    }
}

/// Columns of a batch beside the target's own fields.
fn cells<'a>(own: &'a Entity, batch: &'a RecordBatch, columns: &[String]) -> Result<Vec<(&'a Field, &'a ArrayRef)>> {
    let one = |column: &String| {
        let field = field(own, column)?;
        let array = batch.column_by_name(column).filter(|array| *array.data_type() == field.value.arrow());
        let array = array.ok_or_else(|| {
            Error::new(Class::Unexpected, "the column is not in the batch in its form").at(site(own, column))
        })?;
        Ok((field, array))
    };
    columns.iter().map(one).collect()
}

async fn insert(
    connection: &mut MySqlConnection,
    own: &Entity,
    entity: &Entity,
    later: &[String],
    batch: &RecordBatch,
) -> Result<()> {
    let columns: Vec<String> = stored_columns(entity).into_iter().filter(|column| !later.contains(column)).collect();
    if columns.is_empty() {
        return Err(Error::new(Class::Unexpected, "no column is left to insert"));
    }
    let cells = cells(own, batch, &columns)?;
    let names: Vec<String> = columns.iter().map(|column| quote(column)).collect();
    let chunk = (PARAMETERS / columns.len()).max(1);
    let mut start = 0;
    while start < batch.num_rows() {
        let (mut end, mut bytes) = (start, 0);
        while end < batch.num_rows() && end - start < chunk && bytes < STATEMENT {
            bytes += cells.iter().map(|(_, array)| size(array, end)).sum::<usize>();
            end += 1;
        }
        let mut sql = format!("INSERT INTO {} ({}) VALUES ", quote(&table_name(entity)), names.join(", "));
        for row in start..end {
            let values: Vec<&str> = cells.iter().map(|(field, array)| placeholder(field, array, row)).collect();
            sql.push_str(if row == start { "(" } else { ", (" });
            sql.push_str(&values.join(", "));
            sql.push(')');
        }
        let full = end - start == chunk;
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(full);
        for row in start..end {
            for (field, array) in &cells {
                query = bind(query, field, array, row);
            }
        }
        query.execute(&mut *connection).await.map_err(|error| failure(&error))?;
        start = end;
    }
    Ok(())
}

async fn patch(
    connection: &mut MySqlConnection,
    own: &Entity,
    entity: &Entity,
    columns: &[String],
    batch: &RecordBatch,
) -> Result<()> {
    if entity.key.is_empty() {
        return Err(Error::new(Class::Unexpected, "a record without a key can't be patched"));
    }
    let (values, keys) = (cells(own, batch, columns)?, cells(own, batch, &entity.key)?);
    for row in 0..batch.num_rows() {
        let list = |cells: &[(&Field, &ArrayRef)], equal: &str, between: &str| {
            let one = |(field, array): &(&Field, &ArrayRef)| {
                format!("{} {equal} {}", quote(&field.name), placeholder(field, array, row))
            };
            cells.iter().map(one).collect::<Vec<_>>().join(between)
        };
        let (set, found) = (list(&values, "=", ", "), list(&keys, "<=>", " AND "));
        let sql = format!("UPDATE {} SET {set} WHERE {found}", quote(&table_name(entity)));
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for (field, array) in values.iter().chain(&keys) {
            query = bind(query, field, array, row);
        }
        let done = query.execute(&mut *connection).await.map_err(|error| failure(&error))?;
        if done.rows_affected() > 1 {
            return Err(Error::new(Class::Unexpected, "a record to patch was found more than once"));
        }
    }
    Ok(())
}

fn size(array: &ArrayRef, row: usize) -> usize {
    let text = || array.as_string_opt::<i32>().map(|array| array.value_length(row));
    let bytes = || array.as_binary_opt::<i32>().map(|array| array.value_length(row));
    text().or_else(bytes).and_then(|length| usize::try_from(length).ok()).unwrap_or(8)
}

/// Whether a cell is the label with the number 0, which an `ENUM` holds for a value that was no label.
fn is_no_label(field: &Field, array: &ArrayRef, row: usize) -> bool {
    let labels = field.values.as_ref().filter(|labels| !labels.iter().any(String::is_empty));
    labels.is_some() && !array.is_null(row) && array.as_string::<i32>().value(row).is_empty()
}

fn placeholder(field: &Field, array: &ArrayRef, row: usize) -> &'static str {
    if is_no_label(field, array, row) { "0" } else { "?" }
}

fn bind<'q>(
    query: Query<'q, MySql, MySqlArguments>,
    field: &Field,
    array: &ArrayRef,
    row: usize,
) -> Query<'q, MySql, MySqlArguments> {
    if is_no_label(field, array, row) {
        return query;
    }
    if array.is_null(row) {
        return query.bind(None::<String>);
    }
    match field.value {
        ValueType::Int16 => query.bind(array.as_primitive::<Int16Type>().value(row)),
        ValueType::Int32 => query.bind(array.as_primitive::<Int32Type>().value(row)),
        ValueType::Int64 => query.bind(array.as_primitive::<Int64Type>().value(row)),
        ValueType::UInt64 => query.bind(array.as_primitive::<UInt64Type>().value(row)),
        ValueType::Float32 => query.bind(array.as_primitive::<Float32Type>().value(row)),
        ValueType::Float64 => query.bind(array.as_primitive::<Float64Type>().value(row)),
        ValueType::Bytes => query.bind(array.as_binary::<i32>().value(row).to_vec()),
        _ => query.bind(array.as_string::<i32>().value(row).to_owned()),
    }
}
