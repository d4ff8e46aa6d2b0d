//! What a server answers, taken apart.
//!
//! Hidden here: the shapes of replies in the protocol RESP2, and the exact text of scores: the shortest one that reads back
//! as the same double, since servers differ in how many digits they print.

use std::collections::HashMap;

use ::redis::Value;
use reenact_model::payload::{Blob, Pending, RedisValue, Stream, StreamGroup};
use reenact_model::{Class, Error};

pub(super) fn strange(command: &str) -> Error {
    Error::new(Class::Unexpected, format!("the Redis server gives an answer to `{command}` that is not understood"))
}

pub(super) fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.into_bytes()),
        Value::Int(number) => Some(number.to_string().into_bytes()),
        Value::Okay => Some(b"OK".to_vec()),
        _ => None,
    }
}

pub(super) fn text(value: Value) -> Option<String> {
    String::from_utf8(bytes(value)?).ok()
}

pub(super) fn int(value: Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(number),
        other => text(other)?.parse().ok(),
    }
}

pub(super) fn items(value: Value) -> Vec<Value> {
    if let Value::Array(items) = value { items } else { Vec::new() }
}

/// All elements as bytes; `None` if one is something else.
pub(super) fn blobs(value: Value) -> Option<Vec<Blob>> {
    let Value::Array(items) = value else { return None };
    items.into_iter().map(|item| bytes(item).map(Blob)).collect()
}

/// Elements that come in pairs.
pub(super) fn pairs(value: Value) -> Option<Vec<(Blob, Blob)>> {
    let mut flat = blobs(value)?.into_iter();
    let mut out = Vec::with_capacity(flat.len() / 2);
    while let Some(first) = flat.next() {
        out.push((first, flat.next()?));
    }
    Some(out)
}

/// The text of a score.
pub(super) fn score(text: &Blob) -> Option<String> {
    let number: f64 = std::str::from_utf8(&text.0).ok()?.parse().ok()?;
    let plain = number == 0.0 || (1e-5..1e17).contains(&number.abs()) || number.is_infinite();
    Some(if plain { format!("{number}") } else { format!("{number:e}") })
}

pub(super) fn scored(members: Vec<(Blob, Blob)>) -> Option<Vec<(Blob, String)>> {
    members.into_iter().map(|(member, text)| Some((member, score(&text)?))).collect()
}

/// The whole value out of the answer to the one command that gives it.
pub(super) fn whole(kind: &str, answer: Value) -> Option<RedisValue> {
    Some(match kind {
        "string" => RedisValue::String(Blob(bytes(answer)?)),
        "list" => RedisValue::List(blobs(answer)?),
        "set" => {
            let mut members = blobs(answer)?;
            members.sort();
            RedisValue::Set(members)
        }
        "hash" => {
            let mut fields = pairs(answer)?;
            fields.sort();
            RedisValue::Hash(fields)
        }
        "zset" => {
            let mut members = scored(pairs(answer)?)?;
            members.sort();
            RedisValue::Zset(members)
        }
        "stream" => RedisValue::Stream(stream(answer)?),
        _ => return None,
    })
}

/// A named list of values, such as those that `XINFO` gives.
struct Named(HashMap<String, Value>);

impl Named {
    fn read(value: Value) -> Option<Self> {
        let Value::Array(flat) = value else { return None };
        let mut flat = flat.into_iter();
        let mut out = HashMap::new();
        while let Some(name) = flat.next() {
            out.insert(text(name)?, flat.next()?);
        }
        Some(Self(out))
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name)
    }

    fn number(&mut self, name: &str) -> Option<u64> {
        self.take(name).and_then(int).and_then(|number| u64::try_from(number).ok())
    }
}

/// The answer to `XINFO STREAM key FULL`.
pub(super) fn stream(answer: Value) -> Option<Stream> {
    let mut about = Named::read(answer)?;
    Some(Stream {
        entries: entries(about.take("entries")?)?,
        last_id: text(about.take("last-generated-id")?)?,
        entries_added: about.number("entries-added"),
        max_deleted_id: about.take("max-deleted-entry-id").and_then(text),
        groups: items(about.take("groups")?).into_iter().map(group).collect::<Option<_>>()?,
    })
}

/// How much is pending in a group that `XINFO GROUPS` lists.
pub(super) fn pending(group: Value) -> Option<u64> {
    Named::read(group)?.number("pending")
}

/// An entry of a stream: its id and fields.
type Entry = (String, Vec<(Blob, Blob)>);

/// A list of entries, as `XRANGE` gives it.
pub(super) fn entries(answer: Value) -> Option<Vec<Entry>> {
    let Value::Array(entries) = answer else { return None };
    let entry = |entry: Value| {
        let [id, fields] = <[Value; 2]>::try_from(items(entry)).ok()?;
        Some((text(id)?, pairs(fields)?))
    };
    entries.into_iter().map(entry).collect()
}

fn group(value: Value) -> Option<StreamGroup> {
    let mut about = Named::read(value)?;
    let named = |value: Value| Named::read(value)?.take("name").and_then(bytes).map(Blob);
    let consumers: Vec<Blob> = items(about.take("consumers")?).into_iter().map(named).collect::<Option<_>>()?;
    let pending = about.take("pel").or_else(|| about.take("pending"))?;
    let one = |value: Value| {
        let [id, consumer, delivered, deliveries] = <[Value; 4]>::try_from(items(value)).ok()?;
        let consumer = Blob(bytes(consumer)?);
        Some(Pending {
            id: text(id)?,
            consumer: u32::try_from(consumers.iter().position(|name| *name == consumer)?).ok()?,
            delivered_ms: u64::try_from(int(delivered)?).ok()?,
            deliveries: u64::try_from(int(deliveries)?).ok()?,
        })
    };
    let pending = items(pending).into_iter().map(one).collect::<Option<_>>()?;
    Some(StreamGroup {
        name: Blob(bytes(about.take("name")?)?),
        last_delivered: text(about.take("last-delivered-id")?)?,
        entries_read: about.number("entries-read"),
        consumers,
        pending,
    })
}

/// The answer to `INFO`.
pub(super) struct Info(HashMap<String, String>);

impl Info {
    pub(super) fn read(sections: Vec<Value>) -> Self {
        let texts: Vec<String> = sections.into_iter().filter_map(text).collect();
        let lines = texts.iter().flat_map(|text| text.lines()).filter_map(|line| line.trim().split_once(':'));
        Self(lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Whether the server speaks at least this version of Redis.
    pub(super) fn at_least(&self, major: u32, minor: u32) -> bool {
        let mut parts = self.get("redis_version").unwrap_or_default().split('.').map_while(|part| part.parse().ok());
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (major, minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_keep_every_bit() {
        for (given, expected) in [
            ("0.10000000000000001", "0.1"),
            ("-0", "-0"),
            ("inf", "inf"),
            ("-inf", "-inf"),
            ("9007199254740993", "9007199254740992"),
            ("1e300", "1e300"),
            ("4.9406564584124654e-324", "5e-324"),
        ] {
            let text = score(&Blob(given.as_bytes().to_vec())).expect("a number");
            assert_eq!(text, expected);
            assert_eq!(text.parse::<f64>().map(f64::to_bits), given.parse::<f64>().map(f64::to_bits));
        }
    }
}
