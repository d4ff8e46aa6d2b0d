//! `digits`: a bijection on the digits of a text; everything else in it stays where it is.

use std::sync::Arc;

use reenact_model::ValueType;

use crate::domain::DomainKey;
use crate::kernels::ff1::Strings;
use crate::kernels::partition::{self, Partition};
use crate::kernels::{
    ArgKind, ArgSpec, Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit,
};

const DIGITS: &[u8] = b"0123456789";
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
pub(super) const ALNUM: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// `digits`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "digits",
    group: Group::Identifier,
    doc: "permutes the characters of an alphabet, digits by default, and keeps length and separators; other letters are refused",
    args: &[
        ArgSpec {
            name: "alphabet",
            kind: ArgKind::Choice(&["digits", "letters", "alnum"]),
            doc: "`digits` (default), `letters` (A to Z, in upper case) or `alnum` (both)",
        },
        partition::BY,
        partition::COUNT,
    ],
    facts: Facts {
        deterministic: true,
        injective: Injective::Always,
        keeps: Keeps::SHAPE,
        leaks: "length, separators, and which values are equal",
    },
    build: |args: &Args, _: &[Shape]| {
        let alphabet = match args.text("alphabet") {
            Some("letters") => LETTERS,
            Some("alnum") => ALNUM,
            _ => DIGITS,
        };
        Ok(Arc::new(Digits::new(alphabet, true, Partition::of(args)?)))
    },
    sample: |n| format!("{:09}", n * 104_729 % 999_999_937),
    vectors: &[
        (&[], "2026-0042", Some("0347-8225")),
        (&[], "042", Some("776")),
        (&[("alphabet", "letters")], "VINET", Some("BKYRR")),
    ],
};

/// A permutation of the characters of an alphabet, in place.
#[derive(Debug)]
pub(super) struct Digits {
    alphabet: &'static [u8],
    strings: Strings,
    injective: bool,
    partition: Option<Partition>,
}

impl Digits {
    /// `injective`: whether the field tells all results apart.
    pub(super) fn new(alphabet: &'static [u8], injective: bool, partition: Option<Partition>) -> Self {
        Self { alphabet, strings: Strings::new(alphabet), injective, partition }
    }

    fn index(&self, c: char) -> Option<u16> {
        let byte = u8::try_from(c).ok()?;
        self.alphabet.iter().position(|a| *a == byte).and_then(|n| u16::try_from(n).ok())
    }

    fn step(&self, key: &DomainKey, text: &str) -> String {
        let digits: Vec<u16> = text.chars().filter_map(|c| self.index(c)).collect();
        let mut image = self.strings.apply(key, &digits).into_iter();
        text.chars()
            .map(|c| match self.index(c).and_then(|_| image.next()) {
                Some(digit) => char::from(self.alphabet[usize::from(digit)]),
                None => c,
            })
            .collect()
    }
}

impl Mask for Digits {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        match shape.value {
            ValueType::Text | ValueType::Tagged if shape.values.is_none() => Ok(()),
            ValueType::Bytes => Ok(()),
            _ => Err("it works on text; use `integer` for numbers".to_owned()),
        }
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees { deterministic: true, injective: self.injective }
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        // What is kept must be separators: a letter that the alphabet lacks would stand there in clear.
        if text.chars().any(|c| c.is_alphanumeric() && self.index(c).is_none()) || text.starts_with("\\x") {
            return Err(Unfit("a value has a letter or digit that is not in the mask's alphabet"));
        }
        if !text.chars().any(|c| self.index(c).is_some()) {
            return if text.is_empty() { Ok(Some(())) } else { Err(Unfit("a value has no character of the alphabet")) };
        }
        let step = |at: &mut String| -> Result<(), Unfit> {
            *at = self.step(cell.key, at);
            Ok(())
        };
        partition::walk(self.partition.as_ref(), text, step, out)?;
        Ok(Some(()))
    }
}

#[cfg(test)]
mod tests {
    use crate::kernels::Shape;
    use crate::kernels::testing::{apply, build, try_apply};
    use std::collections::HashSet;

    #[test]
    fn short_and_long_texts_are_permuted_in_place() {
        let mask = build("digits", &[], &[Shape::leaf()]).expect("builds");
        let images: HashSet<_> = (0..1_000).map(|n| apply(&*mask, "d", &format!("{n:03}"))).collect();
        assert_eq!(images.len(), 1_000);
        let long = apply(&*mask, "d", "4111-1111 1111#").expect("some");
        assert_eq!((long.len(), &long[4..5], &long[14..]), (15, "-", "#"));
    }

    #[test]
    fn letters_keep_their_length() {
        let mask = build("digits", &[("alphabet", "letters")], &[Shape::leaf()]).expect("builds");
        let image = apply(&*mask, "d", "VINET").expect("some");
        assert!(image.len() == 5 && image != "VINET" && image.bytes().all(|b| b.is_ascii_uppercase()));
        for text in ["Vinet", "M\u{dc}LLER", "A1"] {
            assert!(try_apply(&*mask, "d", text).is_err(), "{text}");
        }
    }
}
