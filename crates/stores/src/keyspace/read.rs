//! Reads the records of one family.
//!
//! Hidden here: how a selection becomes keys to ask for. Keys that the selection spells out are asked by name; for any other
//! one the whole space is scanned. The keys are sorted before the first record is read, so that a key is given once and
//! in the entity's order, and the tests that need no value sort keys out before their values are fetched. Where nothing
//! but the names of found keys is wanted, no value is fetched at all.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use arrow::array::RecordBatch;
use futures::stream::{BoxStream, StreamExt as _, try_unfold};
use reenact_model::payload::Template;
use reenact_model::{FieldPath, Key, Result, Site, canonical};

use super::{Families, Filter, Keyspace, ROWS, Record, Rows, key_batch, template_of};
use crate::{Read, Selection};

/// How many keys are asked for at once.
const CHUNK: usize = 128;

/// What is held since a pin: the record, or that there was none.
pub(super) type Held = BTreeMap<Vec<u8>, Option<Record>>;

struct Reading<'a> {
    space: &'a dyn Keyspace,
    held: &'a Held,
    read: Read,
    filter: Filter,
    keys: VecDeque<Vec<u8>>,
    /// The keys were found and not asked for, and nothing but them is wanted: no value is read.
    names_only: bool,
}

/// Reads what is there, except for keys that are held.
pub(super) fn stream<'a>(
    space: &'a dyn Keyspace,
    families: &'a Families,
    held: &'a Held,
    read: Read,
) -> BoxStream<'a, Result<RecordBatch>> {
    let site = Site::entity(&read.entity.id);
    let batches = try_unfold((None, Some(read)), move |(reading, read)| async move {
        let mut reading = match (reading, read) {
            (Some(reading), _) => reading,
            (None, Some(read)) => Reading::start(space, families, held, read).await?,
            (None, None) => return Ok(None),
        };
        Ok(reading.next().await?.map(|batch| (batch, (Some(reading), None))))
    });
    batches.map(move |batch| batch.map_err(|error: reenact_model::Error| error.at(site.clone()))).boxed()
}

impl<'a> Reading<'a> {
    async fn start(space: &'a dyn Keyspace, families: &'a Families, held: &'a Held, read: Read) -> Result<Reading<'a>> {
        let filter = Filter::new(&read)?;
        let template = template_of(&read.entity)?;
        let spelled = spelled_out(template, &read.selection);
        let names_only = spelled.is_none() && filter.needs_only_names();
        let mut keys = if let Some(keys) = spelled {
            keys
        } else {
            let mut keys = space.scan(template).await?;
            keys.extend(held.keys().cloned());
            keys
        };
        keys.retain(|key| template.decode(key).is_some() && families.owns(&read.entity, key));
        let keys: Vec<Vec<u8>> = keys.into_iter().collect();
        let pass = filter.may_pass(&key_batch(&read.entity, &keys)?, &["key"])?;
        let keys = keys.into_iter().zip(pass).filter_map(|(key, pass)| pass.then_some(key)).collect();
        Ok(Self { space, held, read, filter, keys, names_only })
    }

    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        while self.names_only && !self.keys.is_empty() {
            let found = self.keys.drain(..self.keys.len().min(ROWS));
            let there = |key: &Vec<u8>| self.held.get(key).is_none_or(Option::is_some);
            let names: Vec<Vec<u8>> = found.filter(there).collect();
            let batch = self.filter.take(&key_batch(&self.read.entity, &names)?)?;
            if batch.num_rows() > 0 {
                return Ok(Some(batch));
            }
        }
        let mut rows = Rows::new();
        while !self.keys.is_empty() {
            self.read_some(&mut rows).await?;
            if rows.is_full() || self.keys.is_empty() {
                let batch = self.filter.take(&rows.finish(&self.read.entity)?)?;
                if batch.num_rows() > 0 {
                    return Ok(Some(batch));
                }
            }
        }
        Ok(None)
    }

    /// Reads the next run of keys that are held, or that are not.
    async fn read_some(&mut self, rows: &mut Rows) -> Result<()> {
        while let Some(held) = self.keys.front().and_then(|key| self.held.get(key)) {
            if let Some(record) = held {
                rows.push(record);
            }
            self.keys.pop_front();
            if rows.is_full() {
                return Ok(());
            }
        }
        let live: Vec<Vec<u8>> =
            self.keys.iter().take_while(|key| !self.held.contains_key(*key)).take(CHUNK).cloned().collect();
        if !live.is_empty() {
            let found = self.space.fetch(&live).await?;
            self.keys.drain(..found.len().clamp(1, live.len()));
            found.iter().flatten().for_each(|record| rows.push(record));
        }
        Ok(())
    }
}

/// The only keys that a selection can take, if it names each of them.
pub(super) fn spelled_out(template: &Template, selection: &Selection) -> Option<BTreeSet<Vec<u8>>> {
    match selection {
        Selection::All => None,
        Selection::Where(equalities) => {
            let (fields, texts): (Vec<&FieldPath>, Vec<&str>) = equalities.iter().map(|(f, t)| (f, t.as_str())).unzip();
            let mut out = BTreeSet::new();
            out.extend(names(template, &fields)?(&Key::new(texts)));
            Some(out)
        }
        Selection::Match { any, .. } => {
            let mut out = BTreeSet::new();
            for one in any {
                let fields: Vec<&FieldPath> = one.fields.iter().collect();
                out.extend(one.keys.iter().filter_map(names(template, &fields)?));
            }
            Some(out)
        }
    }
}

/// Makes the name of a key in the store out of a key of a key set.
type Naming<'a> = Box<dyn Fn(&Key) -> Option<Vec<u8>> + Send + Sync + 'a>;

/// How a key set's keys become names of keys, if the fields determine them.
fn names<'a>(template: &'a Template, fields: &[&'a FieldPath]) -> Option<Naming<'a>> {
    if let Some(at) = fields.iter().position(|field| field.column == "key" && field.path.is_none()) {
        return Some(Box::new(move |key| canonical::bytes_of(key.parts().get(at)?)));
    }
    let place = |variable: &str| {
        let path = reenact_model::Path::key(variable);
        fields.iter().position(|field| field.column == "key" && field.path.as_ref() == Some(&path))
    };
    let places: BTreeMap<String, usize> =
        template.variables().map(|variable| Some((variable.to_owned(), place(variable)?))).collect::<Option<_>>()?;
    Some(Box::new(move |key| template.name(|variable| key.parts().get(*places.get(variable)?).map(AsRef::as_ref))))
}
