//! `constant`: one value for all.

use std::sync::Arc;

use reenact_model::canonical::Writer;

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
    vectors: &[(&[("value", "x")], "anything", Some("x"))],
};

#[derive(Debug)]
struct Constant(String);

impl Mask for Constant {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        if let Some(values) = &shape.values {
            return if values.contains(&self.0) {
                Ok(())
            } else {
                Err("the value is none of the field's enumeration".to_owned())
            };
        }
        if let Some(max) = shape.max_chars
            && self.0.chars().count() > max as usize
        {
            return Err(format!("the value is longer than the {max} characters that the field takes"));
        }
        Writer::new(shape.value, 1).push(&self.0, b't').map_err(|_| format!("the value is no `{}`", shape.native))
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::FAKE
    }

    fn apply(&self, _: &Cell<'_>, _: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        out.push_str(&self.0);
        Ok(Some(()))
    }
}
