//! Numbers that states give to people and firms.

pub(crate) mod br_cpf;
pub(crate) mod de_tax_id;
pub(crate) mod es_nif;
pub(crate) mod fr_nir;
pub(crate) mod it_fiscal_code;
pub(crate) mod nl_bsn;
pub(crate) mod passport;
pub(crate) mod pl_pesel;
pub(crate) mod se_personnummer;
pub(crate) mod tr_tckn;
pub(crate) mod uk_nino;
pub(crate) mod us_ssn;
pub(crate) mod vat_id;
