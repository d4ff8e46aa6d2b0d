//! A decoded payload as a tree, and how a path finds its way in it.

use std::borrow::Cow;
use std::collections::BTreeSet;
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

    /// Visits every member with its path, those of empty lists and members too.
    pub fn members(&self, visit: &mut impl FnMut(&Path)) {
        fn walk(node: &Node, at: &mut Path, visit: &mut impl FnMut(&Path)) {
            match node {
                Node::List(items) => {
                    at.0.push(Step::Each);
                    for item in items {
                        walk(item, at, visit);
                    }
                    at.0.pop();
                }
                Node::Map(members) => {
                    for (name, node) in members {
                        at.0.push(Step::Key(name.clone()));
                        visit(at);
                        walk(node, at, visit);
                        at.0.pop();
                    }
                }
                _ => {}
            }
        }
        walk(self, &mut Path::default(), visit);
    }

    /// Gives members other names, by their paths as they were; whether all names stayed different. Members that stood in the order of
    /// servers that keep JSON parsed (by length, then by bytes) do so again.
    pub fn rename(&mut self, name: &mut impl FnMut(&Path) -> Option<String>) -> bool {
        fn walk(node: &mut Node, at: &mut Path, name: &mut impl FnMut(&Path) -> Option<String>) -> bool {
            let mut different = true;
            match node {
                Node::List(items) => {
                    at.0.push(Step::Each);
                    for item in items {
                        different &= walk(item, at, name);
                    }
                    at.0.pop();
                }
                Node::Map(members) => {
                    let order = |a: &(String, Node), b: &(String, Node)| (a.0.len(), &a.0) < (b.0.len(), &b.0);
                    let ordered = members.windows(2).all(|pair| order(&pair[0], &pair[1]));
                    let distinct = |members: &[(String, Node)]| -> usize {
                        members.iter().map(|(name, _)| name.as_str()).collect::<BTreeSet<&str>>().len()
                    };
                    let before = distinct(members);
                    for (own, node) in members.iter_mut() {
                        at.0.push(Step::Key(own.clone()));
                        different &= walk(node, at, name);
                        if let Some(new) = name(at) {
                            *own = new;
                        }
                        at.0.pop();
                    }
                    different &= distinct(members) == before;
                    if ordered {
                        members.sort_by(|a, b| (a.0.len(), &a.0).cmp(&(b.0.len(), &b.0)));
                    }
                }
                _ => {}
            }
            different
        }
        walk(self, &mut Path::default(), name)
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

    #[test]
    fn members_are_renamed_by_their_paths_as_they_were() {
        let map = |names: &[&str]| Node::Map(names.iter().map(|name| ((*name).to_owned(), Node::Null)).collect());
        let mut node = Node::Map(vec![("a".into(), map(&["x", "y"])), ("b".into(), Node::List(vec![map(&[])]))]);
        let mut seen = Vec::new();
        node.members(&mut |path| seen.push(path.to_string()));
        assert_eq!(seen, ["$.a", "$.a.x", "$.a.y", "$.b"]);
        let new = |path: &Path| match path.to_string().as_str() {
            "$.a" => Some("long".to_owned()),
            "$.a.x" => Some("zz".to_owned()),
            _ => None,
        };
        assert!(node.rename(&mut { new }));
        let expected = Node::Map(vec![("b".into(), Node::List(vec![map(&[])])), ("long".into(), map(&["y", "zz"]))]);
        assert!(node == expected, "in the order of names by length");
        assert!(!node.rename(&mut |_| Some("one".to_owned())), "two names became one");
        assert!(map(&["x", "x"]).rename(&mut |_| Some("y".to_owned())), "a name that stood twice stands twice");
    }
}
