//! Keys on their way between agents: sealed to the one that will ask them.

use reenact_model::payload::Blob;
use reenact_model::{Class, Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// An agent's own key pair (age X25519), drawn at its start and gone with it.
pub struct AgentKey(age::x25519::Identity);

impl std::fmt::Debug for AgentKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AgentKey(…)")
    }
}

impl Default for AgentKey {
    fn default() -> Self {
        Self(age::x25519::Identity::generate())
    }
}

impl AgentKey {
    /// The public half, as text.
    pub fn recipient(&self) -> String {
        self.0.to_public().to_string()
    }

    /// Opens what was sealed to this agent.
    ///
    /// # Errors
    /// If it was sealed to another one, or is damaged.
    pub fn open<T: DeserializeOwned>(&self, sealed: &SealedBox) -> Result<T> {
        let broken = || Error::new(Class::Unexpected, "a sealed message is not for this agent, or is damaged");
        let plain = age::decrypt(&self.0, &sealed.0.0).map_err(|_| broken())?;
        ciborium::from_reader(plain.as_slice()).map_err(|_| broken())
    }
}

/// A value that only one agent can read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SealedBox(Blob);

impl SealedBox {
    /// Seals a value to an agent.
    ///
    /// # Errors
    /// If the recipient is none.
    pub fn new(recipient: &str, value: &impl Serialize) -> Result<Self> {
        let recipient: age::x25519::Recipient =
            recipient.parse().map_err(|_| Error::new(Class::Unexpected, "an agent's public key is damaged"))?;
        let mut plain = Vec::new();
        ciborium::into_writer(value, &mut plain).map_err(|_| Error::new(Class::Unexpected, "keys can't be written"))?;
        let sealed =
            age::encrypt(&recipient, &plain).map_err(|_| Error::new(Class::Unexpected, "keys can't be sealed"))?;
        Ok(Self(Blob(sealed)))
    }

    /// Its size in bytes.
    pub fn len(&self) -> usize {
        self.0.0.len()
    }

    /// Whether it holds no byte; never, in truth.
    pub fn is_empty(&self) -> bool {
        self.0.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reenact_model::{Key, KeySet};

    #[test]
    fn only_the_addressee_reads_keys() {
        let (a, b) = (AgentKey::default(), AgentKey::default());
        let keys: KeySet = [Key::new(["secret-canary"])].into_iter().collect();
        let sealed = SealedBox::new(&a.recipient(), &keys).expect("seals");
        let mut wire = Vec::new();
        ciborium::into_writer(&sealed, &mut wire).expect("writes");
        assert!(!wire.windows(6).any(|w| w == b"canary"));
        assert_eq!(a.open::<KeySet>(&sealed).expect("opens"), keys);
        assert!(b.open::<KeySet>(&sealed).is_err());
    }
}
