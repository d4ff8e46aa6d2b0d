//! Keys: one per domain, out of one root key and the salt of a scope.
//!
//! Hidden here: the key schedule. HKDF-SHA-256 (RFC 5869) takes the root key with a random scope salt; each domain's key
//! is expanded from that with the domain's name, so that equal values of different domains have unrelated pseudonyms, and so
//! that nobody who lacks the salt, which a bundle's scope destroys, can compute one again. Secrets have no `Debug` text.

use std::fmt;

use hkdf::Hkdf;
use reenact_model::{Class, Error, Result};
use sha2::Sha256;
use sha2::block_api::compress256;
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
    /// What SHA-256 holds after the block of the inner and of the outer padded key.
    inner: [u32; 8],
    outer: [u32; 8],
    cipher: [u8; 32],
}

/// The initial hash value of SHA-256 (FIPS 180-4, 5.3.3).
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// Ends a hash of which one block is done: the rest, and its padding (FIPS 180-4, 5.1.1).
fn ended(mut state: [u32; 8], rest: &[u8]) -> [u8; 32] {
    let (blocks, tail) = rest.as_chunks::<64>();
    compress256(&mut state, blocks);
    let mut last = [[0; 64]; 2];
    let count = if tail.len() < 56 { 1 } else { 2 };
    last[0][..tail.len()].copy_from_slice(tail);
    last[0][tail.len()] = 0x80;
    let bits = (rest.len() as u64 + 64) * 8;
    last[count - 1][56..].copy_from_slice(&bits.to_be_bytes());
    compress256(&mut state, &last[..count]);
    let mut out = [0; 32];
    for (bytes, word) in out.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    out
}

impl DomainKey {
    fn of(bytes: &[u8; 64]) -> Self {
        let (mac_key, cipher_key) = bytes.split_at(32);
        let mut cipher = [0; 32];
        cipher.copy_from_slice(cipher_key);
        let padded = |pad: u8| {
            let mut block = [pad; 64];
            block.iter_mut().zip(mac_key).for_each(|(byte, key)| *byte ^= key);
            let mut state = INITIAL;
            compress256(&mut state, &[block]);
            block.zeroize();
            state
        };
        Self { inner: padded(0x36), outer: padded(0x5c), cipher }
    }

    /// HMAC-SHA-256 (RFC 2104) of a text.
    ///
    /// The two states after the padded key are computed once, and a short text then costs two blocks; a library's hasher with its
    /// buffers would be copied for each of millions of values.
    pub fn hash(&self, text: &[u8]) -> [u8; 32] {
        ended(self.outer, &ended(self.inner, text))
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
        self.inner.zeroize();
        self.outer.zeroize();
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
    use hmac::{Hmac, KeyInit as _, Mac as _};

    #[test]
    fn the_hash_is_hmac_sha256() {
        // RFC 4231, test case 2: key "Jefe".
        let mut bytes = [0; 64];
        bytes[..4].copy_from_slice(b"Jefe");
        let hash = DomainKey::of(&bytes).hash(b"what do ya want for nothing?");
        assert_eq!(hex::encode(hash), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[test]
    fn the_hash_is_that_of_the_library_for_every_length() {
        let bytes: [u8; 64] = std::array::from_fn(|n| u8::try_from(n * 3).expect("a byte"));
        let key = DomainKey::of(&bytes);
        let text: Vec<u8> = (0..300_u16).map(|n| n.to_le_bytes()[0] ^ 0x5a).collect();
        for length in 0..text.len() {
            let mut mac = Hmac::<Sha256>::new_from_slice(&bytes[..32]).expect("any length");
            mac.update(&text[..length]);
            assert_eq!(key.hash(&text[..length])[..], mac.finalize().into_bytes()[..], "{length} bytes");
        }
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
