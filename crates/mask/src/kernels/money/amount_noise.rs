//! `amount_noise`: amounts multiplied by a secret factor near 1.
//!
//! One factor for all amounts of a subject keeps what must add up: lines still sum to their order, up to the last digit's rounding.

use std::sync::Arc;

use reenact_model::canonical;

use crate::kernels::draw::Draw;
use crate::kernels::number::{Number, nearest, takes};
use crate::kernels::{
    ArgKind, ArgSpec, Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, TakesSubject,
    Unfit,
};

/// Factors are whole millionths.
const MILLION: i128 = 1_000_000;

/// `amount_noise`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "amount_noise",
    group: Group::Money,
    doc: "multiplies amounts by a secret factor near 1, the same for all amounts of a record's subject, or of each value where the rule names none; 0 stays 0, and places after the point stay",
    args: &[ArgSpec {
        name: "percent",
        kind: ArgKind::Integer(1, 90),
        doc: "the greatest change either way in percent; default 10",
    }],
    facts: Facts {
        deterministic: true,
        injective: Injective::Never,
        keeps: Keeps::FORMAT,
        leaks: "the amount within the percentage, its sign, which amounts are 0, and ratios within a subject",
    },
    build: |args: &Args, _: &[Shape]| Ok(Arc::new(AmountNoise { percent: args.integer("percent").unwrap_or(10) })),
    sample: |n| format!("{}.{:02}", n / 100, n % 100),
    vectors: &[
        (&[], "1234.50", Some("1133.25")),
        (&[("percent", "50")], "-1000", Some("-590")),
        (&[], "0.00", Some("0.00")),
    ],
};

#[derive(Debug)]
struct AmountNoise {
    percent: i64,
}

impl Mask for AmountNoise {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        takes(shape)
    }

    fn subject(&self) -> TakesSubject {
        TakesSubject::May
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::FAKE
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        if text.is_empty() {
            return Ok(Some(()));
        }
        let amount = Number::parse(text)?;
        let mut draw = match cell.subject {
            Some(subject) => Draw::new(cell.key, &format!("subject|{subject}")),
            None => Draw::new(cell.key, &canonical::number(text)),
        };
        let most = self.percent * 10_000;
        let factor = MILLION + i128::from(draw.between(-most, most));
        let moved = amount.units.checked_mul(factor).ok_or(Unfit("an amount is too large"))?;
        Number { units: nearest(moved, MILLION), ..amount }.write_into(cell, amount.places, out)?;
        Ok(Some(()))
    }
}

#[cfg(test)]
mod tests {
    use crate::kernels::testing::{build, key};
    use crate::kernels::{Cell, Shape};

    #[test]
    fn sums_of_a_subject_reconcile_and_amounts_stay_near() {
        let mask = build("amount_noise", &[], &[Shape::leaf()]).expect("builds");
        let (key, shape) = (key("d"), Shape::leaf());
        let cents = |subject, text: &str| {
            let mut out = String::new();
            mask.apply(&Cell { key: &key, shape: &shape, subject }, text, &mut out).expect("fits");
            out.replace('.', "").parse::<i64>().expect("a number")
        };
        let (a, b) = (cents(Some("ann"), "100.10"), cents(Some("ann"), "250.30"));
        assert!((a + b - cents(Some("ann"), "350.40")).abs() <= 1);
        assert!((9_000..=11_100).contains(&a));
        assert_ne!(a, cents(Some("bob"), "100.10"));
        assert_eq!(cents(None, "0.00"), 0);
    }
}
