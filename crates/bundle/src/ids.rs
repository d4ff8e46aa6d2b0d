//! Names that say nothing: a member's random id and a bundle's digest.
//!
//! Hidden here: their one spelling, lower-case hexadecimal. Anything else does not parse, so an id out of a manifest can
//! be part of a file name.

use std::fmt;
use std::str::FromStr;

use reenact_model::{Class, Error, Result};
use serde::{Deserialize, Serialize};

use crate::failure;

/// Exactly `N` bytes in lower-case hexadecimal, or nothing.
pub(crate) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let plain = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    (plain && hex::decode_to_slice(text, &mut bytes).is_ok()).then_some(bytes)
}

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(pub(crate) [u8; $bytes]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                unhex(text).map(Self).ok_or_else(|| Error::new(Class::Input, concat!("this is no id of a ", $what)))
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

hex_id! {
    /// The random name of a member: 16 bytes, written as 32 lower-case hexadecimal digits. It says nothing of its entity.
    MemberId, 16, "member"
}

hex_id! {
    /// The name of a bundle: the SHA-256 of its manifest's body, written as 64 lower-case hexadecimal digits.
    BundleId, 32, "bundle"
}

impl MemberId {
    /// A fresh random id.
    ///
    /// # Errors
    /// If the operating system gives no random bytes.
    pub fn random() -> Result<Self> {
        failure::random().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let id = MemberId([0xab; 16]);
        assert_eq!(id.to_string().parse::<MemberId>().unwrap(), id);
        assert!(id.to_string().to_uppercase().parse::<MemberId>().is_err());
        for wrong in ["", "ab", "../../../../../../etc/passwd00000", "zz000000000000000000000000000000"] {
            assert!(wrong.parse::<MemberId>().is_err(), "{wrong}");
        }
        assert!(serde_json::from_str::<MemberId>("\"..\"").is_err());
    }
}
