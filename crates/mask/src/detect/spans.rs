//! Typed identifiers inside of a text: where they stand and what they are.
//!
//! Hidden here: how a text is cut into candidates. Only what has a form is found (addresses, numbers, accounts), never names: for these a text
//! is masked whole. What could be many things needs a word beside it, such as `passport`.

use std::net::IpAddr;

use super::class::Class;
use super::numbers::{NUMBERS, Proof, compact, mask_of};
use super::sums;
use super::words::fold;
use crate::checks;

/// An identifier in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its first byte.
    pub start: usize,
    /// The byte behind its last one.
    pub end: usize,
    /// Which kind of its class, such as `us-ssn`.
    pub kind: &'static str,
    /// What it is.
    pub class: Class,
}

/// How far before an identifier, in bytes, a word may stand that tells what it is.
const NEAR: usize = 60;

/// Everything in a text that has the form of an identifier, in order; none overlaps another.
pub fn spans(text: &str) -> Vec<Span> {
    let folded = fold(text);
    let mut found: Vec<(u8, Span)> = Vec::new();
    let mut add = |rank: u8, start: usize, end: usize, kind: &'static str, class: Class| {
        found.push((rank, Span { start, end, kind, class }));
    };
    for (start, end) in words(text) {
        let word = &text[start..end];
        if let Some((from, to)) = email(word) {
            add(9, start + from, start + to, "email", Class::Email);
        }
        if let Some((from, to)) = url(word) {
            add(8, start + from, start + to, "url", Class::Url);
        }
        // An address may stand in brackets, behind a name or a scheme.
        for piece in word.split(|c: char| "[]@/=(){}<>,;\"'".contains(c)) {
            let piece = piece.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != ':');
            if let Some(length) = ip(piece) {
                let at = start + (piece.as_ptr() as usize - word.as_ptr() as usize);
                add(8, at, at + length, "ip", Class::Ip);
            }
        }
        let trimmed = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let at = start + (trimmed.as_ptr() as usize - word.as_ptr() as usize);
        if mac(trimmed) {
            add(8, at, at + trimmed.len(), "mac", Class::Mac);
        }
        if sums::bitcoin(trimmed) {
            add(9, at, at + trimmed.len(), "bitcoin", Class::CryptoWallet);
        }
        if let Some(kind) = secret(trimmed) {
            add(9, at, at + trimmed.len(), kind, Class::Token);
        }
    }
    for (start, end) in ibans(text) {
        add(9, start, end, "iban", Class::Iban);
    }
    numbered(text, &folded, &mut found);
    // The surest first, then the longest; what overlaps one of them is none.
    found.sort_by_key(|(rank, span)| (std::cmp::Reverse(*rank), std::cmp::Reverse(span.end - span.start), span.start));
    let mut out: Vec<Span> = Vec::new();
    for (_, span) in found {
        if !out.iter().any(|known| known.start < span.end && span.start < known.end) {
            out.push(span);
        }
    }
    out.sort_by_key(|span| span.start);
    out
}

/// The runs without white space.
fn words(text: &str) -> impl Iterator<Item = (usize, usize)> + '_ {
    text.split_whitespace().map(|word| {
        let start = word.as_ptr() as usize - text.as_ptr() as usize;
        (start, start + word.len())
    })
}

/// The e-mail address in a run.
fn email(word: &str) -> Option<(usize, usize)> {
    let at = word.find('@')?;
    let local = |c: char| c.is_alphanumeric() || "._%+-'".contains(c);
    let from = word[..at].rfind(|c| !local(c)).map_or(0, |n| n + word[n..].chars().next().map_or(1, char::len_utf8));
    let rest = &word[at + 1..];
    let to = rest.find(|c: char| !(c.is_alphanumeric() || c == '.' || c == '-')).unwrap_or(rest.len());
    let domain = rest[..to].trim_end_matches(['.', '-']);
    let (host, top) = domain.rsplit_once('.')?;
    let whole = from < at && !host.is_empty() && top.chars().count() > 1 && top.chars().all(char::is_alphabetic);
    whole.then_some((from, at + 1 + domain.len()))
}

/// Whether a whole text is an e-mail address.
pub(super) fn is_email(text: &str) -> bool {
    email(text) == Some((0, text.len()))
}

/// Endings of domains that are common enough to tell a host's name without a scheme.
#[rustfmt::skip]
static TOPS: &[&str] = &[
    "com", "org", "net", "edu", "gov", "io", "co", "info", "biz", "eu", "uk", "de", "fr", "es", "it", "nl", "pl",
    "pt", "se", "no", "dk", "fi", "cz", "at", "ch", "be", "ru", "jp", "cn", "br", "in", "au", "ca", "us", "mx",
    "ar", "tr", "site", "online", "app", "dev", "me", "tv",
];

/// The web address in a run.
fn url(word: &str) -> Option<(usize, usize)> {
    let from = ["https://", "http://", "ftp://", "www."].iter().filter_map(|scheme| word.find(scheme)).min();
    let start = from.unwrap_or_else(|| word.find(char::is_alphanumeric).unwrap_or(0));
    let address = word[start..].trim_end_matches(|c: char| !c.is_alphanumeric() && c != '/');
    let address = address.split(['\'', '"', '<', '>', ')']).next().unwrap_or(address);
    let host = address.split_once("://").map_or(address, |(_, rest)| rest);
    let host = host.split(['/', '?', ':', '#']).next().unwrap_or(host);
    let labels: Vec<&str> = host.split('.').collect();
    let top = labels.last()?;
    let named = labels.iter().all(|label| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-'));
    let enough = labels.len() > usize::from(labels[0] == "www") + 1;
    let known = TOPS.contains(&top.to_lowercase().as_str())
        || (from.is_some() && top.len() > 1 && top.chars().all(char::is_alphabetic));
    (named && enough && known && !word.contains('@')).then_some((start, start + address.len()))
}

/// Whether a whole text is a web address with its scheme, or begins with `www.`.
pub(super) fn is_url(text: &str) -> bool {
    (text.contains("://") || text.starts_with("www."))
        && url(text).is_some_and(|(from, to)| from == 0 && to == text.len())
}

/// The length of the IP address at the beginning of a run.
fn ip(word: &str) -> Option<usize> {
    let address = word.split_once('%').map_or(word, |(address, _)| address);
    if address.parse::<IpAddr>().is_ok() {
        return Some(address.len());
    }
    // A port, brackets and all that is around were cut off; here only a port behind version 4 is left.
    let (host, port) = word.rsplit_once(':')?;
    (port.parse::<u16>().is_ok() && host.parse::<std::net::Ipv4Addr>().is_ok()).then_some(host.len())
}

/// Whether a text is the address of a network card, and neither all ones nor all zeros.
pub(super) fn mac(word: &str) -> bool {
    let separated = |separator: char, pairs: usize, length: usize| {
        let parts: Vec<&str> = word.split(separator).collect();
        parts.len() == pairs
            && parts.iter().all(|part| part.len() == length && part.bytes().all(|c| c.is_ascii_hexdigit()))
    };
    let hex = word.bytes().filter(u8::is_ascii_hexdigit).map(|c| c.to_ascii_lowercase());
    let trivial = hex.clone().all(|c| c == b'0') || hex.clone().all(|c| c == b'f');
    !trivial && (separated(':', 6, 2) || separated('-', 6, 2) || separated('.', 3, 4))
}

/// The kind of a key or token that tells itself by its beginning or form.
pub(super) fn secret(word: &str) -> Option<&'static str> {
    let opaque = |rest: &str, least: usize| {
        rest.len() >= least && rest.bytes().all(|c| c.is_ascii_alphanumeric() || b"_-.=".contains(&c))
    };
    let marks: &[(&str, usize, &str)] = &[
        ("AKIA", 16, "aws-key"),
        ("ASIA", 16, "aws-key"),
        ("ghp_", 30, "github-token"),
        ("gho_", 30, "github-token"),
        ("github_pat_", 30, "github-token"),
        ("glpat-", 20, "gitlab-token"),
        ("xoxb-", 20, "slack-token"),
        ("xoxp-", 20, "slack-token"),
        ("sk_live_", 16, "stripe-key"),
        ("sk_test_", 16, "stripe-key"),
        ("rk_live_", 16, "stripe-key"),
        ("pk_live_", 16, "stripe-key"),
        ("AIza", 30, "google-key"),
        ("SG.", 40, "sendgrid-key"),
        ("npm_", 30, "npm-token"),
        ("whsec_", 20, "webhook-secret"),
    ];
    let marked = marks.iter().find(|(mark, least, _)| word.strip_prefix(mark).is_some_and(|rest| opaque(rest, *least)));
    // RFC 7519: three parts, the first two JSON objects in base 64.
    let jwt = word.starts_with("eyJ")
        && word.split('.').count() == 3
        && word.split('.').nth(1).is_some_and(|p| p.starts_with("eyJ"))
        && opaque(word, 30);
    marked.map(|(_, _, kind)| *kind).or(jwt.then_some("jwt"))
}

/// Accounts by ISO 13616, with single spaces or none, in either case.
fn ibans(text: &str) -> Vec<(usize, usize)> {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    for start in 0..bytes.len().saturating_sub(14) {
        let begins = bytes[start].is_ascii_alphabetic()
            && bytes[start + 1].is_ascii_alphabetic()
            && bytes[start + 2].is_ascii_digit()
            && bytes[start + 3].is_ascii_digit()
            && (start == 0 || !bytes[start - 1].is_ascii_alphanumeric());
        let country: Vec<u8> = bytes[start..start + 2].iter().map(u8::to_ascii_uppercase).collect();
        let Some(length) = begins.then(|| iban_length(&country)).flatten() else { continue };
        let mut letters = Vec::with_capacity(length);
        let mut end = start;
        while end < bytes.len() && letters.len() < length {
            match bytes[end] {
                c if c.is_ascii_alphanumeric() => letters.push(c.to_ascii_uppercase()),
                b' ' | b'-' if bytes.get(end + 1).is_some_and(u8::is_ascii_alphanumeric) => {}
                _ => break,
            }
            end += 1;
        }
        let ends = bytes.get(end).is_none_or(|c| !c.is_ascii_alphanumeric());
        if letters.len() == length && ends && iban_shape(&letters) && is_iban(&letters) {
            out.push((start, end));
        }
    }
    out
}

/// The length of a country's IBAN: those that masks make, and the rest of SWIFT's registry.
fn iban_length(country: &[u8]) -> Option<usize> {
    let more: &[(usize, &str)] = &[
        (18, "FK SD"),
        (20, "MN"),
        (21, "KM"),
        (22, "VA"),
        (23, "OM SO"),
        (24, "DZ"),
        (27, "BJ MR"),
        (32, "LC"),
        (28, "HN NI SV"),
        (29, "YE"),
        (30, "MU"),
        (33, "RU"),
    ];
    checks::iban_length(country).or_else(|| {
        let country = std::str::from_utf8(country).ok()?;
        more.iter().find(|(_, list)| list.split(' ').any(|c| c == country)).map(|(length, _)| *length)
    })
}

/// Which places of a country's account are digits (n), letters (a) or either (c): SWIFT's registry, release 97.
#[rustfmt::skip]
static IBAN_SHAPES: &[(&str, &str)] = &[
    ("AD", "8n12c"), ("AE", "19n"), ("AL", "8n16c"), ("AT", "16n"), ("AZ", "4a20c"), ("BA", "16n"), ("BE", "12n"),
    ("BG", "4a6n8c"), ("BH", "4a14c"), ("BR", "23n1a1c"), ("BY", "4c4n16c"), ("CH", "5n12c"), ("CR", "18n"),
    ("CY", "8n16c"), ("CZ", "20n"), ("DE", "18n"), ("DK", "14n"), ("DO", "4c20n"), ("EE", "16n"), ("EG", "25n"),
    ("ES", "20n"), ("FI", "14n"), ("FO", "14n"), ("FR", "10n11c2n"), ("GB", "4a14n"), ("GE", "2a16n"),
    ("GI", "4a15c"), ("GL", "14n"), ("GR", "7n16c"), ("GT", "24c"), ("HR", "17n"), ("HU", "24n"), ("IE", "4a14n"),
    ("IL", "19n"), ("IQ", "4a15n"), ("IS", "22n"), ("IT", "1a10n12c"), ("JO", "4a4n18c"), ("KW", "4a22c"),
    ("KZ", "3n13c"), ("LB", "4n20c"), ("LC", "4a24c"), ("LI", "5n12c"), ("LT", "16n"), ("LU", "3n13c"),
    ("LV", "4a13c"), ("LY", "21n"), ("MC", "10n11c2n"), ("MD", "20c"), ("ME", "18n"), ("MK", "3n10c2n"),
    ("MR", "23n"), ("MT", "4a5n18c"), ("MU", "4a19n3a"), ("NL", "4a10n"), ("NO", "11n"), ("PK", "4a16c"),
    ("PL", "24n"), ("PS", "4a21c"), ("PT", "21n"), ("QA", "4a21c"), ("RO", "4a16c"), ("RS", "18n"),
    ("RU", "14n15c"), ("SA", "2n18c"), ("SC", "4a20n3a"), ("SE", "20n"), ("SI", "15n"), ("SK", "20n"),
    ("SM", "1a10n12c"), ("ST", "21n"), ("SV", "4a20n"), ("TL", "19n"), ("TN", "20n"), ("TR", "5n1n16c"),
    ("UA", "6n19c"), ("VA", "18n"), ("VG", "4a16n"), ("XK", "16n"),
];

fn iban_shape(letters: &[u8]) -> bool {
    let Some((_, shape)) = IBAN_SHAPES.iter().find(|(country, _)| letters.starts_with(country.as_bytes())) else {
        return true;
    };
    let mut at = 4;
    let mut count = 0;
    for c in shape.bytes() {
        if c.is_ascii_digit() {
            count = count * 10 + usize::from(c - b'0');
            continue;
        }
        let Some(part) = letters.get(at..at + count) else { return false };
        let fits = part.iter().all(|l| match c {
            b'n' => l.is_ascii_digit(),
            b'a' => l.is_ascii_uppercase(),
            _ => true,
        });
        if !fits {
            return false;
        }
        at += count;
        count = 0;
    }
    at == letters.len()
}

/// Whether a compact text in upper case has the check of an IBAN, whatever its country's length.
pub(super) fn is_iban(text: &[u8]) -> bool {
    (15..=34).contains(&text.len())
        && text[..2].iter().all(u8::is_ascii_uppercase)
        && text[2..4].iter().all(u8::is_ascii_digit)
        && checks::mod_97(text[4..].iter().chain(&text[..4]).copied()) == Some(1)
}

/// Whether digits are a payment card's: Luhn, and a beginning that an issuer has (ISO/IEC 7812).
pub(super) fn is_card(digits: &[u8]) -> bool {
    let first = |n: usize| sums::number(&digits[..n]);
    (12..=19).contains(&digits.len())
        && checks::luhn_valid(digits)
        && digits.iter().any(|c| *c != digits[0])
        && match digits.len() {
            13 | 19 if digits[0] == b'4' => true,
            15 => matches!(first(2), 34 | 37) || matches!(first(4), 1800 | 2131),
            14 => matches!(first(3), 300..=305 | 309) || matches!(first(2), 36 | 38 | 39),
            16..=19 => {
                digits[0] == b'4'
                    || matches!(first(2), 51..=55 | 62 | 65 | 35 | 50 | 56..=59 | 60 | 61 | 63..=69 | 81 | 30 | 36 | 38 | 39)
                    || matches!(first(4), 2221..=2720 | 2131 | 1800 | 2200..=2204 | 9792)
            }
            12 | 13 => matches!(first(2), 50 | 56..=69),
            _ => false,
        }
}

/// A stretch of letters and digits.
struct Group {
    start: usize,
    end: usize,
}

/// Candidates that are groups of letters and digits with single separators between them.
fn numbered(text: &str, folded: &str, found: &mut Vec<(u8, Span)>) {
    let mut groups: Vec<Group> = Vec::new();
    let bytes = text.as_bytes();
    let mut start = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (c.is_ascii_alphanumeric(), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                groups.push(Group { start: from, end: at });
                start = None;
            }
            _ => {}
        }
    }
    for (n, first) in groups.iter().enumerate() {
        // A letter of another alphabet beside it makes a word of it.
        if text[..first.start].chars().next_back().is_some_and(char::is_alphanumeric) {
            continue;
        }
        for last in &groups[n..groups.len().min(n + 9)] {
            if last.end - first.start > 40 {
                break;
            }
            let candidate = &text[first.start..last.end];
            if text[last.end..].chars().next().is_some_and(char::is_alphanumeric)
                || !candidate.bytes().any(|c| c.is_ascii_digit())
            {
                continue;
            }
            let letters = compact(candidate);
            let before = context(folded, text.len(), first.start, last.end);
            if letters.iter().all(u8::is_ascii_digit) {
                let apart = candidate.len() - letters.len();
                let even = candidate.bytes().all(|c| c.is_ascii_digit() || c == b' ')
                    || candidate.bytes().all(|c| c.is_ascii_digit() || c == b'-');
                if even && apart <= 4 && is_card(&letters) {
                    found.push((8, span(first, last, "card", Class::Card)));
                }
            }
            let mask = mask_of(candidate);
            for number in NUMBERS {
                // Digits with a sign or a decimal point before them are an amount.
                let sign =
                    first.start > 0 && matches!(bytes[first.start - 1], b'-' | b'.' | b',' | b'#' | b'_' | b'=' | b'@');
                if !number.fits(candidate, &mask, &letters) || (sign && number.proof != Proof::Own) {
                    continue;
                }
                let spoken = number.words.iter().any(|word| before.contains(word));
                let rank = match (number.proof, spoken) {
                    (Proof::Own, true) => 9,
                    (Proof::Own, false) => 7,
                    (Proof::Check, true) => 8,
                    (Proof::Form, true) => 6,
                    // A check digit alone tells little of one number in a text; letters around digits tell more.
                    (Proof::Check, false) if mask.contains('A') || mask.contains(['-', ' ', '.', '/']) => 5,
                    _ => continue,
                };
                let kind = number
                    .kind
                    .strip_suffix("-spaced")
                    .or_else(|| number.kind.strip_suffix("-bare"))
                    .unwrap_or(number.kind);
                found.push((rank, span(first, last, kind, number.class)));
            }
        }
    }
    phones(text, folded, &groups, found);
}

fn span(first: &Group, last: &Group, kind: &'static str, class: Class) -> Span {
    Span { start: first.start, end: last.end, kind, class }
}

/// The words around a place, folded. Folding may change lengths, so the place is taken by its share of the text.
fn context(folded: &str, length: usize, start: usize, end: usize) -> &str {
    let scale = |at: usize| if folded.len() == length { at } else { at * folded.len() / length.max(1) };
    let floor = |mut at: usize| {
        at = at.min(folded.len());
        while !folded.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    &folded[floor(scale(start).saturating_sub(NEAR))..floor(scale(end) + NEAR / 2)]
}

/// Words that tell that a number is called.
#[rustfmt::skip]
static CALLED: &[&str] = &[
    "phone", "telephone", "tel", "call", "cell", "mobile", "fax", "number", "contact", "dial", "ring", "reach",
    "text me", "sms", "whatsapp", "hotline", "telefon", "telefono", "portable", "handy", "rufnummer", "movil",
    "celular", "telefone", "cellulare", "komork", "телефон", "тел", "電話", "电话", "手机", "전화", "هاتف", "ring me",
    "line", "customer service", "cep",
];

/// Telephone numbers: groups of digits that a person would dial (ITU-T E.123).
fn phones(text: &str, folded: &str, groups: &[Group], found: &mut Vec<(u8, Span)>) {
    let bytes = text.as_bytes();
    let digits = |group: &Group| bytes[group.start..group.end].iter().all(u8::is_ascii_digit);
    let mut n = 0;
    while n < groups.len() {
        let mut last = n;
        if !(digits(&groups[n]) || extended(&text[groups[n].start..groups[n].end])) {
            n += 1;
            continue;
        }
        while last + 1 < groups.len()
            && (digits(&groups[last + 1]) || extended(&text[groups[last + 1].start..groups[last + 1].end]))
        {
            let between = &text[groups[last].end..groups[last + 1].start];
            let joined = matches!(
                between,
                " " | "-" | "." | "/" | ") " | ")" | " (" | "(" | ")-" | " - " | " x" | "x" | "/ " | " / "
            );
            if !joined || extended(&text[groups[last].start..groups[last].end]) {
                break;
            }
            last += 1;
        }
        let mut start = groups[n].start;
        while start > 0 && matches!(bytes[start - 1], b'+' | b'(') {
            start -= 1;
        }
        let candidate = &text[start..groups[last].end];
        let beside = context(folded, text.len(), start, groups[last].end);
        let clean = text[..start].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && !"#$€£_=".contains(c))
            && text[groups[last].end..].chars().next().is_none_or(|c| !c.is_alphanumeric() && !"%€$_".contains(c));
        let spoken = CALLED.iter().any(|word| beside.contains(word));
        match dialled(candidate) {
            Dialled::No => {}
            _ if !clean => {}
            Dialled::Sure => found.push((
                if spoken { 6 } else { 4 },
                Span { start, end: groups[last].end, kind: "phone", class: Class::Phone },
            )),
            Dialled::Maybe if spoken => {
                found.push((4, Span { start, end: groups[last].end, kind: "phone", class: Class::Phone }));
            }
            Dialled::Maybe => {}
        }
        n = last + 1;
    }
}

/// Digits with an extension: `7502x459`.
fn extended(group: &str) -> bool {
    group.split_once('x').is_some_and(|(number, extension)| {
        !number.is_empty()
            && !extension.is_empty()
            && (number.to_owned() + extension).bytes().all(|c| c.is_ascii_digit())
    })
}

/// Whether a text is written as a number that is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialled {
    No,
    /// It could be another number.
    Maybe,
    Sure,
}

/// Whether a text, a whole one, is written as a number that is called.
pub(super) fn dialled(text: &str) -> Dialled {
    let (number, extension) = match text.find(['x', '#']).or_else(|| text.find(" ext")) {
        Some(at) => (text[..at].trim_end(), &text[at..]),
        None => (text, ""),
    };
    let allowed = number.bytes().all(|c| c.is_ascii_digit() || b"+-. ()/".contains(&c));
    let digits: Vec<u8> = number.bytes().filter(u8::is_ascii_digit).collect();
    let extension_fits =
        extension.is_empty() || (extension.len() <= 9 && extension.bytes().any(|c| c.is_ascii_digit()));
    if !allowed || !extension_fits || !(6..=15).contains(&digits.len()) || number.rfind('+').is_some_and(|at| at > 1) {
        return Dialled::No;
    }
    let groups: Vec<&str> = number.split(|c: char| !c.is_ascii_digit()).filter(|group| !group.is_empty()).collect();
    let dots = number.contains('.');
    // A day, alone or with an hour behind it.
    let date = groups.len() >= 3
        && !number.contains(['(', '+'])
        && (groups.len() > 3 || !number.contains(' '))
        && (is_date(&groups, [0, 1, 2]) || is_date(&groups, [2, 1, 0]) || is_date(&groups, [2, 0, 1]))
        && (groups.len() == 3 || groups[0].len() == 4);
    // An amount has one point; a version has short parts; a date is one.
    if date
        || (dots && (groups.len() < 3 || groups.iter().any(|g| g.len() == 1)))
        || groups.iter().all(|g| g.len() == 1)
    {
        return Dialled::No;
    }
    // Groups that only grow a number: 12 345 678.
    let thousands = groups.len() > 1
        && groups[1..].iter().all(|g| g.len() == 3)
        && groups[0].len() <= 3
        && !number.contains(['-', '(', '+', '.', '/'])
        && !number.starts_with('0')
        && groups.len() < 3;
    let international =
        number.starts_with('+') || number.starts_with("(+") || (number.starts_with("00") && digits.len() >= 10);
    if international {
        return if digits.len() >= 7 { Dialled::Sure } else { Dialled::Maybe };
    }
    if sums::gtin(&digits) && digits.len() == 13 && matches!(&digits[..3], b"978" | b"979") {
        return Dialled::No;
    }
    let bracket = number.contains('(') && number.contains(')');
    let apart = groups.len() > 1 && !thousands;
    let trunk = number.starts_with('0') && (9..=12).contains(&digits.len());
    match digits.len() {
        7..=13 if bracket || !extension.is_empty() => Dialled::Sure,
        _ if trunk && digits.len() <= 11 => Dialled::Sure,
        // Two groups are a house and a flat as well, or a postal code.
        10..=13 if apart && (3..=6).contains(&groups.len()) && groups.iter().all(|g| g.len() <= 8) => Dialled::Sure,
        7..=9 if apart && groups.len() > 2 && groups.iter().all(|g| (2..=7).contains(&g.len())) => Dialled::Sure,
        6..=15 if groups.len() <= 6 => Dialled::Maybe,
        _ => Dialled::No,
    }
}

/// Whether three groups are a year, month and day, at these places.
fn is_date(groups: &[&str], [year, month, day]: [usize; 3]) -> bool {
    let number = |at: usize| groups[at].parse::<u64>().unwrap_or(0);
    let lengths = matches!(groups[year].len(), 2 | 4) && groups[month].len() <= 2 && groups[day].len() <= 2;
    lengths
        && sums::month_day(number(month), number(day))
        && (groups[year].len() == 2 || (1800..=2200).contains(&number(year)))
}

/// Whether a whole text is an IP address.
pub(super) fn is_ip(text: &str) -> bool {
    let address = text.split_once('/').map_or(text, |(address, _)| address);
    address.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<&'static str> {
        spans(text).into_iter().map(|span| span.kind).collect()
    }

    #[test]
    fn what_has_a_form_is_found_where_it_stands() {
        for (text, expected) in [
            ("write to <ann.lee@corp.com>, please", vec!["email"]),
            ("see https://example.org/a?b=c.", vec!["url"]),
            ("from 8.8.8.8:443 to 2a00:1450::8a", vec!["ip", "ip"]),
            ("card 4111 1111 1111 1111 and 378282246310005", vec!["card", "card"]),
            ("to DE89 3704 0044 0532 0130 00, gb29nwbk60161331926819", vec!["iban", "iban"]),
            ("call (202) 555-0123 or +44 20 7946 0958", vec!["phone", "phone"]),
            ("ssn 078-05-1120", vec!["us-ssn"]),
            ("passport A12345678", vec!["passport"]),
            ("mac 00:1A:2B:3C:4D:5E", vec!["mac"]),
            ("key AKIAABCDEFGHIJKLMNOP", vec!["aws-key"]),
        ] {
            assert_eq!(kinds(text), expected, "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_one_is_none() {
        for text in [
            "version 1.2.3 of 2024-05-17 at 12:30",
            "order 4111111111111112",
            "12 345 items, 99.95 in all",
            "std::cout and a @ b",
            "DE88 3704 0044 0532 0130 00",
            "ISBN 978-3-16-148410-0",
            "A12345678",
            "FF:FF:FF:FF:FF:FF",
            "page 12-15",
        ] {
            assert!(spans(text).is_empty(), "{text}: {:?}", kinds(text));
        }
    }

    #[test]
    fn a_span_is_exact() {
        let text = "über ann@corp.com!";
        let span = &spans(text)[0];
        assert_eq!(&text[span.start..span.end], "ann@corp.com");
    }
}
