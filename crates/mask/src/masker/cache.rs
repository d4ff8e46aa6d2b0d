//! What a mask gave, by the value that it gave it for.
//!
//! Hidden here: where it lies. A value and its result stand side by side in one text, so that a value that is known costs one look into
//! memory that no other lies between, and a new one no allocation of its own.

use ahash::RandomState;
use hashbrown::HashTable;

/// The most values that are remembered.
const MOST: usize = 1 << 16;
/// The most bytes of a value or a result that is remembered.
const LONGEST: usize = 1 << 10;
/// In place of a result's length: the mask gave NULL.
const NULL: u16 = u16::MAX;

/// Results by values. It holds originals, so it never prints.
#[derive(Default)]
pub(super) struct Cache {
    state: RandomState,
    entries: HashTable<Entry>,
    texts: String,
}

/// A result that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known<'a> {
    Null,
    Text(&'a str),
}

#[derive(Clone, Copy)]
struct Entry {
    start: u32,
    value: u16,
    result: u16,
}

impl Entry {
    fn value(self, texts: &str) -> &str {
        let start = self.start as usize;
        &texts[start..start + usize::from(self.value)]
    }

    fn result(self, texts: &str) -> Known<'_> {
        let start = self.start as usize + usize::from(self.value);
        if self.result == NULL { Known::Null } else { Known::Text(&texts[start..start + usize::from(self.result)]) }
    }
}

impl Cache {
    /// Whether nothing more is remembered.
    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= MOST
    }

    /// What is known of a value.
    pub(super) fn get(&self, value: &str) -> Option<Known<'_>> {
        let hash = self.state.hash_one(value);
        let entry = self.entries.find(hash, |entry| entry.value(&self.texts) == value)?;
        Some(entry.result(&self.texts))
    }

    /// Remembers the result of a value that is not known, if there is room and both are short.
    pub(super) fn insert(&mut self, value: &str, result: Option<&str>) {
        let given = result.unwrap_or_default();
        let length = |text: &str| u16::try_from(text.len()).ok().filter(|n| usize::from(*n) <= LONGEST);
        let (Some(of_value), Some(of_result)) = (length(value), length(given)) else { return };
        let Ok(start) = u32::try_from(self.texts.len()) else { return };
        if self.is_full() {
            return;
        }
        self.texts.push_str(value);
        self.texts.push_str(given);
        let entry = Entry { start, value: of_value, result: if result.is_some() { of_result } else { NULL } };
        let Self { state, entries, texts } = self;
        entries.insert_unique(state.hash_one(value), entry, |entry| state.hash_one(entry.value(texts)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_has_its_own_result() {
        let mut cache = Cache::default();
        let long = "x".repeat(LONGEST + 1);
        for (value, result) in
            [("", Some("empty")), ("a", Some("")), ("ab", None), ("aé", Some("ü")), (&*long, Some("long"))]
        {
            assert_eq!(cache.get(value), None, "nothing is known yet");
            cache.insert(value, result);
        }
        cache.insert("short", Some(&long));
        let text = |text| Some(Known::Text(text));
        for (value, result) in [("", text("empty")), ("a", text("")), ("ab", Some(Known::Null)), ("aé", text("ü"))] {
            assert_eq!(cache.get(value), result, "{value}");
        }
        assert_eq!((cache.get(&long), cache.get("short"), cache.get("é")), (None, None, None));
    }

    #[test]
    fn it_grows_to_its_limit_and_no_further() {
        let mut cache = Cache::default();
        for n in 0..MOST + 10 {
            assert_eq!(cache.is_full(), n >= MOST);
            cache.insert(&n.to_string(), Some(&format!("r{n}")));
        }
        assert_eq!(cache.get("0"), Some(Known::Text("r0")));
        assert_eq!(cache.get(&(MOST - 1).to_string()), Some(Known::Text(&format!("r{}", MOST - 1))));
        assert_eq!(cache.get(&MOST.to_string()), None);
    }
}
