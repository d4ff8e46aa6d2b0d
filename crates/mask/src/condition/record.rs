//! A record as an expression sees it.
//!
//! Hidden here: how a column's value becomes one of CEL's. A field that is NULL is not declared, so that whatever compares it
//! fails; a member that is null counts as one that is not there. Only the columns that an expression names are converted.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, TimestampMicrosecondType};
use cel::objects::Key;
use cel::{Context, Value};
use chrono::{DateTime, FixedOffset, Utc};
use reenact_model::canonical::{self, Reader};
use reenact_model::payload::Codec;
use reenact_model::payload::{Decoder, Node};
use reenact_model::{Class, Entity, Error, Result, Site, ValueType};

const DAY: i64 = 86_400_000_000;

/// A column that an expression names.
#[derive(Clone, Debug)]
pub(super) struct Referenced {
    pub(super) column: String,
    pub(super) value: ValueType,
    pub(super) codec: Option<Codec>,
    /// The variable that holds its value.
    pub(super) variable: String,
    /// The variable that tells whether it is NULL.
    pub(super) absent: String,
}

/// The columns of a batch that an expression names.
pub(super) struct Record<'a> {
    fields: Vec<(&'a Referenced, &'a ArrayRef, Option<Decoder>)>,
}

impl<'a> Record<'a> {
    pub(super) fn new(fields: &'a [Referenced], entity: &Entity, batch: &'a RecordBatch) -> Result<Self> {
        let field = |field: &'a Referenced| {
            let array = batch.column_by_name(&field.column).ok_or_else(|| {
                Error::new(Class::Unexpected, format!("column `{}` was not read", field.column))
                    .at(Site::entity(&entity.id))
            })?;
            Ok((field, array, field.codec.as_ref().map(Decoder::new).transpose()?))
        };
        Ok(Self { fields: fields.iter().map(field).collect::<Result<_>>()? })
    }

    /// What the answer of a row may be remembered by; none if a payload has to be taken apart.
    pub(super) fn name(&self, row: usize) -> Option<String> {
        let mut name = String::new();
        for (field, array, decoder) in &self.fields {
            if decoder.is_some() {
                return None;
            }
            match Reader::new(*array, field.value).get(row) {
                // With class and length, so that no two records have one name.
                Some(text) => {
                    let class = char::from(canonical::class_of(*array, field.value, row));
                    name.push(class);
                    name.push_str(&text.len().to_string());
                    name.push(':');
                    name.push_str(&text);
                }
                None => name.push('-'),
            }
        }
        Some(name)
    }

    /// Declares the values of a row.
    pub(super) fn fill(&self, row: usize, scope: &mut Context<'_, '_>) {
        for (field, array, decoder) in &self.fields {
            scope.add_variable_from_value(field.absent.as_str(), Value::Bool(array.is_null(row)));
            if let Some(value) = value(field, array, decoder.as_ref(), row) {
                scope.add_variable_from_value(field.variable.as_str(), value);
            }
        }
    }

    /// Why a row can't be decided, by names alone.
    pub(super) fn why(&self, row: usize) -> String {
        let mut nulls = Vec::new();
        let mut unread = Vec::new();
        for (field, array, decoder) in &self.fields {
            if array.is_null(row) {
                nulls.push(field.column.as_str());
            } else if value(field, array, decoder.as_ref(), row).is_none() {
                unread.push(field.column.as_str());
            }
        }
        if !nulls.is_empty() {
            return format!("`{}` is NULL", nulls.join("`, `"));
        }
        if unread.is_empty() {
            return "a part that it compares is missing or null there, or of another type".to_owned();
        }
        format!("`{}` holds what can't be compared exactly", unread.join("`, `"))
    }
}

/// A cell; `None` if it is NULL, or has no exact form here.
fn value(field: &Referenced, array: &ArrayRef, decoder: Option<&Decoder>, row: usize) -> Option<Value> {
    if array.is_null(row) {
        return None;
    }
    if let Some(decoder) = decoder {
        return Some(of_node(&decoder.decode_cell(array, field.value, row)?.ok()?));
    }
    match field.value {
        ValueType::Date => {
            let day = array.as_primitive::<Date32Type>().value(row);
            moment(i64::from(day).checked_mul(DAY).filter(|_| day != i32::MIN && day != i32::MAX)?)
        }
        ValueType::Timestamp | ValueType::TimestampUtc => {
            moment(array.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        other => {
            let text = Reader::new(array, other).get(row)?;
            match other {
                ValueType::Bool => Some(Value::Bool(text == "true")),
                ValueType::Int16 | ValueType::Int32 | ValueType::Int64 => text.parse().ok().map(Value::Int),
                ValueType::UInt64 => text.parse().ok().map(Value::UInt),
                ValueType::Float32 | ValueType::Float64 => {
                    text.parse().ok().filter(|n: &f64| n.is_finite()).map(Value::Float)
                }
                ValueType::Decimal => double(&text),
                ValueType::Tagged => match canonical::class_of(array, other, row) {
                    b'i' => text.parse().ok().map(Value::Int),
                    b'r' => text.parse().ok().filter(|n: &f64| n.is_finite()).map(Value::Float),
                    b't' => Some(Value::from(&*text)),
                    _ => None,
                },
                _ => Some(Value::from(&*text)),
            }
        }
    }
}

/// A moment between the years 1 and 9999, in UTC.
fn moment(micros: i64) -> Option<Value> {
    let time: DateTime<Utc> = DateTime::from_timestamp_micros(micros)?;
    let (first, last) = (-62_135_596_800_000_000, 253_402_300_799_999_999);
    (first..=last).contains(&micros).then(|| Value::Timestamp(DateTime::<FixedOffset>::from(time)))
}

/// A decimal number, if a number of floating point tells it from its neighbours.
fn double(text: &str) -> Option<Value> {
    let number: f64 = text.parse().ok().filter(|n: &f64| n.is_finite())?;
    (canonical::number(&number.to_string()) == canonical::number(text)).then_some(Value::Float(number))
}

/// A decoded payload; what has no exact form is null, which compares with nothing.
fn of_node(node: &Node) -> Value {
    match node {
        Node::Null => Value::Null,
        Node::Bool(value) => Value::Bool(*value),
        Node::Number(text) => {
            let whole = canonical::number(text);
            whole.parse().map(Value::Int).ok().or_else(|| double(&whole)).unwrap_or(Value::Null)
        }
        Node::Text(text) => Value::from(text.as_str()),
        Node::Bytes(bytes) => match canonical::bytes(bytes) {
            Cow::Borrowed(text) => Value::from(text),
            Cow::Owned(_) => Value::Bytes(Arc::new(bytes.clone())),
        },
        Node::List(items) => Value::List(Arc::new(items.iter().map(of_node).collect())),
        Node::Map(members) => {
            let mut map: HashMap<Key, Value> = HashMap::with_capacity(members.len());
            for (name, member) in members {
                // A name that stands twice has no one value.
                let twice = map.contains_key(&Key::from(name.as_str()));
                let value = if twice { Value::Null } else { of_node(member) };
                map.insert(Key::from(name.as_str()), value);
            }
            map.retain(|name, value| {
                !matches!(value, Value::Null)
                    || members.iter().any(|(n, m)| *m != Node::Null && Key::from(n.as_str()) == *name)
            });
            Value::from(map)
        }
    }
}
