//! `redact`: a placeholder of the field's own type. It is also what `undecided: redact` uses.

use std::sync::Arc;

use reenact_model::payload::RedisValue;
use reenact_model::{ValueType, canonical};

use crate::kernels::{Args, Cell, Facts, Form, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit};

const TEXT: &str = "[redacted]";

/// `redact`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "redact",
    group: Group::Plain,
    doc: "replaces every value by a placeholder of its type: `[redacted]`, 0, 1970-01-01, false, no bytes, no headers, one `[redacted]` of Redis",
    args: &[],
    facts: Facts {
        deterministic: true,
        injective: Injective::Never,
        keeps: Keeps::NOTHING,
        leaks: "whether a value was NULL",
    },
    build: |_: &Args, _: &[Shape]| Ok(Arc::new(Redact)),
    sample: |n| format!("value {n}"),
    vectors: &[(&[], "anything", Some("[redacted]")), (&[], "", Some("[redacted]"))],
};

/// The mask itself, for what no rule names.
#[derive(Debug)]
pub(crate) struct Redact;

/// The placeholder of a shape; `None` if there is none.
fn placeholder(shape: &Shape) -> Option<&str> {
    if let Some(values) = &shape.values {
        return values.first().map(String::as_str);
    }
    Some(match shape.value {
        ValueType::Bool => "false",
        ValueType::Int16
        | ValueType::Int32
        | ValueType::Int64
        | ValueType::UInt64
        | ValueType::Float32
        | ValueType::Float64
        | ValueType::Decimal => "0",
        ValueType::Text | ValueType::Tagged => match shape.max_chars {
            Some(max) => &TEXT[..TEXT.len().min(max as usize)],
            None => TEXT,
        },
        ValueType::Json => "null",
        ValueType::Uuid => "00000000-0000-0000-0000-000000000000",
        ValueType::Bytes => "",
        ValueType::Date => "1970-01-01",
        ValueType::Time => "00:00:00",
        ValueType::Timestamp | ValueType::TimestampUtc => "1970-01-01 00:00:00",
        ValueType::Other => match shape.native.as_str() {
            native if native.ends_with("[]") => "{}",
            native if native.starts_with("date") || native.starts_with("timestamp") => {
                if native.starts_with("datetime") || native.starts_with("timestamp") {
                    "1970-01-02 00:00:00"
                } else {
                    "1970-01-01"
                }
            }
            native if native.starts_with("time") => "00:00:00",
            native if native.starts_with("year") => "1970",
            "tsvector" => "",
            "interval" => "00:00:00",
            _ => return None,
        },
    })
}

impl Mask for Redact {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        match placeholder(shape) {
            Some(_) => Ok(()),
            None if shape.nullable => Ok(()),
            None => {
                Err(format!("there is no placeholder for the type `{}`, and the field can't be NULL", shape.native))
            }
        }
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::FAKE
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        match cell.shape.form {
            Form::Free => {}
            // A broker does not tell an empty list of headers from none.
            Form::Headers => return Ok(None),
            Form::Redis => {
                let value = canonical::bytes_of(text).and_then(|bytes| RedisValue::read(&bytes));
                let value = value.ok_or(Unfit("a value is none of Redis"))?;
                out.push_str(&canonical::bytes(&value.blank(TEXT).write()));
                return Ok(Some(()));
            }
        }
        Ok(placeholder(cell.shape).map(|text| {
            out.push_str(text);
            cell.shape.pad_decimals(out);
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_placeholder_is_of_its_type() {
        for value in [
            ValueType::Bool,
            ValueType::Int16,
            ValueType::Float64,
            ValueType::Decimal,
            ValueType::Text,
            ValueType::Uuid,
            ValueType::Bytes,
            ValueType::Date,
            ValueType::Time,
            ValueType::Timestamp,
            ValueType::Tagged,
        ] {
            let shape = Shape { value, max_chars: Some(3), ..Shape::leaf() };
            let text = placeholder(&shape).expect("a placeholder");
            reenact_model::canonical::Writer::new(value, 1).push(text, b't').expect("fits");
            assert!(value != ValueType::Text || text == "[re");
        }
    }

    #[test]
    fn what_has_a_form_of_its_own_keeps_it() {
        use reenact_model::payload::{Blob, Codec, Format, Headers};
        use reenact_model::{Field, canonical};
        let redacted = |format: Format, original: &[u8]| {
            let field = Field::new("f", ValueType::Bytes, "bytes").with_codec(Codec::of(format));
            let (shape, mut out) = (Shape::of(&field), String::new());
            let keys = crate::domain::ScopeKeys::new(
                &crate::RootKey::generate().expect("a key"),
                &crate::Salt::from_bytes([1; 32]),
            );
            let cell = Cell { key: &keys.domain("d"), shape: &shape, subject: None };
            let given = canonical::bytes(original).into_owned();
            let done = Redact.apply(&cell, &given, &mut out).map_err(|_| ()).expect("redacts");
            done.map(|()| canonical::bytes_of(&out).expect("bytes"))
        };
        let value = RedisValue::Hash(vec![(Blob(b"ann@canary.test".to_vec()), Blob(b"1".to_vec()))]);
        let back = redacted(Format::Redis, &value.write()).and_then(|cell| RedisValue::read(&cell));
        assert_eq!(back, Some(value.blank(TEXT)));
        let headers = Headers(vec![("ann@canary.test".into(), Some(b"x".to_vec()))]);
        assert_eq!(redacted(Format::Headers, &headers.write()), None);
    }
}
