//! What detection has to say of fields that a policy keeps.

use reenact_mask::approval::Subject;
use reenact_mask::{Plan, Policy};

use crate::support::World;

fn world() -> World {
    World::default()
        .entity("shop/users", &["id int", "email text", "password_hash text", "city text", "status text", "born date"])
        .entity("shop/mails", &["id int", "sent_to text", "body json"])
}

fn policy(rule: &str) -> String {
    format!(
        "version: 1\nundecided: redact\nrules:\n  - {{ name: ids, on: [ shop/users.id, shop/mails.id ], mask: integer }}\n{rule}\n"
    )
}

#[test]
fn a_kept_identifier_or_secret_is_refused_until_its_rule_answers_for_it() {
    let rule = policy("  - { name: mails, on: [ shop/users.email, shop/mails.sent_to ], keep: { reason: testers } }");
    let refused = world().refused(&rule);
    assert!(refused.contains("POL-037 shop/users.email, rule `mails`, p.yaml:5:"), "{refused}");
    assert!(refused.contains("seems to hold `email`"), "{refused}");
    let accepted = rule.replace("testers }", "testers }, accept: [ personal-data ]");
    world().plan(&accepted).expect("the rule answers for it");
    let secret = policy("  - { name: s, on: [ shop/users.password_hash ], keep: { reason: salted } }");
    assert!(world().refused(&secret).contains("`password`, which opens something"), "{}", world().refused(&secret));
    let conditional = policy(
        "  - { name: all, on: [ shop/users.password_hash ], mask: redact }\n  - { name: some, on: [ shop/users.password_hash ], \
         keep: { reason: salted }, when: 'status == \"test\"', overrides: [ all ] }",
    );
    assert!(world().refused(&conditional).contains("POL-037 shop/users.password_hash, rule `some`"));
}

#[test]
fn parts_of_payloads_count_by_their_names() {
    for (path, refused) in [("$.customer.email", true), ("$.items[*].amount", false)] {
        let rule = policy(&format!("  - {{ name: in, on: [ 'shop/mails.body:{path}' ], keep: {{ reason: r }} }}"));
        let told = world().plan(&rule).err().map(|error| format!("{error:?}")).unwrap_or_default();
        assert_eq!(told.contains("POL-037"), refused, "{path}: {told}");
    }
}

#[test]
fn what_only_narrows_down_or_says_nothing_may_be_kept() {
    let rule = policy(
        "  - { name: k, on: [ shop/users.city, shop/users.status, shop/users.born ], keep: { reason: statistics } }",
    );
    world().plan(&rule).expect("a reviewer sees these on the page");
}

#[test]
fn an_answer_is_signed_and_has_nothing_to_answer_for_in_a_rule_that_masks() {
    let rule = policy("  - { name: k, on: [ shop/users.city ], keep: { reason: r }ACCEPT }");
    let digest = |accept: &str| {
        let (world, text) = (world(), rule.replace("ACCEPT", accept));
        let policy = Policy::parse("p.yaml", &text).expect("parses");
        let plan = Plan::resolve(&policy, &world.catalogs, &world.relationships, &world.reached()).expect("resolves");
        Subject::of(&policy, &plan, &world.reached()).digest()
    };
    assert_ne!(digest(""), digest(", accept: [ personal-data ]"));
    let masked = policy("  - { name: m, on: [ shop/users.email ], mask: redact, accept: [ personal-data ] }");
    assert!(world().refused(&masked).contains("POL-037 rule `m`, p.yaml:5:"), "{}", world().refused(&masked));
}
