//! Reads: queries with hexadecimal literals, and rows of the text protocol into Arrow.
//!
//! Hidden here: each type's exact text. Keys stand in the statement as literals that nothing in them can end, so that the
//! server answers by the text protocol; they are compared by the column's own collation, as its indexes and references are.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryBuilder, PrimitiveBuilder, RecordBatch, StringArray};
use arrow::datatypes::{ArrowPrimitiveType, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, UInt64Type};
use futures::stream::once;
use futures::{StreamExt, TryStreamExt};
use reenact_model::catalog::Condition;
use reenact_model::{Class, Entity, Error, Field, FieldPath, Relationship, Result, Site, ValueType, canonical};
use sqlx::AssertSqlSafe;

use super::{Database, cell, hexadecimal, quote, unread};
use crate::sql::{BATCH_BYTES, BATCH_ROWS, Rows, limited, read_columns, site, table_name, whole};
use crate::stream::produce;
use crate::{Match, Read, Selection};

/// A `SELECT` and the columns that it gives.
pub(super) fn select(read: &Read) -> Result<(String, Vec<String>)> {
    let entity = &*read.entity;
    let columns = read_columns(read)?;
    let list: Vec<String> = columns.iter().filter_map(|c| entity.field(c)).map(|field| output(field, "t")).collect();
    let mut sql = format!("SELECT {} FROM {} AS t", list.join(", "), quote(&table_name(entity)));
    match &read.selection {
        Selection::All => {}
        Selection::Where(fields) => {
            let tests = fields.iter().map(|(path, text)| equals(entity, path, text)).collect::<Result<Vec<_>>>()?;
            if !tests.is_empty() {
                let _ = write!(sql, " WHERE {}", tests.join(" AND "));
            }
        }
        Selection::Match { any, except } => {
            let terms = any.iter().map(|m| matches(entity, m)).collect::<Result<Vec<_>>>()?;
            let _ = write!(sql, " WHERE ({})", if terms.is_empty() { "FALSE".to_owned() } else { terms.join(" OR ") });
            for term in except {
                let _ = write!(sql, " AND NOT COALESCE({}, FALSE)", matches(entity, term)?);
            }
        }
    }
    if read.ordered {
        let by = if entity.key.is_empty() { &columns } else { &entity.key };
        let by: Vec<String> = by.iter().map(|column| format!("t.{}", quote(column))).collect();
        let _ = write!(sql, " ORDER BY {}", by.join(", "));
    }
    if let Some(limit) = read.limit {
        let _ = write!(sql, " LIMIT {}", limit.saturating_add(1));
    }
    Ok((sql, columns))
}

fn starts(field: &Field, kind: &str) -> bool {
    field.native.get(..kind.len()).is_some_and(|start| start.eq_ignore_ascii_case(kind))
}

/// A column in a form whose text is exact.
fn output(field: &Field, alias: &str) -> String {
    let column = format!("{alias}.{}", quote(&field.name));
    match field.value {
        // The text of a FLOAT has six digits; that of the DOUBLE it equals has all.
        ValueType::Float32 => format!("CAST({column} AS DOUBLE)"),
        ValueType::UInt64 if starts(field, "bit") => format!("{column} + 0"),
        _ => column,
    }
}

/// A canonical text as a literal to compare the column with; `None` if it has no form in the column's type.
fn native(field: &Field, text: &str) -> Option<String> {
    Some(match field.value {
        ValueType::Int16 => text.parse::<i16>().ok()?.to_string(),
        ValueType::Int32 => text.parse::<i32>().ok()?.to_string(),
        ValueType::Int64 => text.parse::<i64>().ok()?.to_string(),
        ValueType::UInt64 => text.parse::<u64>().ok()?.to_string(),
        ValueType::Float32 => format!("{:e}", f64::from(text.parse::<f32>().ok().filter(|n| n.is_finite())?)),
        ValueType::Float64 => format!("{:e}", text.parse::<f64>().ok().filter(|n| n.is_finite())?),
        ValueType::Decimal => {
            let number = canonical::number(text);
            let digits = number.strip_prefix('-').unwrap_or(&number);
            let plain = digits.starts_with(|c: char| c.is_ascii_digit())
                && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
                && digits.bytes().filter(|b| *b == b'.').count() <= 1;
            plain.then(|| number.into_owned())?
        }
        ValueType::Bytes => hexadecimal(&canonical::bytes_of(text)?),
        ValueType::Other | ValueType::Uuid => {
            let simple = !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit() || b" :.-".contains(&b));
            simple.then(|| format!("'{text}'"))?
        }
        ValueType::Text
            if field.values.as_ref().is_some_and(|values| !text.is_empty() && !values.iter().any(|v| v == text)) =>
        {
            return None;
        }
        _ => format!("_utf8mb4 {}", hexadecimal(text.as_bytes())),
    })
}

fn is_exact(field: &Field, text: &str) -> bool {
    let number =
        field.value.is_integer() || matches!(field.value, ValueType::Decimal | ValueType::Float32 | ValueType::Float64);
    !number || canonical::number(text) == text
}

/// A column as an operand; a FLOAT is compared as the DOUBLE that it equals.
fn input(field: &Field, alias: &str) -> String {
    let column = format!("{alias}.{}", quote(&field.name));
    if field.value == ValueType::Float32 { format!("CAST({column} AS DOUBLE)") } else { column }
}

fn equals(entity: &Entity, path: &FieldPath, text: &str) -> Result<String> {
    let field = whole(entity, path)?;
    let value = native(field, text).ok_or_else(|| {
        let message = format!("the value given for this field is no `{}`", field.native);
        Error::new(Class::Input, message).at(site(entity, &path.column))
    })?;
    Ok(format!("{} = {value}", input(field, "t")))
}

fn matches(entity: &Entity, wanted: &Match) -> Result<String> {
    let fields = wanted.fields.iter().map(|path| whole(entity, path)).collect::<Result<Vec<_>>>()?;
    let mut rows = Vec::new();
    for key in wanted.keys.iter() {
        let values: Option<Vec<String>> =
            fields.iter().zip(key.parts()).map(|(f, text)| native(f, text).filter(|_| is_exact(f, text))).collect();
        if let Some(values) = values {
            rows.push(if values.len() == 1 { values.concat() } else { format!("({})", values.join(",")) });
        }
    }
    let condition = match &wanted.condition {
        Some(condition) => format!(" AND {}", self::condition(entity, condition)?),
        None => String::new(),
    };
    if rows.is_empty() {
        return Ok("FALSE".to_owned());
    }
    let left: Vec<String> = fields.iter().map(|field| input(field, "t")).collect();
    let left = if left.len() == 1 { left.concat() } else { format!("({})", left.join(", ")) };
    Ok(format!("({left} IN ({}){condition})", rows.join(",")))
}

fn condition(entity: &Entity, condition: &Condition) -> Result<String> {
    let field = whole(entity, &condition.field)?;
    Ok(match native(field, &condition.equals) {
        Some(value) => format!("{} = {value}", input(field, "t")),
        None => "FALSE".to_owned(),
    })
}

/// The child rows whose reference finds no parent.
pub(super) fn anti_join(edge: &Relationship, child: &Entity, parent: &Entity) -> Result<(String, Vec<String>)> {
    let (mut columns, mut list, mut tests, mut equal) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (from, to) in edge.child.fields.iter().zip(&edge.parent.fields) {
        let (from, to) = (whole(child, from)?, whole(parent, to)?);
        columns.push(from.name.clone());
        list.push(output(from, "c"));
        tests.push(format!("c.{} IS NOT NULL", quote(&from.name)));
        equal.push(format!("p.{} = c.{}", quote(&to.name), quote(&from.name)));
    }
    let sql = format!(
        "SELECT DISTINCT {} FROM {} AS c WHERE {} AND NOT EXISTS (SELECT 1 FROM {} AS p WHERE {})",
        list.join(", "),
        quote(&table_name(child)),
        tests.join(" AND "),
        quote(&table_name(parent)),
        equal.join(" AND ")
    );
    Ok((sql, columns))
}

/// The batches of a read.
pub(super) fn batches<'a>(database: &'a Database, read: &Read) -> Rows<'a> {
    match select(read) {
        Ok((sql, columns)) => limited(read, rows_of(database, &read.entity, sql, columns)),
        Err(error) => once(async { Err(error) }).boxed(),
    }
}

/// The rows of a query, whose columns are these.
pub(super) fn rows_of<'a>(database: &'a Database, entity: &Arc<Entity>, sql: String, columns: Vec<String>) -> Rows<'a> {
    let entity = entity.clone();
    produce(move |sender| async move {
        database.count_query();
        let schema = entity.schema_of(&columns);
        let site = || Site::entity(&entity.id);
        let fields: Vec<&Field> = columns.iter().filter_map(|column| entity.field(column)).collect();
        let mut connection = database.connection.lock().await;
        let mut rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch(&mut *connection);
        let mut builders: Vec<Column> = fields.iter().map(|field| Column::new(field)).collect();
        let (mut held, mut bytes) = (0_usize, 0_usize);
        loop {
            let row = rows.try_next().await.map_err(|error| unread(&error, &entity).at(site()))?;
            if let Some(row) = &row {
                for (at, builder) in builders.iter_mut().enumerate() {
                    let value = cell(row, at);
                    bytes += value.map_or(0, <[u8]>::len);
                    builder.push(value).ok_or_else(|| {
                        let message = "the server's text has another form than the column's type";
                        Error::new(Class::Input, message).at(self::site(&entity, &columns[at]))
                    })?;
                }
                held += 1;
            }
            if held > 0 && (row.is_none() || held >= BATCH_ROWS || bytes >= BATCH_BYTES) {
                (held, bytes) = (0, 0);
                let mut arrays = Vec::with_capacity(builders.len());
                for (at, builder) in builders.iter_mut().enumerate() {
                    arrays.push(builder.finish().ok_or_else(|| {
                        Error::new(Class::Input, "a text is no UTF-8").at(self::site(&entity, &columns[at]))
                    })?);
                }
                let batch = RecordBatch::try_new(schema.clone(), arrays)
                    .map_err(|_| Error::new(Class::Unexpected, "a batch could not be made").at(site()))?;
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

enum Column {
    Int16(PrimitiveBuilder<Int16Type>),
    Int32(PrimitiveBuilder<Int32Type>),
    Int64(PrimitiveBuilder<Int64Type>),
    UInt64(PrimitiveBuilder<UInt64Type>),
    Float32(PrimitiveBuilder<Float32Type>),
    Float64(PrimitiveBuilder<Float64Type>),
    Text(BinaryBuilder),
    /// A text whose fraction of a second loses its trailing zeros.
    Moment(BinaryBuilder),
    Bytes(BinaryBuilder),
}

impl Column {
    fn new(field: &Field) -> Self {
        match field.value {
            ValueType::Int16 => Self::Int16(PrimitiveBuilder::new()),
            ValueType::Int32 => Self::Int32(PrimitiveBuilder::new()),
            ValueType::Int64 => Self::Int64(PrimitiveBuilder::new()),
            ValueType::UInt64 => Self::UInt64(PrimitiveBuilder::new()),
            ValueType::Float32 => Self::Float32(PrimitiveBuilder::new()),
            ValueType::Float64 => Self::Float64(PrimitiveBuilder::new()),
            ValueType::Bytes => Self::Bytes(BinaryBuilder::new()),
            ValueType::Other if !starts(field, "inet") => Self::Moment(BinaryBuilder::new()),
            _ => Self::Text(BinaryBuilder::new()),
        }
    }

    fn push(&mut self, value: Option<&[u8]>) -> Option<()> {
        fn number<T: ArrowPrimitiveType>(builder: &mut PrimitiveBuilder<T>, value: Option<&[u8]>) -> Option<()>
        where
            T::Native: std::str::FromStr,
        {
            let parse = |value: &[u8]| std::str::from_utf8(value).ok()?.parse::<T::Native>().ok();
            builder.append_option(match value {
                Some(value) => Some(parse(value)?),
                None => None,
            });
            Some(())
        }
        match self {
            Self::Int16(b) => number(b, value)?,
            Self::Int32(b) => number(b, value)?,
            Self::Int64(b) => number(b, value)?,
            Self::UInt64(b) => number(b, value)?,
            Self::Float64(b) => number(b, value)?,
            Self::Float32(b) => {
                let parse = |value: &[u8]| std::str::from_utf8(value).ok()?.parse::<f64>().ok();
                #[expect(clippy::cast_possible_truncation, reason = "the double was made from a float and is one")]
                let narrow = |wide: f64| wide as f32;
                match value {
                    Some(value) => b.append_value(narrow(parse(value)?)),
                    None => b.append_null(),
                }
            }
            Self::Text(b) | Self::Bytes(b) => b.append_option(value),
            Self::Moment(b) => b.append_option(value.map(|value| {
                if !value.contains(&b'.') {
                    return value;
                }
                let end = value.iter().rposition(|c| *c != b'0').map_or(0, |at| at + 1);
                value[..end].strip_suffix(b".").unwrap_or(&value[..end])
            })),
        }
        Some(())
    }

    fn finish(&mut self) -> Option<ArrayRef> {
        Some(match self {
            Self::Int16(b) => Arc::new(b.finish()),
            Self::Int32(b) => Arc::new(b.finish()),
            Self::Int64(b) => Arc::new(b.finish()),
            Self::UInt64(b) => Arc::new(b.finish()),
            Self::Float32(b) => Arc::new(b.finish()),
            Self::Float64(b) => Arc::new(b.finish()),
            Self::Text(b) | Self::Moment(b) => Arc::new(StringArray::try_from_binary(b.finish()).ok()?),
            Self::Bytes(b) => Arc::new(b.finish()),
        })
    }
}
