//! A bundle in this process's memory.
//!
//! Hidden here: a map. It is meant for tests, and it can be told to run full.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reenact_model::Result;

use crate::failure::{cannot_write, damaged};
use crate::ids::MemberId;
use crate::place::{MemberSink, Place};

/// A [`Place`] in memory. Clones share their contents.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    members: BTreeMap<MemberId, Vec<u8>>,
    manifest: Option<Vec<u8>>,
    written: u64,
    capacity: Option<u64>,
}

impl Memory {
    /// An empty place without a limit.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty place that has no space left after so many bytes, as a full disk has.
    pub fn with_capacity(bytes: u64) -> Self {
        let memory = Self::default();
        memory.state().capacity = Some(bytes);
        memory
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn charge(&mut self, bytes: usize) -> io::Result<()> {
        self.written += bytes as u64;
        if self.capacity.is_some_and(|capacity| self.written > capacity) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory({} members)", self.state().members.len())
    }
}

struct Sink {
    memory: Memory,
    id: MemberId,
}

impl Write for Sink {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let mut state = self.memory.state();
        state.charge(buf.len())?;
        state.members.get_mut(&self.id).ok_or(io::ErrorKind::NotFound)?.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MemberSink for Sink {
    fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

impl Place for Memory {
    fn put(&self, id: &MemberId) -> Result<Box<dyn MemberSink>> {
        let mut state = self.state();
        if state.members.contains_key(id) {
            return Err(cannot_write(format_args!("member {id}"), &io::ErrorKind::AlreadyExists.into()));
        }
        state.members.insert(*id, Vec::new());
        Ok(Box::new(Sink { memory: self.clone(), id: *id }))
    }

    fn read_at(&self, id: &MemberId, at: u64, buf: &mut [u8]) -> Result<usize> {
        let state = self.state();
        let bytes = state.members.get(id).ok_or_else(|| damaged(format_args!("member {id}"), "missing"))?;
        let rest = usize::try_from(at).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
        let read = rest.len().min(buf.len());
        buf[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }

    fn size(&self, id: &MemberId) -> Result<u64> {
        let state = self.state();
        let bytes = state.members.get(id).ok_or_else(|| damaged(format_args!("member {id}"), "missing"))?;
        Ok(bytes.len() as u64)
    }

    fn remove(&self, id: &MemberId) -> Result<()> {
        self.state().members.remove(id);
        Ok(())
    }

    fn list(&self) -> Result<Vec<MemberId>> {
        Ok(self.state().members.keys().copied().collect())
    }

    fn manifest(&self) -> Result<Vec<u8>> {
        self.state().manifest.clone().ok_or_else(|| damaged("manifest", "missing"))
    }

    fn commit(&self, manifest: &[u8]) -> Result<()> {
        let mut state = self.state();
        state.charge(manifest.len()).map_err(|error| cannot_write("manifest", &error))?;
        state.manifest = Some(manifest.to_vec());
        Ok(())
    }

    fn abandon(&self) -> Result<()> {
        let mut state = self.state();
        if state.manifest.is_none() {
            state.members.clear();
        }
        Ok(())
    }

    fn describe(&self) -> String {
        "memory".to_owned()
    }
}
