//! SQL stores, and what they share.
//!
//! Hidden here: what is the same in every dialect: which columns a read or a load means, globs of a scope, which target is
//! taken and when it agrees with the bundle, how records are compared after a load. No SQL text is made here; quoting and
//! queries are each dialect's own.

mod checks;
pub mod mysql;
pub mod postgres;
pub mod sqlite;

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use futures::StreamExt;
use futures::stream::BoxStream;
use reenact_model::captured::Extractor;
use reenact_model::catalog::{Condition, Role, Scope};
use reenact_model::digest::EntityDigest;
use reenact_model::payload::Codec;
use reenact_model::{
    Class, Entity, EntityId, Error, Field, FieldId, FieldPath, KeySet, Relationship, Result, ServiceCatalog, Site, Via,
};

use crate::{MARKER, Read, Selection};

/// Records as they come.
pub(crate) type Rows<'a> = BoxStream<'a, Result<RecordBatch>>;

/// The name of the coordinate that says in which table of an inheritance tree a row lies.
pub const LEAF: &str = "reenact_leaf";

/// How long a server may take to let us in.
const CONNECT: Duration = Duration::from_secs(5);

/// Rows per batch at most.
pub(crate) const BATCH_ROWS: usize = 32_768;
/// Bytes per batch, about.
pub(crate) const BATCH_BYTES: usize = 4 << 20;

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

/// The table's name, unquoted and without its schema.
pub(crate) fn table_name(entity: &Entity) -> String {
    entity.id.parts().pop().unwrap_or_default()
}

/// A read of some columns of all records.
pub(crate) fn all(entity: &Arc<Entity>, columns: Vec<String>) -> Read {
    let (selection, via) = (Selection::All, Via::root(0));
    Read { entity: entity.clone(), columns, selection, via, limit: None, ordered: false }
}

/// The records of a read up to its limit; one more is an error.
pub(crate) fn limited<'a>(read: &Read, rows: Rows<'a>) -> Rows<'a> {
    let Some(limit) = read.limit else { return rows };
    let site = Site::entity(&read.entity.id);
    let mut given = 0_u64;
    rows.map(move |batch| {
        let batch = batch?;
        given += batch.num_rows() as u64;
        if given <= limit {
            return Ok(batch);
        }
        Err(Error::new(Class::Limit, format!("more than {limit} records match"))
            .at(site.clone())
            .help("narrow the root or the edge, or raise `limits.rows`"))
    })
    .boxed()
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

/// Refuses a place without the marker, and one that is a source.
pub(crate) fn admit(service: &str, is_marked: bool, is_source: bool) -> Result<()> {
    let refused = |message: String| Error::new(Class::Refused, message).at(Site::service(service));
    if !is_marked {
        return Err(refused(format!("the target has no marker table `{MARKER}`"))
            .help("only a store that is meant to be overwritten may be marked"));
    }
    if is_source {
        return Err(refused("the target is a store that the bundle was captured from".to_owned()).help(
            "a replica of it and a copy of its files count as the same store: load into one that was made anew",
        ));
    }
    Ok(())
}

/// The target's own table for an entity of the bundle, which must be able to hold it as it is.
pub(crate) fn own_entity(own: &ServiceCatalog, bundle: &Entity) -> Result<Arc<Entity>> {
    let missing = || Error::new(Class::Differences, "the target has no such table").at(Site::entity(&bundle.id));
    let found = own.entity(&bundle.id.name).ok_or_else(missing)?;
    agree(bundle, found)?;
    Ok(found.clone())
}

/// The error of a table that is to be filled and is not empty.
pub(crate) fn holds_records(entity: &Entity) -> Error {
    Error::new(Class::Refused, "the target's table holds records already")
        .at(Site::entity(&entity.id))
        .help("replay into an empty database")
}

/// Count and digest of the bundle's columns in the target's own table.
pub(crate) async fn digest<'a>(
    batches: impl Fn(&Read) -> Rows<'a>,
    own: &Arc<Entity>,
    bundle: &Entity,
) -> Result<EntityDigest> {
    let mut digest = EntityDigest::default();
    let mut rows = batches(&all(own, stored_columns(bundle)));
    while let Some(batch) = rows.next().await {
        digest.add(&batch?, bundle.compared());
    }
    Ok(digest)
}

/// The keys of one end of an edge.
pub(crate) async fn keys<'a>(
    batches: impl Fn(&Read) -> Rows<'a>,
    entity: &Entity,
    fields: &[FieldPath],
    condition: Option<&Condition>,
) -> Result<KeySet> {
    let extractor = Extractor::new(entity, fields, condition)?;
    let columns: BTreeSet<String> = extractor.columns().map(str::to_owned).collect();
    keys_of(batches(&all(&Arc::new(entity.clone()), columns.into_iter().collect())), &extractor).await
}

/// All keys of batches.
pub(crate) async fn keys_of(mut batches: Rows<'_>, extractor: &Extractor) -> Result<KeySet> {
    let mut keys = KeySet::new();
    while let Some(batch) = batches.next().await {
        keys.extend(&extractor.key_set(&batch?)?);
    }
    Ok(keys)
}

/// The keys of an edge's child end that have no parent. `anti_join` gives them as rows where the server itself can compare
/// both ends; ends that no constraint ties together may differ in type, and are compared by their canonical texts.
pub(crate) async fn dangling<'a>(
    batches: impl Fn(&Read) -> Rows<'a>,
    anti_join: impl FnOnce() -> Result<Rows<'a>>,
    edge: &Relationship,
    child: &Entity,
    parent: &Entity,
) -> Result<KeySet> {
    let mut fields = edge.child.fields.iter().chain(&edge.parent.fields);
    if edge.declared && edge.condition.is_none() && fields.all(|field| field.path.is_none()) {
        return keys_of(anti_join()?, &Extractor::new(child, &edge.child.fields, None)?).await;
    }
    let children = keys(&batches, child, &edge.child.fields, edge.condition.as_ref()).await?;
    let parents = keys(&batches, parent, &edge.parent.fields, None).await?;
    Ok(children.minus(&parents))
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
    use std::collections::BTreeMap;

    use arrow::array::RecordBatchOptions;
    use futures::TryStreamExt;

    use super::*;

    #[tokio::test]
    async fn a_limit_counts_over_batches() {
        let id = EntityId::new("s", "e");
        let entity = Entity {
            id,
            fields: Vec::new(),
            key: Vec::new(),
            uniques: Vec::new(),
            estimate: None,
            properties: BTreeMap::new(),
        };
        let rows = |count| {
            RecordBatch::try_new_with_options(
                entity.schema(),
                Vec::new(),
                &RecordBatchOptions::new().with_row_count(Some(count)),
            )
            .expect("a batch")
        };
        let mut read = all(&Arc::new(entity.clone()), Vec::new());
        for (limit, fits) in [(6, true), (5, false)] {
            read.limit = Some(limit);
            let both = futures::stream::iter([Ok(rows(3)), Ok(rows(3))]).boxed();
            let got: Result<Vec<_>> = limited(&read, both).try_collect().await;
            assert_eq!(got.err().map(|error| error.class()), (!fits).then_some(Class::Limit));
        }
    }

    #[test]
    fn globs_match_whole_names() {
        assert!(glob("public.*", "public.users") && glob("*", "") && glob("a?c*", "abcd") && glob("*b*", "abc"));
        assert!(!glob("public.u", "public.users") && !glob("?", "") && !glob("*x", "abc"));
    }
}
