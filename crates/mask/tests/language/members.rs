//! Names of members that hold data: `$.by_mail.*~`.

use crate::support::World;

fn world() -> World {
    World::default().entity("shop/docs", &["id int", "mail text", "doc json"])
}

fn policy(rules: &str) -> String {
    format!(
        r#"version: 1
domains: {{ mail: {{ canonical: email, mask: email }} }}
rules:
  - {{ name: ids, on: [ shop/docs.id ], mask: integer }}
  - {{ name: mail, on: [ shop/docs.mail, "shop/docs.doc:$.by_mail.*~" ], domain: mail }}
{rules}"#
    )
}

const LEAVES: &str =
    "  - { name: leaves, on: [ \"shop/docs.doc:$.by_mail.*.n\", \"shop/docs.doc:$.n\" ], mask: redact }\n";

fn masked(policy: &str, doc: &str) -> Result<Vec<String>, String> {
    let world = world();
    let mut masker = world.masker(policy);
    let out = world.mask(&mut masker, "shop/docs", &[&["1", "ann@canary.test", doc]]);
    out.map(|rows| rows[0].clone()).map_err(|error| format!("{error:?}"))
}

#[test]
fn a_name_gets_the_pseudonym_of_its_domain_and_no_other_name_changes() {
    let doc = r#"{"by_mail":{"Ann@canary.test":{"n":"a"},"bob@canary.test":{}},"n":"x"}"#;
    let row = masked(&policy(LEAVES), doc).expect("masks");
    assert!(row[2].contains(&format!("\"{}\":{{\"n\":", row[1])), "{row:?}");
    assert!(
        row[2].starts_with("{\"by_mail\":{\"") && row[2].contains("\"n\":") && !row[2].contains("canary"),
        "{row:?}"
    );
}

#[test]
fn names_stay_different_or_are_refused() {
    for (mask, refused) in [("redact", true), ("name", true), ("token", false)] {
        let rules = format!("{LEAVES}  - {{ name: names, on: [ \"shop/docs.doc:$.others.*~\" ], mask: {mask} }}\n");
        match world().plan(&policy(&rules)) {
            Ok(_) => assert!(!refused, "{mask}"),
            Err(error) => assert!(refused && format!("{error:?}").contains("POL-036"), "{mask}: {error:?}"),
        }
    }
    let keep =
        format!("{LEAVES}  - {{ name: names, on: [ \"shop/docs.doc:$.others['a']~\" ], keep: {{ reason: x }} }}\n");
    assert!(world().refused(&policy(&keep)).contains("POL-036 shop/docs.doc, rule `names`, p.yaml:7:"));
    // Names that are equal to the domain, but stand twice.
    let doc = r#"{"by_mail":{"ann@canary.test":{},"ANN@canary.test":{}}}"#;
    let told = masked(&policy(LEAVES), doc).expect_err("two become one");
    assert!(told.contains("two names of members become one") && told.contains("rule `mail`"), "{told}");
    assert!(!told.contains("canary"), "{told}");
}

#[test]
fn names_are_looked_for_and_searched() {
    let world = world();
    let rows = |doc: &'static str| vec!["1", "bob@canary.test", doc];
    let search = |policy: &str, doc: &'static str| world.searched(policy, "shop/docs", &[&rows(doc)]);
    assert_eq!(search(&policy(LEAVES), r#"{"by_mail":{"ann.quux@canary.test":{"n":"a"}}}"#), "");
    // What a mask replaced as a name, and what no rule selects as one; the member holds nothing.
    let other = LEAVES.replace("$.n\"", "$.n\", \"shop/docs.doc:$.other.*\"");
    let found =
        search(&policy(&other), r#"{"by_mail":{"ann.quux@canary.test":{}},"other":{"ann.quux@canary.test":{}}}"#);
    assert!(found.contains("RES-001 shop/docs.doc:$.other['{key}']"), "{found}");
    assert!(!found.contains("canary"), "{found}");
    let kept = policy(LEAVES).replace("  - { name: leaves, on: [ \"shop/docs.doc:$.by_mail.*.n\", ", "  - { name: kept, on: [ \"shop/docs.doc:$.t\" ], keep: { reason: x } }\n  - { name: leaves, on: [ \"shop/docs.doc:$.by_mail.*.n\", ");
    let found = search(&kept, r#"{"by_mail":{"ann.quux@canary.test":{}},"t":"to ann.quux@canary.test"}"#);
    assert!(found.contains("RES-001 shop/docs.doc:$.t"), "{found}");
}

#[test]
fn names_take_conditions_and_are_told_if_no_payload_had_them() {
    let world = world();
    let rules = format!(
        "{LEAVES}  - {{ name: tests, on: [ \"shop/docs.doc:$.by_mail.*~\" ], mask: token, when: \"id == 2\", overrides: [ mail ] }}\n"
    );
    let mut masker = world.masker(&policy(&rules));
    let doc = r#"{"by_mail":{"ann@canary.test":{}}}"#;
    let rows: &[&[&str]] = &[&["1", "ann@canary.test", doc], &["2", "ann@canary.test", doc]];
    let out = world.mask(&mut masker, "shop/docs", rows).expect("masks");
    assert!(
        out[0][2].contains(&out[0][1]) && !out[1][2].contains(&out[1][1]) && !out[1][2].contains("canary"),
        "{out:?}"
    );
    let unmet: Vec<String> =
        reenact_mask::masker::unmet(&masker.named()).iter().map(|finding| finding.message.clone()).collect();
    assert_eq!(unmet.len(), 2, "{unmet:?}");
    assert!(unmet.iter().all(|message| message.contains(".n`")), "the names were met: {unmet:?}");
}
