//! `date_truncate`: dates down to the year, month, day or hour.

use std::sync::Arc;

use reenact_model::canonical;

use super::moment;
use crate::kernels::{
    ArgKind, ArgSpec, Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit,
};

/// `date_truncate`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "date_truncate",
    group: Group::Time,
    doc: "replaces a date or moment by the beginning of its year, month, day or hour; a zone stays",
    args: &[ArgSpec {
        name: "to",
        kind: ArgKind::Choice(&["year", "month", "day", "hour"]),
        doc: "`year` (default), `month`, `day` or `hour`",
    }],
    facts: Facts {
        deterministic: true,
        injective: Injective::Never,
        keeps: Keeps { format: true, length: false, order: true },
        leaks: "the year, month, day or hour, as chosen",
    },
    build: |args: &Args, _: &[Shape]| {
        Ok(Arc::new(match args.text("to") {
            Some("month") => To::Month,
            Some("day") => To::Day,
            Some("hour") => To::Hour,
            _ => To::Year,
        }))
    },
    sample: |n| canonical::timestamp(i64::try_from(n).unwrap_or(0) * 3_601_000_000),
    vectors: &[
        (&[], "2026-11-23", Some("2026-01-01")),
        (&[("to", "month")], "2026-11-23 10:11:12.5", Some("2026-11-01 00:00:00")),
        (&[("to", "hour")], "2026-11-23T10:11:12.5+02:00", Some("2026-11-23T10:00:00+02:00")),
    ],
};

#[derive(Debug)]
enum To {
    Year,
    Month,
    Day,
    Hour,
}

impl Mask for To {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        moment::takes(shape)
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::FAKE
    }

    fn apply(&self, _: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        let Some((days, clock)) = moment::split(text)? else {
            out.push_str(text);
            return Ok(Some(()));
        };
        let (year, month, day) = canonical::civil_of_days(days.into());
        let start = match self {
            Self::Year => canonical::days_of_civil(year, 1, 1),
            Self::Month => canonical::days_of_civil(year, month, 1),
            Self::Day | Self::Hour => canonical::days_of_civil(year, month, day),
        };
        out.push_str(&canonical::date(
            i32::try_from(start).map_err(|_| Unfit("a date is at the end of the calendar"))?,
        ));
        let hour = if matches!(self, Self::Hour) { clock.get(1..3).unwrap_or("00") } else { "00" };
        moment::write_clock(clock, &format!("{hour}:00:00"), out);
        Ok(Some(()))
    }
}
