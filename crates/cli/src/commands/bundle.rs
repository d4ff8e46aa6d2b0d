//! `inspect`, `verify` and `why`.

use std::path::Path;
use std::sync::Arc;

use reenact_bundle::{Bundle, Directory, Keyring};
use reenact_engine::CaptureRecord;
use reenact_engine::why::{self, Asked, Link};
use reenact_model::Result;

use super::capture::decisions;
use crate::args::{Inspect, KeyringArgs, Open, Why};
use crate::{keyring, render};

/// Opens a bundle with the reader's keys.
pub(crate) fn open(path: &Path, keys: &KeyringArgs) -> Result<Arc<Bundle>> {
    open_to_read(path, keys, false)
}

/// Opens a bundle that is only looked into, which may be allowed even after its expiry.
pub(crate) fn open_to_read(path: &Path, keys: &KeyringArgs, allow_expired: bool) -> Result<Arc<Bundle>> {
    let keyring = Keyring { allow_expired, ..keyring::reading(keys)? };
    let place = Arc::new(Directory::open(path)?);
    Ok(Arc::new(Bundle::open(place, &keyring)?))
}

/// `inspect`.
pub(crate) fn inspect(args: &Inspect, json: bool) -> Result<u8> {
    let bundle = open_to_read(&args.open.bundle, &args.open.keys, args.open.accept_expired)?;
    let contents = bundle.contents();
    let record = CaptureRecord::of(contents)?;
    if let Some(asked) = &args.record {
        return show_record(&bundle, &record, asked, json);
    }
    let digests = contents.digests();
    if json {
        render::json(&serde_json::json!({
            "format": "reenact/inspect", "format_version": "1.0", "bundle": bundle.id().to_string(),
            "signer": bundle.signer().to_string(), "captured_ms": contents.captured_ms, "tool": contents.tool,
            "entities": digests.iter().map(|(e, d)| (e.to_string(), d)).collect::<std::collections::BTreeMap<_, _>>(),
            "record": record,
        }));
        return Ok(0);
    }
    render::out(&format!("bundle {}", bundle.id()));
    render::out(&format!("signed by {}", bundle.signer()));
    render::out(&format!("written by {}", contents.tool));
    render::out(&format!("cut: {:?}, skew {} ms", record.grade, record.skew_ms).to_lowercase());
    render::out(&super::capture::residue(&record));
    for part in &record.parts {
        let at: Vec<String> = part.position.at.iter().map(|(k, v)| format!("{k} {v}")).collect();
        render::out(&format!("  {} {}: {}", part.service, part.part, at.join(", ")));
        for gap in &part.gaps {
            render::out(&format!("    gap: {gap}"));
        }
    }
    for (seed, pseudonym) in record.named_seeds() {
        render::out(&format!("seed.{seed} -> {pseudonym}"));
    }
    render::out("");
    let rows: Vec<Vec<String>> = digests.iter().map(|(id, d)| vec![id.to_string(), d.count.to_string()]).collect();
    render::out(&render::table(&["entity", "records"], &rows));
    for dangling in &record.dangling {
        if let Some(edge) = contents.relationships.get(dangling.edge) {
            render::out(&format!("{} references of {edge} led nowhere in production", dangling.keys.len()));
        }
    }
    render::out("");
    render::out(&decisions(&record.decisions));
    record.warnings.iter().for_each(render::finding);
    render::out("\nThe contents are pseudonymised personal data.");
    Ok(0)
}

fn show_record(bundle: &Bundle, record: &CaptureRecord, asked: &str, json: bool) -> Result<u8> {
    let asked = Asked::read(asked, record)?;
    let found = why::records(bundle, &asked)?;
    if json {
        render::json(&serde_json::json!({ "format": "reenact/records", "format_version": "1.0", "records": found }));
        return Ok(0);
    }
    for (n, fields) in found.iter().enumerate() {
        if n > 0 {
            render::out("");
        }
        for (name, value) in fields {
            render::out(&format!("{name}: {}", value.as_deref().unwrap_or("NULL")));
        }
    }
    Ok(0)
}

/// `verify`.
pub(crate) fn verify(args: &Open, json: bool) -> Result<u8> {
    let bundle = open_to_read(&args.bundle, &args.keys, args.accept_expired)?;
    let verified = bundle.verify()?;
    if json {
        render::json(&serde_json::json!({
            "format": "reenact/verify", "format_version": "1.0", "bundle": bundle.id().to_string(),
            "members": verified.members, "bytes": verified.bytes,
            "records": verified.entities.values().map(|d| d.count).sum::<u64>(),
        }));
    } else {
        let records: u64 = verified.entities.values().map(|d| d.count).sum();
        render::out(&format!("bundle {} is whole", bundle.id()));
        render::out(&format!("signed by {}", bundle.signer()));
        render::out(&format!("{} members, {} bytes, {records} records", verified.members, verified.bytes));
    }
    Ok(0)
}

/// `why`.
pub(crate) fn why(args: &Why, json: bool) -> Result<u8> {
    let bundle = open_to_read(&args.bundle, &args.keys, args.accept_expired)?;
    let record = CaptureRecord::of(bundle.contents())?;
    let asked = Asked::read(&args.record, &record)?;
    let chain = why::why(&bundle, &record, &asked)?;
    if json {
        let links: Vec<_> = chain
            .iter()
            .map(|l| serde_json::json!({ "entity": l.entity.to_string(), "key": l.key, "how": l.how }))
            .collect();
        render::json(&serde_json::json!({ "format": "reenact/why", "format_version": "1.0", "chain": links }));
    } else {
        for line in lines(&chain) {
            render::out(&line);
        }
    }
    Ok(0)
}

/// A chain as lines, each further in than the one before.
pub(crate) fn lines(chain: &[Link]) -> Vec<String> {
    let line = |(n, link): (usize, &Link)| {
        let key: Vec<String> = link.key.iter().map(|(name, value)| format!("{name} {value}")).collect();
        format!("{}{} {}, {}", "  ".repeat(n), link.entity, key.join(" "), link.how)
    };
    chain.iter().enumerate().map(line).collect()
}
