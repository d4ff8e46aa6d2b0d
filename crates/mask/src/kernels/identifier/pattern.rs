//! `pattern`: a bijection that keeps what stands where: a digit stays a digit, a letter a letter of its case.

use std::sync::Arc;

use reenact_model::ValueType;

use crate::domain::DomainKey;
use crate::kernels::ff1::{MOST, Pool};
use crate::kernels::partition::{self, Partition};
use crate::kernels::{Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit};

/// `pattern`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "pattern",
    group: Group::Identifier,
    doc: "permutes codes such as `AB-1234-x` within their pattern: each digit gives a digit, each letter A to Z a letter of the same case; other letters are refused",
    args: &[partition::BY, partition::COUNT],
    facts: Facts {
        deterministic: true,
        // Upper and lower case become one alphabet before the permutation, so results differ under any collation.
        injective: Injective::Always,
        keeps: Keeps::SHAPE,
        leaks: "length, separators, where digits and letters of each case stand, and which values are equal",
    },
    build: |args: &Args, _: &[Shape]| Ok(Arc::new(Pattern { pool: Pool::default(), partition: Partition::of(args)? })),
    sample: |n| {
        format!("{}{}-{:05}x", char::from(b'A' + (n % 26) as u8), char::from(b'a' + (n / 26 % 26) as u8), n / 676)
    },
    vectors: &[
        (&[], "AB-1234-x", Some("BV-8069-b")),
        (&[], "zz9", Some("bd9")),
        (&[], "Kx-20260001-ABCDEFGH", Some("Ca-82101529-SEFMVSCP")),
    ],
};

#[derive(Debug)]
struct Pattern {
    pool: Pool,
    partition: Option<Partition>,
}

/// How many characters stand where one stands, and which of them it is.
fn place(c: char) -> Option<(u128, u8)> {
    match c {
        '0'..='9' => Some((10, c as u8 - b'0')),
        'a'..='z' => Some((26, c as u8 - b'a')),
        'A'..='Z' => Some((26, c as u8 - b'A')),
        _ => None,
    }
}

/// How many texts have a text's pattern; `None` if more than can be permuted.
fn size(text: &str) -> Option<u128> {
    text.chars()
        .filter_map(place)
        .try_fold(1_u128, |size, (radix, _)| size.checked_mul(radix).filter(|size| *size <= MOST))
}

/// Permutes the digits and letters A to Z of a text within its pattern.
pub(crate) fn permute(pool: &Pool, key: &DomainKey, text: &mut String) -> Result<(), Unfit> {
    let size = size(text).ok_or(Unfit("a value is longer than 37 digits or 26 letters"))?;
    let number = text.chars().filter_map(place).fold(0, |sum, (radix, n)| sum * radix + u128::from(n));
    let mut image = pool.get(key, size, "pattern").apply(number);
    let mut masked: Vec<char> = text.chars().collect();
    for c in masked.iter_mut().rev() {
        let Some((radix, _)) = place(*c) else { continue };
        let first = match *c {
            '0'..='9' => b'0',
            'a'..='z' => b'a',
            _ => b'A',
        };
        *c = char::from(first + u8::try_from(image % radix).unwrap_or(0));
        image /= radix;
    }
    *text = masked.into_iter().collect();
    Ok(())
}

impl Mask for Pattern {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        match shape.value {
            ValueType::Text | ValueType::Tagged | ValueType::Bytes if shape.values.is_none() => Ok(()),
            _ => Err("it works on text; use `integer` for numbers".to_owned()),
        }
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::PSEUDONYM
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        if text.chars().any(|c| c.is_alphanumeric() && place(c).is_none()) || text.starts_with("\\x") {
            return Err(Unfit("a value has a letter beyond A to Z"));
        }
        if !text.chars().any(|c| place(c).is_some()) {
            return if text.is_empty() { Ok(Some(())) } else { Err(Unfit("a value has no digit or letter")) };
        }
        let step = |at: &mut String| permute(&self.pool, cell.key, at);
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
    fn every_code_of_a_pattern_is_another_once() {
        let mask = build("pattern", &[], &[Shape::leaf()]).expect("builds");
        let images: HashSet<_> = (0..2_600)
            .map(|n| {
                apply(
                    &*mask,
                    "d",
                    &format!("{}-{:02}", char::from(b'A' + u8::try_from(n / 100).expect("small")), n % 100),
                )
                .expect("some")
            })
            .collect();
        assert_eq!(images.len(), 2_600);
        assert!(images.iter().all(|i| i.len() == 4 && i.as_bytes()[0].is_ascii_uppercase() && &i[1..2] == "-"));
    }

    #[test]
    fn codes_that_differ_in_case_only_stay_so() {
        let mask = build("pattern", &[], &[Shape::leaf()]).expect("builds");
        let (a, b) = (apply(&*mask, "d", "AbC1").expect("some"), apply(&*mask, "d", "aBC1").expect("some"));
        assert_ne!(a, b);
        assert!(a.eq_ignore_ascii_case(&b), "a collation that ignores case finds them equal before and after");
    }

    #[test]
    fn what_can_not_be_permuted_is_refused() {
        let mask = build("pattern", &[], &[Shape::leaf()]).expect("builds");
        for text in ["M\u{fc}ller", "--", "0123456789012345678901234567890123456789", "\\xff"] {
            assert!(try_apply(&*mask, "d", text).is_err(), "{text}");
        }
    }
}
