//! Free text and codes that are written for people.

pub(crate) mod keep_ends;
pub(crate) mod spans;
pub(crate) mod template;
pub(crate) mod truncate;
pub(crate) mod words;
