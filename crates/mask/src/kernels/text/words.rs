//! `words`: text of the same length that says nothing.

use std::sync::Arc;

use crate::kernels::draw::Draw;
use crate::kernels::{Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit};

const WORDS: &[&str] = &[
    "lorem", "ipsum", "dolor", "sit", "amet", "elit", "sed", "do", "eiusmod", "tempor", "ut", "labore", "et", "magna",
    "aliqua", "enim", "minim", "veniam", "quis", "nostrud", "ullamco", "nisi", "ex", "ea", "commodo", "duis", "aute",
    "irure", "in", "velit", "esse", "cillum",
];

/// `words`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "words",
    group: Group::Text,
    doc: "replaces a text by Latin filler words of as many characters, so that layouts and limits behave",
    args: &[],
    facts: Facts {
        deterministic: true,
        injective: Injective::Never,
        keeps: Keeps { format: false, length: true, order: false },
        leaks: "the length, which may tell which text it was",
    },
    build: |_: &Args, _: &[Shape]| Ok(Arc::new(Filler)),
    sample: |n| format!("value {n} with some more words"),
    vectors: &[(&[], "Call Ann at noon, please.", Some("lorem ullamco labore aliq")), (&[], "x", Some("v"))],
};

#[derive(Debug)]
struct Filler;

impl Mask for Filler {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        shape.takes_text(0)
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::FAKE
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        if text.starts_with("\\x") {
            return Err(Unfit("a value is bytes and no text"));
        }
        let chars = text.chars().count();
        let mut draw = Draw::new(cell.key, text);
        while out.len() < chars {
            if !out.is_empty() {
                out.push(' ');
            }
            out.push_str(draw.of(WORDS));
        }
        out.truncate(chars);
        if out.ends_with(' ') {
            // Some servers drop a space at the end.
            out.pop();
            out.push('.');
        }
        Ok(Some(()))
    }
}
