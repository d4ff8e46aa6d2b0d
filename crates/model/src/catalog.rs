//! What a service holds, as described at one moment: entities, fields, keys, relationships. No values.
//!
//! Hidden here: how a native schema is told in words that every crate understands. A store fills a [`ServiceCatalog`] from
//! the server's own catalog and from what the pipeline declares; the mask plan, the closure, the bundle and the
//! replay all work from it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use arrow_schema::{DataType, Schema, TimeUnit};
use serde::{Deserialize, Serialize};

use crate::names::{EntityId, FieldPath};
use crate::payload::Codec;
use crate::position::Part;

/// The kinds of service that this build may speak to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// PostgreSQL.
    Postgres,
    /// MySQL and MariaDB.
    Mysql,
    /// A SQLite file.
    Sqlite,
    /// Redis and Valkey.
    Redis,
    /// Apache Kafka.
    Kafka,
    /// A store in this process's memory.
    Memory,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 6] = [Self::Postgres, Self::Mysql, Self::Sqlite, Self::Redis, Self::Kafka, Self::Memory];

    /// The word used in a pipeline.
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
            Self::Sqlite => "sqlite",
            Self::Redis => "redis",
            Self::Kafka => "kafka",
            Self::Memory => "memory",
        }
    }

    /// The schemes that a URL of such a service may have, the usual one first.
    pub fn schemes(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &["postgres", "postgresql"],
            Self::Mysql => &["mysql", "mariadb"],
            Self::Sqlite => &["sqlite"],
            Self::Redis => &["redis", "rediss", "valkey", "valkeys", "redis+unix", "valkey+unix", "unix"],
            Self::Kafka => &["kafka"],
            Self::Memory => &["memory"],
        }
    }

    /// What a URL of such a service looks like.
    pub fn example(self) -> &'static str {
        match self {
            Self::Postgres => "postgres://user:password@host:5432/database",
            Self::Mysql => "mysql://user:password@host:3306/database",
            Self::Sqlite => "sqlite:///path/to/file.db",
            Self::Redis => "redis://user:password@host:6379/0",
            Self::Kafka => "kafka://host:9092",
            Self::Memory => "memory:name",
        }
    }

    /// The kind whose URLs have a scheme.
    pub fn of_scheme(scheme: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.schemes().contains(&scheme))
    }

    /// Whether records are rows of tables.
    pub fn is_sql(self) -> bool {
        matches!(self, Self::Postgres | Self::Mysql | Self::Sqlite)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The form in which a column's values travel.
///
/// A native type without an exact Arrow form travels as its canonical text ([`ValueType::Other`]) with the native name in
/// [`Field::native`]; a SQLite value carries its storage class ([`ValueType::Tagged`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ValueType {
    /// `Boolean`.
    Bool,
    /// `Int16`.
    Int16,
    /// `Int32`.
    Int32,
    /// `Int64`.
    Int64,
    /// `UInt64`.
    UInt64,
    /// `Float32`.
    Float32,
    /// `Float64`.
    Float64,
    /// `Utf8`: a decimal number of any size, with its trailing zeros, or `NaN`, `Infinity`, `-Infinity`.
    Decimal,
    /// `Utf8`: text.
    Text,
    /// `Utf8`: JSON text exactly as the server gives it.
    Json,
    /// `Utf8`: a UUID in lower case with hyphens.
    Uuid,
    /// `Binary`.
    Bytes,
    /// `Date32`; `i32::MIN` and `i32::MAX` are the infinities.
    Date,
    /// `Time64(µs)`.
    Time,
    /// `Timestamp(µs)` without zone; `i64::MIN` and `i64::MAX` are the infinities.
    Timestamp,
    /// `Timestamp(µs, UTC)`; `i64::MIN` and `i64::MAX` are the infinities.
    TimestampUtc,
    /// `Utf8`: the canonical text of a type that has no exact Arrow form.
    Other,
    /// `Binary`: a storage class (`i`, `r`, `t`, `b`) and the value's text or bytes.
    Tagged,
}

impl ValueType {
    /// The Arrow type of a column of this form.
    pub fn arrow(self) -> DataType {
        match self {
            Self::Bool => DataType::Boolean,
            Self::Int16 => DataType::Int16,
            Self::Int32 => DataType::Int32,
            Self::Int64 => DataType::Int64,
            Self::UInt64 => DataType::UInt64,
            Self::Float32 => DataType::Float32,
            Self::Float64 => DataType::Float64,
            Self::Decimal | Self::Text | Self::Json | Self::Uuid | Self::Other => DataType::Utf8,
            Self::Bytes | Self::Tagged => DataType::Binary,
            Self::Date => DataType::Date32,
            Self::Time => DataType::Time64(TimeUnit::Microsecond),
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::TimestampUtc => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        }
    }

    /// Whether a value of this form is a whole number of a fixed width.
    pub fn is_integer(self) -> bool {
        matches!(self, Self::Int16 | Self::Int32 | Self::Int64 | Self::UInt64)
    }

    /// Whether any text fits (up to the column's length).
    pub fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::Tagged)
    }
}

/// What a field is to the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// Holds data: needs a decision.
    Data,
    /// A coordinate that the store itself made (partition, timestamp, type, leaf table): kept, and listed so.
    Coordinate,
    /// A coordinate that a target gives anew (offset, expiry): kept, and not part of the content digest.
    Relative,
    /// Computed by the server from other fields: never written, recomputed at replay; read only to be compared.
    Generated,
}

/// A column of an entity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// The column's unquoted name.
    pub name: String,
    /// The form in which its values travel.
    pub value: ValueType,
    /// The server's own name of the type, with its arguments, such as `character varying(40)`.
    pub native: String,
    /// Whether NULL is allowed.
    pub nullable: bool,
    /// What it is to the policy.
    pub role: Role,
    /// The greatest length in characters, where the server bounds it.
    pub max_chars: Option<u32>,
    /// The smallest and greatest whole number that fits, where the type bounds it.
    pub range: Option<(i64, i64)>,
    /// The allowed values of an enumeration, in order.
    pub values: Option<Vec<String>>,
    /// The server's rule by which different texts of this column may be equal, such as a collation that takes upper and lower
    /// case for the same; none where equal values have one canonical text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
    /// Names of constraints of the server that bind its values, beyond what the other members tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<String>,
    /// How its payload is taken apart, where the pipeline or the store declares it.
    pub codec: Option<Codec>,
    /// About how many different values it holds, where the server's own statistics tell and the number does not grow with the records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distinct: Option<u64>,
}

impl Field {
    /// A nullable data field without bounds.
    pub fn new(name: impl Into<String>, value: ValueType, native: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value,
            native: native.into(),
            nullable: true,
            role: Role::Data,
            max_chars: None,
            range: None,
            values: None,
            collation: None,
            checks: Vec::new(),
            codec: None,
            distinct: None,
        }
    }

    /// The same field as a coordinate of the store.
    #[must_use]
    pub fn coordinate(mut self) -> Self {
        self.role = Role::Coordinate;
        self
    }

    /// The same field, never NULL.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.nullable = false;
        self
    }

    /// The same field with a payload codec.
    #[must_use]
    pub fn with_codec(mut self, codec: Codec) -> Self {
        self.codec = Some(codec);
        self
    }
}

/// A set of records in a service: a table, a Redis key family or a Kafka topic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entity {
    /// Its name.
    pub id: EntityId,
    /// Its columns, in the server's order.
    pub fields: Vec<Field>,
    /// The columns that tell one record from another (primary key, `key`, `partition`+`offset`); empty if there are none.
    pub key: Vec<String>,
    /// Further sets of columns whose values are unique together.
    pub uniques: Vec<Vec<String>>,
    /// The server's own estimate of the number of records.
    pub estimate: Option<u64>,
    /// What only the store understands (partitions of a topic, key pattern, leaf tables), as stable words.
    pub properties: BTreeMap<String, String>,
}

impl Entity {
    /// The field of a column.
    pub fn field(&self, column: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == column)
    }

    /// The Arrow schema of all fields.
    pub fn schema(&self) -> Arc<Schema> {
        Arc::new(Schema::new(self.fields.iter().map(arrow_field).collect::<Vec<_>>()))
    }

    /// The Arrow schema of some columns, in the order given; unknown columns are left out.
    pub fn schema_of(&self, columns: &[String]) -> Arc<Schema> {
        Arc::new(Schema::new(columns.iter().filter_map(|c| self.field(c)).map(arrow_field).collect::<Vec<_>>()))
    }

    /// The columns that are written at a load: all but generated ones.
    pub fn writable(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|field| field.role != Role::Generated)
    }

    /// The columns whose contents a replay must reproduce exactly: all but generated and relative ones.
    pub fn compared(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().filter(|f| matches!(f.role, Role::Data | Role::Coordinate)).map(|f| f.name.as_str())
    }

    /// Whether a set of columns is the key or is declared unique.
    pub fn is_unique(&self, columns: &[String]) -> bool {
        let same = |other: &[String]| other.len() == columns.len() && other.iter().all(|c| columns.contains(c));
        (!self.key.is_empty() && same(&self.key)) || self.uniques.iter().any(|u| same(u))
    }
}

fn arrow_field(field: &Field) -> arrow_schema::Field {
    arrow_schema::Field::new(&field.name, field.value.arrow(), true)
        .with_metadata([("native".to_owned(), field.native.clone())].into())
}

/// One end of a relationship: fields of an entity, in matching order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// The entity.
    pub entity: EntityId,
    /// The fields, as many as at the other end.
    pub fields: Vec<FieldPath>,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields: Vec<String> = self.fields.iter().map(ToString::to_string).collect();
        if fields.len() == 1 {
            write!(f, "{}.{}", self.entity, fields[0])
        } else {
            write!(f, "{}.({})", self.entity, fields.join(", "))
        }
    }
}

/// A condition on the child record under which a polymorphic relationship holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// A field of the child.
    pub field: FieldPath,
    /// The canonical text that it must equal.
    pub equals: String,
}

/// Child fields refer to parent fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relationship {
    /// The referring end.
    pub child: End,
    /// The end that is referred to.
    pub parent: End,
    /// Whether the server itself holds it (a foreign key), or the pipeline declares it.
    pub declared: bool,
    /// The constraint's name on the server, if it is declared.
    pub constraint: Option<String>,
    /// Whether the server lets the constraint be deferred.
    pub deferrable: bool,
    /// Under which condition it holds.
    pub condition: Option<Condition>,
}

impl fmt::Display for Relationship {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.child, self.parent)
    }
}

/// A statement that creates a part of a schema in an empty target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ddl {
    /// When it runs: before the load, or after it.
    pub phase: Phase,
    /// The entity it belongs to, if any.
    pub entity: Option<EntityId>,
    /// The statement, in the store's own language.
    pub statement: String,
}

/// When a schema statement runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Before the load: types, tables, primary keys.
    Before,
    /// After the load: foreign keys, indexes.
    After,
}

/// What tells one running server from every other: system identifier, server UUID, cluster id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity(pub String);

/// What one service holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceCatalog {
    /// The service's name in the pipeline.
    pub service: String,
    /// Its kind.
    pub kind: Kind,
    /// The server's version, as it tells it.
    pub version: String,
    /// What tells this store from every other.
    pub identity: Identity,
    /// Its entities.
    pub entities: Vec<Arc<Entity>>,
    /// The relationships that the server itself holds.
    pub relationships: Vec<Relationship>,
    /// What creates the same schema in an empty target, in order.
    pub ddl: Vec<Ddl>,
    /// What can be pinned, each in one act.
    pub parts: Vec<Part>,
}

impl ServiceCatalog {
    /// The entity of a name.
    pub fn entity(&self, name: &str) -> Option<&Arc<Entity>> {
        self.entities.iter().find(|entity| entity.id.name == name)
    }
}

/// What a policy is resolved against: the schemas that a capture may read. It holds no value of a record, so it may lie beside
/// the policy, and a review needs no way to production.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schemas {
    /// `reenact/schemas`.
    pub format: String,
    /// The version of this document's shape.
    pub format_version: String,
    /// What each service holds.
    pub catalogs: Vec<ServiceCatalog>,
    /// All relationships, declared and virtual.
    pub relationships: Vec<Relationship>,
    /// The entities that the capture may read.
    pub reached: BTreeSet<EntityId>,
}

/// What the pipeline declares of a service beyond its URL: the entities of stores without a schema.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scope {
    /// The service's name in the pipeline.
    pub service: String,
    /// Redis: key families.
    pub keys: Vec<KeyFamily>,
    /// Kafka: topics.
    pub topics: Vec<Topic>,
    /// Kafka: consumer groups whose offsets belong to the incident.
    pub groups: Vec<Group>,
    /// SQL: payload codecs of columns, by entity display name and column.
    pub codecs: Vec<(String, String, Codec)>,
    /// SQL: globs of entity names to leave out of the catalog.
    pub exclude: Vec<String>,
}

/// A family of Redis keys that share a template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyFamily {
    /// The entity's name.
    pub entity: String,
    /// The template, such as `cart:{customer_id}`.
    pub pattern: String,
    /// How values are taken apart below the typed value, such as `$.cart` → Protobuf.
    pub values: Vec<(crate::Path, Codec)>,
}

/// A Kafka topic and the window of it that a capture may read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Topic {
    /// The topic's name, which is the entity's name.
    pub name: String,
    /// How keys are taken apart.
    pub key: Option<Codec>,
    /// How values are taken apart.
    pub value: Option<Codec>,
    /// How single headers are taken apart, by name.
    pub headers: Vec<(String, Codec)>,
    /// How far back from the end the window reaches in time, in milliseconds.
    pub back_ms: Option<i64>,
    /// The greatest number of records that the window may hold.
    pub records: Option<u64>,
}

/// A consumer group whose offsets belong to the incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The group's id.
    pub name: String,
    /// The service whose database shows what the group has processed.
    pub consumer: Option<String>,
}
