//! What a mask tells of itself: its words in a policy, its arguments, its fact sheet.
//!
//! Hidden here: how arguments are typed and checked. The parser, `reenact masks`, the documentation and the property suite all
//! read a [`MaskSpec`], so a mask that is in the registry is in all of them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::{Mask, Shape};

/// Makes a mask out of arguments and the shapes of the fields that share it, or says what is wrong with an argument.
pub type Build = fn(&Args, &[Shape]) -> Result<Arc<dyn Mask>, String>;

/// What a mask is, next to the code that does it.
pub struct MaskSpec {
    /// The word in a policy.
    pub name: &'static str,
    /// Which masks it stands beside.
    pub group: Group,
    /// One sentence on what it does.
    pub doc: &'static str,
    /// Its arguments.
    pub args: &'static [ArgSpec],
    /// What it holds to and what it tells.
    pub facts: Facts,
    /// Makes it for the fields that share it; says what is wrong with an argument.
    pub build: Build,
    /// The n-th of a million different values that it takes (fewer where its domain is smaller), for the property suite.
    pub sample: fn(u64) -> String,
    /// What it gives under the key of the tests, for ever.
    pub vectors: &'static [Vector],
}

impl fmt::Debug for MaskSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MaskSpec({})", self.name)
    }
}

/// A known answer: arguments, a canonical text, and what becomes of it; `None` is NULL.
pub type Vector = (&'static [(&'static str, &'static str)], &'static str, Option<&'static str>);

/// What a mask is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Serves every type.
    Plain,
    /// Identifiers and keys.
    Identifier,
    /// Names and traits of people.
    Person,
    /// Ways to reach somebody.
    Contact,
    /// Where somebody is.
    Place,
    /// Money and cards.
    Money,
    /// Numbers that states give.
    Government,
    /// Networks and devices.
    Network,
    /// Dates and moments.
    Time,
    /// Free text.
    Text,
    /// Quantities whose distribution matters.
    Statistics,
    /// Bytes.
    Blob,
}

impl Group {
    /// The group as one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Identifier => "identifier",
            Self::Person => "person",
            Self::Contact => "contact",
            Self::Place => "place",
            Self::Money => "money",
            Self::Government => "government",
            Self::Network => "network",
            Self::Time => "time",
            Self::Text => "text",
            Self::Statistics => "statistics",
            Self::Blob => "blob",
        }
    }
}

/// A mask's fact sheet: what holds with some arguments on some field; [`super::Guarantees`] are of the ones given.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Equal inputs give equal outputs under one key.
    pub deterministic: bool,
    /// Different inputs give different outputs.
    pub injective: Injective,
    /// What of a value stays as it was.
    pub keeps: Keeps,
    /// What it may reveal, in one sentence.
    pub leaks: &'static str,
}

/// When different inputs give different outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Injective {
    /// Always: it may stand on keys and unique fields.
    Always,
    /// Only with arguments or fields as this says.
    If(&'static str),
    /// Never.
    Never,
}

/// What of a value stays as it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keeps {
    /// What was valid for such a value (pattern, check digits, calendar) is valid still.
    pub format: bool,
    /// The number of characters.
    pub length: bool,
    /// Which of two values is the greater.
    pub order: bool,
}

impl Keeps {
    /// Nothing.
    pub const NOTHING: Self = Self { format: false, length: false, order: false };
    /// The format only.
    pub const FORMAT: Self = Self { format: true, length: false, order: false };
    /// Format and length.
    pub const SHAPE: Self = Self { format: true, length: true, order: false };
}

/// An argument of a mask.
#[derive(Clone, Copy, Debug)]
pub struct ArgSpec {
    /// The word in a policy.
    pub name: &'static str,
    /// Its type.
    pub kind: ArgKind,
    /// One sentence, with the default.
    pub doc: &'static str,
}

/// The type of an argument.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ArgKind {
    /// Text.
    Text,
    /// A whole number between two, both allowed.
    Integer(i64, i64),
    /// A number between two, both allowed.
    Number(f64, f64),
    /// `true` or `false`.
    Truth,
    /// One of these words.
    Choice(&'static [&'static str]),
}

impl ArgKind {
    /// Checks a value as the policy has it.
    ///
    /// # Errors
    /// What it must be, such as `a whole number from 1 to 48`.
    pub fn check(self, value: &str) -> Result<(), String> {
        let (fits, what) = match self {
            Self::Text => (true, String::new()),
            Self::Integer(least, most) => {
                let what = match (least, most) {
                    (i64::MIN, i64::MAX) => "a whole number".to_owned(),
                    (least, i64::MAX) => format!("a whole number of at least {least}"),
                    _ => format!("a whole number from {least} to {most}"),
                };
                (value.parse::<i64>().is_ok_and(|n| (least..=most).contains(&n)), what)
            }
            Self::Number(least, most) => (
                value.parse::<f64>().is_ok_and(|n| (least..=most).contains(&n)),
                format!("a number from {least} to {most}"),
            ),
            Self::Truth => (matches!(value, "true" | "false"), "`true` or `false`".to_owned()),
            Self::Choice(words) => (words.contains(&value), format!("one of `{}`", words.join("`, `"))),
        };
        if fits { Ok(()) } else { Err(what) }
    }
}

/// The arguments that a policy gives; each is of its [`ArgKind`].
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Args(pub BTreeMap<String, String>);

impl Args {
    /// A text argument, or the word of a choice.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A whole number.
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.0.get(name)?.parse().ok()
    }

    /// A number.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.0.get(name)?.parse().ok()
    }

    /// Whether an argument is given and `true`.
    pub fn is_true(&self, name: &str) -> bool {
        self.text(name) == Some("true")
    }
}
