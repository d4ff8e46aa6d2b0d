//! Networks and devices.

pub(crate) mod hostname;
pub(crate) mod ip;
pub(crate) mod ip_prefix;
pub(crate) mod ip_truncate;
pub(crate) mod mac;
pub(crate) mod url;
pub(crate) mod user_agent;
