//! One module for each group of commands.

pub(crate) mod approvals;
pub(crate) mod bundle;
pub(crate) mod capture;
pub(crate) mod demo;
pub(crate) mod detect;
pub(crate) mod environment;
pub(crate) mod explain;
pub(crate) mod keys;
pub(crate) mod masks;
pub(crate) mod policy;
pub(crate) mod preview;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod serve;
