//! The permutations, and Wycheproof's vectors through the entry point that masks use.

use std::collections::HashSet;
use std::path::PathBuf;

use serde_json::Value;

use super::*;
use crate::kernels::testing::key;

#[test]
fn permutations_are_bijections() {
    for size in [1, 2, 255, 32_767, 999_999] {
        let permutation = Permutation::new(&key("a"), size, "t");
        let mut seen = vec![false; usize::try_from(size).expect("small")];
        for n in 0..size {
            let image = usize::try_from(permutation.apply(n)).expect("small");
            assert!(!std::mem::replace(&mut seen[image], true));
        }
    }
    for size in [1_500_000, 1 << 64, MOST] {
        let large = Permutation::new(&key("a"), size, "t");
        let images: HashSet<u128> = (0..10_000).chain(size - 10_000..size).map(|n| large.apply(n)).collect();
        assert_eq!(images.len(), 20_000);
        assert!(images.iter().all(|n| *n < size));
    }
}

#[test]
fn tweaks_tell_permutations_apart() {
    for size in [1_000, 5_000_000] {
        let (a, b) = (Permutation::among(&key("a"), size, "a"), Permutation::among(&key("a"), size, "b"));
        assert!((0..200).filter(|n| a.apply(*n) == b.apply(*n)).count() < 5);
    }
}

#[test]
fn ff1_agrees_with_nist() {
    // NIST SP 800-38G samples for FF1, sample 7: AES-256, radix 10, no tweak.
    let key = hex::decode("2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94").expect("hex");
    let cipher = Ff1::new(&key, 10).expect("valid");
    let message: Vec<u16> = (0..10).collect();
    assert_eq!(cipher.encrypt(&[], &message), Ok(vec![6, 6, 5, 7, 6, 6, 7, 0, 0, 9]));
}

#[test]
fn machine_words_and_digits_give_the_same_image() {
    for (radix, digits) in [(2, 20), (2, 63), (2, 64), (2, 126), (10, 6), (10, 37), (26, 25), (62, 20)] {
        assert!(Number::holds(radix, digits), "{radix}^{digits}");
        let cipher = Ff1::new(key("a").cipher(), radix).expect("valid");
        for n in 0..50_u32 {
            let message: Vec<u16> = (0..digits)
                .map(|at| u16::try_from((n * 31 + 7 * u32::try_from(at).expect("small")) % radix).expect("small"))
                .collect();
            let slow = cipher.cipher.encrypt(b"t", &FlexibleNumeralString::from(message.clone())).ok().map(Vec::from);
            assert_eq!(cipher.encrypt(b"t", &message).ok(), slow, "{radix}^{digits}");
        }
    }
}

/// A file of the test data, if there is any.
fn dataset(name: &str) -> Option<Value> {
    let root = PathBuf::from(std::env::var_os("REENACT_DATASETS")?);
    let text = std::fs::read_to_string(root.join("crypto").join(name)).ok()?;
    Some(serde_json::from_str(&text).expect("Wycheproof's JSON"))
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped must say so")]
fn wycheproof_agrees() {
    let files = ["aes_ff1_base10_test.json", "aes_ff1_base62_test.json"].map(dataset);
    let [Some(ten), Some(sixty_two)] = files else {
        eprintln!(
            "SKIPPED: Wycheproof's FF1 vectors are not in REENACT_DATASETS/crypto; FF1 is checked on NIST's sample only"
        );
        return;
    };
    let (mut right, mut invalid, mut small) = (0, 0, 0);
    for group in [ten, sixty_two].iter().flat_map(|file| file["testGroups"].as_array().cloned().expect("groups")) {
        let alphabet = group["alphabet"].as_str().expect("an alphabet");
        let radix = u32::try_from(group["radix"].as_u64().expect("a radix")).expect("small");
        // What is not in the alphabet must be refused by us, as a digit beyond the radix.
        let digits = |text: &str| -> Vec<u16> {
            text.chars()
                .map(|c| u16::try_from(alphabet.find(c).unwrap_or(usize::from(u16::MAX))).expect("small"))
                .collect()
        };
        for test in group["tests"].as_array().expect("tests") {
            let text = |name: &str| test[name].as_str().expect("a text");
            let (key, tweak) = (hex::decode(text("key")).expect("hex"), hex::decode(text("tweak")).expect("hex"));
            let found = Ff1::new(&key, radix).and_then(|cipher| cipher.encrypt(&tweak, &digits(text("msg"))));
            let flagged = |flag: &str| test["flags"].as_array().expect("flags").iter().any(|f| f == flag);
            match text("result") {
                // Valid by the text of 2016; r1 asks for a domain of a million, and so do we.
                "valid" if flagged("SmallMessageSize") => {
                    assert_eq!(found, Err(Refused), "{test}");
                    small += 1;
                }
                "valid" => {
                    assert_eq!(found, Ok(digits(text("ct"))), "{test}");
                    right += 1;
                }
                _ => {
                    assert_eq!(found, Err(Refused), "{test}");
                    invalid += 1;
                }
            }
        }
    }
    assert_eq!((right, invalid, small), (5_433, 868, 18));
}
