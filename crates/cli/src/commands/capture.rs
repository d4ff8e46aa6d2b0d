//! `plan` and `capture`.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use reenact_bundle::{BundleWriter, Directory};
use reenact_engine::CaptureRecord;
use reenact_engine::capture::{self, Agent, Captured, Captures, LocalAgent, Planned, Residue, Reviewed};
use reenact_engine::pipeline::{Pipeline, Seeds};
use reenact_mask::approval::Required;
use reenact_mask::{PolicyText, RootKey};
use reenact_model::{Class, Error, Result};

use super::approvals;
use crate::args::{Capture, Output, Plan};
use crate::{file, keyring, render};

/// Reads a pipeline, and the policy beside it with all that it includes.
pub(crate) fn load(path: &Path) -> Result<(Pipeline, PolicyText)> {
    let pipeline = Pipeline::load(path, &|name| std::env::var(name).ok())?;
    let policy = path.parent().unwrap_or(Path::new("")).join(&pipeline.policy);
    let text = fs::read_to_string(&policy).map_err(|e| {
        Error::new(
            Class::Input,
            format!("the policy `{}` can't be read: {}", policy.display(), reenact_model::error::refused(&e)),
        )
        .help("name it under `policy:` in the pipeline, as seen from the pipeline's folder")
    })?;
    let name = capture::policy_file(&pipeline);
    let text = PolicyText::gather(&name, &text, &mut |file| {
        fs::read_to_string(file).map_err(|error| reenact_model::error::refused(&error))
    })?;
    Ok((pipeline, text))
}

/// An agent beside each service, all in this process.
pub(crate) fn agents(pipeline: &Pipeline, root: &RootKey, writer: Option<&Arc<BundleWriter>>) -> Captures {
    agents_requiring(pipeline, root, writer, &Required::default())
}

/// The same, each of which asks for approvals by itself.
fn agents_requiring(
    pipeline: &Pipeline,
    root: &RootKey,
    writer: Option<&Arc<BundleWriter>>,
    required: &Required,
) -> Captures {
    let agent = |service: &reenact_engine::pipeline::Service| {
        let agent = LocalAgent::new(service.clone(), root.clone(), writer.cloned()).requiring(required.clone());
        let agent: Box<dyn Agent> = Box::new(agent);
        (service.name.clone(), agent)
    };
    pipeline.services.iter().map(agent).collect()
}

/// `plan`.
pub(crate) async fn plan(args: &Plan, output: &Output) -> Result<u8> {
    let (pipeline, policy) = load(&args.pipeline)?;
    // A plan masks nothing, so any key serves.
    let agents = agents(&pipeline, &RootKey::generate()?, None);
    let planned = capture::plan(&pipeline, &policy, agents, &render::Progress).await?;
    match output {
        Output::Json => render::json(&planned),
        Output::Text => show_plan(&planned),
        Output::File(path) => {
            let text = serde_json::to_string_pretty(&planned).unwrap_or_default();
            file::write(path, &text)?;
            show_plan(&planned);
            render::line(&format!(
                "\nnext: have {} reviewed, then `reenact capture {} --plan {} --to BUNDLE`",
                path.display(),
                args.pipeline.display(),
                path.display()
            ));
        }
    }
    Ok(0)
}

fn show_plan(planned: &Planned) {
    for (n, root) in planned.roots.iter().enumerate() {
        let entities: Vec<String> = root.entities.iter().map(ToString::to_string).collect();
        let filter: Vec<String> = root
            .filter
            .iter()
            .map(|(field, seed, _)| {
                format!("{field} = {}", seed.as_ref().map_or("(literal)".into(), |s| format!("seed.{s}")))
            })
            .collect();
        let condition = if filter.is_empty() { "whole".to_owned() } else { format!("where {}", filter.join(" and ")) };
        render::out(&format!("root {}: {} {condition}", n + 1, entities.join(", ")));
    }
    render::out("\nentities, with the servers' own estimates of all their records");
    let rows: Vec<Vec<String>> = planned
        .entities
        .iter()
        .map(|(id, estimate)| vec![id.to_string(), estimate.map_or("?".to_owned(), |n| n.to_string())])
        .collect();
    render::out(&render::table(&["entity", "records"], &rows));
    let scans: Vec<_> = planned.estimates.iter().filter(|e| e.estimate.full_scan).collect();
    for scan in scans {
        render::out(&format!("warning: {} would be read whole for each step ({})", scan.entity, scan.estimate.how));
    }
    render::out("\nedges");
    for edge in &planned.edges {
        render::out(&format!("  {edge}"));
    }
    render::out("\ndecisions");
    render::out(&decisions(&planned.decisions));
    let pins: Vec<String> = planned.pins.iter().map(|turn| turn.join(" + ")).collect();
    render::out(&format!("\npinned in this order, effects before causes: {}", pins.join(", ")));
    for warning in &planned.warnings {
        render::finding(warning);
    }
}

/// Decisions as a table.
pub(crate) fn decisions(decisions: &[reenact_mask::Decision]) -> String {
    let rows: Vec<Vec<String>> = decisions
        .iter()
        .map(|d| {
            let what = reenact_review::diff::decided(d);
            let rules: Vec<&str> =
                d.rule.iter().chain(d.when.as_ref().map(|when| &when.rule)).map(String::as_str).collect();
            vec![d.field.to_string(), what, rules.join(", ")]
        })
        .collect();
    render::table(&["field", "decision", "rule"], &rows)
}

/// `capture`.
pub(crate) async fn capture(args: Capture, json: bool) -> Result<u8> {
    let (pipeline, policy) = load(&args.pipeline)?;
    let seeds = seeds(&args)?;
    let plan = args.plan.as_deref().map(read_plan).transpose()?;
    let keys = keyring::capturing(&args.keys)?;
    // Nobody who asks for no approval is kept from a capture by a file that is none.
    let asked = keys.required.count > 0 || !args.approval.is_empty();
    let approvals = if asked { approvals::read(&pipeline, &args.approval)? } else { Vec::new() };
    let reviewed = Reviewed { plan, approvals, required: keys.required };
    let place = Arc::new(Directory::create(&args.to)?);
    let writer = Arc::new(BundleWriter::create(place, &keys.recipients)?);
    let _unfinished = Unfinished(Arc::clone(&writer));
    let agents = agents_requiring(&pipeline, &keys.root, Some(&writer), &reviewed.required);
    let expires = expiry(args.expires_days);
    let signing = Arc::new(keys.signing);
    let done =
        capture::capture(&pipeline, &policy, agents, &seeds, &writer, &signing, expires, &reviewed, &render::Progress)
            .await?;
    show_captured(&done, &args, json);
    if render::written().is_err() {
        // Nobody should capture again for want of a report.
        let (bundle, to) = (done.bundle, args.to.display());
        render::line(&format!("the bundle {bundle} is finished and stands in {to}; `reenact inspect {to}` shows it"));
    }
    Ok(0)
}

/// Removes what a capture has written when it ends in whatever way, by a signal too; a bundle that is complete stays.
struct Unfinished(Arc<BundleWriter>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        // What can't be removed now is removed by `gc`.
        let _ = self.0.abandon();
    }
}

/// When a bundle of today expires.
pub(crate) fn expiry(days: u32) -> Option<i64> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?.as_millis();
    i64::try_from(now).ok().map(|now| now + i64::from(days) * 86_400_000)
}

fn show_captured(done: &Captured, args: &Capture, json: bool) {
    let to = &args.to;
    let total: u64 = done.rows.values().sum();
    let queries: u64 = done.record.queries.values().sum();
    if json {
        render::json(&serde_json::json!({
            "format": "reenact/capture", "format_version": "1.0", "bundle": done.bundle.to_string(),
            "path": to.display().to_string(), "grade": done.record.grade, "records": total, "queries": queries,
            "entities": done.rows.iter().map(|(e, n)| (e.to_string(), n)).collect::<std::collections::BTreeMap<_, _>>(),
            "warnings": done.record.warnings, "residue": done.record.residue, "seeds": done.record.seeds, "dangling": done.record.dangling.iter().map(|d| d.keys.len()).sum::<usize>(),
        }));
        return;
    }
    render::out(&format!("captured {total} records of {} entities with {queries} queries", done.rows.len()));
    render::out(&format!("cut: {} (skew {} ms)", grade(done), done.record.skew_ms));
    render::out(&residue(&done.record));
    for (seed, pseudonym) in done.record.named_seeds() {
        render::out(&format!("seed.{seed} -> {pseudonym}"));
    }
    for dangling in &done.record.dangling {
        render::out(&format!(
            "{} references of edge {} lead nowhere in production",
            dangling.keys.len(),
            dangling.edge + 1
        ));
    }
    render::out(&format!("bundle {} in {}", done.bundle, to.display()));
    done.record.warnings.iter().for_each(render::finding);
    if args.expires_days == 0 {
        render::line(
            "\nit has expired already: `inspect`, `verify` and `why` take it with `--accept-expired`, and nothing loads it",
        );
        return;
    }
    render::line(&format!(
        "\nnext: `reenact run {} -- YOUR TEST`, or `reenact inspect {}`",
        to.display(),
        to.display()
    ));
}

/// What the residue proof looked at, in a sentence.
pub(crate) fn residue(record: &CaptureRecord) -> String {
    match record.residue {
        Some(Residue { originals: 0, .. }) => {
            "residue: no masked value identifies anybody by itself, so none was looked for".to_owned()
        }
        Some(Residue { originals, values }) => {
            format!("residue: {originals} forms of masked values looked for in {values} written values, none found")
        }
        None => "residue: not looked for by the version that captured".to_owned(),
    }
}

fn grade(done: &Captured) -> String {
    serde_json::to_value(done.record.grade).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

fn read_plan(path: &Path) -> Result<String> {
    let text = fs::read_to_string(path).map_err(|e| {
        Error::new(Class::Input, format!("`{}` can't be read: {}", path.display(), reenact_model::error::refused(&e)))
    })?;
    let planned: Planned = serde_json::from_str(&text)
        .map_err(|_| Error::new(Class::Input, format!("`{}` is no plan of this version", path.display())))?;
    Ok(planned.digest)
}

fn seeds(args: &Capture) -> Result<Seeds> {
    let mut seeds = Seeds::default();
    let pair = |text: &str, flag: &str| {
        text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).ok_or_else(|| {
            Error::new(Class::Input, format!("`{flag}` needs a name and a value"))
                .help(format!("write `{flag} order=…`"))
        })
    };
    for text in &args.seed {
        let (name, value) = pair(text, "--seed")?;
        seeds = seeds.with(name, value);
    }
    for text in &args.seed_env {
        let (name, variable) = pair(text, "--seed-env")?;
        let value = std::env::var(&variable).map_err(|_| {
            Error::new(Class::Input, format!("the variable `{variable}` is not set"))
                .help(format!("set it to the value of the seed `{name}`, and export it"))
        })?;
        seeds = seeds.with(name, value);
    }
    for text in &args.seed_file {
        let (name, path) = pair(text, "--seed-file")?;
        let value = fs::read_to_string(&path).map_err(|e| {
            Error::new(Class::Input, format!("`{path}` can't be read: {}", reenact_model::error::refused(&e)))
        })?;
        for value in value.lines().filter(|line| !line.is_empty()) {
            seeds = seeds.with(&name, value);
        }
    }
    Ok(seeds)
}
