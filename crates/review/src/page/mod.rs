//! The review as one page: a file that needs no network, no script and no trust in the names that it shows.
//!
//! Hidden here: how a reviewer reads. What stops a capture comes first, then what changed, then every field. All of it stands in the
//! markup; the script only filters and sorts. A policy of contents (CSP) allows this very style and script, by their digests, and nothing
//! else. What is not known is said to be unknown and why, so that a gap never passes for a good result. No value of a record comes here.

mod fields;
mod graph;
mod markup;
mod sections;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reenact_mask::approval::{Required, Verdict};
use reenact_model::EntityId;
use reenact_model::catalog::Schemas;
use reenact_model::error::Severity;
use sha2::{Digest as _, Sha256};

use self::markup::text;
use crate::population::Population;
use crate::{Diff, Report};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
const LIVE: &str = include_str!("live.js");

/// Everything that a page shows.
#[derive(Debug)]
pub struct Page<'a> {
    /// The pipeline's file, as it was named.
    pub pipeline: &'a str,
    /// The findings and decisions.
    pub report: &'a Report,
    /// What the policy was held against.
    pub schemas: &'a Schemas,
    /// Where a capture begins, in words.
    pub roots: Vec<String>,
    /// Which services' commits cause which, in words.
    pub flow: Vec<String>,
    /// What the operator asks for, and what holds of it.
    pub approvals: Option<(&'a Required, &'a Verdict)>,
    /// What it is compared with, and the changes since; or why there is nothing to compare with.
    pub since: Result<(String, Diff), String>,
    /// A bundle that was captured; or why none is told of.
    pub bundle: Result<Captured, String>,
    /// When each rule's text was last touched, in milliseconds since 1970, where that is known.
    pub touched: BTreeMap<String, i64>,
    /// Now, in milliseconds since 1970.
    pub now_ms: i64,
    /// Whether a command serves the page and it follows the files.
    pub live: bool,
}

/// What a bundle tells of its capture.
#[derive(Clone, Debug)]
pub struct Captured {
    /// Its id.
    pub id: String,
    /// When, in milliseconds since 1970.
    pub captured_ms: i64,
    /// The grade of its cut.
    pub grade: String,
    /// The milliseconds between its first pin and its last.
    pub skew_ms: u64,
    /// SHA-256 of the policy's text that masked it.
    pub policy: String,
    /// The residue proof, in words.
    pub residue: String,
    /// Records by entity.
    pub rows: BTreeMap<EntityId, u64>,
    /// What was counted of the sets of quasi-identifiers.
    pub population: Vec<Population>,
}

/// The policy of contents of a page, as a header or a `meta` element has it.
pub fn content_policy(live: bool) -> String {
    let digest = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text.as_bytes())));
    let (more, connect) = if live { (format!(" {}", digest(LIVE)), " connect-src 'self';") } else { <_>::default() };
    format!(
        "default-src 'none'; style-src {}; script-src {}{more};{connect} base-uri 'none'; form-action 'none'",
        digest(STYLE),
        digest(SCRIPT)
    )
}

impl Page<'_> {
    /// The file.
    pub fn html(&self) -> String {
        let (class, verdict) = self.verdict();
        let mut out = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
             <title>Review of {}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n",
            content_policy(self.live),
            text(&self.report.policy)
        );
        let _ = write!(
            out,
            "<header>\n<h1>Review of {}</h1>\n<p class=\"soft\">What happens to every field before a record is written.</p>\n<p class=\"verdict {class}\">{}</p>\n",
            markup::code(&self.report.policy),
            text(&verdict)
        );
        if self.live {
            out.push_str(
                "<p class=\"soft\" id=\"live\" role=\"status\">Served once; reload to follow the files.</p>\n",
            );
        }
        let parts: Vec<(&str, &str, String)> = vec![
            ("provenance", "What was reviewed", self.provenance()),
            ("findings", "Findings", self.findings()),
            ("changes", "Changes since the approved version", self.changes()),
            ("coverage", "Coverage", self.coverage()),
            ("fields", "Every field", self.fields()),
            ("keeps", "What is kept, and why", self.keeps()),
            ("people", "What narrows down who it is", self.population()),
            ("scope", "What a capture reaches", self.scope()),
            ("residue", "Residue of a capture", self.residue()),
        ];
        out.push_str("<nav aria-label=\"Sections\"><ul>");
        for (id, title, _) in &parts {
            let _ = write!(out, "<li><a href=\"#{id}\">{title}</a></li>");
        }
        out.push_str("</ul></nav>\n</header>\n<main>\n");
        for (id, title, body) in &parts {
            let _ = write!(out, "<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{title}</h2>\n{body}</section>\n");
        }
        let _ = write!(
            out,
            "</main>\n<footer>Written by reenact {} on {}. What captures give is pseudonymised personal data, and stays personal data. This page holds no value of any record.</footer>\n<script>{SCRIPT}</script>\n",
            env!("CARGO_PKG_VERSION"),
            markup::day(self.now_ms)
        );
        if self.live {
            let _ = writeln!(out, "<script>{LIVE}</script>");
        }
        out + "</body>\n</html>\n"
    }

    fn verdict(&self) -> (&'static str, String) {
        let verdict = self.report.verdict();
        if self.report.count(Severity::Error) > 0 {
            return ("bad", format!("Not ready: {verdict}."));
        }
        match &self.approvals {
            Some((required, verdict_of)) if required.count > 0 => {
                let (held, count) = (verdict_of.held.len(), required.count);
                let class = if held >= count { "good" } else { "warn" };
                let word = if held >= count { "Approved" } else { "Waits for approval" };
                (class, format!("{word}: {held} of {count} approvals hold; {verdict}."))
            }
            _ => ("good", format!("No finding stops a capture: {verdict}. Nobody's approval is asked for here.")),
        }
    }
}
