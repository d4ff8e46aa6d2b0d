//! `truncate`: the beginning of a text.

use std::sync::Arc;

use crate::kernels::{
    ArgKind, ArgSpec, Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit,
};

/// `truncate`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "truncate",
    group: Group::Text,
    doc: "keeps the first characters of a text, as they are",
    args: &[ArgSpec { name: "chars", kind: ArgKind::Integer(0, 10_000), doc: "how many characters stay; required" }],
    facts: Facts {
        deterministic: true,
        injective: Injective::Never,
        keeps: Keeps::NOTHING,
        leaks: "the first characters; all of a short text",
    },
    build: |args: &Args, _: &[Shape]| {
        let chars = args.integer("chars").ok_or("it needs the argument `chars`")?;
        Ok(Arc::new(Truncate { chars: usize::try_from(chars).unwrap_or(0) }))
    },
    sample: |n| format!("value {n}"),
    vectors: &[(&[("chars", "3")], "Österreich", Some("Öst")), (&[("chars", "0")], "anything", Some(""))],
};

#[derive(Debug)]
struct Truncate {
    chars: usize,
}

impl Mask for Truncate {
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
        out.extend(text.chars().take(self.chars));
        Ok(Some(()))
    }
}
