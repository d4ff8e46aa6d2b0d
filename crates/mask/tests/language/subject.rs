//! `subject:`, one shift for one person, in all services.

use crate::support::{World, days};

const POLICY: &str = r#"version: 1
domains:
  patient: { canonical: integer, mask: { integer: { max: 99999999 } } }
  life: { mask: subject_shift }
rules:
  - { name: ids, on: [ clinic/patients.id, "**.patient_id", "**.visit_id", clinic/visits.id, "lab/results.doc:$.patient" ], domain: patient }
  - { name: born, on: [ "**.born", "**.seen" ], domain: life, subject: clinic/patients.id }
  - { name: drawn, on: [ "lab/results.doc:$.drawn" ], domain: life, subject: "doc:$.patient" }
"#;

fn clinic() -> World {
    World::default()
        .entity("clinic/patients", &["id int", "born date"])
        .entity("clinic/visits", &["id int", "patient_id int?", "seen date"])
        .entity("lab/results", &["visit_id int", "doc json"])
        .refers("clinic/visits.patient_id -> clinic/patients.id")
}

#[test]
fn a_person_has_one_shift_everywhere_and_two_persons_have_two() {
    let world = clinic();
    let mut masker = world.masker(POLICY);
    // The same day of several people: a column that knew values by their text alone would give all of them one result.
    let people = world
        .mask(&mut masker, "clinic/patients", &[&["1", "1980-05-05"], &["2", "1980-05-05"], &["3", "1980-05-05"]])
        .expect("masks");
    let shifts: Vec<i32> = people.iter().map(|row| days("1980-05-05", &row[1])).collect();
    assert!(shifts[0] != shifts[1] && shifts[1] != shifts[2] && shifts.iter().all(|n| *n != 0), "{shifts:?}");
    let again = world.mask(&mut masker, "clinic/patients", &[&["2", "1980-05-05"]]).expect("masks");
    assert_eq!(again[0][1], people[1][1], "what is remembered is that person's");

    // By reference, in another table of the same service.
    let visits = world
        .mask(&mut masker, "clinic/visits", &[&["7", "2", "2024-02-01"], &["8", "1", "2024-02-01"]])
        .expect("masks");
    assert_eq!(days("2024-02-01", &visits[0][2]), shifts[1]);
    assert_eq!(days("2024-02-01", &visits[1][2]), shifts[0]);

    // In a payload of another service's agent, which writes the number as a text with zeros before it.
    let mut other = world.masker(POLICY);
    let results =
        world.mask(&mut other, "lab/results", &[&["7", r#"{"patient":"0002","drawn":"2024-02-03"}"#]]).expect("masks");
    let drawn = results[0][1].split("\"drawn\":\"").nth(1).expect("a date").get(..10).expect("a date");
    assert_eq!(days("2024-02-03", drawn), shifts[1]);
}

#[test]
fn a_record_without_its_subject_is_refused_and_never_passed() {
    let world = clinic();
    let error = world
        .mask(&mut world.masker(POLICY), "clinic/visits", &[&["7", "-", "2024-02-01"]])
        .expect_err("has no subject");
    let text = error.to_string();
    assert!(text.contains("no subject") && text.contains("rule `born`"), "{text}");
    assert!(!text.contains("2024"), "no value: {text}");
    let list = r#"{"patient":[1,2],"drawn":"2024-02-03"}"#;
    let policy = POLICY
        .replace("doc:$.patient\" }", "doc:$.patient[*]\" }")
        .replace("doc:$.patient\" ]", "doc:$.patient[*]\" ]");
    let error = world.mask(&mut world.masker(&policy), "lab/results", &[&["7", list]]).expect_err("has two");
    assert!(error.to_string().contains("several subjects"), "{error}");
}

#[test]
fn what_no_record_holds_is_refused_before_a_row_is_read() {
    let world = clinic();
    let subject = |text: &str| POLICY.replace("subject: clinic/patients.id", text);
    let refused = |text: &str| world.refused(&subject(text));
    assert!(refused("subject: nowhere").contains("POL-018 clinic/patients.born, rule `born`, p.yaml:7:"));
    assert!(refused("subject: patient_id").contains("clinic/patients has no field `patient_id`"));
    assert!(subject("").contains("domain: life,  }"));
    assert!(world.refused(&POLICY.replace(", subject: clinic/patients.id", "")).contains("works by subject"));
    assert!(
        world
            .refused(&POLICY.replace("life: { mask: subject_shift }", "life: { mask: date_shift }"))
            .contains("`date_shift` does not ask whose record it is")
    );
    // Two ways to the subject, a conditional one, and none at all.
    let two = clinic().refers("clinic/visits.id -> clinic/patients.id");
    assert!(two.refused(POLICY).contains("clinic/visits refers to clinic/patients.id by `patient_id` and by `id`"));
    let none = World { relationships: Vec::new(), ..clinic() };
    assert!(none.refused(POLICY).contains("no reference leads from clinic/visits"));
    let conditional = none.refers("clinic/visits.patient_id -> clinic/patients.id if id=7");
    assert!(conditional.refused(POLICY).contains("no reference leads from clinic/visits"));
}

#[test]
fn services_must_tell_a_subject_alike() {
    let policy = POLICY.replace(r#", "lab/results.doc:$.patient" ]"#, " ]")
        + "  - { name: patients, on: [ \"lab/results.doc:$.patient\" ], mask: token }\n";
    let refused = clinic().refused(&policy);
    assert!(refused.contains("POL-019 lab/results.doc, rule `drawn`, p.yaml:8:"), "{refused}");
}

#[test]
fn what_depends_on_a_subject_holds_no_reference() {
    let world = clinic().refers("clinic/visits.seen -> clinic/patients.born");
    assert!(world.refused(POLICY).contains("POL-010 clinic/visits.seen"));
}

#[test]
fn a_subject_is_read_as_a_field() {
    for (subject, code) in
        [("\"**.id\"", "POL-018"), ("[]", "POL-018"), ("{ a: 1 }", "YAML-001"), ("\"a:$[\"", "POL-018")]
    {
        let policy = POLICY.replace("subject: clinic/patients.id", &format!("subject: {subject}"));
        assert!(clinic().refused(&policy).contains(code), "{subject}");
    }
    let keep = POLICY.to_owned()
        + "  - { name: k, on: [ clinic/visits.seen ], keep: { reason: x }, subject: id, overrides: [ born ] }\n";
    assert!(clinic().refused(&keep).contains("a `keep` has no use for a subject"));
}
