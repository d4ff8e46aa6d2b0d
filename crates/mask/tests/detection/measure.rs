//! How well detection does on the data sets of `REENACT_DATASETS`, by label and locale, and on two halves of each set.
//!
//! A case is in one half by a hash of its content. Both halves were looked at while the lexicons were written, so that they differ tells only how
//! much chance there is in a figure.

use std::collections::BTreeMap;
use std::path::Path;

use reenact_mask::detect::{Class, Facts, Sample, Span, classify, spans};
use serde_json::Value;

/// Right and wrong answers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub hit: u32,
    pub missed: u32,
    pub wrong: u32,
}

impl Tally {
    pub fn recall(self) -> f64 {
        part(self.hit, self.hit + self.missed)
    }

    pub fn precision(self) -> f64 {
        part(self.hit, self.hit + self.wrong)
    }

    #[allow(dead_code, reason = "only the benchmark prints it")]
    pub fn f2(self) -> f64 {
        let (p, r) = (self.precision(), self.recall());
        if p + r == 0.0 { 0.0 } else { 5.0 * p * r / (4.0 * p + r) }
    }

    fn count(&mut self, is: bool, found: bool) {
        match (is, found) {
            (true, true) => self.hit += 1,
            (true, false) => self.missed += 1,
            (false, true) => self.wrong += 1,
            (false, false) => {}
        }
    }
}

fn part(some: u32, all: u32) -> f64 {
    if all == 0 { 1.0 } else { f64::from(some) / f64::from(all) }
}

/// Tallies by a word, of the whole set under the empty one.
pub type Table = BTreeMap<String, Tally>;

/// The half of a case.
fn half(text: &str) -> &'static str {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    if (hash >> 32) & 1 == 0 { "half a" } else { "half b" }
}

fn lines(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).expect("a data set");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn text<'a>(case: &'a Value, name: &str) -> &'a str {
    case[name].as_str().unwrap_or_default()
}

/// A list of cases that went wrong, for whoever works on the lexicons; printed only on demand.
pub type Wrong = Vec<String>;

/// Columns by their values alone: personal or not.
pub fn columns(folder: &Path) -> (Table, Table, Wrong) {
    let (mut by, mut classes, mut wrong) = (Table::new(), Table::new(), Wrong::new());
    for case in lines(&folder.join("labelled_columns.jsonl")) {
        let values: Vec<&str> = case["values"].as_array().expect("values").iter().filter_map(Value::as_str).collect();
        let sample = Sample::of(values.iter().copied());
        let found = classify(&Facts { sample: Some(&sample), ..Facts::default() });
        let (label, locale) = (text(&case, "label"), text(&case, "locale"));
        let is = label != "NONE";
        let flagged = found.as_ref().is_some_and(|found| found.class.is_personal());
        for key in ["", half(&values.concat()), &format!("locale {locale}"), &format!("label {label}")] {
            by.entry(key.to_owned()).or_default().count(is, flagged);
        }
        if is {
            let right = found.as_ref().is_some_and(|found| accepted(label).contains(&found.class));
            classes.entry(label.to_owned()).or_default().count(true, right);
        }
        if is != flagged {
            let told = found.map_or("nothing".to_owned(), |found| {
                format!("{} {:.2} {:?}", found.class, found.score, found.evidence)
            });
            wrong.push(format!("{} {label} {locale} {}: {told}", half(&values.concat()), text(&case, "provider")));
        }
    }
    (by, classes, wrong)
}

/// The classes that are right for a label.
fn accepted(label: &str) -> &'static [Class] {
    match label {
        "PERSON_NAME" | "FIRST_NAME" | "LAST_NAME" => &[Class::PersonName, Class::GivenName, Class::FamilyName],
        "EMAIL" => &[Class::Email],
        "PHONE" => &[Class::Phone],
        "STREET_ADDRESS" | "FULL_ADDRESS" => &[Class::Street, Class::Address],
        "CITY" => &[Class::City],
        "POSTAL_CODE" => &[Class::Postcode],
        "BIRTH_DATE" => &[Class::DateOfBirth],
        "NATIONAL_ID" => &[Class::NationalId, Class::TaxId],
        "PASSPORT" => &[Class::Passport],
        "LICENSE_PLATE" => &[Class::LicencePlate],
        "CREDIT_CARD" => &[Class::Card],
        "IBAN" => &[Class::Iban],
        "IP_ADDRESS" => &[Class::Ip],
        "USERNAME" => &[Class::Username],
        "PASSWORD" => &[Class::Password],
        _ => &[],
    }
}

/// Names of columns alone: whether a personal name is found at all, and as something of its category.
pub fn names(folder: &Path) -> (Table, Table, Wrong) {
    let (mut by, mut classes, mut wrong) = (Table::new(), Table::new(), Wrong::new());
    let text = std::fs::read_to_string(folder.join("column_names_pgano.csv")).expect("a data set");
    for line in text.lines() {
        let [locale, name, category] = line.split('\t').collect::<Vec<_>>()[..] else { continue };
        let found = classify(&Facts { name, ..Facts::default() });
        for key in ["", half(name), &format!("locale {locale}")] {
            by.entry(key.to_owned()).or_default().count(true, found.is_some());
        }
        let right = found.as_ref().is_some_and(|found| of_category(category).contains(&found.class));
        for key in ["", &format!("category {category}")] {
            classes.entry(key.to_owned()).or_default().count(true, right);
        }
        if !right {
            wrong.push(format!("{name} is {category}: {:?}", found.map(|found| found.class)));
        }
    }
    (by, classes, wrong)
}

fn of_category(category: &str) -> &'static [Class] {
    match category {
        "account_id" => &[Class::SubjectId, Class::Username, Class::SocialHandle],
        "street_address" => &[Class::Address, Class::Street],
        "age" => &[Class::Age],
        "creditcard" => &[Class::Card],
        "bic" => &[Class::BankAccount],
        "birth_date" => &[Class::DateOfBirth],
        "city" => &[Class::City],
        "civility" | "gender" => &[Class::Gender],
        "company_name" => &[Class::Company],
        "country" => &[Class::Country],
        "duns" | "vat" | "siren_france" | "siret_france" | "ape_france" => &[Class::CompanyId],
        "email" => &[Class::Email],
        "fax_number" | "phone_number" => &[Class::Phone],
        "firstname" => &[Class::GivenName],
        "name" | "lastname" => &[Class::PersonName, Class::FamilyName],
        "health_plan_id" | "medical_record_id" => &[Class::HealthId],
        "iban" => &[Class::Iban],
        "ip_address" => &[Class::Ip],
        "job" => &[Class::Job],
        "lang" => &[Class::Language],
        "licence_plate" => &[Class::LicencePlate],
        "logo" | "photo" | "signature" => &[Class::Photo],
        "mac_address" => &[Class::Mac],
        "password" => &[Class::Password],
        "social_security_id" => &[Class::NationalId],
        "url" => &[Class::Url],
        "zipcode" | "zipcode_france" => &[Class::Postcode],
        _ => &[],
    }
}

/// Cases of recognisers: how many of those with a hit are found, and how many look-alikes are taken for one.
pub fn recognisers(folder: &Path) -> (Table, Tally, Wrong) {
    let (mut by, mut alike, mut wrong) = (Table::new(), Tally::default(), Wrong::new());
    for case in lines(&folder.join("recognizer_cases.jsonl")) {
        let content = text(&case, "text");
        let entities: Vec<&str> =
            case["entities"].as_array().expect("entities").iter().filter_map(Value::as_str).collect();
        let entity = entities.first().copied().unwrap_or("PHONE_NUMBER");
        let flagged = spans(content).iter().any(|span| is_type(span, entity));
        let is = case["expected_count"].as_u64().unwrap_or(0) > 0;
        by.entry(entity.to_owned()).or_default().count(is, flagged);
        if is {
            by.entry(String::new()).or_default().count(true, flagged);
            by.entry(half(content).to_owned()).or_default().count(true, flagged);
        } else {
            alike.count(true, flagged);
        }
        if is != flagged {
            let kinds: Vec<&str> = spans(content).iter().map(|span| span.kind).collect();
            wrong.push(format!("{entity} {} {content:?}: {kinds:?}", if is { "missed" } else { "LOOK-ALIKE" }));
        }
    }
    (by, alike, wrong)
}

/// Whether a span is of a recogniser's type. A type that we do not tell apart from its class counts by its class.
fn is_type(span: &Span, entity: &str) -> bool {
    let kind = match entity {
        "US_SSN" => "us-ssn",
        "US_ITIN" => "us-itin",
        "US_MBI" => "us-mbi",
        "US_NPI" => "us-npi",
        "MEDICAL_LICENSE" => "us-dea",
        "ABA_ROUTING_NUMBER" => "us-aba",
        "UK_NINO" => "uk-nino",
        "UK_NHS" => "uk-nhs",
        "UK_DRIVING_LICENCE" => "uk-driver",
        "UK_VEHICLE_REGISTRATION" => "uk-plate",
        "DE_TAX_ID" => "de-tax-id",
        "DE_SOCIAL_SECURITY" => "de-rvnr",
        "DE_HEALTH_INSURANCE" => "de-kvnr",
        "DE_ID_CARD" | "DE_PASSPORT" => "de-document",
        "ES_NIF" | "ES_NIE" => "es-nif",
        "IT_FISCAL_CODE" => "it-fiscal",
        "IT_VAT_CODE" => "it-vat",
        "PL_PESEL" => "pl-pesel",
        "SE_PERSONNUMMER" => "se-personnummer",
        "SE_ORGANISATIONSNUMMER" => "se-org",
        "FI_PERSONAL_IDENTITY_CODE" => "fi-hetu",
        "TR_NATIONAL_ID" => "tr-tckn",
        "IN_AADHAAR" => "in-aadhaar",
        "IN_PAN" => "in-pan",
        "IN_GSTIN" => "in-gstin",
        "IN_VOTER" => "in-voter",
        "KR_RRN" => "kr-rrn",
        "KR_FRN" => "kr-frn",
        "KR_BRN" => "kr-brn",
        "SG_NRIC_FIN" => "sg-nric",
        "TH_TNIN" => "th-id",
        "ZA_ID_NUMBER" => "za-id",
        "CA_SIN" => "ca-sin",
        "AU_ABN" => "au-abn",
        "AU_ACN" => "au-acn",
        "AU_TFN" => "au-tfn",
        "AU_MEDICARE" => "au-medicare",
        "DE_VAT_ID" => "eu-vat",
        "CREDIT_CARD" => "card",
        "PHONE_NUMBER" | "PH_MOBILE_NUMBER" | "TR_PHONE_NUMBER" => "phone",
        "EMAIL_ADDRESS" => "email",
        "IBAN_CODE" => "iban",
        "IP_ADDRESS" => "ip",
        "MAC_ADDRESS" => "mac",
        "URL" => "url",
        "CRYPTO" => "bitcoin",
        "US_DRIVER_LICENSE" => "us-licence",
        _ if entity.ends_with("PASSPORT") => "passport",
        _ => return false,
    };
    span.kind == kind
}

/// Sentences: spans of the types that are found without a model.
pub fn sentences(folder: &Path) -> (Table, Wrong) {
    let (mut by, mut wrong) = (Table::new(), Wrong::new());
    let types = ["CREDIT_CARD", "PHONE_NUMBER", "EMAIL_ADDRESS", "IBAN_CODE", "IP_ADDRESS", "US_SSN"];
    for case in lines(&folder.join("synth_text_spans.jsonl")) {
        let content = text(&case, "full_text");
        let bytes =
            |n: u64| content.char_indices().nth(usize::try_from(n).unwrap_or(0)).map_or(content.len(), |(at, _)| at);
        let truth: Vec<(&str, usize, usize)> = case["spans"]
            .as_array()
            .expect("spans")
            .iter()
            .map(|span| {
                let at = |name: &str| bytes(span[name].as_u64().unwrap_or(0));
                (text(span, "entity_type"), at("start_position"), at("end_position"))
            })
            .collect();
        let found = spans(content);
        for (entity, start, end) in truth.iter().filter(|(entity, ..)| types.contains(entity)) {
            let hit = found.iter().any(|span| is_type(span, entity) && span.start < *end && *start < span.end);
            for key in ["", half(content), entity] {
                by.entry(key.to_owned()).or_default().count(true, hit);
            }
            if !hit {
                let kinds: Vec<&str> = found.iter().map(|span| span.kind).collect();
                wrong.push(format!("{entity} missed {:?} in {content:?}: {kinds:?}", &content[*start..*end]));
            }
        }
        for span in &found {
            let Some(entity) = types.iter().find(|entity| is_type(span, entity)) else { continue };
            let right = truth.iter().any(|(kind, start, end)| kind == entity && span.start < *end && *start < span.end);
            if !right {
                for key in ["", half(content), entity] {
                    by.entry(key.to_owned()).or_default().wrong += 1;
                }
                wrong.push(format!("{entity} found {:?} in {content:?}", &content[span.start..span.end]));
            }
        }
    }
    (by, wrong)
}
