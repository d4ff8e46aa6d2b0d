//! Payloads of every format, by what stands inside of them: captured, masked, replayed.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sqlx::{Connection as _, Row as _};

use crate::support::{Shop, fails, text};

const PIPELINE: &str = r#"version: 1
services:
  letters:
    kind: sqlite
    url: "${LETTERS_URL}"
    payloads:
      - { field: letters.doc, as: { xml: {} } }
      - { field: letters.form, as: { form: {} } }
      - { field: letters.link, as: { url: {} } }
      - { field: letters.token, as: { jwt: {} } }
      - { field: letters.packed, as: { base64: {}, inside: [ { path: $, as: { gzip: {}, inside: [ { path: $, as: { json: {} } } ] } } ] } }
      - { field: letters.record, as: { avro: { file: letter.avsc, confluent: true } } }
roots: [ { from: letters/letters } ]
policy: policy.yaml
"#;

const POLICY: &str = r#"version: 1
domains: { address: { canonical: email, mask: email } }
rules:
  - name: addresses
    on:
      - letters/letters.mail
      - "letters/letters.doc:$.letter['@to']"
      - "letters/letters.doc:$.letter.cc"
      - "letters/letters.form:$.mail"
      - "letters/letters.link:$.query.mail"
      - "letters/letters.token:$.payload.sub"
      - "letters/letters.packed:$.mail"
      - "letters/letters.record:$.mail"
    domain: address
  - name: rest
    on:
      - letters/letters.id
      - "letters/letters.doc:$.letter.body"
      - "letters/letters.form:$.n"
      - "letters/letters.link:$.scheme"
      - "letters/letters.link:$.host"
      - "letters/letters.link:$.path[*]"
      - "letters/letters.token:$.header.alg"
      - "letters/letters.packed:$.n"
      - "letters/letters.record:$.id"
    keep: { reason: names nobody }
"#;

const SCHEMA: &str = r#"{"type":"record","name":"Letter","fields":[{"name":"id","type":"long"},{"name":"mail","type":["null","string"]}]}"#;

/// One letter in each format; its packed form is the JSON `{"mail":…,"n":1}` in gzip in base 64.
fn letters(body: &str) -> Shop {
    let shop = Shop::open();
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let token = format!("{}.{}.{}", part(r#"{"alg":"none"}"#), part(r#"{"sub":"ann@canary.test"}"#), part("signature"));
    let record = hex("00000000070e021e").into_iter().chain(*b"ann@canary.test").map(|b| format!("{b:02x}"));
    shop.fill(
        "letters.db",
        &format!(
            "create table letters (id integer primary key, mail text, doc text, form text, link text, token text, packed text, record blob);
             insert into letters values (1, 'Ann@canary.test', '<letter to=\"ann@canary.test\"><cc>ann@canary.test</cc><body>{body}</body></letter>',
               'n=1&mail=ann%40canary.test', 'https://shop.example/a?mail=ann%40canary.test', '{token}', '{PACKED}', x'{}')",
            record.collect::<String>()
        ),
    );
    shop.fill("target.db", "create table reenact_target (note text)");
    shop.write("letters.yaml", PIPELINE);
    shop.write("policy.yaml", POLICY);
    shop.write("letter.avsc", SCHEMA);
    shop
}

const PACKED: &str = "H4sIAAAAAAACA6tWyk3MzFGyUkrMy3NITsxLLKrUK0ktLlHSUcpTsjKsBQBRMWpDIAAAAA==";

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex")).collect()
}

fn capture(shop: &Shop) -> std::process::Output {
    let url = |path: PathBuf| format!("sqlite://{}", path.display());
    let mut command = shop.command();
    command.env("LETTERS_URL", url(shop.path("letters.db"))).args(["capture", "letters.yaml", "--to", "l.reenact"]);
    command.output().expect("runs")
}

#[test]
fn one_address_is_one_pseudonym_in_every_format() {
    let shop = letters("hello");
    let output = capture(&shop);
    assert!(output.status.success(), "{}", text(&output));
    let target = format!("sqlite://{}", shop.path("target.db").display());
    let mut command = shop.command();
    command.env("T", &target).args(["replay", "l.reenact", "--target-env", "letters=T"]);
    let output = command.output().expect("runs");
    assert!(output.status.success(), "{}", text(&output));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let row = runtime.block_on(async {
        let mut connection = sqlx::SqliteConnection::connect(&target).await.expect("opens");
        sqlx::query("select * from letters").fetch_one(&mut connection).await.expect("reads")
    });
    let texts: Vec<String> = (1..7).map(|n| row.get(n)).collect();
    let [mail, doc, form, link, token, packed] = &texts[..] else { panic!("six texts") };
    let escaped = mail.replace('@', "%40");
    assert!(mail.ends_with("@mail.example"), "{mail}");
    assert_eq!(*doc, format!("<letter to=\"{mail}\"><cc>{mail}</cc><body>hello</body></letter>"));
    assert_eq!(*form, format!("n=1&mail={escaped}"));
    assert_eq!(*link, format!("https://shop.example/a?mail={escaped}"));
    let claims = URL_SAFE_NO_PAD.encode(format!("{{\"sub\":\"{mail}\"}}"));
    assert!(token.contains(&claims) && !token.ends_with(&URL_SAFE_NO_PAD.encode("signature")), "{token}");
    assert!(packed != PACKED && STANDARD.decode(packed).is_ok_and(|bytes| bytes.starts_with(&[0x1f, 0x8b])));
    let record: Vec<u8> = row.get(7);
    assert_eq!(record[..7], hex("00000000070e02")[..]);
    assert_eq!(record[8..], *mail.as_bytes());
}

#[test]
fn what_no_rule_names_inside_of_a_format_stops_the_capture() {
    let shop = letters("hello");
    shop.write("policy.yaml", &POLICY.replace("      - \"letters/letters.token:$.header.alg\"\n", ""));
    fails(12, &["POL-020", "letters/letters.token:$"], &capture(&shop));
    // What can't be taken apart is not passed on either.
    let shop = letters("hello");
    shop.fill("letters.db", "update letters set doc = 'no document of ann@canary.test'");
    fails(12, &["letters/letters.doc"], &capture(&shop));
    assert!(shop.no_bundle("l.reenact"));
}

#[test]
fn a_path_is_kept_in_the_payload_that_the_rule_names_and_in_no_other() {
    let shop = letters("hello");
    // `rest` keeps `$.n` of the form and of the packed JSON; a third payload with such a member is nobody's.
    shop.fill("letters.db", "update letters set link = 'https://shop.example/a?n=1'");
    fails(12, &["POL-020", "letters/letters.link:$"], &capture(&shop));
    // `addresses` leads into the packed payload no more, so what it says of the form's `$.mail` is not said of this one.
    let shop = letters("hello");
    shop.write("policy.yaml", &POLICY.replace("      - \"letters/letters.packed:$.mail\"\n", ""));
    fails(12, &["POL-020", "letters/letters.packed:$"], &capture(&shop));
}

#[test]
fn an_address_left_inside_of_a_format_is_found() {
    let shop = letters("write to ann@canary.test");
    fails(13, &["letters/letters.doc:$.letter.body", "help:"], &capture(&shop));
    let shop = letters("hello");
    let kept = POLICY.replace("      - \"letters/letters.packed:$.mail\"\n", "").replace(
        "      - \"letters/letters.packed:$.n\"\n",
        "      - \"letters/letters.packed:$.n\"\n      - \"letters/letters.packed:$.mail\"\n",
    );
    shop.write("policy.yaml", &kept);
    fails(13, &["letters/letters.packed:$.mail"], &capture(&shop));
}

#[test]
fn a_schema_that_is_none_is_told_at_its_place() {
    let shop = letters("hello");
    shop.write("letter.avsc", r#"{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]}]}"#);
    fails(2, &["PIPE-006", "letter.avsc", "holds itself", "letters.yaml:12"], &capture(&shop));
    shop.write("letters.yaml", &PIPELINE.replace("{ xml: {} }", "{ xml: {}, form: {} }"));
    fails(2, &["PIPE-006", "one format", "`avro`"], &capture(&shop));
}

#[test]
fn names_of_members_are_masked_and_searched() {
    use reenact_model::Kind;
    use sqlx::Executor as _;

    let shop = Shop::open();
    let production = crate::support::Production::start(Kind::Postgres, &[]);
    let url = production.url().to_owned();
    let mut target = url::Url::parse(&url).expect("a url");
    target.set_path("target");
    let target = target.to_string();
    production.runtime.block_on(async {
        let mut connection = sqlx::PgConnection::connect(&url).await.expect("connects");
        let sql = "create table people (id bigint primary key, mail text, seen jsonb);
                   insert into people values (1, 'ann.quux@canary.test', '{\"by_mail\": {\"ann.quux@canary.test\": {\"n\": 1}, \"bob@canary.test\": {}}}')";
        connection.execute(sql).await.expect("fills");
        connection.execute("create database target").await.expect("creates");
    });
    shop.write(
        "one.yaml",
        "version: 1\nservices:\n  one: { kind: postgres, url: \"${ONE_URL}\" }\nroots: [ { from: \"one/**\" } ]\npolicy: policy.yaml\n",
    );
    let policy = |selector: &str| {
        format!(
            "version: 1\ndomains: {{ mail: {{ canonical: email, mask: email }} }}\nrules:\n  - {{ name: mail, on: [ one/public.people.mail{selector} ], domain: mail }}\n  - {{ name: rest, on: [ one/public.people.id, \"one/public.people.seen:$.by_mail.*.n\" ], mask: integer }}\n"
        )
    };
    let run = |args: &[&str], url: &str| shop.command().env("ONE_URL", url).args(args).output().expect("runs");
    // Left in clear, a name is found by the search.
    shop.write("policy.yaml", &policy(""));
    fails(13, &["RES-001", "one/public.people.seen"], &run(&["capture", "one.yaml", "--to", "b.reenact"], &url));
    shop.write("policy.yaml", &policy(", \"one/public.people.seen:$.by_mail.*~\""));
    for (args, url) in [
        (&["capture", "one.yaml", "--to", "b.reenact"][..], &url),
        (&["mark", "--url-env", "ONE_URL"], &target),
        (&["replay", "b.reenact", "--target-env", "one=ONE_URL"], &target),
    ] {
        let output = run(args, url);
        assert!(output.status.success(), "{args:?}: {}", text(&output));
    }
    let row = production.runtime.block_on(async {
        let mut connection = sqlx::PgConnection::connect(&target).await.expect("connects");
        let sql = "select mail, seen::text as seen, (seen->'by_mail' ? mail) as known from people";
        sqlx::query(sql).fetch_one(&mut connection).await.expect("reads")
    });
    let (seen, known): (String, bool) = (row.get("seen"), row.get("known"));
    assert!(known && !seen.contains("canary"), "{seen}");
}
