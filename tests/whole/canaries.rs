//! Canaries: values that stand in every kind of place, and in nothing that the program makes of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use arrow::array::ArrayData;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use reenact_bundle::{Bundle, Directory, Keyring};
use reenact_environment::{Embedded, Lease, Provider as _, Registry, Wanted};
use reenact_model::Kind;

use crate::redis::Redis;
use crate::support::{Shop, fails, text};

const PIPELINE: &str = r#"version: 1
services:
  shop:
    kind: sqlite
    url: "${SHOP_URL}"
    payloads:
      - { field: people.seen, as: { json: {} } }
      - { field: people.doc, as: { xml: {} } }
      - { field: people.form, as: { form: {} } }
      - { field: people.link, as: { url: {} } }
      - { field: people.token, as: { jwt: {} } }
      - { field: people.packed, as: { base64: {}, inside: [ { path: $, as: { gzip: {}, inside: [ { path: $, as: { json: {} } } ] } } ] } }
      - { field: people.record, as: { protobuf: { file: person.proto, message: shop.Person } } }
  cart:
    kind: redis
    url: "${CART_URL}"
    keys:
      - { entity: cart, pattern: "cart:{mail}" }
      - { entity: seen, pattern: "seen:{n}" }
      - { entity: list, pattern: "list:{n}" }
  events:
    kind: kafka
    bootstrap: "${EVENTS}"
    topics: [ { name: orders, key: { text: {} }, value: { json: {} }, headers: { who: { text: {} } } } ]
flow: [ "cart -> events -> shop" ]
roots:
  - { from: shop/orders, where: { ref: "${seed.order}" }, children: true }
  - { from: cart/cart }
  - { from: cart/seen }
  - { from: cart/list }
  - { from: events/orders }
policy: policy.yaml
"#;

/// A kind of place, the field that it is, and its mask.
const PLACES: [(&str, &str, &str); 19] = [
    ("column", "shop/people.mail", "email"),
    ("freetext", "shop/orders.note", "redact"),
    ("seed", "shop/orders.ref", "token"),
    ("json", "shop/people.seen:$.contact[*].mail", "email"),
    ("member", "shop/people.seen:$.by_mail.*~", "email"),
    ("attribute", "shop/people.doc:$.letter['@to']", "email"),
    ("element", "shop/people.doc:$.letter.cc", "email"),
    ("form", "shop/people.form:$.mail", "email"),
    ("query", "shop/people.link:$.query.mail", "email"),
    ("claim", "shop/people.token:$.payload.sub", "email"),
    ("gzip", "shop/people.packed:$.mail", "email"),
    ("protobuf", "shop/people.record:$.mail", "email"),
    ("rediskey", "cart/cart.key:mail", "email"),
    ("redisvalue", "cart/cart.value:$", "email"),
    ("redisfield", "cart/seen.value:$.*~", "email"),
    ("redisitem", "cart/list.value:$[*]", "email"),
    ("kafkakey", "events/orders.key:$", "email"),
    ("kafkavalue", "events/orders.value:$.mail", "email"),
    ("header", "events/orders.headers:$.who", "email"),
];

fn places() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    PLACES.into_iter()
}

/// The policy: a rule for each place, that of `kept` turned to `keep`, or left out where names of members are meant.
fn policy(kept: Option<&str>) -> String {
    let mut out = String::from(
        "version: 1\nrules:
  - { name: mail of the sabotage, on: [ shop/people.other ], mask: email }
  - { name: counts, on: [ \"shop/people.seen:$.by_mail.*\", \"cart/seen.value:$.*\" ], mask: integer }
  - name: rest
    on: [ shop/people.id, shop/orders.person_id, \"shop/people.doc:$.letter.body\", \"shop/people.link:$.scheme\",
          \"shop/people.link:$.host\", \"shop/people.token:$.header.alg\", \"cart/seen.key:n\", \"cart/list.key:n\" ]
    keep: { reason: names nobody }\n",
    );
    for (place, field, mask) in places() {
        if kept != Some(place) {
            let _ = writeln!(out, "  - {{ name: {place}, on: [ \"{field}\" ], mask: {mask} }}");
        } else if !field.ends_with('~') {
            let _ = writeln!(
                out,
                "  - {{ name: {place}, on: [ \"{field}\" ], keep: {{ reason: sabotage }}, accept: [ personal-data ] }}"
            );
        }
    }
    out
}

/// A shop over SQLite, Redis and Kafka; what stands at a place is told by `value`.
struct Canaries {
    shop: Shop,
    redis: Redis,
    runtime: tokio::runtime::Runtime,
    stand_ins: Embedded,
    lease: Lease,
}

impl Canaries {
    fn open(value: &dyn Fn(&str) -> String) -> Self {
        let shop = Shop::open();
        let at = value;
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(format!("{{\"mail\":\"{}\"}}", at("gzip")).as_bytes()).expect("packs");
        let packed = STANDARD.encode(gzip.finish().expect("packs"));
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let claims = format!("{{\"sub\":\"{}\"}}", at("claim"));
        let token = format!("{}.{}.{}", part(r#"{"alg":"none"}"#), part(&claims), part("signature"));
        let mail = at("protobuf");
        let record = hex::encode([&[10, u8::try_from(mail.len()).expect("short")], mail.as_bytes()].concat());
        let seen = format!("{{\"contact\":[{{\"mail\":\"{}\"}}],\"by_mail\":{{\"{}\":1}}}}", at("json"), at("member"));
        let doc = format!("<letter to=\"{}\"><cc>{}</cc><body>hello</body></letter>", at("attribute"), at("element"));
        let escaped = |place: &str| at(place).replace('@', "%40");
        shop.fill(
            "shop.db",
            &format!(
                "create table people (id integer primary key, mail text, other text, seen text, doc text, form text, link text,
                   token text, packed text, record blob);
                 create table orders (ref text primary key, person_id integer references people (id), note text);
                 insert into people values (1, '{}', '{}', '{seen}', '{doc}', 'mail={}', 'https://shop.example?mail={}', '{token}',
                   '{packed}', x'{record}');
                 insert into orders values ('{}', 1, 'please write to {} today')",
                at("column"), at("other"), escaped("form"), escaped("query"), at("seed"), at("freetext")
            ),
        );
        let redis = Redis::start();
        for command in [
            format!("SET cart:{} {}", at("rediskey"), at("redisvalue")),
            format!("HSET seen:1 {} 1", at("redisfield")),
            format!("RPUSH list:1 {}", at("redisitem")),
        ] {
            redis.ask(0, &command);
        }
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let stand_ins = Embedded::new(Registry::at(shop.path("source")).expect("a registry"));
        let mut wanted = Wanted::new([("events", Kind::Kafka)]);
        wanted.services[0].topics = vec![("orders".to_owned(), 1)];
        let lease = runtime.block_on(stand_ins.lease(&wanted)).expect("a stand-in");
        shop.write("canaries.yaml", PIPELINE);
        shop.write("policy.yaml", &policy(None));
        shop.write("person.proto", "syntax = \"proto3\"; package shop; message Person { string mail = 1; }");
        let canaries = Self { shop, redis, runtime, stand_ins, lease };
        canaries.runtime.block_on(async {
            let producer: rdkafka::producer::FutureProducer =
                rdkafka::ClientConfig::new().set("bootstrap.servers", canaries.events()).create().expect("a producer");
            let who = at("header");
            let header = rdkafka::message::Header { key: "who", value: Some(&who) };
            let (key, value) = (at("kafkakey"), format!("{{\"mail\":\"{}\"}}", at("kafkavalue")));
            let record = rdkafka::producer::FutureRecord::to("orders").key(&key).payload(&value);
            let record = record.headers(rdkafka::message::OwnedHeaders::new().insert(header));
            producer.send(record, std::time::Duration::from_secs(30)).await.expect("sends");
        });
        canaries
    }

    fn events(&self) -> &str {
        self.lease.dsn("events").expect("a service").expose().trim_start_matches("kafka://")
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = self.shop.command();
        command
            .env("SHOP_URL", format!("sqlite://{}", self.shop.path("shop.db").display()))
            .env("CART_URL", self.redis.url(0))
            .env("EVENTS", self.events())
            .env("ORDER", "seed.canary@corp.test");
        command.args(args).output().expect("runs")
    }
}

impl Drop for Canaries {
    fn drop(&mut self) {
        let _ = self.runtime.block_on(self.stand_ins.release(&self.lease));
    }
}

const CAPTURE: [&str; 6] = ["capture", "canaries.yaml", "--seed-env", "order=ORDER", "--to", "b.reenact"];

/// The forms of a value in which it may not stand: those that no letter's case changes, and those that it does.
fn forms(value: &str) -> (Vec<String>, Vec<String>) {
    let local = value.split('@').next().expect("a local part");
    let percent = local.bytes().map(|b| format!("%{b:02x}")).collect::<Vec<_>>().concat();
    let hex = hex::encode(local);
    let folded = vec![local.to_lowercase(), percent, hex];
    let mut exact = Vec::new();
    for spelling in [local.to_owned(), local.to_uppercase()] {
        // Three ways to stand in base 64, without the digits that its neighbours decide.
        for before in 0..3 {
            let encoded = STANDARD_NO_PAD.encode([&vec![0; before][..], spelling.as_bytes()].concat());
            let (from, whole) = ([0, 2, 3][before], (before + spelling.len()) * 8 / 6);
            exact.push(encoded[from..whole].to_owned());
        }
    }
    (folded, exact)
}

/// The places whose value stands in bytes, plain or encoded.
fn sing(bytes: &[u8], values: &BTreeMap<&str, String>) -> Vec<String> {
    // What is no text stays between the letters that are.
    let plain = String::from_utf8_lossy(bytes);
    let decoded = percent_encoding::percent_decode(bytes).decode_utf8_lossy();
    let lower = [plain.to_ascii_lowercase(), decoded.to_ascii_lowercase()];
    let heard = values.iter().filter(|(_, value)| {
        let (folded, exact) = forms(value);
        folded.iter().any(|form| lower.iter().any(|hay| hay.contains(form)))
            || exact.iter().any(|form| plain.contains(form) || decoded.contains(form))
    });
    heard.map(|(place, _)| (*place).to_owned()).collect()
}

/// All bytes that stand in an array.
fn bytes_of(data: &ArrayData, out: &mut Vec<u8>) {
    for buffer in data.buffers() {
        out.extend_from_slice(buffer.as_slice());
        out.push(0);
    }
    data.child_data().iter().for_each(|child| bytes_of(child, out));
}

/// Everything in the opened members of a bundle: the cells of all entities, and its account of itself.
fn opened(shop: &Shop) -> Vec<(String, Vec<u8>)> {
    let file = |name: &str| std::fs::read_to_string(shop.path("keys").join(name)).expect("a key");
    let line = |text: &str| text.lines().find(|line| !line.starts_with('#')).expect("a line").trim().to_owned();
    let keyring = Keyring {
        trusted: vec![line(&file("trusted")).parse().expect("a key")],
        identities: vec![line(&file("identity.age")).parse().expect("an identity")],
        ..Keyring::default()
    };
    let place = Arc::new(Directory::open(shop.path("b.reenact")).expect("a bundle"));
    let bundle = Bundle::open(place, &keyring).expect("opens");
    let mut out = vec![("the contents".to_owned(), serde_json::to_vec(bundle.contents()).expect("writes"))];
    let entities: std::collections::BTreeSet<_> =
        bundle.contents().members.iter().map(|member| &member.entity).collect();
    for entity in entities {
        for rows in bundle.rows(entity).expect("rows") {
            let rows = rows.expect("reads");
            assert!(rows.batch().num_rows() > 0);
            for (field, column) in rows.batch().schema().fields().iter().zip(rows.batch().columns()) {
                let mut bytes = Vec::new();
                bytes_of(&column.to_data(), &mut bytes);
                out.push((format!("{entity}.{}", field.name()), bytes));
            }
        }
    }
    out
}

/// Every file in a folder, but the stores themselves and the files that a person wrote.
fn files(folder: &Path, out: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).expect("reads") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, out);
        } else if path.extension().is_none_or(|end| end != "db") && !path.ends_with("keys") {
            out.push((path.display().to_string(), std::fs::read(&path).expect("reads")));
        }
    }
}

#[test]
fn no_canary_stands_in_anything_that_the_program_makes() {
    let value = |place: &str| format!("{place}.canary@corp.test");
    let canaries = Canaries::open(&value);
    let shop = &canaries.shop;
    let values: BTreeMap<&str, String> = places().map(|(place, ..)| (place, value(place))).collect();
    let mut made: Vec<(String, Vec<u8>)> = Vec::new();
    let mut told = |code: i32, args: &[&str]| {
        let output = canaries.run(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", text(&output));
        made.push((args.join(" "), [output.stdout, output.stderr].concat()));
    };
    let schemas = ["policy", "check", "canaries.yaml", "--save-schemas", "schemas.json"];
    told(0, &schemas);
    shop.write("before.yaml", &policy(None).replace("name: freetext", "name: text"));
    told(0, &["plan", "canaries.yaml", "-o", "plan.json"]);
    told(0, &["plan", "canaries.yaml", "-o", "json"]);
    told(0, &CAPTURE);
    told(0, &["-o", "json", "capture", "canaries.yaml", "--seed-env", "order=ORDER", "--to", "c.reenact"]);
    for format in ["text", "json", "markdown", "github", "sarif", "junit"] {
        told(0, &["policy", "check", "canaries.yaml", "--schemas", "schemas.json", "--format", format]);
    }
    told(0, &["policy", "diff", "canaries.yaml", "before.yaml"]);
    told(0, &["policy", "report", "canaries.yaml", "--bundle", "b.reenact", "-o", "report.html"]);
    told(0, &["detect", "canaries.yaml"]);
    told(0, &["detect", "canaries.yaml", "-o", "json"]);
    told(0, &["init", "canaries.yaml", "-o", "draft.yaml"]);
    for reading in [&["inspect", "b.reenact"][..], &["why", "b.reenact", "seed.order"], &["verify", "b.reenact"]] {
        told(0, reading);
        told(0, &[reading, &["-o", "json"]].concat());
    }
    told(0, &["inspect", "b.reenact", "--record", "seed.order"]);
    told(0, &["run", "b.reenact", "--embedded", "--", "sh", "-c", "env | grep REENACT"]);
    // What fails tells no more: a value that a mask can't take, a limit, a place that nobody decided, a value left in clear.
    let failing = |shop: &Shop, pipeline: &str, policy: &str| {
        shop.write("failing.yaml", &pipeline.replace("policy: policy.yaml", "policy: failing-policy.yaml"));
        shop.write("failing-policy.yaml", policy);
    };
    let capture = ["capture", "failing.yaml", "--seed-env", "order=ORDER", "--to", "f.reenact"];
    let dates = policy(None).replace("shop/orders.note\" ], mask: redact", "shop/orders.note\" ], mask: date_shift");
    let whole = policy(None);
    let undecided = whole.lines().filter(|line| !line.contains("name: kafkavalue")).collect::<Vec<_>>().join("\n");
    let limited = PIPELINE.replace("policy:", "limits: { rows: 1 }\npolicy:");
    for (code, pipeline, policy) in [(12, PIPELINE, &dates), (26, &limited, &whole), (12, PIPELINE, &undecided)] {
        failing(shop, pipeline, policy);
        told(code, &capture);
        told(code, &[&["-o", "json"][..], &capture].concat());
        assert!(shop.no_bundle("f.reenact"));
    }
    made.extend(opened(shop));
    files(shop.folder.path(), &mut made);
    for wanted in [
        "schemas.json",
        "plan.json",
        "report.html",
        "draft.yaml",
        "b.reenact/manifest",
        "shop/people.record",
        "events/orders.headers",
    ] {
        assert!(
            made.iter().any(|(name, bytes)| name.contains(wanted) && !bytes.is_empty()),
            "{wanted} is not searched"
        );
    }
    let heard: Vec<_> =
        made.iter().map(|(name, bytes)| (name, sing(bytes, &values))).filter(|(_, h)| !h.is_empty()).collect();
    assert!(heard.is_empty(), "{heard:?}");
}

#[test]
fn the_ear_hears_every_form() {
    let values = BTreeMap::from([("column", "column.canary@corp.test".to_owned())]);
    for text in [
        "to COLUMN.Canary@corp.test",
        "x=column%2Ecanary%40corp",
        "%63%6f%6c%75%6d%6e%2E%63%61%6E%61%72%79",
        &STANDARD.encode("column.canary@corp.test"),
        &STANDARD.encode("1 column.canary@corp.test"),
        &URL_SAFE_NO_PAD.encode("22COLUMN.CANARY"),
        "636F6C756D6E2e63616e617279",
    ] {
        assert_eq!(sing(text.as_bytes(), &values), ["column"], "{text}");
    }
    assert!(sing(b"the canary of another column", &values).is_empty());
}

#[test]
fn one_rule_turned_to_keep_is_caught_in_every_kind_of_place() {
    // One address at every place, so that each of them is masked elsewhere.
    let canaries = Canaries::open(&|place| {
        if place == "seed" { "seed.canary@corp.test" } else { "nora.canary@corp.test" }.to_owned()
    });
    for (place, field, _) in places().filter(|(place, ..)| *place != "seed") {
        canaries.shop.write("policy.yaml", &policy(Some(place)));
        let site = field.split(':').next().expect("a field");
        fails(13, &["RES-001", site, "help:"], &canaries.run(&CAPTURE));
        assert!(canaries.shop.no_bundle("b.reenact"), "{place}");
    }
    canaries.shop.write("policy.yaml", &policy(None));
    let output = canaries.run(&CAPTURE);
    assert!(output.status.success(), "{}", text(&output));
}
