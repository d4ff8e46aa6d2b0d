//! Reads: queries, and rows as tagged values.
//!
//! Hidden here: how a selection becomes SQL that an index can serve, though a key may be stored in any storage class. The
//! query finds a superset (each key in every class that it may have, with the columns' own affinities and collations); the
//! rows that come are then compared by their canonical texts under those collations, which is exact.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryBuilder, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use futures::future::ready;
use futures::stream::once;
use futures::{StreamExt, TryStreamExt};
use reenact_model::canonical;
use reenact_model::captured::Extractor;
use reenact_model::{Class, Entity, Error, FieldPath, Key, KeySet, Relationship, Result, Site};
use sqlx::sqlite::{SqliteRow, SqliteValueRef};
use sqlx::{AssertSqlSafe, Decode, Row, TypeInfo, ValueRef};

use super::{Database, failure, quote};
use crate::sql::{BATCH_BYTES, BATCH_ROWS, Rows, limited, read_columns, table_name, whole};
use crate::stream::produce;
use crate::{Match, Read, Selection};

/// A query and what remains to be compared after it.
pub(super) struct Query {
    pub(super) sql: String,
    arguments: Vec<String>,
    columns: Vec<String>,
    wanted: usize,
    any: Option<Vec<Exact>>,
    except: Vec<Exact>,
}

/// A question to be answered by canonical texts: what to take out of a row, how it is compared, and the keys in that form.
struct Exact {
    extractor: Extractor,
    collations: Vec<Option<String>>,
    keys: Arc<KeySet>,
}

impl Exact {
    fn holds(&self, key: &Key) -> bool {
        if self.collations.iter().all(Option::is_none) {
            self.keys.contains(key)
        } else {
            self.keys.contains(&collated(&self.collations, key))
        }
    }
}

/// The key that stands for all that SQLite's collations take for equal (<https://sqlite.org/datatype3.html#collation>).
fn collated(collations: &[Option<String>], key: &Key) -> Key {
    let one = |part: &str, collation: Option<&str>| -> Box<str> {
        match collation {
            Some("NOCASE") => part.to_ascii_lowercase().into(),
            Some("RTRIM") => part.trim_end_matches(' ').into(),
            _ => part.into(),
        }
    };
    Key::new(key.parts().iter().zip(collations).map(|(part, collation)| one(part, collation.as_deref())))
}

impl Query {
    pub(super) fn new(read: &Read) -> Result<Self> {
        let entity = &*read.entity;
        let mut query = Self {
            sql: String::new(),
            arguments: Vec::new(),
            columns: read_columns(read)?,
            wanted: 0,
            any: None,
            except: Vec::new(),
        };
        query.wanted = query.columns.len();
        let condition = match &read.selection {
            Selection::All => None,
            Selection::Where(fields) if fields.is_empty() => None,
            Selection::Where(fields) => {
                let key = Key::new(fields.iter().map(|(_, text)| text.as_str()));
                let keys = Arc::new(KeySet::from_iter([key]));
                let fields = fields.iter().map(|(field, _)| field.clone()).collect();
                Some(query.matches(entity, &[Match { fields, keys, condition: None }])?)
            }
            Selection::Match { any, except } => {
                let condition = query.matches(entity, any)?;
                query.except = compile(entity, except)?;
                query.need(&except.iter().flat_map(columns_of).collect::<Vec<_>>());
                Some(condition)
            }
        };
        let columns: Vec<String> = query.columns.iter().map(|column| quote(column)).collect();
        let mut sql = format!("SELECT {} FROM {}", columns.join(", "), quote(&table_name(entity)));
        if let Some(condition) = condition {
            let _ = write!(sql, " WHERE {condition}");
        }
        if read.ordered {
            let by = if entity.key.is_empty() { &query.columns } else { &entity.key };
            let by: Vec<String> = by.iter().map(|column| quote(column)).collect();
            let _ = write!(sql, " ORDER BY {}", by.join(", "));
        }
        query.sql = sql;
        Ok(query)
    }

    fn need(&mut self, columns: &[String]) {
        for column in columns {
            if !self.columns.contains(column) {
                self.columns.push(column.clone());
            }
        }
    }

    /// The superset of what matches, as SQL; the exact comparison is kept for later.
    fn matches(&mut self, entity: &Entity, any: &[Match]) -> Result<String> {
        self.any = Some(compile(entity, any)?);
        self.need(&any.iter().flat_map(columns_of).collect::<Vec<_>>());
        let terms: Vec<String> = any.iter().map(|m| self.term(entity, m)).collect();
        Ok(if terms.is_empty() { "0".to_owned() } else { format!("({})", terms.join(" OR ")) })
    }

    fn term(&mut self, entity: &Entity, wanted: &Match) -> String {
        let name = |field: &FieldPath| match entity.field(&field.column).and_then(|field| field.collation.as_ref()) {
            Some(collation) => format!("{} COLLATE {}", quote(&field.column), quote(collation)),
            None => quote(&field.column),
        };
        let names: Vec<String> = wanted.fields.iter().map(name).collect();
        if wanted.keys.is_empty() {
            return "0".to_owned();
        }
        let (mut rows, mut odd) = (Vec::new(), false);
        for key in wanted.keys.iter() {
            // Bytes in a text class that are no UTF-8, or hold a NUL, can't stand in JSON.
            odd |= key.parts().iter().any(|part| is_odd(part));
            let mut variants = vec![Vec::new()];
            for part in key.parts() {
                let classes = candidates(part);
                variants = variants
                    .iter()
                    .flat_map(|row: &Vec<String>| {
                        classes.iter().map(|value| row.iter().cloned().chain([value.clone()]).collect())
                    })
                    .collect();
            }
            rows.extend(variants.iter().map(|values| format!("[{}]", values.join(","))));
        }
        self.arguments.push(format!("[{}]", rows.join(",")));
        let parameter = self.arguments.len();
        let value = |n: usize| {
            format!(
                "CASE json_type(value, '$[{n}]') WHEN 'object' THEN unhex(json_extract(value, '$[{n}].b')) \
                 ELSE json_extract(value, '$[{n}]') END"
            )
        };
        let values: Vec<String> = (0..names.len()).map(value).collect();
        let mut term = format!("({}) IN (SELECT {} FROM json_each(?{parameter}))", names.join(", "), values.join(", "));
        if odd {
            let texts: Vec<String> = names.iter().map(|name| format!("typeof({name}) = 'text'")).collect();
            let _ = write!(term, " OR {}", texts.join(" OR "));
        }
        format!("({term})")
    }

    /// The rows of a batch that are really meant, with the wanted columns.
    fn exact(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let matched = |matches: &[Exact]| -> Result<Vec<bool>> {
            let mut rows = vec![false; batch.num_rows()];
            for exact in matches {
                for (row, found) in rows.iter_mut().zip(exact.extractor.keys(batch)?) {
                    *row |= found.iter().any(|key| exact.holds(key));
                }
            }
            Ok(rows)
        };
        let Some(any) = &self.any else { return Ok(batch.clone()) };
        let mut rows = matched(any)?;
        if !self.except.is_empty() {
            for (row, out) in rows.iter_mut().zip(matched(&self.except)?) {
                *row &= !out;
            }
        }
        let wanted: Vec<usize> = (0..self.wanted).collect();
        let failed = |_| Error::new(Class::Unexpected, "rows could not be filtered");
        filter_record_batch(&batch.project(&wanted).map_err(failed)?, &BooleanArray::from(rows)).map_err(failed)
    }
}

fn columns_of(wanted: &Match) -> Vec<String> {
    let condition = wanted.condition.iter().map(|condition| condition.field.column.clone());
    wanted.fields.iter().map(|field| field.column.clone()).chain(condition).collect()
}

fn compile(entity: &Entity, matches: &[Match]) -> Result<Vec<Exact>> {
    let one = |wanted: &Match| {
        for field in wanted.fields.iter().chain(wanted.condition.iter().map(|c| &c.field)) {
            whole(entity, field)?;
        }
        let extractor = Extractor::new(entity, &wanted.fields, wanted.condition.as_ref())?;
        let collation = |field: &FieldPath| entity.field(&field.column).and_then(|field| field.collation.clone());
        let collations: Vec<_> = wanted.fields.iter().map(collation).collect();
        let keys = if collations.iter().all(Option::is_none) {
            wanted.keys.clone()
        } else {
            Arc::new(wanted.keys.iter().map(|key| collated(&collations, key)).collect())
        };
        Ok(Exact { extractor, collations, keys })
    };
    matches.iter().map(one).collect()
}

fn is_odd(part: &str) -> bool {
    part.contains('\0')
        || (part.starts_with("\\x") && canonical::bytes_of(part).is_none_or(|b| std::str::from_utf8(&b).is_err()))
}

/// The values, as JSON, that have this canonical text: a number, a text, and a blob as `{"b": hex}`.
fn candidates(part: &str) -> Vec<String> {
    let mut out = BTreeSet::new();
    if part.parse::<f64>().is_ok_and(f64::is_finite) && canonical::number(part) == part {
        // A text that is no JSON number, such as `1_0` or `.5`, is no canonical number either.
        if part.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'.')) {
            out.insert(part.to_owned());
        }
    }
    match part {
        "inf" => out.insert("9e999".to_owned()),
        "-inf" => out.insert("-9e999".to_owned()),
        _ => false,
    };
    if let Some(bytes) = canonical::bytes_of(part) {
        let mut hex = String::with_capacity(bytes.len() * 2);
        for byte in &bytes {
            let _ = write!(hex, "{byte:02x}");
        }
        out.insert(format!("{{\"b\":\"{hex}\"}}"));
        if let Ok(text) = String::from_utf8(bytes) {
            out.insert(serde_json::Value::String(text).to_string());
        }
    }
    out.into_iter().collect()
}

/// The child rows whose reference finds no parent.
pub(super) fn anti_join(edge: &Relationship, child: &Entity, parent: &Entity) -> Result<(String, Vec<String>)> {
    let mut columns = Vec::new();
    let (mut present, mut equal) = (Vec::new(), Vec::new());
    for (from, to) in edge.child.fields.iter().zip(&edge.parent.fields) {
        let (from, to) = (whole(child, from)?, whole(parent, to)?);
        present.push(format!("c.{} IS NOT NULL", quote(&from.name)));
        equal.push(format!("p.{} = c.{}", quote(&to.name), quote(&from.name)));
        columns.push(from.name.clone());
    }
    let names: Vec<String> = columns.iter().map(|column| format!("c.{}", quote(column))).collect();
    let sql = format!(
        "SELECT DISTINCT {} FROM {} c WHERE {} AND NOT EXISTS (SELECT 1 FROM {} p WHERE {})",
        names.join(", "),
        quote(&table_name(child)),
        present.join(" AND "),
        quote(&table_name(parent)),
        equal.join(" AND ")
    );
    Ok((sql, columns))
}

/// The batches of a read.
pub(super) fn batches<'a>(database: &'a Database, read: &Read) -> Rows<'a> {
    let query = match Query::new(read) {
        Ok(query) => query,
        Err(error) => return once(async { Err(error) }).boxed(),
    };
    let (sql, columns, arguments) = (query.sql.clone(), query.columns.clone(), query.arguments.clone());
    let rows = rows_of(database, &read.entity, sql, columns, arguments);
    let exact = rows.map(move |batch| query.exact(&batch?));
    limited(read, exact.try_filter(|batch| ready(batch.num_rows() > 0)).boxed())
}

/// The rows of a query, whose columns are these.
pub(super) fn rows_of<'a>(
    database: &'a Database,
    entity: &Arc<Entity>,
    sql: String,
    columns: Vec<String>,
    arguments: Vec<String>,
) -> Rows<'a> {
    let entity = entity.clone();
    produce(move |sender| async move {
        database.count_query();
        let schema = entity.schema_of(&columns);
        let failed = |error: sqlx::Error| failure(&error).at(Site::entity(&entity.id));
        let mut connection = database.connection.lock().await;
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        for argument in arguments {
            query = query.bind(argument);
        }
        let mut rows = query.fetch(&mut *connection);
        let mut cells = Cells::new(columns.len());
        loop {
            let row = rows.try_next().await.map_err(failed)?;
            let full = match &row {
                Some(row) => cells.push(row).map_err(failed)?,
                None => cells.rows > 0,
            };
            if full {
                let batch = RecordBatch::try_new(schema.clone(), cells.finish()).map_err(|_| {
                    Error::new(Class::Unexpected, "a batch could not be made").at(Site::entity(&entity.id))
                })?;
                if sender.send(batch).await.is_err() {
                    return Ok(());
                }
            }
            if row.is_none() {
                return Ok(());
            }
        }
    })
}

/// Rows on their way into a batch.
struct Cells {
    columns: Vec<BinaryBuilder>,
    rows: usize,
    bytes: usize,
    scratch: Vec<u8>,
}

impl Cells {
    fn new(columns: usize) -> Self {
        let columns = (0..columns).map(|_| BinaryBuilder::new()).collect();
        Self { columns, rows: 0, bytes: 0, scratch: Vec::new() }
    }

    /// Appends a row; `true` when the batch is full.
    fn push(&mut self, row: &SqliteRow) -> std::result::Result<bool, sqlx::Error> {
        for (at, column) in self.columns.iter_mut().enumerate() {
            let value = row.try_get_raw(at)?;
            if value.is_null() {
                column.append_null();
            } else {
                tag(value, &mut self.scratch)?;
                self.bytes += self.scratch.len();
                column.append_value(&self.scratch);
            }
        }
        self.rows += 1;
        Ok(self.rows >= BATCH_ROWS || self.bytes >= BATCH_BYTES)
    }

    fn finish(&mut self) -> Vec<ArrayRef> {
        (self.rows, self.bytes) = (0, 0);
        self.columns.iter_mut().map(|column| Arc::new(column.finish()) as Arc<dyn Array>).collect()
    }
}

/// A value with its storage class.
fn tag(value: SqliteValueRef<'_>, out: &mut Vec<u8>) -> std::result::Result<(), sqlx::Error> {
    use std::io::Write as _;
    out.clear();
    let class = value.type_info().name().as_bytes().first().copied().unwrap_or(b'T').to_ascii_lowercase();
    match class {
        b'i' => {
            let number = <i64 as Decode<sqlx::Sqlite>>::decode(value).map_err(sqlx::Error::Decode)?;
            let _ = write!(out, "i{number}");
        }
        b'r' => {
            let number = <f64 as Decode<sqlx::Sqlite>>::decode(value).map_err(sqlx::Error::Decode)?;
            let _ = write!(out, "r{number:?}");
        }
        class => {
            out.push(class);
            out.extend_from_slice(<&[u8] as Decode<sqlx::Sqlite>>::decode(value).map_err(sqlx::Error::Decode)?);
        }
    }
    Ok(())
}
