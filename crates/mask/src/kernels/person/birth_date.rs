//! `birth_date`: another day of the same year or decade.
//!
//! A birth date with a town tells most people apart. Within a year it keeps who is of age; the very old are few, so years before a
//! bound become the bound (HIPAA's 90 and above).

use std::sync::Arc;

use reenact_model::canonical;

use crate::kernels::draw::Draw;
use crate::kernels::time::moment;
use crate::kernels::{
    ArgKind, ArgSpec, Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, TakesSubject,
    Unfit,
};

/// `birth_date`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "birth_date",
    group: Group::Person,
    doc: "draws another day of the same year (or decade) for the record's subject, or for the value where the rule names none; a time of day becomes 00:00:00",
    args: &[
        ArgSpec { name: "within", kind: ArgKind::Choice(&["year", "decade"]), doc: "`year` (default) or `decade`" },
        ArgSpec {
            name: "oldest",
            kind: ArgKind::Integer(1_800, 2_100),
            doc: "earlier years of birth become this one; default 1936",
        },
    ],
    facts: Facts {
        deterministic: true,
        injective: Injective::Never,
        keeps: Keeps::FORMAT,
        leaks: "the year or decade of birth, unless it is before `oldest`",
    },
    build: |args: &Args, _: &[Shape]| {
        Ok(Arc::new(BirthDate {
            decade: args.text("within") == Some("decade"),
            oldest: args.integer("oldest").unwrap_or(1_936),
        }))
    },
    sample: |n| canonical::date(i32::try_from(n % 40_000).unwrap_or(0) - 20_000),
    vectors: &[
        (&[], "1984-02-29", Some("1984-02-02")),
        (&[("within", "decade")], "1984-02-29", Some("1980-11-24")),
        (&[], "1912-06-23 10:00:00", Some("1936-02-02 00:00:00")),
    ],
};

#[derive(Debug)]
struct BirthDate {
    decade: bool,
    oldest: i64,
}

impl Mask for BirthDate {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        moment::takes(shape)
    }

    fn subject(&self) -> TakesSubject {
        TakesSubject::May
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::FAKE
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        let Some((days, clock)) = moment::split(text)? else {
            out.push_str(text);
            return Ok(Some(()));
        };
        let (year, ..) = canonical::civil_of_days(days.into());
        let year = year.max(self.oldest);
        let (first, years) = if self.decade { (year.div_euclid(10) * 10, 10) } else { (year, 1) };
        let first = first.max(self.oldest);
        let (start, end) =
            (canonical::days_of_civil(first, 1, 1), canonical::days_of_civil(year / years * years + years, 1, 1));
        let source = cell.subject.map_or_else(|| format!("birth|{text}"), |subject| format!("subject|{subject}"));
        let drawn = Draw::new(cell.key, &source).between(start, end - 1);
        out.push_str(&canonical::date(
            i32::try_from(drawn).map_err(|_| Unfit("a date is at the end of the calendar"))?,
        ));
        moment::write_clock(clock, "00:00:00", out);
        Ok(Some(()))
    }
}

#[cfg(test)]
mod tests {
    use crate::kernels::Shape;
    use crate::kernels::testing::{apply, build, try_apply};

    #[test]
    fn the_year_stays_unless_it_is_too_early() {
        let mask = build("birth_date", &[], &[Shape::leaf()]).expect("builds");
        for (date, year) in [("1984-02-29", "1984-"), ("2001-12-31", "2001-"), ("1899-01-01", "1936-")] {
            assert!(apply(&*mask, "d", date).expect("some").starts_with(year), "{date}");
        }
        let decade = build("birth_date", &[("within", "decade")], &[Shape::leaf()]).expect("builds");
        assert!(apply(&*decade, "d", "1984-02-29").expect("some").starts_with("198"));
        assert!(apply(&*decade, "d", "1931-02-28").expect("some").as_str() >= "1936");
        assert!(try_apply(&*mask, "d", "29.02.1984").is_err());
    }
}
