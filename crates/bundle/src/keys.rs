//! Keys: who signed, and who may read.
//!
//! Hidden here: ed25519 and age. Signing keys and identities are secrets: they have no `Display`, their `Debug` prints
//! `…`, and they are wiped when dropped. A key that a bundle or a file names is a name, never proof: only the keys of a
//! [`Keyring`] count, which its holder was given beforehand.

use std::fmt;
use std::io::{Read, Write};
use std::str::FromStr;

use age::secrecy::ExposeSecret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::Signer;
pub use reenact_mask::approval::PublicKey;
use reenact_mask::approval::under;
use reenact_model::{Class, Error, Result};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::failure;
use crate::ids::unhex;

/// A wrapped key is refused beyond this size in base64; each recipient takes some 200 bytes.
pub(crate) const WRAPPED_LIMIT: usize = 64 << 10;

/// The secret with which a bundle or an approval is signed (ed25519).
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// A fresh key.
    ///
    /// # Panics
    /// If the operating system gives no random bytes.
    pub fn generate() -> Self {
        let mut seed = failure::random::<32>().expect("the operating system gives random bytes");
        let key = Self(ed25519_dalek::SigningKey::from_bytes(&seed));
        seed.zeroize();
        key
    }

    /// The key of a seed of 32 bytes, written as 64 lower-case hexadecimal digits.
    ///
    /// # Errors
    /// [`Class::Input`] if it is not written so.
    pub fn from_seed_hex(text: &str) -> Result<Self> {
        let mut seed: [u8; 32] = unhex(text.trim()).ok_or_else(|| {
            Error::new(Class::Input, "this is no signing key: 64 lower-case hexadecimal digits are expected")
        })?;
        let key = Self(ed25519_dalek::SigningKey::from_bytes(&seed));
        seed.zeroize();
        Ok(key)
    }

    /// The seed as [`SigningKey::from_seed_hex`] reads it, to be kept in a safe place.
    pub fn to_seed_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.0.as_bytes()))
    }

    /// The public half, to be given to readers beforehand.
    pub fn public(&self) -> PublicKey {
        self.0.verifying_key().into()
    }

    /// Signs a message under a domain, so that a signature made for one purpose never serves another.
    pub fn sign(&self, domain: &str, message: &[u8]) -> [u8; 64] {
        self.0.sign(&under(domain, message)).to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

/// Somebody who may read a bundle: the public half of an [`Identity`], written `age1…`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Recipient(age::x25519::Recipient);

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl PartialEq for Recipient {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for Recipient {}

impl FromStr for Recipient {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        text.parse().map(Self).map_err(|_| Error::new(Class::Input, "this is no recipient: `age1…` is expected"))
    }
}

impl TryFrom<String> for Recipient {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Recipient> for String {
    fn from(recipient: Recipient) -> Self {
        recipient.to_string()
    }
}

/// The secret with which a reader opens what was sealed to its [`Recipient`], written `AGE-SECRET-KEY-1…`.
#[derive(Clone)]
pub struct Identity(age::x25519::Identity);

impl Identity {
    /// A fresh identity.
    pub fn generate() -> Self {
        Self(age::x25519::Identity::generate())
    }

    /// The public half, to be given to those who seal.
    pub fn recipient(&self) -> Recipient {
        Recipient(self.0.to_public())
    }

    /// The secret as [`Identity::from_str`] reads it, to be kept in a safe place.
    pub fn reveal(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.to_string().expose_secret().to_owned())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(…)")
    }
}

impl FromStr for Identity {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        text.trim()
            .parse()
            .map(Self)
            .map_err(|_| Error::new(Class::Input, "this is no identity: `AGE-SECRET-KEY-1…` is expected"))
    }
}

/// What a reader was given beforehand: whom to believe, and with which secrets to open.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    /// The public keys whose signature counts.
    pub trusted: Vec<PublicKey>,
    /// The secrets that open members.
    pub identities: Vec<Identity>,
    /// Whether a bundle may be read after its expiry.
    pub allow_expired: bool,
}

/// The key of one member.
pub(crate) type MemberKey = Zeroizing<[u8; 32]>;

/// A member's key, wrapped so that each of the recipients can open it: an age file in base64.
pub(crate) fn wrap(recipients: &[Recipient], key: &MemberKey) -> Result<String> {
    let failed = || Error::new(Class::Unexpected, "a member's key can't be wrapped for the recipients");
    let recipients = recipients.iter().map(|recipient| &recipient.0 as &dyn age::Recipient);
    let encryptor = age::Encryptor::with_recipients(recipients).map_err(|_| failed())?;
    let mut out = Vec::new();
    let mut writer = encryptor.wrap_output(&mut out).map_err(|_| failed())?;
    writer.write_all(&**key).map_err(|_| failed())?;
    writer.finish().map_err(|_| failed())?;
    let text = STANDARD.encode(out);
    if text.len() > WRAPPED_LIMIT {
        return Err(Error::new(Class::Limit, "too many recipients"));
    }
    Ok(text)
}

/// Opens what [`wrap`] made, with any of the identities.
pub(crate) fn unwrap(identities: &[Identity], wrapped: &str) -> std::result::Result<MemberKey, Locked> {
    let bytes = STANDARD.decode(wrapped).map_err(|_| Locked::Damaged)?;
    let decryptor = age::Decryptor::new_buffered(&bytes[..]).map_err(|_| Locked::Damaged)?;
    let identities = identities.iter().map(|identity| &identity.0 as &dyn age::Identity);
    let reader = decryptor.decrypt(identities).map_err(|error| match error {
        age::DecryptError::NoMatchingKeys => Locked::Stranger,
        _ => Locked::Damaged,
    })?;
    let mut text = Zeroizing::new(Vec::with_capacity(64));
    reader.take(64).read_to_end(&mut text).map_err(|_| Locked::Damaged)?;
    <[u8; 32]>::try_from(&text[..]).map(Zeroizing::new).map_err(|_| Locked::Damaged)
}

/// Why a wrapped key does not open.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Locked {
    /// None of the identities is a recipient.
    Stranger,
    /// It is no wrapped key.
    Damaged,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_and_print_alike_and_secrets_do_not_print() {
        let key = SigningKey::from_seed_hex(&"07".repeat(32)).unwrap();
        assert_eq!(key.public().to_string().parse::<PublicKey>().unwrap(), key.public());
        assert_eq!(key.public().id().len(), 16);
        assert_eq!(SigningKey::from_seed_hex(&key.to_seed_hex()).unwrap().public(), key.public());
        assert_eq!(format!("{key:?}"), "SigningKey(…)");
        let identity = Identity::generate();
        assert_eq!(identity.reveal().parse::<Identity>().unwrap().recipient(), identity.recipient());
        assert_eq!(identity.recipient().to_string().parse::<Recipient>().unwrap(), identity.recipient());
        assert_eq!(format!("{identity:?}"), "Identity(…)");
        let shown = format!("{:?}", Keyring { identities: vec![identity.clone()], ..Keyring::default() });
        assert!(!shown.contains(&**identity.reveal()) && !shown.contains("SECRET"), "{shown}");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        assert!(SigningKey::from_seed_hex("07").is_err());
        assert!("reenact-pub:00".parse::<PublicKey>().is_err());
        // The neutral point verifies nearly anything.
        assert!(format!("reenact-pub:01{}", "00".repeat(31)).parse::<PublicKey>().is_err());
        assert!("age1".parse::<Recipient>().is_err());
        assert!("AGE-SECRET-KEY-1".parse::<Identity>().is_err());
    }

    #[test]
    fn a_signature_counts_in_its_domain_only() {
        let key = SigningKey::generate();
        let signature = key.sign("a", b"message");
        assert!(key.public().verifies("a", b"message", &signature));
        assert!(!key.public().verifies("b", b"message", &signature));
        assert!(!key.public().verifies("a", b"messages", &signature));
        assert!(!SigningKey::generate().public().verifies("a", b"message", &signature));
    }

    #[test]
    fn a_wrapped_key_opens_for_each_recipient_and_for_nobody_else() {
        let (first, second, stranger) = (Identity::generate(), Identity::generate(), Identity::generate());
        let key = Zeroizing::new([5; 32]);
        let wrapped = wrap(&[first.recipient(), second.recipient()], &key).unwrap();
        assert_eq!(unwrap(&[stranger.clone(), second], &wrapped).unwrap(), key);
        assert_eq!(unwrap(&[first], &wrapped).unwrap(), key);
        assert_eq!(unwrap(&[stranger], &wrapped).unwrap_err(), Locked::Stranger);
        assert_eq!(unwrap(&[], "!").unwrap_err(), Locked::Damaged);
    }
}
