//! Which records a selection takes, told from their cells.
//!
//! Hidden here: selections of stores that can't filter by themselves. Every test goes through the model's extractor, so
//! that a store and the closure never disagree about a key.

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use reenact_model::captured::Extractor;
use reenact_model::{Class, Entity, Error, Key, KeySet, Result, Site};

use crate::{Match, Read, Selection};

/// A compiled selection.
pub(crate) struct Filter {
    /// One of these must hold, if there is a choice.
    any: Option<Vec<Test>>,
    /// All of these must hold.
    all: Vec<Test>,
    /// None of these may hold.
    except: Vec<Test>,
    entity: Arc<Entity>,
    limit: Option<u64>,
    taken: u64,
    wanted: Vec<String>,
}

struct Test {
    extractor: Extractor,
    keys: Arc<KeySet>,
}

impl Test {
    fn new(entity: &Entity, test: &Match) -> Result<Self> {
        let extractor = Extractor::new(entity, &test.fields, test.condition.as_ref())?;
        Ok(Self { extractor, keys: Arc::clone(&test.keys) })
    }

    fn needs_only(&self, columns: &[&str]) -> bool {
        self.extractor.columns().all(|column| columns.contains(&column))
    }

    fn holds(&self, batch: &RecordBatch) -> Result<Vec<bool>> {
        let keys = self.extractor.keys(batch)?;
        Ok(keys.iter().map(|keys| keys.iter().any(|key| self.keys.contains(key))).collect())
    }
}

impl Filter {
    /// Compiles the selection of a read.
    pub(crate) fn new(read: &Read) -> Result<Self> {
        let entity = Arc::clone(&read.entity);
        let tests = |matches: &[Match]| matches.iter().map(|test| Test::new(&entity, test)).collect::<Result<Vec<_>>>();
        let (any, all, except) = match &read.selection {
            Selection::All => (None, Vec::new(), Vec::new()),
            Selection::Where(equalities) => {
                let test = |(field, text): &(_, String)| {
                    let extractor = Extractor::new(&entity, std::slice::from_ref(field), None)?;
                    Ok(Test { extractor, keys: Arc::new([Key::new([text.as_str()])].into_iter().collect()) })
                };
                (None, equalities.iter().map(test).collect::<Result<_>>()?, Vec::new())
            }
            Selection::Match { any, except } => (Some(tests(any)?), Vec::new(), tests(except)?),
        };
        let mut wanted = read.columns.clone();
        if wanted.is_empty() {
            wanted = entity.writable().map(|field| field.name.clone()).collect();
        } else if let Some(unknown) = wanted.iter().find(|column| entity.field(column).is_none()) {
            return Err(Error::new(Class::Input, format!("there is no field `{unknown}`")).at(Site::entity(&entity.id)));
        }
        Ok(Self { any, all, except, entity, limit: read.limit, taken: 0, wanted })
    }

    /// Whether the names of keys decide everything and nothing else is wanted.
    pub(crate) fn needs_only_names(&self) -> bool {
        let tests = self.any.iter().flatten().chain(&self.all).chain(&self.except);
        self.wanted == ["key"] && tests.into_iter().all(|test| test.needs_only(&["key"]))
    }

    /// Which rows may pass, as far as these columns tell.
    pub(crate) fn may_pass(&self, batch: &RecordBatch, columns: &[&str]) -> Result<Vec<bool>> {
        let mut pass = vec![true; batch.num_rows()];
        if let Some(any) = &self.any
            && any.iter().all(|test| test.needs_only(columns))
        {
            pass.fill(false);
            for test in any {
                test.holds(batch)?.into_iter().zip(&mut pass).for_each(|(holds, pass)| *pass |= holds);
            }
        }
        for (tests, expected) in [(&self.all, true), (&self.except, false)] {
            for test in tests.iter().filter(|test| test.needs_only(columns)) {
                test.holds(batch)?.into_iter().zip(&mut pass).for_each(|(holds, pass)| *pass &= holds == expected);
            }
        }
        Ok(pass)
    }

    /// The rows that pass, with the columns wanted; counts them against the limit.
    pub(crate) fn take(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let schema = batch.schema();
        let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let pass = BooleanArray::from(self.may_pass(batch, &columns)?);
        let site = || Site::entity(&self.entity.id);
        let failed = |_| Error::new(Class::Unexpected, "a batch can't be filtered").at(site());
        let kept = filter_record_batch(batch, &pass).map_err(failed)?;
        self.taken += kept.num_rows() as u64;
        if let Some(limit) = self.limit.filter(|limit| self.taken > *limit) {
            return Err(Error::new(Class::Limit, format!("more than {limit} records")).at(site()));
        }
        let places = self.wanted.iter().map(|name| schema.index_of(name)).collect::<std::result::Result<Vec<_>, _>>();
        places.and_then(|places| kept.project(&places)).map_err(failed)
    }
}
