//! Where a bundle lives.
//!
//! Hidden here: nothing but the contract. A place keeps opaque members by id and one manifest; whatever becomes visible
//! becomes visible by [`Place::commit`], at once. It is synchronous: an implementation over an asynchronous client belongs
//! to the engine.

use std::io::Write;

use reenact_model::{Error, Result};

use crate::failure;
use crate::ids::MemberId;

/// The greatest size of a manifest, in bytes.
pub(crate) const MANIFEST_LIMIT: u64 = 16 << 20;

/// One member while it is written, front to back.
///
/// Dropping it without [`MemberSink::finish`] leaves a torn member, which only [`Place::remove`] or [`Place::abandon`]
/// takes away.
pub trait MemberSink: Write + Send {
    /// Makes the bytes durable.
    ///
    /// # Errors
    /// [`Class::Write`](reenact_model::Class::Write) if they can't be made durable.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// Where a bundle lives: a directory, memory, an object store.
pub trait Place: Send + Sync {
    /// Begins a member.
    ///
    /// # Errors
    /// [`Class::Write`](reenact_model::Class::Write) if it can't be written or exists already.
    fn put(&self, id: &MemberId) -> Result<Box<dyn MemberSink>>;

    /// Reads at most `buf.len()` bytes at an offset; fewer only at the end of the member, none behind it.
    ///
    /// # Errors
    /// [`Class::Bundle`](reenact_model::Class::Bundle) if the member is missing or can't be read.
    fn read_at(&self, id: &MemberId, at: u64, buf: &mut [u8]) -> Result<usize>;

    /// The size of a member in bytes.
    ///
    /// # Errors
    /// [`Class::Bundle`](reenact_model::Class::Bundle) if the member is missing or can't be read.
    fn size(&self, id: &MemberId) -> Result<u64>;

    /// Removes a member; it is no error if there is none.
    ///
    /// # Errors
    /// [`Class::Write`](reenact_model::Class::Write) if it can't be removed.
    fn remove(&self, id: &MemberId) -> Result<()>;

    /// All members, finished or not, in the order of their ids.
    ///
    /// # Errors
    /// [`Class::Bundle`](reenact_model::Class::Bundle) if they can't be listed.
    fn list(&self) -> Result<Vec<MemberId>>;

    /// The whole manifest.
    ///
    /// # Errors
    /// [`Class::Bundle`](reenact_model::Class::Bundle) if there is none, or if it is larger than 16 MiB.
    fn manifest(&self) -> Result<Vec<u8>>;

    /// The commit point: after it, and not before, the bundle is there.
    ///
    /// # Errors
    /// [`Class::Write`](reenact_model::Class::Write) if it can't be written.
    fn commit(&self, manifest: &[u8]) -> Result<()>;

    /// Removes everything that was not committed; does nothing after a commit.
    ///
    /// # Errors
    /// [`Class::Write`](reenact_model::Class::Write) if something can't be removed.
    fn abandon(&self) -> Result<()>;

    /// The place as a person would name it.
    fn describe(&self) -> String;
}

/// Fills `buf` from a member, or fails.
pub(crate) fn read_exact(place: &dyn Place, id: &MemberId, at: u64, buf: &mut [u8]) -> Result<()> {
    let mut done = 0;
    while done < buf.len() {
        match place.read_at(id, at + done as u64, &mut buf[done..])? {
            0 => return Err(truncated(id)),
            read => done += read,
        }
    }
    Ok(())
}

/// A member that ends too early.
pub(crate) fn truncated(id: &MemberId) -> Error {
    failure::damaged(format_args!("member {id}"), "it ends too early")
}
