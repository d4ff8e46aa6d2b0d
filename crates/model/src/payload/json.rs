//! JSON with members in order, duplicates kept, and numbers exactly as they were written.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

use super::{MAX_DEPTH, Node, Undecodable};

/// Reads one JSON document.
pub(super) fn decode(payload: &[u8]) -> Result<Node, Undecodable> {
    let raw: &RawValue = serde_json::from_slice(payload).map_err(|_| Undecodable)?;
    value(raw.get(), 0)
}

fn value(text: &str, depth: usize) -> Result<Node, Undecodable> {
    if depth > MAX_DEPTH {
        return Err(Undecodable);
    }
    let parse = |e: serde_json::Error| {
        let _ = e;
        Undecodable
    };
    Ok(match text.as_bytes().first() {
        Some(b'{') => {
            let Members(members) = serde_json::from_str(text).map_err(parse)?;
            let mut out = Vec::with_capacity(members.len());
            for (name, raw) in members {
                out.push((name, value(raw.get(), depth + 1)?));
            }
            Node::Map(out)
        }
        Some(b'[') => {
            let Items(items) = serde_json::from_str(text).map_err(parse)?;
            Node::List(items.into_iter().map(|raw| value(raw.get(), depth + 1)).collect::<Result<_, _>>()?)
        }
        Some(b'"') => Node::Text(serde_json::from_str(text).map_err(parse)?),
        Some(b't' | b'f') => Node::Bool(text == "true"),
        Some(b'n') => Node::Null,
        Some(_) => Node::Number(text.to_owned()),
        None => return Err(Undecodable),
    })
}

struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut out = Vec::new();
                while let Some(member) = map.next_entry::<String, &'de RawValue>()? {
                    out.push(member);
                }
                Ok(Members(out))
            }
        }
        deserializer.deserialize_map(V)
    }
}

struct Items<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Items<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Items<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut out = Vec::new();
                while let Some(item) = seq.next_element::<&'de RawValue>()? {
                    out.push(item);
                }
                Ok(Items(out))
            }
        }
        deserializer.deserialize_seq(V)
    }
}

/// Writes one JSON document without white space.
pub(super) fn encode(node: &Node) -> Result<Vec<u8>, Undecodable> {
    let mut out = Vec::new();
    write(node, false, &mut out)?;
    Ok(out)
}

/// Writes one JSON document in the spelling of another: servers that keep JSON parsed give it back with one space behind each comma
/// and colon, and would give back any other text as another one.
pub(super) fn encode_like(node: &Node, original: &[u8]) -> Result<Vec<u8>, Undecodable> {
    let spaced = |node: &Node| {
        let mut out = Vec::new();
        write(node, true, &mut out).map(|()| out)
    };
    if decode(original).and_then(|node| spaced(&node)).is_ok_and(|text| text == original) {
        spaced(node)
    } else {
        encode(node)
    }
}

fn write(node: &Node, spaced: bool, out: &mut Vec<u8>) -> Result<(), Undecodable> {
    fn text(value: &str, out: &mut Vec<u8>) -> Result<(), Undecodable> {
        serde_json::to_writer(out, value).map_err(|_| Undecodable)
    }
    match node {
        Node::Null => out.extend_from_slice(b"null"),
        Node::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Node::Number(number) => out.extend_from_slice(number.as_bytes()),
        Node::Text(value) => text(value, out)?,
        Node::Bytes(bytes) => text(std::str::from_utf8(bytes).map_err(|_| Undecodable)?, out)?,
        Node::List(items) => {
            out.push(b'[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.extend_from_slice(if spaced { b", " } else { b"," });
                }
                write(item, spaced, out)?;
            }
            out.push(b']');
        }
        Node::Map(members) => {
            out.push(b'{');
            for (n, (name, node)) in members.iter().enumerate() {
                if n > 0 {
                    out.extend_from_slice(if spaced { b", " } else { b"," });
                }
                text(name, out)?;
                out.extend_from_slice(if spaced { b": " } else { b":" });
                write(node, spaced, out)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_duplicates_and_numbers_survive() {
        let text = r#"{"b":1.50,"a":[12345678901234567890123,1e400,-0],"b":{"x":null,"y":"\u0000é"}}"#;
        let node = decode(text.as_bytes()).expect("decodes");
        let back = encode(&node).expect("encodes");
        assert_eq!(decode(&back).expect("decodes"), node);
        assert!(
            String::from_utf8(back)
                .expect("text")
                .starts_with(r#"{"b":1.50,"a":[12345678901234567890123,1e400,-0],"b""#)
        );
    }

    #[test]
    fn the_spelling_of_the_original_is_kept() {
        for text in [r#"{"a": 1, "b": ["x", {}]}"#, r#"{"a":1,"b":["x",{}]}"#, "[]", "7"] {
            let node = decode(text.as_bytes()).expect("decodes");
            assert_eq!(encode_like(&node, text.as_bytes()).expect("encodes"), text.as_bytes());
        }
        let node = decode(b"[1, 2]").expect("decodes");
        assert_eq!(encode_like(&node, b"[1,  2]").expect("encodes"), b"[1,2]");
    }

    #[test]
    fn damaged_and_bottomless_documents_are_undecodable() {
        for text in ["", "{", "{\"a\":}", "[1,]", "nul"] {
            assert_eq!(decode(text.as_bytes()), Err(Undecodable), "{text}");
        }
        let deep = "[".repeat(100) + &"]".repeat(100);
        assert_eq!(decode(deep.as_bytes()), Err(Undecodable));
    }
}
