//! `integer`: a bijection on whole numbers, for keys.

use std::sync::{Arc, Mutex};

use reenact_model::ValueType;

use super::ff1::Permutation;
use super::{ArgKind, ArgSpec, Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit};
use crate::domain::DomainKey;

/// The greatest number that JSON readers keep exactly.
const JSON_SAFE: i64 = (1 << 53) - 1;

/// `integer`.
pub(super) static SPEC: MaskSpec = MaskSpec {
    name: "integer",
    group: Group::Identifier,
    doc: "permutes the whole numbers from 1 to `max`; 0 stays 0, and a negative number is the mirror of its positive one",
    args: &[ArgSpec {
        name: "max",
        kind: ArgKind::Integer(1, (1 << 53) - 1),
        doc: "the greatest number; default: what the narrowest of the fields holds, at most 2^53 - 1",
    }],
    facts: Facts {
        deterministic: true,
        injective: Injective::Always,
        keeps: Keeps::FORMAT,
        leaks: "the sign, and which values are equal",
    },
    build: |args: &Args, shapes: &[Shape]| {
        let narrowest = shapes.iter().filter_map(|s| s.range).map(|(_, max)| max).min();
        let digits = shapes.iter().filter(|s| s.value.is_text()).filter_map(|s| s.max_chars).min();
        let by_digits = digits.map_or(JSON_SAFE, |d| if d >= 16 { JSON_SAFE } else { 10_i64.pow(d) - 1 });
        let default = narrowest.unwrap_or(JSON_SAFE).min(JSON_SAFE).min(by_digits);
        let max = args.integer("max").unwrap_or(default);
        let max = u64::try_from(max).ok().filter(|m| *m > 0).ok_or("the fields hold no whole number above 0")?;
        Ok(Arc::new(Integer { max, made: Mutex::default() }))
    },
    sample: |n| (n * 7_919 % 9_000_000 + 1).to_string(),
    vectors: &[
        (&[], "42", Some("6786369042332863")),
        (&[("max", "999")], "42", Some("222")),
        (&[], "-42", Some("-6786369042332863")),
        (&[], "0", Some("0")),
    ],
};

#[derive(Debug)]
struct Integer {
    max: u64,
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
                let permutation = Arc::new(Permutation::new(key, self.max, "integer"));
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
                _ => Ok(()),
            },
            ValueType::Decimal | ValueType::Float64 => Ok(()),
            _ => shape.takes_text(digits),
        }
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::PSEUDONYM
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        let number = reenact_model::canonical::number(text);
        let value: i64 = number.parse().map_err(|_| Unfit("a value is no whole number"))?;
        let size = value.unsigned_abs();
        if size > self.max {
            return Err(Unfit("a value is greater than the mask's `max`"));
        }
        if value < 0 {
            out.push('-');
        }
        let image = if size == 0 { 0 } else { self.permutation(cell.key).apply(size - 1) + 1 };
        out.push_str(&image.to_string());
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
}
