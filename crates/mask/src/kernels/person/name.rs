//! `name`: an invented name out of short lists; many people share one, so it is never unique.

use std::sync::Arc;

use crate::kernels::invented::{Invented, alone};
use crate::kernels::locale;
use crate::kernels::{
    ArgKind, ArgSpec, Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit,
};

const FIRST: [&str; 64] = [
    "Ada", "Alma", "Anouk", "Arlo", "Astrid", "Basil", "Bea", "Bruno", "Carla", "Cato", "Cleo", "Cyril", "Dara",
    "Dina", "Edda", "Elio", "Enid", "Ezra", "Fay", "Finn", "Flora", "Gwen", "Hanno", "Hedda", "Hugo", "Ida", "Ilse",
    "Ines", "Iris", "Ivo", "Jana", "Jonas", "Juno", "Kaja", "Kira", "Lars", "Lena", "Livia", "Lotte", "Luca", "Mara",
    "Milo", "Mina", "Nell", "Nils", "Nora", "Odin", "Olga", "Otis", "Petra", "Pia", "Quinn", "Rhea", "Rolf", "Rosa",
    "Sami", "Selma", "Signe", "Tess", "Tilda", "Uma", "Vera", "Wanda", "Yara",
];
const LAST: [&str; 64] = [
    "Abbot", "Alder", "Ash", "Barrow", "Beck", "Birch", "Bishop", "Bloom", "Brook", "Cobb", "Crane", "Croft", "Dale",
    "Dove", "Drake", "Elm", "Farrow", "Fern", "Field", "Finch", "Flint", "Ford", "Frost", "Glen", "Gray", "Grove",
    "Hale", "Hart", "Haven", "Hazel", "Heath", "Hill", "Holt", "Keel", "Kite", "Lake", "Lark", "Linden", "Locke",
    "Marsh", "Mead", "Moor", "Oakes", "Park", "Penn", "Pike", "Pond", "Quill", "Reed", "Ridge", "Rowan", "Rush",
    "Sand", "Sedge", "Shore", "Sparrow", "Stone", "Thorn", "Vale", "Wade", "Weir", "Wick", "Wren", "Yarrow",
];

/// `name`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "name",
    group: Group::Person,
    doc: "gives an invented name, the same for the same person; many share one, so it is not for unique fields",
    args: &[
        ArgSpec {
            name: "part",
            kind: ArgKind::Choice(&["first", "last", "full"]),
            doc: "`first`, `last` or `full` (default)",
        },
        ArgSpec {
            name: "locale",
            kind: ArgKind::Choice(locale::NAMES),
            doc: "whose names, in that country's order; default: short names of no country, in ASCII",
        },
    ],
    facts: Facts {
        deterministic: true,
        injective: Injective::Never,
        keeps: Keeps::FORMAT,
        leaks: "which values are equal, and their frequencies up to collisions",
    },
    build: |args: &Args, shapes: &[Shape]| {
        if let Some(name) = args.text("locale") {
            let locale = locale::find(Some(name));
            return match args.text("part") {
                Some("first") => Invented::build(&[locale.first], 0, alone, shapes),
                Some("last") => Invented::build(&[locale.last], 0, alone, shapes),
                _ if locale.family_first => {
                    Invented::build(&[locale.last, locale.first], 0, |_, words, out| *out = words.concat(), shapes)
                }
                _ => Invented::build(&[locale.first, locale.last], 1, |_, words, out| *out = words.join(" "), shapes),
            };
        }
        Ok(Arc::new(match args.text("part") {
            Some("first") => Name::First,
            Some("last") => Name::Last,
            _ => Name::Full,
        }))
    },
    sample: |n| format!("value {n}"),
    vectors: &[
        (&[], "Ann Lee", Some("Nora Abbot")),
        (&[("part", "first")], "Ann", Some("Hedda")),
        (&[("part", "last")], "Lee", Some("Keel")),
        (&[("locale", "sv_SE")], "Ann Lee", Some("Sven Hedlund")),
        (&[("locale", "ja_JP")], "Ann Lee", Some("小野愛")),
    ],
};

#[derive(Debug)]
enum Name {
    First,
    Last,
    Full,
}

impl Mask for Name {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        let longest = |list: &[&str]| list.iter().map(|n| n.len()).max().unwrap_or(0);
        shape.takes_text(match self {
            Self::First => longest(&FIRST),
            Self::Last => longest(&LAST),
            Self::Full => longest(&FIRST) + 1 + longest(&LAST),
        })
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::FAKE
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        if text.is_empty() {
            return Ok(Some(()));
        }
        let hash = cell.key.hash(text.as_bytes());
        let pick = |list: &[&'static str; 64], n: usize| list[usize::from(hash[n]) % 64];
        match self {
            Self::First => out.push_str(pick(&FIRST, 0)),
            Self::Last => out.push_str(pick(&LAST, 1)),
            Self::Full => {
                out.push_str(pick(&FIRST, 0));
                out.push(' ');
                out.push_str(pick(&LAST, 1));
            }
        }
        Ok(Some(()))
    }
}
