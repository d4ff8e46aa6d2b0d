//! Rules under a condition: which of them decides a field, of what record it is asked, and where it can't stand.
//!
//! Hidden here: how a condition finds its record. It is asked of the record itself, or of the one record of another entity that it
//! refers to along a relationship; then the agent of that entity answers for each key, and no field of it leaves. Where a field
//! holds records together (keys, unique fields, references), two results for one value would part what belongs together, so no
//! condition is taken there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reenact_model::catalog::{Condition as Only, End, Kind, Relationship};
use reenact_model::{Entity, EntityId, FieldId, FieldPath, Finding, ServiceCatalog, Site, Span};

use super::subject::domain_at;
use crate::condition::Condition;
use crate::policy::{Canonical, Policy, Rule, When};

/// Of whom a condition is asked.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    /// Of the record itself.
    Own(Arc<Condition>),
    /// Of the record that it refers to.
    Carried(Arc<Carried>),
}

/// A condition that is asked of another entity's records.
#[derive(Debug)]
pub(crate) struct Carried {
    pub(crate) rule: String,
    pub(crate) span: Span,
    /// Along which relationship, by its number.
    pub(crate) edge: usize,
    pub(crate) child: EntityId,
    pub(crate) child_fields: Vec<FieldPath>,
    pub(crate) only: Option<Only>,
    pub(crate) parent: Arc<Entity>,
    pub(crate) parent_fields: Vec<FieldPath>,
    /// When two keys of the reference are one: the form of its fields' domain.
    pub(crate) forms: Vec<Canonical>,
    pub(crate) condition: Arc<Condition>,
    /// What holds where the reference leads nowhere.
    pub(crate) missing: Option<bool>,
}

/// The conditions that are asked of each entity's records or for them, by rule.
pub(super) type ByEntity = BTreeMap<EntityId, BTreeMap<String, Asked>>;

/// Finds conditions, and compiles each once for an entity.
pub(super) struct Conditions<'a> {
    policy: &'a Policy,
    catalogs: &'a [ServiceCatalog],
    relationships: &'a [Relationship],
    reached: &'a BTreeSet<EntityId>,
    /// By entity and rule; none where a finding says why not.
    asked: BTreeMap<(EntityId, String), Option<Asked>>,
}

impl<'a> Conditions<'a> {
    pub(super) fn new(
        policy: &'a Policy,
        catalogs: &'a [ServiceCatalog],
        relationships: &'a [Relationship],
        reached: &'a BTreeSet<EntityId>,
    ) -> Self {
        Self { policy, catalogs, relationships, reached, asked: BTreeMap::new() }
    }

    /// Whether a field is an end of a reference.
    pub(super) fn is_end(&self, field: &FieldId) -> bool {
        let here = |end: &End| end.entity == field.entity && end.fields.contains(&field.field);
        self.relationships.iter().any(|relationship| here(&relationship.child) || here(&relationship.parent))
    }

    /// The rule that decides a field under its condition, if one does: of all that match, and beside the one that decides otherwise.
    pub(super) fn find(
        &mut self,
        rules: &'a [Arc<Rule>],
        field: &FieldId,
        matches: impl Fn(&Rule) -> bool,
        otherwise: Option<&Rule>,
        findings: &mut Vec<Finding>,
    ) -> Option<&'a Arc<Rule>> {
        let matching: Vec<&Arc<Rule>> = rules.iter().filter(|rule| matches(rule)).collect();
        match choose(&matching, otherwise) {
            Ok(None) => None,
            Ok(Some(rule)) => {
                self.ask(rule, &field.entity, findings);
                Some(rule)
            }
            Err((rule, message, help)) => {
                let site = Site::field(field).with_rule(&rule.name).with_span(Some(rule.span.clone()));
                findings.push(Finding::error("POL-031", site, message).help(help));
                None
            }
        }
    }

    /// Compiles the condition of a rule for an entity.
    pub(super) fn ask(&mut self, rule: &Rule, entity: &EntityId, findings: &mut Vec<Finding>) {
        let (Some(when), slot) = (&rule.when, (entity.clone(), rule.name.clone())) else { return };
        if self.asked.contains_key(&slot) {
            return;
        }
        let asked = match self.asked_of(rule, when, entity) {
            Ok(asked) => Some(asked),
            Err((code, message, help)) => {
                let site = Site::entity(entity).with_rule(&rule.name).with_span(Some(when.span.clone()));
                findings.push(Finding::error(code, site, message).help(help));
                None
            }
        };
        self.asked.insert(slot, asked);
    }

    fn asked_of(&self, rule: &Rule, when: &When, id: &EntityId) -> Result<Asked, (&'static str, String, String)> {
        let entity = |id: &EntityId| self.catalogs.iter().flat_map(|c| &c.entities).find(|entity| entity.id == *id);
        let compile = |entity: &Entity| {
            let compiled = Condition::new(&when.that, entity, &rule.name, &when.span);
            compiled.map(Arc::new).map_err(|(message, help)| ("POL-030", message, help))
        };
        let nowhere = |message: String, help: &str| Err(("POL-033", message, help.to_owned()));
        let on = match &when.on {
            Some(on) if on != id => on,
            _ => {
                let Some(entity) = entity(id) else {
                    return nowhere(format!("there is no entity {id}"), "mend its name");
                };
                return Ok(Asked::Own(compile(entity)?));
            }
        };
        let Some(parent) = entity(on) else {
            return nowhere(format!("there is no entity {on}"), "write `on: service/entity`, as the pipeline names it");
        };
        if !self.reached.contains(on) {
            return nowhere(
                format!("{on} is not read by this capture, so nobody can answer for its records"),
                "let a root or a relationship of the pipeline lead there, or ask the record itself",
            );
        }
        let leads = |r: &Relationship| r.child.entity == *id && r.parent.entity == *on;
        let mut edges = self.relationships.iter().enumerate().filter(|(_, relationship)| leads(relationship));
        let (Some((edge, relationship)), None) = (edges.next(), edges.next()) else {
            return nowhere(
                format!("not exactly one reference leads from {id} to {on} in one step"),
                "a condition is carried along one reference: ask an entity that the record refers to, by one field alone",
            );
        };
        Ok(Asked::Carried(Arc::new(Carried {
            rule: rule.name.clone(),
            span: when.span.clone(),
            edge,
            child: id.clone(),
            child_fields: relationship.child.fields.clone(),
            only: relationship.condition.clone(),
            parent: Arc::clone(parent),
            parent_fields: relationship.parent.fields.clone(),
            forms: relationship
                .child
                .fields
                .iter()
                .map(|field| domain_at(self.policy, &FieldId::new(&relationship.child.entity, field)).1)
                .collect(),
            condition: compile(parent)?,
            missing: when.missing,
        })))
    }

    /// The conditions that were found: by entity, and those that are asked of other entities' records.
    pub(super) fn finish(self) -> (ByEntity, Vec<Arc<Carried>>) {
        let mut by_entity = ByEntity::new();
        let mut carried = Vec::new();
        for ((entity, rule), asked) in self.asked {
            let Some(asked) = asked else { continue };
            if let Asked::Carried(one) = &asked {
                carried.push(Arc::clone(one));
            }
            by_entity.entry(entity).or_default().insert(rule, asked);
        }
        (by_entity, carried)
    }
}

/// A rule that can't stand under its condition, why, and the edit that mends it.
pub(crate) type Unfit<'a> = (&'a Arc<Rule>, String, String);

/// Of all rules that match, the one that decides under a condition; `otherwise` is the one that decides without.
pub(crate) fn choose<'a>(
    matching: &[&'a Arc<Rule>],
    otherwise: Option<&Rule>,
) -> Result<Option<&'a Arc<Rule>>, Unfit<'a>> {
    let beaten =
        |rule: &Rule| matching.iter().any(|other| other.when.is_none() && other.overrides.contains(&rule.name));
    let mut left = matching.iter().copied().filter(|rule| rule.when.is_some() && !beaten(rule));
    let Some(rule) = left.next() else { return Ok(None) };
    if let Some(other) = left.next() {
        return Err((
            rule,
            format!("rule `{}` decides this field under a condition, too, and both may be fulfilled", other.name),
            "write both conditions into one rule, or let them name different fields".to_owned(),
        ));
    }
    let Some(otherwise) = otherwise else {
        return Err((
            rule,
            "no rule decides this field for the records that do not fulfil the condition".to_owned(),
            format!("write a rule without a condition, and `overrides: [ ITS NAME ]` in `{}`", rule.name),
        ));
    };
    if !rule.overrides.contains(&otherwise.name) {
        return Err((
            rule,
            format!(
                "rule `{}` ({}) decides this field, and this rule does not override it",
                otherwise.name, otherwise.span
            ),
            format!("write `overrides: [{}]` in `{}`", otherwise.name, rule.name),
        ));
    }
    if rule.agrees(otherwise) {
        return Err((
            rule,
            format!("rule `{}` decides the same without a condition", otherwise.name),
            "take one of them out".to_owned(),
        ));
    }
    Ok(Some(rule))
}

/// Fields that hold records together take no condition.
pub(super) fn check_places(
    policy: &Policy,
    catalogs: &[ServiceCatalog],
    relationships: &[Relationship],
    reached: &BTreeSet<EntityId>,
    findings: &mut Vec<Finding>,
) {
    let mut tell = |rule: &Rule, field: &FieldId, what: &str| {
        let site = Site::field(field).with_rule(&rule.name).with_span(Some(rule.span.clone()));
        let message =
            format!("{what}, so one value must have one result in all records, and this rule has a condition");
        let finding = Finding::error("POL-032", site, message)
            .help("decide this field without a condition; put conditions on the fields that tell something of it");
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    };
    let conditional: Vec<&Arc<Rule>> = policy.rules.iter().filter(|rule| rule.when.is_some()).collect();
    for catalog in catalogs {
        for entity in catalog.entities.iter().filter(|entity| reached.contains(&entity.id)) {
            for field in entity.writable() {
                let id = FieldId::new(&entity.id, &FieldPath::column(&field.name));
                let what = match () {
                    () if entity.key.contains(&field.name) => "the field is of a key",
                    () if entity.uniques.iter().flatten().any(|name| *name == field.name) => "the field is unique",
                    () if catalog.kind == Kind::Kafka && field.name == "key" => "a message's key chooses its partition",
                    () => continue,
                };
                for rule in conditional.iter().filter(|rule| rule.on.iter().any(|(s, _)| s.matches_column(&id))) {
                    tell(rule, &id, what);
                }
            }
        }
    }
    let both = |r: &&Relationship| reached.contains(&r.child.entity) && reached.contains(&r.parent.entity);
    for relationship in relationships.iter().filter(both) {
        for end in [&relationship.child, &relationship.parent] {
            for path in &end.fields {
                let id = FieldId::new(&end.entity, path);
                let whole = FieldId::new(&end.entity, &FieldPath::column(&path.column));
                let names = |rule: &Rule| rule.on.iter().any(|(s, _)| s.matches(&id) || s.matches(&whole));
                for rule in conditional.iter().filter(|rule| names(rule)) {
                    tell(rule, &id, "the field is an end of a reference");
                }
            }
        }
    }
}
