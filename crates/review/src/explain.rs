//! Why a field is decided as it is: which rule decides, and why the others don't.

use reenact_mask::Policy;
use reenact_mask::plan::Fulfils;
use reenact_mask::policy::{Does, Rule};
use reenact_model::{FieldId, Span};
use serde::Serialize;

/// What became of a rule at a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It decides.
    Decides,
    /// It decides for the records that fulfil this condition.
    DecidesIf(String),
    /// It says the same as the rule that decides.
    Agrees,
    /// It matches, and the rule of this name overrides it.
    OverriddenBy(String),
    /// It matches and says something else than the rule of this name, and none overrides the other: an error.
    Disagrees(String),
    /// None of its selectors names the field.
    DoesNotMatch,
}

/// One rule at a field.
#[derive(Clone, Debug, Serialize)]
pub struct Considered {
    /// The rule's name.
    pub rule: String,
    /// Where it stands.
    pub place: Span,
    /// The selector that names the field, if one does.
    pub selector: Option<String>,
    /// What it would do, in words.
    pub does: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// Considers every rule of a policy at a field; those that match come first.
pub fn explain(policy: &Policy, field: &FieldId) -> Vec<Considered> {
    let selector = |rule: &Rule| rule.on.iter().find(|(s, _)| s.matches(field)).map(|(s, _)| s.text().to_owned());
    let matching: Vec<&Rule> =
        policy.rules.iter().map(|rule| &**rule).filter(|rule| selector(rule).is_some()).collect();
    let beaten =
        |rule: &Rule| matching.iter().find(|other| other.when.is_none() && other.overrides.contains(&rule.name));
    let deciding = matching.iter().find(|rule| rule.when.is_none() && beaten(rule).is_none());
    let conditional = matching.iter().find(|rule| rule.when.is_some() && beaten(rule).is_none());
    let outcome = |rule: &Rule| {
        if selector(rule).is_none() {
            return Outcome::DoesNotMatch;
        }
        match (beaten(rule), deciding) {
            (Some(winner), _) => Outcome::OverriddenBy(winner.name.clone()),
            (None, deciding) if rule.when.is_some() => match (conditional, deciding) {
                (Some(first), _) if first.name != rule.name => Outcome::Disagrees(first.name.clone()),
                (_, Some(deciding)) if !rule.overrides.contains(&deciding.name) => {
                    Outcome::Disagrees(deciding.name.clone())
                }
                _ => {
                    Outcome::DecidesIf(rule.when.as_ref().map(|when| Fulfils::of(when).to_string()).unwrap_or_default())
                }
            },
            (None, Some(first)) if first.name == rule.name => Outcome::Decides,
            (None, Some(first)) if first.agrees(rule) => Outcome::Agrees,
            (None, Some(first)) => Outcome::Disagrees(first.name.clone()),
            (None, None) => Outcome::DoesNotMatch,
        }
    };
    let considered = |rule: &Rule| Considered {
        rule: rule.name.clone(),
        place: rule.span.clone(),
        selector: selector(rule),
        does: does(policy, rule),
        outcome: outcome(rule),
    };
    let mut out: Vec<Considered> = policy.rules.iter().map(|rule| considered(rule)).collect();
    out.sort_by_key(|considered| considered.selector.is_none());
    out
}

fn does(policy: &Policy, rule: &Rule) -> String {
    let does = action(policy, rule);
    // Without a schema nobody knows a field's type, so it is told as a condition.
    let does = if rule.types.is_empty() { does } else { format!("{does}, if its type is {}", rule.types.join(" or ")) };
    match &rule.when {
        None => does,
        Some(when) => format!("{does}, if {}", Fulfils::of(when)),
    }
}

fn action(policy: &Policy, rule: &Rule) -> String {
    match &rule.does {
        Does::Domain(name) => {
            let mask = policy.domains.get(name).map_or("?", |domain| domain.mask.spec.name);
            format!("mask `{mask}` of domain `{name}`")
        }
        Does::Mask(mask) => format!("mask `{}`", mask.spec.name),
        Does::Keep(keep) => format!("keep: {}", keep.reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_an_outcome() {
        let text = "version: 1
rules:
  - { name: wide, on: [ \"**.email\" ], mask: email }
  - { name: same, on: [ \"shop/**.email\" ], mask: email }
  - { name: exact, on: [ shop/users.email ], mask: redact, overrides: [ wide ] }
  - { name: other, on: [ shop/users.name ], mask: name }
";
        let policy = Policy::parse("p.yaml", text).expect("parses");
        let field = "shop/users.email".parse().expect("a field");
        let told: Vec<(String, Outcome)> =
            explain(&policy, &field).into_iter().map(|considered| (considered.rule, considered.outcome)).collect();
        let expected = [
            ("wide", Outcome::OverriddenBy("exact".to_owned())),
            ("same", Outcome::Decides),
            ("exact", Outcome::Disagrees("same".to_owned())),
            ("other", Outcome::DoesNotMatch),
        ];
        assert_eq!(told, expected.map(|(rule, outcome)| (rule.to_owned(), outcome)));
    }
}
