//! `city`: towns that do not exist.

use crate::kernels::invented::{Invented, alone};
use crate::kernels::locale;
use crate::kernels::{ArgKind, ArgSpec, Args, Facts, Group, Injective, Keeps, MaskSpec, Shape};

/// `city`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "city",
    group: Group::Place,
    doc: "gives an invented town of a locale, the same for the same value; many share one",
    args: &[ArgSpec { name: "locale", kind: ArgKind::Choice(locale::NAMES), doc: "whose words; default `en_US`" }],
    facts: Facts {
        deterministic: true,
        injective: Injective::Never,
        keeps: Keeps::FORMAT,
        leaks: "which values are equal, and their frequencies up to collisions",
    },
    build: |args: &Args, shapes: &[Shape]| {
        let locale = locale::find(args.text("locale"));
        Invented::build(&[locale.cities], 0, alone, shapes)
    },
    sample: |n| format!("value {n}"),
    vectors: &[
        (&[], "Berlin", Some("Copperfield Bay")),
        (&[("locale", "de_DE")], "Berlin", Some("Steinwalde")),
        (&[("locale", "ja_JP")], "Berlin", Some("清流野市")),
    ],
};
