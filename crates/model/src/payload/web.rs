//! Forms and URLs.
//!
//! Hidden here: what is written again. A part that nobody changed goes back in the very bytes in which it came, since there are
//! many ways to escape the same text.

use super::baggage::percent_decode;
use super::{Node, Undecodable};

/// A pair of a form as it was written, and what it says.
struct Pair<'a> {
    raw: &'a str,
    name: String,
    /// `None` without an equals sign.
    value: Option<String>,
}

fn unescaped(text: &str) -> Result<String, Undecodable> {
    percent_decode(&text.replace('+', " "))
}

fn pairs(text: &str) -> Result<Vec<Pair<'_>>, Undecodable> {
    let pair = |raw| {
        let (name, value) = match str::split_once(raw, '=') {
            Some((name, value)) => (name, Some(unescaped(value)?)),
            None => (raw, None),
        };
        Ok(Pair { raw, name: unescaped(name)?, value })
    };
    text.split('&').filter(|raw| !raw.is_empty()).map(pair).collect()
}

fn members(text: &str) -> Result<Node, Undecodable> {
    let member = |pair: Pair<'_>| (pair.name, pair.value.map_or(Node::Null, Node::Text));
    Ok(Node::Map(pairs(text)?.into_iter().map(member).collect()))
}

/// Takes a form apart (`application/x-www-form-urlencoded`, URL Standard, section 5); names may come more than once.
pub(super) fn from_form(payload: &[u8]) -> Result<Node, Undecodable> {
    members(std::str::from_utf8(payload).map_err(|_| Undecodable)?)
}

pub(super) fn to_form(node: &Node, original: &[u8]) -> Result<Vec<u8>, Undecodable> {
    form(node, std::str::from_utf8(original).map_err(|_| Undecodable)?).map(String::into_bytes)
}

fn form(node: &Node, original: &str) -> Result<String, Undecodable> {
    let Node::Map(members) = node else { return Err(Undecodable) };
    let before = pairs(original)?;
    let mut out = Vec::with_capacity(members.len());
    for (at, (name, value)) in members.iter().enumerate() {
        let text = text_of(value)?;
        if let Some(pair) = before.get(at).filter(|pair| pair.name == *name && pair.value == text) {
            out.push(pair.raw.to_owned());
            continue;
        }
        let name = escaped(name).replace("%20", "+");
        out.push(text.map_or(name.clone(), |text| format!("{name}={}", escaped(&text).replace("%20", "+"))));
    }
    Ok(out.join("&"))
}

fn text_of(node: &Node) -> Result<Option<String>, Undecodable> {
    match node {
        Node::Null => Ok(None),
        Node::Bytes(bytes) => String::from_utf8(bytes.clone()).map(Some).map_err(|_| Undecodable),
        scalar => scalar.canonical().map(|text| Some(text.into_owned())).ok_or(Undecodable),
    }
}

/// Escapes all but the unreserved characters (RFC 3986, section 2.3).
fn escaped(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// A URI's parts as they were written (RFC 3986, appendix B), with its authority's.
struct Parts<'a> {
    scheme: Option<&'a str>,
    user: Option<&'a str>,
    password: Option<&'a str>,
    host: Option<&'a str>,
    port: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
    fragment: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Self {
        let (text, fragment) = text.split_once('#').map_or((text, None), |(text, fragment)| (text, Some(fragment)));
        let (text, query) = text.split_once('?').map_or((text, None), |(text, query)| (text, Some(query)));
        let is_scheme = |scheme: &str| {
            scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
        };
        let (scheme, text) = match text.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) {
            Some((scheme, rest)) => (Some(scheme), rest),
            None => (None, text),
        };
        let (authority, path) = match text.strip_prefix("//") {
            Some(rest) => {
                let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                (Some(authority), path)
            }
            None => (None, text),
        };
        let (account, server) = match authority.map(|a| a.rsplit_once('@').map_or((None, a), |(u, s)| (Some(u), s))) {
            Some((account, server)) => (account, Some(server)),
            None => (None, None),
        };
        let (user, password) = match account.map(|a| a.split_once(':').map_or((a, None), |(u, p)| (u, Some(p)))) {
            Some((user, password)) => (Some(user), password),
            None => (None, None),
        };
        // The colons of an IPv6 address stand in brackets.
        let port = |server: &'a str| server.rfind(':').filter(|at| server.rfind(']').is_none_or(|end| end < *at));
        let (host, port) = match server.map(|server| (server, port(server))) {
            Some((server, Some(at))) => (Some(&server[..at]), Some(&server[at + 1..])),
            Some((server, None)) => (Some(server), None),
            None => (None, None),
        };
        Self { scheme, user, password, host, port, path, query, fragment }
    }
}

/// Takes a URL apart: `scheme`, `user`, `password`, `host`, `port`, the segments of its `path`, the members of its `query`, `fragment`.
pub(super) fn from_url(payload: &[u8]) -> Result<Node, Undecodable> {
    let parts = Parts::of(std::str::from_utf8(payload).map_err(|_| Undecodable)?);
    let mut out = Vec::new();
    let named = [
        ("scheme", parts.scheme),
        ("user", parts.user),
        ("password", parts.password),
        ("host", parts.host),
        ("port", parts.port),
    ];
    for (name, part) in named {
        if let Some(part) = part {
            out.push((name.to_owned(), Node::Text(percent_decode(part)?)));
        }
    }
    let segment = |text: &str| Ok(if text.is_empty() { Node::Null } else { Node::Text(percent_decode(text)?) });
    out.push(("path".to_owned(), Node::List(parts.path.split('/').map(segment).collect::<Result<_, _>>()?)));
    if let Some(query) = parts.query {
        out.push(("query".to_owned(), members(query)?));
    }
    if let Some(fragment) = parts.fragment {
        out.push(("fragment".to_owned(), Node::Text(percent_decode(fragment)?)));
    }
    Ok(Node::Map(out))
}

pub(super) fn to_url(node: &Node, original: &[u8]) -> Result<Vec<u8>, Undecodable> {
    let Node::Map(members) = node else { return Err(Undecodable) };
    let parts = Parts::of(std::str::from_utf8(original).map_err(|_| Undecodable)?);
    let find = |name: &str| members.iter().find(|(n, _)| n == name).map(|(_, node)| node);
    let part = |node: Option<&Node>, before: Option<&str>| -> Result<Option<String>, Undecodable> {
        let Some(text) = node.map(text_of).transpose()?.flatten() else { return Ok(None) };
        let same = before.filter(|before| percent_decode(before).as_deref() == Ok(&*text));
        Ok(Some(same.map_or_else(|| escaped(&text), str::to_owned)))
    };
    let mut out = String::new();
    if let Some(scheme) = part(find("scheme"), parts.scheme)? {
        out.extend([format!("{scheme}:")]);
    }
    if let Some(host) = part(find("host"), parts.host)? {
        out += "//";
        if let Some(user) = part(find("user"), parts.user)? {
            out += &user;
            if let Some(password) = part(find("password"), parts.password)? {
                out.extend([format!(":{password}")]);
            }
            out.push('@');
        }
        out += &host;
        if let Some(port) = part(find("port"), parts.port)? {
            out.extend([format!(":{port}")]);
        }
    }
    let Some(Node::List(segments)) = find("path") else { return Err(Undecodable) };
    let before: Vec<&str> = parts.path.split('/').collect();
    let written = segments.iter().enumerate().map(|(n, segment)| part(Some(segment), before.get(n).copied()));
    let written = written.map(|part| part.map(Option::unwrap_or_default)).collect::<Result<Vec<_>, _>>()?;
    out += &written.join("/");
    if let Some(query) = find("query") {
        out.extend([format!("?{}", form(query, parts.query.unwrap_or_default())?)]);
    }
    if let Some(fragment) = part(find("fragment"), parts.fragment)? {
        out.extend([format!("#{fragment}")]);
    }
    Ok(out.into_bytes())
}
