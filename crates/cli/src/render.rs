//! How things look on a terminal.
//!
//! Hidden here: what happens if nobody can be told. A reader of stdout that went away ends the printing and nothing else;
//! any other failure is kept until somebody asks for it. What stderr does not take is lost.

use std::fmt::Write as _;
use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::sync::OnceLock;

use miette::{LabeledSpan, MietteDiagnostic, NamedSource, Report};
use reenact_engine::{Event, Observer};
use reenact_model::error::Severity;
use reenact_model::{Class, Error, Finding, Result, Span};

/// Why stdout takes no more.
static CLOSED: OnceLock<ErrorKind> = OnceLock::new();

/// Writes a line of a result to stdout.
pub(crate) fn out(text: &str) {
    if CLOSED.get().is_some() {
        return;
    }
    let mut stdout = std::io::stdout().lock();
    if let Err(error) = writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        CLOSED.get_or_init(|| error.kind());
    }
}

/// Whether stdout took everything, or its reader wanted no more.
pub(crate) fn written() -> Result<()> {
    match CLOSED.get() {
        Some(ErrorKind::BrokenPipe) | None => Ok(()),
        Some(kind) => Err(unwritten(*kind)),
    }
}

/// Whether stdout took everything.
pub(crate) fn delivered() -> Result<()> {
    CLOSED.get().map_or(Ok(()), |kind| Err(unwritten(*kind)))
}

fn unwritten(kind: ErrorKind) -> Error {
    Error::new(Class::Write, format!("stdout can't be written: {kind}"))
        .help("lead stdout to a place with enough space")
}

/// Writes a line that is no result to stderr.
pub(crate) fn line(text: &str) {
    // There is nobody left to be told.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Writes a JSON document to stdout.
pub(crate) fn json(value: &impl serde::Serialize) {
    out(&serde_json::to_string_pretty(value).unwrap_or_default());
}

/// Whether lines may be coloured.
fn colour() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// Tells an error that ends the program with `code`, each finding at its place in the file.
pub(crate) fn error(error: &Error, code: u8, json: bool) {
    if json {
        let finding =
            |f: &Finding| serde_json::json!({ "code": f.code, "site": f.site, "message": f.message, "help": f.help });
        let findings: Vec<_> = error.findings().iter().map(finding).collect();
        let document = serde_json::json!({
            "format": "reenact/error", "format_version": "1.0", "exit_code": code,
            "site": error.site(), "message": error.message(), "help": error.help_text(), "findings": findings,
        });
        line(&document.to_string());
        return;
    }
    let mut site = error.site().clone();
    // An error without findings is shown at its own place.
    let span = if error.findings().is_empty() { site.span.take() } else { None };
    let site = site.to_string();
    let head = if site.is_empty() { error.message().to_owned() } else { format!("{site}: {}", error.message()) };
    if error.findings().is_empty() {
        diagnostic(None, &head, error.help_text(), span.as_ref(), Severity::Error);
        return;
    }
    line(&format!("error: {head}"));
    for finding in error.findings() {
        self::finding(finding);
    }
}

/// Tells a finding at its place.
pub(crate) fn finding(finding: &Finding) {
    let mut site = finding.site.clone();
    let span = site.span.take();
    let site = site.to_string();
    let head = if site.is_empty() { finding.message.clone() } else { format!("{site}: {}", finding.message) };
    diagnostic(Some(&finding.code), &head, finding.help.as_deref(), span.as_ref(), finding.severity);
}

fn diagnostic(code: Option<&str>, message: &str, help: Option<&str>, span: Option<&Span>, severity: Severity) {
    let mut diagnostic = MietteDiagnostic::new(message);
    diagnostic = diagnostic.with_severity(match severity {
        Severity::Error => miette::Severity::Error,
        Severity::Warning => miette::Severity::Warning,
        Severity::Note => miette::Severity::Advice,
    });
    if let Some(code) = code {
        diagnostic = diagnostic.with_code(code);
    }
    if let Some(help) = help {
        diagnostic = diagnostic.with_help(help);
    }
    let source = span.and_then(|span| excerpt(span).map(|text| (span, text)));
    if let (Some(span), None) = (span, &source) {
        // What stands there is not shown; where it stands still is.
        diagnostic.message = format!("{message} ({span})");
    }
    let report = match source {
        Some((span, text)) => {
            let (start, length) = offsets(&text, span);
            let label = LabeledSpan::new(None, start, length);
            Report::new(diagnostic.with_label(label)).with_source_code(NamedSource::new(&span.file, text))
        }
        None => Report::new(diagnostic),
    };
    let theme = if colour() { miette::GraphicalTheme::unicode() } else { miette::GraphicalTheme::unicode_nocolor() };
    let mut out = String::new();
    let handler = miette::GraphicalReportHandler::new_themed(theme).with_width(110).with_context_lines(0);
    if handler.render_report(&mut out, report.as_ref()).is_err() {
        let _ = write!(out, "error: {message}");
    }
    line(out.trim_end());
}

/// The text that a span stands in, unless its line may hold a password or a root's literal: those never print.
fn excerpt(span: &Span) -> Option<String> {
    let text = std::fs::read_to_string(&span.file).ok()?;
    let line = text.lines().nth(span.line.saturating_sub(1) as usize)?;
    let private =
        ["url", "bootstrap", "where", "://", "password"].iter().any(|word| line.to_lowercase().contains(word));
    (!private).then_some(text)
}

/// A span's place in the text, in bytes.
fn offsets(text: &str, span: &Span) -> (usize, usize) {
    let line: usize = text.split_inclusive('\n').take(span.line.saturating_sub(1) as usize).map(str::len).sum();
    let rest = &text[line.min(text.len())..];
    let at = rest.char_indices().nth(span.column.saturating_sub(1) as usize).map_or(0, |(n, _)| n);
    let start = line + at;
    let tail = &text[start.min(text.len())..];
    let first = tail.lines().next().unwrap_or_default();
    let length: usize = first.chars().take(span.length as usize).map(char::len_utf8).sum();
    (start, length.max(1))
}

/// Columns of text, each as wide as its widest cell.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|h| h.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    let mut put = |cells: Vec<&str>| {
        let mut text = String::new();
        for (cell, width) in cells.iter().zip(&widths) {
            let _ = write!(text, "  {cell:<width$}");
        }
        let _ = writeln!(out, "{}", text.trim_end());
    };
    put(head.to_vec());
    for row in rows {
        put(row.iter().map(String::as_str).collect());
    }
    out.trim_end().to_owned()
}

/// Tells progress on stderr.
pub(crate) struct Progress;

impl Observer for Progress {
    fn event(&self, event: &Event) {
        match event {
            Event::Described { service, entities } => line(&format!("described {service}: {entities} entities")),
            Event::Approved { keys, added, gone } => {
                line(&format!("approved by {}", keys.join(", ")));
                for field in added {
                    line(&format!("newer than an approval, and redacted because no rule names it: {field}"));
                }
                for field in gone {
                    line(&format!("approved, and there no more: {field}"));
                }
            }
            Event::Scouted { depth, rows } => line(&format!("scouted {depth} edges from the roots: {rows} records")),
            Event::Pinned { service, part } => line(&format!("pinned {service}, {part}")),
            Event::Collected { entity, rows } => line(&format!("sealed {entity}: {rows} records")),
            Event::Loaded { entity, rows } => line(&format!("loaded {entity}: {rows} records")),
            Event::Verified { entity, equal: true } => line(&format!("verified {entity}")),
            Event::Verified { entity, equal: false } => line(&format!("differs: {entity}")),
        }
    }
}
