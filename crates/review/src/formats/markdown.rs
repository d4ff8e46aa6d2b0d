//! For a pull request: one comment, found again by its marker and updated in place.

use std::fmt::Write as _;

use reenact_model::error::Severity;

use super::stable_id;
use crate::diff::Effect;
use crate::{Diff, Report};

/// The most bytes of a comment; GitHub takes 65,536 characters.
pub const COMMENT_LIMIT: usize = 60_000;

/// What a bot looks for to update its comment instead of writing another.
const MARKER: &str = "<!-- reenact-policy-review -->";

/// A report as a comment.
pub fn comment(report: &Report) -> String {
    let errors = report.count(Severity::Error);
    let mut out = format!(
        "{MARKER}\n### {} `{}`\n\n{}\n",
        if errors == 0 { "✅" } else { "❌" },
        report.policy,
        report.verdict()
    );
    if !report.findings.is_empty() {
        out.push_str("\n| | code | where | what | edit |\n|---|---|---|---|---|\n");
    }
    let rows = report.findings.iter().map(|finding| {
        let mark = match finding.severity {
            Severity::Error => "❌ error",
            Severity::Warning => "⚠️ warning",
            Severity::Note => "ℹ️ note",
        };
        let (site, message) = (cell(&finding.site.to_string()), cell(&finding.message));
        let help = cell(finding.help.as_deref().unwrap_or_default());
        format!("| {mark} | `{}` | {site} | {message} | {help} |\n", stable_id(finding))
    });
    fill(&mut out, rows);
    out
}

/// A diff as a comment.
pub fn diff_comment(diff: &Diff) -> String {
    let weaker = diff.count(Effect::Weaker);
    let mut out = format!(
        "{MARKER}\n### {} what this change does\n\n{}\n",
        if weaker == 0 { "✅" } else { "⚠️" },
        diff.verdict()
    );
    if !diff.changes.is_empty() {
        out.push_str("\n| effect | field | before | after | rule |\n|---|---|---|---|---|\n");
    }
    let rows = diff.changes.iter().map(|change| {
        let mark = if change.effect == Effect::Weaker { "⚠️ **weaker**" } else { change.effect.word() };
        let text = |text: &Option<String>| cell(text.as_deref().unwrap_or("–"));
        let field = cell(&change.field.to_string());
        format!("| {mark} | {field} | {} | {} | {} |\n", text(&change.before), text(&change.after), text(&change.rule))
    });
    fill(&mut out, rows);
    out
}

/// Adds rows as long as they fit, and counts the rest.
fn fill(out: &mut String, rows: impl ExactSizeIterator<Item = String>) {
    let all = rows.len();
    for (n, row) in rows.enumerate() {
        if out.len() + row.len() > COMMENT_LIMIT {
            let _ = writeln!(out, "\n{} more; run the command yourself for all of them.", all - n);
            return;
        }
        out.push_str(&row);
    }
}

/// A text that stays inside a cell of a table, and is text only.
fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' => out.push_str("\\|"),
            '\n' | '\r' => out.push(' '),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '@' => out.push_str("&#64;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::testing::report;

    #[test]
    fn a_comment_stays_a_table_and_within_its_limit() {
        let text = comment(&report());
        assert!(text.starts_with(MARKER) && text.contains("mail\\|x") && text.contains("&lt;1&gt;"), "{text}");
        assert!(
            text.lines()
                .filter(|line| line.starts_with("| "))
                .all(|line| line.replace("\\|", "").matches('|').count() == 6)
        );
        let mut long = report();
        long.findings = std::iter::repeat_n(long.findings[0].clone(), 2_000).collect();
        let text = comment(&long);
        assert!(text.len() < 65_000 && text.contains(" more; run the command"), "{}", text.len());
    }
}
