//! Applying a plan: the one place where `Captured` rows become `Masked` ones.
//!
//! Hidden here: the columnar work. Each column is read as canonical texts, masked, and written in its own type; values that
//! repeat are masked once, as long as that pays; payloads are taken apart, masked leaf by leaf and put together again. What
//! can't be masked is an error that names the field and the rule, never the value.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{Array, ArrayRef, BinaryBuilder, RecordBatch, StringBuilder};
use arrow::datatypes::DataType;
use reenact_model::canonical::{self, Reader, Writer};
use reenact_model::catalog::Role;
use reenact_model::names::Step;
use reenact_model::payload::{Decoder, Node, cell};
use reenact_model::{
    Captured, Class, EntityId, Error, Field, FieldId, FieldPath, Finding, Key, Path, Result, Site, ValueType,
};

use crate::domain::{DomainKey, ScopeKeys};
use crate::kernels::{Cell, Group, Unfit};
use crate::masked::Masked;
use crate::plan::{Apply, ColumnPlan, EntityPlan, LeafRule, redaction};
use crate::policy::Undecided;
use crate::residue::{Needles, Search, Seen};

/// The most distinct values of a column that are remembered.
const CACHE: usize = 1 << 16;
/// A full cache that knows less than a quarter of this many values is given up: to ask it would cost more than it saves.
const TRIAL: u64 = 1 << 14;

/// A plan that the keys of a scope have joined.
#[derive(Debug)]
pub struct Masker {
    entities: BTreeMap<EntityId, EntityPlan>,
    keys: ScopeKeys,
    columns: HashMap<(EntityId, String), Column>,
    /// What the masks replaced so far; all workers add to it.
    seen: Arc<Mutex<Seen>>,
    /// What other agents' masks replaced.
    learned: Seen,
    /// Leaves that no rule names, met in the data: field with its path, generalised.
    unknown: BTreeSet<(EntityId, FieldPath)>,
}

/// A column's work, compiled once.
#[derive(Debug)]
pub(crate) enum Column {
    Keep { reference: bool },
    Apply(Box<Worker>),
    Payload(Box<Payload>),
}

/// A mask with its key and what it remembers.
pub(crate) struct Worker {
    apply: Apply,
    key: DomainKey,
    seen: Arc<Mutex<Seen>>,
    cache: Option<HashMap<Box<str>, Option<Box<str>>, ahash::RandomState>>,
    /// How many values the full cache was asked for since it was judged last, and how many of them it knew.
    asked: u64,
    hit: u64,
}

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

pub(crate) struct Payload {
    decoder: Decoder,
    leaves: Vec<(LeafRule, Option<Mutex<Worker>>)>,
    redact: Worker,
    undecided: Undecided,
    /// Which rule decides a path; `None` for no rule.
    known: HashMap<Path, Option<usize>>,
}

impl Masker {
    pub(crate) fn new(entities: BTreeMap<EntityId, EntityPlan>, keys: &ScopeKeys) -> Self {
        let seen = Arc::new(Mutex::new(Seen::new(keys)));
        Self {
            entities,
            keys: keys.clone(),
            columns: HashMap::new(),
            seen,
            learned: Seen::new(keys),
            unknown: BTreeSet::new(),
        }
    }

    /// Masks a batch. The batch is used up: the originals end here.
    ///
    /// # Errors
    /// [`Class::Policy`] if a value or payload can't be masked as the plan says; the error names field and rule.
    pub fn apply(&mut self, rows: Captured) -> Result<Masked> {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the one place that turns captured rows into masked ones"
        )]
        let (entity, batch, via) = rows.expose();
        let mut fields = Vec::new();
        let mut arrays = Vec::new();
        let schema = entity.schema();
        for (n, field) in entity.fields.iter().enumerate() {
            if field.role == Role::Generated {
                continue;
            }
            let Some(array) = batch.column_by_name(&field.name) else {
                return Err(Error::new(Class::Unexpected, format!("column `{}` was not read", field.name))
                    .at(Site::entity(&entity.id)));
            };
            let column = self.column(&entity.id, field)?;
            let site = || Site::field(&FieldId::new(&entity.id, &FieldPath::column(&field.name)));
            let masked = match column {
                Column::Keep { .. } => Arc::clone(array),
                Column::Apply(worker) => worker.column(array, field.value).map_err(|e| e.at(site()))?,
                Column::Payload(payload) => {
                    let (array, unknown) = payload.column(array, field.value).map_err(|e| e.at(site()))?;
                    let unknown = unknown.into_iter().map(|p| (entity.id.clone(), FieldPath::inner(&field.name, p)));
                    self.unknown.extend(unknown);
                    array
                }
            };
            debug_assert_eq!(*masked.data_type(), field.value.arrow());
            fields.push(schema.field(n).clone());
            arrays.push(masked);
        }
        let schema = Arc::new(arrow::datatypes::Schema::new(fields));
        let batch = RecordBatch::try_new(schema, arrays).map_err(|_| {
            Error::new(Class::Unexpected, "masked columns do not fit together").at(Site::entity(&entity.id))
        })?;
        Ok(Masked::new(entity, batch, via))
    }

    /// The pseudonym of a key: what its fields become in the output. `None` where a field becomes NULL or is dropped.
    ///
    /// # Errors
    /// [`Class::Policy`] if a part can't be masked.
    pub fn key(&mut self, fields: &[(EntityId, Field, FieldPath)], key: &Key) -> Result<Option<Key>> {
        let mut parts = Vec::with_capacity(fields.len());
        for ((entity, field, path), part) in fields.iter().zip(key.parts()) {
            let id = FieldId::new(entity, path);
            let column = self.column(entity, field)?;
            let mut masked = match column {
                Column::Keep { .. } => Some(part.to_string()),
                Column::Apply(worker) => worker.text(part, b't').map_err(|u| worker.unfit(u).at(Site::field(&id)))?,
                Column::Payload(payload) => match &path.path {
                    Some(path) => payload.leaf(path, part).map_err(|e| e.at(Site::field(&id)))?,
                    None => None,
                },
            };
            if let Some(text) = &mut masked
                && path.path.is_none()
            {
                // What the column makes of the text is what its readers see.
                let mut writer = Writer::new(field.value, 1);
                if writer.push(text, b't').is_ok()
                    && let Some(seen) = Reader::new(&writer.finish(), field.value).get(0)
                {
                    *text = seen.into_owned();
                }
            }
            match masked {
                Some(text) => parts.push(text),
                None => return Ok(None),
            }
        }
        Ok(Some(Key::new(parts)))
    }

    /// The leaves met so far that no rule names, as findings; with `undecided: refuse` they stop the capture.
    pub fn unknown(&self) -> Vec<Finding> {
        self.unknown
            .iter()
            .map(|(entity, field)| {
                Finding::error(
                    "POL-020",
                    Site::field(&FieldId::new(entity, field)),
                    "no rule decides this part of the payload",
                )
                .help("name it in a rule, such as `:$..name`, or write `undecided: redact`")
            })
            .collect()
    }

    /// A piece of what the masks replaced, for the agents of other services; `None` after the last.
    pub fn needles(&mut self, piece: usize) -> Option<Needles> {
        lock(&self.seen).piece(piece)
    }

    /// Adds what another agent's masks replaced.
    pub fn learn(&mut self, needles: Needles) {
        self.learned.learn(needles);
    }

    /// Ready to look for what the masks replaced; they begin anew.
    pub fn search(&mut self) -> Search {
        // What the columns remember is needed no more, and the search has use for the memory.
        self.columns.clear();
        let mut seen = std::mem::replace(&mut *lock(&self.seen), Seen::new(&self.keys));
        seen.absorb(std::mem::replace(&mut self.learned, Seen::new(&self.keys)));
        seen.search()
    }

    pub(crate) fn column(&mut self, entity: &EntityId, field: &Field) -> Result<&mut Column> {
        let slot = (entity.clone(), field.name.clone());
        if !self.columns.contains_key(&slot) {
            let plan = self.entities.get(entity).and_then(|e| e.columns.get(&field.name)).ok_or_else(|| {
                Error::new(Class::Policy, "no rule decides this field")
                    .at(Site::field(&FieldId::new(entity, &FieldPath::column(&field.name))))
            })?;
            let column = match plan {
                ColumnPlan::Keep { reference } => Column::Keep { reference: *reference },
                ColumnPlan::Apply(apply) => Column::Apply(Box::new(Worker::new(apply.clone(), &self.keys, &self.seen))),
                ColumnPlan::Payload { codec, leaves, undecided } => Column::Payload(Box::new(Payload {
                    decoder: Decoder::new(codec)?,
                    leaves: leaves
                        .iter()
                        .map(|leaf| {
                            let worker =
                                leaf.apply.clone().map(|apply| Mutex::new(Worker::new(apply, &self.keys, &self.seen)));
                            (leaf.clone(), worker)
                        })
                        .collect(),
                    redact: Worker::new(redaction(crate::kernels::Shape::leaf()), &self.keys, &self.seen),
                    undecided: *undecided,
                    known: HashMap::new(),
                })),
            };
            self.columns.insert(slot.clone(), column);
        }
        self.columns.get_mut(&slot).ok_or_else(|| Error::new(Class::Unexpected, "a column's plan was lost"))
    }
}

/// It remembers originals, so it tells its mask alone.
impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Worker({})", self.apply.name)
    }
}

impl Worker {
    fn new(apply: Apply, keys: &ScopeKeys, seen: &Arc<Mutex<Seen>>) -> Self {
        let key = keys.domain(&apply.domain);
        Self { apply, key, seen: Arc::clone(seen), cache: Some(HashMap::default()), asked: 0, hit: 0 }
    }

    fn unfit(&self, unfit: Unfit) -> Error {
        let error = Error::new(Class::Policy, format!("mask `{}`: {}", self.apply.name, unfit.0))
            .help("choose a mask that takes all values of this field");
        match &self.apply.rule {
            Some((rule, span)) => error.at(Site::default().with_rule(rule).with_span(Some(span.clone()))),
            None => error,
        }
    }

    /// Masks one canonical text.
    fn text(&mut self, text: &str, _class: u8) -> std::result::Result<Option<String>, Unfit> {
        let mut out = String::new();
        let seen = Arc::clone(&self.seen);
        Ok(self.write(text, &mut out, &mut lock(&seen))?.map(|()| out))
    }

    /// What an original is looked for as: a token may stand for anything, a permuted number only for a key.
    fn searched_as(&self) -> Group {
        let permuted = matches!(self.apply.name, "integer" | "digits" | "snowflake");
        if self.apply.group == Group::Identifier && !permuted { Group::Text } else { self.apply.group }
    }

    /// Masks one canonical text into `out`, which is empty.
    fn write(&mut self, text: &str, out: &mut String, seen: &mut Seen) -> std::result::Result<Option<()>, Unfit> {
        if let Some(cache) = &self.cache {
            self.asked += u64::from(cache.len() == CACHE);
            if let Some(known) = cache.get(text) {
                self.hit += u64::from(cache.len() == CACHE);
                return Ok(known.as_ref().map(|known| out.push_str(known)));
            }
            if self.asked >= TRIAL {
                if self.hit * 4 < self.asked {
                    self.cache = None;
                }
                (self.asked, self.hit) = (0, 0);
            }
        }
        seen.see(self.searched_as(), text);
        let cell = Cell { key: &self.key, shape: &self.apply.shape, subject: None };
        let result = self.apply.mask.apply(&cell, &self.apply.canonical.of(text), out)?;
        if let Some(cache) = &mut self.cache
            && cache.len() < CACHE
        {
            cache.insert(text.into(), result.map(|()| out.as_str().into()));
        }
        Ok(result)
    }

    fn column(&mut self, array: &ArrayRef, value: ValueType) -> Result<ArrayRef> {
        let mut scratch = String::with_capacity(64);
        if *array.data_type() == DataType::Utf8 && value != ValueType::Decimal {
            return self.strings(array, &mut scratch);
        }
        let seen = Arc::clone(&self.seen);
        let mut seen = lock(&seen);
        let reader = Reader::new(array, value);
        let mut writer = Writer::new(value, array.len());
        for row in 0..array.len() {
            let Some(text) = reader.get(row) else {
                writer.push_null();
                continue;
            };
            scratch.clear();
            match self.write(&text, &mut scratch, &mut seen).map_err(|u| self.unfit(u))? {
                None => writer.push_null(),
                Some(()) => writer
                    .push(&scratch, canonical::class_of(array, value, row))
                    .map_err(|_| self.unfit(Unfit("a result has no form in the field's type")))?,
            }
        }
        Ok(writer.finish())
    }

    /// The fast path: text in, text out.
    fn strings(&mut self, array: &ArrayRef, scratch: &mut String) -> Result<ArrayRef> {
        use arrow::array::AsArray;
        let seen = Arc::clone(&self.seen);
        let mut seen = lock(&seen);
        let texts = array.as_string::<i32>();
        let mut out = StringBuilder::with_capacity(texts.len(), texts.value_data().len());
        for row in 0..texts.len() {
            if texts.is_null(row) {
                out.append_null();
                continue;
            }
            scratch.clear();
            match self.write(texts.value(row), scratch, &mut seen).map_err(|u| self.unfit(u))? {
                None => out.append_null(),
                Some(()) => out.append_value(&*scratch),
            }
        }
        Ok(Arc::new(out.finish()))
    }
}

/// The paths that it met may hold data, so it tells how many rules it has.
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} rules)", self.leaves.len())
    }
}

impl Payload {
    /// Masks the payloads of a column; gives the paths that no rule names.
    fn column(&mut self, array: &ArrayRef, value: ValueType) -> Result<(ArrayRef, BTreeSet<Path>)> {
        let mut unknown = BTreeSet::new();
        let mut out: Vec<Option<Vec<u8>>> = Vec::with_capacity(array.len());
        for row in 0..array.len() {
            let Some(original) = cell(array, value, row) else {
                out.push(None);
                continue;
            };
            // An empty payload holds nothing (a tombstone is NULL, and an emptied message is empty).
            let mut masked = if original.is_empty() { Vec::new() } else { self.payload(original, &mut unknown)? };
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
        Ok(match self.rule(path)?.map(|n| &self.leaves[n]) {
            None | Some((_, Some(_))) => Origin::Mask,
            Some((leaf, None)) if leaf.rule.is_reference() => Origin::Reference,
            Some((_, None)) => Origin::Original,
        })
    }

    fn payload(&mut self, original: &[u8], unknown: &mut BTreeSet<Path>) -> Result<Vec<u8>> {
        let undecodable = || {
            Error::new(Class::Policy, "a payload can't be decoded as declared")
                .help("mend the declaration, or decide the whole payload by a rule without a path")
        };
        let mut node = self.decoder.decode(original).map_err(|_| undecodable())?;
        let mut failed = None;
        node.leaves_mut(&mut |path, leaf| {
            if failed.is_none() && *leaf != Node::Null {
                failed = self.mask_leaf(path, leaf, unknown).err();
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
        self.decoder.encode(&node, original).map_err(|_| {
            Error::new(Class::Policy, "a masked value has no form in this payload")
                .help("choose a mask that gives values of the leaf's own type")
        })
    }

    fn mask_leaf(&mut self, path: &Path, leaf: &mut Node, unknown: &mut BTreeSet<Path>) -> Result<()> {
        let Some(text) = leaf.canonical().map(std::borrow::Cow::into_owned) else { return Ok(()) };
        let rule = self.rule(path)?;
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
                Node::Text(_) => self.redact.text(&text, b't').ok().flatten(),
                _ => None,
            },
            Some(n) => match &self.leaves[n].1 {
                None => return Ok(()),
                Some(worker) => {
                    let mut worker = lock(worker);
                    worker.text(&text, b't').map_err(|u| {
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
    fn leaf(&mut self, path: &Path, text: &str) -> Result<Option<String>> {
        let Some(n) = self.rule(path)? else { return Ok(None) };
        match &self.leaves[n].1 {
            None => Ok(Some(text.to_owned())),
            Some(worker) => {
                let mut worker = lock(worker);
                worker.text(text, b't').map_err(|u| worker.unfit(u))
            }
        }
    }

    fn rule(&mut self, path: &Path) -> Result<Option<usize>> {
        if let Some(known) = self.known.get(path) {
            return Ok(*known);
        }
        let matching: Vec<usize> = (0..self.leaves.len())
            .filter(|n| self.leaves[*n].0.rule.on.iter().any(|(s, _)| s.matches_path(path)))
            .collect();
        let beaten = |n: &usize| {
            matching.iter().any(|m| self.leaves[*m].0.rule.overrides.contains(&self.leaves[*n].0.rule.name))
        };
        let left: Vec<usize> = matching.iter().copied().filter(|n| !beaten(n)).collect();
        let does = |n: usize| &self.leaves[n].0.rule.does;
        if let [first, rest @ ..] = left.as_slice()
            && let Some(other) = rest.iter().find(|n| does(**n) != does(*first))
        {
            let (a, b) = (&self.leaves[*first].0.rule, &self.leaves[*other].0.rule);
            return Err(Error::new(
                Class::Policy,
                format!("rules `{}` and `{}` decide {} differently", a.name, b.name, self.generalised(path)),
            )
            .help(format!("write `overrides: [{}]` in the rule that should win", b.name))
            .at(Site::default().with_rule(&a.name).with_span(Some(a.span.clone()))));
        }
        let found = left.first().copied();
        if self.known.len() < CACHE {
            self.known.insert(path.clone(), found);
        }
        Ok(found)
    }

    /// A path as it may be shown: a member's name that no rule mentions may be somebody's data, so it prints as `{key}`.
    pub(crate) fn generalised(&self, path: &Path) -> Path {
        let mentioned =
            |key: &str| self.leaves.iter().any(|(leaf, _)| leaf.rule.on.iter().any(|(s, _)| s.text().contains(key)));
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

/// A lock that a panic elsewhere does not spoil: what it guards is whole after every call.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok_and(f64::is_finite) && !text.starts_with('+') && !text.starts_with('.')
}
