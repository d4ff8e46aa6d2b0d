//! Fields that are kept and yet name a person, or open something.
//!
//! Hidden here: how sure is sure enough to stop a capture. What is looked at are names, types, neighbours and references, and no record;
//! only what names a person alone, or opens something, counts, and only where a name says so without a doubt. A mere likeness stays
//! the page's to show. It is a net under a reviewer, and no proof that what passes it is harmless.

use reenact_model::catalog::Relationship;
use reenact_model::{Entity, FieldId, Finding, Site};

use super::Decision;
use crate::detect::{Detection, Form, Place, Sampler, Standing, detect};
use crate::policy::{Keep, Policy};

/// The least score that stops a capture.
const SURE: f64 = 0.85;

/// A finding for every field that is kept against what its name says, and whose rule does not answer for it.
pub(super) fn kept_personal<'a>(
    policy: &Policy,
    decisions: &[Decision],
    reached: impl Iterator<Item = &'a std::sync::Arc<Entity>>,
    relationships: &[Relationship],
) -> Vec<Finding> {
    let unanswered = |decision: &Decision| decision.keeps().is_some_and(|(keep, _)| !keep.accepts_personal);
    if !decisions.iter().any(unanswered) {
        return Vec::new();
    }
    let mut places: Vec<Place> =
        reached.filter_map(|entity| Sampler::new(entity).ok()).flat_map(Sampler::places).collect();
    // Only the data shows these parts of payloads; what the policy calls them is known.
    for decision in decisions.iter().filter(|decision| decision.field.field.path.is_some()) {
        if !places.iter().any(|place| place.field == decision.field) {
            places.push(Place { field: decision.field.clone(), form: Form::Text, key: false, sample: None });
        }
    }
    let found = detect(&places, relationships);
    let sure: Vec<(&FieldId, &Detection)> = places
        .iter()
        .zip(&found)
        .filter_map(|(place, found)| Some((&place.field, found.as_ref()?)))
        .filter(|(_, found)| {
            found.score >= SURE && matches!(found.class.standing(), Standing::Direct | Standing::Secret)
        })
        .collect();
    let mut findings = Vec::new();
    for decision in decisions {
        let Some((Keep { accepts_personal: false, .. }, rule)) = decision.keeps() else { continue };
        // Who keeps a payload whole keeps all that is known to be inside.
        let kept = |field: &FieldId| {
            let whole = decision.field.field.path.is_none();
            *field == decision.field
                || (whole && field.entity == decision.field.entity && field.field.column == decision.field.field.column)
        };
        let Some((inside, found)) = sure.iter().find(|(field, _)| kept(field)) else { continue };
        let span =
            rule.and_then(|name| policy.rules.iter().find(|rule| rule.name == name)).map(|rule| rule.span.clone());
        let site = Site { rule: rule.map(str::to_owned), span, ..Site::field(&decision.field) };
        let what =
            if **inside == decision.field { "it".to_owned() } else { format!("`{}` inside of it", inside.field) };
        let message = format!(
            "the field is kept, and {what} seems to hold `{}`, which {}: {}",
            found.class,
            if found.class.standing() == Standing::Secret { "opens something" } else { "leads to one person" },
            found.evidence.join("; ")
        );
        findings.push(Finding::error("POL-037", site, message).help(format!(
            "mask it, for instance by `mask: {}`; or, if it holds nothing of the kind or must pass, say why in `reason` and write `accept: [ personal-data ]` in this rule",
            found.class.mask()
        )));
    }
    findings
}
