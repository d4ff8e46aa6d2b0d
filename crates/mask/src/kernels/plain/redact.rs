//! `redact`: a placeholder of the field's own type. It is also what `undecided: redact` uses.

use std::sync::Arc;

use reenact_model::ValueType;

use crate::kernels::{Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit};

const TEXT: &str = "[redacted]";

/// `redact`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "redact",
    group: Group::Plain,
    doc: "replaces every value by a placeholder of its type: `[redacted]`, 0, 1970-01-01, false, no bytes",
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

    fn apply(&self, cell: &Cell<'_>, _: &str, out: &mut String) -> Result<Option<()>, Unfit> {
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
}
