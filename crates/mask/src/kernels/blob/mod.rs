//! Bytes: pictures, documents, signatures.

pub(crate) mod empty;
pub(crate) mod placeholder;
