//! Ways to reach somebody: what these masks give reaches nobody, or is marked where it may.

pub(crate) mod email;
pub(crate) mod phone;
