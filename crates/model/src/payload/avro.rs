//! Avro records by the schema that they were written with (Avro 1.12, binary encoding).
//!
//! Hidden here: the library's values, and which branch of a union a value came in: it goes back in that one. Logical types
//! are read as the types beneath them, so that every value goes back in its own bytes.

use std::collections::BTreeSet;

use apache_avro::Schema;
use apache_avro::schema::Name;
use apache_avro::types::Value;
use serde::{Deserialize, Serialize};

use super::{MAX_BYTES, Node, Undecodable};
use crate::error::{Class, Error, Result};
use crate::names::{Path, Step};

/// A record type with the schemas that it needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Avro {
    /// Schemas as JSON, without logical types.
    pub schemas: Vec<String>,
    /// Which of them the payloads were written with.
    pub schema: usize,
}

impl Avro {
    /// Takes the schemas of an `.avsc` file: one, or a list of them, of which `record` names one by its full or last name.
    ///
    /// # Errors
    /// [`Class::Input`] if the file holds no schemas, has no such record, or one that holds itself.
    pub fn from_avsc(file: &str, text: &str, record: Option<&str>) -> Result<Self> {
        let invalid = |why: String| Error::new(Class::Input, format!("`{file}`: {why}"));
        let json: serde_json::Value = serde_json::from_str(text).map_err(|e| invalid(format!("it is no JSON: {e}")))?;
        let schemas: Vec<serde_json::Value> = match json {
            serde_json::Value::Array(schemas) => schemas,
            schema => vec![schema],
        };
        let schema = match record {
            None if schemas.len() == 1 => 0,
            None => return Err(invalid("it has several schemas".to_owned()).help("name one with `record:`")),
            Some(record) => schemas
                .iter()
                .position(|schema| full_name(schema).is_some_and(|name| is_named(&name, record)))
                .ok_or_else(|| {
                    let known: Vec<String> = schemas.iter().filter_map(full_name).take(12).collect();
                    invalid(format!("it has no record `{record}`")).help(format!("it has {}", known.join(", ")))
                })?,
        };
        let schemas = schemas.into_iter().map(|schema| plain(schema).to_string()).collect();
        let avro = Self { schemas, schema };
        avro.compile().map_err(|error| invalid(error.message().to_owned()))?;
        Ok(avro)
    }

    pub(super) fn compile(&self) -> Result<Compiled> {
        let broken = |why: String| Error::new(Class::Input, why);
        let all =
            Schema::parse_list(&self.schemas).map_err(|e| broken(format!("the Avro schema does not parse: {e}")))?;
        let compiled = Compiled { all, schema: self.schema };
        let mut out = Vec::new();
        let whole = compiled
            .all
            .get(self.schema)
            .is_some_and(|schema| compiled.leaves(schema, &mut Path::default(), &mut BTreeSet::new(), &mut out));
        // A chain of records can be as long as a payload, and would be followed by recursion.
        if whole { Ok(compiled) } else { Err(broken("an Avro record that holds itself is not supported".to_owned())) }
    }

    /// The leaf paths that the schema tells of; the keys of a map are data.
    pub(super) fn paths(&self) -> Vec<Path> {
        let mut out = Vec::new();
        if let Ok(compiled) = self.compile() {
            compiled.leaves(&compiled.all[self.schema], &mut Path::default(), &mut BTreeSet::new(), &mut out);
        }
        out.dedup();
        out
    }
}

/// A schema without its logical types.
fn plain(schema: serde_json::Value) -> serde_json::Value {
    match schema {
        serde_json::Value::Object(mut members) => {
            members.remove("logicalType");
            members.into_iter().map(|(name, value)| (name, plain(value))).collect()
        }
        serde_json::Value::Array(items) => items.into_iter().map(plain).collect(),
        other => other,
    }
}

fn full_name(schema: &serde_json::Value) -> Option<String> {
    let name = schema.get("name")?.as_str()?;
    Some(schema.get("namespace").and_then(|n| n.as_str()).map_or(name.to_owned(), |space| format!("{space}.{name}")))
}

fn is_named(full: &str, name: &str) -> bool {
    full == name || full.rsplit('.').next() == Some(name)
}

/// Parsed schemas.
#[derive(Clone, Debug)]
pub(super) struct Compiled {
    all: Vec<Schema>,
    schema: usize,
}

impl Compiled {
    fn named(&self, name: &Name) -> Option<&Schema> {
        fn within<'a>(schema: &'a Schema, name: &Name) -> Option<&'a Schema> {
            if schema.name() == Some(name) && !matches!(schema, Schema::Ref { .. }) {
                return Some(schema);
            }
            match schema {
                Schema::Record(record) => record.fields.iter().find_map(|field| within(&field.schema, name)),
                Schema::Array(array) => within(&array.items, name),
                Schema::Map(map) => within(&map.types, name),
                Schema::Union(union) => union.variants().iter().find_map(|variant| within(variant, name)),
                _ => None,
            }
        }
        self.all.iter().find_map(|schema| within(schema, name))
    }

    /// Collects the leaves below; false if a type holds itself.
    fn leaves(&self, schema: &Schema, at: &mut Path, open: &mut BTreeSet<String>, out: &mut Vec<Path>) -> bool {
        match schema {
            Schema::Null => true,
            Schema::Ref { name } => self.named(name).is_some_and(|schema| self.leaves(schema, at, open, out)),
            Schema::Record(record) => {
                let name = record.name.fullname(None);
                if !open.insert(name.clone()) {
                    return false;
                }
                let whole = record.fields.iter().all(|field| {
                    at.0.push(Step::Key(field.name.clone()));
                    let whole = self.leaves(&field.schema, at, open, out);
                    at.0.pop();
                    whole
                });
                open.remove(&name);
                whole
            }
            Schema::Array(array) => {
                at.0.push(Step::Each);
                let whole = self.leaves(&array.items, at, open, out);
                at.0.pop();
                whole
            }
            // Only the records show what stands in a map, but it may hold its own kind.
            Schema::Map(map) => self.leaves(&map.types, &mut Path::default(), open, &mut Vec::new()),
            Schema::Union(union) => union.variants().iter().all(|variant| self.leaves(variant, at, open, out)),
            _ => {
                if out.last() != Some(at) {
                    out.push(at.clone());
                }
                true
            }
        }
    }

    fn value(&self, payload: &[u8]) -> std::result::Result<Value, Undecodable> {
        // The library's own limit on what a length in a payload makes it allocate.
        apache_avro::util::max_allocation_bytes(MAX_BYTES);
        let mut rest = payload;
        let all = self.all.iter().collect();
        let value = apache_avro::from_avro_datum_schemata(&self.all[self.schema], all, &mut rest, None);
        value.ok().filter(|_| rest.is_empty()).ok_or(Undecodable)
    }

    pub(super) fn decode(&self, payload: &[u8]) -> std::result::Result<Node, Undecodable> {
        node(self.value(payload)?)
    }

    pub(super) fn encode(&self, node: &Node, original: &[u8]) -> std::result::Result<Vec<u8>, Undecodable> {
        let mut value = self.value(original)?;
        replace(&mut value, node)?;
        let all = self.all.iter().collect();
        apache_avro::to_avro_datum_schemata(&self.all[self.schema], all, value).map_err(|_| Undecodable)
    }
}

fn node(value: Value) -> std::result::Result<Node, Undecodable> {
    Ok(match value {
        Value::Null => Node::Null,
        Value::Boolean(value) => Node::Bool(value),
        Value::Int(number) => Node::Number(number.to_string()),
        Value::Long(number) => Node::Number(number.to_string()),
        Value::Float(number) if number.is_finite() => Node::Number(number.to_string()),
        Value::Double(number) if number.is_finite() => Node::Number(number.to_string()),
        Value::Float(number) => Node::Text(number.to_string()),
        Value::Double(number) => Node::Text(number.to_string()),
        Value::Bytes(bytes) | Value::Fixed(_, bytes) => Node::Bytes(bytes),
        Value::String(text) | Value::Enum(_, text) => Node::Text(text),
        Value::Union(_, value) => node(*value)?,
        Value::Array(items) => Node::List(items.into_iter().map(node).collect::<std::result::Result<_, _>>()?),
        Value::Record(fields) => members(fields)?,
        Value::Map(entries) => {
            let mut entries: Vec<(String, Value)> = entries.into_iter().collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            members(entries)?
        }
        // Schemas are parsed without logical types.
        _ => return Err(Undecodable),
    })
}

fn members(fields: Vec<(String, Value)>) -> std::result::Result<Node, Undecodable> {
    let fields = fields.into_iter().map(|(name, value)| Ok((name, node(value)?)));
    Ok(Node::Map(fields.collect::<std::result::Result<_, _>>()?))
}

fn number<T: std::str::FromStr>(text: &str) -> std::result::Result<T, Undecodable> {
    text.parse().map_err(|_| Undecodable)
}

/// Puts a masked tree into the value that it came from.
fn replace(value: &mut Value, node: &Node) -> std::result::Result<(), Undecodable> {
    let text = || node.canonical().ok_or(Undecodable);
    match (&mut *value, node) {
        (Value::Union(_, inner), Node::Null) if **inner == Value::Null => {}
        (Value::Union(..), Node::Null) => return Err(Undecodable),
        (Value::Union(_, inner), node) => replace(inner, node)?,
        (Value::Null, Node::Null) => {}
        (Value::Boolean(value), _) => *value = number(&text()?)?,
        (Value::Int(value), _) => *value = number(&text()?)?,
        (Value::Long(value), _) => *value = number(&text()?)?,
        (Value::Float(value), _) => *value = number(&text()?)?,
        (Value::Double(value), _) => *value = number(&text()?)?,
        (Value::String(value), Node::Bytes(bytes)) => {
            *value = String::from_utf8(bytes.clone()).map_err(|_| Undecodable)?;
        }
        (Value::String(value), _) => *value = text()?.into_owned(),
        // The symbols of an enum are the schema's; a pseudonym is none of them.
        (Value::Enum(_, symbol), Node::Text(text)) if symbol == text => {}
        (Value::Bytes(bytes), node) => *bytes = node.raw(),
        (Value::Fixed(size, bytes), node) if node.raw().len() == *size => *bytes = node.raw(),
        (Value::Array(items), Node::List(nodes)) if items.len() == nodes.len() => {
            for (item, node) in items.iter_mut().zip(nodes) {
                replace(item, node)?;
            }
        }
        (Value::Record(fields), Node::Map(nodes)) if fields.len() == nodes.len() => {
            for ((_, field), (_, node)) in fields.iter_mut().zip(nodes) {
                replace(field, node)?;
            }
        }
        (Value::Map(entries), Node::Map(nodes)) if entries.len() == nodes.len() => {
            for (name, node) in nodes {
                replace(entries.get_mut(name).ok_or(Undecodable)?, node)?;
            }
        }
        _ => return Err(Undecodable),
    }
    Ok(())
}
