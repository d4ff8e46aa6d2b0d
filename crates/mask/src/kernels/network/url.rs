//! `url`: an address that leads nowhere.
//!
//! Paths and queries carry names, e-mail addresses and tokens, so nothing of them stays; neither does a user or a fragment.

use std::sync::Arc;

use crate::kernels::{Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit, base32};

/// The schemes that stay as they are; others become `https`.
const SCHEMES: &[&str] = &["https", "http", "wss", "ws", "ftp"];

/// `url`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "url",
    group: Group::Network,
    doc: "gives a URL of the same scheme on a host under `.example` (the same for the same host), whose path is a keyed hash of the whole; a path without a host becomes such a path",
    args: &[],
    facts: Facts {
        deterministic: true,
        injective: Injective::Always,
        keeps: Keeps::FORMAT,
        leaks: "the scheme, and which URLs and which hosts are equal",
    },
    build: |_: &Args, _: &[Shape]| Ok(Arc::new(Url)),
    sample: |n| format!("https://shop{}.corp.com/orders/{n}?mail=a{n}@corp.com", n % 7),
    vectors: &[
        (
            &[],
            "https://ann:pw@shop.corp.com:8443/orders/7?mail=ann@corp.com#top",
            Some("https://hem7fts1c0x.example/sxh138r0scfzyj8w"),
        ),
        (&[], "http://SHOP.corp.com", Some("http://hem7fts1c0x.example/12kztx67bxf8973r")),
        (&[], "/orders/7", Some("/sc0bqqvfv7t1tx7v")),
    ],
};

#[derive(Debug)]
struct Url;

impl Mask for Url {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        // https:// and h0123456789.example and / and 16 digits.
        shape.takes_text(8 + 19 + 17)
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::PSEUDONYM
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        if text.is_empty() {
            return Ok(Some(()));
        }
        match text.split_once("://") {
            Some((scheme, rest)) => {
                let known = SCHEMES.iter().find(|known| known.eq_ignore_ascii_case(scheme));
                let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
                let host = authority.rsplit('@').next().unwrap_or_default();
                let host = host.rsplit_once(':').map_or(host, |(host, _)| host).to_lowercase();
                out.extend([known.unwrap_or(&"https"), "://h"]);
                base32(&cell.key.hash(format!("host|{host}").as_bytes()), 10, out);
                out.push_str(".example");
            }
            None if text.starts_with('/') => {}
            None => return Err(Unfit("a value is no URL with a scheme, and no path that begins with `/`")),
        }
        out.push('/');
        base32(&cell.key.hash(text.as_bytes()), 16, out);
        Ok(Some(()))
    }
}

#[cfg(test)]
mod tests {
    use crate::kernels::Shape;
    use crate::kernels::testing::{apply, build, try_apply};

    #[test]
    fn nothing_but_scheme_and_equality_of_hosts_stays() {
        let mask = build("url", &[], &[Shape::leaf()]).expect("builds");
        let image = |text: &str| apply(&*mask, "d", text).expect("some");
        let (a, b) = (image("https://ann@a.com:1/x?y"), image("https://A.com/z#secret"));
        assert_eq!(a[..27], b[..27]);
        assert_ne!(a, b);
        assert!(image("jdbc:pg://h/x").starts_with("https://h") && image("/x").len() == 17);
        assert!(a.len() <= 44 && try_apply(&*mask, "d", "ann@corp.com").is_err());
    }
}
