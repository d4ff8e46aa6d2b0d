//! `snowflake`: 64-bit ids that begin with a time (X, Discord, Instagram and their kin).
//!
//! Such an id tells to the millisecond when its record was made, and by which machine. The time moves by the domain's secret
//! shift; the 22 bits below it are permuted, by another permutation in every millisecond.

use std::sync::Arc;

use reenact_model::ValueType;

use super::ulid::{DAYS, shift};
use crate::kernels::ff1::Ff1;
use crate::kernels::{Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit};

/// The bits below the time.
const LOW: usize = 22;

/// `snowflake`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "snowflake",
    group: Group::Identifier,
    doc: "moves the time in a 64-bit id (all but the low 22 bits) by a secret shift, the same for the whole domain, and permutes the rest; ids of different milliseconds keep their order",
    args: &[DAYS],
    facts: Facts {
        deterministic: true,
        injective: Injective::Always,
        keeps: Keeps::FORMAT,
        leaks: "the order and distance of ids in time, the time within the greatest shift, and which ids are equal",
    },
    build: |args: &Args, _: &[Shape]| Ok(Arc::new(Snowflake { days: args.integer("days").unwrap_or(365) })),
    sample: |n| ((200_000_000_000 + n * 137) << LOW | (n % 4_096)).to_string(),
    vectors: &[
        (&[], "1541815603606036480", Some("1433824019658314924")),
        (&[("days", "7")], "175928847299117063", Some("174479295837211168")),
    ],
};

#[derive(Debug)]
struct Snowflake {
    days: i64,
}

impl Mask for Snowflake {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        match shape.value {
            ValueType::Int64 | ValueType::UInt64 => match shape.range {
                Some((_, most)) if most < i64::MAX => Err("the field takes no 63 bits".to_owned()),
                _ => Ok(()),
            },
            ValueType::Decimal if shape.decimals().is_none_or(|(digits, scale)| scale == 0 && digits >= 19) => Ok(()),
            _ => shape.takes_text(19),
        }
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::PSEUDONYM
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        if text.is_empty() {
            return Ok(Some(()));
        }
        let wrong = Unfit("a value is no whole number of 63 bits");
        if text.len() > 1 && !text.starts_with(|c: char| ('1'..='9').contains(&c)) {
            return Err(wrong);
        }
        let id: i64 = text.parse().ok().filter(|id| *id >= 0).ok_or(wrong)?;
        let time = id >> LOW;
        let moved = time + shift(cell.key, self.days);
        if !(0..1 << (63 - LOW)).contains(&moved) {
            return Err(Unfit("an id's time can't be moved that far; choose fewer `days`"));
        }
        let low = u128::from((id - (time << LOW)).unsigned_abs());
        let image = Ff1::new(cell.key.cipher(), 2)
            .and_then(|cipher| cipher.permute(&time.to_be_bytes(), low, LOW))
            .map_err(|_| wrong)?;
        out.push_str(&(moved << LOW | i64::try_from(image).map_err(|_| wrong)?).to_string());
        Ok(Some(()))
    }
}

#[cfg(test)]
mod tests {
    use crate::kernels::Shape;
    use crate::kernels::testing::{apply, build, try_apply};

    #[test]
    fn order_and_distance_in_time_stay() {
        let mask = build("snowflake", &[], &[Shape::leaf()]).expect("builds");
        let time = |id: i64| apply(&*mask, "d", &id.to_string()).expect("some").parse::<i64>().expect("a number") >> 22;
        let id = 1_541_815_603_606_036_480;
        assert_eq!(time(id + (5_000 << 22)) - time(id), 5_000);
        assert_ne!(time(id), id >> 22);
        for text in ["-5", "007", "1.5", "9223372036854775808", "12"] {
            assert!(try_apply(&*mask, "d", text).is_err() || text == "12", "{text}");
        }
    }
}
