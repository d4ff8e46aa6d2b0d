//! One module per kind of store: everything `reenact` knows of a dialect, for reading and for writing.
//!
//! Hidden here: each system's dialect, in both directions, so that what is read in one way is written in the same way. A
//! [`Source`] reads and can do no harm; a [`Target`] writes only where the marker stands. Stores choose no mask and write no
//! file. All of them pass the one suite in `conformance`; a new store is one module and one line in [`STORES`].

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use futures::stream::BoxStream;
use reenact_model::catalog::{Identity, Scope};
use reenact_model::digest::EntityDigest;
use reenact_model::{
    Captured, Dsn, Entity, FieldPath, KeySet, Kind, Part, Position, Relationship, Result, ServiceCatalog, Via,
};
use serde::{Deserialize, Serialize};

mod address;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod kafka;
mod keyspace;
pub mod memory;
pub mod redis;
pub mod sql;
mod stream;

/// All stores of this build.
pub static STORES: &[&dyn Store] = &[
    &sql::postgres::Postgres,
    &sql::mysql::Mysql,
    &sql::sqlite::Sqlite,
    &redis::Redis,
    &kafka::Kafka,
    &memory::Memory,
];

/// The name of the marker that a target must hold: a table `reenact_target`, a key `reenact:target`, a topic `reenact.target`.
pub const MARKER: &str = "reenact_target";

/// The store of a kind, if this build has it.
pub fn store(kind: Kind) -> Option<&'static dyn Store> {
    STORES.iter().copied().find(|store| store.kind() == kind)
}

/// The adapter for one kind of service.
#[async_trait]
pub trait Store: Send + Sync {
    /// Its kind.
    fn kind(&self) -> Kind;

    /// Opens the reading side. The session itself is read-only where the server can hold that.
    ///
    /// # Errors
    /// [`reenact_model::Class::Unreachable`] if the service does not answer or does not let us in.
    async fn source(&self, dsn: &Dsn, scope: &Scope) -> Result<Box<dyn Source>>;

    /// Opens the writing side; writes nothing yet.
    ///
    /// # Errors
    /// [`reenact_model::Class::Unreachable`] if the service does not answer or does not let us in.
    async fn target(&self, dsn: &Dsn, service: &str) -> Result<Box<dyn Target>>;

    /// Where a URL leads to, told so that two URLs of one store share a text; empty if that can't be told. No session is
    /// opened. A store may be restarted or be put together anew and still stand where it stood.
    async fn places(&self, dsn: &Dsn) -> Vec<String>;

    /// Writes the marker into a store that is meant to be overwritten. Called for environments that we made, or by a person's
    /// express command; never as a part of a replay.
    ///
    /// # Errors
    /// If the store can't be written.
    async fn mark(&self, dsn: &Dsn) -> Result<()>;
}

impl fmt::Debug for dyn Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.kind())
    }
}

/// What to read: an entity, some of its columns, a selection, and how the records came.
#[derive(Clone, Debug)]
pub struct Read {
    /// The entity.
    pub entity: Arc<Entity>,
    /// The columns wanted, by name; key columns first is not required. Empty means all fields but generated ones.
    pub columns: Vec<String>,
    /// Which records.
    pub selection: Selection,
    /// How they came into the closure; copied into every batch.
    pub via: Via,
    /// The greatest number of records to give; one more is an error of class `Limit`.
    pub limit: Option<u64>,
    /// Whether the order of records must be that of the entity's key (rooted captures), or may be the server's own.
    pub ordered: bool,
}

/// Which records of an entity.
#[derive(Clone)]
pub enum Selection {
    /// All.
    All,
    /// Those whose fields equal canonical texts, all of them: a root's filter. A text that has no form in a field's type is
    /// an error of class `Input` where the store knows the type, and equals nothing where it does not.
    Where(Vec<(FieldPath, String)>),
    /// Those that match `any` of these and none of `except`; a record that matches twice is given once.
    Match {
        /// At least one of these must hold.
        any: Vec<Match>,
        /// None of these may hold.
        except: Vec<Match>,
    },
}

impl fmt::Debug for Selection {
    /// Without the texts of a filter, which are values of records.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("All"),
            Self::Where(tests) => f.debug_list().entries(tests.iter().map(|(field, _)| field)).finish(),
            Self::Match { any, except } => f.debug_struct("Match").field("any", any).field("except", except).finish(),
        }
    }
}

/// A set of keys that fields may have.
#[derive(Clone, Debug)]
pub struct Match {
    /// The fields, in the keys' order.
    pub fields: Vec<FieldPath>,
    /// The keys, as canonical texts; a key that has no form in the fields' types matches nothing.
    pub keys: Arc<KeySet>,
    /// A condition on the record, for the child end of a polymorphic relationship.
    pub condition: Option<reenact_model::catalog::Condition>,
}

/// The server's own estimate of what a read costs; no record is read for it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Records that will come.
    pub rows: Option<u64>,
    /// Whether the server would read the whole entity to find them.
    pub full_scan: bool,
    /// The server's words, such as `Index Scan using orders_pkey`; no values.
    pub how: String,
}

/// What a pin gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pinned {
    /// Where the part stands.
    pub position: Position,
    /// What the pin could not hold, such as a topic's records below its window; stands in the bundle.
    pub gaps: Vec<String>,
}

/// The reading side of a store.
#[async_trait]
pub trait Source: Send + Sync {
    /// What the service holds. No record is read.
    ///
    /// # Errors
    /// If a declared entity is missing, or a column's type can't be carried exactly (it is named).
    async fn describe(&self) -> Result<ServiceCatalog>;

    /// What a read would cost, by the server's own account. No record is read, and no key value is needed: a match counts with
    /// as many keys as it holds.
    ///
    /// # Errors
    /// If the server can't tell.
    async fn estimate(&self, read: &Read) -> Result<Estimate>;

    /// Holds a part where it is now, until the source is dropped; returns after the first real read of it.
    ///
    /// `known` are the keys that are known to be needed, by entity; a store without snapshots (Redis) reads their records now,
    /// whole, and answers later reads from what it holds.
    ///
    /// # Errors
    /// If the part can't be pinned.
    async fn pin(&mut self, part: &Part, known: &[(Arc<Entity>, KeySet)]) -> Result<Pinned>;

    /// Reads records in batches: from the pin if there is one, else from what is there now. Dropping the stream ends the read.
    fn read(&self, read: Read) -> BoxStream<'_, Result<Captured>>;

    /// What the reads since the pin found missing inside of it, such as offsets of a topic that hold no record.
    fn gaps(&self) -> Vec<String> {
        Vec::new()
    }

    /// How many queries this source has sent, for the report.
    fn queries(&self) -> u64;
}

/// One act of loading an entity.
#[derive(Clone, Debug)]
pub enum LoadStep {
    /// Writes whole records, with the columns in `later` left NULL.
    Insert {
        /// The entity, as the bundle has it.
        entity: Arc<Entity>,
        /// Columns that are set by a later [`LoadStep::Patch`].
        later: Vec<String>,
    },
    /// Sets columns of records that are there, found by the entity's key.
    Patch {
        /// The entity, as the bundle has it.
        entity: Arc<Entity>,
        /// The columns to set.
        columns: Vec<String>,
    },
}

/// What a load gave.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Loaded {
    /// Records written.
    pub rows: u64,
    /// Kafka: source offset → target offset, by partition.
    pub offsets: Vec<(i32, i64, i64)>,
}

/// The writing side of a store.
#[async_trait]
pub trait Target: Send {
    /// What tells this store from every other.
    ///
    /// # Errors
    /// If the service does not answer.
    async fn identity(&mut self) -> Result<Identity>;

    /// Refuses a target that has no marker, or whose identity is one of `sources`. The target asks the same again before each
    /// destructive step: [`Target::prepare`], [`Target::defer`], [`Target::load`] and [`Target::settle`].
    ///
    /// # Errors
    /// [`reenact_model::Class::Refused`].
    async fn gates(&mut self, sources: &[Identity]) -> Result<()>;

    /// Creates what is missing, alters nothing: statements of [`reenact_model::catalog::Phase::Before`] for entities that are not
    /// there. Refuses entities that are there and hold records.
    ///
    /// # Errors
    /// [`reenact_model::Class::Refused`] if an entity holds records already.
    async fn prepare(&mut self, catalog: &ServiceCatalog) -> Result<()>;

    /// Called before the first load of a wave whose constraints can't be satisfied one by one.
    ///
    /// # Errors
    /// If a constraint can't be deferred or dropped.
    async fn defer(&mut self, constraints: &[String]) -> Result<()>;

    /// Writes the batches of one step, streaming.
    ///
    /// # Errors
    /// If the store refuses a record; the error names the entity and constraint, never a value.
    async fn load(&mut self, step: &LoadStep, batches: BoxStream<'_, Result<RecordBatch>>) -> Result<Loaded>;

    /// Puts everything in force again: constraints, foreign keys, sequences past the greatest value, triggers; for Kafka the
    /// groups' offsets, given as `group → (topic, partition) → target offset`.
    ///
    /// # Errors
    /// If a constraint does not hold.
    async fn settle(&mut self, catalog: &ServiceCatalog, groups: &[GroupOffsets]) -> Result<()>;

    /// Reads an entity back: count and digest over the columns of `entity` that are no coordinates chosen by the target and no
    /// generated ones, in the entity's order.
    ///
    /// # Errors
    /// If it can't be read.
    async fn digest(&mut self, entity: &Entity) -> Result<EntityDigest>;

    /// How many records that were loaded with a time to live have reached its end by now. They are gone, and that is no
    /// loss: [`Target::digest`] counts them as there.
    fn expired(&self, _entity: &Entity) -> u64 {
        0
    }

    /// The keys of one end, for references across services.
    ///
    /// # Errors
    /// If they can't be read.
    async fn keys(
        &mut self,
        entity: &Entity,
        fields: &[FieldPath],
        condition: Option<&reenact_model::catalog::Condition>,
    ) -> Result<KeySet>;

    /// The keys of an edge's child end that have no parent, both ends in this service: an anti-join on the server where it can.
    ///
    /// # Errors
    /// If the query fails.
    async fn dangling(&mut self, edge: &Relationship, child: &Entity, parent: &Entity) -> Result<KeySet>;
}

/// The offsets of one consumer group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupOffsets {
    /// The group's id.
    pub group: String,
    /// Topic, partition, and the offset of the next record to consume.
    pub offsets: Vec<(String, i32, i64)>,
}
