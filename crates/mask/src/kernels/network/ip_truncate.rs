//! `ip_truncate`: a network instead of an address.

use std::sync::Arc;

use super::ip;
use crate::kernels::{
    ArgKind, ArgSpec, Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit,
};

/// `ip_truncate`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "ip_truncate",
    group: Group::Network,
    doc: "keeps the network of an address and sets its other bits to 0; the result is an address of the real network",
    args: &[
        ArgSpec { name: "v4", kind: ArgKind::Integer(0, 24), doc: "the bits of IPv4 that stay; default 24" },
        ArgSpec { name: "v6", kind: ArgKind::Integer(0, 56), doc: "the bits of IPv6 that stay; default 48" },
    ],
    facts: Facts {
        deterministic: true,
        injective: Injective::Never,
        keeps: Keeps { format: true, length: false, order: true },
        leaks: "the network, which may be one household's with IPv6, its provider and region",
    },
    build: |args: &Args, _: &[Shape]| {
        let bits = |name: &str, default| u32::try_from(args.integer(name).unwrap_or(default)).unwrap_or(0);
        Ok(Arc::new(IpTruncate { v4: bits("v4", 24), v6: bits("v6", 48) }))
    },
    sample: ip::sample,
    vectors: &[
        (&[], "8.8.4.4", Some("8.8.4.0")),
        (&[], "2a00:1450:4001:820::8a", Some("2a00:1450:4001::")),
        (&[("v4", "16")], "10.1.2.3/24", Some("10.1.0.0/24")),
    ],
};

#[derive(Debug)]
struct IpTruncate {
    v4: u32,
    v6: u32,
}

impl Mask for IpTruncate {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        ip::takes(shape)
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::FAKE
    }

    fn apply(&self, _: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        if text.is_empty() {
            return Ok(Some(()));
        }
        let (address, length) = ip::parse(text)?;
        out.push_str(&ip::truncate(address, self.v4, self.v6).to_string());
        out.push_str(length);
        Ok(Some(()))
    }
}
