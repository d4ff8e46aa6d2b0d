//! The matrix: one row for every field, with all that is known of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use reenact_mask::approval::Outcome;
use reenact_mask::detect::{Detection, Place, Sampler, Standing, detect};
use reenact_mask::kernels::{self, Guarantees, Injective};
use reenact_mask::{Action, Decision};
use reenact_model::FieldId;
use reenact_model::catalog::{Entity, Field};

use super::Page;
use super::markup::{code, list, text};
use crate::diff;

const HEAD: [&str; 6] = ["Field", "Decision", "Rule", "Seems to hold", "Guarantees", "Constraints and risks"];

impl Page<'_> {
    /// What fields seem to hold, by their names, types, neighbours and references; no record is read for it.
    fn detections(&self) -> BTreeMap<FieldId, Detection> {
        let entities = self.schemas.catalogs.iter().flat_map(|catalog| &catalog.entities);
        let reached = entities.filter(|entity| self.schemas.reached.contains(&entity.id));
        let places: Vec<Place> =
            reached.filter_map(|entity| Sampler::new(entity).ok()).flat_map(Sampler::places).collect();
        let found = detect(&places, &self.schemas.relationships);
        places.into_iter().zip(found).filter_map(|(place, found)| Some((place.field, found?))).collect()
    }

    /// The decisions on fields that seem to hold something of people.
    pub(super) fn found(&self) -> impl Iterator<Item = (&Decision, Standing)> {
        let found = self.detections();
        self.report.decisions.iter().filter_map(move |decision| {
            let found = found.get(&decision.field)?;
            found.class.is_personal().then(|| (decision, found.class.standing()))
        })
    }

    pub(super) fn fields(&self) -> String {
        if self.report.decisions.is_empty() {
            return "<p>Nothing is decided as long as a finding stops the policy.</p>\n".to_owned();
        }
        let found = self.detections();
        let mut out = "<div class=\"tools\" hidden><label>Filter by any word<input type=\"search\" autocomplete=\"off\"></label>\
                       <label>Show<select><option value=\"\">every field</option><option value=\"masked\">masked</option><option value=\"kept\">kept</option>\
                       <option value=\"redacted\">redacted as undecided</option><option value=\"personal\">looks like personal data</option>\
                       <option value=\"risk\">with a risk</option></select></label><output aria-live=\"polite\"></output></div>\n\
                       <div class=\"wide\" role=\"region\" aria-labelledby=\"fields-caption\" tabindex=\"0\"><table class=\"fields\"><caption id=\"fields-caption\">\
                       One row for every decision</caption><thead><tr>"
            .to_owned();
        for head in HEAD {
            let _ = write!(out, "<th scope=\"col\">{head}</th>");
        }
        out.push_str("</tr></thead><tbody>\n");
        for decision in &self.report.decisions {
            let row = self.row(decision, found.get(&decision.field));
            let _ = write!(out, "<tr data-kinds=\"{}\"><th scope=\"row\">{}</th>", row.kinds, row.cells[0]);
            for (head, cell) in HEAD.iter().zip(&row.cells).skip(1) {
                let _ = write!(out, "<td data-label=\"{head}\">{cell}</td>");
            }
            out.push_str("</tr>\n");
        }
        out + "</tbody></table></div>\n"
    }

    fn row(&self, decision: &Decision, found: Option<&Detection>) -> Row {
        let field = &decision.field;
        let outcome = self.report.subject.as_ref().and_then(|subject| subject.field(field));
        let entity = self.schemas.catalogs.iter().flat_map(|c| &c.entities).find(|e| e.id == field.entity);
        let column = entity.and_then(|e| e.field(&field.field.column));
        let mut kinds = vec![kind(&decision.action)];
        if decision.when.is_some() {
            kinds.push(if decision.keeps().is_some() { "kept" } else { "masked" });
            kinds.dedup();
        }
        let personal = found.filter(|found| found.class.is_personal());
        kinds.extend(personal.map(|_| "personal"));
        let mut risks = Vec::new();
        if let (Some(found), Some(_)) = (personal, decision.keeps()) {
            let some = if decision.when.is_some() { " under a condition" } else { "" };
            risks.push(format!("kept{some}, and looks like {}", found.class));
        }
        risks.extend(risks_of(outcome));
        risks.extend(self.constraint_risks(decision, entity.map(|e| &**e), column));
        if !risks.is_empty() {
            kinds.push("risk");
        }
        let mut notes: Vec<String> = risks.iter().map(|r| format!("<span class=\"warn\">{}</span>", text(r))).collect();
        notes.extend(self.constraints(field, entity.map(|e| &**e), column).iter().map(|note| text(note)));
        let holds = match found {
            Some(found) => {
                let evidence =
                    if found.evidence.is_empty() { String::new() } else { format!(": {}", found.evidence.join("; ")) };
                format!("<strong>{}</strong><span class=\"soft\">{}</span>", text(found.class.name()), text(&evidence))
            }
            None => "<span class=\"soft\">nothing found</span>".to_owned(),
        };
        let kind_of = match (column, &field.field.path) {
            (Some(column), None) => text(&column.native),
            _ => "part of a payload".to_owned(),
        };
        let words = match &decision.action {
            _ if decision.when.is_some() => outcome.map_or_else(|| diff::decided(decision), diff::outcome),
            // The reason stands among the keeps; here it would bury the rest.
            Action::Keep(keep) if keep.accepts_personal => "kept, accepted as personal data".to_owned(),
            Action::Keep(keep) if keep.reference => "kept as reference data".to_owned(),
            Action::Keep(_) => "kept".to_owned(),
            action => outcome.map_or_else(|| diff::words(action), diff::outcome),
        };
        let cells = [
            format!("{} <span class=\"soft type\">{kind_of}</span>", code(&field.to_string())),
            text(&words),
            rules(decision),
            holds,
            list(&self.promises(decision)),
            list(&notes),
        ];
        Row { kinds: kinds.join(" "), cells }
    }

    /// What the decision holds to, and what it tells.
    fn promises(&self, decision: &Decision) -> Vec<String> {
        if decision.when.is_some() {
            return vec!["depends on the record".to_owned()];
        }
        let Action::Mask { mask, .. } = &decision.action else {
            return match decision.action {
                Action::Redact => vec!["tells nothing but that something was there".to_owned()],
                Action::Keep(_) => vec!["the value itself".to_owned()],
                _ => Vec::new(),
            };
        };
        let Some(spec) = kernels::find(mask) else { return Vec::new() };
        let mut out = match self.report.guarantees.get(&decision.field) {
            Some(Guarantees { injective: true, .. }) => vec!["equal stay equal, different stay different".to_owned()],
            Some(Guarantees { deterministic: true, .. }) => {
                vec!["equal stay equal, different may become equal".to_owned()]
            }
            Some(_) => vec!["a new value each time".to_owned()],
            None if spec.facts.injective == Injective::Never => vec!["different may become equal".to_owned()],
            None => vec!["depends on the data".to_owned()],
        };
        out.push(format!("may reveal: {}", text(spec.facts.leaks.trim_end_matches('.'))));
        out
    }

    /// Where the schema asks more than the mask holds to by itself. What a mask can't hold to at all is a finding.
    fn constraint_risks(&self, decision: &Decision, entity: Option<&Entity>, column: Option<&Field>) -> Vec<String> {
        let (Some(entity), Some(column), None) = (entity, column, &decision.field.field.path) else {
            return Vec::new();
        };
        let Action::Mask { mask, .. } = &decision.action else { return Vec::new() };
        let mut out = Vec::new();
        let unique = std::iter::once(&entity.key).chain(&entity.uniques).any(|set| set.contains(&column.name));
        let injective = self.report.guarantees.get(&decision.field).is_some_and(|held| held.injective);
        if unique && !injective {
            out.push(
                "unique with others, and different values may become equal: only the others keep records apart"
                    .to_owned(),
            );
        }
        if unique && column.collation.is_some() {
            out.push(
                "unique where the server takes different texts for equal: it may refuse two results as one".to_owned(),
            );
        }
        if mask == "null" && !column.nullable {
            out.push("never NULL, and the mask makes it NULL".to_owned());
        }
        if !column.checks.is_empty() && mask != "null" {
            out.push(
                "held to a constraint that is not understood here: results must fulfil it, or the replay refuses them"
                    .to_owned(),
            );
        }
        if column.values.is_some() && !injective {
            out.push("a choice of the schema: results must be among its values, or the replay refuses them".to_owned());
        }
        out
    }

    fn constraints(&self, id: &FieldId, entity: Option<&Entity>, column: Option<&Field>) -> Vec<String> {
        let mut out = Vec::new();
        if let (Some(entity), Some(column), None) = (entity, column, &id.field.path) {
            if entity.key.contains(&column.name) {
                out.push(if entity.key.len() == 1 { "key".to_owned() } else { "part of the key".to_owned() });
            }
            if entity.uniques.iter().any(|unique| unique.contains(&column.name)) {
                out.push("unique".to_owned());
            }
            if !column.nullable {
                out.push("never NULL".to_owned());
            }
            out.extend(column.collation.as_ref().map(|name| format!("compared by collation {name}")));
            out.extend(column.max_chars.map(|most| format!("at most {most} characters")));
            out.extend(column.checks.iter().map(|name| format!("held to {name}")));
            // The values themselves are the schema's, and yet nobody's business here.
            out.extend(column.values.as_ref().map(|values| format!("one of {} values", values.len())));
        }
        let here = |end: &reenact_model::catalog::End| end.entity == id.entity && end.fields.contains(&id.field);
        for edge in &self.schemas.relationships {
            if here(&edge.child) {
                out.push(format!("refers to {}", edge.parent));
            }
            if here(&edge.parent) {
                out.push(format!("referred to by {}", edge.child));
            }
        }
        out
    }
}

struct Row {
    kinds: String,
    cells: [String; 6],
}

/// The rules that decide, the one without a condition first.
fn rules(decision: &Decision) -> String {
    let names = decision.rule.iter().chain(decision.when.as_ref().map(|when| &when.rule));
    let names: Vec<String> = names.map(|name| text(name)).collect();
    if names.is_empty() { "–".to_owned() } else { names.join(", ") }
}

fn kind(action: &Action) -> &'static str {
    match action {
        Action::Mask { .. } => "masked",
        Action::Keep(_) => "kept",
        Action::Redact => "redacted",
        Action::Coordinate | Action::Payload => "other",
    }
}

/// What a reviewer should not overlook.
fn risks_of(outcome: Option<&Outcome>) -> Vec<String> {
    match outcome {
        Some(Outcome::Mask(masking)) if masking.args.get("valid").is_some_and(|valid| valid == "true") => {
            vec!["an invented value may equal a real person's".to_owned()]
        }
        Some(Outcome::Keep(keep)) => {
            let unsearched = "not searched for what masks replaced".to_owned();
            keep.reference.then_some(unsearched).into_iter().collect()
        }
        Some(Outcome::Choice(choice)) => {
            [&choice.fulfilled, &choice.otherwise].into_iter().flat_map(|outcome| risks_of(Some(outcome))).collect()
        }
        _ => Vec::new(),
    }
}
