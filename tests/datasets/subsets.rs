//! Films, trade and parcels: the closure of a root against counts that an independent program computed, and whole databases.

use std::collections::BTreeMap;
use std::path::Path;

use reenact_engine::pipeline::Children;
use reenact_model::{Dsn, Kind};

use crate::incident::{Incident, pipeline};
use crate::servers::{Servers, mariadb, psql, read};
use crate::{Failures, datasets};

/// One root with the counts that its closure has.
#[derive(serde::Deserialize)]
struct Expected {
    data: String,
    root: String,
    #[serde(rename = "where")]
    filter: BTreeMap<String, String>,
    children_of_root: bool,
    rows: u64,
    tables: BTreeMap<String, u64>,
}

/// A set, and how the pipelines capture it.
pub(crate) struct Set {
    data: &'static str,
    pub(crate) kind: Kind,
    pub(crate) service: &'static str,
    pub(crate) variable: &'static str,
    rooted: &'static [(&'static str, &'static str)],
    pub(crate) whole: &'static str,
    rows: u64,
}

pub(crate) const FILMS: Set = Set {
    data: "sql/pagila-pg",
    kind: Kind::Postgres,
    service: "rental",
    variable: "RENTAL_URL",
    rooted: &[("public.customer", "pagila/pipeline.yaml"), ("public.rental", "pagila/rental.yaml")],
    whole: "pagila/whole.yaml",
    rows: 46_273,
};
pub(crate) const FILMS_IN_MYSQL: Set = Set {
    data: "sql/sakila-mysql",
    kind: Kind::Mysql,
    service: "rental",
    variable: "RENTAL_URL",
    rooted: &[("customer", "sakila/pipeline.yaml")],
    whole: "sakila/whole.yaml",
    rows: 47_273,
};
pub(crate) const TRADE: Set = Set {
    data: "sql/northwind-pg",
    kind: Kind::Postgres,
    service: "trade",
    variable: "TRADE_URL",
    rooted: &[("public.orders", "northwind/pipeline.yaml")],
    whole: "northwind/whole.yaml",
    rows: 3_362,
};
pub(crate) const PARCELS: Set = Set {
    data: "sql/shop-cycle-pg",
    kind: Kind::Postgres,
    service: "shop",
    variable: "SHOP_URL",
    rooted: &[("public.User", "shop-cycle/pipeline.yaml"), ("public.Order", "shop-cycle/order.yaml")],
    whole: "shop-cycle/whole.yaml",
    rows: 1_651,
};

/// Counts of the closures in a set.
fn expected(folder: &Path, set: &Set) -> Vec<Expected> {
    let text = read(&folder.join("expected-subsets.json"));
    let all: Vec<Expected> = serde_json::from_str(&text).expect("the expected counts");
    let of_set: Vec<Expected> = all.into_iter().filter(|e| e.data == set.data).collect();
    assert!(!of_set.is_empty(), "no counts for {}", set.data);
    of_set
}

pub(crate) fn load(folder: &Path, set: &Set, production: &Servers) {
    let dsn = production.dsn(set.service);
    let at = |names: &[&str]| names.iter().map(|name| folder.join(set.data).join(name)).collect::<Vec<_>>();
    match set.data {
        "sql/pagila-pg" => {
            psql(dsn, &at(&["schema.sql"]), &|_| false);
            // The rows of its circle come with triggers off, which no plain account may ask for.
            psql(production.admin(set.service), &at(&["data.sql"]), &|_| false);
        }
        "sql/northwind-pg" => psql(dsn, &at(&["northwind.sql"]), &|_| false),
        "sql/shop-cycle-pg" => psql(dsn, &at(&["shop.sql"]), &|_| false),
        // The dump makes a database of its own; here it goes where the service is.
        _ => mariadb(dsn, "DO 0", &at(&["schema.sql", "data.sql"]), &|line| {
            ["DROP SCHEMA ", "CREATE SCHEMA ", "USE "].iter().any(|start| line.starts_with(start))
        }),
    }
}

async fn check(set: &Set) {
    let Some(folder) = datasets() else { return };
    let cases = expected(&folder, set);
    Servers::with(&[(set.service, set.kind)], async |production| {
        let dsn = production.dsn(set.service);
        load(&folder, set, production);
        let names: Vec<String> = (0..=cases.len()).map(|n| format!("slot{n}")).collect();
        let slots: Vec<(&str, Kind)> = names.iter().map(|name| (name.as_str(), set.kind)).collect();
        Servers::with(&slots, async |target| {
            let mut failures = Failures::default();
            for (slot, case) in names.iter().zip(&cases) {
                let name = format!("{} {}", case.root, if case.children_of_root { "with children" } else { "alone" });
                failures.case(&name, rooted(set, case, dsn, target, slot)).await;
            }
            failures.case("whole", whole(set, dsn, target, &names[cases.len()])).await;
            failures.tell();
        })
        .await;
    })
    .await;
}

async fn rooted(set: &Set, case: &Expected, dsn: &Dsn, target: &Servers, slot: &str) {
    let (_, file) = set.rooted.iter().find(|(root, _)| *root == case.root).expect("an example for the root");
    let mut pipeline = pipeline(file, &[(set.variable, dsn.expose())]);
    if !case.children_of_root {
        pipeline.roots[0].children = Children::None;
    }
    let incident = Incident::capture(pipeline, case.filter.values().next().map(String::as_str)).await;
    assert_eq!(incident.counts(), case.tables);
    assert_eq!(incident.captured.rows.values().sum::<u64>(), case.rows);
    assert_eq!(incident.dangling(), BTreeMap::new());
    incident.assert_masked().await;
    incident.replay(&BTreeMap::from([(set.service.to_owned(), target.endpoint(slot))])).await;
}

async fn whole(set: &Set, dsn: &Dsn, target: &Servers, slot: &str) {
    let incident = Incident::capture(pipeline(set.whole, &[(set.variable, dsn.expose())]), None).await;
    assert_eq!(incident.captured.rows.values().sum::<u64>(), set.rows);
    incident.assert_masked().await;
    incident.replay(&BTreeMap::from([(set.service.to_owned(), target.endpoint(slot))])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn films_in_postgres() {
    check(&FILMS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn films_in_mysql() {
    check(&FILMS_IN_MYSQL).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trade_with_composite_keys() {
    check(&TRADE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parcels_with_a_circle_of_tables() {
    check(&PARCELS).await;
}
