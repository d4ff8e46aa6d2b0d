//! What a bundle holds, for those who can open it.
//!
//! Hidden here: nothing but the shape. The contents are the one member that names things; how a capture went (its cut,
//! its roots, its decisions) travels in it as the engine's own record.

use std::collections::BTreeMap;
use std::sync::Arc;

use reenact_model::digest::EntityDigest;
use reenact_model::{Entity, EntityId, Relationship, Result, ServiceCatalog};
use serde::{Deserialize, Serialize};

use crate::FORMAT_VERSION;
use crate::failure::{beyond, damaged};
use crate::ids::MemberId;
use crate::writer::Sealed;

/// The greatest size of the contents, in bytes.
pub(crate) const CONTENTS_LIMIT: u64 = 256 << 20;

/// The sealed description of a bundle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contents {
    /// The version of this description; [`FORMAT_VERSION`] when it is written.
    pub format_version: u32,
    /// The program that wrote it, with its version.
    pub tool: String,
    /// When the capture was, in milliseconds since 1970 UTC.
    pub captured_ms: i64,
    /// What each service held.
    pub services: Vec<ServiceCatalog>,
    /// All relationships, declared and virtual; the index is the edge of a [`Via`](reenact_model::Via).
    pub relationships: Vec<Relationship>,
    /// The members with records, in the order in which they are read.
    pub members: Vec<MemberInfo>,
    /// The engine's own record of the capture.
    pub record: serde_json::Value,
}

/// What one member holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberInfo {
    /// The member.
    pub id: MemberId,
    /// The entity whose records it holds.
    pub entity: EntityId,
    /// Count and content digest of these records.
    pub digest: EntityDigest,
}

impl From<&Sealed> for MemberInfo {
    fn from(sealed: &Sealed) -> Self {
        Self { id: sealed.id, entity: sealed.entity.clone(), digest: sealed.digest }
    }
}

impl Contents {
    /// The entity of an id, in whichever service it is.
    pub fn entity(&self, id: &EntityId) -> Option<&Arc<Entity>> {
        self.services.iter().find(|service| service.service == id.service)?.entity(&id.name)
    }

    /// Count and content digest of every entity that has members.
    pub fn digests(&self) -> BTreeMap<EntityId, EntityDigest> {
        let mut digests: BTreeMap<EntityId, EntityDigest> = BTreeMap::new();
        for member in &self.members {
            let digest = digests.entry(member.entity.clone()).or_default();
            *digest = digest.merge(member.digest);
        }
        digests
    }

    /// Reads the description out of its member.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        /// The part that every version has.
        #[derive(Deserialize)]
        struct Version {
            format_version: u32,
        }
        if bytes.len() as u64 > CONTENTS_LIMIT {
            return Err(beyond("contents", "larger than 256 MiB"));
        }
        let no_contents = |_| damaged("contents", "they can't be parsed");
        let version: Version = serde_json::from_slice(bytes).map_err(no_contents)?;
        if version.format_version > FORMAT_VERSION {
            return Err(damaged("contents", "written by a later version").help("use a newer release to read it"));
        }
        serde_json::from_slice(bytes).map_err(no_contents)
    }
}
