//! What a writer leaves behind when something goes wrong, and what it refuses.

use std::sync::Arc;

use reenact_model::{Class, Via};

use super::{Fixture, contents, entity, masked, rows};
use crate::{BundleWriter, Identity, Memory, Sealed};

#[test]
fn a_member_that_is_dropped_unsealed_leaves_nothing() {
    let (fixture, entity) = (Fixture::new(), entity("t"));
    let writer = fixture.writer();
    let mut member = writer.member(&entity).unwrap();
    member.write(&masked(&entity, rows(&entity, 40_000, 1), Via::root(0))).unwrap();
    assert_eq!(fixture.place.list().unwrap().len(), 1);
    drop(member);
    assert!(fixture.place.list().unwrap().is_empty());

    let sealed = writer.member(&entity).unwrap().seal().unwrap();
    assert_eq!(fixture.place.list().unwrap(), [sealed.id]);
    writer.remove(&sealed).unwrap();
    assert!(fixture.place.list().unwrap().is_empty());
}

#[test]
fn members_that_are_not_kept_are_removed_at_the_end() {
    let (fixture, entity) = (Fixture::new(), entity("t"));
    let writer = fixture.writer();
    let first = writer.member(&entity).unwrap().seal().unwrap();
    let kept = writer.member(&entity).unwrap().seal().unwrap();
    let described = contents(&[entity], std::slice::from_ref(&kept));
    writer.finish(vec![kept.clone()], &described, &fixture.signer, None).unwrap();
    let left = fixture.place.list().unwrap();
    assert!(left.len() == 2 && left.contains(&kept.id) && !left.contains(&first.id));
    assert_eq!(writer.finish(vec![kept], &described, &fixture.signer, None).unwrap_err().class(), Class::Unexpected);
    fixture.open().unwrap().verify().unwrap();
}

#[test]
fn a_full_disk_is_told_as_such_and_leaves_nothing() {
    let entity = entity("t");
    let write = |capacity: u64| {
        let fixture = Fixture::at(Arc::new(Memory::with_capacity(capacity)));
        let writer = fixture.writer();
        let result = writer.member(&entity).and_then(|mut member| {
            for seed in 0..4 {
                member.write(&masked(&entity, rows(&entity, 10_000, seed), Via::root(0)))?;
            }
            let sealed = member.seal()?;
            let described = contents(std::slice::from_ref(&entity), std::slice::from_ref(&sealed));
            writer.finish(vec![sealed], &described, &fixture.signer, None)
        });
        if let Err(error) = &result {
            assert_eq!(error.class(), Class::Write, "{error}");
            assert!(error.message().contains("no space left"), "{error}");
            assert!(fixture.place.manifest().is_err());
            writer.abandon().unwrap();
            assert!(fixture.place.list().unwrap().is_empty());
        }
        (result.is_ok(), fixture)
    };
    let (done, whole) = write(u64::MAX);
    assert!(done);
    let manifest = whole.manifest();
    let members: u64 = manifest.members.iter().map(|member| member.size).sum();
    let everything = members + whole.place.manifest().unwrap().len() as u64;
    assert!(members > 1_500_000);
    for capacity in [0, 1, 72, 100_000, 1_000_000, members / 2, members - 70_000, members - 1, members, members + 100] {
        assert!(!write(capacity).0, "{capacity}");
    }
    // A wrapped key has no fixed length: age adds random stanzas.
    assert!(write(everything + 10_000).0);
}

#[test]
fn rows_of_another_entity_or_shape_are_refused_and_the_member_with_them() {
    let (fixture, one, two) = (Fixture::new(), entity("one"), entity("two"));
    let writer = fixture.writer();
    let mut member = writer.member(&one).unwrap();
    let error = member.write(&masked(&two, rows(&two, 1, 1), Via::root(0))).unwrap_err();
    assert_eq!((error.class(), error.site().entity.as_deref()), (Class::Unexpected, Some("one")));
    assert!(member.seal().is_err());
    let mut member = writer.member(&one).unwrap();
    let narrow = rows(&one, 1, 1).project(&[0, 1]).unwrap();
    assert!(member.write(&masked(&one, narrow, Via::root(0))).is_err());
    assert!(member.write(&masked(&one, rows(&one, 1, 1), Via::root(0))).is_err());
    drop(member);
    assert!(fixture.place.list().unwrap().is_empty());
}

#[test]
fn contents_must_list_exactly_what_is_kept() {
    let (fixture, entity) = (Fixture::new(), entity("t"));
    let finish = |kept: Vec<Sealed>, listed: &[Sealed], known: bool| {
        let entities = if known { vec![entity.clone()] } else { Vec::new() };
        fixture
            .writer()
            .finish(kept, &contents(&entities, listed), &fixture.signer, None)
            .map_err(|error| error.class())
    };
    let sealed = fixture.writer().member(&entity).unwrap().seal().unwrap();
    let member = || sealed.clone();
    assert_eq!(finish(vec![], &[member()], true), Err(Class::Unexpected));
    assert_eq!(finish(vec![member()], &[], true), Err(Class::Unexpected));
    assert_eq!(finish(vec![member(), member()], &[member(), member()], true), Err(Class::Unexpected));
    assert_eq!(finish(vec![member()], &[member()], false), Err(Class::Unexpected));
    let larger = Sealed { size: sealed.size + 1, ..member() };
    assert_eq!(finish(vec![larger], &[member()], true), Err(Class::Bundle));
    assert!(finish(vec![member()], &[member()], true).is_ok());
}

#[test]
fn a_sealed_member_travels_and_every_recipient_can_open_it() {
    let (place, entity) = (Arc::new(Memory::new()), entity("t"));
    let (first, second) = (Fixture::at(place.clone()), Identity::generate());
    let writer = BundleWriter::create(place.clone(), &[second.recipient(), first.identity.recipient()]).unwrap();
    let sealed = writer.member(&entity).unwrap().seal().unwrap();
    let travelled: Sealed = serde_json::from_str(&serde_json::to_string(&sealed).unwrap()).unwrap();
    assert_eq!(travelled, sealed);
    let described = contents(&[entity], std::slice::from_ref(&travelled));
    writer.finish(vec![travelled], &described, &first.signer, None).unwrap();
    first.open().unwrap();
    let other = Fixture { identity: second, ..first };
    other.open().unwrap();
    assert_eq!(BundleWriter::create(place, &[]).unwrap_err().class(), Class::Input);
}

#[test]
fn agents_may_share_a_writer_and_threads_may_take_rows_along() {
    fn shared<T: Send + Sync + 'static>() {}
    fn moved<T: Send + 'static>() {}
    shared::<BundleWriter>();
    shared::<crate::Bundle>();
    moved::<crate::MemberWriter>();
    moved::<crate::Rows>();
}
