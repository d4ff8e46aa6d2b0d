//! `ip_prefix`: another address, so that addresses which share a network still share one.
//!
//! Each bit is turned or not by a keyed hash of the bits before it (the construction of Crypto-PAn). Whoever knows some addresses of the
//! original knows the networks of many others, so `ip` is the better choice wherever networks do not matter.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::ip;
use crate::domain::DomainKey;
use crate::kernels::{Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit};

/// `ip_prefix`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "ip_prefix",
    group: Group::Network,
    doc: "permutes addresses so that two which share their first n bits share as many afterwards; the result may be anybody's address",
    args: &[],
    facts: Facts {
        deterministic: true,
        injective: Injective::If("addresses are written in one way, as in fields of an address type"),
        keeps: Keeps::FORMAT,
        leaks: "which networks are equal, to the bit, the version, and a prefix length; a few known addresses tell the networks of many",
    },
    build: |_: &Args, _: &[Shape]| Ok(Arc::new(IpPrefix)),
    sample: ip::sample,
    vectors: &[
        (&[], "8.8.8.8", Some("236.246.185.161")),
        (&[], "8.8.4.4", Some("236.246.183.230")),
        (&[], "2a00:1450:4001:820::8a", Some("fab0:1bf9:2c7:2272:c36c:33fd:11c4:6297")),
    ],
};

#[derive(Debug)]
struct IpPrefix;

/// Turns the bits of a number of `width` bits, the highest first.
fn turn(key: &DomainKey, number: u128, width: u32) -> u128 {
    (0..width).fold(0, |image, n| {
        let rest = width - n;
        // The bits above the n-th, and how many they are.
        let prefix = if n == 0 { 0 } else { number >> rest };
        let input = [
            b"prefix".as_slice(),
            &[u8::try_from(width).unwrap_or(0), u8::try_from(n).unwrap_or(0)],
            &prefix.to_be_bytes(),
        ];
        let bit = (number >> (rest - 1) & 1) ^ u128::from(key.hash(&input.concat())[0] & 1);
        image << 1 | bit
    })
}

impl Mask for IpPrefix {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        ip::takes(shape)
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::PSEUDONYM
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        if text.is_empty() {
            return Ok(Some(()));
        }
        let (address, length) = ip::parse(text)?;
        let mut image = match address {
            IpAddr::V4(address) => {
                let bits = turn(cell.key, address.to_bits().into(), 32);
                IpAddr::from(Ipv4Addr::from(u32::try_from(bits).unwrap_or(0)))
            }
            IpAddr::V6(address) => IpAddr::from(Ipv6Addr::from(turn(cell.key, address.to_bits(), 128))),
        };
        if cell.shape.native == "cidr" {
            let bits = length.strip_prefix('/').and_then(|bits| bits.parse().ok());
            image = ip::truncate(image, bits.unwrap_or(32), bits.unwrap_or(128));
        }
        out.push_str(&image.to_string());
        out.push_str(length);
        Ok(Some(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{apply, build};

    #[test]
    fn shared_prefixes_stay_shared_and_no_longer() {
        let mask = build("ip_prefix", &[], &[Shape::leaf()]).expect("builds");
        let image = |bits: u32| {
            let text = apply(&*mask, "d", &Ipv4Addr::from(bits).to_string()).expect("some");
            text.parse::<Ipv4Addr>().expect("an address").to_bits()
        };
        let base = 0x0a01_0203;
        for n in 0..32 {
            assert_eq!((image(base) ^ image(base ^ 1 << n)).leading_zeros(), 31 - n);
        }
    }
}
