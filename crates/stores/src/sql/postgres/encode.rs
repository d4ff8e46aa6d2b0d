//! Arrow into binary `COPY`.
//!
//! Hidden here: the wire format of each type, the other way round. One encoder per column, appended to one large buffer.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{
    Date32Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, Time64MicrosecondType,
    TimestampMicrosecondType, UInt64Type,
};
use reenact_model::{Class, Entity, Error, Result, ValueType};

use super::decode::{EPOCH_DAYS, EPOCH_MICROS};
use crate::sql::site;

/// The bytes that begin and end a binary `COPY`.
pub(super) const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
pub(super) const TRAILER: &[u8] = &[0xff, 0xff];

/// How a column is written.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) value: ValueType,
    /// `jsonb` has a version byte before its text.
    pub(super) jsonb: bool,
}

/// Appends the rows of a batch; after about every MiB the buffer goes to `give`, which says whether to go on.
pub(super) fn encode(
    entity: &Arc<Entity>,
    columns: &[Column],
    batch: &RecordBatch,
    buffer: &mut Vec<u8>,
    give: &mut dyn FnMut(Vec<u8>) -> bool,
) -> Result<bool> {
    let arrays = columns
        .iter()
        .map(|column| {
            let array = batch.column_by_name(&column.name);
            array.filter(|array| *array.data_type() == column.value.arrow()).ok_or_else(|| {
                Error::new(Class::Unexpected, "the column is not in the batch in its form")
                    .at(site(entity, &column.name))
            })
        })
        .collect::<Result<Vec<&ArrayRef>>>()?;
    let count = i16::try_from(columns.len()).unwrap_or(i16::MAX);
    for row in 0..batch.num_rows() {
        buffer.extend_from_slice(&count.to_be_bytes());
        for (column, array) in columns.iter().zip(&arrays) {
            if array.is_null(row) {
                buffer.extend_from_slice(&(-1_i32).to_be_bytes());
            } else if cell(column, array, row, buffer).is_none() {
                return Err(
                    Error::new(Class::Input, "a value has no form in the column's type").at(site(entity, &column.name))
                );
            }
        }
        if buffer.len() >= 1 << 20 && !give(std::mem::replace(buffer, Vec::with_capacity((1 << 20) + (1 << 16)))) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn cell(column: &Column, array: &ArrayRef, row: usize, out: &mut Vec<u8>) -> Option<()> {
    fn fixed<const N: usize>(out: &mut Vec<u8>, value: [u8; N]) {
        out.extend_from_slice(&u32::try_from(N).unwrap_or_default().to_be_bytes());
        out.extend_from_slice(&value);
    }
    fn bytes(out: &mut Vec<u8>, prefix: &[u8], value: &[u8]) -> Option<()> {
        out.extend_from_slice(&i32::try_from(prefix.len() + value.len()).ok()?.to_be_bytes());
        out.extend_from_slice(prefix);
        out.extend_from_slice(value);
        Some(())
    }
    match column.value {
        ValueType::Bool => fixed(out, [u8::from(array.as_boolean().value(row))]),
        ValueType::Int16 => fixed(out, array.as_primitive::<Int16Type>().value(row).to_be_bytes()),
        ValueType::Int32 => fixed(out, array.as_primitive::<Int32Type>().value(row).to_be_bytes()),
        ValueType::Int64 => fixed(out, array.as_primitive::<Int64Type>().value(row).to_be_bytes()),
        ValueType::UInt64 => fixed(out, array.as_primitive::<UInt64Type>().value(row).to_be_bytes()),
        ValueType::Float32 => fixed(out, array.as_primitive::<Float32Type>().value(row).to_be_bytes()),
        ValueType::Float64 => fixed(out, array.as_primitive::<Float64Type>().value(row).to_be_bytes()),
        ValueType::Decimal => {
            let at = out.len();
            out.extend_from_slice(&[0; 4]);
            numeric(array.as_string::<i32>().value(row), out)?;
            let length = i32::try_from(out.len() - at - 4).ok()?;
            out[at..at + 4].copy_from_slice(&length.to_be_bytes());
        }
        ValueType::Uuid => fixed(out, uuid(array.as_string::<i32>().value(row))?),
        ValueType::Text | ValueType::Json | ValueType::Other => {
            let prefix: &[u8] = if column.jsonb { &[1] } else { &[] };
            bytes(out, prefix, array.as_string::<i32>().value(row).as_bytes())?;
        }
        ValueType::Bytes | ValueType::Tagged => bytes(out, &[], array.as_binary::<i32>().value(row))?,
        ValueType::Date => {
            let days = array.as_primitive::<Date32Type>().value(row);
            let days = if matches!(days, i32::MIN | i32::MAX) { days } else { days.checked_sub(EPOCH_DAYS)? };
            fixed(out, days.to_be_bytes());
        }
        ValueType::Time => fixed(out, array.as_primitive::<Time64MicrosecondType>().value(row).to_be_bytes()),
        ValueType::Timestamp | ValueType::TimestampUtc => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
            let micros =
                if matches!(micros, i64::MIN | i64::MAX) { micros } else { micros.checked_sub(EPOCH_MICROS)? };
            fixed(out, micros.to_be_bytes());
        }
    }
    Some(())
}

fn uuid(text: &str) -> Option<[u8; 16]> {
    let mut out = [0; 16];
    let mut digits = text.bytes().filter(|b| *b != b'-');
    for byte in &mut out {
        let mut digit = || char::from(digits.next()?).to_digit(16);
        *byte = u8::try_from(digit()? * 16 + digit()?).ok()?;
    }
    digits.next().is_none().then_some(out)
}

/// A decimal text as groups of four digits.
fn numeric(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let mut header = |groups: usize, weight: i32, sign: u16, scale: usize| {
        out.extend_from_slice(&u16::try_from(groups).ok()?.to_be_bytes());
        out.extend_from_slice(&i16::try_from(weight).ok()?.to_be_bytes());
        out.extend_from_slice(&sign.to_be_bytes());
        out.extend_from_slice(&u16::try_from(scale).ok()?.to_be_bytes());
        Some(())
    };
    match text {
        "NaN" => return header(0, 0, 0xC000, 0),
        "Infinity" => return header(0, 0, 0xD000, 0),
        "-Infinity" => return header(0, 0, 0xF000, 0),
        _ => {}
    }
    let (sign, digits) = text.strip_prefix('-').map_or((0, text), |digits| (0x4000, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.len() + fraction.len() == 0 || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    // Digit n of the number padded to whole groups on both sides.
    let (whole, fraction) = (whole.as_bytes(), fraction.as_bytes());
    let (before, after) = (whole.len().div_ceil(4), fraction.len().div_ceil(4));
    let lead = before * 4 - whole.len();
    let digit = |n: usize| -> u16 {
        let at = n.checked_sub(lead);
        let byte = at.and_then(|at| if at < whole.len() { whole.get(at) } else { fraction.get(at - whole.len()) });
        byte.map_or(0, |byte| u16::from(byte - b'0'))
    };
    let group = |n: usize| (0..4).fold(0, |sum, place| sum * 10 + digit(n * 4 + place));
    let (mut first, mut last) = (0, before + after);
    while first < last && group(first) == 0 {
        first += 1;
    }
    while last > first && group(last - 1) == 0 {
        last -= 1;
    }
    let weight = if first == last { 0 } else { i32::try_from(before).ok()? - i32::try_from(first).ok()? - 1 };
    let sign = if first == last { 0 } else { sign };
    header(last - first, weight, sign, fraction.len())?;
    for n in first..last {
        out.extend_from_slice(&group(n).to_be_bytes());
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::postgres::decode::tests::numeric_text;

    #[test]
    fn numerics_come_back() {
        let long = format!("{}.{}", "9".repeat(3_000), "0".repeat(500));
        for text in [
            "0",
            "0.00",
            "1",
            "-1.50",
            "12345678901234567890.000100",
            "0.00000005",
            "100000000",
            "NaN",
            "-Infinity",
            &long,
        ] {
            let mut out = Vec::new();
            numeric(text, &mut out).expect("a number");
            assert_eq!(numeric_text(&out), *text);
        }
        for text in ["", ".", "1e5", "x", "+1", "1.2.3"] {
            assert_eq!(numeric(text, &mut Vec::new()), None, "{text}");
        }
    }

    #[test]
    fn uuids_are_read() {
        assert_eq!(uuid("00010203-0405-0607-0809-0a0b0c0d0eff").map(|u| (u[1], u[15])), Some((1, 255)));
        assert_eq!(uuid("0001"), None);
        assert_eq!(uuid("00010203-0405-0607-0809-0a0b0c0d0eff00"), None);
    }
}
