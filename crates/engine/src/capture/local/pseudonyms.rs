//! What an agent tells of values: their pseudonyms, and never what they were.
//!
//! Hidden here: what becomes of a root's filter and of references that dangle, and how a value is told of that has no
//! pseudonym.

use std::sync::Arc;

use reenact_model::canonical::Writer;
use reenact_model::catalog::End;
use reenact_model::{Class, EntityId, Error, Field, FieldId, FieldPath, Key, Result, Site};

use super::{LocalAgent, unprepared};
use crate::capture::agent::{Setup, What};
use crate::record::Dangling;

impl LocalAgent {
    /// The pseudonyms of a root's filter.
    pub(super) fn pseudonyms(&mut self, root: usize, entity: &EntityId, values: &[Key]) -> Result<Vec<Vec<String>>> {
        let state = self.state.as_mut().ok_or_else(unprepared)?;
        let (fields, seeds) = (state.setup.roots[root].fields.clone(), &state.setup.roots[root].seeds);
        let entity = state.entities.get(entity).map(|e| Arc::clone(&e.entity)).ok_or_else(unprepared)?;
        let masker = state.masker.as_mut().ok_or_else(unprepared)?;
        let mut out = Vec::new();
        for (n, field) in fields.into_iter().enumerate() {
            let column = entity.field(&field.column).ok_or_else(unprepared)?.clone();
            let misfit = Misfit { root, seed: seeds.get(n).cloned().flatten(), field: &column };
            let field = [(entity.id.clone(), column.clone(), field)];
            let site = Site::field(&FieldId::new(&entity.id, &field[0].2));
            let mut pseudonyms = Vec::new();
            for value in values {
                let text = &value.parts()[n];
                // A value that the column can't hold is no record's, and none that the mask was chosen for.
                if field[0].2.path.is_none() && Writer::new(column.value, 1).push(text, b't').is_err() {
                    return Err(misfit.told(None).at(site));
                }
                let key = masker.key(&field, &Key::new([text.clone()]));
                let key = key.map_err(|error| misfit.told(Some(&error)).at(site.clone()))?;
                pseudonyms.extend(key.and_then(|k| k.parts().first().map(ToString::to_string)));
            }
            out.push(pseudonyms);
        }
        Ok(out)
    }

    pub(super) fn dangling(&mut self) -> Result<Vec<Dangling>> {
        let state = self.state.as_mut().ok_or_else(unprepared)?;
        let masker = state.masker.as_mut().ok_or_else(unprepared)?;
        let mut out = Vec::new();
        for ((what, _), asked) in &state.asked {
            let What::Parent(edge) = *what else { continue };
            let relationship = &state.setup.relationships[edge];
            let asked = state.equality[edge].keys(asked);
            let missing = state.present.get(&edge).map_or_else(|| asked.clone(), |present| asked.minus(present));
            if missing.is_empty() {
                continue;
            }
            let fields = end_fields(&state.setup, &relationship.child)?;
            let mut keys = Vec::new();
            for key in missing.iter() {
                keys.extend(masker.key(&fields, key)?);
            }
            keys.sort();
            out.push(Dangling { edge, keys });
        }
        out.sort_by_key(|d| d.edge);
        Ok(out)
    }
}

/// A value of a root's filter that its field can't have; the value itself is told nowhere.
struct Misfit<'a> {
    root: usize,
    seed: Option<String>,
    field: &'a Field,
}

impl Misfit<'_> {
    /// `masking` is why the field's mask did not take it; without one, its type did not.
    fn told(&self, masking: Option<&Error>) -> Error {
        let (root, name, native) = (self.root + 1, &self.field.name, &self.field.native);
        let value =
            self.seed.as_ref().map_or("its literal".to_owned(), |seed| format!("the value of the seed `{seed}`"));
        let told =
            |what: String, help: &str| Error::new(Class::Input, format!("root {root}: {value} {what}")).help(help);
        match masking {
            None => told(
                format!("is none of the type `{native}` that the field `{name}` has"),
                "check the value, and that it is spelt as the store has it",
            ),
            Some(why) => told(
                format!("can't be masked as one of the field `{name}` with the type `{native}`: {}", why.message()),
                "check the value; if the store does hold it, choose a mask that takes all values of this field",
            ),
        }
    }
}

/// The fields of an end with their columns' descriptions.
fn end_fields(setup: &Setup, end: &End) -> Result<Vec<(EntityId, Field, FieldPath)>> {
    let entity = setup.catalogs.iter().flat_map(|c| &c.entities).find(|e| e.id == end.entity).ok_or_else(unprepared)?;
    end.fields
        .iter()
        .map(|path| Ok((entity.id.clone(), entity.field(&path.column).ok_or_else(unprepared)?.clone(), path.clone())))
        .collect()
}
