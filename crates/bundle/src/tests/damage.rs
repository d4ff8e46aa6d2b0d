//! A bundle that somebody changed, cut, mixed or signed without right is refused when it is opened.

use reenact_model::{Class, Error};

use super::{Fixture, Numbers, entity};
use crate::{Bundle, Identity, Keyring, Manifest, SigningKey};

fn refused(fixture: &Fixture) -> Error {
    let error = fixture.open().expect_err("a damaged bundle was opened");
    assert_eq!(error.class(), Class::Bundle, "{error}");
    error
}

fn bundle() -> Fixture {
    let fixture = Fixture::new();
    fixture.write(&[entity("a"), entity("b")], 500);
    fixture.open().expect("it is whole");
    fixture
}

#[test]
fn every_flipped_bit_is_refused() {
    let fixture = bundle();
    let mut numbers = Numbers(5);
    let manifest = fixture.place.manifest().unwrap();
    for _ in 0..150 {
        let (at, bit) = (numbers.below(manifest.len()), numbers.below(8));
        let mut altered = manifest.clone();
        altered[at] ^= 1 << bit;
        fixture.place.commit(&altered).unwrap();
        refused(&fixture);
    }
    // The signature and the line ends, bit by bit.
    for at in manifest.len() - 130..manifest.len() {
        for bit in 0..8 {
            let mut altered = manifest.clone();
            altered[at] ^= 1 << bit;
            assert!(Manifest::open(&altered, &[fixture.signer.public()]).is_err(), "byte {at} bit {bit}");
        }
    }
    fixture.place.commit(&manifest).unwrap();
    let members = fixture.manifest().members;
    for round in 0..150 {
        let id = members[round % members.len()].id;
        let whole = fixture.bytes(&id);
        let mut altered = whole.clone();
        altered[numbers.below(whole.len())] ^= 1 << numbers.below(8);
        fixture.replace(&id, &altered);
        let error = refused(&fixture);
        assert!(error.message().contains(&id.to_string()), "{error}");
        fixture.replace(&id, &whole);
    }
    fixture.open().unwrap().verify().unwrap();
}

#[test]
fn cut_extended_missing_and_swapped_members_are_refused() {
    let fixture = bundle();
    let members = fixture.manifest().members;
    let (first, second) = (members[0].id, members[1].id);
    let (one, two) = (fixture.bytes(&first), fixture.bytes(&second));
    for length in [0, 1, 72, one.len() - 65_552, one.len() - 1] {
        fixture.replace(&first, &one[..length]);
        assert!(refused(&fixture).message().contains("size"));
    }
    fixture.replace(&first, &[&one[..], &[0]].concat());
    refused(&fixture);
    fixture.replace(&first, &[&one[..], &two[72..]].concat());
    refused(&fixture);
    fixture.place.remove(&first).unwrap();
    assert!(refused(&fixture).message().contains("missing"));
    fixture.replace(&first, &two);
    fixture.replace(&second, &one);
    refused(&fixture);
    fixture.replace(&first, &one);
    fixture.replace(&second, &two);
    fixture.open().unwrap();
}

#[test]
fn a_cut_manifest_is_refused() {
    let fixture = bundle();
    let manifest = fixture.place.manifest().unwrap();
    for length in [0, 1, manifest.len() - 130, manifest.len() - 129, manifest.len() - 1] {
        fixture.place.commit(&manifest[..length]).unwrap();
        refused(&fixture);
    }
    fixture.place.commit(&[&manifest[..], b"\n"].concat()).unwrap();
    refused(&fixture);
}

#[test]
fn a_member_of_another_bundle_is_refused() {
    let (fixture, other) = (bundle(), bundle());
    fixture.replace(&fixture.member(), &other.bytes(&other.member()));
    refused(&fixture);
}

#[test]
fn only_a_trusted_signature_counts() {
    let fixture = bundle();
    let open = |keyring: &Keyring| Bundle::open(fixture.place.clone(), keyring);
    let error = open(&Keyring { trusted: Vec::new(), ..fixture.keyring() }).unwrap_err();
    assert_eq!(error.class(), Class::Bundle);
    assert!(error.help_text().unwrap().contains("--trust"), "{error}");

    let error = open(&Keyring { trusted: vec![SigningKey::generate().public()], ..fixture.keyring() }).unwrap_err();
    assert!(error.message().contains(&fixture.signer.public().id()), "{error}");

    // A stranger signs a manifest that names the trusted key, and one that names its own.
    let stranger = SigningKey::generate();
    let mut manifest = fixture.manifest();
    fixture.place.commit(&manifest.sign(&stranger).unwrap().0).unwrap();
    refused(&fixture);
    manifest.signer = stranger.public();
    fixture.place.commit(&manifest.sign(&stranger).unwrap().0).unwrap();
    assert!(refused(&fixture).help_text().unwrap().contains("--trust"));

    let unsigned = serde_json::to_vec(&manifest).unwrap();
    fixture.place.commit(&unsigned).unwrap();
    assert!(refused(&fixture).message().contains("not signed"));
}

#[test]
fn who_is_no_recipient_can_not_open() {
    let fixture = bundle();
    for identities in [vec![], vec![Identity::generate()]] {
        let error = Bundle::open(fixture.place.clone(), &Keyring { identities, ..fixture.keyring() }).unwrap_err();
        assert_eq!(error.class(), Class::Bundle);
        assert!(error.message().contains("sealed to others") && error.help_text().is_some(), "{error}");
    }
}

#[test]
fn an_expired_bundle_needs_a_word() {
    let fixture = bundle();
    fixture.sign_again(|manifest| manifest.expires_ms = Some(1_700_000_000_000));
    assert!(refused(&fixture).message().contains("expired"));
    Bundle::open(fixture.place.clone(), &Keyring { allow_expired: true, ..fixture.keyring() }).unwrap();
    fixture.sign_again(|manifest| manifest.expires_ms = Some(i64::MAX));
    fixture.open().unwrap();
}
