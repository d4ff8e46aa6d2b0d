//! For a terminal: each finding with the line that it is about, and what is wrong there underlined.

use std::fmt::Write as _;

use reenact_mask::PolicyText;

use super::word;
use crate::{Diff, Report};

/// A report as text; `source` is the policy's text with all that it includes, to show the lines that findings are about.
pub fn text(report: &Report, source: &PolicyText) -> String {
    let mut out = String::new();
    for finding in &report.findings {
        let _ = writeln!(out, "{}[{}]: {}", word(finding.severity), finding.code, finding.message);
        let mut site = finding.site.clone();
        let span = site.span.take();
        let what = site.to_string();
        if !what.is_empty() {
            let _ = writeln!(out, "  in {what}");
        }
        if let Some(span) = span {
            let _ = writeln!(out, "  --> {span}");
            let text = source.source(&span.file);
            if let Some(line) = text.and_then(|text| text.lines().nth(span.line.saturating_sub(1) as usize)) {
                let number = span.line.to_string();
                let gap = " ".repeat(number.len());
                let before: String = line.chars().take(span.column.saturating_sub(1) as usize).collect();
                let indent: String = before.chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
                let rest = line.chars().count().saturating_sub(before.chars().count()).max(1);
                let mark = "^".repeat((span.length as usize).clamp(1, rest));
                let _ = writeln!(out, "{gap} |\n{number} | {line}\n{gap} | {indent}{mark}");
            }
        }
        if let Some(help) = &finding.help {
            let _ = writeln!(out, "  help: {help}");
        }
        out.push('\n');
    }
    let _ = writeln!(out, "{}: {}", report.policy, report.verdict());
    out
}

/// A diff as text: one line a field.
pub fn diff_text(diff: &Diff) -> String {
    let mut out = String::new();
    for change in &diff.changes {
        let (before, after) = (change.before.as_deref().unwrap_or("-"), change.after.as_deref().unwrap_or("-"));
        let rule = change.rule.as_ref().map_or(String::new(), |rule| format!("  [rule {rule}]"));
        let _ = writeln!(out, "{:<8} {}: {before} -> {after}{rule}", change.effect.word(), change.field);
    }
    let _ = writeln!(out, "{}", diff.verdict());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::testing::report;

    #[test]
    fn the_offending_text_is_underlined() {
        let source = "version: 1\nrules:\n    mail: x\n  \n";
        let text = text(&report(), &PolicyText::of("policies/shop.yaml", source));
        assert!(text.contains("  |\n3 |     mail: x\n  |     ^^^^\n"), "{text}");
        assert!(text.contains("error[POL-001]") && text.contains("help: name it"), "{text}");
        assert!(text.ends_with("policies/shop.yaml: 2 errors stop every capture; 1 warnings\n"), "{text}");
    }
}
