//! Chinook: one dataset in three engines, so what is captured of it must agree.

use std::collections::BTreeMap;
use std::path::Path;

use reenact_model::Kind;

use crate::incident::{Incident, Record, pipeline, read};
use crate::servers::{Servers, mariadb, psql};
use crate::{Failures, datasets};

const ENGINES: [(&str, Kind); 3] = [("postgres", Kind::Postgres), ("mysql", Kind::Mysql), ("sqlite", Kind::Sqlite)];
const ROWS: u64 = 15_607;

/// `public.invoice_line` and `InvoiceLine` are one name.
fn plain(name: &str) -> String {
    name.strip_prefix("public.").unwrap_or(name).replace('_', "").to_lowercase()
}

/// Records in an order of their own, with names that all engines share.
type Tables = BTreeMap<String, Vec<Record>>;

/// What the dump writes as `N'…'` is `char` to PostgreSQL, so blanks at the end are gone there before they reach a column.
fn sorted(rows: impl IntoIterator<Item = Record>) -> Vec<Record> {
    let value = |value: Option<String>| value.map(|text| text.trim_end().to_owned());
    let plain_record = |row: Record| -> Record { row.into_iter().map(|(n, v)| (plain(&n), value(v))).collect() };
    let mut rows: Vec<Record> = rows.into_iter().map(plain_record).collect();
    rows.sort();
    rows
}

fn load(folder: &Path, production: &Servers) {
    let at = |name: &str| folder.join("sql/chinook").join(name);
    let own =
        |line: &str| ["DROP DATABASE ", "CREATE DATABASE ", "USE ", "\\c "].iter().any(|start| line.starts_with(start));
    psql(production.dsn("postgres"), &[at("postgres.sql")], &own);
    // The dump means its backslashes as they stand.
    let plain = "SET SESSION sql_mode = CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES')";
    mariadb(production.dsn("mysql"), plain, &[at("mysql.sql")], &own);
    std::fs::copy(at("chinook.sqlite"), sqlite_path(production)).expect("a copy");
}

fn sqlite_path(production: &Servers) -> String {
    url::Url::parse(production.dsn("sqlite").expose()).expect("a url").path().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn three_engines_agree_on_one_shop() {
    let Some(folder) = datasets() else { return };
    Servers::with(&ENGINES, async |production| {
        load(&folder, production);
        let slots: Vec<(String, Kind)> = ENGINES
            .iter()
            .flat_map(|(name, kind)| [(format!("{name}-root"), *kind), (format!("{name}-whole"), *kind)])
            .collect();
        let slots: Vec<(&str, Kind)> = slots.iter().map(|(name, kind)| (name.as_str(), *kind)).collect();
        Servers::with(&slots, async |target| {
            let mut failures = Failures::default();
            let (mut originals, mut kept) = (BTreeMap::<&str, Tables>::new(), BTreeMap::<&str, Tables>::new());
            for (engine, _) in ENGINES {
                let dsn = production.dsn(engine).expose();
                let body = async {
                    originals.insert(engine, unmasked(engine, dsn).await);
                };
                failures.case(&format!("{engine}, unmasked"), body).await;
                let body = async {
                    kept.insert(engine, rooted(engine, dsn, target).await);
                };
                failures.case(&format!("{engine}, one invoice"), body).await;
                failures.case(&format!("{engine}, whole"), whole(engine, dsn, target)).await;
            }
            for (what, tables) in [("unmasked", originals), ("one invoice", kept)] {
                failures.case(&format!("{what}: all engines"), async { agree(&tables) }).await;
            }
            failures.tell();
        })
        .await;
    })
    .await;
}

fn agree(engines: &BTreeMap<&str, Tables>) {
    assert_eq!(engines.len(), ENGINES.len(), "some engines gave nothing");
    let reference = &engines["postgres"];
    for (engine, tables) in engines {
        assert_eq!(tables.keys().collect::<Vec<_>>(), reference.keys().collect::<Vec<_>>(), "{engine}");
        for (table, rows) in tables {
            assert_eq!(rows.len(), reference[table].len(), "{engine}, {table}");
            for (row, other) in rows.iter().zip(&reference[table]) {
                assert_eq!(row, other, "{engine}, {table}");
            }
        }
    }
}

/// The unmasked canonical values of all tables, by the store's own reader.
async fn unmasked(engine: &str, url: &str) -> Tables {
    let pipeline = pipeline(&format!("chinook/{engine}-whole.yaml"), &[("MUSIC_URL", url)]);
    let tables: Tables =
        read(&pipeline.services[0], None).await.into_iter().map(|(id, rows)| (plain(&id.name), sorted(rows))).collect();
    assert_eq!(tables.values().map(Vec::len).sum::<usize>() as u64, ROWS);
    tables
}

/// Captures one invoice; gives its records with the columns that the policy keeps.
async fn rooted(engine: &str, url: &str, target: &Servers) -> Tables {
    let pipeline = pipeline(&format!("chinook/{engine}.yaml"), &[("MUSIC_URL", url)]);
    let incident = Incident::capture(pipeline, Some("1")).await;
    let counts: Vec<(String, u64)> = incident.counts().into_iter().map(|(name, n)| (plain(&name), n)).collect();
    let expected = [
        ("album", 2),
        ("artist", 1),
        ("customer", 1),
        ("employee", 3),
        ("genre", 1),
        ("invoice", 1),
        ("invoiceline", 2),
        ("mediatype", 1),
        ("track", 2),
    ];
    assert_eq!(counts, expected.map(|(name, n)| (name.to_owned(), n)));
    incident.assert_masked().await;
    let endpoint = target.endpoint(&format!("{engine}-root"));
    incident.replay(&BTreeMap::from([("music".to_owned(), endpoint)])).await;
    let mut tables = Tables::new();
    for (entity, columns) in incident.kept().into_iter().filter(|(e, _)| incident.captured.rows.contains_key(e)) {
        let only = |row: Record| row.into_iter().filter(|(name, _)| columns.contains(name)).collect();
        tables.insert(plain(&entity.name), sorted(incident.rows(&entity).into_iter().map(only)));
    }
    tables
}

async fn whole(engine: &str, url: &str, target: &Servers) {
    let pipeline = pipeline(&format!("chinook/{engine}-whole.yaml"), &[("MUSIC_URL", url)]);
    let incident = Incident::capture(pipeline, None).await;
    assert_eq!(incident.captured.rows.values().sum::<u64>(), ROWS);
    incident.assert_masked().await;
    let endpoint = target.endpoint(&format!("{engine}-whole"));
    incident.replay(&BTreeMap::from([("music".to_owned(), endpoint)])).await;
}
