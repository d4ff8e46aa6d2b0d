//! What a database holds, from `information_schema` and `SHOW CREATE TABLE`.
//!
//! Hidden here: which types have an Arrow form, and how a table's statement is parted from its foreign keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use reenact_model::catalog::{Ddl, End, Identity, Phase, Role, Scope};
use reenact_model::payload::{Codec, Format};
use reenact_model::{
    Class, Entity, EntityId, Error, Field, FieldPath, Kind, Part, Relationship, Result, ServiceCatalog, Site, ValueType,
};
use sqlparser::dialect::MySqlDialect;

use super::{Database, Texts, quote};
use crate::MARKER;
use crate::sql::{checks, declared_codec, excluded, table_name};

fn text(row: &Texts, at: usize) -> String {
    row.get(at).cloned().flatten().unwrap_or_default()
}

/// What tells this database from every other.
pub(super) async fn identity(database: &Database) -> Result<Identity> {
    let sql = "SHOW VARIABLES WHERE Variable_name IN ('server_uuid', 'server_uid', 'hostname', 'port', 'datadir')";
    let found: BTreeMap<String, String> =
        database.texts(sql).await?.iter().map(|row| (text(row, 0), text(row, 1))).collect();
    let name = database.texts("SELECT DATABASE()").await?;
    let get = |key: &str| found.get(key).cloned().unwrap_or_default();
    // Copies of a data folder share their UUID; two servers never share host, port and folder.
    let server =
        format!("{}{}:{}:{}:{}", get("server_uuid"), get("server_uid"), get("hostname"), get("port"), get("datadir"));
    Ok(Identity(format!("mysql:{server}:{}", name.first().map(|row| text(row, 0)).unwrap_or_default())))
}

/// Describes the current database.
pub(super) async fn catalog(database: &Database, scope: &Scope) -> Result<ServiceCatalog> {
    let version = database.texts("SELECT VERSION()").await?;
    let version = version.first().map(|row| text(row, 0)).unwrap_or_default();
    let tables = "SELECT TABLE_NAME, TABLE_ROWS FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() \
                  AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') ORDER BY TABLE_NAME";
    let checked = checks_of(database).await;
    let keys = keys(database).await?;
    let columns = columns(database).await?;
    let cardinalities = cardinalities(database).await?;
    let (mut entities, mut ddl, mut after) = (Vec::new(), Vec::new(), Vec::new());
    for row in database.texts(tables).await? {
        let name = text(&row, 0);
        let id = EntityId::table(&scope.service, None, &name);
        if name == MARKER || excluded(scope, &id) {
            continue;
        }
        let of_table = checked.get(&name).map_or(&[][..], Vec::as_slice);
        let mut fields = Vec::new();
        for column in columns.get(&name).into_iter().flatten() {
            let json = of_table.iter().any(|(_, clause)| json_column(clause).is_some_and(|c| c == text(column, 1)));
            let mut field = field(column, json).ok_or_else(|| {
                let message = format!("the type `{}` can't be carried", text(column, 3));
                Error::new(Class::Input, message).at(Site { field: Some(text(column, 1)), ..Site::entity(&id) })
            })?;
            if let Some(codec) = declared_codec(scope, &id, &field.name) {
                field.codec = Some(codec);
            }
            let rows: u64 = text(&row, 1).parse().unwrap_or_default();
            // A number that grows with the table tells only how large the table is.
            let counted = cardinalities.get(&(name.clone(), field.name.clone())).copied();
            field.distinct = counted.filter(|counted| *counted > 0 && counted.saturating_mul(10) <= rows);
            fields.push(field);
        }
        for (constraint, clause) in of_table.iter().filter(|(_, clause)| json_column(clause).is_none()) {
            checks::narrow(&mut fields, &MySqlDialect {}, (constraint, clause), None);
        }
        let (mut key, uniques) = keys.get(&name).cloned().unwrap_or_default();
        if key.is_empty() {
            let required =
                |column: &String| fields.iter().any(|f| f.name == *column && !f.nullable && f.role == Role::Data);
            key = uniques.iter().find(|columns| columns.iter().all(required)).cloned().unwrap_or_default();
        }
        let statement = database.texts(&format!("SHOW CREATE TABLE {}", quote(&name))).await?;
        let (create, references) = split(&statement.first().map(|row| text(row, 1)).unwrap_or_default());
        ddl.push(Ddl { phase: Phase::Before, entity: Some(id.clone()), statement: create });
        after.extend(references.iter().map(|reference| Ddl {
            phase: Phase::After,
            entity: Some(id.clone()),
            statement: format!("ALTER TABLE {} ADD {reference}", quote(&name)),
        }));
        let estimate = text(&row, 1).parse().ok();
        entities.push(Arc::new(Entity { id, fields, key, uniques, estimate, properties: BTreeMap::new() }));
    }
    ddl.append(&mut after);
    let relationships = references(database, &entities).await?;
    // A reference to a table that was left out can't be made.
    let left = |ddl: &Ddl| {
        ddl.phase == Phase::Before
            || relationships.iter().any(|r| {
                ddl.entity.as_ref() == Some(&r.child.entity)
                    && r.constraint
                        .as_ref()
                        .is_some_and(|c| ddl.statement.contains(&format!("CONSTRAINT {} ", quote(c))))
            })
    };
    ddl.retain(left);
    Ok(ServiceCatalog {
        service: scope.service.clone(),
        kind: Kind::Mysql,
        version,
        identity: identity(database).await?,
        entities,
        relationships,
        ddl,
        parts: vec![Part::Database],
    })
}

/// A table's statement without its foreign keys and its counter, and the foreign keys.
fn split(statement: &str) -> (String, Vec<String>) {
    let (mut kept, mut references): (Vec<&str>, Vec<String>) = (Vec::new(), Vec::new());
    for line in statement.lines() {
        if line.starts_with("  CONSTRAINT `") && line.contains("` FOREIGN KEY (") {
            references.push(line.trim().trim_end_matches(',').to_owned());
        } else {
            kept.push(line);
        }
    }
    let mut out = String::new();
    for (n, line) in kept.iter().enumerate() {
        let last = kept.get(n + 1).is_some_and(|next| next.starts_with(')'));
        let line = if last { line.trim_end_matches(',') } else { line };
        if n > 0 {
            out.push('\n');
        }
        // The counter of a table tells how much business there was; the target makes its own.
        match line.split_once(" AUTO_INCREMENT=").filter(|_| line.starts_with(')')) {
            Some((before, rest)) => {
                out.push_str(before);
                out.push_str(rest.trim_start_matches(|c: char| c.is_ascii_digit()));
            }
            None => out.push_str(line),
        }
    }
    (out, references)
}

/// The columns of every table: table, column, data type, full type, nullable, characters, generated, character set, extra,
/// collation.
async fn columns(database: &Database) -> Result<BTreeMap<String, Vec<Texts>>> {
    let sql = "SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, IS_NULLABLE, CHARACTER_MAXIMUM_LENGTH, \
               COALESCE(GENERATION_EXPRESSION, ''), COALESCE(CHARACTER_SET_NAME, ''), EXTRA, COALESCE(COLLATION_NAME, '') \
               FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME, ORDINAL_POSITION";
    let mut columns: BTreeMap<String, Vec<Texts>> = BTreeMap::new();
    for row in database.texts(sql).await? {
        columns.entry(text(&row, 0)).or_default().push(row);
    }
    Ok(columns)
}

/// How many values columns hold, as the server counted them for its indexes; no value is asked for.
async fn cardinalities(database: &Database) -> Result<BTreeMap<(String, String), u64>> {
    let sql = "SELECT TABLE_NAME, COLUMN_NAME, MAX(CARDINALITY) FROM information_schema.STATISTICS \
               WHERE TABLE_SCHEMA = DATABASE() AND SEQ_IN_INDEX = 1 AND SUB_PART IS NULL AND COLUMN_NAME IS NOT NULL \
               GROUP BY TABLE_NAME, COLUMN_NAME";
    let found = database.texts(sql).await?;
    Ok(found.iter().filter_map(|row| Some(((text(row, 0), text(row, 1)), text(row, 2).parse().ok()?))).collect())
}

/// The checks of every table, by name and clause.
async fn checks_of(database: &Database) -> BTreeMap<String, Vec<(String, String)>> {
    // MySQL tells the table elsewhere, escapes quotes, and has checks that are not enforced; MariaDB has none of this.
    let mariadb = "SELECT TABLE_NAME, CONSTRAINT_NAME, CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS \
                   WHERE CONSTRAINT_SCHEMA = DATABASE() ORDER BY TABLE_NAME, CONSTRAINT_NAME";
    let mysql = "SELECT t.TABLE_NAME, c.CONSTRAINT_NAME, c.CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS c \
                 JOIN information_schema.TABLE_CONSTRAINTS t \
                 ON t.CONSTRAINT_SCHEMA = c.CONSTRAINT_SCHEMA AND t.CONSTRAINT_NAME = c.CONSTRAINT_NAME \
                 WHERE c.CONSTRAINT_SCHEMA = DATABASE() AND t.CONSTRAINT_TYPE = 'CHECK' AND t.ENFORCED = 'YES' \
                 ORDER BY t.TABLE_NAME, c.CONSTRAINT_NAME";
    let (found, escaped) = match database.texts(mariadb).await {
        Ok(found) => (found, false),
        // Servers before MySQL 8.0.16 have no checks at all.
        Err(_) => (database.texts(mysql).await.unwrap_or_default(), true),
    };
    let mut checks: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for row in &found {
        let clause = if escaped { text(row, 2).replace("\\'", "'") } else { text(row, 2) };
        checks.entry(text(row, 0)).or_default().push((text(row, 1), clause));
    }
    checks
}

/// The column that a check says is JSON: MariaDB's JSON is a long text with such a check.
fn json_column(clause: &str) -> Option<String> {
    let column = clause.strip_prefix("json_valid(`")?.strip_suffix("`)")?;
    Some(column.replace("``", "`"))
}

fn field(row: &Texts, json: bool) -> Option<Field> {
    let (kind, native) = (text(row, 2).to_lowercase(), text(row, 3));
    let unsigned = native.contains("unsigned");
    let binary = text(row, 7).is_empty();
    let mut range = None;
    let mut integer = |signed: (i64, i64), unsigned_most: i64, value: (ValueType, ValueType)| {
        range = Some(if unsigned { (0, unsigned_most) } else { signed });
        if unsigned { value.1 } else { value.0 }
    };
    let value = match kind.as_str() {
        "tinyint" => integer((-128, 127), 255, (ValueType::Int16, ValueType::Int16)),
        "smallint" => integer((-32_768, 32_767), 65_535, (ValueType::Int16, ValueType::Int32)),
        "mediumint" => integer((-8_388_608, 8_388_607), 16_777_215, (ValueType::Int32, ValueType::Int32)),
        "int" | "integer" => {
            integer((i32::MIN.into(), i32::MAX.into()), u32::MAX.into(), (ValueType::Int32, ValueType::Int64))
        }
        "bigint" => integer((i64::MIN, i64::MAX), i64::MAX, (ValueType::Int64, ValueType::UInt64)),
        "decimal" | "numeric" => ValueType::Decimal,
        "float" => ValueType::Float32,
        "double" => ValueType::Float64,
        "bit" => ValueType::UInt64,
        "json" => ValueType::Json,
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" if json => ValueType::Json,
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" if binary => ValueType::Bytes,
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "enum" | "set" => ValueType::Text,
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" | "geometry" | "point"
        | "linestring" | "polygon" | "multipoint" | "multilinestring" | "multipolygon" | "geometrycollection"
        | "geomcollection" => ValueType::Bytes,
        "date" | "datetime" | "timestamp" | "time" | "year" | "inet4" | "inet6" => ValueType::Other,
        "uuid" => ValueType::Uuid,
        _ => return None,
    };
    let mut field = Field::new(text(row, 1), value, &native);
    field.range = range;
    field.nullable = text(row, 4) == "YES";
    field.max_chars = if matches!(kind.as_str(), "char" | "varchar") { text(row, 5).parse().ok() } else { None };
    // `DEFAULT_GENERATED` says that a default is an expression, not that the column is computed.
    if !text(row, 6).is_empty()
        || text(row, 8).contains("STORED GENERATED")
        || text(row, 8).contains("VIRTUAL GENERATED")
    {
        field.role = Role::Generated;
    }
    if kind == "enum" {
        field.values = Some(labels(&native));
    } else if value == ValueType::Text && !is_by_bytes(&text(row, 9)) {
        field.collation = Some(text(row, 9));
    }
    if value == ValueType::Json {
        field.codec = Some(Codec::of(Format::Json));
    }
    Some(field)
}

/// Whether texts are equal under a collation only if they are the same; the other binary ones ignore spaces at the end.
fn is_by_bytes(collation: &str) -> bool {
    collation == "utf8mb4_0900_bin" || collation.ends_with("_nopad_bin")
}

/// The labels of `enum('a','it''s')`.
fn labels(native: &str) -> Vec<String> {
    let inner = native.split_once('(').map_or("", |(_, rest)| rest.trim_end_matches(')'));
    let (mut out, mut at) = (Vec::new(), inner);
    while let Some(rest) = at.strip_prefix('\'') {
        let (mut label, mut end) = (String::new(), rest.len());
        let mut chars = rest.char_indices().peekable();
        while let Some((n, c)) = chars.next() {
            if c != '\'' {
                label.push(c);
            } else if chars.peek().is_some_and(|(_, next)| *next == '\'') {
                label.push('\'');
                chars.next();
            } else {
                end = n + 1;
                break;
            }
        }
        out.push(label);
        at = rest[end..].trim_start_matches(',');
    }
    out
}

/// The primary key of every table, and its other unique indexes of whole columns.
async fn keys(database: &Database) -> Result<BTreeMap<String, (Vec<String>, Vec<Vec<String>>)>> {
    let sql = "SELECT TABLE_NAME, INDEX_NAME, COLUMN_NAME, SUB_PART FROM information_schema.STATISTICS \
               WHERE TABLE_SCHEMA = DATABASE() AND NON_UNIQUE = 0 ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX";
    let mut indexes: BTreeMap<(String, String), Option<Vec<String>>> = BTreeMap::new();
    for row in database.texts(sql).await? {
        let columns = indexes.entry((text(&row, 0), text(&row, 1))).or_insert_with(|| Some(Vec::new()));
        if row[2].is_none() || row[3].is_some() {
            *columns = None;
        } else if let Some(columns) = columns {
            columns.push(text(&row, 2));
        }
    }
    let mut keys: BTreeMap<String, (Vec<String>, Vec<Vec<String>>)> = BTreeMap::new();
    for ((table, index), columns) in indexes {
        let of_table = keys.entry(table).or_default();
        match columns {
            Some(columns) if index == "PRIMARY" => of_table.0 = columns,
            Some(columns) => of_table.1.push(columns),
            None => {}
        }
    }
    Ok(keys)
}

async fn references(database: &Database, entities: &[Arc<Entity>]) -> Result<Vec<Relationship>> {
    let sql = "SELECT TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME \
               FROM information_schema.KEY_COLUMN_USAGE WHERE TABLE_SCHEMA = DATABASE() \
               AND REFERENCED_TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION";
    let mut found: Vec<Relationship> = Vec::new();
    for row in database.texts(sql).await? {
        let entity = |name: &str| entities.iter().find(|e| table_name(e).eq_ignore_ascii_case(name));
        let (Some(child), Some(parent)) = (entity(&text(&row, 0)), entity(&text(&row, 3))) else { continue };
        let (from, to) = (FieldPath::column(text(&row, 2)), FieldPath::column(text(&row, 4)));
        let constraint = Some(text(&row, 1));
        match found.last_mut() {
            Some(last) if last.constraint == constraint && last.child.entity == child.id => {
                last.child.fields.push(from);
                last.parent.fields.push(to);
            }
            _ => found.push(Relationship {
                child: End { entity: child.id.clone(), fields: vec![from] },
                parent: End { entity: parent.id.clone(), fields: vec![to] },
                declared: true,
                constraint,
                deferrable: false,
                condition: None,
            }),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_foreign_keys_are_found() {
        assert_eq!(labels("enum('a','it''s','','x,y')"), ["a", "it's", "", "x,y"]);
        let (create, references) = split(
            "CREATE TABLE `t` (\n  `a` int DEFAULT NULL,\n  KEY `k` (`a`),\n  CONSTRAINT `f` FOREIGN KEY (`a`) REFERENCES `u` (`b`)\n\
             ) ENGINE=InnoDB AUTO_INCREMENT=42 DEFAULT CHARSET=utf8mb4",
        );
        assert_eq!(
            create,
            "CREATE TABLE `t` (\n  `a` int DEFAULT NULL,\n  KEY `k` (`a`)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"
        );
        assert_eq!(references, ["CONSTRAINT `f` FOREIGN KEY (`a`) REFERENCES `u` (`b`)"]);
    }
}
