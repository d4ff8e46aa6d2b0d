//! The content digest of an entity: equal for the same records in any order.
//!
//! Hidden here: how records are hashed. A record's exact Arrow bytes go cell after cell through a chain of XXH3-128, and the
//! sum of all records modulo 2^128 is the digest, so order does not enter and duplicates count. The chain is advanced a column
//! at a time, for all records of a batch: what a type needs is decided once a column. The digest tells whether a target holds
//! what was sent. It is no proof against forgery: that is the signed manifest's task.

use std::fmt;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::DataType;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128_with_seed;

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
        let mut chains = vec![Chain::default(); batch.num_rows()];
        for array in columns.filter_map(|name| batch.column_by_name(name)) {
            advance(&mut chains, array);
        }
        for chain in chains {
            self.sum = self.sum.wrapping_add(u128::from(chain.high) << 64 | u128::from(chain.low));
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

/// What a record's cells gave so far: two lanes, of which the lower one seeds the hash of the next cell.
#[derive(Clone, Copy, Default)]
struct Chain {
    low: u64,
    high: u64,
}

impl Chain {
    /// The lanes' multiplier, XXH3's `PRIME64_1`: odd, so that nothing that entered is lost.
    const PRIME: u64 = 0x9E37_79B1_85EB_CA87;

    #[inline]
    fn enter(&mut self, cell: &[u8]) {
        let hash = xxh3_128_with_seed(cell, self.low);
        #[expect(clippy::cast_possible_truncation, reason = "the two halves of the hash")]
        let (low, high) = (hash as u64, (hash >> 64) as u64);
        *self = Self { low, high: self.high.wrapping_mul(Self::PRIME) ^ high };
    }

    /// NULL moves the chain otherwise than any cell does.
    #[inline]
    fn enter_null(&mut self) {
        self.low = self.low.wrapping_add(Self::PRIME).rotate_left(29);
        self.high = self.high.wrapping_mul(Self::PRIME).wrapping_add(1);
    }
}

/// Takes one column's cells into the chains of their records.
fn advance(chains: &mut [Chain], array: &dyn Array) {
    /// The branch on NULL is taken out where there is none.
    #[inline]
    fn each<'a>(chains: &mut [Chain], array: &dyn Array, cell: impl Fn(usize) -> &'a [u8]) {
        match array.nulls().filter(|nulls| nulls.null_count() > 0) {
            None => chains.iter_mut().enumerate().for_each(|(row, chain)| chain.enter(cell(row))),
            Some(nulls) => {
                for (row, chain) in chains.iter_mut().enumerate() {
                    if nulls.is_null(row) { chain.enter_null() } else { chain.enter(cell(row)) }
                }
            }
        }
    }
    match array.data_type() {
        DataType::Utf8 => {
            let texts = array.as_string::<i32>();
            each(chains, array, |row| texts.value(row).as_bytes());
        }
        DataType::Binary => {
            let bytes = array.as_binary::<i32>();
            each(chains, array, |row| bytes.value(row));
        }
        DataType::Boolean => {
            let truths = array.as_boolean();
            each(chains, array, |row| if truths.value(row) { &[1] } else { &[0] });
        }
        other => {
            let width = other.primitive_width().unwrap_or(0);
            let bytes = fixed_bytes(array, width);
            each(chains, array, |row| &bytes[row * width..(row + 1) * width]);
        }
    }
}

/// The values of a fixed-width array as bytes, its offset applied.
fn fixed_bytes(array: &dyn Array, width: usize) -> &[u8] {
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
