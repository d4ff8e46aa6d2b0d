//! `user_agent`: what a browser says of itself, out of a few that millions say.
//!
//! The whole line with its versions is close to a fingerprint of a device.

use std::sync::Arc;

use crate::kernels::draw::Draw;
use crate::kernels::{Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit};

const DESKTOP: &[&str] = &[
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:120.0) Gecko/20100101 Firefox/120.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0",
];
const MOBILE: &[&str] = &[
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1",
];
const OTHER: &[&str] = &["Example/1.0"];

/// `user_agent`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "user_agent",
    group: Group::Network,
    doc: "gives one of six frequent user agents, a desktop's for a desktop's and a mobile's for a mobile's; what is no browser becomes `Example/1.0`",
    args: &[],
    facts: Facts {
        deterministic: true,
        injective: Injective::Never,
        keeps: Keeps::FORMAT,
        leaks: "whether it was a browser, and on a mobile device",
    },
    build: |_: &Args, _: &[Shape]| Ok(Arc::new(UserAgent)),
    sample: |n| format!("Mozilla/5.0 (X11; Linux) Browser/{n}"),
    vectors: &[
        (
            &[],
            "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
            Some(
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
            ),
        ),
        (
            &[],
            "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Mobile Safari/537.36",
            Some(
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36",
            ),
        ),
        (&[], "curl/8.5.0", Some("Example/1.0")),
    ],
};

#[derive(Debug)]
struct UserAgent;

impl Mask for UserAgent {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        let longest = DESKTOP.iter().chain(MOBILE).chain(OTHER).map(|agent| agent.len()).max();
        shape.takes_text(longest.unwrap_or(0))
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::FAKE
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        if text.is_empty() {
            return Ok(Some(()));
        }
        let list = match text {
            text if !text.starts_with("Mozilla/") => OTHER,
            text if text.contains("Mobile") || text.contains("Android") || text.contains("iPhone") => MOBILE,
            _ => DESKTOP,
        };
        out.push_str(Draw::new(cell.key, text).of(list));
        Ok(Some(()))
    }
}
