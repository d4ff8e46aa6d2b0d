//! Statements that make the same schema in an empty database, for an owner without superuser rights.
//!
//! Hidden here: what depends on what. Functions, triggers and views are not carried, and so neither is a default, check,
//! generated expression or index that calls a function of the user's. Keys, indexes and references are made after the rows.
//! Names and expressions come from the server already quoted (`pg_get_…def`), or are quoted here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use reenact_model::catalog::{Ddl, Phase};
use reenact_model::{EntityId, Result};
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};

use super::describe::{Constraint, Described, Table, flag, id, long, maybe, text};
use super::{literal, quote, rows};

/// What expressions depend on.
#[derive(Default)]
struct Uses {
    /// Defaults, constraints and indexes (by catalog and oid) that call what is not carried.
    blocked: BTreeSet<(String, i64)>,
    extensions: BTreeSet<String>,
}

impl Uses {
    fn blocks(&self, catalog: &str, oid: i64) -> bool {
        self.blocked.contains(&(catalog.to_owned(), oid))
    }
}

/// All statements, in order.
pub(super) async fn statements(connection: &mut PgConnection, described: &Described) -> Result<Vec<Ddl>> {
    let mut uses = uses(connection).await?;
    let types = user_types(connection, described, &mut uses).await?;
    let sequences = sequences(connection).await?;
    let mut out = Vec::new();
    let mut before = |statement: String, entity: Option<EntityId>| {
        out.push(Ddl { phase: Phase::Before, entity, statement });
    };
    for schema in schemas(connection).await? {
        let make = format!("CREATE SCHEMA {}", quote(&schema));
        before(block(&format!("IF to_regnamespace({}) IS NULL THEN {make}; END IF;", literal(&quote(&schema)))), None);
    }
    for (name, schema) in extensions(connection, &uses.extensions).await? {
        before(format!("CREATE EXTENSION IF NOT EXISTS {} WITH SCHEMA {}", quote(&name), quote(&schema)), None);
    }
    for statement in collations(connection).await?.into_iter().chain(types) {
        before(block(&format!("{statement}; EXCEPTION WHEN duplicate_object THEN NULL;")), None);
    }
    for sequence in sequences.iter().filter(|s| !s.internal) {
        before(format!("CREATE SEQUENCE IF NOT EXISTS {} {}", sequence.name, sequence.options), None);
    }
    for table in in_order(described) {
        before(create_table(described, &uses, &sequences, table), entity_of(described, table.oid));
    }
    for sequence in sequences.iter().filter(|s| !s.internal) {
        let Some((oid, column)) = &sequence.owner else { continue };
        if let Some(table) = described.tables.get(oid) {
            let owner = format!("{}.{}", name(table), quote(column));
            before(format!("ALTER SEQUENCE {} OWNED BY {owner}", sequence.name), entity_of(described, *oid));
        }
    }
    after(connection, described, &uses, &mut out).await?;
    Ok(out)
}

/// Keys, indexes and late checks first, references last.
async fn after(connection: &mut PgConnection, described: &Described, uses: &Uses, out: &mut Vec<Ddl>) -> Result<()> {
    let mut after = |oid: i64, statement: String| {
        if let Some(entity) = entity_of(described, oid) {
            out.push(Ddl { phase: Phase::After, entity: Some(entity), statement });
        }
    };
    let add = |table: &Table, constraint: &Constraint| {
        let definition = &constraint.definition;
        format!("ALTER TABLE {} ADD CONSTRAINT {} {definition}", name(table), quote(&constraint.name))
    };
    let own = |kinds: &'static str| {
        described.constraints.iter().filter(move |c| kinds.contains(c.kind.as_str()) && !c.inherited)
    };
    // Checks that hold for all rows stand in the table itself.
    for constraint in own("pux").chain(own("c").filter(|c| !c.validated)) {
        let Some(table) = described.tables.get(&constraint.table) else { continue };
        if !uses.blocks("pg_constraint", constraint.oid) {
            after(table.oid, add(table, constraint));
        }
    }
    for (oid, table, definition) in indexes(connection).await? {
        if described.tables.contains_key(&table) && !uses.blocks("pg_class", oid) {
            after(table, definition);
        }
    }
    for constraint in own("f") {
        let Some(table) = described.tables.get(&constraint.table) else { continue };
        if described.tables.contains_key(&constraint.refers) {
            after(table.oid, add(table, constraint));
        }
    }
    Ok(())
}

fn entity_of(described: &Described, oid: i64) -> Option<EntityId> {
    let root = described.tables.get(described.roots.get(&oid)?)?;
    Some(id(&described.catalog.service, root))
}

fn name(table: &Table) -> String {
    format!("{}.{}", quote(&table.schema), quote(&table.name))
}

/// An anonymous block; its quotes are chosen so that the text within can't end it.
fn block(body: &str) -> String {
    let mut tag = "reenact".to_owned();
    while body.contains(&tag) {
        tag.push('x');
    }
    format!("DO ${tag}$ BEGIN {body} END ${tag}$")
}

/// Parents before children.
fn in_order(described: &Described) -> Vec<&Table> {
    let (mut out, mut done): (Vec<&Table>, BTreeSet<i64>) = (Vec::new(), BTreeSet::new());
    while out.len() < described.tables.len() {
        let ready = |table: &&Table| {
            let waits = |parent: &i64| described.tables.contains_key(parent) && !done.contains(parent);
            !done.contains(&table.oid) && !table.parents.iter().any(waits)
        };
        let next: Vec<&Table> = described.tables.values().filter(ready).collect();
        if next.is_empty() {
            break;
        }
        done.extend(next.iter().map(|table| table.oid));
        out.extend(next);
    }
    out
}

fn create_table(described: &Described, uses: &Uses, sequences: &[Sequence], table: &Table) -> String {
    let mut parts = Vec::new();
    if table.bound.is_none() {
        parts.extend(table.columns.iter().map(|column| column_part(uses, sequences, table, column)));
    }
    let own = |c: &&Constraint| c.table == table.oid && c.kind == "c" && c.validated && !c.inherited;
    for check in described.constraints.iter().filter(own) {
        if !uses.blocks("pg_constraint", check.oid) {
            parts.push(format!("CONSTRAINT {} {}", quote(&check.name), check.definition));
        }
    }
    let parents: Vec<String> = table.parents.iter().filter_map(|p| described.tables.get(p)).map(name).collect();
    let mut out = format!("CREATE TABLE {}", name(table));
    if let (Some(bound), Some(parent)) = (&table.bound, parents.first()) {
        let _ = write!(out, " PARTITION OF {parent}");
        if !parts.is_empty() {
            let _ = write!(out, " ({})", parts.join(", "));
        }
        let _ = write!(out, " {bound}");
    } else {
        let _ = write!(out, " ({})", parts.join(", "));
        if !parents.is_empty() {
            let _ = write!(out, " INHERITS ({})", parents.join(", "));
        }
    }
    if let Some(key) = &table.partition_key {
        let _ = write!(out, " PARTITION BY {key}");
    }
    out
}

fn column_part(uses: &Uses, sequences: &[Sequence], table: &Table, column: &super::describe::Column) -> String {
    let mut part = format!("{} {}", quote(&column.name), column.native);
    if let Some(collation) = &column.collation {
        let _ = write!(part, " COLLATE {collation}");
    }
    if let Some((oid, expression)) = &column.default
        && !uses.blocks("pg_attrdef", *oid)
    {
        if column.generated {
            let _ = write!(part, " GENERATED ALWAYS AS ({expression}) STORED");
        } else {
            let _ = write!(part, " DEFAULT {expression}");
        }
    }
    if !column.identity.is_empty() {
        let how = if column.identity == "a" { "ALWAYS" } else { "BY DEFAULT" };
        let _ = write!(part, " GENERATED {how} AS IDENTITY");
        let own =
            |s: &&Sequence| s.internal && s.owner.as_ref().is_some_and(|o| o.0 == table.oid && o.1 == column.name);
        if let Some(sequence) = sequences.iter().find(own) {
            // An identity's sequence has its column's type.
            let options = sequence.options.find("INCREMENT").map_or("", |at| &sequence.options[at..]);
            let _ = write!(part, " (SEQUENCE NAME {} {options})", sequence.name);
        }
    }
    if column.required {
        part.push_str(" NOT NULL");
    }
    part
}

async fn uses(connection: &mut PgConnection) -> Result<Uses> {
    let sql = "SELECT DISTINCT d.classid::regclass::text AS class, d.objid::int8 AS oid, x.extname::text AS extension \
               FROM pg_depend d \
               LEFT JOIN pg_depend e ON e.classid = d.refclassid AND e.objid = d.refobjid AND e.deptype = 'e' \
               LEFT JOIN pg_extension x ON x.oid = e.refobjid \
               WHERE d.classid IN ('pg_attrdef'::regclass, 'pg_constraint'::regclass, 'pg_class'::regclass) \
               AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_opclass'::regclass) \
               AND d.refobjid >= 16384 \
               AND (d.classid <> 'pg_class'::regclass OR d.objid IN (SELECT indexrelid FROM pg_index WHERE indrelid >= 16384))";
    let mut uses = Uses::default();
    for row in rows(connection, sql).await? {
        match maybe(&row, "extension") {
            Some(extension) => {
                uses.extensions.insert(extension);
            }
            None => {
                uses.blocked.insert((text(&row, "class"), long(&row, "oid")));
            }
        }
    }
    Ok(uses)
}

async fn schemas(connection: &mut PgConnection) -> Result<Vec<String>> {
    let sql = "SELECT nspname::text AS name FROM pg_namespace n WHERE nspname !~ '^pg_' \
               AND nspname NOT IN ('information_schema', 'public') ORDER BY n.oid";
    Ok(rows(connection, sql).await?.iter().map(|row| text(row, "name")).collect())
}

async fn extensions(connection: &mut PgConnection, wanted: &BTreeSet<String>) -> Result<Vec<(String, String)>> {
    let sql = "SELECT x.extname::text AS name, n.nspname::text AS schema FROM pg_extension x \
               JOIN pg_namespace n ON n.oid = x.extnamespace ORDER BY x.oid";
    let found = rows(connection, sql).await?;
    let pairs = found.iter().map(|row| (text(row, "name"), text(row, "schema")));
    Ok(pairs.filter(|(name, _)| wanted.contains(name)).collect())
}

async fn collations(connection: &mut PgConnection) -> Result<Vec<String>> {
    // The columns of `pg_collation` differ between versions: ICU locales moved in 15 and in 17.
    let sql = "SELECT n.nspname::text AS schema, c.collname::text AS name, c.collprovider::text AS provider, \
               c.collisdeterministic AS deterministic, coalesce(to_jsonb(c) ->> 'colllocale', \
               to_jsonb(c) ->> 'colliculocale', c.collcollate::text) AS locale \
               FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace \
               WHERE c.oid >= 16384 AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY c.oid";
    let one = |row: &PgRow| {
        let provider = if text(row, "provider") == "i" { "icu" } else { "libc" };
        let deterministic = if flag(row, "deterministic") { "" } else { ", deterministic = false" };
        let name = format!("{}.{}", quote(&text(row, "schema")), quote(&text(row, "name")));
        let locale = literal(&text(row, "locale"));
        format!("CREATE COLLATION {name} (provider = {provider}, locale = {locale}{deterministic})")
    };
    Ok(rows(connection, sql).await?.iter().map(one).collect())
}

/// Enumerations, domains, composite types and ranges of the user's, each after what it is made of.
async fn user_types(connection: &mut PgConnection, described: &Described, uses: &mut Uses) -> Result<Vec<String>> {
    let sql = "SELECT t.oid::int8 AS oid, CASE t.typtype \
               WHEN 'd' THEN format_type(t.typbasetype, t.typtypmod) || coalesce(' DEFAULT ' || t.typdefault, '') \
                 || CASE WHEN t.typnotnull THEN ' NOT NULL' ELSE '' END \
               WHEN 'c' THEN (SELECT string_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod), ', ' \
                 ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) \
               WHEN 'r' THEN (SELECT 'SUBTYPE = ' || format_type(r.rngsubtype, NULL) FROM pg_range r WHERE r.rngtypid = t.oid) \
               END AS body, \
               ARRAY(SELECT a.atttypid::int8 FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 \
                 AND NOT a.attisdropped) || ARRAY(SELECT r.rngsubtype::int8 FROM pg_range r WHERE r.rngtypid = t.oid) \
                 || t.typbasetype::int8 AS parts, \
               ARRAY(SELECT 'CONSTRAINT ' || quote_ident(c.conname) || ' ' || pg_get_constraintdef(c.oid) FROM pg_constraint c \
                 WHERE c.contypid = t.oid AND c.contype = 'c' AND NOT EXISTS (SELECT 1 FROM pg_depend d \
                 WHERE d.classid = 'pg_constraint'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_proc'::regclass \
                 AND d.refobjid >= 16384) ORDER BY c.conname) AS checks \
               FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid \
               WHERE t.oid >= 16384 AND t.typtype IN ('e', 'd', 'c', 'r') AND n.nspname !~ '^pg_' \
               AND n.nspname <> 'information_schema' AND (t.typtype <> 'c' OR c.relkind = 'c') ORDER BY t.oid";
    let mut waiting: BTreeMap<i64, (Vec<i64>, String)> = BTreeMap::new();
    for row in rows(connection, sql).await? {
        let oid = long(&row, "oid");
        let Some(one) = described.types.get(&oid).filter(|one| one.extension.is_none()) else { continue };
        let name = format!("{}.{}", quote(&one.schema), quote(&one.name));
        let body = text(&row, "body");
        let checks: Vec<String> = row.try_get("checks").unwrap_or_default();
        let statement = match one.kind.as_str() {
            "e" => {
                let labels: Vec<String> = one.labels.iter().map(|label| literal(label)).collect();
                format!("CREATE TYPE {name} AS ENUM ({})", labels.join(", "))
            }
            "d" => format!("CREATE DOMAIN {name} AS {body} {}", checks.join(" ")),
            "c" => format!("CREATE TYPE {name} AS ({body})"),
            _ => format!("CREATE TYPE {name} AS RANGE ({body})"),
        };
        waiting.insert(oid, (row.try_get("parts").unwrap_or_default(), statement));
    }
    // An array's element counts, not the array.
    let element =
        |oid: i64| described.types.get(&oid).map_or(oid, |one| if one.element == 0 { oid } else { one.element });
    let columns = described.tables.values().flat_map(|table| &table.columns).map(|column| column.type_oid);
    for oid in columns.chain(waiting.values().flat_map(|(parts, _)| parts.clone())) {
        for oid in [oid, element(oid)] {
            uses.extensions.extend(described.types.get(&oid).and_then(|one| one.extension.clone()));
        }
    }
    let mut out = Vec::new();
    while !waiting.is_empty() {
        let ready: Vec<i64> = waiting
            .iter()
            .filter(|(_, (parts, _))| !parts.iter().any(|part| waiting.contains_key(&element(*part))))
            .map(|(oid, _)| *oid)
            .collect();
        if ready.is_empty() {
            break;
        }
        out.extend(ready.iter().filter_map(|oid| waiting.remove(oid)).map(|(_, statement)| statement));
    }
    Ok(out)
}

/// A sequence, its options, and the column that owns it.
struct Sequence {
    name: String,
    options: String,
    internal: bool,
    owner: Option<(i64, String)>,
}

async fn sequences(connection: &mut PgConnection) -> Result<Vec<Sequence>> {
    let sql = "SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name, \
               'AS ' || format_type(s.seqtypid, NULL) || ' INCREMENT BY ' || s.seqincrement || ' MINVALUE ' || s.seqmin \
               || ' MAXVALUE ' || s.seqmax || ' START WITH ' || s.seqstart || ' CACHE ' || s.seqcache \
               || CASE WHEN s.seqcycle THEN ' CYCLE' ELSE '' END AS options, \
               d.deptype = 'i' AS internal, d.refobjid::int8 AS owner, a.attname::text AS column \
               FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
               LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid \
               AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') \
               LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid \
               WHERE c.relpersistence <> 't' AND NOT EXISTS (SELECT 1 FROM pg_depend e WHERE e.classid = 'pg_class'::regclass \
               AND e.objid = c.oid AND e.deptype = 'e') ORDER BY c.oid";
    let one = |row: &PgRow| Sequence {
        name: text(row, "name"),
        options: text(row, "options"),
        internal: flag(row, "internal"),
        owner: maybe(row, "column").map(|column| (long(row, "owner"), column)),
    };
    Ok(rows(connection, sql).await?.iter().map(one).collect())
}

/// Indexes that no constraint and no partitioned index brings along.
async fn indexes(connection: &mut PgConnection) -> Result<Vec<(i64, i64, String)>> {
    let sql = "SELECT i.indexrelid::int8 AS oid, i.indrelid::int8 AS table, pg_get_indexdef(i.indexrelid) AS definition \
               FROM pg_index i WHERE i.indrelid >= 16384 AND i.indisvalid \
               AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.contype IN ('p', 'u', 'x')) \
               AND NOT EXISTS (SELECT 1 FROM pg_inherits h WHERE h.inhrelid = i.indexrelid) ORDER BY i.indexrelid";
    let one = |row: &PgRow| {
        let definition = text(row, "definition");
        let definition = definition.replacen(" INDEX ", " INDEX IF NOT EXISTS ", 1).replacen(" ON ONLY ", " ON ", 1);
        (long(row, "oid"), long(row, "table"), definition)
    };
    Ok(rows(connection, sql).await?.iter().map(one).collect())
}
