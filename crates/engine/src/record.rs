//! What a capture did, as it stands sealed in the bundle: cut, roots, decisions, references that dangled.

use std::collections::BTreeMap;

use reenact_mask::Decision;
use reenact_mask::approval::Held;
use reenact_model::error::{Class, Error, Result};
use reenact_model::graph::Wave;
use reenact_model::{EntityId, FieldId, FieldPath, Finding, Key, Part, Position};
use reenact_stores::GroupOffsets;
use serde::{Deserialize, Serialize};

pub use crate::capture::Residue;
pub use crate::places::Places;

/// How good a cut is; never better on paper than it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// Everything is of one part and of one moment.
    Exact,
    /// No effect without its cause, along the declared flow.
    Causal,
    /// A key became known only after its store was pinned, so its record was read after its source was: say so.
    Skewed,
}

/// A part as it was pinned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PinnedPart {
    /// The service.
    pub service: String,
    /// The part.
    pub part: Part,
    /// Where it stood.
    pub position: Position,
    /// Its turn in the order of pins, from 0; parts of one turn were pinned together.
    pub turn: usize,
    /// What the pin could not hold, and what the reads found missing inside of it.
    pub gaps: Vec<String>,
}

/// A root with the pseudonyms of its filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootRecord {
    /// The entities it names.
    pub entities: Vec<EntityId>,
    /// The fields of its filter with the seed's name, if it has one, and the pseudonyms of its values.
    pub filter: Vec<(FieldPath, Option<String>, Vec<String>)>,
}

/// References that had no parent in production.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dangling {
    /// The relationship, as an index into the bundle's.
    pub edge: usize,
    /// The pseudonyms of the keys that lead nowhere, in key order.
    pub keys: Vec<Key>,
}

/// What a capture did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaptureRecord {
    /// SHA-256 of the pipeline's text.
    pub pipeline: String,
    /// SHA-256 of the policy's text.
    pub policy: String,
    /// How good the cut is.
    pub grade: Grade,
    /// Milliseconds between the first pin's request and the last pin's answer.
    pub skew_ms: u64,
    /// The parts, in the order of their pins.
    pub parts: Vec<PinnedPart>,
    /// The roots.
    pub roots: Vec<RootRecord>,
    /// Seeds and the pseudonyms of their values, in the order in which they were given.
    pub seeds: BTreeMap<String, Vec<String>>,
    /// Every field's decision.
    pub decisions: Vec<Decision>,
    /// References that dangled.
    pub dangling: Vec<Dangling>,
    /// The groups' offsets, as they were in production.
    pub groups: Vec<(String, GroupOffsets)>,
    /// The entities that the capture could have reached.
    pub reached: Vec<EntityId>,
    /// The services in the order of loading.
    pub load_order: Vec<String>,
    /// Each service's waves.
    pub waves: BTreeMap<String, Vec<Wave>>,
    /// Queries sent, by service.
    pub queries: BTreeMap<String, u64>,
    /// What the residue proof looked at; it found nothing, or there would be no bundle.
    #[serde(default)]
    pub residue: Option<Residue>,
    /// Where each service stood, as salted hashes.
    #[serde(default)]
    pub places: BTreeMap<String, Places>,
    /// The approvals of the policy that held, one for each key.
    #[serde(default)]
    pub approvals: Vec<Held>,
    /// Fields that are newer than an approval, and were redacted because no rule names them.
    #[serde(default)]
    pub unapproved: Vec<FieldId>,
    /// What only the data showed of the policy, and stopped nothing.
    #[serde(default)]
    pub warnings: Vec<Finding>,
}

/// The name of one of a seed's values: `order` for the first, `order.2` for the second.
pub(crate) fn seed_name(seed: &str, place: usize) -> String {
    if place == 0 { seed.to_owned() } else { format!("{seed}.{}", place + 1) }
}

impl CaptureRecord {
    /// Every value of every seed with its name: `order` for the first, `order.2` for the second.
    pub fn named_seeds(&self) -> Vec<(String, &str)> {
        let mut out = Vec::new();
        for (seed, values) in &self.seeds {
            out.extend(values.iter().enumerate().map(|(place, value)| (seed_name(seed, place), value.as_str())));
        }
        out
    }

    /// Reads the record out of a bundle's contents.
    ///
    /// # Errors
    /// [`Class::Bundle`] if it is of another shape.
    pub fn of(contents: &reenact_bundle::Contents) -> Result<Self> {
        serde_json::from_value(contents.record.clone())
            .map_err(|_| Error::new(Class::Bundle, "the bundle's capture record can't be read by this version"))
    }
}
