//! When two values are the same.
//!
//! Hidden here: the canonical text of every value, whatever its type. The closure joins by it and the masks are functions of
//! it, so 42 in a bigint column, `42` in a message, and the segment of `cart:42` meet, and get one pseudonym. Numbers lose
//! trailing zeros, times are UTC, bytes that are UTF-8 are that text, other bytes are `\x` and hex.
//!
//! This is equality, not identity: what a column holds exactly (`1.50`, not `1.5`) is kept by its Arrow form.

use std::borrow::Cow;
use std::fmt::Write as _;

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, BooleanBuilder, PrimitiveBuilder, StringBuilder};
use arrow::datatypes::{
    Date32Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, Time64MicrosecondType,
    TimestampMicrosecondType, UInt64Type,
};
use std::sync::Arc;

use crate::catalog::ValueType;

const DAY: i64 = 86_400_000_000;

/// The canonical text of a number in decimal notation: no plus sign, no leading or trailing zeros, no exponent.
///
/// What is no number, or has an exponent beyond ±400, is returned as it is.
///
/// ```
/// use reenact_model::canonical::number;
/// assert_eq!(number("0042"), "42");
/// assert_eq!(number("-1.500"), "-1.5");
/// assert_eq!(number("1.2e3"), "1200");
/// assert_eq!(number("-0.0"), "0");
/// assert_eq!(number("NaN"), "NaN");
/// ```
pub fn number(text: &str) -> Cow<'_, str> {
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => match exponent.parse::<i32>() {
            Ok(exponent) if exponent.unsigned_abs() <= 400 => (mantissa, exponent),
            _ => return Cow::Borrowed(text),
        },
        None => (digits, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
        return Cow::Borrowed(text);
    }
    let plain = exponent == 0 && fraction.is_empty() && !negative && digits.len() == text.len();
    if plain && (whole == "0" || !whole.starts_with('0')) {
        return Cow::Borrowed(text);
    }
    let (whole, fraction) = shift_point(whole, fraction, exponent);
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    if whole.is_empty() && fraction.is_empty() {
        return Cow::Borrowed("0");
    }
    let mut out = String::with_capacity(text.len());
    if negative {
        out.push('-');
    }
    out.push_str(if whole.is_empty() { "0" } else { whole });
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    Cow::Owned(out)
}

/// Moves the decimal point by `exponent` places.
fn shift_point(whole: &str, fraction: &str, exponent: i32) -> (String, String) {
    let places = exponent.unsigned_abs() as usize;
    let (mut whole, mut fraction) = (whole.to_owned(), fraction.to_owned());
    if exponent > 0 {
        while fraction.len() < places {
            fraction.push('0');
        }
        whole.push_str(&fraction[..places]);
        fraction.drain(..places);
    } else if exponent < 0 {
        while whole.len() < places {
            whole.insert(0, '0');
        }
        fraction.insert_str(0, &whole[whole.len() - places..]);
        whole.truncate(whole.len() - places);
    }
    (whole, fraction)
}

/// The canonical text of bytes: their UTF-8 text, or `\x` and lower-case hex.
pub fn bytes(value: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(value) {
        Ok(text) if !text.starts_with("\\x") => Cow::Borrowed(text),
        _ => {
            let mut out = String::with_capacity(2 + value.len() * 2);
            out.push_str("\\x");
            for byte in value {
                let _ = write!(out, "{byte:02x}");
            }
            Cow::Owned(out)
        }
    }
}

/// The bytes of a canonical text made by [`bytes`]; `None` if what follows `\x` is no hex.
pub fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let Some(hex) = text.strip_prefix("\\x") else { return Some(text.as_bytes().to_vec()) };
    if !hex.len().is_multiple_of(2) || !hex.is_ascii() {
        return None;
    }
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).ok()).collect()
}

/// Days since 1970-01-01 as year, month and day of the proleptic Gregorian calendar.
///
/// Source: Howard Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "month and day are 1 to 31")]
pub fn civil_of_days(days: i64) -> (i64, u32, u32) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * shifted + 2) / 5 + 1) as u32;
    let month = (if shifted < 10 { shifted + 3 } else { shifted - 9 }) as u32;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Year, month and day of the proleptic Gregorian calendar as days since 1970-01-01.
pub fn days_of_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted = i64::from(if month > 2 { month - 3 } else { month + 9 });
    let day_of_year = (153 * shifted + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The canonical text of a date: `2026-11-23`, years before 1 as `-0001-…`, or `infinity`, `-infinity`.
pub fn date(days: i32) -> String {
    match days {
        i32::MAX => "infinity".to_owned(),
        i32::MIN => "-infinity".to_owned(),
        days => {
            let (year, month, day) = civil_of_days(i64::from(days));
            let sign = if year < 0 { "-" } else { "" };
            format!("{sign}{:04}-{month:02}-{day:02}", year.abs())
        }
    }
}

/// The canonical text of a time of day in microseconds: `12:00:00` or `12:00:00.5`.
pub fn time(micros: i64) -> String {
    let (seconds, fraction) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    let mut out = format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if fraction != 0 {
        let _ = write!(out, ".{fraction:06}");
        out.truncate(out.trim_end_matches('0').len());
    }
    out
}

/// The canonical text of a moment in microseconds since 1970-01-01: `2026-11-23 12:00:00`, or `infinity`, `-infinity`.
pub fn timestamp(micros: i64) -> String {
    match micros {
        i64::MAX => "infinity".to_owned(),
        i64::MIN => "-infinity".to_owned(),
        micros => {
            let (year, month, day) = civil_of_days(micros.div_euclid(DAY));
            let sign = if year < 0 { "-" } else { "" };
            format!("{sign}{:04}-{month:02}-{day:02} {}", year.abs(), time(micros.rem_euclid(DAY)))
        }
    }
}

/// Reads what [`date`] writes.
pub fn parse_date(text: &str) -> Option<i32> {
    match text {
        "infinity" => return Some(i32::MAX),
        "-infinity" => return Some(i32::MIN),
        _ => {}
    }
    let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let mut parts = rest.splitn(3, '-');
    let year: i64 = parts.next()?.parse().ok()?;
    let month: u32 = parts.next()?.parse().ok()?;
    let day: u32 = parts.next()?.parse().ok()?;
    // Beyond these years no store's calendar reaches, and no product below can overflow.
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || !(0..=6_000_000).contains(&year) {
        return None;
    }
    let year = if negative { -year } else { year };
    let days = days_of_civil(year, month, day);
    // The 31st of February is no day.
    (civil_of_days(days) == (year, month, day)).then(|| i32::try_from(days).ok()).flatten()
}

/// Reads what [`time`] writes; up to six digits of a fraction.
pub fn parse_time(text: &str) -> Option<i64> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = clock.splitn(3, ':');
    let hours: i64 = parts.next()?.parse().ok()?;
    let minutes: i64 = parts.next()?.parse().ok()?;
    let seconds: i64 = parts.next().unwrap_or("0").parse().ok()?;
    if fraction.len() > 6 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let micros: i64 = format!("{fraction:0<6}").parse().ok()?;
    Some(((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + micros)
}

/// Reads what [`timestamp`] writes; `T` may stand for the space.
pub fn parse_timestamp(text: &str) -> Option<i64> {
    match text {
        "infinity" => return Some(i64::MAX),
        "-infinity" => return Some(i64::MIN),
        _ => {}
    }
    let (date, time) = text.split_once([' ', 'T']).unwrap_or((text, "00:00:00"));
    i64::from(parse_date(date)?).checked_mul(DAY)?.checked_add(parse_time(time)?)
}

/// Reads canonical texts out of a column, whatever its form.
#[derive(Debug)]
pub struct Reader<'a> {
    array: &'a dyn Array,
    value: ValueType,
}

impl<'a> Reader<'a> {
    /// A reader of a column of the given form.
    ///
    /// # Panics
    /// `get` panics if the array is not of the Arrow type that [`ValueType::arrow`] names.
    pub fn new(array: &'a dyn Array, value: ValueType) -> Self {
        Self { array, value }
    }

    /// The canonical text of a row, `None` for NULL.
    pub fn get(&self, row: usize) -> Option<Cow<'a, str>> {
        if self.array.is_null(row) {
            return None;
        }
        let array = self.array;
        Some(match self.value {
            ValueType::Bool => Cow::Borrowed(if array.as_boolean().value(row) { "true" } else { "false" }),
            ValueType::Int16 => array.as_primitive::<Int16Type>().value(row).to_string().into(),
            ValueType::Int32 => array.as_primitive::<Int32Type>().value(row).to_string().into(),
            ValueType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string().into(),
            ValueType::UInt64 => array.as_primitive::<UInt64Type>().value(row).to_string().into(),
            // Zero has two signs and is one number: adding zero takes the sign away.
            ValueType::Float32 => Cow::Owned((array.as_primitive::<Float32Type>().value(row) + 0.0).to_string()),
            ValueType::Float64 => Cow::Owned((array.as_primitive::<Float64Type>().value(row) + 0.0).to_string()),
            ValueType::Decimal => number(array.as_string::<i32>().value(row)),
            ValueType::Text | ValueType::Json | ValueType::Uuid | ValueType::Other => {
                Cow::Borrowed(array.as_string::<i32>().value(row))
            }
            ValueType::Bytes => bytes(array.as_binary::<i32>().value(row)),
            ValueType::Date => date(array.as_primitive::<Date32Type>().value(row)).into(),
            ValueType::Time => time(array.as_primitive::<Time64MicrosecondType>().value(row)).into(),
            ValueType::Timestamp | ValueType::TimestampUtc => {
                timestamp(array.as_primitive::<TimestampMicrosecondType>().value(row)).into()
            }
            ValueType::Tagged => tagged(array.as_binary::<i32>().value(row)),
        })
    }
}

/// The canonical text of a tagged value: a storage class and the value's text or bytes.
fn tagged(value: &[u8]) -> Cow<'_, str> {
    match value.split_first() {
        Some((b'i' | b'r', text)) => std::str::from_utf8(text).map_or(Cow::Borrowed(""), number),
        Some((_, text)) => bytes(text),
        None => Cow::Borrowed(""),
    }
}

/// A canonical text that has no form in the column's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unrepresentable;

/// Writes canonical texts into a column of a given form.
#[derive(Debug)]
pub struct Writer {
    inner: Inner,
}

#[derive(Debug)]
enum Inner {
    Bool(BooleanBuilder),
    Int16(PrimitiveBuilder<Int16Type>),
    Int32(PrimitiveBuilder<Int32Type>),
    Int64(PrimitiveBuilder<Int64Type>),
    UInt64(PrimitiveBuilder<UInt64Type>),
    Float32(PrimitiveBuilder<Float32Type>),
    Float64(PrimitiveBuilder<Float64Type>),
    Text(StringBuilder),
    Bytes(BinaryBuilder),
    Date(PrimitiveBuilder<Date32Type>),
    Time(PrimitiveBuilder<Time64MicrosecondType>),
    Timestamp(PrimitiveBuilder<TimestampMicrosecondType>, bool),
    Tagged(BinaryBuilder, Vec<u8>),
}

impl Writer {
    /// A writer of a column with room for `rows`.
    pub fn new(value: ValueType, rows: usize) -> Self {
        let inner = match value {
            ValueType::Bool => Inner::Bool(BooleanBuilder::with_capacity(rows)),
            ValueType::Int16 => Inner::Int16(PrimitiveBuilder::with_capacity(rows)),
            ValueType::Int32 => Inner::Int32(PrimitiveBuilder::with_capacity(rows)),
            ValueType::Int64 => Inner::Int64(PrimitiveBuilder::with_capacity(rows)),
            ValueType::UInt64 => Inner::UInt64(PrimitiveBuilder::with_capacity(rows)),
            ValueType::Float32 => Inner::Float32(PrimitiveBuilder::with_capacity(rows)),
            ValueType::Float64 => Inner::Float64(PrimitiveBuilder::with_capacity(rows)),
            ValueType::Decimal | ValueType::Text | ValueType::Json | ValueType::Uuid | ValueType::Other => {
                Inner::Text(StringBuilder::with_capacity(rows, rows * 16))
            }
            ValueType::Bytes => Inner::Bytes(BinaryBuilder::with_capacity(rows, rows * 16)),
            ValueType::Date => Inner::Date(PrimitiveBuilder::with_capacity(rows)),
            ValueType::Time => Inner::Time(PrimitiveBuilder::with_capacity(rows)),
            ValueType::Timestamp => Inner::Timestamp(PrimitiveBuilder::with_capacity(rows), false),
            ValueType::TimestampUtc => Inner::Timestamp(PrimitiveBuilder::with_capacity(rows), true),
            ValueType::Tagged => Inner::Tagged(BinaryBuilder::with_capacity(rows, rows * 16), Vec::new()),
        };
        Self { inner }
    }

    /// Appends NULL.
    pub fn push_null(&mut self) {
        match &mut self.inner {
            Inner::Bool(b) => b.append_null(),
            Inner::Int16(b) => b.append_null(),
            Inner::Int32(b) => b.append_null(),
            Inner::Int64(b) => b.append_null(),
            Inner::UInt64(b) => b.append_null(),
            Inner::Float32(b) => b.append_null(),
            Inner::Float64(b) => b.append_null(),
            Inner::Text(b) => b.append_null(),
            Inner::Bytes(b) | Inner::Tagged(b, _) => b.append_null(),
            Inner::Date(b) => b.append_null(),
            Inner::Time(b) => b.append_null(),
            Inner::Timestamp(b, _) => b.append_null(),
        }
    }

    /// Appends a canonical text in the column's form; `class` is the storage class that a tagged column should keep.
    ///
    /// # Errors
    /// [`Unrepresentable`] if the text has no form in the column's type; nothing is appended then.
    pub fn push(&mut self, text: &str, class: u8) -> Result<(), Unrepresentable> {
        fn parse<T: std::str::FromStr>(text: &str) -> Result<T, Unrepresentable> {
            text.parse().map_err(|_| Unrepresentable)
        }
        match &mut self.inner {
            Inner::Bool(b) => b.append_value(match text {
                "true" | "1" | "t" => true,
                "false" | "0" | "f" => false,
                _ => return Err(Unrepresentable),
            }),
            Inner::Int16(b) => b.append_value(parse(text)?),
            Inner::Int32(b) => b.append_value(parse(text)?),
            Inner::Int64(b) => b.append_value(parse(text)?),
            Inner::UInt64(b) => b.append_value(parse(text)?),
            Inner::Float32(b) => b.append_value(parse(text)?),
            Inner::Float64(b) => b.append_value(parse(text)?),
            Inner::Text(b) => b.append_value(text),
            Inner::Bytes(b) => b.append_value(bytes_of(text).ok_or(Unrepresentable)?),
            Inner::Date(b) => b.append_value(parse_date(text).ok_or(Unrepresentable)?),
            Inner::Time(b) => b.append_value(parse_time(text).ok_or(Unrepresentable)?),
            Inner::Timestamp(b, _) => b.append_value(parse_timestamp(text).ok_or(Unrepresentable)?),
            Inner::Tagged(b, scratch) => {
                let numeric = matches!(class, b'i' | b'r');
                let fits = match class {
                    b'i' => text.parse::<i64>().is_ok(),
                    b'r' => text.parse::<f64>().is_ok(),
                    _ => true,
                };
                scratch.clear();
                scratch.push(if fits { class } else { b't' });
                if numeric || !text.starts_with("\\x") {
                    scratch.extend_from_slice(text.as_bytes());
                } else {
                    scratch.extend_from_slice(&bytes_of(text).ok_or(Unrepresentable)?);
                }
                b.append_value(&*scratch);
            }
        }
        Ok(())
    }

    /// The finished column.
    pub fn finish(self) -> ArrayRef {
        match self.inner {
            Inner::Bool(mut b) => Arc::new(b.finish()),
            Inner::Int16(mut b) => Arc::new(b.finish()),
            Inner::Int32(mut b) => Arc::new(b.finish()),
            Inner::Int64(mut b) => Arc::new(b.finish()),
            Inner::UInt64(mut b) => Arc::new(b.finish()),
            Inner::Float32(mut b) => Arc::new(b.finish()),
            Inner::Float64(mut b) => Arc::new(b.finish()),
            Inner::Text(mut b) => Arc::new(b.finish()),
            Inner::Bytes(mut b) | Inner::Tagged(mut b, _) => Arc::new(b.finish()),
            Inner::Date(mut b) => Arc::new(b.finish()),
            Inner::Time(mut b) => Arc::new(b.finish()),
            Inner::Timestamp(mut b, utc) => {
                let array = b.finish();
                if utc { Arc::new(array.with_timezone("UTC")) } else { Arc::new(array) }
            }
        }
    }
}

/// The storage class of a tagged value, `t` for other forms.
pub fn class_of(array: &dyn Array, value: ValueType, row: usize) -> u8 {
    if value == ValueType::Tagged && !array.is_null(row) {
        array.as_binary::<i32>().value(row).first().copied().unwrap_or(b't')
    } else {
        b't'
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(value: ValueType, text: &str) -> String {
        let mut writer = Writer::new(value, 1);
        writer.push(text, b't').expect("fits");
        let array = writer.finish();
        assert_eq!(*array.data_type(), value.arrow());
        Reader::new(&array, value).get(0).expect("not null").into_owned()
    }

    #[test]
    fn every_form_reads_what_it_writes() {
        for (value, text) in [
            (ValueType::Bool, "true"),
            (ValueType::Int16, "-7"),
            (ValueType::Int64, "9223372036854775807"),
            (ValueType::UInt64, "18446744073709551615"),
            (ValueType::Float64, "2.5"),
            (ValueType::Decimal, "163220.2"),
            (ValueType::Text, "ä\u{0}b"),
            (ValueType::Bytes, "\\xff00"),
            (ValueType::Date, "-0043-03-15"),
            (ValueType::Date, "infinity"),
            (ValueType::Time, "23:59:59.000001"),
            (ValueType::Timestamp, "1969-12-31 23:59:59.5"),
            (ValueType::TimestampUtc, "294246-01-01 00:00:00"),
            (ValueType::TimestampUtc, "-infinity"),
            (ValueType::Tagged, "007"),
        ] {
            assert_eq!(round(value, text), text, "{value:?}");
        }
    }

    #[test]
    fn days_and_civil_dates_agree_over_four_hundred_years() {
        for days in (-800_000..800_000).step_by(13) {
            let (year, month, day) = civil_of_days(days);
            assert_eq!(days_of_civil(year, month, day), days);
        }
        assert_eq!(civil_of_days(11_017), (2000, 3, 1));
    }

    #[test]
    fn one_value_has_one_canonical_text() {
        assert_eq!(number("163220.20"), number("163220.2"));
        assert_eq!(number("1e-2"), "0.01");
        assert_eq!(tagged(b"r2.50"), "2.5");
        assert_eq!(round(ValueType::Float64, "-0"), "0");
        assert_eq!(round(ValueType::Float32, "-0"), "0");
        assert_eq!(tagged(b"t2.50"), "2.50");
        assert_eq!(bytes(b"42"), "42");
        assert_eq!(bytes_of(&bytes(b"\\x41")), Some(b"\\x41".to_vec()));
    }
}
