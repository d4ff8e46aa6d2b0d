//! The `baggage` header (W3C Baggage, section 3.2): `key=value;property,key=value`, values percent-encoded.

use super::{Node, Undecodable};

/// Reads a header's value; the properties of a member stand under `key;`, as they were written.
pub(super) fn decode(payload: &[u8]) -> Result<Node, Undecodable> {
    let text = std::str::from_utf8(payload).map_err(|_| Undecodable)?;
    let mut members = Vec::new();
    for member in text.split(',').map(str::trim).filter(|m| !m.is_empty()) {
        let (pair, properties) = member.split_once(';').unwrap_or((member, ""));
        let (key, value) = pair.split_once('=').ok_or(Undecodable)?;
        let key = key.trim();
        members.push((key.to_owned(), Node::Text(percent_decode(value.trim())?)));
        if !properties.is_empty() {
            members.push((format!("{key};"), Node::Text(properties.to_owned())));
        }
    }
    Ok(Node::Map(members))
}

/// Writes a header's value.
pub(super) fn encode(node: &Node) -> Result<Vec<u8>, Undecodable> {
    let Node::Map(members) = node else { return Err(Undecodable) };
    let mut out = String::new();
    for (key, value) in members {
        let text = match value {
            Node::Null => String::new(),
            scalar => scalar.canonical().ok_or(Undecodable)?.into_owned(),
        };
        if key.ends_with(';') {
            out.push(';');
            out.push_str(&text);
            continue;
        }
        if !out.is_empty() {
            out.push(',');
        }
        out.push_str(key);
        out.push('=');
        percent_encode(&text, &mut out);
    }
    Ok(out.into_bytes())
}

pub(super) fn percent_decode(text: &str) -> Result<String, Undecodable> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let pair = [bytes.next().ok_or(Undecodable)?, bytes.next().ok_or(Undecodable)?];
            let hex = std::str::from_utf8(&pair).map_err(|_| Undecodable)?;
            out.push(u8::from_str_radix(hex, 16).map_err(|_| Undecodable)?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).map_err(|_| Undecodable)
}

/// Escapes what is no `baggage-octet`, and the percent sign.
fn percent_encode(text: &str, out: &mut String) {
    use std::fmt::Write as _;
    for byte in text.bytes() {
        match byte {
            b'%' | b'"' | b',' | b';' | b'\\' | ..=0x20 | 0x7f.. => {
                let _ = write!(out, "%{byte:02X}");
            }
            byte => out.push(byte as char),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_properties_and_escapes_go_back() {
        let text = b"session.id=ab%20c;ttl=5,x=1";
        let node = decode(text).expect("decodes");
        assert_eq!(encode(&node).expect("encodes"), text);
        assert_eq!(decode(b"novalue"), Err(Undecodable));
    }
}
