//! `uuidv7`: UUIDs that begin with a time.

use std::sync::Arc;

use reenact_model::ValueType;

use super::ulid::{DAYS, shift};
use super::uuid::write_uuid;
use crate::kernels::{Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit};

/// `uuidv7`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "uuidv7",
    group: Group::Identifier,
    doc: "moves the time in a UUID of version 7 by a secret number of days, the same for the whole domain, and replaces its 74 other bits by a keyed hash; ids of different milliseconds keep their order",
    args: &[DAYS],
    facts: Facts {
        deterministic: true,
        injective: Injective::Always,
        keeps: Keeps { format: true, length: true, order: false },
        leaks: "the order and distance of ids in time, the time within the greatest shift, and which ids are equal",
    },
    build: |args: &Args, _: &[Shape]| Ok(Arc::new(UuidV7 { days: args.integer("days").unwrap_or(365) })),
    sample: |n| {
        let time = format!("{:012x}", 1_700_000_000_000 + n / 3);
        format!("{}-{}-7{:03x}-8000-{:012x}", &time[..8], &time[8..], n % 4_096, n)
    },
    vectors: &[
        (&[], "017f22e2-79b0-7cc3-98c4-dc0c0c07398f", Some("0179243b-61b0-7376-89ef-f4e27ae61aa2")),
        (&[("days", "7")], "018bcfe5-6800-7000-8000-000000000001", Some("018bbb4b-f800-79c9-88e8-9b693717ed1b")),
    ],
};

#[derive(Debug)]
struct UuidV7 {
    days: i64,
}

/// The sixteen bytes of a UUID in its usual form.
fn parse(text: &str) -> Option<[u8; 16]> {
    let groups: Vec<&str> = text.split('-').collect();
    let mut bytes = [0; 16];
    (groups.iter().map(|g| g.len()).eq([8, 4, 4, 4, 12]) && hex::decode_to_slice(groups.concat(), &mut bytes).is_ok())
        .then_some(bytes)
}

impl Mask for UuidV7 {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        if shape.value == ValueType::Uuid { Ok(()) } else { shape.takes_text(36) }
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::PSEUDONYM
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        if text.is_empty() {
            return Ok(Some(()));
        }
        let id = parse(text).filter(|id| id[6] >> 4 == 7 && id[8] >> 6 == 2);
        let id = id.ok_or(Unfit("a value is no UUID of version 7; use `uuid` for others"))?;
        let time = id[..6].iter().fold(0_i64, |sum, byte| sum << 8 | i64::from(*byte)) + shift(cell.key, self.days);
        let time = u64::try_from(time).ok().filter(|time| *time < 1 << 48);
        let time = time.ok_or(Unfit("an id's time can't be moved that far; choose fewer `days`"))?;
        let mut image = cell.key.hash(&id);
        image[..6].copy_from_slice(&time.to_be_bytes()[2..]);
        write_uuid(&image, 7, out);
        Ok(Some(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{apply, build, try_apply};

    #[test]
    fn order_stays_and_other_versions_are_refused() {
        let mask = build("uuidv7", &[], &[Shape::leaf()]).expect("builds");
        let mut images: Vec<String> =
            (0..50).map(|n| apply(&*mask, "d", &(SPEC.sample)(n * 3)).expect("some")).collect();
        assert!(images.is_sorted() && images.iter().all(|image| parse(image).is_some_and(|id| id[6] >> 4 == 7)));
        images.dedup();
        assert_eq!(images.len(), 50);
        for text in ["ab13dfae-6276-45da-a05f-11193ceaaf30", "017f22e279b07cc398c4dc0c0c07398f", "x"] {
            assert!(try_apply(&*mask, "d", text).is_err(), "{text}");
        }
    }
}
