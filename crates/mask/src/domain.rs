//! Keys: one per domain, out of one root key and the salt of a scope.
//!
//! Hidden here: the key schedule. HKDF-SHA-256 (RFC 5869) takes the root key with a random scope salt; each domain's key
//! is expanded from that with the domain's name, so that equal values of different domains have unrelated pseudonyms, and so
//! that nobody who lacks the salt, which a bundle's scope destroys, can compute one again. Secrets have no `Debug` text.

use std::fmt;

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use reenact_model::{Class, Error, Result};
use sha2::Sha256;
use zeroize::Zeroize;

/// The root key of a keyring: 32 random bytes that never leave the machines that capture.
#[derive(Clone)]
pub struct RootKey([u8; 32]);

impl RootKey {
    /// Draws a fresh key.
    ///
    /// # Errors
    /// If the operating system gives no randomness.
    pub fn generate() -> Result<Self> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|_| no_randomness())?;
        Ok(Self(key))
    }

    /// Reads 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`Class::Input`] if it is anything else.
    pub fn from_hex(text: &str) -> Result<Self> {
        let mut key = [0; 32];
        hex::decode_to_slice(text.trim(), &mut key).map_err(|_| {
            Error::new(Class::Input, "the root key is not 64 hexadecimal digits")
                .help("make one with `reenact keys init`")
        })?;
        Ok(Self(key))
    }

    /// Writes 64 hexadecimal digits, for a keyring file.
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }
}

impl Drop for RootKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootKey(…)")
    }
}

/// The random salt of one scope. Whoever has it and the root key can compute the scope's pseudonyms again.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub struct Salt([u8; 32]);

impl Salt {
    /// Draws a fresh salt.
    ///
    /// # Errors
    /// If the operating system gives no randomness.
    pub fn generate() -> Result<Self> {
        let mut salt = [0; 32];
        getrandom::fill(&mut salt).map_err(|_| no_randomness())?;
        Ok(Self(salt))
    }

    /// A salt of given bytes: for tests that need the same pseudonyms twice.
    pub fn from_bytes(salt: [u8; 32]) -> Self {
        Self(salt)
    }
}

impl Drop for Salt {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(…)")
    }
}

fn no_randomness() -> Error {
    Error::new(Class::Unexpected, "the operating system gives no randomness")
}

/// The keys of one scope: each domain's key is expanded when it is asked for.
#[derive(Clone)]
pub struct ScopeKeys(Hkdf<Sha256>);

impl ScopeKeys {
    /// Joins a root key and a scope's salt.
    pub fn new(root: &RootKey, salt: &Salt) -> Self {
        Self(Hkdf::new(Some(&salt.0), &root.0))
    }

    /// The key of a domain.
    pub fn domain(&self, name: &str) -> DomainKey {
        let mut bytes = [0; 64];
        let info = format!("reenact/mask/v1|{name}");
        // 64 bytes are far below the 255 blocks that HKDF can expand.
        let expanded = self.0.expand(info.as_bytes(), &mut bytes);
        debug_assert!(expanded.is_ok());
        let key = DomainKey::of(&bytes);
        bytes.zeroize();
        key
    }
}

impl fmt::Debug for ScopeKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScopeKeys(…)")
    }
}

/// The key of one domain: a keyed hash, and the key of a cipher.
#[derive(Clone)]
pub struct DomainKey {
    mac: Hmac<Sha256>,
    cipher: [u8; 32],
}

impl DomainKey {
    fn of(bytes: &[u8; 64]) -> Self {
        let (mac_key, cipher_key) = bytes.split_at(32);
        let mut cipher = [0; 32];
        cipher.copy_from_slice(cipher_key);
        let mut block = [0; 64];
        block[..32].copy_from_slice(mac_key);
        // HMAC (RFC 2104) pads keys to the block of 64 bytes, so a padded key is the same key.
        Self { mac: Hmac::new(&block.into()), cipher }
    }

    /// HMAC-SHA-256 of a text.
    pub fn hash(&self, text: &[u8]) -> [u8; 32] {
        let mut mac = self.mac.clone();
        mac.update(text);
        mac.finalize().into_bytes().into()
    }

    /// The first eight bytes of [`DomainKey::hash`] as a number.
    pub fn number(&self, text: &[u8]) -> u64 {
        let hash = self.hash(text);
        u64::from_be_bytes([hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]])
    }

    /// The key for format-preserving encryption (FF1, AES-256).
    pub(crate) fn cipher(&self) -> &[u8; 32] {
        &self.cipher
    }
}

impl Drop for DomainKey {
    fn drop(&mut self) {
        self.cipher.zeroize();
    }
}

impl fmt::Debug for DomainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DomainKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_hmac_sha256() {
        // RFC 4231, test case 2: key "Jefe".
        let mut bytes = [0; 64];
        bytes[..4].copy_from_slice(b"Jefe");
        let hash = DomainKey::of(&bytes).hash(b"what do ya want for nothing?");
        assert_eq!(hex::encode(hash), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[test]
    fn root_key_salt_and_domain_all_enter() {
        let root = RootKey([1; 32]);
        let (a, b) = (ScopeKeys::new(&root, &Salt([2; 32])), ScopeKeys::new(&root, &Salt([3; 32])));
        let c = ScopeKeys::new(&RootKey([4; 32]), &Salt([2; 32]));
        let hash = |keys: &ScopeKeys, name: &str| keys.domain(name).hash(b"x");
        assert_eq!(hash(&a, "email"), hash(&a, "email"));
        assert_ne!(hash(&a, "email"), hash(&a, "phone"));
        assert_ne!(hash(&a, "email"), hash(&b, "email"));
        assert_ne!(hash(&a, "email"), hash(&c, "email"));
    }

    #[test]
    fn secrets_do_not_print() {
        let root = RootKey::from_hex(&"ab".repeat(32)).expect("a key");
        let keys = ScopeKeys::new(&root, &Salt([0xab; 32]));
        let text = format!("{root:?} {:?} {keys:?} {:?}", Salt([0xab; 32]), keys.domain("d"));
        assert!(!text.contains("ab") && !text.contains("171"), "{text}");
    }
}
