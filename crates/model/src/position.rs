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

    /// The same position as the end of a stretch of time that began at `start`, whose coordinates stand beside its own as
    /// `NAME:from`.
    #[must_use]
    pub fn since(mut self, start: &Self) -> Self {
        for (key, value) in start.at.iter().filter(|(key, _)| !key.ends_with(FROM)) {
            self.at.insert(format!("{key}{FROM}"), value.clone());
        }
        self
    }

    /// Whether everything was read at one moment, and not over a stretch of time.
    pub fn is_moment(&self) -> bool {
        !self.at.keys().any(|key| key.ends_with(FROM))
    }
}

/// The end of the name of a coordinate at which a stretch of time began.
const FROM: &str = ":from";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_is_no_moment_and_keeps_both_its_ends() {
        let (start, end) = (Position::of("offset", 3), Position::of("offset", 9));
        assert!(end.is_moment());
        let stretch = end.since(&start);
        assert!(!stretch.is_moment());
        assert_eq!((stretch.at["offset:from"].as_str(), stretch.at["offset"].as_str()), ("3", "9"));
        assert_eq!(stretch.clone().since(&Position::of("offset", 1)).at["offset:from"], "1");
        assert!(!Position::of("offset", 3).since(&start).is_moment(), "equal numbers prove nothing");
    }
}
