//! How many records of a bundle share a combination of quasi-identifiers.
//!
//! Hidden here: the counting. Records are read as they were masked; of a combination only a digest is held, in memory, and what leaves are
//! counts. It tells of the records of one bundle and of nobody else: somebody who is alone here may be one of many outside, and the other way around.

use std::collections::HashMap;

use reenact_bundle::Bundle;
use reenact_model::canonical::Reader;
use reenact_model::{FieldId, Result};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// What was counted of one set of quasi-identifiers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Population {
    /// The fields.
    pub fields: Vec<FieldId>,
    /// How many records of their entity the bundle holds.
    pub records: u64,
    /// How many combinations of values these have; NULL is a value.
    pub combinations: u64,
    /// The records of the rarest combination; 0 if there is no record.
    pub k: u64,
    /// How many records are alone with their combination.
    pub unique: u64,
}

/// Counts the masked records of a bundle; a set of which a field is not in the bundle is not counted.
///
/// # Errors
/// [`reenact_model::Class::Bundle`] if a member can't be read or is not what the contents state.
pub fn measure(bundle: &Bundle, sets: &[Vec<FieldId>]) -> Result<Vec<Population>> {
    let mut out = Vec::new();
    for fields in sets {
        let Some(entity) = fields.first().and_then(|field| bundle.contents().entity(&field.entity)) else { continue };
        let columns: Option<Vec<_>> = fields.iter().map(|field| entity.field(&field.field.column)).collect();
        let Some(columns) = columns else { continue };
        let mut groups: HashMap<[u8; 32], u64> = HashMap::new();
        for rows in bundle.rows(&entity.id)? {
            let rows = rows?;
            let batch = rows.batch();
            let arrays: Option<Vec<_>> = columns.iter().map(|field| batch.column_by_name(&field.name)).collect();
            let Some(arrays) = arrays else { continue };
            let readers: Vec<Reader<'_>> =
                arrays.iter().zip(&columns).map(|(array, field)| Reader::new(array, field.value)).collect();
            for row in 0..batch.num_rows() {
                let mut combination = Sha256::new();
                for reader in &readers {
                    // With its length, so that no two combinations are one text.
                    match reader.get(row) {
                        None => combination.update([0]),
                        Some(text) => {
                            combination.update([1]);
                            combination.update((text.len() as u64).to_le_bytes());
                            combination.update(text.as_bytes());
                        }
                    }
                }
                *groups.entry(combination.finalize().into()).or_default() += 1;
            }
        }
        out.push(Population {
            fields: fields.clone(),
            records: groups.values().sum(),
            combinations: groups.len() as u64,
            k: groups.values().copied().min().unwrap_or(0),
            unique: groups.values().filter(|count| **count == 1).count() as u64,
        });
    }
    Ok(out)
}
