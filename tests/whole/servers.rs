//! What only servers can show: wrong credentials, dead services.

use reenact_environment::{Process, Provider as _, Registry, Wanted};
use reenact_model::Kind;
use sqlx::{Connection as _, Executor as _};

use crate::support::{Shop, fails};

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
fn a_seed_that_a_column_cannot_hold() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let shop = Shop::open();
    let provider = Process::new(Registry::at(shop.path("state")).expect("a registry"));
    let lease = runtime.block_on(provider.lease(&Wanted::new([("pg", Kind::Postgres)]))).expect("servers");
    let url = lease.dsn("pg").expect("a service").expose();
    runtime.block_on(async {
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
    runtime.block_on(provider.release(&lease)).expect("released");
}
