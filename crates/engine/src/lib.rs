//! Capture and replay: the order of things.
//!
//! Hidden here: when what happens. A capture is a coordinator, which sees names, counts, positions and sealed keys, and one
//! agent beside each service, which alone sees its rows. A replay loads a bundle into a leased environment, parents before
//! children, and reads everything back. Neither prints: progress is told as [`Event`]s.

pub mod capture;
pub mod detect;
pub mod events;
pub mod pipeline;
pub mod places;
pub mod record;
pub mod replay;
pub mod why;

pub use events::{Event, Observer, Silent};
pub use pipeline::Pipeline;
pub use record::CaptureRecord;
