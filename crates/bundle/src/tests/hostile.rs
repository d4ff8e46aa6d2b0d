//! What a signer with bad intentions, or a defect of ours, could have signed: caught behind the signature.

use std::sync::Arc;

use reenact_model::digest::EntityDigest;
use reenact_model::{Class, Entity, Error};
use sha2::{Digest, Sha256};

use super::{Fixture, Numbers, contents, entity};
use crate::seal::{HEADER, SEALED_SEGMENT, Sealer};
use crate::{Manifest, MemberId, Sealed};

fn bundle() -> Fixture {
    let fixture = Fixture::new();
    fixture.write(&[entity("a")], 20_000);
    fixture
}

/// Replaces a member and signs its new digest and size.
fn forge(fixture: &Fixture, id: MemberId, bytes: &[u8]) {
    fixture.replace(&id, bytes);
    fixture.sign_again(|manifest: &mut Manifest| {
        let member = manifest.members.iter_mut().find(|member| member.id == id).unwrap();
        member.size = bytes.len() as u64;
        member.sha256 = hex::encode(Sha256::digest(bytes));
    });
}

fn unread(fixture: &Fixture) -> Error {
    let error = fixture.open().and_then(|bundle| bundle.verify()).expect_err("a forged member was read");
    assert_eq!(error.class(), Class::Bundle, "{error}");
    error
}

#[test]
fn segments_hold_their_place_and_their_number() {
    let fixture = bundle();
    let id = fixture.member();
    let whole = fixture.bytes(&id);
    assert!(whole.len() > HEADER + 3 * SEALED_SEGMENT);
    let (header, body) = whole.split_at(HEADER);
    let segments: Vec<&[u8]> = body.chunks(SEALED_SEGMENT).collect();
    let last = segments.len() - 1;
    let joined = |order: &[usize]| {
        let parts: Vec<u8> = order.iter().flat_map(|index| segments[*index].iter().copied()).collect();
        [header, &parts[..]].concat()
    };
    let all: Vec<usize> = (0..segments.len()).collect();
    let mut exchanged = all.clone();
    exchanged.swap(0, 1);
    let cases = [exchanged, all[..last].to_vec(), all[1..].to_vec(), [&all[..], &[last]].concat(), vec![last]];
    for order in cases {
        forge(&fixture, id, &joined(&order));
        assert!(unread(&fixture).message().contains("altered"), "{order:?}");
    }
    let mut altered = whole.clone();
    altered[HEADER + 5] ^= 1;
    forge(&fixture, id, &altered);
    assert!(unread(&fixture).message().contains("segment 0"));
    forge(&fixture, id, &whole);
    fixture.open().unwrap().verify().unwrap();
}

#[test]
fn a_key_that_was_not_committed_to_opens_nothing() {
    let fixture = bundle();
    let id = fixture.member();
    let whole = fixture.bytes(&id);
    // Magic and algorithm, salt, commitment in the header.
    for (at, word) in [(0, "header"), (6, "header"), (8, "committed"), (HEADER - 1, "committed")] {
        let mut altered = whole.clone();
        altered[at] ^= 1;
        forge(&fixture, id, &altered);
        assert!(unread(&fixture).message().contains(word), "byte {at}");
    }
    forge(&fixture, id, &whole);
    fixture.sign_again(|manifest| {
        let index = manifest.members.iter().position(|member| member.id == id).unwrap();
        manifest.members[index].commitment = "00".repeat(32);
    });
    assert!(unread(&fixture).message().contains("committed"));
}

#[test]
fn the_key_of_another_member_opens_nothing() {
    let fixture = bundle();
    let id = fixture.member();
    fixture.sign_again(|manifest| {
        let contents = manifest.member(&manifest.contents).unwrap().wrapped_key.clone();
        manifest.members.iter_mut().find(|member| member.id == id).unwrap().wrapped_key = contents;
    });
    assert!(unread(&fixture).message().contains("committed"));
}

/// A bundle whose one member has this payload, though the contents speak of `digest`.
fn with_payload(entity: &Arc<Entity>, payload: &[u8], digest: EntityDigest) -> Fixture {
    let fixture = Fixture::new();
    let mut sealer = Sealer::create(&fixture.place, &[fixture.identity.recipient()]).unwrap();
    sealer.append(payload).unwrap();
    let id = sealer.id();
    let container = sealer.finish().unwrap();
    let member = Sealed {
        id,
        entity: entity.id.clone(),
        digest,
        sha256: hex::encode(container.sha256),
        size: container.size,
        commitment: hex::encode(container.commitment),
        wrapped_key: container.wrapped_key,
    };
    let described = contents(std::slice::from_ref(entity), std::slice::from_ref(&member));
    fixture.writer().finish(vec![member], &described, &fixture.signer, None).unwrap();
    fixture
}

#[test]
fn what_is_no_parquet_is_an_error_and_no_panic() {
    let entity = entity("a");
    let huge = [&[0_u8; 100][..], &u32::MAX.to_le_bytes(), b"PAR1"].concat();
    let long_list =
        [b"PAR1", &[0x2c, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0][..], &10_u32.to_le_bytes(), b"PAR1"].concat();
    for payload in [&b""[..], b"PAR1", b"not parquet at all", &huge, &long_list] {
        let fixture = with_payload(&entity, payload, EntityDigest::default());
        unread(&fixture);
    }
}

#[test]
fn a_damaged_parquet_file_never_reads_as_other_rows() {
    let (source, entity) = (Fixture::new(), entity("a"));
    source.write(std::slice::from_ref(&entity), 300);
    let bundle = source.open().unwrap();
    let info = bundle.contents().members[0].clone();
    let unsealed = bundle.opener().open(&info.id).unwrap();
    let length = usize::try_from(unsealed.length()).unwrap();
    let whole = unsealed.read(0, length).unwrap().to_vec();
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let (mut numbers, mut errors) = (Numbers(11), 0);
    for _ in 0..200 {
        let mut altered = whole.clone();
        altered[numbers.below(length)] ^= 1 << numbers.below(8);
        // Whatever the parser makes of it: an error, or the same records.
        errors += usize::from(with_payload(&entity, &altered, info.digest).open().unwrap().verify().is_err());
    }
    std::panic::set_hook(hook);
    assert!(errors > 100, "{errors}");
    with_payload(&entity, &whole, info.digest).open().unwrap().verify().unwrap();
}

/// The same digest with another count.
fn counting(digest: EntityDigest, count: u64) -> EntityDigest {
    let mut json = serde_json::to_value(digest).unwrap();
    json["count"] = count.into();
    serde_json::from_value(json).unwrap()
}

#[test]
fn counts_digests_columns_and_lists_are_compared() {
    let (source, original) = (Fixture::new(), entity("a"));
    source.write(std::slice::from_ref(&original), 300);
    let bundle = source.open().unwrap();
    let info = bundle.contents().members[0].clone();
    let unsealed = bundle.opener().open(&info.id).unwrap();
    let whole = unsealed.read(0, usize::try_from(unsealed.length()).unwrap()).unwrap();

    let more = counting(info.digest, 301);
    assert!(unread(&with_payload(&original, &whole, more)).message().contains("another number"));
    let mut other = info.digest;
    other.add(&super::rows(&original, 1, 9), ["field_0"].into_iter());
    let other = counting(other, 300);
    assert!(unread(&with_payload(&original, &whole, other)).message().contains("not those"));
    let mut fields = original.fields.clone();
    fields[0].name = "renamed".to_owned();
    assert!(unread(&with_payload(&super::named("a", fields), &whole, info.digest)).message().contains("columns"));

    let stray = source.writer().member(&original).unwrap().seal().unwrap();
    source.sign_again(|manifest| {
        manifest.members.push(stray.into());
        manifest.members.sort_by_key(|member| member.id);
    });
    assert!(unread(&source).message().contains("other members"));
}
