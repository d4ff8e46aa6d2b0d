//! Typed Redis values as one binary cell (CBOR), and as a tree.
//!
//! A value is held logically, never as a `DUMP` payload, since its format differs between servers. What identifies entries
//! (stream ids, counters, delivery times) is no node and stays; what holds data (members, fields, entries, scores, the names
//! of groups and consumers) is.

use std::fmt;

use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::{Node, below};
use crate::canonical;
use crate::names::Path;

/// Bytes that are written as a CBOR byte string and never print.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Blob(pub Vec<u8>);

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({} bytes)", self.0.len())
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl Visitor<'_> for V {
            type Value = Blob;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Blob, E> {
                Ok(Blob(bytes.to_vec()))
            }

            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Blob, E> {
                Ok(Blob(bytes))
            }
        }
        deserializer.deserialize_byte_buf(V)
    }
}

/// A typed value of one key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RedisValue {
    /// A string.
    String(Blob),
    /// Fields and values, in field order.
    Hash(Vec<(Blob, Blob)>),
    /// Elements, first to last.
    List(Vec<Blob>),
    /// Members, in member order.
    Set(Vec<Blob>),
    /// Members with their exact scores as text, in member order.
    Zset(Vec<(Blob, String)>),
    /// A stream.
    Stream(Stream),
}

/// A stream with its groups.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stream {
    /// Entries: id, and fields with values in order.
    pub entries: Vec<(String, Vec<(Blob, Blob)>)>,
    /// The last id that was given out.
    pub last_id: String,
    /// How many entries were ever added, if the server tells.
    pub entries_added: Option<u64>,
    /// The greatest id that was deleted, if the server tells.
    pub max_deleted_id: Option<String>,
    /// The consumer groups.
    pub groups: Vec<StreamGroup>,
}

/// A consumer group of a stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamGroup {
    /// The group's name.
    pub name: Blob,
    /// The last id delivered to the group.
    pub last_delivered: String,
    /// How many entries the group has read, if the server tells.
    pub entries_read: Option<u64>,
    /// The group's consumers.
    pub consumers: Vec<Blob>,
    /// Entries delivered and not acknowledged.
    pub pending: Vec<Pending>,
}

/// An entry delivered and not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The entry's id.
    pub id: String,
    /// The consumer, as an index into [`StreamGroup::consumers`].
    pub consumer: u32,
    /// When it was last delivered, in milliseconds since 1970.
    pub delivered_ms: u64,
    /// How often it was delivered.
    pub deliveries: u64,
}

impl RedisValue {
    /// The server's word for the type.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::String(_) => "string",
            Self::Hash(_) => "hash",
            Self::List(_) => "list",
            Self::Set(_) => "set",
            Self::Zset(_) => "zset",
            Self::Stream(_) => "stream",
        }
    }

    /// Writes the cell.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        // Writing into memory can't fail.
        let _ = ciborium::into_writer(self, &mut out);
        out
    }

    /// Reads the cell; `None` if it is damaged.
    pub fn read(cell: &[u8]) -> Option<Self> {
        ciborium::de::from_reader_with_recursion_limit(cell, 32).ok()
    }

    /// A value of the same type that holds nothing but `text`: not even how much there was.
    #[must_use]
    pub fn blank(&self, text: &str) -> Self {
        let blob = || Blob(text.as_bytes().to_vec());
        match self {
            Self::String(_) => Self::String(blob()),
            Self::Hash(_) => Self::Hash(vec![(blob(), blob())]),
            Self::List(_) => Self::List(vec![blob()]),
            Self::Set(_) => Self::Set(vec![blob()]),
            Self::Zset(_) => Self::Zset(vec![(blob(), "0".to_owned())]),
            // The one type that is there without holding anything.
            Self::Stream(stream) => Self::Stream(Stream {
                last_id: "0-0".to_owned(),
                entries_added: stream.entries_added.map(|_| 0),
                max_deleted_id: stream.max_deleted_id.as_ref().map(|_| "0-0".to_owned()),
                ..Stream::default()
            }),
        }
    }

    /// The data of the value as a tree.
    ///
    /// A string is its bytes; a hash and the fields of a stream's entries are members; a sorted set is a list of
    /// `{member, score}`; a stream is `{entries: [fields], groups: [{name, consumers}]}`.
    pub fn node(&self) -> Node {
        let blob = |blob: &Blob| Node::Bytes(blob.0.clone());
        let members = |fields: &[(Blob, Blob)]| {
            Node::Map(fields.iter().map(|(k, v)| (canonical::bytes(&k.0).into_owned(), blob(v))).collect())
        };
        match self {
            Self::String(value) => blob(value),
            Self::Hash(fields) => members(fields),
            Self::List(items) | Self::Set(items) => Node::List(items.iter().map(blob).collect()),
            Self::Zset(items) => Node::List(
                items
                    .iter()
                    .map(|(member, score)| {
                        Node::Map(vec![
                            ("member".to_owned(), blob(member)),
                            ("score".to_owned(), Node::Number(score.clone())),
                        ])
                    })
                    .collect(),
            ),
            Self::Stream(stream) => Node::Map(vec![
                ("entries".to_owned(), Node::List(stream.entries.iter().map(|(_, fields)| members(fields)).collect())),
                (
                    "groups".to_owned(),
                    Node::List(
                        stream
                            .groups
                            .iter()
                            .map(|group| {
                                Node::Map(vec![
                                    ("name".to_owned(), blob(&group.name)),
                                    ("consumers".to_owned(), Node::List(group.consumers.iter().map(blob).collect())),
                                ])
                            })
                            .collect(),
                    ),
                ),
            ]),
        }
    }

    /// Puts changed data back; `None` if the tree has another shape.
    pub(super) fn replace(&mut self, node: &Node) -> Option<()> {
        fn list(node: &Node) -> Option<&[Node]> {
            if let Node::List(items) = node { Some(items) } else { None }
        }
        fn fields(node: &Node) -> Option<Vec<(Blob, Blob)>> {
            let Node::Map(members) = node else { return None };
            members.iter().map(|(k, v)| Some((Blob(canonical::bytes_of(k)?), Blob(v.raw())))).collect()
        }
        let one = |node: &Node, name: &str| node.find(&below(&Path::default(), name)).first().map(|n| (*n).clone());
        match self {
            Self::String(value) => *value = Blob(node.raw()),
            Self::Hash(out) => {
                *out = fields(node)?;
                out.sort();
            }
            Self::List(out) => *out = list(node)?.iter().map(|n| Blob(n.raw())).collect(),
            Self::Set(out) => {
                *out = list(node)?.iter().map(|n| Blob(n.raw())).collect();
                out.sort();
                // What masks made equal is one member, as it will be in the target.
                out.dedup();
            }
            Self::Zset(out) => {
                let score = |node: Node| match node {
                    Node::Null => Some("0".to_owned()),
                    // `nan` is a float, and no score.
                    node => String::from_utf8(node.raw()).ok().filter(|s| s.parse().is_ok_and(|s: f64| !s.is_nan())),
                };
                *out = list(node)?
                    .iter()
                    .map(|n| Some((Blob(one(n, "member")?.raw()), score(one(n, "score")?)?)))
                    .collect::<Option<_>>()?;
                out.sort();
                out.dedup_by(|a, b| a.0 == b.0);
            }
            Self::Stream(stream) => {
                let entries = one(node, "entries")?;
                for ((_, out), entry) in stream.entries.iter_mut().zip(list(&entries)?) {
                    *out = fields(entry)?;
                }
                let groups = one(node, "groups")?;
                for (group, changed) in stream.groups.iter_mut().zip(list(&groups)?) {
                    group.name = Blob(one(changed, "name")?.raw());
                    let consumers: Vec<Blob> =
                        list(&one(changed, "consumers")?)?.iter().map(|n| Blob(n.raw())).collect();
                    // Servers list names in order; pending entries follow their consumers to the new places.
                    let mut sorted = consumers.clone();
                    sorted.sort();
                    sorted.dedup();
                    for pending in &mut group.pending {
                        let name = consumers.get(pending.consumer as usize)?;
                        let at = sorted.iter().position(|other| other == name)?;
                        pending.consumer = u32::try_from(at).ok()?;
                    }
                    group.consumers = sorted;
                }
                stream.groups.sort_by(|a, b| a.name.cmp(&b.name));
                // Two groups have no common state, so those whose names masks made equal are told apart.
                for n in 1..stream.groups.len() {
                    if stream.groups[..n].iter().any(|other| other.name == stream.groups[n].name) {
                        stream.groups[n].name.0.extend(format!(" {}", n + 1).into_bytes());
                    }
                }
                stream.groups.sort_by(|a, b| a.name.cmp(&b.name));
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(text: &str) -> Blob {
        Blob(text.as_bytes().to_vec())
    }

    #[test]
    fn what_a_mask_makes_equal_is_what_a_server_holds() {
        let members = |node: &mut Node| {
            node.leaves_mut(&mut |_, leaf| *leaf = Node::Null);
        };
        let group = |name| StreamGroup {
            name: blob(name),
            last_delivered: "0-0".into(),
            entries_read: None,
            consumers: vec![blob("a"), blob("b")],
            pending: vec![Pending { id: "1-1".into(), consumer: 1, delivered_ms: 9, deliveries: 2 }],
        };
        let mut values = [
            RedisValue::Set(vec![blob("a"), blob("b")]),
            RedisValue::Zset(vec![(blob("a"), "1".into()), (blob("b"), "2".into())]),
            RedisValue::Stream(Stream { groups: vec![group("g"), group("h")], ..Stream::default() }),
        ];
        for value in &mut values {
            let mut node = value.node();
            members(&mut node);
            value.replace(&node).expect("the same shape");
        }
        assert_eq!(values[0], RedisValue::Set(vec![blob("")]));
        assert_eq!(values[1], RedisValue::Zset(vec![(blob(""), "0".into())]));
        let RedisValue::Stream(Stream { groups, .. }) = &values[2] else { panic!("a stream") };
        assert_eq!([&groups[0].name, &groups[1].name], [&blob(""), &blob(" 2")]);
        assert!(groups.iter().all(|g| g.consumers == [blob("")] && g.pending[0].consumer == 0));
        let mut value = RedisValue::Zset(vec![(blob("a"), "1".into())]);
        let scored = |score: &str| {
            let pair = [("member".to_owned(), Node::Text("a".into())), ("score".to_owned(), Node::Text(score.into()))];
            Node::List(vec![Node::Map(pair.into())])
        };
        assert!(value.replace(&scored("[redacted]")).is_none() && value.replace(&scored("-inf")).is_some());
    }

    #[test]
    fn every_type_goes_through_cell_and_tree() {
        let values = [
            RedisValue::String(Blob(vec![0, 255])),
            RedisValue::Hash(vec![(blob("cart"), blob("")), (Blob(vec![0xfe]), blob("v"))]),
            RedisValue::List(vec![blob("b"), blob("a"), blob("b")]),
            RedisValue::Set(vec![blob("a"), blob("b")]),
            RedisValue::Zset(vec![(blob("a"), "inf".into()), (blob("b"), "0.10000000000000001".into())]),
            RedisValue::Stream(Stream {
                entries: vec![("1-1".into(), vec![(blob("f"), blob("v")), (blob("f"), blob("w"))])],
                last_id: "5-0".into(),
                entries_added: Some(7),
                max_deleted_id: Some("0-3".into()),
                groups: vec![StreamGroup {
                    name: blob("g"),
                    last_delivered: "1-1".into(),
                    entries_read: Some(1),
                    consumers: vec![blob("c")],
                    pending: vec![Pending { id: "1-1".into(), consumer: 0, delivered_ms: 9, deliveries: 2 }],
                }],
            }),
        ];
        for value in values {
            let mut back = RedisValue::read(&value.write()).expect("reads");
            assert_eq!(back, value);
            back.replace(&value.node()).expect("same shape");
            assert_eq!(back, value);
        }
        assert!(RedisValue::read(b"\xff\xff").is_none());
    }
}
