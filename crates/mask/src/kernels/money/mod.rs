//! Money, accounts and cards.

pub(crate) mod amount_bucket;
pub(crate) mod amount_noise;
pub(crate) mod card_number;
pub(crate) mod iban;
