//! Quantities and choices whose distribution matters more than the single value.

pub(crate) mod bucket;
pub(crate) mod noise;
pub(crate) mod shuffle;
pub(crate) mod top_code;
