//! Protobuf messages by their descriptors, without generated code.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage as _, Value,
};
use serde::{Deserialize, Serialize};

use super::{MAX_DEPTH, Node, Undecodable};
use crate::error::{Class, Error, Result};
use crate::names::{Path, Step};

/// A message type with everything that is needed to read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protobuf {
    /// A serialised `FileDescriptorSet`, in base64.
    pub descriptors: String,
    /// The message's full name, such as `oteldemo.OrderResult`.
    pub message: String,
}

impl Protobuf {
    /// Compiles the text of a `.proto` file, imports of the well-known types included.
    ///
    /// # Errors
    /// [`Class::Input`] if the file does not compile or has no such message.
    pub fn from_proto(file: &str, text: &str, message: &str) -> Result<Self> {
        let invalid = |e: &dyn std::fmt::Display| Error::new(Class::Input, format!("`{file}` does not compile: {e}"));
        let mut resolver = protox::file::ChainFileResolver::new();
        resolver.add(One { name: file.to_owned(), text: text.to_owned() });
        resolver.add(protox::file::GoogleFileResolver::new());
        let mut compiler = protox::Compiler::with_file_resolver(resolver);
        compiler.include_imports(true);
        compiler.open_file(file).map_err(|e| invalid(&e))?;
        let spec =
            Self { descriptors: STANDARD.encode(compiler.encode_file_descriptor_set()), message: message.to_owned() };
        spec.compile()?;
        Ok(spec)
    }

    /// The leaf paths that the descriptor tells of; a message within itself is not followed a second time.
    pub(super) fn paths(&self) -> Vec<Path> {
        let mut out = Vec::new();
        if let Ok(message) = self.compile() {
            leaves(&message.0, &mut Path::default(), &mut BTreeSet::new(), &mut out);
        }
        out
    }

    pub(super) fn compile(&self) -> Result<Message> {
        let bytes = STANDARD.decode(&self.descriptors).ok();
        let pool = bytes.and_then(|bytes| DescriptorPool::decode(bytes.as_slice()).ok());
        let pool = pool.ok_or_else(|| Error::new(Class::Input, "the Protobuf descriptors are damaged"))?;
        let found = pool.get_message_by_name(&self.message);
        found.map(Message).ok_or_else(|| {
            let mut known: Vec<String> = pool.all_messages().map(|m| m.full_name().to_owned()).collect();
            known.truncate(12);
            Error::new(Class::Input, format!("there is no Protobuf message `{}`", self.message))
                .help(format!("the file has {}", known.join(", ")))
        })
    }
}

struct One {
    name: String,
    text: String,
}

impl protox::file::FileResolver for One {
    fn open_file(&self, name: &str) -> std::result::Result<protox::file::File, protox::Error> {
        if name == self.name {
            protox::file::File::from_source(name, &self.text)
        } else {
            Err(protox::Error::file_not_found(name))
        }
    }
}

fn leaves(message: &MessageDescriptor, at: &mut Path, open: &mut BTreeSet<String>, out: &mut Vec<Path>) {
    if !open.insert(message.full_name().to_owned()) {
        return;
    }
    for field in message.fields() {
        at.0.push(Step::Key(field.name().to_owned()));
        let each = field.is_list();
        if each {
            at.0.push(Step::Each);
        }
        match field.kind() {
            // The keys of a map are data: only the records show its paths.
            Kind::Message(_) if field.is_map() => {}
            Kind::Message(inner) => leaves(&inner, at, open, out),
            _ => out.push(at.clone()),
        }
        if each {
            at.0.pop();
        }
        at.0.pop();
    }
    open.remove(message.full_name());
}

/// A compiled message type.
#[derive(Clone, Debug)]
pub(super) struct Message(MessageDescriptor);

impl Message {
    pub(super) fn decode(&self, payload: &[u8]) -> std::result::Result<Node, Undecodable> {
        let message = DynamicMessage::decode(self.0.clone(), payload).map_err(|_| Undecodable)?;
        to_node(&message, 0)
    }

    pub(super) fn encode(&self, node: &Node) -> std::result::Result<Vec<u8>, Undecodable> {
        use prost::Message as _;
        Ok(to_message(&self.0, node)?.encode_to_vec())
    }
}

/// Unknown fields make a message undecodable: nothing says what they hold.
fn to_node(message: &DynamicMessage, depth: usize) -> std::result::Result<Node, Undecodable> {
    if depth > MAX_DEPTH || message.unknown_fields().next().is_some() {
        return Err(Undecodable);
    }
    let mut members = Vec::new();
    for field in message.descriptor().fields() {
        if message.has_field(&field) {
            members.push((field.name().to_owned(), value_node(&message.get_field(&field), &field, depth)?));
        }
    }
    Ok(Node::Map(members))
}

fn value_node(value: &Value, field: &FieldDescriptor, depth: usize) -> std::result::Result<Node, Undecodable> {
    Ok(match value {
        Value::Bool(v) => Node::Bool(*v),
        Value::I32(v) => Node::Number(v.to_string()),
        Value::I64(v) => Node::Number(v.to_string()),
        Value::U32(v) => Node::Number(v.to_string()),
        Value::U64(v) => Node::Number(v.to_string()),
        Value::F32(v) => Node::Number(v.to_string()),
        Value::F64(v) => Node::Number(v.to_string()),
        Value::String(v) => Node::Text(v.clone()),
        Value::Bytes(v) => Node::Bytes(v.to_vec()),
        Value::EnumNumber(n) => match field.kind().as_enum().and_then(|e| e.get_value(*n)) {
            Some(named) => Node::Text(named.name().to_owned()),
            None => Node::Number(n.to_string()),
        },
        Value::Message(message) => to_node(message, depth + 1)?,
        Value::List(items) => {
            Node::List(items.iter().map(|v| value_node(v, field, depth)).collect::<std::result::Result<_, _>>()?)
        }
        Value::Map(entries) => {
            let Kind::Message(entry) = field.kind() else { return Err(Undecodable) };
            let inner = entry.map_entry_value_field();
            let mut members = entries
                .iter()
                .map(|(key, v)| Ok((map_key(key), value_node(v, &inner, depth)?)))
                .collect::<std::result::Result<Vec<_>, _>>()?;
            members.sort_by(|a, b| a.0.cmp(&b.0));
            Node::Map(members)
        }
    })
}

fn map_key(key: &MapKey) -> String {
    match key {
        MapKey::Bool(v) => v.to_string(),
        MapKey::I32(v) => v.to_string(),
        MapKey::I64(v) => v.to_string(),
        MapKey::U32(v) => v.to_string(),
        MapKey::U64(v) => v.to_string(),
        MapKey::String(v) => v.clone(),
    }
}

fn to_message(descriptor: &MessageDescriptor, node: &Node) -> std::result::Result<DynamicMessage, Undecodable> {
    let Node::Map(members) = node else { return Err(Undecodable) };
    let mut message = DynamicMessage::new(descriptor.clone());
    for (name, node) in members {
        let field = descriptor.get_field_by_name(name).ok_or(Undecodable)?;
        if *node == Node::Null {
            continue;
        }
        let value = match node {
            Node::List(items) if field.is_list() => {
                Value::List(items.iter().map(|n| scalar(&field.kind(), n)).collect::<std::result::Result<_, _>>()?)
            }
            Node::Map(entries) if field.is_map() => {
                let Kind::Message(entry) = field.kind() else { return Err(Undecodable) };
                let (key, inner) = (entry.map_entry_key_field().kind(), entry.map_entry_value_field().kind());
                let pairs = entries.iter().map(|(k, v)| Ok((read_key(&key, k)?, scalar(&inner, v)?)));
                Value::Map(pairs.collect::<std::result::Result<_, Undecodable>>()?)
            }
            other => scalar(&field.kind(), other)?,
        };
        message.try_set_field(&field, value).map_err(|_| Undecodable)?;
    }
    Ok(message)
}

fn scalar(kind: &Kind, node: &Node) -> std::result::Result<Value, Undecodable> {
    fn parse<T: std::str::FromStr>(node: &Node) -> std::result::Result<T, Undecodable> {
        node.canonical().ok_or(Undecodable)?.parse().map_err(|_| Undecodable)
    }
    Ok(match kind {
        Kind::Double => Value::F64(parse(node)?),
        Kind::Float => Value::F32(parse(node)?),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(parse(node)?),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(parse(node)?),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(parse(node)?),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(parse(node)?),
        Kind::Bool => Value::Bool(parse(node)?),
        Kind::String => Value::String(String::from_utf8(node.raw()).map_err(|_| Undecodable)?),
        Kind::Bytes => Value::Bytes(node.raw().into()),
        Kind::Message(inner) => Value::Message(to_message(inner, node)?),
        Kind::Enum(inner) => match node.canonical().as_deref().and_then(|name| inner.get_value_by_name(name)) {
            Some(value) => Value::EnumNumber(value.number()),
            None => Value::EnumNumber(parse(node)?),
        },
    })
}

fn read_key(kind: &Kind, text: &str) -> std::result::Result<MapKey, Undecodable> {
    let number = |_| Undecodable;
    Ok(match kind {
        Kind::Bool => MapKey::Bool(text == "true"),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => MapKey::I32(text.parse().map_err(number)?),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => MapKey::I64(text.parse().map_err(number)?),
        Kind::Uint32 | Kind::Fixed32 => MapKey::U32(text.parse().map_err(number)?),
        Kind::Uint64 | Kind::Fixed64 => MapKey::U64(text.parse().map_err(number)?),
        _ => MapKey::String(text.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Codec, Decoder, Format};
    use super::*;

    const PROTO: &str = r#"syntax = "proto3"; package shop;
        message Money { string currency = 1; int64 units = 2; }
        message Item { string product = 1; Money cost = 2; }
        enum State { NEW = 0; PAID = 1; }
        message Order { string id = 1; repeated Item items = 2; State state = 3; map<string, int32> tags = 4; bytes raw = 5; Order parent = 6; }"#;

    #[test]
    fn messages_go_back_byte_for_byte_and_unknown_fields_are_refused() {
        let spec = Protobuf::from_proto("shop.proto", PROTO, "shop.Order").expect("compiles");
        let decoder = Decoder::new(&Codec::of(Format::Protobuf(spec.clone()))).expect("compiles");
        // id "x", items [{product "p", cost {"EUR", 7}}], state PAID, tags {"a": 1}
        let bytes = b"\x0a\x01x\x12\x0c\x0a\x01p\x12\x07\x0a\x03EUR\x10\x07\x18\x01\x22\x05\x0a\x01a\x10\x01";
        let node = decoder.decode(bytes).expect("decodes");
        assert_eq!(node.find(&"$.items[*].cost.units".parse().expect("path"))[0].canonical().as_deref(), Some("7"));
        assert_eq!(decoder.encode(&node, bytes).expect("encodes"), bytes);
        assert_eq!(decoder.decode(b"\x7a\x01x"), Err(Undecodable), "field 15 is unknown");
        let known: Vec<String> = spec.paths().iter().map(ToString::to_string).collect();
        assert_eq!(
            known,
            ["$.id", "$.items[*].product", "$.items[*].cost.currency", "$.items[*].cost.units", "$.state", "$.raw"]
        );
    }

    #[test]
    fn a_wrong_message_names_those_that_exist() {
        let error = Protobuf::from_proto("shop.proto", PROTO, "shop.Nope").expect_err("no such message");
        assert!(error.to_string().contains("shop.Order"), "{error}");
    }
}
