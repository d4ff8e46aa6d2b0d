//! The public half of a signing key: whom a reader or an operator was told to believe.
//!
//! Hidden here: ed25519, its strict verification, and the text form of a key. A key that a file names is a name, never proof: only keys
//! that the holder of a keyring was given beforehand count.

use std::fmt;
use std::str::FromStr;

use reenact_model::{Class, Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const PUBLIC: &str = "reenact-pub:";

/// The public half of a signing key, written `reenact-pub:<64 hexadecimal digits>`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey(ed25519_dalek::VerifyingKey);

impl PublicKey {
    /// A short name for people: the first 16 hexadecimal digits of the key's SHA-256.
    pub fn id(&self) -> String {
        hex::encode(&Sha256::digest(self.0.as_bytes())[..8])
    }

    /// Whether this key signed the message under the domain.
    pub fn verifies(&self, domain: &str, message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        self.0.verify_strict(&under(domain, message), &signature).is_ok()
    }
}

/// What is signed for a message under a domain, so that a signature made for one purpose never serves another.
pub fn under(domain: &str, message: &[u8]) -> Vec<u8> {
    [domain.as_bytes(), b"\n", message].concat()
}

impl From<ed25519_dalek::VerifyingKey> for PublicKey {
    fn from(key: ed25519_dalek::VerifyingKey) -> Self {
        Self(key)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PUBLIC}{}", hex::encode(self.0.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Bytes of lower-case hexadecimal digits, so that each has one text.
pub(super) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    (hex::encode(bytes) == text).then_some(bytes)
}

impl FromStr for PublicKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        text.strip_prefix(PUBLIC)
            .and_then(unhex::<32>)
            .and_then(|bytes| ed25519_dalek::VerifyingKey::from_bytes(&bytes).ok())
            .filter(|key| !key.is_weak())
            .map(Self)
            .ok_or_else(|| {
                Error::new(Class::Input, "this is no public key")
                    .help("it is written `reenact-pub:` and 64 lower-case hexadecimal digits")
            })
    }
}

impl TryFrom<String> for PublicKey {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        key.to_string()
    }
}
