//! SQL stores, and what they share.
//!
//! Hidden here: what is the same in every dialect: which columns a read or a load means, globs of a scope, when two
//! descriptions of a table agree, sums over batches. No SQL text is made here; quoting and queries are each dialect's own.

pub mod mysql;
pub mod postgres;
pub mod sqlite;

use std::io;
use std::time::Duration;

use arrow::array::RecordBatch;
use futures::StreamExt;
use futures::stream::BoxStream;
use reenact_model::captured::Extractor;
use reenact_model::catalog::{Role, Scope};
use reenact_model::digest::EntityDigest;
use reenact_model::payload::Codec;
use reenact_model::{Class, Entity, EntityId, Error, Field, FieldId, FieldPath, KeySet, Result, Site};

use crate::Read;

/// The name of the coordinate that says in which table of an inheritance tree a row lies.
pub const LEAF: &str = "reenact_leaf";

/// How long a server may take to let us in.
const CONNECT: Duration = Duration::from_secs(5);

/// Rows per batch at most.
pub(crate) const BATCH_ROWS: usize = 65_536;
/// Bytes per batch, about.
pub(crate) const BATCH_BYTES: usize = 8 << 20;

/// Whether a scope leaves an entity out, by its name with or without the service.
pub(crate) fn excluded(scope: &Scope, id: &EntityId) -> bool {
    scope.exclude.iter().any(|pattern| glob(pattern, &id.name) || glob(pattern, &id.to_string()))
}

/// The codec that a scope declares for a column.
pub(crate) fn declared_codec(scope: &Scope, id: &EntityId, column: &str) -> Option<Codec> {
    let found = scope
        .codecs
        .iter()
        .find(|(entity, name, _)| name == column && (*entity == id.name || *entity == id.to_string()));
    found.map(|(_, _, codec)| codec.clone())
}

/// `*` stands for any characters, `?` for one.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == '?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

/// The columns that a read means.
pub(crate) fn read_columns(read: &Read) -> Result<Vec<String>> {
    if read.columns.is_empty() {
        let fields = read.entity.fields.iter().filter(|field| field.role != Role::Generated);
        return Ok(fields.map(|field| field.name.clone()).collect());
    }
    for column in &read.columns {
        field(&read.entity, column)?;
    }
    Ok(read.columns.clone())
}

/// A field of an entity by its column.
pub(crate) fn field<'a>(entity: &'a Entity, column: &str) -> Result<&'a Field> {
    entity.field(column).ok_or_else(|| Error::new(Class::Input, "there is no such column").at(site(entity, column)))
}

/// The field that a path names, which must be a whole column.
pub(crate) fn whole<'a>(entity: &'a Entity, path: &FieldPath) -> Result<&'a Field> {
    if path.path.is_some() {
        let site = Site::field(&FieldId::new(&entity.id, path));
        return Err(
            Error::new(Class::Input, "records can't be selected by a path into a payload in this store").at(site)
        );
    }
    field(entity, &path.column)
}

/// The site of a column.
pub(crate) fn site(entity: &Entity, column: &str) -> Site {
    Site::field(&FieldId::new(&entity.id, &FieldPath::column(column)))
}

/// The error of a read that gives more than it may.
pub(crate) fn over_limit(entity: &Entity, limit: u64) -> Error {
    Error::new(Class::Limit, format!("more than {limit} records match"))
        .at(Site::entity(&entity.id))
        .help("narrow the root or the edge, or raise `limits.rows`")
}

/// The columns that an insert writes: all that are compared later, the leaf of an inheritance tree among them.
pub(crate) fn stored_columns(entity: &Entity) -> Vec<String> {
    entity.compared().map(str::to_owned).collect()
}

/// Refuses a target's table that can't hold the bundle's entity exactly as it is.
pub(crate) fn agree(bundle: &Entity, own: &Entity) -> Result<()> {
    for column in stored_columns(bundle) {
        let theirs = field(bundle, &column)?;
        let Some(ours) = own.field(&column) else {
            return Err(Error::new(Class::Differences, "the target has no such column").at(site(bundle, &column)));
        };
        if ours.value != theirs.value || ours.role != theirs.role {
            let message = format!("the target's column is `{}`, the bundle's is `{}`", ours.native, theirs.native);
            return Err(Error::new(Class::Differences, message).at(site(bundle, &column)));
        }
    }
    Ok(())
}

/// Count and digest of batches.
pub(crate) async fn digest_of(
    mut batches: BoxStream<'_, Result<RecordBatch>>,
    columns: &[String],
) -> Result<EntityDigest> {
    let mut digest = EntityDigest::default();
    while let Some(batch) = batches.next().await {
        digest.add(&batch?, columns.iter().map(String::as_str));
    }
    Ok(digest)
}

/// All keys of batches.
pub(crate) async fn keys_of(mut batches: BoxStream<'_, Result<RecordBatch>>, extractor: &Extractor) -> Result<KeySet> {
    let mut keys = KeySet::new();
    while let Some(batch) = batches.next().await {
        for key in extractor.keys(&batch?)?.into_iter().flatten() {
            keys.insert(key);
        }
    }
    Ok(keys)
}

/// What comes of connecting, in bounded time: a server that accepts and never answers would hold it up for ever.
pub(crate) async fn in_time<T>(
    connecting: impl Future<Output = std::result::Result<T, sqlx::Error>>,
) -> std::result::Result<T, sqlx::Error> {
    tokio::time::timeout(CONNECT, connecting)
        .await
        .unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
}

/// A message without a driver's words: what failed, and the code by which it can be looked up.
pub(crate) fn coded(what: &str, code: Option<&str>) -> String {
    code.map_or_else(|| what.to_owned(), |code| format!("{what} ({code})"))
}

#[cfg(test)]
#[path = "../../tests/common/mod.rs"]
mod common;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_whole_names() {
        assert!(glob("public.*", "public.users") && glob("*", "") && glob("a?c*", "abcd") && glob("*b*", "abc"));
        assert!(!glob("public.u", "public.users") && !glob("?", "") && !glob("*x", "abc"));
    }
}
