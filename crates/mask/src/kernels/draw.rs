//! Choices that a keyed hash makes: a fake's letters, the place in a list.
//!
//! Hidden here: how many bits a choice takes. Equal texts under one key make equal choices, in the same order.

use crate::domain::DomainKey;

/// Choices out of the keyed hash of a text; when its bytes are used up, out of the hash of the hash.
pub(crate) struct Draw<'a> {
    key: &'a DomainKey,
    hash: [u8; 32],
    at: usize,
}

impl<'a> Draw<'a> {
    /// The choices of a text.
    pub(crate) fn new(key: &'a DomainKey, text: &str) -> Self {
        Self { key, hash: key.hash(text.as_bytes()), at: 0 }
    }

    /// A number below `n`, which is above 0; uneven by less than `n` in 2^64.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        if self.at == 4 {
            self.hash = self.key.hash(&self.hash);
            self.at = 0;
        }
        let bytes = self.hash.iter().skip(8 * self.at).take(8);
        let drawn = bytes.fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        self.at += 1;
        u64::try_from((u128::from(drawn) * u128::from(n)) >> 64).unwrap_or(0)
    }

    /// A number from one to another, both possible.
    pub(crate) fn between(&mut self, least: i64, most: i64) -> i64 {
        least.saturating_add_unsigned(self.below(most.abs_diff(least).saturating_add(1)))
    }

    /// One of a list, which is not empty.
    pub(crate) fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[usize::try_from(self.below(list.len() as u64)).unwrap_or(0)]
    }

    /// Appends so many characters of an alphabet of ASCII.
    pub(crate) fn text(&mut self, alphabet: &[u8], chars: usize, out: &mut String) {
        for _ in 0..chars {
            out.push(char::from(self.of(alphabet)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::key;

    #[test]
    fn choices_stay_below_and_reach_all() {
        let key = key("d");
        let mut draw = Draw::new(&key, "x");
        let mut seen = [0; 7];
        for _ in 0..700 {
            seen[usize::try_from(draw.below(7)).expect("small")] += 1;
        }
        assert!(seen.iter().all(|n| (60..140).contains(n)), "{seen:?}");
        assert!((0..100).all(|_| (-3..=4).contains(&draw.between(-3, 4))));
        assert_eq!(Draw::new(&key, "x").below(1 << 40), Draw::new(&key, "x").below(1 << 40));
    }
}
