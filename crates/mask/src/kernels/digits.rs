//! `digits`: a bijection on the digits of a text; everything else in it stays where it is.

use std::sync::Arc;

use reenact_model::ValueType;

use super::ff1::Strings;
use super::{ArgKind, ArgSpec, Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit};

const DIGITS: &[u8] = b"0123456789";
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const ALNUM: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// `digits`.
pub(super) static SPEC: MaskSpec = MaskSpec {
    name: "digits",
    group: Group::Identifier,
    doc: "permutes the characters of an alphabet, digits by default, and keeps length and separators; other letters are refused",
    args: &[ArgSpec {
        name: "alphabet",
        kind: ArgKind::Choice(&["digits", "letters", "alnum"]),
        doc: "`digits` (default), `letters` (A to Z, in upper case) or `alnum` (both)",
    }],
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
        Ok(Arc::new(Digits { alphabet, strings: Strings::new(alphabet) }))
    },
    sample: |n| format!("{:09}", n * 104_729 % 1_000_000_000),
    vectors: &[
        (&[], "2026-0042", Some("0347-8225")),
        (&[], "042", Some("776")),
        (&[("alphabet", "letters")], "VINET", Some("BKYRR")),
    ],
};

#[derive(Debug)]
struct Digits {
    alphabet: &'static [u8],
    strings: Strings,
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
        Guarantees::PSEUDONYM
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        let index = |c: char| {
            let byte = u8::try_from(c).ok()?;
            self.alphabet.iter().position(|a| *a == byte).and_then(|n| u16::try_from(n).ok())
        };
        // What is kept must be separators: a letter that the alphabet lacks would stand there in clear.
        if text.chars().any(|c| c.is_alphanumeric() && index(c).is_none()) {
            return Err(Unfit("a value has a letter or digit that is not in the mask's alphabet"));
        }
        let digits: Vec<u16> = text.chars().filter_map(index).collect();
        if digits.is_empty() {
            return if text.is_empty() { Ok(Some(())) } else { Err(Unfit("a value has no character of the alphabet")) };
        }
        let mut image = self.strings.apply(cell.key, &digits).into_iter();
        for c in text.chars() {
            match index(c).and_then(|_| image.next()) {
                Some(digit) => out.push(self.alphabet[usize::from(digit)] as char),
                None => out.push(c),
            }
        }
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
