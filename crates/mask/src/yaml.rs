//! Reading YAML that people write, with the place of every value.
//!
//! Hidden here: the YAML library. Unknown and duplicate keys are errors, documents are limited before they are parsed, and
//! every error names file, line and column.

use reenact_model::{Finding, Site, Span};
use serde::de::DeserializeOwned;
use serde_saphyr::Location;
pub use serde_saphyr::Spanned;

/// The most mistakes that are told at once.
const MOST_FINDINGS: usize = 50;

/// The code of a text that can't be read.
pub(crate) const UNREADABLE: &str = "YAML-001";

/// The largest document that is read, in bytes.
pub const MAX_BYTES: usize = 4 << 20;

/// Reads one document; `file` is the name that findings show. Unknown keys are findings, and what is left without them is given, so
/// that its other mistakes can be told as well; `None` if nothing can be read.
pub fn read<T: DeserializeOwned>(file: &str, text: &str, findings: &mut Vec<Finding>) -> Option<T> {
    if text.len() > MAX_BYTES {
        let site = Site::default().with_span(Some(Span { file: file.to_owned(), line: 1, column: 1, length: 1 }));
        let message = format!("the file is larger than {} MiB", MAX_BYTES >> 20);
        findings.push(
            Finding::error(UNREADABLE, site, message).help("cut it into several files, or take out what is not needed"),
        );
        return None;
    }
    let mut told: Vec<Option<Span>> = Vec::new();
    let mut rest = text.to_owned();
    loop {
        let options = serde_saphyr::options! { with_snippet: false };
        let error = match serde_saphyr::from_str_with_options(&rest, options) {
            Ok(document) => return Some(document),
            Err(error) => error,
        };
        let place = error.location();
        let (message, help) = message(&error.to_string());
        let is_unknown = message.starts_with("unknown field");
        let span = place.map(|at| span(file, &at));
        let next = span.as_ref().filter(|_| is_unknown).and_then(|span| without(&rest, span));
        let again = told.contains(&span);
        // What follows from taking an entry out is no finding of the text as it stands.
        if told.is_empty() || (is_unknown && !again) {
            told.push(span.clone());
            let finding = Finding::error(UNREADABLE, Site::default().with_span(span), message);
            findings.push(if help.is_empty() { finding } else { finding.help(help) });
        }
        match next.filter(|_| !again && told.len() < MOST_FINDINGS) {
            Some(next) => rest = next,
            None => return None,
        }
    }
}

/// Reads the part of a document that a type names, and minds nothing else; a text that does not parse has nobody to tell it here.
pub(crate) fn read_some<T: DeserializeOwned>(text: &str) -> std::result::Result<T, ()> {
    if text.len() > MAX_BYTES {
        return Err(());
    }
    serde_saphyr::from_str(text).map_err(|_| ())
}

/// The text with the entry of a mapping at a place blanked out, so that all else stands where it stood; `None` if there is none.
fn without(text: &str, at: &Span) -> Option<String> {
    let line = text.split_inclusive('\n').take((at.line as usize).checked_sub(1)?).map(str::len).sum::<usize>();
    let start = line + text[line..].char_indices().nth((at.column as usize).checked_sub(1)?)?.0;
    let flow = depth(&text[..start]) > 0;
    let end = if flow { flow_end(&text[start..]) } else { block_end(&text[start..], at.column as usize - 1) };
    let blank = |c: char| if c == '\n' { '\n' } else { ' ' };
    let blanked: String = text[start..start + end].chars().map(blank).collect();
    Some([&text[..start], &blanked, &text[start + end..]].concat()).filter(|next| next != text)
}

/// How many brackets are open at the end of a text.
fn depth(text: &str) -> i32 {
    let mut open = 0;
    scan(text, |c, _| {
        open += i32::from(matches!(c, '{' | '[')) - i32::from(matches!(c, '}' | ']'));
        false
    });
    open
}

/// Where an entry of a flow mapping ends, with its comma.
fn flow_end(text: &str) -> usize {
    let (mut open, mut end) = (0, text.len());
    scan(text, |c, at| {
        match c {
            '{' | '[' => open += 1,
            '}' | ']' if open == 0 => end = at,
            '}' | ']' => open -= 1,
            ',' if open == 0 => end = at + 1,
            _ => return false,
        }
        end < text.len()
    });
    end
}

/// Where an entry of a block mapping ends: before the next line that is indented no further.
fn block_end(text: &str, indent: usize) -> usize {
    let mut end = 0;
    for (n, line) in text.split_inclusive('\n').enumerate() {
        let inner = line.chars().take_while(|c| *c == ' ').count();
        if n > 0 && !line.trim().is_empty() && inner <= indent {
            break;
        }
        end += line.len();
    }
    end
}

/// Gives the characters outside of quotes and comments, until it is told to stop.
fn scan(text: &str, mut stop: impl FnMut(char, usize) -> bool) {
    let (mut quote, mut before) = (None, '\n');
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (Some('"'), '\\') => {
                chars.next();
            }
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') if matches!(before, ' ' | '\n' | ',' | '[' | '{' | ':') => quote = Some(c),
            (None, '#') if before.is_whitespace() => {
                for (_, c) in chars.by_ref() {
                    if c == '\n' {
                        break;
                    }
                }
            }
            (None, c) => {
                if stop(c, at) {
                    return;
                }
            }
        }
        before = c;
    }
}

/// The library's message in this program's words, without its own mention of the place; and the edit that mends it.
fn message(text: &str) -> (String, &'static str) {
    let first = text.lines().next().unwrap_or_default();
    let first = first.split(" at line ").next().unwrap_or(first).trim_end_matches([':', ' ']);
    if let Some(rest) = first.strip_prefix("duplicate mapping key: ") {
        let key = rest.split(", set ").next().unwrap_or(rest);
        return (format!("the key `{key}` stands here twice"), "keep one of them");
    }
    if first.starts_with("invalid u") {
        return ("a whole number is expected here, and none below 0".to_owned(), "write it without a sign and a point");
    }
    let help = if first.starts_with("unknown field") { "mend the name, or take the entry out" } else { "" };
    (first.to_owned(), help)
}

/// The place of a value in a file.
pub fn span(file: &str, at: &Location) -> Span {
    let narrow = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    Span {
        file: file.to_owned(),
        line: narrow(at.line()),
        column: narrow(at.column()),
        length: narrow(at.span().len()).max(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[expect(dead_code, reason = "only parsed")]
        a: i32,
        #[expect(dead_code, reason = "only parsed")]
        list: Vec<Inner>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "only parsed")]
        b: String,
    }

    fn told(text: &str) -> (bool, Vec<Finding>) {
        let mut findings = Vec::new();
        let read = read::<Outer>("f.yaml", text, &mut findings).is_some();
        (read, findings)
    }

    fn places(text: &str) -> Vec<String> {
        told(text).1.iter().map(|f| f.site.span.as_ref().map_or("?".to_owned(), ToString::to_string)).collect()
    }

    #[test]
    fn all_unknown_keys_are_told_at_once() {
        let text = "a: 1
x: { deep: [1, 2] } # not known
list:
  - { b: \"one, }\", c: 2, d: [ { e: 'x' } ] }
  - b: two
    f:
      nested: 1
      more: 2
  - { g: 1, b: three }
y: 2
";
        assert_eq!(
            places(text),
            ["f.yaml:2:1", "f.yaml:4:20", "f.yaml:4:26", "f.yaml:6:5", "f.yaml:9:7", "f.yaml:10:1"]
        );
        assert!(told(text).0, "what is left can be read, and its other mistakes be told");
        assert!(matches!(told("a: 1\nlist: []\n"), (true, findings) if findings.is_empty()));
    }

    #[test]
    fn another_mistake_is_told_where_it_is() {
        assert_eq!(places("a: x\nlist: []\n").len(), 1);
        assert_eq!(places("a: 1\n  b: [\n").len(), 1);
        assert!(!told("x: 1\n").0);
        assert_eq!(told("a: 1\na: 2\nlist: []\n").1[0].message, "the key `a` stands here twice");
        assert_eq!(places("x: 1\n").len(), 1, "what misses once an entry is out is told when that is mended");
    }
}
