//! `null`: no value at all.

use std::sync::Arc;

use crate::kernels::{Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit};

/// `null`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "null",
    group: Group::Plain,
    doc: "replaces every value by NULL",
    args: &[],
    facts: Facts { deterministic: true, injective: Injective::Never, keeps: Keeps::NOTHING, leaks: "nothing" },
    build: |_: &Args, _: &[Shape]| Ok(Arc::new(Null)),
    sample: |n| format!("value {n}"),
    vectors: &[(&[], "anything", None), (&[], "", None)],
};

#[derive(Debug)]
struct Null;

impl Mask for Null {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        if shape.nullable { Ok(()) } else { Err("the field can't be NULL".to_owned()) }
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::FAKE
    }

    fn apply(&self, _: &Cell<'_>, _: &str, _: &mut String) -> Result<Option<()>, Unfit> {
        Ok(None)
    }
}
