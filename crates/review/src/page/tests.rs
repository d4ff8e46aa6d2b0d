//! The page's structure: balanced, escaped, and allowed by its own policy of contents.

use super::*;
use crate::diff::{Change, Effect};
use crate::formats::testing::report;

fn page(live: bool) -> String {
    let report = report();
    let schemas = Schemas {
        format: String::new(),
        format_version: String::new(),
        catalogs: Vec::new(),
        relationships: Vec::new(),
        reached: std::collections::BTreeSet::from([EntityId::new("s", "</td><script>")]),
    };
    let change = Change {
        field: "s/t.c".parse().expect("a field"),
        effect: Effect::Weaker,
        before: Some("</table>".to_owned()),
        after: None,
        rule: Some("\" onclick=\"x".to_owned()),
    };
    let page = Page {
        pipeline: "</title><script>alert(1)</script>",
        report: &report,
        schemas: &schemas,
        roots: vec!["<img src=x>".to_owned()],
        flow: Vec::new(),
        approvals: None,
        since: Ok(("<i>before</i>".to_owned(), Diff { changes: vec![change], unchanged: 0 })),
        bundle: Err("<u>no</u>".to_owned()),
        touched: BTreeMap::new(),
        now_ms: 0,
        live,
    };
    page.html()
}

/// The elements that stay open, or the first that closes wrongly.
fn unbalanced(html: &str) -> Vec<String> {
    let mut open: Vec<String> = Vec::new();
    let mut rest = html.strip_prefix("<!doctype html>").expect("a document");
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let tag = &rest[..rest.find('>').expect("a tag ends")];
        let name: String = tag.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
        if tag.starts_with('/') {
            if open.pop().as_ref() != Some(&name) {
                return vec![format!("</{name}>")];
            }
        } else if !["meta", "input", "link", "br"].contains(&name.as_str()) {
            // What stands in these is no markup.
            if name == "script" || name == "style" {
                rest = &rest[rest.find(&format!("</{name}>")).expect("it ends")..];
            }
            open.push(name);
        }
    }
    open
}

#[test]
fn what_strangers_wrote_changes_no_structure() {
    for live in [false, true] {
        let html = page(live);
        assert_eq!(unbalanced(&html), [""; 0]);
        assert_eq!(html.matches("<script>").count(), if live { 2 } else { 1 });
        for markup in ["<img", "<i>", "<u>", "</td><script>", "onclick=\"", "t<1>"] {
            assert!(!html.contains(markup), "{markup}");
        }
        assert!(html.contains("&quot; onclick=&quot;x") && html.contains("t&lt;1&gt;"));
    }
    assert_eq!(unbalanced("<!doctype html><p><b></p>"), ["</p>"], "the check can fail");
}

#[test]
fn the_policy_of_contents_allows_this_style_and_these_scripts_and_nothing_else() {
    for live in [false, true] {
        let html = page(live);
        let policy = content_policy(live);
        assert!(html.contains(&format!("content=\"{policy}\"")));
        assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"));
        assert_eq!(policy.contains("connect-src 'self'"), live);
        for (open, close) in [("<style>", "</style>"), ("<script>", "</script>")] {
            for block in html.split(open).skip(1) {
                let text = block.split(close).next().expect("it ends");
                let digest = STANDARD.encode(Sha256::digest(text.as_bytes()));
                assert!(policy.contains(&digest), "{open}");
            }
        }
    }
}
