//! What a store pins in one act, and where it was pinned.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What a store pins in one act.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Part {
    /// One SQL database, or the one dataset of a memory store.
    Database,
    /// One node of a Redis service.
    Node(u32),
    /// The ends of all declared topics of a Kafka service.
    TopicEnds,
    /// The committed offsets of one consumer group.
    Group(String),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database => f.write_str("database"),
            Self::Node(n) => write!(f, "node {n}"),
            Self::TopicEnds => f.write_str("topic ends"),
            Self::Group(group) => write!(f, "group {group}"),
        }
    }
}

/// A part's own coordinate at the moment of its pin: LSN and snapshot, GTID or binlog position, offsets, `data_version`.
///
/// The keys are the store's own words and are stable: they stand in the bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Named coordinates, such as `lsn → 0/1A2B3C` or `orders/0 → 1800`.
    pub at: BTreeMap<String, String>,
}

impl Position {
    /// A position with one coordinate.
    #[expect(clippy::needless_pass_by_value, reason = "a call reads better with the value itself")]
    pub fn of(key: &str, value: impl ToString) -> Self {
        Self { at: BTreeMap::from([(key.to_owned(), value.to_string())]) }
    }

    /// The same position with one more coordinate.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "a call reads better with the value itself")]
    pub fn with(mut self, key: &str, value: impl ToString) -> Self {
        self.at.insert(key.to_owned(), value.to_string());
        self
    }
}
