//! The walk of the closure, and the pins.

use std::collections::BTreeMap;
use std::time::Instant;

use reenact_model::{Class, EntityId, Error, Key, Part, Result, Site};
use reenact_stores::GroupOffsets;

use super::Captures;
use super::plan::{Prepared, pin_order};
use super::record::seed;
use crate::capture::agent::{Found, Step, What};
use crate::capture::sealed::SealedBox;
use crate::events::{Event, Observer};
use crate::pipeline::{Pipeline, Seeds, Value};
use crate::record::PinnedPart;

/// Pseudonyms of the roots' filters.
pub(super) type Pseudonyms = BTreeMap<usize, Vec<Vec<String>>>;

/// One walk of the closure, and the pins.
pub(super) struct Walk<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) prepared: &'a Prepared,
    pub(super) seeds: &'a Seeds,
    pub(super) observer: &'a dyn Observer,
    pub(super) rows: u64,
}

impl Walk<'_> {
    /// Walks until no agent finds a new key.
    pub(super) async fn scout(&mut self, agents: &mut Captures) -> Result<Pseudonyms> {
        self.rows = 0;
        let mut pseudonyms = Pseudonyms::new();
        let mut steps = self.first()?;
        let mut depth = 0;
        while !steps.is_empty() {
            let asked = |service: &str| -> Vec<Step> {
                steps.iter().filter(|s| s.entity.service == service).cloned().collect()
            };
            let round = agents.iter_mut().map(|(service, agent)| (asked(service), agent));
            let round = round.filter(|(own, _)| !own.is_empty()).map(|(own, agent)| async move {
                let scouted = agent.scout(own.clone()).await;
                (own, scouted)
            });
            let mut next: Vec<Found> = Vec::new();
            let mut missed: Vec<Missed> = Vec::new();
            for (asked, scouted) in futures::future::join_all(round).await {
                let scouted = scouted.map_err(|e| match asked.as_slice() {
                    [one] => self.along(&e, one),
                    _ => e,
                })?;
                for (step, rows) in asked.iter().zip(&scouted.rows) {
                    self.rows += rows;
                    if self.rows > self.pipeline.limits.rows {
                        let message =
                            format!("the closure has more than the limit of {} records", self.pipeline.limits.rows);
                        let error = Error::new(Class::Limit, format!("{message}; the last step found {rows}"))
                            .help("raise `limits: { rows: … }` in the pipeline, or ask for fewer children");
                        return Err(self.along(&error, step));
                    }
                }
                for (position, values) in scouted.missed {
                    let step = &asked[position];
                    let What::Root(root) = step.what else { continue };
                    missed.push(Missed { root, entity: step.entity.clone(), values });
                }
                pseudonyms.extend(scouted.roots);
                next.extend(scouted.found);
            }
            if let Some(error) = self.unmatched(missed)? {
                return Err(error);
            }
            self.observer.event(&Event::Scouted { depth, rows: self.rows });
            depth += 1;
            steps = next
                .into_iter()
                .map(|f| Step { what: f.what, entity: f.entity, levels: f.levels, depth, keys: Some(f.keys) })
                .collect();
        }
        Ok(pseudonyms)
    }

    /// The error of values that no record has, all of them, by their numbers; `None` if there is none.
    fn unmatched(&self, mut missed: Vec<Missed>) -> Result<Option<Error>> {
        missed.sort_by_key(|missed| missed.root);
        let mut told = Vec::new();
        for Missed { root, values, .. } in &missed {
            let filter = &self.pipeline.roots[*root];
            if self.values(filter)?.len() < 2 {
                told.push((format!("root {}", root + 1), true));
                continue;
            }
            let seeds: Vec<String> =
                filter.filter.iter().filter_map(|(_, value)| seed(value)).map(|name| format!("`{name}`")).collect();
            let of = if seeds.len() == 1 { "seed" } else { "seeds" };
            let one = values.len() == 1;
            told.push((
                format!("value{} {} of the {of} {}", if one { "" } else { "s" }, numbers(values), seeds.join(", ")),
                one,
            ));
        }
        let verb = |one: bool| if one { "matches no record" } else { "match no record" };
        let message = match told.as_slice() {
            [] => return Ok(None),
            [(what, one)] => format!("{what} {}", verb(*one)),
            several => {
                let each = several.iter().zip(&missed).map(|((what, one), Missed { root, entity, .. })| {
                    format!("{what} {} of {entity} (root {})", verb(*one), root + 1)
                });
                each.collect::<Vec<_>>().join("; ")
            }
        };
        let error = Error::new(Class::Input, message).help(
            "check the seed's value, and that it is spelt as the store has it; values count in the order in which they were given",
        );
        Ok(Some(if let [one] = missed.as_slice() { error.at(Site::entity(&one.entity)) } else { error }))
    }

    /// Names the edge that an error happened on.
    fn along(&self, error: &Error, step: &Step) -> Error {
        // Findings have places of their own.
        if !error.findings().is_empty() {
            return error.clone();
        }
        let how = match step.what {
            What::Root(n) => format!("at root {}", n + 1),
            What::Parent(n) => format!("along {}", self.prepared.bound.relationships[n]),
            What::Child(n) => format!("along the children of {}", self.prepared.bound.relationships[n]),
        };
        let edge = how.rsplit("along ").next().unwrap_or(&how);
        let known = error.message().contains(edge);
        let message = if known { error.message().to_owned() } else { format!("{} ({how})", error.message()) };
        let mut told = Error::new(error.class(), message);
        if let Some(help) = error.help_text() {
            told = told.help(help);
        }
        told.at(error.site().clone()).at(Site::entity(&step.entity))
    }

    fn first(&self) -> Result<Vec<Step>> {
        let mut steps = Vec::new();
        for (n, (bound, root)) in self.prepared.bound.roots.iter().zip(&self.pipeline.roots).enumerate() {
            for entity in &bound.entities {
                let keys = if root.filter.is_empty() {
                    None
                } else {
                    let recipient = self.prepared.setup.recipients.get(&entity.service);
                    Some(SealedBox::new(recipient.map_or("", String::as_str), &self.values(root)?)?)
                };
                let what = What::Root(n);
                steps.push(Step { what, entity: entity.clone(), levels: bound.levels, depth: 0, keys });
            }
        }
        Ok(steps)
    }

    /// The keys that a root's filter asks for: one, or one for each value of its seed.
    fn values(&self, root: &crate::pipeline::Root) -> Result<Vec<Key>> {
        let columns: Vec<Vec<String>> = root
            .filter
            .iter()
            .map(|(_, value)| match value {
                Value::Literal(text) => vec![text.clone()],
                Value::Seed(name) => self.seeds.0.get(name).cloned().unwrap_or_default(),
            })
            .collect();
        let longest = columns.iter().map(Vec::len).max().unwrap_or(0);
        if columns.iter().any(|c| c.len() != longest && c.len() != 1) {
            return Err(Error::new(Class::Input, "the seeds of a root have different numbers of values")
                .help("give each seed one value, or all of them as many")
                .at(Site::default().with_span(Some(root.span.clone()))));
        }
        Ok((0..longest).map(|n| Key::new(columns.iter().map(|c| c[n.min(c.len() - 1)].as_str()))).collect())
    }

    /// Pins all parts, sinks first, each turn waiting for the one before.
    pub(super) async fn pin(
        &mut self,
        agents: &mut Captures,
    ) -> Result<(Vec<PinnedPart>, Vec<(String, GroupOffsets)>, u64)> {
        let start = Instant::now();
        let mut parts = Vec::new();
        let mut groups = Vec::new();
        for (turn, group) in pin_order(self.pipeline, &self.prepared.catalogs).into_iter().enumerate() {
            // Parts of one cycle are pinned one right after another: no order is better than another there.
            for (service, part) in group {
                let agent =
                    agents.get_mut(&service).ok_or_else(|| Error::new(Class::Unexpected, "an agent is missing"))?;
                let pinned = agent.pin(part.clone()).await?;
                self.observer.event(&Event::Pinned { service: service.clone(), part: part.clone() });
                if let Part::Group(name) = &part {
                    groups.push((service.clone(), offsets(name, &pinned.position)));
                }
                parts.push(PinnedPart { service, part, position: pinned.position, turn, gaps: pinned.gaps });
            }
        }
        let skew_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok((parts, groups, skew_ms))
    }
}

/// Values of a root that no record of an entity has.
struct Missed {
    root: usize,
    entity: EntityId,
    /// Their places, from 0.
    values: Vec<usize>,
}

/// Places as numbers from 1: `2, 4 and 5`, or the first of very many and how many more there are.
fn numbers(places: &[usize]) -> String {
    const MOST: usize = 100;
    let mut words: Vec<String> = places.iter().take(MOST).map(|n| (n + 1).to_string()).collect();
    let more = places.len().saturating_sub(MOST);
    if more > 0 {
        words.push(format!("{more} more"));
    }
    match words.pop() {
        Some(last) if !words.is_empty() => format!("{} and {last}", words.join(", ")),
        last => last.unwrap_or_default(),
    }
}

/// A group's offsets out of its position, `topic/partition → offset`; -1 means that nothing was committed.
fn offsets(group: &str, position: &reenact_model::Position) -> GroupOffsets {
    let offsets = position
        .at
        .iter()
        .filter_map(|(key, value)| {
            let (topic, partition) = key.rsplit_once('/')?;
            let offset: i64 = value.parse().ok()?;
            (offset >= 0).then_some((topic.to_owned(), partition.parse().ok()?, offset))
        })
        .collect();
    GroupOffsets { group: group.to_owned(), offsets }
}
