//! `iban`: account numbers.
//!
//! By default the check digits are wrong, so no payment can reach anybody. Check digits of a country's own inside the account part
//! are not recomputed.

use std::sync::Arc;

use crate::checks;
use crate::kernels::compact::{Compact, VALID, takes};
use crate::kernels::ff1::Pool;
use crate::kernels::identifier::pattern;
use crate::kernels::{Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit};

/// `iban`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "iban",
    group: Group::Money,
    doc: "permutes the bank and account part of an IBAN within its pattern and keeps the country; by default the two check digits are wrong",
    args: &[VALID],
    facts: Facts {
        deterministic: true,
        injective: Injective::Always,
        keeps: Keeps { format: false, length: true, order: false },
        leaks: "the country, spaces, and which accounts are equal",
    },
    build: |args: &Args, _: &[Shape]| Ok(Arc::new(Iban { valid: args.is_true("valid"), pool: Pool::default() })),
    sample: |n| {
        let account = format!("37040044{:010}", n * 104_729 % 9_999_999_967);
        let check = checks::iban_check(b"DE", account.as_bytes()).unwrap_or(*b"00");
        format!("DE{}{account}", String::from_utf8_lossy(&check))
    },
    vectors: &[
        (&[], "DE89 3704 0044 0532 0130 00", Some("DE18 3404 6466 5849 6387 65")),
        (&[], "GB29NWBK60161331926819", Some("GB75PVVT87693210600283")),
        (&[("valid", "true")], "FR1420041010050500013M02606", Some("FR8774460021779654562R43420")),
    ],
};

#[derive(Debug)]
struct Iban {
    valid: bool,
    pool: Pool,
}

impl Mask for Iban {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        takes(shape)
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::PSEUDONYM
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        if text.is_empty() {
            return Ok(Some(()));
        }
        let compact = Compact::of(text)?;
        let wrong = Unfit("a value is no IBAN of a known country, or its check digits are wrong");
        if !checks::iban_valid(&compact.chars) {
            return Err(wrong);
        }
        let (country, account) = (&compact.chars[..2], &compact.chars[4..]);
        let mut image = String::from_utf8(account.to_vec()).map_err(|_| wrong)?;
        pattern::permute(&self.pool, cell.key, &mut image)?;
        let mut check = checks::iban_check(country, image.as_bytes()).ok_or(wrong)?;
        if !self.valid {
            // Check digits are 02 to 98; one further is another remainder.
            check = match &check {
                b"98" => *b"02",
                [tens, b'9'] => [tens + 1, b'0'],
                [tens, ones] => [*tens, ones + 1],
            };
        }
        compact.write(&[country, &check, image.as_bytes()].concat(), out);
        Ok(Some(()))
    }
}
