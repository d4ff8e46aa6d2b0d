//! Tests of the whole binary.

mod bad_input;
mod commands;
mod demo;
mod detect;
mod output;
mod policy;
mod servers;
mod signals;
mod support;
