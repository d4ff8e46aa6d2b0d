//! XML documents (XML 1.0) as trees.
//!
//! Hidden here: what an element is in a tree. One that holds text alone is that text; any other has its attributes as `@name`,
//! its pieces of text as `#text`, comments as `#comment` and its elements by their names, all in order. White space between
//! elements is layout and is dropped. A document type may define entities that stand for other text, so a document
//! with one counts as undecodable, and so does one with processing instructions.

use quick_xml::Reader;
use quick_xml::escape::{escape, unescape};
use quick_xml::events::{BytesStart, Event};

use super::{MAX_DEPTH, Node, Undecodable};

const TEXT: &str = "#text";
const COMMENT: &str = "#comment";

/// An element whose end was not met yet.
struct Open {
    name: String,
    members: Vec<(String, Node)>,
}

impl Open {
    fn of(start: &BytesStart<'_>) -> Result<Self, Undecodable> {
        let name = String::from_utf8(start.name().as_ref().to_vec()).map_err(|_| Undecodable)?;
        let mut members = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|_| Undecodable)?;
            let text = std::str::from_utf8(&attribute.value).map_err(|_| Undecodable)?;
            let value = unescape(text).map_err(|_| Undecodable)?.into_owned();
            let key = std::str::from_utf8(attribute.key.as_ref()).map_err(|_| Undecodable)?;
            members.push((format!("@{key}"), Node::Text(value)));
        }
        Ok(Self { name, members })
    }

    /// Adds a piece of text; pieces that follow each other are one.
    fn text(&mut self, piece: &str) {
        match self.members.last_mut() {
            Some((name, Node::Text(text))) if name == TEXT => text.push_str(piece),
            _ => self.members.push((TEXT.to_owned(), Node::Text(piece.to_owned()))),
        }
    }

    fn close(mut self) -> (String, Node) {
        let has_elements = self.members.iter().any(|(name, _)| !name.starts_with(['@', '#']));
        if has_elements {
            let is_layout = |node: &Node| matches!(node, Node::Text(text) if text.trim().is_empty());
            self.members.retain(|(name, node)| name != TEXT || !is_layout(node));
        }
        let node = match &mut self.members[..] {
            [] => Node::Null,
            [(name, node)] if name == TEXT => std::mem::replace(node, Node::Null),
            _ => Node::Map(self.members),
        };
        (self.name, node)
    }
}

/// Takes a document apart: a tree with the root element as its one member, and comments beside it.
pub(super) fn decode(payload: &[u8]) -> Result<Node, Undecodable> {
    let text = std::str::from_utf8(payload).map_err(|_| Undecodable)?;
    let mut reader = Reader::from_str(text);
    let mut open = vec![Open { name: String::new(), members: Vec::new() }];
    loop {
        let event = reader.read_event().map_err(|_| Undecodable)?;
        if open.len() > MAX_DEPTH {
            return Err(Undecodable);
        }
        let top = open.last_mut().ok_or(Undecodable)?;
        match event {
            Event::Start(start) => {
                let element = Open::of(&start)?;
                open.push(element);
            }
            Event::Empty(start) => {
                let (name, node) = Open::of(&start)?.close();
                top.members.push((name, node));
            }
            Event::End(_) => {
                let (name, node) = open.pop().ok_or(Undecodable)?.close();
                open.last_mut().ok_or(Undecodable)?.members.push((name, node));
            }
            Event::Text(text) => top.text(&text.decode().map_err(|_| Undecodable)?),
            Event::CData(text) => top.text(&text.decode().map_err(|_| Undecodable)?),
            Event::GeneralRef(reference) => {
                let name = reference.decode().map_err(|_| Undecodable)?;
                top.text(&unescape(&format!("&{name};")).map_err(|_| Undecodable)?);
            }
            Event::Comment(text) => {
                let text = text.decode().map_err(|_| Undecodable)?.into_owned();
                top.members.push((COMMENT.to_owned(), Node::Text(text)));
            }
            Event::Decl(declaration) => {
                let encoding = declaration.encoding().transpose().map_err(|_| Undecodable)?;
                if encoding.is_some_and(|name| !name.eq_ignore_ascii_case(b"utf-8")) {
                    return Err(Undecodable);
                }
            }
            Event::PI(_) | Event::DocType(_) => return Err(Undecodable),
            Event::Eof => break,
        }
    }
    let (Some(document), true) = (open.pop(), open.is_empty()) else { return Err(Undecodable) };
    let elements = document.members.iter().filter(|(name, _)| !name.starts_with('#')).count();
    match document.close() {
        (_, tree @ Node::Map(_)) if elements == 1 => Ok(tree),
        _ => Err(Undecodable),
    }
}

/// Writes a document, with the declaration that it had.
pub(super) fn encode(node: &Node, original: &[u8]) -> Result<Vec<u8>, Undecodable> {
    let Node::Map(members) = node else { return Err(Undecodable) };
    let mut out = String::new();
    let text = std::str::from_utf8(original).map_err(|_| Undecodable)?;
    if text.starts_with("<?xml")
        && let Some(end) = text.find("?>")
    {
        out += &text[..end + 2];
    }
    children(members, &mut out)?;
    Ok(out.into_bytes())
}

fn children(members: &[(String, Node)], out: &mut String) -> Result<(), Undecodable> {
    for (name, node) in members.iter().filter(|(name, _)| !name.starts_with('@')) {
        match name.as_str() {
            TEXT => *out += &escape(scalar(node)?.as_str()),
            COMMENT => {
                // What would end a comment can't stand in one (section 2.5).
                let text = scalar(node)?.replace("--", "- -");
                out.extend([format!("<!--{}-->", text.strip_suffix('-').unwrap_or(&text))]);
            }
            _ => element(name, node, out)?,
        }
    }
    Ok(())
}

fn element(name: &str, node: &Node, out: &mut String) -> Result<(), Undecodable> {
    out.extend([format!("<{name}")]);
    match node {
        Node::Null => *out += "/>",
        Node::Map(members) => {
            for (name, value) in members.iter().filter_map(|(name, value)| Some((name.strip_prefix('@')?, value))) {
                out.extend([format!(" {name}=\"{}\"", escape(scalar(value)?.as_str()))]);
            }
            out.push('>');
            children(members, out)?;
            out.extend([format!("</{name}>")]);
        }
        text => out.extend([format!(">{}</{name}>", escape(scalar(text)?.as_str()))]),
    }
    Ok(())
}

/// The text of a leaf; nothing for what a mask took away.
fn scalar(node: &Node) -> Result<String, Undecodable> {
    let text = match node {
        Node::Null => String::new(),
        Node::Bytes(bytes) => String::from_utf8(bytes.clone()).map_err(|_| Undecodable)?,
        scalar => scalar.canonical().ok_or(Undecodable)?.into_owned(),
    };
    // Control characters have no form in XML 1.0 (section 2.2).
    if text.chars().any(|c| c.is_control() && !c.is_whitespace()) { Err(Undecodable) } else { Ok(text) }
}
