//! The content digest of an entity: equal for the same records in any order.
//!
//! Hidden here: how records are hashed. Each row's exact Arrow bytes, column after column, go through XXH3-128; the sum of all
//! rows modulo 2^128 is the digest, so order does not enter and duplicates count. It tells whether a target holds what was
//! sent. It is no proof against forgery: that is the signed manifest's task.

use std::fmt;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::DataType;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

/// Count and order-free digest of the records of one entity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntityDigest {
    /// The number of records.
    pub count: u64,
    #[serde(with = "hex128")]
    sum: u128,
}

impl EntityDigest {
    /// Adds the rows of a batch: the columns named, in that order; a column that is missing counts as absent.
    ///
    /// The order of columns enters the digest, so both sides must name the same columns in the same order.
    pub fn add<'a>(&mut self, batch: &RecordBatch, columns: impl Iterator<Item = &'a str>) {
        let cells: Vec<Cells> = columns.filter_map(|name| batch.column_by_name(name)).map(Cells::new).collect();
        let mut row_bytes = Vec::with_capacity(256);
        for row in 0..batch.num_rows() {
            row_bytes.clear();
            for column in &cells {
                column.append(row, &mut row_bytes);
            }
            self.sum = self.sum.wrapping_add(xxh3_128(&row_bytes));
        }
        self.count += batch.num_rows() as u64;
    }

    /// The digest of both multisets together.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self { count: self.count + other.count, sum: self.sum.wrapping_add(other.sum) }
    }
}

impl fmt::Display for EntityDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} records, xxh3:{:032x}", self.count, self.sum)
    }
}

mod hex128 {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &u128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{value:032x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16).map_err(serde::de::Error::custom)
    }
}

/// A column's cells as bytes: a marker for NULL, then fixed-width bytes or a length and bytes.
enum Cells<'a> {
    Fixed { array: &'a ArrayRef, bytes: &'a [u8], width: usize },
    Text(&'a arrow::array::StringArray),
    Binary(&'a arrow::array::BinaryArray),
    Bool(&'a arrow::array::BooleanArray),
}

impl<'a> Cells<'a> {
    fn new(array: &'a ArrayRef) -> Self {
        match array.data_type() {
            DataType::Utf8 => Self::Text(array.as_string()),
            DataType::Binary => Self::Binary(array.as_binary()),
            DataType::Boolean => Self::Bool(array.as_boolean()),
            other => {
                let width = other.primitive_width().unwrap_or(0);
                Self::Fixed { array, bytes: fixed_bytes(array, width), width }
            }
        }
    }

    fn append(&self, row: usize, out: &mut Vec<u8>) {
        fn variable(value: Option<&[u8]>, out: &mut Vec<u8>) {
            match value {
                None => out.push(0),
                Some(bytes) => {
                    out.push(1);
                    out.extend_from_slice(&(bytes.len() as u64).to_le_bytes()[..5]);
                    out.extend_from_slice(bytes);
                }
            }
        }
        match self {
            Self::Fixed { array, bytes, width } => {
                if array.is_null(row) {
                    out.push(0);
                } else {
                    out.push(1);
                    out.extend_from_slice(&bytes[row * width..(row + 1) * width]);
                }
            }
            Self::Text(array) => variable((!array.is_null(row)).then(|| array.value(row).as_bytes()), out),
            Self::Binary(array) => variable((!array.is_null(row)).then(|| array.value(row)), out),
            Self::Bool(array) => out.push(if array.is_null(row) { 0 } else { 1 + u8::from(array.value(row)) }),
        }
    }
}

/// The values of a fixed-width array as bytes, its offset applied.
fn fixed_bytes(array: &ArrayRef, width: usize) -> &[u8] {
    use arrow::datatypes as t;
    macro_rules! of {
        ($($arrow:ty),*) => {
            $(if let Some(a) = array.as_primitive_opt::<$arrow>() { return a.values().inner().as_slice(); })*
        };
    }
    debug_assert!(width > 0, "only fixed-width columns come here");
    of!(
        t::Int16Type,
        t::Int32Type,
        t::Int64Type,
        t::UInt64Type,
        t::Float32Type,
        t::Float64Type,
        t::Date32Type,
        t::Time64MicrosecondType,
        t::TimestampMicrosecondType
    );
    &[]
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int32Array, StringArray};
    use arrow::datatypes::{Field, Schema};
    use std::sync::Arc;

    fn batch(ids: Vec<Option<i32>>, names: Vec<Option<&str>>) -> RecordBatch {
        let schema =
            Schema::new(vec![Field::new("id", DataType::Int32, true), Field::new("name", DataType::Utf8, true)]);
        RecordBatch::try_new(
            Arc::new(schema),
            vec![Arc::new(Int32Array::from(ids)), Arc::new(StringArray::from(names))],
        )
        .expect("a batch")
    }

    fn digest(batches: &[RecordBatch]) -> EntityDigest {
        let mut digest = EntityDigest::default();
        for batch in batches {
            digest.add(batch, ["id", "name"].into_iter());
        }
        digest
    }

    #[test]
    fn order_and_batches_do_not_enter_but_duplicates_do() {
        let whole = batch(vec![Some(1), Some(2), None], vec![Some("a"), None, Some("")]);
        let turned = batch(vec![None, Some(2), Some(1)], vec![Some(""), None, Some("a")]);
        assert_eq!(digest(std::slice::from_ref(&whole)), digest(&[turned]));
        assert_eq!(digest(&[whole.slice(0, 1), whole.slice(1, 2)]), digest(std::slice::from_ref(&whole)));
        assert_ne!(digest(&[whole.clone(), whole.slice(0, 1)]), digest(&[whole.clone(), whole.slice(1, 1)]));
    }

    #[test]
    fn null_is_not_empty_and_columns_do_not_run_together() {
        assert_ne!(digest(&[batch(vec![Some(1)], vec![None])]), digest(&[batch(vec![Some(1)], vec![Some("")])]));
        let json = serde_json::to_string(&digest(&[batch(vec![Some(1)], vec![None])])).expect("json");
        assert!(serde_json::from_str::<EntityDigest>(&json).is_ok());
    }
}
