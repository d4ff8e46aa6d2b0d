//! Tests of the whole binary.

mod approvals;
mod bad_input;
mod commands;
mod demo;
mod detect;
mod output;
mod policy;
mod redis;
mod servers;
mod signals;
mod sources;
mod support;
