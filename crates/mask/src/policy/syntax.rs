//! The shape of a policy file.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::expect::TestText;
use super::{Canonical, Undecided};
use crate::yaml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) version: Spanned<u32>,
    #[serde(default)]
    pub(super) include: Vec<Spanned<String>>,
    pub(super) profile: Option<Spanned<Scalars>>,
    pub(super) undecided: Option<Spanned<Undecided>>,
    #[serde(default)]
    pub(super) classes: BTreeMap<String, Vec<Spanned<String>>>,
    #[serde(default)]
    pub(super) domains: BTreeMap<String, DomainText>,
    #[serde(default)]
    pub(super) rules: Vec<RuleText>,
    #[serde(default)]
    pub(super) tests: Vec<TestText>,
    #[serde(default)]
    pub(super) quasi_identifiers: Vec<Vec<Spanned<String>>>,
}

/// What a file includes, whatever else it says.
#[derive(Deserialize)]
pub(super) struct Includes {
    #[serde(default)]
    pub(super) include: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DomainText {
    #[serde(default)]
    pub(super) canonical: Canonical,
    pub(super) mask: Spanned<MaskRef>,
    pub(super) partition: Option<Spanned<PartitionText>>,
}

/// Which partitions of topics a domain's pseudonyms stay in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PartitionText {
    pub(super) by: String,
    pub(super) topics: Scalars,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleText {
    pub(super) name: Spanned<String>,
    #[serde(default)]
    pub(super) on: Vec<Spanned<String>>,
    pub(super) class: Option<Spanned<Scalars>>,
    #[serde(rename = "type")]
    pub(super) types: Option<Spanned<Scalars>>,
    pub(super) domain: Option<Spanned<String>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) mask: Option<Spanned<MaskRef>>,
    pub(super) keep: Option<KeepText>,
    pub(super) subject: Option<Spanned<Scalars>>,
    pub(super) when: Option<Spanned<WhenText>>,
    pub(super) accept: Option<Spanned<Scalars>>,
    #[serde(default)]
    pub(super) overrides: Vec<Spanned<String>>,
}

/// A condition: an expression over the record itself, or over the record of an entity that it refers to.
pub(super) struct WhenText {
    pub(super) on: Option<String>,
    pub(super) that: String,
    pub(super) missing: Option<bool>,
}

impl<'de> Deserialize<'de> for WhenText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Carried {
            on: String,
            that: String,
            missing: Option<bool>,
        }
        impl<'de> Visitor<'de> for V {
            type Value = WhenText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a condition, or `{ on: service/entity, that: condition }`")
            }

            fn visit_str<E>(self, that: &str) -> Result<WhenText, E> {
                Ok(WhenText { on: None, that: that.to_owned(), missing: None })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<WhenText, A::Error> {
                let carried = Carried::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                Ok(WhenText { on: Some(carried.on), that: carried.that, missing: carried.missing })
            }
        }
        deserializer.deserialize_any(V)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeepText {
    pub(super) reason: String,
    pub(super) owner: Option<String>,
    pub(super) expires: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) reference: bool,
}

/// `mask: null` names the mask `null`; a missing key names none.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Spanned<MaskRef>>, D::Error> {
    Spanned::<MaskRef>::deserialize(deserializer).map(Some)
}

/// `name` or `{ name: { argument: value } }`.
pub(super) struct MaskRef {
    pub(super) name: String,
    pub(super) args: BTreeMap<String, String>,
}

impl<'de> Deserialize<'de> for MaskRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = MaskRef;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a mask, or `{ name: { argument: value } }`")
            }

            fn visit_unit<E: serde::de::Error>(self) -> Result<MaskRef, E> {
                Ok(MaskRef { name: "null".to_owned(), args: BTreeMap::new() })
            }

            fn visit_none<E: serde::de::Error>(self) -> Result<MaskRef, E> {
                self.visit_unit()
            }

            fn visit_str<E>(self, name: &str) -> Result<MaskRef, E> {
                Ok(MaskRef { name: name.to_owned(), args: BTreeMap::new() })
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<MaskRef, A::Error> {
                let (name, args) = map
                    .next_entry::<String, BTreeMap<String, Scalar>>()?
                    .ok_or_else(|| serde::de::Error::custom("a mask needs a name"))?;
                if map.next_key::<String>()?.is_some() {
                    return Err(serde::de::Error::custom("a mask has one name; put arguments below it"));
                }
                Ok(MaskRef { name, args: args.into_iter().map(|(k, v)| (k, v.0)).collect() })
            }
        }
        deserializer.deserialize_any(V)
    }
}

/// One name, or a list of names.
pub(super) struct Scalars(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for Scalars {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Scalars;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name, or a list of names")
            }

            fn visit_str<E>(self, name: &str) -> Result<Scalars, E> {
                Ok(Scalars(vec![name.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Scalars, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = list.next_element()? {
                    names.push(name);
                }
                Ok(Scalars(names))
            }
        }
        deserializer.deserialize_any(V)
    }
}

/// Any scalar, as its text.
pub(super) struct Scalar(pub(super) String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Every YAML scalar can be read as text.
        String::deserialize(deserializer).map(Self)
    }
}
