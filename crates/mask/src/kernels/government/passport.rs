//! `passport`: numbers of passports and identity cards, of any country.
//!
//! The number itself bears no check digit (that stands beside it in the machine-readable zone), and no range is set aside. By default
//! the result has ten characters and ends in ICAO's filler `<`, which no number does.

use std::sync::Arc;

use crate::kernels::compact::VALID;
use crate::kernels::ff1::Pool;
use crate::kernels::identifier::pattern;
use crate::kernels::{Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit};

/// `passport`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "passport",
    group: Group::Government,
    doc: "permutes document numbers of 6 to 9 capital letters and digits within their pattern; by default `<` fills them up to ten characters, so that none is a real number",
    args: &[VALID],
    facts: Facts {
        deterministic: true,
        injective: Injective::Always,
        keeps: Keeps::NOTHING,
        leaks: "where letters and digits stand, which tells the country at times, and which numbers are equal",
    },
    build: |args: &Args, _: &[Shape]| Ok(Arc::new(Passport { valid: args.is_true("valid"), pool: Pool::default() })),
    sample: |n| format!("C{}X{:06}", char::from(b'A' + u8::try_from(n / 1_000_000 % 26).unwrap_or(0)), n % 1_000_000),
    vectors: &[
        (&[], "L01X00T47", Some("G14M51L50<")),
        (&[("valid", "true")], "L01X00T47", Some("G14M51L50")),
        (&[], "123456", Some("098600<<<<")),
    ],
};

#[derive(Debug)]
struct Passport {
    valid: bool,
    pool: Pool,
}

impl Mask for Passport {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        shape.takes_text(if self.valid { 0 } else { 10 })
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::PSEUDONYM
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        if text.is_empty() {
            return Ok(Some(()));
        }
        let capital = |c: u8| c.is_ascii_uppercase() || c.is_ascii_digit();
        if !(6..=9).contains(&text.len()) || !text.bytes().all(capital) {
            return Err(Unfit("a value is no document number of 6 to 9 capital letters and digits"));
        }
        out.push_str(text);
        pattern::permute(&self.pool, cell.key, out)?;
        if !self.valid {
            out.extend(std::iter::repeat_n('<', 10 - text.len()));
        }
        Ok(Some(()))
    }
}
