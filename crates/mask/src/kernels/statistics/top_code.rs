//! `top_code`: what is extreme becomes the bound.
//!
//! The greatest salary of a table names its owner as surely as a name.

use std::sync::Arc;

use crate::kernels::number::{Number, takes};
use crate::kernels::{
    ArgKind, ArgSpec, Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit,
};

/// `top_code`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "top_code",
    group: Group::Statistics,
    doc: "replaces numbers above `most` by it and below `least` by that; the others stay as they are",
    args: &[
        ArgSpec { name: "most", kind: ArgKind::Text, doc: "the upper bound, a decimal number" },
        ArgSpec { name: "least", kind: ArgKind::Text, doc: "the lower bound; one of the two is required" },
    ],
    facts: Facts {
        deterministic: true,
        injective: Injective::Never,
        keeps: Keeps { format: true, length: false, order: true },
        leaks: "every number between the bounds, exactly",
    },
    build: |args: &Args, _: &[Shape]| {
        let bound = |name: &str| {
            let number = args.text(name).map(Number::parse).transpose();
            number.map_err(|_| format!("`{name}` must be a decimal number"))
        };
        let (least, most) = (bound("least")?, bound("most")?);
        match (least, most) {
            (None, None) => return Err("it needs `most` or `least`".to_owned()),
            (Some(least), Some(most)) if greater(least, most) => {
                return Err("`least` is greater than `most`".to_owned());
            }
            _ => {}
        }
        Ok(Arc::new(TopCode { least, most }))
    },
    sample: |n| format!("{}.{:02}", n / 100, n % 100),
    vectors: &[
        (&[("most", "90000")], "123456.78", Some("90000.00")),
        (&[("most", "90"), ("least", "18")], "7", Some("18")),
        (&[("most", "90")], "41.5", Some("41.5")),
    ],
};

fn greater(a: Number, b: Number) -> bool {
    let places = a.places.max(b.places);
    a.at(places).units > b.at(places).units
}

#[derive(Debug)]
struct TopCode {
    least: Option<Number>,
    most: Option<Number>,
}

impl Mask for TopCode {
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
        let bounded = match (self.least, self.most) {
            (_, Some(most)) if greater(number, most) => most,
            (Some(least), _) if greater(least, number) => least,
            _ => number,
        };
        bounded.write_into(cell, number.places.max(bounded.places), out)?;
        Ok(Some(()))
    }
}
