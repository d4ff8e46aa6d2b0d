//! placeholder
pub mod masked;
pub use masked::Masked;
