//! The page of a review: what it holds, what it must not, and how a browser takes it.

use crate::browser::Browser;
use crate::support::{PIPELINE, POLICY, Shop, fails, text};

const REPORT: [&str; 5] = ["policy", "report", "pipeline.yaml", "-o", "report.html"];
const TABLE: &str = "<script>alert(1)</script>";

/// A shop with names that a stranger chose, an approval, a bundle, and a change since.
fn shop() -> Shop {
    let shop = Shop::open();
    shop.fill(
        "orders.db",
        &format!(
            "create table \"{TABLE}\" (id integer primary key, order_id integer not null references orders (id), \
             \"\"\"><img src=x onerror=alert(1)>\" text default 'canary default', email text, birth_date text)"
        ),
    );
    let policy = POLICY.replace("version: 1", "version: 1\nundecided: redact");
    let keeps = format!(
        "  - {{ name: odd, on: [ 'orders/\"{TABLE}\".id', 'orders/\"{TABLE}\".birth_date' ], keep: {{ reason: \"<b>because</b> & 'so'\", owner: ann, expires: 2999-01-01 }} }}\n"
    );
    shop.write("policy.yaml", &format!("{policy}{keeps}"));
    let trusted = std::fs::read_to_string(shop.path("keys/trusted")).expect("reads");
    shop.write("keys/approvers", &trusted);
    let told = text(&shop.run(&["policy", "approve", "pipeline.yaml"]));
    let digest = told.split([' ', ',', '\n']).find(|word| word.len() == 64).expect("a digest").to_owned();
    shop.ok(&["policy", "approve", "pipeline.yaml", "--digest", &digest]);
    assert!(shop.capture("bundle").status.success());
    let weaker = format!("{policy}{keeps}")
        .replace("\"**.email\" ], mask: email", "\"**.email\" ], mask: { email: { at: x.example } }");
    shop.write("policy.yaml", &weaker);
    shop
}

fn page(shop: &Shop, more: &[&str]) -> String {
    let written = shop.run(&[&REPORT[..], more].concat());
    assert!(written.status.success(), "{}", text(&written));
    std::fs::read_to_string(shop.path("report.html")).expect("reads")
}

#[test]
fn a_page_holds_the_review_and_no_value() {
    let shop = shop();
    let html = page(&shop, &["--bundle", "bundle"]);
    for part in [
        "Waits for approval: 0 of 1 approvals hold",
        "Compared with <code>the approval by ",
        "2 changed",
        "email, at x.example",
        "k and uniqueness: not measured",
        "forms of masked values looked for in",
        "another text",
        "&lt;b&gt;because&lt;/b&gt; &amp; &#39;so&#39;",
        "unknown: not committed",
        "orders/orders where id = seed.order",
        "foreign key",
        "kept, and looks like date-of-birth",
        "equal stay equal, different stay different",
        "reenact policy approve pipeline.yaml --digest ",
    ] {
        assert!(html.contains(part), "`{part}` is not in the page");
    }
    assert!(!html.to_lowercase().contains("canary"), "a value of a record or of a default is in the page");
    assert!(
        !html.contains("<img") && !html.contains("<script>alert") && !html.contains("<b>because"),
        "a name became markup"
    );
    assert!(
        !html.contains(" style=") && !html.contains("http:") && !html.contains("https:"),
        "something is left to fetch or forbidden"
    );
    // Where nothing is known, that is said.
    shop.write("keys/approvers", "");
    let html = page(&shop, &[]);
    for part in [
        "Nobody&#39;s approval is asked for here",
        "Not compared: there is no approval whose signature counts",
        "Not known: no bundle was named",
    ] {
        assert!(html.contains(part), "`{part}` is not in the page");
    }
    shop.write("before.yaml", POLICY);
    assert!(page(&shop, &["--approved", "policy.yaml"]).contains("no field is decided otherwise"));
    fails(2, &["-o report.html"], &shop.run(&REPORT[..3]));
    // A policy that stops every capture still has a page, which says so.
    shop.write("policy.yaml", &POLICY.replace("\"**.note\", ", ""));
    fails(10, &["errors stop every capture"], &shop.run(&REPORT));
    let html = std::fs::read_to_string(shop.path("report.html")).expect("reads");
    assert!(html.contains("Not ready: ") && html.contains("POL-001"), "the page says why");
}

#[test]
fn a_root_s_literal_is_not_told() {
    let shop = Shop::open();
    shop.write("pipeline.yaml", &PIPELINE.replace("\"${seed.order}\"", "CANARY-7"));
    assert!(page(&shop, &[]).contains("orders/orders where id = (literal)"));
    assert!(!std::fs::read_to_string(shop.path("report.html")).expect("reads").contains("CANARY-7"));
}

#[test]
fn a_browser_shows_it_to_everybody_and_asks_nobody() {
    let shop = shop();
    page(&shop, &["--bundle", "bundle"]);
    let url = format!("file://{}", shop.path("report.html").display());
    let mut browser = Browser::open();
    for (medium, scheme, width) in
        [("screen", "light", 1280), ("screen", "dark", 1280), ("screen", "light", 390), ("print", "light", 1000)]
    {
        browser.look(medium, scheme, width);
        browser.go(&url);
        let name = format!("{medium}-{scheme}-{width}");
        assert_eq!(browser.asked(&url), [""; 0], "{name}: no network");
        assert_eq!(browser.complaints(), [""; 0], "{name}");
        assert_eq!(browser.accessibility(), [""; 0], "{name}: accessible");
        assert_eq!(browser.eval("document.images.length + document.querySelectorAll('script').length"), 1, "{name}");
        assert_eq!(
            browser.eval("document.documentElement.scrollWidth <= innerWidth"),
            true,
            "{name}: no sideways scrolling"
        );
        browser.picture(&name);
    }
    browser.eval("document.body.append(document.createElement('img'))");
    assert!(browser.accessibility().iter().any(|found| found.starts_with("image-alt")), "axe is able to object");
    browser.go(&url);
    // Filter and sort.
    browser.look("screen", "light", 1280);
    let type_in = "(text) => { const i = document.querySelector('input'); i.value = text; i.dispatchEvent(new Event('input')); return [...document.querySelectorAll('.fields tbody tr')].filter((r) => !r.hidden).length; }";
    assert_eq!(browser.eval(&format!("({type_in})('customers email')")), 1);
    assert_eq!(browser.eval(&format!("({type_in})('nothing-is-called-so')")), 0);
    assert!(browser.eval(&format!("({type_in})('')")).as_u64().is_some_and(|rows| rows > 8));
    let sorted = "(() => { const b = document.querySelector('.fields thead button'); b.click(); b.click(); const t = [...document.querySelectorAll('.fields tbody th')].map((c) => c.textContent); return b.parentElement.getAttribute('aria-sort') === 'descending' && t[0].startsWith('orders/') && t.at(-1).startsWith('customers/'); })()";
    assert_eq!(browser.eval(sorted), true);
    // The keyboard reaches the filter, the choice and every head.
    assert_eq!(
        browser.eval(
            "[...document.querySelectorAll('a, input, select, button, [tabindex]')].every((e) => e.tabIndex === 0)"
        ),
        true
    );
    // Without scripts nothing is hidden but the tools that would do nothing.
    browser.call("Emulation.setScriptExecutionDisabled", serde_json::json!({ "value": true }));
    browser.go(&url);
    assert_eq!(browser.eval("document.querySelector('.tools').hidden"), true);
    assert_eq!(
        browser.eval("[...document.querySelectorAll('.fields tbody tr, section')].every((e) => e.offsetHeight > 0)"),
        true
    );
    browser.picture("without-scripts");
}

#[test]
fn declared_quasi_identifiers_are_counted_on_masked_records_and_no_value_is_told() {
    let shop = Shop::open();
    shop.fill("orders.db", "insert into items values (7, 3, 'a')");
    let declared = "quasi_identifiers:\n  - [ orders/items.sku ]\n  - [ orders/items.order_id ]\n  - [ orders/items.sku, orders/items.line ]\n";
    shop.write("policy.yaml", &format!("{POLICY}{declared}"));
    assert!(shop.capture("bundle").status.success());
    assert!(page(&shop, &[]).contains("They are counted on the masked records of a bundle"));
    let html = page(&shop, &["--bundle", "bundle"]);
    assert!(!html.contains("not measured"), "{html}");
    assert!(html.contains("<td>1 (33.3 %)</td>") && html.contains("<td>0 (0.0 %)</td>"), "{html}");
    let json = shop.ok(&["policy", "report", "pipeline.yaml", "--bundle", "bundle", "-o", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["format"], "reenact/policy-report");
    let counts: Vec<[u64; 4]> = json["population"]
        .as_array()
        .expect("counts")
        .iter()
        .map(|of| ["records", "combinations", "k", "unique"].map(|name| of[name].as_u64().expect("a number")))
        .collect();
    assert_eq!(counts, [[3, 2, 1, 1], [3, 1, 3, 0], [3, 3, 1, 3]]);
    for (wrong, told) in [
        ("[ orders/items.nothing ]", "is no column of any service"),
        ("[ orders/items.sku, customers/customers.name ]", "the fields of a set are of one entity"),
        ("[ \"**.sku\" ]", "quasi-identifiers"),
    ] {
        shop.write("policy.yaml", &format!("{POLICY}quasi_identifiers: [ {wrong} ]\n"));
        fails(10, &["POL-038", told], &shop.run(&["policy", "check", "pipeline.yaml"]));
    }
}

#[test]
fn the_graph_is_drawn_and_constraints_are_held_against_masks() {
    let shop = Shop::open();
    shop.fill(
        "customers.db",
        "drop table customers; create table customers (id integer primary key, name text not null, email text collate nocase unique not null)",
    );
    let html = page(&shop, &[]);
    let drawn = html.split("<svg").nth(1).and_then(|rest| rest.split("</svg>").next()).expect("a drawing");
    for entity in ["customers/customers", "orders/orders", "orders/items"] {
        assert!(drawn.contains(&format!(">{entity}</text>")), "{drawn}");
    }
    assert_eq!(drawn.matches("<path").count(), 2, "one line for each relationship: {drawn}");
    assert!(html.contains("unique where the server takes different texts for equal"), "{html}");
    assert_eq!(drawn.matches("stroke-dasharray").count(), 1, "the pipeline's own is dashed: {drawn}");
}
