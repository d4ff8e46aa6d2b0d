//! Texts of dates and moments, for all masks that work on them.
//!
//! Hidden here: what counts as a date, and what may stand behind one. Masks copy or shorten a time of day, so nothing else may stand
//! there: a remark behind a date is refused.

use reenact_model::ValueType;
use reenact_model::canonical;

use crate::kernels::{Shape, Unfit};

/// Whether a field holds dates.
pub(crate) fn takes(shape: &Shape) -> Result<(), String> {
    let native = shape.native.as_str();
    match shape.value {
        ValueType::Text | ValueType::Tagged if shape.values.is_some() => {
            Err("the field takes only the values of an enumeration".to_owned())
        }
        ValueType::Date | ValueType::Timestamp | ValueType::TimestampUtc | ValueType::Text | ValueType::Tagged => {
            Ok(())
        }
        ValueType::Other if native.starts_with("date") || native.starts_with("timestamp") => Ok(()),
        _ => Err(format!("the field's type is `{native}`, which holds no date")),
    }
}

/// The days since 1970-01-01 and what stands behind the date; `None` for what is no day of the calendar (infinity, MySQL's
/// zero dates): it tells nothing and stays.
pub(crate) fn split(text: &str) -> Result<Option<(i32, &str)>, Unfit> {
    if matches!(text, "" | "infinity" | "-infinity" | "0000-00-00" | "0000-00-00 00:00:00") {
        return Ok(None);
    }
    let (date, clock) = text.split_at(text.find([' ', 'T']).unwrap_or(text.len()));
    if !is_clock(clock) {
        return Err(Unfit("a value is no date or moment of the form 2026-11-23 10:00:00"));
    }
    let days = canonical::parse_date(date).ok_or(Unfit("a value is no date of the form 2026-11-23"))?;
    Ok(Some((days, clock)))
}

/// Writes a time of day in the form of another one: its separator and its zone stay.
pub(crate) fn write_clock(like: &str, time: &str, out: &mut String) {
    let Some(separator) = like.chars().next() else { return };
    out.push(separator);
    out.push_str(time);
    out.push_str(like[1..].find(['Z', '+', '-']).map_or("", |at| &like[1 + at..]));
}

/// Whether what follows a date is a time of day, with a zone or without.
fn is_clock(rest: &str) -> bool {
    let Some(clock) = rest.strip_prefix([' ', 'T']) else { return rest.is_empty() };
    let clock = clock.strip_suffix('Z').unwrap_or(clock);
    let (clock, zone) = clock.split_once(['+', '-']).unwrap_or((clock, ""));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (time, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let times =
        |text: &str| text.split(':').count() <= 3 && text.split(':').all(|part| digits(part) && part.len() == 2);
    times(time)
        && digits(fraction)
        && fraction.len() <= 9
        && (zone.is_empty() || times(zone) || (digits(zone) && zone.len() == 4))
}
