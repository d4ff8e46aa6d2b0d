//! Ways to reach somebody, and where somebody is: what these masks give reaches nobody.

pub(crate) mod city;
pub(crate) mod country;
pub(crate) mod email;
pub(crate) mod geo_point;
pub(crate) mod phone;
pub(crate) mod postcode;
pub(crate) mod street;
