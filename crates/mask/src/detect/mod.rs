//! What fields hold of people, found by their names and by a sample of their values.
mod class;
mod names;
mod numbers;
mod spans;
mod sums;
mod words;

pub use class::{CLASSES, Class, Standing};
pub use spans::{Span, spans};
