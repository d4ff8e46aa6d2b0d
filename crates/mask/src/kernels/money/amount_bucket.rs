//! `amount_bucket`: amounts to a few significant digits.

use std::sync::Arc;

use crate::kernels::number::{Number, nearest, takes};
use crate::kernels::{
    ArgKind, ArgSpec, Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit,
};

/// `amount_bucket`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "amount_bucket",
    group: Group::Money,
    doc: "rounds amounts to their first significant digits, so that small and large ones lose alike; places after the point stay",
    args: &[ArgSpec {
        name: "digits",
        kind: ArgKind::Integer(1, 10),
        doc: "how many significant digits stay; default 1",
    }],
    facts: Facts {
        deterministic: true,
        injective: Injective::Never,
        keeps: Keeps::FORMAT,
        leaks: "the amount's first digits and magnitude",
    },
    build: |args: &Args, _: &[Shape]| {
        Ok(Arc::new(AmountBucket { digits: u32::try_from(args.integer("digits").unwrap_or(1)).unwrap_or(1) }))
    },
    sample: |n| format!("{}.{:02}", n / 100, n % 100),
    vectors: &[
        (&[], "1234.50", Some("1000.00")),
        (&[("digits", "3")], "-98765", Some("-98800")),
        (&[], "0.07", Some("0.07")),
    ],
};

#[derive(Debug)]
struct AmountBucket {
    digits: u32,
}

impl Mask for AmountBucket {
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
        let amount = Number::parse(text)?;
        let long = amount.units.unsigned_abs().checked_ilog10().map_or(1, |log| log + 1);
        let step = 10_i128.pow(long.saturating_sub(self.digits));
        Number { units: nearest(amount.units, step) * step, ..amount }.write_into(cell, amount.places, out)?;
        Ok(Some(()))
    }
}
