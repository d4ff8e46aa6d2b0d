//! Masks for every type.

pub(crate) mod constant;
pub(crate) mod null;
pub(crate) mod redact;
