//! A small world for policies: services with schemas, rows, and one key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use reenact_mask::residue::Searcher;
use reenact_mask::{Masker, Plan, Policy, RootKey, Salt, ScopeKeys};
use reenact_model::canonical::{Reader, Writer};
use reenact_model::catalog::{Condition, End, Entity, Field, Identity, Kind, Relationship, ServiceCatalog};
use reenact_model::payload::{Codec, Format};
use reenact_model::{Captured, EntityId, Error, FieldId, ValueType, Via};

/// Services with their schemas.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) catalogs: Vec<ServiceCatalog>,
    pub(crate) relationships: Vec<Relationship>,
}

impl World {
    /// Adds an entity: its columns are `name type`, the first is the key; `?` behind a type allows NULL.
    pub(crate) fn entity(mut self, name: &str, columns: &[&str]) -> Self {
        let (service, entity) = name.split_once('/').expect("service/entity");
        let fields: Vec<Field> = columns.iter().map(|column| field(column)).collect();
        let entity = Arc::new(Entity {
            id: EntityId::new(service, entity),
            key: vec![fields[0].name.clone()],
            fields,
            uniques: Vec::new(),
            estimate: None,
            properties: BTreeMap::new(),
        });
        match self.catalogs.iter_mut().find(|c| c.service == service) {
            Some(catalog) => catalog.entities.push(entity),
            None => self.catalogs.push(ServiceCatalog {
                service: service.to_owned(),
                kind: Kind::Memory,
                version: "1".to_owned(),
                identity: Identity::default(),
                entities: vec![entity],
                relationships: Vec::new(),
                ddl: Vec::new(),
                parts: Vec::new(),
            }),
        }
        self
    }

    /// Gives a topic a number of partitions.
    pub(crate) fn partitions(mut self, name: &str, count: u32) -> Self {
        for entity in self.catalogs.iter_mut().flat_map(|c| &mut c.entities).filter(|e| e.id.to_string() == name) {
            let mut changed = (**entity).clone();
            changed.properties.insert("partitions".to_owned(), count.to_string());
            *entity = Arc::new(changed);
        }
        self
    }

    /// Adds a relationship: `service/child.field -> service/parent.field`, with `if field=value` behind it.
    pub(crate) fn refers(mut self, text: &str) -> Self {
        let (text, condition) = text.split_once(" if ").map_or((text, None), |(text, when)| (text, Some(when)));
        let (child, parent) = text.split_once(" -> ").expect("child -> parent");
        let end = |text: &str| {
            let id: FieldId = text.parse().expect("a field");
            End { entity: id.entity, fields: vec![id.field] }
        };
        let child = end(child);
        let condition = condition.map(|when| {
            let (field, equals) = when.split_once('=').expect("field=value");
            let id: FieldId = format!("{}.{field}", child.entity).parse().expect("a field");
            Condition { field: id.field, equals: equals.to_owned() }
        });
        self.relationships.push(Relationship {
            child,
            parent: end(parent),
            declared: false,
            constraint: None,
            deferrable: false,
            condition,
        });
        self
    }

    /// Everything, as what a capture may read.
    pub(crate) fn reached(&self) -> BTreeSet<EntityId> {
        self.catalogs.iter().flat_map(|c| &c.entities).map(|e| e.id.clone()).collect()
    }

    /// Resolves a policy.
    pub(crate) fn plan(&self, policy: &str) -> Result<Plan, Error> {
        let policy = Policy::parse("p.yaml", policy)?;
        Plan::resolve(&policy, &self.catalogs, &self.relationships, &self.reached())
    }

    /// The findings of a policy that is refused: code, place and message of each.
    pub(crate) fn refused(&self, policy: &str) -> String {
        let error = self.plan(policy).expect_err("is refused");
        error.findings().iter().fold(String::new(), |all, f| all + &format!("{} {}: {}\n", f.code, f.site, f.message))
    }

    /// A masker of a service, under the key of these tests.
    pub(crate) fn masker(&self, policy: &str) -> Masker {
        let root = RootKey::from_hex(&"07".repeat(32)).expect("a key");
        let plan = self.plan(policy).unwrap_or_else(|error| panic!("{error:?}"));
        plan.masker(&ScopeKeys::new(&root, &Salt::from_bytes([9; 32])))
    }

    /// Rows of an entity as they were read: texts in the order of its columns, and `-` for NULL.
    fn captured(&self, name: &str, rows: &[&[&str]]) -> Captured {
        let entity = self.catalogs.iter().flat_map(|c| &c.entities).find(|e| e.id.to_string() == name);
        let entity = Arc::clone(entity.expect("an entity"));
        let column = |n: usize, field: &Field| -> ArrayRef {
            let mut writer = Writer::new(field.value, rows.len());
            for row in rows {
                match row[n] {
                    "-" => writer.push_null(),
                    text => writer.push(text, b't').expect("fits"),
                }
            }
            writer.finish()
        };
        let arrays = entity.fields.iter().enumerate().map(|(n, field)| column(n, field)).collect();
        let batch = RecordBatch::try_new(entity.schema(), arrays).expect("a batch");
        Captured::new(entity, batch, Via::root(0))
    }

    /// Answers what is asked of rows along a relationship.
    pub(crate) fn judge(&self, masker: &mut Masker, edge: usize, name: &str, rows: &[&[&str]]) -> Result<(), Error> {
        masker.judge(edge, self.captured(name, rows), &vec![true; rows.len()])
    }

    /// What a search finds in rows after they were masked: code, place and message of each.
    pub(crate) fn searched(&self, policy: &str, name: &str, rows: &[&[&str]]) -> String {
        let mut masker = self.masker(policy);
        let captured = self.captured(name, rows);
        let entity = Arc::clone(captured.entity());
        let written = masker.apply(captured).expect("masks");
        let mut searcher = Searcher::new(self.masker(policy), masker.search());
        searcher.rows(&entity, written.batch()).expect("searches");
        searcher
            .findings()
            .iter()
            .fold(String::new(), |all, f| all + &format!("{} {}: {}\n", f.code, f.site, f.message))
    }

    /// Masks rows of an entity.
    pub(crate) fn mask(&self, masker: &mut Masker, name: &str, rows: &[&[&str]]) -> Result<Vec<Vec<String>>, Error> {
        let captured = self.captured(name, rows);
        let entity = Arc::clone(captured.entity());
        let written = masker.apply(captured)?;
        let text = |row: usize| {
            let cell = |(n, field): (usize, &Field)| {
                let array: &dyn Array = written.batch().column(n);
                Reader::new(array, field.value).get(row).map_or("-".to_owned(), std::borrow::Cow::into_owned)
            };
            entity.fields.iter().enumerate().map(cell).collect()
        };
        Ok((0..rows.len()).map(text).collect())
    }
}

/// `name type`, where a type is a word of this list.
fn field(text: &str) -> Field {
    let (name, kind) = text.split_once(' ').expect("name type");
    let (kind, nullable) = kind.strip_suffix('?').map_or((kind, false), |kind| (kind, true));
    let field = match kind {
        "int" => Field::new(name, ValueType::Int64, "bigint"),
        "date" => Field::new(name, ValueType::Date, "date"),
        "text" => Field::new(name, ValueType::Text, "text"),
        "bool" => Field::new(name, ValueType::Bool, "boolean"),
        "decimal" => Field::new(name, ValueType::Decimal, "numeric(10,2)"),
        "bytes" => Field::new(name, ValueType::Bytes, "bytea"),
        "json" => Field::new(name, ValueType::Json, "jsonb").with_codec(Codec::of(Format::Json)),
        _ => panic!("no type {kind}"),
    };
    if nullable { field } else { field.required() }
}

/// The days from one date to another.
pub(crate) fn days(from: &str, to: &str) -> i32 {
    let day = |text: &str| reenact_model::canonical::parse_date(text).expect("a date");
    day(to) - day(from)
}
