//! Keys: canonical values by which records refer to each other.
//!
//! Hidden here: how a key is held. A key is a tuple of canonical texts, so that 42 in a bigint column, `42` in a message and
//! the segment of `cart:42` are one key. Neither a key nor a set of them prints its values.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// One key: the canonical texts of its fields, in the relationship's order.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(Vec<Box<str>>);

impl Key {
    /// A key of canonical texts.
    pub fn new<S: Into<Box<str>>>(parts: impl IntoIterator<Item = S>) -> Self {
        Self(parts.into_iter().map(Into::into).collect())
    }

    /// The canonical texts.
    pub fn parts(&self) -> &[Box<str>] {
        &self.0
    }

    fn bytes(&self) -> u64 {
        self.0.iter().map(|part| part.len() as u64 + 24).sum::<u64>() + 24
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key(of {})", self.0.len())
    }
}

/// A set of keys in key order, without duplicates; its size in memory is known.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySet {
    keys: BTreeSet<Key>,
    bytes: u64,
}

impl KeySet {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key; `false` if it was there.
    pub fn insert(&mut self, key: Key) -> bool {
        let bytes = key.bytes();
        let new = self.keys.insert(key);
        if new {
            self.bytes += bytes;
        }
        new
    }

    /// Whether a key is in the set.
    pub fn contains(&self, key: &Key) -> bool {
        self.keys.contains(key)
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// About how many bytes of memory the set takes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The keys in key order.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter()
    }

    /// Those of `self` that `other` does not hold.
    #[must_use]
    pub fn minus(&self, other: &KeySet) -> KeySet {
        self.keys.difference(&other.keys).cloned().collect()
    }

    /// Adds all keys of another set.
    pub fn extend(&mut self, other: &KeySet) {
        for key in &other.keys {
            self.insert(key.clone());
        }
    }
}

impl FromIterator<Key> for KeySet {
    fn from_iter<I: IntoIterator<Item = Key>>(keys: I) -> Self {
        let mut set = Self::new();
        for key in keys {
            set.insert(key);
        }
        set
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeySet({} keys)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_prints() {
        let set: KeySet = [Key::new(["secret-canary"])].into_iter().collect();
        assert!(!format!("{set:?} {:?}", set.iter().next()).contains("canary"));
    }

    #[test]
    fn size_grows_with_new_keys_only() {
        let mut set = KeySet::new();
        assert!(set.insert(Key::new(["1"])));
        let bytes = set.bytes();
        assert!(!set.insert(Key::new(["1"])));
        assert_eq!((set.bytes(), set.len()), (bytes, 1));
    }
}
