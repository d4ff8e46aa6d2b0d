//! What only a Redis server can show, and how tests come by one that they may restart.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Shop, text};

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

/// A Redis server of a test's own, without a file: when it is started again, it knows nothing of itself.
pub(crate) struct Redis {
    child: Child,
    pub(crate) port: u16,
    /// Where a replica has its copy written; nothing of it outlives this server.
    _folder: tempfile::TempDir,
}

impl Redis {
    pub(crate) fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
        Self::at(port)
    }

    fn at(port: u16) -> Self {
        let port = port.to_string();
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().display().to_string();
        let settings = ["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", &place];
        let child = Command::new("redis-server").args(settings).stdout(Stdio::null()).spawn().expect("redis-server");
        let server = Self { child, port: port.parse().expect("a port"), _folder: folder };
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", server.port)).is_err() {
            assert!(Instant::now() < deadline, "the server does not come up");
            std::thread::sleep(Duration::from_millis(10));
        }
        server
    }

    pub(crate) fn again(mut self) -> Self {
        let port = self.port;
        self.end();
        Self::at(port)
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub(crate) fn url(&self, database: u8) -> String {
        format!("redis://127.0.0.1:{}/{database}", self.port)
    }

    /// Runs commands in a database, each in the server's inline form; gives what it answered.
    pub(crate) fn ask(&self, database: u8, commands: &str) -> String {
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

/// A shop with a pipeline of carts, whose policy has the usual rules and some more.
pub(crate) fn carts(rules: &str) -> (Shop, Redis) {
    let (shop, redis) = (Shop::open(), Redis::start());
    shop.write("carts.yaml", CARTS);
    shop.write("carts-policy.yaml", &format!("{CARTS_POLICY}{rules}"));
    (shop, redis)
}

/// Captures all carts.
pub(crate) fn capture(shop: &Shop, redis: &Redis) {
    let args = ["capture", "carts.yaml", "--to", "c.reenact"];
    let output = shop.command().env("CART_URL", redis.url(0)).args(args).output().expect("runs");
    assert!(output.status.success(), "{}", text(&output));
}

/// Marks a database, and replays the carts into it.
pub(crate) fn replay(shop: &Shop, url: &str) -> Output {
    let marked = shop.command().env("T", url).args(["mark", "--url-env", "T"]).output().expect("runs");
    assert!(marked.status.success(), "{}", text(&marked));
    shop.command().env("T", url).args(["replay", "c.reenact", "--target-env", "cart=T"]).output().expect("runs")
}

#[test]
fn what_no_rule_names_is_redacted_and_arrives() {
    let named = "  - { name: skus, on: [ \"cart/cart.value:$.sku\" ], keep: { reason: names nobody } }\n";
    let whole = "  - { name: all, on: [ cart/cart.value ], mask: redact }\n";
    for (rules, names_pass) in [("", false), (whole, false), (named, true)] {
        let (shop, redis) = carts(rules);
        redis.ask(0, "SET cart:1 canary\r\nHSET cart:2 sku a name canary\r\nRPUSH cart:3 canary canary2\r\nSADD cart:4 canary canary2");
        redis.ask(0, "ZADD cart:5 71 canary 72 canary2\r\nXADD cart:6 1-1 name canary\r\nXADD cart:6 2-1 name canary2");
        redis
            .ask(0, "XGROUP CREATE cart:6 canary 0\r\nXGROUP CREATE cart:6 canary2 1-1\r\nSET cart:7 canary PX 600000");
        capture(&shop, &redis);
        let output = replay(&shop, &redis.url(1));
        assert!(output.status.success(), "{rules}: {}", text(&output));
        let types: Vec<String> = (1..=7).map(|n| format!("TYPE cart:{n}")).collect();
        let types = redis.ask(1, &types.join("\r\n"));
        let mut at = 0;
        for expected in ["string", "hash", "list", "set", "zset", "stream", "string"] {
            at += types[at..].find(&format!("+{expected}")).unwrap_or_else(|| panic!("no {expected} in {types}"));
        }
        let dump = redis.ask(1, "GET cart:1\r\nHGETALL cart:2\r\nLRANGE cart:3 0 -1\r\nSMEMBERS cart:4");
        let rest =
            redis.ask(1, "ZRANGE cart:5 0 -1 WITHSCORES\r\nXRANGE cart:6 - +\r\nXINFO GROUPS cart:6\r\nGET cart:7");
        let all = format!("{dump}{rest}");
        assert!(!all.contains("canary") && !all.contains("71"), "{all}");
        assert_eq!(all.contains("name\r\n$0"), names_pass, "{all}");
    }
}

#[test]
fn a_mask_that_makes_no_value_of_redis_is_refused_before_a_record_is_read() {
    for mask in ["token", "null", "{ constant: { value: x } }"] {
        let (shop, redis) = carts(&format!("  - {{ name: all, on: [ cart/cart.value ], mask: {mask} }}\n"));
        let args = ["plan", "carts.yaml"];
        let output = shop.command().env("CART_URL", redis.url(0)).args(args).output().expect("runs");
        crate::support::fails(12, &["POL-009", "`all`", "cart/cart.value"], &output);
    }
}

#[test]
fn the_server_from_which_a_promoted_one_was_copied_is_a_source() {
    let (shop, first) = carts("");
    first.ask(0, "SET cart:1 canary");
    let second = Redis::start();
    second.ask(0, &format!("REPLICAOF 127.0.0.1 {}", first.port));
    let deadline = Instant::now() + Duration::from_secs(30);
    while !second.ask(0, "INFO replication").contains("master_link_status:up") {
        assert!(Instant::now() < deadline, "the replica does not catch up");
        std::thread::sleep(Duration::from_millis(50));
    }
    second.ask(0, "REPLICAOF NO ONE");
    capture(&shop, &second);
    // The first one tells another id and stands at another address; only the second one's history leads to it.
    crate::support::fails(21, &["captured from", "help:"], &replay(&shop, &first.url(0)));
    assert!(first.ask(0, "EXISTS cart:1").contains(":1"));
}
