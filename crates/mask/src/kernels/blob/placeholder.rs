//! `blob`: bytes of the same length or kind, with nothing in them.

use std::sync::Arc;

use reenact_model::ValueType;
use reenact_model::canonical;

use crate::kernels::{
    ArgKind, ArgSpec, Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit,
};

/// `blob`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "blob",
    group: Group::Blob,
    doc: "replaces bytes by as many zero bytes, or by the smallest file of their kind: a picture of one point for PNG, GIF and BMP, an empty PDF, ZIP, JSON or XML; other kinds become empty",
    args: &[ArgSpec { name: "keep", kind: ArgKind::Choice(&["length", "kind"]), doc: "`length` (default) or `kind`" }],
    facts: Facts {
        deterministic: true,
        injective: Injective::Never,
        keeps: Keeps::NOTHING,
        leaks: "the length, which may tell which file it was, or the kind",
    },
    build: |args: &Args, _: &[Shape]| Ok(Arc::new(Blob { kind: args.text("keep") == Some("kind") })),
    sample: |n| format!("\\xff{n:08x}"),
    vectors: &[
        (&[], "\\xff00ff", Some("\u{0}\u{0}\u{0}")),
        (
            &[("keep", "kind")],
            "%PDF-1.7 secret",
            Some(
                "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n",
            ),
        ),
        (&[("keep", "kind")], "\\xff00ff", Some("")),
    ],
};

/// How kinds of files begin, and the smallest of each.
const KINDS: &[(&[u8], &[u8])] = &[
    (
        b"\x89PNG\r\n\x1a\n",
b"\x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00\x3a\x7e\x9b\x55\x00\x00\x00\x0a\x49\x44\x41\x54\x78\x9c\x63\x60\x00\x00\x00\x02\x00\x01\x48\xaf\xa4\x71\x00\x00\x00\x00\x49\x45\x4e\x44\xae\x42\x60\x82",
    ),
    (b"GIF8", b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;"),
    (
        b"BM",
        b"BM\x3a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\x18\0\0\0\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    ),
    (b"%PDF-", b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"),
    (b"PK\x03\x04", b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
    (b"{", b"{}"),
    (b"[", b"[]"),
    (b"<", b"<empty/>"),
];

#[derive(Debug)]
struct Blob {
    kind: bool,
}

impl Mask for Blob {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        match shape.value {
            // The greatest placeholder.
            ValueType::Bytes if self.kind => {
                shape.takes_text(KINDS.iter().map(|(_, file)| file.len()).max().unwrap_or(0))
            }
            ValueType::Bytes | ValueType::Tagged if shape.values.is_none() => Ok(()),
            _ => Err(format!("the field's type is `{}`, and not bytes", shape.native)),
        }
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::FAKE
    }

    fn apply(&self, _: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        let bytes = canonical::bytes_of(text).ok_or(Unfit("a value is no bytes"))?;
        if self.kind {
            let file = KINDS.iter().find(|(start, _)| bytes.starts_with(start)).map_or(&b""[..], |(_, file)| file);
            out.push_str(&canonical::bytes(file));
        } else {
            out.extend(std::iter::repeat_n('\0', bytes.len()));
        }
        Ok(Some(()))
    }
}
