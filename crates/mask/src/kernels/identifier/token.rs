//! `token`: an opaque word for each value.

use std::sync::Arc;

use crate::kernels::partition::{self, Partition};
use crate::kernels::{
    ArgKind, ArgSpec, Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit, base32,
};

/// Base-32 digits that make a collision of a pair less likely than 2^-64.
const SAFE: usize = 16;

/// `token`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "token",
    group: Group::Identifier,
    doc: "gives an opaque word of base-32 digits of a keyed hash",
    args: &[
        ArgSpec { name: "prefix", kind: ArgKind::Text, doc: "what the word begins with; default: nothing" },
        ArgSpec {
            name: "length",
            kind: ArgKind::Integer(1, 48),
            doc: "how many digits, 1 to 48; default 20, or what the shortest of the fields holds; 16 and more count as injective",
        },
        partition::BY,
        partition::COUNT,
    ],
    facts: Facts {
        deterministic: true,
        injective: Injective::If("16 digits and more"),
        keeps: Keeps::NOTHING,
        leaks: "which values are equal; with `partition_by` the partition",
    },
    build: |args: &Args, shapes: &[Shape]| {
        let prefix = args.text("prefix").unwrap_or_default().to_owned();
        let room = Shape::least_room(shapes).unwrap_or(48);
        let room = room.saturating_sub(prefix.chars().count());
        let length = match args.integer("length") {
            Some(length) => usize::try_from(length).unwrap_or(0),
            None => room.min(20),
        };
        if length == 0 {
            return Err("the fields hold nothing beside the prefix".to_owned());
        }
        let partition = Partition::of(args)?;
        if partition.is_some() && length < 8 {
            return Err("to keep a partition it needs 8 digits".to_owned());
        }
        Ok(Arc::new(Token { prefix, length, partition }))
    },
    sample: |n| format!("value {n}"),
    vectors: &[
        (&[], "abc", Some("z7a697p3etgrg86286ea")),
        (&[("prefix", "t_"), ("length", "8")], "abc", Some("t_z7a697p3")),
    ],
};

#[derive(Debug)]
struct Token {
    prefix: String,
    length: usize,
    partition: Option<Partition>,
}

impl Mask for Token {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        shape.takes_text(self.prefix.chars().count() + self.length)
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees { deterministic: true, injective: self.length >= SAFE }
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        if !text.is_empty() {
            partition::chain(self.partition.as_ref(), cell.key, text, out, |hash, out| {
                out.push_str(&self.prefix);
                base32(hash, self.length, out);
            });
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
