//! Does the output still hold what was masked?
//!
//! Hidden here: how a value is recognised again without keeping it. Masks are functions of single fields, and a policy may keep
//! a field in which somebody's address stands all the same. So what the masks replaced is remembered, as keyed fingerprints
//! ([`Seen`]), told to the agents of other services ([`Needles`]), and looked for in everything that was written ([`Search`]):
//! in words and runs of words, folded, with encodings undone. Few needles are also looked for inside of words.
//!
//! What counts as a direct identifier is decided by what the value looks like and by what its mask is for, see
//! [`worth`](self). A value that is one dictionary word, or a short number, can't be told from innocent text and is not
//! looked for.

mod packed;
mod prints;
mod rows;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use aho_corasick::AhoCorasick;
use serde::{Deserialize, Serialize};

use crate::domain::ScopeKeys;
use crate::kernels::Group;
use prints::{Lookup, Prints, classed};
pub use rows::Searcher;
use words::Words;

/// So many values are also looked for inside of words; beyond that, at the borders of words only.
const FEW: usize = 20_000;
/// The most words that a needle may have.
const MOST_WORDS: usize = 8;
/// The most bytes of a value that is an identifier; a longer one is a text.
const MOST_BYTES: usize = 256;
/// The fewest letters and digits that are looked for.
const LEAST: usize = 5;
/// The fewest of a needle that is looked for inside of words.
const LEAST_INSIDE: usize = 8;
/// The fewest digits of a needle that is a number.
const LEAST_DIGITS: usize = 9;
/// The most digits of a needle that is a number.
const MOST_DIGITS: usize = 19;
/// How many fingerprints travel in one message.
const BLOCK: usize = 1 << 17;
/// So many fingerprints are looked up together.
const TOGETHER: usize = 1 << 10;
/// How deep encodings are undone.
const DEPTH: u32 = 3;

/// The originals that an agent's masks replaced, as fingerprints under the scope's key.
pub struct Seen {
    words: Words,
    /// The most words of a needle.
    most: usize,
    prints: Prints,
    /// Which lengths they have, in bytes.
    lengths: Vec<bool>,
    /// Numbers, by their digits: whether one is looked for depends on how many there are.
    numbers: BTreeMap<usize, Prints>,
    /// Folded originals with their classes, as long as they are few.
    texts: Option<Vec<(String, u8)>>,
}

/// Fingerprints on their way from one agent to another, which seals them: the texts are originals.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Needles {
    most: usize,
    lengths: Vec<bool>,
    prints: Vec<u64>,
    numbers: Vec<(usize, Vec<u64>)>,
    texts: Option<Vec<(String, u8)>>,
}

impl std::fmt::Debug for Needles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Needles({})", self.prints.len())
    }
}

/// What is known may hold originals, so it never prints.
impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Seen({})", self.count())
    }
}

impl Seen {
    /// Has seen nothing; all agents of one scope make the same fingerprints.
    pub fn new(keys: &ScopeKeys) -> Self {
        Self {
            words: Words::new(keys.domain("residue").number(b"base")),
            most: 1,
            prints: Prints::default(),
            lengths: vec![false; MOST_BYTES * 4],
            numbers: BTreeMap::new(),
            texts: Some(Vec::new()),
        }
    }

    /// Remembers an original that a mask of this group replaced, if it identifies somebody by itself.
    pub fn see(&mut self, group: Group, text: &str) {
        if text.len() < LEAST || text.len() > MOST_BYTES {
            return;
        }
        let Some(local) = local_part(text) else {
            self.words.fold(text);
            if self.is_sized() && worth(group, &self.words) {
                self.add(group, text);
            }
            return;
        };
        self.words.fold(local);
        // A local part that is one plain word would be found in every text that uses the word.
        let count = self.words.letters_and_digits();
        if self.is_sized() && (!self.words.is_one_plain_word() || count >= 12) {
            self.add(Group::Contact, local);
        }
        self.words.append(&text[local.len()..]);
        if self.is_sized() {
            self.add(Group::Contact, text);
        }
    }

    /// Whether what is folded is neither too short nor too long for an identifier.
    fn is_sized(&self) -> bool {
        self.words.count() <= MOST_WORDS && self.words.letters_and_digits() >= LEAST
    }

    /// Remembers a text that is folded.
    fn add(&mut self, group: Group, text: &str) {
        let class = code(group);
        let print = classed(self.words.whole(), class);
        if self.words.is_digits() {
            self.numbers.entry(self.words.letters_and_digits()).or_default().insert(print);
            // A number is written in groups in many ways.
            self.most = self.most.max(5);
            return;
        }
        self.most = self.most.max(self.words.count());
        self.prints.insert(print);
        self.lengths[self.words.letters_and_digits().min(MOST_BYTES * 4 - 1)] = true;
        if let Some(texts) = &mut self.texts {
            if texts.len() == FEW {
                self.texts = None;
            } else if self.words.letters_and_digits() >= LEAST_INSIDE {
                texts.push((words::compact(text), class));
            }
        }
    }

    /// How many fingerprints there are; a value that was seen again may count twice.
    pub fn count(&self) -> u64 {
        (self.prints.len() + self.numbers.values().map(Prints::len).sum::<usize>()) as u64
    }

    /// A piece that fits a message, by its number; `None` after the last.
    pub fn piece(&mut self, number: usize) -> Option<Needles> {
        if number == 0 {
            self.prints.settle();
            self.numbers.values_mut().for_each(Prints::settle);
            if self.count() == 0 {
                return None;
            }
            let (lengths, texts) = (self.lengths.clone(), self.texts.clone());
            return Some(Needles { most: self.most, lengths, texts, ..Needles::default() });
        }
        let known = Needles { most: self.most, texts: Some(Vec::new()), ..Needles::default() };
        let mut left = number - 1;
        let words = self.prints.block(left, BLOCK);
        if !words.is_empty() {
            return Some(Needles { prints: words, ..known });
        }
        left -= self.prints.len().div_ceil(BLOCK);
        for (digits, prints) in &self.numbers {
            let block = prints.block(left, BLOCK);
            if !block.is_empty() {
                return Some(Needles { numbers: vec![(*digits, block)], ..known });
            }
            left -= prints.len().div_ceil(BLOCK);
        }
        None
    }

    /// Adds what other agents saw.
    pub(crate) fn absorb(&mut self, other: Self) {
        let (most, texts) = (other.most, other.texts);
        self.learn(Needles { most, lengths: other.lengths, texts, ..Needles::default() });
        other.prints.into_each(|print| self.prints.insert(print));
        for (digits, prints) in other.numbers {
            let known = self.numbers.entry(digits).or_default();
            prints.into_each(|print| known.insert(print));
        }
    }

    /// Adds what another agent saw.
    pub fn learn(&mut self, needles: Needles) {
        self.most = self.most.max(needles.most);
        for (known, new) in self.lengths.iter_mut().zip(needles.lengths) {
            *known |= new;
        }
        for print in needles.prints {
            self.prints.insert(print);
        }
        for (digits, prints) in needles.numbers {
            let known = self.numbers.entry(digits).or_default();
            for print in prints {
                known.insert(print);
            }
        }
        self.texts = match (self.texts.take(), needles.texts) {
            (Some(mut own), Some(other)) if own.len() + other.len() <= FEW => {
                own.extend(other);
                Some(own)
            }
            _ => None,
        };
    }

    /// Ready to be looked for.
    pub fn search(self) -> Search {
        let inside = self.texts.filter(|texts| !texts.is_empty()).and_then(|mut texts| {
            texts.sort_unstable();
            texts.dedup_by(|a, b| a.0 == b.0);
            // Building fails only beyond sizes that `FEW` excludes; words are searched either way.
            let automaton = AhoCorasick::new(texts.iter().map(|(text, _)| text)).ok()?;
            Some((automaton, texts.into_iter().map(|(_, class)| class).collect()))
        });
        let total: usize = self.numbers.values().map(Prints::len).sum();
        let least = LEAST_DIGITS.max(total.max(1).ilog10() as usize + 5);
        let mut numbers: Vec<Option<Lookup>> = (0..=MOST_DIGITS).map(|_| None).collect();
        for (digits, prints) in self.numbers {
            if (least..=MOST_DIGITS).contains(&digits) {
                numbers[digits] = Some(prints.lookup());
            }
        }
        let lengths = self.lengths;
        let known = Known { most: self.most, lengths, prints: self.prints.lookup(), numbers, inside };
        Search { known: Arc::new(known), words: self.words, asked: Vec::with_capacity(2 * TOGETHER), found: None }
    }
}

/// What stands before the `@` of an e-mail address; `None` for other texts.
fn local_part(text: &str) -> Option<&str> {
    // By bytes: a search for one character is made for long texts.
    let at = text.bytes().position(|b| b == b'@')?;
    let (local, domain) = text.split_at_checked(at)?;
    let (mut dots, mut others) = (0, 0);
    for byte in domain[1..].bytes() {
        dots += u32::from(byte == b'.');
        others += u32::from(byte == b'@' || byte == b' ');
    }
    (dots > 0 && others == 0).then_some(local)
}

/// Whether a value identifies somebody wherever it stands. What a mask is for says how a bare number is meant.
fn worth(group: Group, words: &Words) -> bool {
    let count = words.letters_and_digits();
    let direct = matches!(group, Group::Person | Group::Contact | Group::Money | Group::Government | Group::Network);
    if matches!(group, Group::Time | Group::Statistics | Group::Blob) {
        return false;
    }
    if words.is_digits() {
        // A key's number is met in other columns by chance.
        return group != Group::Identifier && (LEAST_DIGITS..=MOST_DIGITS).contains(&count);
    }
    // Street and city names are words of the language; with a house number they find somebody.
    if group == Group::Place && !words.has_digit() {
        return false;
    }
    if !words.has_digit() {
        // What was taken out whole may be any phrase.
        return direct && words.count() >= 2 && count >= 8;
    }
    count >= 8
}

/// Looks for what was masked. Clones share what is known, and each has its own scratch space.
#[derive(Clone)]
pub struct Search {
    known: Arc<Known>,
    words: Words,
    /// Fingerprints that are yet to be looked up; of numbers, with how many digits they have.
    asked: Vec<(u64, u8)>,
    found: Option<u8>,
}

struct Known {
    most: usize,
    prints: Lookup,
    /// Which lengths needles have, in bytes: a run of another length needs no look-up.
    lengths: Vec<bool>,
    numbers: Vec<Option<Lookup>>,
    /// Finds few needles inside of words; the class of each.
    inside: Option<(AhoCorasick, Vec<u8>)>,
}

impl std::fmt::Debug for Search {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Search({})", self.originals())
    }
}

impl Search {
    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.known.prints.is_empty() && !self.has_numbers()
    }

    /// How many fingerprints are looked for.
    pub fn originals(&self) -> u64 {
        (self.known.prints.len() + self.known.numbers.iter().flatten().map(Lookup::len).sum::<usize>()) as u64
    }

    /// Whether numbers are looked for.
    pub(crate) fn has_numbers(&self) -> bool {
        self.known.numbers.iter().any(Option::is_some)
    }

    /// What kind of original a text holds, if any. `made` says that a mask made this text: that it *is* somebody's value, as
    /// a whole, is then chance.
    pub fn finds(&mut self, text: &str, made: bool) -> Option<Group> {
        self.look(text, made);
        self.found()
    }

    /// Looks at a text, of many; what was found is told by [`Search::found`]. Whether it is there already.
    pub fn look(&mut self, text: &str, made: bool) -> bool {
        self.look_deep(text, made, 0);
        if self.asked.len() >= TOGETHER {
            self.look_up();
        }
        self.found.is_some()
    }

    /// What kind of original the texts since the last call hold, if any.
    pub fn found(&mut self) -> Option<Group> {
        self.look_up();
        self.found.take().map(group)
    }

    fn look_deep(&mut self, text: &str, made: bool, depth: u32) {
        if text.len() < LEAST {
            return;
        }
        self.words.fold(text);
        if self.words.letters_and_digits() < LEAST {
            return;
        }
        let Known { most, lengths, numbers, inside, .. } = &*self.known;
        let count = self.words.count();
        let asked = &mut self.asked;
        self.words.windows(*most, |window| {
            if made && window.words == count {
                return;
            }
            if window.digits {
                if numbers.get(window.bytes).is_some_and(Option::is_some) {
                    asked.push((window.print(), window.bytes.to_le_bytes()[0]));
                }
            } else if lengths.get(window.bytes) == Some(&true) {
                asked.push((window.print(), 0));
            }
        });
        if let Some((automaton, classes)) = inside {
            let compact = words::compact(text);
            if let Some(hit) = automaton.find_iter(&compact).find(|hit| !made || hit.len() < compact.len()) {
                self.found.get_or_insert(classes[hit.pattern().as_usize()]);
            }
        }
        if depth < DEPTH && self.words.may_be_encoded() {
            for plain in words::undone(text, &self.words) {
                self.look_deep(&plain, made, depth + 1);
            }
        }
    }

    /// Looks up what was asked. Each question waits for memory, so many are asked at a time.
    fn look_up(&mut self) {
        let Known { prints, numbers, .. } = &*self.known;
        let may_be_known = |(print, digits): (u64, u8)| match digits {
            0 => prints.may_contain(print),
            digits => numbers[usize::from(digits)].as_ref().is_some_and(|numbers| numbers.may_contain(print)),
        };
        self.asked.retain(|asked| may_be_known(*asked));
        for (print, digits) in self.asked.drain(..) {
            let class = match digits {
                0 => prints.class(print),
                digits => numbers[usize::from(digits)].as_ref().and_then(|numbers| numbers.class(print)),
            };
            self.found = self.found.or(class);
        }
    }
}

/// A group as a class of a fingerprint; those that tell little share one.
fn code(group: Group) -> u8 {
    CLASSES.iter().position(|known| *known == group).and_then(|n| u8::try_from(n).ok()).unwrap_or(0)
}

fn group(code: u8) -> Group {
    CLASSES.get(usize::from(code)).copied().unwrap_or(Group::Plain)
}

const CLASSES: [Group; 8] = [
    Group::Plain,
    Group::Identifier,
    Group::Person,
    Group::Contact,
    Group::Money,
    Group::Government,
    Group::Network,
    Group::Text,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{RootKey, Salt};

    fn seen(values: &[(Group, &str)]) -> Seen {
        let root = RootKey::from_hex(&"07".repeat(32)).expect("a key");
        let mut seen = Seen::new(&ScopeKeys::new(&root, &Salt::from_bytes([9; 32])));
        for (group, text) in values {
            seen.see(*group, text);
        }
        seen
    }

    fn many() -> Vec<(Group, String)> {
        (0..=FEW).map(|n| (Group::Contact, format!("person.{n}@corp{n}.com"))).collect()
    }

    const VALUES: [(Group, &str); 8] = [
        (Group::Contact, "Ann.Lee42@Corp.com"),
        (Group::Contact, "+1 (202) 555-0123"),
        (Group::Person, "Zoë van Dijk"),
        (Group::Money, "DE89 3704 0044 0532 0130 00"),
        (Group::Identifier, "ab13dfae-6276-45da-a05f-11193ceaaf30"),
        (Group::Plain, "call me at noon"),
        (Group::Plain, "Hauptstraße 12, 10115 Berlin"),
        (Group::Text, "078051120"),
    ];

    #[test]
    fn a_value_is_found_in_every_form() {
        let few = || seen(&VALUES).search();
        let all_and = || {
            let mut all = seen(&VALUES);
            for (group, text) in many() {
                all.see(group, &text);
            }
            assert!(all.texts.is_none());
            all.search()
        };
        for mut search in [few(), all_and()] {
            for text in [
                "ann.lee42@corp.com",
                "mailto:ANN.LEE42@CORP.COM?subject=x",
                "{\"to\":\"ann.lee42\\u0040corp.com\"}",
                "to=ann.lee42%40corp.com&x=1",
                "the user ann.lee42 called",
                "cart:ann.lee42:items",
                "YW5uLmxlZTQyQGNvcnAuY29t",
                "data:text/plain;base64,SGVsbG8gYW5uLmxlZTQyQGNvcnAuY29tIQ==",
                "616e6e2e6c656534324063 6f72702e636f6d 616e6e2e6c6565343240636f72702e636f6d",
                "+12025550123",
                "tel 1 202 555 0123.",
                "signed: zoë VAN dijk",
                "iban=DE89370400440532013000",
                "AB13DFAE627645DAA05F11193CEAAF30",
                "ann.lee42&#64;corp.com",
                "lives at hauptstraße 12 10115 berlin",
                "ssn 078-05-1120",
            ] {
                assert!(search.finds(text, false).is_some(), "{text}");
            }
            for text in [
                "",
                "Ann",
                "ann lee 43",
                "corp.com",
                "zoë dijk",
                "call me at noon",
                "2025550124",
                "van Dijk",
                "12025550",
                "ab13dfae-6276-45da-a05f-11193ceaaf31",
            ] {
                assert!(search.finds(text, false).is_none(), "{text}");
            }
        }
        assert!(few().finds("xxann.lee42yy", false).is_some(), "few are found inside of words too");
    }

    #[test]
    fn originals_do_not_print() {
        let mut seen = seen(&VALUES);
        let needles = seen.piece(0).expect("texts");
        let first = format!("{seen:?} {needles:?}");
        let mut search = seen.search();
        let _ = search.finds("the canary sings", false);
        let text = format!("{first} {search:?}");
        for part in ["ann", "lee42", "zoë", "202", "canary"] {
            assert!(!text.to_lowercase().contains(part), "{text}");
        }
    }

    #[test]
    fn what_a_mask_made_may_equal_a_value_but_not_hold_one() {
        let mut search = seen(&VALUES).search();
        assert_eq!(search.finds("Zoë van Dijk", true), None);
        assert_eq!(search.finds("Zoë van Dijk", false), Some(Group::Person));
        assert_eq!(search.finds("Mrs Zoë van Dijk", true), Some(Group::Person));
    }

    #[test]
    fn another_agents_needles_are_found_too() {
        let mut other = seen(&[(Group::Person, "Bob Brown")]);
        let mut from = seen(&VALUES);
        let mut pieces = 0;
        while let Some(needles) = from.piece(pieces) {
            other.learn(needles);
            pieces += 1;
        }
        assert_eq!(pieces, 4, "texts, words, and numbers of two lengths");
        let mut search = other.search();
        assert_eq!(search.finds("ann.lee42@corp.com", false), Some(Group::Contact));
        assert_eq!(search.finds("bob brown", false), Some(Group::Person));
        assert_eq!(search.finds("+12025550123", false), Some(Group::Contact));
    }

    #[test]
    fn plain_words_and_short_numbers_are_no_identifiers() {
        let values = [
            (Group::Person, "Maria"),
            (Group::Contact, "info@corp.com"),
            (Group::Identifier, "10248"),
            (Group::Identifier, "123456789012"),
            (Group::Contact, "5550123"),
            (Group::Time, "2026-11-23 10:00:00"),
        ];
        let mut search = seen(&values).search();
        for text in ["Santa Maria", "info desk", "10248", "123456789012", "5550123", "2026-11-23 10:00:00"] {
            assert!(search.finds(text, false).is_none(), "{text}");
        }
        assert!(search.finds("info@corp.com", false).is_some());
    }
}
