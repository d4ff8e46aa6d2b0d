//! What keeps an approval, and what makes it void.

use std::collections::BTreeSet;
use std::sync::Arc;

use ed25519_dalek::{Signer as _, SigningKey};
use reenact_model::catalog::Field;
use reenact_model::payload::{Codec, Format};
use reenact_model::{Entity, EntityId, Kind, ServiceCatalog, ValueType};

use super::*;
use crate::{Plan, Policy};

const POLICY: &str = r#"version: 1
undecided: redact
domains:
  mail: { canonical: email, mask: { email: { at: corp.example } } }
rules:
  - { name: mail, on: [ s/t.email, "s/t.doc:$..email" ], domain: mail }
  - { name: ids, on: [ s/t.id ], mask: integer }
  - { name: sums, on: [ s/t.total ], keep: { reason: rounding, expires: 2999-01-01 } }
"#;

fn entity(columns: &[&str]) -> Entity {
    let field = |name: &&str| match *name {
        "id" | "total" => Field::new(*name, ValueType::Int64, "bigint").required(),
        "doc" => Field::new(*name, ValueType::Json, "json").with_codec(Codec::of(Format::Json)),
        _ => Field::new(*name, ValueType::Text, "text"),
    };
    Entity {
        id: EntityId::new("s", "t"),
        fields: columns.iter().map(field).collect(),
        key: vec!["id".to_owned()],
        uniques: Vec::new(),
        estimate: None,
        properties: std::collections::BTreeMap::default(),
    }
}

const COLUMNS: [&str; 4] = ["id", "email", "total", "doc"];

fn subject(policy: &str, columns: &[&str]) -> Subject {
    let entity = entity(columns);
    let reached = BTreeSet::from([entity.id.clone()]);
    let catalog = ServiceCatalog {
        service: "s".to_owned(),
        kind: Kind::Postgres,
        version: String::new(),
        identity: reenact_model::catalog::Identity::default(),
        entities: vec![Arc::new(entity)],
        relationships: Vec::new(),
        ddl: Vec::new(),
        parts: Vec::new(),
    };
    let policy = Policy::parse("p.yaml", policy).expect("parses");
    let plan = Plan::resolve(&policy, &[catalog], &[], &reached).expect("resolves");
    Subject::of(&policy, &plan, &reached)
}

fn signed(key: u8, subject: &Subject, expires_ms: i64) -> Approval {
    let key = SigningKey::from_bytes(&[key; 32]);
    let statement = Statement { subject: subject.clone(), policy: String::new(), approved_ms: 1, expires_ms };
    let signature = key.sign(&under(DOMAIN, &statement.bytes())).to_bytes();
    Approval::new(statement, key.verifying_key().into(), &signature)
}

fn required(count: usize, keys: &[u8]) -> Required {
    let public = |key: &u8| SigningKey::from_bytes(&[*key; 32]).verifying_key().into();
    Required { count, approvers: keys.iter().map(public).collect() }
}

fn codes(verdict: &Verdict) -> Vec<String> {
    verdict.refused.iter().map(|f| format!("{} {}", f.code, f.site).trim().to_owned()).collect()
}

#[test]
fn an_approval_reads_back_and_holds() {
    let now = subject(POLICY, &COLUMNS);
    let approval = Approval::read("a", &signed(1, &now, 10).text()).expect("reads");
    let verdict = verify(&now, &[approval], &required(1, &[1]), 5);
    assert!(verdict.enough(&required(1, &[1])).is_ok(), "{verdict:?}");
    assert!(verdict.added.is_empty() && verdict.gone.is_empty() && verdict.refused.is_empty(), "{verdict:?}");
    assert_eq!(now.digest(), subject(&POLICY.replace("rules:", "# a remark\nrules:"), &COLUMNS).digest());
}

#[test]
fn two_means_two_different_keys_that_the_operator_knows() {
    let now = subject(POLICY, &COLUMNS);
    let two = required(2, &[1, 2]);
    let twice = [signed(1, &now, 10), signed(1, &now, 20)];
    let error = verify(&now, &twice, &two, 5).enough(&two).expect_err("one key is one");
    assert_eq!(error.class(), Class::Policy);
    assert!(error.message().starts_with("1 of the 2 approvals"), "{error}");
    let stranger = [signed(1, &now, 10), signed(3, &now, 10)];
    let verdict = verify(&now, &stranger, &two, 5);
    assert_eq!(codes(&verdict), ["APR-001"]);
    assert!(verdict.enough(&two).is_err());
    assert!(verify(&now, &[signed(1, &now, 10), signed(2, &now, 10)], &two, 5).enough(&two).is_ok());
}

#[test]
fn what_was_changed_or_has_expired_does_not_count() {
    let now = subject(POLICY, &COLUMNS);
    let one = required(1, &[1]);
    assert_eq!(codes(&verify(&now, &[signed(1, &now, 5)], &one, 5)), ["APR-003"]);
    let text = signed(1, &now, 10).text();
    for (part, other) in
        [("\"expires_ms\": 10", "\"expires_ms\": 99"), ("rounding", "because"), ("corp.example", "evil.example")]
    {
        assert!(text.contains(part), "{part}");
        let forged = Approval::read("a", &text.replace(part, other)).expect("reads");
        assert!(codes(&verify(&now, &[forged], &one, 5)).contains(&"APR-002".to_owned()), "{part}");
    }
    assert!(Approval::read("a", &text.replace("\"key\"", "\"more\": 1, \"key\"")).is_err());
    assert!(Approval::read("a", &text.replace("\"1.0\"", "\"2.0\"")).is_err());
    // A signature made for another purpose is none.
    let key = SigningKey::from_bytes(&[1; 32]);
    let statement = signed(1, &now, 10).statement;
    let bundle = key.sign(&under("reenact/bundle", &statement.bytes())).to_bytes();
    let moved = Approval::new(statement, key.verifying_key().into(), &bundle);
    assert_eq!(codes(&verify(&now, &[moved], &one, 5)), ["APR-002"]);
}

#[test]
fn a_redacted_column_leaves_it_valid_and_is_listed() {
    let approval = signed(1, &subject(POLICY, &COLUMNS), 10);
    let one = required(1, &[1]);
    let more = subject(POLICY, &["id", "email", "total", "doc", "note"]);
    let verdict = verify(&more, std::slice::from_ref(&approval), &one, 5);
    assert!(verdict.enough(&one).is_ok(), "{verdict:?}");
    assert_eq!(verdict.added.iter().map(ToString::to_string).collect::<Vec<_>>(), ["s/t.note"]);
    let fewer = verify(
        &subject(&POLICY.replace(", \"s/t.doc:$..email\"", ""), &["id", "email", "total"]),
        &[approval],
        &one,
        5,
    );
    assert!(fewer.enough(&one).is_ok(), "{fewer:?}");
    assert_eq!(fewer.gone.iter().map(ToString::to_string).collect::<Vec<_>>(), ["s/t.doc"]);
}

#[test]
fn anything_else_makes_it_void_and_names_the_field() {
    let approval = [signed(1, &subject(POLICY, &COLUMNS), 10)];
    let one = required(1, &[1]);
    let with = |from: &str, to: &str| {
        assert!(POLICY.contains(from), "{from}");
        codes(&verify(&subject(&POLICY.replace(from, to), &COLUMNS), &approval, &one, 5))
    };
    // An argument, a canonical form, a reason, an expiry: none of them shows in the mask's name.
    assert_eq!(with("corp.example", "other.example"), ["APR-005 s/t.doc", "APR-005 s/t.email"]);
    assert_eq!(with("canonical: email, ", ""), ["APR-005 s/t.doc", "APR-005 s/t.email"]);
    assert_eq!(with("reason: rounding", "reason: other"), ["APR-005 s/t.total"]);
    assert_eq!(with("2999-01-01", "2999-01-02"), ["APR-005 s/t.total"]);
    // What reaches into a payload that only the data shows.
    assert_eq!(with("$..email", "$..mail"), ["APR-005 s/t.doc"]);
    // A rule's own key.
    assert_eq!(with("name: ids", "name: keys"), ["APR-005 s/t.id"]);
    let more = format!("{POLICY}  - {{ name: oops, on: [ s/t.note ], keep: {{ reason: x }} }}\n");
    let now = subject(&more, &["id", "email", "total", "doc", "note"]);
    assert_eq!(codes(&verify(&now, &approval, &one, 5)), ["APR-005 s/t.note"]);
    let mut wider = subject(POLICY, &COLUMNS);
    wider.scope.insert(EntityId::new("s", "u"));
    assert_eq!(codes(&verify(&wider, &approval, &one, 5)), ["APR-004 s/u"]);
}
