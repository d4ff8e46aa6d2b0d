//! Tests of the whole binary.

mod bad_input;
mod commands;
mod servers;
mod signals;
mod support;
