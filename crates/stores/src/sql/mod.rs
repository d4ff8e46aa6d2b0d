//! SQL stores.

