//! `company`: names of firms that do not exist.

use crate::kernels::invented::Invented;
use crate::kernels::locale;
use crate::kernels::{ArgKind, ArgSpec, Args, Facts, Group, Injective, Keeps, MaskSpec, Shape};

const TRADES: &[&str] = &[
    "Works", "Supply", "Foods", "Books", "Tools", "Media", "Paper", "Glass", "Textiles", "Shipping", "Design", "Farms",
    "Optics", "Metals", "Travel", "Energy",
];

/// `company`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "company",
    group: Group::Person,
    doc: "gives an invented firm that is marked as an example, such as `Baker Glass Example`; many values share one",
    args: &[ArgSpec { name: "locale", kind: ArgKind::Choice(locale::NAMES), doc: "whose last names; default `en_US`" }],
    facts: Facts {
        deterministic: true,
        injective: Injective::Never,
        keeps: Keeps::FORMAT,
        leaks: "which values are equal, and their frequencies up to collisions",
    },
    build: |args: &Args, shapes: &[Shape]| {
        let locale = locale::find(args.text("locale"));
        Invented::build(
            &[locale.last, TRADES],
            9,
            |_, words, out| out.extend([words[0], " ", words[1], " Example"]),
            shapes,
        )
    },
    sample: |n| format!("value {n}"),
    vectors: &[
        (&[], "Acme GmbH", Some("Hughes Books Example")),
        (&[("locale", "it_IT")], "Acme GmbH", Some("Greco Books Example")),
    ],
};
