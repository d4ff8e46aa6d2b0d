//! The masks: each a file, each one line in [`MASKS`].
//!
//! Hidden here: how values become others. A mask is a function from a value's canonical text to another text, under a
//! domain's key, so it gives one pseudonym whatever the value's type. The columnar part (nulls, types, caching of distinct
//! values) is done once, in [`crate::masker`].

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use reenact_model::ValueType;
use reenact_model::catalog::Field;

use crate::domain::DomainKey;

mod constant;
mod date_shift;
mod digits;
mod email;
mod ff1;
mod integer;
mod name;
mod null;
mod phone;
mod redact;
mod token;
mod uuid;

/// Every mask of this build, in the order of the documentation. `keep` is a decision of its own and no mask.
pub static MASKS: &[&MaskSpec] = &[
    &null::SPEC,
    &constant::SPEC,
    &redact::SPEC,
    &integer::SPEC,
    &digits::SPEC,
    &uuid::SPEC,
    &token::SPEC,
    &email::SPEC,
    &name::SPEC,
    &phone::SPEC,
    &date_shift::SPEC,
];

/// The mask of a name.
pub fn find(name: &str) -> Option<&'static MaskSpec> {
    MASKS.iter().copied().find(|spec| spec.name == name)
}

/// Makes a mask out of arguments and the shapes of the fields that share it, or says what is wrong with an argument.
pub type Build = fn(&Args, &[Shape]) -> Result<Arc<dyn Mask>, String>;

/// What a mask is, next to the code that does it: the parser, `reenact masks` and the documentation read it.
pub struct MaskSpec {
    /// The word in a policy.
    pub name: &'static str,
    /// One sentence on what it does.
    pub doc: &'static str,
    /// Its arguments.
    pub args: &'static [ArgSpec],
    /// What it may reveal, in one sentence.
    pub leaks: &'static str,
    /// Makes it for the fields that share it; says what is wrong with an argument.
    pub build: Build,
}

impl fmt::Debug for MaskSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MaskSpec({})", self.name)
    }
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgKind {
    /// Text.
    Text,
    /// A whole number.
    Integer,
}

/// The arguments that a policy gives.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Args(pub BTreeMap<String, String>);

impl Args {
    /// A text argument.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A whole number.
    ///
    /// # Errors
    /// If it is none.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, String> {
        match self.0.get(name) {
            None => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_| format!("`{name}` must be a whole number")),
        }
    }
}

/// What a mask must know of a field.
#[derive(Clone, Debug)]
pub struct Shape {
    /// The form of its values; [`ValueType::Text`] for a leaf of a payload.
    pub value: ValueType,
    /// The server's name of the type; empty for a leaf.
    pub native: String,
    /// Whether NULL is allowed.
    pub nullable: bool,
    /// The greatest length in characters.
    pub max_chars: Option<u32>,
    /// The smallest and greatest whole number.
    pub range: Option<(i64, i64)>,
    /// The allowed values.
    pub values: Option<Vec<String>>,
}

impl Shape {
    /// The shape of a column.
    pub fn of(field: &Field) -> Self {
        Self {
            value: field.value,
            native: field.native.clone(),
            nullable: field.nullable,
            max_chars: field.max_chars,
            range: field.range,
            values: field.values.clone(),
        }
    }

    /// The shape of a leaf of a payload: any text.
    pub fn leaf() -> Self {
        Self {
            value: ValueType::Text,
            native: String::new(),
            nullable: true,
            max_chars: None,
            range: None,
            values: None,
        }
    }

    /// Says whether any text of up to `chars` characters fits.
    ///
    /// # Errors
    /// Why it does not.
    pub fn takes_text(&self, chars: usize) -> Result<(), String> {
        if self.values.is_some() {
            return Err("the field takes only the values of an enumeration".to_owned());
        }
        if !self.value.is_text() && self.value != ValueType::Bytes {
            return Err(format!("the field's type is `{}`, which holds no such text", self.native));
        }
        match self.max_chars {
            Some(max) if (max as usize) < chars => {
                Err(format!("the result has up to {chars} characters, and the field takes {max}"))
            }
            _ => Ok(()),
        }
    }
}

/// What a mask holds to, with these arguments on these fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guarantees {
    /// Equal inputs give equal outputs under one key.
    pub deterministic: bool,
    /// Different inputs give different outputs: by construction, or with a collision chance below 2^-64 for a pair.
    pub injective: bool,
}

impl Guarantees {
    /// Deterministic and injective.
    pub const PSEUDONYM: Self = Self { deterministic: true, injective: true };
    /// Deterministic only.
    pub const FAKE: Self = Self { deterministic: true, injective: false };
}

/// A value that a mask can't take, such as letters where it needs a whole number; says nothing of the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfit(pub &'static str);

/// A mask, made for the fields that share it.
pub trait Mask: fmt::Debug + Send + Sync {
    /// Whether its results fit a field; says why not.
    ///
    /// # Errors
    /// Why they don't.
    fn fits(&self, shape: &Shape) -> Result<(), String>;

    /// What it holds to.
    fn guarantees(&self) -> Guarantees;

    /// Writes the pseudonym of a canonical text to `out`, which is empty; `None` gives NULL.
    ///
    /// # Errors
    /// [`Unfit`] if the text is none that this mask takes.
    fn apply(&self, key: &DomainKey, text: &str, shape: &Shape, out: &mut String) -> Result<Option<()>, Unfit>;
}

/// The mask for what no rule names.
pub(crate) fn redact_mask() -> impl Mask {
    redact::Redact
}

/// Base 32 digits that no eye confuses and no case changes (Crockford's alphabet in lower case).
const BASE32: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Appends `chars` base-32 digits of a hash; 48 at most.
fn base32(hash: &[u8; 32], chars: usize, out: &mut String) {
    let mut left = chars.min(48);
    // Ten bytes are sixteen digits.
    for bytes in hash.chunks_exact(10) {
        let bits = bytes.iter().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
        let digits: [u8; 16] = std::array::from_fn(|n| BASE32[(bits >> (75 - 5 * n)) as usize & 31]);
        let take = left.min(16);
        out.push_str(std::str::from_utf8(&digits[..take]).unwrap_or_default());
        left -= take;
        if left == 0 {
            return;
        }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use crate::domain::{RootKey, Salt, ScopeKeys};

    pub(crate) fn key(domain: &str) -> DomainKey {
        let root = RootKey::from_hex(&"07".repeat(32)).expect("a key");
        ScopeKeys::new(&root, &Salt::from_bytes([9; 32])).domain(domain)
    }

    pub(crate) fn build(name: &str, args: &[(&str, &str)], shapes: &[Shape]) -> Result<Arc<dyn Mask>, String> {
        let args = Args(args.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect());
        (find(name).expect("a mask").build)(&args, shapes)
    }

    pub(crate) fn apply(mask: &dyn Mask, domain: &str, text: &str) -> Option<String> {
        let mut out = String::new();
        mask.apply(&key(domain), text, &Shape::leaf(), &mut out).expect("fits").map(|()| out)
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{apply, build};
    use super::*;

    fn sample(name: &str, n: u64) -> String {
        match name {
            "integer" => (n * 7_919 % 2_000_000 + 1).to_string(),
            "digits" => format!("{:09}", n * 104_729 % 1_000_000_000),
            "date_shift" => format!("2026-{:02}-{:02} 10:00:00", n % 12 + 1, n % 28 + 1),
            _ => format!("value {n}"),
        }
    }

    #[test]
    fn every_mask_holds_what_it_declares() {
        for spec in MASKS {
            let args: &[(&str, &str)] = if spec.name == "constant" { &[("value", "x")] } else { &[] };
            let mask = build(spec.name, args, &[Shape::leaf()]).expect("builds");
            let mut seen: BTreeMap<String, String> = BTreeMap::new();
            for n in 0..3_000 {
                let input = sample(spec.name, n);
                let first = apply(&*mask, "d", &input);
                assert_eq!(first, apply(&*mask, "d", &input), "{}: deterministic", spec.name);
                if mask.guarantees().injective {
                    let output = first.expect("not null");
                    if let Some(other) = seen.insert(output, input.clone()) {
                        assert_eq!(other, input, "{}: injective", spec.name);
                    }
                }
            }
        }
    }

    #[test]
    fn domains_are_unrelated() {
        for name in ["integer", "digits", "uuid", "token", "email"] {
            let mask = build(name, &[], &[Shape::leaf()]).expect("builds");
            let same =
                (0..200).filter(|n| apply(&*mask, "a", &sample(name, *n)) == apply(&*mask, "b", &sample(name, *n)));
            assert_eq!(same.count(), 0, "{name}");
        }
    }

    #[test]
    fn empty_stays_empty_where_nothing_else_is_said() {
        for name in ["digits", "uuid", "token", "email", "name", "phone", "date_shift"] {
            let mask = build(name, &[], &[Shape::leaf()]).expect("builds");
            assert_eq!(apply(&*mask, "a", ""), Some(String::new()), "{name}");
        }
    }
}
