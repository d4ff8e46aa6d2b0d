//! The container of a member: encryption in segments, written front to back.
//!
//! Hidden here: the header, the key schedule, the nonces and the padding. Each member has a fresh random key, used once, so
//! a counter is a safe nonce; the last segment carries a flag, so that a member can't be cut, extended or put in another
//! order; the key schedule takes in the header and the member's id, so that neither can be exchanged. `FORMAT.md` has the
//! bytes.

use std::io::{self, Write};
use std::sync::Arc;

use aes_gcm::aead::{AeadInOut, KeyInit, Nonce};
use aes_gcm::{Aes256Gcm, Tag};
use hkdf::Hkdf;
use reenact_model::{Class, Error, Result};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::failure;
use crate::ids::MemberId;
use crate::keys::{self, MemberKey, Recipient};
use crate::place::{MemberSink, Place};

/// Plaintext bytes of a segment.
pub(crate) const SEGMENT: usize = 64 << 10;
/// Bytes of a segment's authentication tag.
pub(crate) const TAG: usize = 16;
/// Bytes of a segment in the file.
pub(crate) const SEALED_SEGMENT: usize = SEGMENT + TAG;
/// Bytes of the header: magic and algorithm, salt, commitment.
pub(crate) const HEADER: usize = 8 + 32 + 32;
/// Bytes of the trailer, the payload's length, which ends the plaintext.
pub(crate) const TRAILER: usize = 8;
/// `RNCT1`, algorithm 1 (AES-256-GCM, HKDF-SHA-256), segments of 2^16 bytes.
pub(crate) const MAGIC: [u8; 8] = *b"RNCT1\0\x01\x10";
/// AES-GCM stays safe for 2^32 messages under one key.
const MAX_SEGMENTS: u64 = 1 << 32;
const DOMAIN: &[u8] = b"reenact/member/v1\0";

/// The number of segments of a member file of this size, if a member can have it.
pub(crate) fn segments_of(size: u64) -> Option<u64> {
    let body = size.checked_sub(HEADER as u64)?;
    let segments = body / SEALED_SEGMENT as u64;
    (body % SEALED_SEGMENT as u64 == 0 && (1..=MAX_SEGMENTS).contains(&segments)).then_some(segments)
}

/// The nonce of a segment: an 11-byte big-endian counter, then whether it is the last.
pub(crate) fn nonce(segment: u64, last: bool) -> Nonce<Aes256Gcm> {
    let mut bytes = [0; 12];
    bytes[3..11].copy_from_slice(&segment.to_be_bytes());
    bytes[11] = u8::from(last);
    bytes.into()
}

/// What a member's key gives together with its header and id: the cipher, and the commitment to the key.
pub(crate) fn schedule(key: &MemberKey, salt: &[u8; 32], id: &MemberId) -> (Aes256Gcm, [u8; 32]) {
    let mut okm = Zeroizing::new([0; 64]);
    Hkdf::<Sha256>::new(Some(salt), &key[..])
        .expand_multi_info(&[DOMAIN, &MAGIC, &id.0], &mut okm[..])
        .expect("64 bytes are less than HKDF-SHA-256 can give");
    let (secret, public) = okm.split_at(32);
    let cipher = Aes256Gcm::new_from_slice(secret).expect("32 bytes are a key of AES-256");
    let mut commitment = [0; 32];
    commitment.copy_from_slice(public);
    (cipher, commitment)
}

/// A member while it is sealed: takes the payload, writes the container.
pub(crate) struct Sealer {
    id: MemberId,
    key: MemberKey,
    sink: Option<Box<dyn MemberSink>>,
    cipher: Aes256Gcm,
    commitment: [u8; 32],
    wrapped_key: String,
    /// The plaintext of the segment that is being filled; wiped by its encryption.
    segment: Vec<u8>,
    segments: u64,
    payload: u64,
    written: u64,
    hash: Sha256,
    failed: Option<Error>,
}

/// What is known of a container after its last byte.
pub(crate) struct Container {
    pub(crate) sha256: [u8; 32],
    pub(crate) size: u64,
    pub(crate) commitment: [u8; 32],
    pub(crate) wrapped_key: String,
}

impl Sealer {
    /// Begins a member under a fresh key and a random id.
    pub(crate) fn create(place: &Arc<dyn Place>, recipients: &[Recipient]) -> Result<Self> {
        let id = MemberId::random()?;
        let key: MemberKey = Zeroizing::new(failure::random()?);
        let salt = failure::random()?;
        let (cipher, commitment) = schedule(&key, &salt, &id);
        let wrapped_key = keys::wrap(recipients, &key)?;
        let mut sealer = Self {
            id,
            key,
            sink: Some(place.put(&id)?),
            cipher,
            commitment,
            wrapped_key,
            segment: Vec::with_capacity(SEALED_SEGMENT),
            segments: 0,
            payload: 0,
            written: 0,
            hash: Sha256::new(),
            failed: None,
        };
        let header = [&MAGIC[..], &salt, &commitment].concat();
        if let Err(error) = sealer.emit(&header) {
            drop(sealer.sink.take());
            // The torn member is removed as far as the place still allows; `abandon` takes the rest.
            let _ = place.remove(&id);
            return Err(error);
        }
        Ok(sealer)
    }

    /// The member's id.
    pub(crate) fn id(&self) -> MemberId {
        self.id
    }

    /// The member's key.
    pub(crate) fn key(&self) -> &MemberKey {
        &self.key
    }

    /// The bytes written to the place so far.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Why a write failed, where a caller in between only knows that it failed.
    pub(crate) fn take_failure(&mut self) -> Option<Error> {
        self.failed.take()
    }

    /// Takes a part of the payload.
    pub(crate) fn append(&mut self, mut payload: &[u8]) -> Result<()> {
        self.payload += payload.len() as u64;
        while !payload.is_empty() {
            let (now, later) = payload.split_at(payload.len().min(SEGMENT - self.segment.len()));
            self.segment.extend_from_slice(now);
            payload = later;
            // Never the last segment: the trailer is still to come.
            if self.segment.len() == SEGMENT {
                self.seal_segment(false)?;
            }
        }
        Ok(())
    }

    /// Pads, writes the trailer and the last segment, and makes the member durable.
    pub(crate) fn finish(&mut self) -> Result<Container> {
        if self.segment.len() > SEGMENT - TRAILER {
            self.segment.resize(SEGMENT, 0);
            self.seal_segment(false)?;
        }
        self.segment.resize(SEGMENT - TRAILER, 0);
        self.segment.extend_from_slice(&self.payload.to_be_bytes());
        self.seal_segment(true)?;
        let sink = self.sink.take().ok_or_else(closed)?;
        sink.finish()?;
        Ok(Container {
            sha256: std::mem::take(&mut self.hash).finalize().into(),
            size: self.written,
            commitment: self.commitment,
            wrapped_key: std::mem::take(&mut self.wrapped_key),
        })
    }

    fn seal_segment(&mut self, last: bool) -> Result<()> {
        if self.segments == MAX_SEGMENTS {
            return Err(Error::new(Class::Limit, "a member can't be larger than 256 TiB"));
        }
        let mut segment = std::mem::take(&mut self.segment);
        let tag: Tag = self
            .cipher
            .encrypt_inout_detached(&nonce(self.segments, last), b"", segment.as_mut_slice().into())
            .map_err(|_| Error::new(Class::Unexpected, "a segment can't be encrypted"))?;
        segment.extend_from_slice(&tag);
        self.segments += 1;
        let result = self.emit(&segment);
        segment.clear();
        self.segment = segment;
        result
    }

    fn emit(&mut self, bytes: &[u8]) -> Result<()> {
        let sink = self.sink.as_mut().ok_or_else(closed)?;
        sink.write_all(bytes).map_err(|error| failure::cannot_write(format_args!("member {}", self.id), &error))?;
        self.hash.update(bytes);
        self.written += bytes.len() as u64;
        Ok(())
    }
}

fn closed() -> Error {
    Error::new(Class::Unexpected, "the member is closed")
}

impl Write for Sealer {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self.append(buf) {
            Ok(()) => Ok(buf.len()),
            Err(error) => {
                self.failed.get_or_insert(error);
                Err(io::Error::other("the member can't be written"))
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
