//! What a file holds, from its own catalog.
//!
//! Hidden here: `sqlite_schema` and the `PRAGMA table_…` functions. Views, virtual tables and their shadow tables hold
//! nothing of their own that could be carried, and are left out.

use std::collections::BTreeMap;
use std::sync::Arc;

use reenact_model::catalog::{Ddl, End, Phase, Role, Scope};
use reenact_model::{Entity, EntityId, Field, FieldPath, Kind, Part, Relationship, Result, ServiceCatalog, ValueType};
use sqlparser::ast::{ColumnOption, Ident, Statement, TableConstraint};
use sqlparser::dialect::SQLiteDialect;
use sqlparser::parser::Parser;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{Database, quote};
use crate::MARKER;
use crate::sql::checks;

fn text(row: &SqliteRow, column: &str) -> String {
    row.try_get(column).unwrap_or_default()
}

fn number(row: &SqliteRow, column: &str) -> i64 {
    row.try_get(column).unwrap_or_default()
}

/// Describes the main database of a file.
pub(super) async fn catalog(database: &Database, scope: &Scope) -> Result<ServiceCatalog> {
    let estimates = estimates(database).await?;
    let tables = database
        .rows(
            "SELECT l.name, l.wr, l.strict, s.sql FROM pragma_table_list l \
             JOIN sqlite_schema s ON s.type = 'table' AND s.name = l.name \
             WHERE l.schema = 'main' AND l.type = 'table' AND l.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY s.rowid"
                .to_owned(),
            &[],
        )
        .await?;
    let (mut entities, mut ddl) = (Vec::new(), Vec::new());
    for row in &tables {
        let name = text(row, "name");
        let id = EntityId::table(&scope.service, None, &name);
        if name == MARKER || super::super::excluded(scope, &id) {
            continue;
        }
        let strict_keys = number(row, "wr") != 0;
        let mut entity = entity(database, scope, id.clone(), &name, strict_keys).await?;
        narrow(&mut entity.fields, &text(row, "sql"));
        entity.estimate = estimates.get(&name).copied();
        ddl.push(Ddl { phase: Phase::Before, entity: Some(id.clone()), statement: text(row, "sql") });
        for index in database
            .rows(
                "SELECT sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = ?1 AND sql IS NOT NULL".to_owned(),
                &[&name],
            )
            .await?
        {
            let statement = text(&index, "sql").replacen(" INDEX ", " INDEX IF NOT EXISTS ", 1);
            ddl.push(Ddl { phase: Phase::After, entity: Some(id.clone()), statement });
        }
        entities.push(Arc::new(entity));
    }
    let mut relationships = Vec::new();
    for child in &entities {
        relationships.extend(references(database, child, &entities).await?);
    }
    let version = database.rows("SELECT sqlite_version() AS v".to_owned(), &[]).await?;
    Ok(ServiceCatalog {
        service: scope.service.clone(),
        kind: Kind::Sqlite,
        version: version.first().map(|row| text(row, "v")).unwrap_or_default(),
        identity: database.identity()?,
        entities,
        relationships,
        ddl,
        parts: vec![Part::Database],
    })
}

/// What the statement that made a table says in its checks; no pragma tells it.
fn narrow(fields: &mut [Field], statement: &str) {
    let dialect = SQLiteDialect {};
    let parsed = Parser::parse_sql(&dialect, statement).ok();
    let Some([Statement::CreateTable(table)]) = parsed.as_deref() else {
        // What can't be parsed, and has a check, may bind any column.
        if checks::mentions(&dialect, statement, "check") {
            for field in fields {
                checks::remember(field, "CHECK");
            }
        }
        return;
    };
    let name = |name: Option<&Ident>| name.map_or_else(|| "CHECK".to_owned(), |name| name.value.clone());
    let of_columns =
        table.columns.iter().flat_map(|column| &column.options).filter_map(|option| match &option.option {
            ColumnOption::Check(check) => Some((name(option.name.as_ref().or(check.name.as_ref())), &check.expr)),
            _ => None,
        });
    let of_table = table.constraints.iter().filter_map(|constraint| match constraint {
        TableConstraint::Check(check) => Some((name(check.name.as_ref()), &check.expr)),
        _ => None,
    });
    for (name, expression) in of_columns.chain(of_table) {
        checks::narrow(fields, &dialect, (&name, &expression.to_string()), None);
    }
}

async fn estimates(database: &Database) -> Result<BTreeMap<String, u64>> {
    let there = database.rows("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat1'".to_owned(), &[]).await?;
    let mut estimates = BTreeMap::new();
    if !there.is_empty() {
        for row in database.rows("SELECT tbl, stat FROM sqlite_stat1".to_owned(), &[]).await? {
            if let Some(rows) = text(&row, "stat").split(' ').next().and_then(|n| n.parse().ok()) {
                estimates.insert(text(&row, "tbl"), rows);
            }
        }
    }
    Ok(estimates)
}

async fn entity(database: &Database, scope: &Scope, id: EntityId, name: &str, strict_keys: bool) -> Result<Entity> {
    let columns = database.rows("SELECT * FROM pragma_table_xinfo(?1) ORDER BY cid".to_owned(), &[name]).await?;
    let (mut fields, mut key) = (Vec::new(), Vec::new());
    let key_columns = columns.iter().filter(|row| number(row, "pk") > 0).count();
    for row in &columns {
        let (column, native, pk) = (text(row, "name"), text(row, "type"), number(row, "pk"));
        let mut field = Field::new(&column, ValueType::Tagged, &native);
        let rowid = pk > 0 && key_columns == 1 && native.eq_ignore_ascii_case("integer");
        field.nullable = number(row, "notnull") == 0 && !(pk > 0 && (strict_keys || rowid));
        if matches!(number(row, "hidden"), 2 | 3) {
            field.role = Role::Generated;
        }
        field.codec = super::super::declared_codec(scope, &id, &column);
        if pk > 0 {
            key.push((pk, column));
        }
        fields.push(field);
    }
    for field in fields.iter_mut().filter(|field| field.role != Role::Generated) {
        field.collation = collation(database, name, &field.name).await?;
    }
    key.sort();
    let mut key: Vec<String> = key.into_iter().map(|(_, column)| column).collect();
    let mut uniques = Vec::new();
    let indexes = database.rows("SELECT * FROM pragma_index_list(?1) ORDER BY seq DESC".to_owned(), &[name]).await?;
    for index in indexes {
        if number(&index, "unique") == 0 || number(&index, "partial") != 0 || text(&index, "origin") == "pk" {
            continue;
        }
        let index = text(&index, "name");
        let parts =
            database.rows("SELECT cid, name FROM pragma_index_info(?1) ORDER BY seqno".to_owned(), &[&index]).await?;
        if parts.iter().all(|part| number(part, "cid") >= 0) {
            uniques.push(parts.iter().map(|part| text(part, "name")).collect::<Vec<_>>());
        }
    }
    if key.is_empty() {
        let required =
            |column: &String| fields.iter().any(|f| f.name == *column && !f.nullable && f.role == Role::Data);
        key = uniques.iter().find(|columns| columns.iter().all(required)).cloned().unwrap_or_default();
    }
    Ok(Entity { id, fields, key, uniques, estimate: None, properties: BTreeMap::new() })
}

/// A column's collation, if it takes different texts for equal. No pragma tells it; what the library would sort by does
/// (the fourth operand of the sorter that it opens, <https://sqlite.org/opcode.html#SorterOpen>).
async fn collation(database: &Database, table: &str, column: &str) -> Result<Option<String>> {
    let sql = format!("EXPLAIN SELECT 1 FROM {} ORDER BY +{}", quote(table), quote(column));
    let program = database.rows(sql, &[]).await?;
    let sorter = program.iter().find(|row| text(row, "opcode") == "SorterOpen").map(|row| text(row, "p4"));
    // `k(2,NOCASE,)`: the first is of the first term of the order.
    let first = sorter.as_deref().and_then(|key| key.split_once(',')).map(|(_, rest)| rest);
    let first = first.map(|rest| rest.split([',', ')']).next().unwrap_or_default().trim_start_matches('-').to_owned());
    Ok(first.filter(|name| !matches!(name.as_str(), "" | "B" | "BINARY")))
}

async fn references(database: &Database, child: &Entity, entities: &[Arc<Entity>]) -> Result<Vec<Relationship>> {
    let name = child.id.parts().pop().unwrap_or_default();
    let rows =
        database.rows("SELECT * FROM pragma_foreign_key_list(?1) ORDER BY id DESC, seq".to_owned(), &[&name]).await?;
    let mut found: Vec<(i64, Relationship)> = Vec::new();
    for row in rows {
        let table = text(&row, "table");
        let parent =
            entities.iter().find(|e| e.id.parts().pop().is_some_and(|parent| parent.eq_ignore_ascii_case(&table)));
        let Some(parent) = parent else { continue };
        let (id, seq) = (number(&row, "id"), usize::try_from(number(&row, "seq")).unwrap_or_default());
        let to: Option<String> = row.try_get("to").unwrap_or_default();
        let Some(to) = to.or_else(|| parent.key.get(seq).cloned()) else { continue };
        // SQLite compares names without case; a catalog names each column as it is declared.
        let spelt = |entity: &Entity, column: &str| {
            let field = entity.fields.iter().find(|field| field.name.eq_ignore_ascii_case(column));
            field.map(|field| FieldPath::column(&field.name))
        };
        let (Some(from), Some(to)) = (spelt(child, &text(&row, "from")), spelt(parent, &to)) else { continue };
        match found.last_mut() {
            Some((last, relationship)) if *last == id => {
                relationship.child.fields.push(from);
                relationship.parent.fields.push(to);
            }
            _ => found.push((
                id,
                Relationship {
                    child: End { entity: child.id.clone(), fields: vec![from] },
                    parent: End { entity: parent.id.clone(), fields: vec![to] },
                    declared: true,
                    constraint: None,
                    deferrable: false,
                    condition: None,
                },
            )),
        }
    }
    Ok(found.into_iter().map(|(_, relationship)| relationship).collect())
}
