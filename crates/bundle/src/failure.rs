//! How this crate's failures are told.
//!
//! Hidden here: which class an IO error belongs to, and that no text of a parser or of the operating system gets into a
//! message, since either may quote what it read.

use std::fmt::Display;
use std::io;

use reenact_model::{Class, Error, Result};

/// Something of a bundle that can't be believed; `what` is `manifest`, `contents` or `member <id>`.
pub(crate) fn damaged(what: impl Display, why: impl Display) -> Error {
    Error::new(Class::Bundle, format!("{what}: {why}"))
}

/// A limit of the format that a bundle exceeds.
pub(crate) fn beyond(what: impl Display, why: impl Display) -> Error {
    damaged(what, format_args!("beyond a limit of the format: {why}"))
}

/// An IO error while reading a bundle.
pub(crate) fn cannot_read(what: impl Display, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => damaged(what, "missing"),
        kind => damaged(what, format_args!("can't be read: {kind}")),
    }
}

/// An IO error while writing a bundle.
pub(crate) fn cannot_write(what: impl Display, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Error::new(Class::Write, format!("{what}: no space left"))
                .help("free some space, or write the bundle to another place")
        }
        io::ErrorKind::NotFound => Error::new(Class::Write, format!("{what}: there is no such folder to write to"))
            .help("make the folder first, or name another path"),
        kind => Error::new(Class::Write, format!("{what}: can't be written: {kind}")),
    }
}

/// Random bytes from the operating system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|_| Error::new(Class::Unexpected, "the operating system gives no random bytes"))?;
    Ok(bytes)
}
