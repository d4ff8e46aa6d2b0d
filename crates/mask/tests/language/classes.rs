//! Classes, types and profiles: rules that name what a field is, and not where it stands.

use reenact_mask::{Action, Policy};

use crate::support::World;

fn clinic() -> World {
    World::default()
        .entity(
            "clinic/patients",
            &["id int", "mail text?", "born date?", "zip text?", "age int?", "ssn text?", "note text?"],
        )
        .entity("lab/results", &["id int", "patient_mail text?", "taken date?"])
}

/// What is done with a field, and by which rule.
fn decided(world: &World, policy: &str, field: &str) -> String {
    let plan = world.plan(policy).unwrap_or_else(|error| panic!("{error:?}"));
    let decision = plan.decisions().iter().find(|d| d.field.to_string() == field).expect("a decision");
    let action = match &decision.action {
        Action::Mask { mask, .. } => mask.clone(),
        Action::Keep(_) => "keep".to_owned(),
        other => format!("{other:?}"),
    };
    format!("{action} by {}", decision.rule.as_deref().unwrap_or("nobody"))
}

#[test]
fn a_class_is_told_once_and_used_by_rules() {
    let policy = r#"version: 1
undecided: redact
classes:
  email: [ clinic/patients.mail, "**.patient_mail" ]
  contact: [ "class:email", clinic/patients.zip ]
rules:
  - { name: reach, class: contact, mask: token }
  - { name: ids, on: [ "**.id" ], mask: integer }
  - { name: dates, type: date, mask: date_shift }
  - { name: born, on: [ clinic/patients.born ], mask: { date_truncate: { to: year } }, overrides: [ dates ] }
  - { name: ages, on: [ "clinic/**" ], type: integer, mask: age, overrides: [ ids ] }
"#
    .replace(", overrides: [ ids ] }", ", overrides: [] }")
    .replace("\"clinic/**\"", "\"**.age\"");
    let world = clinic();
    for (field, what) in [
        ("clinic/patients.mail", "token by reach"),
        ("lab/results.patient_mail", "token by reach"),
        ("clinic/patients.zip", "token by reach"),
        ("lab/results.taken", "date_shift by dates"),
        ("clinic/patients.born", "date_truncate by born"),
        ("clinic/patients.age", "age by ages"),
    ] {
        assert_eq!(decided(&world, &policy, field), what, "{field}");
    }
}

#[test]
fn classes_and_types_that_do_not_exist_are_told_at_their_places() {
    let policy = r#"version: 1
undecided: redact
classes:
  a: [ "class:b" ]
  b: [ "class:a", "class:ghost" ]
  wide: [ "**.mail" ]
rules:
  - { name: ghost, class: ghost, mask: token }
  - { name: type, type: word, mask: token }
  - { name: nothing, mask: token }
  - { name: keep, class: wide, keep: { reason: x } }
"#;
    let refused = clinic().refused(policy);
    for part in [
        "POL-024 p.yaml:5:8: the class `a` holds itself",
        "POL-024 p.yaml:4:8: the class `b` holds itself",
        "POL-024 p.yaml:5:19: there is no class `ghost`",
        "POL-024 rule `ghost`, p.yaml:8:27: there is no class `ghost`",
        "POL-024 rule `type`, p.yaml:9:25: there is no type `word`",
        "POL-024 rule `nothing`, p.yaml:10:13: the rule names no field",
        "POL-004 rule `keep`, p.yaml:6:11",
    ] {
        assert!(refused.contains(part), "{part}\n{refused}");
    }
    let none = "version: 1\nundecided: redact\nrules: [ { name: t, type: bytes, mask: empty } ]\n";
    assert!(clinic().refused(none).contains("POL-002 rule `t`, p.yaml:3:27: `**` names no field of type bytes"));
}

const CLASSES: &str = r#"
classes:
  email: [ "**.mail", "**.patient_mail" ]
  birth_date: [ clinic/patients.born ]
  date: [ lab/results.taken ]
  postcode: [ clinic/patients.zip ]
  age: [ clinic/patients.age ]
  national_id: [ clinic/patients.ssn ]
  free_text: [ clinic/patients.note ]
"#;

#[test]
fn a_profile_brings_rules_that_only_their_names_override() {
    let world = clinic();
    let policy = |profile: &str, rules: &str| {
        let ids = "  - { name: ids, on: [ \"**.id\" ], mask: integer }\n";
        format!("version: 1\nundecided: redact\nprofile: {profile}\n{CLASSES}rules:\n{ids}{rules}")
    };
    let gdpr = policy("gdpr", "");
    assert_eq!(decided(&world, &gdpr, "clinic/patients.mail"), "email by gdpr/email");
    assert_eq!(decided(&world, &gdpr, "clinic/patients.note"), "redact by gdpr/free text");

    let hipaa = policy("hipaa-safe-harbor", "");
    for (field, what) in [
        ("clinic/patients.mail", "random_code by hipaa/email"),
        ("clinic/patients.born", "date_truncate by hipaa/dates"),
        ("lab/results.taken", "date_truncate by hipaa/dates"),
        ("clinic/patients.zip", "postcode by hipaa/zip"),
        ("clinic/patients.age", "age by hipaa/ages"),
        ("clinic/patients.ssn", "random_code by hipaa/numbers"),
    ] {
        assert_eq!(decided(&world, &hipaa, field), what, "{field}");
    }
    let mut bench = world.masker(&hipaa);
    let row: &[&str] = &["1", "ann@corp.test", "1931-07-14", "03601", "92", "078-05-1120", "she said"];
    let rows = world.mask(&mut bench, "clinic/patients", &[row, row]).expect("masks");
    assert_eq!(rows[0][2..5], ["1931-01-01", "00000", "90"]);
    assert_eq!(rows[0][1], rows[1][1], "one code for one value");
    let again = world.mask(&mut world.masker(&hipaa), "clinic/patients", &[row]).expect("masks");
    assert_ne!(rows[0][1], again[0][1], "drawn anew: derived from nothing");

    // Two profiles that decide differently, and a rule beside one, are disagreements until a name is named.
    assert!(world.refused(&policy("[ gdpr, hipaa-safe-harbor ]", "")).contains("POL-003"));
    let own = "  - { name: mail, on: [ \"**.mail\" ], mask: email }\n";
    let refused = world.refused(&policy("hipaa-safe-harbor", own));
    assert!(refused.contains("POL-003 clinic/patients.mail, rule `mail`, p.yaml:"), "{refused}");
    assert!(refused.contains("rule `hipaa/email` (profile hipaa-safe-harbor:"), "{refused}");
    let named = own.replace(" }\n", ", overrides: [ hipaa/email ] }\n");
    assert_eq!(decided(&world, &policy("hipaa-safe-harbor", &named), "clinic/patients.mail"), "email by mail");
    assert!(world.refused(&policy("iso-27001", "")).contains("POL-023 p.yaml:3:10: there is no profile `iso-27001`"));
}

#[test]
fn every_profile_parses_and_promises_no_compliance() {
    for (name, class) in [("gdpr", "email"), ("hipaa-safe-harbor", "email"), ("pci", "card_pin")] {
        let text = format!("version: 1\nprofile: {name}\nclasses: {{ {class}: [ clinic/patients.mail ] }}\n");
        let policy = Policy::parse("p.yaml", &text).unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(policy.rules.len(), 1, "{name}: only rules for classes that there are");
        let warnings = World::default().entity("clinic/patients", &["id int", "mail text?"]);
        let policy = text.replace("profile", "undecided: redact\nprofile")
            + "rules: [ { name: i, on: [ \"**.id\" ], mask: integer } ]\n";
        let plan = warnings.plan(&policy).expect("resolves");
        let told = plan.warnings().iter().find(|f| f.code == "POL-026").expect("a note");
        assert!(told.message.contains("certifies no compliance"), "{}", told.message);
    }
}

#[test]
fn what_is_drawn_at_random_has_one_agent() {
    let policy = |on: &str| {
        format!(
            "version: 1\nundecided: redact\ndomains: {{ mail: {{ mask: random_code }} }}\nrules:\n  - {{ name: ids, on: [ \"**.id\" ], mask: integer }}\n  - {{ name: mail, on: [ {on} ], domain: mail }}\n"
        )
    };
    assert!(clinic().plan(&policy("clinic/patients.mail, clinic/patients.note")).is_ok());
    let refused = clinic().refused(&policy("clinic/patients.mail, lab/results.patient_mail"));
    assert!(refused.contains("POL-025 lab/results.patient_mail, rule `mail`, p.yaml:3:"), "{refused}");
    assert!(refused.contains("also has clinic/patients.mail"), "{refused}");
}

#[test]
fn one_value_has_one_code_in_all_payloads_of_a_domain() {
    let world = World::default().entity("s/t", &["id int", "a json?", "b json?"]);
    let policy = "version: 1\ndomains: { x: { mask: random_code } }\nrules:\n  - { name: i, on: [ s/t.id ], mask: integer }\n  \
                  - { name: x, on: [ \"s/t.a:$.x\", \"s/t.b:$.x\" ], domain: x }\n";
    let masked =
        world.mask(&mut world.masker(policy), "s/t", &[&["1", r#"{"x":"v"}"#, r#"{"x":"v"}"#]]).expect("masks");
    assert_eq!(masked[0][1], masked[0][2]);
}
