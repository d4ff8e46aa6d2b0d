//! SQLite passes the suite, and keeps what only SQLite holds: a storage class per value.

use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use reenact_model::captured::Extractor;
use reenact_model::catalog::Scope;
use reenact_model::{Class, Dsn, FieldPath, Key};
use reenact_stores::conformance::{self, Ground, sql};
use reenact_stores::sql::sqlite::Sqlite;
use reenact_stores::{Read, Selection, Store};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions};

const TABLES: &str = "
    CREATE TABLE item (sku TEXT PRIMARY KEY NOT NULL, price REAL, label TEXT AS (upper(sku)) STORED) STRICT;
    CREATE TABLE line (order_no INTEGER, pos INTEGER, sku TEXT NOT NULL REFERENCES item,
        PRIMARY KEY (order_no, pos)) WITHOUT ROWID;
    CREATE TABLE person (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, email TEXT UNIQUE,
        boss_id INTEGER REFERENCES person (id), team_id INTEGER REFERENCES team);
    CREATE TABLE team (id INTEGER PRIMARY KEY, name TEXT, lead_id INTEGER NOT NULL REFERENCES PERSON (ID));
    CREATE TABLE part (id INTEGER PRIMARY KEY, order_no INTEGER, pos INTEGER,
        FOREIGN KEY (order_no, pos) REFERENCES line (order_no, pos));
    CREATE TABLE log (at TEXT, note TEXT);
    CREATE INDEX line_sku ON line (sku);
    CREATE VIEW people AS SELECT * FROM person;
    CREATE VIRTUAL TABLE words USING fts5(word);
";

struct Files {
    folder: tempfile::TempDir,
    next: AtomicU32,
}

impl Files {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), next: AtomicU32::new(0) }
    }

    async fn with(&self, sql: &str) -> Dsn {
        let name = format!("{}.db", self.next.fetch_add(1, Ordering::Relaxed));
        let dsn = Dsn::new(format!("sqlite://{}", self.folder.path().join(name).display()));
        run(&dsn, sql).await;
        dsn
    }
}

async fn run(dsn: &Dsn, sql: &str) {
    let options = SqliteConnectOptions::from_str(dsn.expose()).expect("a url").create_if_missing(true);
    let mut connection = options.foreign_keys(false).connect().await.expect("opens");
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.expect("runs");
}

#[async_trait]
impl Ground for Files {
    fn store(&self) -> &'static dyn Store {
        &Sqlite
    }

    async fn sample(&self) -> Dsn {
        self.with(&format!("PRAGMA journal_mode = wal; {TABLES} {}", sql::rows("\\"))).await
    }

    async fn empty(&self) -> Dsn {
        self.with("").await
    }

    async fn change(&self, dsn: &Dsn) {
        run(dsn, "INSERT INTO person (name) VALUES ('new'); UPDATE person SET name = 'other' WHERE id = 2").await;
    }

    fn shut(&self, _sample: &Dsn) -> Vec<Dsn> {
        let path = self.folder.path().join("text.db");
        std::fs::write(&path, "this is no database at all, but a text of some length").expect("writes");
        let within = self.folder.path().join("none/none.db");
        [path, within].map(|path| Dsn::new(format!("sqlite://{}", path.display()))).into()
    }
}

#[async_trait]
impl sql::SqlGround for Files {
    async fn execute(&self, dsn: &Dsn, sql: &str) {
        run(dsn, sql).await;
    }

    fn dangle(&self) -> String {
        "INSERT INTO part VALUES (900, 77, 1)".to_owned()
    }
}

#[tokio::test]
async fn sqlite_passes_the_suite() {
    sql::run(&Files::new()).await;
}

const CLASSES: &str = "
    CREATE TABLE t (id INTEGER PRIMARY KEY, any, whole INTEGER, txt TEXT COLLATE NOCASE, json JSON, num NUMERIC);
    INSERT INTO t VALUES (1, 2.0, 'not a number', 'Ann', '007', '1.50'), (2, 2, 5, 'ann', '{\"a\":1}', 9e999),
        (3, '2', -9223372036854775808, 'a' || char(0) || 'b', NULL, -9e999), (4, x'32', 0, '', 'x', 1e300),
        (5, x'00ff', NULL, CAST(x'ff41' AS TEXT), '\\x41', 0.1), (6, NULL, 1, x'', '', -0.0);
";

#[tokio::test]
async fn each_value_keeps_its_storage_class() {
    let files = Files::new();
    let (from, to) = (files.with(CLASSES).await, files.with("").await);
    let scope = Scope { service: "s".into(), ..Scope::default() };
    conformance::round_trip(&Sqlite, &scope, &from, &to).await.expect("a round trip");
    let dump = |dsn: &Dsn| {
        let dsn = dsn.clone();
        async move {
            let options = SqliteConnectOptions::from_str(dsn.expose()).expect("a url");
            let mut connection = options.connect().await.expect("opens");
            let sql = "SELECT group_concat(typeof(any) || hex(any) || typeof(whole) || quote(whole) || typeof(txt) || hex(txt) \
                       || typeof(json) || quote(json) || typeof(num) || quote(num)) FROM (SELECT * FROM t ORDER BY id)";
            sqlx::query_scalar::<_, String>(sql).fetch_one(&mut connection).await.expect("a dump")
        }
    };
    assert_eq!(dump(&from).await, dump(&to).await);
}

#[tokio::test]
async fn a_key_finds_its_value_in_every_class_and_no_other() {
    let files = Files::new();
    let from = files.with(CLASSES).await;
    let scope = Scope { service: "s".into(), ..Scope::default() };
    let source = Sqlite.source(&from, &scope).await.expect("opens");
    let table = source.describe().await.expect("describes").entities[0].clone();
    let all = conformance::batches(&*source, conformance::everything(&table)).await.expect("reads");
    for column in ["any", "whole", "txt", "json", "num"] {
        let fields = [FieldPath::column(column)];
        let extractor = Extractor::new(&table, &fields, None).expect("an extractor");
        let keys: Vec<_> = all.iter().flat_map(|batch| extractor.keys(batch).expect("keys")).flatten().collect();
        for key in &keys {
            let text = key.parts()[0].to_string();
            let selection = Selection::Where(vec![(fields[0].clone(), text)]);
            let read = Read { selection, ..conformance::everything(&table) };
            let found = conformance::count(&*source, read).await.expect("reads");
            // Only `txt` has a collation, which is the rule by which its own references hold.
            let equal = |other: &&Key| match column {
                "txt" => other.parts()[0].eq_ignore_ascii_case(&key.parts()[0]),
                _ => *other == key,
            };
            assert_eq!(found, keys.iter().filter(equal).count(), "{column}");
        }
    }
}

#[tokio::test]
async fn a_source_makes_no_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("no.db");
    let dsn = Dsn::new(format!("sqlite://{}", path.display()));
    let Err(error) = Sqlite.source(&dsn, &Scope::default()).await else { panic!("opened") };
    assert_eq!(error.class(), Class::Unreachable);
    assert!(!path.exists());
}

#[tokio::test]
async fn triggers_of_a_target_stay_and_do_not_fire() {
    let files = Files::new();
    let tables = "CREATE TABLE a (id INTEGER PRIMARY KEY, b_id INTEGER REFERENCES b); CREATE TABLE b (id INTEGER PRIMARY KEY, a_id INTEGER NOT NULL REFERENCES a);";
    let rows = "INSERT INTO a VALUES (1, NULL), (2, 10); INSERT INTO b VALUES (10, 1);";
    let triggers = "CREATE TABLE log (what TEXT);
        CREATE TRIGGER \"in \"\"A\" BEFORE INSERT ON A BEGIN SELECT raise(ABORT, 'fired; no'); END;
        CREATE TRIGGER up AFTER UPDATE OF b_id ON a WHEN new.id > 0 BEGIN INSERT INTO log VALUES ('up'); UPDATE b SET a_id = 2; END;
        CREATE TRIGGER made AFTER INSERT ON b BEGIN INSERT INTO log VALUES ('b'); END;";
    let from = files.with(&format!("{tables} CREATE TABLE log (what TEXT); {rows}")).await;
    let to = files.with(&format!("{tables} {triggers}")).await;
    let scope = Scope { service: "s".into(), ..Scope::default() };
    let before = schema(&to).await;
    assert_eq!(before.len(), 3);
    conformance::round_trip(&Sqlite, &scope, &from, &to).await.expect("a round trip");
    assert_eq!(schema(&to).await, before);
    // A load that breaks off leaves them as well.
    let other = files.with(&format!("{tables} {triggers}")).await;
    Sqlite.mark(&other).await.expect("marks");
    let mut target = Sqlite.target(&other, "s").await.expect("a target");
    target.gates(&[]).await.expect("a target");
    let catalog = Sqlite.source(&other, &scope).await.expect("a source").describe().await.expect("describes");
    let entity = catalog.entity("a").expect("a table").clone();
    let step = reenact_stores::LoadStep::Insert { entity, later: Vec::new() };
    let broken = futures::stream::once(async { Err(reenact_model::Error::new(Class::Bundle, "broken off")) });
    target.load(&step, Box::pin(broken)).await.expect_err("breaks off");
    assert_eq!(schema(&other).await, before);
}

/// The triggers of a file, by name.
async fn schema(dsn: &Dsn) -> Vec<(String, String)> {
    let mut connection = SqliteConnectOptions::from_str(dsn.expose()).expect("a url").connect().await.expect("opens");
    let sql = "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY name";
    sqlx::query_as(sql).fetch_all(&mut connection).await.expect("reads")
}

/// What is known of each column of the first table beyond its type.
fn bounds(catalog: &reenact_model::ServiceCatalog) -> Vec<String> {
    let fields = catalog.entities[0].fields.iter();
    let bound = |f: &reenact_model::Field| {
        let values = f.values.as_ref().map(|values| values.join("|")).unwrap_or_default();
        format!("{} {values} {} {}", f.name, f.max_chars.unwrap_or_default(), f.checks.join("|"))
    };
    fields.map(bound).collect()
}

#[tokio::test]
async fn checks_narrow_a_column_or_are_told_by_name() {
    let files = Files::new();
    let scope = Scope { service: "s".into(), ..Scope::default() };
    let table = "CREATE TABLE t (id INTEGER PRIMARY KEY, state TEXT DEFAULT 'new' CHECK (state IN ('new', 'paid')), \
                 \"Code\" TEXT CHECK (length(code) <= 6), price REAL CONSTRAINT positive CHECK (price > 0), a, b, \
                 CONSTRAINT ordered CHECK (a < b)) STRICT";
    let dsn = files.with(&table.replace("a, b,", "a INT, b INT,")).await;
    let catalog = Sqlite.source(&dsn, &scope).await.expect("opens").describe().await.expect("describes");
    let told = ["id  0 ", "state new|paid 0 ", "Code  6 ", "price  0 positive", "a  0 ordered", "b  0 ordered"];
    assert_eq!(bounds(&catalog), told);
}
