//! Policies of several files.

use std::collections::BTreeMap;

use reenact_mask::{Policy, PolicyText};

const MAIN: &str = "version: 1
include: [ ../common/domains.yaml, rules.yaml ]
rules:
  - { name: ids, on: [ shop/users.id ], domain: user }
";
const DOMAINS: &str = "version: 1\ndomains: { user: { canonical: integer, mask: integer } }\n";
const RULES: &str = "version: 1
include: [ ../common/domains.yaml ]
classes: { email: [ shop/users.mail ] }
rules:
  - { name: mail, class: email, mask: email }
";

/// Files in memory; gives the policy's text, or the findings as text.
fn gather(files: &[(&str, &str)]) -> Result<PolicyText, String> {
    let files: BTreeMap<&str, &str> = files.iter().copied().collect();
    let main = files["policies/shop.yaml"];
    PolicyText::gather("policies/shop.yaml", main, &mut |file| {
        files.get(file).map(|text| (*text).to_owned()).ok_or_else(|| "not found".to_owned())
    })
    .map_err(|error| format!("{error:?}"))
}

fn findings(files: &[(&str, &str)]) -> String {
    let text = gather(files).expect("gathers");
    let error = Policy::read(&text).expect_err("is refused");
    error.findings().iter().fold(String::new(), |all, f| all + &format!("{} {}: {}\n", f.code, f.site, f.message))
}

#[test]
fn files_make_one_policy_and_one_digest() {
    let files = [("policies/shop.yaml", MAIN), ("common/domains.yaml", DOMAINS), ("policies/rules.yaml", RULES)];
    let text = gather(&files).expect("gathers");
    assert_eq!(text.included.len(), 2, "a file that is included twice is read once");
    let policy = Policy::read(&text).expect("parses");
    assert_eq!((policy.rules.len(), policy.domains.len()), (2, 1));
    assert_eq!(policy.rules[1].span.file, "policies/rules.yaml");
    let other = gather(&[files[0], files[1], ("policies/rules.yaml", &RULES.replace("mask: email", "mask: token"))]);
    assert_ne!(policy.digest, Policy::read(&other.expect("gathers")).expect("parses").digest);
    // Agents get the whole text, as a message.
    let sent = serde_json::to_string(&text).expect("serialises");
    let got: PolicyText = serde_json::from_str(&sent).expect("reads");
    assert_eq!(Policy::read(&got).expect("parses").digest, policy.digest);
    assert_eq!(text.source("policies/rules.yaml"), Some(RULES));
    assert!(text.source("profile pci").is_some_and(|text| text.contains("certifies no compliance")));
    // Without includes the digest is that of the text alone, as it always was.
    assert_ne!(PolicyText::of("p", DOMAINS).digest(), PolicyText::of("p", MAIN).digest());
    assert_eq!(PolicyText::of("p", DOMAINS).digest(), PolicyText::of("q", DOMAINS).digest());
}

#[test]
fn findings_name_the_file_they_are_in() {
    let broken = RULES.replace("mask: email", "mask: nonsense").replace("name: mail", "name: ids");
    let told = findings(&[
        ("policies/shop.yaml", MAIN),
        ("common/domains.yaml", &DOMAINS.replace("rules", "rulez").replace("domains:", "undecided: redact\ndomains:")),
        ("policies/rules.yaml", &(broken + "domains: { user: { mask: token } }\n")),
    ]);
    for part in [
        "POL-005 rule `ids`, policies/rules.yaml:5:",
        "POL-014 rule `ids`, policies/rules.yaml:5:",
        "POL-014 policies/rules.yaml:6:",
        "POL-022 common/domains.yaml:2:",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    let told = findings(&[
        ("policies/shop.yaml", MAIN),
        ("common/domains.yaml", "version: 1\nrulez: []\n"),
        ("policies/rules.yaml", RULES),
    ]);
    assert!(told.contains("YAML-001 common/domains.yaml:2:1"), "{told}");
}

#[test]
fn a_file_that_cannot_be_read_hides_no_finding_of_another() {
    let main = MAIN.replace("domain: user", "mask: nonsense");
    let rules = RULES.replace("mask: email", "mask: rubbish")
        + "  - { name: of another, on: [ shop/users.name ], domain: user, overrides: [ ids ] }\n";
    let broken = "version: 1\nrulez: []\n";
    // An included file: what else is wrong is told, and nothing that it may have declared is missed.
    let told =
        findings(&[("policies/shop.yaml", &main), ("common/domains.yaml", broken), ("policies/rules.yaml", &rules)]);
    for part in [
        "YAML-001 common/domains.yaml:2:1",
        "POL-005 rule `ids`, policies/shop.yaml:4:",
        "POL-005 rule `mail`, policies/rules.yaml:5:",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    assert_eq!(told.lines().count(), 3, "{told}");
    // The policy itself, and an included file as well.
    let main = main + "rulez: []\n";
    let told =
        findings(&[("policies/shop.yaml", &main), ("common/domains.yaml", broken), ("policies/rules.yaml", &rules)]);
    for part in [
        "YAML-001 policies/shop.yaml:5:1",
        "YAML-001 common/domains.yaml:2:1",
        "POL-005 rule `ids`, policies/shop.yaml:4:",
        "POL-005 rule `mail`, policies/rules.yaml:5:",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    assert_eq!(told.lines().count(), 4, "{told}");
}

#[test]
fn circles_strangers_and_crowds_are_refused() {
    let circle = "version: 1\ninclude: [ shop.yaml ]\n";
    let told =
        findings(&[("policies/shop.yaml", MAIN), ("common/domains.yaml", DOMAINS), ("policies/rules.yaml", circle)]);
    assert!(told.contains("POL-022 policies/rules.yaml:2:12"), "{told}");
    assert!(told.contains("policies/shop.yaml -> policies/rules.yaml -> policies/shop.yaml"), "{told}");

    let missing = gather(&[("policies/shop.yaml", MAIN), ("common/domains.yaml", DOMAINS)]).expect_err("is missing");
    assert!(
        missing.contains("policies/shop.yaml:2:") && missing.contains("`policies/rules.yaml` can't be read"),
        "{missing}"
    );
    for path in ["/etc/passwd", "\"http://x/p.yaml\"", "\"\""] {
        let text = format!("version: 1\ninclude: [ {path} ]\n");
        assert!(gather(&[("policies/shop.yaml", &text)]).expect_err("is refused").contains("is no relative path"));
    }

    // Each file includes the next.
    let names: Vec<String> = (0..80).map(|n| format!("policies/{n}.yaml")).collect();
    let texts: Vec<String> = (1..=80).map(|n| format!("version: 1\ninclude: [ {n}.yaml ]\n")).collect();
    let mut files: Vec<(&str, &str)> = names.iter().map(String::as_str).zip(texts.iter().map(String::as_str)).collect();
    files.push(("policies/shop.yaml", "version: 1\ninclude: [ 0.yaml ]\n"));
    assert!(gather(&files).expect_err("is refused").contains("64 files at most"));
    let few: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (*name, if *name == "policies/20.yaml" { "version: 1\n" } else { *text }))
        .collect();
    assert!(findings(&few).contains("more than 8 deep"));
    let large = format!("version: 1\n#{}\n", "x".repeat(5 << 20));
    let told = gather(&[("policies/shop.yaml", "version: 1\ninclude: [ l.yaml ]\n"), ("policies/l.yaml", &large)]);
    assert!(told.expect_err("is refused").contains("4 MiB at most"));
}

#[test]
fn an_agent_that_lacks_a_file_refuses() {
    let alone = PolicyText::of("policies/shop.yaml", MAIN);
    let error = Policy::read(&alone).expect_err("is refused");
    assert!(error.findings().iter().any(|f| f.code == "POL-022" && f.message.contains("was not given")), "{error:?}");
}
