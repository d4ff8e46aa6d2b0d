//! Throw-away sets of servers, and the register that makes sure none of them stays behind.
//!
//! Hidden here: where a service of a replay runs and how it comes into being. A caller says what it wants
//! ([`Wanted`]), a [`Provider`] answers with a [`Lease`]: one URL per service with credentials of its own, isolated from
//! every other lease, and later takes it all away again. Whatever a provider creates is written into the [`Registry`]
//! before it exists, so that a process killed at any instant leaves nothing that [`Registry::gc`] does not find.
//!
//! What is absent: nothing here reads or writes a record, and nothing here decides whether a target may be written to.

mod account;
mod child;
mod lease;
mod names;
mod proc;
mod programs;

pub mod embedded;
pub mod external;
pub mod process;
pub mod registry;

pub use embedded::Embedded;
pub use external::External;
pub use lease::{Endpoint, Lease, Provider, Wanted, WantedService};
pub use process::Process;
pub use registry::{LeaseInfo, Place, Registry};

/// The environment variable that every child process of a lease carries; its value is the lease's id.
///
/// A process that carries it, works in a folder of the lease and is no older than the lease's owner is stopped together
/// with the lease, even if the owner was killed before the child was registered. Carrying it is not enough.
pub const LEASE_VARIABLE: &str = "REENACT_LEASE";
