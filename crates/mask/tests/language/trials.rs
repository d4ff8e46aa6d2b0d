//! Tests inside a policy: what holds, what does not, and what can't be asked.

use reenact_mask::{Policy, trial};

use crate::support::World;

const POLICY: &str = r#"version: 1
undecided: redact
domains:
  customer: { canonical: integer, mask: { integer: { max: 99999999 } } }
  life: { mask: subject_shift }
rules:
  - { name: ids, on: [ shop/users.id, "cart/carts.doc:$.customer" ], domain: customer }
  - { name: mail, on: [ "**.email", "cart/carts.doc:$..email" ], mask: email }
  - { name: born, on: [ shop/users.born ], domain: life, subject: id }
  - { name: accounts, on: [ shop/users.account ], mask: iban }
  - { name: plan, on: [ shop/users.plan, cart/carts.id ], keep: { reason: names nobody } }
"#;

fn shop() -> World {
    World::default()
        .entity("shop/users", &["id int", "email text?", "born date?", "account text?", "plan text?"])
        .entity("cart/carts", &["id int", "doc json?"])
}

/// Runs tests; gives the names of those that hold, and code, place and message of what does not.
fn run(tests: &str) -> (Vec<String>, String) {
    let world = shop();
    let policy = Policy::parse("p.yaml", &format!("{POLICY}tests:\n{tests}")).unwrap_or_else(|e| panic!("{e:?}"));
    let plan = world.plan(POLICY).expect("resolves");
    let trial = trial::run(&policy, &plan, &world.catalogs).expect("runs");
    let told =
        trial.findings.iter().fold(String::new(), |all, f| all + &format!("{} {}: {}\n", f.code, f.site, f.message));
    (trial.passed, told)
}

#[test]
fn properties_hold() {
    let (passed, told) = run(r#"
  - { name: mail, field: shop/users.email, input: Ann@corp.test, expect: { differs: true, matches: "[.]example$", valid: email } }
  - { name: one customer, field: shop/users.id, input: 42, expect: { same_as: "cart/carts.doc:$.customer", valid: integer } }
  - { name: account, field: shop/users.account, input: DE89370400440532013000, expect: { length: 22, invalid: iban, differs: true } }
  - { name: plan, field: shop/users.plan, input: gold, expect: { equals: gold, differs: false, is_null: false } }
  - { name: nothing, field: shop/users.email, input: null, expect: { is_null: true } }
  - { name: life, field: shop/users.born, input: 1980-05-05, with: { id: 7 }, expect: { valid: date, differs: true } }
  - { name: no subject, field: shop/users.born, input: 1980-05-05, expect: { refused: true } }
  - name: message
    field: "cart/carts.doc:$.customer"
    with: { doc: '{"customer":42,"email":"a@b.test"}' }
    expect: { same_as: "cart/carts.doc:$.customer", valid: integer, differs: true }
"#);
    assert_eq!(told, "");
    assert_eq!(passed.len(), 8);
}

#[test]
fn what_does_not_hold_is_told_at_its_place() {
    let (passed, told) = run(r#"
  - { name: mail, field: shop/users.email, input: Ann@corp.test, expect: { matches: "@corp.test$" } }
  - { name: plan, field: shop/users.plan, input: gold, expect: { differs: true } }
  - { name: account, field: shop/users.account, input: DE89370400440532013000, expect: { valid: iban, length: 3 } }
  - { name: two, field: shop/users.id, input: 42, expect: { same_as: shop/users.plan } }
  - { name: no subject, field: shop/users.born, input: 1980-05-05, expect: { differs: true } }
  - { name: taken, field: shop/users.plan, input: gold, expect: { refused: true, is_null: true, equals: silver } }
"#);
    assert!(passed.is_empty());
    for part in [
        "TEST-001 shop/users.email, p.yaml:14:",
        "test `mail`: it should match `@corp.test$`; the result is `",
        "test `plan`: it should differ from the input",
        "it should pass the test of `iban`",
        "it should have 3 characters",
        "the same value in shop/users.plan becomes another one",
        "test `no subject`: the value is refused: mask `subject_shift`",
        "it should be refused; the result is `gold`",
        "it should be NULL; the result is `gold`",
        "it should be `silver`",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    assert_eq!(told.lines().count(), 9, "{told}");
}

#[test]
fn what_cant_be_asked_is_told() {
    let (passed, told) = run(r#"
  - { name: a, field: shop/nothing.x, input: 1, expect: { differs: true } }
  - { name: b, field: shop/users.id, input: word, expect: { differs: true } }
  - { name: c, field: shop/users.id, input: 1, with: { ghost: 1 }, expect: { differs: true } }
  - { name: d, field: "shop/users.plan:$.x", input: 1, expect: { differs: true } }
  - { name: e, field: shop/users.id, input: 1, expect: { same_as: shop/users.ghost } }
"#);
    assert!(passed.is_empty());
    assert_eq!(told.lines().filter(|line| line.starts_with("TEST-002 ")).count(), 5, "{told}");
    assert!(!told.contains("word"), "{told}");
}

#[test]
fn the_text_of_tests_is_checked() {
    let text = format!(
        r#"{POLICY}tests:
  - {{ name: a, field: shop, input: 1, expect: {{ differs: true }} }}
  - {{ name: b, field: shop/users.id, input: 1, expect: {{ matches: "(", valid: passport_photo, same_as: x }} }}
  - {{ name: b, field: shop/users.id, input: 1, expect: {{}} }}
"#
    );
    let told = shop().refused(&text);
    for part in [
        "POL-012 p.yaml:13:",
        "POL-014 p.yaml:15:",
        "no regular expression",
        "no kind `passport_photo`",
        "expects nothing",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    assert_eq!(told.lines().filter(|line| line.starts_with("POL-021")).count(), 4, "{told}");
}
