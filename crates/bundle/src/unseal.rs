//! Reading a member's container at any offset.
//!
//! Hidden here: which segments hold a range, their decryption, and a small cache of the latest ones. Nothing comes out of
//! a segment whose tag does not hold. The Parquet reader sees it as a file.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, Tag};
use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use reenact_model::{Error, Result};

use crate::failure::damaged;
use crate::ids::MemberId;
use crate::keys::MemberKey;
use crate::place::{Place, read_exact};
use crate::seal::{HEADER, MAGIC, SEALED_SEGMENT, SEGMENT, TAG, TRAILER, nonce, schedule, segments_of};

/// So many decrypted segments are kept.
const CACHE: usize = 16;

/// A member whose header and length were checked; its payload can be read.
pub(crate) struct Unsealed {
    place: Arc<dyn Place>,
    id: MemberId,
    cipher: Aes256Gcm,
    segments: u64,
    length: u64,
    cache: Mutex<VecDeque<(u64, Bytes)>>,
    failed: Mutex<Option<Error>>,
}

impl Unsealed {
    /// Opens a member: compares the commitment before anything is decrypted, then reads the trailer.
    pub(crate) fn open(
        place: &Arc<dyn Place>,
        id: MemberId,
        key: &MemberKey,
        commitment: &[u8; 32],
        size: u64,
    ) -> Result<Self> {
        let member = format!("member {id}");
        let segments = segments_of(size).ok_or_else(|| damaged(&member, "no member has this size"))?;
        let mut header = [0; HEADER];
        read_exact(&**place, &id, 0, &mut header)?;
        let (magic, rest) = header.split_at(MAGIC.len());
        let (salt, stated) = rest.split_at(32);
        if magic != MAGIC {
            return Err(damaged(&member, "its header is not of a version that this build reads"));
        }
        let mut salted = [0; 32];
        salted.copy_from_slice(salt);
        let (cipher, derived) = schedule(key, &salted, &id);
        if derived != *commitment || stated != commitment {
            return Err(damaged(&member, "its key is not the one that was committed to"));
        }
        let mut unsealed = Self {
            place: Arc::clone(place),
            id,
            cipher,
            segments,
            length: 0,
            cache: Mutex::default(),
            failed: Mutex::default(),
        };
        let last = unsealed.segment(segments - 1)?;
        let mut trailer = [0; TRAILER];
        trailer.copy_from_slice(&last[SEGMENT - TRAILER..]);
        unsealed.length = u64::from_be_bytes(trailer);
        let room = segments * SEGMENT as u64 - TRAILER as u64;
        if unsealed.length > room || room - unsealed.length >= SEGMENT as u64 {
            return Err(damaged(&member, "its length does not fit its size"));
        }
        Ok(unsealed)
    }

    /// The length of the payload.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Checks every tag, and that the padding is zero.
    pub(crate) fn check(&self) -> Result<()> {
        for index in 0..self.segments {
            let segment = self.decrypt(index)?;
            let start = index * SEGMENT as u64;
            let payload = usize::try_from(self.length.saturating_sub(start)).unwrap_or(usize::MAX).min(SEGMENT);
            let end = if index + 1 == self.segments { SEGMENT - TRAILER } else { SEGMENT };
            if payload < end && segment[payload..end].iter().any(|byte| *byte != 0) {
                return Err(damaged(format_args!("member {}", self.id), "its padding is not zero"));
            }
        }
        Ok(())
    }

    /// The bytes of a range of the payload.
    pub(crate) fn read(&self, at: u64, length: usize) -> Result<Bytes> {
        let end = at.checked_add(length as u64).filter(|end| *end <= self.length);
        let end = end.ok_or_else(|| damaged(format_args!("member {}", self.id), "it points behind its end"))?;
        let within = |at: u64| usize::try_from(at % SEGMENT as u64).unwrap_or(0);
        let first = at / SEGMENT as u64;
        if length > 0 && first == (end - 1) / SEGMENT as u64 {
            let start = within(at);
            return Ok(self.segment(first)?.slice(start..start + length));
        }
        let mut out = Vec::with_capacity(length);
        let mut at = at;
        while at < end {
            let segment = self.segment(at / SEGMENT as u64)?;
            let start = within(at);
            let now = (SEGMENT - start).min(length - out.len());
            out.extend_from_slice(&segment[start..start + now]);
            at += now as u64;
        }
        Ok(out.into())
    }

    /// Why a read failed, where a caller in between only knows that it failed.
    pub(crate) fn take_failure(&self) -> Option<Error> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn note(&self, error: Error) {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    fn segment(&self, index: u64) -> Result<Bytes> {
        let cached = |cache: &VecDeque<(u64, Bytes)>| {
            cache.iter().find(|(known, _)| *known == index).map(|(_, segment)| segment.clone())
        };
        if let Some(segment) = cached(&self.cache.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(segment);
        }
        let segment = Bytes::from(self.decrypt(index)?);
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CACHE {
            cache.pop_front();
        }
        cache.push_back((index, segment.clone()));
        Ok(segment)
    }

    fn decrypt(&self, index: u64) -> Result<Vec<u8>> {
        let mut segment = vec![0; SEALED_SEGMENT];
        read_exact(&*self.place, &self.id, HEADER as u64 + index * SEALED_SEGMENT as u64, &mut segment)?;
        let altered = || damaged(format_args!("member {}", self.id), format_args!("segment {index} was altered"));
        let tag = Tag::try_from(&segment[SEGMENT..]).map_err(|_| altered())?;
        segment.truncate(SEALED_SEGMENT - TAG);
        self.cipher
            .decrypt_inout_detached(&nonce(index, index + 1 == self.segments), b"", segment.as_mut_slice().into(), &tag)
            .map_err(|_| altered())?;
        Ok(segment)
    }
}

impl fmt::Debug for Unsealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unsealed({}, {} bytes)", self.id, self.length)
    }
}

/// A member's payload as the Parquet reader wants it.
#[derive(Clone, Debug)]
pub(crate) struct Chunks(pub(crate) Arc<Unsealed>);

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.0.length()
    }
}

impl ChunkReader for Chunks {
    type T = Tail;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Tail> {
        Ok(Tail { unsealed: Arc::clone(&self.0), at: start })
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        self.0.read(start, length).map_err(|error| {
            self.0.note(error);
            ParquetError::General("a range can't be read".to_owned())
        })
    }
}

/// The payload from an offset on.
pub(crate) struct Tail {
    unsealed: Arc<Unsealed>,
    at: u64,
}

impl Read for Tail {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.unsealed.length.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let rest = SEGMENT - usize::try_from(self.at % SEGMENT as u64).unwrap_or(0);
        let length = buf.len().min(left).min(rest);
        if length == 0 {
            return Ok(0);
        }
        let bytes = self.unsealed.read(self.at, length).map_err(|error| {
            self.unsealed.note(error);
            io::Error::other("a range can't be read")
        })?;
        buf[..length].copy_from_slice(&bytes);
        self.at += length as u64;
        Ok(length)
    }
}
