//! Names and traits of people.

pub(crate) mod name;
