//! What stands around the matrix of fields.

use std::fmt::Write as _;

use reenact_mask::detect::Standing;
use reenact_mask::{Action, Decision};
use reenact_model::FieldId;
use reenact_model::error::Severity;

use super::Page;
use super::markup::{code, day, list, table, text};
use crate::diff::{self, Effect};
use crate::population::Population;

impl Page<'_> {
    pub(super) fn provenance(&self) -> String {
        let mut facts = vec![
            ("Policy", format!("{}, SHA-256 {}", code(&self.report.policy), code(&self.report.digest))),
            ("Pipeline", code(self.pipeline)),
        ];
        if let Some(subject) = &self.report.subject {
            facts.push(("Decisions", code(&subject.digest())));
            let command = format!("reenact policy approve {} --digest {}", self.pipeline, subject.digest());
            facts.push(("To approve", format!("in a terminal, with your own key: {}", code(&command))));
        }
        for catalog in &self.schemas.catalogs {
            let of = format!("{} {}, {} entities", catalog.kind, catalog.version, catalog.entities.len());
            facts.push(("Service", format!("{}: {}", code(&catalog.service), text(of.trim()))));
        }
        match self.approvals {
            None => facts.push(("Approvals", "not looked for".to_owned())),
            Some((required, verdict)) => {
                let asked = match required.count {
                    0 => "this keyring asks for none".to_owned(),
                    n => format!("this keyring asks for {n}; keys that may approve: {}", required.approvers.len()),
                };
                facts.push(("Approvals", asked));
                for held in &verdict.held {
                    let when = format!("on {}, until {}", day(held.approved_ms), day(held.expires_ms));
                    facts.push(("Approved", format!("by {} {when}", code(&held.key.id()))));
                }
                for finding in &verdict.refused {
                    let site = finding.site.to_string();
                    let site = if site.is_empty() { site } else { format!(" ({site})") };
                    facts.push(("Does not count", text(&format!("{}{site}", finding.message))));
                }
                for field in &verdict.added {
                    facts.push(("Newer, redacted", code(&field.to_string())));
                }
            }
        }
        let rows: Vec<String> = facts.iter().map(|(name, fact)| format!("<dt>{name}</dt><dd>{fact}</dd>")).collect();
        format!("<dl>{}</dl>\n", rows.concat())
    }

    pub(super) fn findings(&self) -> String {
        if self.report.findings.is_empty() {
            return "<p>None.</p>\n".to_owned();
        }
        let row = |finding: &reenact_model::Finding| {
            let (class, word) = match finding.severity {
                Severity::Error => ("bad", "error"),
                Severity::Warning => ("warn", "warning"),
                Severity::Note => ("soft", "note"),
            };
            vec![
                code(&finding.code),
                format!("<span class=\"{class}\">{word}</span>"),
                text(&finding.site.to_string()),
                text(&finding.message),
                text(finding.help.as_deref().unwrap_or_default()),
            ]
        };
        let rows: Vec<Vec<String>> = self.report.findings.iter().map(row).collect();
        table("findings-table", "The gravest first", &["Code", "Severity", "Where", "What", "Edit"], &rows)
    }

    pub(super) fn changes(&self) -> String {
        let (with, diff) = match &self.since {
            Ok(since) => since,
            Err(why) => return format!("<p>Not compared: {}.</p>\n", text(why)),
        };
        let mut out = format!("<p>Compared with {}: {}.</p>\n", code(with), text(&diff.verdict()));
        if diff.changes.is_empty() {
            return out;
        }
        let row = |change: &diff::Change| {
            let class = match change.effect {
                Effect::Weaker => "bad",
                Effect::Stronger => "good",
                _ => "warn",
            };
            let told = |words: &Option<String>| words.as_deref().map_or("–".to_owned(), text);
            vec![
                code(&change.field.to_string()),
                format!("<span class=\"{class}\">{}</span>", change.effect.word()),
                told(&change.before),
                told(&change.after),
                told(&change.rule),
            ]
        };
        let rows: Vec<Vec<String>> = diff.changes.iter().map(row).collect();
        let head = ["Field", "Effect", "Before", "Now", "Rule"];
        out.push_str(&table("changes-table", "By effect, what tells more first", &head, &rows));
        out
    }

    pub(super) fn coverage(&self) -> String {
        if self.report.decisions.is_empty() {
            return "<p>Nothing is decided as long as a finding stops the policy.</p>\n".to_owned();
        }
        let counts = self.report.coverage();
        let taken_apart = self.report.decisions.iter().filter(|d| d.action == Action::Payload).count();
        let kept_personal =
            self.found().filter(|(d, standing)| is_kept(d) && *standing != Standing::Organisation).count();
        let count = |word: &str| counts.get(word).copied().unwrap_or(0);
        let shown = [
            ("masked", count("masked")),
            ("kept", count("kept")),
            ("kept, and look like personal data", kept_personal),
            ("redacted, since no rule names them", count("redacted")),
            ("coordinates of stores", count("coordinates")),
            ("payloads that are taken apart", taken_apart),
            ("undecided", 0),
        ];
        let items: Vec<String> = shown.iter().map(|(word, n)| format!("<li><b>{n}</b> {word}</li>")).collect();
        let items = items.concat();
        format!(
            "<ul class=\"counts\">{items}</ul>\n<p class=\"soft\">Parts of payloads that only the data shows are not counted; a capture refuses or redacts what no rule names.</p>\n"
        )
    }

    pub(super) fn keeps(&self) -> String {
        let keeps = self.report.decisions.iter().filter_map(|decision| Some((decision, decision.keeps()?)));
        let rows: Vec<Vec<String>> = keeps
            .map(|(decision, (keep, rule))| {
                let rule = rule.unwrap_or_default();
                let age = match self.touched.get(rule) {
                    Some(ms) => format!("{} days, since {}", (self.now_ms - ms).max(0) / 86_400_000, day(*ms)),
                    None => "unknown: not committed".to_owned(),
                };
                let reason =
                    if keep.reference { format!("{} (reference data)", keep.reason) } else { keep.reason.clone() };
                let reason =
                    if keep.accepts_personal { format!("{reason} (accepted as personal data)") } else { reason };
                let reason = match decision.when.as_ref().filter(|when| when.rule == rule) {
                    Some(when) => format!("{reason} (if {})", when.condition),
                    None => reason,
                };
                vec![
                    code(&decision.field.to_string()),
                    text(&reason),
                    keep.owner.as_deref().map_or("nobody named".to_owned(), text),
                    keep.expires.as_deref().map_or("never".to_owned(), text),
                    age,
                    text(rule),
                ]
            })
            .collect();
        if rows.is_empty() {
            return "<p>No field is kept.</p>\n".to_owned();
        }
        let head = ["Field", "Reason", "Owner", "Expires", "Age of the rule", "Rule"];
        table("keeps-table", "Values that are captured as they are", &head, &rows)
    }

    pub(super) fn population(&self) -> String {
        let quasi: Vec<(&Decision, Standing)> =
            self.found().filter(|(_, standing)| *standing == Standing::Quasi).collect();
        let kept: Vec<String> =
            quasi.iter().filter(|(d, _)| is_kept(d)).map(|(d, _)| code(&d.field.to_string())).collect();
        let mut out = match &self.bundle {
            _ if self.report.quasi_identifiers.is_empty() => {
                "<p><strong>k and uniqueness: not measured.</strong> The policy declares no <code>quasi_identifiers</code>.</p>\n".to_owned()
            }
            Err(_) => "<p><strong>k and uniqueness: not measured.</strong> They are counted on the masked records of a bundle; \
                       <code>--bundle BUNDLE</code> names one.</p>\n"
                .to_owned(),
            Ok(bundle) => measured(&self.report.quasi_identifiers, &bundle.population),
        };
        let _ = writeln!(
            out,
            "<p>{} fields look as if they narrow down who it is, by their names and types alone. Of these are kept: {}</p>",
            quasi.len(),
            if kept.is_empty() { "none.".to_owned() } else { list(&kept) }
        );
        out
    }

    pub(super) fn scope(&self) -> String {
        let items = |texts: &[String]| texts.iter().map(|t| code(t)).collect::<Vec<_>>();
        let flow = if self.flow.is_empty() { "one service, so no order".to_owned() } else { list(&items(&self.flow)) };
        let mut out = format!(
            "<dl><dt>Begins at</dt><dd>{}</dd><dt>A commit here can cause one there</dt><dd>{flow}</dd></dl>\n",
            list(&items(&self.roots))
        );
        out.push_str(&super::graph::svg(self.schemas));
        let fields = |entity: &reenact_model::EntityId| {
            self.schemas
                .catalogs
                .iter()
                .flat_map(|c| &c.entities)
                .find(|e| e.id == *entity)
                .map_or(0, |e| e.fields.len())
        };
        let edges = &self.schemas.relationships;
        let rows: Vec<Vec<String>> = self
            .schemas
            .reached
            .iter()
            .map(|entity| {
                let to: Vec<String> = edges
                    .iter()
                    .filter(|e| e.child.entity == *entity)
                    .map(|e| {
                        let kind = if e.declared { "foreign key" } else { "said by the pipeline" };
                        format!("{} ({kind})", code(&e.parent.to_string()))
                    })
                    .collect();
                let from: Vec<String> =
                    edges.iter().filter(|e| e.parent.entity == *entity).map(|e| code(&e.child.to_string())).collect();
                vec![code(&entity.to_string()), fields(entity).to_string(), list(&to), list(&from)]
            })
            .collect();
        let head = ["Entity", "Fields", "Refers to", "Is referred to by"];
        out.push_str(&table(
            "scope-table",
            "The graph: entities that a capture may read, and what leads from one to another",
            &head,
            &rows,
        ));
        out
    }

    pub(super) fn residue(&self) -> String {
        let bundle = match &self.bundle {
            Ok(bundle) => bundle,
            Err(why) => return format!("<p>Not known: {}.</p>\n", text(why)),
        };
        let same = if bundle.policy == self.report.digest {
            "this very text".to_owned()
        } else {
            format!("<span class=\"warn\">another text</span>, SHA-256 {}", code(&bundle.policy))
        };
        let total: u64 = bundle.rows.values().sum();
        let mut out = format!(
            "<p>{}.</p>\n<dl><dt>Bundle</dt><dd>{}, of {}</dd><dt>Masked by</dt><dd>{same}</dd><dt>Cut</dt><dd>{}, skew {} ms</dd><dt>Records</dt><dd>{total}</dd></dl>\n",
            text(&bundle.residue),
            code(&bundle.id),
            day(bundle.captured_ms),
            text(&bundle.grade),
            bundle.skew_ms
        );
        let rows: Vec<Vec<String>> =
            bundle.rows.iter().map(|(entity, n)| vec![code(&entity.to_string()), n.to_string()]).collect();
        out.push_str(&table("rows-table", "What the bundle holds", &["Entity", "Records"], &rows));
        out
    }
}

/// What was counted of each declared set.
fn measured(sets: &[Vec<FieldId>], counted: &[Population]) -> String {
    let row = |set: &Vec<FieldId>| {
        let fields: Vec<String> = set.iter().map(|field| code(&field.to_string())).collect();
        let mut cells = vec![list(&fields)];
        match counted.iter().find(|population| population.fields == *set) {
            None => cells.extend(["not in the bundle", "–", "–", "–"].map(str::to_owned)),
            Some(of) => {
                let share = match (of.unique * 1_000).checked_div(of.records) {
                    Some(share) => format!(" ({}.{} %)", share / 10, share % 10),
                    None => String::new(),
                };
                let class = if of.records > 0 && of.k <= 1 { "warn" } else { "soft" };
                cells.push(of.records.to_string());
                cells.push(of.combinations.to_string());
                cells.push(format!("<span class=\"{class}\">{}</span>", of.k));
                cells.push(format!("{}{share}", of.unique));
            }
        }
        cells
    };
    let rows: Vec<Vec<String>> = sets.iter().map(row).collect();
    let head = ["Fields together", "Records", "Combinations", "k: records of the rarest", "Unique records"];
    let caption = "Counted on the masked records of the bundle";
    let note = "<p class=\"soft\">It tells of these records alone: a small k among a few captured records says little of the whole population, and k says nothing of what else is known of somebody.</p>\n";
    table("population-table", caption, &head, &rows) + note
}

/// Whether values leave as they are.
fn is_kept(decision: &Decision) -> bool {
    decision.keeps().is_some()
}
