//! `when:`, a rule for the records that fulfil a condition.

use reenact_mask::approval::Subject;
use reenact_mask::plan::Action;
use reenact_mask::{Policy, trial};

use crate::support::World;

fn shop() -> World {
    World::default()
        .entity(
            "shop/customers",
            &["id int", "country text?", "vip bool", "name text", "born date?", "credit decimal?"],
        )
        .entity("shop/orders", &["id int", "customer_id int?", "note text", "total decimal", "doc json"])
        .refers("shop/orders.customer_id -> shop/customers.id")
}

/// The shop's policy with more rules.
fn policy(rules: &str) -> String {
    format!(
        r#"version: 1
undecided: redact
domains:
  customer: {{ canonical: integer, mask: {{ integer: {{ max: 99999999 }} }} }}
rules:
  - {{ name: ids, on: [ shop/customers.id, shop/orders.customer_id ], domain: customer }}
  - {{ name: orders, on: [ shop/orders.id ], mask: {{ integer: {{ max: 99999999 }} }} }}
  - {{ name: names, on: [ shop/customers.name ], mask: token }}
  - {{ name: notes, on: [ shop/orders.note ], mask: redact }}
  - {{ name: docs, on: [ "shop/orders.doc:$..*" ], mask: token }}
  - {{ name: flags, on: [ shop/customers.vip, shop/customers.country ], mask: redact }}
  - {{ name: rest, on: [ shop/customers.born, shop/customers.credit ], mask: "null" }}
{rules}"#
    )
}

fn when(condition: &str) -> String {
    policy(&format!(
        "  - {{ name: abroad, on: [ shop/customers.name ], keep: {{ reason: it names a firm }}, accept: [ personal-data ], when: '{condition}', overrides: [ names ] }}\n"
    ))
}

const ROWS: &[&[&str]] = &[
    &["1", "DE", "false", "Anna Berg", "1980-05-05", "10.50"],
    &["2", "FR", "true", "Marie Curie", "1867-11-07", "0"],
    &["3", "DE", "true", "Otto Hahn", "1879-03-08", "99.99"],
];

/// The names that come out as they went in.
fn kept(condition: &str, rows: &[&[&str]]) -> Result<Vec<String>, String> {
    let world = shop();
    let mut masker = world.masker(&when(condition));
    let out = world.mask(&mut masker, "shop/customers", rows).map_err(|error| format!("{error:?}"))?;
    Ok(rows.iter().zip(&out).filter(|(row, out)| row[3] == out[3]).map(|(row, _)| row[0].to_owned()).collect())
}

#[test]
fn records_that_fulfil_a_condition_are_decided_by_its_rule_and_the_others_are_not() {
    for (condition, ids) in [
        ("country == \"DE\"", vec!["1", "3"]),
        ("country != \"DE\"", vec!["2"]),
        ("vip", vec!["2", "3"]),
        ("!vip || country in [\"FR\", \"IT\"]", vec!["1", "2"]),
        ("id >= 2 && id < 3", vec!["2"]),
        ("id == 2.0", vec!["2"]),
        ("id * 2 + 1 > 6", vec!["3"]),
        ("credit > 10.5 || credit == 0", vec!["2", "3"]),
        ("born < timestamp(\"1900-01-01T00:00:00Z\")", vec!["2", "3"]),
        ("born.getFullYear() == 1980", vec!["1"]),
        ("country.matches(\"^[DE]\")", vec!["1", "3"]),
        ("country.startsWith(\"F\") && size(country) == 2", vec!["2"]),
        ("record[\"country\"] == \"FR\" || record.id == 1", vec!["1", "2"]),
        ("vip ? country == \"DE\" : false", vec!["3"]),
        ("true", vec!["1", "2", "3"]),
        ("false", vec![]),
    ] {
        assert_eq!(kept(condition, ROWS).expect(condition), ids, "{condition}");
    }
}

#[test]
fn what_is_decided_is_the_original_and_each_result_is_that_of_its_rule() {
    let world = shop();
    let text = when("country == \"DE\" && name.startsWith(\"O\")");
    let out = world.mask(&mut world.masker(&text), "shop/customers", ROWS).expect("masks");
    let plain = world.mask(&mut world.masker(&policy("")), "shop/customers", ROWS).expect("masks");
    assert_eq!(out[2][3], "Otto Hahn", "`country` and `name` are masked themselves, and are asked as they were");
    assert_eq!((&out[0][3], &out[1][3]), (&plain[0][3], &plain[1][3]));
    // A mask under a condition, too, and in batches of any size alike.
    let rules = "  - { name: vips, on: [ shop/customers.name ], mask: name, when: vip, overrides: [ names ] }\n";
    let mut masker = world.masker(&policy(rules));
    let whole = world.mask(&mut masker, "shop/customers", ROWS).expect("masks");
    let single: Vec<_> =
        ROWS.iter().flat_map(|row| world.mask(&mut masker, "shop/customers", &[row]).expect("masks")).collect();
    assert_eq!(whole, single);
    assert_eq!(whole[0][3], plain[0][3]);
    assert!(whole[1][3] != plain[1][3] && whole[1][3] != "Marie Curie");
}

#[test]
fn what_can_t_be_decided_is_refused_by_names_and_never_by_a_value() {
    let null: &[&[&str]] = &[&["7", "-", "true", "Canary Quux", "-", "-"]];
    for condition in
        ["country == \"DE\"", "country != \"DE\"", "country in [\"DE\"]", "size(country) > 1", "!(country == \"DE\")"]
    {
        let told = kept(condition, null).expect_err(condition);
        assert!(told.contains("POL-034") && told.contains("`country` is NULL"), "{told}");
        assert!(
            told.contains("rule `abroad`") && told.contains("p.yaml:13:") && told.contains("shop/customers"),
            "{told}"
        );
        assert!(!told.contains("Canary"), "{told}");
    }
    for (condition, ids) in [
        ("country != null && country == \"DE\"", vec![]),
        ("country == null || country == \"DE\"", vec!["7"]),
        ("country == \"DE\" || vip", vec!["7"]),
        ("credit == null && null == born", vec!["7"]),
    ] {
        assert_eq!(kept(condition, null).expect(condition), ids, "{condition}");
    }
    // A number that a double does not hold is near others.
    let near: &[&[&str]] = &[&["7", "DE", "true", "x", "-", "0.30000000000000000001"]];
    assert!(kept("credit == 0.3", near).expect_err("is not exact").contains("can't be compared exactly"));
    let zero: &[&[&str]] = &[&["0", "DE", "true", "x", "-", "-"]];
    assert!(kept("10 / id == 1", zero).expect_err("divides by zero").contains("POL-034"));
}

#[test]
fn a_condition_is_checked_before_a_row_is_read() {
    let world = shop();
    for (condition, told) in [
        ("land == \"DE\"", "has no field `land`"),
        ("country", "is a text and no truth value"),
        ("country == 7", "a text is compared with a whole number"),
        ("country == \"DE\" &&", "does not parse"),
        ("vip && country", "take truth values"),
        ("id.name == 1", "which has no parts"),
        ("now() > born", "has no function `now`"),
        ("country.matches(\"[\")", "pattern of `matches` does not parse"),
        ("country.matches(name)", "a pattern that stands in the condition"),
        ("vip < true", "has no order"),
        ("country > null", "`null` can only be compared"),
        ("country in [1, 2]", "a text is compared with a whole number"),
        ("record.land == 1", "has no field `land`"),
        ("[1, 2].exists(x, y == x)", "has no field `y`"),
    ] {
        let refused = world.refused(&when(condition));
        assert!(refused.contains("POL-030") && refused.contains(told), "{condition}: {refused}");
        assert!(refused.contains("p.yaml:13:"), "{refused}");
    }
}

#[test]
fn a_condition_stands_beside_one_rule_that_decides_otherwise() {
    let world = shop();
    let one = "  - { name: a, on: [ shop/customers.name ], mask: name, when: vip, overrides: [ names ] }\n";
    assert!(world.plan(&policy(one)).is_ok());
    let refused = |rules: &str| world.refused(&policy(rules));
    assert!(
        refused(&one.replace(", overrides: [ names ]", ""))
            .contains("POL-031 shop/customers.name, rule `a`, p.yaml:13:")
    );
    let two = one.to_owned() + &one.replace("name: a", "name: b").replace("when: vip", "when: \"!vip\"");
    assert!(refused(&two).contains("rule `b` decides this field under a condition, too"), "{}", refused(&two));
    let twice = policy(&one.replace("mask: name", "keep: { reason: x }"))
        .replace("shop/customers.name ], mask: token", "shop/customers.name ], keep: { reason: x }");
    assert!(world.refused(&twice).contains("decides the same without a condition"), "{}", world.refused(&twice));
    let undecided =
        "  - { name: a, on: [ shop/orders.total ], mask: amount_bucket, when: \"id > 1\", overrides: [ names ] }\n";
    assert!(refused(undecided).contains("no rule decides this field for the records"), "{}", refused(undecided));
    // One that is overridden itself decides nothing.
    let beaten =
        one.to_owned() + "  - { name: last, on: [ shop/customers.name ], mask: redact, overrides: [ a, names ] }\n";
    let plan = world.plan(&policy(&beaten)).expect("resolves");
    assert!(plan.decisions().iter().all(|decision| decision.when.is_none()));
}

#[test]
fn keys_and_references_take_no_condition() {
    let world = shop();
    for (field, what) in [("shop/customers.id", "is of a key"), ("shop/orders.customer_id", "an end of a reference")] {
        let rule = format!("  - {{ name: a, on: [ {field} ], mask: token, when: \"id > 1\", overrides: [ ids ] }}\n");
        let refused = world.refused(&policy(&rule));
        assert!(refused.contains(&format!("POL-032 {field}")) && refused.contains(what), "{refused}");
    }
}

#[test]
fn payloads_are_asked_and_their_leaves_are_decided_under_conditions() {
    let world = shop();
    let rule = |condition: &str| {
        policy(&format!(
            "  - {{ name: kinds, on: [ \"shop/orders.doc:$.label\", \"shop/orders.doc:$.items[*].sku\" ], keep: {{ reason: goods }}, when: '{condition}', overrides: [ docs ] }}\n"
        ))
    };
    let row = |doc: &'static str| vec!["1", "1", "x", "1", doc];
    let label = |condition: &str, doc: &'static str| {
        let mut masker = world.masker(&rule(condition));
        let out = world.mask(&mut masker, "shop/orders", &[&row(doc)]).map_err(|error| format!("{error:?}"))?;
        Ok::<bool, String>(out[0][4].contains("\"Canary\"") && !out[0][4].contains("\"test\""))
    };
    let test = r#"{"kind":"test","label":"Canary","n":3,"items":[{"sku":"a","price":2.5},{"sku":"b","price":1}]}"#;
    for (condition, kept) in [
        ("doc.kind == \"test\"", true),
        ("doc.kind == \"live\"", false),
        ("doc.n > 2 && has(doc.label)", true),
        ("doc.missing != null && doc.missing == \"x\"", false),
        ("doc.items.exists(i, i.sku == \"b\")", true),
        ("doc.items.all(i, i.price > 2)", false),
        ("size(doc.items) == 2", true),
        ("doc.items[0].sku == \"a\"", true),
        ("id == 1 && doc.n == 3", true),
    ] {
        assert_eq!(label(condition, test), Ok(kept), "{condition}");
    }
    // What only the data tells is compared strictly: neither another type nor nothing is "unequal".
    for condition in [
        "doc.n != \"3\"",
        "doc.gone == \"x\"",
        "doc.kind > 3",
        "doc.kind in [1]",
        "doc.kind",
        "doc.items.exists(i, i.x == 1)",
    ] {
        let told = label(condition, test).expect_err(condition);
        assert!(told.contains("POL-034") && !told.contains("Canary"), "{condition}: {told}");
    }
    assert!(
        label("doc.kind == \"test\"", r#"{"kind":null,"label":"Canary"}"#).expect_err("is null").contains("POL-034")
    );
    // Two conditions at one path are told when the data shows the path.
    let both = rule("doc.kind == \"test\"")
        + "  - { name: more, on: [ \"shop/orders.doc:$.la*\" ], mask: redact, when: \"doc.n == 3\", overrides: [ docs ] }\n";
    let told = match world.plan(&both) {
        Err(error) => format!("{error:?}"),
        Ok(_) => format!("{:?}", world.mask(&mut world.masker(&both), "shop/orders", &[&row(test)]).expect_err("two")),
    };
    assert!(told.contains("under a condition, too"), "{told}");
}

const CARRIED: &str = "  - { name: abroad, on: [ shop/orders.note ], keep: { reason: needed }, when: { on: shop/customers, that: 'country == \"FR\"' }, overrides: [ notes ] }\n";

#[test]
fn a_condition_is_carried_along_a_reference_as_one_answer_for_each_key() {
    let world = shop();
    let mut parent = world.masker(&policy(CARRIED));
    let notes = |masker: &mut reenact_mask::Masker, customers: &[&str]| {
        let rows: Vec<Vec<&str>> = customers.iter().map(|id| vec!["1", *id, "Canary", "1", "{}"]).collect();
        let rows: Vec<&[&str]> = rows.iter().map(Vec::as_slice).collect();
        let out = world.mask(masker, "shop/orders", &rows).map_err(|error| format!("{error:?}"))?;
        Ok::<Vec<bool>, String>(out.iter().map(|row| row[2] == "Canary").collect())
    };
    // Without an answer nothing is passed.
    let told = notes(&mut parent, &["2"]).expect_err("has no answer");
    assert!(told.contains("POL-034") && told.contains("one that is not there") && !told.contains("Canary"), "{told}");
    world.judge(&mut parent, 0, "shop/customers", ROWS).expect("answers");
    assert_eq!(notes(&mut parent, &["1", "2", "3", "2"]), Ok(vec![false, true, false, true]));
    // The agent of the children knows the answers, and nothing else.
    let verdicts = parent.verdicts("shop");
    assert!(!verdicts.is_empty() && parent.verdicts("other").is_empty());
    assert!(!format!("{verdicts:?}").contains("FR"));
    let mut child = world.masker(&policy(CARRIED));
    child.heed(verdicts.clone()).expect("is of this capture");
    assert_eq!(notes(&mut child, &["3", "2"]), Ok(vec![false, true]));
    // What was answered under another key, or is no answer at all, is not heeded: whoever carries it must not make it up.
    let mut forged = serde_json::to_value(&verdicts).expect("writes");
    forged["answers"][0][2][0][1] = "Fulfilled".into();
    forged["answers"][0][2][1][1] = "Fulfilled".into();
    let forged = serde_json::from_value(forged).expect("reads");
    assert!(format!("{:?}", child.heed(forged).expect_err("is forged")).contains("not of this capture"));
    assert_eq!(notes(&mut child, &["1", "2"]), Ok(vec![false, true]));
    // References that lead nowhere are refused, unless the rule says what holds.
    assert!(notes(&mut child, &["-"]).expect_err("refers to none").contains("it refers to none"));
    for (missing, holds) in [("false", false), ("true", true)] {
        let text = policy(&CARRIED.replace("\"FR\"' }", &format!("\"FR\"', missing: {missing} }}")));
        let mut child = world.masker(&text);
        child.heed(parent.verdicts("shop")).expect("is of this capture");
        assert_eq!(notes(&mut child, &["-", "99", "2"]), Ok(vec![holds, holds, true]));
    }
    // Several records with one key that differ are no answer.
    let twice: &[&[&str]] = &[&["2", "DE", "false", "x", "-", "-"]];
    world.judge(&mut parent, 0, "shop/customers", twice).expect("answers");
    assert!(notes(&mut parent, &["2"]).expect_err("differ").contains("several that differ"));
    // What the parent can't decide stops there.
    let null: &[&[&str]] = &[&["4", "-", "false", "Canary", "-", "-"]];
    let told = format!("{:?}", world.judge(&mut parent, 0, "shop/customers", null).expect_err("is NULL"));
    assert!(told.contains("POL-034 shop/customers") || told.contains("shop/customers"), "{told}");
    assert!(!told.contains("Canary"));
}

#[test]
fn a_condition_is_carried_along_exactly_one_reference() {
    let world = shop();
    assert!(world.plan(&policy(CARRIED)).is_ok());
    let two = shop().refers("shop/orders.id -> shop/customers.id");
    assert!(two.refused(&policy(CARRIED)).contains("POL-033 shop/orders, rule `abroad`, p.yaml:13:"));
    assert!(
        world
            .refused(&policy(&CARRIED.replace("on: shop/customers,", "on: shop/nobody,")))
            .contains("no entity shop/nobody")
    );
    assert!(
        world
            .refused(&policy(&CARRIED.replace("country ==", "land ==")))
            .contains("shop/customers has no field `land`")
    );
    assert!(
        world.refused(&policy(&CARRIED.replace("on: shop/customers,", "on: \"shop/*\","))).contains("names no entity")
    );
}

#[test]
fn both_results_are_searched_for_what_they_are() {
    let world = shop();
    let text = when("country == \"DE\"");
    let rows: &[&[&str]] = &[
        &["1", "DE", "false", "anna.berg.77@corp.test", "-", "-"],
        &["2", "FR", "true", "marie.curie.11@corp.test", "-", "-"],
    ];
    // What the mask replaced is looked for; what the condition kept is not, for it may stand elsewhere.
    assert!(world.searched(&text, "shop/customers", rows).is_empty());
    // Somebody's address that was replaced in one record, and is kept in another one.
    let leak: &[&[&str]] = &[rows[1], &["3", "DE", "true", "see marie.curie.11@corp.test", "-", "-"]];
    let found = world.searched(&text, "shop/customers", leak);
    assert!(found.contains("RES-001 shop/customers.name"), "{found}");
    assert!(!found.contains("curie"), "{found}");
}

#[test]
fn an_approval_is_over_the_condition() {
    let world = shop();
    let subject = |text: &str| {
        let policy = Policy::parse("p.yaml", text).expect("parses");
        Subject::of(&policy, &world.plan(text).expect("resolves"), &world.reached())
    };
    let (german, french) = (subject(&when("country == \"DE\"")), subject(&when("country == \"FR\"")));
    assert_ne!(german.digest(), french.digest());
    assert_ne!(german.digest(), subject(&policy("")).digest());
    let field = "shop/customers.name".parse().expect("a field");
    let told = format!("{:?}", german.field(&field));
    assert!(
        told.contains("country == \\\"DE\\\"") && told.contains("it names a firm") && told.contains("token"),
        "{told}"
    );
    // Inside of a payload, too.
    let leaf = |condition: &str| {
        policy(&format!(
            "  - {{ name: k, on: [ \"shop/orders.doc:$..kind\" ], mask: redact, when: '{condition}', overrides: [ docs ] }}\n"
        ))
    };
    assert_ne!(subject(&leaf("doc.n == 1")).digest(), subject(&leaf("doc.n == 2")).digest());
    let plan = world.plan(&when("vip")).expect("resolves");
    let decision = plan.decisions().iter().find(|decision| decision.field == field).expect("decided");
    let when = decision.when.as_ref().expect("has a condition");
    assert!(matches!((&decision.action, &when.action), (Action::Mask { .. }, Action::Keep(_))));
    let back: reenact_mask::Decision =
        serde_json::from_str(&serde_json::to_string(decision).expect("writes")).expect("reads");
    assert_eq!(back, *decision);
}

#[test]
fn tests_inside_a_policy_give_the_record_and_the_answer() {
    let world = shop();
    let text = when("country == \"DE\"")
        + &CARRIED.replace("name: abroad", "name: carried")
        + r"tests:
  - { name: german, field: shop/customers.name, input: Anna, with: { country: DE }, expect: { equals: Anna } }
  - { name: french, field: shop/customers.name, input: Anna, with: { country: FR }, expect: { differs: true } }
  - { name: nowhere, field: shop/customers.name, input: Anna, expect: { refused: true } }
  - { name: note abroad, field: shop/orders.note, input: call me, when: true, expect: { equals: call me } }
  - { name: note here, field: shop/orders.note, input: call me, when: false, expect: { differs: true } }
  - { name: note of nobody, field: shop/orders.note, input: call me, expect: { refused: true } }
";
    let policy = Policy::parse("p.yaml", &text).unwrap_or_else(|error| panic!("{error:?}"));
    let plan = world.plan(&text).expect("resolves");
    let trial = trial::run(&policy, &plan, &world.catalogs).expect("runs");
    assert_eq!(trial.findings, []);
    assert_eq!(trial.passed.len(), 6);
}
