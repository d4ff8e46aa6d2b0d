//! Approvals: who may approve what, and that a capture without enough of them does not begin.

use crate::support::{POLICY, Shop, fails, text};

const APPROVE: [&str; 3] = ["policy", "approve", "pipeline.yaml"];
const VERIFY: [&str; 3] = ["policy", "verify-approval", "pipeline.yaml"];

/// The decisions' digest, as `approve` tells it before it asks.
fn digest(shop: &Shop) -> String {
    let told = text(&shop.run(&APPROVE));
    told.split_whitespace()
        .find(|word| word.trim_end_matches(',').len() == 64)
        .expect("a digest")
        .trim_end_matches(',')
        .to_owned()
}

/// The public key of a keyring, as its own `trusted` has it.
fn public(shop: &Shop, keys: &str) -> String {
    std::fs::read_to_string(shop.path(keys).join("trusted")).expect("reads")
}

/// A shop whose operator asks for approvals by the holders of the keyrings `ann` and `bob`.
fn guarded(count: &str) -> Shop {
    let shop = Shop::open();
    shop.ok(&["keys", "init", "ann"]);
    shop.ok(&["keys", "init", "bob"]);
    shop.write("keys/approvers", &format!("# who may approve\n{}{}", public(&shop, "ann"), public(&shop, "bob")));
    shop.write("keys/approvals_required", count);
    shop
}

fn approved(shop: &Shop, keys: &str) {
    let digest = digest(shop);
    let approved = shop.ok(&[&APPROVE[..], &["--keyring", keys, "--digest", &digest]].concat());
    assert!(approved.contains("in approvals/policy."), "{approved}");
}

#[test]
fn a_capture_needs_as_many_approvals_as_the_keyring_says() {
    let shop = guarded("2\n");
    fails(12, &["0 of the 2 approvals", "help: ", "reenact policy approve"], &shop.capture("one"));
    assert!(shop.no_bundle("one"), "nothing is written");
    fails(12, &["0 of the 2 approvals"], &shop.run(&VERIFY));
    approved(&shop, "ann");
    fails(12, &["1 of the 2 approvals that the keyring asks for holds"], &shop.capture("one"));
    // The same key again, under another name, is one key.
    let digest = digest(&shop);
    shop.ok(&[
        &APPROVE[..],
        &["--keyring", "ann", "--digest", &digest, "--to", "approvals/policy.again.approval.json"],
    ]
    .concat());
    fails(12, &["1 of the 2 approvals"], &shop.capture("one"));
    // Whoever captures is no approver by that.
    approved(&shop, "keys");
    fails(12, &["APR-001", "none of the keyring's approvers"], &shop.capture("one"));
    approved(&shop, "bob");
    assert!(shop.ok(&VERIFY).contains("2 of 2 approvals"));
    let captured = shop.capture("one");
    assert!(captured.status.success() && text(&captured).contains("approved by "), "{}", text(&captured));
    assert!(shop.ok(&["inspect", "one", "-o", "json"]).contains("\"approvals\""));
}

#[test]
fn what_tells_more_than_was_approved_is_named() {
    let shop = guarded("1");
    shop.write("policy.yaml", &POLICY.replace("version: 1", "version: 1\nundecided: redact"));
    approved(&shop, "ann");
    shop.fill("customers.db", "alter table customers add column nick text");
    let newer = shop.run(&VERIFY);
    assert!(newer.status.success(), "{}", text(&newer));
    assert!(text(&newer).contains("redacted because no rule names it: customers/customers.nick"), "{}", text(&newer));
    let captured = shop.capture("newer");
    assert!(captured.status.success() && text(&captured).contains("customers/customers.nick"), "{}", text(&captured));
    let weaker = POLICY
        .replace("version: 1", "version: 1\nundecided: redact")
        .replace("mask: email", "mask: { email: { at: x.example } }");
    shop.write("policy.yaml", &weaker);
    fails(12, &["APR-005", "customers/customers.email", "it approved another decision"], &shop.capture("weaker"));
    shop.write(
        "policy.yaml",
        &(POLICY.to_owned() + "  - { name: nick, on: [ customers/customers.nick ], keep: { reason: test }, accept: [ personal-data ] }\n"),
    );
    fails(12, &["APR-005", "customers/customers.nick", "it does not know this field"], &shop.capture("weaker"));
    assert!(shop.no_bundle("weaker"));
}

#[test]
fn nobody_signs_what_was_not_shown() {
    let shop = guarded("1");
    fails(2, &["there is no terminal", "--digest"], &shop.run(&APPROVE));
    let digest = digest(&shop);
    shop.write("policy.yaml", &POLICY.replace("reason: test", "reason: other"));
    fails(
        12,
        &["not the ones that were reviewed", "policy diff"],
        &shop.run(&[&APPROVE[..], &["--digest", &digest]].concat()),
    );
    shop.write("policy.yaml", &POLICY.replace("\"**.note\", ", ""));
    fails(10, &["nothing to approve", "POL-001"], &shop.run(&APPROVE));
    assert!(!shop.path("approvals").exists());
}

#[test]
fn an_operator_who_asks_for_what_cannot_be_is_told() {
    let shop = guarded("3");
    fails(2, &["3 approvals are asked for, and only 2 keys may approve"], &shop.capture("one"));
    shop.write("keys/approvals_required", "two");
    fails(2, &["no whole number"], &shop.capture("one"));
    // Approvers without a number ask for one.
    std::fs::remove_file(shop.path("keys/approvals_required")).expect("removes");
    fails(12, &["0 of the 1 approvals"], &shop.capture("one"));
    shop.write("keys/approvals_required", "0");
    assert!(shop.capture("one").status.success());
}

#[test]
fn a_person_at_a_terminal_signs_by_the_word_alone() {
    use std::io::{Read as _, Write as _};
    use std::process::{Command, Stdio};
    let shop = guarded("1");
    // `script` gives the program a terminal, and types what it reads.
    let answered = |answer: &str| {
        let program = shop.command();
        let line = format!("'{}' policy approve pipeline.yaml --keyring ann", program.get_program().display());
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--command", &line, "/dev/null"]).current_dir(shop.folder.path());
        for (name, value) in program.get_envs() {
            script.env(name, value.expect("a value"));
        }
        let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("install `bsdutils`");
        let (mut told, mut typed) = (String::new(), false);
        let mut stdout = child.stdout.take().expect("stdout");
        let mut stdin = child.stdin.take().expect("stdin");
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = stdout.read(&mut bytes) {
            told.push_str(&String::from_utf8_lossy(&bytes[..count]));
            if !typed && told.contains("anything else ends here") {
                writeln!(stdin, "{answer}").expect("types");
                typed = true;
            }
        }
        assert!(typed, "nobody was asked: {told}");
        (child.wait().expect("ends").code(), told)
    };
    for answer in ["no", "", "yes", "Approve"] {
        let (code, told) = answered(answer);
        assert_eq!(code, Some(2), "`{answer}`: {told}");
        assert!(told.contains("nothing was signed") && told.contains("decisions "), "`{answer}`: {told}");
        assert!(!shop.path("approvals").exists(), "`{answer}` wrote something");
    }
    let (code, told) = answered("approve");
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("approved ") && shop.capture("one").status.success(), "{told}");
}
