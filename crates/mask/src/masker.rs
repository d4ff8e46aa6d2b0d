//! Applying a plan: the one place where `Captured` rows become `Masked` ones.
//!
//! Hidden here: the columnar work. Each column is read as canonical texts, masked, and written in its own type; values that
//! repeat are masked once, as long as that pays; payloads are taken apart, masked leaf by leaf and put together again. What
//! can't be masked is an error that names the field and the rule, never the value.

mod cache;
mod conditions;
mod payload;
mod subject;
mod worker;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::{filter, filter_record_batch, interleave};
use reenact_model::canonical::{Reader, Writer};
use reenact_model::catalog::Role;
use reenact_model::payload::Decoder;
use reenact_model::{
    Captured, Class, EntityId, Error, Field, FieldId, FieldPath, Finding, Key, Path, Result, Site, Span,
};

use self::conditions::Conditions;
pub use self::conditions::Verdicts;
pub use self::payload::Named;
pub(crate) use self::payload::{Origin, Payload};
use self::subject::Rows;
use self::worker::Worker;
use crate::domain::ScopeKeys;
use crate::masked::Masked;
use crate::plan::{Carried, ColumnPlan, EntityPlan, redaction};
use crate::residue::{Needles, Search, Seen};

/// A plan that the keys of a scope have joined.
#[derive(Debug)]
pub struct Masker {
    entities: BTreeMap<EntityId, EntityPlan>,
    keys: ScopeKeys,
    columns: HashMap<(EntityId, String), Column>,
    /// Which records fulfil the conditions of rules.
    conditions: Conditions,
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
    Keep {
        reference: bool,
    },
    Apply(Box<Worker>),
    Payload(Box<Payload>),
    /// One or the other, by the condition of this rule.
    Choice {
        rule: String,
        fulfilled: Box<Column>,
        otherwise: Box<Column>,
    },
}

impl Column {
    /// Where what is written comes from. A column whose values are kept in some records counts as kept, so that everything in
    /// it is searched as what it may be.
    pub(crate) fn origin(&self) -> Origin {
        match self {
            Self::Keep { reference: true } => Origin::Reference,
            Self::Keep { reference: false } => Origin::Original,
            Self::Apply(_) | Self::Payload(_) => Origin::Mask,
            Self::Choice { fulfilled, otherwise, .. } => fulfilled.origin().or(otherwise.origin()),
        }
    }
}

impl Masker {
    pub(crate) fn new(entities: BTreeMap<EntityId, EntityPlan>, carried: Vec<Arc<Carried>>, keys: &ScopeKeys) -> Self {
        let asked = entities.iter().map(|(id, entity)| (id.clone(), entity.conditions.clone())).collect();
        let seen = Arc::new(Mutex::new(Seen::new(keys)));
        Self {
            entities,
            keys: keys.clone(),
            columns: HashMap::new(),
            conditions: Conditions::new(asked, carried),
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
        let fulfilled = self.conditions.decide(&entity, &batch)?;
        let rows = Rows { entity: &entity, batch: &batch, fulfilled: &fulfilled };
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
            let (masked, unknown) = masked(column, array, field, rows).map_err(|e| e.at(site()))?;
            let unknown = unknown.into_iter().map(|p| (entity.id.clone(), FieldPath::inner(&field.name, p)));
            self.unknown.extend(unknown);
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
                Column::Apply(worker) => worker.text(part, None).map_err(|u| worker.unfit(u).at(Site::field(&id)))?,
                Column::Payload(payload) => match &path.path {
                    Some(path) => payload.leaf(path, part).map_err(|e| e.at(Site::field(&id)))?,
                    None => None,
                },
                Column::Choice { rule, .. } => {
                    return Err(Error::new(Class::Policy, "what becomes of this value depends on its record")
                        .help("choose roots by a field whose rule has no condition")
                        .at(Site::field(&id).with_rule(rule)));
                }
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

    /// The selectors of parts of payloads that only the data shows, and whether what was masked so far had one.
    pub fn named(&self) -> Vec<Named> {
        let payloads = self.columns.values().filter_map(|column| match column {
            Column::Payload(payload) => Some(payload),
            _ => None,
        });
        payloads.flat_map(|payload| payload.named()).collect()
    }

    /// Answers the conditions that are asked of records along a relationship; those that do not belong are nobody's.
    ///
    /// # Errors
    /// [`Class::Policy`] with the rule's place if a condition can't be decided.
    pub fn judge(&mut self, edge: usize, rows: Captured, belong: &[bool]) -> Result<()> {
        #[expect(clippy::disallowed_methods, reason = "the answers are truth values, and the rows end here")]
        let (entity, batch, _) = rows.expose();
        self.conditions.judge(edge, &entity, &batch, belong)
    }

    /// What was answered so far, for the records of a service.
    pub fn verdicts(&self, service: &str) -> Verdicts {
        self.conditions.verdicts(service, &self.keys)
    }

    /// Takes another agent's answers.
    ///
    /// # Errors
    /// [`Class::Unexpected`] if no agent of this capture gave them.
    pub fn heed(&mut self, verdicts: Verdicts) -> Result<()> {
        self.conditions.heed(verdicts, &self.keys)
    }

    /// Forgets all answers, to be asked again of another moment.
    pub fn forget_verdicts(&mut self) {
        self.conditions.forget();
    }

    /// Takes all conditions on other entities' records as fulfilled or not, and with `own` those on the record itself: for a
    /// record that stands alone.
    pub(crate) fn assume(&mut self, fulfilled: bool, own: bool) {
        self.conditions.assume(fulfilled, own);
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
            let column = self.compiled(plan)?;
            self.columns.insert(slot.clone(), column);
        }
        self.columns.get_mut(&slot).ok_or_else(|| Error::new(Class::Unexpected, "a column's plan was lost"))
    }

    fn compiled(&self, plan: &ColumnPlan) -> Result<Column> {
        Ok(match plan {
            ColumnPlan::Keep { reference } => Column::Keep { reference: *reference },
            ColumnPlan::Apply(apply) => Column::Apply(Box::new(Worker::new(apply.clone(), &self.keys, &self.seen))),
            ColumnPlan::Choice { rule, fulfilled, otherwise } => Column::Choice {
                rule: rule.clone(),
                fulfilled: Box::new(self.compiled(fulfilled)?),
                otherwise: Box::new(self.compiled(otherwise)?),
            },
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
                known_names: HashMap::new(),
                renames: leaves.iter().any(|leaf| leaf.selectors.iter().any(|(selector, _)| selector.selects_names())),
                met: BTreeSet::new(),
                by_data: codec.known_paths().is_none(),
                read: false,
            })),
        })
    }
}

/// A warning for each selector that named no part of any payload, as far as any was read.
pub fn unmet(named: &[Named]) -> Vec<Finding> {
    let mut places: BTreeMap<(&Span, &str, &str), bool> = BTreeMap::new();
    for one in named {
        *places.entry((&one.span, &one.rule, &one.selector)).or_default() |= one.met;
    }
    let unmet = places.into_iter().filter(|(_, met)| !met);
    unmet
        .map(|((span, rule, selector), _)| {
            let site = Site::default().with_rule(rule).with_span(Some(span.clone()));
            Finding::warning("POL-035", site, format!("`{selector}` names a part that no captured payload had"))
                .help("mend the path if it is misspelt; if the part is only rare, nothing is to be done")
        })
        .collect()
}

/// Masks a column of the rows at hand; gives the paths of payloads that no rule names.
fn masked(column: &mut Column, array: &ArrayRef, field: &Field, rows: Rows<'_>) -> Result<(ArrayRef, BTreeSet<Path>)> {
    Ok(match column {
        Column::Keep { .. } => (Arc::clone(array), BTreeSet::new()),
        Column::Apply(worker) => (worker.column(array, field.value, rows)?, BTreeSet::new()),
        Column::Payload(payload) => payload.column(array, field.value, rows)?,
        Column::Choice { rule, fulfilled, otherwise } => {
            let which = rows.fulfilled.get(rule).map(Vec::as_slice).unwrap_or_default();
            if which.len() != array.len() {
                return Err(
                    Error::new(Class::Unexpected, "a condition was not decided").at(Site::default().with_rule(rule))
                );
            }
            // Each is given its own records and no others: what a mask does not replace, it must not remember.
            if which.iter().all(|yes| *yes) {
                return masked(fulfilled, array, field, rows);
            }
            if which.iter().all(|yes| !*yes) {
                return masked(otherwise, array, field, rows);
            }
            let lost = |_| Error::new(Class::Unexpected, "records can't be parted by a condition");
            let mut arms = Vec::with_capacity(2);
            for (arm, wanted) in [(fulfilled, true), (otherwise, false)] {
                let mask: BooleanArray = which.iter().map(|yes| Some(*yes == wanted)).collect();
                let array = filter(array, &mask).map_err(lost)?;
                let batch = filter_record_batch(rows.batch, &mask).map_err(lost)?;
                let own = Rows { entity: rows.entity, batch: &batch, fulfilled: rows.fulfilled };
                arms.push(masked(arm, &array, field, own)?.0);
            }
            let mut next = [0, 0];
            let indices: Vec<(usize, usize)> = which
                .iter()
                .map(|yes| {
                    let arm = usize::from(!*yes);
                    next[arm] += 1;
                    (arm, next[arm] - 1)
                })
                .collect();
            (interleave(&[&*arms[0], &*arms[1]], &indices).map_err(lost)?, BTreeSet::new())
        }
    })
}

/// A lock that a panic elsewhere does not spoil: what it guards is whole after every call.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
