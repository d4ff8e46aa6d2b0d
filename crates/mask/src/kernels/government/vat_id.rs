//! `vat_id`: value added tax identification numbers of European countries.
//!
//! By default the check digits are wrong, so the result is the number of no firm: no range is set aside for tests. The country
//! stays.

use std::sync::Arc;

use crate::checks;
use crate::kernels::compact::{Compact, VALID, image, takes};
use crate::kernels::ff1::Pool;
use crate::kernels::{Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit};

/// `vat_id`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "vat_id",
    group: Group::Government,
    doc: "permutes VAT numbers within their country (BE, DE, DK, FI, FR, GB, IT, PL, PT, SE; they begin with it); by default the check digits are wrong",
    args: &[VALID],
    facts: Facts {
        deterministic: true,
        injective: Injective::Always,
        keeps: Keeps { format: false, length: true, order: false },
        leaks: "the country, separators, and which numbers are equal",
    },
    build: |args: &Args, _: &[Shape]| Ok(Arc::new(VatId { valid: args.is_true("valid"), pool: Pool::default() })),
    sample: |n| {
        let countries = ["DE", "IT", "GB", "BE"];
        let country = countries[usize::try_from(n % 4).unwrap_or(0)];
        let scheme = checks::VAT.iter().find(|(name, _)| *name == country).map(|(_, scheme)| scheme);
        format!("{country}{}", scheme.map_or_else(String::new, |scheme| crate::kernels::compact::sample(scheme, n)))
    },
    vectors: &[
        (&[], "DE136695976", Some("DE468479620")),
        (&[], "FR 40 303 265 045", Some("FR 79 468 975 397")),
        (&[("valid", "true")], "BE0428759497", Some("BE0093722883")),
    ],
};

#[derive(Debug)]
struct VatId {
    valid: bool,
    pool: Pool,
}

impl Mask for VatId {
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
        let (country, number) = compact.chars.split_at_checked(2).ok_or(Unfit("a value is no VAT number"))?;
        let image = checks::VAT
            .iter()
            .find(|(name, _)| name.as_bytes() == country)
            .and_then(|(name, scheme)| image(scheme, &self.pool, cell, name, number, self.valid));
        let image = image.ok_or(Unfit("a value is no VAT number of a known country, or its check digits are wrong"))?;
        compact.write(&[country, &image].concat(), out);
        Ok(Some(()))
    }
}
