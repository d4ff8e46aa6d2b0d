//! Names made by a template, such as the Redis key `cart:{customer_id}`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::str::FromStr;

use super::Node;
use crate::canonical;

/// A template of literals and `{variables}`; two variables never touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Variable(String),
}

impl Template {
    /// The names of the variables, in order.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Variable(name) => Some(name.as_str()),
            Piece::Literal(_) => None,
        })
    }

    /// The template as a glob for `SCAN … MATCH`, special characters escaped.
    pub fn glob(&self) -> String {
        self.pieces
            .iter()
            .map(|piece| match piece {
                Piece::Variable(_) => "*".to_owned(),
                Piece::Literal(text) => text.chars().fold(String::new(), |mut out, c| {
                    if matches!(c, '*' | '?' | '[' | ']' | '\\' | '^') {
                        out.push('\\');
                    }
                    out.push(c);
                    out
                }),
            })
            .collect()
    }

    /// Takes a name apart; `None` if it does not fit. A variable reaches to the next literal and is never empty.
    pub fn decode(&self, name: &[u8]) -> Option<Node> {
        let mut members = Vec::new();
        let mut rest = name;
        for (n, piece) in self.pieces.iter().enumerate() {
            match piece {
                Piece::Literal(text) => rest = rest.strip_prefix(text.as_bytes())?,
                Piece::Variable(variable) => {
                    let end = match self.pieces.get(n + 1) {
                        Some(Piece::Literal(next)) if n + 2 == self.pieces.len() => {
                            rest.len().checked_sub(next.len())?
                        }
                        Some(Piece::Literal(next)) => {
                            rest.windows(next.len()).position(|window| window == next.as_bytes())?
                        }
                        _ => rest.len(),
                    };
                    if end == 0 {
                        return None;
                    }
                    let value = match std::str::from_utf8(&rest[..end]) {
                        Ok(text) => Node::Text(text.to_owned()),
                        Err(_) => Node::Bytes(rest[..end].to_vec()),
                    };
                    members.push((variable.clone(), value));
                    rest = &rest[end..];
                }
            }
        }
        rest.is_empty().then_some(Node::Map(members))
    }

    /// Makes a name; `None` if a variable is missing.
    pub fn encode(&self, node: &Node) -> Option<Vec<u8>> {
        let Node::Map(members) = node else { return None };
        self.render(|variable| {
            members.iter().find(|(name, _)| name == variable).map(|(_, node)| node.raw()).filter(|raw| !raw.is_empty())
        })
    }

    /// Makes a name from canonical texts of all variables; `None` if one is missing.
    pub fn name<'a>(&self, value: impl Fn(&str) -> Option<&'a str>) -> Option<Vec<u8>> {
        self.render(|variable| canonical::bytes_of(value(variable)?))
    }

    fn render(&self, value: impl Fn(&str) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Variable(variable) => out.extend_from_slice(&value(variable)?),
            }
        }
        Some(out)
    }
}

impl FromStr for Template {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(tail) = rest.strip_prefix('{') {
                let end = tail.find('}').ok_or_else(|| format!("`{text}`: a brace is not closed"))?;
                let name = &tail[..end];
                if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
                    return Err(format!("`{text}`: `{{{name}}}` is no variable: letters, digits and `_`"));
                }
                if matches!(pieces.last(), Some(Piece::Variable(_))) {
                    return Err(format!("`{text}`: two variables touch, so nothing says where the first one ends"));
                }
                if pieces.contains(&Piece::Variable(name.to_owned())) {
                    return Err(format!("`{text}`: `{{{name}}}` stands twice"));
                }
                pieces.push(Piece::Variable(name.to_owned()));
                rest = &tail[end + 1..];
            } else {
                let end = rest.find('{').unwrap_or(rest.len());
                pieces.push(Piece::Literal(rest[..end].to_owned()));
                rest = &rest[end..];
            }
        }
        if pieces.is_empty() {
            return Err("a template is empty".to_owned());
        }
        Ok(Self { text: text.to_owned(), pieces })
    }
}

impl Serialize for Template {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_and_made_again() {
        let template: Template = "cart:{customer}:v{n}".parse().expect("template");
        let node = template.decode(b"cart:4:2:v7").expect("fits");
        assert_eq!(node.find(&crate::Path::key("customer"))[0].canonical().as_deref(), Some("4:2"));
        assert_eq!(template.encode(&node).expect("renders"), b"cart:4:2:v7");
        assert_eq!(template.glob(), "cart:*:v*");
        for other in [&b"cart::v7"[..], b"basket:4:v7", b"cart:4"] {
            assert!(template.decode(other).is_none());
        }
    }

    #[test]
    fn binary_segments_survive() {
        let template: Template = "{session}".parse().expect("template");
        let node = template.decode(b"\xff\x00").expect("fits");
        assert_eq!(template.encode(&node).expect("renders"), b"\xff\x00");
    }

    #[test]
    fn templates_that_cannot_be_taken_apart_are_refused() {
        for text in ["", "{a}{b}", "{", "{a b}", "{a}:{a}"] {
            assert!(text.parse::<Template>().is_err(), "{text}");
        }
    }
}
