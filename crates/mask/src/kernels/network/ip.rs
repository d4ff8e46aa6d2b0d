//! `ip`: an address of the ranges that are for documentation only.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use reenact_model::ValueType;

use crate::kernels::{Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit};

/// `ip`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "ip",
    group: Group::Network,
    doc: "gives an address of the documentation ranges: 192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24 for IPv4, of which there are few, and 2001:db8::/32 for IPv6",
    args: &[],
    facts: Facts {
        deterministic: true,
        injective: Injective::Never,
        keeps: Keeps::FORMAT,
        leaks: "which addresses are equal (up to collisions), the version, and a prefix length",
    },
    build: |_: &Args, _: &[Shape]| Ok(Arc::new(Ip)),
    sample,
    vectors: &[
        (&[], "8.8.8.8", Some("192.0.2.1")),
        (&[], "2a00:1450:4001::8a", Some("2001:db8:6d40:1784:3968:9c98:4ef4:f2b5")),
        (&[], "10.1.2.3/8", Some("198.51.100.145/8")),
    ],
};

/// The n-th of many different addresses.
pub(super) fn sample(n: u64) -> String {
    let bits = u32::try_from(n & 0xffff_ffff).unwrap_or(0).wrapping_mul(2_654_435_761);
    if n.is_multiple_of(5) {
        Ipv6Addr::from(0x2a00_1450_u128 << 96 | u128::from(bits)).to_string()
    } else {
        Ipv4Addr::from(bits).to_string()
    }
}

/// Whether a field takes addresses.
pub(super) fn takes(shape: &Shape) -> Result<(), String> {
    match shape.value {
        ValueType::Other if matches!(shape.native.as_str(), "inet" | "cidr") => Ok(()),
        _ => shape.takes_text(39),
    }
}

/// An address, and the length of its prefix with the slash.
pub(super) fn parse(text: &str) -> Result<(IpAddr, &str), Unfit> {
    let wrong = Unfit("a value is no IP address");
    let (address, length) = text.split_at(text.find('/').unwrap_or(text.len()));
    let address: IpAddr = address.parse().map_err(|_| wrong)?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    match length.strip_prefix('/').map(str::parse::<u8>) {
        None => {}
        Some(Ok(bits)) if bits <= most && !length.contains('+') => {}
        Some(_) => return Err(wrong),
    }
    Ok((address, length))
}

/// Zeroes all but the first bits.
pub(super) fn truncate(address: IpAddr, v4: u32, v6: u32) -> IpAddr {
    match address {
        IpAddr::V4(v4_address) => {
            Ipv4Addr::from(v4_address.to_bits() & u32::MAX.checked_shl(32 - v4).unwrap_or(0)).into()
        }
        IpAddr::V6(v6_address) => {
            Ipv6Addr::from(v6_address.to_bits() & u128::MAX.checked_shl(128 - v6).unwrap_or(0)).into()
        }
    }
}

#[derive(Debug)]
struct Ip;

impl Mask for Ip {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        takes(shape)
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::FAKE
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        if text.is_empty() {
            return Ok(Some(()));
        }
        let (address, length) = parse(text)?;
        let hash = cell.key.hash(address.to_string().as_bytes());
        let mut image = match address {
            IpAddr::V4(_) => {
                let networks = [[192, 0, 2], [198, 51, 100], [203, 0, 113]];
                let [a, b, c] = networks[usize::from(hash[0]) % 3];
                IpAddr::from([a, b, c, hash[1] % 254 + 1])
            }
            IpAddr::V6(_) => {
                let bits = hash[..12].iter().fold(0x2001_0db8_u128, |bits, byte| bits << 8 | u128::from(*byte));
                IpAddr::from(Ipv6Addr::from(bits))
            }
        };
        if cell.shape.native == "cidr" {
            // PostgreSQL's networks have no bits behind their prefix.
            let bits = length.strip_prefix('/').and_then(|bits| bits.parse().ok());
            image = truncate(image, bits.unwrap_or(32), bits.unwrap_or(128));
        }
        out.push_str(&image.to_string());
        out.push_str(length);
        Ok(Some(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{apply, build, try_apply};

    #[test]
    fn addresses_are_of_the_documentation_ranges() {
        let mask = build("ip", &[], &[Shape::leaf()]).expect("builds");
        for n in 0..500 {
            let image = apply(&*mask, "d", &sample(n)).expect("some");
            let starts = ["192.0.2.", "198.51.100.", "203.0.113.", "2001:db8:"];
            assert!(starts.iter().any(|start| image.starts_with(start)), "{image}");
        }
        assert_eq!(apply(&*mask, "d", "2A00:0::1"), apply(&*mask, "d", "2a00::1"), "one address, two spellings");
        for text in ["8.8.8", "8.8.8.8/33", "8.8.8.8 canary", "8.8.8.8/+8", "::1%eth0"] {
            assert!(try_apply(&*mask, "d", text).is_err(), "{text}");
        }
    }
}
