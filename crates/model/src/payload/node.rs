//! A decoded payload as a tree, and how a path finds its way in it.

use std::borrow::Cow;
use std::fmt;

use crate::canonical;
use crate::names::{Path, Step};

/// A decoded payload. Its `Debug` prints the shape, never a value.
#[derive(Clone, PartialEq)]
pub enum Node {
    /// Nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// A number, as its text.
    Number(String),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<Node>),
    /// Members in order; names may repeat.
    Map(Vec<(String, Node)>),
}

/// A leaf of a tree: its path, each list element standing under `[*]`.
pub type Leaf = Path;

impl Node {
    /// The canonical text of a scalar; `None` for nothing, lists and members.
    pub fn canonical(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Bool(value) => Some(Cow::Borrowed(if *value { "true" } else { "false" })),
            Self::Number(text) => Some(canonical::number(text)),
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Bytes(bytes) => Some(canonical::bytes(bytes)),
            Self::Null | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// The bytes of a scalar; empty for others.
    pub fn raw(&self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes.clone(),
            Self::Text(text) | Self::Number(text) => text.clone().into_bytes(),
            Self::Bool(value) => value.to_string().into_bytes(),
            Self::Null | Self::List(_) | Self::Map(_) => Vec::new(),
        }
    }

    /// All nodes at a path.
    pub fn find(&self, path: &Path) -> Vec<&Node> {
        let mut at = vec![self];
        for step in &path.0 {
            at = at
                .into_iter()
                .flat_map(|node| -> Vec<&Node> {
                    match (step, node) {
                        (Step::Each, Self::List(items)) => items.iter().collect(),
                        (Step::Key(key), Self::Map(members)) => {
                            members.iter().filter(|(name, _)| name == key).map(|(_, node)| node).collect()
                        }
                        _ => Vec::new(),
                    }
                })
                .collect();
        }
        at
    }

    /// All nodes at a path, to be changed.
    pub fn find_mut(&mut self, path: &Path) -> Vec<&mut Node> {
        let mut at = vec![self];
        for step in &path.0 {
            at = at
                .into_iter()
                .flat_map(|node| -> Vec<&mut Node> {
                    match (step, node) {
                        (Step::Each, Self::List(items)) => items.iter_mut().collect(),
                        (Step::Key(key), Self::Map(members)) => {
                            members.iter_mut().filter(|(name, _)| name == key).map(|(_, node)| node).collect()
                        }
                        _ => Vec::new(),
                    }
                })
                .collect();
        }
        at
    }

    /// Visits every scalar with its path, list elements under `[*]`. Empty lists and members are no leaves: they hold nothing.
    pub fn leaves_mut(&mut self, visit: &mut impl FnMut(&Path, &mut Node)) {
        self.walk(&mut Path::default(), visit);
    }

    fn walk(&mut self, at: &mut Path, visit: &mut impl FnMut(&Path, &mut Node)) {
        match self {
            Self::List(items) => {
                at.0.push(Step::Each);
                for item in items {
                    item.walk(at, visit);
                }
                at.0.pop();
            }
            Self::Map(members) => {
                for (name, node) in members {
                    at.0.push(Step::Key(name.clone()));
                    node.walk(at, visit);
                    at.0.pop();
                }
            }
            scalar => visit(at, scalar),
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Number(_) => "number",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "list",
            Self::Map(_) => "map",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_stand_under_their_paths() {
        let mut node = Node::Map(vec![
            ("a".into(), Node::List(vec![Node::Number("1".into()), Node::Number("2".into())])),
            ("b".into(), Node::Map(vec![("c".into(), Node::Text("x".into()))])),
        ]);
        let mut seen = Vec::new();
        node.leaves_mut(&mut |path, _| seen.push(path.to_string()));
        assert_eq!(seen, ["$.a[*]", "$.a[*]", "$.b.c"]);
        assert_eq!(format!("{node:?}"), "map");
    }
}
