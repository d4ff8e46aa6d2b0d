//! `mac`: addresses of devices that were never made.

use std::fmt::Write as _;
use std::sync::Arc;

use reenact_model::ValueType;

use crate::kernels::{
    ArgKind, ArgSpec, Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit,
};

/// `mac`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "mac",
    group: Group::Network,
    doc: "gives a locally administered address, which no manufacturer gives to a device, or one of the 256 for documentation (RFC 9542); the written form stays",
    args: &[ArgSpec {
        name: "range",
        kind: ArgKind::Choice(&["local", "documentation"]),
        doc: "`local` (default, 2^46 addresses) or `documentation` (00-00-5E-00-53-xx)",
    }],
    facts: Facts {
        deterministic: true,
        injective: Injective::Never,
        keeps: Keeps::SHAPE,
        leaks: "which addresses are equal, up to collisions",
    },
    build: |args: &Args, _: &[Shape]| Ok(Arc::new(Mac { local: args.text("range") != Some("documentation") })),
    sample: |n| format!("3c:07:54:{:02x}:{:02x}:{:02x}", n >> 16 & 255, n >> 8 & 255, n & 255),
    vectors: &[
        (&[], "3c:07:54:12:34:56", Some("aa:29:1f:b4:26:85")),
        (&[("range", "documentation")], "3C-07-54-12-34-56", Some("00-00-5E-00-53-A8")),
        (&[], "3c07.5412.3456", Some("aa29.1fb4.2685")),
    ],
};

#[derive(Debug)]
struct Mac {
    local: bool,
}

impl Mask for Mac {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        if shape.value == ValueType::Other && shape.native == "macaddr" { Ok(()) } else { shape.takes_text(0) }
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::FAKE
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        if text.is_empty() {
            return Ok(Some(()));
        }
        let hex: String = text.chars().filter(|c| !matches!(c, ':' | '-' | '.')).collect();
        let (lower, upper) =
            (hex.contains(|c: char| c.is_ascii_lowercase()), hex.contains(|c: char| c.is_ascii_uppercase()));
        let mut device = [0; 6];
        if hex.len() != 12 || hex::decode_to_slice(&hex, &mut device).is_err() || text.len() > 17 {
            return Err(Unfit("a value is no MAC address of 48 bits"));
        }
        let hash = cell.key.hash(&device);
        let image = if self.local {
            // The second lowest bit of the first byte says "local", the lowest "group".
            [hash[0] & 0xfc | 0x02, hash[1], hash[2], hash[3], hash[4], hash[5]]
        } else {
            [0x00, 0x00, 0x5e, 0x00, 0x53, hash[0]]
        };
        let mut digits = String::with_capacity(12);
        for byte in image {
            let _ = if upper && !lower { write!(digits, "{byte:02X}") } else { write!(digits, "{byte:02x}") };
        }
        let mut digits = digits.chars();
        out.extend(text.chars().map(|c| if c.is_ascii_hexdigit() { digits.next().unwrap_or('0') } else { c }));
        Ok(Some(()))
    }
}
