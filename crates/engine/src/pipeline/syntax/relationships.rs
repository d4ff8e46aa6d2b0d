//! Relationships that no server knows of, and the flow between services.

use std::collections::BTreeMap;

use reenact_mask::yaml::Spanned;
use reenact_model::EntityId;
use reenact_model::catalog::{Condition, End, Relationship};
use reenact_model::names::{FieldId, split_unquoted};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::Context;
use crate::pipeline::Virtual;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkFull {
    link: String,
    #[serde(default)]
    when: BTreeMap<String, String>,
    #[serde(default)]
    soft: bool,
}

/// `a -> b`, or `{ link: "a -> b", when: { field: value }, soft: true }`.
pub(super) struct LinkText(Spanned<LinkFull>);

impl<'de> Deserialize<'de> for LinkText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Either;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("`service/entity.field -> service/entity.field`, or a mapping with `link`")
            }

            fn visit_str<E>(self, text: &str) -> Result<Either, E> {
                Ok(Either(LinkFull { link: text.to_owned(), when: BTreeMap::new(), soft: false }))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Either, A::Error> {
                LinkFull::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(Either)
            }
        }
        struct Either(LinkFull);
        impl<'de> Deserialize<'de> for Either {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(V)
            }
        }
        let read = Spanned::<Either>::deserialize(deserializer)?;
        Ok(Self(Spanned::new(read.value.0, read.referenced, read.defined)))
    }
}

pub(super) fn flow(cx: &mut Context<'_>, line: &Spanned<String>, names: &[String]) -> Vec<(String, String)> {
    let steps: Vec<String> = line.value.split("->").map(|s| s.trim().to_owned()).collect();
    for step in steps.iter().filter(|step| !names.contains(step)) {
        cx.tell(
            "PIPE-008",
            line,
            format!("there is no service `{step}`"),
            "a flow is written `first -> second -> third`",
        );
    }
    steps.windows(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
}

pub(super) fn relationship(cx: &mut Context<'_>, text: &LinkText) -> Option<Virtual> {
    let at = &text.0;
    let help = "write `service/entity.field -> service/entity.field`";
    let Some((child, parent)) = at.value.link.split_once("->") else {
        cx.tell("PIPE-005", at, "a relationship needs `->` between child and parent", help);
        return None;
    };
    let (child, parent) = match (end(child.trim()), end(parent.trim())) {
        (Ok(child), Ok(parent)) => (child, parent),
        (child, parent) => {
            for message in [child.err(), parent.err()].into_iter().flatten() {
                cx.tell("PIPE-005", at, message, help);
            }
            return None;
        }
    };
    if child.fields.len() != parent.fields.len() {
        cx.tell("PIPE-005", at, "both ends need the same number of fields", "");
        return None;
    }
    let condition = match at.value.when.iter().next() {
        None => None,
        Some((field, equals)) => match field.parse::<FieldId>() {
            Ok(id) if id.entity == child.entity && at.value.when.len() == 1 => {
                Some(Condition { field: id.field, equals: equals.clone() })
            }
            _ => {
                cx.tell(
                    "PIPE-005",
                    at,
                    "`when` takes one field of the child",
                    "write `when: { service/entity.field: value }`",
                );
                return None;
            }
        },
    };
    let relationship = Relationship { child, parent, declared: false, constraint: None, deferrable: false, condition };
    Some(Virtual { relationship, soft: at.value.soft, span: cx.span(at) })
}

/// Reads `service/entity.field` or `service/entity.(a, b)`.
fn end(text: &str) -> Result<End, String> {
    if let Some((entity, fields)) = text.strip_suffix(')').and_then(|t| t.split_once(".(")) {
        let (service, name) = entity.split_once('/').ok_or_else(|| format!("`{text}` names no service"))?;
        let fields = split_unquoted(fields, ',')
            .into_iter()
            .map(|f| format!("{entity}.{}", f.trim()).parse::<FieldId>().map(|id| id.field))
            .collect::<Result<Vec<_>, _>>()?;
        return Ok(End { entity: EntityId::new(service, name), fields });
    }
    let id: FieldId = text.parse()?;
    Ok(End { entity: id.entity, fields: vec![id.field] })
}
