//! `card_number`: numbers of payment cards.
//!
//! No issuer's range is set aside for tests by the standard, only by practice, so by default Luhn's digit is wrong too.

use std::sync::Arc;

use crate::checks;
use crate::kernels::compact::{Compact, VALID, takes};
use crate::kernels::ff1::Pool;
use crate::kernels::{
    ArgKind, ArgSpec, Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit,
};

/// The digits of a card number that name its issuer.
const ISSUER: usize = 6;

/// `card_number`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "card_number",
    group: Group::Money,
    doc: "permutes the account digits of a card number (12 to 19 digits) and replaces its issuer (BIN); by default the last digit fails Luhn's test",
    args: &[
        ArgSpec {
            name: "bin",
            kind: ArgKind::Text,
            doc: "six digits that replace the issuer's, default `400000`, which payment providers use for tests; `keep` keeps the card's own; `permute` permutes them with the account",
        },
        VALID,
    ],
    facts: Facts {
        deterministic: true,
        injective: Injective::If("`bin` is `keep` or `permute`"),
        keeps: Keeps { format: false, length: true, order: false },
        leaks: "separators, and which cards are equal; with `bin: keep` the issuer",
    },
    build: |args: &Args, _: &[Shape]| {
        let bin = match args.text("bin") {
            Some("keep") => Bin::Keep,
            Some("permute") => Bin::Permute,
            given => {
                let digits = given.unwrap_or("400000").as_bytes();
                let six = <[u8; ISSUER]>::try_from(digits).ok().filter(|six| six.iter().all(u8::is_ascii_digit));
                Bin::Is(six.ok_or("`bin` must be six digits, `keep` or `permute`")?)
            }
        };
        Ok(Arc::new(CardNumber { bin, valid: args.is_true("valid"), pool: Pool::default() }))
    },
    sample: |n| {
        let body = format!("{:06}{:09}", 400_000 + n % 500, n * 7_919 % 999_999_937);
        format!("{body}{}", char::from(checks::luhn(body.as_bytes())))
    },
    vectors: &[
        (&[], "4111 1111 1111 1111", Some("4000 0037 1533 4980")),
        (&[("bin", "keep"), ("valid", "true")], "378282246310005", Some("378282964995672")),
        (&[("bin", "permute")], "5555555555554444", Some("4595593891258947")),
    ],
};

#[derive(Debug)]
enum Bin {
    Is([u8; ISSUER]),
    Keep,
    Permute,
}

#[derive(Debug)]
struct CardNumber {
    bin: Bin,
    valid: bool,
    pool: Pool,
}

impl Mask for CardNumber {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        takes(shape)
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees { deterministic: true, injective: !matches!(self.bin, Bin::Is(_)) }
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        if text.is_empty() {
            return Ok(Some(()));
        }
        let compact = Compact::of(text)?;
        if !(12..=19).contains(&compact.chars.len()) || !checks::luhn_valid(&compact.chars) {
            return Err(Unfit("a value is no card number, or its last digit is wrong"));
        }
        let body = &compact.chars[..compact.chars.len() - 1];
        let (issuer, account) = body.split_at(if matches!(self.bin, Bin::Permute) { 0 } else { ISSUER });
        let size = 10_u128.pow(u32::try_from(account.len()).unwrap_or(0));
        let number = account.iter().fold(0, |sum, c| sum * 10 + u128::from(c - b'0'));
        let image = self.pool.get(cell.key, size, "card").apply(number);
        let issuer = match &self.bin {
            Bin::Is(bin) => bin,
            _ => issuer,
        };
        let mut image = [issuer, format!("{image:0width$}", width = account.len()).as_bytes()].concat();
        let check = checks::luhn(&image);
        image.push(if self.valid { check } else { (check - b'0' + 1) % 10 + b'0' });
        compact.write(&image, out);
        Ok(Some(()))
    }
}
