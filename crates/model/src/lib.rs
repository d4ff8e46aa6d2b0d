//! The vocabulary of `reenact` and its pure algorithms.
//!
//! Everything that two crates must agree on lives here and nowhere else: names of services, entities and fields
//! ([`names`]), what a service holds ([`catalog`]), rows that have not been masked yet ([`Captured`]), when two values are
//! the same ([`canonical`]), how a payload is taken apart and put together again ([`payload`]), which records belong
//! together ([`graph`]), and how a failure is told ([`error`]). It does no IO and knows no driver, so that it can't leak.

pub mod canonical;
pub mod captured;
pub mod catalog;
pub mod digest;
pub mod dsn;
pub mod equality;
pub mod error;
pub mod graph;
pub mod key;
pub mod names;
pub mod payload;
pub mod position;

pub use captured::{Captured, Via};
pub use catalog::{Entity, Field, Kind, Relationship, ServiceCatalog, ValueType};
pub use dsn::Dsn;
pub use error::{Class, Error, Finding, Result, Site, Span};
pub use key::{Key, KeySet};
pub use names::{EntityId, FieldId, FieldPath, Path};
pub use position::{Part, Position};
