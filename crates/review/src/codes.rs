//! What each finding means: a page for every code.
//!
//! Hidden here: where the pages are. A code is stable and so are the pages' names; `tests/architecture.rs` holds that no code of the
//! project lacks one, and that no page is left over.

const PAGES: &str = include_str!("codes.md");

/// The page of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Page {
    /// The code, such as `POL-009`.
    pub code: &'static str,
    /// What it is about, in a few words.
    pub title: &'static str,
    /// What it means, and the edit that mends it.
    pub text: &'static str,
}

/// All pages, in the order of the file.
pub fn pages() -> impl Iterator<Item = Page> {
    PAGES.split("\n## ").filter_map(|section| {
        let (head, text) = section.trim_start_matches("## ").split_once('\n')?;
        let (code, title) = head.split_once(": ")?;
        Some(Page { code, title, text: text.trim() })
    })
}

/// The page of a code, however it is written.
pub fn page(code: &str) -> Option<Page> {
    pages().find(|page| page.code.eq_ignore_ascii_case(code.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_found_by_its_code() {
        let found = page(" pol-009 ").expect("a page");
        assert_eq!((found.code, found.title), ("POL-009", "a mask does not fit a field"));
        assert!(found.text.contains("To mend it"));
        assert_eq!(page("POL-999"), None);
        assert!(pages().all(|page| !page.text.is_empty()));
        assert_eq!(pages().next().expect("one").code, "YAML-001");
    }
}
