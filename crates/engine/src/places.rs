//! Where a service was captured from, so that a replay into the same place is refused.
//!
//! A store's own identity does not survive everything: a Redis that was restarted and a file that was put in a file's place
//! have another one. Where they stand is the second line. It stands in the bundle as salted hashes: whoever may open the
//! bundle can check a guess, and can read no address.

use reenact_model::{Class, Dsn, Error, Kind, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The places of one service, as salted hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Places {
    /// Drawn for this service of this capture.
    salt: String,
    /// SHA-256 of the salt and each place.
    hashes: Vec<String>,
}

impl Places {
    /// The places that a URL of a kind leads to.
    ///
    /// # Errors
    /// If the operating system gives no randomness.
    pub async fn of(kind: Kind, dsn: &Dsn) -> Result<Self> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt)
            .map_err(|_| Error::new(Class::Unexpected, "the operating system gives no randomness"))?;
        let salt = hex::encode(salt);
        let hashes = plain(kind, dsn).await.iter().map(|place| hashed(&salt, place)).collect();
        Ok(Self { salt, hashes })
    }

    /// Whether a URL of a kind leads to one of these places.
    pub async fn hold(&self, kind: Kind, dsn: &Dsn) -> bool {
        plain(kind, dsn).await.iter().any(|place| self.hashes.contains(&hashed(&self.salt, place)))
    }
}

async fn plain(kind: Kind, dsn: &Dsn) -> Vec<String> {
    let Some(store) = reenact_stores::store(kind) else { return Vec::new() };
    // Servers of two kinds can't share a port, but a file and a socket may share a path.
    store.places(dsn).await.into_iter().map(|place| format!("{kind} {place}")).collect()
}

fn hashed(salt: &str, place: &str) -> String {
    hex::encode(Sha256::new().chain_update(salt).chain_update(" ").chain_update(place).finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_place_is_known_again_and_told_to_nobody() {
        let url = |port: u16, database: u8| Dsn::new(format!("redis://ann:secret@cart.shop.invalid:{port}/{database}"));
        let places = Places::of(Kind::Redis, &url(6379, 2)).await.expect("hashes");
        assert!(places.hold(Kind::Redis, &url(6379, 2)).await);
        assert!(!places.hold(Kind::Redis, &url(6379, 1)).await && !places.hold(Kind::Redis, &url(6380, 2)).await);
        let told = serde_json::to_string(&places).expect("serialises");
        assert!(!told.contains("shop") && !told.contains("6379"), "{told}");
        assert_ne!(places, Places::of(Kind::Redis, &url(6379, 2)).await.expect("hashes"), "the salt is not drawn");
    }
}
