//! For anything that shows test results: each finding is a test that failed.

use std::fmt::Write as _;

use reenact_model::error::Severity;

use super::{stable_id, word};
use crate::Report;

/// A report as `JUnit` XML (windyroad's schema). Errors are failures, and so are warnings if `strict`.
pub fn junit(report: &Report, strict: bool) -> String {
    let failed = |severity| severity == Severity::Error || (strict && severity == Severity::Warning);
    let failures = report.findings.iter().filter(|finding| failed(finding.severity)).count();
    let passed = report.passed.as_deref().unwrap_or_default();
    let tests = report.findings.len() + passed.len() + 1;
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        out,
        "<testsuite name=\"{}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" time=\"0\" hostname=\"localhost\" \
         timestamp=\"1970-01-01T00:00:00\">\n  <properties/>",
        escaped(&report.policy)
    );
    for finding in &report.findings {
        let (id, site) = (escaped(&stable_id(finding)), escaped(&finding.site.to_string()));
        let _ = write!(out, "  <testcase name=\"{id}\" classname=\"{site}\" time=\"0\"");
        if failed(finding.severity) {
            let help = finding.help.as_deref().unwrap_or_default();
            let (message, kind) = (escaped(&finding.message), word(finding.severity));
            let _ = writeln!(
                out,
                ">\n    <failure message=\"{message}\" type=\"{kind}\">{}</failure>\n  </testcase>",
                escaped(help)
            );
        } else {
            out.push_str("/>\n");
        }
    }
    for name in passed {
        let _ = writeln!(out, "  <testcase name=\"{}\" classname=\"policy test\" time=\"0\"/>", escaped(name));
    }
    let _ = writeln!(out, "  <testcase name=\"the policy is read\" classname=\"policy\" time=\"0\"/>");
    out.push_str("  <system-out></system-out>\n  <system-err></system-err>\n</testsuite>\n");
    out
}

/// A text inside of XML; what XML 1.0 can't hold is left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            c if c.is_control() && c != '\t' => {}
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
    fn findings_are_tests_that_failed() {
        let text = junit(&report(), false);
        assert!(text.contains("tests=\"4\" failures=\"2\""), "{text}");
        assert!(
            text.contains("no rule decides this field &amp; &quot;more&quot;") && text.contains("t&lt;1&gt;"),
            "{text}"
        );
        assert!(junit(&report(), true).contains("failures=\"3\""));
        let tested = Report { passed: Some(vec!["a < b".to_owned()]), ..report() };
        let text = junit(&tested, false);
        assert!(text.contains("tests=\"5\"") && text.contains("name=\"a &lt; b\""), "{text}");
    }
}
