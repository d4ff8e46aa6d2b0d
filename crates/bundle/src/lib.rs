//! The bundle format: what one capture leaves behind, complete and sealed, or not at all.
//!
//! Hidden here: bytes. How rows become a member (Parquet in an authenticated container, each under its own key), how
//! members become a bundle (a signed manifest, written last), and in which order a reader may believe them: signature,
//! digests, tags, limits, and only then a parser. `FORMAT.md` beside this crate specifies it byte by byte, with the
//! threat model. Callers see entities and [`Masked`](reenact_mask::Masked) rows; nothing else can be written, and
//! nothing that was not verified can be read.
//!
//! The crate is synchronous and knows no driver. Where a bundle lives is a [`Place`].

mod bundle;
mod columns;
mod contents;
mod directory;
mod failure;
mod ids;
mod keys;
mod manifest;
mod memory;
mod place;
mod rows;
mod seal;
mod unseal;
mod writer;

#[cfg(test)]
mod tests;

pub use bundle::{Bundle, Verified};
pub use contents::{Contents, MemberInfo};
pub use directory::Directory;
pub use ids::{BundleId, MemberId};
pub use keys::{Identity, Keyring, PublicKey, Recipient, SigningKey};
pub use manifest::{Manifest, ManifestMember};
pub use memory::Memory;
pub use place::{MemberSink, Place};
pub use rows::{Reread, Rows, Written};
pub use writer::{BundleWriter, MemberWriter, Sealed};

/// The version of the format that this build writes; it reads this one and every older one.
pub const FORMAT_VERSION: u32 = 1;
