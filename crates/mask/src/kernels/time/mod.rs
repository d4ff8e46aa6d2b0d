//! Dates, moments and ages.

pub(crate) mod age;
pub(crate) mod date_shift;
pub(crate) mod date_truncate;
pub(crate) mod moment;
pub(crate) mod subject_shift;
