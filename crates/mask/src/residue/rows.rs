//! Looking through what was written, place by place.
//!
//! Hidden here: what of a record is searched. Texts are; so are payloads, leaf by leaf with the names of their members, and
//! bytes that are texts. Whole numbers are if there are numbers to look for. Truth values, dates and floating-point numbers hold
//! no identifier. A place whose value a mask made is told from one that was kept.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::DataType;
use reenact_model::canonical::{self, Reader};
use reenact_model::names::Step;
use reenact_model::payload::{Node, cell};
use reenact_model::{Entity, FieldId, FieldPath, Finding, Path, Result, Site, ValueType};

use super::{Search, packed};
use crate::kernels::Group;
use crate::masker::{Column, Masker, Origin, Payload};

/// Searches the rows that an agent wrote for what any agent's masks replaced.
#[derive(Debug)]
pub struct Searcher {
    masker: Masker,
    look: Look,
    hits: BTreeMap<FieldId, Group>,
    account: Option<Group>,
    /// The dictionary of each column that was looked through last: the batches of a row group share it.
    dictionaries: BTreeMap<String, ArrayRef>,
}

#[derive(Debug)]
struct Look {
    search: Search,
    values: u64,
}

impl Look {
    fn finds(&mut self, text: &str, made: bool) -> Option<Group> {
        self.values += 1;
        self.search.finds(text, made)
    }

    /// Looks at one of many texts; whether something is found already.
    fn at(&mut self, text: &str, made: bool) -> bool {
        self.values += 1;
        self.search.look(text, made)
    }
}

impl Searcher {
    /// A searcher that knows by a plan what masks made; as many as there are threads may share one search.
    pub fn new(masker: Masker, search: Search) -> Self {
        let look = Look { search, values: 0 };
        Self { masker, look, hits: BTreeMap::new(), account: None, dictionaries: BTreeMap::new() }
    }

    /// How many values were looked at.
    pub fn values(&self) -> u64 {
        self.look.values
    }

    /// The columns of an entity in which an identifier could stand.
    pub fn columns(&self, entity: &Entity) -> Vec<String> {
        let numbers = self.look.search.has_numbers();
        entity.writable().filter(|field| is_searched(field.value, numbers)).map(|field| field.name.clone()).collect()
    }

    /// Looks through rows as they were written, or some of their columns; those that are dictionaries, once a dictionary.
    ///
    /// # Errors
    /// If the rows are not of an entity of the plan.
    pub fn rows(&mut self, entity: &Entity, rows: &RecordBatch) -> Result<()> {
        let numbers = self.look.search.has_numbers();
        for field in entity.writable().filter(|field| is_searched(field.value, numbers)) {
            let Some(array) = rows.column_by_name(&field.name) else { continue };
            let array = match array.as_any_dictionary_opt() {
                None => array,
                Some(dictionary) => {
                    let known = self.dictionaries.get(&field.name);
                    if known.is_some_and(|known| Arc::ptr_eq(known, dictionary.values())) {
                        continue;
                    }
                    self.dictionaries.insert(field.name.clone(), Arc::clone(dictionary.values()));
                    dictionary.values()
                }
            };
            let at = |path: Option<Path>| {
                let column = FieldPath::column(&field.name);
                FieldId::new(&entity.id, &path.map_or(column, |path| FieldPath::inner(&field.name, path)))
            };
            match self.masker.column(&entity.id, field)? {
                Column::Payload(payload) => {
                    for row in 0..array.len() {
                        let Some(bytes) = cell(array, field.value, row) else { continue };
                        leaves(&mut self.look, payload, bytes, |path, group| {
                            self.hits.entry(at(path)).or_insert(group);
                        })?;
                    }
                }
                column if column.origin() == Origin::Reference => {}
                column => {
                    let made = column.origin() == Origin::Mask;
                    if let Some(group) = plain(&mut self.look, array, field.value, made) {
                        self.hits.entry(at(None)).or_insert(group);
                    }
                }
            }
        }
        Ok(())
    }

    /// Looks through a text of the bundle's own account of itself: names, schemas, pseudonyms of seeds.
    pub fn text(&mut self, text: &str) {
        if let Some(group) = self.look.finds(text, false) {
            self.account.get_or_insert(group);
        }
    }

    /// Where identifiers stand in clear; never which.
    pub fn findings(&self) -> Vec<Finding> {
        let tell = |(field, group): (&FieldId, &Group)| {
            let message = format!("a value that a mask replaced elsewhere ({}) stands here in clear", group.word());
            Finding::error("RES-001", Site::field(field), message)
                .help("mask this field with the same domain, or redact it; if its values are public, write `reference: true` in its `keep`")
        };
        let account = self.account.map(|group| {
            let message =
                format!("a value that a mask replaced ({}) stands in a name or schema of the bundle", group.word());
            Finding::error("RES-002", Site::default(), message)
                .help("look for it in names and in DEFAULT or CHECK of the schemas that the capture reads")
        });
        self.hits.iter().map(tell).chain(account).collect()
    }
}

fn is_searched(value: ValueType, numbers: bool) -> bool {
    match value {
        ValueType::Text
        | ValueType::Json
        | ValueType::Uuid
        | ValueType::Bytes
        | ValueType::Other
        | ValueType::Tagged => true,
        ValueType::Int32 | ValueType::Int64 | ValueType::UInt64 | ValueType::Decimal => numbers,
        ValueType::Bool
        | ValueType::Int16
        | ValueType::Float32
        | ValueType::Float64
        | ValueType::Date
        | ValueType::Time
        | ValueType::Timestamp
        | ValueType::TimestampUtc => false,
    }
}

/// Bytes as the text that they are, or that is packed in them.
fn readable(bytes: &[u8]) -> Cow<'_, str> {
    packed::unpacked(bytes).map_or_else(|| String::from_utf8_lossy(bytes), Cow::Owned)
}

/// Looks through a column until something is found.
fn plain(look: &mut Look, array: &ArrayRef, value: ValueType, made: bool) -> Option<Group> {
    if *array.data_type() == DataType::Utf8
        && !matches!(value, ValueType::Bytes | ValueType::Tagged | ValueType::Decimal)
    {
        let _ = array.as_string::<i32>().iter().flatten().any(|text| look.at(text, made));
        return look.search.found();
    }
    let reader = Reader::new(array, value);
    for row in 0..array.len() {
        let Some(text) = reader.get(row) else { continue };
        let bytes = text.strip_prefix("\\x").filter(|_| matches!(value, ValueType::Bytes | ValueType::Tagged));
        let found = match bytes.and_then(|_| canonical::bytes_of(&text)) {
            Some(bytes) => look.at(&readable(&bytes), made),
            None => look.at(&text, made),
        };
        if found {
            break;
        }
    }
    look.search.found()
}

/// Looks through a payload's leaves and the names of its members.
fn leaves(
    look: &mut Look,
    payload: &mut Payload,
    bytes: &[u8],
    mut tell: impl FnMut(Option<Path>, Group),
) -> Result<()> {
    let Some(mut node) = payload.decoded(bytes) else {
        // What can't be taken apart was replaced as a whole, or kept as a whole.
        if let Some(group) = look.finds(&readable(bytes), false) {
            tell(None, group);
        }
        return Ok(());
    };
    let mut failed = None;
    // Names of members stand in the output too, whatever they hold.
    node.members(&mut |path| {
        let Some(Step::Key(name)) = path.0.last() else { return };
        match payload.origin_of_name(path) {
            Ok(origin) => {
                if let Some(group) = look.finds(name, origin == Origin::Mask) {
                    tell(Some(payload.generalised(path)), group);
                }
            }
            Err(error) => failed = Some(error),
        }
    });
    node.leaves_mut(&mut |path, leaf| {
        let made = match payload.origin(path) {
            Ok(Origin::Reference) => return,
            Ok(origin) => origin == Origin::Mask,
            Err(error) => {
                failed = Some(error);
                return;
            }
        };
        let text = match &*leaf {
            Node::Bytes(bytes) => Some(readable(bytes)),
            leaf => leaf.canonical(),
        };
        if let Some(group) = text.and_then(|text| look.finds(&text, made)) {
            tell(Some(payload.generalised(path)), group);
        }
    });
    failed.map_or(Ok(()), Err)
}
