//! Why a record is in a bundle: the chain from a root to it.
//!
//! Hidden here: how the chain is found again. Every record remembers the edge and depth by which it came; since masked keys
//! are injective, the record at the other end of that edge is found by its key, one step nearer to the root.

use std::collections::HashMap;

use reenact_bundle::Bundle;
use reenact_mask::Masked;
use reenact_model::canonical::Reader;
use reenact_model::captured::{Came, Extractor};
use reenact_model::catalog::End;
use reenact_model::{Class, Entity, EntityId, Error, FieldPath, Key, Result, Via};

use crate::record::{CaptureRecord, RootRecord, seed_name};

/// One record of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The entity.
    pub entity: EntityId,
    /// The record's key, as it is in the bundle; empty for an entity without a key.
    pub key: Vec<(String, String)>,
    /// How it came.
    pub how: String,
}

/// A record of a bundle, found by a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The entity.
    pub entity: EntityId,
    /// The field.
    pub field: FieldPath,
    /// Its value in the bundle.
    pub value: String,
}

impl Asked {
    /// Reads `seed.NAME`, `seed.NAME.2` for the second of its values, or `service/entity.field=value`.
    ///
    /// # Errors
    /// [`Class::Input`] if it is none of these, or there is no such seed or value.
    pub fn read(text: &str, record: &CaptureRecord) -> Result<Self> {
        if let Some(name) = text.strip_prefix("seed.") {
            return Self::seed(name, record);
        }
        let form = || {
            Error::new(Class::Input, "this names no record").help("write `seed.NAME`, or `service/entity.field=value`")
        };
        let (field, value) = text.split_once('=').ok_or_else(form)?;
        let id: reenact_model::FieldId = field.parse().map_err(|_| form())?;
        Ok(Self { entity: id.entity, field: id.field, value: value.to_owned() })
    }

    /// The record that one of a seed's values names; a seed whose name ends in a number goes before.
    fn seed(name: &str, record: &CaptureRecord) -> Result<Self> {
        let numbered = || {
            let (seed, number) = name.rsplit_once('.')?;
            record.seeds.contains_key(seed).then_some((seed, number.parse::<usize>().ok()?))
        };
        let (seed, number) =
            if record.seeds.contains_key(name) { Some((name, 1)) } else { numbered() }.ok_or_else(|| {
                let known: Vec<String> = record.named_seeds().iter().map(|(name, _)| format!("seed.{name}")).collect();
                Error::new(Class::Input, format!("the bundle has no seed `{name}`"))
                    .help(format!("it has {}", if known.is_empty() { "none".to_owned() } else { known.join(", ") }))
            })?;
        let filters =
            record.roots.iter().flat_map(|root| root.filter.iter().map(|filter| (root.entities.first(), filter)));
        for (entity, (field, from, values)) in filters {
            let value = number.checked_sub(1).and_then(|place| values.get(place));
            if let (Some(entity), true, Some(value)) = (entity, from.as_deref() == Some(seed), value) {
                return Ok(Self { entity: entity.clone(), field: field.clone(), value: value.clone() });
            }
        }
        let count = record.seeds.get(seed).map_or(0, Vec::len);
        Err(Error::new(
            Class::Input,
            format!("the seed `{seed}` has {count} value{}", if count == 1 { "" } else { "s" }),
        )
        .help(format!("`seed.{seed}` is the first, `seed.{seed}.2` the second")))
    }
}

/// The chain from a root to a record, root first.
///
/// # Errors
/// [`Class::Input`] if there is no such record.
pub fn why(bundle: &Bundle, record: &CaptureRecord, asked: &Asked) -> Result<Vec<Link>> {
    let mut loaded: HashMap<EntityId, Vec<Masked>> = HashMap::new();
    let fields = vec![asked.field.clone()];
    let start = find(bundle, &mut loaded, &asked.entity, &fields, None, &Key::new([asked.value.as_str()]), None)?
        .ok_or_else(|| {
            Error::new(Class::Input, "the bundle has no such record").at(reenact_model::Site::entity(&asked.entity))
        })?;
    let mut chain = Vec::new();
    let mut at = start;
    for _ in 0..100_000 {
        let (link, next) = step(bundle, record, &mut loaded, &at)?;
        chain.push(link);
        match next {
            Some(next) => at = next,
            None => break,
        }
    }
    chain.reverse();
    Ok(chain)
}

/// Where a record stands: entity, batch and row.
type At = (EntityId, usize, usize);

fn step(
    bundle: &Bundle,
    record: &CaptureRecord,
    loaded: &mut HashMap<EntityId, Vec<Masked>>,
    at: &At,
) -> Result<(Link, Option<At>)> {
    let (id, batch, row) = at;
    let rows = &loaded[id][*batch];
    let (via, entity) = (rows.via(), std::sync::Arc::clone(rows.entity()));
    let key = key_of(&entity, rows, *row);
    let link = |how: String| Link { entity: id.clone(), key: key.clone(), how };
    let edges = &bundle.contents().relationships;
    let (own, other, how) = match via.came() {
        Came::Root(n) => {
            let seeds = record.roots.get(n).map_or_else(|| Ok(Vec::new()), |root| seeds(root, &entity, rows, *row))?;
            let which = if seeds.is_empty() { String::new() } else { format!(" ({})", seeds.join(", ")) };
            return Ok((link(format!("root {}{which}", n + 1)), None));
        }
        Came::AsParent(n) => {
            let Some(edge) = edges.get(n) else { return Ok((link("unknown".to_owned()), None)) };
            ((&edge.parent, None), (&edge.child, edge.condition.as_ref()), format!("referred to by {}", edge.child))
        }
        Came::AsChild(n) => {
            let Some(edge) = edges.get(n) else { return Ok((link("unknown".to_owned()), None)) };
            ((&edge.child, edge.condition.as_ref()), (&edge.parent, None), format!("refers to {}", edge.parent))
        }
    };
    let extractor = Extractor::new(&entity, &own.0.fields, own.1)?;
    let keys = extractor.keys(rows.batch())?.swap_remove(*row);
    let End { entity: to, fields } = other.0;
    for key in keys {
        let nearer = Some(via.depth - 1);
        if let Some(next) = find(bundle, loaded, to, fields, other.1, &key, nearer)? {
            return Ok((link(how), Some(next)));
        }
    }
    Ok((link(how), None))
}

/// The names of the seeds' values by which a root's record came.
fn seeds(root: &RootRecord, entity: &Entity, rows: &Masked, row: usize) -> Result<Vec<String>> {
    let most = root.filter.iter().map(|(.., values)| values.len()).max().unwrap_or(0);
    let mut places: Vec<usize> = (0..most).collect();
    for (field, _, values) in root.filter.iter().filter(|_| most > 1) {
        let extractor = Extractor::new(entity, std::slice::from_ref(field), None)?;
        let own = extractor.keys(rows.batch())?.swap_remove(row);
        // A field with one value has it for all.
        let value = |place: usize| if values.len() == 1 { values.first() } else { values.get(place) };
        places.retain(|&place| value(place).is_some_and(|value| own.contains(&Key::new([value.as_str()]))));
    }
    let name = |(_, seed, values): &(FieldPath, Option<String>, Vec<String>)| {
        let seed = seed.as_ref()?;
        Some(match places.first() {
            Some(&place) => format!("seed.{}", seed_name(seed, if values.len() == 1 { 0 } else { place })),
            // The store took another spelling for equal.
            None => format!("a value of seed.{seed}"),
        })
    };
    Ok(root.filter.iter().filter_map(name).collect())
}

/// Finds a record by a key; `depth` picks among several.
fn find(
    bundle: &Bundle,
    loaded: &mut HashMap<EntityId, Vec<Masked>>,
    id: &EntityId,
    fields: &[FieldPath],
    condition: Option<&reenact_model::catalog::Condition>,
    key: &Key,
    depth: Option<i32>,
) -> Result<Option<At>> {
    let Some(entity) = bundle.contents().entity(id).cloned() else { return Ok(None) };
    if !loaded.contains_key(id) {
        loaded.insert(id.clone(), bundle.rows(id)?.collect::<Result<_>>()?);
    }
    let extractor = Extractor::new(&entity, fields, condition)?;
    let mut any = None;
    for (n, rows) in loaded[id].iter().enumerate() {
        let Via { depth: here, .. } = rows.via();
        for (row, keys) in extractor.keys(rows.batch())?.iter().enumerate() {
            if keys.contains(key) {
                if depth.is_none_or(|d| d == here) {
                    return Ok(Some((id.clone(), n, row)));
                }
                if depth.is_some_and(|d| here < d) {
                    any = any.or(Some((id.clone(), n, row)));
                }
            }
        }
    }
    Ok(any)
}

fn key_of(entity: &Entity, rows: &Masked, row: usize) -> Vec<(String, String)> {
    entity
        .key
        .iter()
        .filter_map(|name| {
            let field = entity.field(name)?;
            let array = rows.batch().column_by_name(name)?;
            Some((name.clone(), Reader::new(array, field.value).get(row)?.into_owned()))
        })
        .collect()
}

/// The fields of a record, by name; `None` is NULL.
pub type Fields = Vec<(String, Option<String>)>;

/// The records that have the value asked for, with all their fields as canonical texts.
///
/// # Errors
/// [`Class::Input`] if there is none.
pub fn records(bundle: &Bundle, asked: &Asked) -> Result<Vec<Fields>> {
    let none =
        || Error::new(Class::Input, "the bundle has no such record").at(reenact_model::Site::entity(&asked.entity));
    let entity = bundle.contents().entity(&asked.entity).cloned().ok_or_else(none)?;
    let extractor = Extractor::new(&entity, std::slice::from_ref(&asked.field), None)?;
    let wanted = Key::new([asked.value.as_str()]);
    let mut out = Vec::new();
    for rows in bundle.rows(&asked.entity)? {
        let rows = rows?;
        for (row, keys) in extractor.keys(rows.batch())?.iter().enumerate() {
            if keys.contains(&wanted) {
                let cell = |field: &reenact_model::Field| {
                    let array = rows.batch().column_by_name(&field.name)?;
                    let text = Reader::new(array, field.value).get(row).map(std::borrow::Cow::into_owned);
                    Some((field.name.clone(), text))
                };
                out.push(entity.writable().filter_map(cell).collect());
            }
        }
    }
    if out.is_empty() { Err(none()) } else { Ok(out) }
}
