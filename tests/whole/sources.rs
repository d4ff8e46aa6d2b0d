//! What a bundle was captured from is no target, even if it is another store by its own account.

use crate::redis::{capture, carts, replay};
use crate::support::{Shop, fails, text};

#[test]
fn a_redis_that_was_restarted_since() {
    let (shop, redis) = carts("");
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
    let (shop, redis) = carts("");
    redis.ask(0, "SET cart:1 canary");
    capture(&shop, &redis);
    let told = shop.ok(&["inspect", "c.reenact", "-o", "json"]);
    assert!(told.contains("\"places\"") && !told.contains(&format!(":{}", redis.port)), "{told}");
}
