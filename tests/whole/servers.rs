//! What only servers can show: wrong credentials, dead services.

use std::os::unix::fs::PermissionsExt as _;

use reenact_environment::{Process, Provider as _, Registry, Wanted};
use reenact_model::Kind;
use sqlx::{Connection as _, Executor as _};

use crate::support::{Production, Shop, fails, text};

const PIPELINE: &str = r#"version: 1
services:
  one: { kind: KIND, url: "${ONE_URL}" EXTRA }
roots: [ { from: "one/**" } ]
policy: policy.yaml
"#;

/// Plans a pipeline of one service.
fn plan(shop: &Shop, kind: &str, extra: &str, url: &str) -> std::process::Output {
    shop.write("one.yaml", &PIPELINE.replace("KIND", kind).replace("EXTRA", extra));
    shop.command().env("ONE_URL", url).args(["plan", "one.yaml"]).output().expect("runs")
}

#[test]
fn wrong_credentials() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let shop = Shop::open();
    let provider = Process::new(Registry::at(shop.path("state")).expect("a registry"));
    let wanted = Wanted::new([("pg", Kind::Postgres), ("my", Kind::Mysql), ("redis", Kind::Redis)]);
    let lease = runtime.block_on(provider.lease(&wanted)).expect("servers");
    let keys = ", keys: [ { entity: k, pattern: \"k:{id}\" } ]";
    for (service, kind, extra) in [("pg", "postgres", ""), ("my", "mysql", ""), ("redis", "redis", keys)] {
        let mut url = url::Url::parse(lease.dsn(service).expect("a service").expose()).expect("a url");
        url.set_password(Some("not-the-canary-password")).expect("set");
        fails(20, &["one"], &plan(&shop, kind, extra, url.as_str()));
    }
    runtime.block_on(provider.release(&lease)).expect("released");
}

#[test]
fn dead_services() {
    let shop = Shop::open();
    // A port that nobody listens on: taken, and given back.
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let keys = ", keys: [ { entity: k, pattern: \"k:{id}\" } ]";
    for (kind, extra, url) in [
        ("postgres", "", format!("postgres://u:p@127.0.0.1:{port}/d")),
        ("mysql", "", format!("mysql://u:p@127.0.0.1:{port}/d")),
        ("redis", keys, format!("redis://127.0.0.1:{port}/0")),
    ] {
        fails(20, &["one"], &plan(&shop, kind, extra, &url));
    }
    let kafka = "version: 1\nservices:\n  one: { kind: kafka, bootstrap: \"${ONE_URL}\", topics: [ { name: t } ] }\nroots: [ { from: one/t } ]\npolicy: policy.yaml\n";
    shop.write("one.yaml", kafka);
    let output = shop.command().env("ONE_URL", format!("127.0.0.1:{port}")).args(["plan", "one.yaml"]).output();
    fails(20, &["one"], &output.expect("runs"));
}

#[test]
fn a_value_of_a_seed_that_only_the_server_takes_for_equal_does_match() {
    let (shop, production) = (Shop::open(), Production::start(Kind::Mysql, &[]));
    let url = production.url();
    production.runtime.block_on(async {
        let mut connection = sqlx::MySqlConnection::connect(url).await.expect("connects");
        let sql = "create table logins (name varchar(20) collate utf8mb4_general_ci primary key); insert into logins values ('Ann'), ('bob')";
        connection.execute(sqlx::raw_sql(sql)).await.expect("fills");
    });
    shop.write("policy.yaml", "version: 1\nrules:\n  - { name: all, on: [ one/logins.name ], mask: token }\n");
    let root = "{ from: one/logins, where: { name: \"${seed.login}\" } }";
    let pipeline = PIPELINE.replace("KIND", "mysql").replace("EXTRA", "").replace("{ from: \"one/**\" }", root);
    shop.write("one.yaml", &pipeline);
    let capture = |logins: &str| {
        shop.write("logins.txt", logins);
        let args = ["capture", "one.yaml", "--seed-file", "login=logins.txt", "--to", "b.reenact"];
        shop.command().env("ONE_URL", url).args(args).output().expect("runs")
    };
    fails(2, &["one/logins", "value 2 of the seed `login` matches no record"], &capture("ann\neve\nbob\n"));
    let output = capture("ann\nbob\n");
    assert!(output.status.success() && text(&output).contains("captured 2 records"), "{}", text(&output));
}

#[test]
fn offsets_without_a_record_are_told_of_a_bundle() {
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
    let (shop, production) = (Shop::open(), Production::start(Kind::Kafka, &[]));
    let bootstrap = production.url().trim_start_matches("kafka://");
    let wait = std::time::Duration::from_secs(30);
    let producer: BaseProducer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("transactional.id", "shop")
        .create()
        .expect("a producer");
    producer.init_transactions(wait).expect("begins");
    for commits in [true, false, true] {
        producer.begin_transaction().expect("begins");
        let record: BaseRecord<'_, str, str> = BaseRecord::to("orders").partition(0).key("k").payload("{}");
        producer.send(record).map_err(|(error, _)| error).expect("sends");
        producer.flush(wait).expect("sent");
        if commits { producer.commit_transaction(wait) } else { producer.abort_transaction(wait) }.expect("ends");
    }
    shop.write(
        "one.yaml",
        "version: 1\nservices:\n  one: { kind: kafka, bootstrap: \"${ONE_URL}\", topics: [ { name: orders } ] }\nroots: [ { from: one/orders } ]\npolicy: policy.yaml\n",
    );
    shop.write("policy.yaml", "version: 1\nrules:\n  - { name: all, on: [ one/orders.key, one/orders.value, one/orders.headers ], mask: redact }\n");
    let args = ["capture", "one.yaml", "--to", "b.reenact"];
    let output = shop.command().env("ONE_URL", bootstrap).args(args).output().expect("runs");
    assert!(output.status.success(), "{}", text(&output));
    // Record, marker, record, marker of the abort, record, marker.
    let told = "orders/0: 4 offsets without a record (control records, aborted or compacted): 1..4, 5..6";
    assert!(
        shop.ok(&["inspect", "b.reenact"]).contains(&format!("gap: {told}")),
        "{}",
        shop.ok(&["inspect", "b.reenact"])
    );
    assert!(shop.ok(&["inspect", "b.reenact", "-o", "json"]).contains(told));
}

#[test]
fn a_missing_right_is_told_with_its_table_and_the_service_s_place() {
    let (shop, production) = (Shop::open(), Production::start(Kind::Postgres, &[]));
    let url = production.url();
    production.runtime.block_on(async {
        let mut connection = sqlx::PgConnection::connect(url).await.expect("connects");
        let sql = "create table orders (id integer primary key); insert into orders values (7); revoke all on orders from current_user";
        connection.execute(sqlx::raw_sql(sql)).await.expect("creates");
    });
    shop.write("policy.yaml", "version: 1\nrules:\n  - { name: all, on: [ one/public.orders.id ], mask: integer }\n");
    let rooted = "{ from: one/public.orders, where: { id: \"7\" } }";
    for root in [rooted, "{ from: \"one/**\" }"] {
        let pipeline = PIPELINE.replace("KIND", "postgres").replace("EXTRA", "");
        shop.write("one.yaml", &pipeline.replace("{ from: \"one/**\" }", root));
        let args = ["capture", "one.yaml", "--to", "b.reenact"];
        let output = shop.command().env("ONE_URL", url).args(args).output().expect("runs");
        fails(
            20,
            &["one/public.orders", "no right", "one.yaml:3:", "help:", "GRANT SELECT ON \"public\".\"orders\""],
            &output,
        );
        assert!(shop.no_bundle("b.reenact"));
    }
}

#[test]
fn a_seed_that_a_column_cannot_hold() {
    let (shop, production) = (Shop::open(), Production::start(Kind::Postgres, &[]));
    let url = production.url();
    production.runtime.block_on(async {
        let mut connection = sqlx::PgConnection::connect(url).await.expect("connects");
        connection.execute("create table orders (id integer primary key, at date)").await.expect("creates");
    });
    shop.write(
        "policy.yaml",
        "version: 1\nrules:\n  - { name: all, on: [ one/public.orders.id, one/public.orders.at ], keep: { reason: test } }\n",
    );
    for (field, native) in [("id", "`integer`"), ("at", "`date`")] {
        let root = format!("{{ from: one/public.orders, where: {{ {field}: \"${{seed.order}}\" }} }}");
        let pipeline = PIPELINE.replace("KIND", "postgres").replace("EXTRA", "");
        shop.write("one.yaml", &pipeline.replace("{ from: \"one/**\" }", &root));
        let args = ["capture", "one.yaml", "--seed", "order=canary", "--to", "b.reenact"];
        let output = shop.command().env("ONE_URL", url).args(args).output().expect("runs");
        fails(2, &["root 1", "seed `order`", &format!("one/public.orders.{field}"), native], &output);
    }
}

/// Writes an authority, and a certificate for this machine that it signed.
fn certificates(folder: &std::path::Path) {
    let authority = rcgen::KeyPair::generate().expect("a key");
    let mut params = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let own = params.self_signed(&authority).expect("a certificate");
    let issuer = rcgen::Issuer::new(params, authority);
    let key = rcgen::KeyPair::generate().expect("a key");
    let names = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
    let server = names.signed_by(&key, &issuer).expect("a certificate");
    for (name, text) in [("ca.pem", own.pem()), ("server.pem", server.pem()), ("server.key", key.serialize_pem())] {
        std::fs::write(folder.join(name), text).expect("writes");
    }
}

#[test]
fn redis_over_tls() {
    let shop = Shop::open();
    // The server's account must be able to read its certificate.
    let open = std::fs::Permissions::from_mode(0o755);
    let folder = tempfile::Builder::new().prefix("tls-").permissions(open).tempdir().expect("a folder");
    certificates(folder.path());
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let tls_port = port.to_string();
    let files = [path("server.pem"), path("server.key"), path("ca.pem")];
    let production = Production::start(
        Kind::Redis,
        &[
            ("tls-port", &tls_port),
            ("tls-cert-file", &files[0]),
            ("tls-key-file", &files[1]),
            ("tls-ca-cert-file", &files[2]),
            ("tls-auth-clients", "no"),
        ],
    );
    let plain = url::Url::parse(production.url()).expect("a url");
    production.runtime.block_on(async {
        let client = redis::Client::open(plain.as_str()).expect("a client");
        let mut connection = client.get_multiplexed_async_connection().await.expect("connects");
        redis::cmd("SET").arg("k:1").arg("canary").query_async::<()>(&mut connection).await.expect("sets");
    });
    let tls = |host: &str, port: u16, end: &str| {
        format!("rediss://default:{}@{host}:{port}/{end}", plain.password().expect("a password"))
    };
    let keys = ", keys: [ { entity: k, pattern: \"k:{id}\" } ]";
    shop.write("one.yaml", &PIPELINE.replace("KIND", "redis").replace("EXTRA", keys));
    shop.write(
        "policy.yaml",
        "version: 1\nrules:\n  - { name: ids, on: [ \"one/k.key:id\" ], mask: { integer: { max: 99999999 } } }\n  - { name: values, on: [ \"one/k.value:$\" ], mask: redact }\n",
    );
    let run = |args: &[&str], url: String, trusted: &str| {
        let mut command = shop.command();
        command.env("ONE_URL", url).env("SSL_CERT_FILE", path(trusted)).args(args).output().expect("runs")
    };
    let capture = ["capture", "one.yaml", "--to", "b.reenact"];
    let told = ["one", "TLS handshake", "SSL_CERT_FILE"];
    // Another authority, another name, a port without TLS, and no check at all.
    certificates(&shop.folder.path().join("."));
    std::fs::copy(shop.path("ca.pem"), folder.path().join("other.pem")).expect("copies");
    fails(20, &told, &run(&capture, tls("localhost", port, "0"), "other.pem"));
    fails(20, &told, &run(&capture, tls("127.0.0.1", port, "0"), "ca.pem"));
    fails(20, &["one"], &run(&capture, tls("localhost", plain.port().expect("a port"), "0"), "ca.pem"));
    fails(2, &["one", "certificate", "#insecure"], &run(&capture, tls("localhost", port, "0#insecure"), "ca.pem"));
    assert!(shop.no_bundle("b.reenact"));

    let output = run(&capture, tls("localhost", port, "0"), "ca.pem");
    assert!(output.status.success(), "{}", text(&output));
    for args in [&["mark", "--url-env", "ONE_URL"][..], &["replay", "b.reenact", "--target-env", "one=ONE_URL"]] {
        let output = run(args, tls("localhost", port, "1"), "ca.pem");
        assert!(output.status.success(), "{}", text(&output));
    }
}

#[test]
fn kafka_is_marked_and_loaded_by_its_servers_alone() {
    let shop = Shop::open();
    let target = Production::start(Kind::Kafka, &[]);
    let stand_ins = reenact_environment::Embedded::new(Registry::at(shop.path("source")).expect("a registry"));
    let mut wanted = Wanted::new([("one", Kind::Kafka)]);
    wanted.services[0].topics = vec![("orders".to_owned(), 1)];
    let source = target.runtime.block_on(stand_ins.lease(&wanted)).expect("a stand-in");
    let servers = |url: &str| url.strip_prefix("kafka://").expect("a URL of Kafka").to_owned();
    let (source_servers, target_servers) =
        (servers(source.dsn("one").expect("a service").expose()), servers(target.url()));
    target.runtime.block_on(async {
        let producer: rdkafka::producer::FutureProducer =
            rdkafka::ClientConfig::new().set("bootstrap.servers", &source_servers).create().expect("a producer");
        let header = rdkafka::message::Header { key: "trace", value: Some("canary") };
        let headers = rdkafka::message::OwnedHeaders::new().insert(header);
        let record = rdkafka::producer::FutureRecord::to("orders").key("k").payload(r#"{"note":"canary"}"#);
        let record = record.headers(headers);
        producer.send(record, std::time::Duration::from_secs(30)).await.expect("sends");
    });
    shop.write(
        "one.yaml",
        "version: 1\nservices:\n  one: { kind: kafka, bootstrap: \"${ONE}\", topics: [ { name: orders, value: { json: {} } } ] }\nroots: [ { from: one/orders } ]\npolicy: policy.yaml\n",
    );
    shop.write(
        "policy.yaml",
        "version: 1\nrules:\n  - { name: all, on: [ one/orders.key, one/orders.headers, \"one/orders.value:$.note\" ], mask: redact }\n",
    );
    let run = |servers: &str, args: &[&str]| shop.command().env("ONE", servers).args(args).output().expect("runs");
    let captured = run(&source_servers, &["capture", "one.yaml", "--to", "b.reenact"]);
    assert!(captured.status.success(), "{}", text(&captured));
    let replay = ["replay", "b.reenact", "--target-env", "one=ONE"];
    fails(21, &["one"], &run(&target_servers, &replay));
    for args in [&["mark", "--url-env", "ONE"][..], &replay] {
        let output = run(&target_servers, args);
        assert!(output.status.success(), "{args:?}: {}", text(&output));
    }
    let marked = run(target.url(), &["mark", "--url-env", "ONE"]);
    assert!(marked.status.success(), "{}", text(&marked));
    // Several servers of one cluster, as its clients take them.
    let two = format!("{target_servers},{target_servers}");
    let marked = text(&run(&two, &["mark", "--url-env", "ONE"]));
    assert!(marked.contains(&format!("kafka://{two} may now be overwritten")), "{marked}");
    fails(2, &["names no store", "host:port"], &run("canary-host", &["mark", "--url-env", "ONE"]));
    target.runtime.block_on(stand_ins.release(&source)).expect("released");
}
