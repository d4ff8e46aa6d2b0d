//! `policy preview`: what masks make of values, under a key that serves nothing else.

use std::io::Write as _;
use std::process::{Output, Stdio};

use crate::support::{POLICY, Shop, fails, text};

const PREVIEW: [&str; 3] = ["policy", "preview", "pipeline.yaml"];

fn typed(shop: &Shop, values: &str, more: &[&str]) -> Output {
    let args = [&PREVIEW[..], &["--values", "-", "--field"], more].concat();
    let mut child =
        shop.command().args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.as_mut().expect("starts");
    child.stdin.take().expect("stdin").write_all(values.as_bytes()).expect("writes");
    let mut output = Output { status: child.wait().expect("ends"), stdout: Vec::new(), stderr: Vec::new() };
    std::io::Read::read_to_end(&mut child.stdout.take().expect("stdout"), &mut output.stdout).expect("reads");
    std::io::Read::read_to_end(&mut child.stderr.take().expect("stderr"), &mut output.stderr).expect("reads");
    output
}

#[test]
fn every_field_is_shown_with_made_up_values_and_no_record() {
    let shop = Shop::open();
    let saved = shop.run(&["policy", "check", "pipeline.yaml", "--save-schemas", "schemas.json"]);
    assert!(saved.status.success(), "{}", text(&saved));
    std::fs::remove_file(shop.path("orders.db")).expect("removes");
    std::fs::remove_file(shop.path("customers.db")).expect("removes");
    let offline = [&PREVIEW[..], &["--schemas", "schemas.json"]].concat();
    let told = shop.ok(&offline);
    for part in [
        "values are made up from the schema; no record was read",
        "no capture gives these pseudonyms",
        "customers/customers.email: email (rule `mail`)",
        "\"ann@example.com\" -> \"",
        "orders/items.sku: kept: test (rule `goods`)",
        "\"example one\" -> \"example one\"",
    ] {
        assert!(told.contains(part), "`{part}` is not in\n{told}");
    }
    assert!(!told.to_lowercase().contains("canary"), "{told}");
    let mail = |told: &str| {
        let line = told.lines().find(|line| line.contains("\"ann@example.com\" ->")).map(str::to_owned);
        line.expect("an address")
    };
    assert_ne!(mail(&told), mail(&shop.ok(&offline)), "the key is drawn anew");
    let json: serde_json::Value =
        serde_json::from_str(&shop.ok(&[&offline[..], &["-o", "json"]].concat())).expect("JSON");
    assert_eq!((&json["format"], &json["key"]), (&"reenact/policy-preview".into(), &"throw-away".into()));
    let fields = json["fields"].as_array().expect("fields");
    let shown = fields.iter().find(|field| field["name"] == "customers/customers.email").expect("the field");
    assert_eq!(shown["values"][0]["value"], "ann@example.com");
    assert!(shown["values"][0]["results"][0]["becomes"].as_str().is_some_and(|mail| mail.contains('@')), "{shown}");
}

#[test]
fn values_of_ones_own_are_shown_as_they_become() {
    let shop = Shop::open();
    let told = typed(&shop, "5\n5\nno number\n", &["orders/orders.id"]);
    assert!(told.status.success(), "{}", text(&told));
    let told = text(&told);
    let results: Vec<&str> = told.lines().filter_map(|line| line.strip_prefix("  \"5\" -> ")).collect();
    assert!(matches!(results[..], [a, b] if a == b && a != "\"5\""), "equal values have equal pseudonyms: {told}");
    assert!(told.contains("values are those that you gave") && told.contains("\"no number\" -> refused: "), "{told}");
    fails(2, &["no decision on this field"], &typed(&shop, "x", &["orders/orders.nothing"]));
    fails(2, &["--field"], &shop.run(&[&PREVIEW[..], &["--values", "-"]].concat()));
    shop.write("policy.yaml", &POLICY.replace("\"**.note\", ", ""));
    fails(10, &["POL-001"], &shop.run(&PREVIEW));
}

#[test]
fn a_condition_is_shown_both_ways() {
    let shop = Shop::open();
    let own =
        "  - { name: known, on: [ customers/customers.email ], mask: redact, when: 'id > 100', overrides: [ mail ] }\n";
    shop.write("policy.yaml", &format!("{POLICY}{own}"));
    let told = text(&typed(&shop, "a@b.example", &["customers/customers.email"]));
    for part in [", if its condition is fulfilled", ", if its condition is not fulfilled"] {
        assert!(told.contains(part), "{told}");
    }
    assert!(!told.contains("refused"), "{told}");
}
