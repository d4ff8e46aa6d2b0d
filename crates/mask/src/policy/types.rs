//! Rules by type: which fields a word for a type means.
//!
//! Hidden here: how the types of all stores are told in a dozen words. SQLite has only declared types, so those are asked there.

use std::sync::Arc;

use reenact_model::catalog::Field;
use reenact_model::{FieldId, FieldPath, ServiceCatalog, ValueType};

use super::{Policy, Rule, Selector};

/// The words.
pub(super) const WORDS: &[&str] =
    &["boolean", "integer", "number", "text", "date", "time", "timestamp", "uuid", "json", "bytes", "other"];

/// The word for a field's type.
fn word(field: &Field) -> &'static str {
    match field.value {
        ValueType::Bool => "boolean",
        ValueType::Int16 | ValueType::Int32 | ValueType::Int64 | ValueType::UInt64 => "integer",
        ValueType::Float32 | ValueType::Float64 | ValueType::Decimal => "number",
        ValueType::Text => "text",
        ValueType::Json => "json",
        ValueType::Uuid => "uuid",
        ValueType::Bytes => "bytes",
        ValueType::Date => "date",
        ValueType::Time => "time",
        ValueType::Timestamp | ValueType::TimestampUtc => "timestamp",
        ValueType::Other => "other",
        ValueType::Tagged => {
            let native = field.native.to_ascii_lowercase();
            let has = |part: &str| native.contains(part);
            match () {
                () if has("bool") => "boolean",
                // The order of SQLite's own rules of affinity, after the words that it does not know.
                () if has("datetime") || has("timestamp") => "timestamp",
                () if has("date") => "date",
                () if has("uuid") => "uuid",
                () if has("json") => "json",
                () if has("int") => "integer",
                () if has("char") || has("clob") || has("text") => "text",
                () if native.is_empty() || has("blob") => "bytes",
                () if has("time") => "time",
                () => "number",
            }
        }
    }
}

impl Policy {
    /// The policy with every rule's types put in the terms of some catalogs: selectors that name the fields of those types.
    pub(crate) fn typed(&self, catalogs: &[ServiceCatalog]) -> Self {
        let typed = |rule: &Arc<Rule>| {
            if rule.types.is_empty() {
                return Arc::clone(rule);
            }
            let mut on: Vec<(Selector, _)> = Vec::new();
            for entity in catalogs.iter().flat_map(|c| &c.entities) {
                for field in entity.writable().filter(|field| rule.types.iter().any(|t| t == word(field))) {
                    let id = FieldId::new(&entity.id, &FieldPath::column(&field.name));
                    if let Some((_, span)) = rule.on.iter().find(|(s, _)| s.matches(&id)) {
                        on.push((Selector::exactly(&id), span.clone()));
                    }
                }
            }
            if on.is_empty() {
                // It stays as it is, to be told as dead.
                return Arc::clone(rule);
            }
            Arc::new(Rule { on, types: Vec::new(), ..(**rule).clone() })
        };
        Self { rules: self.rules.iter().map(typed).collect(), ..self.clone() }
    }
}
