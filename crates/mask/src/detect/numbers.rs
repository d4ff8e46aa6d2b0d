//! Numbers that are given to people: how each is written, and whether one can be it.
//!
//! Hidden here: the table. A number with a check digit or an unmistakable form is found wherever it stands; one that is only so many digits
//! needs a word beside it in a text, or a whole column of its like. A new number is one line.

use super::class::Class;
use super::sums;
use crate::checks::{self, Scheme};

/// How sure a number of this kind is, once its form fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Proof {
    /// The form is that of many other things.
    Form,
    /// One of about ten or twenty random numbers fits.
    Check,
    /// Hardly anything else looks so.
    Own,
}

/// A kind of number.
pub(super) struct Number {
    /// Its name: country and word.
    pub(super) kind: &'static str,
    pub(super) class: Class,
    pub(super) proof: Proof,
    /// How it is written: 9 is a digit, A a letter, all else itself. A form with separators is surer than one without.
    pub(super) masks: &'static [&'static str],
    /// Whether a compact text can be it.
    pub(super) valid: fn(&[u8]) -> bool,
    /// Words beside it, folded.
    pub(super) words: &'static [&'static str],
}

fn any(_: &[u8]) -> bool {
    true
}

fn scheme(scheme: &Scheme, text: &[u8]) -> bool {
    scheme.valid(text)
}

/// Spain's DNI, also one with less than eight digits.
fn es_nif(text: &[u8]) -> bool {
    let padded = [b"0".as_slice(), text].concat();
    scheme(&checks::ES_NIF, text) || (text.len() == 8 && scheme(&checks::ES_NIF, &padded))
}

fn us_itin(text: &[u8]) -> bool {
    text.starts_with(b"9")
        && text.len() == 9
        && matches!(sums::number(&text[3..5]), 50..=65 | 70..=88 | 90..=92 | 94..=99)
}

fn us_ssn(text: &[u8]) -> bool {
    scheme(&checks::US_SSN, text) && !matches!(text, b"123456789" | b"987654321")
}

fn se_personal(text: &[u8]) -> bool {
    scheme(&checks::SE_PERSONNUMMER, text) || scheme(&checks::SE_PERSONNUMMER_12, text)
}

fn se_org(text: &[u8]) -> bool {
    sums::digits(text, 10) && text[2] >= b'2' && checks::luhn_valid(text)
}

fn luhn(text: &[u8]) -> bool {
    checks::luhn_valid(text) && text.iter().any(|c| *c != text[0])
}

fn imei(text: &[u8]) -> bool {
    luhn(text) && matches!(&text[..2], b"01" | b"35" | b"86" | b"99" | b"49" | b"45")
}

fn in_pan(text: &[u8]) -> bool {
    text.len() == 10 && b"PCHFATBLJGE".contains(&text[3])
}

fn in_gstin(text: &[u8]) -> bool {
    text.len() == 15
        && (1..=37).contains(&sums::number(&text[..2]))
        && text[13] == b'Z'
        && text[2..7].iter().all(u8::is_ascii_uppercase)
}

/// Germany's identity card or passport: letters that no digit resembles, and a check.
fn de_document(text: &[u8]) -> bool {
    const ALLOWED: &[u8] = b"CFGHJKLMNPRTVWXYZ";
    text.len() == 9
        && ALLOWED.contains(&text[0])
        && text[..8].iter().all(|c| c.is_ascii_digit() || ALLOWED.contains(c))
        && sums::icao(&text[..8]) == text[8]
}

fn eu_vat(text: &[u8]) -> bool {
    text.len() > 4
        && checks::VAT.iter().any(|(country, scheme)| text.starts_with(country.as_bytes()) && scheme.valid(&text[2..]))
}

/// Two letters before a year's two digits of a British plate: 02 to 29 for spring, 51 to 79 for autumn; never I or Q before, never I, Q or Z behind.
fn uk_plate(text: &[u8]) -> bool {
    text.len() == 7
        && matches!(sums::number(&text[2..4]), 2..=29 | 51..=79)
        && !text[..2].iter().any(|c| b"IQZ".contains(c))
        && !text[4..].iter().any(|c| b"IQ".contains(c))
}

macro_rules! numbers {
    ($($kind:literal $class:ident $proof:ident [$($mask:literal),*] $valid:expr, [$($word:literal),*];)+) => {
        /// All kinds.
        pub(super) static NUMBERS: &[Number] = &[$(Number {
            kind: $kind, class: Class::$class, proof: Proof::$proof, masks: &[$($mask),*], valid: $valid, words: &[$($word),*],
        },)+];
    };
}

numbers! {
    "us-ssn" NationalId Own ["999-99-9999"] us_ssn, ["ssn", "social security"];
    "us-ssn-spaced" NationalId Form ["999 99 9999", "999999999", "999.99.9999"] us_ssn, ["ssn", "social security", "social sec"];
    "us-itin" TaxId Own ["999-99-9999"] us_itin, ["itin", "taxpayer"];
    "us-mbi" HealthId Own [] sums::us_mbi, ["mbi", "medicare"];
    "us-npi" HealthId Form ["9999999999"] sums::us_npi, ["npi", "provider"];
    "us-dea" HealthId Form ["AA9999999"] sums::us_dea, ["dea", "prescriber", "certificate", "medical licen"];
    "us-aba" BankAccount Form ["999999999", "9999-9999-9"] sums::aba, ["aba", "routing", "rtn"];
    "uk-nino" NationalId Own ["AA999999A", "AA 99 99 99 A", "AA-99-99-99-A"] |t| scheme(&checks::UK_NINO, t) && &t[2..8] != b"000000", ["nino", "national insurance"];
    "uk-nhs" HealthId Form ["9999999999", "999 999 9999", "999-999-9999"] sums::uk_nhs, ["nhs"];
    "uk-driver" DrivingLicence Own [] sums::uk_driver, ["driving", "driver", "licence"];
    "de-tax-id" TaxId Check ["99999999999", "99 999 999 999", "99 999999999"] |t| scheme(&checks::DE_TAX_ID, t), ["steuer", "idnr", "tin"];
    "de-rvnr" NationalId Own ["99999999A999", "99 999999 A 999"] sums::de_rvnr, ["rentenversicherung", "sozialversicherung", "rvnr", "svnr"];
    "de-kvnr" HealthId Check ["A999999999"] sums::de_kvnr, ["krankenkasse", "versicherten", "kvnr"];
    "de-document" NationalId Check [] de_document, ["ausweis", "reisepass", "passnummer"];
    "fr-nir" NationalId Own ["999999999999999", "9 99 99 99 999 999 99", "9999999999999 99", "9 99 99 9A 999 999 99", "999999A99999999"] |t| scheme(&checks::FR_NIR, t), ["nir", "securite sociale", "secu"];
    "es-nif" NationalId Own ["99999999A", "99999999-A", "A9999999A", "A-9999999-A", "9999999A", "9999999-A"] es_nif, ["dni", "nie", "nif"];
    "it-fiscal" NationalId Own ["AAAAAA99A99A999A"] |t| scheme(&checks::IT_FISCAL_CODE, t), ["codice fiscale"];
    "nl-bsn" NationalId Check ["999999999"] |t| scheme(&checks::NL_BSN, t), ["bsn", "burgerservice", "sofi"];
    "pl-pesel" NationalId Check ["99999999999"] |t| scheme(&checks::PL_PESEL, t), ["pesel"];
    "se-personnummer" NationalId Own ["999999-9999", "99999999-9999", "999999+9999"] se_personal, ["personnummer", "pnr", "personnr"];
    "se-personnummer-bare" NationalId Check ["9999999999", "999999999999"] se_personal, ["personnummer", "pnr", "personnr"];
    "fi-hetu" NationalId Own ["999999-999A", "999999-9999", "999999+999A", "999999A999A", "999999A9999"] sums::fi_hetu, ["hetu", "henkilotunnus"];
    "dk-cpr" NationalId Form ["999999-9999", "9999999999"] sums::dk_cpr, ["cpr", "personnummer"];
    "no-fnr" NationalId Own ["99999999999", "999999 99999"] sums::no_fnr, ["fodselsnummer", "fnr"];
    "be-rrn" NationalId Own ["99999999999", "99.99.99-999.99", "999999-999-99", "999999 999 99"] sums::be_rrn, ["rijksregister", "registre national"];
    "ch-ahv" NationalId Own ["999.9999.9999.99", "9999999999999"] sums::ch_ahv, ["ahv", "avs"];
    "pt-nif" TaxId Form ["999999999", "999 999 999"] sums::pt_nif, ["nif", "contribuinte"];
    "cz-rc" NationalId Check ["999999/9999", "9999999999"] sums::cz_rc, ["rodne"];
    "ro-cnp" NationalId Own ["9999999999999"] sums::ro_cnp, ["cnp"];
    "hr-oib" NationalId Form ["99999999999"] sums::hr_oib, ["oib"];
    "tr-tckn" NationalId Own ["99999999999", "999 999 999 99"] |t| scheme(&checks::TR_TCKN, t), ["tckn", "kimlik"];
    "ru-inn" NationalId Own ["999999999999"] sums::ru_inn, ["инн"];
    "ru-snils" NationalId Check ["999-999-999 99", "99999999999"] sums::ru_snils, ["снилс"];
    "br-cpf" NationalId Own ["999.999.999-99", "99999999999", "999999999-99"] |t| scheme(&checks::BR_CPF, t), ["cpf"];
    "mx-curp" NationalId Own [] sums::mx_curp, ["curp"];
    "cl-rut" NationalId Own ["99.999.999-9", "99.999.999-A", "9.999.999-9", "9.999.999-A", "99999999-9", "99999999-A"] sums::cl_rut, ["rut"];
    "ar-cuit" TaxId Own ["99-99999999-9", "99999999999"] sums::ar_cuit, ["cuit", "cuil"];
    "in-aadhaar" NationalId Own ["999999999999", "9999 9999 9999", "9999-9999-9999", "9999:9999:9999"] sums::in_aadhaar, ["aadhaar", "uidai"];
    "in-pan" TaxId Own ["AAAAA9999A"] in_pan, ["pan", "permanent account"];
    "in-voter" NationalId Form ["AAA9999999"] any, ["voter", "vote", "epic"];
    "cn-id" NationalId Own ["999999999999999999", "99999999999999999A"] sums::cn_id, ["身份证"];
    "kr-rrn" NationalId Own ["999999-9999999", "9999999999999"] sums::kr_rrn, ["주민"];
    "kr-frn" NationalId Own ["999999-9999999", "9999999999999"] sums::kr_frn, ["외국인"];
    "jp-my-number" NationalId Form ["999999999999", "9999 9999 9999", "9999-9999-9999"] sums::jp_my_number, ["マイナンバー", "個人番号", "my number"];
    "sg-nric" NationalId Own ["A9999999A"] sums::sg_nric, ["nric", "fin"];
    "th-id" NationalId Own ["9999999999999", "9-9999-99999-99-9", "9 9999 99999 99 9"] sums::th_id, ["บัตรประชาชน"];
    "za-id" NationalId Own ["9999999999999", "999999 9999 999"] sums::za_id, ["rsa id", "identity"];
    "il-id" NationalId Form ["999999999"] luhn, ["teudat", "תעודת"];
    "ca-sin" NationalId Check ["999-999-999", "999 999 999", "999999999"] sums::ca_sin, ["sin", "social insurance"];
    "au-tfn" TaxId Form ["999 999 999", "999999999"] sums::au_tfn, ["tfn", "tax file"];
    "au-medicare" HealthId Check ["9999 99999 9", "9999999999"] sums::au_medicare, ["medicare"];
    "eu-vat" CompanyId Own [] eu_vat, ["vat"];
    "it-vat" CompanyId Form ["99999999999"] |t| luhn(t), ["iva", "vat"];
    "fr-siret" CompanyId Check ["99999999999999", "999 999 999 99999"] luhn, ["siret"];
    "fr-siren" CompanyId Form ["999999999", "999 999 999"] luhn, ["siren"];
    "br-cnpj" CompanyId Own ["99.999.999/9999-99", "99999999999999"] sums::br_cnpj, ["cnpj"];
    "se-org" CompanyId Check ["999999-9999"] se_org, ["org"];
    "in-gstin" CompanyId Own ["99AAAAA9999A9A9", "99AAAAA9999A9AA"] in_gstin, ["gst"];
    "kr-brn" CompanyId Check ["999-99-99999", "9999999999"] sums::kr_brn, ["brn", "사업자"];
    "au-abn" CompanyId Own ["99 999 999 999", "99999999999"] sums::au_abn, ["abn"];
    "au-acn" CompanyId Check ["999 999 999", "999999999"] sums::au_acn, ["acn"];
    "vin" VehicleId Own [] sums::vin, ["vin", "chassis"];
    "imei" DeviceId Check ["999999999999999", "99-999999-999999-9", "99 999999 999999 9"] imei, ["imei"];
    "passport" Passport Form ["999999999", "A99999999", "AA9999999", "AAA999999", "99AA99999", "A9999999", "AA999999", "A999A9999", "AA99999AA"] any, ["passport", "pasaporte", "passeport", "reisepass", "passaporto", "travel document", "paszport"];
    "us-licence" DrivingLicence Form ["A9999999", "A999999999999", "99999999", "9999999", "A99999999", "A99999999999999", "9999-99-9999"] any, ["driver", "driving"];
    "uk-plate" LicencePlate Own ["AA99AAA", "AA99 AAA"] uk_plate, ["reg", "plate", "vehicle"];
}

/// A text with its digits as 9 and its ASCII letters as A.
pub(super) fn mask_of(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_ascii_digit() {
                '9'
            } else if c.is_ascii_alphabetic() {
                'A'
            } else {
                c
            }
        })
        .collect()
}

/// A text's ASCII letters in upper case and digits, without all else.
pub(super) fn compact(text: &str) -> Vec<u8> {
    text.bytes().filter(u8::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

impl Number {
    /// Whether a text, as it is written, can be such a number.
    pub(super) fn fits(&self, text: &str, mask: &str, compact: &[u8]) -> bool {
        let written = if self.masks.is_empty() {
            text.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b' '))
        } else {
            self.masks.contains(&mask)
        };
        written && (self.valid)(compact)
    }
}

/// Forms of passports, for whole columns (ICAO 9303 allows nine characters; states use fewer letters than digits).
pub(super) static PASSPORTS: &[&str] = &[
    "999999999",
    "A99999999",
    "AA9999999",
    "AAA999999",
    "99AA99999",
    "A9999999",
    "99 99 999999",
    "9999 999999",
    "A999A9999",
    "AA99999AA",
    "A99999999A",
];

/// Forms of plates by country, as the registration authorities or Wikipedia's lists have them.
#[rustfmt::skip]
pub(super) static PLATES: &[&str] = &[
    // Great Britain, Ireland, Germany, Austria, Switzerland
    "AA99 AAA", "AA99AAA", "A999 AAA", "A99 AAA", "AAA 999A", "99-A-99999", "999-A-99999", "A-AA 9999", "AA-AA 999", "AAA-AA 99", "A-AA-9999", "A-AA-999", "A-A-9999", "A-A-999",
    "AA-A-999", "AA-AA-999", "AAA-A-99", "AAA-AA-99", "AAA-AA-9", "AA-AA-99", "AAA-A-999", "A AA 9999", "AA AA 999", "AAA AA 99", "A AA 999", "AA A 999", "AA-A-9999", "AA-AA-9999", "AA-A-99", "A-AA-99", "AA 99999", "AA 999999", "AAA-A-9", "AA-AA-9", "AA-A-9", "A-A-99", "A-AA-9", "A-A-9", "AAA-A-9999", "AAA-AA-9999", "AAA-AA-999",
    // France, Spain, Italy, Portugal, Belgium, Netherlands
    "AA-999-AA", "999-AAA-99", "999 AAA 99", "9999 AAA 99", "9999 AAA", "9999AAA", "9999-AAA", "AA 9999 AA", "A 9999 AA", "AA 9999 A", "A-9999-AA", "AA999AA", "AA 999AA", "AA 999 AA", "99-AA-99", "AA-99-99", "99-99-AA", "AA-99-AA", "9-AAA-999",
    "99-AAA-9", "9-AAA-99", "AA-999-A", "A-999-AA", "AA-99-99", "AAA-99-A",
    // Poland, Czechia, Scandinavia, Baltic states
    "AA 99999", "AA 9999A", "AA 999AA", "AAA 99999", "AAA A999", "AAA 99AA", "AAA 9A999", "AAA 99A9", "AAA 9AA99", "AAA 9999A", "AAA 999AA", "AA 9A999", "AA 99A99", "AAA 99A99", "AAA A99A", "AAA 99AA9", "AAA A99AA", "AAA 9AA9", "AAA 9A99", "AAA AA99", "9A9 9999", "9AA 9999", "AAA 99A", "AA 99 999", "AAA-999", "999 AAA", "AA-9999",
    // Turkey, Russia, Ukraine (letters that Latin and Cyrillic share)
    "99 A 9999", "99 A 99999", "99 AA 999", "99 AA 9999", "99 AAA 99", "99 AAA 999", "99AA999", "99AAA99", "99AAA999", "99 AAA 9999", "A999AA 99", "A999AA 999", "A999AA99", "A999AA999", "AA9999AA", "AA999 99", "AA9999 99", "AA999999",
    "AA99999", "A999AA",
    // The Americas, Asia, Oceania
    "AAA-9999", "AAA 9999", "AAA9999", "AAA-9A99", "AAA9A99", "AAA-999-A", "AAA-99-99", "AA 999 AA", "9AAA999", "AAA 999", "A99 AAA", "A99-AAA", "999-AAA", "999 AAA", "AAA999", "AA 99999", "99-99999", "9-99999", "A99-99A", "9A 99999", "9-9999A", "A99 9AA", "99A 9AA", "99A A99", "99A A99", "AAA A99", "AAA 99A",
    "9AA 999", "9AA A99", "A 999999", "AAA A999", "9AAA 99", "9AA99", "9AA-A99", "999 9AA", "99A-999", "999-99A", "A999999", "999999A", "AA-99999", "AA99 99999", "AA 99 AA 9999", "AA99AA9999", "AA-99-AA-9999", "9AA9999", "9A9999", "AAA-9A9", "AAA9A9", "A9A 9A9", "AAAA 999", "AA9 9999", "9A AA9", "99A9 AA", "A9A9999", "999A999", "AAA 9A9",
];

/// Forms of postal codes that nothing else has (Universal Postal Union, addressing systems).
pub(super) static POSTCODES: &[&str] = &[
    "A9 9AA",
    "A99 9AA",
    "AA9 9AA",
    "AA99 9AA",
    "A9A 9AA",
    "AA9A 9AA",
    "A99AA",
    "A999AA",
    "AA99AA",
    "AA999AA",
    "A9A9AA",
    "AA9A9AA",
    "A9A 9A9",
    "A9A9A9",
    "9999 AA",
    "9999AA",
    "99-999",
    "99999-999",
    "99999-9999",
    "999-9999",
    "9999-999",
    "999 99",
    "AAA-9999",
    "AA-9999",
    "AA-99999",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_form_and_one_meaning() {
        let found = |text: &str| {
            let (mask, compact) = (mask_of(text), compact(text));
            NUMBERS
                .iter()
                .filter(|n| n.proof == Proof::Own && n.fits(text, &mask, &compact))
                .map(|n| n.kind)
                .collect::<Vec<_>>()
        };
        assert_eq!(found("078-05-1120"), ["us-ssn"]);
        assert_eq!(found("AB123456C"), ["uk-nino"]);
        assert_eq!(found("529.982.247-25"), ["br-cpf"]);
        assert_eq!(found("RSSMRA85T10A562S"), ["it-fiscal"]);
        assert_eq!(found("12345678Z"), ["es-nif"]);
        assert_eq!(found("hello"), [] as [&str; 0]);
        assert_eq!(found("2024-01-31"), [] as [&str; 0]);
    }
}
