//! The shape of a policy file, and the checks that need no catalog.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use reenact_model::names::split_unquoted;
use reenact_model::{FieldId, Finding, Site, Span};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::expect::{self, TestText};
use super::{Canonical, Does, Domain, Keep, Policy, Rule, Selector, SubjectField, Undecided, mask_use};
use crate::yaml::{self, Spanned};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    version: Spanned<u32>,
    #[serde(default)]
    undecided: Option<Undecided>,
    #[serde(default)]
    domains: BTreeMap<String, DomainText>,
    rules: Vec<RuleText>,
    #[serde(default)]
    tests: Vec<TestText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DomainText {
    #[serde(default)]
    canonical: Canonical,
    mask: Spanned<MaskRef>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    name: Spanned<String>,
    on: Vec<Spanned<String>>,
    domain: Option<Spanned<String>>,
    #[serde(default, deserialize_with = "present")]
    mask: Option<Spanned<MaskRef>>,
    keep: Option<KeepText>,
    subject: Option<Spanned<Scalars>>,
    #[serde(default)]
    overrides: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeepText {
    reason: String,
    owner: Option<String>,
    expires: Option<Spanned<String>>,
    #[serde(default)]
    reference: bool,
}

/// `mask: null` names the mask `null`; a missing key names none.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Spanned<MaskRef>>, D::Error> {
    Spanned::<MaskRef>::deserialize(deserializer).map(Some)
}

/// `name` or `{ name: { argument: value } }`.
pub(super) struct MaskRef {
    pub(super) name: String,
    pub(super) args: BTreeMap<String, String>,
}

impl<'de> Deserialize<'de> for MaskRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = MaskRef;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a mask, or `{ name: { argument: value } }`")
            }

            fn visit_unit<E: serde::de::Error>(self) -> Result<MaskRef, E> {
                Ok(MaskRef { name: "null".to_owned(), args: BTreeMap::new() })
            }

            fn visit_none<E: serde::de::Error>(self) -> Result<MaskRef, E> {
                self.visit_unit()
            }

            fn visit_str<E>(self, name: &str) -> Result<MaskRef, E> {
                Ok(MaskRef { name: name.to_owned(), args: BTreeMap::new() })
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<MaskRef, A::Error> {
                let (name, args) = map
                    .next_entry::<String, BTreeMap<String, Scalar>>()?
                    .ok_or_else(|| serde::de::Error::custom("a mask needs a name"))?;
                if map.next_key::<String>()?.is_some() {
                    return Err(serde::de::Error::custom("a mask has one name; put arguments below it"));
                }
                Ok(MaskRef { name, args: args.into_iter().map(|(k, v)| (k, v.0)).collect() })
            }
        }
        deserializer.deserialize_any(V)
    }
}

/// One name, or a list of names.
pub(super) struct Scalars(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for Scalars {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Scalars;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name, or a list of names")
            }

            fn visit_str<E>(self, name: &str) -> Result<Scalars, E> {
                Ok(Scalars(vec![name.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Scalars, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = list.next_element()? {
                    names.push(name);
                }
                Ok(Scalars(names))
            }
        }
        deserializer.deserialize_any(V)
    }
}

/// Any scalar, as its text.
pub(super) struct Scalar(pub(super) String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Every YAML scalar can be read as text.
        String::deserialize(deserializer).map(Self)
    }
}

impl Document {
    pub(super) fn resolve(self, file: &str, text: &str, findings: &mut Vec<Finding>) -> Policy {
        let at = |location| yaml::span(file, &location);
        if self.version.value != 1 {
            let site = Site::default().with_span(Some(at(self.version.referenced)));
            findings.push(
                Finding::error("POL-017", site, format!("version {} is not known", self.version.value))
                    .help("write `version: 1`"),
            );
        }
        let mut domains = BTreeMap::new();
        let mut broken = Vec::new();
        for (name, domain) in self.domains {
            match mask_use(&domain.mask.value, at(domain.mask.referenced), findings) {
                Some(mask) => {
                    domains.insert(name, Domain { canonical: domain.canonical, mask });
                }
                None => broken.push(name),
            }
        }
        let names: Vec<String> = self.rules.iter().map(|rule| rule.name.value.clone()).collect();
        let mut rules: Vec<Arc<Rule>> = Vec::new();
        for (n, rule) in self.rules.into_iter().enumerate() {
            let site = |span: &Span| Site::default().with_rule(&names[n]).with_span(Some(span.clone()));
            let span = at(rule.name.referenced);
            if names[..n].contains(&names[n]) {
                findings.push(
                    Finding::error("POL-014", site(&span), "another rule has this name")
                        .help("give it a name of its own"),
                );
            }
            let mut own = Vec::new();
            let mask = rule.mask.as_ref().and_then(|m| mask_use(&m.value, at(m.referenced), &mut own));
            for mut finding in own {
                finding.site.rule = Some(names[n].clone());
                findings.push(finding);
            }
            let does = does(&rule, mask, &span, file, &domains, &broken, findings);
            let mut on = Vec::new();
            for selector in &rule.on {
                let span = at(selector.referenced);
                match selector.value.parse::<Selector>() {
                    Ok(parsed) => {
                        if matches!(does, Some(Does::Keep(_))) && !parsed.is_exact() {
                            let message = format!("`keep` takes exact fields, and `{}` has a wildcard", selector.value);
                            findings.push(
                                Finding::error("POL-004", site(&span), message)
                                    .help("name each field that may be kept"),
                            );
                        }
                        on.push((parsed, span));
                    }
                    Err(message) => findings.push(Finding::error("POL-012", site(&span), message)),
                }
            }
            for other in &rule.overrides {
                if !names.contains(&other.value) {
                    let message = format!("there is no rule `{}` to override", other.value);
                    findings.push(Finding::error("POL-015", site(&at(other.referenced)), message));
                }
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
                        let help = "write a field of the record (`customer_id`, `value:$.customerId`), or `service/entity.field`";
                        findings.push(Finding::error("POL-018", site(&span), message).help(help));
                        None
                    }
                }
            });
            if let Some(does) = does {
                let overrides = rule.overrides.iter().map(|o| o.value.clone()).collect();
                rules.push(Arc::new(Rule { name: names[n].clone(), span, on, does, subject, overrides }));
            }
        }
        Policy {
            file: file.to_owned(),
            undecided: self.undecided.unwrap_or(Undecided::Refuse),
            domains,
            rules,
            tests: expect::resolve(file, self.tests, findings),
            digest: Policy::digest_of(text),
        }
    }
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
    domains: &BTreeMap<String, Domain>,
    broken: &[String],
    findings: &mut Vec<Finding>,
) -> Option<Does> {
    let site = |span: &Span| Site::default().with_rule(&rule.name.value).with_span(Some(span.clone()));
    match (&rule.domain, &rule.mask, &rule.keep) {
        (Some(domain), None, None) => {
            if !domains.contains_key(&domain.value) && !broken.contains(&domain.value) {
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
            }))
        }
        _ => {
            let message = "a rule has a `domain`, a `mask` or a `keep`: one of them";
            findings.push(Finding::error("POL-008", site(span), message));
            None
        }
    }
}
