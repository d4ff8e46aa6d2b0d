//! The shape of a pipeline file, and the checks that need no server.

mod relationships;
mod services;

use std::collections::BTreeMap;

use reenact_mask::yaml::{self, Spanned};
use reenact_model::names::FieldId;
use reenact_model::{Finding, Span};
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use self::relationships::{LinkText, flow, relationship};
use self::services::{ServiceText, service};
use super::{Children, Limits, Pipeline, Root, Service, Value, bytes, duration, finding, interpolate};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    version: Spanned<u32>,
    services: BTreeMap<String, Spanned<ServiceText>>,
    #[serde(default)]
    flow: Vec<Spanned<String>>,
    #[serde(default)]
    relationships: Vec<LinkText>,
    roots: Vec<RootText>,
    limits: Option<Spanned<LimitsText>>,
    policy: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RootText {
    from: Spanned<String>,
    #[serde(default, rename = "where")]
    filter: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    children: ChildrenText,
}

#[derive(Default)]
enum ChildrenText {
    #[default]
    None,
    Levels(u32),
    Along(Vec<String>),
}

impl<'de> Deserialize<'de> for ChildrenText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = ChildrenText;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("`true`, `all`, a number of levels, or a list of child fields")
            }

            fn visit_bool<E>(self, value: bool) -> Result<ChildrenText, E> {
                Ok(if value { ChildrenText::Levels(1) } else { ChildrenText::None })
            }

            fn visit_u64<E>(self, value: u64) -> Result<ChildrenText, E> {
                Ok(ChildrenText::Levels(u32::try_from(value).unwrap_or(u32::MAX)))
            }

            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<ChildrenText, E> {
                self.visit_u64(u64::try_from(value).unwrap_or(0))
            }

            fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<ChildrenText, E> {
                if value == "all" {
                    Ok(ChildrenText::Levels(u32::MAX))
                } else {
                    Err(E::custom("`children` is `true`, `all`, a number of levels, or a list of child fields"))
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<ChildrenText, A::Error> {
                let mut out = Vec::new();
                while let Some(item) = seq.next_element()? {
                    out.push(item);
                }
                Ok(ChildrenText::Along(out))
            }
        }
        deserializer.deserialize_any(V)
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct LimitsText {
    rows: Option<u64>,
    bytes: Option<Spanned<String>>,
    read_time: Option<Spanned<String>>,
}

/// What resolving needs at every turn.
struct Context<'a> {
    file: &'a str,
    env: &'a dyn Fn(&str) -> Option<String>,
    file_text: &'a dyn Fn(&str) -> Option<String>,
    findings: &'a mut Vec<Finding>,
}

impl Context<'_> {
    fn span<T>(&self, value: &Spanned<T>) -> Span {
        yaml::span(self.file, &value.referenced)
    }

    fn tell<T>(&mut self, code: &'static str, at: &Spanned<T>, message: impl Into<String>, help: &str) {
        let mut told = finding(code, &self.span(at), message);
        if !help.is_empty() {
            told = told.help(help);
        }
        self.findings.push(told);
    }

    fn fill(&mut self, text: &Spanned<String>) -> String {
        interpolate(&text.value, self.env).unwrap_or_else(|message| {
            self.tell("PIPE-004", text, message, "set the variable, or write a default: `${NAME:-default}`");
            String::new()
        })
    }

    /// Reads what a text parses to, or tells why it does not.
    fn parse<T: std::str::FromStr<Err = String>>(&mut self, text: &Spanned<String>) -> Option<T> {
        text.value.parse().map_err(|message: String| self.tell("PIPE-005", text, message, "")).ok()
    }
}

impl Document {
    pub(super) fn resolve(
        self,
        file: &str,
        digest: String,
        env: &dyn Fn(&str) -> Option<String>,
        file_text: &dyn Fn(&str) -> Option<String>,
        findings: &mut Vec<Finding>,
    ) -> Pipeline {
        let mut cx = Context { file, env, file_text, findings };
        if self.version.value != 1 {
            cx.tell("PIPE-001", &self.version, "this version is not known", "write `version: 1`");
        }
        let names: Vec<String> = self.services.keys().cloned().collect();
        if names.is_empty() || self.roots.is_empty() {
            cx.tell(
                "PIPE-025",
                &self.version,
                "a pipeline needs a service and a root",
                "add one under `services:` and `roots:`",
            );
        }
        let services: Vec<Service> =
            self.services.iter().map(|(name, text)| service(&mut cx, name, text, &names)).collect();
        let flow = self.flow.iter().flat_map(|line| flow(&mut cx, line, &names)).collect();
        let relationships = self.relationships.iter().filter_map(|link| relationship(&mut cx, link)).collect();
        let roots = self.roots.into_iter().map(|text| root(&mut cx, text)).collect();
        let limits_at = self.limits.as_ref().map(|text| cx.span(text));
        let told = self.limits.map(|text| text.value).unwrap_or_default();
        let mut limits = Limits { rows: told.rows.unwrap_or(Limits::default().rows), ..Limits::default() };
        if let Some(text) = &told.bytes {
            match bytes(&text.value) {
                Some(value) => limits.bytes = value,
                None => cx.tell("PIPE-007", text, "this is no size", "write a size such as `256MiB`"),
            }
        }
        if let Some(text) = &told.read_time {
            match duration(&text.value) {
                Some(value) if value.is_zero() => {
                    cx.tell("PIPE-007", text, "no time is left to read anything", "write a time such as `30s`");
                }
                Some(value) => limits.read_time = value,
                None => cx.tell("PIPE-007", text, "this is no time", "write a time such as `30s`"),
            }
        }
        Pipeline {
            file: file.to_owned(),
            services,
            flow,
            relationships,
            roots,
            limits,
            limits_at,
            policy: self.policy,
            digest,
        }
    }
}

fn root(cx: &mut Context<'_>, text: RootText) -> Root {
    if !text.from.value.contains('/') {
        cx.tell("PIPE-005", &text.from, "a root names a service and an entity", "write `from: orders/public.orders`");
    }
    let mut filter = Vec::new();
    for (field, value) in &text.filter {
        let id = Spanned::new(format!("s/e.{field}"), value.referenced, value.defined);
        let Some(id) = cx.parse::<FieldId>(&id) else { continue };
        let filled = cx.fill(value);
        let seed = filled.strip_prefix("${seed.").and_then(|v| v.strip_suffix('}'));
        filter.push((id.field, seed.map_or_else(|| Value::Literal(filled.clone()), |s| Value::Seed(s.to_owned()))));
    }
    let children = match text.children {
        ChildrenText::None => Children::None,
        ChildrenText::Levels(levels) => Children::Levels(levels),
        ChildrenText::Along(fields) => Children::Along(fields),
    };
    Root { span: cx.span(&text.from), from: text.from.value, filter, children }
}
