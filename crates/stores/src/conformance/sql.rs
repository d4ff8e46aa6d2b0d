//! What only SQL stores promise: keys and references of the catalog, selections, anti-joins, errors without values.
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
use reenact_model::{Class, Dsn, Entity, FieldPath, Key, KeySet, ServiceCatalog};

use super::{Ground, batches, count, everything, key_set, keys, load, source};
use crate::{LoadStep, Match, Read, Selection, Source};

/// Text keys that break quoting: the `sku`s of the sample, in the sample's words.
pub const SKUS: [&str; 7] =
    ["plain", "it's", "say \"hi\"", "back\\slash", "a,b{c}d", "two\nlines\tand a tab", "canary-ünï-NULL"];

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
    sql.push_str(
        "INSERT INTO person (id, name, email, boss_id, team_id) VALUES (1, 'Ann', 'ann@shop.example', NULL, NULL);
         INSERT INTO team (id, name, lead_id) VALUES (10, 'blue', 1);
         INSERT INTO person (id, name, email, boss_id, team_id) VALUES (2, '', 'bob@shop.example', 1, 10);
         INSERT INTO person (id, name, email, boss_id, team_id) VALUES (3, NULL, NULL, 2, 10);
         INSERT INTO person (id, name, email, boss_id, team_id) VALUES (40, 'Zoë ☃', NULL, 40, NULL);
         UPDATE person SET team_id = 10 WHERE id = 1;
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
    describes_keys_and_references(ground).await;
    selects(ground).await;
    refuses_what_it_cannot_select(ground).await;
    estimates(ground).await;
    finds_what_dangles(ground).await;
    tells_no_value(ground).await;
    super::run(ground).await;
}

fn entity(ground: &dyn SqlGround, catalog: &ServiceCatalog, name: &str) -> Arc<Entity> {
    catalog.entity(&ground.entity(name)).unwrap_or_else(|| panic!("`{name}` is described")).clone()
}

async fn describes_keys_and_references(ground: &dyn SqlGround) {
    let source = source(ground, &ground.sample().await).await.expect("opens");
    let catalog = source.describe().await.expect("describes");
    let of = |name| entity(ground, &catalog, name);
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
    let dsn = ground.sample().await;
    let less = ground.store().source(&dsn, &scope).await.expect("opens").describe().await.expect("describes");
    assert_eq!((less.entities.len(), less.relationships.len()), (5, 3));
}

async fn ids(source: &dyn Source, entity: &Arc<Entity>, selection: Selection, column: &str) -> Vec<String> {
    let read = Read { selection, ordered: true, ..everything(entity) };
    let keys = keys(source, read, &[column]).await.expect("reads");
    keys.iter().map(|key| key.parts()[0].to_string()).collect()
}

fn one(columns: &[&str], keys: Arc<KeySet>) -> Match {
    Match { fields: columns.iter().copied().map(FieldPath::column).collect(), keys, condition: None }
}

fn any(any: Vec<Match>) -> Selection {
    Selection::Match { any, except: Vec::new() }
}

async fn selects(ground: &dyn SqlGround) {
    let source = source(ground, &ground.sample().await).await.expect("opens");
    let catalog = source.describe().await.expect("describes");
    let of = |name| entity(ground, &catalog, name);
    let (person, item, line) = (of("person"), of("item"), of("line"));
    let by = |column: &str, text: &str| Selection::Where(vec![(FieldPath::column(column), text.to_owned())]);
    assert_eq!(ids(&*source, &person, Selection::All, "id").await, ["1", "2", "3", "40"]);
    assert_eq!(ids(&*source, &person, by("email", "bob@shop.example"), "id").await, ["2"]);
    assert_eq!(ids(&*source, &person, by("name", ""), "id").await, ["2"]);
    assert_eq!(ids(&*source, &item, by("price", "2.5"), "sku").await, [SKUS[2]]);
    // Each nasty key finds its record, alone and among others.
    for sku in SKUS {
        assert_eq!(ids(&*source, &item, by("sku", sku), "sku").await, [sku]);
        assert_eq!(ids(&*source, &item, any(vec![one(&["sku"], key_set(&[sku, "none"]))]), "sku").await, [sku]);
    }
    let all_skus = any(vec![one(&["sku"], key_set(&SKUS))]);
    assert_eq!(count(&*source, Read { selection: all_skus, ..everything(&item) }).await.expect("reads"), SKUS.len());
    // A key that has no form in the column's type matches nothing and does no harm.
    let strange = key_set(&["2", "two", "99999999999999999999999", "1e3", "2.5", "", "{}", "NULL"]);
    assert_eq!(ids(&*source, &person, any(vec![one(&["id"], strange)]), "id").await, ["2"]);
    assert_eq!(ids(&*source, &person, any(vec![one(&["id"], key_set(&[]))]), "id").await, Vec::<String>::new());
    assert_eq!(ids(&*source, &person, any(Vec::new()), "id").await, Vec::<String>::new());
    // A record that matches twice is given once; NULLs neither match nor exclude.
    let twice = vec![one(&["id"], key_set(&["1", "2"])), one(&["boss_id"], key_set(&["1", "2"]))];
    assert_eq!(ids(&*source, &person, any(twice.clone()), "id").await, ["1", "2", "3"]);
    let except = Selection::Match { any: twice, except: vec![one(&["boss_id"], key_set(&["2"]))] };
    assert_eq!(ids(&*source, &person, except, "id").await, ["1", "2"]);
    let composite: KeySet = [["0", "0"], ["2", "1"], ["5", "x"], ["0", "7"]].into_iter().map(Key::new).collect();
    let pairs = one(&["order_no", "pos"], Arc::new(composite));
    assert_eq!(ids(&*source, &line, any(vec![pairs]), "sku").await, [SKUS[0], SKUS[5]]);
    let mut conditional = one(&["boss_id"], key_set(&["1", "2", "40"]));
    conditional.condition = Some(Condition { field: FieldPath::column("team_id"), equals: "10".to_owned() });
    assert_eq!(ids(&*source, &person, any(vec![conditional]), "id").await, ["2", "3"]);
    // Rows without a key come as often as they are there.
    let log = of("log");
    assert_eq!(count(&*source, everything(&log)).await.expect("reads"), 3);
    assert_eq!(ids(&*source, &log, by("note", "twice"), "at").await, ["2021-01-01 00:00:00", "2021-01-01 00:00:00"]);
    // Only the columns that were asked for come, in that order.
    let read = Read { columns: vec!["email".to_owned(), "id".to_owned()], ..everything(&person) };
    let got = batches(&*source, read).await.expect("reads");
    let names: Vec<String> = got[0].schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["email", "id"]);
    // Many keys at once.
    let many: KeySet = (0..30_000).map(|n| Key::new([n.to_string()])).collect();
    assert_eq!(ids(&*source, &person, any(vec![one(&["id"], Arc::new(many))]), "id").await.len(), 4);
}

async fn refuses_what_it_cannot_select(ground: &dyn SqlGround) {
    let source = source(ground, &ground.sample().await).await.expect("opens");
    let catalog = source.describe().await.expect("describes");
    let person = entity(ground, &catalog, "person");
    let missing = Selection::Where(vec![(FieldPath::column("nope"), "canary".to_owned())]);
    let inner = FieldPath::inner("name", "$.a".parse().expect("a path"));
    let path = Selection::Where(vec![(inner, "canary".to_owned())]);
    for selection in [missing, path] {
        let error = count(&*source, Read { selection, ..everything(&person) }).await.expect_err("is refused");
        assert_eq!(error.class(), Class::Input);
        assert!(!error.to_string().contains("canary"), "{error}");
    }
}

async fn estimates(ground: &dyn SqlGround) {
    let source = source(ground, &ground.sample().await).await.expect("opens");
    let catalog = source.describe().await.expect("describes");
    let item = entity(ground, &catalog, "item");
    let selection = any(vec![one(&["sku"], key_set(&["canary"]))]);
    for selection in [selection, Selection::All] {
        let estimate = source.estimate(&Read { selection, ..everything(&item) }).await.expect("estimates");
        assert!(!estimate.how.is_empty() && !estimate.how.contains("canary"), "{estimate:?}");
    }
}

async fn finds_what_dangles(ground: &dyn SqlGround) {
    let from = ground.sample().await;
    ground.execute(&from, &ground.dangle()).await;
    let to = ground.empty().await;
    let catalog =
        super::round_trip(ground.store(), &ground.scope(), &from, &to).await.expect("what dangled is loaded as it was");
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
    let part = entity(ground, &catalog, "part");
    let keys = target.keys(&part, &[FieldPath::column("id")], None).await.expect("keys");
    assert!(keys.contains(&Key::new(["900"])) && keys.len() == 4);
    let condition = Condition { field: FieldPath::column("order_no"), equals: "77".to_owned() };
    let keys = target.keys(&part, &[FieldPath::column("id")], Some(&condition)).await.expect("keys");
    assert!(keys.contains(&Key::new(["900"])) && keys.len() == 1);
}

/// A duplicate key is an error that names the table and not the key.
async fn tells_no_value(ground: &dyn SqlGround) {
    let (from, to) = (ground.sample().await, ground.empty().await);
    let source = source(ground, &from).await.expect("opens");
    let catalog = source.describe().await.expect("describes");
    ground.store().mark(&to).await.expect("marks");
    let mut target = ground.store().target(&to, "shop").await.expect("opens");
    target.prepare(&catalog).await.expect("prepares");
    let item = entity(ground, &catalog, "item");
    let step = LoadStep::Insert { entity: item.clone(), later: Vec::new() };
    let mut failed = None;
    for _ in 0..2 {
        let got = batches(&*source, everything(&item)).await.expect("reads");
        failed = target.load(&step, stream::iter(got).map(Ok).boxed()).await.err();
    }
    let error = match failed {
        Some(error) => error,
        None => target.settle(&catalog, &[]).await.expect_err("the key does not hold"),
    };
    let text = format!("{error} {error:?}");
    assert!(text.contains("item") && !text.contains("canary") && !text.contains("slash"), "{text}");
    // The whole sample, loaded afresh, still works after such a failure.
    let to = ground.empty().await;
    ground.store().mark(&to).await.expect("marks");
    let mut target = ground.store().target(&to, "shop").await.expect("opens");
    load(&*source, &mut *target, &catalog).await.expect("loads");
}
