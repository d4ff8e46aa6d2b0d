//! `date_shift`: every date of a domain moved by the same secret number of days.

use std::sync::Arc;

use reenact_model::canonical;

use super::moment;
use crate::kernels::{
    ArgKind, ArgSpec, Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit,
};

/// `date_shift`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "date_shift",
    group: Group::Time,
    doc: "moves dates and moments by a secret number of whole days, the same for the whole domain; intervals stay",
    args: &[ArgSpec {
        name: "days",
        kind: ArgKind::Integer(1, 36_500),
        doc: "the greatest shift either way; default 365",
    }],
    facts: Facts {
        deterministic: true,
        injective: Injective::Always,
        keeps: Keeps { format: true, length: true, order: true },
        leaks: "intervals, times of day, and the season within the greatest shift",
    },
    build: |args: &Args, _: &[Shape]| {
        let days = args.integer("days").unwrap_or(365);
        Ok(Arc::new(DateShift { days: u32::try_from(days).unwrap_or(365) }))
    },
    sample: |n| canonical::timestamp(i64::try_from(n).unwrap_or(0) * 3_601_000_000),
    vectors: &[
        (&[], "2026-11-23", Some("2026-01-29")),
        (&[("days", "7")], "2026-11-23 10:11:12.5", Some("2026-11-19 10:11:12.5")),
    ],
};

#[derive(Debug)]
struct DateShift {
    days: u32,
}

impl Mask for DateShift {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        moment::takes(shape)
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::PSEUDONYM
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        let Some((days, rest)) = moment::split(text)? else {
            out.push_str(text);
            return Ok(Some(()));
        };
        let drawn = i32::try_from(cell.key.number(b"shift") % u64::from(self.days)).unwrap_or(0) + 1;
        let shift = if cell.key.number(b"way") & 1 == 0 { drawn } else { -drawn };
        let moved = days.checked_add(shift).ok_or(Unfit("a date is at the end of the calendar"))?;
        out.push_str(&canonical::date(moved));
        out.push_str(rest);
        Ok(Some(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{apply, build, try_apply};

    #[test]
    fn intervals_stay_and_no_date_is_its_own_image() {
        let mask = build("date_shift", &[], &[Shape::leaf()]).expect("builds");
        let day = |text: &str| canonical::parse_date(&apply(&*mask, "d", text).expect("some")[..10]).expect("a date");
        assert_eq!(day("2026-03-01") - day("2026-02-01"), 28);
        assert_ne!(apply(&*mask, "d", "2026-02-01"), Some("2026-02-01".into()));
        assert!(apply(&*mask, "d", "2026-02-01 10:11:12.5").expect("some").ends_with(" 10:11:12.5"));
        assert_eq!(apply(&*mask, "d", "infinity"), Some("infinity".into()));
    }

    #[test]
    fn what_is_more_than_a_date_is_unfit_and_never_copied() {
        let mask = build("date_shift", &[], &[Shape::leaf()]).expect("builds");
        for text in [
            "2020-01-01 canary",
            "2020-01-01Tcanary",
            "canary infinity",
            "0000-00-00 canary",
            "\u{d6}sterreich",
            "2020-02-31",
            "9223372036854775807-01-01",
        ] {
            assert!(try_apply(&*mask, "d", text).is_err(), "{text}");
        }
        for text in ["2020-02-29", "2020-01-01 10:00:00.123456", "2020-01-01T10:00:00Z", "2020-01-01 10:00:00+02"] {
            assert!(try_apply(&*mask, "d", text).is_ok(), "{text}");
        }
    }
}
