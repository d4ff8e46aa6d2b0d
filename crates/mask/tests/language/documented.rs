//! What `docs/policy.md` shows is what the language takes.

use reenact_mask::{Policy, PolicyText};

const PAGE: &str = include_str!("../../../../docs/policy.md");

/// The blocks of a language, in order, each with the line above it.
fn blocks(language: &str) -> Vec<(&'static str, &'static str)> {
    let fence = format!("```{language}\n");
    let pieces: Vec<&str> = PAGE.split(&fence).collect();
    let before = |n: usize| pieces[n].trim_end().lines().last().unwrap_or_default();
    (1..pieces.len()).map(|n| (before(n - 1), pieces[n].split("```").next().unwrap_or_default())).collect()
}

#[test]
fn every_policy_of_the_page_parses() {
    let blocks = blocks("yaml");
    assert!(!blocks.is_empty());
    for (before, text) in blocks {
        let other = |_: &str| Ok("version: 1\n".to_owned());
        let text =
            PolicyText::gather("docs/policy.md", text, &mut { other }).unwrap_or_else(|error| panic!("{error:?}"));
        Policy::read(&text).unwrap_or_else(|error| panic!("{before}\n{error:?}"));
    }
}
