//! `age`: ages in groups, and the very old together.

use std::sync::Arc;

use crate::kernels::number::{Number, takes};
use crate::kernels::{
    ArgKind, ArgSpec, Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit,
};

/// `age`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "age",
    group: Group::Time,
    doc: "replaces an age in years by the lowest of its group, and all ages from `oldest` on by that (HIPAA's 90 and above)",
    args: &[
        ArgSpec { name: "years", kind: ArgKind::Integer(1, 50), doc: "how many years make a group; default 5" },
        ArgSpec { name: "oldest", kind: ArgKind::Integer(1, 150), doc: "the lowest age of the last group; default 90" },
    ],
    facts: Facts {
        deterministic: true,
        injective: Injective::Never,
        keeps: Keeps { format: true, length: false, order: true },
        leaks: "the age group",
    },
    build: |args: &Args, _: &[Shape]| {
        Ok(Arc::new(Age {
            years: args.integer("years").unwrap_or(5).into(),
            oldest: args.integer("oldest").unwrap_or(90).into(),
        }))
    },
    sample: |n| (n % 120).to_string(),
    vectors: &[
        (&[], "43", Some("40")),
        (&[], "97", Some("90")),
        (&[("years", "10"), ("oldest", "85")], "84", Some("80")),
    ],
};

#[derive(Debug)]
struct Age {
    years: i128,
    oldest: i128,
}

impl Mask for Age {
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
        let age = Number::parse(text)?;
        let whole = age.units.div_euclid(10_i128.pow(age.places));
        if !(0..=200).contains(&whole) {
            return Err(Unfit("a value is no age in years"));
        }
        let group = if whole >= self.oldest { self.oldest } else { whole / self.years * self.years };
        Number { units: group, places: 0 }.write_into(cell, 0, out)?;
        Ok(Some(()))
    }
}
