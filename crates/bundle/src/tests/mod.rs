//! What the format promises, tried on whole bundles.

mod damage;
mod directory;
mod hostile;
mod round_trip;
mod writing;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Float32Array, Float64Array, Int16Array, Int32Array, Int64Array,
    RecordBatch, StringArray, Time64MicrosecondArray, TimestampMicrosecondArray, UInt64Array,
};
use reenact_mask::Masked;
use reenact_model::catalog::{Identity as ServerIdentity, Role};
use reenact_model::{Entity, EntityId, Field, Kind, Result, ServiceCatalog, ValueType, Via};

use crate::{
    Bundle, BundleId, BundleWriter, Contents, FORMAT_VERSION, Identity, Keyring, Manifest, MemberId, MemberInfo,
    Memory, Place, Sealed, SigningKey,
};

pub(super) const ALL: [ValueType; 19] = [
    ValueType::Bool,
    ValueType::Int16,
    ValueType::Int32,
    ValueType::Int64,
    ValueType::UInt64,
    ValueType::Float32,
    ValueType::Float64,
    ValueType::Decimal,
    ValueType::Text,
    ValueType::Json,
    ValueType::Uuid,
    ValueType::Bytes,
    ValueType::Date,
    ValueType::Time,
    ValueType::Timestamp,
    ValueType::TimestampUtc,
    ValueType::Other,
    ValueType::Tagged,
    ValueType::Text,
];

/// A generator of the same numbers every time (splitmix64).
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }
}

/// An entity with every form of value, each nullable, and a column that the server computes.
pub(super) fn entity(name: &str) -> Arc<Entity> {
    let mut fields: Vec<Field> =
        ALL.iter().enumerate().map(|(n, value)| Field::new(format!("field_{n}"), *value, "native type")).collect();
    fields.insert(3, Field { role: Role::Generated, ..Field::new("computed", ValueType::Text, "text") });
    named(name, fields)
}

pub(super) fn named(name: &str, fields: Vec<Field>) -> Arc<Entity> {
    Arc::new(Entity {
        id: EntityId::new("secretservice", name),
        fields,
        key: Vec::new(),
        uniques: Vec::new(),
        estimate: None,
        properties: BTreeMap::new(),
    })
}

/// Rows of [`entity`], some of each column NULL, with the extremes of each type.
pub(super) fn rows(entity: &Entity, count: usize, seed: u64) -> RecordBatch {
    let names: Vec<String> = entity.writable().map(|field| field.name.clone()).collect();
    let columns = entity.writable().enumerate().map(|(n, field)| column(field.value, n, count, seed)).collect();
    RecordBatch::try_new(entity.schema_of(&names), columns).unwrap()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    reason = "any bits"
)]
fn column(value: ValueType, n: usize, count: usize, seed: u64) -> ArrayRef {
    let mut numbers = Numbers(seed + n as u64);
    let draws: Vec<Option<u64>> = (0..count)
        .map(|_| numbers.next())
        .map(|draw| match draw % 11 {
            0 => None,
            1 => Some(0),
            2 => Some(u64::MAX),
            3 => Some(1 << 63),
            4 => Some((1 << 63) - 1),
            _ => Some(draw),
        })
        .collect();
    let draws = draws.iter().copied();
    let few = |draw: u64| format!("state {}", draw % 5);
    match value {
        ValueType::Bool => Arc::new(draws.map(|d| d.map(|d| d % 2 == 0)).collect::<BooleanArray>()),
        ValueType::Int16 => Arc::new(draws.map(|d| d.map(|d| d as i16)).collect::<Int16Array>()),
        ValueType::Int32 => Arc::new(draws.map(|d| d.map(|d| d as i32)).collect::<Int32Array>()),
        ValueType::Int64 => Arc::new(draws.map(|d| d.map(|d| d as i64)).collect::<Int64Array>()),
        ValueType::UInt64 => Arc::new(draws.collect::<UInt64Array>()),
        ValueType::Float32 => Arc::new(draws.map(|d| d.map(|d| f32::from_bits(d as u32))).collect::<Float32Array>()),
        ValueType::Float64 => Arc::new(draws.map(|d| d.map(f64::from_bits)).collect::<Float64Array>()),
        ValueType::Bytes | ValueType::Tagged => {
            let values: Vec<Option<Vec<u8>>> =
                draws.map(|d| d.map(|d| d.to_be_bytes()[..(d % 9) as usize].to_vec())).collect();
            Arc::new(values.iter().map(Option::as_deref).collect::<BinaryArray>())
        }
        ValueType::Date => Arc::new(draws.map(|d| d.map(|d| (d >> 32) as i32)).collect::<Date32Array>()),
        ValueType::Time => {
            Arc::new(draws.map(|d| d.map(|d| (d % 86_400_000_000) as i64)).collect::<Time64MicrosecondArray>())
        }
        ValueType::Timestamp => Arc::new(draws.map(|d| d.map(|d| d as i64)).collect::<TimestampMicrosecondArray>()),
        ValueType::TimestampUtc => {
            Arc::new(draws.map(|d| d.map(|d| d as i64)).collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
        }
        ValueType::Decimal => Arc::new(draws.map(|d| d.map(|d| format!("{}.50", d as f64))).collect::<StringArray>()),
        ValueType::Text if n.is_multiple_of(2) => Arc::new(draws.map(|d| d.map(few)).collect::<StringArray>()),
        _ => Arc::new(draws.map(|d| d.map(|d| "é\u{0}x".repeat((d % 7) as usize))).collect::<StringArray>()),
    }
}

#[expect(clippy::disallowed_methods, reason = "a test has no other way to masked rows")]
pub(super) fn masked(entity: &Arc<Entity>, batch: RecordBatch, via: Via) -> Masked {
    Masked::reopened(Arc::clone(entity), batch, via)
}

pub(super) fn contents(entities: &[Arc<Entity>], members: &[Sealed]) -> Contents {
    Contents {
        format_version: FORMAT_VERSION,
        tool: "reenact 0.0.0".to_owned(),
        captured_ms: 1_700_000_000_000,
        services: vec![ServiceCatalog {
            service: "secretservice".to_owned(),
            kind: Kind::Memory,
            version: "1".to_owned(),
            identity: ServerIdentity("identity".to_owned()),
            entities: entities.to_vec(),
            relationships: Vec::new(),
            ddl: Vec::new(),
            parts: Vec::new(),
        }],
        relationships: Vec::new(),
        members: members.iter().map(MemberInfo::from).collect(),
        record: serde_json::json!({ "cut": { "grade": "exact" }, "numbers": [1, -2, 0.5] }),
    }
}

/// A place, and who signs, seals and reads there.
pub(super) struct Fixture {
    pub(super) place: Arc<dyn Place>,
    pub(super) signer: SigningKey,
    pub(super) identity: Identity,
}

impl Fixture {
    pub(super) fn new() -> Self {
        Self::at(Arc::new(Memory::new()))
    }

    pub(super) fn at(place: Arc<dyn Place>) -> Self {
        Self { place, signer: SigningKey::generate(), identity: Identity::generate() }
    }

    pub(super) fn writer(&self) -> BundleWriter {
        BundleWriter::create(Arc::clone(&self.place), &[self.identity.recipient()]).unwrap()
    }

    pub(super) fn keyring(&self) -> Keyring {
        Keyring { trusted: vec![self.signer.public()], identities: vec![self.identity.clone()], allow_expired: false }
    }

    pub(super) fn open(&self) -> Result<Bundle> {
        Bundle::open(Arc::clone(&self.place), &self.keyring())
    }

    /// A bundle of one member per entity, with so many rows each.
    pub(super) fn write(&self, entities: &[Arc<Entity>], count: usize) -> BundleId {
        let writer = self.writer();
        let members: Vec<Sealed> = entities
            .iter()
            .map(|entity| {
                let mut member = writer.member(entity).unwrap();
                member.write(&masked(entity, rows(entity, count, 1), Via::root(0))).unwrap();
                member.seal().unwrap()
            })
            .collect();
        let contents = contents(entities, &members);
        writer.finish(members, &contents, &self.signer, None).unwrap()
    }

    /// The first member with records.
    pub(super) fn member(&self) -> MemberId {
        let manifest = self.manifest();
        manifest.members.iter().map(|member| member.id).find(|id| *id != manifest.contents).unwrap()
    }

    pub(super) fn manifest(&self) -> Manifest {
        Manifest::open(&self.place.manifest().unwrap(), &[self.signer.public()]).unwrap().0
    }

    pub(super) fn bytes(&self, id: &MemberId) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(self.place.size(id).unwrap()).unwrap()];
        crate::place::read_exact(&*self.place, id, 0, &mut bytes).unwrap();
        bytes
    }

    pub(super) fn replace(&self, id: &MemberId, bytes: &[u8]) {
        self.place.remove(id).unwrap();
        let mut sink = self.place.put(id).unwrap();
        sink.write_all(bytes).unwrap();
        sink.finish().unwrap();
    }

    /// Changes the manifest as its own signer could.
    pub(super) fn sign_again(&self, edit: impl FnOnce(&mut Manifest)) {
        let mut manifest = self.manifest();
        edit(&mut manifest);
        let (file, _) = manifest.sign(&self.signer).unwrap();
        self.place.commit(&file).unwrap();
    }
}
