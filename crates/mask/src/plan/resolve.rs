//! From rules to decisions: which rule decides a field, and the mask that all fields of a domain share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reenact_model::catalog::{Field, Relationship, Role};
use reenact_model::error::Severity;
use reenact_model::payload::Codec;
use reenact_model::{Class, Entity, EntityId, Error, FieldId, FieldPath, Finding, Path, Result, ServiceCatalog, Site};

use super::bound::checked;
use super::checks::{dead_rules, expired, profiles, quasi_identifiers};
use super::conditional::{Conditions, check_places};
use super::few::few_values;
use super::personal::kept_personal;
use super::subject::Subjects;
use super::{Action, Apply, ColumnPlan, Conditional, Decision, EntityPlan, Fulfils, LeafRule, Plan};
use crate::kernels::{Group, Guarantees, Mask, Shape};
use crate::policy::{Canonical, Does, Policy, Rule, Undecided};

/// A field with the rule that decides it, before masks are built.
pub(super) struct Match {
    pub(super) field: FieldId,
    pub(super) shape: Shape,
    /// About how many values the server has counted, where that tells of the field itself.
    pub(super) distinct: Option<u64>,
    rule: Arc<Rule>,
    /// The rule that decides instead under its condition.
    conditional: Option<Arc<Rule>>,
}

impl Match {
    /// The same field under the rule with a condition.
    fn fulfilled(&self) -> Option<Self> {
        let rule = Arc::clone(self.conditional.as_ref()?);
        let (field, shape) = (self.field.clone(), self.shape.clone());
        Some(Self { field, shape, distinct: self.distinct, rule, conditional: None })
    }
}

impl Plan {
    /// Resolves a policy against the catalogs of all services; `reached` are the entities that the capture may read.
    ///
    /// # Errors
    /// [`Class::Policy`] with every finding: uncovered fields, dead rules, rules that disagree, guarantees that do not hold.
    pub fn resolve(
        policy: &Policy,
        catalogs: &[ServiceCatalog],
        relationships: &[Relationship],
        reached: &BTreeSet<EntityId>,
    ) -> Result<Self> {
        let mut findings = Vec::new();
        let policy = &policy.typed(catalogs).partitioned(catalogs, &mut findings);
        dead_rules(policy, catalogs, &mut findings);
        expired(policy, &mut findings);
        profiles(policy, &mut findings);
        quasi_identifiers(policy, catalogs, &mut findings);
        check_places(policy, catalogs, relationships, reached, &mut findings);
        let mut resolver = Resolver {
            policy,
            findings,
            conditions: Conditions::new(policy, catalogs, relationships, reached),
            matches: Vec::new(),
            decisions: Vec::new(),
            plain: Vec::new(),
        };
        let mut containers = Vec::new();
        for entity in catalogs.iter().flat_map(|c| &c.entities).filter(|e| reached.contains(&e.id)) {
            for field in entity.writable() {
                let id = FieldId::new(&entity.id, &FieldPath::column(&field.name));
                if matches!(field.role, Role::Coordinate | Role::Relative) {
                    resolver.decisions.push(Decision::new(id, Action::Coordinate, None));
                    resolver.plain.push((entity.id.clone(), field.name.clone(), ColumnPlan::Keep { reference: false }));
                } else if let Some((codec, leaves)) = resolver.column(entity, &id) {
                    containers.push((id, codec, leaves, field.checks.clone()));
                }
            }
        }
        let mut subjects = Subjects::new(policy, catalogs, relationships);
        let (built, mut made) = resolver.build(&mut subjects);
        let mut entities: BTreeMap<EntityId, EntityPlan> = BTreeMap::new();
        let Resolver { mut findings, mut decisions, plain, matches, mut conditions, .. } = resolver;
        let mut put = |entity: &EntityId, column: &str, plan: ColumnPlan| {
            entities.entry(entity.clone()).or_default().columns.insert(column.to_owned(), plan);
        };
        for (entity, column, plan) in plain {
            put(&entity, &column, plan);
        }
        for (found, (otherwise, fulfilled)) in matches.iter().zip(built) {
            let Some(mut plan) = column_plan(&found.rule, otherwise) else { continue };
            if let (Some(rule), Some(fulfilled)) = (&found.conditional, fulfilled) {
                let Some(fulfilled) = column_plan(rule, fulfilled) else { continue };
                let (fulfilled, otherwise) = (Box::new(fulfilled), Box::new(plan));
                plan = ColumnPlan::Choice { rule: rule.name.clone(), fulfilled, otherwise };
            }
            decisions.push(decided(policy, found.field.clone(), &found.rule, found.conditional.as_deref()));
            if found.field.field.path.is_none() {
                put(&found.field.entity, &found.field.field.column, plan);
            }
        }
        for (id, codec, rules, checks) in containers {
            decisions.push(Decision::new(id.clone(), Action::Payload, None));
            if codec.known_paths().is_none() {
                // Only the data shows these paths; a rule that names one exactly says what will happen to it.
                for (rule, path) in named_paths(&rules, &id) {
                    let field = FieldId::new(&id.entity, &FieldPath::inner(&id.field.column, path.clone()));
                    let here = |rule: &Rule| names(rule, &id, &path);
                    let conditional = conditions.find(&policy.rules, &field, here, Some(rule), &mut findings);
                    decisions.push(decided(policy, field, rule, conditional.map(|rule| &**rule)));
                }
            }
            for rule in &rules {
                conditions.ask(rule, &id.entity, &mut findings);
            }
            let mut leaf = |rule| leaf_rule(policy, &rule, &id, &mut made, &mut subjects, &mut findings);
            let leaves: Vec<LeafRule> = rules.into_iter().filter_map(&mut leaf).collect();
            for leaf in &leaves {
                findings.extend(names_that_merge(leaf, &id));
                if let Some(apply) = &leaf.apply {
                    let site = Site::field(&id).with_rule(&leaf.rule.name).with_span(Some(leaf.rule.span.clone()));
                    findings.extend(checked(&checks, leaf.rule.accepts_check, apply.name, site));
                }
            }
            let plan = ColumnPlan::Payload { codec, leaves, undecided: policy.undecided };
            put(&id.entity, &id.field.column, plan);
        }
        let (asked, carried) = conditions.finish();
        for (entity, conditions) in asked {
            entities.entry(entity).or_default().conditions = conditions;
        }
        decisions.sort_by(|a, b| a.field.cmp(&b.field));
        let plan = Self { decisions, entities, carried, warnings: Vec::new(), policy_digest: policy.digest.clone() };
        plan.check_drawn(policy, &mut findings);
        plan.check_keys(policy, catalogs, relationships, reached, &mut findings);
        let read = catalogs.iter().flat_map(|c| &c.entities).filter(|e| reached.contains(&e.id));
        findings.extend(kept_personal(policy, &plan.decisions, read, relationships));
        if let Some(error) = Error::from_findings(Class::Policy, "the policy stops this capture", &findings) {
            return Err(error);
        }
        findings.retain(|f| f.severity < Severity::Error);
        Ok(Self { warnings: findings, ..plan })
    }
}

/// Names of members must stay different, or one member takes another's place.
fn names_that_merge(leaf: &LeafRule, container: &FieldId) -> Option<Finding> {
    let (selector, span) = leaf.selectors.iter().find(|(selector, _)| selector.selects_names())?;
    if leaf.apply.as_ref().is_some_and(|apply| apply.mask.guarantees() == Guarantees::PSEUDONYM) {
        return None;
    }
    let site = Site::field(container).with_rule(&leaf.rule.name).with_span(Some(span.clone()));
    let message = format!("`{}` selects names of members, and the rule can't keep them different", selector.text());
    Some(Finding::error("POL-036", site, message).help(
        "use a mask that is injective: `integer`, `uuid`, `token`, `email` or `digits`; names that no rule selects stay as they are",
    ))
}

/// What becomes of a column; none where a finding says why not.
fn column_plan(rule: &Rule, built: Built) -> Option<ColumnPlan> {
    match built {
        Built::Failed => None,
        Built::Kept => Some(ColumnPlan::Keep { reference: rule.is_reference() }),
        Built::Masked(apply) => Some(ColumnPlan::Apply(*apply)),
    }
}

fn decided(policy: &Policy, field: FieldId, rule: &Rule, conditional: Option<&Rule>) -> Decision {
    let when = conditional.and_then(|rule| {
        let condition = Fulfils::of(rule.when.as_ref()?);
        Some(Box::new(Conditional { condition, action: action(policy, rule), rule: rule.name.clone() }))
    });
    Decision { field, action: action(policy, rule), rule: Some(rule.name.clone()), when }
}

pub(super) fn action(policy: &Policy, rule: &Rule) -> Action {
    match &rule.does {
        Does::Keep(keep) => Action::Keep(keep.clone()),
        _ => Action::Mask {
            mask: mask_of(policy, rule).map_or(String::new(), |(mask, _)| mask.spec.name.to_owned()),
            domain: domain_of(rule),
        },
    }
}

/// The paths that rules name exactly in a payload, each with the rule that decides it.
fn named_paths<'a>(rules: &'a [Arc<Rule>], id: &FieldId) -> Vec<(&'a Rule, Path)> {
    let mut out: Vec<(&Rule, Path)> = Vec::new();
    for rule in rules {
        for (selector, _) in rule.on.iter().filter(|(s, _)| s.is_exact() && s.matches_column(id)) {
            let Some(path) = selector.path() else { continue };
            let decided = decide(rules.iter(), |rule| names(rule, id, &path));
            if decided.is_ok_and(|found| found.is_some_and(|found| found.name == rule.name)) {
                out.push((rule, path));
            }
        }
    }
    out
}

/// Whether a rule names a path in this payload, by a selector that leads into it and not into another one.
pub(super) fn names(rule: &Rule, container: &FieldId, path: &Path) -> bool {
    rule.on.iter().any(|(s, _)| s.matches_column(container) && s.matches_path(path))
}

/// The rule that decides, if any; or two that disagree.
pub(crate) type Decided<'a> = std::result::Result<Option<&'a Arc<Rule>>, (&'a Arc<Rule>, &'a Arc<Rule>)>;

/// The one rule that decides among those that match, where no condition is fulfilled; `Err` gives two that disagree.
pub(crate) fn decide<'a>(rules: impl Iterator<Item = &'a Arc<Rule>>, matches: impl Fn(&Rule) -> bool) -> Decided<'a> {
    let found: Vec<&Arc<Rule>> = rules.filter(|rule| rule.when.is_none() && matches(rule)).collect();
    let beaten = |rule: &Rule| found.iter().any(|other| other.overrides.contains(&rule.name));
    let left: Vec<&Arc<Rule>> = found.iter().copied().filter(|rule| !beaten(rule)).collect();
    match left.split_first() {
        None => Ok(None),
        Some((first, rest)) => match rest.iter().find(|other| !other.agrees(first)) {
            Some(other) => Err((first, other)),
            None => Ok(Some(first)),
        },
    }
}

/// What became of a field's rule.
enum Built {
    /// A finding says why not.
    Failed,
    /// The value is kept.
    Kept,
    /// The value is masked.
    Masked(Box<Apply>),
}

/// The masks that were built, by domain; `None` where an argument is wrong.
type Made = BTreeMap<String, Option<Arc<dyn Mask>>>;

struct Resolver<'a> {
    policy: &'a Policy,
    findings: Vec<Finding>,
    conditions: Conditions<'a>,
    matches: Vec<Match>,
    decisions: Vec<Decision>,
    plain: Vec<(EntityId, String, ColumnPlan)>,
}

impl Resolver<'_> {
    /// Finds the decision of a column; a payload that rules lead into is returned with those rules.
    fn column(&mut self, entity: &Entity, id: &FieldId) -> Option<(Codec, Vec<Arc<Rule>>)> {
        let field = entity.field(&id.field.column)?;
        let inner: Vec<Arc<Rule>> = self
            .policy
            .rules
            .iter()
            .filter(|rule| rule.on.iter().any(|(s, _)| s.has_path() && s.matches_column(id)))
            .cloned()
            .collect();
        let whole = self.decide(id);
        match (&field.codec, whole, inner.is_empty()) {
            (_, Some(rule), true) | (None, Some(rule), false) => {
                // How many values a reference has is how many records it refers to.
                let counted = field.distinct.filter(|_| !self.conditions.is_end(id));
                self.matched(id.clone(), Shape::of(field), counted, rule);
                None
            }
            (Some(_), Some(rule), false) => {
                let site = Site::field(id).with_rule(&rule.name).with_span(Some(rule.span.clone()));
                let message =
                    format!("rule `{}` decides what is inside this payload, and this rule the whole", inner[0].name);
                self.findings.push(Finding::error("POL-003", site, message).help("keep one of them"));
                None
            }
            (Some(codec), None, inside) => {
                let known = codec.known_paths();
                if inside && known.is_none() {
                    self.uncovered(
                        id,
                        Some(field),
                        "write a rule for the whole payload, or for its paths, such as `:$..name`",
                    );
                    return None;
                }
                for path in known.unwrap_or_default() {
                    let leaf = FieldId::new(&id.entity, &FieldPath::inner(&id.field.column, path));
                    if let Some(rule) = self.decide(&leaf) {
                        self.matched(leaf, Shape::leaf(), None, rule);
                    } else {
                        self.conditional(&leaf, None);
                        self.uncovered(&leaf, None, "name it in a rule, or write `undecided: redact`");
                    }
                }
                self.conditional(id, None);
                Some((codec.clone(), inner))
            }
            (None, None, _) => {
                self.conditional(id, None);
                self.uncovered(
                    id,
                    Some(field),
                    "name it in a rule with a `domain`, a `mask` or a `keep`, or write `undecided: redact`",
                );
                None
            }
        }
    }

    /// Takes a field in with the rule that decides it, and with the one that decides it under a condition.
    fn matched(&mut self, field: FieldId, shape: Shape, distinct: Option<u64>, rule: Arc<Rule>) {
        let conditional = self.conditional(&field, Some(&rule));
        self.matches.push(Match { field, shape, distinct, rule, conditional });
    }

    fn conditional(&mut self, id: &FieldId, otherwise: Option<&Rule>) -> Option<Arc<Rule>> {
        let matches = |rule: &Rule| rule.on.iter().any(|(s, _)| s.matches(id));
        self.conditions.find(&self.policy.rules, id, matches, otherwise, &mut self.findings).cloned()
    }

    fn decide(&mut self, id: &FieldId) -> Option<Arc<Rule>> {
        match decide(self.policy.rules.iter(), |rule| rule.on.iter().any(|(s, _)| s.matches(id))) {
            Ok(rule) => rule.cloned(),
            Err((a, b)) => {
                let site = Site::field(id).with_rule(&a.name).with_span(Some(a.span.clone()));
                let message = format!("rule `{}` ({}) decides this field otherwise", b.name, b.span);
                let help = format!("write `overrides: [{}]` in the rule that should win", b.name);
                self.findings.push(Finding::error("POL-003", site, message).help(help));
                None
            }
        }
    }

    fn uncovered(&mut self, id: &FieldId, field: Option<&Field>, help: &str) {
        // A disagreement about this very field was told already.
        if self.findings.iter().any(|f| f.code == "POL-003" && f.site.field.as_deref() == Some(&id.field.to_string())) {
            return;
        }
        match self.policy.undecided {
            Undecided::Refuse => {
                self.findings.push(Finding::error("POL-001", Site::field(id), "no rule decides this field").help(help));
            }
            Undecided::Redact => {
                self.decisions.push(Decision::new(id.clone(), Action::Redact, None));
                if let Some(field) = field {
                    let apply = redaction(Shape::of(field));
                    self.findings.extend(checked(&field.checks, false, apply.name, Site::field(id)));
                    if let Err(why) = apply.mask.fits(&apply.shape) {
                        let message = format!("no rule decides this field, and it can't be redacted: {why}");
                        self.findings.push(Finding::error("POL-009", Site::field(id), message).help(help));
                    }
                    self.plain.push((id.entity.clone(), id.field.column.clone(), ColumnPlan::Apply(apply)));
                }
            }
        }
    }

    /// Builds one mask for all fields that share it: what becomes of each field, and of the records that fulfil a condition.
    fn build(&mut self, subjects: &mut Subjects<'_>) -> (Vec<(Built, Option<Built>)>, Made) {
        let matches = std::mem::take(&mut self.matches);
        let mut shared: BTreeMap<String, Vec<Shape>> = BTreeMap::new();
        for found in &matches {
            for rule in std::iter::once(&found.rule).chain(&found.conditional) {
                shared.entry(domain_of(rule)).or_default().push(found.shape.clone());
            }
        }
        let mut made = Made::new();
        let mut out = Vec::with_capacity(matches.len());
        for found in &matches {
            let otherwise = self.built(found, &shared, &mut made, subjects);
            let fulfilled = found.fulfilled().map(|found| self.built(&found, &shared, &mut made, subjects));
            out.push((otherwise, fulfilled));
        }
        self.matches = matches;
        (out, made)
    }

    fn built(
        &mut self,
        found: &Match,
        shared: &BTreeMap<String, Vec<Shape>>,
        made: &mut Made,
        subjects: &mut Subjects<'_>,
    ) -> Built {
        let Some((mask_use, canonical)) = mask_of(self.policy, &found.rule) else {
            return if matches!(found.rule.does, Does::Keep(_)) { Built::Kept } else { Built::Failed };
        };
        let domain = domain_of(&found.rule);
        let site = || Site::field(&found.field).with_rule(&found.rule.name).with_span(Some(found.rule.span.clone()));
        let mask = made.entry(domain.clone()).or_insert_with(|| {
            match (mask_use.spec.build)(&mask_use.args, shared.get(&domain).map_or(&[], Vec::as_slice)) {
                Ok(mask) => Some(mask),
                Err(message) => {
                    let site = Site { span: Some(mask_use.span.clone()), ..site() };
                    let message = format!("mask `{}`: {message}", mask_use.spec.name);
                    self.findings.push(Finding::error("POL-006", site, message));
                    None
                }
            }
        });
        let Some(mask) = mask else {
            return Built::Failed;
        };
        let fits = found.shape.takes_whole(mask_use.spec.name).and_then(|()| mask.fits(&found.shape));
        if let Err(why) = fits {
            let message = format!("mask `{}` does not fit: {why}", mask_use.spec.name);
            self.findings.push(Finding::error("POL-009", site(), message).help("choose another mask for this field"));
            return Built::Failed;
        }
        if !found.rule.accepts_few {
            self.findings.extend(few_values(mask_use.spec, found, site()));
        }
        let bound = checked(&found.shape.checks, found.rule.accepts_check, mask_use.spec.name, site());
        self.findings.extend(bound);
        let subject = match subjects.find(&found.rule, (&**mask, mask_use.spec.name), &found.field) {
            Ok(subject) => subject,
            Err(finding) => {
                self.findings.push(*finding);
                return Built::Failed;
            }
        };
        Built::Masked(Box::new(Apply {
            mask: Arc::clone(mask),
            domain,
            subject,
            canonical,
            shape: found.shape.clone(),
            name: mask_use.spec.name,
            group: mask_use.spec.group,
            rule: Some((found.rule.name.clone(), found.rule.span.clone())),
        }))
    }
}

/// What `undecided: redact` does.
pub(crate) fn redaction(shape: Shape) -> Apply {
    Apply {
        mask: Arc::new(crate::kernels::redact_mask()),
        domain: "undecided".to_owned(),
        canonical: Canonical::Text,
        shape,
        name: "redact",
        group: Group::Plain,
        subject: None,
        rule: None,
    }
}

pub(super) fn domain_of(rule: &Rule) -> String {
    match &rule.does {
        Does::Domain(domain) => domain.clone(),
        _ => format!("rule:{}", rule.name),
    }
}

/// The mask that a rule chooses, and when two values are equal to it.
pub(crate) fn mask_of<'a>(policy: &'a Policy, rule: &'a Rule) -> Option<(&'a crate::policy::MaskUse, Canonical)> {
    match &rule.does {
        Does::Domain(name) => policy.domains.get(name).map(|d| (&d.mask, d.canonical)),
        Does::Mask(mask) => Some((mask, Canonical::Text)),
        Does::Keep(_) => None,
    }
}

/// A rule for leaves; fields of one domain share the mask that was built for all of them.
fn leaf_rule(
    policy: &Policy,
    rule: &Arc<Rule>,
    at: &FieldId,
    made: &mut Made,
    subjects: &mut Subjects<'_>,
    findings: &mut Vec<Finding>,
) -> Option<LeafRule> {
    let Some((mask_use, canonical)) = mask_of(policy, rule) else {
        return matches!(rule.does, Does::Keep(_)).then(|| LeafRule::new(rule, at, None));
    };
    let domain = domain_of(rule);
    let mask = match made.get(&domain) {
        Some(mask) => mask.clone()?,
        None => match (mask_use.spec.build)(&mask_use.args, &[Shape::leaf()]) {
            // Shared from here on: a mask that draws at random must be one for all fields of its domain.
            Ok(mask) => made.entry(domain.clone()).or_insert(Some(mask)).clone()?,
            Err(message) => {
                let site = Site::default().with_rule(&rule.name).with_span(Some(mask_use.span.clone()));
                findings.push(Finding::error("POL-006", site, format!("mask `{}`: {message}", mask_use.spec.name)));
                return None;
            }
        },
    };
    let subject = match subjects.find(rule, (&*mask, mask_use.spec.name), at) {
        Ok(subject) => subject,
        Err(finding) => {
            // A leaf that the schema tells of has said so already.
            if !findings.iter().any(|f| f.code == finding.code && f.site.span == finding.site.span) {
                findings.push(*finding);
            }
            return None;
        }
    };
    let apply = Apply {
        mask,
        domain,
        subject,
        canonical,
        shape: Shape::leaf(),
        name: mask_use.spec.name,
        group: mask_use.spec.group,
        rule: Some((rule.name.clone(), rule.span.clone())),
    };
    Some(LeafRule::new(rule, at, Some(apply)))
}
