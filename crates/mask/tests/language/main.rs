//! The policy language, from text to masked rows: a clinic's tables, a shop's messages, and what a policy makes of them.

mod batches;
mod classes;
mod conditions;
mod counted;
mod documented;
mod includes;
mod members;
mod partition;
mod personal;
mod subject;
mod support;
mod trials;
