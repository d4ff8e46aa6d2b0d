//! Services: what each kind declares, and where it is.

use std::collections::BTreeMap;

use reenact_mask::yaml::Spanned;
use reenact_model::catalog::{Group, KeyFamily, Scope, Topic};
use reenact_model::names::FieldId;
use reenact_model::payload::{Avro, Codec, Format, Protobuf, Template};
use reenact_model::{Dsn, Kind, Path, Result};
use serde::Deserialize;

use super::Context;
use crate::pipeline::{Service, duration, interpolate};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServiceText {
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
    xml: Option<Nothing>,
    form: Option<Nothing>,
    url: Option<Nothing>,
    jwt: Option<Nothing>,
    base64: Option<Nothing>,
    gzip: Option<Nothing>,
    protobuf: Option<ProtobufText>,
    avro: Option<AvroText>,
    /// Payloads within.
    #[serde(default)]
    inside: Vec<InnerText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProtobufText {
    file: String,
    message: String,
    #[serde(default)]
    confluent: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AvroText {
    file: String,
    record: Option<String>,
    #[serde(default)]
    confluent: bool,
}

const FORMATS: &str = "a payload has one format: `text`, `json`, `xml`, `form`, `url`, `jwt`, `base64`, `gzip`, `baggage`, `protobuf` or `avro`";

impl Context<'_> {
    fn codec(&mut self, text: &Spanned<CodecText>) -> Option<Codec> {
        let codec = &text.value;
        let plain = [
            (&codec.text, Format::Text),
            (&codec.json, Format::Json),
            (&codec.baggage, Format::Baggage),
            (&codec.xml, Format::Xml),
            (&codec.form, Format::Form),
            (&codec.url, Format::Url),
            (&codec.jwt, Format::Jwt),
            (&codec.base64, Format::Base64),
            (&codec.gzip, Format::Gzip),
        ];
        let mut codecs: Vec<Codec> =
            plain.into_iter().filter(|(given, _)| given.is_some()).map(|(_, format)| Codec::of(format)).collect();
        if let Some(given) = &codec.protobuf {
            let (name, schema) = self.schema(text, &given.file)?;
            let found = Protobuf::from_proto(&name, &schema, &given.message).map(Format::Protobuf);
            codecs.push(self.framed(text, found, given.confluent.then_some(true))?);
        }
        if let Some(given) = &codec.avro {
            let (name, schema) = self.schema(text, &given.file)?;
            let found = Avro::from_avsc(&name, &schema, given.record.as_deref()).map(Format::Avro);
            codecs.push(self.framed(text, found, given.confluent.then_some(false))?);
        }
        if codecs.len() != 1 {
            self.tell("PIPE-006", text, FORMATS, "");
            return None;
        }
        let mut found = codecs.pop()?;
        let inside: Vec<_> = codec.inside.iter().filter_map(|inner| self.inner(inner)).collect();
        // What is said of a framed payload is meant of what the frame is around.
        let framed = matches!(found.format, Format::Confluent { .. });
        match found.inner.first_mut().filter(|_| framed) {
            Some((_, payload)) => payload.inner.extend(inside),
            None => found.inner.extend(inside),
        }
        // A token's parts are JSON unless something else is said.
        if found.format == Format::Jwt {
            for part in ["header", "payload"].map(Path::key) {
                if !found.inner.iter().any(|(path, _)| *path == part) {
                    found.inner.push((part, Codec::of(Format::Json)));
                }
            }
        }
        Some(found)
    }

    fn inner(&mut self, inner: &InnerText) -> Option<(Path, Codec)> {
        Some((self.parse::<Path>(&inner.path)?, self.codec(&inner.codec)?))
    }

    /// The name and text of a file with a payload's schema.
    fn schema(&mut self, at: &Spanned<CodecText>, file: &str) -> Option<(String, String)> {
        let file = match interpolate(file, self.env) {
            Ok(file) => file,
            Err(message) => {
                self.tell("PIPE-004", at, message, "");
                return None;
            }
        };
        let Some(text) = (self.file_text)(&file) else {
            let message = format!("the file `{file}` can't be read");
            self.tell("PIPE-006", at, message, "name it beside the pipeline's own file");
            return None;
        };
        // A schema's name is the file's own, wherever it lies.
        Some((file.rsplit('/').next().unwrap_or(&file).to_owned(), text))
    }

    /// A format with a schema, in Confluent's frame if there is one, with indexes or without.
    fn framed(&mut self, at: &Spanned<CodecText>, found: Result<Format>, frame: Option<bool>) -> Option<Codec> {
        match found {
            Ok(format) => Some(match frame {
                None => Codec::of(format),
                Some(indexes) => {
                    Codec { format: Format::Confluent { indexes }, inner: vec![(Path::default(), Codec::of(format))] }
                }
            }),
            Err(error) => {
                self.tell("PIPE-006", at, error.message(), error.help_text().unwrap_or_default());
                None
            }
        }
    }
}

pub(super) fn service(cx: &mut Context<'_>, name: &str, at: &Spanned<ServiceText>, names: &[String]) -> Service {
    let text = &at.value;
    let known = kind(cx, &text.kind);
    // What else is wrong with a service of no kind is told once it has one.
    let kind = known.unwrap_or(Kind::Memory);
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if name.is_empty() || !name.chars().all(plain) {
        let message = format!("`{name}` is no name of a service");
        cx.tell("PIPE-002", at, message, "use lower-case letters, digits, `-` and `_`");
    }
    let mut scope = Scope { service: name.to_owned(), exclude: text.exclude.clone(), ..Scope::default() };
    let dsn = known.map_or_else(|| Dsn::new(""), |kind| dsn(cx, at, kind));
    for key in &text.keys {
        let _: Option<Template> = cx.parse(&key.pattern);
        let values = key.values.iter().filter_map(|inner| cx.inner(inner)).collect();
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
    if let (Some(what), true) = (wrong, known.is_some()) {
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
fn kind(cx: &mut Context<'_>, text: &Spanned<String>) -> Option<Kind> {
    let filled = cx.fill(text);
    Kind::ALL.into_iter().find(|kind| kind.name() == filled).or_else(|| {
        let names: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        cx.tell(
            "PIPE-003",
            text,
            format!("there is no kind `{}`", text.value),
            &format!("the kinds are {}", names.join(", ")),
        );
        None
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
            let dsn = Dsn::new(filled);
            // What could not be filled in is told already.
            if let (Err(error), false) = (dsn.check(kind), dsn.expose().is_empty()) {
                cx.tell("PIPE-011", url, error.message(), error.help_text().unwrap_or_default());
            }
            dsn
        }
        (_, _, kind) => {
            let word = if kind == Kind::Kafka { "bootstrap" } else { "url" };
            cx.tell("PIPE-003", at, format!("a {kind} service needs `{word}:`, and nothing else of the kind"), "");
            Dsn::new("")
        }
    }
}
