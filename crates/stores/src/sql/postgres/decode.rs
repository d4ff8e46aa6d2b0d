//! Binary `COPY` into Arrow.
//!
//! Hidden here: the wire format of each type. This is the hot path of a capture: one decoder per column, values appended
//! straight to its builder, texts checked once per batch, nothing allocated per row.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, BinaryBuilder, BooleanBuilder, PrimitiveBuilder, RecordBatch, StringArray};
use arrow::datatypes::{
    ArrowPrimitiveType, Date32Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, SchemaRef,
    Time64MicrosecondType, TimestampMicrosecondType,
};
use reenact_model::{Class, Entity, Error, Result, Site, ValueType};

use crate::sql::{BATCH_BYTES, BATCH_ROWS, site};

/// Days and microseconds from 1970-01-01 to 2000-01-01, PostgreSQL's own epoch.
pub(super) const EPOCH_DAYS: i32 = 10_957;
pub(super) const EPOCH_MICROS: i64 = EPOCH_DAYS as i64 * 86_400_000_000;
const HEADER: usize = 19;

enum Column {
    Bool(BooleanBuilder),
    Int16(PrimitiveBuilder<Int16Type>),
    Int32(PrimitiveBuilder<Int32Type>),
    Int64(PrimitiveBuilder<Int64Type>),
    Float32(PrimitiveBuilder<Float32Type>),
    Float64(PrimitiveBuilder<Float64Type>),
    Numeric(BinaryBuilder),
    Text(BinaryBuilder),
    Uuid(BinaryBuilder),
    Bytes(BinaryBuilder),
    Date(PrimitiveBuilder<Date32Type>),
    Time(PrimitiveBuilder<Time64MicrosecondType>),
    Timestamp(PrimitiveBuilder<TimestampMicrosecondType>, bool),
}

/// What can be wrong with a value: it is not of the form that its type has, or has no place in Arrow's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bad {
    Form,
    Range,
}

fn be<const N: usize>(value: &[u8]) -> std::result::Result<[u8; N], Bad> {
    value.try_into().map_err(|_| Bad::Form)
}

impl Column {
    fn new(value: ValueType) -> Self {
        fn primitive<T: ArrowPrimitiveType>() -> PrimitiveBuilder<T> {
            PrimitiveBuilder::with_capacity(1_024)
        }
        match value {
            ValueType::Bool => Self::Bool(BooleanBuilder::new()),
            ValueType::Int16 => Self::Int16(primitive()),
            ValueType::Int32 => Self::Int32(primitive()),
            ValueType::Int64 => Self::Int64(primitive()),
            ValueType::Float32 => Self::Float32(primitive()),
            ValueType::Float64 => Self::Float64(primitive()),
            ValueType::Decimal => Self::Numeric(BinaryBuilder::new()),
            ValueType::Uuid => Self::Uuid(BinaryBuilder::new()),
            ValueType::Bytes => Self::Bytes(BinaryBuilder::new()),
            ValueType::Date => Self::Date(primitive()),
            ValueType::Time => Self::Time(primitive()),
            ValueType::Timestamp => Self::Timestamp(primitive(), false),
            ValueType::TimestampUtc => Self::Timestamp(primitive(), true),
            ValueType::Text | ValueType::Json | ValueType::Other | ValueType::UInt64 | ValueType::Tagged => {
                Self::Text(BinaryBuilder::new())
            }
        }
    }

    fn push_null(&mut self) {
        match self {
            Self::Bool(b) => b.append_null(),
            Self::Int16(b) => b.append_null(),
            Self::Int32(b) => b.append_null(),
            Self::Int64(b) => b.append_null(),
            Self::Float32(b) => b.append_null(),
            Self::Float64(b) => b.append_null(),
            Self::Numeric(b) | Self::Text(b) | Self::Uuid(b) | Self::Bytes(b) => b.append_null(),
            Self::Date(b) => b.append_null(),
            Self::Time(b) => b.append_null(),
            Self::Timestamp(b, _) => b.append_null(),
        }
    }

    #[inline]
    fn push(&mut self, value: &[u8], scratch: &mut Vec<u8>) -> std::result::Result<(), Bad> {
        match self {
            Self::Bool(b) => b.append_value(be::<1>(value)?[0] != 0),
            Self::Int16(b) => b.append_value(i16::from_be_bytes(be(value)?)),
            Self::Int32(b) => b.append_value(i32::from_be_bytes(be(value)?)),
            Self::Int64(b) => b.append_value(i64::from_be_bytes(be(value)?)),
            Self::Float32(b) => b.append_value(f32::from_be_bytes(be(value)?)),
            Self::Float64(b) => b.append_value(f64::from_be_bytes(be(value)?)),
            Self::Numeric(b) => {
                scratch.clear();
                numeric(value, scratch)?;
                b.append_value(&*scratch);
            }
            Self::Text(b) | Self::Bytes(b) => b.append_value(value),
            Self::Uuid(b) => {
                scratch.clear();
                uuid(be(value)?, scratch);
                b.append_value(&*scratch);
            }
            Self::Date(b) => b.append_value(match i32::from_be_bytes(be(value)?) {
                days @ (i32::MIN | i32::MAX) => days,
                days => days.checked_add(EPOCH_DAYS).ok_or(Bad::Range)?,
            }),
            Self::Time(b) => b.append_value(i64::from_be_bytes(be(value)?)),
            Self::Timestamp(b, _) => b.append_value(match i64::from_be_bytes(be(value)?) {
                micros @ (i64::MIN | i64::MAX) => micros,
                micros => micros.checked_add(EPOCH_MICROS).ok_or(Bad::Range)?,
            }),
        }
        Ok(())
    }

    fn finish(&mut self) -> Option<ArrayRef> {
        fn text(array: BinaryArray) -> Option<ArrayRef> {
            StringArray::try_from_binary(array).ok().map(|array| Arc::new(array) as ArrayRef)
        }
        Some(match self {
            Self::Bool(b) => Arc::new(b.finish()),
            Self::Int16(b) => Arc::new(b.finish()),
            Self::Int32(b) => Arc::new(b.finish()),
            Self::Int64(b) => Arc::new(b.finish()),
            Self::Float32(b) => Arc::new(b.finish()),
            Self::Float64(b) => Arc::new(b.finish()),
            Self::Numeric(b) | Self::Text(b) | Self::Uuid(b) => return text(b.finish()),
            Self::Bytes(b) => Arc::new(b.finish()),
            Self::Date(b) => Arc::new(b.finish()),
            Self::Time(b) => Arc::new(b.finish()),
            Self::Timestamp(b, false) => Arc::new(b.finish()),
            Self::Timestamp(b, true) => Arc::new(b.finish().with_timezone("UTC")),
        })
    }
}

/// Takes chunks of a `COPY` apart; a row may lie across two chunks.
pub(super) struct Decoder {
    entity: Arc<Entity>,
    names: Vec<String>,
    schema: SchemaRef,
    columns: Vec<Column>,
    rest: Vec<u8>,
    scratch: Vec<u8>,
    rows: usize,
    bytes: usize,
    begun: bool,
}

impl Decoder {
    /// A decoder of these columns of an entity, in this order.
    pub(super) fn new(entity: &Arc<Entity>, names: &[String]) -> Self {
        let values = names.iter().filter_map(|name| entity.field(name)).map(|field| Column::new(field.value));
        Self {
            entity: entity.clone(),
            names: names.to_vec(),
            schema: entity.schema_of(names),
            columns: values.collect(),
            rest: Vec::new(),
            scratch: Vec::with_capacity(64),
            rows: 0,
            bytes: 0,
            begun: false,
        }
    }

    /// Takes the rows of a chunk; full batches go to `give`, which says whether to go on.
    pub(super) fn push(&mut self, chunk: &[u8], give: &mut dyn FnMut(RecordBatch) -> bool) -> Result<bool> {
        let joined;
        let mut data = if self.rest.is_empty() {
            chunk
        } else {
            joined = [std::mem::take(&mut self.rest).as_slice(), chunk].concat();
            &joined
        };
        if !self.begun {
            if data.len() < HEADER {
                self.rest = data.to_vec();
                return Ok(true);
            }
            data = &data[HEADER..];
            self.begun = true;
        }
        while let Some(after) = row_end(data) {
            if after > 2 {
                self.row(&data[2..after])?;
                if (self.rows >= BATCH_ROWS || self.bytes >= BATCH_BYTES) && !give(self.batch()?) {
                    return Ok(false);
                }
            }
            data = &data[after..];
        }
        self.rest = data.to_vec();
        Ok(true)
    }

    /// The rows that are left.
    pub(super) fn finish(&mut self) -> Result<Option<RecordBatch>> {
        if self.rest.is_empty() && self.begun {
            return if self.rows == 0 { Ok(None) } else { self.batch().map(Some) };
        }
        Err(Error::new(Class::Unexpected, "the server's data ended within a row").at(Site::entity(&self.entity.id)))
    }

    fn row(&mut self, mut data: &[u8]) -> Result<()> {
        self.bytes += data.len();
        for (at, column) in self.columns.iter_mut().enumerate() {
            let (length, rest) = data.split_at(4);
            let length = i32::from_be_bytes([length[0], length[1], length[2], length[3]]);
            match usize::try_from(length) {
                Err(_) => {
                    column.push_null();
                    data = rest;
                }
                Ok(length) => {
                    let (value, rest) = rest.split_at(length);
                    column.push(value, &mut self.scratch).map_err(|bad| {
                        let (message, help) = match bad {
                            Bad::Form => (
                                "the server's data has another form than the column's type",
                                "check that what answers is PostgreSQL, and not what rewrites its answers",
                            ),
                            Bad::Range => (
                                "a moment lies beyond the year 294246 and can't be carried",
                                "correct the record (`infinity` is carried), or leave it out by a narrower root, or the table by the service's `exclude`",
                            ),
                        };
                        Error::new(Class::Input, message).at(site(&self.entity, &self.names[at])).help(help)
                    })?;
                    data = rest;
                }
            }
        }
        self.rows += 1;
        Ok(())
    }

    fn batch(&mut self) -> Result<RecordBatch> {
        let mut arrays = Vec::with_capacity(self.columns.len());
        for (column, name) in self.columns.iter_mut().zip(&self.names) {
            arrays.push(column.finish().ok_or_else(|| {
                Error::new(Class::Input, "a text is no UTF-8")
                    .at(site(&self.entity, name))
                    .help("the database's encoding must be UTF8, or exclude the table")
            })?);
        }
        (self.rows, self.bytes) = (0, 0);
        RecordBatch::try_new(self.schema.clone(), arrays)
            .map_err(|_| Error::new(Class::Unexpected, "a batch could not be made").at(Site::entity(&self.entity.id)))
    }
}

/// Where the row at the start of `data` ends, if all of it is there; 2 for the trailer.
#[inline]
fn row_end(data: &[u8]) -> Option<usize> {
    let count = i16::from_be_bytes(data.get(..2)?.try_into().ok()?);
    let mut at = 2;
    for _ in 0..count.max(0) {
        let length = i32::from_be_bytes(data.get(at..at + 4)?.try_into().ok()?);
        at += 4 + usize::try_from(length).unwrap_or(0);
    }
    (at <= data.len()).then_some(at)
}

fn uuid(value: [u8; 16], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for (n, byte) in value.into_iter().enumerate() {
        if matches!(n, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        out.push(HEX[usize::from(byte >> 4)]);
        out.push(HEX[usize::from(byte & 15)]);
    }
}

/// A numeric's groups of four digits as decimal text, with as many places as its scale says.
fn numeric(value: &[u8], out: &mut Vec<u8>) -> std::result::Result<(), Bad> {
    let word = |at: usize| value.get(at..at + 2).map(|b| u16::from_be_bytes([b[0], b[1]])).ok_or(Bad::Form);
    let (groups, weight, sign, scale) =
        (usize::from(word(0)?), word(2)?.cast_signed(), word(4)?, usize::from(word(6)?));
    match sign {
        0xC000 => out.extend_from_slice(b"NaN"),
        0xD000 => out.extend_from_slice(b"Infinity"),
        0xF000 => out.extend_from_slice(b"-Infinity"),
        0x0000 | 0x4000 => {
            if value.len() != 8 + groups * 2 {
                return Err(Bad::Form);
            }
            if sign == 0x4000 {
                out.push(b'-');
            }
            let group = |n: i32| -> u16 {
                usize::try_from(n)
                    .ok()
                    .and_then(|n| value.get(8 + n * 2..10 + n * 2))
                    .map_or(0, |b| u16::from_be_bytes([b[0], b[1]]))
            };
            let digits =
                |n: u16| [n / 1_000 % 10, n / 100 % 10, n / 10 % 10, n % 10].map(|d| b'0' + d.to_le_bytes()[0]);
            let weight = i32::from(weight);
            if weight < 0 {
                out.push(b'0');
            }
            for n in 0..=weight {
                let four = digits(group(n));
                let skip = if n == 0 { four.iter().position(|d| *d != b'0').unwrap_or(3) } else { 0 };
                out.extend_from_slice(&four[skip..]);
            }
            if scale > 0 {
                out.push(b'.');
                let end = out.len() + scale;
                let mut n = weight + 1;
                while out.len() < end {
                    out.extend_from_slice(&digits(group(n)));
                    n += 1;
                }
                out.truncate(end);
            }
        }
        _ => return Err(Bad::Form),
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The text of a numeric on the wire.
    pub(in super::super) fn numeric_text(value: &[u8]) -> String {
        let mut out = Vec::new();
        numeric(value, &mut out).expect("a numeric");
        String::from_utf8(out).expect("a text")
    }

    fn wire(words: &[i32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()[2..].to_vec()).collect()
    }

    #[test]
    fn numerics_keep_their_scale() {
        assert_eq!(numeric_text(&wire(&[2, 1, 0, 2, 1, 2345])), "12345.00");
        assert_eq!(numeric_text(&wire(&[1, -1, 0x4000, 3, 5])), "-0.000");
        assert_eq!(numeric_text(&wire(&[1, -2, 0, 8, 5])), "0.00000005");
        assert_eq!(numeric_text(&wire(&[0, 0, 0, 0])), "0");
        assert_eq!(numeric_text(&wire(&[0, 0, 0xC000, 0])), "NaN");
        assert_eq!(numeric_text(&wire(&[1, 2, 0, 0, 1])), "100000000");
    }

    #[test]
    fn a_row_may_lie_across_chunks() {
        let field = reenact_model::Field::new("a", ValueType::Text, "text");
        let entity = Arc::new(Entity {
            id: reenact_model::EntityId::new("s", "t"),
            fields: vec![field],
            key: Vec::new(),
            uniques: Vec::new(),
            estimate: None,
            properties: std::collections::BTreeMap::new(),
        });
        let mut data = vec![0; HEADER];
        for text in ["one", "three"] {
            data.extend_from_slice(&1_i16.to_be_bytes());
            data.extend_from_slice(&u32::try_from(text.len()).expect("short").to_be_bytes());
            data.extend_from_slice(text.as_bytes());
        }
        data.extend_from_slice(&(-1_i16).to_be_bytes());
        for cut in 0..data.len() {
            let mut decoder = Decoder::new(&entity, &["a".to_owned()]);
            let mut none = |_| panic!("no batch is full");
            assert!(decoder.push(&data[..cut], &mut none).expect("decodes"));
            assert!(decoder.push(&data[cut..], &mut none).expect("decodes"));
            assert_eq!(decoder.finish().expect("whole").map(|batch| batch.num_rows()), Some(2));
        }
    }
}
