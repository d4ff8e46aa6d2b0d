//! What every source promises: to read no record unless asked, what was asked for and nothing else, and the same since a pin.

use std::sync::Arc;

use futures::StreamExt;
use reenact_model::catalog::Condition;
use reenact_model::{Class, Dsn, Entity, FieldPath, Key, KeySet, Part};

use super::{FIELDS, Ground, PERSONS, SKUS, Sample, any, batches, count, digest, everything, key_set, keys};
use crate::{Read, Selection};

/// Runs what does not change the sample.
pub(super) async fn run(sample: &Sample<'_>) {
    describes_without_reading(sample).await;
    gives_the_sample(sample).await;
    filters(sample).await;
    matches(sample).await;
    refuses_what_it_cannot_read(sample).await;
    estimates_without_values(sample).await;
    holds_its_limit(sample).await;
}

/// A catalog holds no value, and costs as much where records lie as where there are none.
async fn describes_without_reading(sample: &Sample<'_>) {
    let text = format!("{:?}", sample.catalog);
    let persons = PERSONS.iter().flat_map(|(_, values)| values[..2].iter().flatten());
    for value in persons.chain(&SKUS).filter(|value| value.len() > 2) {
        assert!(!text.contains(value) && !text.contains(&format!("{value:?}")), "the catalog holds a value");
    }
    let to = sample.ground.empty().await;
    sample.ground.store().mark(&to).await.expect("marks");
    let mut target = sample.target(&to).await;
    target.prepare(&sample.catalog).await.expect("prepares");
    target.settle(&sample.catalog, &[]).await.expect("settles");
    let bare = Sample::open(sample.ground, &to).await;
    let full = Sample::open(sample.ground, &sample.dsn).await;
    assert_eq!(bare.source.queries(), full.source.queries(), "records cost a description nothing");
    assert_eq!(bare.find("person", Selection::All, "id").await, Vec::<String>::new());
}

async fn gives_the_sample(sample: &Sample<'_>) {
    assert_eq!(sample.find("person", Selection::All, "id").await, PERSONS.map(|(id, _)| id));
    for (at, field) in FIELDS.iter().enumerate() {
        let expected: Vec<&str> = PERSONS.iter().filter_map(|(_, values)| values[at]).collect();
        assert_eq!(sample.find("person", Selection::All, field).await, expected, "{field}");
    }
    let mut found = sample.find("item", Selection::All, "sku").await;
    let mut expected = SKUS.map(str::to_owned);
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    // Only the columns that were asked for come, in that order.
    let person = sample.entity("person");
    let mut columns: Vec<String> = person.writable().take(2).map(|field| field.name.clone()).collect();
    columns.reverse();
    let read = Read { columns: columns.clone(), ..everything(&person) };
    for batch in batches(&*sample.source, read).await.expect("reads") {
        assert!(batch.schema().fields().iter().map(|field| field.name()).eq(&columns));
    }
}

async fn filters(sample: &Sample<'_>) {
    let ids = async |tests: &[(&str, &str)]| sample.find("person", sample.equal(tests), "id").await;
    assert_eq!(ids(&[("email", "bob@shop.example")]).await, ["2"]);
    assert_eq!(ids(&[("name", "")]).await, ["2"], "what is missing is not empty");
    assert_eq!(ids(&[("name", "Zoë ☃")]).await, ["40"]);
    assert_eq!(ids(&[("id", "2"), ("boss_id", "1")]).await, ["2"]);
    assert_eq!(ids(&[]).await, PERSONS.map(|(id, _)| id));
    for nothing in [&[("id", "2"), ("boss_id", "2")][..], &[("email", "BOB")]] {
        assert_eq!(ids(nothing).await, Vec::<String>::new(), "{nothing:?}");
    }
    let odd = Read { selection: sample.equal(&[("id", "canary")]), ..everything(&sample.entity("person")) };
    match count(&*sample.source, odd).await {
        Ok(found) => assert_eq!(found, 0),
        Err(error) => assert!(error.class() == Class::Input && !error.to_string().contains("canary"), "{error}"),
    }
    for sku in SKUS {
        assert_eq!(sample.find("item", sample.equal(&[("sku", sku)]), "sku").await, [sku]);
    }
}

async fn matches(sample: &Sample<'_>) {
    let ids = async |selection| sample.find("person", selection, "id").await;
    let of = |field: &str, keys: &[&str]| sample.matching(&[field], key_set(keys));
    // Each nasty key finds its record, alone and among others.
    for sku in SKUS {
        assert_eq!(sample.find("item", any(vec![of("sku", &[sku, "none"])]), "sku").await, [sku]);
    }
    let skus = Read { selection: any(vec![of("sku", &SKUS)]), ..everything(&sample.entity("item")) };
    assert_eq!(count(&*sample.source, skus).await.expect("reads"), SKUS.len());
    // A key that has no form in the field's type matches nothing and does no harm.
    let strange = ["2", "two", "99999999999999999999999", "1e3", "2.5", "", "{}", "NULL", "*", "\0"];
    assert_eq!(ids(any(vec![of("id", &strange)])).await, ["2"]);
    assert_eq!(ids(any(vec![of("id", &[])])).await, Vec::<String>::new());
    assert_eq!(ids(any(Vec::new())).await, Vec::<String>::new());
    // A record that matches twice is given once; what is missing neither matches nor excludes.
    let twice = vec![of("id", &["1", "2"]), of("boss_id", &["1", "2"])];
    assert_eq!(ids(any(twice.clone())).await, ["1", "2", "3"]);
    let except = vec![of("boss_id", &["2"]), of("email", &["none"])];
    assert_eq!(ids(Selection::Match { any: twice, except }).await, ["1", "2"]);
    let except = vec![of("id", &["2", "3"])];
    assert_eq!(ids(Selection::Match { any: vec![of("boss_id", &["1", "40"])], except }).await, ["40"]);
    // Several fields together.
    let pairs: KeySet = [["2", "1"], ["3", "1"], ["40", "40"], ["x", "1"]].into_iter().map(Key::new).collect();
    assert_eq!(ids(any(vec![sample.matching(&["id", "boss_id"], Arc::new(pairs))])).await, ["2", "40"]);
    let mut conditional = of("boss_id", &["1", "2", "40"]);
    conditional.condition = Some(Condition { field: sample.ground.field("name"), equals: String::new() });
    assert_eq!(ids(any(vec![conditional])).await, ["2"]);
    let many: KeySet = (0..30_000).map(|n| Key::new([n.to_string()])).collect();
    assert_eq!(ids(any(vec![sample.matching(&["id"], Arc::new(many))])).await.len(), PERSONS.len());
}

async fn refuses_what_it_cannot_read(sample: &Sample<'_>) {
    let person = sample.entity("person");
    let missing = || vec![FieldPath::column("nope")];
    let canary = key_set(&["canary"]);
    let mut by_condition = sample.matching(&["id"], canary.clone());
    by_condition.condition = Some(Condition { field: FieldPath::column("nope"), equals: "canary".to_owned() });
    let mut by_fields = by_condition.clone();
    (by_fields.fields, by_fields.condition) = (missing(), None);
    let mut reads = vec![Read { columns: vec!["nope".to_owned()], ..everything(&person) }];
    for selection in [
        Selection::Where(vec![(FieldPath::column("nope"), "canary".to_owned())]),
        any(vec![by_condition]),
        any(vec![by_fields.clone()]),
        Selection::Match { any: vec![sample.matching(&["id"], canary)], except: vec![by_fields] },
    ] {
        reads.push(Read { selection, ..everything(&person) });
    }
    for read in reads {
        let shown = format!("{:?}", read.selection);
        let error = count(&*sample.source, read).await.expect_err("is refused");
        assert_eq!(error.class(), Class::Input, "{shown}: {error}");
        assert!(error.to_string().contains(&person.id.to_string()) && !error.to_string().contains("canary"), "{error}");
    }
}

async fn estimates_without_values(sample: &Sample<'_>) {
    let item = sample.entity("item");
    let canary = SKUS[6];
    let by_key = any(vec![sample.matching(&["sku"], key_set(&[canary]))]);
    for selection in [by_key, sample.equal(&[("sku", canary)]), Selection::All] {
        let read = Read { selection, ..everything(&item) };
        let estimate = sample.source.estimate(&read).await.expect("estimates");
        assert!(!format!("{read:?}").contains("canary"), "{read:?}");
        assert!(!estimate.how.is_empty() && !estimate.how.contains("canary"), "{estimate:?}");
    }
}

/// A read gives as many records as its limit allows, or says that there are more.
async fn holds_its_limit(sample: &Sample<'_>) {
    let (source, person) = (&*sample.source, sample.entity("person"));
    let rows = PERSONS.len();
    let limited = |limit: usize| Read { limit: Some(limit as u64), ..everything(&person) };
    assert_eq!(count(source, limited(rows)).await.expect("as many as the limit"), rows);
    let error = count(source, limited(rows - 1)).await.expect_err("one more");
    assert_eq!(error.class(), Class::Limit);
    assert!(error.to_string().contains(&person.id.to_string()), "{error}");
    let selection = any(vec![sample.matching(&["id"], key_set(&["2"]))]);
    assert_eq!(count(source, Read { selection, ..limited(1) }).await.expect("what is not taken does not count"), 1);
    // The source is of use after an error, and after a stream that was dropped.
    drop(source.read(everything(&person)).next().await);
    let before = source.queries();
    assert_eq!(count(source, everything(&person)).await.expect("reads"), rows);
    assert!(source.queries() > before, "a read is counted");
}

/// A pinned source does not see what is committed later; a new one does.
pub(super) async fn holds_its_pin(ground: &dyn Ground, dsn: &Dsn) {
    let mut pinned = Sample::open(ground, dsn).await;
    let own = pinned.catalog.parts.clone();
    let foreign = [Part::Database, Part::Node(0), Part::Node(1), Part::TopicEnds, Part::Group("nobody".to_owned())];
    for part in foreign.iter().filter(|part| !own.contains(part)) {
        assert_eq!(pinned.source.pin(part, &[]).await.expect_err("no part").class(), Class::Input, "{part}");
    }
    let mut known: Vec<(Arc<Entity>, KeySet)> = Vec::new();
    for entity in &pinned.catalog.entities {
        let fields: Vec<FieldPath> = entity.key.iter().map(FieldPath::column).collect();
        let found = keys(&*pinned.source, everything(entity), &fields).await.expect("reads");
        known.push((entity.clone(), found.into_iter().collect()));
    }
    for part in &own {
        let pin = pinned.source.pin(part, &known).await.expect("pins");
        assert!(!pin.position.at.is_empty(), "{part} has a position");
        assert!(!format!("{pin:?}").contains("canary"), "{pin:?}");
    }
    let person = pinned.entity("person");
    let ids = key_set(&PERSONS.map(|(id, _)| id));
    let needed = || Read { selection: any(vec![pinned.matching(&["id"], ids.clone())]), ..everything(&person) };
    let before = digest(&*pinned.source, needed()).await.expect("reads");
    ground.change(dsn).await;
    assert_eq!(digest(&*pinned.source, needed()).await.expect("reads"), before, "what is needed stays as it was");
    let later = Sample::open(ground, dsn).await;
    let rows = async |sample: &Sample<'_>| count(&*sample.source, everything(&person)).await.expect("reads");
    assert_eq!(rows(&later).await, PERSONS.len() + 1, "a new source sees the change");
    if ground.has_snapshots() {
        assert_eq!(rows(&pinned).await, PERSONS.len());
    }
}
