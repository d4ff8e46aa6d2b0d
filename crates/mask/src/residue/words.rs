//! Texts as words, and fingerprints of runs of words.
//!
//! Hidden here: what counts as equal. Letters are folded and everything between them is dropped, so `Ann.Lee@Corp.com`,
//! `ann lee corp com` and `ANN-LEE(at)…` differ only in their words. A run's fingerprint is a polynomial over its bytes
//! modulo 2^64 at a secret odd point (Karp and Rabin), so all runs of a text cost one pass. Two runs that fall together by chance
//! give a false alarm, never a miss.
//!
//! The pass over an ASCII text has no branch that depends on the text: words are short, and a processor that guesses wrong at
//! the end of each would spend most of its time on that.

use std::borrow::Cow;

use super::packed;

/// The longest run that is hashed, in bytes.
const LONGEST: usize = 512;
/// The fewest characters of a run that may be an encoding.
const LEAST_ENCODED: usize = 8;
/// A text up to this length takes its powers from tables.
const TABLE: usize = 1 << 12;

/// A text's words: its runs of letters and digits, folded, as hashes of all that lies before each end.
#[derive(Clone)]
pub(super) struct Words {
    base: u64,
    /// The base's inverse modulo 2^64.
    inverse: u64,
    powers: Vec<u64>,
    /// Powers of the inverse.
    backs: Vec<u64>,
    /// What lies before the end of each word; scratch space behind `count`.
    ends: Vec<End>,
    end: End,
    count: usize,
    /// What was met, as the high bits of [`BYTES`] say.
    marks: u64,
}

/// What lies before an end.
#[derive(Clone, Copy, Debug, Default)]
struct End {
    /// How many bytes, in the lower half; how many of them are no digits, in the upper.
    counts: u64,
    /// Each byte times the base to the power of its place. No byte of a word is 0, so leading zeros count.
    hash: u64,
}

impl End {
    #[inline]
    fn bytes(self) -> usize {
        (self.counts & 0xFFFF_FFFF) as usize
    }

    #[inline]
    fn letters(self) -> usize {
        (self.counts >> 32) as usize
    }
}

/// A run of words.
pub(super) struct Window {
    hash: u64,
    /// The base's inverse to the power of the run's place, so that a run hashes alike everywhere.
    back: u64,
    pub(super) words: usize,
    pub(super) bytes: usize,
    pub(super) digits: bool,
}

impl Window {
    /// Its fingerprint.
    #[inline]
    pub(super) fn print(&self) -> u64 {
        spread(self.hash.wrapping_mul(self.back))
    }
}

/// Mixes all bits into all, so that any of them may choose a bucket.
#[inline]
fn spread(hash: u64) -> u64 {
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ (mixed >> 29)
}

/// A byte of a word; in the lower half's first place, so that entries of [`BYTES`] add up to counts.
const INSIDE: u64 = 1;
/// A byte of a word that is no digit.
const LETTER: u64 = 1 << 32;
/// Where an entry has the folded byte; 0 between words.
const FOLDED: u32 = 8;
/// A byte that begins an escape.
const ESCAPE: u64 = 1 << 16;
/// Neither letter nor digit, but a byte that may stand inside of an encoding.
const JOIN: u64 = 1 << 17;

/// What an ASCII byte is in a text.
const BYTES: [u64; 256] = {
    let mut bytes = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        bytes[byte as usize] = match byte {
            b'0'..=b'9' => INSIDE | (byte as u64) << FOLDED,
            b'a'..=b'z' | b'A'..=b'Z' => INSIDE | LETTER | (byte.to_ascii_lowercase() as u64) << FOLDED,
            b'%' | b'\\' | b'&' => ESCAPE,
            b'+' | b'/' | b'-' | b'_' => JOIN,
            _ => 0,
        };
        byte += 1;
    }
    bytes
};

/// The words of a text without what lies between them.
pub(super) fn compact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().filter(|c| c.is_alphanumeric()) {
        if c.is_ascii() { out.push(c.to_ascii_lowercase()) } else { out.extend(c.to_lowercase()) }
    }
    out
}

impl Words {
    /// No words yet; equal secrets give equal fingerprints.
    pub(super) fn new(secret: u64) -> Self {
        let base = secret | 1;
        // Newton's iteration doubles the number of right bits; an odd number is its own inverse modulo 8.
        let inverse = (0..5).fold(base, |x, _| x.wrapping_mul(2_u64.wrapping_sub(base.wrapping_mul(x))));
        let powers_of = |base: u64| {
            let next = |power: &u64| Some(power.wrapping_mul(base));
            std::iter::successors(Some(1), next).take(TABLE).collect::<Vec<u64>>()
        };
        let (powers, backs) = (powers_of(base), powers_of(inverse));
        Self { base, inverse, powers, backs, ends: Vec::new(), end: End::default(), count: 0, marks: 0 }
    }

    /// Takes a text in place of the last one.
    pub(super) fn fold(&mut self, text: &str) {
        (self.end, self.count, self.marks) = (End::default(), 0, 0);
        self.append(text);
    }

    /// Goes on with a text, whose first word is a word of its own.
    pub(super) fn append(&mut self, text: &str) {
        let words = self.count + text.len() / 2 + 2;
        if self.ends.len() < words {
            self.ends.resize(words, End::default());
        }
        if text.is_ascii() && self.end.bytes() + text.len() < TABLE {
            self.append_ascii(text);
        } else {
            self.append_any(text);
        }
    }

    fn append_ascii(&mut self, text: &str) {
        let (ends, powers) = (&mut self.ends[..], &self.powers[..TABLE]);
        let (mut end, mut count, mut marks, mut last) = (self.end, self.count, self.marks, 0);
        for byte in text.bytes() {
            let entry = BYTES[usize::from(byte)];
            // Written behind every byte, and kept behind a word's last one.
            ends[count] = end;
            count += (last & !entry & INSIDE) as usize;
            end.hash = end.hash.wrapping_add((entry >> FOLDED & 0xFF).wrapping_mul(powers[end.bytes() % TABLE]));
            end.counts += entry & (INSIDE | LETTER);
            marks |= entry;
            last = entry;
        }
        ends[count] = end;
        count += (last & INSIDE) as usize;
        (self.end, self.count, self.marks) = (end, count, marks);
    }

    /// Texts with other letters than ASCII's, and long ones.
    fn append_any(&mut self, text: &str) {
        let mut rest = text;
        let mut utf8 = [0; 4];
        self.marks |= ESCAPE;
        let mut power = power(self.base, self.end.bytes());
        while let Some(start) = rest.find(char::is_alphanumeric) {
            rest = &rest[start..];
            let (word, after) = rest.split_at(rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len()));
            for c in word.chars().flat_map(char::to_lowercase) {
                for byte in c.encode_utf8(&mut utf8).bytes() {
                    self.end.hash = self.end.hash.wrapping_add(u64::from(byte).wrapping_mul(power));
                    self.end.counts += if byte.is_ascii_digit() { INSIDE } else { INSIDE | LETTER };
                    power = power.wrapping_mul(self.base);
                }
            }
            self.ends[self.count] = self.end;
            self.count += 1;
            rest = after;
        }
    }

    /// Whether something in the text may be an encoding of another.
    pub(super) fn may_be_encoded(&self) -> bool {
        let mut before = 0;
        let mut long = |end: &End| end.bytes() - std::mem::replace(&mut before, end.bytes()) >= LEAST_ENCODED;
        self.marks & (ESCAPE | JOIN) != 0 || self.ends[..self.count].iter().any(&mut long)
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn letters_and_digits(&self) -> usize {
        self.end.bytes()
    }

    pub(super) fn is_digits(&self) -> bool {
        self.end.letters() == 0
    }

    pub(super) fn has_digit(&self) -> bool {
        self.end.letters() < self.end.bytes()
    }

    pub(super) fn is_one_plain_word(&self) -> bool {
        self.count == 1 && !self.has_digit()
    }

    /// The fingerprint of all words as one run.
    pub(super) fn whole(&self) -> u64 {
        spread(self.end.hash)
    }

    /// Gives the runs of up to `most` words to `take`.
    #[inline]
    pub(super) fn windows(&self, most: usize, mut take: impl FnMut(&Window)) {
        let ends = &self.ends[..self.count];
        let mut start = End::default();
        for first in 0..ends.len() {
            let at = start.bytes();
            let back = self.backs.get(at).copied().unwrap_or_else(|| power(self.inverse, at));
            for (n, end) in ends[first..].iter().take(most).enumerate() {
                let (bytes, digits) = (end.bytes() - at, end.letters() == start.letters());
                if bytes > LONGEST {
                    break;
                }
                take(&Window { hash: end.hash.wrapping_sub(start.hash), back, words: n + 1, bytes, digits });
            }
            start = ends[first];
        }
    }
}

/// A power modulo 2^64.
fn power(base: u64, mut n: usize) -> u64 {
    let (mut out, mut square) = (1_u64, base);
    while n > 0 {
        if n % 2 == 1 {
            out = out.wrapping_mul(square);
        }
        square = square.wrapping_mul(square);
        n /= 2;
    }
    out
}

/// What a text says if an encoding in it is undone: percent signs, escapes of JSON and HTML, base 64, hexadecimal.
pub(super) fn undone(text: &str, words: &Words) -> Vec<String> {
    let mut out = Vec::new();
    let escapes = words.marks & ESCAPE != 0;
    if escapes
        && text.contains('%')
        && let Cow::Owned(plain) = percent_encoding::percent_decode_str(text).decode_utf8_lossy()
    {
        out.push(plain);
    }
    if escapes && text.contains('\\') {
        let plain = unescaped(text);
        if plain != text {
            out.push(plain);
        }
    }
    if escapes && text.contains("&#") {
        let plain = references(text);
        if plain != text {
            out.push(plain);
        }
    }
    for run in text.as_bytes().split(|b| BASE64[usize::from(*b)] == NONE).filter(|run| run.len() >= LEAST_ENCODED) {
        // Most runs are no encoding, and how one begins tells.
        let hex = hex_begin(run);
        if hex.is_some_and(|byte| begins_a_text(&[byte])) && run.iter().all(u8::is_ascii_hexdigit) {
            out.extend(hex::decode(run).ok().and_then(readable));
        }
        // What begins as zlib does may begin as a text does, too.
        if hex.is_some() && packed::begins_in_hex(run) {
            out.extend(hex::decode(run).ok().and_then(|bytes| packed::unpacked(&bytes)));
        }
        let begin = base64_begin(run);
        if packed::begins(&begin) {
            out.extend(base64(run).and_then(|bytes| packed::unpacked(&bytes)));
        }
        if begins_a_text(&begin) {
            out.extend(base64(run).and_then(readable));
        }
    }
    out
}

/// Whether a text may begin with these bytes: most runs are no encoding, and their first characters tell, without decoding all.
fn begins_a_text(bytes: &[u8]) -> bool {
    // How many bytes of a character are still to come (RFC 3629); the last character may go on behind what was decoded.
    let mut more = 0;
    bytes.iter().all(|byte| match byte {
        0x80..=0xBF if more > 0 => {
            more -= 1;
            true
        }
        _ if more > 0 => false,
        b' '..=b'~' | b'\t' | b'\n' | b'\r' | 0x0C => true,
        0xC2..=0xDF => {
            more = 1;
            true
        }
        0xE0..=0xEF => {
            more = 2;
            true
        }
        0xF0..=0xF4 => {
            more = 3;
            true
        }
        _ => false,
    })
}

/// What is no digit of base 64.
const NONE: u8 = 64;

/// The digits of base 64, of both alphabets (RFC 4648, sections 4 and 5).
const BASE64: [u8; 256] = {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut values = [NONE; 256];
    let mut n = 0_u8;
    while n < 62 {
        values[digits[n as usize] as usize] = n;
        n += 1;
    }
    values[b'+' as usize] = 62;
    values[b'-' as usize] = 62;
    values[b'/' as usize] = 63;
    values[b'_' as usize] = 63;
    values
};

/// Six bytes out of eight digits.
fn base64_begin(run: &[u8]) -> [u8; 6] {
    let bits = run[..8].iter().fold(0_u64, |bits, b| bits << 6 | u64::from(BASE64[usize::from(*b)] & 63));
    let mut out = [0; 6];
    out.copy_from_slice(&bits.to_be_bytes()[2..]);
    out
}

/// The first byte of a run that may be hexadecimal.
fn hex_begin(run: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let [high, low, ..] = run else { return None };
    if run.len().is_multiple_of(2) { Some(digit(*high)? << 4 | digit(*low)?) } else { None }
}

/// Bytes that are a text that somebody could have written.
fn readable(bytes: Vec<u8>) -> Option<String> {
    String::from_utf8(bytes).ok().filter(|text| !text.chars().any(|c| c.is_control() && !c.is_whitespace()))
}

fn base64(run: &[u8]) -> Option<Vec<u8>> {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
    let engine = if run.iter().any(|b| matches!(b, b'-' | b'_')) { &URL_SAFE_NO_PAD } else { &STANDARD_NO_PAD };
    engine.decode(run).ok()
}

/// JSON's escapes undone (RFC 8259, section 7), wherever they stand.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let unit = |text: &str| text.get(1..5).and_then(|hex| u16::from_str_radix(hex, 16).ok());
        match rest.chars().next() {
            Some('u') if unit(rest).is_some() => {
                let mut units = Vec::new();
                while let Some(found) = unit(rest).filter(|_| rest.starts_with('u')) {
                    units.push(found);
                    rest = &rest[5..];
                    match rest.strip_prefix('\\') {
                        Some(after) if after.starts_with('u') && unit(after).is_some() => rest = after,
                        _ => break,
                    }
                }
                out.push_str(&String::from_utf16_lossy(&units));
            }
            Some(c) => {
                out.push(if matches!(c, 'n' | 'r' | 't' | 'b' | 'f') { ' ' } else { c });
                rest = &rest[c.len_utf8()..];
            }
            None => {}
        }
    }
    out + rest
}

/// Numeric character references of HTML and XML undone.
fn references(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("&#") {
        out.push_str(&rest[..at]);
        let body = &rest[at + 2..];
        let decoded = body.find(';').filter(|end| *end <= 8).and_then(|end| {
            let number = match body[..end].strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => body[..end].parse().ok()?,
            };
            Some((char::from_u32(number)?, end))
        });
        if let Some((c, end)) = decoded {
            out.push(c);
            rest = &body[end + 1..];
        } else {
            out.push_str("&#");
            rest = body;
        }
    }
    out + rest
}
