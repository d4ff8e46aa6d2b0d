//! What a signal leaves: nothing that was started, nothing half-written, and the exit code that shells expect.

use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reenact_model::Kind;
use sqlx::{Connection as _, Executor as _};

use crate::support::{PIPELINE, POLICY, Production, Shop, fails};

/// Waits until something is so; a minute is more than anything here takes.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !holds() {
        assert!(Instant::now() < deadline, "in a minute it did not come to be that {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &child.id().to_string()]).status().expect("sends");
    assert!(sent.success());
}

#[test]
fn an_interrupted_run_takes_its_servers_and_its_command_down() {
    let shop = Shop::open();
    let production = Production::start(Kind::Redis, &[]);
    production.runtime.block_on(async {
        let client = redis::Client::open(production.url()).expect("a client");
        let mut connection = client.get_multiplexed_async_connection().await.expect("connects");
        redis::cmd("SET").arg("k:1").arg("canary").query_async::<()>(&mut connection).await.expect("sets");
    });
    shop.write(
        "one.yaml",
        "version: 1\nservices:\n  one: { kind: redis, url: \"${ONE_URL}\", keys: [ { entity: k, pattern: \"k:{id}\" } ] }\nroots: [ { from: one/k } ]\npolicy: one-policy.yaml\n",
    );
    shop.write(
        "one-policy.yaml",
        "version: 1\nrules:\n  - { name: ids, on: [ \"one/k.key:id\" ], mask: { integer: { max: 99999999 } } }\n  - { name: values, on: [ \"one/k.value:$\" ], mask: redact }\n",
    );
    let captured =
        shop.command().env("ONE_URL", production.url()).args(["capture", "one.yaml", "--to", "b.reenact"]).output();
    assert!(captured.as_ref().expect("runs").status.success(), "{captured:?}");
    for (name, number) in [("TERM", 15), ("INT", 2), ("HUP", 1)] {
        // The command tells where its server is, and then waits for the end.
        let script = "echo $$ $REENACT_ONE_URL > started.tmp && mv started.tmp started && exec sleep 600";
        let mut child = shop
            .command()
            .args(["run", "b.reenact", "--", "sh", "-c", script])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        until("the command runs", || shop.path("started").exists() || child.try_wait().expect("waits").is_some());
        let started = std::fs::read_to_string(shop.path("started")).expect("the command ran");
        let (pid, url) = started.trim().split_once(' ').expect("an id and a URL");
        let server: SocketAddr = reenact_model::Dsn::new(url).place().parse().expect("an address");
        assert!(TcpStream::connect(server).is_ok() && shop.ok(&["ps"]).contains("redis"));
        signal(&child, name);
        let output = child.wait_with_output().expect("ends");
        fails(128 + number, &["interrupted", "taken down"], &output);
        assert!(TcpStream::connect(server).is_err(), "the server is left after SIG{name}");
        assert!(!shop.ok(&["ps"]).contains("redis"), "an environment is left after SIG{name}");
        until("the command has ended", || !std::path::Path::new("/proc").join(pid).exists());
        std::fs::remove_file(shop.path("started")).expect("removes");
    }
}

#[test]
fn an_interrupted_capture_leaves_nothing() {
    let shop = Shop::open();
    let production = Production::start(Kind::Postgres, &[]);
    // Customers are written at once; orders can't be read as long as somebody holds the table.
    let mut holder = production.runtime.block_on(async {
        let mut holder = sqlx::PgConnection::connect(production.url()).await.expect("connects");
        let orders = "create table orders (id bigint primary key, customer_id bigint, note text, doc text);
            insert into orders values (7, 1, 'canary', '{}')";
        holder.execute(sqlx::raw_sql(orders)).await.expect("fills");
        holder
    });
    let pipeline = PIPELINE
        .replace("orders: { kind: sqlite", "orders: { kind: postgres")
        .replace("relationships:\n  - orders/orders.customer_id -> customers/customers.id\n", "")
        .replace("from: orders/orders, where: { id: \"${seed.order}\" }, children: true", "from: \"customers/**\"")
        .replace("roots: [", "roots: [ { from: \"orders/**\" },");
    shop.write("pipeline.yaml", &pipeline);
    let rules: Vec<&str> = POLICY.lines().filter(|line| !line.contains("goods")).collect();
    shop.write(
        "policy.yaml",
        &rules.join("\n").replace("orders/orders.id, \"**.order_id\"", "orders/public.orders.id"),
    );
    let capture = || {
        let mut command = shop.command();
        command.env("ORDERS_URL", production.url()).args(["capture", "pipeline.yaml", "--to", "b.reenact"]);
        command
    };
    for (name, number) in [("TERM", 15), ("INT", 2)] {
        production.runtime.block_on(async {
            holder.execute("begin; lock table orders in access exclusive mode").await.expect("locks");
        });
        let mut child = capture().stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("starts");
        let writes = || {
            let partial = std::fs::read_dir(shop.folder.path()).expect("reads").filter_map(Result::ok);
            partial
                .filter(|e| e.file_name().to_string_lossy().contains(".partial-"))
                .any(|e| std::fs::read_dir(e.path()).is_ok_and(|mut members| members.next().is_some()))
        };
        until("a member is written", || writes() || child.try_wait().expect("waits").is_some());
        if writes() {
            signal(&child, name);
        }
        let output = child.wait_with_output().expect("ends");
        fails(128 + number, &["interrupted"], &output);
        assert!(shop.no_bundle("b.reenact"), "something is left after SIG{name}");
        production.runtime.block_on(async { holder.execute("rollback").await.expect("unlocks") });
    }
    let output = capture().output().expect("runs");
    assert!(output.status.success(), "{}", crate::support::text(&output));
    shop.ok(&["verify", "b.reenact"]);
}
