//! `keep_ends`: the first and last characters, and a sign for each of the others.
//!
//! What support staff read aloud: the last four of a card. It is no protection against somebody who knows the rest.

use std::sync::Arc;

use crate::kernels::{
    ArgKind, ArgSpec, Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit,
};

/// `keep_ends`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "keep_ends",
    group: Group::Text,
    doc: "keeps the first and last letters and digits of a text and its separators, and replaces the others; of a text with no more than twice as many, nothing stays",
    args: &[
        ArgSpec { name: "first", kind: ArgKind::Integer(0, 8), doc: "how many stay at the beginning; default 0" },
        ArgSpec { name: "last", kind: ArgKind::Integer(0, 8), doc: "how many stay at the end; default 4" },
        ArgSpec { name: "fill", kind: ArgKind::Text, doc: "the character that replaces the others; default `*`" },
    ],
    facts: Facts {
        deterministic: true,
        injective: Injective::Never,
        keeps: Keeps { format: false, length: true, order: false },
        leaks: "the ends, the length and the separators",
    },
    build: |args: &Args, _: &[Shape]| {
        let count = |name: &str, default| usize::try_from(args.integer(name).unwrap_or(default)).unwrap_or(0);
        let mut fill = args.text("fill").unwrap_or("*").chars();
        match (fill.next(), fill.next()) {
            (Some(fill), None) if fill.is_ascii() => {
                Ok(Arc::new(KeepEnds { first: count("first", 0), last: count("last", 4), fill }))
            }
            _ => Err("`fill` must be one character of ASCII".to_owned()),
        }
    },
    sample: |n| format!("{n:010}-{:06}", n % 1_000),
    vectors: &[
        (&[], "4111 1111 1111 1234", Some("**** **** **** 1234")),
        (&[("first", "2"), ("last", "0"), ("fill", "x")], "Österreich", Some("Ösxxxxxxxx")),
        (&[], "1234567", Some("*******")),
    ],
};

#[derive(Debug)]
struct KeepEnds {
    first: usize,
    last: usize,
    fill: char,
}

impl Mask for KeepEnds {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        shape.takes_text(0)
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::FAKE
    }

    fn apply(&self, _: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        if text.starts_with("\\x") {
            return Err(Unfit("a value is bytes and no text"));
        }
        let count = text.chars().filter(|c| c.is_alphanumeric()).count();
        let all = count <= 2 * (self.first + self.last);
        let mut seen = 0;
        for c in text.chars() {
            if !c.is_alphanumeric() {
                out.push(if c.is_ascii_punctuation() || c.is_whitespace() { c } else { self.fill });
                continue;
            }
            let stays = !all && (seen < self.first || seen >= count - self.last);
            out.push(if stays { c } else { self.fill });
            seen += 1;
        }
        Ok(Some(()))
    }
}
