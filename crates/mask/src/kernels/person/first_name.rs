//! `first_name`: first names of a locale.

use crate::kernels::invented::{Invented, alone};
use crate::kernels::locale;
use crate::kernels::{ArgKind, ArgSpec, Args, Facts, Group, Injective, Keeps, MaskSpec, Shape};

/// `first_name`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "first_name",
    group: Group::Person,
    doc: "gives a first name of a locale, the same for the same value; many share one",
    args: &[ArgSpec { name: "locale", kind: ArgKind::Choice(locale::NAMES), doc: "whose words; default `en_US`" }],
    facts: Facts {
        deterministic: true,
        injective: Injective::Never,
        keeps: Keeps::FORMAT,
        leaks: "which values are equal, and their frequencies up to collisions",
    },
    build: |args: &Args, shapes: &[Shape]| {
        let locale = locale::find(args.text("locale"));
        Invented::build(&[locale.first], 0, alone, shapes)
    },
    sample: |n| format!("value {n}"),
    vectors: &[
        (&[], "Ann", Some("Diana")),
        (&[("locale", "de_DE")], "Ann", Some("Fabian")),
        (&[("locale", "ja_JP")], "Ann", Some("健太")),
    ],
};
