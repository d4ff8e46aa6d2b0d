//! Texts as words, and fingerprints of runs of words.
//!
//! Hidden here: what counts as equal. Letters are folded and everything between them is dropped, so `Ann.Lee@Corp.com`,
//! `ann lee corp com` and `ANN-LEE(at)…` differ only in their words. A run's fingerprint is a polynomial over its bytes
//! modulo 2^64 at a secret odd point (Karp and Rabin), so all runs of a text cost one pass. Two runs that fall together by chance
//! give a false alarm, never a miss.

use std::borrow::Cow;

/// The longest run that is hashed, in bytes.
const LONGEST: usize = 512;

/// A text's words: its runs of letters and digits, folded, with the hashes of all that lies before each end.
#[derive(Clone)]
pub(super) struct Words {
    base: u64,
    powers: Vec<u64>,
    compact: Vec<u8>,
    ends: Vec<End>,
}

#[derive(Clone, Copy, Debug)]
struct End {
    at: usize,
    hash: u64,
    /// Whether the word is all digits.
    digits: bool,
}

/// A run of words.
pub(super) struct Window {
    hash: u64,
    before: u64,
    power: u64,
    pub(super) words: usize,
    pub(super) bytes: usize,
    pub(super) digits: bool,
}

impl Window {
    /// Its fingerprint: the hash of the text up to its end, less that of what lies before it.
    #[inline]
    pub(super) fn print(&self) -> u64 {
        spread(self.hash.wrapping_sub(self.before.wrapping_mul(self.power)))
    }
}

/// Mixes all bits into all, so that any of them may choose a bucket.
fn spread(hash: u64) -> u64 {
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ (mixed >> 29)
}

/// What an ASCII byte is in a folded text; 0 between words.
const FOLDED: [u8; 256] = {
    let mut folded = [0; 256];
    let mut byte = 0;
    while byte < 128_u8 {
        if byte.is_ascii_alphanumeric() {
            folded[byte as usize] = byte.to_ascii_lowercase();
        }
        byte += 1;
    }
    folded
};

impl Words {
    /// No words yet; equal secrets give equal fingerprints.
    pub(super) fn new(secret: u64) -> Self {
        let base = secret | 1;
        let mut powers = vec![1_u64; LONGEST + 1];
        for n in 1..=LONGEST {
            powers[n] = base.wrapping_mul(powers[n - 1]);
        }
        Self { base, powers, compact: Vec::new(), ends: Vec::new() }
    }

    /// Takes a text in place of the last one.
    pub(super) fn fold(&mut self, text: &str) {
        self.compact.clear();
        self.ends.clear();
        self.compact.reserve(text.len());
        let mut hash = 0_u64;
        // One more than the byte, so that leading zeros count.
        let base = self.base;
        let step = |hash: u64, byte: u8| hash.wrapping_mul(base).wrapping_add(u64::from(byte) + 1);
        if text.is_ascii() {
            let (mut open, mut digits) = (false, true);
            for byte in text.bytes() {
                let folded = FOLDED[usize::from(byte)];
                if folded != 0 {
                    self.compact.push(folded);
                    hash = step(hash, folded);
                    digits &= folded <= b'9';
                    open = true;
                } else if open {
                    self.ends.push(End { at: self.compact.len(), hash, digits });
                    (open, digits) = (false, true);
                }
            }
            if open {
                self.ends.push(End { at: self.compact.len(), hash, digits });
            }
            return;
        }
        let mut rest = text;
        let mut utf8 = [0; 4];
        while let Some(start) = rest.find(char::is_alphanumeric) {
            rest = &rest[start..];
            let (word, after) = rest.split_at(rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len()));
            for c in word.chars().flat_map(char::to_lowercase) {
                for byte in c.encode_utf8(&mut utf8).bytes() {
                    self.compact.push(byte);
                    hash = step(hash, byte);
                }
            }
            let digits = word.bytes().all(|b| b.is_ascii_digit());
            self.ends.push(End { at: self.compact.len(), hash, digits });
            rest = after;
        }
    }

    /// Keeps the first words only.
    pub(super) fn keep_first(&mut self, words: usize) {
        self.ends.truncate(words);
        self.compact.truncate(self.ends.last().map_or(0, |end| end.at));
    }

    pub(super) fn compact(&self) -> &[u8] {
        &self.compact
    }

    pub(super) fn count(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn letters_and_digits(&self) -> usize {
        self.compact.len()
    }

    pub(super) fn is_digits(&self) -> bool {
        self.ends.iter().all(|end| end.digits)
    }

    pub(super) fn has_digit(&self) -> bool {
        self.compact.iter().any(u8::is_ascii_digit)
    }

    pub(super) fn is_one_plain_word(&self) -> bool {
        self.ends.len() == 1 && !self.has_digit()
    }

    /// The fingerprint of all words as one run.
    pub(super) fn whole(&self) -> u64 {
        spread(self.ends.last().map_or(0, |end| end.hash))
    }

    /// Gives the runs of up to `most` words to `look`, until it finds something.
    pub(super) fn windows(&self, most: usize, mut look: impl FnMut(&Window) -> Option<u8>) -> Option<u8> {
        for (n, end) in self.ends.iter().enumerate() {
            let mut digits = true;
            for first in (n.saturating_sub(most - 1)..=n).rev() {
                digits &= self.ends[first].digits;
                let (start, before) = match first.checked_sub(1) {
                    Some(last) => (self.ends[last].at, self.ends[last].hash),
                    None => (0, 0),
                };
                let bytes = end.at - start;
                let Some(power) = self.powers.get(bytes) else { break };
                let window = Window { hash: end.hash, before, power: *power, words: n - first + 1, bytes, digits };
                let found = look(&window);
                if found.is_some() {
                    return found;
                }
            }
        }
        None
    }
}

/// What a text says if an encoding in it is undone: percent signs, escapes of JSON and HTML, base 64, hexadecimal.
pub(super) fn undone(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    if text.contains('%')
        && let Cow::Owned(plain) = percent_encoding::percent_decode_str(text).decode_utf8_lossy()
    {
        out.push(plain);
    }
    if text.contains('\\') {
        let plain = unescaped(text);
        if plain != text {
            out.push(plain);
        }
    }
    if text.contains("&#") {
        let plain = references(text);
        if plain != text {
            out.push(plain);
        }
    }
    let of_base64 = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_');
    for run in text.as_bytes().split(|b| !of_base64(b)).filter(|run| run.len() >= 8) {
        if is_hex(run) {
            out.extend(hex::decode(run).ok().and_then(readable));
        }
        if begins_a_text(&base64_begin(run)) {
            out.extend(base64(run).and_then(readable));
        }
    }
    out
}

/// Whether a text may begin with these bytes: most runs are no encoding, and their first characters tell, without decoding all.
fn begins_a_text(bytes: &[u8]) -> bool {
    let plain = |bytes: &[u8]| bytes.iter().all(|b| !b.is_ascii_control() || b.is_ascii_whitespace());
    match std::str::from_utf8(bytes) {
        Ok(_) => plain(bytes),
        // A character may go on behind what was decoded.
        Err(error) => error.error_len().is_none() && plain(&bytes[..error.valid_up_to()]),
    }
}

/// Six bytes out of eight digits.
fn base64_begin(run: &[u8]) -> [u8; 6] {
    let digit = |b: &u8| match b {
        b'A'..=b'Z' => b - b'A',
        b'a'..=b'z' => b - b'a' + 26,
        b'0'..=b'9' => b - b'0' + 52,
        b'+' | b'-' => 62,
        _ => 63,
    };
    let bits = run[..8].iter().fold(0_u64, |bits, b| bits << 6 | u64::from(digit(b)));
    let mut out = [0; 6];
    out.copy_from_slice(&bits.to_be_bytes()[2..]);
    out
}

/// Whether all of a run is hexadecimal, and may be a text.
fn is_hex(run: &[u8]) -> bool {
    let mut first = [0];
    run.len().is_multiple_of(2)
        && hex::decode_to_slice(&run[..2], &mut first).is_ok()
        && begins_a_text(&first)
        && run.iter().all(u8::is_ascii_hexdigit)
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
