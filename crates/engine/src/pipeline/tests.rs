use super::*;

const TEXT: &str = r#"
version: 1
services:
  customers: { kind: sqlite, url: "${CUSTOMERS_URL}" }
  orders:    { kind: sqlite, url: "sqlite:${ORDERS:-orders.db}" }
  cart:      { kind: redis, url: "${CART_URL:?where is the cart}", keys: [ { entity: cart, pattern: "cart:{customer_id}" } ] }
  events:    { kind: kafka, bootstrap: "b:1", topics: [ { name: orders, value: { json: {} }, window: { back: 2h, records: 10 } } ], groups: [ { name: g, consumer: orders } ] }
flow: [ "customers -> orders -> events", "orders -> cart" ]
relationships:
  - orders/orders.customer_id -> customers/customers.id
  - { link: "orders/notes.ref -> orders/orders.id", when: { orders/notes.kind: order }, soft: true }
  - "orders/lines.(order_id, line) -> orders/parts.(o, l)"
roots: [ { from: orders/orders, where: { id: "${seed.order}" }, children: true } ]
limits: { rows: 5, bytes: 256MiB, read_time: 30s }
policy: p.yaml
"#;

fn parse(text: &str) -> Result<Pipeline> {
    let env = |name: &str| match name {
        "CUSTOMERS_URL" => Some("sqlite:c.db".to_owned()),
        "CART_URL" => Some("redis://h/0".to_owned()),
        _ => None,
    };
    Pipeline::parse("p.yaml", text, &env, &|_| None)
}

#[test]
fn a_pipeline_reads() {
    let pipeline = parse(TEXT).expect("parses");
    assert_eq!(pipeline.names(), ["cart", "customers", "events", "orders"]);
    assert_eq!(pipeline.services[3].dsn.expose(), "sqlite:orders.db");
    assert_eq!(pipeline.relationships[2].relationship.child.fields.len(), 2);
    assert_eq!(pipeline.relationships[1].relationship.condition.as_ref().map(|c| c.equals.as_str()), Some("order"));
    assert_eq!(pipeline.seeds().into_iter().collect::<Vec<_>>(), ["order"]);
    assert_eq!(pipeline.limits, Limits { rows: 5, bytes: 256 << 20, read_time: Duration::from_secs(30) });
    assert_eq!(pipeline.roots[0].children, Children::Levels(1));
    assert_eq!(pipeline.services[2].scope.topics[0].back_ms, Some(7_200_000));
    assert_eq!(pipeline.flow.len(), 3);
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text = TEXT
        .replace("CART_URL:?", "CARTS_URL:?")
        .replace("\"orders -> cart\"", "\"orders -> shelf\"")
        .replace("customers/customers.id\n", "customers\n")
        .replace("30s", "soon")
        .replace("policy: p.yaml", "policy: p.yaml\npolice: none\ntypo: 1")
        .replace("consumer: orders", "consumer: nobody");
    let error = parse(&text).expect_err("mistakes");
    let codes: Vec<_> = error.findings().iter().map(|f| f.code.to_string()).collect();
    assert_eq!(codes, ["YAML-001", "YAML-001", "PIPE-004", "PIPE-008", "PIPE-008", "PIPE-005", "PIPE-007"]);
    assert!(error.to_string().contains("where is the cart"), "{error}");
    assert!(error.findings().iter().all(|finding| finding.code == "PIPE-008" || finding.help.is_some()), "{error}");
}

#[test]
fn a_password_in_the_file_is_refused() {
    let text = TEXT.replace("${CUSTOMERS_URL}", "postgres://u:secret-canary@h/d");
    let error = parse(&text).expect_err("refused");
    assert!(error.to_string().contains("PIPE-010") && !error.to_string().contains("canary"), "{error}");
    for url in ["postgres://h/${D:-d}?password=canary", "postgres://u:canary@${H:-h}/d"] {
        let error = parse(&TEXT.replace("${CUSTOMERS_URL}", url)).expect_err("refused");
        assert!(error.to_string().contains("PIPE-010") && !error.to_string().contains("canary"), "{error}");
    }
    let by_variable = "postgres, url: \"postgres://u:${CUSTOMERS_URL}@h/d\"";
    assert!(parse(&TEXT.replace("sqlite, url: \"${CUSTOMERS_URL}\"", by_variable)).is_ok());
}

#[test]
fn unknown_keys_are_refused_with_their_place() {
    let error = parse(&TEXT.replace("policy: p.yaml", "polizy: p.yaml")).expect_err("refused");
    assert!(error.findings()[0].site.span.as_ref().is_some_and(|s| s.line == 15), "{error}");
}

#[test]
fn variables_are_filled_in() {
    let env = |name: &str| (name == "A").then(|| "x".to_owned());
    assert_eq!(interpolate("a${A}b$$c${B:-d}${seed.o}", &env), Ok("axb$cd${seed.o}".into()));
    assert!(interpolate("${B}", &env).is_err());
    assert!(interpolate("${A", &env).is_err());
}

#[test]
fn a_url_of_another_kind_is_refused_and_not_shown() {
    for (kind, url) in [("sqlite", "postgres://u@canary/d"), ("postgres", "canary"), ("redis", "memory:canary")] {
        let text = TEXT.replace("sqlite, url: \"${CUSTOMERS_URL}\"", &format!("{kind}, url: \"{url}\""));
        let error = parse(&text).expect_err("refused");
        let [finding] = error.findings() else { panic!("one finding: {error}") };
        assert_eq!((&*finding.code, error.class()), ("PIPE-011", Class::Input));
        assert!(finding.help.is_some() && !error.to_string().contains("canary"), "{error}");
    }
    for url in ["postgres://h/d", "postgresql://h/d"] {
        let text = TEXT.replace("sqlite, url: \"${CUSTOMERS_URL}\"", &format!("postgres, url: \"{url}\""));
        parse(&text).expect("taken");
    }
}

#[test]
fn what_follows_from_a_mistake_is_no_mistake_of_its_own() {
    let unknown =
        parse(&TEXT.replace("kind: sqlite, url: \"${CUSTOMERS_URL}\"", "kind: oracle, url: \"${CUSTOMERS_URL}\""))
            .expect_err("no kind");
    assert_eq!(unknown.findings().len(), 1, "{unknown}");
    let two = TEXT.replace("policy: p.yaml", "polizy: p.yaml").replace("rows: 5", "rowz: 5");
    let places: Vec<_> =
        parse(&two).expect_err("two keys").findings().iter().map(|f| f.site.span.clone().map(|s| s.line)).collect();
    assert_eq!(places, [Some(14), Some(15)]);
}
