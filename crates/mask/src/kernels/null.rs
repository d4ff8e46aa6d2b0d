//! `null`: no value at all.

use std::sync::Arc;

use super::{Args, Guarantees, Mask, MaskSpec, Shape, Unfit};
use crate::domain::DomainKey;

/// `null`.
pub(super) static SPEC: MaskSpec = MaskSpec {
    name: "null",
    doc: "replaces every value by NULL",
    args: &[],
    leaks: "nothing",
    build: |_: &Args, _: &[Shape]| Ok(Arc::new(Null)),
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

    fn apply(&self, _: &DomainKey, _: &str, _: &Shape, _: &mut String) -> Result<Option<()>, Unfit> {
        Ok(None)
    }
}
