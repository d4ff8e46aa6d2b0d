//! Payloads: taken apart, masked leaf by leaf, put together again.
//!
//! Hidden here: which rule decides a leaf that only the data shows, and how the form of a leaf (a number, bytes) survives.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex};

use arrow::array::{Array, ArrayRef, BinaryBuilder, StringBuilder};
use arrow::datatypes::DataType;
use reenact_model::canonical;
use reenact_model::names::Step;
use reenact_model::payload::{Decoder, Node, cell};
use reenact_model::{Class, Error, Path, Result, Site, Span, ValueType};
use serde::{Deserialize, Serialize};

use super::lock;
use super::subject::Rows;
use super::worker::Worker;
use crate::plan::{LeafRule, choose, decide};
use crate::policy::{Rule, Selector, Undecided};

/// The most paths whose rule is remembered.
const PATHS: usize = 1 << 16;

/// Where a written value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A mask made it.
    Mask,
    /// It was kept.
    Original,
    /// It was kept as public reference data.
    Reference,
}

impl Origin {
    /// Where it comes from if it may come from either; what may be an original is taken for one.
    pub(crate) fn or(self, other: Self) -> Self {
        if self == other { self } else { Self::Original }
    }
}

/// A selector of parts of payloads that only the data shows, and whether the data had one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The rule.
    pub rule: String,
    /// The selector, as the policy has it.
    pub selector: String,
    /// Where it stands.
    pub span: Span,
    /// Whether a payload had such a part.
    pub met: bool,
}

/// The rules that decide a path.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Chosen {
    /// Without a condition; none if no rule names it.
    otherwise: Option<usize>,
    /// For the records that fulfil its condition.
    fulfilled: Option<usize>,
}

/// A column of payloads.
pub(crate) struct Payload {
    pub(super) decoder: Decoder,
    pub(super) leaves: Vec<(LeafRule, Option<Mutex<Worker>>)>,
    pub(super) redact: Worker,
    pub(super) undecided: Undecided,
    /// Which rules decide a path.
    pub(super) known: HashMap<Path, Chosen>,
    /// Which rules decide the name of the member at a path.
    pub(super) known_names: HashMap<Path, Chosen>,
    /// Whether any rule selects names of members.
    pub(super) renames: bool,
    /// Which selectors named a part that was there: leaf rule and selector.
    pub(super) met: BTreeSet<(usize, usize)>,
    /// Whether only the data shows what parts there are.
    pub(super) by_data: bool,
    /// Whether any payload was taken apart.
    pub(super) read: bool,
}

/// The paths that it met may hold data, so it tells how many rules it has.
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} rules)", self.leaves.len())
    }
}

impl Payload {
    /// Masks the payloads of a column; gives the paths that no rule names.
    pub(super) fn column(
        &mut self,
        array: &ArrayRef,
        value: ValueType,
        rows: Rows<'_>,
    ) -> Result<(ArrayRef, BTreeSet<Path>)> {
        for worker in self.leaves.iter().filter_map(|(_, worker)| worker.as_ref()) {
            lock(worker).turn(rows)?;
        }
        let mut unknown = BTreeSet::new();
        let mut out: Vec<Option<Vec<u8>>> = Vec::with_capacity(array.len());
        for row in 0..array.len() {
            let Some(original) = cell(array, value, row) else {
                out.push(None);
                continue;
            };
            // An empty payload holds nothing (a tombstone is NULL, and an emptied message is empty).
            let mut masked =
                if original.is_empty() { Vec::new() } else { self.payload(original, row, rows, &mut unknown)? };
            if value == ValueType::Tagged {
                masked.insert(0, canonical::class_of(array, value, row));
            }
            out.push(Some(masked));
        }
        let array: ArrayRef = if *array.data_type() == DataType::Utf8 {
            let mut builder = StringBuilder::new();
            for payload in out {
                let text = payload.map(String::from_utf8).transpose();
                builder.append_option(text.map_err(|_| Error::new(Class::Policy, "a masked payload is no text"))?);
            }
            Arc::new(builder.finish())
        } else {
            let mut builder = BinaryBuilder::new();
            for payload in out {
                builder.append_option(payload);
            }
            Arc::new(builder.finish())
        };
        Ok((array, unknown))
    }

    /// A payload taken apart, if it can be.
    pub(crate) fn decoded(&self, payload: &[u8]) -> Option<Node> {
        if payload.is_empty() { None } else { self.decoder.decode(payload).ok() }
    }

    /// Where what stands at a path comes from.
    ///
    /// # Errors
    /// If rules disagree on it.
    pub(crate) fn origin(&mut self, path: &Path) -> Result<Origin> {
        let chosen = self.rules(path)?;
        let origin = |n: Option<usize>| match n.map(|n| &self.leaves[n]) {
            // The path may have had another name, by which a rule kept it.
            None if self.renames => Origin::Original,
            None | Some((_, Some(_))) => Origin::Mask,
            Some((leaf, None)) if leaf.rule.is_reference() => Origin::Reference,
            Some((_, None)) => Origin::Original,
        };
        let otherwise = origin(chosen.otherwise);
        Ok(chosen.fulfilled.map_or(otherwise, |n| otherwise.or(origin(Some(n)))))
    }

    /// Where the name of the member at a path comes from.
    ///
    /// # Errors
    /// If rules disagree on it.
    pub(crate) fn origin_of_name(&mut self, path: &Path) -> Result<Origin> {
        let chosen = self.chosen(path, true)?;
        let masked = chosen.fulfilled.is_none() && chosen.otherwise.is_some_and(|n| self.leaves[n].1.is_some());
        Ok(if masked { Origin::Mask } else { Origin::Original })
    }

    fn payload(
        &mut self,
        original: &[u8],
        row: usize,
        rows: Rows<'_>,
        unknown: &mut BTreeSet<Path>,
    ) -> Result<Vec<u8>> {
        let undecodable = || {
            Error::new(Class::Policy, "a payload can't be decoded as declared")
                .help("mend the declaration, or decide the whole payload by a rule without a path")
        };
        let mut node = self.decoder.decode(original).map_err(|_| undecodable())?;
        self.read = true;
        let mut failed = None;
        node.leaves_mut(&mut |path, leaf| {
            if *leaf == Node::Null {
                self.meet(path, false);
            } else if failed.is_none() {
                failed = self.mask_leaf(path, leaf, (row, rows), unknown).err();
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
        // Rules name what stands under a member by the member's own name, so names are replaced last.
        let renamed = self.renames && self.rename(&mut node, row, rows)?;
        let encoded = self.decoder.encode(&node, original).map_err(|_| {
            Error::new(Class::Policy, "a masked value has no form in this payload")
                .help("choose a mask that gives values of the leaf's own type")
        })?;
        if renamed && self.decoder.decode(&encoded).is_ok_and(|back| back != node) {
            return Err(Error::new(Class::Policy, "names of members have no such form in this payload")
                .help("select names of members in JSON only, or decide the whole payload"));
        }
        Ok(encoded)
    }

    /// Masks the names of members that rules select; whether there was one.
    fn rename(&mut self, node: &mut Node, row: usize, rows: Rows<'_>) -> Result<bool> {
        let mut failed: Option<Error> = None;
        let mut renamed = false;
        let mut last: Option<usize> = None;
        let different = node.rename(&mut |path| {
            if failed.is_some() {
                return None;
            }
            let masked = self.name(path, row, rows);
            match masked {
                Ok(None) => None,
                Ok(Some((n, name))) => {
                    (renamed, last) = (true, Some(n));
                    Some(name)
                }
                Err(error) => {
                    failed = Some(error);
                    None
                }
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
        if !different {
            let rule = last.map(|n| &self.leaves[n].0.rule);
            let error = Error::new(Class::Policy, "two names of members become one")
                .help("mask these names by one domain, and select all that stand beside each other");
            return Err(match rule {
                Some(rule) => error.at(Site::default().with_rule(&rule.name).with_span(Some(rule.span.clone()))),
                None => error,
            });
        }
        Ok(renamed)
    }

    /// The new name of the member at a path, and the rule that gives it; none if no rule selects it.
    fn name(&mut self, path: &Path, row: usize, rows: Rows<'_>) -> Result<Option<(usize, String)>> {
        let (Some(Step::Key(name)), Some(n)) = (path.0.last(), self.rule_of(path, row, rows, true)?) else {
            return Ok(None);
        };
        let Some(worker) = &self.leaves[n].1 else { return Ok(None) };
        let mut worker = lock(worker);
        match worker.text(name, Some(row)).map_err(|unfit| worker.unfit(unfit))? {
            Some(masked) => Ok(Some((n, masked))),
            None => Err(worker.unfit(crate::kernels::Unfit("the name of a member can't be dropped"))),
        }
    }

    fn mask_leaf(
        &mut self,
        path: &Path,
        leaf: &mut Node,
        (row, rows): (usize, Rows<'_>),
        unknown: &mut BTreeSet<Path>,
    ) -> Result<()> {
        let Some(text) = leaf.canonical().map(std::borrow::Cow::into_owned) else { return Ok(()) };
        let rule = self.rule_of(path, row, rows, false)?;
        if rule.is_none() {
            unknown.insert(self.generalised(path));
            if self.undecided == Undecided::Refuse {
                // The whole batch is looked through, so that all such paths are told at once; nothing of it is written.
                *leaf = Node::Null;
                return Ok(());
            }
        }
        let masked = match rule {
            None => match leaf {
                Node::Text(_) => self.redact.text(&text, None).ok().flatten(),
                _ => None,
            },
            Some(n) => match &self.leaves[n].1 {
                None => return Ok(()),
                Some(worker) => {
                    let mut worker = lock(worker);
                    worker.text(&text, Some(row)).map_err(|u| {
                        let field = Site { field: Some(path.to_string()), ..Site::default() };
                        worker.unfit(u).at(field)
                    })?
                }
            },
        };
        *leaf = match (masked, &*leaf) {
            (None, _) => Node::Null,
            (Some(text), Node::Number(_)) if is_number(&text) => Node::Number(text),
            (Some(text), Node::Bool(_)) if text == "true" || text == "false" => Node::Bool(text == "true"),
            (Some(text), Node::Bytes(_)) => Node::Bytes(canonical::bytes_of(&text).unwrap_or_default()),
            (Some(text), _) => Node::Text(text),
        };
        Ok(())
    }

    /// The pseudonym of the text at a path.
    pub(super) fn leaf(&mut self, path: &Path, text: &str) -> Result<Option<String>> {
        let chosen = self.rules(path)?;
        if let Some(n) = chosen.fulfilled {
            let rule = &self.leaves[n].0.rule;
            return Err(Error::new(Class::Policy, "what becomes of this value depends on its record")
                .help("give the whole record: in a test the payload under `with`; choose roots by a field whose rule has no condition")
                .at(Site::default().with_rule(&rule.name).with_span(Some(rule.span.clone()))));
        }
        let Some(n) = chosen.otherwise else { return Ok(None) };
        match &self.leaves[n].1 {
            None => Ok(Some(text.to_owned())),
            Some(worker) => {
                let mut worker = lock(worker);
                worker.text(text, None).map_err(|u| worker.unfit(u))
            }
        }
    }

    /// Notes which selectors name a part that is there.
    fn meet(&mut self, path: &Path, name: bool) {
        for (n, (leaf, _)) in self.leaves.iter().enumerate() {
            for (m, (selector, _)) in leaf.selectors.iter().enumerate() {
                let names = if name { selector.matches_member(path) } else { selector.matches_path(path) };
                if names && !self.met.contains(&(n, m)) {
                    self.met.insert((n, m));
                }
            }
        }
    }

    /// The selectors that lead into these payloads, and whether each named a part of one.
    pub(super) fn named(&self) -> impl Iterator<Item = Named> + '_ {
        let of = |n: usize, leaf: &LeafRule| {
            let rule = leaf.rule.name.clone();
            let named = |(m, (selector, span)): (usize, &(Selector, Span))| Named {
                rule: rule.clone(),
                selector: selector.text().to_owned(),
                span: span.clone(),
                met: self.met.contains(&(n, m)),
            };
            leaf.selectors.iter().enumerate().map(named).collect::<Vec<_>>()
        };
        let read = self.read && self.by_data;
        self.leaves.iter().enumerate().filter(move |_| read).flat_map(move |(n, (leaf, _))| of(n, leaf))
    }

    /// The rule that decides a leaf of a row, or the name of a member.
    fn rule_of(&mut self, path: &Path, row: usize, rows: Rows<'_>, name: bool) -> Result<Option<usize>> {
        let chosen = self.chosen(path, name)?;
        let Some(n) = chosen.fulfilled else { return Ok(chosen.otherwise) };
        let rule = &self.leaves[n].0.rule;
        let fulfilled = rows.fulfilled.get(&rule.name).and_then(|which| which.get(row)).copied().ok_or_else(|| {
            Error::new(Class::Unexpected, "a condition was not decided").at(Site::default().with_rule(&rule.name))
        })?;
        Ok(if fulfilled { Some(n) } else { chosen.otherwise })
    }

    fn rules(&mut self, path: &Path) -> Result<Chosen> {
        self.chosen(path, false)
    }

    /// The rules that decide what stands at a path, or the name of the member there.
    fn chosen(&mut self, path: &Path, name: bool) -> Result<Chosen> {
        if let Some(known) = if name { self.known_names.get(path) } else { self.known.get(path) } {
            return Ok(*known);
        }
        self.meet(path, name);
        let matching: Vec<&Arc<Rule>> = self
            .leaves
            .iter()
            .filter(|(leaf, _)| if name { leaf.names_member(path) } else { leaf.names(path) })
            .map(|(leaf, _)| &leaf.rule)
            .collect();
        let place = |rule: &Rule| self.leaves.iter().position(|(leaf, _)| leaf.rule.name == rule.name);
        let otherwise = decide(matching.iter().copied(), |_| true).map_err(|(a, b)| {
            Error::new(
                Class::Policy,
                format!("rules `{}` and `{}` decide {} differently", a.name, b.name, self.generalised(path)),
            )
            .help(format!("write `overrides: [{}]` in the rule that should win", b.name))
            .at(Site::default().with_rule(&a.name).with_span(Some(a.span.clone())))
        })?;
        let fulfilled = choose(&matching, otherwise.map(|rule| &**rule)).map_err(|(rule, message, help)| {
            Error::new(Class::Policy, format!("{}: {message}", self.generalised(path)))
                .help(help)
                .at(Site::default().with_rule(&rule.name).with_span(Some(rule.span.clone())))
        })?;
        let chosen = Chosen {
            otherwise: otherwise.and_then(|rule| place(rule)),
            fulfilled: fulfilled.and_then(|rule| place(rule)),
        };
        let known = if name { &mut self.known_names } else { &mut self.known };
        if known.len() < PATHS {
            known.insert(path.clone(), chosen);
        }
        Ok(chosen)
    }

    /// A path as it may be shown: a member's name that no rule mentions may be somebody's data, so it prints as `{key}`.
    pub(crate) fn generalised(&self, path: &Path) -> Path {
        let mentioned =
            |key: &str| self.leaves.iter().any(|(leaf, _)| leaf.selectors.iter().any(|(s, _)| s.text().contains(key)));
        Path(
            path.0
                .iter()
                .map(|step| match step {
                    Step::Key(key) if !mentioned(key) => Step::Key("{key}".to_owned()),
                    step => step.clone(),
                })
                .collect(),
        )
    }
}

fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok_and(f64::is_finite) && !text.starts_with('+') && !text.starts_with('.')
}
