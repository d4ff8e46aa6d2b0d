//! What a bundle was captured from is no target, even if it is another store by its own account.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Shop, fails, text};

const CARTS: &str = r#"version: 1
services:
  cart: { kind: redis, url: "${CART_URL}", keys: [ { entity: cart, pattern: "cart:{n}" } ] }
roots: [ { from: cart/cart } ]
policy: carts-policy.yaml
"#;

const CARTS_POLICY: &str = r#"version: 1
undecided: redact
rules:
  - { name: numbers, on: [ "cart/cart.key:n" ], keep: { reason: names nobody } }
"#;

/// A Redis server of this test's own, without a file: when it is started again, it knows nothing of itself.
struct Redis {
    child: Child,
    port: u16,
}

impl Redis {
    fn start(port: u16) -> Self {
        let port = port.to_string();
        let settings = ["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
        let child = Command::new("redis-server").args(settings).stdout(Stdio::null()).spawn().expect("redis-server");
        let server = Self { child, port: port.parse().expect("a port") };
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", server.port)).is_err() {
            assert!(Instant::now() < deadline, "the server does not come up");
            std::thread::sleep(Duration::from_millis(10));
        }
        server
    }

    fn again(mut self) -> Self {
        let port = self.port;
        self.end();
        Self::start(port)
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn url(&self, database: u8) -> String {
        format!("redis://127.0.0.1:{}/{database}", self.port)
    }

    /// Runs commands in a database, each in the server's inline form; gives what it answered.
    fn ask(&self, database: u8, commands: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("connects");
        write!(stream, "SELECT {database}\r\n{commands}\r\nQUIT\r\n").expect("writes");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("reads");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(!answer.contains("-ERR"), "{answer}");
        answer
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.end();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port()
}

fn carts() -> (Shop, Redis) {
    let (shop, redis) = (Shop::open(), Redis::start(free_port()));
    shop.write("carts.yaml", CARTS);
    shop.write("carts-policy.yaml", CARTS_POLICY);
    (shop, redis)
}

fn capture(shop: &Shop, redis: &Redis) {
    let args = ["capture", "carts.yaml", "--to", "c.reenact"];
    let output = shop.command().env("CART_URL", redis.url(0)).args(args).output().expect("runs");
    assert!(output.status.success(), "{}", text(&output));
}

fn replay(shop: &Shop, url: &str) -> Output {
    let marked = shop.command().env("T", url).args(["mark", "--url-env", "T"]).output().expect("runs");
    assert!(marked.status.success(), "{}", text(&marked));
    shop.command().env("T", url).args(["replay", "c.reenact", "--target-env", "cart=T"]).output().expect("runs")
}

#[test]
fn a_redis_that_was_restarted_since() {
    let (shop, redis) = carts();
    redis.ask(0, "SET cart:1 canary");
    capture(&shop, &redis);
    let redis = redis.again();
    for url in [redis.url(0), redis.url(0).replace("127.0.0.1", "localhost")] {
        fails(21, &["captured from", "`cart`", "help:"], &replay(&shop, &url));
    }
    assert!(redis.ask(0, "EXISTS cart:1").contains(":0"), "something was written");
    // Another database is another store.
    let output = replay(&shop, &redis.url(1));
    assert!(output.status.success(), "{}", text(&output));
    // A server that was made for this purpose is no source, whatever its address.
    shop.ok(&["run", "c.reenact", "--embedded", "--", "true"]);
}

#[test]
fn a_file_that_another_was_put_in_the_place_of() {
    let shop = Shop::open();
    assert!(shop.capture("b.reenact").status.success());
    for name in ["customers.db", "orders.db"] {
        shop.fill("fresh.db", "create table reenact_target (note text)");
        std::fs::rename(shop.path("fresh.db"), shop.path(name)).expect("renames");
    }
    std::os::unix::fs::symlink(shop.path("customers.db"), shop.path("link.db")).expect("links");
    let replay = |customers: &str, orders: &str| {
        let url = |name: &str| format!("sqlite://{}", shop.path(name).display());
        let targets = ["--target-env", "customers=C", "--target-env", "orders=O"];
        let mut command = shop.command();
        command.env("C", url(customers)).env("O", url(orders)).args(["replay", "b.reenact"]).args(targets);
        command.output().expect("runs")
    };
    for (customers, orders) in [("customers.db", "orders.db"), ("orders.db", "customers.db"), ("link.db", "o.db")] {
        fails(21, &["captured from"], &replay(customers, orders));
    }
    for name in ["c2.db", "o2.db"] {
        shop.fill(name, "create table reenact_target (note text)");
    }
    let output = replay("c2.db", "o2.db");
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn no_address_stands_in_a_bundle() {
    let (shop, redis) = carts();
    redis.ask(0, "SET cart:1 canary");
    capture(&shop, &redis);
    let told = shop.ok(&["inspect", "c.reenact", "-o", "json"]);
    assert!(told.contains("\"places\"") && !told.contains(&format!(":{}", redis.port)), "{told}");
}
