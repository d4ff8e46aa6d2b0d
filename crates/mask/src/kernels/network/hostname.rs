//! `hostname`: a name that no resolver finds.

use std::sync::Arc;

use crate::kernels::{
    ArgKind, ArgSpec, Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit, base32,
};

/// Base-32 digits that make a collision of a pair less likely than 2^-64.
const SAFE: usize = 16;

/// `hostname`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "hostname",
    group: Group::Network,
    doc: "gives a host of a keyed hash under a name that is reserved (RFC 2606); upper case is equal",
    args: &[ArgSpec {
        name: "under",
        kind: ArgKind::Choice(&["example", "test", "invalid"]),
        doc: "`example` (default), `test` or `invalid`",
    }],
    facts: Facts {
        deterministic: true,
        injective: Injective::If("the fields hold 17 characters before the last dot"),
        keeps: Keeps::FORMAT,
        leaks: "which hosts are equal",
    },
    build: |args: &Args, shapes: &[Shape]| {
        let under = args.text("under").unwrap_or("example").to_owned();
        let room = Shape::least_room(shapes).unwrap_or(usize::MAX);
        let length = room.saturating_sub(under.len() + 2).clamp(1, SAFE);
        Ok(Arc::new(Hostname { under, length }))
    },
    sample: |n| format!("db{n}.corp.internal"),
    vectors: &[
        (&[], "db1.corp.internal", Some("hvc4wzxf3q7gy11ab.example")),
        (&[("under", "invalid")], "DB1.corp.internal", Some("hvc4wzxf3q7gy11ab.invalid")),
    ],
};

#[derive(Debug)]
struct Hostname {
    under: String,
    length: usize,
}

impl Mask for Hostname {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        shape.takes_text(2 + self.length + self.under.len())
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees { deterministic: true, injective: self.length >= SAFE }
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        if !text.is_empty() {
            // A letter first, as old rules for host names ask.
            out.push('h');
            base32(&cell.key.hash(text.to_lowercase().as_bytes()), self.length, out);
            out.extend([".", &self.under]);
        }
        Ok(Some(()))
    }
}
