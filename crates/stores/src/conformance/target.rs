//! What every target promises: to write only where it may, and then all that it was sent.

use reenact_model::catalog::{Condition, End, Relationship};
use reenact_model::digest::EntityDigest;
use reenact_model::{Class, Dsn, KeySet, Result, ServiceCatalog};

use super::{SKUS, Sample, batches, digest, everything, insert, key_set, round_trip};
use crate::Target;

/// Runs all, on one place, in the order in which it is filled.
pub(super) async fn run(sample: &Sample<'_>) {
    let to = sample.ground.empty().await;
    refuses_what_is_no_target(sample, &to).await;
    loads_what_it_reads(sample, &to).await;
    let mut target = sample.target(&to).await;
    target.gates(std::slice::from_ref(&sample.catalog.identity)).await.expect("a marked target is taken");
    finds_keys(sample, &mut *target).await;
    refuses_what_holds_records(sample, &mut *target).await;
}

fn assert_refused<T: std::fmt::Debug>(result: Result<T>, what: &str) {
    let error = result.expect_err(what);
    assert_eq!(error.class(), Class::Refused, "{what}: {error}");
}

/// A place without the marker, or that is a source, is not written to, at no step.
async fn refuses_what_is_no_target(sample: &Sample<'_>, to: &Dsn) {
    let own = sample.target(to).await.identity().await.expect("an identity");
    assert_ne!(own, sample.catalog.identity);
    for (what, sources) in [("no marker", Vec::new()), ("a source", vec![sample.catalog.identity.clone(), own])] {
        let mut target = sample.target(to).await;
        assert_refused(target.gates(&sources).await, what);
        assert_refused(target.prepare(&sample.catalog).await, what);
        assert_refused(target.defer(&[]).await, what);
        let person = sample.entity("person");
        let records = batches(&*sample.source, everything(&person)).await.expect("reads");
        assert_refused(insert(&mut *target, &person, Vec::new(), records).await, what);
        assert_refused(target.settle(&sample.catalog, &[]).await, what);
        sample.ground.store().mark(to).await.expect("marks");
    }
}

/// The sample comes back equal, and its copy describes itself as the original did.
async fn loads_what_it_reads(sample: &Sample<'_>, to: &Dsn) {
    let catalog =
        round_trip(sample.ground.store(), &sample.ground.scope(), &sample.dsn, to).await.expect("a round trip");
    assert_eq!(catalog.identity, sample.catalog.identity, "a store stays what it is");
    let copy = Sample::open(sample.ground, to).await.catalog;
    for entity in &catalog.entities {
        let copied = copy.entity(&entity.id.name).expect("is there");
        assert_eq!((&copied.fields, &copied.key), (&entity.fields, &entity.key), "{}", entity.id);
        assert_eq!(copied.uniques, entity.uniques, "{}", entity.id);
    }
    let edges = |catalog: &ServiceCatalog| {
        let mut edges: Vec<String> = catalog.relationships.iter().map(ToString::to_string).collect();
        edges.sort();
        edges
    };
    assert_eq!(edges(&copy), edges(&catalog));
}

/// Keys are read back with and without a condition, and those that refer to nothing are found.
async fn finds_keys(sample: &Sample<'_>, target: &mut dyn Target) {
    let person = sample.entity("person");
    let end = |name| End { entity: person.id.clone(), fields: sample.fields(&[name]) };
    // Who leads whom, turned round: what dangles are those who lead nobody.
    let mut edge = Relationship {
        child: end("id"),
        parent: end("boss_id"),
        declared: false,
        constraint: None,
        deferrable: false,
        condition: None,
    };
    for (boss, keys, dangling) in
        [(None, &["1", "2", "3", "40"][..], &["3"][..]), (Some("1"), &["2"], &[]), (Some("2"), &["3"], &["3"])]
    {
        let equals = |boss: &str| Condition { field: sample.ground.field("boss_id"), equals: boss.to_owned() };
        edge.condition = boss.map(equals);
        let found = target.keys(&person, &edge.child.fields, edge.condition.as_ref()).await.expect("keys");
        assert!(found == *key_set(keys), "{boss:?}: {} keys", found.len());
        let found: KeySet = target.dangling(&edge, &person, &person).await.expect("a comparison");
        assert!(found == *key_set(dangling), "{boss:?}: {} keys dangle", found.len());
    }
}

/// Records are not loaded over others; if they are sent all the same, that is an error without values, or shows.
async fn refuses_what_holds_records(sample: &Sample<'_>, target: &mut dyn Target) {
    let item = sample.entity("item");
    assert_refused(target.prepare(&sample.catalog).await, "the target holds records");
    let sent = digest(&*sample.source, everything(&item)).await.expect("reads");
    match overwritten(sample, target).await {
        Ok(found) => assert_ne!(found, sent),
        Err(error) => {
            let text = format!("{error} {error:?}");
            assert_eq!(error.site().entity.as_ref(), Some(&item.id.name), "{text}");
            assert!(!SKUS.iter().any(|sku| text.contains(sku)), "{text}");
        }
    }
}

async fn overwritten(sample: &Sample<'_>, target: &mut dyn Target) -> Result<EntityDigest> {
    let item = sample.entity("item");
    let records = batches(&*sample.source, everything(&item)).await?;
    insert(target, &item, Vec::new(), records).await?;
    target.settle(&sample.catalog, &[]).await?;
    target.digest(&item).await
}
