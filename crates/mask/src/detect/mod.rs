//! What fields hold of people: found by their names, by a sample of their values, by their neighbours and by what refers to them.
//!
//! Hidden here: how the evidence is weighed. `names` reads a field's name in many languages, `values` lets a sample vote, `relate` looks
//! at the record around it and at references. A [`Detection`] says what was found and why, in words, and never with a value. It proposes; a
//! person decides: that nothing was found does not mean that nothing is there.

mod class;
mod draft;
mod names;
mod numbers;
mod people;
mod relate;
mod sampler;
mod spans;
mod sums;
mod values;
mod words;

pub use class::{CLASSES, Class, Standing};
pub use draft::{Draft, Proposal, draft};
pub use relate::{Place, detect};
pub use sampler::Sampler;
use serde::Serialize;
pub use spans::{Span, spans};
pub use values::{MOST, Sample};

use names::{Said, Subject, Weight};
use values::{Guess, Look};

/// The least score at which a field counts as found.
pub const LEAST: f64 = 0.5;

/// How much a mere likeness of values counts in a record of things.
const THING: f64 = 0.54;

/// The form of a field's values, as far as its type tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Any text, or nobody knows.
    #[default]
    Text,
    /// Numbers.
    Number,
    /// A day without a time.
    Day,
    /// A moment or a time of day.
    Moment,
    /// True or false.
    Truth,
    /// Bytes.
    Bytes,
}

/// What is known of a field.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// Its name; empty if it is to be judged by its values alone.
    pub name: &'a str,
    /// The name of what holds it: a table, a key family, a topic, an object.
    pub entity: &'a str,
    /// The form of its values.
    pub form: Form,
    /// Some of its values.
    pub sample: Option<&'a Sample>,
}

/// What was found of a field.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Detection {
    /// What it holds.
    pub class: Class,
    /// How sure that is, from 0 to 1; no probability.
    pub score: f64,
    /// Why, in words without a value.
    pub evidence: Vec<String>,
}

/// What a field holds of people, if anything is found.
pub fn classify(facts: &Facts<'_>) -> Option<Detection> {
    weigh(facts, names::subject(facts.entity)).filter(|found| found.score >= LEAST)
}

/// Weighs name, type and values; what is found may score below [`LEAST`].
fn weigh(facts: &Facts<'_>, subject: Subject) -> Option<Detection> {
    let alone = names::said(facts.name);
    // A name that says little or nothing may say more with that of what holds it: `payment_card.number`.
    let said = if alone.as_ref().is_none_or(|said| said.class.is_some() && said.weight == Weight::Weak)
        && !facts.entity.is_empty()
    {
        names::said_in(facts.entity, facts.name).filter(|said| said.weight > Weight::Weak).or(alone)
    } else {
        alone
    };
    let look = facts.sample.map(values::look).unwrap_or_default();
    let seen = facts.sample.map_or(0, Sample::distinct);
    let by_name = said.as_ref().and_then(|said| Some((said.class?, by_name(said, subject, facts.form))));
    let mut evidence = Vec::new();
    let Some((class, mut score)) = by_name else {
        let guess = look.guesses.first()?;
        let score = guess.score * unnamed(guess, said.as_ref(), subject, facts);
        return Some(Detection { class: guess.class, score, evidence: vec![guess.why.clone()] });
    };
    if let Some(said) = &said {
        evidence.push(format!("its name says `{}` ({})", said.phrase, said.language));
    }
    let mut class = class;
    // A proof of something else outweighs a name; a likeness of the same adds to it.
    let proof = look.guesses.iter().find(|guess| guess.proof && guess.score >= 0.85);
    let kin = look.guesses.iter().find(|guess| family(guess.class) == family(class));
    match (proof, kin) {
        (Some(proof), _) if family(proof.class) != family(class) && !holds(class, proof.class) => {
            evidence.push(proof.why.clone());
            class = proof.class;
            score = proof.score;
        }
        (_, Some(kin)) => {
            evidence.push(kin.why.clone());
            // In a record of things a word that could mean anything is no more than the likeness.
            let weak = subject == Subject::Thing && said.as_ref().is_some_and(|said| said.weight < Weight::Strong);
            score =
                if weak && !kin.proof { score.max(kin.score * THING) } else { 1.0 - (1.0 - score) * (1.0 - kin.score) };
            if kin.proof || vague(class) {
                class = kin.class;
            }
        }
        _ => score *= unlike(class, said.as_ref(), &look, seen, &mut evidence),
    }
    Some(Detection { class, score, evidence })
}

/// How sure a name alone is.
fn by_name(said: &Said, subject: Subject, form: Form) -> f64 {
    let score = match (said.weight, subject) {
        (Weight::Strong, _) => 0.92,
        (Weight::Medium, Subject::Person) => 0.85,
        (Weight::Medium, Subject::Unknown) => 0.75,
        (Weight::Medium, Subject::Thing) if said.class == Some(Class::FreeText) => 0.52,
        (Weight::Medium, Subject::Thing) => 0.45,
        (Weight::Weak, Subject::Person) => 0.72,
        (Weight::Weak, Subject::Unknown) => 0.55,
        (Weight::Weak, Subject::Thing) => 0.25,
    };
    let Some(class) = said.class else { return score };
    let fits = match form {
        Form::Text => true,
        Form::Bytes => matches!(
            class,
            Class::Photo
                | Class::Password
                | Class::Token
                | Class::Ip
                | Class::Mac
                | Class::DeviceId
                | Class::SubjectId
                | Class::Location
        ),
        Form::Truth => matches!(class, Class::Gender | Class::Health),
        // The day on which a card ends belongs to the card.
        Form::Day | Form::Moment => matches!(class, Class::DateOfBirth | Class::Card),
        Form::Number => !matches!(
            class,
            Class::PersonName
                | Class::GivenName
                | Class::FamilyName
                | Class::Email
                | Class::Address
                | Class::City
                | Class::Region
                | Class::Country
                | Class::Company
                | Class::Username
                | Class::FreeText
                | Class::Url
                | Class::UserAgent
                | Class::Language
                | Class::Job
                | Class::Photo
                | Class::Mac
                | Class::Nationality
                | Class::Token
        ),
    };
    if fits { score } else { score * 0.3 }
}

/// How much a guess from values counts without a class in the name.
fn unnamed(guess: &Guess, said: Option<&Said>, subject: Subject, facts: &Facts<'_>) -> f64 {
    if guess.proof {
        return if facts.form == Form::Number && guess.score < 0.9 { 0.7 } else { 1.0 };
    }
    let numeric = if matches!(facts.form, Form::Number) { 0.7 } else { 1.0 };
    // A name that says something else, or a record of things, makes a mere likeness an accident.
    let named = match (said.is_some(), subject) {
        (true, _) => 0.6,
        (false, Subject::Thing) if !facts.name.is_empty() => THING,
        _ => 1.0,
    };
    numeric * named
}

/// How much of a name's score is left if the values do not look like it.
fn unlike(class: Class, said: Option<&Said>, look: &Look, seen: usize, evidence: &mut Vec<String>) -> f64 {
    if seen < 3 {
        return 1.0;
    }
    if let Some(plain) = look.plain {
        let fits = match plain {
            "hashes" | "UUIDs" => !matches!(family(class), Family::Name | Family::Place | Family::Day),
            "days" | "moments" => matches!(class, Class::DateOfBirth | Class::Card),
            "truth values" => matches!(class, Class::Gender | Class::Health),
            "small numbers" => matches!(
                class,
                Class::Age
                    | Class::Location
                    | Class::Phone
                    | Class::Gender
                    | Class::SubjectId
                    | Class::Password
                    | Class::Income
                    | Class::Postcode
                    | Class::Street
                    | Class::Card
                    | Class::DateOfBirth
                    | Class::Photo
                    | Class::Region
            ),
            "decimal numbers" => matches!(class, Class::Location | Class::Income | Class::Age | Class::Health),
            "names of files or media types" | "web addresses" => {
                matches!(class, Class::Photo | Class::Url | Class::SocialHandle)
            }
            "words of a choice" => !matches!(family(class), Family::Name) || class == Class::Company,
            _ => !matches!(family(class), Family::Name | Family::Place),
        };
        if !fits {
            evidence.push(format!("but its values are {plain}"));
            return 0.45;
        }
        return 1.0;
    }
    // Names and addresses can be seen; a weak word needs to be.
    let visible = matches!(family(class), Family::Name | Family::Place | Family::Reach) && seen >= 5;
    match said.map(|said| said.weight) {
        Some(Weight::Weak) if visible && class != Class::FreeText => {
            evidence.push("but its values do not look like it".to_owned());
            0.6
        }
        _ => 1.0,
    }
}

/// Classes that are mistaken for one another, or stand in one column.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Name,
    Place,
    Reach,
    Number,
    Secret,
    Day,
    Text,
    Other(Class),
}

fn family(class: Class) -> Family {
    match class {
        Class::PersonName | Class::GivenName | Class::FamilyName => Family::Name,
        Class::Address | Class::Street | Class::City | Class::Region | Class::Postcode => Family::Place,
        Class::Email | Class::Username | Class::SocialHandle => Family::Reach,
        Class::NationalId
        | Class::TaxId
        | Class::Passport
        | Class::DrivingLicence
        | Class::HealthId
        | Class::BankAccount
        | Class::Iban
        | Class::CompanyId
        | Class::SubjectId
        | Class::VehicleId
        | Class::DeviceId
        | Class::LicencePlate => Family::Number,
        Class::Password | Class::Token => Family::Secret,
        Class::DateOfBirth => Family::Day,
        Class::FreeText => Family::Text,
        other => Family::Other(other),
    }
}

/// Whether a name says no more than that there is something.
fn vague(class: Class) -> bool {
    matches!(class, Class::SubjectId | Class::PersonName)
}

/// Whether a field of a class may well hold values of another.
fn holds(class: Class, other: Class) -> bool {
    matches!(
        (class, other),
        (Class::FreeText | Class::Url | Class::Token | Class::Password, _) | (_, Class::FreeText | Class::Location)
    )
}

#[cfg(test)]
mod tests;
