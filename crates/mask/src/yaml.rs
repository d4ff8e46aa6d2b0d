//! Reading YAML that people write, with the place of every value.
//!
//! Hidden here: the YAML library. Unknown and duplicate keys are errors, documents are limited before they are parsed, and
//! every error names file, line and column.

use reenact_model::{Class, Error, Finding, Result, Site, Span};
use serde::de::DeserializeOwned;
use serde_saphyr::Location;
pub use serde_saphyr::Spanned;

/// The largest document that is read, in bytes.
pub const MAX_BYTES: usize = 4 << 20;

/// Reads one document; `file` is the name that errors show.
///
/// # Errors
/// [`Class::Input`] with the place of what does not parse.
pub fn read<T: DeserializeOwned>(file: &str, text: &str) -> Result<T> {
    if text.len() > MAX_BYTES {
        return Err(Error::new(Class::Input, format!("`{file}` is larger than {} MiB", MAX_BYTES >> 20)));
    }
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let span = error.location().map(|at| span(file, &at));
        let message = message(&error.to_string());
        let finding = Finding::error("YAML-001", Site::default().with_span(span), message);
        Error::from_findings(Class::Input, &format!("`{file}` can't be read"), &[finding])
            .unwrap_or_else(|| Error::new(Class::Input, "the file can't be read"))
    })
}

/// The library's message without its own mention of the place.
fn message(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default();
    first.split(" at line ").next().unwrap_or(first).trim_end_matches([':', ' ']).to_owned()
}

/// The place of a value in a file.
pub fn span(file: &str, at: &Location) -> Span {
    let narrow = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    Span {
        file: file.to_owned(),
        line: narrow(at.line()),
        column: narrow(at.column()),
        length: narrow(at.span().len()).max(1),
    }
}
