//! Which kinds of value have a test of their own, and who passes it.
//!
//! Hidden here: what counts as valid for a test inside a policy. The arithmetic is that of the masks (`checks`), so a
//! mask and a test can't mean different things.

use reenact_model::canonical;

use crate::checks;

/// A kind of value with a test.
pub struct Validity {
    /// The word in a policy.
    pub name: &'static str,
    pub(crate) test: fn(&str) -> bool,
}

impl std::fmt::Debug for Validity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Validity({})", self.name)
    }
}

/// All kinds.
pub static KINDS: &[Validity] = &[
    Validity { name: "iban", test: |text| checks::iban_valid(&compact(text)) },
    Validity { name: "card_number", test: |text| checks::luhn_valid(&compact(text)) },
    Validity { name: "us_ssn", test: |text| checks::US_SSN.valid(&compact(text)) },
    Validity { name: "uk_nino", test: |text| checks::UK_NINO.valid(&compact(text)) },
    Validity { name: "de_tax_id", test: |text| checks::DE_TAX_ID.valid(&compact(text)) },
    Validity { name: "fr_nir", test: |text| checks::FR_NIR.valid(&compact(text)) },
    Validity { name: "es_nif", test: |text| checks::ES_NIF.valid(&compact(text)) },
    Validity { name: "it_fiscal_code", test: |text| checks::IT_FISCAL_CODE.valid(&compact(text)) },
    Validity { name: "nl_bsn", test: |text| checks::NL_BSN.valid(&compact(text)) },
    Validity { name: "pl_pesel", test: |text| checks::PL_PESEL.valid(&compact(text)) },
    Validity {
        name: "se_personnummer",
        test: |text| {
            let text = compact(text);
            checks::SE_PERSONNUMMER.valid(&text) || checks::SE_PERSONNUMMER_12.valid(&text)
        },
    },
    Validity { name: "br_cpf", test: |text| checks::BR_CPF.valid(&compact(text)) },
    Validity { name: "tr_tckn", test: |text| checks::TR_TCKN.valid(&compact(text)) },
    Validity { name: "email", test: email },
    Validity { name: "uuid", test: uuid },
    Validity { name: "ip", test: |text| text.parse::<std::net::IpAddr>().is_ok() },
    Validity { name: "date", test: |text| canonical::parse_date(text).is_some() },
    Validity { name: "timestamp", test: |text| text.len() > 10 && canonical::parse_timestamp(text).is_some() },
    Validity { name: "integer", test: |text| text.parse::<i128>().is_ok() },
    Validity { name: "number", test: |text| text.parse::<f64>().is_ok_and(f64::is_finite) },
];

/// The kind of a name.
pub fn find(name: &str) -> Option<&'static Validity> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// Without what people write between groups of digits, in upper case.
fn compact(text: &str) -> Vec<u8> {
    text.bytes().filter(|b| !matches!(b, b' ' | b'-' | b'.' | b'/')).map(|b| b.to_ascii_uppercase()).collect()
}

fn email(text: &str) -> bool {
    text.rsplit_once('@').is_some_and(|(local, host)| {
        let label = |l: &str| !l.is_empty() && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        !local.is_empty() && !local.contains(char::is_whitespace) && host.contains('.') && host.split('.').all(label)
    })
}

fn uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_takes_one_and_refuses_another() {
        for (kind, good, bad) in [
            ("iban", "DE89 3704 0044 0532 0130 00", "DE88370400440532013000"),
            ("card_number", "4111-1111-1111-1111", "4111111111111112"),
            ("us_ssn", "078-05-1120", "000-12-3456"),
            ("uk_nino", "AB 12 34 56 C", "QQ123456C"),
            ("de_tax_id", "86095742719", "86095742718"),
            ("fr_nir", "255081416802538", "255081416802539"),
            ("es_nif", "12345678z", "12345678A"),
            ("it_fiscal_code", "RSSMRA85T10A562S", "RSSMRA85T10A562T"),
            ("nl_bsn", "111222333", "111222334"),
            ("pl_pesel", "44051401359", "44051401358"),
            ("se_personnummer", "811218-9876", "811218-9877"),
            ("br_cpf", "111.444.777-35", "111.444.777-36"),
            ("tr_tckn", "10000000146", "10000000147"),
            ("email", "a.b@c-d.example", "a b@c.example"),
            ("uuid", "0f8fad5b-d9cb-469f-a165-70867728950e", "0f8fad5bd9cb469fa16570867728950e"),
            ("ip", "2001:db8::1", "300.0.0.1"),
            ("date", "2024-02-29", "2023-02-29"),
            ("timestamp", "2024-02-29 10:00:00", "2024-02-29"),
            ("integer", "-7", "7.0"),
            ("number", "7.0", "NaN"),
        ] {
            let test = find(kind).expect("a kind").test;
            assert!(test(good), "{kind} {good}");
            assert!(!test(bad), "{kind} {bad}");
        }
        assert_eq!(KINDS.len(), 20, "each kind stands above");
    }
}
