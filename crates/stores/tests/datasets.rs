//! Other people's schemas and rows, when they are there: every table of every set is read, loaded elsewhere and compared.
//!
//! The sets are large and not ours, so they are not in the repository: `REENACT_DATASETS` names their folder.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use arrow::array::ArrayRef;
use reenact_model::canonical::Reader;
use reenact_model::catalog::Scope;
use reenact_model::{Dsn, Field, Kind};
use reenact_stores::{conformance, store};

use crate::common::Server;

fn folder() -> Option<PathBuf> {
    let near = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/datasets");
    let nearer = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/datasets");
    let named = std::env::var_os("REENACT_DATASETS").map(PathBuf::from);
    named.into_iter().chain([nearer, near]).map(|path| path.join("sql")).find(|path| path.is_dir())
}

fn sets() -> Option<PathBuf> {
    let found = folder();
    if found.is_none() {
        let told = b"*** NOT RUN: a test on data sets; set `REENACT_DATASETS` ***\n";
        // Past the test harness, which keeps what passing tests print to itself.
        let _ = std::io::Write::write_all(&mut std::io::stderr(), told);
    }
    found
}

/// Feeds a file to a server's own client; errors in the sets themselves are expected and skipped.
fn feed(client: &mut Command, file: &Path) {
    let input = std::fs::File::open(file).expect("a file");
    client.current_dir(file.parent().expect("a folder")).stdin(input);
    client.stdout(Stdio::null()).stderr(Stdio::null());
    client.status().expect("the client runs");
}

fn scope() -> Scope {
    Scope { service: "s".into(), ..Scope::default() }
}

async fn round_trip(server: &Server, kind: Kind, name: &str, from: &Dsn, tables: usize) {
    let to = server.database().await;
    let store = store(kind).expect("a store");
    let catalog = conformance::round_trip(store, &scope(), from, &to).await.unwrap_or_else(|e| panic!("{name}: {e:?}"));
    assert!(catalog.entities.len() >= tables, "{name}: {} tables", catalog.entities.len());
}

const POSTGRES: &[(&str, &[&str], &str, usize)] = &[
    ("pagila-pg", &["schema.sql", "data.sql"], "", 15),
    ("northwind-pg", &["northwind.sql"], "", 14),
    ("shop-cycle-pg", &["shop.sql"], "", 49),
    ("chinook", &["postgres.sql"], "", 11),
    ("neosync-pg", &["alltypes-create-tables.sql"], "", 5),
    ("neosync-pg", &["complex-create-tables.sql", "complex-inserts.sql"], "", 47),
    ("neosync-pg", &["edgecases-create-tables.sql"], "", 9),
    ("neosync-pg", &["transformers-create-tables.sql"], "", 1),
    ("debezium-pg", &["tables.sql", "inserts.sql"], "ltree isn hstore citext", 24),
    ("temporal", &["postgres-main.sql"], "", 30),
    ("temporal", &["postgres-visibility.sql"], "btree_gin", 1),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_postgres_set_comes_back() {
    let Some(sets) = sets() else { return };
    Server::with(Kind::Postgres, async |server| {
        for (set, files, extensions, tables) in POSTGRES {
            let from = server.database().await;
            for extension in extensions.split_whitespace() {
                server.run(&from, &format!("CREATE EXTENSION {extension}")).await;
            }
            for file in *files {
                feed(Command::new("psql").arg("-q").arg(from.expose()), &sets.join(set).join(file));
            }
            // Chinook makes a database of its own and connects to it.
            let from = if *set == "chinook" { server.at(&from, "chinook") } else { from };
            round_trip(server, Kind::Postgres, &format!("{set} {files:?}"), &from, *tables).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sqlite_set_comes_back() {
    let Some(sets) = sets() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| Dsn::new(format!("sqlite://{}", folder.path().join(name).display()));
    let chinook = Dsn::new(format!("sqlite://{}", sets.join("chinook/chinook.sqlite").display()));
    let store = store(Kind::Sqlite).expect("a store");
    let catalog = conformance::round_trip(store, &scope(), &chinook, &at("chinook.db")).await.expect("chinook");
    assert_eq!((catalog.entities.len(), catalog.relationships.len()), (11, 11));
}

/// Every cell of Chinook as canonical text, by table and row, whatever the engine calls its tables and columns.
async fn chinook(kind: Kind, dsn: &Dsn) -> Tables {
    let source = store(kind).expect("a store").source(dsn, &scope()).await.expect("opens");
    let mut tables = BTreeMap::new();
    for entity in source.describe().await.expect("describes").entities {
        let mut rows = BTreeSet::new();
        for batch in conformance::batches(&*source, conformance::everything(&entity)).await.expect("reads") {
            for row in 0..batch.num_rows() {
                let cell = |(field, array): (&Field, &ArrayRef)| {
                    let text = Reader::new(array, field.value).get(row).map(std::borrow::Cow::into_owned);
                    // The scripts differ where their servers read them differently: N'Edinburgh ' is a `character`
                    // without its blank to PostgreSQL, and 'a \ b' loses its backslash to MySQL.
                    text.map(|text| text.trim_end().replace('\\', ""))
                };
                rows.insert(entity.fields.iter().zip(batch.columns()).map(cell).collect());
            }
        }
        let name = entity.id.parts().pop().expect("a name").to_lowercase().replace('_', "");
        tables.insert(name, rows);
    }
    tables
}

#[tokio::test(flavor = "multi_thread")]
async fn one_dataset_is_the_same_in_three_engines() {
    let Some(sets) = sets() else { return };
    let file = Dsn::new(format!("sqlite://{}", sets.join("chinook/chinook.sqlite").display()));
    let sqlite = chinook(Kind::Sqlite, &file).await;
    assert_eq!(sqlite.values().map(BTreeSet::len).sum::<usize>(), 15_607);
    Server::with(Kind::Postgres, async |server| {
        let first = server.database().await;
        feed(Command::new("psql").arg("-q").arg(first.expose()), &sets.join("chinook/postgres.sql"));
        compare(&sqlite, &chinook(Kind::Postgres, &server.at(&first, "chinook")).await);
    })
    .await;
    Server::with(Kind::Mysql, async |server| {
        let admin = server.admin(&server.database().await);
        feed_mysql(&admin, &sets.join("chinook/mysql.sql"));
        compare(&sqlite, &chinook(Kind::Mysql, &server.at(&admin, "Chinook")).await);
    })
    .await;
}

type Tables = BTreeMap<String, BTreeSet<Vec<Option<String>>>>;

fn compare(one: &Tables, other: &Tables) {
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    for (table, rows) in one {
        let (mut here, mut there) = (rows.difference(&other[table]), other[table].difference(rows));
        assert_eq!((here.next(), there.next()), (None, None), "{table}");
    }
}

/// Feeds a file to the MySQL client.
fn feed_mysql(admin: &Dsn, file: &Path) {
    let url = url::Url::parse(admin.expose()).expect("a url");
    let mut client = Command::new("mariadb");
    client.args(["--force", "--protocol=tcp"]).arg(format!("-h{}", url.host_str().unwrap_or_default()));
    client.arg(format!("-P{}", url.port().unwrap_or_default())).arg(format!("-u{}", url.username()));
    client.env("MYSQL_PWD", url.password().unwrap_or_default()).arg(&url.path()[1..]);
    feed(&mut client, file);
}

const MYSQL: &[(&str, &[&str], usize)] = &[
    ("sakila-mysql", &["schema.sql", "data.sql"], 16),
    ("chinook", &["mysql.sql"], 11),
    ("neosync-mysql", &["alltypes-create-tables.sql"], 1),
    ("neosync-mysql", &["composite-keys-create-tables.sql"], 4),
    ("neosync-mysql", &["complex-create-tables.sql", "complex-inserts.sql"], 20),
    ("temporal", &["mysql-main.sql"], 30),
    ("debezium-mysql", &["binary_column_test.sql"], 1),
    ("debezium-mysql", &["boolean_test.sql"], 1),
    ("debezium-mysql", &["connector_test.sql"], 1),
    ("debezium-mysql", &["decimal_column_test.sql"], 1),
    ("debezium-mysql", &["default_value.sql"], 1),
    ("debezium-mysql", &["enum_column_test.sql"], 1),
    ("debezium-mysql", &["float_test.sql"], 1),
    ("debezium-mysql", &["numeric_column_test.sql"], 1),
    ("debezium-mysql", &["real_test.sql"], 1),
    ("debezium-mysql", &["timestamp_column_test.sql"], 1),
    ("debezium-mysql", &["tinyint_test.sql"], 1),
    ("debezium-mysql", &["unsigned_integer_test.sql"], 1),
    ("debezium-mysql", &["year_test.sql"], 1),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_mysql_set_comes_back() {
    let Some(sets) = sets() else { return };
    Server::with(Kind::Mysql, async |server| {
        for (set, files, tables) in MYSQL {
            let empty = server.database().await;
            let admin = server.admin(&empty);
            let before = server.databases().await;
            for file in *files {
                feed_mysql(&admin, &sets.join(set).join(file));
            }
            // Most sets make databases of their own.
            let mut made: Vec<String> =
                server.databases().await.into_iter().filter(|name| !before.contains(name)).collect();
            if made.is_empty() {
                made.push(admin.expose().rsplit('/').next().expect("a database").to_owned());
            }
            for name in made {
                let from = server.at(&admin, &name);
                round_trip(
                    server,
                    Kind::Mysql,
                    &format!("{set} {files:?} {name}"),
                    &from,
                    if name == "emptydb" { 0 } else { *tables },
                )
                .await;
            }
        }
    })
    .await;
}
