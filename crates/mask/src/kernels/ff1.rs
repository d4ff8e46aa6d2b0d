//! Permutations of numbers and of strings over an alphabet: the bijections that other masks stand on.
//!
//! Hidden here: which primitive serves which size. FF1 with AES-256 (NIST SP 800-38G) permutes domains of a million values
//! and more; below that, where FF1 is not allowed, the whole domain is sorted by a keyed hash and the rank is the
//! pseudonym (a prefix cipher). Sizes between powers of two are met by walking the cycle.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aes::{Aes128, Aes192, Aes256};
use fpe::ff1::{FF1, FlexibleNumeralString, NumeralString, Operations};

use crate::domain::DomainKey;

/// FF1's least domain (NIST SP 800-38G r1, second draft).
const LEAST: u128 = 1_000_000;
/// The greatest domain of a [`Permutation`]: both halves of its number stay below 2^64.
pub(super) const MOST: u128 = 1 << 126;

/// What FF1 does not take: a key that is none of AES, a radix beyond 2 to 2^16, a digit beyond the radix, or a message out of
/// fewer than a million.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused;

/// FF1 under a key, for a radix.
pub(super) struct Ff1 {
    radix: u32,
    cipher: Cipher,
}

enum Cipher {
    Aes128(FF1<Aes128>),
    Aes192(FF1<Aes192>),
    Aes256(FF1<Aes256>),
}

impl Ff1 {
    /// Masks give 32 bytes of key; AES takes 16 and 24 as well.
    pub(super) fn new(key: &[u8], radix: u32) -> Result<Self, Refused> {
        let cipher = match key.len() {
            16 => Cipher::Aes128(FF1::new(key, radix).map_err(|_| Refused)?),
            24 => Cipher::Aes192(FF1::new(key, radix).map_err(|_| Refused)?),
            32 => Cipher::Aes256(FF1::new(key, radix).map_err(|_| Refused)?),
            _ => return Err(Refused),
        };
        Ok(Self { radix, cipher })
    }

    /// The image of a message of digits, the most significant first.
    pub(super) fn encrypt(&self, tweak: &[u8], digits: &[u16]) -> Result<Vec<u16>, Refused> {
        let radix = u128::from(self.radix);
        if digits.iter().any(|digit| u32::from(*digit) >= self.radix) {
            return Err(Refused);
        }
        if Number::holds(self.radix, digits.len()) {
            let number = digits.iter().fold(0, |sum, digit| sum * radix + u128::from(*digit));
            let mut image = self.permute(tweak, number, digits.len())?;
            let mut out = vec![0; digits.len()];
            for digit in out.iter_mut().rev() {
                *digit = u16::try_from(image % radix).unwrap_or(0);
                image /= radix;
            }
            return Ok(out);
        }
        Ok(self.cipher.encrypt(tweak, &FlexibleNumeralString::from(digits.to_vec()))?.into())
    }

    /// The image of a number of so many digits, which [`Number`] must hold.
    pub(super) fn permute(&self, tweak: &[u8], number: u128, digits: usize) -> Result<u128, Refused> {
        let image = self.cipher.encrypt(tweak, &Number::of(number, self.radix, digits)?)?;
        Ok(image.value(self.radix))
    }
}

impl Cipher {
    fn encrypt<N: NumeralString>(&self, tweak: &[u8], message: &N) -> Result<N, Refused> {
        match self {
            Self::Aes128(cipher) => cipher.encrypt(tweak, message),
            Self::Aes192(cipher) => cipher.encrypt(tweak, message),
            Self::Aes256(cipher) => cipher.encrypt(tweak, message),
        }
        .map_err(|_| Refused)
    }
}

/// A message whose halves are machine words: many times faster than digits in a vector.
struct Number([Half; 2]);

struct Half {
    value: u64,
    digits: usize,
}

/// A half as big-endian bytes.
struct Bytes {
    bytes: [u8; 8],
    from: usize,
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[self.from..]
    }
}

impl Number {
    fn power(radix: u32, digits: usize) -> Option<u64> {
        u64::from(radix).checked_pow(u32::try_from(digits).ok()?)
    }

    fn holds(radix: u32, digits: usize) -> bool {
        Self::power(radix, digits.div_ceil(2)).is_some()
    }

    fn of(number: u128, radix: u32, digits: usize) -> Result<Self, Refused> {
        let (first, second) = (digits / 2, digits.div_ceil(2));
        let low = u128::from(Self::power(radix, second).ok_or(Refused)?);
        let half = |value: u128, digits| Ok(Half { value: u64::try_from(value).map_err(|_| Refused)?, digits });
        Ok(Self([half(number / low, first)?, half(number % low, second)?]))
    }

    fn value(&self, radix: u32) -> u128 {
        let [a, b] = &self.0;
        u128::from(a.value) * u128::from(radix).pow(u32::try_from(b.digits).unwrap_or(0)) + u128::from(b.value)
    }
}

impl NumeralString for Number {
    type Ops = Half;

    fn is_valid(&self, radix: u32) -> bool {
        self.0.iter().all(|half| Self::power(radix, half.digits).is_some_and(|most| half.value < most))
    }

    fn numeral_count(&self) -> usize {
        self.0.iter().map(|half| half.digits).sum()
    }

    fn split(&self) -> (Half, Half) {
        let [a, b] = &self.0;
        (Half { ..*a }, Half { ..*b })
    }

    fn concat(a: Half, b: Half) -> Self {
        Self([a, b])
    }
}

impl Operations for Half {
    type Bytes = Bytes;

    fn numeral_count(&self) -> usize {
        self.digits
    }

    fn to_be_bytes(&self, _: u32, b: usize) -> Bytes {
        Bytes { bytes: self.value.to_be_bytes(), from: 8_usize.saturating_sub(b) }
    }

    fn add_mod_exp(self, other: impl Iterator<Item = u8>, radix: u32, m: usize) -> Self {
        let modulus = u128::from(radix).pow(u32::try_from(m).unwrap_or(0));
        // At most twelve bytes, so the sum stays below 2^128.
        let other = other.fold(0_u128, |sum, byte| sum << 8 | u128::from(byte));
        Self { value: u64::try_from((u128::from(self.value) + other) % modulus).unwrap_or(0), digits: m }
    }

    fn sub_mod_exp(self, other: impl Iterator<Item = u8>, radix: u32, m: usize) -> Self {
        let modulus = u128::from(radix).pow(u32::try_from(m).unwrap_or(0));
        let other = other.fold(0_u128, |sum, byte| sum << 8 | u128::from(byte)) % modulus;
        Self { value: u64::try_from((u128::from(self.value) + modulus - other) % modulus).unwrap_or(0), digits: m }
    }
}

/// A keyed permutation of `0..size`.
pub(super) struct Permutation {
    size: u128,
    kind: Kind,
}

enum Kind {
    Ranks(Vec<u32>),
    Cipher { cipher: Box<Ff1>, bits: usize, tweak: Vec<u8> },
}

impl Permutation {
    /// The permutation of `0..size` that a key gives, for a mask that needs no other of that size; `tweak` names it.
    pub(super) fn new(key: &DomainKey, size: u128, tweak: &str) -> Self {
        Self::made(key, size, tweak, Vec::new())
    }

    /// One of several permutations under a key, told apart by `tweak`.
    pub(super) fn among(key: &DomainKey, size: u128, tweak: &str) -> Self {
        Self::made(key, size, tweak, tweak.as_bytes().to_vec())
    }

    fn made(key: &DomainKey, size: u128, name: &str, tweak: Vec<u8>) -> Self {
        debug_assert!(size <= MOST);
        if size < LEAST {
            let mut order: Vec<(u64, u32)> = (0..u32::try_from(size).unwrap_or(u32::MAX))
                .map(|n| (key.number(format!("rank|{name}|{n}").as_bytes()), n))
                .collect();
            order.sort_unstable();
            let mut ranks = vec![0; order.len()];
            for (rank, (_, n)) in order.iter().enumerate() {
                ranks[*n as usize] = u32::try_from(rank).unwrap_or(u32::MAX);
            }
            return Self { size, kind: Kind::Ranks(ranks) };
        }
        let bits = (128 - (size - 1).leading_zeros()).max(20) as usize;
        #[expect(clippy::expect_used, reason = "AES-256 takes 32 bytes and 2 is a radix")]
        let cipher = Box::new(Ff1::new(key.cipher(), 2).expect("a valid key and radix"));
        Self { size, kind: Kind::Cipher { cipher, bits, tweak } }
    }

    /// The image of `n`, which must be below the size.
    #[expect(clippy::expect_used, reason = "the number is below 2^bits, and there are twenty bits and more")]
    pub(super) fn apply(&self, n: u128) -> u128 {
        debug_assert!(n < self.size);
        match &self.kind {
            Kind::Ranks(ranks) => u128::from(ranks[usize::try_from(n).unwrap_or(0)]),
            Kind::Cipher { cipher, bits, tweak } => {
                let mut at = n;
                loop {
                    at = cipher.permute(tweak, at, *bits).expect("a valid number");
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

/// Permutations by key, size and tweak, each made once; a key is known by a hash under itself.
#[derive(Debug, Default)]
pub(super) struct Pool(Mutex<HashMap<Slot, Arc<Permutation>>>);

/// A key's hash under itself, a size and a tweak.
type Slot = (u64, u128, &'static str);

impl Pool {
    /// One of several permutations under a key, told apart by `tweak`.
    pub(super) fn get(&self, key: &DomainKey, size: u128, tweak: &'static str) -> Arc<Permutation> {
        let slot = (key.number(b"self"), size, tweak);
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(made.entry(slot).or_insert_with(|| Arc::new(Permutation::among(key, size, tweak))))
    }
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
        let radix = self.alphabet.len() as u128;
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
                let mut image = permutation.apply(digits.iter().fold(0, |sum, d| sum * radix + u128::from(*d)));
                let mut out = vec![0; digits.len()];
                for digit in out.iter_mut().rev() {
                    *digit = u16::try_from(image % radix).unwrap_or(0);
                    image /= radix;
                }
                out
            }
            _ => {
                let radix = u32::try_from(radix).unwrap_or(10);
                #[expect(
                    clippy::expect_used,
                    reason = "an alphabet's size is a radix, and there are a million strings"
                )]
                Ff1::new(key.cipher(), radix).and_then(|cipher| cipher.encrypt(&[], digits)).expect("valid")
            }
        }
    }
}

#[cfg(test)]
mod tests;
