//! `constant`: one value for all.

use std::sync::Arc;

use reenact_model::ValueType;
use reenact_model::canonical::Writer;
use reenact_model::payload::{Codec, Decoder, Format};

use crate::kernels::number;
use crate::kernels::{
    ArgKind, ArgSpec, Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit,
};

/// `constant`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "constant",
    group: Group::Plain,
    doc: "replaces every value by one that you give",
    args: &[ArgSpec { name: "value", kind: ArgKind::Text, doc: "the value, as text; required" }],
    facts: Facts {
        deterministic: true,
        injective: Injective::Never,
        keeps: Keeps::NOTHING,
        leaks: "whether a value was NULL",
    },
    build: |args: &Args, _: &[Shape]| {
        let value = args.text("value").ok_or("it needs the argument `value`")?;
        Ok(Arc::new(Constant(value.to_owned())))
    },
    sample: |n| format!("value {n}"),
    vectors: &[(&[("value", "x")], "anything", Some("x")), (&[("value", "0")], "", Some("0"))],
};

#[derive(Debug)]
struct Constant(String);

/// Whether a text is a UUID as servers give it.
fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]) && groups.concat().chars().all(hex)
}

impl Mask for Constant {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        if let Some(values) = &shape.values {
            return if values.contains(&self.0) {
                Ok(())
            } else {
                Err("the value is none of the field's enumeration".to_owned())
            };
        }
        let length = if shape.value == ValueType::Bytes { self.0.len() } else { self.0.chars().count() };
        if let Some(room) = shape.room().filter(|room| *room < length) {
            return Err(format!("the value is longer than the {room} characters that the field takes"));
        }
        let wrong = || format!("the value is no `{}`", shape.native);
        let decoder = || Decoder::new(&Codec::of(Format::Json)).ok();
        let json = || decoder().is_some_and(|decoder| decoder.decode(self.0.as_bytes()).is_ok());
        match shape.value {
            ValueType::Json if !json() => return Err(wrong()),
            ValueType::Uuid if !is_uuid(&self.0) => return Err(wrong()),
            ValueType::Decimal if !number::holds(shape, &self.0) => return Err(wrong()),
            _ => {}
        }
        match (shape.range, self.0.parse::<i64>()) {
            (Some((least, most)), Ok(value)) if !(least..=most).contains(&value) => Err(wrong()),
            _ => Writer::new(shape.value, 1).push(&self.0, b't').map_err(|_| wrong()),
        }
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::FAKE
    }

    fn apply(&self, cell: &Cell<'_>, _: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        out.push_str(&self.0);
        cell.shape.pad_decimals(out);
        Ok(Some(()))
    }
}
