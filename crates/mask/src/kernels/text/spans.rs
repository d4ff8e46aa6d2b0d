//! `spans`: what is an address or a number inside of text, replaced by a token.
//!
//! Hidden here: what is recognised. Only what has a form is: e-mail addresses, IP addresses, IBANs, cards, telephone and other long
//! numbers. Names have none. So this is for texts that machines write, and the search for residues comes after it.

use std::net::IpAddr;
use std::sync::Arc;

use crate::checks;
use crate::kernels::{Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit, base32};

/// The fewest digits of a number that is replaced.
const LEAST: usize = 6;

/// `spans`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "spans",
    group: Group::Text,
    doc: "replaces e-mail and IP addresses, IBANs, card and telephone numbers and other numbers of 6 digits and more inside a text by tokens such as `[email:7k2m0q4t]`; everything else stays",
    args: &[],
    facts: Facts {
        deterministic: true,
        injective: Injective::Never,
        keeps: Keeps::NOTHING,
        leaks: "all other words, names above all, and which of the replaced are equal",
    },
    build: |_: &Args, _: &[Shape]| Ok(Arc::new(Spans)),
    sample: |n| format!("order {n}: mail to person{n}@corp.com, call +1 202 {:07}", n % 10_000_000),
    vectors: &[
        (
            &[],
            "mail ann.lee@corp.com or call +1 (202) 555-0123.",
            Some("mail [email:c9hcdntq] or call [phone:pdcxjgh8]."),
        ),
        (
            &[],
            "from 10.1.2.3 and 2a00:1450::8a, paid with 4111 1111 1111 1111",
            Some("from [ip:f5ey0xys] and [ip:ecqpbhww], paid with [card:xh38ndyh]"),
        ),
        (&[], "IBAN DE89 3704 0044 0532 0130 00; 3 items", Some("IBAN [iban:cspschj2]; 3 items")),
    ],
};

#[derive(Debug)]
struct Spans;

/// A kind, the bytes that it takes, and its text without what varies in writing.
type Span = (&'static str, usize, String);

/// The bytes at the beginning that are of some kind.
fn run(text: &str, of: impl Fn(char) -> bool) -> usize {
    text.find(|c| !of(c)).unwrap_or(text.len())
}

fn ends_at(text: &str, at: usize) -> bool {
    !text[at..].starts_with(char::is_alphanumeric)
}

fn email(text: &str) -> Option<Span> {
    let local = run(text, |c| c.is_alphanumeric() || "._%+-'".contains(c));
    let rest = text[local..].strip_prefix('@').filter(|_| local > 0)?;
    let domain = rest[..run(rest, |c| c.is_alphanumeric() || c == '.' || c == '-')].trim_end_matches(['.', '-']);
    let end = local + 1 + domain.len();
    domain.contains('.').then(|| ("email", end, text[..end].to_lowercase()))
}

fn ip(text: &str) -> Option<Span> {
    let token = text[..run(text, |c| c.is_ascii_hexdigit() || c == '.' || c == ':')].trim_end_matches('.');
    let v6 = if token.ends_with("::") { token } else { token.trim_end_matches(':') };
    // A port may stand behind an address of version 4.
    let v4 = text[..run(text, |c| c.is_ascii_digit() || c == '.')].trim_end_matches('.');
    [v6, v4].into_iter().find_map(|token| {
        let address: IpAddr = token.parse().ok()?;
        (token.len() > 2 && ends_at(text, token.len())).then(|| ("ip", token.len(), address.to_string()))
    })
}

fn iban(text: &str) -> Option<Span> {
    let country = text.as_bytes().get(..2)?;
    let length = checks::iban_length(country)?;
    let mut compact = String::with_capacity(length);
    for (at, c) in text.char_indices() {
        if compact.len() == length {
            return (checks::iban_valid(compact.as_bytes()) && ends_at(text, at)).then_some(("iban", at, compact));
        }
        match c {
            'A'..='Z' | '0'..='9' => compact.push(c),
            ' ' if !text[at + 1..].starts_with(' ') => {}
            _ => return None,
        }
    }
    checks::iban_valid(compact.as_bytes()).then_some(("iban", text.len(), compact))
}

fn number(text: &str) -> Option<Span> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || c == '+' || c == '(') {
        return None;
    }
    let token = &text[..run(text, |c| c.is_ascii_digit() || "+ -./()".contains(c))];
    // Two numbers with a line of separators between them are two.
    let token = token.find("   ").map_or(token, |at| &token[..at]);
    let end = token.rfind(|c: char| c.is_ascii_digit())? + 1;
    let digits: String = token[..end].chars().filter(char::is_ascii_digit).collect();
    if digits.len() < LEAST {
        return None;
    }
    let kind = match digits.len() {
        12..=19 if checks::luhn_valid(digits.as_bytes()) => "card",
        7..=15 if text.starts_with(['+', '(', '0']) => "phone",
        _ => "number",
    };
    Some((kind, end, digits))
}

impl Mask for Spans {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        shape.takes_text(0)
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::FAKE
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        if text.starts_with("\\x") {
            return Err(Unfit("a value is bytes and no text"));
        }
        let (mut left, mut inside) = (text, false);
        while let Some(c) = left.chars().next() {
            let span = if inside { None } else { email(left).or_else(|| iban(left)).or_else(|| ip(left)) };
            // Digits are looked for inside of words too: `order123456789`.
            if let Some((kind, end, folded)) = span.or_else(|| number(left)) {
                out.extend(["[", kind, ":"]);
                base32(&cell.key.hash(format!("{kind}|{folded}").as_bytes()), 8, out);
                out.push(']');
                left = &left[end..];
                inside = false;
            } else {
                // A short number is passed as a whole, or its tail would be looked at again.
                let digits = run(left, |c| c.is_ascii_digit()).max(c.len_utf8());
                out.push_str(&left[..digits]);
                left = &left[digits..];
                inside = c.is_alphanumeric();
            }
        }
        match cell.shape.room() {
            Some(room) if out.chars().count() > room => Err(Unfit("a text with its tokens is longer than the field")),
            _ => Ok(Some(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::kernels::Shape;
    use crate::kernels::testing::{apply, build};

    #[test]
    fn what_has_a_form_is_replaced_wherever_it_stands() {
        let mask = build("spans", &[], &[Shape::leaf()]).expect("builds");
        let image = |text: &str| apply(&*mask, "d", text).expect("some");
        for (text, kind) in [
            ("<ann.lee@corp.com>", "[email:"),
            ("mailto:ann@corp.com?x", "[email:"),
            ("user=+12025550123;", "[phone:"),
            ("0049 30 / 90 18 20", "[phone:"),
            ("order123456789x", "[number:"),
            ("card 4111-1111-1111-1111!", "[card:"),
            ("(2001:db8::1)", "[ip:"),
            ("8.8.8.8:443", "[ip:"),
            ("to DE89370400440532013000.", "[iban:"),
        ] {
            let image = image(text);
            assert!(image.contains(kind), "{image}");
            assert!(
                !["ann", "555", "9018", "456", "1111", "db8", "8.8", "3704"].iter().any(|part| image.contains(part)),
                "{image}"
            );
        }
        assert_eq!(image("ANN@corp.com"), image("ann@corp.com"));
        for text in ["3 items at 12:30", "std::net", "a @ b", "12345 ok", "\u{fc}ber 5 \u{20ac}"] {
            assert_eq!(image(text), text);
        }
    }
}
