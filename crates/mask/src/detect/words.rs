//! Words: how letters are folded, and the lists of names, places and things.
//!
//! Hidden here: that lists are text files in this crate, read once when the first field is looked at. Nothing of a list decides alone: a
//! column is what most of its values look like.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;

/// A text without case and accents, its ligatures and stroked letters in plain ones.
pub(super) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.nfd() {
        match c {
            // Combining marks, also those of Arabic; those of Japanese and Indian scripts change the letter and stay.
            '\u{300}'..='\u{36f}' | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{640}' => {}
            'ß' => out.push_str("ss"),
            'æ' | 'Æ' => out.push_str("ae"),
            'œ' | 'Œ' => out.push_str("oe"),
            'ø' | 'Ø' => out.push('o'),
            'ł' | 'Ł' => out.push('l'),
            'đ' | 'Đ' | 'ð' | 'Ð' => out.push('d'),
            'þ' | 'Þ' => out.push_str("th"),
            'ı' => out.push('i'),
            // Digits of Arabic and of Persian.
            '\u{660}'..='\u{669}' => out.extend(char::from_digit(u32::from(c) - 0x660, 10)),
            '\u{6f0}'..='\u{6f9}' => out.extend(char::from_digit(u32::from(c) - 0x6f0, 10)),
            _ => out.extend(c.to_lowercase()),
        }
    }
    // Japanese and Korean letters are put together again.
    out.nfc().collect()
}

/// Lines of a list: what stands before the words, and the words.
fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Names of people by language: `language words`.
fn people(text: &'static str) -> HashSet<String> {
    lines(text).flat_map(|line| line.split(' ').skip(1)).map(fold).collect()
}

/// Lists by kind: `kind | words`.
fn kinds(text: &'static str) -> HashMap<&'static str, HashSet<String>> {
    let mut out: HashMap<&str, HashSet<String>> = HashMap::new();
    for (kind, words) in lines(text).filter_map(|line| line.split_once(" | ")) {
        let kind = kind.split(' ').next().unwrap_or(kind);
        out.entry(kind).or_default().extend(words.split(' ').map(fold));
    }
    out
}

/// All lists.
pub(super) struct Words {
    /// Given names.
    pub(super) given: HashSet<String>,
    /// Family names.
    pub(super) family: HashSet<String>,
    places: HashMap<&'static str, HashSet<String>>,
    streets: HashMap<&'static str, HashSet<String>>,
    things: HashMap<&'static str, HashSet<String>>,
}

static EMPTY: LazyLock<HashSet<String>> = LazyLock::new(HashSet::new);

impl Words {
    /// A list of places: `cities`, `city-start`, `city-end`, `city-word`.
    pub(super) fn places(&self, kind: &str) -> &HashSet<String> {
        self.places.get(kind).unwrap_or(&EMPTY)
    }

    /// A list of kinds of streets: `word`, `end`, `unit`.
    pub(super) fn streets(&self, kind: &str) -> &HashSet<String> {
        self.streets.get(kind).unwrap_or(&EMPTY)
    }

    /// A list of things: `company`, `job`, `job-end`, `colour`, `plain`.
    pub(super) fn things(&self, kind: &str) -> &HashSet<String> {
        self.things.get(kind).unwrap_or(&EMPTY)
    }
}

/// The lists.
pub(super) static WORDS: LazyLock<Words> = LazyLock::new(|| {
    let mut words = Words {
        given: people(include_str!("lexicon/given.txt")),
        family: people(include_str!("lexicon/family.txt")),
        places: kinds(include_str!("lexicon/places.txt")),
        streets: kinds(include_str!("lexicon/streets.txt")),
        things: kinds(include_str!("lexicon/things.txt")),
    };
    // What our own masks invent is recognised too.
    for (given, family) in crate::kernels::invented_names() {
        words.given.extend(given.iter().map(|name| fold(name)));
        words.family.extend(family.iter().map(|name| fold(name)));
    }
    words
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_folded_and_japanese_stays_whole() {
        for (text, folded) in [
            ("Größe", "grosse"),
            ("ŁÓDŹ", "lodz"),
            ("İpek", "ipek"),
            ("がく", "がく"),
            ("Йод", "иод"),
            ("٥٦", "56"),
            ("김", "김"),
        ] {
            assert_eq!(fold(text), folded);
        }
    }

    #[test]
    fn every_list_is_there() {
        assert!(WORDS.given.len() > 3_000 && WORDS.family.len() > 2_500);
        for kind in ["cities", "city-start", "city-end", "city-word"] {
            assert!(!WORDS.places(kind).is_empty(), "{kind}");
        }
        for kind in ["word", "end", "unit"] {
            assert!(!WORDS.streets(kind).is_empty(), "{kind}");
        }
        for kind in ["company", "job", "job-end", "colour", "plain"] {
            assert!(!WORDS.things(kind).is_empty(), "{kind}");
        }
    }
}
