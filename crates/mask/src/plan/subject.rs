//! From a rule's `subject:` to fields of the record that the rule decides.
//!
//! Hidden here: how a subject of another entity is found in a record: through the one reference that leads there. What stands
//! behind a second reference is not in the record, so it is refused, and so is a subject that the services would tell
//! differently.

use std::collections::BTreeMap;
use std::sync::Arc;

use reenact_model::catalog::Relationship;
use reenact_model::{EntityId, FieldId, FieldPath, Finding, Path, ServiceCatalog, Site};

use super::resolve::{decide, domain_of};
use crate::kernels::{Mask, TakesSubject};
use crate::policy::{Canonical, Does, Policy, Rule, SubjectField};

/// The fields that tell whose a record is.
#[derive(Debug)]
pub(crate) struct Subject {
    /// Fields of the record itself.
    pub(crate) fields: Vec<FieldPath>,
    /// Each field's domain (empty if it has none) and how equal values become one text.
    pub(crate) parts: Vec<(String, Canonical)>,
}

/// Finds subjects, and holds those of one domain against each other.
#[derive(Debug)]
pub(super) struct Subjects<'a> {
    policy: &'a Policy,
    catalogs: &'a [ServiceCatalog],
    relationships: &'a [Relationship],
    /// How the rules of a domain tell a subject: the first rule's name and the domains of its parts.
    told: BTreeMap<String, (String, Vec<String>)>,
}

impl<'a> Subjects<'a> {
    pub(super) fn new(policy: &'a Policy, catalogs: &'a [ServiceCatalog], relationships: &'a [Relationship]) -> Self {
        Self { policy, catalogs, relationships, told: BTreeMap::new() }
    }

    /// The subject of a rule at a field; `Ok(None)` if it names none.
    pub(super) fn find(
        &mut self,
        rule: &Rule,
        mask: (&dyn Mask, &str),
        at: &FieldId,
    ) -> Result<Option<Arc<Subject>>, Box<Finding>> {
        let site = || Site::field(at).with_rule(&rule.name).with_span(Some(rule.span.clone()));
        let Some(named) = &rule.subject else {
            return match mask.0.subject() {
                TakesSubject::Must => Err(Box::new(
                    Finding::error(
                        "POL-018",
                        site(),
                        format!("mask `{}` works by subject, and the rule names none", mask.1),
                    )
                    .help("write `subject: FIELD`, the field that tells whose record it is"),
                )),
                TakesSubject::May | TakesSubject::No => Ok(None),
            };
        };
        let site = || Site::field(at).with_rule(&rule.name).with_span(Some(named.1.clone()));
        if mask.0.subject() == TakesSubject::No {
            let message = format!("mask `{}` does not ask whose record it is", mask.1);
            return Err(Box::new(
                Finding::error("POL-018", site(), message).help("take `subject` out, or use `subject_shift`"),
            ));
        }
        let mut subject = Subject { fields: Vec::new(), parts: Vec::new() };
        for field in &named.0 {
            let local = self
                .local(field, &at.entity)
                .map_err(|(message, help)| Box::new(Finding::error("POL-018", site(), message).help(help)))?;
            subject.parts.push(domain_at(self.policy, &FieldId::new(&at.entity, &local)));
            subject.fields.push(local);
        }
        let domains: Vec<String> = subject.parts.iter().map(|(domain, _)| domain.clone()).collect();
        let (first, told) =
            self.told.entry(domain_of(rule)).or_insert_with(|| (rule.name.clone(), domains.clone())).clone();
        if told != domains {
            let message = format!(
                "rule `{first}` of the same domain tells a subject by another domain, so one person would get two results"
            );
            return Err(Box::new(
                Finding::error("POL-019", site(), message)
                    .help("put the fields of both subjects into one domain, or give the rules domains of their own"),
            ));
        }
        Ok(Some(Arc::new(subject)))
    }

    /// The field of a record that holds a part of its subject; or what is wrong, and the edit that mends it.
    fn local(&self, field: &SubjectField, entity: &EntityId) -> Result<FieldPath, (String, String)> {
        let exists = |field: &FieldPath| {
            let found = self.catalogs.iter().flat_map(|c| &c.entities).find(|e| e.id == *entity);
            found.and_then(|e| e.field(&field.column)).is_some_and(|column| match (&field.path, &column.codec) {
                (None, _) => true,
                (Some(path), Some(codec)) => codec.known_paths().is_none_or(|known: Vec<Path>| known.contains(path)),
                (Some(_), None) => false,
            })
        };
        match field {
            SubjectField::Own(field) if exists(field) => Ok(field.clone()),
            SubjectField::Own(field) => Err((
                format!("{entity} has no field `{field}` that could name its subject"),
                "name a field of every entity that the rule decides, or write `service/entity.field` for one they refer to"
                    .to_owned(),
            )),
            SubjectField::Of(id) if id.entity == *entity && exists(&id.field) => Ok(id.field.clone()),
            SubjectField::Of(id) => {
                let leads = |r: &&Relationship| r.child.entity == *entity && r.parent.entity == id.entity;
                let mut ends: Vec<&FieldPath> = Vec::new();
                for relationship in self.relationships.iter().filter(leads).filter(|r| r.condition.is_none()) {
                    let pairs = relationship.child.fields.iter().zip(&relationship.parent.fields);
                    for (child, _) in pairs.filter(|(_, parent)| **parent == id.field) {
                        if !ends.contains(&child) {
                            ends.push(child);
                        }
                    }
                }
                match ends.as_slice() {
                    [one] => Ok((*one).clone()),
                    [] => Err((
                        format!("no reference leads from {entity} to {id} without a condition and in one step"),
                        "what stands behind a second reference is not in the record: name a field of the record itself"
                            .to_owned(),
                    )),
                    [first, second, ..] => Err((
                        format!("{entity} refers to {id} by `{first}` and by `{second}`"),
                        "write a rule for each such entity, and name the field itself".to_owned(),
                    )),
                }
            }
        }
    }
}

/// The domain of a field, empty if it has none of the policy's, and its canonical form.
pub(super) fn domain_at(policy: &Policy, field: &FieldId) -> (String, Canonical) {
    let rule = decide(policy.rules.iter(), |rule| rule.on.iter().any(|(s, _)| s.matches(field)));
    match rule.ok().flatten().map(|rule| &rule.does) {
        Some(Does::Domain(name)) => (name.clone(), policy.domains.get(name).map_or(Canonical::Text, |d| d.canonical)),
        _ => (String::new(), Canonical::Text),
    }
}
