//! `when:` on real stores: along references inside of a service and between two, and what the search makes of it.

use sqlx::{Connection as _, Executor as _, Row as _};

use reenact_model::Kind;

use crate::support::{POLICY, Production, Shop, fails, text};

/// The rule that keeps notes, carried from another service's records.
fn carried(that: &str) -> String {
    POLICY.to_owned()
        + &format!(
            "  - {{ name: plain, on: [ orders/orders.note ], keep: {{ reason: names nobody }}, when: {{ on: customers/customers, that: '{that}' }}, overrides: [ notes ] }}\n"
        )
}

/// The note of the captured order, as the bundle has it.
fn note(shop: &Shop) -> String {
    let told = shop.ok(&["inspect", "b.reenact", "--record", "seed.order"]);
    told.lines().find_map(|line| line.strip_prefix("note: ")).expect("a note").to_owned()
}

#[test]
fn a_condition_is_carried_from_one_service_to_another() {
    let shop = Shop::open();
    shop.fill("orders.db", "update orders set note = 'deliver twice'");
    shop.fill("customers.db", "alter table customers add column kind text; update customers set kind = 'firm'");
    let policy = |kind: &str| {
        carried(&format!("kind == \"{kind}\"")) + "  - { name: kinds, on: [ \"**.kind\" ], mask: redact }\n"
    };
    for (kind, kept) in [("firm", true), ("person", false)] {
        shop.write("policy.yaml", &policy(kind));
        let _ = std::fs::remove_dir_all(shop.path("b.reenact"));
        let captured = shop.capture("b.reenact");
        assert!(captured.status.success(), "{}", text(&captured));
        assert_eq!(note(&shop) == "deliver twice", kept, "{kind}");
        let told = shop.ok(&["inspect", "b.reenact"]);
        assert!(
            told.contains(&format!("if its record of customers/customers has `kind == \"{kind}\"`: kept")),
            "{told}"
        );
        assert!(shop.run(&["verify", "b.reenact"]).status.success());
    }
    // Nobody answers for what is NULL there, and for what is not there at all.
    shop.write("policy.yaml", &policy("firm"));
    shop.fill("customers.db", "update customers set kind = null");
    fails(
        12,
        &["POL-034", "customers/customers", "rule `plain`", "policy.yaml:12:", "`kind` is"],
        &shop.capture("n.reenact"),
    );
    shop.fill("customers.db", "delete from customers where id = 2");
    fails(12, &["POL-034", "orders/orders", "one that is not there", "missing: false"], &shop.capture("n.reenact"));
    assert!(shop.no_bundle("n.reenact"));
    shop.write("policy.yaml", &policy("firm").replace("\"firm\"' }", "\"firm\"', missing: false }"));
    assert!(shop.capture("n.reenact").status.success());
}

#[test]
fn what_a_condition_keeps_is_searched_for_what_was_masked() {
    let shop = Shop::open();
    // The note names a customer, whose name is masked: the condition that keeps it lets it out.
    shop.write("policy.yaml", &carried("id == 2"));
    fails(13, &["RES-001", "orders/orders.note"], &shop.capture("b.reenact"));
    assert!(shop.no_bundle("b.reenact"));
    shop.write("policy.yaml", &carried("id == 3"));
    let captured = shop.capture("b.reenact");
    assert!(captured.status.success(), "{}", text(&captured));
    assert!(!note(&shop).contains("Canary"));
}

#[test]
fn a_condition_is_told_wherever_a_decision_is() {
    let shop = Shop::open();
    shop.write("before.yaml", POLICY);
    let own = POLICY.to_owned()
        + "  - { name: known, on: [ customers/customers.email ], keep: { reason: tests }, accept: [ personal-data ], when: 'id > 100', overrides: [ mail ] }\n";
    shop.write("policy.yaml", &own);
    let diff = ["policy", "diff", "pipeline.yaml", "before.yaml"];
    fails(
        10,
        &[
            "weaker",
            "customers/customers.email: email",
            "if `id > 100`: kept, accepted as personal data: tests",
            "1 weaker",
        ],
        &shop.run(&diff),
    );
    let told = text(&shop.run(&["policy", "diff", "pipeline.yaml", "policy.yaml", "before.yaml"]));
    assert!(told.contains("1 stronger"), "{told}");
    shop.write("policy.yaml", &own.replace("keep: { reason: tests }, accept: [ personal-data ]", "mask: redact"));
    assert!(text(&shop.run(&diff)).contains("1 changed"), "{}", text(&shop.run(&diff)));
    shop.write("policy.yaml", &own);
    let told = text(&shop.run(&["policy", "explain", "pipeline.yaml", "customers/customers.email"]));
    for part in ["rule `mail` (policy.yaml:8:", "decides if `id > 100`", "rule `known` (policy.yaml:12:"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    shop.ok(&["policy", "report", "pipeline.yaml", "-o", "review.html"]);
    let page = std::fs::read_to_string(shop.path("review.html")).expect("reads");
    assert!(page.contains("id &gt; 100") && page.contains("mail, known"), "the page shows the condition");
    shop.write("policy.yaml", &own.replace("id > 100", "nr > 100"));
    fails(
        10,
        &["error[POL-030]", "has no field `nr`", "policy.yaml:12:", "^^^"],
        &shop.run(&["policy", "check", "pipeline.yaml"]),
    );
}

#[test]
fn postgres_decides_by_its_own_types() {
    let shop = Shop::open();
    let production = Production::start(Kind::Postgres, &[]);
    let url = production.url().to_owned();
    production.runtime.block_on(async {
        let mut connection = sqlx::PgConnection::connect(&url).await.expect("connects");
        connection
            .execute(
                "create type kind as enum ('person', 'firm');
                 create table customers (id bigint primary key, kind kind, trusted boolean not null, since timestamptz, credit numeric, name text not null);
                 create table orders (id bigint primary key, customer_id bigint references customers (id), note text, doc jsonb);
                 insert into customers values (1, 'firm', true, '2019-05-05 12:00+02', 10.50, 'Canary Works'), (2, 'person', false, null, null, 'Ann Canary');
                 insert into orders values (1, 1, 'ring twice', '{\"kind\":\"test\",\"label\":\"a b\"}'), (2, 2, 'call me', '{\"kind\":\"live\",\"label\":\"c d\"}'), (3, null, 'nobody', '{\"label\":\"e f\"}')",
            )
            .await
            .expect("fills");
        connection.execute("create database target").await.expect("creates");
    });
    let mut target = url::Url::parse(&url).expect("a url");
    target.set_path("target");
    let target = target.to_string();
    let pipeline = |roots: &str| {
        format!(
            "version: 1\nservices:\n  one:\n    kind: postgres\n    url: \"${{ONE_URL}}\"\n    payloads: [ {{ field: public.orders.doc, as: {{ json: {{}} }} }} ]\nroots: [ {roots} ]\npolicy: policy.yaml\n"
        )
    };
    shop.write(
        "policy.yaml",
        r#"version: 1
domains: { customer: { canonical: integer, mask: { integer: { max: 99999999 } } } }
rules:
  - { name: ids, on: [ one/public.customers.id, one/public.orders.customer_id ], domain: customer }
  - { name: orders, on: [ one/public.orders.id ], keep: { reason: counts } }
  - { name: kinds, on: [ one/public.customers.kind ], keep: { reason: two words } }
  - { name: rest, on: [ one/public.customers.trusted, one/public.customers.since, one/public.customers.credit, "one/public.orders.doc:$..*" ], mask: redact }
  - { name: names, on: [ one/public.customers.name ], mask: redact }
  - { name: firms, on: [ one/public.customers.name ], mask: company, overrides: [ names ],
      when: 'kind == "firm" && trusted && since < timestamp("2020-01-01T00:00:00Z") && credit > 10.4' }
  - { name: notes, on: [ one/public.orders.note ], mask: redact }
  - { name: old, on: [ one/public.orders.note ], keep: { reason: firms only }, overrides: [ notes ],
      when: { on: one/public.customers, that: 'kind == "firm"', missing: false } }
  - { name: labels, on: [ "one/public.orders.doc:$.label" ], keep: { reason: tests only }, overrides: [ rest ],
      when: 'has(doc.kind) && doc.kind == "test"' }
"#,
    );
    let run = |args: &[&str], url: &str| shop.command().env("ONE_URL", url).args(args).output().expect("runs");
    // By a key, and with both tables taken whole, where nobody walks a declared reference.
    for (n, roots) in ["{ from: \"one/**\" }", "{ from: one/public.orders }"].iter().enumerate() {
        shop.write("one.yaml", &pipeline(roots));
        let bundle = format!("b{n}.reenact");
        let captured = run(&["capture", "one.yaml", "--to", &bundle], &url);
        assert!(captured.status.success(), "{}", text(&captured));
        if n > 0 {
            continue;
        }
        for args in [&["mark", "--url-env", "ONE_URL"][..], &["replay", &bundle, "--target-env", "one=ONE_URL"]] {
            let output = run(args, &target);
            assert!(output.status.success(), "{}", text(&output));
        }
        let rows = production.runtime.block_on(async {
            let mut connection = sqlx::PgConnection::connect(&target).await.expect("connects");
            let orders = "select note, doc->>'label' from public.orders order by id";
            let orders = sqlx::query(orders).fetch_all(&mut connection).await.expect("reads");
            let names = sqlx::query("select name from public.customers order by kind").fetch_all(&mut connection).await;
            (orders, names.expect("reads"))
        });
        let orders: Vec<(String, String)> = rows.0.iter().map(|row| (row.get(0), row.get(1))).collect();
        assert_eq!(orders[0], ("ring twice".to_owned(), "a b".to_owned()));
        assert!(orders[1].0 != "call me" && orders[1].1 != "c d" && orders[2].0 != "nobody" && orders[2].1 != "e f");
        let names: Vec<String> = rows.1.iter().map(|row| row.get(0)).collect();
        assert!(names.iter().all(|name| !name.contains("Canary")) && names[0] != names[1], "{names:?}");
    }
}

#[test]
fn a_path_that_no_payload_had_is_told_after_a_capture() {
    let shop = Shop::open();
    let pipeline = crate::support::PIPELINE.replace(
        "orders: { kind: sqlite, url: \"${ORDERS_URL}\" }",
        "orders: { kind: sqlite, url: \"${ORDERS_URL}\", payloads: [ { field: orders.doc, as: { json: {} } } ] }",
    );
    shop.write("pipeline.yaml", &pipeline);
    let policy = |path: &str| {
        POLICY.replace("\"**.note\", \"**.doc\"", "\"**.note\"").replace("undecided: refuse\n", "")
            + &format!(
                "  - {{ name: gifts, on: [ \"orders/orders.doc:$.gift.to\", \"orders/orders.doc:{path}\" ], mask: redact }}\n"
            )
    };
    shop.write("policy.yaml", &policy("$.gitf.to"));
    let captured = shop.capture("b.reenact");
    assert!(captured.status.success(), "a warning stops nothing: {}", text(&captured));
    let told = ["POL-035", "rule `gifts`", "$.gitf.to` names a part that no captured payload had", "policy.yaml:12:"];
    let flat = |text: String| text.split_whitespace().filter(|w| *w != "│").collect::<Vec<_>>().join(" ");
    for shown in [flat(text(&captured)), flat(text(&shop.run(&["inspect", "b.reenact"])))] {
        for part in told {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert_eq!(shown.matches("POL-035").count(), 1, "{shown}");
    }
    let json = shop.ok(&["inspect", "b.reenact", "-o", "json"]);
    assert!(json.contains("\"POL-035\""), "{json}");
    // What is there, be it null, and what could be nowhere for want of records, is told of nobody.
    shop.fill("orders.db", "update orders set doc = '{\"gift\":{\"to\":\"x\"},\"gitf\":{\"to\":null}}'");
    let captured = shop.capture("c.reenact");
    assert!(captured.status.success() && !text(&captured).contains("POL-035"), "{}", text(&captured));
    shop.fill("orders.db", "update orders set doc = null");
    let captured = shop.capture("d.reenact");
    assert!(captured.status.success() && !text(&captured).contains("POL-035"), "{}", text(&captured));
}

#[test]
fn messages_carry_a_condition_from_a_database() {
    use reenact_environment::{Embedded, Provider as _, Registry, Wanted};

    let shop = Shop::open();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let provider = Embedded::new(Registry::at(shop.path("source")).expect("a registry"));
    let mut wanted = Wanted::new([("events", Kind::Kafka)]);
    wanted.services[0].topics = vec![("orders".to_owned(), 1)];
    let lease = runtime.block_on(provider.lease(&wanted)).expect("a stand-in");
    let url = lease.dsn("events").expect("a service").expose().to_owned();
    let servers = url.strip_prefix("kafka://").expect("a URL of Kafka").to_owned();
    runtime.block_on(async {
        let producer: rdkafka::producer::FutureProducer =
            rdkafka::ClientConfig::new().set("bootstrap.servers", &servers).create().expect("a producer");
        let payload = r#"{"customerId":1,"note":"mail ann@canary.test"}"#;
        let record = rdkafka::producer::FutureRecord::to("orders").key("k").payload(payload);
        producer.send(record, std::time::Duration::from_secs(30)).await.expect("sends");
    });
    shop.write(
        "events.yaml",
        "version: 1
services:
  customers: { kind: sqlite, url: \"${CUSTOMERS_URL}\" }
  events: { kind: kafka, bootstrap: \"${EVENTS}\", topics: [ { name: orders, value: { json: {} } } ] }
flow: [ \"customers -> events\" ]
relationships: [ \"events/orders.value:$.customerId -> customers/customers.id\" ]
roots: [ { from: events/orders } ]
policy: policy.yaml
",
    );
    let policy = |that: &str| {
        format!(
            "version: 1
domains: {{ customer: {{ canonical: integer, mask: {{ integer: {{ max: 99999999 }} }} }} }}
rules:
  - {{ name: ids, on: [ customers/customers.id, \"events/orders.value:$.customerId\" ], domain: customer }}
  - {{ name: mail, on: [ customers/customers.email ], mask: email }}
  - {{ name: rest, on: [ customers/customers.name, events/orders.key, events/orders.headers ], mask: redact }}
  - {{ name: notes, on: [ \"events/orders.value:$.note\" ], mask: redact }}
  - {{ name: some, on: [ \"events/orders.value:$.note\" ], keep: {{ reason: test }}, overrides: [ notes ], when: {{ on: customers/customers, that: '{that}' }} }}
"
        )
    };
    let capture = |to: &str| {
        let args = ["capture", "events.yaml", "--to", to];
        shop.command().env("EVENTS", &servers).args(args).output().expect("runs")
    };
    // Kept, the note shows an address that a mask replaced in the other service; redacted, it shows nothing.
    shop.write("policy.yaml", &policy("name.startsWith(\"Ann\")"));
    fails(13, &["RES-001", "events/orders.value:$.note"], &capture("a.reenact"));
    shop.write("policy.yaml", &policy("name.startsWith(\"Bob\")"));
    let captured = capture("b.reenact");
    assert!(captured.status.success(), "{}", text(&captured));
    runtime.block_on(provider.release(&lease)).expect("released");
}
