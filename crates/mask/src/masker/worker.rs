//! One mask at work on a column or on the leaves of a payload.
//!
//! Hidden here: what is remembered. A value that repeats is masked once, as long as that pays; a mask that draws for a record's
//! subject is remembered by subject and value together, since by the value alone one person would get another's result.

use std::fmt;
use std::sync::{Arc, Mutex};

use arrow::array::{Array, ArrayRef, StringBuilder};
use arrow::datatypes::DataType;
use reenact_model::canonical::{self, Reader, Writer};
use reenact_model::{Class, Error, Result, Site, ValueType};

use super::cache::{Cache, Known};
use super::lock;
use super::subject::{Rows, SubjectReader};
use crate::domain::{DomainKey, ScopeKeys};
use crate::kernels::{Cell, Group, Unfit};
use crate::plan::Apply;
use crate::residue::Seen;

/// A full cache that knows less than a quarter of this many values is given up: to ask it would cost more than it saves.
const TRIAL: u64 = 1 << 14;

/// A mask with its key and what it remembers.
pub(crate) struct Worker {
    apply: Apply,
    key: DomainKey,
    subject: Option<SubjectReader>,
    /// The subjects of the batch at hand, for a rule that names one.
    turn: Vec<Option<Box<str>>>,
    seen: Arc<Mutex<Seen>>,
    cache: Option<Cache>,
    /// How many values the full cache was asked for since it was judged last, and how many of them it knew.
    asked: u64,
    hit: u64,
}

/// It remembers originals, so it tells its mask alone.
impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Worker({})", self.apply.name)
    }
}

impl Worker {
    pub(super) fn new(apply: Apply, keys: &ScopeKeys, seen: &Arc<Mutex<Seen>>) -> Self {
        let key = keys.domain(&apply.domain);
        let subject = apply.subject.clone().map(SubjectReader::new);
        let seen = Arc::clone(seen);
        Self { apply, key, subject, turn: Vec::new(), seen, cache: Some(Cache::default()), asked: 0, hit: 0 }
    }

    /// Reads the subjects of a batch, if the rule names one.
    pub(super) fn turn(&mut self, rows: Rows<'_>) -> Result<()> {
        if let Some(subject) = &mut self.subject {
            self.turn = subject.read(rows).map_err(|error| match &self.apply.rule {
                Some((rule, span)) => error.at(Site::default().with_rule(rule).with_span(Some(span.clone()))),
                None => error,
            })?;
        }
        Ok(())
    }

    pub(super) fn unfit(&self, unfit: Unfit) -> Error {
        let error = Error::new(Class::Policy, format!("mask `{}`: {}", self.apply.name, unfit.0))
            .help("choose a mask that takes all values of this field");
        match &self.apply.rule {
            Some((rule, span)) => error.at(Site::default().with_rule(rule).with_span(Some(span.clone()))),
            None => error,
        }
    }

    /// Masks one canonical text of a row of the batch at hand, or of no row.
    pub(super) fn text(&mut self, text: &str, row: Option<usize>) -> std::result::Result<Option<String>, Unfit> {
        let mut out = String::new();
        let seen = Arc::clone(&self.seen);
        let mut seen = lock(&seen);
        let done = if self.subject.is_some() {
            let subject = row.and_then(|row| self.turn.get(row)).cloned().flatten();
            self.write_of(subject.as_deref(), text, &mut out, &mut seen)?
        } else {
            self.write(text, &mut out, &mut seen)?
        };
        Ok(done.map(|()| out))
    }

    /// What an original is looked for as: a token may stand for anything, a permuted number only for a key.
    fn searched_as(&self) -> Group {
        let permuted = matches!(self.apply.name, "integer" | "digits" | "snowflake");
        if self.apply.group == Group::Identifier && !permuted { Group::Text } else { self.apply.group }
    }

    /// Masks one canonical text into `out`, which is empty.
    fn write(&mut self, text: &str, out: &mut String, seen: &mut Seen) -> std::result::Result<Option<()>, Unfit> {
        self.remembered(text, None, text, out, seen)
    }

    /// The same for a rule that names a subject.
    fn write_of(
        &mut self,
        subject: Option<&str>,
        text: &str,
        out: &mut String,
        seen: &mut Seen,
    ) -> std::result::Result<Option<()>, Unfit> {
        let name = match subject {
            // With its length, so that no other subject and value make the same name.
            Some(subject) => format!("{}:{subject}{text}", subject.len()),
            None => format!(":{text}"),
        };
        self.remembered(&name, subject, text, out, seen)
    }

    /// Masks a text, or knows it again by a name.
    fn remembered(
        &mut self,
        name: &str,
        subject: Option<&str>,
        text: &str,
        out: &mut String,
        seen: &mut Seen,
    ) -> std::result::Result<Option<()>, Unfit> {
        if let Some(cache) = &self.cache {
            self.asked += u64::from(cache.is_full());
            if let Some(known) = cache.get(name) {
                self.hit += u64::from(cache.is_full());
                return Ok(match known {
                    Known::Null => None,
                    Known::Text(known) => {
                        out.push_str(known);
                        Some(())
                    }
                });
            }
            if self.asked >= TRIAL {
                if self.hit * 4 < self.asked {
                    self.cache = None;
                }
                (self.asked, self.hit) = (0, 0);
            }
        }
        seen.see(self.searched_as(), text);
        let cell = Cell { key: &self.key, shape: &self.apply.shape, subject };
        let result = self.apply.mask.apply(&cell, &self.apply.canonical.of(text), out)?;
        if let Some(cache) = &mut self.cache {
            cache.insert(name, result.map(|()| out.as_str()));
        }
        Ok(result)
    }

    /// Masks a column of the rows at hand.
    pub(super) fn column(&mut self, array: &ArrayRef, value: ValueType, rows: Rows<'_>) -> Result<ArrayRef> {
        let mut scratch = String::with_capacity(64);
        self.turn(rows)?;
        if self.subject.is_none() && *array.data_type() == DataType::Utf8 && value != ValueType::Decimal {
            return self.strings(array, &mut scratch);
        }
        let seen = Arc::clone(&self.seen);
        let mut seen = lock(&seen);
        let subjects = self.subject.is_some().then(|| std::mem::take(&mut self.turn));
        let reader = Reader::new(array, value);
        let mut writer = Writer::new(value, array.len());
        for row in 0..array.len() {
            let Some(text) = reader.get(row) else {
                writer.push_null();
                continue;
            };
            scratch.clear();
            let done = match &subjects {
                Some(subjects) => {
                    let subject = subjects.get(row).and_then(Option::as_deref);
                    self.write_of(subject, &text, &mut scratch, &mut seen)
                }
                None => self.write(&text, &mut scratch, &mut seen),
            };
            match done.map_err(|u| self.unfit(u))? {
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
