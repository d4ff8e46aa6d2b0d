//! `up`, `replay` and `run`.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::Arc;

use reenact_bundle::Bundle;
use reenact_engine::replay::{self, ReplayReport, Targets};
use reenact_environment::{Embedded, Endpoint, External, Lease, Process, Provider, Registry, Wanted};
use reenact_model::{Class, Error, Kind, Result, Site};

use super::bundle::open;
use super::environment::address;
use crate::args::{Replay, Run, Up};
use crate::{keyring, render};

/// `up`.
pub(crate) async fn up(args: &Up, json: bool) -> Result<u8> {
    let bundle = open(&args.bundle, &args.keys)?;
    let registry = Registry::open()?;
    let provider = Process::new(Registry::open()?);
    let lease = provider.lease(&replay::wanted(bundle.contents())).await?;
    let loaded = load(&bundle, &lease, args.accept_skewed).await;
    let report = match loaded {
        Ok(report) if report.differences.is_empty() => report,
        Ok(report) => {
            provider.release(&lease).await?;
            return Ok(show(&report, json));
        }
        Err(error) => {
            provider.release(&lease).await?;
            return Err(error);
        }
    };
    // Nobody could take down what nobody was told of, so it is kept only once it is told.
    if let Err(error) = tell(&bundle, &lease, json).and_then(|()| registry.keep(&lease.id)) {
        provider.release(&lease).await?;
        return Err(error);
    }
    if !json {
        show(&report, false);
        for statement in &lease.open {
            render::line(&format!("note: {statement}"));
        }
        render::line(&format!("\nnext: `reenact down {}` when you are done", lease.id));
    }
    Ok(0)
}

/// Prints what an environment is reached by.
fn tell(bundle: &Bundle, lease: &Lease, json: bool) -> Result<()> {
    let contract = replay::contract(bundle.contents(), &lease.id, &lease.endpoints)?;
    if json {
        render::json(&serde_json::json!({
            "format": "reenact/up", "format_version": "1.0", "id": lease.id,
            "env": contract.into_iter().collect::<BTreeMap<_, _>>(), "open": lease.open,
        }));
    } else {
        let lines: Vec<String> = contract.iter().map(|(name, value)| format!("{name}={value}")).collect();
        render::out(&lines.join("\n"));
    }
    render::delivered()
}

/// Marks an environment that was made for this bundle, and loads the bundle into it.
pub(crate) async fn load(bundle: &Arc<Bundle>, lease: &Lease, accept_skewed: bool) -> Result<ReplayReport> {
    replay::mark(lease).await?;
    replay::replay(bundle, Targets::Made(&lease.endpoints), accept_skewed, &render::Progress).await
}

/// Tells what a replay did; gives the exit code.
pub(crate) fn show(report: &ReplayReport, json: bool) -> u8 {
    let rows: u64 = report.rows.values().sum();
    if !json {
        show_expired(report);
    }
    if json {
        let differences: Vec<String> = report.differences.iter().map(ToString::to_string).collect();
        let expired: BTreeMap<String, u64> = report.expired.iter().map(|(id, n)| (id.to_string(), *n)).collect();
        render::json(&serde_json::json!({
            "format": "reenact/replay", "format_version": "1.0", "records": rows, "compared": report.compared,
            "differences": differences, "expired": expired, "load_ms": report.load_ms, "verify_ms": report.verify_ms,
        }));
    } else if report.differences.is_empty() {
        render::line(&format!("loaded {rows} records; {} comparisons, no difference", report.compared));
    } else {
        for difference in &report.differences {
            render::line(&format!("differs: {difference}"));
        }
    }
    if report.differences.is_empty() { 0 } else { Class::Differences.exit_code() }
}

/// Tells which records lived out their time between their loading and now.
fn show_expired(report: &ReplayReport) {
    for (entity, count) in &report.expired {
        render::line(&format!("expired: {entity}: the time to live of {count} records ran out since they were loaded"));
    }
}

/// `replay`.
pub(crate) async fn replay(args: &Replay, json: bool) -> Result<u8> {
    let bundle = open(&args.bundle, &args.keys)?;
    let mut endpoints = BTreeMap::new();
    for text in &args.target_env {
        let (service, variable) = text.split_once('=').ok_or_else(|| {
            Error::new(Class::Input, "`--target-env` needs a service and a variable")
                .help("write `--target-env orders=ORDERS_URL`")
        })?;
        let url = std::env::var(variable).map_err(|_| {
            Error::new(Class::Input, format!("the variable `{variable}` is not set")).at(Site::service(service))
        })?;
        let known = bundle.contents().services.iter().find(|c| c.service == service).ok_or_else(|| {
            let names: Vec<&str> = bundle.contents().services.iter().map(|c| c.service.as_str()).collect();
            Error::new(Class::Input, format!("the bundle has no service `{service}`"))
                .help(format!("it has {}", names.join(", ")))
        })?;
        let dsn = address(&url, known.kind);
        dsn.check(known.kind).map_err(|e| e.at(Site::service(service)))?;
        endpoints.insert(service.to_owned(), Endpoint { kind: known.kind, dsn });
    }
    let provider = External::new(endpoints);
    let lease = provider.lease(&replay::wanted(bundle.contents())).await?;
    let report =
        replay::replay(&bundle, Targets::Given(&lease.endpoints), args.accept_skewed, &render::Progress).await?;
    Ok(show(&report, json))
}

/// `run`: the child's exit code; 125 if the environment can't be made, 126 or 127 if the command can't be run.
pub(crate) async fn run(args: &Run) -> Result<u8> {
    // A code of ours must not be taken for one of the child's.
    match run_child(args).await {
        Ok(code) => Ok(code),
        Err(error) => {
            render::error(&error, 125, false);
            Ok(125)
        }
    }
}

/// Whatever stood in for a cache when the bundle was captured may do so again: the provider has the better one.
pub(crate) fn stand_in(wanted: &mut Wanted) {
    for service in wanted.services.iter_mut().filter(|service| service.kind == Kind::Memory) {
        service.kind = Kind::Redis;
    }
}

async fn run_child(args: &Run) -> Result<u8> {
    let bundle = open(&args.bundle, &args.keys)?;
    let registry = Registry::open()?;
    let mut wanted = replay::wanted(bundle.contents());
    let provider: Box<dyn Provider> = if args.embedded {
        stand_in(&mut wanted);
        Box::new(Embedded::new(Registry::open()?))
    } else {
        Box::new(Process::new(Registry::open()?))
    };
    let lease = provider.lease(&wanted).await?;
    let outcome = run_in(&bundle, &lease, args).await;
    let failed = !matches!(outcome, Ok(0));
    if failed && args.keep_on_failure {
        registry.keep(&lease.id)?;
        for (name, value) in replay::contract(bundle.contents(), &lease.id, &lease.endpoints)? {
            render::line(&format!("{name}={value}"));
        }
        render::line(&format!("kept: `reenact down {}` when you are done", lease.id));
    } else {
        provider.release(&lease).await?;
    }
    outcome
}

async fn run_in(bundle: &Arc<Bundle>, lease: &Lease, args: &Run) -> Result<u8> {
    let report = load(bundle, lease, args.accept_skewed).await?;
    if let Some(difference) = report.differences.first() {
        show(&report, false);
        return Err(Error::new(Class::Differences, format!("the replay differs from the bundle: {difference}")));
    }
    show_expired(&report);
    let contract = replay::contract(bundle.contents(), &lease.id, &lease.endpoints)?;
    let mut command = tokio::process::Command::new(&args.command[0]);
    command.args(&args.command[1..]);
    // What opens bundles or makes pseudonyms is no business of the command's; the rest of the environment is inherited.
    for name in keyring::variables() {
        command.env_remove(name);
    }
    command.envs(contract);
    child(command).await
}

/// Runs a child to its end; gives its exit code.
pub(crate) async fn child(mut command: tokio::process::Command) -> Result<u8> {
    command.kill_on_drop(true);
    let status = match command.status().await {
        Ok(status) => status,
        Err(error) => {
            render::line(&format!("error: the command can't be run: {}", reenact_model::error::refused(&error)));
            return Ok(if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 });
        }
    };
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    Ok(u8::try_from(code).unwrap_or(125))
}
