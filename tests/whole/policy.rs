//! `policy …`: findings, effects and reasons, live and from saved schemas.

use crate::support::{POLICY, Production, Shop, fails, text};

const CHECK: [&str; 3] = ["policy", "check", "pipeline.yaml"];

#[test]
fn a_policy_is_checked_live_and_from_saved_schemas() {
    let shop = Shop::open();
    let live = shop.run(&[&CHECK[..], &["--save-schemas", "schemas.json"]].concat());
    assert!(live.status.success(), "{}", text(&live));
    assert!(text(&live).contains("policy.yaml: every field is decided ("), "{}", text(&live));
    let saved = std::fs::read_to_string(shop.path("schemas.json")).expect("reads");
    assert!(saved.contains("reenact/schemas") && !saved.to_lowercase().contains("canary"), "schemas hold no value");

    // From now on without the servers.
    std::fs::remove_file(shop.path("orders.db")).expect("removes");
    std::fs::remove_file(shop.path("customers.db")).expect("removes");
    let offline = [&CHECK[..], &["--schemas", "schemas.json"]].concat();
    assert!(shop.run(&offline).status.success());
    shop.write("policy.yaml", &POLICY.replace("\"**.note\", ", ""));
    fails(10, &["error[POL-001]", "orders/orders.note", "help: "], &shop.run(&offline));
    shop.write("policy.yaml", &POLICY.replace("\"**.email\"", "\"**.email\", \"**.mail\""));
    fails(10, &["error[POL-002]", "policy.yaml:8:37", "^^^^^"], &shop.run(&offline));
    for (format, part) in [
        ("json", "\"format\": \"reenact/policy-check\""),
        ("markdown", "<!-- reenact-policy-review -->"),
        ("github", "::error title=POL-002,file=policy.yaml,line=8,col=37::"),
        ("sarif", "\"startLine\": 8"),
        ("junit", "<failure message="),
    ] {
        fails(10, &[part], &shop.run(&[&offline[..], &["--format", format]].concat()));
    }
    fails(2, &["nothing.json", "--save-schemas"], &shop.run(&[&CHECK[..], &["--schemas", "nothing.json"]].concat()));
}

#[test]
fn the_tests_inside_a_policy_are_run() {
    let shop = Shop::open();
    let test = ["policy", "test", "pipeline.yaml"];
    let tests = |expect: &str| {
        let mail =
            format!("{{ name: mail, field: customers/customers.email, input: ann@corp.test, expect: {expect} }}");
        format!("{POLICY}tests:\n  - {mail}\n")
    };
    shop.write("policy.yaml", &tests("{ differs: true, valid: email }"));
    let told = shop.run(&test);
    assert!(told.status.success() && text(&told).contains("policy.yaml: 1 tests hold"), "{}", text(&told));
    shop.write("policy.yaml", &tests("{ length: 3 }"));
    fails(10, &["error[TEST-001]", "policy.yaml:13:", "it should have 3 characters", "^"], &shop.run(&test));
    for (format, part) in [
        ("junit", "<failure message="),
        ("sarif", "\"startLine\": 13"),
        ("json", "\"format\": \"reenact/policy-test\""),
    ] {
        fails(10, &[part], &shop.run(&[&test[..], &["--format", format]].concat()));
    }
    // What keeps the policy from being resolved is told, and no test is run.
    shop.write("policy.yaml", &tests("{ length: 3 }").replace("\"**.note\", ", ""));
    fails(10, &["error[POL-001]", "orders/orders.note"], &shop.run(&test));
}

#[test]
fn a_policy_of_several_files_is_checked_captured_and_compared_with_its_past() {
    let shop = Shop::open();
    std::fs::create_dir(shop.path("common")).expect("a folder");
    let (head, rules) = POLICY.split_once("rules:").expect("rules");
    shop.write("common/domains.yaml", head);
    shop.write("policy.yaml", &format!("version: 1\ninclude: [ common/domains.yaml ]\nrules:{rules}"));
    assert!(shop.run(&CHECK).status.success(), "{}", text(&shop.run(&CHECK)));
    let capture = ["capture", "pipeline.yaml", "--seed", "order=7", "--to", "b.reenact"];
    let captured = shop.run(&capture);
    assert!(captured.status.success(), "agents have all files: {}", text(&captured));
    shop.write("one.yaml", POLICY);
    let diff = shop.run(&["policy", "diff", "pipeline.yaml", "one.yaml"]);
    assert!(diff.status.success() && text(&diff).contains("no field is decided otherwise"), "{}", text(&diff));

    // The line that is shown is the included file's, and a profile's.
    shop.write("common/domains.yaml", &head.replace("mask: { integer", "mask: { interger"));
    let offending = "customer: { canonical: integer, mask: { interger";
    fails(2, &["POL-005", "common/domains.yaml:3:"], &shop.run(&["plan", "pipeline.yaml"]));
    fails(10, &["common/domains.yaml:3:", offending, "^"], &shop.run(&CHECK));
    shop.write(
        "policy.yaml",
        &format!("{POLICY}profile: pci\nclasses: {{ card_pin: [ customers/customers.name ] }}\n"),
    );
    fails(10, &["error[POL-003]", "rule `pci/authentication` (profile pci:"], &shop.run(&CHECK));
    shop.write("policy.yaml", "version: 1\ninclude: [ nothing.yaml ]\n");
    fails(2, &["POL-022", "policy.yaml:2:12", "`nothing.yaml` can't be read"], &shop.run(&CHECK));
}

#[test]
fn a_change_is_told_by_its_effect() {
    let shop = Shop::open();
    shop.write("before.yaml", POLICY);
    let diff = ["policy", "diff", "pipeline.yaml", "before.yaml"];
    let same = shop.run(&diff);
    assert!(same.status.success() && text(&same).contains("no field is decided otherwise"), "{}", text(&same));
    let weaker = format!(
        "{POLICY}  - {{ name: oops, on: [ customers/customers.email ], keep: {{ reason: tests }}, accept: [ personal-data ], overrides: [ mail ] }}\n"
    );
    shop.write("policy.yaml", &weaker);
    let told = shop.run(&diff);
    fails(
        10,
        &["weaker", "customers/customers.email: email", "-> kept, accepted as personal data: tests", "1 weaker"],
        &told,
    );
    fails(10, &["⚠️ **weaker**"], &shop.run(&[&diff[..], &["--format", "markdown"]].concat()));
    let back = shop.run(&["policy", "diff", "pipeline.yaml", "policy.yaml", "before.yaml"]);
    assert!(back.status.success() && text(&back).contains("stronger"), "{}", text(&back));
    fails(
        2,
        &["no-such-revision:policy.yaml"],
        &shop.run(&["policy", "diff", "pipeline.yaml", "no-such-revision:policy.yaml"]),
    );
}

#[test]
fn a_field_is_explained() {
    let shop = Shop::open();
    let told = shop.run(&["policy", "explain", "pipeline.yaml", "customers/customers.email"]);
    assert!(told.status.success(), "{}", text(&told));
    for part in ["rule `mail` (policy.yaml:8:", "decides", "by `**.email`", "do not match: "] {
        assert!(text(&told).contains(part), "{part}: {}", text(&told));
    }
    let none = shop.run(&["policy", "explain", "pipeline.yaml", "customers/customers.nothing"]);
    assert!(text(&none).contains("no rule names customers/customers.nothing"), "{}", text(&none));
}

#[test]
fn a_code_is_explained() {
    let shop = Shop::open();
    let told = shop.run(&["explain", "POL-009"]);
    assert!(
        told.status.success() && text(&told).starts_with("POL-009: a mask does not fit a field\n\n"),
        "{}",
        text(&told)
    );
    let all = shop.run(&["explain"]);
    assert!(text(&all).contains("RES-001") && text(&all).contains("PIPE-024"), "{}", text(&all));
    fails(2, &["there is no code `POL-999`", "help:"], &shop.run(&["explain", "POL-999"]));
}

#[test]
fn what_servers_have_counted_warns_of_pseudonyms_of_few_values() {
    use reenact_model::Kind;
    use sqlx::{Connection as _, Executor as _};

    let shop = Shop::open();
    let (postgres, mariadb) = (Production::start(Kind::Postgres, &[]), Production::start(Kind::Mysql, &[]));
    let (pg, my) = (postgres.url().to_owned(), mariadb.url().to_owned());
    postgres.runtime.block_on(async {
        let mut connection = sqlx::PgConnection::connect(&pg).await.expect("connects");
        let sql = "create table users (id bigint primary key, city text, mail text);
                   insert into users select n, 'Canary ' || n % 7, 'u' || n || '@canary.test' from generate_series(1, 2000) n;
                   analyze users;";
        connection.execute(sql).await.expect("fills");
        let mut connection = sqlx::MySqlConnection::connect(&my).await.expect("connects");
        for sql in [
            "create table visits (id bigint primary key, city varchar(40), nr int, index (city), index (nr))",
            "insert into visits select seq, concat('Canary ', seq % 7), seq from seq_1_to_2000",
            "analyze table visits",
        ] {
            connection.execute(sqlx::raw_sql(sql)).await.expect("fills");
        }
    });
    shop.write(
        "pipeline.yaml",
        "version: 1\nservices:\n  one: { kind: postgres, url: \"${PG}\" }\n  two: { kind: mysql, url: \"${MY}\" }\nflow: [ \"one -> two\" ]\nroots: [ { from: \"one/**\" }, { from: \"two/**\" } ]\npolicy: policy.yaml\n",
    );
    shop.write(
        "policy.yaml",
        "version: 1\nrules:\n  - { name: ids, on: [ \"**.id\", \"**.nr\" ], mask: integer }\n  - { name: cities, on: [ \"**.city\" ], mask: token }\n  - { name: mail, on: [ \"**.mail\" ], mask: email }\n",
    );
    let run = |args: &[&str]| shop.command().env("PG", &pg).env("MY", &my).args(args).output().expect("runs");
    let live = run(&[&CHECK[..], &["--save-schemas", "schemas.json"]].concat());
    let offline = run(&[&CHECK[..], &["--schemas", "schemas.json"]].concat());
    for output in [&live, &offline] {
        let told = text(output);
        assert!(output.status.success(), "a warning stops nothing: {told}");
        assert_eq!(told.matches("POL-028").count(), 2, "{told}");
        assert!(told.contains("one/public.users.city") && told.contains("two/visits.city"), "{told}");
        assert!(told.contains("counted about 7 values"), "{told}");
    }
    let saved = std::fs::read_to_string(shop.path("schemas.json")).expect("reads");
    assert!(saved.contains("\"distinct\": 7") && !saved.contains("Canary"), "the number, and no value");
}
