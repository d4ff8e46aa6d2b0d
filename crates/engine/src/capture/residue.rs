//! The residue proof: what the masks replaced is looked for in everything that was written.
//!
//! Hidden here: who tells whom. When the last agent has collected, every agent tells every other what its masks replaced, as
//! fingerprints sealed to that agent, piece by piece; then each reads again what it wrote and looks for all of it. A value that
//! leaked in a row written before its original was read is found for that reason. The bundle's own account, with its schemas and
//! names, is searched too. The coordinator routes sealed pieces and sees counts and names.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::future::try_join_all;
use reenact_bundle::{Reread, Sealed};
use reenact_mask::residue::{Search, Searcher};
use reenact_mask::{Plan, ScopeKeys};
use reenact_model::{Class, Error, Finding, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::agent::Searched;
use super::coordinator::Captures;

/// The most threads that look.
const THREADS: usize = 4;
/// The most places that are told.
const TOLD: usize = 100;

/// What a search that found nothing looked at; stands in the bundle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Residue {
    /// Fingerprints of values that were looked for.
    pub originals: u64,
    /// Values that were looked at.
    pub values: u64,
}

/// Lets all agents look through what was written.
///
/// # Errors
/// [`Class::Residue`] with every place where something stands that a mask replaced elsewhere.
pub(super) async fn prove(agents: &mut Captures, account: &Value) -> Result<Residue> {
    let names: Vec<String> = agents.keys().cloned().collect();
    for name in &names {
        for piece in 0.. {
            let Some(agent) = agents.get_mut(name) else { break };
            let needles = agent.needles(piece).await?;
            if needles.is_empty() {
                break;
            }
            for (service, sealed) in needles {
                if let Some(agent) = agents.get_mut(&service) {
                    agent.learn(sealed).await?;
                }
            }
        }
    }
    let mut texts = BTreeSet::new();
    strings(account, &mut texts);
    // All agents know the same by now, so one of them is enough for what is no agent's own.
    let mut texts = Some(texts.into_iter().collect::<Vec<String>>());
    let asked = agents.values_mut().map(|agent| agent.search(texts.take().unwrap_or_default()));
    let searched: Vec<Searched> = try_join_all(asked).await?;
    let mut findings: Vec<Finding> = searched.iter().flat_map(|s| s.findings.clone()).collect();
    findings.sort_by_key(|finding| finding.site.to_string());
    findings.truncate(TOLD);
    match Error::from_findings(Class::Residue, "values that were masked stand elsewhere in clear", &findings) {
        Some(error) => Err(error),
        None => Ok(Residue {
            originals: searched.iter().map(|s| s.originals).max().unwrap_or_default(),
            values: searched.iter().map(|s| s.values).sum(),
        }),
    }
}

/// All texts of the account, names of members included.
fn strings(value: &Value, out: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            out.insert(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| strings(item, out)),
        Value::Object(members) => {
            for (name, value) in members {
                out.insert(name.clone());
                strings(value, out);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What an agent needs to look through the members that it wrote.
pub(super) struct Members {
    pub(super) written: Vec<(Reread, Sealed)>,
    pub(super) plan: Plan,
    pub(super) keys: ScopeKeys,
}

/// Looks through an agent's members, on several threads, and through texts.
pub(super) async fn look(members: Members, search: Search, texts: Vec<String>) -> Result<Searched> {
    let originals = search.originals();
    // Nothing to look for: what was written need not be read again.
    if search.is_empty() {
        return Ok(Searched::default());
    }
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(THREADS);
    let members = Arc::new(members);
    let values = Arc::new(AtomicU64::new(0));
    let part = |nth: usize, texts: Vec<String>| {
        let (members, search, values) = (Arc::clone(&members), search.clone(), Arc::clone(&values));
        tokio::task::spawn_blocking(move || -> Result<Vec<Finding>> {
            let mut searcher = Searcher::new(members.plan.masker(&members.keys), search);
            for text in &texts {
                searcher.text(text);
            }
            let mut groups = 0;
            for (reread, sealed) in &members.written {
                let written = reread.open(sealed)?;
                let columns = searcher.columns(written.entity());
                if columns.is_empty() {
                    continue;
                }
                for group in 0..written.groups() {
                    if groups % threads == nth {
                        let entity = Arc::clone(written.entity());
                        written.group(group, &columns, &mut |batch| searcher.rows(&entity, batch))?;
                    }
                    groups += 1;
                }
            }
            values.fetch_add(searcher.values(), Ordering::Relaxed);
            Ok(searcher.findings())
        })
    };
    let mut texts = Some(texts);
    let parts: Vec<_> = (0..threads).map(|nth| part(nth, texts.take().unwrap_or_default())).collect();
    let mut findings: Vec<Finding> = Vec::new();
    for part in parts {
        let found = part.await.map_err(|_| Error::new(Class::Unexpected, "a search stopped unexpectedly"))??;
        for finding in found {
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
    }
    Ok(Searched { findings, originals, values: values.load(Ordering::Relaxed) })
}
