//! For a GitHub workflow: annotations, ten of each kind at most, which is what a step shows.

use std::fmt::Write as _;

use reenact_model::error::Severity;

use crate::Report;

/// How many of one kind a step shows.
const SHOWN: usize = 10;

/// A report as workflow commands, the gravest first.
pub fn annotations(report: &Report) -> String {
    let mut out = String::new();
    for (severity, command) in [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Note, "notice")]
    {
        for finding in report.findings.iter().filter(|finding| finding.severity == severity).take(SHOWN) {
            let mut site = finding.site.clone();
            let mut properties = vec![format!("title={}", property(&finding.code))];
            if let Some(span) = site.span.take() {
                properties.push(format!("file={}", property(&span.file)));
                properties.push(format!("line={},col={}", span.line, span.column));
            }
            let help = finding.help.as_ref().map_or(String::new(), |help| format!("\nhelp: {help}"));
            let message = format!("{site}: {}{help}", finding.message);
            let _ = writeln!(out, "::{command} {}::{}", properties.join(","), data(&message));
        }
    }
    let _ = writeln!(out, "::notice title=reenact::{}", data(&report.verdict()));
    out
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::testing::report;

    #[test]
    fn commands_are_escaped_and_few() {
        let text = annotations(&report());
        let first = text.lines().next().expect("a line");
        assert!(first.starts_with("::error title=POL-001,file=policies/shop.yaml,line=3,col=5::"), "{first}");
        assert!(first.contains("50%25%0Ain a rule"), "{first}");
        let mut many = report();
        many.findings = std::iter::repeat_n(many.findings[0].clone(), 50).collect();
        assert_eq!(annotations(&many).lines().count(), 11);
    }
}
