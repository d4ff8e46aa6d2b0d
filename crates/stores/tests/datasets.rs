//! Other people's schemas and rows, when they are there: every table of every set is read, loaded elsewhere and compared.
//!
//! The sets are large and not ours, so they are not in the repository: `REENACT_DATASETS` names their folder.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use reenact_model::catalog::Scope;
use reenact_model::{Dsn, Kind};
use reenact_stores::{conformance, store};

use crate::common::Server;

fn folder() -> Option<PathBuf> {
    let near = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/datasets");
    let nearer = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/datasets");
    let named = std::env::var_os("REENACT_DATASETS").map(PathBuf::from);
    named.into_iter().chain([nearer, near]).map(|path| path.join("sql")).find(|path| path.is_dir())
}

#[expect(clippy::print_stderr, reason = "a test that could not run says so")]
fn sets() -> Option<PathBuf> {
    let found = folder();
    if found.is_none() {
        eprintln!("\n*** NOT TESTED: no datasets; set REENACT_DATASETS to their folder ***\n");
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
    ("debezium-pg", &["tables.sql", "inserts.sql"], "ltree isn hstore citext", 25),
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
            // Some sets make a database of their own and connect to it.
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
