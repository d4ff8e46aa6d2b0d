//! From the shape of files to a policy, and the checks that need no catalog.
//!
//! Hidden here: how several files become one policy. What one file declares, all know; no file's place decides anything, so two
//! files can't declare the same name.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use reenact_model::names::split_unquoted;
use reenact_model::{FieldId, Finding, Site, Span};

use super::syntax::{Document, DomainText, Includes, RuleText, Scalars, WhenText};
use super::text::{MAX_DEPTH, PolicyText, beside};
use super::{
    Does, Domain, Keep, Policy, QuasiIdentifier, Rule, Selector, SubjectField, Undecided, When, expect, mask_use,
    partition, profiles,
};
use crate::yaml::{self, Spanned, UNREADABLE};

/// What a rule writes to accept that a field has few values.
const FEW_VALUES: &str = "few-values";

/// What a rule writes to answer for results that a constraint of the server binds.
const CHECK: &str = "check";

/// What a `keep` writes to answer for a field that seems to name a person or to open something.
const PERSONAL_DATA: &str = "personal-data";

/// A file with its shape.
struct Part {
    file: String,
    document: Document,
    /// Whether it came with the program.
    built_in: bool,
}

/// A class: the selectors of its fields, each at its place.
type Classes = BTreeMap<String, Vec<(String, Span)>>;

/// What rules may name.
struct Names {
    classes: Classes,
    domains: BTreeMap<String, Domain>,
    /// Domains that are declared and have a finding.
    broken: Vec<String>,
    rules: Vec<String>,
    /// Whether these are all: a file that can't be read may declare others.
    complete: bool,
}

/// The document in place of one that can't be read: nothing but what it includes, as far as that can be told.
pub(super) fn only_includes(text: &PolicyText) -> Option<Document> {
    let includes = yaml::read_some::<Includes>(&text.text).ok()?.include;
    let document: Document = yaml::read(&text.file, "version: 1", &mut Vec::new())?;
    Some(Document { include: includes, ..document })
}

/// Makes one policy of a text and of all that it includes.
pub(super) fn resolve(text: &PolicyText, document: Document, findings: &mut Vec<Finding>) -> Policy {
    let mut parts = Vec::new();
    let mut chain = Vec::new();
    gather(text, &text.file, document, &mut chain, &mut parts, findings);
    let complete = !findings.iter().any(|finding| finding.code == UNREADABLE);
    let profiles = with_profiles(&mut parts, findings);
    let undecided = undecided(&parts, findings);
    let names = names(&mut parts, complete, findings);
    let mut rules: Vec<Arc<Rule>> = Vec::new();
    let mut tests = Vec::new();
    let mut quasi_identifiers = Vec::new();
    let mut seen: Vec<String> = Vec::new();
    for part in parts {
        for set in &part.document.quasi_identifiers {
            quasi_identifiers.extend(quasi_identifier(&part.file, set, findings));
        }
        for rule in part.document.rules {
            let site = Site::default()
                .with_rule(&rule.name.value)
                .with_span(Some(yaml::span(&part.file, &rule.name.referenced)));
            if seen.contains(&rule.name.value) {
                findings.push(
                    Finding::error("POL-014", site, "another rule has this name").help("give it a name of its own"),
                );
            }
            seen.push(rule.name.value.clone());
            rules.extend(one_rule(&part.file, part.built_in, &rule, &names, findings).map(Arc::new));
        }
        tests.extend(expect::resolve(&part.file, part.document.tests, findings));
    }
    Policy {
        file: text.file.clone(),
        undecided,
        domains: names.domains,
        rules,
        profiles,
        tests,
        quasi_identifiers,
        digest: text.digest(),
    }
}

/// A set of columns of one entity.
fn quasi_identifier(file: &str, set: &[Spanned<String>], findings: &mut Vec<Finding>) -> Option<QuasiIdentifier> {
    let mut out = QuasiIdentifier::new();
    for name in set {
        let span = yaml::span(file, &name.referenced);
        let wrong = match name.value.parse::<FieldId>() {
            Err(why) => why,
            Ok(_) if name.value.contains('*') => "a wildcard names no column".to_owned(),
            Ok(id) if id.field.path.is_some() => "a part of a payload is no column".to_owned(),
            Ok(id) if out.first().is_some_and(|(first, _)| first.entity != id.entity) => {
                "the fields of a set are of one entity".to_owned()
            }
            Ok(id) => {
                out.push((id, span));
                continue;
            }
        };
        let message = format!("`{}` can't stand in a set of quasi-identifiers: {wrong}", name.value);
        findings.push(
            Finding::error("POL-038", Site::default().with_span(Some(span)), message)
                .help("write columns of one entity: `[ service/entity.birth_date, service/entity.postcode ]`"),
        );
        return None;
    }
    Some(out).filter(|set| !set.is_empty())
}

/// A file, and then the files that it includes.
fn gather(
    text: &PolicyText,
    file: &str,
    document: Document,
    chain: &mut Vec<String>,
    parts: &mut Vec<Part>,
    findings: &mut Vec<Finding>,
) {
    if document.version.value != 1 {
        let site = Site::default().with_span(Some(yaml::span(file, &document.version.referenced)));
        let message = format!("version {} is not known", document.version.value);
        findings.push(Finding::error("POL-017", site, message).help("write `version: 1`"));
    }
    chain.push(file.to_owned());
    let mut inner = Vec::new();
    for include in &document.include {
        let site = Site::default().with_span(Some(yaml::span(file, &include.referenced)));
        let mut refused = |message: String, help: &str| {
            findings.push(Finding::error("POL-022", site.clone(), message).help(help));
        };
        let name = match beside(file, &include.value) {
            Ok(name) => name,
            Err(message) => {
                refused(message, "write a path as seen from this file's own folder");
                continue;
            }
        };
        if chain.contains(&name) {
            refused(format!("`{name}` includes itself: {} -> {name}", chain.join(" -> ")), "take one of them out");
        } else if chain.len() > MAX_DEPTH {
            refused(
                format!("files include each other more than {MAX_DEPTH} deep"),
                "include them from this policy itself",
            );
        } else if text.source(&name).is_none() {
            refused(format!("`{name}` was not given with the policy"), "name a file that can be read");
        } else {
            inner.push(name);
        }
    }
    parts.push(Part { file: file.to_owned(), document, built_in: false });
    for name in inner {
        // Included twice is included once; within the chain it is a circle, which is told above.
        if parts.iter().any(|part| part.file == name) {
            continue;
        }
        let mut new = Vec::new();
        let document = yaml::read::<Document>(&name, text.source(&name).unwrap_or_default(), &mut new);
        // Told once, however many files include it.
        new.retain(|finding| !findings.contains(finding));
        findings.append(&mut new);
        if let Some(document) = document {
            gather(text, &name, document, chain, parts, findings);
        }
    }
    chain.pop();
}

/// Adds the profiles that the files ask for.
fn with_profiles(parts: &mut Vec<Part>, findings: &mut Vec<Finding>) -> Vec<(&'static str, Span)> {
    let mut asked: Vec<(&'static profiles::Profile, Span)> = Vec::new();
    for part in parts.iter() {
        let Some(profile) = &part.document.profile else { continue };
        let span = yaml::span(&part.file, &profile.referenced);
        for name in &profile.value.0 {
            match profiles::find(name) {
                Some(profile) if asked.iter().any(|(known, _)| known.name == profile.name) => {}
                Some(profile) => asked.push((profile, span.clone())),
                None => {
                    let known: Vec<&str> = profiles::PROFILES.iter().map(|profile| profile.name).collect();
                    let site = Site::default().with_span(Some(span.clone()));
                    findings.push(
                        Finding::error("POL-023", site, format!("there is no profile `{name}`"))
                            .help(format!("the profiles are {}", known.join(", "))),
                    );
                }
            }
        }
    }
    for (profile, _) in &asked {
        if let Some(document) = yaml::read::<Document>(profile.file, profile.text, findings) {
            parts.push(Part { file: profile.file.to_owned(), document, built_in: true });
        }
    }
    asked.into_iter().map(|(profile, span)| (profile.name, span)).collect()
}

/// What happens to what no rule names: said once.
fn undecided(parts: &[Part], findings: &mut Vec<Finding>) -> Undecided {
    for part in parts.iter().skip(1) {
        if let Some(said) = &part.document.undecided {
            let site = Site::default().with_span(Some(yaml::span(&part.file, &said.referenced)));
            findings.push(
                Finding::error("POL-022", site, "an included file says what happens to undecided fields")
                    .help("write `undecided` in the policy itself"),
            );
        }
    }
    parts.first().and_then(|part| part.document.undecided.as_ref()).map_or(Undecided::Refuse, |said| said.value)
}

/// What the files declare, taken out of them.
fn names(parts: &mut [Part], complete: bool, findings: &mut Vec<Finding>) -> Names {
    let mut names =
        Names { classes: Classes::new(), domains: BTreeMap::new(), broken: Vec::new(), rules: Vec::new(), complete };
    let mut classes: BTreeMap<String, (String, Vec<Spanned<String>>)> = BTreeMap::new();
    for part in parts {
        let file = &part.file;
        for (name, domain) in std::mem::take(&mut part.document.domains) {
            domain_of(file, name, &domain, &mut names, findings);
        }
        for (name, fields) in std::mem::take(&mut part.document.classes) {
            match classes.entry(name) {
                Entry::Vacant(entry) => {
                    entry.insert((file.clone(), fields));
                }
                Entry::Occupied(entry) => {
                    let span = fields.first().map(|field| yaml::span(file, &field.referenced));
                    let message = format!("another file declares the class `{}`", entry.key());
                    findings.push(
                        Finding::error("POL-014", Site::default().with_span(span), message)
                            .help("declare a class once, or give this one another name"),
                    );
                }
            }
        }
        names.rules.extend(part.document.rules.iter().map(|rule| rule.name.value.clone()));
    }
    for name in classes.keys() {
        let mut fields = Vec::new();
        flatten(name, &classes, complete, &mut Vec::new(), &mut fields, findings);
        names.classes.insert(name.clone(), fields);
    }
    names
}

fn domain_of(file: &str, name: String, domain: &DomainText, names: &mut Names, findings: &mut Vec<Finding>) {
    let span = yaml::span(file, &domain.mask.referenced);
    if names.domains.contains_key(&name) || names.broken.contains(&name) {
        let site = Site::default().with_span(Some(span));
        findings.push(
            Finding::error("POL-014", site, format!("another file declares the domain `{name}`"))
                .help("declare a domain once, or give this one another name"),
        );
        return;
    }
    match mask_use(&domain.mask.value, span, findings) {
        Some(mask) => {
            let partition = domain.partition.as_ref().and_then(|text| {
                let site = Site::default().with_span(Some(yaml::span(file, &text.referenced)));
                partition::read(&text.value, &mask, &site, findings)
            });
            names.domains.insert(name, Domain { canonical: domain.canonical, mask, partition });
        }
        None => names.broken.push(name),
    }
}

/// The fields of a class, those of the classes within it too.
fn flatten(
    name: &str,
    classes: &BTreeMap<String, (String, Vec<Spanned<String>>)>,
    complete: bool,
    chain: &mut Vec<String>,
    out: &mut Vec<(String, Span)>,
    findings: &mut Vec<Finding>,
) {
    let Some((file, fields)) = classes.get(name) else { return };
    chain.push(name.to_owned());
    for field in fields {
        let span = yaml::span(file, &field.referenced);
        let Some(inner) = field.value.strip_prefix("class:") else {
            out.push((field.value.clone(), span));
            continue;
        };
        let wrong = match (classes.contains_key(inner), chain.iter().any(|outer| outer == inner)) {
            (false, _) if !complete => continue,
            (false, _) => Some(format!("there is no class `{inner}`")),
            (_, true) => Some(format!("the class `{inner}` holds itself")),
            _ => None,
        };
        match wrong {
            None => flatten(inner, classes, complete, chain, out, findings),
            // Told by the class itself, and not again by each that holds it.
            Some(message) if chain.len() == 1 || chain[0] == inner => {
                let site = Site::default().with_span(Some(span));
                findings.push(Finding::error("POL-024", site, message).help("declare it under `classes:`"));
            }
            Some(_) => {}
        }
    }
    chain.pop();
}

/// The words for types of fields, see [`super::types`].
fn types(rule: &RuleText, file: &str, findings: &mut Vec<Finding>) -> Vec<String> {
    let Some(types) = &rule.types else { return Vec::new() };
    for word in types.value.0.iter().filter(|word| !super::types::WORDS.contains(&word.as_str())) {
        let span = yaml::span(file, &types.referenced);
        let site = Site::default().with_rule(&rule.name.value).with_span(Some(span));
        findings.push(
            Finding::error("POL-024", site, format!("there is no type `{word}`"))
                .help(format!("the types are {}", super::types::WORDS.join(", "))),
        );
    }
    types.value.0.clone()
}

fn one_rule(file: &str, built_in: bool, rule: &RuleText, names: &Names, findings: &mut Vec<Finding>) -> Option<Rule> {
    let at = |location| yaml::span(file, &location);
    let name = &rule.name.value;
    let site = |span: &Span| Site::default().with_rule(name).with_span(Some(span.clone()));
    let span = at(rule.name.referenced);
    let mut own = Vec::new();
    let mask = rule.mask.as_ref().and_then(|m| mask_use(&m.value, at(m.referenced), &mut own));
    for mut finding in own {
        finding.site.rule = Some(name.clone());
        findings.push(finding);
    }
    let does = does(rule, mask, &span, file, names, findings);
    let mut fields: Vec<(String, Span)> = rule.on.iter().map(|s| (s.value.clone(), at(s.referenced))).collect();
    let mut classes = 0;
    for class in rule.class.iter().flat_map(|classes| &classes.value.0) {
        classes += 1;
        match names.classes.get(class) {
            Some(members) => fields.extend(members.iter().cloned()),
            // A profile has rules for classes that a policy need not have.
            None if built_in || !names.complete => {}
            None => {
                let span = rule.class.as_ref().map_or(span.clone(), |classes| at(classes.referenced));
                findings.push(
                    Finding::error("POL-024", site(&span), format!("there is no class `{class}`"))
                        .help("declare its fields under `classes:`"),
                );
            }
        }
    }
    let types = types(rule, file, findings);
    if rule.on.is_empty() && classes == 0 && types.is_empty() {
        findings.push(
            Finding::error("POL-024", site(&span), "the rule names no field")
                .help("write `on: [ service/entity.field ]`, `class: NAME` or `type: WORD`"),
        );
    }
    if fields.is_empty() && !types.is_empty() {
        fields.push(("**".to_owned(), rule.types.as_ref().map_or(span.clone(), |types| at(types.referenced))));
    }
    let mut on = Vec::new();
    for (selector, span) in fields {
        match selector.parse::<Selector>() {
            Ok(parsed) => {
                if matches!(does, Some(Does::Keep(_))) && !parsed.is_exact() {
                    let message = format!("`keep` takes exact fields, and `{selector}` has a wildcard");
                    findings
                        .push(Finding::error("POL-004", site(&span), message).help("name each field that may be kept"));
                }
                on.push((parsed, span));
            }
            Err(message) => findings.push(Finding::error("POL-012", site(&span), message)),
        }
    }
    for other in rule.overrides.iter().filter(|other| names.complete && !names.rules.contains(&other.value)) {
        let message = format!("there is no rule `{}` to override", other.value);
        findings.push(Finding::error("POL-015", site(&at(other.referenced)), message));
    }
    let subject = rule.subject.as_ref().and_then(|text| {
        let span = at(text.referenced);
        if matches!(does, Some(Does::Keep(_))) {
            let finding = Finding::error("POL-018", site(&span), "a `keep` has no use for a subject");
            findings.push(finding.help("take `subject` out"));
        }
        match subject(&text.value) {
            Ok(fields) => Some((fields, span)),
            Err(message) => {
                let help =
                    "write a field of the record (`customer_id`, `value:$.customerId`), or `service/entity.field`";
                findings.push(Finding::error("POL-018", site(&span), message).help(help));
                None
            }
        }
    });
    let when = rule.when.as_ref().and_then(|text| {
        let span = at(text.referenced);
        condition(&text.value, &span, &site(&span), findings)
    });
    if let Some(accept) = &rule.accept {
        accepted(&accept.value, rule.keep.is_some(), &site(&at(accept.referenced)), findings);
    }
    let accepts = |word: &str| rule.accept.as_ref().is_some_and(|accept| accept.value.0.iter().any(|w| w == word));
    let (accepts_few, accepts_check) = (accepts(FEW_VALUES), accepts(CHECK));
    // A profile's rule whose classes this policy does not have decides nothing.
    if built_in && on.is_empty() {
        return None;
    }
    let overrides = rule.overrides.iter().map(|o| o.value.clone()).collect();
    does.map(|does| Rule {
        name: name.clone(),
        span,
        on,
        types,
        does,
        when,
        subject,
        accepts_few,
        accepts_check,
        overrides,
    })
}

/// Checks the words of an `accept`.
fn accepted(words: &Scalars, keeps: bool, site: &Site, findings: &mut Vec<Finding>) {
    for word in &words.0 {
        let (code, message, help) = match word.as_str() {
            FEW_VALUES | CHECK => continue,
            PERSONAL_DATA if keeps => continue,
            PERSONAL_DATA => {
                let message = format!("`{PERSONAL_DATA}` answers for a `keep`, and this rule keeps nothing");
                ("POL-037", message, "take it out".to_owned())
            }
            other => {
                let help = format!(
                    "write `accept: [ {FEW_VALUES} ]`, `[ {CHECK} ]`, or `[ {PERSONAL_DATA} ]` in a rule that keeps"
                );
                ("POL-028", format!("there is nothing called `{other}` to accept"), help)
            }
        };
        findings.push(Finding::error(code, site.clone(), message).help(help));
    }
}

/// The condition of a rule, if it parses.
fn condition(text: &WhenText, span: &Span, site: &Site, findings: &mut Vec<Finding>) -> Option<When> {
    let mut wrong = |message: String, help: &str| {
        findings.push(Finding::error("POL-030", site.clone(), message).help(help));
        None
    };
    if let Err(message) = crate::condition::parse(&text.that) {
        return wrong(message, "write it in CEL, such as `when: 'country == \"DE\"'`");
    }
    let on = match &text.on {
        None => None,
        // The grammar of fields, with a field that does not count.
        Some(on) => match format!("{on}.x").parse::<FieldId>() {
            Ok(id) if id.field.path.is_none() && !on.contains('*') => Some(id.entity),
            _ => return wrong(format!("`{on}` names no entity"), "write `on: service/entity`"),
        },
    };
    Some(When { on, that: text.that.clone(), missing: text.missing, span: span.clone() })
}

/// The fields that tell whose a record is.
fn subject(text: &Scalars) -> Result<Vec<SubjectField>, String> {
    if text.0.is_empty() {
        return Err("the list names no field".to_owned());
    }
    let field = |name: &String| {
        let column = split_unquoted(name, ':')[0];
        if column.contains('*') {
            return Err(format!("`{name}` has a wildcard, and a subject is one field"));
        }
        if split_unquoted(column, '/').len() > 1 {
            return name.parse().map(SubjectField::Of);
        }
        // The grammar of fields with names in front that do not count.
        let id: FieldId = format!("s/e.{name}").parse()?;
        Ok(SubjectField::Own(id.field))
    };
    text.0.iter().map(field).collect()
}

/// What a rule decides, if it says so in one way.
fn does(
    rule: &RuleText,
    mask: Option<super::MaskUse>,
    span: &Span,
    file: &str,
    names: &Names,
    findings: &mut Vec<Finding>,
) -> Option<Does> {
    let site = |span: &Span| Site::default().with_rule(&rule.name.value).with_span(Some(span.clone()));
    match (&rule.domain, &rule.mask, &rule.keep) {
        (Some(domain), None, None) => {
            let known = names.domains.contains_key(&domain.value) || names.broken.contains(&domain.value);
            if !known && names.complete {
                let message = format!("there is no domain `{}`", domain.value);
                let site = site(&yaml::span(file, &domain.referenced));
                findings.push(Finding::error("POL-007", site, message).help("declare it under `domains:`"));
            }
            Some(Does::Domain(domain.value.clone()))
        }
        // A mask that could not be looked up is a finding already.
        (None, Some(_), None) => mask.map(Does::Mask),
        (None, None, Some(keep)) => {
            if let Some(expires) = &keep.expires
                && reenact_model::canonical::parse_date(&expires.value).is_none()
            {
                let site = site(&yaml::span(file, &expires.referenced));
                findings.push(Finding::error("POL-016", site, "`expires` is no date").help("write it as 2027-06-30"));
            }
            Some(Does::Keep(Keep {
                reason: keep.reason.clone(),
                owner: keep.owner.clone(),
                expires: keep.expires.as_ref().map(|e| e.value.clone()),
                reference: keep.reference,
                accepts_personal: rule.accept.as_ref().is_some_and(|a| a.value.0.iter().any(|w| w == PERSONAL_DATA)),
            }))
        }
        _ => {
            let message = "a rule has a `domain`, a `mask` or a `keep`: one of them";
            findings.push(
                Finding::error("POL-008", site(span), message).help("write one of them, and take the others out"),
            );
            None
        }
    }
}
