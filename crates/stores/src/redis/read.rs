//! Reads keys, each in one act.
//!
//! Hidden here: how a value, its type and its expiry are made to belong together. A value of up to 10,000 elements is read
//! within `MULTI`/`EXEC`; a larger one is paged under `WATCH`, and `EXEC` tells whether it stayed the same all the while.

use std::collections::{BTreeMap, BTreeSet};

use ::redis::{Cmd, Value, cmd};
use reenact_model::payload::{Blob, RedisValue, Stream};
use reenact_model::{Class, Error, Result};

use super::Server;
use super::link::Held;
use super::reply::{self, blobs, bytes, entries, int, items, scored, strange, text, whole};
use crate::keyspace::Record;

/// Values with more elements are read in pages.
const LARGE: i64 = 10_000;
/// The elements of a page.
const PAGE: usize = 1_000;
/// About how many bytes are asked for at once.
const BYTES: i64 = 8 << 20;
/// How often a key is read anew because it changed while it was read.
const ROUNDS: usize = 8;

/// What came of reading one key.
enum Outcome {
    There(Record),
    Absent,
    /// It changed meanwhile.
    Moved,
}

/// Reads the first few keys; see [`crate::keyspace::Keyspace::fetch`].
pub(super) async fn fetch(server: &Server, keys: &[Vec<u8>]) -> Result<Vec<Option<Record>>> {
    let mut held = server.link.hold().await;
    let types = held.ask(keys.iter().map(|key| cmd("TYPE").arg(key).clone()).collect()).await?;
    let types: Vec<String> = types.into_iter().map(|kind| text(kind).unwrap_or_default()).collect();
    let lengths = held.raw(keys.iter().zip(&types).map(|(key, kind)| length(key, kind)).collect()).await?;
    // A key that changed its type meanwhile has no length; it is found out below.
    let lengths: Vec<i64> = lengths.into_iter().map(|length| int(length).unwrap_or(0)).collect();
    let weights = types.iter().zip(&lengths).map(|(kind, length)| if kind == "string" { *length } else { length * 64 });
    let before = weights.scan(0, |sum, bytes| Some(std::mem::replace(sum, *sum + bytes)));
    let count = before.take_while(|sum| *sum < BYTES).count();
    let is_small = |n: &usize| types[*n] == "string" || lengths[*n] <= LARGE;
    let small: Vec<usize> = (0..count).filter(is_small).filter(|n| types[*n] != "none").collect();
    let mut commands = Vec::new();
    for n in &small {
        commands.extend(at_once(&keys[*n], &types[*n])?);
    }
    let answers = held.raw(commands).await?;
    let mut first: BTreeMap<usize, Outcome> = BTreeMap::new();
    for (n, answers) in small.iter().zip(answers.chunks(5)) {
        first.insert(*n, outcome(&held, &keys[*n], &types[*n], answers)?);
    }
    let mut out = Vec::with_capacity(count);
    for n in 0..count {
        let outcome = match first.remove(&n) {
            Some(Outcome::There(record)) => {
                if server.field_expiry && types[n] == "hash" && !fields_stay(&mut held, &record).await? {
                    Outcome::Moved
                } else {
                    Outcome::There(record)
                }
            }
            Some(outcome) => outcome,
            None if types[n] == "none" => Outcome::Absent,
            None => Outcome::Moved,
        };
        out.push(match outcome {
            Outcome::There(record) => Some(record),
            Outcome::Absent => None,
            Outcome::Moved => alone(server, &mut held, &keys[n]).await?,
        });
    }
    Ok(out)
}

/// Reads one key until it stays the same while it is read.
async fn alone(server: &Server, held: &mut Held<'_>, key: &[u8]) -> Result<Option<Record>> {
    for _ in 0..ROUNDS {
        let watch = vec![cmd("UNWATCH"), cmd("WATCH").arg(key).clone(), cmd("TYPE").arg(key).clone()];
        let kind = held.ask(watch).await?.pop().and_then(text).unwrap_or_default();
        if kind == "none" {
            held.ask(vec![cmd("UNWATCH")]).await?;
            return Ok(None);
        }
        let size = held.raw(vec![length(key, &kind)]).await?.pop().and_then(int).unwrap_or(0);
        let outcome = if kind == "string" || size <= LARGE {
            let answers = held.raw(at_once(key, &kind)?.to_vec()).await?;
            outcome(held, key, &kind, &answers)?
        } else {
            paged(held, key, &kind).await?
        };
        match outcome {
            Outcome::There(record) => {
                if !server.field_expiry || kind != "hash" || fields_stay(held, &record).await? {
                    return Ok(Some(record));
                }
            }
            Outcome::Absent => return Ok(None),
            Outcome::Moved => {}
        }
    }
    Err(Error::new(Class::Limit, format!("a key changed during each of {ROUNDS} reads"))
        .help("capture from a replica, or at a quieter time"))
}

fn length(key: &[u8], kind: &str) -> Cmd {
    let name = match kind {
        "string" => "STRLEN",
        "hash" => "HLEN",
        "list" => "LLEN",
        "set" => "SCARD",
        "zset" => "ZCARD",
        "stream" => "XLEN",
        _ => "EXISTS",
    };
    cmd(name).arg(key).clone()
}

/// Type, expiry and value in one transaction: five commands.
fn at_once(key: &[u8], kind: &str) -> Result<[Cmd; 5]> {
    let value = match kind {
        "string" => cmd("GET").arg(key).clone(),
        "hash" => cmd("HGETALL").arg(key).clone(),
        "list" => cmd("LRANGE").arg(key).arg(0).arg(-1).clone(),
        "set" => cmd("SMEMBERS").arg(key).clone(),
        "zset" => cmd("ZRANGE").arg(key).arg(0).arg(-1).arg("WITHSCORES").clone(),
        "stream" => cmd("XINFO").arg("STREAM").arg(key).arg("FULL").arg("COUNT").arg(0).clone(),
        other => return Err(refused(other)),
    };
    Ok([cmd("MULTI"), cmd("TYPE").arg(key).clone(), cmd("PTTL").arg(key).clone(), value, cmd("EXEC")])
}

/// A type that has no exact form here.
fn refused(kind: &str) -> Error {
    // The name of a module's type is part of its program, not data.
    Error::new(Class::Input, format!("a key holds a value of type `{kind}`, which can't be carried exactly"))
        .help("narrow the pattern of the key family so that it leaves such keys out")
}

fn outcome(held: &Held<'_>, key: &[u8], kind: &str, answers: &[Value]) -> Result<Outcome> {
    for answer in &answers[..4] {
        held.checked(answer.clone())?;
    }
    let exec = held.checked(answers[4].clone())?;
    let Value::Array(results) = exec else { return Ok(Outcome::Moved) };
    let [now, ttl, value] = <[Value; 3]>::try_from(results).map_err(|_| strange("EXEC"))?;
    match text(now).as_deref() {
        Some("none") => return Ok(Outcome::Absent),
        Some(now) if now == kind => {}
        _ => return Ok(Outcome::Moved),
    }
    let value = held.checked(value)?;
    let (Some(value), Some(ttl)) = (whole(kind, value), int(ttl)) else { return Err(strange("EXEC")) };
    Ok(finished(key, value, ttl))
}

fn finished(key: &[u8], value: RedisValue, ttl: i64) -> Outcome {
    match ttl {
        -2 => Outcome::Absent,
        ttl => Outcome::There(Record { key: key.to_vec(), value, ttl: (ttl >= 0).then_some(ttl) }),
    }
}

/// Reads a large value page by page; the key is watched already.
async fn paged(held: &mut Held<'_>, key: &[u8], kind: &str) -> Result<Outcome> {
    let value = match kind {
        "hash" => cursor(held, "HSCAN", key).await?.map(|flat| RedisValue::Hash(paired(flat).into_iter().collect())),
        "zset" => match cursor(held, "ZSCAN", key).await? {
            Some(flat) => {
                let members = scored(paired(flat).into_iter().collect());
                Some(RedisValue::Zset(members.ok_or_else(|| strange("ZSCAN"))?))
            }
            None => None,
        },
        "set" => cursor(held, "SSCAN", key).await?.map(|flat| {
            let members: BTreeSet<Blob> = flat.into_iter().collect();
            RedisValue::Set(members.into_iter().collect())
        }),
        "list" => list(held, key).await?.map(RedisValue::List),
        "stream" => large_stream(held, key).await?.map(RedisValue::Stream),
        other => return Err(refused(other)),
    };
    let end = vec![cmd("MULTI"), cmd("PTTL").arg(key).clone(), cmd("PING"), cmd("EXEC")];
    match (held.ask(end).await?.pop(), value) {
        (Some(Value::Array(results)), Some(value)) => match results.into_iter().next().and_then(int) {
            Some(ttl) => Ok(finished(key, value, ttl)),
            None => Err(strange("EXEC")),
        },
        _ => Ok(Outcome::Moved),
    }
}

/// One page; `None` if the key has another type by now.
async fn page(held: &mut Held<'_>, command: Cmd) -> Result<Option<Value>> {
    match held.raw(vec![command]).await?.pop() {
        Some(Value::ServerError(error)) if error.code() == "WRONGTYPE" => Ok(None),
        Some(answer) => held.checked(answer).map(Some),
        None => Ok(None),
    }
}

/// All elements that a cursor gives, some of them more than once.
async fn cursor(held: &mut Held<'_>, command: &str, key: &[u8]) -> Result<Option<Vec<Blob>>> {
    let (mut out, mut cursor) = (Vec::new(), b"0".to_vec());
    loop {
        let scan = cmd(command).arg(key).arg(&cursor).arg("COUNT").arg(PAGE).clone();
        let Some(answer) = page(held, scan).await? else { return Ok(None) };
        let [next, elements] = <[Value; 2]>::try_from(items(answer)).map_err(|_| strange(command))?;
        out.extend(blobs(elements).ok_or_else(|| strange(command))?);
        cursor = bytes(next).ok_or_else(|| strange(command))?;
        if cursor == b"0" {
            return Ok(Some(out));
        }
    }
}

/// Names and values that came one after the other, each name once.
fn paired(flat: Vec<Blob>) -> BTreeMap<Blob, Blob> {
    let mut flat = flat.into_iter();
    let mut out = BTreeMap::new();
    while let (Some(name), Some(value)) = (flat.next(), flat.next()) {
        out.insert(name, value);
    }
    out
}

async fn list(held: &mut Held<'_>, key: &[u8]) -> Result<Option<Vec<Blob>>> {
    let mut out = Vec::new();
    loop {
        let (from, to) = (out.len(), out.len() + PAGE - 1);
        let Some(answer) = page(held, cmd("LRANGE").arg(key).arg(from).arg(to).clone()).await? else { return Ok(None) };
        let elements = blobs(answer).ok_or_else(|| strange("LRANGE"))?;
        if elements.is_empty() {
            return Ok(Some(out));
        }
        out.extend(elements);
    }
}

/// A stream with many entries: what is pending comes at once, the entries in pages.
async fn large_stream(held: &mut Held<'_>, key: &[u8]) -> Result<Option<Stream>> {
    let Some(groups) = page(held, cmd("XINFO").arg("GROUPS").arg(key).clone()).await? else { return Ok(None) };
    let pending = items(groups).into_iter().filter_map(reply::pending).max().unwrap_or(0).max(1);
    let full = cmd("XINFO").arg("STREAM").arg(key).arg("FULL").arg("COUNT").arg(pending).clone();
    let Some(answer) = page(held, full).await? else { return Ok(None) };
    let mut stream = reply::stream(answer).ok_or_else(|| strange("XINFO STREAM"))?;
    stream.entries.clear();
    let mut from = "-".to_owned();
    loop {
        let range = cmd("XRANGE").arg(key).arg(&from).arg("+").arg("COUNT").arg(PAGE).clone();
        let Some(answer) = page(held, range).await? else { return Ok(None) };
        let read = entries(answer).ok_or_else(|| strange("XRANGE"))?;
        let Some((last, _)) = read.last() else { return Ok(Some(stream)) };
        from = after(last).ok_or_else(|| strange("XRANGE"))?;
        stream.entries.extend(read);
    }
}

/// The id that follows an entry's id.
fn after(id: &str) -> Option<String> {
    let (millis, sequence) = id.split_once('-')?;
    let (millis, sequence) = (millis.parse::<u64>().ok()?, sequence.parse::<u64>().ok()?);
    Some(match sequence.checked_add(1) {
        Some(sequence) => format!("{millis}-{sequence}"),
        None => format!("{}-0", millis.checked_add(1)?),
    })
}

/// Refuses a hash whose fields expire one by one; `false` if a field is gone meanwhile.
async fn fields_stay(held: &mut Held<'_>, record: &Record) -> Result<bool> {
    let RedisValue::Hash(fields) = &record.value else { return Ok(true) };
    for fields in fields.chunks(1_000) {
        let mut command = cmd("HPEXPIRETIME").arg(&record.key).arg("FIELDS").arg(fields.len()).clone();
        for (name, _) in fields {
            command.arg(&name.0);
        }
        let Some(answer) = page(held, command).await? else { return Ok(false) };
        for time in items(answer).into_iter().map(|time| int(time).unwrap_or(-2)) {
            match time {
                -1 => {}
                -2 => return Ok(false),
                _ => return Err(refused("hash with expiring fields")),
            }
        }
    }
    Ok(true)
}
