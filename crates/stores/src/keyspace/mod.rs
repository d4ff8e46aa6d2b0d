//! Key families: records that are keys with typed values, such as those of Redis.
//!
//! Hidden here: how a flat space of keys becomes entities. A family is a template; its records are the keys that fit it and
//! fit no more specific family of the same service, so that every key belongs to one entity. Which keys a selection
//! asks for, in which order they are read, what is held since a pin, and how they are loaded and compared is one code for
//! every system of this shape; a [`Keyspace`] only knows how one system scans, reads and writes.

mod filter;
mod read;
mod source;
mod target;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryBuilder, Int64Builder, RecordBatch, StringBuilder};
use async_trait::async_trait;
use reenact_model::catalog::{Entity, Field, Identity, KeyFamily, Kind, Role, Scope, ValueType};
use reenact_model::payload::{Codec, Format, RedisValue, Template};
use reenact_model::{Class, EntityId, Error, Part, Position, Result, Site};

pub(crate) use filter::Filter;
pub(crate) use source::KeySource;
pub(crate) use target::KeyTarget;

/// The key that a target must hold.
pub(crate) const MARKER: &[u8] = b"reenact:target";
/// The greatest number of records in a batch.
const ROWS: usize = 4_096;
/// About the greatest size of a batch, in bytes.
const BYTES: usize = 8 << 20;

/// One key with its value and what remains of its life, read in one act.
#[derive(Clone)]
pub(crate) struct Record {
    pub(crate) key: Vec<u8>,
    pub(crate) value: RedisValue,
    /// The remaining time to live in milliseconds; `None` if it never expires.
    pub(crate) ttl: Option<i64>,
}

/// What a system says of itself.
pub(crate) struct About {
    pub(crate) version: String,
    pub(crate) identity: Identity,
}

/// One system that holds keys.
#[async_trait]
pub(crate) trait Keyspace: Send + Sync {
    fn kind(&self) -> Kind;

    /// The one part that is pinned.
    fn part(&self) -> Part;

    async fn about(&self) -> Result<About>;

    async fn position(&self) -> Result<Position>;

    /// Whether this is one of the stores that were captured.
    async fn is_one_of(&self, sources: &[Identity]) -> Result<bool>;

    /// The keys that fit a template, each once.
    async fn scan(&self, template: &Template) -> Result<BTreeSet<Vec<u8>>>;

    /// Reads the first few of `keys`, at least one, each in one act; `None` where there is no such key.
    async fn fetch(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Record>>>;

    /// Writes keys that must not be there yet, each in one act.
    async fn put(&self, records: &[Record]) -> Result<()>;

    /// The number of all keys.
    async fn size(&self) -> Result<u64>;

    async fn is_marked(&self) -> Result<bool>;

    async fn mark(&self) -> Result<()>;

    /// How many commands were sent.
    fn queries(&self) -> u64;
}

/// The families of one service.
#[derive(Default)]
struct Families(Vec<Family>);

struct Family {
    entity: String,
    template: Template,
    /// The number of literal characters: the more, the more specific.
    literals: usize,
}

impl Families {
    fn of(entities: &[Arc<Entity>]) -> Result<Self> {
        entities
            .iter()
            .map(|entity| {
                let template = template_of(entity)?.clone();
                let literals = template.glob().chars().filter(|c| *c != '*').count();
                Ok(Family { entity: entity.id.name.clone(), template, literals })
            })
            .collect::<Result<_>>()
            .map(Self)
    }

    /// Whether a key that fits this entity's template belongs to it.
    fn owns(&self, entity: &Entity, key: &[u8]) -> bool {
        if key == MARKER {
            return false;
        }
        let fitting = self.0.iter().enumerate().filter(|(_, family)| family.template.decode(key).is_some());
        // Of two families that are equally specific, the first one has it.
        let owner = fitting.max_by_key(|(n, family)| (family.literals, std::cmp::Reverse(*n)));
        owner.is_none_or(|(_, family)| family.entity == entity.id.name)
    }
}

/// The template of a family's entity.
fn template_of(entity: &Entity) -> Result<&Template> {
    match entity.field("key").and_then(|field| field.codec.as_ref()) {
        Some(Codec { format: Format::Template(template), .. }) => Ok(template),
        _ => {
            Err(Error::new(Class::Input, "this is no key family: it has no key template").at(Site::entity(&entity.id)))
        }
    }
}

/// The entities that a pipeline declares.
fn entities(scope: &Scope) -> Result<Vec<Arc<Entity>>> {
    let mut names = BTreeSet::new();
    scope
        .keys
        .iter()
        .map(|family| {
            let id = EntityId::new(&scope.service, &family.entity);
            if !names.insert(&family.entity) {
                return Err(Error::new(Class::Input, "the key family is declared twice").at(Site::entity(&id)));
            }
            entity(id, family).map(Arc::new)
        })
        .collect()
}

fn entity(id: EntityId, family: &KeyFamily) -> Result<Entity> {
    let template: Template = family.pattern.parse().map_err(|reason: String| {
        Error::new(Class::Input, format!("the key pattern does not parse: {reason}"))
            .at(Site::entity(&id))
            .help("write it like `cart:{customer_id}`")
    })?;
    let mut expires = Field::new("expires_ms", ValueType::Int64, "milliseconds");
    expires.role = Role::Relative;
    Ok(Entity {
        id,
        fields: vec![
            Field::new("key", ValueType::Bytes, "key").required().with_codec(Codec::of(Format::Template(template))),
            Field::new("type", ValueType::Text, "type").required().coordinate(),
            expires,
            Field::new("value", ValueType::Bytes, "value")
                .required()
                .with_codec(Codec { format: Format::Redis, inner: family.values.clone() }),
        ],
        key: vec!["key".to_owned()],
        uniques: Vec::new(),
        estimate: None,
        properties: BTreeMap::from([("pattern".to_owned(), family.pattern.clone())]),
    })
}

/// Records on their way into a batch.
struct Rows {
    keys: BinaryBuilder,
    types: StringBuilder,
    expiries: Int64Builder,
    values: BinaryBuilder,
    rows: usize,
    bytes: usize,
}

impl Rows {
    fn new() -> Self {
        Self {
            keys: BinaryBuilder::new(),
            types: StringBuilder::new(),
            expiries: Int64Builder::new(),
            values: BinaryBuilder::new(),
            rows: 0,
            bytes: 0,
        }
    }

    fn push(&mut self, record: &Record) {
        let value = record.value.write();
        self.rows += 1;
        self.bytes += record.key.len() + value.len() + 32;
        self.keys.append_value(&record.key);
        self.types.append_value(record.value.type_name());
        self.expiries.append_option(record.ttl);
        self.values.append_value(value);
    }

    fn is_full(&self) -> bool {
        self.rows >= ROWS || self.bytes >= BYTES
    }

    fn finish(&mut self, entity: &Entity) -> Result<RecordBatch> {
        (self.rows, self.bytes) = (0, 0);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.keys.finish()),
            Arc::new(self.types.finish()),
            Arc::new(self.expiries.finish()),
            Arc::new(self.values.finish()),
        ];
        let names = ["key", "type", "expires_ms", "value"].map(str::to_owned);
        RecordBatch::try_new(entity.schema_of(&names), columns)
            .map_err(|_| Error::new(Class::Unexpected, "the entity has not the fields of a key family"))
            .map_err(|error| error.at(Site::entity(&entity.id)))
    }
}

/// A batch of keys alone, for the tests that need nothing else.
fn key_batch(entity: &Entity, keys: &[Vec<u8>]) -> Result<RecordBatch> {
    let mut builder = BinaryBuilder::new();
    keys.iter().for_each(|key| builder.append_value(key));
    RecordBatch::try_new(entity.schema_of(&["key".to_owned()]), vec![Arc::new(builder.finish()) as ArrayRef])
        .map_err(|_| Error::new(Class::Unexpected, "the entity has no field `key`").at(Site::entity(&entity.id)))
}

/// What a system answers that finds a key in place of a new one.
pub(crate) fn written_twice() -> Error {
    Error::new(Class::Differences, "a key is there already: two records have the same key")
        .help("let the mask of the key be injective, and load into an empty database")
}
