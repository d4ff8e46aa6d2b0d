//! Payloads: taking them apart, addressing what is inside, and putting them together again.
//!
//! Hidden here: every wire format. The closure and the masks see a payload through this one decoder, as a tree of
//! [`Node`]s, so they can't disagree about what a field holds. A [`Codec`] is the declaration (part of the catalog, so
//! serialisable), a [`Decoder`] is its compiled form.

mod avro;
mod baggage;
mod framed;
mod json;
mod node;
mod protobuf;
mod redis;
mod template;
mod web;
mod wire;
mod xml;

use arrow::array::{Array, AsArray};
use arrow::datatypes::DataType;
use serde::{Deserialize, Serialize};

pub use avro::Avro;
pub use node::{Leaf, Node};
pub use protobuf::Protobuf;
pub use redis::{Blob, Pending, RedisValue, Stream, StreamGroup};
pub use template::Template;
pub use wire::Headers;

use crate::catalog::ValueType;
use crate::error::Result;
use crate::names::{Path, Step};

/// The deepest nesting that is followed; deeper payloads count as undecodable.
pub const MAX_DEPTH: usize = 64;
/// The largest payload that is decoded, in bytes; larger ones count as undecodable.
pub const MAX_BYTES: usize = 16 << 20;

/// How a payload is taken apart, and what inside it is a payload again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Codec {
    /// The outer format.
    pub format: Format,
    /// Payloads within, by path; a path must lead to text or bytes.
    pub inner: Vec<(Path, Codec)>,
}

/// A payload format.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Format {
    /// A single text.
    Text,
    /// JSON (RFC 8259).
    Json,
    /// A Protobuf message with its descriptors.
    Protobuf(Protobuf),
    /// The `baggage` header of W3C Baggage: `key=value,key=value`.
    Baggage,
    /// A name made by a template, such as the key `cart:{customer_id}`.
    Template(Template),
    /// A list of Kafka headers, as a Kafka store reads them.
    Headers,
    /// A typed Redis value, as a Redis store reads it.
    Redis,
    /// An Avro record with its schemas.
    Avro(Avro),
    /// An XML document (XML 1.0).
    Xml,
    /// A form (`application/x-www-form-urlencoded`).
    Form,
    /// A URL (RFC 3986).
    Url,
    /// A JSON Web Token in compact form (RFC 7519): `header` and `payload`; the signature is not carried.
    Jwt,
    /// Bytes in base 64 (RFC 4648).
    Base64,
    /// Bytes in gzip (RFC 1952).
    Gzip,
    /// Bytes behind the head of Confluent's wire format: a schema's id, and for Protobuf the message's indexes.
    Confluent {
        /// Whether there are indexes.
        indexes: bool,
    },
}

impl Codec {
    /// A codec without inner payloads.
    pub fn of(format: Format) -> Self {
        Self { format, inner: Vec::new() }
    }

    /// The leaf paths that the declaration itself tells of; `None` if only the data shows them.
    ///
    /// A Protobuf descriptor and a key template name all their leaves; JSON names none.
    pub fn known_paths(&self) -> Option<Vec<Path>> {
        let outer = match &self.format {
            Format::Text | Format::Base64 | Format::Gzip | Format::Confluent { .. } => vec![Path::default()],
            Format::Jwt => vec![Path::key("header"), Path::key("payload")],
            Format::Avro(avro) => avro.paths(),
            Format::Protobuf(protobuf) => protobuf.paths(),
            Format::Template(template) => template.variables().map(Path::key).collect(),
            Format::Json
            | Format::Baggage
            | Format::Headers
            | Format::Redis
            | Format::Xml
            | Format::Form
            | Format::Url => return None,
        };
        let mut out = Vec::new();
        for path in outer {
            match self.inner.iter().find(|(at, _)| *at == path) {
                None => out.push(path),
                Some((at, inner)) => {
                    for below in inner.known_paths()? {
                        out.push(Path(at.0.iter().chain(&below.0).cloned().collect()));
                    }
                }
            }
        }
        Some(out)
    }
}

/// A payload that can't be decoded, or that the codec can't write; says nothing of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undecodable;

/// A compiled [`Codec`].
#[derive(Debug)]
pub struct Decoder {
    format: Compiled,
    inner: Vec<(Path, Decoder)>,
}

#[derive(Clone, Debug)]
enum Compiled {
    Text,
    Json,
    Protobuf(protobuf::Message),
    Baggage,
    Template(Template),
    Headers,
    Redis,
    Avro(avro::Compiled),
    Xml,
    Form,
    Url,
    Jwt,
    Base64,
    Gzip,
    Confluent { indexes: bool },
}

impl Decoder {
    /// Compiles a codec.
    ///
    /// # Errors
    /// [`crate::Class::Input`] if a Protobuf descriptor or an Avro schema is damaged or lacks what is named.
    pub fn new(codec: &Codec) -> Result<Self> {
        let format = match &codec.format {
            Format::Text => Compiled::Text,
            Format::Json => Compiled::Json,
            Format::Protobuf(protobuf) => Compiled::Protobuf(protobuf.compile()?),
            Format::Baggage => Compiled::Baggage,
            Format::Template(template) => Compiled::Template(template.clone()),
            Format::Headers => Compiled::Headers,
            Format::Redis => Compiled::Redis,
            Format::Avro(avro) => Compiled::Avro(avro.compile()?),
            Format::Xml => Compiled::Xml,
            Format::Form => Compiled::Form,
            Format::Url => Compiled::Url,
            Format::Jwt => Compiled::Jwt,
            Format::Base64 => Compiled::Base64,
            Format::Gzip => Compiled::Gzip,
            Format::Confluent { indexes } => Compiled::Confluent { indexes: *indexes },
        };
        let inner =
            codec.inner.iter().map(|(path, codec)| Ok((path.clone(), Self::new(codec)?))).collect::<Result<_>>()?;
        Ok(Self { format, inner })
    }

    /// Takes a payload apart.
    ///
    /// # Errors
    /// [`Undecodable`] if it is not of the format, too deep or too large.
    pub fn decode(&self, payload: &[u8]) -> std::result::Result<Node, Undecodable> {
        if payload.len() > MAX_BYTES {
            return Err(Undecodable);
        }
        let mut node = match &self.format {
            Compiled::Text => Node::Text(std::str::from_utf8(payload).map_err(|_| Undecodable)?.to_owned()),
            Compiled::Json => json::decode(payload)?,
            Compiled::Protobuf(message) => message.decode(payload)?,
            Compiled::Baggage => baggage::decode(payload)?,
            Compiled::Template(template) => template.decode(payload).ok_or(Undecodable)?,
            Compiled::Headers => Headers::read(payload).ok_or(Undecodable)?.node(),
            Compiled::Redis => RedisValue::read(payload).ok_or(Undecodable)?.node(),
            Compiled::Avro(avro) => avro.decode(payload)?,
            Compiled::Xml => xml::decode(payload)?,
            Compiled::Form => web::from_form(payload)?,
            Compiled::Url => web::from_url(payload)?,
            Compiled::Jwt => framed::from_jwt(payload)?,
            Compiled::Base64 => framed::from_base64(payload)?,
            Compiled::Gzip => framed::from_gzip(payload)?,
            Compiled::Confluent { indexes } => framed::from_confluent(payload, *indexes)?,
        };
        for (path, inner) in &self.inner {
            for slot in node.find_mut(path) {
                let bytes = match &*slot {
                    Node::Text(text) => text.clone().into_bytes(),
                    Node::Bytes(bytes) => bytes.clone(),
                    Node::Null => continue,
                    _ => return Err(Undecodable),
                };
                *slot = inner.decode(&bytes)?;
            }
        }
        Ok(node)
    }

    /// Puts a tree together again; `original` is the payload it came from, for what is no node (ids of a stream).
    ///
    /// # Errors
    /// [`Undecodable`] if the tree has no form in the format.
    pub fn encode(&self, node: &Node, original: &[u8]) -> std::result::Result<Vec<u8>, Undecodable> {
        let mut outer = node.clone();
        if !self.inner.is_empty() {
            // The originals of inner payloads are needed by inner formats in turn; they stand at the same places.
            let originals = Self { format: self.format.clone(), inner: Vec::new() }.decode(original)?;
            for (path, inner) in &self.inner {
                let before: Vec<Vec<u8>> = originals.find(path).into_iter().map(Node::raw).collect();
                for (slot, original) in outer.find_mut(path).into_iter().zip(before) {
                    if *slot != Node::Null {
                        *slot = Node::Bytes(inner.encode(slot, &original)?);
                    }
                }
            }
        }
        match &self.format {
            Compiled::Text => Ok(outer.raw()),
            Compiled::Json => json::encode_like(&outer, original),
            Compiled::Protobuf(message) => message.encode(&outer),
            Compiled::Baggage => baggage::encode(&outer),
            Compiled::Template(template) => template.encode(&outer).ok_or(Undecodable),
            Compiled::Headers => Headers::of(&outer).map(|h| h.write()).ok_or(Undecodable),
            Compiled::Redis => {
                let mut value = RedisValue::read(original).ok_or(Undecodable)?;
                value.replace(&outer).ok_or(Undecodable)?;
                Ok(value.write())
            }
            Compiled::Avro(avro) => avro.encode(&outer, original),
            Compiled::Xml => xml::encode(&outer, original),
            Compiled::Form => web::to_form(&outer, original),
            Compiled::Url => web::to_url(&outer, original),
            Compiled::Jwt => framed::to_jwt(&outer, original),
            Compiled::Base64 => Ok(framed::to_base64(&outer, original)),
            Compiled::Gzip => framed::to_gzip(&outer),
            Compiled::Confluent { indexes } => framed::to_confluent(&outer, original, *indexes),
        }
    }

    /// Takes apart the payload in a cell; `None` for NULL.
    pub fn decode_cell(
        &self,
        array: &dyn Array,
        value: ValueType,
        row: usize,
    ) -> Option<std::result::Result<Node, Undecodable>> {
        cell(array, value, row).map(|bytes| self.decode(bytes))
    }
}

/// The payload bytes of a text or binary cell; `None` for NULL and for other types. A tagged value loses its class.
pub fn cell(array: &dyn Array, value: ValueType, row: usize) -> Option<&[u8]> {
    if array.is_null(row) {
        return None;
    }
    match array.data_type() {
        DataType::Utf8 => Some(array.as_string::<i32>().value(row).as_bytes()),
        DataType::Binary => {
            let bytes = array.as_binary::<i32>().value(row);
            Some(if value == ValueType::Tagged { bytes.get(1..).unwrap_or_default() } else { bytes })
        }
        _ => None,
    }
}

/// The path that a step leads to; keys that carry data are not followed here.
fn below(path: &Path, key: &str) -> Path {
    path.join(Step::Key(key.to_owned()))
}

#[cfg(test)]
mod tests;
