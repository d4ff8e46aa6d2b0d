//! Tests of the whole binary.

mod bad_input;
mod commands;
mod demo;
mod detect;
mod output;
mod payloads;
mod policy;
mod redis;
mod servers;
mod signals;
mod sources;
mod support;
