//! `policy report`: the review as one page.
//!
//! Hidden here: where the page's facts come from. Git tells how old a rule is, the keyring whose approvals count, a bundle what its capture
//! found; each of them may be missing, and the page then says so.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use reenact_engine::capture;
use reenact_engine::pipeline::{Children, Pipeline, Value};
use reenact_engine::record::CaptureRecord;
use reenact_mask::approval::{self, Approval, Required, Verdict};
use reenact_mask::{Policy, PolicyText, policy};
use reenact_model::{Class, Error, Result};
use reenact_review::page::{Captured, Page};
use reenact_review::{Diff, Report, Schemas, check, diff, population};

use super::approvals;
use super::bundle::open_to_read;
use super::capture::{expiry, load, residue};
use super::policy::{document, revisions, schemas};
use crate::args::{Output, PolicyReport, ReportArgs};
use crate::{file, keyring, render};

/// `policy report`.
pub(crate) async fn report(args: &PolicyReport, output: &Output) -> Result<u8> {
    if *output == Output::Json {
        let (pipeline, _) = load(&args.report.pipeline)?;
        let gathered = Gathered::of(&args.report, schemas(&pipeline, &args.report.schemas).await?)?;
        let population = gathered.bundle.as_ref().ok().map(|bundle| &bundle.population);
        let body = serde_json::json!({
            "verdict": gathered.report.verdict(), "report": gathered.report, "population": population,
        });
        render::json(&document("reenact/policy-report", &body));
        return Ok(if gathered.report.subject.is_some() { 0 } else { Class::Findings.exit_code() });
    }
    let Output::File(path) = output else {
        return Err(Error::new(Class::Input, "nothing says where the page goes")
            .help("write `-o report.html`, or `-o json` for the findings, decisions and counts"));
    };
    let (pipeline, _) = load(&args.report.pipeline)?;
    let schemas = schemas(&pipeline, &args.report.schemas).await?;
    let gathered = Gathered::of(&args.report, schemas)?;
    file::write(path, &gathered.page(false).html())?;
    render::out(&format!("{}: {}", path.display(), gathered.report.verdict()));
    Ok(if gathered.report.subject.is_some() { 0 } else { Class::Findings.exit_code() })
}

/// Everything that a page needs, read at one moment.
pub(crate) struct Gathered {
    pipeline: Pipeline,
    pub(crate) report: Report,
    schemas: Schemas,
    required: Required,
    verdict: Verdict,
    since: std::result::Result<(String, Diff), String>,
    bundle: std::result::Result<Captured, String>,
    touched: BTreeMap<String, i64>,
}

impl Gathered {
    /// Reads pipeline, policy, approvals and bundle; no server is asked.
    pub(crate) fn of(args: &ReportArgs, schemas: Schemas) -> Result<Self> {
        let (pipeline, text) = load(&args.pipeline)?;
        let name = capture::policy_file(&pipeline);
        let report = check::check(&text, &schemas)?;
        let required = keyring::required(&args.keys)?;
        let approvals = approvals::read(&pipeline, &args.approval)?;
        let now = expiry(0).unwrap_or(i64::MAX);
        let verdict = match &report.subject {
            Some(subject) => approval::verify(subject, &approvals, &required, now),
            None => Verdict::default(),
        };
        let since = since(args, &report, &schemas, &approvals, &required)?;
        let bundle = match &args.bundle {
            None => {
                Err("no bundle was named; `--bundle BUNDLE` shows what its capture looked for and reached".to_owned())
            }
            Some(path) => Ok(captured(path, args, &report)?),
        };
        let touched = touched(Path::new(&name), &text);
        Ok(Self { pipeline, report, schemas, required, verdict, since, bundle, touched })
    }

    /// The page.
    pub(crate) fn page(&self, live: bool) -> Page<'_> {
        Page {
            pipeline: &self.pipeline.file,
            report: &self.report,
            schemas: &self.schemas,
            roots: roots(&self.pipeline),
            flow: self.pipeline.flow.iter().map(|(cause, effect)| format!("{cause} -> {effect}")).collect(),
            approvals: self.report.subject.as_ref().map(|_| (&self.required, &self.verdict)),
            since: self.since.clone(),
            bundle: self.bundle.clone(),
            touched: self.touched.clone(),
            now_ms: expiry(0).unwrap_or(0),
            live,
        }
    }
}

/// Where captures begin, in words; a literal of a filter is a value, so it is not told.
fn roots(pipeline: &Pipeline) -> Vec<String> {
    let root = |root: &reenact_engine::pipeline::Root| {
        let filter: Vec<String> = root
            .filter
            .iter()
            .map(|(field, value)| match value {
                Value::Seed(seed) => format!("{field} = seed.{seed}"),
                Value::Literal(_) => format!("{field} = (literal)"),
            })
            .collect();
        let filter = if filter.is_empty() { "whole".to_owned() } else { format!("where {}", filter.join(" and ")) };
        let children = match &root.children {
            Children::None => "with what it refers to",
            _ => "with what it refers to, and children that the pipeline names",
        };
        format!("{} {filter}, {children}", root.from)
    };
    pipeline.roots.iter().map(root).collect()
}

/// What changed since what was approved: since a file that is named, or since the newest approval whose signature counts.
fn since(
    args: &ReportArgs,
    report: &Report,
    schemas: &Schemas,
    approvals: &[Approval],
    required: &Required,
) -> Result<std::result::Result<(String, Diff), String>> {
    let Some(subject) = &report.subject else {
        return Ok(Err("the policy as it is decides nothing yet".to_owned()));
    };
    if let Some(name) = &args.approved {
        let before = check::check(&revisions(name)?, schemas)?;
        let why = || format!("`{name}` decides nothing on these schemas");
        return Ok(before
            .subject
            .as_ref()
            .ok_or_else(why)
            .map(|before| (name.clone(), diff::subjects(before, subject, &report.decisions))));
    }
    let counted = approvals.iter().filter(|approval| approval.counts(required));
    let newest = counted.max_by_key(|approval| approval.statement.approved_ms);
    let why = "there is no approval whose signature counts here; `--approved FILE` names a version to compare with";
    Ok(newest.ok_or_else(|| why.to_owned()).map(|approval| {
        let name = format!("the approval by {}", approval.key.id());
        (name, diff::subjects(&approval.statement.subject, subject, &report.decisions))
    }))
}

/// What a bundle tells of its capture.
fn captured(path: &Path, args: &ReportArgs, report: &Report) -> Result<Captured> {
    let bundle = open_to_read(path, &args.keys, true)?;
    let contents = bundle.contents();
    let record = CaptureRecord::of(contents)?;
    Ok(Captured {
        id: bundle.id().to_string(),
        captured_ms: contents.captured_ms,
        grade: format!("{:?}", record.grade).to_lowercase(),
        skew_ms: record.skew_ms,
        policy: record.policy.clone(),
        residue: residue(&record),
        population: population::measure(&bundle, &report.quasi_identifiers)?,
        rows: contents.digests().into_iter().map(|(entity, digest)| (entity, digest.count)).collect(),
    })
}

/// When each rule was last touched, as git has it; nothing where git knows nothing.
fn touched(file: &Path, text: &PolicyText) -> BTreeMap<String, i64> {
    let mut out = BTreeMap::new();
    let Ok(policy) = Policy::read(text) else { return out };
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(name) = file.file_name() else { return out };
    let blame = Command::new("git").arg("-C").arg(folder).args(["blame", "--line-porcelain", "--"]).arg(name).output();
    let Some(blame) = blame.ok().filter(|blame| blame.status.success()) else { return out };
    let lines = blamed(&String::from_utf8_lossy(&blame.stdout));
    // What was included has a history of its own.
    let own = |rule: &&std::sync::Arc<policy::Rule>| {
        rule.span.file == text.file && matches!(rule.does, policy::Does::Keep(_))
    };
    for rule in policy.rules.iter().filter(own) {
        let at = usize::try_from(rule.span.line).ok().and_then(|line| lines.get(line.checked_sub(1)?));
        if let Some(Some(ms)) = at {
            out.insert(rule.name.clone(), *ms);
        }
    }
    out
}

/// The time of each line's last commit in `git blame --line-porcelain`; none for what is not committed.
fn blamed(porcelain: &str) -> Vec<Option<i64>> {
    let (mut out, mut time, mut committed) = (Vec::new(), None, true);
    let mut first = true;
    for line in porcelain.lines() {
        if first {
            committed = !line.starts_with("0000000000000000000000000000000000000000");
            first = false;
        }
        if let Some(seconds) = line.strip_prefix("author-time ") {
            time = seconds.parse::<i64>().ok().map(|seconds| seconds.saturating_mul(1_000));
        }
        // The line's own text stands last, behind a tab.
        if line.starts_with('\t') {
            out.push(time.take().filter(|_| committed));
            first = true;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn lines_have_the_time_of_their_commit() {
        let id = "ab".repeat(20);
        let text = format!(
            "{id} 1 1 1\nauthor-time 5\nsummary x\n\tversion: 1\n{} 2 2 1\nauthor-time 9\n\tauthor-time 7\n{id} 3 3\nauthor-time 6\n\t\n",
            "0".repeat(40)
        );
        assert_eq!(super::blamed(&text), [Some(5_000), None, Some(6_000)]);
    }
}
