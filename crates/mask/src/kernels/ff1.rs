//! Permutations of numbers and of strings over an alphabet: the bijections that other masks stand on.
//!
//! Hidden here: which primitive serves which size. FF1 with AES-256 (NIST SP 800-38G) permutes domains of a million values
//! and more; below that, where FF1 is not allowed, the whole domain is sorted by a keyed hash and the rank is the
//! pseudonym (a prefix cipher). Sizes between powers of two are met by walking the cycle.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use aes::Aes256;
use fpe::ff1::{FF1, FlexibleNumeralString};

use crate::domain::DomainKey;

/// FF1's least domain (NIST SP 800-38G r1, second draft).
const LEAST: u64 = 1_000_000;

/// A keyed permutation of `0..size`.
pub(super) struct Permutation {
    size: u64,
    kind: Kind,
}

enum Kind {
    Ranks(Vec<u32>),
    Cipher { cipher: Box<FF1<Aes256>>, bits: u32 },
}

impl Permutation {
    /// The permutation of `0..size` that a key gives; `tweak` tells permutations of one key apart.
    pub(super) fn new(key: &DomainKey, size: u64, tweak: &str) -> Self {
        if size < LEAST {
            let mut order: Vec<(u64, u32)> = (0..u32::try_from(size).unwrap_or(u32::MAX))
                .map(|n| (key.number(format!("rank|{tweak}|{n}").as_bytes()), n))
                .collect();
            order.sort_unstable();
            let mut ranks = vec![0; order.len()];
            for (rank, (_, n)) in order.iter().enumerate() {
                ranks[*n as usize] = u32::try_from(rank).unwrap_or(u32::MAX);
            }
            return Self { size, kind: Kind::Ranks(ranks) };
        }
        let bits = (64 - (size - 1).leading_zeros()).max(20);
        #[expect(clippy::expect_used, reason = "AES-256 takes 32 bytes and 2 is a radix")]
        let cipher = Box::new(FF1::new(key.cipher(), 2).expect("a valid key and radix"));
        Self { size, kind: Kind::Cipher { cipher, bits } }
    }

    /// The image of `n`, which must be below the size.
    pub(super) fn apply(&self, n: u64) -> u64 {
        debug_assert!(n < self.size);
        match &self.kind {
            Kind::Ranks(ranks) => u64::from(ranks[usize::try_from(n).unwrap_or(0)]),
            Kind::Cipher { cipher, bits } => {
                let mut at = n;
                loop {
                    let digits: Vec<u16> = (0..*bits).rev().map(|bit| u16::from(at >> bit & 1 == 1)).collect();
                    let image = encrypt(cipher, digits);
                    at = image.iter().fold(0, |sum, digit| sum << 1 | u64::from(*digit));
                    if at < self.size {
                        return at;
                    }
                }
            }
        }
    }
}

impl fmt::Debug for Permutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Permutation(of {})", self.size)
    }
}

#[expect(clippy::expect_used, reason = "the digits are below the radix, and there are enough of them")]
fn encrypt(cipher: &FF1<Aes256>, digits: Vec<u16>) -> Vec<u16> {
    cipher.encrypt(&[], &FlexibleNumeralString::from(digits)).expect("a valid numeral string").into()
}

/// Keyed permutations of strings over an alphabet, by length; a string's image has its length.
#[derive(Debug)]
pub(super) struct Strings {
    alphabet: &'static [u8],
    /// Small permutations, made once per key and length; a key is known by a hash under itself.
    small: Mutex<HashMap<(u64, usize), Arc<Permutation>>>,
}

impl Strings {
    pub(super) fn new(alphabet: &'static [u8]) -> Self {
        Self { alphabet, small: Mutex::default() }
    }

    /// Replaces digits (indices into the alphabet) by those of the image.
    pub(super) fn apply(&self, key: &DomainKey, digits: &[u16]) -> Vec<u16> {
        let radix = self.alphabet.len() as u64;
        let size = u32::try_from(digits.len()).ok().and_then(|n| radix.checked_pow(n));
        match size {
            Some(size) if size < LEAST => {
                let slot = (key.number(b"self"), digits.len());
                let known = self.small.lock().ok().and_then(|map| map.get(&slot).cloned());
                let permutation = known.unwrap_or_else(|| {
                    let made = Arc::new(Permutation::new(key, size, &format!("{radix}^{}", digits.len())));
                    if let Ok(mut map) = self.small.lock() {
                        map.insert(slot, Arc::clone(&made));
                    }
                    made
                });
                let mut image = permutation.apply(digits.iter().fold(0, |sum, d| sum * radix + u64::from(*d)));
                let mut out = vec![0; digits.len()];
                for digit in out.iter_mut().rev() {
                    *digit = u16::try_from(image % radix).unwrap_or(0);
                    image /= radix;
                }
                out
            }
            _ => {
                #[expect(clippy::expect_used, reason = "AES-256 takes 32 bytes and an alphabet's size is a radix")]
                let cipher = FF1::<Aes256>::new(key.cipher(), u32::try_from(radix).unwrap_or(10)).expect("valid");
                encrypt(&cipher, digits.to_vec())
            }
        }
    }
}

#[cfg(test)]
mod tests {
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
        let large = Permutation::new(&key("a"), 1_500_000, "t");
        let images: std::collections::HashSet<u64> = (0..20_000).map(|n| large.apply(n)).collect();
        assert_eq!(images.len(), 20_000);
        assert!(images.iter().all(|n| *n < 1_500_000));
    }

    #[test]
    fn ff1_agrees_with_nist() {
        // NIST SP 800-38G samples for FF1, sample 7: AES-256, radix 10, no tweak.
        let key = hex::decode("2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94").expect("hex");
        let cipher = FF1::<Aes256>::new(&key, 10).expect("valid");
        assert_eq!(encrypt(&cipher, (0..10).collect()), [6, 6, 5, 7, 6, 6, 7, 0, 0, 9]);
    }
}
