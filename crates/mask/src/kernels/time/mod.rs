//! Dates and moments.

pub(crate) mod date_shift;
