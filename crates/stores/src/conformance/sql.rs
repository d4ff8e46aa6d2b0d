//! What only SQL stores promise: keys and references of the catalog, types of columns, anti-joins, failed loads undone.
//!
//! The sample, in each dialect's own words (see the test files):
//!
//! | table | columns |
//! |---|---|
//! | `team` | `id` key, `name`, `lead_id` not null → `person.id` |
//! | `person` | `id` identity key, `name`, `email` unique, `boss_id` → `person.id`, `team_id` → `team.id` |
//! | `line` | `order_no`, `pos` key, `sku` not null → `item.sku` |
//! | `part` | `id` key, `order_no`, `pos` → `line` (both may be null) |
//! | `item` | `sku` text key, `price`, `label` generated from `sku` |
//! | `log` | `at` timestamp, `note`: no key, two equal rows |

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use async_trait::async_trait;
use futures::{StreamExt, stream};
use reenact_model::catalog::{Condition, Role};
use reenact_model::{Class, Dsn, Error, FieldPath, Key, KeySet};

use super::{FIELDS, Ground, PERSONS, SKUS, Sample, any, batches, count, everything, key_set, load, round_trip};
use crate::{LoadStep, Read, Selection};

/// What SQL stores give beyond a [`Ground`].
#[async_trait]
pub trait SqlGround: Ground {
    /// Runs statements.
    async fn execute(&self, dsn: &Dsn, sql: &str);

    /// Statements that make `part` 900 refer to line (77, 1), which is not there, though a foreign key says that it must.
    fn dangle(&self) -> String;
}

/// Statements that fill the sample's tables; the dialects agree on them once a backslash is written in their way.
pub fn rows(backslash: &str) -> String {
    let mut sql = String::new();
    for (n, sku) in SKUS.iter().enumerate() {
        let sku = sku.replace('\'', "''").replace('\\', backslash);
        let _ = writeln!(sql, "INSERT INTO item (sku, price) VALUES ('{sku}', {n}.50);");
        let _ = writeln!(sql, "INSERT INTO line (order_no, pos, sku) VALUES ({}, {}, '{sku}');", n / 2, n % 2);
    }
    for (id, values) in PERSONS {
        let values = values.map(|value| value.map_or("NULL".to_owned(), |value| format!("'{value}'")));
        let (fields, values) = (FIELDS.join(", "), values.join(", "));
        let _ = writeln!(sql, "INSERT INTO person (id, {fields}) VALUES ({id}, {values});");
    }
    sql.push_str(
        "INSERT INTO team (id, name, lead_id) VALUES (10, 'blue', 1);
         UPDATE person SET team_id = 10 WHERE id < 40;
         INSERT INTO part (id, order_no, pos) VALUES (1, 0, 0);
         INSERT INTO part (id, order_no, pos) VALUES (2, 0, NULL);
         INSERT INTO part (id, order_no, pos) VALUES (3, 2, 1);
         INSERT INTO log (at, note) VALUES ('2021-01-01 00:00:00', 'twice');
         INSERT INTO log (at, note) VALUES ('2021-01-01 00:00:00', 'twice');
         INSERT INTO log (at, note) VALUES ('2021-01-01 00:00:00.25', NULL);",
    );
    sql
}

/// Runs all that SQL stores promise, with what any store promises.
pub async fn run(ground: &dyn SqlGround) {
    let sample = Sample::open(ground, &ground.sample().await).await;
    describes_keys_and_references(&sample).await;
    selects_by_type(&sample).await;
    undoes_what_failed(&sample).await;
    finds_what_dangles(ground).await;
    super::run(ground).await;
}

async fn describes_keys_and_references(sample: &Sample<'_>) {
    let (ground, catalog) = (sample.ground, &sample.catalog);
    let of = |name| sample.entity(name);
    assert_eq!(catalog.entities.len(), 6, "views and system tables are no entities");
    assert_eq!(of("line").key, ["order_no", "pos"]);
    assert_eq!(of("log").key, Vec::<String>::new());
    assert!(of("person").uniques.contains(&vec!["email".to_owned()]));
    assert!(!of("team").field("lead_id").expect("a column").nullable);
    assert!(of("person").field("boss_id").expect("a column").nullable);
    assert_eq!(of("item").field("label").expect("a column").role, Role::Generated);
    let edges: BTreeSet<String> =
        catalog.relationships.iter().map(|r| r.to_string().replace("shop/", "").replace("public.", "")).collect();
    let expected = [
        "line.sku -> item.sku",
        "part.(order_no, pos) -> line.(order_no, pos)",
        "person.boss_id -> person.id",
        "person.team_id -> team.id",
        "team.lead_id -> person.id",
    ];
    assert_eq!(edges, expected.into_iter().map(str::to_owned).collect());
    assert!(catalog.relationships.iter().all(|r| r.declared));
    // A scope leaves entities out, with the references to them.
    let mut scope = ground.scope();
    scope.exclude = vec!["*team".to_owned()];
    let less = ground.store().source(&sample.dsn, &scope).await.expect("opens").describe().await.expect("describes");
    assert_eq!((less.entities.len(), less.relationships.len()), (5, 3));
}

async fn selects_by_type(sample: &Sample<'_>) {
    assert_eq!(sample.find("item", sample.equal(&[("price", "2.5")]), "sku").await, [SKUS[2]]);
    let pairs: KeySet = [["0", "0"], ["2", "1"], ["5", "x"], ["0", "7"]].into_iter().map(Key::new).collect();
    let pairs = sample.matching(&["order_no", "pos"], Arc::new(pairs));
    assert_eq!(sample.find("line", any(vec![pairs]), "sku").await, [SKUS[0], SKUS[5]]);
    let mut conditional = sample.matching(&["boss_id"], key_set(&["1", "2", "40"]));
    conditional.condition = Some(Condition { field: FieldPath::column("team_id"), equals: "10".to_owned() });
    assert_eq!(sample.find("person", any(vec![conditional]), "id").await, ["2", "3"]);
    // Rows without a key come as often as they are there.
    let twice = sample.equal(&[("note", "twice")]);
    assert_eq!(count(&*sample.source, everything(&sample.entity("log"))).await.expect("reads"), 3);
    assert_eq!(sample.find("log", twice, "at").await, ["2021-01-01 00:00:00", "2021-01-01 00:00:00"]);
    // No server looks into a payload.
    let inner = FieldPath::inner("name", "$.a".parse().expect("a path"));
    let selection = Selection::Where(vec![(inner, "canary".to_owned())]);
    let read = Read { selection, ..everything(&sample.entity("person")) };
    let error = count(&*sample.source, read).await.expect_err("is refused");
    assert!(error.class() == Class::Input && !error.to_string().contains("canary"), "{error}");
}

/// A step that breaks off leaves nothing behind, and the target is of use afterwards.
async fn undoes_what_failed(sample: &Sample<'_>) {
    let to = sample.ground.empty().await;
    sample.ground.store().mark(&to).await.expect("marks");
    let mut target = sample.target(&to).await;
    target.gates(std::slice::from_ref(&sample.catalog.identity)).await.expect("is a target");
    target.prepare(&sample.catalog).await.expect("prepares");
    let item = sample.entity("item");
    let mut records: Vec<_> =
        batches(&*sample.source, everything(&item)).await.expect("reads").into_iter().map(Ok).collect();
    records.push(Err(Error::new(Class::Bundle, "broken off")));
    let step = LoadStep::Insert { entity: item, later: Vec::new() };
    let error = target.load(&step, stream::iter(records).boxed()).await.expect_err("the records broke off");
    assert_eq!((error.class(), error.message()), (Class::Bundle, "broken off"));
    load(&*sample.source, &mut *target, &sample.catalog).await.expect("loads");
}

async fn finds_what_dangles(ground: &dyn SqlGround) {
    let from = ground.sample().await;
    ground.execute(&from, &ground.dangle()).await;
    let to = ground.empty().await;
    let catalog =
        round_trip(ground.store(), &ground.scope(), &from, &to).await.expect("what dangled is loaded as it was");
    let mut target = ground.store().target(&to, "shop").await.expect("opens");
    for edge in &catalog.relationships {
        let (child, parent) = (catalog.entity(&edge.child.entity.name), catalog.entity(&edge.parent.entity.name));
        let (child, parent) = (child.expect("is there"), parent.expect("is there"));
        for declared in [true, false] {
            let mut edge = edge.clone();
            edge.declared = declared;
            let dangling = target.dangling(&edge, child, parent).await.expect("an anti-join");
            let expected: KeySet = if edge.child.entity.name == ground.entity("part") {
                [Key::new(["77", "1"])].into_iter().collect()
            } else {
                KeySet::new()
            };
            assert_eq!(dangling.len(), expected.len(), "{edge}");
            assert!(dangling == expected, "{edge}");
        }
    }
}
