//! Findings and diffs as texts: for people, pull requests and programs.
//!
//! Hidden here: each format's own limits. A pull request's comment holds 64 KB and annotations are few, so what is gravest comes
//! first and the rest is counted. Nothing in any format is a value of a row; findings hold none.

mod github;
mod junit;
mod markdown;
mod sarif;
mod text;

use reenact_model::Finding;
use reenact_model::error::Severity;

pub use github::annotations;
pub use junit::junit;
pub use markdown::{COMMENT_LIMIT, comment, diff_comment};
pub use sarif::sarif;
pub use text::{diff_text, text};

/// A finding's name that stays when lines move: its code, its place in the data, and its rule.
pub fn stable_id(finding: &Finding) -> String {
    let site = &finding.site;
    let part = |text: &Option<String>| text.clone().unwrap_or_default();
    let all = [&site.service, &site.entity, &site.field, &site.rule].map(part).join("\u{1f}");
    // FNV-1a, 64 bits: a name, no secret.
    let hash = all
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("{}-{hash:016x}", finding.code)
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use reenact_model::{Finding, Site, Span};

    use crate::Report;

    /// A report with a finding of each kind, with characters that formats must escape.
    pub(crate) fn report() -> Report {
        let span = |line| Some(Span { file: "policies/shop.yaml".to_owned(), line, column: 5, length: 4 });
        let site = Site { service: Some("shop".to_owned()), entity: Some("public.t<1>".to_owned()), ..Site::default() };
        let at = |field: &str, line| Site { field: Some(field.to_owned()), span: span(line), ..site.clone() };
        Report {
            policy: "policies/shop.yaml".to_owned(),
            digest: "00".repeat(32),
            findings: vec![
                Finding::error("POL-001", at("mail|x", 3), "no rule decides this field & \"more\"")
                    .help("name it: 50%\nin a rule"),
                Finding::warning("POL-002", at("b", 4), "matches nothing"),
                Finding::error("POL-020", Site::default(), "without a place"),
            ],
            decisions: Vec::new(),
            passed: None,
            quasi_identifiers: Vec::new(),
            guarantees: std::collections::BTreeMap::default(),
            subject: None,
        }
    }
}
