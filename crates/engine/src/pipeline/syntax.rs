//! The shape of a pipeline file, and the checks that need no server.

use std::collections::BTreeMap;

use reenact_mask::yaml::{self, Spanned};
use reenact_model::catalog::{Condition, End, Group, KeyFamily, Relationship, Scope, Topic};
use reenact_model::names::{FieldId, split_unquoted};
use reenact_model::payload::{Codec, Format, Protobuf, Template};
use reenact_model::{Dsn, EntityId, Finding, Kind, Path, Span};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::{Children, Limits, Pipeline, Root, Service, Value, Virtual, bytes, duration, finding, interpolate};

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
    #[serde(default)]
    limits: LimitsText,
    policy: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServiceText {
    kind: Spanned<String>,
    url: Option<Spanned<String>>,
    bootstrap: Option<Spanned<String>>,
    #[serde(default)]
    keys: Vec<KeyText>,
    #[serde(default)]
    topics: Vec<TopicText>,
    #[serde(default)]
    groups: Vec<GroupText>,
    #[serde(default)]
    payloads: Vec<PayloadText>,
    #[serde(default)]
    exclude: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyText {
    entity: String,
    pattern: Spanned<String>,
    #[serde(default)]
    values: Vec<InnerText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InnerText {
    path: Spanned<String>,
    #[serde(rename = "as")]
    codec: Spanned<CodecText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PayloadText {
    field: Spanned<String>,
    #[serde(rename = "as")]
    codec: Spanned<CodecText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TopicText {
    name: String,
    key: Option<Spanned<CodecText>>,
    value: Option<Spanned<CodecText>>,
    #[serde(default)]
    headers: BTreeMap<String, Spanned<CodecText>>,
    window: Option<WindowText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WindowText {
    back: Option<Spanned<String>>,
    records: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupText {
    name: String,
    consumer: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodecText {
    text: Option<Nothing>,
    json: Option<Nothing>,
    baggage: Option<Nothing>,
    protobuf: Option<ProtobufText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProtobufText {
    file: String,
    message: String,
}

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
struct LinkText(Spanned<LinkFull>);

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
            self.tell("PIPE-004", text, message, "");
            String::new()
        })
    }

    /// Reads what a text parses to, or tells why it does not.
    fn parse<T: std::str::FromStr<Err = String>>(&mut self, text: &Spanned<String>) -> Option<T> {
        text.value.parse().map_err(|message: String| self.tell("PIPE-005", text, message, "")).ok()
    }

    fn codec(&mut self, text: &Spanned<CodecText>) -> Option<Codec> {
        let mut formats = Vec::new();
        let codec = &text.value;
        formats.extend(codec.text.as_ref().map(|_| Format::Text));
        formats.extend(codec.json.as_ref().map(|_| Format::Json));
        formats.extend(codec.baggage.as_ref().map(|_| Format::Baggage));
        if let Some(protobuf) = &codec.protobuf {
            let file = match interpolate(&protobuf.file, self.env) {
                Ok(file) => file,
                Err(message) => {
                    self.tell("PIPE-004", text, message, "");
                    return None;
                }
            };
            let Some(proto) = (self.file_text)(&file) else {
                let message = format!("the file `{file}` can't be read");
                self.tell("PIPE-006", text, message, "name it beside the pipeline's own file");
                return None;
            };
            // A descriptor's name is the file's own, wherever it lies.
            let name = file.rsplit('/').next().unwrap_or(&file);
            match Protobuf::from_proto(name, &proto, &protobuf.message) {
                Ok(spec) => formats.push(Format::Protobuf(spec)),
                Err(error) => {
                    self.tell("PIPE-006", text, error.message(), error.help_text().unwrap_or_default());
                    return None;
                }
            }
        }
        if formats.len() != 1 {
            self.tell("PIPE-006", text, "a payload has one format: `text`, `json`, `baggage` or `protobuf`", "");
            return None;
        }
        formats.pop().map(Codec::of)
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
        let mut limits = Limits { rows: self.limits.rows.unwrap_or(Limits::default().rows), ..Limits::default() };
        if let Some(text) = &self.limits.bytes {
            match bytes(&text.value) {
                Some(value) => limits.bytes = value,
                None => cx.tell("PIPE-007", text, "this is no size", "write a size such as `256MiB`"),
            }
        }
        if let Some(text) = &self.limits.read_time {
            match duration(&text.value) {
                Some(value) => limits.read_time = value,
                None => cx.tell("PIPE-007", text, "this is no time", "write a time such as `30s`"),
            }
        }
        Pipeline { file: file.to_owned(), services, flow, relationships, roots, limits, policy: self.policy, digest }
    }
}

fn service(cx: &mut Context<'_>, name: &str, at: &Spanned<ServiceText>, names: &[String]) -> Service {
    let text = &at.value;
    let kind = kind(cx, &text.kind);
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if name.is_empty() || !name.chars().all(plain) {
        let message = format!("`{name}` is no name of a service");
        cx.tell("PIPE-002", at, message, "use lower-case letters, digits, `-` and `_`");
    }
    let mut scope = Scope { service: name.to_owned(), exclude: text.exclude.clone(), ..Scope::default() };
    let dsn = dsn(cx, at, kind);
    for key in &text.keys {
        let _: Option<Template> = cx.parse(&key.pattern);
        let inner = |inner: &InnerText| Some((cx.parse::<Path>(&inner.path)?, cx.codec(&inner.codec)?));
        let values = key.values.iter().filter_map(inner).collect();
        scope.keys.push(KeyFamily { entity: key.entity.clone(), pattern: key.pattern.value.clone(), values });
    }
    for topic in &text.topics {
        let back = topic.window.as_ref().and_then(|w| w.back.as_ref());
        let back_ms = back.and_then(|text| {
            let found = duration(&text.value).and_then(|d| i64::try_from(d.as_millis()).ok());
            if found.is_none() {
                cx.tell("PIPE-007", text, "this is no time", "write a time such as `2h`");
            }
            found
        });
        scope.topics.push(Topic {
            name: topic.name.clone(),
            key: topic.key.as_ref().and_then(|c| cx.codec(c)),
            value: topic.value.as_ref().and_then(|c| cx.codec(c)),
            headers: topic.headers.iter().filter_map(|(name, c)| Some((name.clone(), cx.codec(c)?))).collect(),
            back_ms,
            records: topic.window.as_ref().and_then(|w| w.records),
        });
    }
    for group in &text.groups {
        if let Some(consumer) = group.consumer.as_ref().filter(|c| !names.contains(&c.value)) {
            cx.tell("PIPE-008", consumer, format!("there is no service `{}`", consumer.value), "");
        }
        let consumer = group.consumer.as_ref().map(|c| c.value.clone());
        scope.groups.push(Group { name: group.name.clone(), consumer });
    }
    for payload in &text.payloads {
        let field =
            Spanned::new(format!("{name}/{}", payload.field.value), payload.field.referenced, payload.field.defined);
        if let Some(field) = cx.parse::<FieldId>(&field)
            && let Some(codec) = cx.codec(&payload.codec)
        {
            scope.codecs.push((field.entity.name, field.field.column, codec));
        }
    }
    let wrong = match kind {
        Kind::Redis | Kind::Memory => {
            (!scope.topics.is_empty() || !scope.groups.is_empty()).then_some("topics or groups")
        }
        Kind::Kafka => (!scope.keys.is_empty()).then_some("keys"),
        _ => (!scope.keys.is_empty() || !scope.topics.is_empty()).then_some("keys or topics"),
    };
    if let Some(what) = wrong {
        cx.tell("PIPE-009", at, format!("a {kind} service has no {what}"), "");
    }
    Service { name: name.to_owned(), kind, dsn, scope, span: cx.span(at) }
}

/// Whether a URL, as it stands in the file, holds a password: after the user's name, or among its parameters.
fn holds_password(url: &str) -> bool {
    let clear = |value: &str| !value.is_empty() && !value.contains("${");
    let authority = url.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?']).next().unwrap_or_default());
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    let parameters = url.split_once('?').map_or("", |(_, query)| query);
    let named =
        |pair: &str| pair.split_once('=').is_some_and(|(name, value)| name.contains("password") && clear(value));
    user.split_once(':').is_some_and(|(_, password)| clear(password)) || parameters.split('&').any(named)
}

/// A kind may come from the environment, as the URL does.
fn kind(cx: &mut Context<'_>, text: &Spanned<String>) -> Kind {
    let filled = cx.fill(text);
    let all = [Kind::Postgres, Kind::Mysql, Kind::Sqlite, Kind::Redis, Kind::Kafka, Kind::Memory];
    all.into_iter().find(|kind| kind.name() == filled).unwrap_or_else(|| {
        let names: Vec<&str> = all.iter().map(|kind| kind.name()).collect();
        cx.tell(
            "PIPE-003",
            text,
            format!("there is no kind `{}`", text.value),
            &format!("the kinds are {}", names.join(", ")),
        );
        Kind::Memory
    })
}

fn dsn(cx: &mut Context<'_>, at: &Spanned<ServiceText>, kind: Kind) -> Dsn {
    let text = &at.value;
    match (&text.url, &text.bootstrap, kind) {
        (None, Some(bootstrap), Kind::Kafka) => Dsn::new(format!("kafka://{}", cx.fill(bootstrap))),
        (Some(url), None, kind) if kind != Kind::Kafka => {
            let filled = cx.fill(url);
            if holds_password(&url.value) {
                let help = "take the URL from the environment: `url: ${ORDERS_URL}`";
                cx.tell("PIPE-010", url, "a password stands in the file", help);
            }
            Dsn::new(filled)
        }
        (_, _, kind) => {
            let word = if kind == Kind::Kafka { "bootstrap" } else { "url" };
            cx.tell("PIPE-003", at, format!("a {kind} service needs `{word}:`, and nothing else of the kind"), "");
            Dsn::new("")
        }
    }
}

fn flow(cx: &mut Context<'_>, line: &Spanned<String>, names: &[String]) -> Vec<(String, String)> {
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

fn relationship(cx: &mut Context<'_>, text: &LinkText) -> Option<Virtual> {
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
