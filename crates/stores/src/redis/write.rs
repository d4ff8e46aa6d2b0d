//! Writes keys, each in one act with its expiry.
//!
//! Hidden here: how a typed value is made again by commands. A stream gets its own ids, counters, groups and pending
//! entries; where an entry is pending that the stream holds no longer, it is added, claimed and deleted again.

use std::collections::BTreeSet;

use ::redis::{Cmd, Value, cmd};
use reenact_model::payload::{RedisValue, Stream};
use reenact_model::{Class, Error, Result};

use super::Server;
use crate::keyspace::{Record, written_twice};

/// The elements that one command adds.
const CHUNK: usize = 1_000;

/// Writes keys that are not there yet; see [`crate::keyspace::Keyspace::put`].
pub(super) async fn put(server: &Server, records: &[Record]) -> Result<()> {
    let mut pipeline = Vec::new();
    let mut ends = Vec::with_capacity(records.len());
    for record in records {
        pipeline.extend([cmd("MULTI"), cmd("EXISTS").arg(&record.key).clone()]);
        value(&record.key, &record.value, server.stream_counters, &mut pipeline)?;
        if let Some(ttl) = record.ttl {
            pipeline.push(cmd("PEXPIRE").arg(&record.key).arg(ttl.max(1)).clone());
        }
        pipeline.push(cmd("EXEC"));
        ends.push(pipeline.len());
    }
    let mut held = server.link.hold().await;
    let answers = held.raw(pipeline).await?;
    let mut start = 0;
    for end in ends {
        for answer in &answers[start..end - 1] {
            held.checked(answer.clone())?;
        }
        let Value::Array(results) = held.checked(answers[end - 1].clone())? else {
            return Err(Error::new(Class::Unexpected, "the Redis server gave up a transaction"));
        };
        if results.first() == Some(&Value::Int(1)) {
            return Err(written_twice());
        }
        for result in results {
            held.checked(result)?;
        }
        start = end;
    }
    Ok(())
}

fn value(key: &[u8], value: &RedisValue, counters: bool, out: &mut Vec<Cmd>) -> Result<()> {
    let mut empty = false;
    match value {
        RedisValue::String(text) => out.push(cmd("SET").arg(key).arg(&text.0).clone()),
        RedisValue::Hash(fields) => {
            empty = fields.is_empty();
            chunks(out, "HSET", key, fields, |command, (name, value)| {
                command.arg(&name.0).arg(&value.0);
            });
        }
        RedisValue::List(items) => {
            empty = items.is_empty();
            chunks(out, "RPUSH", key, items, |command, item| {
                command.arg(&item.0);
            });
        }
        RedisValue::Set(members) => {
            empty = members.is_empty();
            chunks(out, "SADD", key, members, |command, member| {
                command.arg(&member.0);
            });
        }
        RedisValue::Zset(members) => {
            empty = members.is_empty();
            chunks(out, "ZADD", key, members, |command, (member, score)| {
                command.arg(score).arg(&member.0);
            });
        }
        RedisValue::Stream(content) => stream(key, content, counters, out)?,
    }
    if empty {
        return Err(Error::new(Class::Bundle, "a collection without elements can't exist on a server"));
    }
    Ok(())
}

fn chunks<T>(out: &mut Vec<Cmd>, name: &str, key: &[u8], items: &[T], add: impl Fn(&mut Cmd, &T)) {
    for chunk in items.chunks(CHUNK) {
        let mut command = cmd(name);
        command.arg(key);
        for item in chunk {
            add(&mut command, item);
        }
        out.push(command);
    }
}

fn stream(key: &[u8], stream: &Stream, counters: bool, out: &mut Vec<Cmd>) -> Result<()> {
    let damaged = || Error::new(Class::Bundle, "a stream does not hold together");
    let parsed = |id: &str| {
        let (millis, sequence) = id.split_once('-')?;
        Some((millis.parse::<u64>().ok()?, sequence.parse::<u64>().ok()?))
    };
    let there: BTreeSet<&str> = stream.entries.iter().map(|(id, _)| id.as_str()).collect();
    let pending = stream.groups.iter().flat_map(|group| &group.pending);
    let gone: BTreeSet<&str> = pending.map(|entry| entry.id.as_str()).filter(|id| !there.contains(id)).collect();
    let mut adds = Vec::with_capacity(there.len() + gone.len());
    for (id, fields) in &stream.entries {
        let mut add = cmd("XADD").arg(key).arg(id).clone();
        for (name, value) in fields {
            add.arg(&name.0).arg(&value.0);
        }
        adds.push((parsed(id).ok_or_else(damaged)?, add));
    }
    for id in &gone {
        adds.push((parsed(id).ok_or_else(damaged)?, cmd("XADD").arg(key).arg(id).arg("deleted").arg("").clone()));
    }
    adds.sort_by_key(|(id, _)| *id);
    if adds.is_empty() {
        // Only a group makes a stream that holds nothing.
        let group = |word: &str| cmd("XGROUP").arg(word).arg(key).arg("reenact").clone();
        out.extend([group("CREATE").arg("0").arg("MKSTREAM").clone(), group("DESTROY")]);
    }
    out.extend(adds.into_iter().map(|(_, add)| add));
    for group in &stream.groups {
        let mut create = cmd("XGROUP").arg("CREATE").arg(key).arg(&group.name.0).arg(&group.last_delivered).clone();
        if let Some(read) = group.entries_read.filter(|_| counters) {
            create.arg("ENTRIESREAD").arg(read);
        }
        out.push(create);
        for consumer in &group.consumers {
            out.push(cmd("XGROUP").arg("CREATECONSUMER").arg(key).arg(&group.name.0).arg(&consumer.0).clone());
        }
        for entry in &group.pending {
            let consumer = group.consumers.get(entry.consumer as usize).ok_or_else(damaged)?;
            let mut claim = cmd("XCLAIM").arg(key).arg(&group.name.0).arg(&consumer.0).arg(0).arg(&entry.id).clone();
            claim.arg("TIME").arg(entry.delivered_ms).arg("RETRYCOUNT").arg(entry.deliveries);
            out.push(claim.arg("FORCE").arg("JUSTID").clone());
        }
    }
    if !gone.is_empty() {
        out.push(cmd("XDEL").arg(key).arg(gone).clone());
    }
    let mut end = cmd("XSETID").arg(key).arg(&stream.last_id).clone();
    if counters {
        if let Some(added) = stream.entries_added {
            end.arg("ENTRIESADDED").arg(added);
        }
        if let Some(id) = &stream.max_deleted_id {
            end.arg("MAXDELETEDID").arg(id);
        }
    }
    out.push(end);
    Ok(())
}
