//! A plan: a policy resolved against a catalog, with exactly one decision for every field.
//!
//! Hidden here: how rules become decisions, and which promises are checked before a row is read: coverage, dead rules,
//! rules that disagree, keys and unique fields, both ends of a relationship in one domain, results that fit. A plan holds no
//! secret; keys join it in [`Plan::masker`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reenact_model::catalog::{Field, Relationship, Role};
use reenact_model::error::Severity;
use reenact_model::payload::Codec;
use reenact_model::{
    Class, Entity, EntityId, Error, FieldId, FieldPath, Finding, Path, Result, ServiceCatalog, Site, Span,
};
use serde::{Deserialize, Serialize};

use crate::domain::ScopeKeys;
use crate::kernels::{Group, Guarantees, Mask, Shape};
use crate::masker::Masker;
use crate::policy::{Canonical, Does, Keep, Policy, Rule, Undecided};

/// What happens to one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The field.
    pub field: FieldId,
    /// What is done.
    pub action: Action,
    /// The rule that decided; none for coordinates and for what `undecided: redact` redacts.
    pub rule: Option<String>,
}

/// What is done with a field's values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Masked; fields of one domain share their pseudonyms.
    Mask {
        /// The mask's name.
        mask: String,
        /// The domain whose key is used: the policy's, or the rule's own (`rule:name`).
        domain: String,
    },
    /// Kept as it is.
    Keep(Keep),
    /// Replaced by a placeholder, because no rule names it.
    Redact,
    /// A coordinate of the store, kept: partition, offset, timestamp, type, expiry.
    Coordinate,
    /// Taken apart; its leaves have decisions of their own.
    Payload,
}

/// The plan for all services of a capture.
#[derive(Clone, Debug)]
pub struct Plan {
    decisions: Vec<Decision>,
    entities: BTreeMap<EntityId, EntityPlan>,
    warnings: Vec<Finding>,
    policy_digest: String,
}

/// What happens to the columns of one entity.
#[derive(Clone, Debug)]
pub(crate) struct EntityPlan {
    pub(crate) columns: BTreeMap<String, ColumnPlan>,
}

#[derive(Clone, Debug)]
pub(crate) enum ColumnPlan {
    /// Kept; `reference` data is not searched for what is masked elsewhere.
    Keep {
        reference: bool,
    },
    Apply(Apply),
    Payload {
        codec: Codec,
        leaves: Vec<LeafRule>,
        undecided: Undecided,
    },
}

/// A mask under a domain's key.
#[derive(Clone, Debug)]
pub(crate) struct Apply {
    pub(crate) mask: Arc<dyn Mask>,
    pub(crate) domain: String,
    pub(crate) canonical: Canonical,
    pub(crate) shape: Shape,
    /// The mask's name in a policy.
    pub(crate) name: &'static str,
    /// What the mask is for.
    pub(crate) group: Group,
    /// The rule that chose it, for messages.
    pub(crate) rule: Option<(String, Span)>,
}

/// What a rule does to the leaves that its selectors name.
#[derive(Clone, Debug)]
pub(crate) struct LeafRule {
    pub(crate) rule: Arc<Rule>,
    /// `None` keeps.
    pub(crate) apply: Option<Apply>,
}

/// A field with the rule that decides it, before masks are built.
struct Match {
    field: FieldId,
    shape: Shape,
    rule: Arc<Rule>,
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
        dead_rules(policy, catalogs, &mut findings);
        expired(policy, &mut findings);
        let mut resolver = Resolver { policy, findings, matches: Vec::new(), decisions: Vec::new(), plain: Vec::new() };
        let mut containers = Vec::new();
        for entity in catalogs.iter().flat_map(|c| &c.entities).filter(|e| reached.contains(&e.id)) {
            for field in entity.writable() {
                let id = FieldId::new(&entity.id, &FieldPath::column(&field.name));
                if matches!(field.role, Role::Coordinate | Role::Relative) {
                    resolver.decisions.push(Decision { field: id, action: Action::Coordinate, rule: None });
                    resolver.plain.push((entity.id.clone(), field.name.clone(), ColumnPlan::Keep { reference: false }));
                } else if let Some((codec, leaves)) = resolver.column(entity, &id) {
                    containers.push((id, codec, leaves));
                }
            }
        }
        let (built, made) = resolver.build();
        let mut entities: BTreeMap<EntityId, EntityPlan> = BTreeMap::new();
        let Resolver { mut findings, mut decisions, plain, matches, .. } = resolver;
        let mut put = |entity: &EntityId, column: &str, plan: ColumnPlan| {
            let entity = entities.entry(entity.clone()).or_insert_with(|| EntityPlan { columns: BTreeMap::new() });
            entity.columns.insert(column.to_owned(), plan);
        };
        for (entity, column, plan) in plain {
            put(&entity, &column, plan);
        }
        for (found, built) in matches.iter().zip(built) {
            let plan = match built {
                Built::Failed => continue,
                Built::Kept => ColumnPlan::Keep { reference: found.rule.is_reference() },
                Built::Masked(apply) => ColumnPlan::Apply(*apply),
            };
            decisions.push(Decision {
                field: found.field.clone(),
                action: action(policy, &found.rule),
                rule: Some(found.rule.name.clone()),
            });
            if found.field.field.path.is_none() {
                put(&found.field.entity, &found.field.field.column, plan);
            }
        }
        for (id, codec, rules) in containers {
            decisions.push(Decision { field: id.clone(), action: Action::Payload, rule: None });
            if codec.known_paths().is_none() {
                // Only the data shows these paths; a rule that names one exactly says what will happen to it.
                for (rule, path) in named_paths(&rules, &id) {
                    let field = FieldId::new(&id.entity, &FieldPath::inner(&id.field.column, path));
                    decisions.push(Decision { field, action: action(policy, rule), rule: Some(rule.name.clone()) });
                }
            }
            let leaves = rules.into_iter().filter_map(|rule| leaf_rule(policy, &rule, &made, &mut findings)).collect();
            let plan = ColumnPlan::Payload { codec, leaves, undecided: policy.undecided };
            put(&id.entity, &id.field.column, plan);
        }
        decisions.sort_by(|a, b| a.field.cmp(&b.field));
        let plan = Self { decisions, entities, warnings: Vec::new(), policy_digest: policy.digest.clone() };
        plan.check_keys(policy, catalogs, relationships, reached, &mut findings);
        if let Some(error) = Error::from_findings(Class::Policy, "the policy stops this capture", &findings) {
            return Err(error);
        }
        findings.retain(|f| f.severity < Severity::Error);
        Ok(Self { warnings: findings, ..plan })
    }

    /// Every field's decision, by field.
    pub fn decisions(&self) -> &[Decision] {
        &self.decisions
    }

    /// The decision on a field; decisions are in the order of fields.
    fn decision(&self, field: &FieldId) -> Option<&Decision> {
        self.decisions.binary_search_by(|d| d.field.cmp(field)).ok().map(|at| &self.decisions[at])
    }

    /// What is worth knowing and stops nothing.
    pub fn warnings(&self) -> &[Finding] {
        &self.warnings
    }

    /// SHA-256 of the policy's text.
    pub fn policy_digest(&self) -> &str {
        &self.policy_digest
    }

    /// Joins the plan with the keys of a scope.
    pub fn masker(&self, keys: &ScopeKeys) -> Masker {
        Masker::new(self.entities.clone(), keys)
    }

    /// The action that decides a column or a leaf.
    fn action(&self, policy: &Policy, field: &FieldId) -> Option<Action> {
        if let Some(found) = self.decision(field).filter(|d| d.action != Action::Payload) {
            return Some(found.action.clone());
        }
        // A leaf that only the data shows is decided by the rules of its container.
        let path = field.field.path.as_ref()?;
        let plan = self.entities.get(&field.entity)?.columns.get(&field.field.column)?;
        let ColumnPlan::Payload { leaves, .. } = plan else { return None };
        decide(leaves.iter().map(|l| &l.rule), |rule| rule.on.iter().any(|(s, _)| s.matches_path(path)))
            .ok()
            .flatten()
            .and_then(|rule| leaves.iter().find(|l| l.rule.name == rule.name))
            .map(|leaf| action(policy, &leaf.rule))
    }

    /// Keys, unique fields and references need masks that keep them what they are.
    fn check_keys(
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

    fn keeps_apart(&self, entity: &Entity, column: &str) -> bool {
        match self.entities.get(&entity.id).and_then(|e| e.columns.get(column)) {
            Some(ColumnPlan::Keep { .. }) => true,
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
                    if x == y && a == b && shared {
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

fn span_of(policy: &Policy, rule: Option<&str>) -> Option<reenact_model::Span> {
    rule.and_then(|name| policy.rules.iter().find(|r| r.name == name)).map(|r| r.span.clone())
}

fn action(policy: &Policy, rule: &Rule) -> Action {
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
            let decided = decide(rules.iter(), |rule| rule.on.iter().any(|(s, _)| s.matches_path(&path)));
            if decided.is_ok_and(|found| found.is_some_and(|found| found.name == rule.name)) {
                out.push((rule, path));
            }
        }
    }
    out
}

/// The rule that decides, if any; or two that disagree.
type Decided<'a> = std::result::Result<Option<&'a Arc<Rule>>, (&'a Arc<Rule>, &'a Arc<Rule>)>;

/// The one rule that decides among those that match; `Err` gives two that disagree.
fn decide<'a>(rules: impl Iterator<Item = &'a Arc<Rule>>, matches: impl Fn(&Rule) -> bool) -> Decided<'a> {
    let found: Vec<&Arc<Rule>> = rules.filter(|rule| matches(rule)).collect();
    let beaten = |rule: &Rule| found.iter().any(|other| other.overrides.contains(&rule.name));
    let left: Vec<&Arc<Rule>> = found.iter().copied().filter(|rule| !beaten(rule)).collect();
    match left.split_first() {
        None => Ok(None),
        Some((first, rest)) => match rest.iter().find(|other| other.does != first.does) {
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
                self.matches.push(Match { field: id.clone(), shape: Shape::of(field), rule });
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
                    match self.decide(&leaf) {
                        Some(rule) => self.matches.push(Match { field: leaf, shape: Shape::leaf(), rule }),
                        None => self.uncovered(&leaf, None, "name it in a rule, or write `undecided: redact`"),
                    }
                }
                Some((codec.clone(), inner))
            }
            (None, None, _) => {
                self.uncovered(
                    id,
                    Some(field),
                    "name it in a rule with a `domain`, a `mask` or a `keep`, or write `undecided: redact`",
                );
                None
            }
        }
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
                self.decisions.push(Decision { field: id.clone(), action: Action::Redact, rule: None });
                if let Some(field) = field {
                    let apply = redaction(Shape::of(field));
                    if let Err(why) = apply.mask.fits(&apply.shape) {
                        let message = format!("no rule decides this field, and it can't be redacted: {why}");
                        self.findings.push(Finding::error("POL-009", Site::field(id), message).help(help));
                    }
                    self.plain.push((id.entity.clone(), id.field.column.clone(), ColumnPlan::Apply(apply)));
                }
            }
        }
    }

    /// Builds one mask for all fields that share it.
    fn build(&mut self) -> (Vec<Built>, Made) {
        let mut shared: BTreeMap<String, Vec<Shape>> = BTreeMap::new();
        for found in &self.matches {
            shared.entry(domain_of(&found.rule)).or_default().push(found.shape.clone());
        }
        let mut made = Made::new();
        let mut out = Vec::with_capacity(self.matches.len());
        for found in &self.matches {
            let Some((mask_use, canonical)) = mask_of(self.policy, &found.rule) else {
                out.push(if matches!(found.rule.does, Does::Keep(_)) { Built::Kept } else { Built::Failed });
                continue;
            };
            let domain = domain_of(&found.rule);
            let site =
                || Site::field(&found.field).with_rule(&found.rule.name).with_span(Some(found.rule.span.clone()));
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
                out.push(Built::Failed);
                continue;
            };
            if let Err(why) = mask.fits(&found.shape) {
                let message = format!("mask `{}` does not fit: {why}", mask_use.spec.name);
                self.findings
                    .push(Finding::error("POL-009", site(), message).help("choose another mask for this field"));
                out.push(Built::Failed);
                continue;
            }
            out.push(Built::Masked(Box::new(Apply {
                mask: Arc::clone(mask),
                domain,
                canonical,
                shape: found.shape.clone(),
                name: mask_use.spec.name,
                group: mask_use.spec.group,
                rule: Some((found.rule.name.clone(), found.rule.span.clone())),
            })));
        }
        (out, made)
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
        rule: None,
    }
}

fn domain_of(rule: &Rule) -> String {
    match &rule.does {
        Does::Domain(domain) => domain.clone(),
        _ => format!("rule:{}", rule.name),
    }
}

fn mask_of<'a>(policy: &'a Policy, rule: &'a Rule) -> Option<(&'a crate::policy::MaskUse, Canonical)> {
    match &rule.does {
        Does::Domain(name) => policy.domains.get(name).map(|d| (&d.mask, d.canonical)),
        Does::Mask(mask) => Some((mask, Canonical::Text)),
        Does::Keep(_) => None,
    }
}

/// A rule for leaves; fields of one domain share the mask that was built for all of them.
fn leaf_rule(policy: &Policy, rule: &Arc<Rule>, made: &Made, findings: &mut Vec<Finding>) -> Option<LeafRule> {
    let Some((mask_use, canonical)) = mask_of(policy, rule) else {
        return matches!(rule.does, Does::Keep(_)).then(|| LeafRule { rule: Arc::clone(rule), apply: None });
    };
    let domain = domain_of(rule);
    let mask = match made.get(&domain) {
        Some(mask) => mask.clone()?,
        None => match (mask_use.spec.build)(&mask_use.args, &[Shape::leaf()]) {
            Ok(mask) => mask,
            Err(message) => {
                let site = Site::default().with_rule(&rule.name).with_span(Some(mask_use.span.clone()));
                findings.push(Finding::error("POL-006", site, format!("mask `{}`: {message}", mask_use.spec.name)));
                return None;
            }
        },
    };
    let apply = Apply {
        mask,
        domain,
        canonical,
        shape: Shape::leaf(),
        name: mask_use.spec.name,
        group: mask_use.spec.group,
        rule: Some((rule.name.clone(), rule.span.clone())),
    };
    Some(LeafRule { rule: Arc::clone(rule), apply: Some(apply) })
}

/// Selectors that match nothing: an error on what the catalog tells, a warning inside payloads that only data shows.
fn dead_rules(policy: &Policy, catalogs: &[ServiceCatalog], findings: &mut Vec<Finding>) {
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
            if !alive && !maybe {
                let message = format!("`{}` matches no field of any service", selector.text());
                findings
                    .push(Finding::error("POL-002", site(), message).help("mend the name, or take the selector out"));
            }
        }
    }
}

fn expired(policy: &Policy, findings: &mut Vec<Finding>) {
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
