//! What is checked before a row is read: dead rules, expired `keep`s, keys, unique fields and references.

use std::collections::BTreeSet;
use std::sync::Arc;

use reenact_model::catalog::{Relationship, Role};
use reenact_model::error::Severity;
use reenact_model::{Entity, EntityId, FieldId, FieldPath, Finding, Path, ServiceCatalog, Site, Span, ValueType};

use super::resolve::{action, decide, domain_of};
use super::{Action, ColumnPlan, Decision, Plan};
use crate::kernels::Guarantees;
use crate::policy::{Canonical, Does, Keep, Policy};

impl Plan {
    /// The action that decides a column or a leaf.
    fn action(&self, policy: &Policy, field: &FieldId) -> Option<Action> {
        if let Some(found) = self.decision(field).filter(|d| d.action != Action::Payload) {
            return Some(found.action.clone());
        }
        // A leaf that only the data shows is decided by the rules of its container.
        let path = field.field.path.as_ref()?;
        let plan = self.entities.get(&field.entity)?.columns.get(&field.field.column)?;
        let ColumnPlan::Payload { leaves, .. } = plan else { return None };
        decide(leaves.iter().filter(|leaf| leaf.names(path)).map(|leaf| &leaf.rule), |_| true)
            .ok()
            .flatten()
            .and_then(|rule| leaves.iter().find(|l| l.rule.name == rule.name))
            .map(|leaf| action(policy, &leaf.rule))
    }

    /// What is drawn at random is known to the agent that drew it and to no other, so a domain of such a mask has one service.
    pub(super) fn check_drawn(&self, policy: &Policy, findings: &mut Vec<Finding>) {
        for (name, domain) in policy.domains.iter().filter(|(_, domain)| !domain.mask.spec.facts.deterministic) {
            let is = |action: &Action| matches!(action, Action::Mask { domain, .. } if domain == name);
            let of = |d: &&Decision| is(&d.action) || d.when.as_ref().is_some_and(|when| is(&when.action));
            let mut services: Vec<&Decision> = self.decisions.iter().filter(of).collect();
            services.dedup_by(|a, b| a.field.entity.service == b.field.entity.service);
            if let [first, second, ..] = services.as_slice() {
                let mask = domain.mask.spec.name;
                let message = format!(
                    "mask `{mask}` draws at random, and the domain `{name}` also has {}: one value would get two codes",
                    first.field
                );
                let site = Site { rule: second.rule.clone(), ..Site::field(&second.field) };
                findings.push(
                    Finding::error("POL-025", site.with_span(Some(domain.mask.span.clone())), message).help(
                        "give each service a domain of its own if nothing joins them, or use a mask that is computed, such as `token`",
                    ),
                );
            }
        }
    }

    /// Keys, unique fields and references need masks that keep them what they are.
    pub(super) fn check_keys(
        &self,
        policy: &Policy,
        catalogs: &[ServiceCatalog],
        relationships: &[Relationship],
        reached: &BTreeSet<EntityId>,
        findings: &mut Vec<Finding>,
    ) {
        let mut told = BTreeSet::new();
        for entity in catalogs.iter().flat_map(|c| &c.entities).filter(|e| reached.contains(&e.id)) {
            for unique in std::iter::once(&entity.key).chain(&entity.uniques) {
                self.check_merging(policy, entity, unique, findings);
                let Some(column) = unique.iter().find(|column| !self.keeps_apart(entity, column)) else { continue };
                if told.insert((entity.id.clone(), unique.clone())) {
                    let field = FieldPath::column(column);
                    let id = FieldId::new(&entity.id, &field);
                    // That nothing decides it is a finding of its own, and the only one to mend.
                    if findings.iter().any(|f| f.code == "POL-001" && f.site.same_place(&Site::field(&id))) {
                        continue;
                    }
                    let rule = self.decision(&id).and_then(|d| d.rule.clone());
                    let site = Site { rule: rule.clone(), span: span_of(policy, rule.as_deref()), ..Site::field(&id) };
                    let what = if unique == &entity.key { "a key" } else { "unique" };
                    findings.push(
                        Finding::error(
                            "POL-011",
                            site,
                            format!("the mask can't keep `{}` {what}", unique.join("`, `")),
                        )
                        .help("use a mask that is injective: `integer`, `uuid`, `token`, `email` or `digits`"),
                    );
                }
            }
        }
        for relationship in relationships {
            let both = reached.contains(&relationship.child.entity) && reached.contains(&relationship.parent.entity);
            if both {
                self.check_reference(policy, relationship, findings);
            }
        }
    }

    /// A canonical form makes values equal, so two values of a unique field may become one.
    fn check_merging(&self, policy: &Policy, entity: &Entity, unique: &[String], findings: &mut Vec<Finding>) {
        for column in unique {
            let plan = self.entities.get(&entity.id).and_then(|e| e.columns.get(column));
            let Some(ColumnPlan::Apply(apply)) = plan else { continue };
            let merges = apply.canonical != Canonical::Text && apply.shape.value == ValueType::Text;
            // Its own type may call them equal already.
            if !merges || entity.field(column).is_some_and(|field| field.collation.is_some()) {
                continue;
            }
            let id = FieldId::new(&entity.id, &FieldPath::column(column));
            let rule = self.decision(&id).and_then(|d| d.rule.clone());
            let site = Site { rule: rule.clone(), span: span_of(policy, rule.as_deref()), ..Site::field(&id) };
            let message = format!(
                "`{}` is unique, and the domain `{}` makes texts equal that the field tells apart: two records may become one",
                unique.join("`, `"),
                apply.domain
            );
            let finding = Finding::warning("POL-029", site, message)
                .help("leave `canonical` out if the field holds each value in one spelling; the replay would tell of a duplicate");
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
    }

    fn keeps_apart(&self, entity: &Entity, column: &str) -> bool {
        match self.entities.get(&entity.id).and_then(|e| e.columns.get(column)) {
            // Two results for one value are told by `check_places`.
            Some(ColumnPlan::Keep { .. } | ColumnPlan::Choice { .. }) => true,
            Some(ColumnPlan::Apply(apply)) => apply.mask.guarantees() == Guarantees::PSEUDONYM,
            Some(ColumnPlan::Payload { leaves, .. }) => {
                leaves.iter().all(|l| l.apply.as_ref().is_none_or(|a| a.mask.guarantees() == Guarantees::PSEUDONYM))
            }
            // Generated by the server out of fields that are checked themselves.
            None => entity.field(column).is_some_and(|f| f.role == Role::Generated),
        }
    }

    fn check_reference(&self, policy: &Policy, relationship: &Relationship, findings: &mut Vec<Finding>) {
        for (child, parent) in relationship.child.fields.iter().zip(&relationship.parent.fields) {
            let child = FieldId::new(&relationship.child.entity, child);
            let parent = FieldId::new(&relationship.parent.entity, parent);
            let same = match (self.action(policy, &child), self.action(policy, &parent)) {
                (Some(Action::Mask { mask: a, domain: x }), Some(Action::Mask { mask: b, domain: y })) => {
                    // What is drawn at random is known to the agent that drew it, and to no other.
                    let shared = child.entity.service == parent.entity.service
                        || crate::kernels::find(&a).is_some_and(|spec| spec.facts.deterministic);
                    // A result that depends on the subject is no function of the value alone.
                    let by_subject = policy.rules.iter().any(|r| r.subject.is_some() && domain_of(r) == x);
                    if x == y && a == b && shared && !by_subject {
                        continue;
                    }
                    false
                }
                (Some(a), Some(b)) => {
                    matches!(a, Action::Keep(_) | Action::Coordinate)
                        && matches!(b, Action::Keep(_) | Action::Coordinate)
                }
                // One end has no decision: that is a finding of its own.
                _ => continue,
            };
            if !same {
                let rule =
                    |field: &FieldId| self.decisions.iter().find(|d| d.field == *field).and_then(|d| d.rule.clone());
                let (a, b) = (rule(&child), rule(&parent));
                let site = Site { rule: a.clone(), span: span_of(policy, a.as_deref()), ..Site::field(&child) };
                let other = b.map_or(String::new(), |b| format!(" (rule `{b}`)"));
                findings.push(
                    Finding::error(
                        "POL-010",
                        site,
                        format!("it refers to {parent}{other}, which is decided otherwise, so they would part"),
                    )
                    .help("put both ends into one domain, or keep both"),
                );
            }
        }
    }
}

fn span_of(policy: &Policy, rule: Option<&str>) -> Option<Span> {
    rule.and_then(|name| policy.rules.iter().find(|r| r.name == name)).map(|r| r.span.clone())
}

/// Selectors that match nothing: an error on what the catalog tells, a warning inside payloads that only data shows.
pub(super) fn dead_rules(policy: &Policy, catalogs: &[ServiceCatalog], findings: &mut Vec<Finding>) {
    let entities: Vec<&Arc<Entity>> = catalogs.iter().flat_map(|c| &c.entities).collect();
    for rule in &policy.rules {
        for (selector, span) in &rule.on {
            let mut alive = false;
            let mut maybe = false;
            for entity in &entities {
                for field in entity.writable() {
                    let id = FieldId::new(&entity.id, &FieldPath::column(&field.name));
                    if !selector.matches_column(&id) {
                        continue;
                    }
                    match (&field.codec, selector.has_path()) {
                        (_, false) => alive = true,
                        (None, true) => {}
                        (Some(codec), true) => match codec.known_paths() {
                            Some(paths) => alive |= paths.iter().any(|p: &Path| selector.matches_path(p)),
                            None => maybe = true,
                        },
                    }
                }
            }
            let site = || Site::default().with_rule(&rule.name).with_span(Some(span.clone()));
            // Types that no field has are left in the rule.
            if !rule.types.is_empty() {
                let message = format!("`{}` names no field of type {}", selector.text(), rule.types.join(", "));
                findings.push(Finding::error("POL-002", site(), message).help("mend the type, or take the rule out"));
            } else if !alive && !maybe {
                let message = format!("`{}` matches no field of any service", selector.text());
                findings
                    .push(Finding::error("POL-002", site(), message).help("mend the name, or take the selector out"));
            }
        }
    }
}

/// Sets of quasi-identifiers are of columns that there are.
pub(super) fn quasi_identifiers(policy: &Policy, catalogs: &[ServiceCatalog], findings: &mut Vec<Finding>) {
    let entities: Vec<&Arc<Entity>> = catalogs.iter().flat_map(|c| &c.entities).collect();
    for (field, span) in policy.quasi_identifiers.iter().flatten() {
        let known = entities.iter().any(|e| e.id == field.entity && e.field(&field.field.column).is_some());
        if !known {
            let message = format!("{field} is no column of any service, so nothing can be measured of it");
            let finding = Finding::error("POL-038", Site::default().with_span(Some(span.clone())), message);
            findings.push(finding.help("mend the name, or take the set out"));
        }
    }
}

/// What a profile is, told wherever one is applied.
pub(super) fn profiles(policy: &Policy, findings: &mut Vec<Finding>) {
    for (name, span) in &policy.profiles {
        let message =
            format!("the profile `{name}` applies its rules to the classes of this policy; it certifies no compliance");
        let site = Site::default().with_span(Some(span.clone()));
        findings.push(Finding { severity: Severity::Note, ..Finding::warning("POL-026", site, message) });
    }
}

pub(super) fn expired(policy: &Policy, findings: &mut Vec<Finding>) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs() / 86_400);
    for rule in &policy.rules {
        if let Does::Keep(Keep { expires: Some(date), .. }) = &rule.does
            && reenact_model::canonical::parse_date(date)
                .is_some_and(|day| i64::from(day) < i64::try_from(now).unwrap_or(0))
        {
            let site = Site::default().with_rule(&rule.name).with_span(Some(rule.span.clone()));
            findings.push(
                Finding::error("POL-013", site, format!("this `keep` expired on {date}"))
                    .help("decide again, and set a new `expires`"),
            );
        }
    }
}
