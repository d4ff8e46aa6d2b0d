//! Rows as they were read, before any mask: the type that can't be written.
//!
//! Hidden here: the rows themselves. A [`Captured`] batch gives away its shape, its size and its keys; the values come out
//! through [`Captured::expose`] alone, which only the crate `mask` may call (a lint holds it), and no writer takes it.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, RecordBatch};

use crate::canonical::Reader;
use crate::catalog::{Condition, Entity, ValueType};
use crate::error::{Class, Error, Result, Site};
use crate::key::{Key, KeySet};
use crate::names::{FieldId, FieldPath, Path};
use crate::payload::Decoder;

/// How a record came into the closure: by a root or along an edge, and how many steps from a root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Via {
    /// `-1 - n` for root `n`; `2 * edge` from a child to its parent; `2 * edge + 1` from a parent to its child.
    pub code: i32,
    /// The number of edges from the root.
    pub depth: i32,
}

/// What a [`Via`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// It matched root `n`.
    Root(usize),
    /// A child, already taken, refers to it along this edge.
    AsParent(usize),
    /// It refers along this edge to a parent, already taken.
    AsChild(usize),
}

impl Via {
    /// Came by a root.
    pub fn root(index: usize) -> Self {
        Self { code: -1 - i32::try_from(index).unwrap_or(i32::MAX - 1), depth: 0 }
    }

    /// Came along an edge; `child` says that the record is the edge's child end.
    pub fn edge(index: usize, child: bool, depth: i32) -> Self {
        Self { code: i32::try_from(index).unwrap_or(i32::MAX / 4) * 2 + i32::from(child), depth }
    }

    /// What it says.
    pub fn came(self) -> Came {
        let index = |code: i32| usize::try_from(code).unwrap_or_default();
        match self.code {
            code if code < 0 => Came::Root(index(-1 - code)),
            code if code % 2 == 0 => Came::AsParent(index(code / 2)),
            code => Came::AsChild(index(code / 2)),
        }
    }
}

/// Unmasked rows of one entity, all of which came the same way. Not serialisable; its `Debug` prints a count.
pub struct Captured {
    entity: Arc<Entity>,
    batch: RecordBatch,
    via: Via,
}

impl Captured {
    /// Rows as a source read them; the batch holds some of the entity's columns, by name.
    pub fn new(entity: Arc<Entity>, batch: RecordBatch, via: Via) -> Self {
        Self { entity, batch, via }
    }

    /// The entity whose rows these are.
    pub fn entity(&self) -> &Arc<Entity> {
        &self.entity
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    /// The size in memory, in bytes.
    pub fn bytes(&self) -> u64 {
        self.batch.get_array_memory_size() as u64
    }

    /// How they came into the closure.
    pub fn via(&self) -> Via {
        self.via
    }

    /// The keys of each row for one end of an edge.
    ///
    /// # Errors
    /// If a column is not in the batch.
    pub fn keys(&self, extractor: &Extractor) -> Result<Vec<Vec<Key>>> {
        extractor.keys(&self.batch)
    }

    /// The rows themselves. Only the crate `mask` may call this.
    pub fn expose(self) -> (Arc<Entity>, RecordBatch, Via) {
        (self.entity, self.batch, self.via)
    }
}

impl fmt::Debug for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Captured({} rows of {})", self.rows(), self.entity.id)
    }
}

/// Takes keys out of batches: columns and payload paths of one end of an edge, compiled once.
#[derive(Debug)]
pub struct Extractor {
    fields: Vec<Part>,
    condition: Option<(Part, String)>,
    site: Site,
}

#[derive(Debug)]
struct Part {
    column: String,
    value: ValueType,
    inner: Option<(Decoder, Path)>,
}

impl Extractor {
    /// An extractor of `fields` of an entity, for the records that fulfil `condition`.
    ///
    /// # Errors
    /// [`Class::Input`] if a column is missing, or a path is asked of a column that has no codec.
    pub fn new(entity: &Entity, fields: &[FieldPath], condition: Option<&Condition>) -> Result<Self> {
        let part = |field: &FieldPath| -> Result<Part> {
            let site = || Site::field(&FieldId::new(&entity.id, field));
            let column = entity
                .field(&field.column)
                .ok_or_else(|| Error::new(Class::Input, "there is no such field").at(site()))?;
            let inner = match &field.path {
                None => None,
                Some(path) => {
                    let codec = column.codec.as_ref().ok_or_else(|| {
                        Error::new(Class::Input, "a path is given, but nothing says how this payload is decoded")
                            .at(site())
                            .help("declare the payload in the pipeline, such as `value: { json: {} }`")
                    })?;
                    Some((Decoder::new(codec).map_err(|e| e.at(site()))?, path.clone()))
                }
            };
            Ok(Part { column: column.name.clone(), value: column.value, inner })
        };
        Ok(Self {
            fields: fields.iter().map(part).collect::<Result<_>>()?,
            condition: match condition {
                Some(condition) => Some((part(&condition.field)?, condition.equals.clone())),
                None => None,
            },
            site: Site::entity(&entity.id),
        })
    }

    /// The columns that must be in a batch.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().chain(self.condition.iter().map(|(part, _)| part)).map(|part| part.column.as_str())
    }

    /// The keys of each row: none where a field is NULL or the payload can't be decoded, several where a path leads through
    /// a list.
    ///
    /// # Errors
    /// If a column is not in the batch.
    pub fn keys(&self, batch: &RecordBatch) -> Result<Vec<Vec<Key>>> {
        let column = |part: &Part| {
            batch.column_by_name(&part.column).cloned().ok_or_else(|| {
                Error::new(Class::Unexpected, format!("column `{}` was not read", part.column)).at(self.site.clone())
            })
        };
        let arrays = self.fields.iter().map(column).collect::<Result<Vec<_>>>()?;
        let condition = self.condition.as_ref().map(|(part, equals)| Ok((part, column(part)?, equals))).transpose()?;
        let mut out = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            let holds = condition
                .as_ref()
                .is_none_or(|(part, array, equals)| part.values(array, row).iter().any(|v| **v == **equals));
            let mut keys: Vec<Key> = Vec::new();
            if holds {
                let mut columns: Vec<Vec<Box<str>>> =
                    self.fields.iter().zip(&arrays).map(|(part, array)| part.values(array, row)).collect();
                if columns.len() == 1 {
                    keys.extend(columns.remove(0).into_iter().map(|value| Key::new([value])));
                } else {
                    // A composite key through lists pairs the n-th elements; a scalar stands beside each of them.
                    let longest = columns.iter().map(Vec::len).max().unwrap_or(0);
                    if columns.iter().all(|c| c.len() == longest || c.len() == 1) {
                        keys.extend(
                            (0..longest).map(|n| Key::new(columns.iter().map(|c| c[n.min(c.len() - 1)].clone()))),
                        );
                    }
                }
            }
            out.push(keys);
        }
        Ok(out)
    }

    /// All keys of a batch.
    ///
    /// # Errors
    /// If a column is not in the batch.
    pub fn key_set(&self, batch: &RecordBatch) -> Result<KeySet> {
        Ok(self.keys(batch)?.into_iter().flatten().collect())
    }
}

impl Part {
    fn values(&self, array: &dyn Array, row: usize) -> Vec<Box<str>> {
        let Some(text) = Reader::new(array, self.value).get(row) else { return Vec::new() };
        match &self.inner {
            None => vec![text.into()],
            Some((decoder, path)) => match decoder.decode_cell(array, self.value, row) {
                Some(Ok(node)) => {
                    node.find(path).into_iter().filter_map(|node| node.canonical().map(|c| Box::from(&*c))).collect()
                }
                _ => Vec::new(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Field;
    use crate::names::EntityId;
    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use std::collections::BTreeMap;

    fn entity() -> Arc<Entity> {
        Arc::new(Entity {
            id: EntityId::new("s", "t"),
            fields: vec![
                Field::new("id", ValueType::Int64, "bigint"),
                Field::new("doc", ValueType::Json, "jsonb")
                    .with_codec(crate::payload::Codec::of(crate::payload::Format::Json)),
            ],
            key: vec!["id".into()],
            uniques: Vec::new(),
            estimate: None,
            properties: BTreeMap::new(),
        })
    }

    #[test]
    fn keys_come_from_columns_and_from_lists_in_payloads() {
        let entity = entity();
        let batch = RecordBatch::try_new(
            entity.schema(),
            vec![
                Arc::new(Int64Array::from(vec![Some(42), None])) as ArrayRef,
                Arc::new(StringArray::from(vec![Some(r#"{"items":[{"p":1},{"p":"2"}]}"#), Some("{")])),
            ],
        )
        .expect("a batch");
        let captured = Captured::new(entity.clone(), batch, Via::root(0));
        let id = Extractor::new(&entity, &[FieldPath::column("id")], None).expect("compiles");
        assert_eq!(captured.keys(&id).expect("keys"), [vec![Key::new(["42"])], vec![]]);
        let path = FieldPath::inner("doc", "$.items[*].p".parse().expect("path"));
        let items = Extractor::new(&entity, &[path], None).expect("compiles");
        assert_eq!(captured.keys(&items).expect("keys"), [vec![Key::new(["1"]), Key::new(["2"])], vec![]]);
        assert_eq!(format!("{captured:?}"), "Captured(2 rows of s/t)");
    }

    #[test]
    fn via_says_how_a_record_came() {
        assert_eq!(Via::root(3).came(), Came::Root(3));
        assert_eq!(Via::edge(5, false, 1).came(), Came::AsParent(5));
        assert_eq!(Via::edge(5, true, 2).came(), Came::AsChild(5));
    }
}
