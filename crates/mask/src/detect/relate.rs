//! Fields among their neighbours: what a record is about, and what refers to whom.
//!
//! Hidden here: two looks at a catalog. After the first, a record that holds a name and an address is known to be about a person, so its weak
//! words count; then what refers to a field holds what that field holds.

use std::collections::{BTreeMap, BTreeSet};

use reenact_model::catalog::Relationship;
use reenact_model::{EntityId, FieldId};

use super::class::{Class, Standing};
use super::names::{self, Subject};
use super::{Detection, Facts, Form, LEAST, Sample, weigh};

/// A field of a catalog.
#[derive(Clone, Debug)]
pub struct Place {
    /// Which field.
    pub field: FieldId,
    /// The form of its values.
    pub form: Form,
    /// Whether it is the whole key of its entity.
    pub key: bool,
    /// Some of its values.
    pub sample: Option<Sample>,
}

impl Place {
    /// The name that tells what the field holds: of a path, the last member.
    fn name(&self) -> String {
        let keys = self.keys();
        let last = keys.last().cloned().unwrap_or_else(|| self.field.field.column.clone());
        // `$.customer.name`: the object tells whose name it is.
        match keys.len().checked_sub(2).and_then(|n| keys.get(n)) {
            Some(object) if names::said(&last).is_none_or(|said| said.weight == names::Weight::Weak) => {
                format!("{object}_{last}")
            }
            _ => last,
        }
    }

    fn keys(&self) -> Vec<String> {
        let steps = self.field.field.path.iter().flat_map(|path| &path.0);
        steps
            .filter_map(|step| match step {
                reenact_model::names::Step::Key(key) => Some(key.clone()),
                reenact_model::names::Step::Each => None,
            })
            .collect()
    }
}

/// What stands for a person inside of the system once a key is known to.
const INHERITED: f64 = 0.8;

/// What every field holds of people, in the order of the fields.
pub fn detect(places: &[Place], relationships: &[Relationship]) -> Vec<Option<Detection>> {
    let names: Vec<String> = places.iter().map(Place::name).collect();
    let entity_name = |place: &Place| place.field.entity.parts().last().cloned().unwrap_or_default();
    let look = |subjects: &BTreeMap<EntityId, Subject>| -> Vec<Option<Detection>> {
        places
            .iter()
            .zip(&names)
            .map(|(place, name)| {
                let entity = entity_name(place);
                let facts = Facts { name, entity: &entity, form: place.form, sample: place.sample.as_ref() };
                let subject = subjects.get(&place.field.entity).copied().unwrap_or(Subject::Unknown);
                weigh(&facts, subject)
            })
            .collect()
    };
    let mut subjects: BTreeMap<EntityId, Subject> =
        places.iter().map(|place| (place.field.entity.clone(), names::subject(&entity_name(place)))).collect();
    let first = look(&subjects);
    for (entity, subject) in &mut subjects {
        let classes: BTreeSet<Class> = places
            .iter()
            .zip(&first)
            .filter(|(place, _)| place.field.entity == *entity)
            .filter_map(|(_, found)| found.as_ref().filter(|found| found.score >= 0.8).map(|found| found.class))
            .collect();
        let has_name = classes.iter().any(|class| {
            matches!(
                class,
                Class::GivenName | Class::FamilyName | Class::PersonName | Class::DateOfBirth | Class::NationalId
            )
        });
        let reached = classes.iter().any(|class| {
            matches!(class, Class::Email | Class::Phone | Class::Password | Class::Address | Class::Gender)
        });
        if *subject == Subject::Unknown && (classes.contains(&Class::GivenName) || (has_name && reached)) {
            *subject = Subject::Person;
        }
    }
    let mut found = look(&subjects);
    addresses(places, relationships, &mut found);
    // The key of a record about a person stands for that person.
    for (place, found) in places.iter().zip(&mut found) {
        let about = subjects.get(&place.field.entity) == Some(&Subject::Person);
        if place.key && about && found.as_ref().is_none_or(|found| found.score < LEAST) {
            *found = Some(Detection {
                class: Class::SubjectId,
                score: INHERITED,
                evidence: vec![format!(
                    "it is the key of `{}`, whose records are about people",
                    place.field.entity.name
                )],
            });
        }
    }
    propagate(places, relationships, &mut found);
    found.into_iter().map(|found| found.filter(|found| found.score >= LEAST)).collect()
}

/// A state or a country beside a street, or in a table that a record with a street refers to, is a part of that address.
fn addresses(places: &[Place], relationships: &[Relationship], found: &mut [Option<Detection>]) {
    let street = |found: &Detection| {
        matches!(found.class, Class::Street | Class::Address | Class::Postcode) && found.score >= 0.8
    };
    let mut parts: BTreeSet<&EntityId> = places
        .iter()
        .zip(found.iter())
        .filter(|(_, found)| found.as_ref().is_some_and(street))
        .map(|(place, _)| &place.field.entity)
        .collect();
    for _ in 0..2 {
        let parents: Vec<&EntityId> = relationships
            .iter()
            .filter(|edge| parts.contains(&edge.child.entity))
            .map(|edge| &edge.parent.entity)
            .collect();
        parts.extend(parents);
    }
    for (place, found) in places.iter().zip(found.iter_mut()) {
        let Some(found) = found else { continue };
        let named = found.score < 0.8
            && found.score >= 0.4
            && matches!(found.class, Class::City | Class::Region | Class::Country);
        if named && parts.contains(&place.field.entity) {
            found.score = 0.8;
            found.evidence.push("it belongs to an address".to_owned());
        }
    }
}

/// What refers to a field holds what that field holds.
fn propagate(places: &[Place], relationships: &[Relationship], found: &mut [Option<Detection>]) {
    let at: BTreeMap<String, usize> =
        places.iter().enumerate().map(|(n, place)| (place.field.to_string(), n)).collect();
    let index = |entity: &EntityId, field: &reenact_model::FieldPath| {
        at.get(&FieldId { entity: entity.clone(), field: field.clone() }.to_string()).copied()
    };
    // A chain of references is as long as there are entities at most; three rounds reach what schemas have.
    for _ in 0..3 {
        for edge in relationships {
            for (child, parent) in edge.child.fields.iter().zip(&edge.parent.fields) {
                let (Some(child), Some(parent)) =
                    (index(&edge.child.entity, child), index(&edge.parent.entity, parent))
                else {
                    continue;
                };
                let Some(source) = found[parent].clone().filter(|source| source.score >= LEAST) else { continue };
                let pseudonym = source.class.standing() == Standing::Pseudonym;
                let weaker = found[child]
                    .as_ref()
                    .is_none_or(|known| known.score < LEAST || (!pseudonym && known.score < source.score));
                if weaker {
                    let evidence =
                        vec![format!("it refers to {}, which holds `{}`", places[parent].field, source.class)];
                    found[child] =
                        Some(Detection { class: source.class, score: source.score.min(INHERITED), evidence });
                }
            }
        }
    }
}
