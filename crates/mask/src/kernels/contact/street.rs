//! `street`: a street of the kind that every town has, with a house number.

use crate::kernels::invented::{Glue, Invented};
use crate::kernels::locale::{self, Address};
use crate::kernels::{ArgKind, ArgSpec, Args, Facts, Group, Injective, Keeps, MaskSpec, Shape};

/// `street`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "street",
    group: Group::Place,
    doc: "gives a street and house number of a locale, the same for the same value; many share one",
    args: &[
        ArgSpec { name: "locale", kind: ArgKind::Choice(locale::NAMES), doc: "whose streets; default `en_US`" },
        ArgSpec { name: "number", kind: ArgKind::Truth, doc: "`false` leaves the house number out; default `true`" },
    ],
    facts: Facts {
        deterministic: true,
        injective: Injective::Never,
        keeps: Keeps::FORMAT,
        leaks: "which addresses are equal, up to collisions",
    },
    build: |args: &Args, shapes: &[Shape]| {
        let locale = locale::find(args.text("locale"));
        // House numbers have three digits at most.
        let (extra, glue): (usize, Glue) = match locale.address {
            _ if args.text("number") == Some("false") => (0, |_, words, out| out.push_str(words[0])),
            Address::NumberFirst => (4, |draw, words, out| {
                *out = format!("{} {}", draw.between(1, 299), words[0]);
            }),
            Address::NumberLast => (4, |draw, words, out| {
                *out = format!("{} {}", words[0], draw.between(1, 299));
            }),
            Address::Joined => (3, |draw, words, out| {
                *out = format!("{}{}", words[0], draw.between(1, 299));
            }),
        };
        Invented::build(&[locale.streets], extra, glue, shapes)
    },
    sample: |n| format!("{n} Main Street"),
    vectors: &[
        (&[], "10 Downing Street", Some("284 Hazel Lane")),
        (&[("locale", "de_DE")], "Hauptstr. 1", Some("Tannenweg 93")),
        (&[("locale", "fr_FR"), ("number", "false")], "1 rue Neuve", Some("rue du Moulin")),
    ],
};
