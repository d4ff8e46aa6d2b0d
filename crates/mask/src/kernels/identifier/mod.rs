//! Identifiers and keys: most masks here are bijections, so that what was unique stays unique.

pub(crate) mod alnum;
pub(crate) mod digits;
pub(crate) mod integer;
pub(crate) mod pattern;
pub(crate) mod random_code;
pub(crate) mod snowflake;
pub(crate) mod token;
pub(crate) mod ulid;
pub(crate) mod uuid;
pub(crate) mod uuidv7;
