//! `demo`: a small shop's incident, from production to a failing test, in one command.
//!
//! Hidden here: the play. One environment acts as production; something breaks across its services; the incident is planned,
//! captured and masked by the same code as any other; a second environment is loaded from the bundle alone, and the
//! reproduction, a program that knows only its environment variables, fails there as it fails in production.

mod reproduce;
mod shop;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use reenact_bundle::{Bundle, BundleWriter, Directory, Keyring};
use reenact_engine::capture::{self, Captured};
use reenact_engine::pipeline::{Pipeline, Seeds};
use reenact_engine::why::{self, Asked};
use reenact_engine::{Silent, replay};
use reenact_environment::{Embedded, Lease, Process, Provider, Registry, Wanted, WantedService};
use reenact_model::{Class, Error, Kind, Result};

use super::capture::{agents, decisions, expiry};
use super::replay::{child, stand_in};
use crate::args::Demo;
use crate::keyring::Fresh;
use crate::{file, render};

/// The bundle and the keyring in the demo's folder.
const BUNDLE: &str = "incident.reenact";
const KEYS: &str = "keys";

/// `demo`.
pub(crate) async fn run(args: &Demo) -> Result<u8> {
    if args.reproduce {
        return reproduce::run().await;
    }
    let start = Instant::now();
    let registry = Registry::open()?;
    // Registered before it is made: however this ends, it goes away unless it is kept.
    let (id, folder) = registry.folder("reenact-demo")?;
    let played = staged(args, &registry, &folder).await;
    if args.keep {
        registry.forget(&id)?;
        show_kept(&folder, args.servers, played.is_ok());
    } else {
        registry.down(&id).await?;
    }
    played?;
    render::out(&format!("\ncleaned up; {:.1} s in all", start.elapsed().as_secs_f32()));
    Ok(0)
}

/// Plays between production's coming up and its going down.
async fn staged(args: &Demo, registry: &Registry, folder: &Path) -> Result<()> {
    let registry = registry.clone();
    let provider: Box<dyn Provider> =
        if args.servers { Box::new(Process::new(registry)) } else { Box::new(Embedded::new(registry)) };
    let production = provider.lease(&production(args.servers)).await?;
    let played = play(args, folder, &*provider, &production).await;
    provider.release(&production).await?;
    played
}

/// Says what is kept, and which commands work on it.
fn show_kept(folder: &Path, servers: bool, whole: bool) {
    render::out(&format!("\nkept: {}", folder.display()));
    if !whole {
        return;
    }
    let program = quoted(&std::env::args_os().next().map_or_else(|| PathBuf::from("reenact"), PathBuf::from));
    let (bundle, keys) = (quoted(&folder.join(BUNDLE)), quoted(&folder.join(KEYS)));
    let embedded = if servers { "" } else { " --embedded" };
    render::out(&format!("  {program} inspect {bundle} --keyring {keys}"));
    render::out(&format!("  {program} why {bundle} seed.order --keyring {keys}"));
    render::out(&format!("  {program} run {bundle} --keyring {keys}{embedded} -- {program} demo --reproduce"));
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// The services of the shop.
fn production(servers: bool) -> Wanted {
    let (front, billing) = if servers { (Kind::Postgres, Kind::Mysql) } else { (Kind::Sqlite, Kind::Sqlite) };
    let mut events = WantedService::new("events", Kind::Kafka);
    events.topics = vec![("orders".to_owned(), 3)];
    Wanted {
        services: vec![
            WantedService::new("customers", front),
            WantedService::new("orders", front),
            WantedService::new("billing", billing),
            events,
            WantedService::new("cart", Kind::Redis),
        ],
    }
}

fn chapter(title: &str) {
    render::out(&format!("\n== {title}"));
}

async fn play(args: &Demo, folder: &Path, provider: &dyn Provider, production: &Lease) -> Result<()> {
    chapter("production");
    for (name, endpoint) in &production.endpoints {
        let what = match endpoint.kind {
            Kind::Memory => "in-memory store (no redis-server found)",
            Kind::Kafka if !args.servers => "Kafka, embedded (librdkafka's mock cluster)",
            kind => kind.name(),
        };
        render::out(&format!("{name:<10} {what}"));
    }
    let incident = shop::open_and_break(production).await?;
    render::out(&format!(
        "a shop with {} customers took {} orders; a redelivered event has billed one of them twice",
        shop::CUSTOMERS,
        shop::ORDERS
    ));
    let before = reproduce_in(&contract_of_production(production, &incident)).await?;
    render::out(&format!("the reproduction, run in production: exit code {before}"));

    let (pipeline, policy) = written_pipeline(args.servers, folder, production)?;
    let keys = Fresh::generate()?;
    if args.keep {
        keys.write(&folder.join(KEYS))?;
    }
    let Fresh { root, signing, identity } = keys;
    let signing = Arc::new(signing);

    chapter("plan: nothing is read yet");
    let planned = capture::plan(&pipeline, &policy, agents(&pipeline, &root, None), &Silent).await?;
    render::out(&decisions(&planned.decisions));
    let pins: Vec<String> = planned.pins.iter().map(|turn| turn.join(" + ")).collect();
    render::out(&format!("pinned effects before causes: {}", pins.join(", ")));

    chapter("capture");
    let path = folder.join(BUNDLE);
    let writer = Arc::new(BundleWriter::create(Arc::new(Directory::create(&path)?), &[identity.recipient()])?);
    let seeds = Seeds::default().with("order", &incident.order);
    let captured = capture::capture(
        &pipeline,
        &policy,
        agents(&pipeline, &root, Some(&writer)),
        &seeds,
        &writer,
        &signing,
        expiry(1),
        &capture::Reviewed { plan: Some(planned.digest), ..capture::Reviewed::default() },
        &Silent,
    )
    .await?;
    show_captured(&captured);

    let keyring = Keyring { trusted: vec![signing.public()], identities: vec![identity], ..Keyring::default() };
    let bundle = Arc::new(Bundle::open(Arc::new(Directory::open(&path)?), &keyring)?);
    let verified = bundle.verify()?;
    render::out(&format!("bundle {}: {} sealed members, {} bytes", short(&bundle), verified.members, verified.bytes));
    chapter("why each record is there");
    show_why(&bundle, &captured)?;

    chapter("replay into a new environment, and verify");
    let mut wanted = replay::wanted(bundle.contents());
    stand_in(&mut wanted);
    let lease = provider.lease(&wanted).await?;
    let replayed = replayed(&bundle, &lease, before).await;
    provider.release(&lease).await?;
    replayed
}

async fn replayed(bundle: &Arc<Bundle>, lease: &Lease, before: u8) -> Result<()> {
    replay::mark(lease).await?;
    let report = replay::replay(bundle, replay::Targets::Made(&lease.endpoints), false, &Silent).await?;
    if let Some(difference) = report.differences.first() {
        return Err(Error::new(Class::Differences, difference.to_string()));
    }
    let rows: u64 = report.rows.values().sum();
    render::out(&format!(
        "loaded {rows} records; {} comparisons of counts, contents and references, no difference",
        report.compared
    ));
    chapter("the reproduction, run in the replay");
    let contract = replay::contract(bundle.contents(), &lease.id, &lease.endpoints)?;
    let after = reproduce_in(&contract).await?;
    render::out(&format!("exit code {after}, as in production"));
    if after != before || after == 0 {
        return Err(Error::new(Class::Differences, "the reproduction does not fail as it did in production"));
    }
    Ok(())
}

/// Runs the reproduction as a child process that knows nothing but its environment.
async fn reproduce_in(contract: &[(String, String)]) -> Result<u8> {
    let program = std::env::current_exe().map_err(|e| {
        Error::new(
            Class::Unexpected,
            format!("the program's own path is unknown: {}", reenact_model::error::refused(&e)),
        )
    })?;
    let mut command = tokio::process::Command::new(program);
    command.args(["demo", "--reproduce"]).envs(contract.iter().cloned());
    child(command).await
}

/// What the reproduction needs, for the one run in production itself.
fn contract_of_production(lease: &Lease, incident: &shop::Incident) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = lease
        .endpoints
        .iter()
        .map(|(name, e)| (format!("REENACT_{}_URL", name.to_uppercase()), e.dsn.expose().replace("kafka://", "")))
        .collect();
    out.push(("REENACT_SEED_ORDER".to_owned(), incident.order.clone()));
    out
}

/// Writes the pipeline and policy of `examples/shop` into the demo's folder, and reads them from there.
fn written_pipeline(servers: bool, folder: &Path, production: &Lease) -> Result<(Pipeline, String)> {
    let (name, pipeline, policy_name, policy) = if servers {
        (
            "servers.yaml",
            include_str!("../../../../examples/shop/servers.yaml"),
            "servers-policy.yaml",
            include_str!("../../../../examples/shop/servers-policy.yaml"),
        )
    } else {
        (
            "embedded.yaml",
            include_str!("../../../../examples/shop/embedded.yaml"),
            "embedded-policy.yaml",
            include_str!("../../../../examples/shop/embedded-policy.yaml"),
        )
    };
    let path: PathBuf = folder.join(name);
    file::write(&path, pipeline)?;
    file::write(&folder.join(policy_name), policy)?;
    let variables: BTreeMap<String, String> = production
        .endpoints
        .iter()
        .flat_map(|(service, endpoint)| {
            let upper = service.to_uppercase();
            let url = endpoint.dsn.expose().to_owned();
            [
                (format!("SHOP_{upper}_URL"), url.clone()),
                (format!("SHOP_{upper}"), url.replace("kafka://", "")),
                (format!("SHOP_{upper}_KIND"), endpoint.kind.name().to_owned()),
            ]
        })
        .collect();
    Ok((Pipeline::load(&path, &|name| variables.get(name).cloned())?, policy.to_owned()))
}

fn show_captured(captured: &Captured) {
    let rows: Vec<Vec<String>> = captured.rows.iter().map(|(e, n)| vec![e.to_string(), n.to_string()]).collect();
    render::out(&render::table(&["entity", "records"], &rows));
    render::out(&format!("cut: {:?}, skew {} ms", captured.record.grade, captured.record.skew_ms).to_lowercase());
    render::out(&super::capture::residue(&captured.record));
    for (seed, pseudonym) in captured.record.named_seeds() {
        render::out(&format!("seed.{seed} -> {pseudonym}"));
    }
}

fn short(bundle: &Bundle) -> String {
    bundle.id().to_string().chars().take(12).collect()
}

/// The chain of one record of each entity.
fn show_why(bundle: &Bundle, captured: &Captured) -> Result<()> {
    for id in captured.rows.keys() {
        let Some(entity) = bundle.contents().entity(id).cloned() else { continue };
        let Some(key) = entity.key.first().map(reenact_model::FieldPath::column) else { continue };
        let Some(rows) = bundle.rows(id)?.next().transpose()? else { continue };
        let extractor = reenact_model::captured::Extractor::new(&entity, std::slice::from_ref(&key), None)?;
        let Some(value) = extractor.keys(rows.batch())?.into_iter().flatten().next() else { continue };
        let asked = Asked { entity: id.clone(), field: key, value: value.parts()[0].to_string() };
        for line in super::bundle::lines(&why::why(bundle, &captured.record, &asked)?) {
            render::out(&line);
        }
    }
    Ok(())
}
