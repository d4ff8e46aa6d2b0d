//! `policy …`: what a policy decides, what is wrong with it, what a change of it means.

use std::fs;
use std::path::Path;
use std::process::Command;

use reenact_engine::capture;
use reenact_engine::pipeline::Pipeline;
use reenact_mask::{Policy, PolicyText, RootKey};
use reenact_model::error::Severity;
use reenact_model::{Class, Error, FieldId, Result};
use reenact_review::explain::Outcome;
use reenact_review::{Effect, Report, Schemas, check, diff, explain, formats};

use super::capture::{agents, load};
use crate::args::{Format, PolicyCheck, PolicyDiff, PolicyExplain, SchemaArgs};
use crate::{file, render};

/// `policy check`.
pub(crate) async fn check(args: &PolicyCheck, json: bool) -> Result<u8> {
    report(args, json, "reenact/policy-check", check::check).await
}

/// `policy test`.
pub(crate) async fn test(args: &PolicyCheck, json: bool) -> Result<u8> {
    report(args, json, "reenact/policy-test", check::test).await
}

/// Makes a report and writes it in the format that is asked for.
async fn report(
    args: &PolicyCheck,
    json: bool,
    name: &str,
    make: fn(&PolicyText, &Schemas) -> Result<Report>,
) -> Result<u8> {
    let (pipeline, text) = load(&args.pipeline)?;
    let schemas = schemas(&pipeline, &args.schemas).await?;
    let report = make(&text, &schemas)?;
    match if json { Format::Json } else { args.format } {
        Format::Text => render::out(formats::text(&report, &text).trim_end()),
        Format::Json => render::json(&document(name, &report)),
        Format::Markdown => render::out(&formats::comment(&report)),
        Format::Github => render::out(formats::annotations(&report).trim_end()),
        Format::Sarif => render::json(&formats::sarif(&report)),
        Format::Junit => render::out(formats::junit(&report, args.strict).trim_end()),
    }
    let failed = report.count(Severity::Error) > 0 || (args.strict && report.count(Severity::Warning) > 0);
    Ok(if failed { Class::Findings.exit_code() } else { 0 })
}

/// `policy diff`.
pub(crate) async fn diff(args: &PolicyDiff, json: bool) -> Result<u8> {
    let (pipeline, text) = load(&args.pipeline)?;
    let schemas = schemas(&pipeline, &args.schemas).await?;
    let decided = |text: &PolicyText| -> Result<Report> {
        let report = check::check(text, &schemas)?;
        match Error::from_findings(Class::Findings, &format!("`{}` decides nothing yet", text.file), &report.findings) {
            Some(error) if report.decisions.is_empty() => Err(error),
            _ => Ok(report),
        }
    };
    let before = decided(&revisions(&args.before)?)?;
    let after = match &args.after {
        Some(after) => decided(&revisions(after)?)?,
        None => decided(&text)?,
    };
    let diff = match (&before.subject, &after.subject) {
        (Some(was), Some(is)) => diff::subjects(was, is, &after.decisions),
        _ => diff::diff(&before.decisions, &after.decisions),
    };
    match if json { Format::Json } else { args.format } {
        Format::Json => render::json(&document("reenact/policy-diff", &diff)),
        Format::Markdown => render::out(&formats::diff_comment(&diff)),
        Format::Text => render::out(formats::diff_text(&diff).trim_end()),
        Format::Github | Format::Sarif | Format::Junit => {
            return Err(Error::new(Class::Input, "a diff is no list of findings")
                .help("write `--format text`, `--format json` or `--format markdown`"));
        }
    }
    Ok(if diff.count(Effect::Weaker) > 0 { Class::Findings.exit_code() } else { 0 })
}

/// `policy explain`.
pub(crate) fn explain(args: &PolicyExplain, json: bool) -> Result<u8> {
    let (_, text) = load(&args.pipeline)?;
    let policy = Policy::read(&text)?;
    let field = field(&args.field)?;
    let rules = explain::explain(&policy, &field);
    if json {
        render::json(&document("reenact/policy-explain", &serde_json::json!({ "field": field, "rules": rules })));
        return Ok(0);
    }
    let matching: Vec<_> = rules.iter().filter(|rule| rule.selector.is_some()).collect();
    if matching.is_empty() {
        render::out(&format!("no rule names {field}; `undecided` says what happens to it"));
    }
    for rule in &matching {
        let outcome = match &rule.outcome {
            Outcome::Decides => "decides".to_owned(),
            Outcome::DecidesIf(condition) => format!("decides if {condition}"),
            Outcome::Agrees => "says the same".to_owned(),
            Outcome::OverriddenBy(winner) => format!("is overridden by rule `{winner}`"),
            Outcome::Disagrees(other) => format!("disagrees with rule `{other}`: an error without `overrides:`"),
            Outcome::DoesNotMatch => "does not match".to_owned(),
        };
        let selector = rule.selector.as_deref().unwrap_or_default();
        render::out(&format!("rule `{}` ({}) {outcome}: {}, by `{selector}`", rule.rule, rule.place, rule.does));
    }
    let others: Vec<&str> =
        rules.iter().filter(|rule| rule.selector.is_none()).map(|rule| rule.rule.as_str()).collect();
    if !others.is_empty() {
        render::out(&format!("do not match: {}", others.join(", ")));
    }
    Ok(0)
}

/// A field as it was typed.
pub(crate) fn field(text: &str) -> Result<FieldId> {
    text.parse().map_err(|why| {
        Error::new(Class::Input, format!("`{text}` names no field: {why}"))
            .help("write it as `service/entity.field`, or `service/entity.field:$.path`")
    })
}

pub(crate) fn document(format: &str, body: &impl serde::Serialize) -> serde_json::Value {
    let mut document = serde_json::json!({ "format": format, "format_version": "1.0" });
    if let (Some(out), Ok(serde_json::Value::Object(body))) = (document.as_object_mut(), serde_json::to_value(body)) {
        out.extend(body);
    }
    document
}

/// The schemas: from a file, or from the servers, of which no record is read.
pub(crate) async fn schemas(pipeline: &Pipeline, args: &SchemaArgs) -> Result<Schemas> {
    if let Some(file) = &args.schemas {
        let unread = |why: String| {
            Error::new(Class::Input, format!("`{}` holds no schemas: {why}", file.display()))
                .help("make it with `--save-schemas FILE`, where the servers can be reached")
        };
        let text = fs::read_to_string(file).map_err(|error| unread(reenact_model::error::refused(&error)))?;
        return serde_json::from_str(&text).map_err(|error| unread(format!("line {}", error.line())));
    }
    let found = capture::schemas(pipeline, agents(pipeline, &RootKey::generate()?, None), &render::Progress).await?;
    if let Some(path) = &args.save_schemas {
        let text = serde_json::to_string_pretty(&found).unwrap_or_default();
        file::write(path, &(text + "\n"))?;
    }
    Ok(found)
}

/// A policy with all that it includes, each from the same revision.
pub(crate) fn revisions(name: &str) -> Result<PolicyText> {
    PolicyText::gather(name, &revision(name)?, &mut |file| revision(file).map_err(|error| error.message().to_owned()))
}

/// A policy's text: a file's, or that of a git revision, `REVISION:PATH`.
fn revision(name: &str) -> Result<String> {
    let unread = |why: &str| {
        Error::new(Class::Input, format!("`{name}` can't be read: {why}")).help(
            "name a file, or a file in a git revision as `REVISION:PATH`, such as `origin/main:policies/shop.yaml`",
        )
    };
    if Path::new(name).is_file() || !name.contains(':') {
        return fs::read_to_string(name).map_err(|error| unread(&reenact_model::error::refused(&error)));
    }
    if name.starts_with('-') {
        return Err(unread("it begins with a dash"));
    }
    let shown = Command::new("git").args(["show", "--end-of-options", name]).output();
    let shown = shown.map_err(|error| unread(&format!("git: {}", reenact_model::error::refused(&error))))?;
    if !shown.status.success() {
        return Err(unread("git knows no such revision and path"));
    }
    String::from_utf8(shown.stdout).map_err(|_| unread("it is no text"))
}
