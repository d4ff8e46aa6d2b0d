//! A bounded sample of an entity's rows, by field and by path of a payload.
//!
//! Hidden here: how rows become samples. The rows are looked at and dropped; what stays is at most [`MOST`](super::MOST) values of a field, in memory, to
//! be voted on. Nothing of them is written, shown or sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use reenact_model::canonical::Reader;
use reenact_model::catalog::{Field, Role};
use reenact_model::names::Step;
use reenact_model::payload::Decoder;
use reenact_model::{Captured, Entity, FieldId, FieldPath, Path, Result, Site, ValueType};

use super::relate::Place;
use super::{Form, Sample, names};

/// The most paths of one payload that are told: more are keys that data made, such as ids of records.
const PATHS: usize = 500;

/// Takes samples of one entity.
#[derive(Debug)]
pub struct Sampler {
    entity: Arc<Entity>,
    decoders: BTreeMap<String, Decoder>,
    samples: BTreeMap<FieldPath, Sample>,
    rows: usize,
}

impl Sampler {
    /// A sampler without a row.
    ///
    /// # Errors
    /// If a payload's schema can't be read.
    pub fn new(entity: &Arc<Entity>) -> Result<Self> {
        let mut sampler =
            Self { entity: Arc::clone(entity), decoders: BTreeMap::new(), samples: BTreeMap::new(), rows: 0 };
        for field in entity.fields.iter().filter(|field| field.role == Role::Data) {
            let Some(codec) = &field.codec else {
                sampler.samples.insert(FieldPath::column(&field.name), Sample::default());
                continue;
            };
            let decoder = Decoder::new(codec).map_err(|e| e.at(Site::entity(&entity.id)))?;
            sampler.decoders.insert(field.name.clone(), decoder);
            for path in codec.known_paths().into_iter().flatten() {
                sampler.samples.insert(inner(&field.name, path), Sample::default());
            }
        }
        Ok(sampler)
    }

    /// The columns that are looked at.
    pub fn columns(&self) -> Vec<String> {
        self.entity.fields.iter().filter(|f| f.role == Role::Data).map(|f| f.name.clone()).collect()
    }

    /// How many rows were looked at.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Looks at rows, up to `most` in all.
    #[allow(clippy::disallowed_methods, reason = "detection looks at values and gives none of them away")]
    pub fn take(&mut self, rows: Captured, most: usize) {
        let (entity, batch, _) = rows.expose();
        let count = batch.num_rows().min(most.saturating_sub(self.rows));
        for field in entity.fields.iter().filter(|field| field.role == Role::Data) {
            let Some(array) = batch.column_by_name(&field.name) else { continue };
            if let Some(decoder) = self.decoders.get(&field.name) {
                for row in 0..count {
                    // What can't be taken apart is told by a capture; here it tells nothing.
                    let Some(Ok(mut node)) = decoder.decode_cell(array, field.value, row) else { continue };
                    let samples = &mut self.samples;
                    node.leaves_mut(&mut |path, leaf| {
                        let mut path = inner(&field.name, path.clone());
                        if !samples.contains_key(&path) {
                            path = inner(&field.name, generalised(path.path.unwrap_or_default()));
                        }
                        if let Some(text) = leaf.canonical()
                            && (samples.contains_key(&path) || samples.len() < PATHS)
                        {
                            samples.entry(path).or_default().add(&text);
                        }
                    });
                }
                continue;
            }
            let Some(sample) = self.samples.get_mut(&FieldPath::column(&field.name)) else { continue };
            let reader = Reader::new(array, field.value);
            for text in (0..count).filter_map(|row| reader.get(row)) {
                sample.add(&text);
            }
        }
        self.rows += count;
    }

    /// The fields that a policy must decide, as far as schema and rows tell, each with its sample.
    pub fn places(mut self) -> Vec<Place> {
        // A payload without a known path is one field, until a rule names what is inside.
        for column in self.decoders.keys() {
            if !self.samples.keys().any(|path| path.column == *column) {
                self.samples.insert(FieldPath::column(column), Sample::default());
            }
        }
        let entity = &self.entity;
        let form = |path: &FieldPath| match entity.field(&path.column) {
            Some(field) if path.path.is_none() => form(field),
            _ => Form::Text,
        };
        let place = |(path, sample): (FieldPath, Sample)| Place {
            field: FieldId::new(&entity.id, &path),
            form: form(&path),
            key: path.path.is_none() && entity.key == [path.column.clone()],
            sample: Some(sample).filter(|sample| !sample.is_empty()),
        };
        self.samples.into_iter().map(place).collect()
    }
}

/// A path into a column's payload; the payload itself, if it is one value, is the path `$`.
fn inner(column: &str, path: Path) -> FieldPath {
    FieldPath { column: column.to_owned(), path: Some(path) }
}

/// What stands in a path for the name of a member that may be data.
pub(super) const MEMBER: &str = "{key}";

/// A path as it may be shown: the name of a member that no schema tells of may be somebody's address.
fn generalised(path: Path) -> Path {
    let step = |step| match step {
        Step::Key(name) if !names_a_field(&name) => Step::Key(MEMBER.to_owned()),
        step => step,
    };
    Path(path.0.into_iter().map(step).collect())
}

/// Whether a member's name reads as that of a field: one word as programs write them, without the digits of a number, or a known phrase.
fn names_a_field(name: &str) -> bool {
    let word = name.strip_prefix(['@', '$', '#']).unwrap_or(name);
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | ';');
    let digits = name.chars().filter(char::is_ascii_digit).count();
    digits < 5 && (word.chars().all(inside) || (!name.contains('@') && names::said(name).is_some()))
}

/// The form of a column's values by its type. A column of SQLite takes anything, so there the declared name tells.
fn form(field: &Field) -> Form {
    match field.value {
        ValueType::Bool => Form::Truth,
        ValueType::Int16
        | ValueType::Int32
        | ValueType::Int64
        | ValueType::UInt64
        | ValueType::Float32
        | ValueType::Float64
        | ValueType::Decimal => Form::Number,
        ValueType::Bytes => Form::Bytes,
        ValueType::Date => Form::Day,
        ValueType::Time | ValueType::Timestamp | ValueType::TimestampUtc => Form::Moment,
        ValueType::Text | ValueType::Json | ValueType::Uuid | ValueType::Other => Form::Text,
        ValueType::Tagged => {
            let native = field.native.to_ascii_lowercase();
            let has = |words: &[&str]| words.iter().any(|word| native.contains(word));
            if has(&["bool"]) {
                Form::Truth
            } else if has(&["timestamp", "datetime"]) || native == "time" {
                // Days are stored with a time of zero too.
                Form::Moment
            } else if native.starts_with("date") {
                Form::Day
            } else if has(&["int", "numeric", "decimal", "real", "double", "float"]) {
                Form::Number
            } else {
                Form::Text
            }
        }
    }
}
