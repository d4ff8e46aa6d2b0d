//! What coordinator and agents say to each other. Nothing here holds a value in clear.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use reenact_bundle::Sealed;
use reenact_mask::masker::Named;
use reenact_mask::{Approval, PolicyText, Salt};
use reenact_model::catalog::Relationship;
use reenact_model::{EntityId, FieldPath, Finding, Part, Result, ServiceCatalog};
use reenact_stores::{Estimate, Pinned};
use serde::{Deserialize, Serialize};

use super::sealed::SealedBox;
use crate::places::Places;
use crate::record::Dangling;

/// The half of a capture that works beside one service.
#[async_trait]
pub trait Agent: Send {
    /// What the service holds, and the agent's public key.
    async fn describe(&mut self) -> Result<Described>;

    /// Everything that scouting and masking need; the agent resolves the policy itself.
    async fn prepare(&mut self, setup: Setup) -> Result<()>;

    /// The server's own estimates, without reading a record.
    async fn estimate(&mut self) -> Result<Vec<Estimated>>;

    /// Asks for records, once for each key, and tells which keys they lead to.
    async fn scout(&mut self, steps: Vec<Step>) -> Result<Scouted>;

    /// Pins a part, with what was scouted so far; what was scouted is then forgotten, to be scouted again in the pin.
    async fn pin(&mut self, part: Part) -> Result<Pinned>;

    /// What its records answered to the conditions of other services' rules: a truth value for each key, sealed to their agents.
    async fn verdicts(&mut self) -> Result<Vec<(String, SealedBox)>>;

    /// Takes another agent's answers.
    async fn heed(&mut self, verdicts: SealedBox) -> Result<()>;

    /// Reads, masks and seals every record that was scouted.
    async fn collect(&mut self) -> Result<Collected>;

    /// A piece of what its masks replaced, by its number, sealed to every other agent; nothing after the last.
    async fn needles(&mut self, piece: usize) -> Result<Vec<(String, SealedBox)>>;

    /// Takes what another agent's masks replaced.
    async fn learn(&mut self, needles: SealedBox) -> Result<()>;

    /// Lets go of the source, and looks through everything that it wrote, and through `texts`, for what any agent's masks
    /// replaced.
    async fn search(&mut self, texts: Vec<String>) -> Result<Searched>;
}

/// What an agent says of its service.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Described {
    /// What the service holds.
    pub catalog: ServiceCatalog,
    /// The agent's public key.
    pub recipient: String,
    /// Whether its parts can be pinned only with the keys known.
    pub pins_keys: bool,
    /// Where the service stands.
    pub places: Places,
}

/// What an agent must know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Setup {
    /// All services' catalogs.
    pub catalogs: Vec<ServiceCatalog>,
    /// All relationships; an edge is an index into these.
    pub relationships: Vec<Relationship>,
    /// The roots.
    pub roots: Vec<RootSetup>,
    /// The entities that the capture may read.
    pub reached: BTreeSet<EntityId>,
    /// The entities that are taken whole.
    pub whole: BTreeSet<EntityId>,
    /// The policy's text, with all that it includes.
    pub policy: PolicyText,
    /// The policy's approvals; each agent asks by itself for as many as its own keyring says.
    pub approvals: Vec<Approval>,
    /// The scope's salt; useless without the root key, which only agents have.
    pub salt: Salt,
    /// The agents' public keys, by service.
    pub recipients: BTreeMap<String, String>,
    /// The most records and bytes of one agent.
    pub limits: (u64, u64),
}

/// A root as agents see it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RootSetup {
    /// The fields of its filter.
    pub fields: Vec<FieldPath>,
    /// The names of the seeds that give the fields' values; `None` for a literal of the file.
    pub seeds: Vec<Option<String>>,
    /// The edges along which children of anything taken are taken.
    pub along: BTreeSet<usize>,
}

/// Why records are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum What {
    /// They match a root's filter.
    Root(usize),
    /// A record that was taken refers to them along this edge.
    Parent(usize),
    /// They refer along this edge to a record that was taken.
    Child(usize),
}

/// One question to an agent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Step {
    /// Why.
    pub what: What,
    /// The entity asked.
    pub entity: EntityId,
    /// How many edges of children are still to be followed from these records.
    pub levels: u32,
    /// How many edges lie behind.
    pub depth: i32,
    /// The keys, or a root's values; `None` for a root that takes whole entities.
    pub keys: Option<SealedBox>,
}

/// Keys that records lead to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Found {
    /// Along which edge.
    pub what: What,
    /// The entity to ask.
    pub entity: EntityId,
    /// How many edges of children are still to be followed there.
    pub levels: u32,
    /// The keys, sealed to that entity's agent.
    pub keys: SealedBox,
    /// How many there are.
    pub count: u64,
}

/// The answer to a round of questions.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Scouted {
    /// New records, by the step's position in the round.
    pub rows: Vec<u64>,
    /// Where they lead.
    pub found: Vec<Found>,
    /// Pseudonyms of the root's filter: root, and one per field for each value in turn.
    pub roots: Vec<(usize, Vec<Vec<String>>)>,
    /// Values of a root's filter that no record has: the step's position in the round, and the values' places, from 0.
    pub missed: Vec<(usize, Vec<usize>)>,
}

/// An estimate of the server's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimated {
    /// The entity.
    pub entity: EntityId,
    /// Along what it is asked.
    pub what: What,
    /// For one key (or the whole root).
    pub estimate: Estimate,
}

/// What an agent found in what it wrote.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Searched {
    /// Where something stands that a mask replaced elsewhere.
    pub findings: Vec<Finding>,
    /// Fingerprints of values that it looked for.
    pub originals: u64,
    /// Values that it looked at.
    pub values: u64,
}

/// What an agent wrote.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Collected {
    /// The sealed members.
    pub sealed: Vec<Sealed>,
    /// Parts of payloads that no rule decides.
    pub unknown: Vec<Finding>,
    /// The selectors of parts of payloads, and whether a payload had one.
    pub named: Vec<Named>,
    /// References that dangle, as pseudonyms.
    pub dangling: Vec<Dangling>,
    /// Records that became known only after the pin, in a store that can't read back in time.
    pub late: u64,
    /// What the reads found missing inside of what was pinned.
    pub gaps: Vec<String>,
    /// Bytes read.
    pub bytes: u64,
    /// Queries sent so far.
    pub queries: u64,
}
