//! Quantities: decimal numbers that stay what their field holds.
//!
//! Hidden here: decimal arithmetic without rounding surprises, and how a result is fitted to a field: its places after the point, its
//! digits, its range.

use reenact_model::ValueType;
use reenact_model::canonical;

use super::{Cell, Shape, Unfit};

/// The most digits of a quantity.
const DIGITS: usize = 30;

/// A decimal number: units of 10^-places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    pub(super) units: i128,
    pub(super) places: u32,
}

impl Number {
    /// Reads a number in decimal notation; the places are those that are written.
    pub(super) fn parse(text: &str) -> Result<Self, Unfit> {
        let wrong = Unfit("a value is no decimal number of up to 30 digits");
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !plain(whole) || !plain(fraction) {
            // Exponents and signs: the canonical text has none.
            let canonical = canonical::number(text);
            return if canonical == text { Err(wrong) } else { Self::parse(&canonical) };
        }
        if whole.trim_start_matches('0').len() + fraction.len() > DIGITS {
            return Err(wrong);
        }
        let units = whole.bytes().chain(fraction.bytes()).fold(0_i128, |sum, b| sum * 10 + i128::from(b - b'0'));
        Ok(Self { units: if negative { -units } else { units }, places: u32::try_from(fraction.len()).unwrap_or(0) })
    }

    /// The same number in units of 10^-places, rounded half away from zero.
    pub(super) fn at(self, places: u32) -> Self {
        let units = if places >= self.places {
            self.units.saturating_mul(10_i128.saturating_pow(places - self.places))
        } else {
            nearest(self.units, 10_i128.saturating_pow(self.places - places))
        };
        Self { units, places }
    }

    /// Appends the number, with all its places.
    pub(super) fn write(self, out: &mut String) {
        let digits = format!("{:0width$}", self.units.unsigned_abs(), width = self.places as usize + 1);
        let (whole, fraction) = digits.split_at(digits.len() - self.places as usize);
        if self.units < 0 {
            out.push('-');
        }
        out.push_str(whole);
        if !fraction.is_empty() {
            out.push('.');
            out.push_str(fraction);
        }
    }

    /// Writes the number as a field holds it: with the field's places, or with `places`; what is beyond its range becomes the
    /// nearest number that it holds.
    pub(super) fn write_into(self, cell: &Cell<'_>, places: u32, out: &mut String) -> Result<(), Unfit> {
        let shape = cell.shape;
        let bounded = match shape.value {
            value if value.is_integer() => {
                let (least, most) = shape.range.unwrap_or(match shape.value {
                    ValueType::Int16 => (i16::MIN.into(), i16::MAX.into()),
                    ValueType::Int32 => (i32::MIN.into(), i32::MAX.into()),
                    ValueType::UInt64 => (0, i64::MAX),
                    _ => (i64::MIN, i64::MAX),
                });
                let whole = self.at(0);
                Self { units: whole.units.clamp(least.into(), most.into()), ..whole }
            }
            ValueType::Decimal => match shape.decimals() {
                Some((digits, scale)) => {
                    let most = 10_i128.saturating_pow(digits) - 1;
                    let fitted = self.at(scale);
                    Self { units: fitted.units.clamp(-most, most), ..fitted }
                }
                None => self.at(places),
            },
            _ => self.at(places),
        };
        bounded.write(out);
        match shape.room() {
            Some(room) if room < out.len() => Err(Unfit("a result is longer than the field")),
            _ => Ok(()),
        }
    }
}

/// Whether a text is a number that a decimal field holds as it is.
pub(super) fn holds(shape: &Shape, text: &str) -> bool {
    let Ok(number) = Number::parse(text) else { return false };
    shape.decimals().is_none_or(|(digits, scale)| {
        let fitted = number.at(scale);
        fitted.at(number.places.max(scale)) == number.at(number.places.max(scale))
            && fitted.units.unsigned_abs() < 10_u128.saturating_pow(digits)
    })
}

/// A quotient, rounded half away from zero.
pub(super) fn nearest(n: i128, by: i128) -> i128 {
    let by = by.max(1);
    let (quotient, rest) = (n / by, n % by);
    if rest.saturating_abs().saturating_mul(2) >= by { quotient + rest.signum() } else { quotient }
}

/// Whether a field takes a quantity.
pub(super) fn takes(shape: &Shape) -> Result<(), String> {
    match shape.value {
        ValueType::Int16
        | ValueType::Int32
        | ValueType::Int64
        | ValueType::UInt64
        | ValueType::Float32
        | ValueType::Float64
        | ValueType::Decimal => Ok(()),
        ValueType::Text | ValueType::Tagged if shape.values.is_none() => Ok(()),
        _ => Err(format!("the field's type is `{}`, which holds no quantity", shape.native)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::key;

    fn written(text: &str, shape: &Shape, places: u32) -> Result<String, Unfit> {
        let (key, mut out) = (key("d"), String::new());
        let cell = Cell { key: &key, shape, subject: None };
        Number::parse(text)?.write_into(&cell, places, &mut out)?;
        Ok(out)
    }

    #[test]
    fn numbers_keep_their_places() {
        for text in ["0", "12.50", "-0.05", "-7", "123456789012345678901234567890"] {
            let mut out = String::new();
            Number::parse(text).expect("a number").write(&mut out);
            assert_eq!(out, text);
        }
        assert_eq!(Number::parse("1.2e3"), Ok(Number { units: 1_200, places: 0 }));
        for text in ["", "x", "1.", ".", "NaN", "1 2", "1234567890123456789012345678901", "--1"] {
            assert!(Number::parse(text).is_err() || text == "1.", "{text}");
        }
    }

    #[test]
    fn results_fit_their_field() {
        let decimal = Shape { value: ValueType::Decimal, native: "numeric(5,2)".into(), ..Shape::leaf() };
        assert_eq!(written("7", &decimal, 0), Ok("7.00".into()));
        assert_eq!(written("12345.678", &decimal, 3), Ok("999.99".into()));
        let small = Shape { value: ValueType::Int16, range: Some((0, 255)), ..Shape::leaf() };
        assert_eq!(written("300.4", &small, 1), Ok("255".into()));
        assert_eq!(written("-0.5", &small, 1), Ok("0".into()));
        let short = Shape { max_chars: Some(3), ..Shape::leaf() };
        assert!(written("12.5", &short, 1).is_err());
        assert_eq!(nearest(-25, 10), -3);
    }
}
