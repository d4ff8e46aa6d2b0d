//! Bad input, one test each: a clear error, its exit code, no original in it, and nothing half-written.

use crate::support::{PIPELINE, POLICY, Shop, fails, members, text};

#[test]
fn a_missing_table_in_a_relationship() {
    let shop = Shop::open();
    shop.write("pipeline.yaml", &PIPELINE.replace("-> customers/customers.id", "-> customers/custumers.id"));
    fails(2, &["PIPE-020", "custumers", "pipeline.yaml:7:5", "it has customers"], &shop.capture("b.reenact"));
    assert!(shop.no_bundle("b.reenact"));
}

#[test]
fn a_rule_that_matches_nothing() {
    let shop = Shop::open();
    shop.write("policy.yaml", &POLICY.replace("\"**.email\"", "\"**.email\", \"**.mail\""));
    fails(12, &["POL-002", "**.mail", "policy.yaml:8:37"], &shop.capture("b.reenact"));
    assert!(shop.no_bundle("b.reenact"));
}

#[test]
fn what_a_mask_cannot_take_is_told_without_the_value() {
    let shop = Shop::open();
    shop.fill("orders.db", "update orders set note = '\u{d6}sterreich Canary'".replace("\\u{d6}", "\u{d6}").as_str());
    shop.write(
        "policy.yaml",
        &POLICY.replace(
            "\"**.note\", \"**.doc\" ], mask: redact",
            "\"**.note\" ], mask: date_shift }\n  - { name: docs, on: [ \"**.doc\" ], mask: redact",
        ),
    );
    fails(12, &["orders/orders.note", "notes"], &shop.capture("b.reenact"));
    assert!(shop.no_bundle("b.reenact"));
}

#[test]
fn a_password_or_literal_in_a_pipeline_is_not_shown() {
    let shop = Shop::open();
    shop.write("pipeline.yaml", &PIPELINE.replace("${ORDERS_URL}", "postgres://u:canary@h/d"));
    fails(2, &["PIPE-010"], &shop.capture("b.reenact"));
}

#[test]
fn two_rules_that_disagree() {
    let shop = Shop::open();
    shop.write(
        "policy.yaml",
        &format!("{POLICY}  - {{ name: again, on: [ customers/customers.email ], mask: redact }}\n"),
    );
    let told = ["POL-003", "mail", "again", "overrides"];
    fails(12, &told, &shop.capture("b.reenact"));
    let settled = "  - { name: again, on: [ customers/customers.email ], mask: redact, overrides: [ mail ] }\n";
    shop.write("policy.yaml", &format!("{POLICY}{settled}"));
    assert!(shop.capture("b.reenact").status.success());
}

#[test]
fn a_column_that_no_rule_decides() {
    let shop = Shop::open();
    shop.write("policy.yaml", &POLICY.replace("\"**.note\", ", ""));
    fails(12, &["POL-001", "orders/orders.note", "help"], &shop.capture("b.reenact"));
    shop.write(
        "policy.yaml",
        &POLICY.replace("\"**.note\", ", "").replace("version: 1", "version: 1\nundecided: redact"),
    );
    assert!(shop.capture("b.reenact").status.success());
    assert!(shop.ok(&["inspect", "b.reenact"]).contains("redacted: undecided"));
}

#[test]
fn a_path_of_a_payload_that_nobody_decided() {
    let shop = Shop::open();
    let pipeline = PIPELINE.replace(
        "url: \"${ORDERS_URL}\" }",
        "url: \"${ORDERS_URL}\", payloads: [ { field: orders.doc, as: { json: {} } } ] }",
    );
    shop.write("pipeline.yaml", &pipeline);
    let policy = POLICY.replace("\"**.doc\"", "\"orders/orders.doc:$.price\"");
    shop.write("policy.yaml", &policy);
    fails(12, &["POL-020", "orders/orders.doc:$['{key}']['{key}']"], &shop.capture("b.reenact"));
    assert!(shop.no_bundle("b.reenact"));
    shop.write("policy.yaml", &policy.replace("$.price", "$..to"));
    assert!(shop.capture("b.reenact").status.success());
}

#[test]
fn an_unknown_mask_argument() {
    let shop = Shop::open();
    shop.write("policy.yaml", &POLICY.replace("mask: email", "mask: { email: { domain: x.example } }"));
    fails(2, &["POL-006", "domain", "policy.yaml:8", "`at`"], &shop.capture("b.reenact"));
}

#[test]
fn services_that_refer_to_each_other_in_a_circle() {
    let shop = Shop::open();
    shop.fill("customers.db", "alter table customers add column last_order integer");
    let relationships = "customers/customers.id\n  - customers/customers.last_order -> orders/orders.id";
    shop.write("pipeline.yaml", &PIPELINE.replace("customers/customers.id", relationships));
    let output = shop.capture("b.reenact");
    let text = fails(2, &["circle"], &output);
    assert!(
        text.contains("customers -> orders -> customers") || text.contains("orders -> customers -> orders"),
        "{text}"
    );
}

#[test]
fn a_limit_of_records_that_is_exceeded() {
    let shop = Shop::open();
    shop.write("pipeline.yaml", &PIPELINE.replace("policy:", "limits: { rows: 2 }\npolicy:"));
    fails(26, &["limit", "orders/items", "->", "pipeline.yaml:"], &shop.capture("b.reenact"));
    assert!(shop.no_bundle("b.reenact"));
}

#[test]
fn a_seed_without_a_value_and_a_source_that_is_not_there() {
    let shop = Shop::open();
    let output = shop.run(&["capture", "pipeline.yaml", "--to", "b.reenact"]);
    fails(2, &["seed `order`", "--seed"], &output);
    let output = shop.run(&["capture", "pipeline.yaml", "--seed", "order=123456", "--to", "b.reenact"]);
    fails(2, &["root 1 matches no record"], &output);
    let output = shop.run(&["capture", "pipeline.yaml", "--seed", "order=7", "--seed", "ordr=7", "--to", "b.reenact"]);
    fails(2, &["`ordr`"], &output);
    std::fs::remove_file(shop.path("orders.db")).expect("removes");
    fails(20, &["orders"], &shop.capture("b.reenact"));
    assert!(shop.no_bundle("b.reenact"));
}

#[test]
fn a_seed_whose_value_does_not_fit_its_field() {
    let shop = Shop::open();
    let capture = || shop.run(&["capture", "pipeline.yaml", "--seed", "order=canary", "--to", "b.reenact"]);
    fails(2, &["root 1", "seed `order`", "orders/orders.id", "`integer`", "help"], &capture());
    // A literal of the file is somebody's value as well.
    shop.write("pipeline.yaml", &PIPELINE.replace("${seed.order}", "canary"));
    let output = shop.run(&["capture", "pipeline.yaml", "--to", "b.reenact"]);
    fails(2, &["root 1", "its literal", "orders/orders.id", "`integer`"], &output);
    assert!(shop.no_bundle("b.reenact"));
}

#[test]
fn a_url_of_another_kind() {
    let shop = Shop::open();
    for (kind, url, told) in [
        ("sqlite", "postgres://u:canary@h/d", "begins with `postgres:`, which is no URL of a sqlite service"),
        ("postgres", "mysql://u:canary@h/d", "postgres://user"),
        ("mysql", "redis://:canary@h/0", "mysql://user"),
        ("redis", "memory:canary", "redis://user"),
        ("postgres", "canary:canary@h/d", "the URL is none of a postgres service"),
    ] {
        shop.write("one.yaml", &PIPELINE.replace("orders: { kind: sqlite", &format!("orders: {{ kind: {kind}")));
        let output = shop.command().env("ORDERS_URL", url).args(["plan", "one.yaml"]).output().expect("runs");
        fails(2, &["PIPE-011", "one.yaml:4", "help", told], &output);
    }
    assert!(shop.capture("b.reenact").status.success());
    let args = ["replay", "b.reenact", "--target-env", "customers=C2", "--target-env", "orders=O2"];
    let output = shop.command().env("C2", "mysql://u:canary@h/d").env("O2", "sqlite://x").args(args).output();
    fails(2, &["customers", "begins with `mysql:`", "sqlite:///"], &output.expect("runs"));
}

#[test]
fn tls_to_kafka_is_refused() {
    let shop = Shop::open();
    shop.write(
        "one.yaml",
        "version: 1\nservices:\n  one: { kind: kafka, bootstrap: \"${B}\", topics: [ { name: t } ] }\nroots: [ { from: one/t } ]\npolicy: policy.yaml\n",
    );
    for bootstrap in ["h:9093?security.protocol=SSL", "h:9093?security.protocol=sasl_ssl&sasl.password=canary"] {
        let output = shop.command().env("B", bootstrap).args(["plan", "one.yaml"]).output().expect("runs");
        fails(2, &["one", "no TLS for Kafka", "`security.protocol`", "SASL_PLAINTEXT"], &output);
    }
    let output = shop.command().env("B", "postgres://h/d").args(["plan", "one.yaml"]).output().expect("runs");
    fails(2, &["one", "kafka://host:9092"], &output);
}

#[test]
fn a_bundle_with_one_flipped_bit_or_without_a_member() {
    let shop = Shop::open();
    assert!(shop.capture("b.reenact").status.success());
    assert!(shop.run(&["verify", "b.reenact"]).status.success());
    let member = members(&shop.path("b.reenact")).remove(0);
    let whole = std::fs::read(&member).expect("reads");
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    std::fs::write(&member, damaged).expect("writes");
    for command in [&["verify", "b.reenact"][..], &["inspect", "b.reenact"], &["up", "b.reenact"]] {
        fails(23, &[], &shop.run(command));
    }
    // `run` gives 125 for what is not the command's own failure.
    fails(125, &[], &shop.run(&["run", "b.reenact", "--", "true"]));
    std::fs::remove_file(&member).expect("removes");
    fails(23, &[], &shop.run(&["verify", "b.reenact"]));
    std::fs::write(&member, whole).expect("writes");
    assert!(shop.run(&["verify", "b.reenact"]).status.success());
}

#[test]
fn a_bundle_that_a_stranger_signed() {
    let shop = Shop::open();
    assert!(shop.capture("b.reenact").status.success());
    shop.ok(&["keys", "init", "others"]);
    std::fs::copy(shop.path("keys/identity.age"), shop.path("others/identity.age")).expect("copies");
    let output = shop.run(&["verify", "b.reenact", "--keyring", "others"]);
    fails(23, &["--trust"], &output);
    let key = std::fs::read_to_string(shop.path("keys/trusted")).expect("a key");
    shop.ok(&["verify", "b.reenact", "--keyring", "others", "--trust", key.trim()]);
}

#[test]
fn an_expired_bundle_is_read_only_on_purpose_and_loaded_never() {
    let shop = Shop::open();
    shop.ok(&["capture", "pipeline.yaml", "--seed", "order=7", "--to", "b.reenact", "--expires-days", "0"]);
    for command in [&["verify", "b.reenact"][..], &["inspect", "b.reenact"], &["why", "b.reenact", "seed.order"]] {
        fails(23, &["expired", "help:", "--accept-expired"], &shop.run(command));
        shop.ok(&[command, &["--accept-expired"]].concat());
    }
    fails(23, &["expired"], &shop.run(&["up", "b.reenact"]));
    fails(125, &["expired"], &shop.run(&["run", "b.reenact", "--embedded", "--", "true"]));
    for command in
        [&["up", "b.reenact", "--accept-expired"][..], &["run", "b.reenact", "--accept-expired", "--", "true"]]
    {
        fails(2, &["--accept-expired"], &shop.run(command));
    }
}

#[test]
fn a_target_without_marker_and_a_source_as_target() {
    let shop = Shop::open();
    assert!(shop.capture("b.reenact").status.success());
    shop.fill("c2.db", "create table x (y)");
    let replay = |c: &str, o: &str| {
        let url = |name: &str| format!("sqlite://{}", shop.path(name).display());
        shop.command()
            .env("C2", url(c))
            .env("O2", url(o))
            .args(["replay", "b.reenact", "--target-env", "customers=C2", "--target-env", "orders=O2"])
            .output()
            .expect("runs")
    };
    fails(21, &["marker"], &replay("c2.db", "o2.db"));
    let mark = |name: &str| {
        let url = format!("sqlite://{}", shop.path(name).display());
        let output = shop.command().env("U", url).args(["mark", "--url-env", "U"]).output().expect("runs");
        assert!(output.status.success(), "{}", text(&output));
    };
    // Even a marked store is refused if the bundle came from it.
    for name in ["customers.db", "orders.db", "c2.db", "o2.db"] {
        mark(name);
    }
    fails(21, &[], &replay("customers.db", "orders.db"));
    let output = replay("c2.db", "o2.db");
    assert!(output.status.success(), "{}", text(&output));
    // What is there already is not overwritten.
    fails(21, &[], &replay("c2.db", "o2.db"));
}

#[test]
fn a_capture_that_is_killed_leaves_a_whole_bundle_or_garbage() {
    let shop = Shop::open();
    let rows: Vec<String> = (10..4_000).map(|n| format!("({n}, 1, 'x', null)")).collect();
    shop.fill("orders.db", &format!("insert into orders values {}", rows.join(",")));
    shop.write(
        "pipeline.yaml",
        &PIPELINE.replace("orders/orders, where: { id: \"${seed.order}\" }, children: true", "orders/**"),
    );
    let mut killed = 0;
    for n in 0..12_u64 {
        let name = format!("b{n}.reenact");
        let mut child = shop
            .command()
            .args(["capture", "pipeline.yaml", "--to", &name])
            .stderr(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("starts");
        // Instants spread over the life of a capture; where it ends sooner, it is whole.
        let deadline = std::time::Instant::now() + std::time::Duration::from_millis(40 * n);
        while std::time::Instant::now() < deadline && child.try_wait().expect("waits").is_none() {
            std::thread::yield_now();
        }
        let _ = child.kill();
        let ended = child.wait().expect("ends");
        if shop.path(&name).exists() {
            shop.ok(&["verify", &name]);
        } else {
            assert!(!ended.success());
            killed += 1;
        }
    }
    assert!(killed > 0, "no capture was killed in time");
    shop.ok(&["gc", "."]);
    let left: Vec<_> = std::fs::read_dir(shop.folder.path())
        .expect("reads")
        .map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|n| n.contains("partial"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_disk_without_room() {
    let shop = Shop::open();
    // A limit on file sizes makes writes fail as a full disk does; the signal that comes with it is ignored.
    let program = shop.command();
    let script = "trap '' XFSZ; ulimit -f 1; exec \"$0\" capture pipeline.yaml --seed order=7 --to b.reenact";
    let mut shell = std::process::Command::new("sh");
    shell.current_dir(shop.folder.path()).arg("-c").arg(script).arg(program.get_program());
    for (name, value) in program.get_envs() {
        shell.env(name, value.expect("a value"));
    }
    fails(27, &[], &shell.output().expect("runs"));
    assert!(shop.no_bundle("b.reenact"));
}

#[test]
fn mistakes_beside_an_unknown_key_are_told_with_it() {
    let shop = Shop::open();
    shop.write("pipeline.yaml", &PIPELINE.replace("policy:", "limit: { rows: 2 }\nlimits: { read_time: 0s }\npolicy:"));
    fails(2, &["YAML-001", "`limit`", "PIPE-007", "no time is left", "help"], &shop.capture("b.reenact"));
    shop.write("pipeline.yaml", &PIPELINE.replace("policy:", "policy: a.yaml\npolicy:"));
    let told = fails(2, &["YAML-001", "the key `policy` stands here twice", "help"], &shop.capture("b.reenact"));
    assert!(!told.contains("Options"), "{told}");
}

#[test]
fn files_that_are_not_what_they_should_be() {
    let shop = Shop::open();
    fails(27, &["no such folder", "help"], &shop.capture("none/b.reenact"));
    let unset = ["capture", "pipeline.yaml", "--seed-env", "order=NO_SUCH_VARIABLE", "--to", "b.reenact"];
    fails(2, &["`NO_SUCH_VARIABLE` is not set", "help"], &shop.run(&unset));
    std::fs::write(shop.path("orders.db"), "a text of some length, and no database at all; long enough for a page")
        .expect("writes");
    fails(20, &["can't be read as a SQLite database", "help"], &shop.capture("b.reenact"));
    std::fs::remove_file(shop.path("orders.db")).expect("removes");
    std::fs::create_dir(shop.path("orders.db")).expect("a folder");
    fails(20, &["is a folder"], &shop.capture("b.reenact"));
    std::fs::remove_file(shop.path("policy.yaml")).expect("removes");
    fails(2, &["policy.yaml", "there is no such file", "help"], &shop.capture("b.reenact"));
    assert!(shop.no_bundle("b.reenact"));
}
