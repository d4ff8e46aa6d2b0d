//! Kafka headers as one binary cell: a CBOR array of `[name, value or null]`, so that order, duplicates and nulls survive.

use ciborium::Value;

use super::Node;

/// The headers of one record, in order.
#[derive(Clone, PartialEq, Eq)]
pub struct Headers(pub Vec<(String, Option<Vec<u8>>)>);

impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Headers({})", self.0.len())
    }
}

impl Headers {
    /// Writes the cell.
    pub fn write(&self) -> Vec<u8> {
        let items = self
            .0
            .iter()
            .map(|(name, value)| {
                let value = value.as_ref().map_or(Value::Null, |bytes| Value::Bytes(bytes.clone()));
                Value::Array(vec![Value::Text(name.clone()), value])
            })
            .collect();
        let mut out = Vec::new();
        // Writing into memory can't fail.
        let _ = ciborium::into_writer(&Value::Array(items), &mut out);
        out
    }

    /// Reads the cell; `None` if it is damaged.
    pub fn read(cell: &[u8]) -> Option<Self> {
        let Value::Array(items) = ciborium::de::from_reader_with_recursion_limit(cell, 8).ok()? else { return None };
        let mut out = Vec::with_capacity(items.len());
        for item in items {
            let Value::Array(pair) = item else { return None };
            let [name, value] = <[Value; 2]>::try_from(pair).ok()?;
            let value = match value {
                Value::Null => None,
                Value::Bytes(bytes) => Some(bytes),
                _ => return None,
            };
            out.push((name.into_text().ok()?, value));
        }
        Some(Self(out))
    }

    pub(super) fn node(self) -> Node {
        Node::Map(self.0.into_iter().map(|(name, value)| (name, value.map_or(Node::Null, Node::Bytes))).collect())
    }

    pub(super) fn of(node: &Node) -> Option<Self> {
        let Node::Map(members) = node else { return None };
        let value = |node: &Node| match node {
            Node::Null => Some(None),
            Node::List(_) | Node::Map(_) => None,
            scalar => Some(Some(scalar.raw())),
        };
        members.iter().map(|(name, node)| Some((name.clone(), value(node)?))).collect::<Option<Vec<_>>>().map(Self)
    }
}
