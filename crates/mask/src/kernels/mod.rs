//! The masks: each a file, each one line in [`MASKS`].
//!
//! Hidden here: how values become others. A mask is a function from a value's canonical text to another text, under a
//! domain's key, so it gives one pseudonym whatever the value's type. The columnar part (nulls, types, caching of distinct
//! values) is done once, in [`crate::masker`].

use std::fmt;

use crate::domain::DomainKey;

mod blob;
mod compact;
mod contact;
mod draw;
mod ff1;
mod government;
mod identifier;
mod invented;
mod locale;
mod money;
mod network;
mod number;
mod partition;
mod person;
mod plain;
mod shape;
mod spec;
mod statistics;
mod text;
mod time;

use plain::redact;
pub use shape::{Form, Shape};
pub use spec::{ArgKind, ArgSpec, Args, Build, Facts, Group, Injective, Keeps, MaskSpec, Vector};

/// Every mask of this build, in the order of the documentation. `keep` is a decision of its own and no mask.
pub static MASKS: &[&MaskSpec] = &[
    &plain::null::SPEC,
    &plain::constant::SPEC,
    &plain::redact::SPEC,
    &identifier::integer::SPEC,
    &identifier::digits::SPEC,
    &identifier::alnum::SPEC,
    &identifier::pattern::SPEC,
    &identifier::uuid::SPEC,
    &identifier::uuidv7::SPEC,
    &identifier::ulid::SPEC,
    &identifier::snowflake::SPEC,
    &identifier::token::SPEC,
    &identifier::random_code::SPEC,
    &person::name::SPEC,
    &person::first_name::SPEC,
    &person::last_name::SPEC,
    &person::username::SPEC,
    &person::gender::SPEC,
    &person::birth_date::SPEC,
    &person::company::SPEC,
    &contact::email::SPEC,
    &contact::phone::SPEC,
    &contact::street::SPEC,
    &contact::city::SPEC,
    &contact::postcode::SPEC,
    &contact::country::SPEC,
    &contact::geo_point::SPEC,
    &money::card_number::SPEC,
    &money::iban::SPEC,
    &money::amount_noise::SPEC,
    &money::amount_bucket::SPEC,
    &government::us_ssn::SPEC,
    &government::uk_nino::SPEC,
    &government::de_tax_id::SPEC,
    &government::fr_nir::SPEC,
    &government::es_nif::SPEC,
    &government::it_fiscal_code::SPEC,
    &government::nl_bsn::SPEC,
    &government::pl_pesel::SPEC,
    &government::se_personnummer::SPEC,
    &government::br_cpf::SPEC,
    &government::tr_tckn::SPEC,
    &government::vat_id::SPEC,
    &government::passport::SPEC,
    &network::ip::SPEC,
    &network::ip_truncate::SPEC,
    &network::ip_prefix::SPEC,
    &network::mac::SPEC,
    &network::url::SPEC,
    &network::hostname::SPEC,
    &network::user_agent::SPEC,
    &time::date_shift::SPEC,
    &time::subject_shift::SPEC,
    &time::date_truncate::SPEC,
    &time::age::SPEC,
    &text::template::SPEC,
    &text::truncate::SPEC,
    &text::keep_ends::SPEC,
    &text::words::SPEC,
    &text::spans::SPEC,
    &statistics::bucket::SPEC,
    &statistics::noise::SPEC,
    &statistics::top_code::SPEC,
    &statistics::shuffle::SPEC,
    &blob::empty::SPEC,
    &blob::placeholder::SPEC,
];

/// The mask of a name.
pub fn find(name: &str) -> Option<&'static MaskSpec> {
    MASKS.iter().copied().find(|spec| spec.name == name)
}

/// What a mask holds to, with these arguments on these fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guarantees {
    /// Equal inputs give equal outputs under one key.
    pub deterministic: bool,
    /// Different inputs give different outputs: by construction, or with a collision chance below 2^-64 for a pair.
    pub injective: bool,
}

impl Guarantees {
    /// Deterministic and injective.
    pub const PSEUDONYM: Self = Self { deterministic: true, injective: true };
    /// Deterministic only.
    pub const FAKE: Self = Self { deterministic: true, injective: false };
}

/// A value that a mask can't take, such as letters where it needs a whole number; says nothing of the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfit(pub &'static str);

/// Where a value stands.
#[derive(Clone, Copy, Debug)]
pub struct Cell<'a> {
    /// The domain's key.
    pub key: &'a DomainKey,
    /// The field.
    pub shape: &'a Shape,
    /// Whose record it is, if the rule names a subject: a canonical text.
    pub subject: Option<&'a str>,
}

/// Whether a mask asks whose record it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakesSubject {
    /// It does not.
    No,
    /// It does, and works without an answer.
    May,
    /// It can't work without.
    Must,
}

/// A mask, made for the fields that share it.
pub trait Mask: fmt::Debug + Send + Sync {
    /// Whether its results fit a field; says why not.
    ///
    /// # Errors
    /// Why they don't.
    fn fits(&self, shape: &Shape) -> Result<(), String>;

    /// What it holds to.
    fn guarantees(&self) -> Guarantees;

    /// Whether it asks whose record it is.
    fn subject(&self) -> TakesSubject {
        TakesSubject::No
    }

    /// Writes the pseudonym of a canonical text to `out`, which is empty; `None` gives NULL.
    ///
    /// # Errors
    /// [`Unfit`] if the text is none that this mask takes.
    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit>;
}

/// Given and family names that masks invent, by locale.
pub(crate) fn invented_names() -> impl Iterator<Item = (&'static [&'static str], &'static [&'static str])> {
    locale::names()
}

/// The mask for what no rule names.
pub(crate) fn redact_mask() -> impl Mask {
    redact::Redact
}

/// Base 32 digits that no eye confuses and no case changes (Crockford's alphabet in lower case).
const BASE32: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Appends `chars` base-32 digits of a hash; 48 at most.
fn base32(hash: &[u8; 32], chars: usize, out: &mut String) {
    let mut left = chars.min(48);
    // Ten bytes are sixteen digits.
    for bytes in hash.chunks_exact(10) {
        let bits = bytes.iter().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
        let digits: [u8; 16] = std::array::from_fn(|n| BASE32[(bits >> (75 - 5 * n)) as usize & 31]);
        let take = left.min(16);
        out.push_str(std::str::from_utf8(&digits[..take]).unwrap_or_default());
        left -= take;
        if left == 0 {
            return;
        }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use std::sync::Arc;

    use super::*;
    use crate::domain::{RootKey, Salt, ScopeKeys};

    pub(crate) fn key(domain: &str) -> DomainKey {
        let root = RootKey::from_hex(&"07".repeat(32)).expect("a key");
        ScopeKeys::new(&root, &Salt::from_bytes([9; 32])).domain(domain)
    }

    pub(crate) fn build(name: &str, args: &[(&str, &str)], shapes: &[Shape]) -> Result<Arc<dyn Mask>, String> {
        let args = Args(args.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect());
        (find(name).expect("a mask").build)(&args, shapes)
    }

    pub(crate) fn try_apply(mask: &dyn Mask, domain: &str, text: &str) -> Result<Option<String>, Unfit> {
        let (key, shape) = (key(domain), Shape::leaf());
        let mut out = String::new();
        let cell = Cell { key: &key, shape: &shape, subject: Some("subject") };
        Ok(mask.apply(&cell, text, &mut out)?.map(|()| out))
    }

    pub(crate) fn apply(mask: &dyn Mask, domain: &str, text: &str) -> Option<String> {
        try_apply(mask, domain, text).expect("fits")
    }
}

#[cfg(test)]
mod tests;
