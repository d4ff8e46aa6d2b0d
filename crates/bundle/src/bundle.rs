//! Opening a bundle.
//!
//! Hidden here: the order of belief. The signature first, under a key that the reader was given; then size and digest of
//! every member; then keys, commitments and tags; then limits; and only what passed all of them is parsed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use reenact_model::digest::EntityDigest;
use reenact_model::{Class, EntityId, Error, Result, Site};
use sha2::{Digest, Sha256};

use crate::contents::{CONTENTS_LIMIT, Contents};
use crate::failure::{beyond, damaged};
use crate::ids::{BundleId, MemberId, unhex};
use crate::keys::{self, Identity, Keyring, Locked, MemberKey, PublicKey};
use crate::manifest::{Manifest, ManifestMember};
use crate::place::{Place, read_exact};
use crate::rows::Rows;
use crate::unseal::Unsealed;
use crate::writer::now_ms;

/// A bundle whose signature, digests and contents were verified.
pub struct Bundle {
    id: BundleId,
    manifest: Manifest,
    contents: Contents,
    opener: Arc<Opener>,
}

/// Opens members: their place and their keys.
pub(crate) struct Opener {
    place: Arc<dyn Place>,
    keys: BTreeMap<MemberId, OpenKey>,
}

struct OpenKey {
    key: MemberKey,
    commitment: [u8; 32],
    size: u64,
}

impl Opener {
    pub(crate) fn open(&self, id: &MemberId) -> Result<Unsealed> {
        let known = self.keys.get(id).ok_or_else(|| damaged(format_args!("member {id}"), "not in the manifest"))?;
        Unsealed::open(&self.place, *id, &known.key, &known.commitment, known.size)
    }
}

/// What [`Bundle::verify`] found to be whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The number of members with records.
    pub members: usize,
    /// The bytes of all members, padding included.
    pub bytes: u64,
    /// Count and content digest of every entity that has members, as read.
    pub entities: BTreeMap<EntityId, EntityDigest>,
}

impl Bundle {
    /// Opens a bundle: signature, digests and sizes of every member, keys and tags, limits, and only then the contents.
    ///
    /// # Errors
    /// [`Class::Bundle`] if the bundle is missing, damaged, unsigned, signed by a stranger, expired, sealed to others or
    /// beyond a limit of the format.
    pub fn open(place: Arc<dyn Place>, keyring: &Keyring) -> Result<Self> {
        let file = place.manifest()?;
        let (manifest, id) = Manifest::open(&file, &keyring.trusted)?;
        if manifest.expires_ms.is_some_and(|expiry| expiry <= now_ms()) && !keyring.allow_expired {
            return Err(damaged("manifest", "the bundle has expired")
                .help("capture again; to look into this one once more, give `--accept-expired` to `inspect`, `verify` or `why`"));
        }
        for member in &manifest.members {
            check_bytes(&*place, member)?;
        }
        let keys = manifest
            .members
            .iter()
            .map(|member| Ok((member.id, open_key(&keyring.identities, member)?)))
            .collect::<Result<_>>()?;
        let opener = Arc::new(Opener { place, keys });
        let contents = read_contents(&opener.open(&manifest.contents)?)?;
        check_contents(&manifest, &contents)?;
        Ok(Self { id, manifest, contents, opener })
    }

    /// The bundle's name: the digest of its manifest.
    pub fn id(&self) -> &BundleId {
        &self.id
    }

    /// What it holds.
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// The trusted key that signed it.
    pub fn signer(&self) -> &PublicKey {
        &self.manifest.signer
    }

    /// What a stranger sees of it.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The records of an entity, in the order in which they were written; none if it has no member.
    ///
    /// Tags are checked as segments are read; the count and the content digest of each member are compared at its end, so
    /// the last item may be an error.
    ///
    /// # Errors
    /// [`Class::Input`] if the bundle knows no such entity. The items are errors of [`Class::Bundle`].
    pub fn rows(&self, entity: &EntityId) -> Result<Rows> {
        let described = self
            .contents
            .entity(entity)
            .ok_or_else(|| Error::new(Class::Input, "the bundle has no such entity").at(Site::entity(entity)))?;
        let members = self.contents.members.iter().filter(|member| member.entity == *entity).cloned().collect();
        Ok(Rows::new(Arc::clone(described), Arc::clone(&self.opener), members))
    }

    /// What opens its members, for tests that look below the rows.
    #[cfg(test)]
    pub(crate) fn opener(&self) -> &Opener {
        &self.opener
    }

    /// Reads everything: all tags and paddings, all records, and compares their counts and content digests.
    ///
    /// # Errors
    /// [`Class::Bundle`] at the first thing that is not as stated.
    pub fn verify(&self) -> Result<Verified> {
        for member in &self.manifest.members {
            check_bytes(&*self.opener.place, member)?;
            self.opener.open(&member.id)?.check()?;
        }
        let entities = self.contents.digests();
        for entity in entities.keys() {
            // At the end of each member, its count and digest are compared.
            self.rows(entity)?.try_for_each(|rows| rows.map(drop))?;
        }
        let bytes = self.manifest.members.iter().map(|member| member.size).sum();
        Ok(Verified { members: self.contents.members.len(), bytes, entities })
    }
}

impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bundle({}, {} members)", self.id, self.manifest.members.len())
    }
}

/// Compares size and SHA-256 of a member's file with the manifest.
fn check_bytes(place: &dyn Place, member: &ManifestMember) -> Result<()> {
    let what = || format!("member {}", member.id);
    if place.size(&member.id)? != member.size {
        return Err(damaged(what(), "its size is not the one that was signed"));
    }
    let (mut hash, mut at) = (Sha256::new(), 0);
    let mut buffer = vec![0; 256 << 10];
    while at < member.size {
        let length = usize::try_from(member.size - at).unwrap_or(usize::MAX).min(buffer.len());
        read_exact(place, &member.id, at, &mut buffer[..length])?;
        hash.update(&buffer[..length]);
        at += length as u64;
    }
    let found: [u8; 32] = hash.finalize().into();
    if unhex(&member.sha256) != Some(found) {
        return Err(damaged(what(), "its digest is not the one that was signed"));
    }
    Ok(())
}

fn open_key(identities: &[Identity], member: &ManifestMember) -> Result<OpenKey> {
    let what = || format!("member {}", member.id);
    let key = keys::unwrap(identities, &member.wrapped_key).map_err(|why| match why {
        Locked::Stranger => damaged(what(), "it is sealed to others").help("give your identity with `--identity`"),
        Locked::Damaged => damaged(what(), "its wrapped key can't be opened"),
    })?;
    let commitment =
        unhex(&member.commitment).ok_or_else(|| damaged(what(), "its commitment is not written as one"))?;
    Ok(OpenKey { key, commitment, size: member.size })
}

fn read_contents(unsealed: &Unsealed) -> Result<Contents> {
    if unsealed.length() > CONTENTS_LIMIT {
        return Err(beyond("contents", "larger than 256 MiB"));
    }
    unsealed.check()?;
    let length = usize::try_from(unsealed.length()).map_err(|_| beyond("contents", "larger than memory"))?;
    Contents::parse(&unsealed.read(0, length)?)
}

/// The contents must speak of exactly the members that were signed, and describe their entities.
fn check_contents(manifest: &Manifest, contents: &Contents) -> Result<()> {
    let signed: BTreeSet<MemberId> =
        manifest.members.iter().map(|member| member.id).filter(|id| *id != manifest.contents).collect();
    let listed: BTreeSet<MemberId> = contents.members.iter().map(|member| member.id).collect();
    if signed != listed || listed.len() != contents.members.len() {
        return Err(damaged("contents", "they list other members than the manifest"));
    }
    match contents.members.iter().find(|member| contents.entity(&member.entity).is_none()) {
        Some(member) => {
            Err(damaged("contents", "they do not describe the entity of a member").at(Site::entity(&member.entity)))
        }
        None => Ok(()),
    }
}
