//! `digits`: a bijection on the digits of a text; everything else in it stays where it is.

use std::sync::Arc;

use reenact_model::ValueType;

use super::ff1::Strings;
use super::{ArgKind, ArgSpec, Args, Guarantees, Mask, MaskSpec, Shape, Unfit};
use crate::domain::DomainKey;

const DIGITS: &[u8] = b"0123456789";
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const ALNUM: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// `digits`.
pub(super) static SPEC: MaskSpec = MaskSpec {
    name: "digits",
    doc: "permutes the characters of an alphabet, digits by default, and keeps length and separators; other letters are refused",
    args: &[ArgSpec {
        name: "alphabet",
        kind: ArgKind::Text,
        doc: "`digits` (default), `letters` (A to Z, in upper case) or `alnum` (both)",
    }],
    leaks: "length, separators, and which values are equal",
    build: |args: &Args, _: &[Shape]| {
        let alphabet = match args.text("alphabet").unwrap_or("digits") {
            "digits" => DIGITS,
            "letters" => LETTERS,
            "alnum" => ALNUM,
            _ => return Err("`alphabet` is `digits`, `letters` or `alnum`".to_owned()),
        };
        Ok(Arc::new(Digits { alphabet, strings: Strings::new(alphabet) }))
    },
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

    fn apply(&self, key: &DomainKey, text: &str, _: &Shape, out: &mut String) -> Result<Option<()>, Unfit> {
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
        let mut image = self.strings.apply(key, &digits).into_iter();
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
    use crate::kernels::testing::{apply, build};
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
        assert!(build("digits", &[("alphabet", "runes")], &[]).is_err());
        let key = crate::kernels::testing::key("d");
        for text in ["Vinet", "M\u{dc}LLER", "A1"] {
            assert!(mask.apply(&key, text, &Shape::leaf(), &mut String::new()).is_err(), "{text}");
        }
    }
}
