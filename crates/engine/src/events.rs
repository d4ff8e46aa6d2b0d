//! What happens while it happens: counts and names, never values.

use reenact_model::{EntityId, FieldId, Part};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A service was described.
    Described {
        /// The service.
        service: String,
        /// How many entities it holds.
        entities: usize,
    },
    /// The policy's approvals were held against its decisions, and enough of them hold.
    Approved {
        /// The short names of the keys.
        keys: Vec<String>,
        /// Fields newer than an approval, all of them redacted because no rule names them.
        added: Vec<FieldId>,
        /// Fields that were approved, and are there no more.
        gone: Vec<FieldId>,
    },
    /// One round of the closure walk is over.
    Scouted {
        /// The number of edges from a root.
        depth: i32,
        /// Records found so far.
        rows: u64,
    },
    /// A part was pinned.
    Pinned {
        /// The service.
        service: String,
        /// The part.
        part: Part,
    },
    /// An entity was read, masked and sealed.
    Collected {
        /// The entity.
        entity: EntityId,
        /// Its records.
        rows: u64,
    },
    /// An entity was loaded into a target.
    Loaded {
        /// The entity.
        entity: EntityId,
        /// Its records.
        rows: u64,
    },
    /// A target's content was compared.
    Verified {
        /// The entity.
        entity: EntityId,
        /// Whether count and digest are equal.
        equal: bool,
    },
}

/// Takes events as they happen.
pub trait Observer: Send + Sync {
    /// Takes one event.
    fn event(&self, event: &Event);
}

/// Takes no notice.
#[derive(Debug)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: &Event) {}
}
