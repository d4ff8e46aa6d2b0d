//! What a database holds, from `pg_catalog`.
//!
//! Hidden here: partitions and inheritance (a tree is one entity), domains (seen through), keys and references, and which
//! types have an Arrow form. No table of the user's is read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reenact_model::catalog::{End, Identity, Role, Scope};
use reenact_model::payload::{Codec, Format};
use reenact_model::{
    Class, Entity, EntityId, Error, Field, FieldPath, Kind, Part, Relationship, Result, ServiceCatalog, Site, ValueType,
};
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};

use super::{ONLY, PARTED, bounds, ddl, rows};
use crate::MARKER;
use crate::sql::{LEAF, declared_codec, excluded};

/// A table of the catalog, with all that a statement that creates it needs.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) oid: i64,
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) partition_key: Option<String>,
    pub(super) bound: Option<String>,
    pub(super) parents: Vec<i64>,
    pub(super) columns: Vec<Column>,
    estimate: f64,
}

/// A column of a [`Table`].
#[derive(Debug)]
pub(super) struct Column {
    pub(super) number: i32,
    pub(super) name: String,
    pub(super) native: String,
    pub(super) type_oid: i64,
    type_modifier: i32,
    pub(super) required: bool,
    pub(super) generated: bool,
    pub(super) identity: String,
    pub(super) default: Option<(i64, String)>,
    pub(super) collation: Option<String>,
    /// The column's collation, if it takes different texts for equal.
    inexact: Option<String>,
    distinct: Option<u64>,
}

/// A type of the catalog.
#[derive(Debug)]
pub(super) struct Type {
    pub(super) oid: i64,
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) base: i64,
    base_modifier: i32,
    pub(super) element: i64,
    required: bool,
    pub(super) extension: Option<String>,
    pub(super) labels: Vec<String>,
    /// The constraints of a domain: names, and definitions in the same order.
    pub(super) checks: (Vec<String>, Vec<String>),
}

/// A constraint of the catalog.
#[derive(Debug)]
pub(super) struct Constraint {
    pub(super) oid: i64,
    pub(super) table: i64,
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) definition: String,
    deferrable: bool,
    pub(super) validated: bool,
    pub(super) refers: i64,
    pub(super) columns: Vec<i32>,
    refers_columns: Vec<i32>,
    /// A copy of a parent table's constraint.
    pub(super) inherited: bool,
}

/// All that was read of the catalog.
pub(super) struct Described {
    pub(super) tables: BTreeMap<i64, Table>,
    pub(super) types: BTreeMap<i64, Type>,
    pub(super) constraints: Vec<Constraint>,
    /// The entity's table of every table: itself, or the root of its tree.
    pub(super) roots: BTreeMap<i64, i64>,
    pub(super) catalog: ServiceCatalog,
}

pub(super) fn text(row: &PgRow, column: &str) -> String {
    row.try_get(column).unwrap_or_default()
}

pub(super) fn maybe(row: &PgRow, column: &str) -> Option<String> {
    row.try_get(column).unwrap_or_default()
}

pub(super) fn long(row: &PgRow, column: &str) -> i64 {
    row.try_get(column).unwrap_or_default()
}

pub(super) fn flag(row: &PgRow, column: &str) -> bool {
    row.try_get(column).unwrap_or_default()
}

fn int(row: &PgRow, column: &str) -> i32 {
    row.try_get(column).unwrap_or_default()
}

pub(super) async fn identity(connection: &mut PgConnection) -> Result<Identity> {
    // The name is none of it: a database that was renamed is the same one.
    let sql = "SELECT system_identifier::text || ':' || oid::text AS id \
               FROM pg_control_system(), pg_database WHERE datname = current_database()";
    let found = rows(connection, sql).await?;
    Ok(Identity(format!("postgres:{}", found.first().map(|row| text(row, "id")).unwrap_or_default())))
}

/// Describes a database.
pub(super) async fn describe(connection: &mut PgConnection, scope: &Scope) -> Result<Described> {
    let sql = "SELECT current_setting('server_version') AS v, current_setting('server_version_num')::int8 AS n";
    let version = rows(connection, sql).await?;
    let version = version.first().map(|row| (text(row, "v"), long(row, "n"))).unwrap_or_default();
    if version.1 < 120_000 {
        let message = format!("PostgreSQL {} is older than version 12", version.0);
        return Err(Error::new(Class::Input, message).at(Site::service(&scope.service)));
    }
    let identity = identity(connection).await?;
    let mut tables = tables(connection).await?;
    let types = types(connection).await?;
    let constraints = constraints(connection).await?;
    let uniques = uniques(connection).await?;
    let mut roots = trees(&tables);
    let gone: BTreeSet<i64> = roots
        .iter()
        .filter(|(_, root)| {
            let table = &tables[*root];
            table.name == MARKER || excluded(scope, &id(&scope.service, table))
        })
        .map(|(table, _)| *table)
        .collect();
    tables.retain(|oid, _| !gone.contains(oid));
    roots.retain(|oid, _| !gone.contains(oid));

    let mut entities = Vec::new();
    for table in tables.values().filter(|table| roots[&table.oid] == table.oid) {
        let heirs = tables.values().filter(|other| roots[&other.oid] == table.oid).count() > 1;
        let mut entity = entity(scope, table, heirs, &types, &constraints, &uniques)?;
        let tree = tables.values().filter(|other| roots[&other.oid] == table.oid);
        bounds::narrow(&mut entity.fields, tree, table, &types, &constraints);
        let parent = tables.values().any(|other| other.parents.contains(&table.oid));
        if parent && !heirs {
            entity.properties.insert(ONLY.to_owned(), "true".to_owned());
        }
        if table.partition_key.is_some() {
            entity.properties.insert(PARTED.to_owned(), "true".to_owned());
        }
        entities.push(Arc::new(entity));
    }
    let relationships = references(scope, &tables, &roots, &constraints);
    let catalog = ServiceCatalog {
        service: scope.service.clone(),
        kind: Kind::Postgres,
        version: version.0,
        identity,
        entities,
        relationships,
        ddl: Vec::new(),
        parts: vec![Part::Database],
    };
    let mut described = Described { tables, types, constraints, roots, catalog };
    described.catalog.ddl = ddl::statements(connection, &described).await?;
    Ok(described)
}

pub(super) fn id(service: &str, table: &Table) -> EntityId {
    EntityId::table(service, Some(&table.schema), &table.name)
}

async fn tables(connection: &mut PgConnection) -> Result<BTreeMap<i64, Table>> {
    let sql = "SELECT c.oid::int8 AS oid, n.nspname::text AS schema, c.relname::text AS name, c.reltuples::float8 AS estimate, \
               pg_get_partkeydef(c.oid) AS partition_key, pg_get_expr(c.relpartbound, c.oid) AS bound, \
               ARRAY(SELECT i.inhparent::int8 FROM pg_inherits i WHERE i.inhrelid = c.oid ORDER BY i.inhseqno) AS parents \
               FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
               WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname <> 'information_schema' \
               AND n.nspname !~ '^pg_' AND NOT EXISTS (SELECT 1 FROM pg_depend d \
               WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')";
    let mut tables = BTreeMap::new();
    for row in rows(connection, sql).await? {
        let table = Table {
            oid: long(&row, "oid"),
            schema: text(&row, "schema"),
            name: text(&row, "name"),
            partition_key: maybe(&row, "partition_key"),
            bound: maybe(&row, "bound"),
            parents: row.try_get("parents").unwrap_or_default(),
            columns: Vec::new(),
            estimate: row.try_get("estimate").unwrap_or_default(),
        };
        tables.insert(table.oid, table);
    }
    let sql = "SELECT a.attrelid::int8 AS oid, a.attnum::int4 AS number, a.attname::text AS name, \
               format_type(a.atttypid, a.atttypmod) AS native, a.atttypid::int8 AS type_oid, a.atttypmod AS modifier, \
               a.attnotnull AS required, a.attgenerated::text AS generated, a.attidentity::text AS identity, \
               pg_get_expr(d.adbin, d.adrelid) AS expression, d.oid::int8 AS default_oid, \
               CASE WHEN a.attcollation <> t.typcollation THEN quote_ident(cn.nspname) || '.' || quote_ident(co.collname) END \
               AS collation, \
               CASE WHEN to_jsonb(co) ->> 'collisdeterministic' = 'false' THEN co.collname::text END AS inexact \
               FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid \
               LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
               LEFT JOIN pg_collation co ON co.oid = a.attcollation LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace \
               JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p') AND c.oid >= 16384 \
               WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum";
    for row in rows(connection, sql).await? {
        let Some(table) = tables.get_mut(&long(&row, "oid")) else { continue };
        table.columns.push(Column {
            number: int(&row, "number"),
            name: text(&row, "name"),
            native: text(&row, "native"),
            type_oid: long(&row, "type_oid"),
            type_modifier: int(&row, "modifier"),
            required: flag(&row, "required"),
            generated: !text(&row, "generated").is_empty(),
            identity: text(&row, "identity"),
            default: maybe(&row, "expression").map(|expression| (long(&row, "default_oid"), expression)),
            collation: maybe(&row, "collation"),
            inexact: maybe(&row, "inexact"),
            distinct: None,
        });
    }
    statistics(connection, &mut tables).await?;
    Ok(tables)
}

/// How many values columns hold, as `ANALYZE` counted them in a sample; the view also has values, which are not asked for. A number
/// above 0 is one that does not grow with the table.
async fn statistics(connection: &mut PgConnection, tables: &mut BTreeMap<i64, Table>) -> Result<()> {
    let sql = "SELECT c.oid::int8 AS oid, s.attname::text AS name, max(s.n_distinct)::int8 AS n FROM pg_stats s \
               JOIN pg_namespace n ON n.nspname = s.schemaname JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = s.tablename \
               WHERE s.n_distinct > 0 AND c.oid >= 16384 GROUP BY c.oid, s.attname";
    for row in rows(connection, sql).await? {
        let Some(table) = tables.get_mut(&long(&row, "oid")) else { continue };
        let name = text(&row, "name");
        if let Some(column) = table.columns.iter_mut().find(|column| column.name == name) {
            column.distinct = u64::try_from(long(&row, "n")).ok();
        }
    }
    Ok(())
}

async fn types(connection: &mut PgConnection) -> Result<BTreeMap<i64, Type>> {
    let sql = "SELECT t.oid::int8 AS oid, n.nspname::text AS schema, t.typname::text AS name, t.typtype::text AS kind, \
               t.typbasetype::int8 AS base, t.typtypmod AS modifier, \
               CASE WHEN t.typlen = -1 THEN t.typelem::int8 ELSE 0 END AS element, t.typnotnull AS required, \
               (SELECT x.extname::text FROM pg_depend d JOIN pg_extension x ON x.oid = d.refobjid \
                WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e') AS extension, \
               ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder) AS labels, \
               ARRAY(SELECT k.conname::text FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c' ORDER BY k.oid) \
               AS checks, ARRAY(SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k WHERE k.contypid = t.oid \
               AND k.contype = 'c' ORDER BY k.oid) AS definitions \
               FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace";
    let mut types = BTreeMap::new();
    for row in rows(connection, sql).await? {
        let one = Type {
            oid: long(&row, "oid"),
            schema: text(&row, "schema"),
            name: text(&row, "name"),
            kind: text(&row, "kind"),
            base: long(&row, "base"),
            base_modifier: int(&row, "modifier"),
            element: row.try_get("element").unwrap_or_default(),
            required: flag(&row, "required"),
            extension: maybe(&row, "extension"),
            labels: row.try_get("labels").unwrap_or_default(),
            checks: (row.try_get("checks").unwrap_or_default(), row.try_get("definitions").unwrap_or_default()),
        };
        types.insert(one.oid, one);
    }
    Ok(types)
}

async fn constraints(connection: &mut PgConnection) -> Result<Vec<Constraint>> {
    let sql = "SELECT c.oid::int8 AS oid, c.conrelid::int8 AS table, c.conname::text AS name, c.contype::text AS kind, \
               pg_get_constraintdef(c.oid) AS definition, c.condeferrable AS deferrable, c.convalidated AS validated, \
               c.confrelid::int8 AS refers, c.conkey::int4[] AS columns, c.confkey::int4[] AS refers_columns, \
               (c.conparentid <> 0 OR NOT c.conislocal) AS inherited \
               FROM pg_constraint c WHERE c.conrelid >= 16384 AND c.contype IN ('p', 'u', 'x', 'c', 'f') \
               ORDER BY c.conrelid, c.oid";
    let one = |row: PgRow| Constraint {
        oid: long(&row, "oid"),
        table: long(&row, "table"),
        name: text(&row, "name"),
        kind: text(&row, "kind"),
        definition: text(&row, "definition"),
        deferrable: flag(&row, "deferrable"),
        validated: flag(&row, "validated"),
        refers: long(&row, "refers"),
        columns: row.try_get("columns").unwrap_or_default(),
        refers_columns: row.try_get("refers_columns").unwrap_or_default(),
        inherited: flag(&row, "inherited"),
    };
    Ok(rows(connection, sql).await?.into_iter().map(one).collect())
}

/// The columns of unique indexes that are plain: no expression, no predicate.
async fn uniques(connection: &mut PgConnection) -> Result<BTreeMap<i64, Vec<Vec<i32>>>> {
    let sql = "SELECT i.indrelid::int8 AS table, (string_to_array(i.indkey::text, ' ')::int4[])[1:i.indnkeyatts] AS columns \
               FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
               WHERE i.indisunique AND NOT i.indisprimary AND i.indisvalid AND i.indpred IS NULL \
               AND i.indexprs IS NULL AND i.indrelid >= 16384 ORDER BY i.indrelid, c.relname";
    let mut uniques: BTreeMap<i64, Vec<Vec<i32>>> = BTreeMap::new();
    for row in rows(connection, sql).await? {
        uniques.entry(long(&row, "table")).or_default().push(row.try_get("columns").unwrap_or_default());
    }
    Ok(uniques)
}

/// The root of every table's tree. An inheritance tree whose members differ in columns is no tree: each is its own root.
fn trees(tables: &BTreeMap<i64, Table>) -> BTreeMap<i64, i64> {
    let root = |oid: i64| {
        let mut at = oid;
        while let Some(parent) = tables.get(&at).and_then(|table| table.parents.first()) {
            if !tables.contains_key(parent) {
                break;
            }
            at = *parent;
        }
        at
    };
    let mut roots: BTreeMap<i64, i64> = tables.keys().map(|oid| (*oid, root(*oid))).collect();
    let loose: BTreeSet<i64> = tables
        .values()
        .filter(|table| {
            let top = &tables[&roots[&table.oid]];
            let more = table.columns.len() != top.columns.len() || table.parents.len() > 1;
            table.bound.is_none() && !table.parents.is_empty() && more
        })
        .map(|table| roots[&table.oid])
        .collect();
    for (oid, root) in &mut roots {
        if loose.contains(root) {
            *root = *oid;
        }
    }
    roots
}

fn entity(
    scope: &Scope,
    table: &Table,
    heirs: bool,
    types: &BTreeMap<i64, Type>,
    constraints: &[Constraint],
    uniques: &BTreeMap<i64, Vec<Vec<i32>>>,
) -> Result<Entity> {
    let id = id(&scope.service, table);
    let mut fields = Vec::new();
    for column in &table.columns {
        let mut field = field(column, types).ok_or_else(|| {
            let message = format!("the type `{}` can't be carried", column.native);
            Error::new(Class::Input, message).at(Site { field: Some(column.name.clone()), ..Site::entity(&id) })
        })?;
        if let Some(codec) = declared_codec(scope, &id, &column.name) {
            field.codec = Some(codec);
        }
        field.distinct = column.distinct;
        fields.push(field);
    }
    let names = |numbers: &[i32]| -> Vec<String> {
        let name = |number: &i32| table.columns.iter().find(|c| c.number == *number).map(|c| c.name.clone());
        numbers.iter().filter_map(name).collect()
    };
    let primary = constraints.iter().find(|c| c.table == table.oid && c.kind == "p");
    let mut key = primary.map(|c| names(&c.columns)).unwrap_or_default();
    let uniques: Vec<Vec<String>> = uniques.get(&table.oid).into_iter().flatten().map(|u| names(u)).collect();
    if key.is_empty() {
        let required =
            |column: &String| fields.iter().any(|f| f.name == *column && !f.nullable && f.role == Role::Data);
        key = uniques.iter().find(|columns| columns.iter().all(required)).cloned().unwrap_or_default();
    }
    if heirs && table.partition_key.is_none() {
        // A key of the root says nothing about the rows of its heirs; with the leaf it tells more of them apart.
        fields.push(Field::new(LEAF, ValueType::Text, "text").required().coordinate());
        if !key.is_empty() {
            key.push(LEAF.to_owned());
        }
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an estimate, and not negative")]
    let estimate = (table.estimate >= 0.0).then_some(table.estimate as u64);
    Ok(Entity { id, fields, key, uniques, estimate, properties: BTreeMap::new() })
}

/// The type behind domains, its modifier, and whether a domain forbids NULL.
pub(super) fn base_type(mut oid: i64, mut modifier: i32, types: &BTreeMap<i64, Type>) -> Option<(&Type, i32, bool)> {
    let mut required = false;
    loop {
        let found = types.get(&oid)?;
        required |= found.required;
        if found.kind != "d" {
            return Some((found, modifier, required));
        }
        if modifier == -1 {
            modifier = found.base_modifier;
        }
        oid = found.base;
    }
}

fn field(column: &Column, types: &BTreeMap<i64, Type>) -> Option<Field> {
    let (base, modifier, required) = base_type(column.type_oid, column.type_modifier, types)?;
    let value = match base.oid {
        16 => ValueType::Bool,
        21 => ValueType::Int16,
        23 => ValueType::Int32,
        20 => ValueType::Int64,
        700 => ValueType::Float32,
        701 => ValueType::Float64,
        25 | 1043 | 1042 | 19 => ValueType::Text,
        // An XML value behind a domain can't be told from a text by its own type's name.
        142 if column.native == "xml" => ValueType::Text,
        114 | 3802 => ValueType::Json,
        17 => ValueType::Bytes,
        2950 => ValueType::Uuid,
        1082 => ValueType::Date,
        1083 => ValueType::Time,
        1114 => ValueType::Timestamp,
        1184 => ValueType::TimestampUtc,
        1700 => ValueType::Decimal,
        _ if base.kind == "e" => ValueType::Text,
        _ if base.name == "citext" && base.extension.as_deref() == Some("citext") => ValueType::Text,
        _ if base.kind == "p" => return None,
        _ => ValueType::Other,
    };
    let mut field = Field::new(&column.name, value, &column.native);
    field.nullable = !(column.required || required);
    field.max_chars = if matches!(base.oid, 1042 | 1043) { u32::try_from(modifier - 4).ok() } else { None };
    field.range = match value {
        ValueType::Int16 => Some((i16::MIN.into(), i16::MAX.into())),
        ValueType::Int32 => Some((i32::MIN.into(), i32::MAX.into())),
        ValueType::Int64 => Some((i64::MIN, i64::MAX)),
        _ => None,
    };
    if base.kind == "e" {
        field.values = Some(base.labels.clone());
    }
    let own_rule = match value {
        ValueType::Text => base.name == "citext",
        ValueType::Json => true,
        // A month is thirty days, and 1.0 inside of a range or a list is 1.00.
        ValueType::Other => {
            base.name == "interval" || matches!(base.kind.as_str(), "r" | "m" | "c") || base.element != 0
        }
        _ => false,
    };
    field.collation = column.inexact.clone().or_else(|| own_rule.then(|| base.name.clone()));
    if value == ValueType::Json {
        field.codec = Some(Codec::of(Format::Json));
    }
    if column.generated {
        field.role = Role::Generated;
    }
    Some(field)
}

fn references(
    scope: &Scope,
    tables: &BTreeMap<i64, Table>,
    roots: &BTreeMap<i64, i64>,
    constraints: &[Constraint],
) -> Vec<Relationship> {
    let mut found: Vec<Relationship> = Vec::new();
    let end = |table: i64, numbers: &[i32]| -> Option<End> {
        let (own, root) = (tables.get(&table)?, tables.get(roots.get(&table)?)?);
        let name = |number: &i32| own.columns.iter().find(|c| c.number == *number).map(|c| FieldPath::column(&c.name));
        Some(End { entity: id(&scope.service, root), fields: numbers.iter().map(name).collect::<Option<_>>()? })
    };
    // A partition's copy of its root's constraint is the same one.
    for constraint in constraints.iter().filter(|c| c.kind == "f" && !c.inherited) {
        let (Some(child), Some(parent)) =
            (end(constraint.table, &constraint.columns), end(constraint.refers, &constraint.refers_columns))
        else {
            continue;
        };
        if !found.iter().any(|r| r.child == child && r.parent == parent) {
            found.push(Relationship {
                child,
                parent,
                declared: true,
                constraint: Some(constraint.name.clone()),
                deferrable: constraint.deferrable,
                condition: None,
            });
        }
    }
    found
}
