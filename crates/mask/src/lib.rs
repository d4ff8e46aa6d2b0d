//! From a policy's text to masked rows.
//!
//! Hidden here: what happens to every field, and how. A [`Policy`] is text with every finding pointed at its place; a
//! [`Plan`] is that policy resolved against a catalog, exactly one decision for every field, or no plan at all; a [`Masker`]
//! is a plan that keys have joined. Only this crate turns [`reenact_model::Captured`] rows into [`Masked`] ones.

pub mod approval;
mod checks;
mod condition;
pub mod detect;
pub mod domain;
pub mod kernels;
pub mod masked;
pub mod masker;
pub mod plan;
pub mod policy;
pub mod residue;
pub mod trial;
pub mod validity;
pub mod yaml;

pub use approval::{Approval, PublicKey};
pub use domain::{RootKey, Salt, ScopeKeys};
pub use masked::Masked;
pub use masker::Masker;
pub use plan::{Action, Decision, Plan};
pub use policy::{Policy, PolicyText, Undecided};
