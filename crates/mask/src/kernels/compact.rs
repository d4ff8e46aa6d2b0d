//! Numbers with check digits, written with separators or without.
//!
//! Hidden here: how such a number is taken apart and put together again. The body is permuted among the bodies that its scheme can
//! issue, so two numbers stay two; the check digit is wrong on purpose, unless `valid: true` asks for a right one, because
//! a right one may make the number of somebody else. What the scheme could not have issued is refused: a wrong check digit in the
//! input and one in the output could meet.

use super::ff1::Pool;
use super::{ArgKind, ArgSpec, Cell, Guarantees, Mask, Shape, Unfit};
use crate::checks::Scheme;

/// The argument that asks for numbers that pass.
pub(super) const VALID: ArgSpec = ArgSpec {
    name: "valid",
    kind: ArgKind::Truth,
    doc: "`true` gives numbers that pass the scheme's test, and then one may equal a real person's; default `false`",
};
/// What such masks leak.
pub(super) const LEAKS: &str = "separators, and which numbers are equal";

/// A text's letters and digits, in upper case, and how to put others into their places.
pub(super) struct Compact<'a> {
    text: &'a str,
    lower: bool,
    /// The letters and digits.
    pub(super) chars: Vec<u8>,
}

impl<'a> Compact<'a> {
    /// Takes separators out; letters must be of one case, so that no two texts give one result.
    pub(super) fn of(text: &'a str) -> Result<Self, Unfit> {
        let lower = text.contains(|c: char| c.is_ascii_lowercase());
        if lower && text.contains(|c: char| c.is_ascii_uppercase()) {
            return Err(Unfit("a value mixes upper and lower case"));
        }
        let mut chars = Vec::with_capacity(text.len());
        for c in text.bytes() {
            match c {
                b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => chars.push(c.to_ascii_uppercase()),
                b' ' | b'-' | b'.' | b'/' | b'+' => {}
                _ => return Err(Unfit("a value has a character that no such number has")),
            }
        }
        Ok(Self { text, lower, chars })
    }

    /// Writes other letters and digits, as many, into the places of these.
    pub(super) fn write(&self, chars: &[u8], out: &mut String) {
        let mut chars = chars.iter();
        for c in self.text.chars() {
            match chars.as_slice().first() {
                Some(next) if c.is_ascii_alphanumeric() => {
                    out.push(char::from(if self.lower { next.to_ascii_lowercase() } else { *next }));
                    chars.next();
                }
                _ => out.push(c),
            }
        }
    }
}

/// Another character of the same kind, for a check that must fail.
fn wrong(c: u8) -> u8 {
    match c {
        b'9' => b'0',
        b'Z' => b'A',
        c => c + 1,
    }
}

/// The image of a compact number that its scheme could issue; with a check that fails, unless `valid`.
pub(super) fn image(
    scheme: &Scheme,
    pool: &Pool,
    cell: &Cell<'_>,
    tweak: &'static str,
    number: &[u8],
    valid: bool,
) -> Option<Vec<u8>> {
    if !scheme.valid(number) {
        return None;
    }
    let size = scheme.body.iter().map(|place| place.len() as u128).product();
    let permutation = pool.get(cell.key, size, tweak);
    let mut at = number.iter().zip(scheme.body).fold(0, |sum, (c, place)| {
        sum * place.len() as u128 + place.bytes().position(|p| p == *c).map_or(0, |n| n as u128)
    });
    loop {
        at = permutation.apply(at);
        let mut body = body_of(scheme, at);
        if let Some(mut check) = (scheme.check)(&body) {
            match check.first_mut() {
                Some(first) if !valid => *first = wrong(*first),
                _ => {}
            }
            body.extend(check);
            return Some(body);
        }
    }
}

fn body_of(scheme: &Scheme, mut index: u128) -> Vec<u8> {
    let mut body = vec![0; scheme.body.len()];
    for (c, place) in body.iter_mut().zip(scheme.body).rev() {
        *c = place.as_bytes()[usize::try_from(index % place.len() as u128).unwrap_or(0)];
        index /= place.len() as u128;
    }
    body
}

/// A number that a scheme could issue, for the property suite.
pub(super) fn sample(scheme: &Scheme, n: u64) -> String {
    let size: u128 = scheme.body.iter().map(|place| place.len() as u128).product();
    let mut at = u128::from(n + 1);
    loop {
        at = at.wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645) ^ at >> 61;
        let body = body_of(scheme, (at >> 7) % size);
        if let Some(check) = (scheme.check)(&body) {
            return String::from_utf8_lossy(&[body, check].concat()).into_owned();
        }
    }
}

/// A mask of the numbers of some schemes, which the length tells apart.
#[derive(Debug)]
pub(super) struct Numbers {
    schemes: Vec<&'static Scheme>,
    valid: bool,
    pool: Pool,
    /// What becomes of an image that has no check digit to break; whether results stay apart.
    spoil: Option<Spoil>,
}

/// Makes a number without check digits one that is never issued; the flag says whether results stay apart.
pub(super) type Spoil = (fn(&mut Vec<u8>), bool);

impl Numbers {
    pub(super) fn new(schemes: &[&'static Scheme], valid: bool, spoil: Option<Spoil>) -> Self {
        Self { schemes: schemes.to_vec(), valid, pool: Pool::default(), spoil }
    }
}

/// Whether a field takes such numbers as text.
pub(super) fn takes(shape: &Shape) -> Result<(), String> {
    // The length stays as it is.
    shape.takes_text(0).map_err(|why| format!("{why}; the numbers are text, with their leading zeros"))
}

impl Mask for Numbers {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        takes(shape)
    }

    fn guarantees(&self) -> Guarantees {
        let apart = self.valid || self.spoil.is_none_or(|(_, apart)| apart);
        Guarantees { deterministic: true, injective: apart }
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        if text.is_empty() {
            return Ok(Some(()));
        }
        let compact = Compact::of(text)?;
        let mut image = self
            .schemes
            .iter()
            .find_map(|scheme| image(scheme, &self.pool, cell, scheme.name, &compact.chars, self.valid))
            .ok_or(Unfit("a value is no such number, or its check digit is wrong; `pattern` takes any"))?;
        if let Some((spoil, _)) = self.spoil
            && !self.valid
        {
            spoil(&mut image);
        }
        compact.write(&image, out);
        Ok(Some(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{apply, build, try_apply};
    use crate::kernels::{Group, Injective, MASKS};

    #[test]
    fn by_default_no_number_passes_and_with_valid_all_do() {
        for spec in MASKS.iter().filter(|spec| spec.args.iter().any(|arg| arg.name == "valid")) {
            let passes = |text: &str| passes(spec.name, &text.replace([' ', '-'], ""));
            let default = build(spec.name, &[], &[Shape::leaf()]).expect("builds");
            let valid = build(spec.name, &[("valid", "true")], &[Shape::leaf()]).expect("builds");
            for n in 0..300 {
                let input = (spec.sample)(n);
                assert!(passes(&input), "{}: {input}", spec.name);
                let image = apply(&*default, "d", &input).expect("some");
                assert!(!passes(&image), "{}: {image}", spec.name);
                let image = apply(&*valid, "d", &input).expect("some");
                assert!(passes(&image) && image != input, "{}: {image}", spec.name);
                // What failed once was never issued, so it is refused.
                if spec.group != Group::Money && spec.facts.injective == Injective::Always {
                    let twice = apply(&*default, "d", &input).expect("some");
                    assert!(try_apply(&*default, "d", &twice).is_err(), "{}", spec.name);
                }
            }
        }
    }

    /// Whether a number passes the test of its kind.
    fn passes(mask: &str, text: &str) -> bool {
        use crate::checks;
        let number = text.as_bytes();
        let scheme = match mask {
            "card_number" => return checks::luhn_valid(number),
            "iban" => return checks::iban_valid(number),
            "passport" => {
                return (6..=9).contains(&text.len())
                    && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
            }
            "vat_id" => {
                return checks::VAT
                    .iter()
                    .any(|(country, scheme)| text.starts_with(country) && scheme.valid(&number[2..]));
            }
            "us_ssn" => &checks::US_SSN,
            "uk_nino" => &checks::UK_NINO,
            "de_tax_id" => &checks::DE_TAX_ID,
            "fr_nir" => &checks::FR_NIR,
            "es_nif" => &checks::ES_NIF,
            "it_fiscal_code" => &checks::IT_FISCAL_CODE,
            "nl_bsn" => &checks::NL_BSN,
            "pl_pesel" => &checks::PL_PESEL,
            "se_personnummer" if number.len() == 12 => &checks::SE_PERSONNUMMER_12,
            "se_personnummer" => &checks::SE_PERSONNUMMER,
            "br_cpf" => &checks::BR_CPF,
            "tr_tckn" => &checks::TR_TCKN,
            other => panic!("{other} needs its test here"),
        };
        scheme.valid(number)
    }

    #[test]
    fn separators_and_case_stay() {
        for (mask, input) in [("us_ssn", "078-05-1120"), ("es_nif", "12.345.678-z"), ("se_personnummer", "811218-9876")]
        {
            let mask = build(mask, &[], &[Shape::leaf()]).expect("builds");
            let image = apply(&*mask, "d", input).expect("some");
            assert_eq!(image.len(), input.len());
            for (a, b) in input.chars().zip(image.chars()) {
                assert_eq!(
                    (a.is_ascii_digit(), a.is_ascii_lowercase(), a.is_alphanumeric() || a == b),
                    (b.is_ascii_digit(), b.is_ascii_lowercase(), true)
                );
            }
        }
        let mask = build("pl_pesel", &[], &[Shape::leaf()]).expect("builds");
        for text in ["44051401358", "4405140135", "44051401359x", "44051401359 canary", "\u{661}4051401359"] {
            assert!(try_apply(&*mask, "d", text).is_err(), "{text}");
        }
    }
}
