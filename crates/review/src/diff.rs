//! What a change of a policy means, field by field.
//!
//! Hidden here: which decision is weaker than which. Keeping is the weakest; then a pseudonym, which tells equal values from
//! others; then a fake that many values share; then what tells nothing. A field that is new or gone is told as such, and so is a
//! field that moved to another domain, since values that were equal before may part.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use reenact_mask::approval::{Outcome, Resolved, Subject};
use reenact_mask::kernels::{self, Injective};
use reenact_mask::policy::Canonical;
use reenact_mask::{Action, Decision};
use reenact_model::FieldId;
use serde::Serialize;

/// How a field's protection changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// It tells more than before.
    Weaker,
    /// It was not there before.
    New,
    /// It is there no more.
    Lost,
    /// It is protected as well as before, in another way.
    Changed,
    /// It tells less than before.
    Stronger,
}

impl Effect {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Weaker => "weaker",
            Self::New => "new",
            Self::Lost => "lost",
            Self::Changed => "changed",
            Self::Stronger => "stronger",
        }
    }
}

/// One field that is decided otherwise than before.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// The field.
    pub field: FieldId,
    /// What that means.
    pub effect: Effect,
    /// What was done with it, in words.
    pub before: Option<String>,
    /// What is done with it, in words.
    pub after: Option<String>,
    /// The rule that decides now.
    pub rule: Option<String>,
}

/// All changes of a policy, the weakening ones first.
#[derive(Clone, Debug, Serialize)]
pub struct Diff {
    /// The changes.
    pub changes: Vec<Change>,
    /// Fields that are decided as before.
    pub unchanged: usize,
}

impl Diff {
    /// How many changes have an effect.
    pub fn count(&self, effect: Effect) -> usize {
        self.changes.iter().filter(|change| change.effect == effect).count()
    }

    /// One sentence with the verdict.
    pub fn verdict(&self) -> String {
        if self.changes.is_empty() {
            return format!("no field is decided otherwise; {} stay as they were", self.unchanged);
        }
        let effects = [Effect::Weaker, Effect::New, Effect::Lost, Effect::Changed, Effect::Stronger];
        let told: Vec<String> = effects
            .into_iter()
            .map(|effect| (self.count(effect), effect.word()))
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        format!("{}; {} fields stay as they were", told.join(", "), self.unchanged)
    }
}

/// A decision, as far as it is compared.
struct Told {
    strength: u8,
    words: String,
    /// Equal if and only if the same is done.
    exact: String,
    rule: Option<String>,
}

/// Compares two policies by what they do with every field.
pub fn diff(before: &[Decision], after: &[Decision]) -> Diff {
    let told = |decisions: &[Decision]| -> BTreeMap<FieldId, Told> {
        let told = |decision: &Decision| Told {
            strength: least(decision),
            words: decided(decision),
            exact: serde_json::to_string(&(
                &decision.action,
                &decision.when.as_ref().map(|w| (&w.condition, &w.action)),
            ))
            .unwrap_or_default(),
            rule: decision.rule.clone(),
        };
        decisions.iter().map(|decision| (decision.field.clone(), told(decision))).collect()
    };
    compare(&told(before), &told(after))
}

/// Compares what was approved with what is decided now, with arguments and canonical forms; `rules` tells which rule decides now.
pub fn subjects(before: &Subject, after: &Subject, rules: &[Decision]) -> Diff {
    let rule = |field: &FieldId| rules.iter().find(|decision| decision.field == *field)?.rule.clone();
    let told = |subject: &Subject| -> BTreeMap<FieldId, Told> {
        let told = |resolved: &Resolved| Told {
            strength: weakest(&resolved.does),
            words: outcome(&resolved.does),
            exact: serde_json::to_string(&resolved.does).unwrap_or_default(),
            rule: rule(&resolved.field),
        };
        subject.fields.iter().map(|resolved| (resolved.field.clone(), told(resolved))).collect()
    };
    compare(&told(before), &told(after))
}

fn compare(old: &BTreeMap<FieldId, Told>, new: &BTreeMap<FieldId, Told>) -> Diff {
    let mut changes = Vec::new();
    let mut unchanged = 0;
    for (field, now) in new {
        let was = old.get(field);
        let effect = match was {
            None => Effect::New,
            Some(was) if was.exact == now.exact => {
                unchanged += 1;
                continue;
            }
            Some(was) => match now.strength.cmp(&was.strength) {
                std::cmp::Ordering::Less => Effect::Weaker,
                std::cmp::Ordering::Equal => Effect::Changed,
                std::cmp::Ordering::Greater => Effect::Stronger,
            },
        };
        changes.push(Change {
            field: field.clone(),
            effect,
            before: was.map(|was| was.words.clone()),
            after: Some(now.words.clone()),
            rule: now.rule.clone(),
        });
    }
    for (field, was) in old.iter().filter(|(field, _)| !new.contains_key(*field)) {
        let before = Some(was.words.clone());
        changes.push(Change { field: field.clone(), effect: Effect::Lost, before, after: None, rule: None });
    }
    changes.sort_by(|a, b| a.effect.cmp(&b.effect).then_with(|| a.field.cmp(&b.field)));
    Diff { changes, unchanged }
}

fn action(outcome: &Outcome) -> Action {
    match outcome {
        Outcome::Mask(masking) => Action::Mask { mask: masking.mask.clone(), domain: masking.domain.clone() },
        Outcome::Keep(keep) => Action::Keep(keep.clone()),
        Outcome::Redact => Action::Redact,
        Outcome::Coordinate => Action::Coordinate,
        Outcome::Payload(_) => Action::Payload,
        Outcome::Choice(choice) => action(&choice.otherwise),
    }
}

/// How little an outcome tells: what tells most counts, since a condition is no protection for those who fulfil it.
fn weakest(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::Choice(choice) => weakest(&choice.fulfilled).min(weakest(&choice.otherwise)),
        outcome => strength(&action(outcome)),
    }
}

/// The same of a decision.
fn least(decision: &Decision) -> u8 {
    let otherwise = strength(&decision.action);
    decision.when.as_ref().map_or(otherwise, |when| otherwise.min(strength(&when.action)))
}

/// A decision in words, with what is done under its condition.
pub fn decided(decision: &Decision) -> String {
    let otherwise = words(&decision.action);
    match &decision.when {
        None => otherwise,
        Some(when) => format!("{otherwise}; if {}: {}", when.condition, words(&when.action)),
    }
}

/// A decision in words, with everything that was given beside the mask's name.
pub fn outcome(outcome: &Outcome) -> String {
    if let Outcome::Choice(choice) = outcome {
        let (otherwise, fulfilled) = (self::outcome(&choice.otherwise), self::outcome(&choice.fulfilled));
        return format!("{otherwise}; if {}: {fulfilled}", choice.when);
    }
    let mut out = words(&action(outcome));
    match outcome {
        Outcome::Mask(masking) => {
            let mut more: Vec<String> = masking.args.iter().map(|(name, value)| format!("{name} {value}")).collect();
            if masking.canonical != Canonical::Text {
                more.push(format!("equal as {:?}", masking.canonical).to_lowercase());
            }
            if !more.is_empty() {
                let _ = write!(out, ", {}", more.join(", "));
            }
        }
        Outcome::Keep(keep) => {
            if let Some(expires) = &keep.expires {
                let _ = write!(out, " (until {expires})");
            }
        }
        Outcome::Payload(inside) => {
            for leaf in &inside.rules {
                let on: Vec<&str> = leaf.on.iter().map(String::as_str).collect();
                let when = leaf.when.as_ref().map_or(String::new(), |when| format!(" if {when}"));
                let _ = write!(out, "; {}{when}: {}", on.join(", "), self::outcome(&leaf.does));
            }
        }
        Outcome::Redact | Outcome::Coordinate | Outcome::Choice(_) => {}
    }
    out
}

/// How little a decision tells, from 0.
fn strength(action: &Action) -> u8 {
    match action {
        Action::Keep(_) => 0,
        // What is inside has decisions of its own.
        Action::Coordinate | Action::Payload => 1,
        Action::Mask { mask, .. } => match kernels::find(mask).map(|spec| (spec.group, spec.facts.injective)) {
            Some((kernels::Group::Plain, _)) => 4,
            Some((_, Injective::Never)) => 3,
            _ => 2,
        },
        Action::Redact => 4,
    }
}

/// A decision in words.
pub fn words(action: &Action) -> String {
    match action {
        Action::Mask { mask, domain } if domain.starts_with("rule:") => mask.clone(),
        Action::Mask { mask, domain } => format!("{mask} (domain {domain})"),
        Action::Keep(keep) => {
            let kind = if keep.reference { "kept as reference data" } else { "kept" };
            let accepted = if keep.accepts_personal { ", accepted as personal data" } else { "" };
            format!("{kind}{accepted}: {}", keep.reason)
        }
        Action::Redact => "redacted: undecided".to_owned(),
        Action::Coordinate => "coordinate".to_owned(),
        Action::Payload => "taken apart".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reenact_mask::policy::Keep;

    fn decision(field: &str, action: Action) -> Decision {
        Decision::new(field.parse().expect("a field"), action, Some("r".to_owned()))
    }

    fn mask(mask: &str, domain: &str) -> Action {
        Action::Mask { mask: mask.to_owned(), domain: domain.to_owned() }
    }

    fn keep(reason: &str) -> Action {
        Action::Keep(Keep {
            reason: reason.to_owned(),
            owner: None,
            expires: None,
            reference: false,
            accepts_personal: false,
        })
    }

    #[test]
    fn effects_are_told_and_not_texts() {
        let before = [
            decision("s/t.a", mask("email", "mail")),
            decision("s/t.b", keep("needed")),
            decision("s/t.c", mask("token", "rule:r")),
            decision("s/t.d", mask("email", "mail")),
            decision("s/t.e", mask("redact", "rule:r")),
            decision("s/t.gone", keep("needed")),
            decision("s/t.same", keep("needed")),
        ];
        let after = [
            decision("s/t.a", keep("oops")),
            decision("s/t.b", mask("redact", "rule:r")),
            decision("s/t.c", mask("name", "rule:r")),
            decision("s/t.d", mask("email", "other")),
            decision("s/t.e", mask("token", "rule:r")),
            decision("s/t.new", keep("new")),
            decision("s/t.same", keep("needed")),
        ];
        let diff = diff(&before, &after);
        let told: Vec<String> =
            diff.changes.iter().map(|change| format!("{} {}", change.effect.word(), change.field.field)).collect();
        assert_eq!(told, ["weaker a", "weaker e", "new new", "lost gone", "changed d", "stronger b", "stronger c"]);
        assert_eq!(diff.unchanged, 1);
        assert_eq!(diff.verdict(), "2 weaker, 1 new, 1 lost, 1 changed, 2 stronger; 1 fields stay as they were");
    }
}
