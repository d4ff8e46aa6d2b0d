//! What masks make of example values.
//!
//! Hidden here: the examples. They are made up from the schema, and what a field seems to hold, out of names and numbers that are reserved
//! for examples; no record is read. A person may give values of their own instead. The key is drawn for this one preview, so that no
//! pseudonym of a capture can be told from it.

use std::collections::BTreeMap;

use reenact_mask::approval::Subject;
use reenact_mask::detect::{Class, Place, Sampler, detect};
use reenact_mask::trial::{self, Shown};
use reenact_mask::{Action, PolicyText};
use reenact_model::catalog::{Field, Schemas};
use reenact_model::error::Class as Exit;
use reenact_model::{Error, FieldId, Result, Site, ValueType};
use serde::Serialize;

use crate::{check, diff};

/// What a policy makes of a field's example values.
#[derive(Clone, Debug, Serialize)]
pub struct FieldPreview {
    /// The field.
    pub field: FieldId,
    /// What is done with it, in words.
    pub does: String,
    /// The rule that decides.
    pub rule: Option<String>,
    /// Each value, with what becomes of it.
    pub values: Vec<(Option<String>, Vec<Shown>)>,
}

/// A preview of a policy.
#[derive(Clone, Debug, Serialize)]
pub struct Preview {
    /// Whether the values were made up here.
    pub made_up: bool,
    /// The fields.
    pub fields: Vec<FieldPreview>,
}

/// Shows what becomes of values: of those that are given, or of made-up ones; of one field, or of all that are decided one by one.
///
/// # Errors
/// [`Exit::Findings`] with all findings if the policy can't be resolved; [`Exit::Input`] if no decision is on that field.
pub fn preview(
    text: &PolicyText,
    schemas: &Schemas,
    only: Option<&FieldId>,
    values: Option<&[String]>,
) -> Result<Preview> {
    let (policy, plan) = match check::resolved(text, schemas)? {
        Ok(resolved) => resolved,
        Err(report) => {
            let what = format!("`{}` decides nothing yet", report.policy);
            return Err(Error::from_findings(Exit::Findings, &what, &report.findings)
                .unwrap_or_else(|| Error::new(Exit::Findings, what)));
        }
    };
    let subject = Subject::of(&policy, &plan, &schemas.reached);
    let classes = classes(schemas);
    let masks = trial::Preview::new(&plan, &schemas.catalogs)?;
    let mut fields = Vec::new();
    for decision in plan.decisions() {
        let wanted = only
            .map_or(!matches!(decision.action, Action::Coordinate | Action::Payload), |only| *only == decision.field);
        if !wanted {
            continue;
        }
        let field = &decision.field;
        let entity = schemas.catalogs.iter().flat_map(|c| &c.entities).find(|e| e.id == field.entity);
        let column = entity.and_then(|e| e.field(&field.field.column)).filter(|_| field.field.path.is_none());
        let given: Vec<Option<String>> = if let Some(values) = values {
            values.iter().cloned().map(Some).collect()
        } else {
            let class = classes.get(field).copied().or_else(|| of_mask(&decision.action));
            examples(column, class).into_iter().map(Some).collect()
        };
        let show = |value: Option<String>| {
            let shown = masks.show(decision, value.as_deref());
            (value, shown)
        };
        fields.push(FieldPreview {
            field: field.clone(),
            does: subject.field(field).map_or_else(|| diff::decided(decision), diff::outcome),
            rule: decision.rule.clone(),
            values: given.into_iter().map(show).collect(),
        });
    }
    match only {
        Some(only) if fields.is_empty() => Err(Error::new(Exit::Input, "there is no decision on this field")
            .help("name a field as `policy check -o json` lists it, such as `service/entity.field`")
            .at(Site::field(only))),
        _ => Ok(Preview { made_up: values.is_none(), fields }),
    }
}

/// What fields seem to hold, by their names.
fn classes(schemas: &Schemas) -> BTreeMap<FieldId, Class> {
    let entities = schemas.catalogs.iter().flat_map(|catalog| &catalog.entities);
    let places: Vec<Place> =
        entities.filter_map(|entity| Sampler::new(entity).ok()).flat_map(Sampler::places).collect();
    let found = detect(&places, &schemas.relationships);
    places.into_iter().zip(found).filter_map(|(place, found)| Some((place.field, found?.class))).collect()
}

/// What the field of a mask holds, where one class asks for that mask.
fn of_mask(action: &Action) -> Option<Class> {
    let Action::Mask { mask, .. } = action else { return None };
    reenact_mask::detect::CLASSES.iter().find(|line| line.3 == mask).map(|line| line.0)
}

/// Made-up values of a field.
fn examples(field: Option<&Field>, class: Option<Class>) -> Vec<String> {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<String>>();
    let Some(field) = field else { return owned(texts(class)) };
    if let Some(values) = &field.values {
        return values.iter().take(2).cloned().collect();
    }
    let native = field.native.to_ascii_lowercase();
    match field.value {
        ValueType::Bool => owned(&["true", "false"]),
        ValueType::Int16 | ValueType::Int32 | ValueType::Int64 | ValueType::UInt64 => integers(field.range),
        ValueType::Float32 | ValueType::Float64 => owned(&["3.25"]),
        ValueType::Decimal => owned(&["12.50"]),
        ValueType::Date => owned(&["1984-07-21"]),
        ValueType::Time => owned(&["13:45:10"]),
        ValueType::Timestamp => owned(&["2024-02-29 13:45:10"]),
        ValueType::TimestampUtc => owned(&["2024-02-29 13:45:10Z"]),
        ValueType::Uuid => owned(&["123e4567-e89b-42d3-a456-426614174000"]),
        ValueType::Bytes => owned(&["\\x00ff10"]),
        ValueType::Json => owned(&["{\"name\":\"Ann Example\",\"count\":2}"]),
        ValueType::Tagged if native.contains("int") => integers(field.range),
        ValueType::Tagged if native.contains("time") => owned(&["2024-02-29 13:45:10"]),
        ValueType::Tagged if native.contains("date") => owned(&["1984-07-21"]),
        ValueType::Tagged if ["real", "num", "dec", "dou", "flo"].iter().any(|part| native.contains(part)) => {
            owned(&["12.50"])
        }
        ValueType::Text | ValueType::Tagged | ValueType::Other => {
            let most = field.max_chars.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
            texts(class).iter().map(|text| text.chars().take(most).collect()).collect()
        }
    }
}

fn integers(range: Option<(i64, i64)>) -> Vec<String> {
    let (least, most) = range.unwrap_or((i64::MIN, i64::MAX));
    let mut out: Vec<String> = [7_i64, 1_042].iter().map(|n| (*n).clamp(least, most).to_string()).collect();
    out.dedup();
    out
}

/// Made-up texts, out of ranges that are reserved for examples (RFC 2606, RFC 5737) where there are any.
fn texts(class: Option<Class>) -> &'static [&'static str] {
    match class {
        Some(Class::Email) => &["ann@example.com", "Bob.Example@example.org"],
        Some(Class::Phone) => &["+1 202-555-0143"],
        Some(Class::GivenName) => &["Ann", "Bob"],
        Some(Class::FamilyName) => &["Example", "Sample"],
        Some(Class::PersonName) => &["Ann Example", "Bob Sample"],
        Some(Class::Street) => &["1 Example Street"],
        Some(Class::Address) => &["1 Example Street, 12345 Sampletown"],
        Some(Class::City) => &["Sampletown"],
        Some(Class::Postcode) => &["12345"],
        Some(Class::Country | Class::Nationality) => &["DE"],
        Some(Class::DateOfBirth) => &["1984-07-21"],
        Some(Class::Age) => &["42"],
        Some(Class::Gender) => &["f"],
        // Numbers that their issuers print in documentation.
        Some(Class::Iban) => &["DE89370400440532013000"],
        Some(Class::Card) => &["4111111111111111"],
        Some(Class::Ip) => &["192.0.2.7", "2001:db8::7"],
        Some(Class::Mac) => &["00:00:5e:00:53:07"],
        Some(Class::Url) => &["https://example.com/ann?id=7"],
        Some(Class::UserAgent) => &["Mozilla/5.0 (X11; Linux x86_64) Example/1.0"],
        Some(Class::Location) => &["52.5, 13.4"],
        Some(Class::Passport | Class::NationalId | Class::TaxId | Class::HealthId | Class::DrivingLicence) => {
            &["X0000001"]
        }
        Some(Class::Income) => &["52000"],
        Some(Class::Username | Class::SocialHandle) => &["ann_example"],
        _ => &["example one", "example two"],
    }
}
