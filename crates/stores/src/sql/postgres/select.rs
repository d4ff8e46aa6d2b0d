//! Selections as SQL.
//!
//! Hidden here: how canonical keys become literals of the column's own type, so that the server uses its indexes and its own
//! equality. `COPY` takes no parameters, so keys stand in the statement as quoted array literals; a key that has no form in
//! the column's type is left out, so that no cast can fail and quote it.

use std::fmt::Write as _;

use reenact_model::catalog::{Condition, Role};
use reenact_model::{Class, Entity, Error, Field, FieldPath, Relationship, Result, ValueType, canonical};

use super::{ONLY, PARTED, array_literal, literal, table};
use crate::sql::{LEAF, read_columns, site, whole};
use crate::{Match, Read, Selection};

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// A `SELECT` and the columns that it gives.
pub(super) fn select(read: &Read) -> Result<(String, Vec<String>)> {
    let entity = &*read.entity;
    let columns = read_columns(read)?;
    let list: Vec<String> = columns.iter().filter_map(|c| entity.field(c)).map(|field| output(field, "t")).collect();
    let from = from(entity);
    let mut sql = format!("SELECT {} FROM {from} AS t", list.join(", "));
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
            let composite = any.iter().any(|m| m.fields.len() > 1);
            if terms.is_empty() {
                sql.push_str(" WHERE false");
            } else if terms.len() > 1 && composite {
                // A disjunction with a composite term can't use its indexes; each term alone can.
                let rows = |term: &String| format!("SELECT t.tableoid, t.ctid FROM {from} AS t WHERE {term}");
                let union: Vec<String> = terms.iter().map(rows).collect();
                let _ = write!(sql, " WHERE (t.tableoid, t.ctid) IN ({})", union.join(" UNION "));
            } else {
                let _ = write!(sql, " WHERE ({})", terms.join(" OR "));
            }
            for term in except {
                let _ = write!(sql, " AND NOT coalesce({}, false)", matches(entity, term)?);
            }
        }
    }
    if read.ordered {
        let by: Vec<String> = if entity.key.is_empty() {
            columns
                .iter()
                .filter_map(|c| entity.field(c))
                .map(|f| format!("{}::text COLLATE \"C\"", input(f, "t")))
                .collect()
        } else {
            entity.key.iter().filter_map(|c| entity.field(c)).map(|f| input(f, "t")).collect()
        };
        let _ = write!(sql, " ORDER BY {}", by.join(", "));
    }
    // The reader of the stream counts too; in a plain scan the server would count every row for nothing.
    if let Some(limit) = read.limit.filter(|_| read.ordered || !matches!(read.selection, Selection::All)) {
        let _ = write!(sql, " LIMIT {}", limit.saturating_add(1));
    }
    Ok((sql, columns))
}

/// A whole table as `COPY` takes it by itself, which is faster than any query; `None` where only a query gives what is asked.
pub(super) fn plain(read: &Read, columns: &[String]) -> Option<String> {
    let entity = &*read.entity;
    let all = matches!(read.selection, Selection::All) && !read.ordered && !entity.properties.contains_key(PARTED);
    let as_stored =
        |field: &Field| field.name != LEAF && field.role != Role::Generated && !is_by_text(field) && !is_padded(field);
    let inherited = entity.field(LEAF).is_some();
    if !all || inherited || columns.is_empty() || !columns.iter().all(|c| entity.field(c).is_some_and(as_stored)) {
        return None;
    }
    let list: Vec<String> = columns.iter().map(|column| super::quote(column)).collect();
    Some(format!("{} ({})", table(&entity.id), list.join(", ")))
}

/// The table of an entity; one that shares its rows with heirs that are entities themselves is read alone.
pub(super) fn from(entity: &Entity) -> String {
    let only = if entity.properties.contains_key(ONLY) { "ONLY " } else { "" };
    format!("{only}{}", table(&entity.id))
}

/// A column as an operand.
pub(super) fn input(field: &Field, alias: &str) -> String {
    if field.name == LEAF {
        format!("{alias}.tableoid::regclass::text")
    } else {
        format!("{alias}.{}", super::quote(&field.name))
    }
}

/// A column in the form in which it travels. The blanks that pad a `character(n)` are no part of its value, and its text has
/// none: so it joins with a `text` as the server joins them.
fn output(field: &Field, alias: &str) -> String {
    let column = input(field, alias);
    if is_by_text(field) || is_padded(field) { format!("{column}::text") } else { column }
}

fn is_padded(field: &Field) -> bool {
    field.native == "character" || field.native.starts_with("character(")
}

/// Whether a column travels as the text that the server makes of it.
pub(super) fn is_by_text(field: &Field) -> bool {
    matches!(field.value, ValueType::Other | ValueType::Json) || field.native == "xml"
}

/// What a column is compared as: a suffix, the operator, and the type of the other side.
struct Comparison {
    left: &'static str,
    equal: String,
    kind: String,
}

fn comparison(field: &Field) -> Comparison {
    let kind = match field.value {
        ValueType::Bool => "boolean",
        ValueType::Int16 => "smallint",
        ValueType::Int32 => "integer",
        ValueType::Int64 | ValueType::UInt64 => "bigint",
        ValueType::Float32 => "real",
        ValueType::Float64 => "double precision",
        ValueType::Decimal => "numeric",
        ValueType::Uuid => "uuid",
        ValueType::Bytes | ValueType::Tagged => "bytea",
        ValueType::Date => "date",
        ValueType::Time => "time without time zone",
        ValueType::Timestamp => "timestamp without time zone",
        ValueType::TimestampUtc => "timestamp with time zone",
        ValueType::Text if field.values.is_some() => &field.native,
        ValueType::Text if is_padded(field) => "bpchar",
        ValueType::Text if field.native != "xml" => match field.native.strip_suffix(".citext") {
            // The operator of an extension has to be named, for no schema is on the search path.
            Some(schema) => {
                let equal = format!("OPERATOR({schema}.=)");
                return Comparison { left: "", equal, kind: field.native.clone() };
            }
            None => "text",
        },
        ValueType::Text | ValueType::Json | ValueType::Other => {
            return Comparison { left: "::text", equal: "=".to_owned(), kind: "text".to_owned() };
        }
    };
    Comparison { left: "", equal: "=".to_owned(), kind: kind.to_owned() }
}

fn equals(entity: &Entity, path: &FieldPath, text: &str) -> Result<String> {
    let field = whole(entity, path)?;
    let value = native(field, text).ok_or_else(|| {
        let message = format!("the value given for this field is no `{}`", field.native);
        Error::new(Class::Input, message).at(site(entity, &path.column))
    })?;
    let Comparison { left, equal, kind } = comparison(field);
    Ok(format!("{}{left} {equal} {}::{kind}", input(field, "t"), literal(&value)))
}

fn matches(entity: &Entity, wanted: &Match) -> Result<String> {
    let fields = wanted.fields.iter().map(|path| whole(entity, path)).collect::<Result<Vec<_>>>()?;
    let mut columns: Vec<Vec<String>> = vec![Vec::new(); fields.len()];
    for key in wanted.keys.iter() {
        let values: Option<Vec<String>> = fields
            .iter()
            .zip(key.parts())
            .map(|(field, text)| native(field, text).filter(|_| is_exact(field, text)))
            .collect();
        for (column, value) in columns.iter_mut().zip(values.into_iter().flatten()) {
            column.push(value);
        }
    }
    let condition = match &wanted.condition {
        Some(condition) => format!(" AND {}", self::condition(entity, condition, "t")?),
        None => String::new(),
    };
    if columns.first().is_none_or(Vec::is_empty) {
        return Ok("false".to_owned());
    }
    let array = |(field, values): (&&Field, &Vec<String>)| {
        format!("{}::{}[]", array_literal(values.iter().map(String::as_str)), comparison(field).kind)
    };
    let arrays: Vec<String> = fields.iter().zip(&columns).map(array).collect();
    let left = |field: &&Field| format!("{}{}", input(field, "t"), comparison(field).left);
    let test = if let [field] = fields[..] {
        format!("{} {} ANY ({})", left(&field), comparison(field).equal, arrays[0])
    } else {
        let left: Vec<String> = fields.iter().map(left).collect();
        format!("({}) IN (SELECT * FROM unnest({}))", left.join(", "), arrays.join(", "))
    };
    Ok(format!("({test}{condition})"))
}

/// The condition of a polymorphic reference; a text that has no form in the column's type holds for no row.
pub(super) fn condition(entity: &Entity, condition: &Condition, alias: &str) -> Result<String> {
    let field = whole(entity, &condition.field)?;
    let Some(value) = native(field, &condition.equals) else { return Ok("false".to_owned()) };
    let Comparison { left, equal, kind } = comparison(field);
    Ok(format!("{}{left} {equal} {}::{kind}", input(field, alias), literal(&value)))
}

/// The child rows whose reference finds no parent.
pub(super) fn anti_join(edge: &Relationship, child: &Entity, parent: &Entity) -> Result<(String, Vec<String>)> {
    let (mut columns, mut list, mut tests, mut equal) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (from, to) in edge.child.fields.iter().zip(&edge.parent.fields) {
        let (from, to) = (whole(child, from)?, whole(parent, to)?);
        columns.push(from.name.clone());
        list.push(output(from, "c"));
        tests.push(format!("{} IS NOT NULL", input(from, "c")));
        equal.push(format!("{} {} {}", input(to, "p"), comparison(to).equal, input(from, "c")));
    }
    if let Some(condition) = &edge.condition {
        tests.push(self::condition(child, condition, "c")?);
    }
    let sql = format!(
        "SELECT DISTINCT {} FROM {} AS c WHERE {} AND NOT EXISTS (SELECT 1 FROM {} AS p WHERE {})",
        list.join(", "),
        from(child),
        tests.join(" AND "),
        from(parent),
        equal.join(" AND ")
    );
    Ok((sql, columns))
}

/// Whether a key is the canonical text of the value that it would be cast to: `042` is no key of 42.
fn is_exact(field: &Field, text: &str) -> bool {
    let number =
        field.value.is_integer() || matches!(field.value, ValueType::Decimal | ValueType::Float32 | ValueType::Float64);
    !number || canonical::number(text) == text
}

/// A canonical text in PostgreSQL's own words for the column's type; `None` if it has no form there.
fn native(field: &Field, text: &str) -> Option<String> {
    if text.contains('\0') {
        return None;
    }
    Some(match field.value {
        ValueType::Bool => match text {
            "true" | "false" => text.to_owned(),
            _ => return None,
        },
        ValueType::Int16 => text.parse::<i16>().ok()?.to_string(),
        ValueType::Int32 => text.parse::<i32>().ok()?.to_string(),
        ValueType::Int64 | ValueType::UInt64 => text.parse::<i64>().ok()?.to_string(),
        ValueType::Float32 => {
            format!("{:e}", text.parse::<f32>().ok().filter(|n| n.is_finite() || !text.ends_with(char::is_numeric))?)
        }
        ValueType::Float64 => {
            format!("{:e}", text.parse::<f64>().ok().filter(|n| n.is_finite() || !text.ends_with(char::is_numeric))?)
        }
        ValueType::Decimal => {
            let number = canonical::number(text);
            let digits = number.strip_prefix('-').unwrap_or(&number);
            let plain = digits.starts_with(|c: char| c.is_ascii_digit())
                && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
                && digits.bytes().filter(|b| *b == b'.').count() <= 1;
            // Before version 14 a numeric has no infinity, and no column then holds one.
            if !plain && text != "NaN" {
                return None;
            }
            number.into_owned()
        }
        ValueType::Uuid => {
            let shape =
                |(n, b): (usize, u8)| if matches!(n, 8 | 13 | 18 | 23) { b == b'-' } else { b.is_ascii_hexdigit() };
            (text.len() == 36 && text.bytes().enumerate().all(shape)).then(|| text.to_owned())?
        }
        ValueType::Bytes | ValueType::Tagged => {
            let mut out = String::from("\\x");
            for byte in canonical::bytes_of(text)? {
                let _ = write!(out, "{byte:02x}");
            }
            out
        }
        ValueType::Date => match canonical::parse_date(text)? {
            i32::MIN | i32::MAX => text.to_owned(),
            days => date(i64::from(days), "")?,
        },
        ValueType::Time => {
            let micros = canonical::parse_time(text).filter(|micros| (0..=MICROS_PER_DAY).contains(micros))?;
            canonical::time(micros)
        }
        ValueType::Timestamp | ValueType::TimestampUtc => match canonical::parse_timestamp(text)? {
            i64::MIN | i64::MAX => text.to_owned(),
            micros => {
                let time = canonical::time(micros.rem_euclid(MICROS_PER_DAY));
                let zone = if field.value == ValueType::TimestampUtc { "+00" } else { "" };
                date(micros.div_euclid(MICROS_PER_DAY), &format!(" {time}{zone}"))?
            }
        },
        ValueType::Text if field.values.as_ref().is_some_and(|values| !values.iter().any(|v| v == text)) => {
            return None;
        }
        ValueType::Text | ValueType::Json | ValueType::Other => text.to_owned(),
    })
}

/// A day in PostgreSQL's words: years before 1 are `BC`, and days before 4714-11-24 BC are none.
fn date(days: i64, time: &str) -> Option<String> {
    if !(-2_440_588..2_145_042_541).contains(&days) {
        return None;
    }
    let (year, month, day) = canonical::civil_of_days(days);
    Some(if year > 0 {
        format!("{year:04}-{month:02}-{day:02}{time}")
    } else {
        format!("{:04}-{month:02}-{day:02}{time} BC", 1 - year)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_take_the_type_s_form_or_none() {
        let of = |value, text| native(&Field::new("f", value, "t"), text);
        assert_eq!(of(ValueType::Int32, "42").as_deref(), Some("42"));
        assert_eq!(of(ValueType::Int32, "4294967296"), None);
        assert_eq!(of(ValueType::Decimal, "1.50").as_deref(), Some("1.5"));
        for text in ["", "-", "1.2.3", "abc", "1e999", "Infinity"] {
            assert_eq!(of(ValueType::Decimal, text), None, "{text}");
        }
        assert_eq!(of(ValueType::Float64, "1e999"), None);
        assert_eq!(of(ValueType::Float64, "inf").as_deref(), Some("inf"));
        assert_eq!(of(ValueType::Date, "-0043-03-15").as_deref(), Some("0044-03-15 BC"));
        assert_eq!(of(ValueType::TimestampUtc, "2021-01-01 00:00:00.5").as_deref(), Some("2021-01-01 00:00:00.5+00"));
        assert_eq!(of(ValueType::Time, "25:00:00"), None);
        assert_eq!(of(ValueType::Text, "a\0"), None);
        assert_eq!(of(ValueType::Bytes, "ab").as_deref(), Some("\\x6162"));
        assert!(!is_exact(&Field::new("f", ValueType::Int32, "integer"), "042"));
    }
}
