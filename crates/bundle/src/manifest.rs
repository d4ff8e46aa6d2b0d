//! The manifest: what a stranger sees, and the one thing that is signed.
//!
//! Hidden here: its canonical form and its signature. The body is one line of JSON with sorted keys and no white space,
//! the second line is an ed25519 signature over it. Nothing of the body is believed before the signature holds under a key
//! that the reader was given beforehand; the key that the body names is a name.

use std::collections::HashSet;

use reenact_model::{Class, Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::FORMAT_VERSION;
use crate::failure::{beyond, damaged};
use crate::ids::{BundleId, MemberId, unhex};
use crate::keys::{PublicKey, SigningKey, WRAPPED_LIMIT};
use crate::place::MANIFEST_LIMIT;
use crate::seal::segments_of;

const DOMAIN: &str = "reenact/manifest/v1";
const FORMAT: &str = "reenact-bundle";
const MAX_MEMBERS: usize = 100_000;

/// What is written in clear: opaque ids, digests, padded sizes. The fields stand in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Which member is the sealed description.
    pub contents: MemberId,
    /// When the bundle was finished, in milliseconds since 1970 UTC.
    pub created_ms: i64,
    /// When it ceases to be readable without a special word, in milliseconds since 1970 UTC.
    pub expires_ms: Option<i64>,
    /// Always `reenact-bundle`.
    pub format: String,
    /// The version of the format.
    pub format_version: u32,
    /// All members, in the order of their ids.
    pub members: Vec<ManifestMember>,
    /// Who says to have signed; a name, never proof.
    pub signer: PublicKey,
    /// The program that wrote it, with its version.
    pub tool: String,
}

/// What is written in clear of one member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestMember {
    /// What the member's key commits to, in hexadecimal.
    pub commitment: String,
    /// Its random name.
    pub id: MemberId,
    /// The SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// The size of the file in bytes.
    pub size: u64,
    /// Its key, sealed to all recipients: an age file in base64.
    pub wrapped_key: String,
}

impl Manifest {
    /// A manifest of this version over members in any order.
    pub(crate) fn new(
        contents: MemberId,
        mut members: Vec<ManifestMember>,
        signer: PublicKey,
        tool: String,
        (created_ms, expires_ms): (i64, Option<i64>),
    ) -> Self {
        members.sort_by_key(|member| member.id);
        Self {
            contents,
            created_ms,
            expires_ms,
            format: FORMAT.to_owned(),
            format_version: FORMAT_VERSION,
            members,
            signer,
            tool,
        }
    }

    /// The signed file and the bundle's id.
    pub(crate) fn sign(&self, key: &SigningKey) -> Result<(Vec<u8>, BundleId)> {
        let mut file = serde_json::to_vec(self)
            .map_err(|_| Error::new(Class::Unexpected, "the manifest can't be written as JSON"))?;
        let id = BundleId(Sha256::digest(&file).into());
        let signature = hex::encode(key.sign(DOMAIN, &file));
        file.push(b'\n');
        file.extend_from_slice(signature.as_bytes());
        file.push(b'\n');
        if file.len() as u64 > MANIFEST_LIMIT || self.members.len() > MAX_MEMBERS {
            return Err(Error::new(
                Class::Limit,
                "the manifest is larger than 16 MiB or has more than 100,000 members",
            )
            .help("capture fewer members, or seal them to fewer recipients"));
        }
        Ok((file, id))
    }

    /// Believes a manifest that one of the trusted keys signed, and nothing else.
    pub(crate) fn open(file: &[u8], trusted: &[PublicKey]) -> Result<(Self, BundleId)> {
        if file.len() as u64 > MANIFEST_LIMIT {
            return Err(beyond("manifest", "larger than 16 MiB"));
        }
        let (body, signature) =
            split(file).ok_or_else(|| damaged("manifest", "it is not signed, cut off or altered"))?;
        let signer = trusted
            .iter()
            .find(|key| key.verifies(DOMAIN, body, &signature))
            .ok_or_else(|| stranger(body, &signature, trusted))?;
        let manifest = Self::parse(body)?;
        if manifest.signer != *signer {
            return Err(damaged("manifest", "it names another signer than the one that signed it"));
        }
        manifest.check()?;
        Ok((manifest, BundleId(Sha256::digest(body).into())))
    }

    fn parse(body: &[u8]) -> Result<Self> {
        /// The part that every version has.
        #[derive(Deserialize)]
        struct Version {
            format: String,
            format_version: u32,
        }
        let version: Version =
            serde_json::from_slice(body).map_err(|_| damaged("manifest", "this is no manifest of a bundle"))?;
        if version.format != FORMAT {
            return Err(damaged("manifest", "this is no manifest of a bundle"));
        }
        if version.format_version > FORMAT_VERSION {
            return Err(damaged("manifest", "written by a later version").help("use a newer release to read it"));
        }
        let manifest: Self = serde_json::from_slice(body).map_err(|_| damaged("manifest", "it can't be parsed"))?;
        if serde_json::to_vec(&manifest).ok().as_deref() != Some(body) {
            return Err(damaged("manifest", "it is not in its canonical form"));
        }
        Ok(manifest)
    }

    fn check(&self) -> Result<()> {
        if self.members.len() > MAX_MEMBERS {
            return Err(beyond("manifest", "more than 100,000 members"));
        }
        if !self.members.is_sorted_by(|a, b| a.id < b.id) {
            return Err(damaged("manifest", "its members are not in order"));
        }
        if self.member(&self.contents).is_none() {
            return Err(damaged("manifest", "it has no contents"));
        }
        let mut commitments = HashSet::new();
        for member in &self.members {
            let what = || format!("manifest: member {}", member.id);
            if segments_of(member.size).is_none() {
                return Err(damaged(what(), "no member has this size"));
            }
            if member.wrapped_key.len() > WRAPPED_LIMIT {
                return Err(beyond(what(), "its wrapped key is too long"));
            }
            if unhex::<32>(&member.sha256).is_none() || unhex::<32>(&member.commitment).is_none() {
                return Err(damaged(what(), "a digest is not written as one"));
            }
            if !commitments.insert(&member.commitment) {
                return Err(damaged(what(), "it shares a key with another member"));
            }
        }
        Ok(())
    }

    /// The entry of a member.
    pub fn member(&self, id: &MemberId) -> Option<&ManifestMember> {
        self.members.binary_search_by(|member| member.id.cmp(id)).ok().map(|index| &self.members[index])
    }
}

/// Body and signature of a file, if it has exactly this shape.
fn split(file: &[u8]) -> Option<(&[u8], [u8; 64])> {
    let lines = file.strip_suffix(b"\n")?;
    let end = lines.iter().position(|byte| *byte == b'\n')?;
    let (body, rest) = lines.split_at(end);
    Some((body, unhex(std::str::from_utf8(&rest[1..]).ok()?)?))
}

/// Why no trusted key signed: the signature holds under the key that the body names, or under none that is known.
fn stranger(body: &[u8], signature: &[u8; 64], trusted: &[PublicKey]) -> Error {
    /// The only part that is looked at, for the message alone.
    #[derive(Deserialize)]
    struct Named {
        signer: PublicKey,
    }
    let help = "give the signer's public key with `--trust`, if you know it from elsewhere";
    match serde_json::from_slice::<Named>(body) {
        Ok(named) if trusted.contains(&named.signer) => damaged("manifest", "it was altered after it was signed"),
        Ok(named) if named.signer.verifies(DOMAIN, body, signature) => {
            damaged("manifest", format_args!("signed by {}, whom you do not trust", named.signer.id())).help(help)
        }
        _ => damaged("manifest", "no trusted key signed it, or it was altered").help(help),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(key: &SigningKey) -> Manifest {
        let member = |byte: u8| ManifestMember {
            commitment: hex::encode([byte; 32]),
            id: MemberId([byte; 16]),
            sha256: hex::encode([byte; 32]),
            size: 72 + 65_552,
            wrapped_key: "a+/=".to_owned(),
        };
        let members = vec![member(2), member(1)];
        Manifest::new(MemberId([1; 16]), members, key.public(), "reenact \"x\"".to_owned(), (5, None))
    }

    #[test]
    fn keys_are_sorted_and_nothing_is_spaced() {
        let text = String::from_utf8(serde_json::to_vec(&manifest(&SigningKey::generate())).unwrap()).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let sorted = |value: &serde_json::Value| {
            value.as_object().is_some_and(|object| object.keys().is_sorted() && !object.is_empty())
        };
        assert!(sorted(&value) && sorted(&value["members"][0]), "{text}");
        assert_eq!(text, value.to_string());
        assert!(value["members"][0]["id"].as_str() < value["members"][1]["id"].as_str());
    }

    #[test]
    fn only_the_canonical_form_and_a_known_signer_are_believed() {
        let key = SigningKey::generate();
        let (file, id) = manifest(&key).sign(&key).unwrap();
        let (read, same) = Manifest::open(&file, &[SigningKey::generate().public(), key.public()]).unwrap();
        assert_eq!((read, same), (manifest(&key), id));

        let error = Manifest::open(&file, &[]).unwrap_err();
        assert_eq!(error.class(), Class::Bundle);
        assert!(error.help_text().unwrap().contains("--trust"), "{error}");
        assert!(error.message().contains(&key.public().id()), "{error}");

        let other = SigningKey::generate();
        let (named, _) = manifest(&key).sign(&other).unwrap();
        assert!(Manifest::open(&named, &[other.public()]).unwrap_err().message().contains("names another signer"));
        assert!(Manifest::open(&named, &[key.public()]).unwrap_err().message().contains("altered"));

        let body = [b" ", &file[..file.len() - 130]].concat();
        let signature = hex::encode(key.sign(DOMAIN, &body));
        let spaced = [&body[..], b"\n", signature.as_bytes(), b"\n"].concat();
        assert!(Manifest::open(&spaced, &[key.public()]).unwrap_err().message().contains("canonical"));
    }

    #[test]
    fn what_no_member_can_be_is_refused_even_if_it_is_signed() {
        let key = SigningKey::generate();
        let refused = |edit: &dyn Fn(&mut Manifest)| {
            let mut manifest = manifest(&key);
            edit(&mut manifest);
            let (file, _) = manifest.sign(&key).unwrap();
            Manifest::open(&file, &[key.public()]).unwrap_err().message().to_owned()
        };
        assert!(refused(&|m| m.members[0].size = 100).contains("size"));
        assert!(refused(&|m| m.members.swap(0, 1)).contains("order"));
        assert!(refused(&|m| m.members[0].sha256 = "zz".into()).contains("digest"));
        assert!(refused(&|m| m.members[0].commitment = m.members[1].commitment.clone()).contains("shares a key"));
        assert!(refused(&|m| m.contents = MemberId([9; 16])).contains("no contents"));
        assert!(refused(&|m| m.format_version = 2).contains("later version"));
        assert!(refused(&|m| m.members[0].wrapped_key = "a".repeat(WRAPPED_LIMIT + 1)).contains("too long"));
    }
}
