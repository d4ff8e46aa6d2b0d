//! Names and traits of people.

pub(crate) mod birth_date;
pub(crate) mod company;
pub(crate) mod first_name;
pub(crate) mod gender;
pub(crate) mod last_name;
pub(crate) mod name;
pub(crate) mod username;
