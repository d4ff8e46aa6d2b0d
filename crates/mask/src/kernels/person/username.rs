//! `username`: names of accounts.

use std::sync::Arc;

use crate::kernels::draw::Draw;
use crate::kernels::{
    ArgKind, ArgSpec, Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit, base32,
};

const TRAITS: &[&str] = &[
    "amber", "brave", "calm", "clever", "dusty", "early", "fancy", "gentle", "happy", "jolly", "kind", "lucky",
    "misty", "noble", "quiet", "rapid", "shiny", "sunny", "tidy", "witty",
];
const BEASTS: &[&str] = &[
    "badger", "beetle", "dolphin", "falcon", "ferret", "gecko", "heron", "ibex", "koala", "lemur", "lynx", "magpie",
    "marten", "otter", "panda", "puffin", "raven", "robin", "tapir", "walrus",
];
/// The longest trait and beast, and what joins them.
const WORDS: usize = 14;
/// Base-32 digits that make a collision of a pair less likely than 2^-64.
const SAFE: usize = 16;

/// `username`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "username",
    group: Group::Person,
    doc: "gives an account name such as `quiet_otter_7k2m0q`, in lower case: two words and digits of a keyed hash",
    args: &[ArgSpec {
        name: "digits",
        kind: ArgKind::Integer(0, 32),
        doc: "how many base-32 digits stand behind the words, 0 to 32; default 6; 16 and more count as injective",
    }],
    facts: Facts {
        deterministic: true,
        injective: Injective::If("16 digits and more"),
        keeps: Keeps::FORMAT,
        leaks: "which names are equal",
    },
    build: |args: &Args, _: &[Shape]| {
        Ok(Arc::new(Username { digits: usize::try_from(args.integer("digits").unwrap_or(6)).unwrap_or(6) }))
    },
    sample: |n| format!("user{n}"),
    vectors: &[
        (&[], "ann.lee", Some("calm_gecko_452y41")),
        (&[("digits", "0")], "ann.lee", Some("calm_gecko")),
        (&[("digits", "16")], "bob", Some("shiny_gecko_sv4np6x2fnwkyk0n")),
    ],
};

#[derive(Debug)]
struct Username {
    digits: usize,
}

impl Mask for Username {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        shape.takes_text(WORDS + if self.digits > 0 { 1 + self.digits } else { 0 })
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees { deterministic: true, injective: self.digits >= SAFE }
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        if text.is_empty() {
            return Ok(Some(()));
        }
        let mut draw = Draw::new(cell.key, text);
        out.extend([draw.of(TRAITS), "_", draw.of(BEASTS)]);
        if self.digits > 0 {
            out.push('_');
            base32(&cell.key.hash(text.as_bytes()), self.digits, out);
        }
        Ok(Some(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_words_are_known() {
        let longest = |list: &[&str]| list.iter().map(|word| word.len()).max().expect("words");
        assert_eq!(WORDS, longest(TRAITS) + 1 + longest(BEASTS));
    }
}
