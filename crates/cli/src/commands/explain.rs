//! `explain`.

use reenact_model::{Class, Error, Result};
use reenact_review::codes;

use crate::render;

/// `explain`: the page of a code, or the list of all.
pub(crate) fn run(code: Option<&str>, json: bool) -> Result<u8> {
    let pages: Vec<codes::Page> = match code {
        None => codes::pages().collect(),
        Some(code) => vec![codes::page(code).ok_or_else(|| {
            Error::new(Class::Input, format!("there is no code `{code}`"))
                .help("a finding shows its code in brackets, such as `POL-009`; `reenact explain` lists all")
        })?],
    };
    if json {
        render::json(&serde_json::json!({ "format": "reenact/codes", "format_version": "1.0", "codes": pages }));
    } else if let (Some(_), Some(page)) = (code, pages.first()) {
        render::out(&format!("{}: {}\n\n{}", page.code, page.title, page.text));
    } else {
        let rows: Vec<Vec<String>> =
            pages.iter().map(|page| vec![page.code.to_owned(), page.title.to_owned()]).collect();
        render::out(&render::table(&["code", "what"], &rows));
    }
    Ok(0)
}
