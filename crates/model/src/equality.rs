//! When two texts of a domain are equal.
//!
//! Hidden here: the forms under which different spellings are one value. A policy's domain names one, masks are functions of it,
//! and the closure follows references by it: so what has one pseudonym is one record's key, before the masks and after them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::canonical;
use crate::key::{Key, KeySet};

/// How values of a domain are made equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Canonical {
    /// As they are.
    #[default]
    Text,
    /// Whole numbers: `0042` is 42.
    Integer,
    /// White space around is cut, and upper case is lower case.
    Email,
    /// Upper case is lower case.
    Uuid,
    /// Upper and lower case, letters with and without accents, forms of one letter, and spaces at the end are no difference: at
    /// least what the usual collations of databases take for equal.
    Folded,
}

impl Canonical {
    /// The text that stands for all that are equal to this one.
    ///
    /// ```
    /// use reenact_model::equality::Canonical;
    /// assert_eq!(Canonical::Integer.of("0042"), "42");
    /// assert_eq!(Canonical::Email.of(" Ann@Example.com"), "ann@example.com");
    /// assert_eq!(Canonical::Folded.of("Straße É  "), "strasse e");
    /// ```
    pub fn of(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::Text => Cow::Borrowed(text),
            Self::Integer => canonical::number(text),
            Self::Email | Self::Uuid => Cow::Owned(text.trim().to_lowercase()),
            Self::Folded => Cow::Owned(folded(text)),
        }
    }

    /// The key whose parts stand for all that are equal, each under its own form.
    pub fn key(forms: &[Self], key: &Key) -> Key {
        Key::new(key.parts().iter().zip(forms).map(|(part, form)| Box::<str>::from(&*form.of(part))))
    }

    /// The keys that stand for all that are equal to one of these.
    pub fn keys(forms: &[Self], keys: &KeySet) -> KeySet {
        if forms.iter().all(|form| *form == Self::Text) {
            return keys.clone();
        }
        keys.iter().map(|key| Self::key(forms, key)).collect()
    }
}

/// Letters without accents and in lower case, and no spaces at the end (Unicode Standard, 5.18 and annex 15; what has no
/// decomposition there and is one letter to the collations is in the list below).
fn folded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.trim_end_matches(' ').nfkd().flat_map(char::to_lowercase).filter(|c| !is_combining_mark(*c)) {
        match c {
            'ß' => out.push_str("ss"),
            'æ' => out.push_str("ae"),
            'œ' => out.push_str("oe"),
            'þ' => out.push_str("th"),
            'ø' => out.push('o'),
            'đ' | 'ð' => out.push('d'),
            'ł' => out.push('l'),
            'ħ' => out.push('h'),
            'ı' => out.push('i'),
            'ς' => out.push('σ'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_word_fold_to_one_text() {
        for (a, b) in [
            ("ABC", "abc"),
            ("caf\u{e9}", "cafe\u{301}"),
            ("Caf\u{e9}", "CAFE"),
            ("a", "a   "),
            ("\u{212b}ngstr\u{f6}m", "angstrom"),
            ("\u{fb01}n", "FIN"),
            ("\u{1e9e}", "ss"),
            ("\u{130}stanbul", "istanbul"),
            ("\u{3a3}\u{3b1}\u{3c2}", "\u{3c3}\u{3b1}\u{3c3}"),
        ] {
            assert_eq!(folded(a), folded(b), "{a} and {b}");
        }
        assert_ne!(folded(" a"), folded("a"), "spaces at the beginning count everywhere");
        assert_ne!(folded("a-b"), folded("ab"));
        assert_eq!(folded(&folded("\u{c6}\u{df}")), folded("\u{c6}\u{df}"), "what is folded stays");
    }

    #[test]
    fn keys_are_equal_part_by_part() {
        let forms = [Canonical::Integer, Canonical::Text];
        assert_eq!(Canonical::key(&forms, &Key::new(["007", "A "])), Key::new(["7", "A "]));
        let two = [Key::new(["7", "A"]), Key::new(["07", "A"])].into_iter().collect();
        assert_eq!(Canonical::keys(&forms, &two).len(), 1);
    }
}
