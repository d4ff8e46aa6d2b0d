//! `noise`: numbers moved by a secret amount.

use std::sync::Arc;

use reenact_model::canonical;

use crate::kernels::draw::Draw;
use crate::kernels::number::{Number, takes};
use crate::kernels::{
    ArgKind, ArgSpec, Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, TakesSubject,
    Unfit,
};

/// `noise`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "noise",
    group: Group::Statistics,
    doc: "adds a number drawn evenly from -`most` to `most`, the same for equal values of one subject; places after the point stay",
    args: &[ArgSpec {
        name: "most",
        kind: ArgKind::Text,
        doc: "the greatest change either way, a decimal number above 0; required",
    }],
    facts: Facts {
        deterministic: true,
        injective: Injective::Never,
        keeps: Keeps::FORMAT,
        leaks: "the number within `most`; averages over many",
    },
    build: |args: &Args, _: &[Shape]| {
        let most = args.text("most").ok_or("it needs the argument `most`")?;
        let most = Number::parse(most).ok().filter(|most| most.units > 0 && most.units < 1 << 62);
        Ok(Arc::new(Noise { most: most.ok_or("`most` must be a decimal number above 0")? }))
    },
    sample: |n| format!("{}.{:02}", n / 100, n % 100),
    vectors: &[(&[("most", "5")], "37.25", Some("33.87")), (&[("most", "0.5")], "-2.0", Some("-2.3"))],
};

#[derive(Debug)]
struct Noise {
    most: Number,
}

impl Mask for Noise {
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
        let number = Number::parse(text)?;
        // In the number's own places, and never more than was asked for: towards zero.
        let scale = 10_i128.pow(self.most.places.saturating_sub(number.places));
        let most = self.most.at(self.most.places.max(number.places)).units / scale;
        let most = i64::try_from(most).map_err(|_| Unfit("a number has too many places"))?;
        if most == 0 {
            return Err(Unfit("`most` is less than one unit of a value's last place, so nothing would change"));
        }
        let source = format!("{}|{}", cell.subject.unwrap_or_default(), canonical::number(text));
        let drawn = Draw::new(cell.key, &source).between(-most, most);
        let units = number.units.saturating_add(drawn.into());
        Number { units, ..number }.write_into(cell, number.places, out)?;
        Ok(Some(()))
    }
}
