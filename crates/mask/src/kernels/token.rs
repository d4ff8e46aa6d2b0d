//! `token`: an opaque word for each value.

use std::sync::Arc;

use super::{ArgKind, ArgSpec, Args, Guarantees, Mask, MaskSpec, Shape, Unfit, base32};
use crate::domain::DomainKey;

/// Base-32 digits that make a collision of a pair less likely than 2^-64.
const SAFE: usize = 16;

/// `token`.
pub(super) static SPEC: MaskSpec = MaskSpec {
    name: "token",
    doc: "gives an opaque word of base-32 digits of a keyed hash",
    args: &[
        ArgSpec { name: "prefix", kind: ArgKind::Text, doc: "what the word begins with; default: nothing" },
        ArgSpec {
            name: "length",
            kind: ArgKind::Integer,
            doc: "how many digits, 1 to 48; default 20, or what the shortest of the fields holds; 16 and more count as injective",
        },
    ],
    leaks: "which values are equal",
    build: |args: &Args, shapes: &[Shape]| {
        let prefix = args.text("prefix").unwrap_or_default().to_owned();
        let room = shapes.iter().filter_map(|s| s.max_chars).min().map_or(48, |max| max as usize);
        let room = room.saturating_sub(prefix.chars().count());
        let length = match args.integer("length")? {
            Some(length) => usize::try_from(length).unwrap_or(0),
            None => room.min(20),
        };
        if !(1..=48).contains(&length) {
            return Err("`length` is 1 to 48 digits, and they must fit the field".to_owned());
        }
        Ok(Arc::new(Token { prefix, length }))
    },
};

#[derive(Debug)]
struct Token {
    prefix: String,
    length: usize,
}

impl Mask for Token {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        shape.takes_text(self.prefix.chars().count() + self.length)
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees { deterministic: true, injective: self.length >= SAFE }
    }

    fn apply(&self, key: &DomainKey, text: &str, _: &Shape, out: &mut String) -> Result<Option<()>, Unfit> {
        if !text.is_empty() {
            out.push_str(&self.prefix);
            base32(&key.hash(text.as_bytes()), self.length, out);
        }
        Ok(Some(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{apply, build};

    #[test]
    fn length_follows_the_shortest_field_and_short_words_are_not_injective() {
        let short = Shape { max_chars: Some(8), ..Shape::leaf() };
        let mask = build("token", &[("prefix", "t_")], &[Shape::leaf(), short]).expect("builds");
        assert_eq!(apply(&*mask, "d", "x").expect("some").len(), 8);
        assert!(!mask.guarantees().injective);
        assert!(build("token", &[("length", "0")], &[]).is_err());
        assert!(build("token", &[], &[]).expect("builds").guarantees().injective);
    }
}
