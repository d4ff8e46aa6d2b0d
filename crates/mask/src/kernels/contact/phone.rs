//! `phone`: a telephone number that nobody has.
//!
//! Some regulators keep numbers free for films and books; they are few, so they are not for unique fields. For those, and for
//! every other country, there is +999, a country code that stands for none: no exchange connects it.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::kernels::draw::Draw;
use crate::kernels::ff1::Strings;
use crate::kernels::{
    ArgKind, ArgSpec, Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit,
};

/// `phone`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "phone",
    group: Group::Contact,
    doc: "gives a number that its country keeps free for fiction, such as +1…555-0100 to 555-0199; with `country: none` one of the country code +999, which there is not, and fit for unique fields",
    args: &[
        ArgSpec {
            name: "country",
            kind: ArgKind::Choice(&["us", "gb", "de", "fr", "se", "none"]),
            doc: "`us` (default, all of North America), `gb`, `de`, `fr`, `se`, or `none`, which permutes the digits of a number that is digits with or without `+`, behind 999",
        },
        ArgSpec {
            name: "form",
            kind: ArgKind::Choice(&["international", "national"]),
            doc: "`international` (E.164, default where the fields hold it) or `national`",
        },
    ],
    facts: Facts {
        deterministic: true,
        injective: Injective::If("`country` is `none`"),
        keeps: Keeps::FORMAT,
        leaks: "which numbers are equal, up to collisions; with `country: none` the length",
    },
    build: |args: &Args, shapes: &[Shape]| {
        let room = Shape::least_room(shapes).unwrap_or(usize::MAX);
        let country = args.text("country").unwrap_or("us");
        if country == "none" {
            return Ok(Arc::new(Nobody { strings: Strings::new(b"0123456789") }));
        }
        let plan = PLANS.iter().find(|plan| plan.country == country);
        let longest = plan.map_or(12, |plan| plan.longest(true));
        let international = args.text("form").map_or(room >= longest, |form| form == "international");
        Ok(match plan {
            None => Arc::new(NorthAmerica { international }),
            Some(plan) => Arc::new(Fiction { plan, international }),
        })
    },
    sample: |n| format!("+1{n:010}"),
    vectors: &[
        (&[], "+12025550123", Some("+19745550168")),
        (&[("form", "national")], "+12025550123", Some("555-0168")),
        (&[("country", "gb")], "+12025550123", Some("+441614960668")),
        (&[("country", "de")], "030 1234", Some("+496990009068")),
        (&[("country", "fr"), ("form", "national")], "030 1234", Some("0261910683")),
        (&[("country", "se")], "030 1234", Some("+46313900606")),
        (&[("country", "none")], "+4930901820", Some("+9990250414310")),
        (&[("country", "none")], "030901820", Some("999573634603")),
    ],
};

/// What a country keeps free.
#[derive(Debug)]
struct FictionPlan {
    country: &'static str,
    code: &'static str,
    /// The number without its trunk zero, how many digits follow, and the least of them.
    ranges: &'static [(&'static str, usize, i64)],
}

static PLANS: &[FictionPlan] = &[
    // Ofcom: numbers for use in TV and radio drama.
    FictionPlan {
        country: "gb",
        code: "44",
        ranges: &[("2079460", 3, 0), ("1632960", 3, 0), ("7700900", 3, 0), ("1174960", 3, 0), ("1614960", 3, 0)],
    },
    // Bundesnetzagentur: Mitteilung 148/2021.
    FictionPlan {
        country: "de",
        code: "49",
        ranges: &[("3023125", 3, 0), ("6990009", 3, 0), ("4066969", 3, 0), ("2214710", 3, 0), ("8999998", 3, 0)],
    },
    // Arcep: décision 2018-0881.
    FictionPlan {
        country: "fr",
        code: "33",
        ranges: &[("19900", 4, 0), ("26191", 4, 0), ("35301", 4, 0), ("46571", 4, 0), ("53649", 4, 0), ("63998", 4, 0)],
    },
    // Post- och telestyrelsen.
    FictionPlan {
        country: "se",
        code: "46",
        ranges: &[("8465004", 2, 0), ("3139006", 2, 0), ("4062804", 2, 0), ("9803192", 2, 0), ("7017406", 2, 5)],
    },
];

impl FictionPlan {
    fn longest(&self, international: bool) -> usize {
        let number = self.ranges.iter().map(|(start, digits, _)| start.len() + digits).max().unwrap_or(0);
        number + if international { 1 + self.code.len() } else { 1 }
    }
}

#[derive(Debug)]
struct Fiction {
    plan: &'static FictionPlan,
    international: bool,
}

impl Mask for Fiction {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        shape.takes_text(self.plan.longest(self.international))
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::FAKE
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        if text.is_empty() {
            return Ok(Some(()));
        }
        let mut draw = Draw::new(cell.key, text);
        let (start, digits, least) = draw.of(self.plan.ranges);
        let number = draw.between(least, 10_i64.pow(u32::try_from(digits).unwrap_or(0)) - 1);
        if self.international {
            out.extend(["+", self.plan.code]);
        } else {
            out.push('0');
        }
        let _ = write!(out, "{start}{number:0digits$}");
        Ok(Some(()))
    }
}

#[derive(Debug)]
struct NorthAmerica {
    international: bool,
}

impl Mask for NorthAmerica {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        shape.takes_text(if self.international { 12 } else { 8 })
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::FAKE
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        if text.is_empty() {
            return Ok(Some(()));
        }
        let number = cell.key.number(text.as_bytes());
        // Area codes are 2xx to 9xx and never end in 11.
        let area = 200 + number / 100 % 800;
        let area = if area % 100 == 11 { area + 1 } else { area };
        let line = number % 100;
        let _ = if self.international { write!(out, "+1{area}55501{line:02}") } else { write!(out, "555-01{line:02}") };
        Ok(Some(()))
    }
}

/// Numbers of the country code 999.
#[derive(Debug)]
struct Nobody {
    strings: Strings,
}

impl Mask for Nobody {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        // A plus, 999, and the fifteen digits of E.164.
        shape.takes_text(19)
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::PSEUDONYM
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        if text.is_empty() {
            return Ok(Some(()));
        }
        let digits = text.strip_prefix('+').unwrap_or(text);
        if !(1..=15).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Unfit("a value is no number of up to 15 digits, with or without `+` and nothing else"));
        }
        if text.len() > digits.len() {
            out.push('+');
        }
        out.push_str("999");
        let digits: Vec<u16> = digits.bytes().map(|b| u16::from(b - b'0')).collect();
        for digit in self.strings.apply(cell.key, &digits) {
            let _ = write!(out, "{digit}");
        }
        Ok(Some(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{apply, build, try_apply};

    #[test]
    fn numbers_are_reserved_and_fit() {
        let mask = build("phone", &[], &[Shape::leaf()]).expect("builds");
        for n in 0..500 {
            let image = apply(&*mask, "d", &n.to_string()).expect("some");
            assert!(image.len() == 12 && image.starts_with("+1") && image[5..].starts_with("55501"), "{image}");
        }
        let short = Shape { max_chars: Some(10), ..Shape::leaf() };
        assert!(build("phone", &[], std::slice::from_ref(&short)).expect("builds").fits(&short).is_ok());
    }

    #[test]
    fn other_countries_numbers_are_of_their_ranges() {
        for plan in PLANS {
            for form in ["international", "national"] {
                let mask =
                    build("phone", &[("country", plan.country), ("form", form)], &[Shape::leaf()]).expect("builds");
                let start = if form == "national" { "0".to_owned() } else { format!("+{}", plan.code) };
                for n in 0..200 {
                    let image = apply(&*mask, "d", &n.to_string()).expect("some");
                    let number = image.strip_prefix(&start).expect("its start");
                    assert!(plan.ranges.iter().any(|(s, d, _)| number.starts_with(s) && number.len() == s.len() + d));
                    assert!(image.len() <= plan.longest(form == "international"));
                }
            }
        }
    }

    #[test]
    fn numbers_of_no_country_stay_apart() {
        let mask = build("phone", &[("country", "none")], &[Shape::leaf()]).expect("builds");
        assert!(mask.guarantees().injective);
        let images: std::collections::HashSet<_> =
            ["+4930", "4930", "04930", "+04930"].map(|text| apply(&*mask, "d", text).expect("some")).into();
        assert_eq!(images.len(), 4);
        assert!(images.iter().all(|image| image.trim_start_matches('+').starts_with("999")));
        for text in ["030 1234", "+1-202", "+", "\u{661}23", "+1234567890123456"] {
            assert!(try_apply(&*mask, "d", text).is_err(), "{text}");
        }
    }
}
