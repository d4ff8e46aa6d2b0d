//! `subject_shift`: the dates of a person moved by that person's own number of days.
//!
//! Biographic dates (birth, admission, hire) of all people moved alike would fall at once with the first date that somebody knows.
//! For events it is wrong: it turns round which of two people was first.

use std::sync::Arc;

use reenact_model::canonical;

use super::moment;
use crate::kernels::draw::Draw;
use crate::kernels::{
    ArgKind, ArgSpec, Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, TakesSubject,
    Unfit,
};

/// `subject_shift`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "subject_shift",
    group: Group::Time,
    doc: "moves the dates of a record's subject by a secret number of whole days, the same for all dates of that subject; needs a rule that names a subject",
    args: &[ArgSpec {
        name: "days",
        kind: ArgKind::Integer(1, 36_500),
        doc: "the greatest shift either way; default 365",
    }],
    facts: Facts {
        deterministic: true,
        injective: Injective::Never,
        keeps: Keeps { format: true, length: true, order: false },
        leaks: "intervals within a subject, times of day, and the season within the greatest shift",
    },
    build: |args: &Args, _: &[Shape]| Ok(Arc::new(SubjectShift { days: args.integer("days").unwrap_or(365) })),
    sample: |n| canonical::timestamp(i64::try_from(n).unwrap_or(0) * 3_601_000_000),
    vectors: &[
        (&[], "2026-11-23", Some("2026-10-21")),
        (&[("days", "7")], "2026-11-23 10:11:12.5", Some("2026-11-22 10:11:12.5")),
    ],
};

#[derive(Debug)]
struct SubjectShift {
    days: i64,
}

impl Mask for SubjectShift {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        moment::takes(shape)
    }

    fn subject(&self) -> TakesSubject {
        TakesSubject::Must
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::FAKE
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        let Some((days, clock)) = moment::split(text)? else {
            out.push_str(text);
            return Ok(Some(()));
        };
        let subject = cell.subject.ok_or(Unfit("the record has no subject whose shift could be taken"))?;
        let mut draw = Draw::new(cell.key, &format!("subject|{subject}"));
        let drawn = draw.between(1, self.days) * if draw.below(2) == 0 { 1 } else { -1 };
        let moved = i64::from(days) + drawn;
        out.push_str(&canonical::date(
            i32::try_from(moved).map_err(|_| Unfit("a date is at the end of the calendar"))?,
        ));
        out.push_str(clock);
        Ok(Some(()))
    }
}

#[cfg(test)]
mod tests {
    use crate::kernels::testing::{build, key};
    use crate::kernels::{Cell, Shape};

    #[test]
    fn each_subject_has_a_shift_of_its_own() {
        let mask = build("subject_shift", &[], &[Shape::leaf()]).expect("builds");
        let (key, shape) = (key("d"), Shape::leaf());
        let day = |subject: &str, text: &str| {
            let mut out = String::new();
            mask.apply(&Cell { key: &key, shape: &shape, subject: Some(subject) }, text, &mut out).expect("fits");
            reenact_model::canonical::parse_date(&out).expect("a date")
        };
        assert_eq!(day("ann", "2026-03-01") - day("ann", "2026-02-01"), 28);
        let shifts: std::collections::HashSet<_> = (0..50).map(|n| day(&n.to_string(), "2026-03-01")).collect();
        assert!(shifts.len() > 40);
        let alone = Cell { key: &key, shape: &shape, subject: None };
        assert!(mask.apply(&alone, "2026-03-01", &mut String::new()).is_err());
    }
}
