//! Constraints of a server that nobody here understands, on fields whose values a mask replaces.
//!
//! Hidden here: when that is worth a word. What is understood of a constraint narrows the field's shape, and masks are held to it; of
//! the rest only the server knows whether a result fulfils it, and it tells when a replay loads the rows.

use reenact_model::error::Severity;
use reenact_model::{Finding, Site};

/// The finding, if constraints bind a field beyond its shape; `accepted` if the rule says that results fulfil them.
pub(super) fn checked(checks: &[String], accepted: bool, mask: &str, site: Site) -> Option<Finding> {
    if checks.is_empty() || accepted {
        return None;
    }
    let names: Vec<String> = checks.iter().map(|name| format!("`{name}`")).collect();
    let message = format!(
        "the server holds this field to {}, and nobody here can say that what mask `{mask}` gives fulfils it: a replay may be refused",
        names.join(", ")
    );
    let finding = Finding { severity: Severity::Warning, ..Finding::error("POL-039", site, message) };
    Some(finding.help("if every result fulfils it, write `accept: [ check ]` in the rule; else use another mask"))
}
