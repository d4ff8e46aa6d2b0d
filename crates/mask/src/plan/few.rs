//! Fields with few values, whose pseudonyms counting undoes.
//!
//! Hidden here: what is known of a field's values without reading one: the type, an enumeration, a declared range. If a mask gives
//! equal values equal results, and a field has so few values that everybody knows which is the most frequent, then the most
//! frequent result is that value. What only a server's statistics tell moves by itself, so it warns and stops no capture; where
//! nobody tells how many values there are, nothing is said.

use reenact_model::error::Severity;
use reenact_model::{Finding, Site, ValueType};

use super::resolve::Match;
use crate::kernels::{Group, MaskSpec, Shape};

/// From so many values on, counting is taken to be no threat by itself.
const MANY: u64 = 1_000;

/// How many values a field can have, as far as its schema tells.
fn values(shape: &Shape) -> Option<u64> {
    if shape.value == ValueType::Bool {
        return Some(2);
    }
    let listed = shape.values.as_ref().map(|values| values.len() as u64);
    listed.or_else(|| shape.range.map(|(least, most)| most.abs_diff(least).saturating_add(1)))
}

/// Whether equal values get equal results that tell them from others.
fn tells_apart(spec: &MaskSpec) -> bool {
    let blurs = matches!(spec.group, Group::Plain | Group::Blob | Group::Time | Group::Text);
    // Of what blurs a distribution, only the exchange of values keeps them apart; a drawn gender does not depend on the value.
    let counted = spec.group != Group::Statistics || spec.name == "shuffle";
    spec.facts.deterministic && !blurs && counted && spec.name != "gender"
}

/// The finding, if a field has few values and its mask tells them apart.
pub(super) fn few_values(spec: &MaskSpec, found: &Match, site: Site) -> Option<Finding> {
    if !tells_apart(spec) {
        return None;
    }
    let told = values(&found.shape).filter(|count| *count < MANY);
    let (what, severity) = match (told, found.distinct.filter(|count| *count < MANY)) {
        (Some(count), _) => (format!("the field has {count} values at most"), Severity::Error),
        (None, Some(count)) => (format!("the server has counted about {count} values in the field"), Severity::Warning),
        (None, None) => return None,
    };
    let message = format!(
        "{what}, and mask `{}` gives equal values equal results: who knows how frequent each is reads them",
        spec.name
    );
    Some(Finding { severity, ..Finding::error("POL-028", site, message) }.help(
        "use `redact` or `constant`, keep the field if it tells nothing, or write `accept: [ few-values ]` in this rule",
    ))
}
