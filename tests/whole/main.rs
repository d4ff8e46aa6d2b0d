//! Tests of the whole binary.

mod approvals;
mod bad_input;
mod browser;
mod canaries;
mod commands;
mod conditions;
mod demo;
mod detect;
mod equality;
mod output;
mod page;
mod payloads;
mod policy;
mod preview;
mod redis;
mod serve;
mod servers;
mod signals;
mod sources;
mod support;
