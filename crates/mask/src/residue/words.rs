//! Texts as words, and fingerprints of runs of words.
//!
//! Hidden here: what counts as equal. Letters are folded and everything between them is dropped, so `Ann.Lee@Corp.com`,
//! `ann lee corp com` and `ANN-LEE(at)…` differ only in their words. A run's fingerprint is a polynomial over its bytes
//! modulo 2^61 - 1 at a secret point (Carter and Wegman), so all runs of a text cost one pass.

use std::borrow::Cow;

/// The modulus, a Mersenne prime.
const MODULUS: u64 = (1 << 61) - 1;

/// The longest run that is hashed, in bytes.
const LONGEST: usize = 512;

/// A text's words: its runs of letters and digits, folded.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    compact: String,
    /// Where each word ends, and whether it is all digits.
    ends: Vec<(usize, bool)>,
}

impl Words {
    /// Takes a text in place of the last one.
    pub(super) fn fold(&mut self, text: &str) {
        self.compact.clear();
        self.ends.clear();
        let mut digits = true;
        let mut open = false;
        for c in text.chars() {
            if c.is_alphanumeric() {
                if !open {
                    (open, digits) = (true, true);
                }
                digits &= c.is_ascii_digit();
                if c.is_ascii() {
                    self.compact.push(c.to_ascii_lowercase());
                } else {
                    self.compact.extend(c.to_lowercase());
                }
            } else if open {
                open = false;
                self.ends.push((self.compact.len(), digits));
            }
        }
        if open {
            self.ends.push((self.compact.len(), digits));
        }
    }

    pub(super) fn compact(&self) -> &str {
        &self.compact
    }

    pub(super) fn count(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn letters_and_digits(&self) -> usize {
        self.compact.len()
    }

    pub(super) fn is_digits(&self) -> bool {
        self.ends.iter().all(|(_, digits)| *digits)
    }

    pub(super) fn has_digit(&self) -> bool {
        self.compact.bytes().any(|b| b.is_ascii_digit())
    }

    pub(super) fn is_one_plain_word(&self) -> bool {
        self.ends.len() == 1 && !self.has_digit()
    }
}

/// A run of words.
pub(super) struct Window {
    pub(super) print: u64,
    pub(super) words: usize,
    pub(super) bytes: usize,
    pub(super) digits: bool,
}

/// Makes fingerprints at one secret point.
#[derive(Clone, Debug)]
pub(super) struct Roller {
    base: u64,
    powers: Vec<u64>,
    /// Where each word of the text at hand starts, and the hash of all before it.
    starts: Vec<(usize, u64)>,
}

fn multiply(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    #[expect(clippy::cast_possible_truncation, reason = "both halves are below 2^61")]
    let (low, high) = (product as u64 & MODULUS, (product >> 61) as u64);
    let sum = low + high;
    if sum >= MODULUS { sum - MODULUS } else { sum }
}

/// Spreads a residue over 64 bits, so that any of them may choose a bucket.
fn spread(hash: u64) -> u64 {
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ (mixed >> 29)
}

impl Roller {
    pub(super) fn new(secret: u64) -> Self {
        let base = secret % (MODULUS - 512) + 256;
        let mut powers = vec![1; LONGEST + 1];
        for n in 1..=LONGEST {
            powers[n] = multiply(powers[n - 1], base);
        }
        Self { base, powers, starts: Vec::new() }
    }

    fn extend(&self, hash: u64, bytes: &[u8]) -> u64 {
        // One more than the byte, so that leading zeros count.
        bytes.iter().fold(hash, |hash, byte| {
            let sum = multiply(hash, self.base) + u64::from(*byte) + 1;
            if sum >= MODULUS { sum - MODULUS } else { sum }
        })
    }

    /// The fingerprint of all words as one run.
    pub(super) fn whole(&self, words: &Words) -> u64 {
        spread(self.extend(0, words.compact.as_bytes()))
    }

    /// Gives the runs of up to `most` words to `look`, until it finds something.
    pub(super) fn windows(
        &mut self,
        words: &Words,
        most: usize,
        mut look: impl FnMut(&Window) -> Option<u8>,
    ) -> Option<u8> {
        self.starts.clear();
        let (mut at, mut hash) = (0, 0);
        for (n, (end, _)) in words.ends.iter().enumerate() {
            self.starts.push((at, hash));
            hash = self.extend(hash, &words.compact.as_bytes()[at..*end]);
            at = *end;
            let mut digits = true;
            for first in (n.saturating_sub(most - 1)..=n).rev() {
                digits &= words.ends[first].1;
                let (start, before) = self.starts[first];
                let bytes = *end - start;
                if bytes > LONGEST {
                    break;
                }
                let behind = multiply(before, self.powers[bytes]);
                let print = if hash >= behind { hash - behind } else { hash + MODULUS - behind };
                let found = look(&Window { print: spread(print), words: n - first + 1, bytes, digits });
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
    let of_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_');
    for run in text.split(|c: char| !of_base64(c)).filter(|run| run.len() >= 8) {
        if run.len().is_multiple_of(2) && run.bytes().all(|b| b.is_ascii_hexdigit()) {
            out.extend(hex::decode(run).ok().and_then(readable));
        }
        out.extend(base64(run).and_then(readable));
    }
    out
}

/// Bytes that are a text that somebody could have written.
fn readable(bytes: Vec<u8>) -> Option<String> {
    String::from_utf8(bytes).ok().filter(|text| !text.chars().any(|c| c.is_control() && !c.is_whitespace()))
}

fn base64(run: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
    let engine = if run.contains(['-', '_']) { &URL_SAFE_NO_PAD } else { &STANDARD_NO_PAD };
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
