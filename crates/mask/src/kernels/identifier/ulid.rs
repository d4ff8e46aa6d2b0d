//! `ulid`: ids of 26 base-32 digits that begin with a time.

use std::sync::Arc;

use crate::domain::DomainKey;
use crate::kernels::{
    ArgKind, ArgSpec, Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit,
};

const DAY: i64 = 86_400_000;
/// Crockford's digits, as the ULID specification writes them.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// How far the time in an id moves.
pub(super) const DAYS: ArgSpec =
    ArgSpec { name: "days", kind: ArgKind::Integer(1, 36_500), doc: "the greatest shift either way; default 365" };

/// The shift that a key gives, in milliseconds: up to so many whole days either way, and never none.
pub(super) fn shift(key: &DomainKey, days: i64) -> i64 {
    // The same draw as `date_shift`, so ids and dates of one domain would move together.
    let drawn = i64::try_from(key.number(b"shift") % days.unsigned_abs().max(1)).unwrap_or(0) + 1;
    DAY * if key.number(b"way") & 1 == 0 { drawn } else { -drawn }
}

/// `ulid`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "ulid",
    group: Group::Identifier,
    doc: "moves the time in a ULID by a secret number of days, the same for the whole domain, and replaces its 80 random bits by a keyed hash; ids of different milliseconds keep their order",
    args: &[DAYS],
    facts: Facts {
        deterministic: true,
        injective: Injective::Always,
        keeps: Keeps { format: true, length: true, order: false },
        leaks: "the order and distance of ids in time, the time within the greatest shift, and which ids are equal",
    },
    build: |args: &Args, _: &[Shape]| Ok(Arc::new(Ulid { days: args.integer("days").unwrap_or(365) })),
    sample: |n| write(u128::from(1_700_000_000_000 + n) << 80 | (u128::from(n) * 7_919)),
    vectors: &[
        (&[], "01ARZ3NDEKTSV4RRFFQ69G5FAV", Some("01A0ZS77EK4R3FSRV2KACV7A53")),
        (&[("days", "7")], "01HF7YAT00000000000000000Z", Some("01HEXMQY00V0ZPFP2X5F1CKG96")),
    ],
};

#[derive(Debug)]
struct Ulid {
    days: i64,
}

fn write(id: u128) -> String {
    (0..26).rev().map(|n| char::from(DIGITS[(id >> (5 * n)) as usize & 31])).collect()
}

fn parse(text: &str) -> Option<u128> {
    if text.len() != 26 || text.as_bytes()[0] > b'7' {
        return None;
    }
    text.bytes().try_fold(0_u128, |id, c| {
        let digit = DIGITS.iter().position(|d| *d == c.to_ascii_uppercase())?;
        Some(id << 5 | digit as u128)
    })
}

impl Mask for Ulid {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        shape.takes_text(26)
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::PSEUDONYM
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        if text.is_empty() {
            return Ok(Some(()));
        }
        let id = parse(text).ok_or(Unfit("a value is no ULID"))?;
        let time = i64::try_from(id >> 80).unwrap_or(0) + shift(cell.key, self.days);
        let time = u64::try_from(time).ok().filter(|time| *time < 1 << 48);
        let time = time.ok_or(Unfit("an id's time can't be moved that far; choose fewer `days`"))?;
        let hash = cell.key.hash(&id.to_be_bytes());
        let random = hash[..10].iter().fold(0_u128, |sum, byte| sum << 8 | u128::from(*byte));
        out.push_str(&write(u128::from(time) << 80 | random));
        Ok(Some(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{apply, build, try_apply};

    #[test]
    fn order_and_distance_in_time_stay() {
        let mask = build("ulid", &[], &[Shape::leaf()]).expect("builds");
        let image = |id: u128| parse(&apply(&*mask, "d", &write(id)).expect("some")).expect("a ULID") >> 80;
        let time = 1_700_000_000_000 << 80;
        assert_eq!(image((time | 5) + (250 << 80)) - image(time), 250);
        assert_ne!(image(time), time >> 80);
        for text in [
            "01ARZ3NDEKTSV4RRFFQ69G5FA",
            "81ARZ3NDEKTSV4RRFFQ69G5FAV",
            "01ARZ3NDEKTSV4RRFFQ69G5FAU",
            "é1ARZ3NDEKTSV4RRFFQ69G5FA",
        ] {
            assert!(try_apply(&*mask, "d", text).is_err(), "{text}");
        }
    }
}
