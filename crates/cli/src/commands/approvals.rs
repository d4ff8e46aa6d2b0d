//! `policy approve` and `policy verify-approval`.
//!
//! Hidden here: where approvals lie, beside the policy in a folder `approvals`, and that nobody signs what they were not shown: either the
//! digest of what was reviewed is given, or a person at a terminal types `approve` below it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};

use reenact_engine::capture;
use reenact_engine::pipeline::Pipeline;
use reenact_mask::Approval;
use reenact_mask::approval::{self, Subject};
use reenact_model::{Class, Error, Result};
use reenact_review::{Report, approve, check};

use super::capture::{expiry, load};
use super::policy::{document, schemas};
use crate::args::{PolicyApprove, PolicyVerifyApproval, SchemaArgs};
use crate::{file, keyring, render};

/// What a name of an approval ends with.
const ENDING: &str = ".approval.json";

/// The approvals of a pipeline's policy: those that are named, and those beside the policy.
pub(crate) fn read(pipeline: &Pipeline, named: &[PathBuf]) -> Result<Vec<Approval>> {
    let mut paths = named.to_vec();
    paths.extend(beside(pipeline)?);
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).map_err(|error| unread(&path, &error))?;
        Approval::read(&path.display().to_string(), &text)
    };
    paths.into_iter().map(read).collect()
}

/// The approvals' files beside a policy, by name.
pub(crate) fn beside(pipeline: &Pipeline) -> Result<Vec<PathBuf>> {
    let (folder, beginning) = place(pipeline);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unread(&folder, &error)),
    };
    let files = entries.filter_map(std::result::Result::ok).map(|entry| entry.file_name());
    let is_one = |name: &str| name.starts_with(&beginning) && name.ends_with(ENDING);
    let mut found: Vec<PathBuf> =
        files.filter(|name| name.to_str().is_some_and(is_one)).map(|name| folder.join(name)).collect();
    found.sort();
    Ok(found)
}

fn unread(path: &Path, error: &std::io::Error) -> Error {
    Error::new(Class::Input, format!("`{}` can't be read: {}", path.display(), reenact_model::error::refused(error)))
        .help("name files that `reenact policy approve` wrote")
}

/// The folder of a policy's approvals, and what their names begin with.
fn place(pipeline: &Pipeline) -> (PathBuf, String) {
    let policy = PathBuf::from(capture::policy_file(pipeline));
    let stem = policy.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    (policy.parent().unwrap_or(Path::new("")).join("approvals"), stem + ".")
}

/// The policy as it stands, with what an approval would be over.
async fn decided(pipeline: &Path, args: &SchemaArgs) -> Result<(Pipeline, Report, Subject)> {
    let (pipeline, text) = load(pipeline)?;
    let schemas = schemas(&pipeline, args).await?;
    let mut report = check::check(&text, &schemas)?;
    let subject = report.subject.take().ok_or_else(|| {
        Error::from_findings(Class::Findings, "there is nothing to approve", &report.findings)
            .unwrap_or_else(|| Error::new(Class::Findings, "there is nothing to approve"))
    })?;
    Ok((pipeline, report, subject))
}

/// `policy approve`.
pub(crate) async fn approve(args: &PolicyApprove, json: bool) -> Result<u8> {
    let (pipeline, report, subject) = decided(&args.pipeline, &args.schemas).await?;
    let key = keyring::signing(&args.keys)?;
    let digest = subject.digest();
    let id = key.public().id();
    render::line(&format!("{}: {}", report.policy, report.verdict()));
    render::line(&format!("decisions {digest}, to be signed by {id} for {} days", args.expires_days));
    match &args.digest {
        Some(reviewed) if *reviewed == digest => {}
        Some(_) => {
            return Err(Error::new(Class::Policy, "the decisions are not the ones that were reviewed")
                .help("review what changed with `reenact policy diff`, and give the digest that you then see"));
        }
        None => confirmed()?,
    }
    let expires = expiry(args.expires_days).unwrap_or(i64::MAX);
    let fields = subject.fields.len();
    let approval = approve::approve(subject, &report.digest, &key, expiry(0).unwrap_or(0), expires);
    let path = args.to.clone().unwrap_or_else(|| {
        let (folder, beginning) = place(&pipeline);
        folder.join(format!("{beginning}{id}{ENDING}"))
    });
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(|error| {
            Error::new(
                Class::Write,
                format!("`{}` can't be made: {}", folder.display(), reenact_model::error::refused(&error)),
            )
            .help("name a place that you may write to with `--to`")
        })?;
    }
    file::write(&path, &approval.text())?;
    if json {
        render::json(&document(
            "reenact/policy-approve",
            &serde_json::json!({ "path": path.display().to_string(), "key": key.public(), "digest": digest, "fields": fields }),
        ));
    } else {
        render::out(&format!("approved {fields} decisions in {}", path.display()));
        render::line(
            "next: commit it beside the policy; `reenact policy verify-approval` tells whether captures accept it",
        );
    }
    Ok(0)
}

/// Asks the person at the terminal.
fn confirmed() -> Result<()> {
    let unasked = |what: &str| {
        Error::new(Class::Input, what).help("review first, and give what you reviewed with `--digest SHA-256`")
    };
    if !std::io::stdin().is_terminal() {
        return Err(unasked("there is no terminal to ask whether you approve"));
    }
    render::line("type `approve` to sign these decisions; anything else ends here");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(|_| unasked("the terminal gives no answer"))?;
    if answer.trim() == "approve" { Ok(()) } else { Err(unasked("nothing was signed")) }
}

/// `policy verify-approval`.
pub(crate) async fn verify(args: &PolicyVerifyApproval, json: bool) -> Result<u8> {
    let required = keyring::required(&args.keys)?;
    let (pipeline, _, subject) = decided(&args.pipeline, &args.schemas).await?;
    let approvals = read(&pipeline, &args.approval)?;
    let now = expiry(0).unwrap_or(i64::MAX);
    let verdict = approval::verify(&subject, &approvals, &required, now);
    let enough = verdict.enough(&required);
    if json {
        let body: BTreeMap<&str, serde_json::Value> = [
            ("digest", serde_json::json!(subject.digest())),
            ("required", serde_json::json!(required.count)),
            ("enough", serde_json::json!(enough.is_ok())),
            ("verdict", serde_json::json!(verdict)),
        ]
        .into();
        render::json(&document("reenact/policy-approvals", &body));
        return Ok(enough.map_or_else(|error| error.class().exit_code(), |()| 0));
    }
    enough?;
    for finding in &verdict.refused {
        render::finding(finding);
    }
    for held in &verdict.held {
        let days = (held.expires_ms - now) / 86_400_000;
        render::out(&format!("approved by {}, for {days} more days", held.key.id()));
    }
    for field in &verdict.added {
        render::out(&format!("newer than an approval, and redacted because no rule names it: {field}"));
    }
    for field in &verdict.gone {
        render::out(&format!("approved, and there no more: {field}"));
    }
    render::out(&format!("{} of {} approvals that captures need", verdict.held.len(), required.count));
    Ok(0)
}
