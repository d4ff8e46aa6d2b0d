//! `bucket`: numbers down to the lower end of an interval of fixed width.

use std::sync::Arc;

use crate::kernels::number::{Number, takes};
use crate::kernels::{
    ArgKind, ArgSpec, Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit,
};

/// `bucket`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "bucket",
    group: Group::Statistics,
    doc: "replaces a number by the lower end of its interval: with `width: 10`, 37 becomes 30 and -1 becomes -10",
    args: &[ArgSpec {
        name: "width",
        kind: ArgKind::Text,
        doc: "the intervals' width, a decimal number above 0; required",
    }],
    facts: Facts {
        deterministic: true,
        injective: Injective::Never,
        keeps: Keeps { format: true, length: false, order: true },
        leaks: "the interval",
    },
    build: |args: &Args, _: &[Shape]| {
        let width = args.text("width").ok_or("it needs the argument `width`")?;
        let width = Number::parse(width).ok().filter(|width| width.units > 0);
        Ok(Arc::new(Bucket { width: width.ok_or("`width` must be a decimal number above 0")? }))
    },
    sample: |n| format!("{}.{:02}", n / 100, n % 100),
    vectors: &[(&[("width", "10")], "37.25", Some("30.00")), (&[("width", "0.5")], "-0.2", Some("-0.5"))],
};

#[derive(Debug)]
struct Bucket {
    width: Number,
}

impl Mask for Bucket {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        takes(shape)
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::FAKE
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        if text.is_empty() {
            return Ok(Some(()));
        }
        let number = Number::parse(text)?;
        let places = number.places.max(self.width.places);
        let (units, width) = (number.at(places).units, self.width.at(places).units);
        Number { units: units.div_euclid(width) * width, places }.write_into(cell, places, out)?;
        Ok(Some(()))
    }
}
