//! `empty`: no bytes, no text, but not NULL.

use std::sync::Arc;

use reenact_model::ValueType;

use crate::kernels::{Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit};

/// `empty`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "empty",
    group: Group::Blob,
    doc: "drops what stands in a field of bytes or text and leaves it empty, which a field that can't be NULL takes",
    args: &[],
    facts: Facts {
        deterministic: true,
        injective: Injective::Never,
        keeps: Keeps::NOTHING,
        leaks: "whether a value was NULL",
    },
    build: |_: &Args, _: &[Shape]| Ok(Arc::new(Empty)),
    sample: |n| format!("value {n}"),
    vectors: &[(&[], "anything", Some("")), (&[], "\\x00ff", Some(""))],
};

#[derive(Debug)]
struct Empty;

impl Mask for Empty {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        match shape.value {
            ValueType::Text | ValueType::Bytes | ValueType::Tagged if shape.values.is_none() => Ok(()),
            _ => Err(format!("the field's type is `{}`, which is never empty", shape.native)),
        }
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::FAKE
    }

    fn apply(&self, _: &Cell<'_>, _: &str, _: &mut String) -> Result<Option<()>, Unfit> {
        Ok(Some(()))
    }
}
