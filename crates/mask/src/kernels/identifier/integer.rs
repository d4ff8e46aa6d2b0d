//! `integer`: a bijection on whole numbers, for keys.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use reenact_model::ValueType;

use crate::domain::DomainKey;
use crate::kernels::ff1::Permutation;
use crate::kernels::partition::{self, Partition};
use crate::kernels::{
    ArgKind, ArgSpec, Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit,
};

/// The greatest number that JSON readers keep exactly.
const JSON_SAFE: i64 = (1 << 53) - 1;

/// `integer`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "integer",
    group: Group::Identifier,
    doc: "permutes the whole numbers from 1 to `max`; 0 stays 0, and a negative number stays negative, the mirror of its positive one unless a partition is kept",
    args: &[
        ArgSpec {
            name: "max",
            kind: ArgKind::Integer(1, (1 << 53) - 1),
            doc: "the greatest number; default: what the narrowest of the fields holds, at most 2^53 - 1",
        },
        partition::BY,
        partition::COUNT,
    ],
    facts: Facts {
        deterministic: true,
        injective: Injective::Always,
        keeps: Keeps::FORMAT,
        leaks: "the sign, and which values are equal; with `partition_by` the partition",
    },
    build: |args: &Args, shapes: &[Shape]| {
        let narrowest = shapes.iter().filter_map(|s| s.range).map(|(_, max)| max).min();
        let digits = shapes.iter().filter(|s| s.value.is_text()).filter_map(|s| s.max_chars).min();
        let by_digits = digits.map_or(JSON_SAFE, |d| if d >= 16 { JSON_SAFE } else { 10_i64.pow(d) - 1 });
        let by_decimals = shapes.iter().filter_map(Shape::decimals).map(|(digits, scale)| digits - scale).min();
        let by_decimals = by_decimals.map_or(JSON_SAFE, |d| if d >= 16 { JSON_SAFE } else { 10_i64.pow(d) - 1 });
        let default = narrowest.unwrap_or(JSON_SAFE).min(JSON_SAFE).min(by_digits).min(by_decimals);
        let max = args.integer("max").unwrap_or(default);
        let max = u64::try_from(max).ok().filter(|m| *m > 0).ok_or("the fields hold no whole number above 0")?;
        Ok(Arc::new(Integer { max, partition: Partition::of(args)?, made: Mutex::default() }))
    },
    sample: |n| (n * 7_919 % 9_000_000 + 1).to_string(),
    vectors: &[
        (&[], "42", Some("6786369042332863")),
        (&[("max", "999")], "42", Some("222")),
        (&[], "-42", Some("-6786369042332863")),
        (&[], "0", Some("0")),
        (&[("partition_by", "crc32"), ("partitions", "12")], "42", Some("2343678905231642")),
    ],
};

#[derive(Debug)]
struct Integer {
    max: u64,
    partition: Option<Partition>,
    /// The permutation of the key that was used last; a mask serves one key at a time.
    made: Mutex<Option<(u64, Arc<Permutation>)>>,
}

impl Integer {
    fn permutation(&self, key: &DomainKey) -> Arc<Permutation> {
        let id = key.number(b"self");
        let mut made = match self.made.lock() {
            Ok(made) => made,
            Err(poisoned) => poisoned.into_inner(),
        };
        match &*made {
            Some((known, permutation)) if *known == id => Arc::clone(permutation),
            _ => {
                let permutation = Arc::new(Permutation::new(key, self.max.into(), "integer"));
                *made = Some((id, Arc::clone(&permutation)));
                permutation
            }
        }
    }
}

impl Mask for Integer {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        if shape.values.is_some() {
            return Err("the field takes only the values of an enumeration".to_owned());
        }
        let digits = self.max.to_string().len();
        match shape.value {
            ValueType::Int16 | ValueType::Int32 | ValueType::Int64 | ValueType::UInt64 => match shape.range {
                Some((_, max)) if u64::try_from(max).unwrap_or(0) < self.max => {
                    Err(format!("the result may be {}, and the field takes {max} at most", self.max))
                }
                // The mirror of a positive number is negative, and 1 is a result.
                Some((least, _)) if least > 1 || (least < 0 && least.unsigned_abs() < self.max) => {
                    Err(format!("results begin with 1, and the field takes {least} at least"))
                }
                _ => Ok(()),
            },
            ValueType::Decimal => match shape.decimals() {
                Some((most, scale)) if ((most - scale) as usize) < digits => {
                    Err(format!("the result has up to {digits} digits, and the field takes {}", most - scale))
                }
                _ => Ok(()),
            },
            ValueType::Float64 => Ok(()),
            _ => shape.takes_text(digits),
        }
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::PSEUDONYM
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        let number = reenact_model::canonical::number(text);
        let value: i64 = number.parse().map_err(|_| Unfit("a value is no whole number"))?;
        if value.unsigned_abs() > self.max {
            return Err(Unfit("a value is greater than the mask's `max`"));
        }
        let permutation = self.permutation(cell.key);
        let step = |at: &mut String| -> Result<(), Unfit> {
            let value: i64 = at.parse().map_err(|_| Unfit("a value is no whole number"))?;
            let image = match value.unsigned_abs() {
                0 => 0,
                size => permutation.apply(u128::from(size - 1)) + 1,
            };
            at.clear();
            let _ = write!(at, "{}{image}", if value < 0 { "-" } else { "" });
            Ok(())
        };
        partition::walk(self.partition.as_ref(), &number, step, out)?;
        cell.shape.pad_decimals(out);
        if cell.shape.value.is_text() && cell.shape.room().is_some_and(|room| room < out.len()) {
            return Err(Unfit("the sign of a negative number has no room in the field"));
        }
        Ok(Some(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{apply, build, try_apply};

    #[test]
    fn the_narrowest_field_bounds_all() {
        let small = Shape { value: ValueType::Int16, range: Some((-32_768, 32_767)), ..Shape::leaf() };
        let mask = build("integer", &[], &[Shape::leaf(), small.clone()]).expect("builds");
        let image: u64 = apply(&*mask, "d", "42").expect("some").parse().expect("a number");
        assert!((1..=32_767).contains(&image));
        assert_eq!(mask.fits(&small), Ok(()));
        assert!(build("integer", &[("max", "70000")], &[]).expect("builds").fits(&small).is_err());
    }

    #[test]
    fn one_number_in_any_spelling_has_one_pseudonym() {
        let mask = build("integer", &[], &[Shape::leaf()]).expect("builds");
        assert_eq!(apply(&*mask, "d", "42"), apply(&*mask, "d", "0042"));
        assert_eq!(apply(&*mask, "d", "0"), Some("0".into()));
        assert!(apply(&*mask, "d", "-42").expect("some").starts_with('-'));
    }

    #[test]
    fn what_is_no_number_is_unfit() {
        let mask = build("integer", &[("max", "100")], &[]).expect("builds");
        assert!(try_apply(&*mask, "d", "abc").is_err());
        assert!(try_apply(&*mask, "d", "101").is_err());
    }

    #[test]
    fn a_decimal_field_gets_its_places() {
        let shape = Shape { value: ValueType::Decimal, native: "numeric(6,2)".into(), ..Shape::leaf() };
        let mask = build("integer", &[], std::slice::from_ref(&shape)).expect("builds");
        let (key, mut out) = (crate::kernels::testing::key("d"), String::new());
        let cell = Cell { key: &key, shape: &shape, subject: None };
        mask.apply(&cell, "42", &mut out).expect("fits");
        assert!(out.ends_with(".00") && out.len() <= 7, "{out}");
    }
}
