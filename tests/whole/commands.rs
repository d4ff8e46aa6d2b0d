//! The commands as a user gives them, on SQLite alone.

use crate::support::{Shop, fails};

#[test]
fn an_incident_goes_all_the_way() {
    let shop = Shop::open();
    let plan = shop.ok(&["plan", "pipeline.yaml", "-o", "plan.json"]);
    for told in
        ["root 1: orders/orders where id = seed.order", "orders/orders.customer_id -> customers/customers.id", "email"]
    {
        assert!(plan.contains(told), "{plan}");
    }
    let json = std::fs::read_to_string(shop.path("plan.json")).expect("a plan");
    assert!(json.contains("\"format\": \"reenact/plan\"") && !json.to_lowercase().contains("canary"));
    let captured =
        shop.ok(&["capture", "pipeline.yaml", "--plan", "plan.json", "--seed", "order=7", "--to", "b.reenact"]);
    assert!(captured.contains("captured 4 records of 3 entities") && captured.contains("seed.order -> "), "{captured}");
    let why = shop.ok(&["why", "b.reenact", "seed.order"]);
    assert!(why.contains("root 1 (seed.order)"), "{why}");
    let root = shop.ok(&["inspect", "b.reenact", "--record", "seed.order"]);
    assert!(root.contains("note: [redacted]"), "{root}");
    let inspected = shop.ok(&["inspect", "b.reenact"]);
    assert!(inspected.contains("pseudonymised personal data"), "{inspected}");
    let run = shop.run(&[
        "run",
        "b.reenact",
        "--",
        "sh",
        "-c",
        "test -n \"$REENACT_SEED_ORDER\" -a -n \"$REENACT_ORDERS_URL\" -a -n \"$DATABASE_URL\" && exit 42",
    ]);
    assert_eq!(run.status.code(), Some(42), "{}", crate::support::text(&run));
    assert_eq!(shop.run(&["run", "b.reenact", "--", "no-such-program"]).status.code(), Some(127));
    assert!(!shop.ok(&["ps"]).contains("sqlite"), "an environment was left");
}

#[test]
fn every_value_of_a_seed_has_a_name() {
    let shop = Shop::open();
    shop.fill("orders.db", "insert into orders values (8, 1, null, null)");
    shop.write("orders.txt", "7\n\n8\n");
    let file = ["capture", "pipeline.yaml", "--seed-file", "order=orders.txt", "--to", "b.reenact"];
    let captured = shop.ok(&file);
    let value = |name: &str| {
        let line = captured.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" -> ")).expect("a line");
        line.to_owned()
    };
    let values = [value("seed.order"), value("seed.order.2")];
    assert_ne!(values[0], values[1]);
    assert!(shop.ok(&["why", "b.reenact", "seed.order.2"]).contains("root 1 (seed.order.2)"));
    let inspected = shop.ok(&["inspect", "b.reenact"]);
    assert!(inspected.contains(&format!("seed.order.2 -> {}", values[1])), "{inspected}");
    let record = shop.ok(&["inspect", "b.reenact", "--record", "seed.order.2"]);
    assert!(record.contains(&format!("id: {}", values[1])), "{record}");
    fails(2, &["the seed `order` has 2 values", "help:"], &shop.run(&["why", "b.reenact", "seed.order.3"]));
    let told = shop.ok(&["run", "b.reenact", "--", "sh", "-c", "echo $REENACT_SEED_ORDER $REENACT_SEED_ORDER_2"]);
    assert_eq!(told.trim(), values.join(" "));

    shop.write("orders.txt", "404\n7\n\n405\n");
    let told = ["orders/orders", "values 1 and 3 of the seed `order` match no record", "help:"];
    let printed = fails(
        2,
        &told,
        &shop.run(&["capture", "pipeline.yaml", "--seed-file", "order=orders.txt", "--to", "c.reenact"]),
    );
    assert!(!printed.contains("40"), "{printed}");
    assert!(shop.no_bundle("c.reenact"));
}

#[test]
fn a_command_sees_nothing_of_the_keys() {
    let shop = Shop::open();
    assert!(shop.capture("b.reenact").status.success());
    // Whoever holds keys for other programs keeps what is no key.
    let keys = ["REENACT_ROOT_KEY", "REENACT_SIGNING_KEY_FILE", "REENACT_RECIPIENTS_COMMAND"];
    let mut command = shop.command();
    for name in keys {
        command.env(name, "secret-of-mine");
    }
    command.env("MY_OWN", "stays").args(["run", "b.reenact", "--", "env"]);
    let output = command.output().expect("runs");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("REENACT_ENV_ID=") && told.contains("MY_OWN=stays"), "{told}");
    assert!(!told.contains("secret-of-mine") && !told.contains("REENACT_KEYRING"), "{told}");
    assert!(!told.contains(&shop.path("keys").display().to_string()), "{told}");
}

#[test]
fn an_environment_stays_up_until_it_is_taken_down() {
    let shop = Shop::open();
    assert!(shop.capture("b.reenact").status.success());
    let up = shop.ok(&["up", "b.reenact", "-o", "json"]);
    let id =
        up.lines().find_map(|l| l.trim().strip_prefix("\"id\": \"")).expect("an id").trim_end_matches("\",").to_owned();
    assert!(shop.ok(&["ps"]).contains(&id));
    shop.ok(&["gc", "."]);
    assert!(shop.ok(&["ps"]).contains(&id), "gc leaves what is kept");
    shop.ok(&["down", &id]);
    assert!(!shop.ok(&["ps"]).contains(&id));
    fails(2, &["ps"], &shop.run(&["down", &id]));
}

#[test]
fn a_stale_plan_is_refused() {
    let shop = Shop::open();
    shop.ok(&["plan", "pipeline.yaml", "-o", "plan.json"]);
    shop.fill("orders.db", "alter table orders add column extra text");
    shop.write("policy.yaml", &crate::support::POLICY.replace("\"**.note\"", "\"**.note\", \"**.extra\""));
    let output =
        shop.run(&["capture", "pipeline.yaml", "--plan", "plan.json", "--seed", "order=7", "--to", "b.reenact"]);
    fails(12, &["stale"], &output);
    assert!(shop.no_bundle("b.reenact"));
}

#[test]
fn keys_are_made_once_and_shown() {
    let shop = Shop::open();
    fails(2, &["holds keys already"], &shop.run(&["keys", "init", "keys"]));
    let shown = shop.ok(&["keys", "show", "keys"]);
    assert!(shown.contains("reenact-pub:") && shown.contains("age1") && !shown.contains("SECRET"), "{shown}");
}

#[test]
fn errors_come_as_json_where_asked() {
    let shop = Shop::open();
    shop.write("policy.yaml", &crate::support::POLICY.replace("mask: email", "mask: e-mail"));
    let output = shop.run(&["-o", "json", "plan", "pipeline.yaml"]);
    let text = fails(2, &[], &output);
    assert!(text.contains("\"exit_code\":2") && text.contains("POL-005"), "{text}");
}
