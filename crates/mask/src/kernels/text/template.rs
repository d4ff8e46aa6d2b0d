//! `template`: codes of a form that you give.

use std::sync::Arc;

use crate::kernels::draw::Draw;
use crate::kernels::{
    ArgKind, ArgSpec, Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit,
};

/// `template`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "template",
    group: Group::Text,
    doc: "gives a text of a form such as `INV-####-??`, filled by a keyed hash",
    args: &[ArgSpec {
        name: "form",
        kind: ArgKind::Text,
        doc: "`#` becomes a digit, `?` a capital letter, `*` a digit or small letter, anything else stays; required",
    }],
    facts: Facts {
        deterministic: true,
        injective: Injective::If("the form has 64 bits: 20 digits, 14 letters or 13 `*`"),
        keeps: Keeps::NOTHING,
        leaks: "which values are equal, up to collisions",
    },
    build: |args: &Args, _: &[Shape]| {
        let form = args.text("form").ok_or("it needs the argument `form`")?;
        let template = Template { form: form.to_owned() };
        if template.bits() < 1.0 {
            return Err("`form` has no `#`, `?` or `*`; use `constant`".to_owned());
        }
        Ok(Arc::new(template))
    },
    sample: |n| format!("value {n}"),
    vectors: &[
        (&[("form", "INV-####-??")], "INV-2026-AB", Some("INV-8029-OF")),
        (&[("form", "****************")], "ann", Some("he8v7iyzzy5am12k")),
    ],
};

const STAR: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";

#[derive(Debug)]
struct Template {
    form: String,
}

impl Template {
    /// How many bits are drawn.
    fn bits(&self) -> f64 {
        let alphabet = |c| match c {
            '#' => 10.0_f64,
            '?' => 26.0,
            '*' => 36.0,
            _ => 1.0,
        };
        self.form.chars().map(|c| alphabet(c).log2()).sum()
    }
}

impl Mask for Template {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        shape.takes_words([self.form.as_str()].into_iter())
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees { deterministic: true, injective: self.bits() >= 64.0 }
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        if text.is_empty() {
            return Ok(Some(()));
        }
        let mut draw = Draw::new(cell.key, text);
        for c in self.form.chars() {
            match c {
                '#' => draw.text(b"0123456789", 1, out),
                '?' => draw.text(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", 1, out),
                '*' => draw.text(STAR, 1, out),
                c => out.push(c),
            }
        }
        Ok(Some(()))
    }
}
