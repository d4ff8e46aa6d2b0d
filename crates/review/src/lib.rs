//! The review of a policy: what it decides, what is wrong with it, and what a change of it means.
//!
//! Hidden here: how a reviewer is told. [`check::check`] holds a policy against [`Schemas`], which hold no value, so a review needs no
//! way to production; [`diff::diff`] compares two policies by their effect on every field and not by their text; [`formats`] writes both
//! for people, pull requests and programs; [`page`] is the same as one file for a browser. The crate can reach no store.

pub mod approve;
pub mod check;
pub mod codes;
pub mod diff;
pub mod explain;
pub mod formats;
pub mod page;
pub mod population;
pub mod preview;
pub mod schema;

pub use check::Report;
pub use diff::{Change, Diff, Effect};
pub use reenact_model::catalog::Schemas;
