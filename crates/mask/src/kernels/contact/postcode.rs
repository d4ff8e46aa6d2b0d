//! `postcode`: an area instead of a place.

use std::sync::Arc;

use crate::kernels::{
    ArgKind, ArgSpec, Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit,
};

/// `postcode`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "postcode",
    group: Group::Place,
    doc: "keeps the first characters of a postcode and replaces the other digits by 0 and letters by X (or x); separators stay",
    args: &[
        ArgSpec {
            name: "keep",
            kind: ArgKind::Integer(0, 4),
            doc: "how many letters and digits stay, 0 to 4; default 2",
        },
        ArgSpec {
            name: "sparse",
            kind: ArgKind::Choice(&["us"]),
            doc: "keeps nothing of a code whose area has 20,000 people or fewer: `us`, by the first three digits of a ZIP code (census of 2000)",
        },
    ],
    facts: Facts {
        deterministic: true,
        injective: Injective::Never,
        keeps: Keeps::SHAPE,
        leaks: "the area, which a few of may have very few people, and where letters and digits stand",
    },
    build: |args: &Args, _: &[Shape]| {
        let keep = usize::try_from(args.integer("keep").unwrap_or(2)).unwrap_or(2);
        Ok(Arc::new(Postcode { keep, sparse: if args.text("sparse").is_some() { SPARSE_US } else { &[] } }))
    },
    sample: |n| format!("{n:06}"),
    vectors: &[
        (&[], "10117", Some("10000")),
        (&[("keep", "3")], "SW1A 2AA", Some("SW1X 0XX")),
        (&[("keep", "0")], "1011 ab", Some("0000 xx")),
        (&[("keep", "3"), ("sparse", "us")], "03601-1234", Some("00000-0000")),
        (&[("keep", "3"), ("sparse", "us")], "94105", Some("94100")),
    ],
};

/// The areas of three digits in which 20,000 people or fewer live, as the Department of Health and Human Services lists them in its
/// guidance on 45 CFR 164.514(b)(2).
const SPARSE_US: &[&str] = &[
    "036", "059", "063", "102", "203", "556", "692", "790", "821", "823", "830", "831", "878", "879", "884", "890",
    "893",
];

#[derive(Debug)]
struct Postcode {
    keep: usize,
    sparse: &'static [&'static str],
}

impl Mask for Postcode {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        shape.takes_text(0)
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::FAKE
    }

    fn apply(&self, _: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        if text.len() > 12 || !text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-')) {
            return Err(Unfit("a value is no postcode: up to 12 letters, digits, spaces and hyphens"));
        }
        let keep = if self.sparse.iter().any(|area| text.starts_with(area)) { 0 } else { self.keep };
        let mut seen = 0;
        for c in text.chars() {
            seen += usize::from(c.is_ascii_alphanumeric());
            out.push(match c {
                c if seen <= keep => c,
                '0'..='9' => '0',
                'a'..='z' => 'x',
                'A'..='Z' => 'X',
                c => c,
            });
        }
        Ok(Some(()))
    }
}
