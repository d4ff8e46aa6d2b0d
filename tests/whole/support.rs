//! What whole-binary tests share: a small shop in SQLite files, and the program itself.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use reenact_environment::{Lease, Process, Provider as _, Registry, Wanted};
use reenact_model::Kind;
use sqlx::{Connection as _, Executor as _};

const CUSTOMERS: &str = "
    create table customers (id integer primary key, name text not null, email text not null);
    insert into customers values (1, 'Ann Canary', 'ann@canary.test'), (2, 'Bob Canary', 'bob@canary.test');";
const ORDERS: &str = "
    create table orders (id integer primary key, customer_id integer not null, note text, doc json);
    create table items (order_id integer not null references orders (id), line integer not null, sku text, primary key (order_id, line));
    insert into orders values (7, 2, 'call Bob Canary', '{\"gift\":{\"to\":\"Canary\"}}');
    insert into items values (7, 1, 'a'), (7, 2, 'b');";

/// The pipeline of the shop.
pub(crate) const PIPELINE: &str = r#"version: 1
services:
  customers: { kind: sqlite, url: "${CUSTOMERS_URL}" }
  orders: { kind: sqlite, url: "${ORDERS_URL}" }
flow: [ "customers -> orders" ]
relationships:
  - orders/orders.customer_id -> customers/customers.id
roots: [ { from: orders/orders, where: { id: "${seed.order}" }, children: true } ]
policy: policy.yaml
"#;

/// The policy of the shop.
pub(crate) const POLICY: &str = r#"version: 1
domains:
  customer: { canonical: integer, mask: { integer: { max: 99999999 } } }
  order: { canonical: integer, mask: { integer: { max: 99999999 } } }
rules:
  - { name: customers, on: [ customers/customers.id, "**.customer_id" ], domain: customer }
  - { name: orders, on: [ orders/orders.id, "**.order_id" ], domain: order }
  - { name: mail, on: [ "**.email" ], mask: email }
  - { name: names, on: [ "**.name" ], mask: name }
  - { name: notes, on: [ "**.note", "**.doc" ], mask: redact }
  - { name: goods, on: [ orders/items.line, orders/items.sku ], keep: { reason: test } }
"#;

/// A shop in a folder of its own, with keys.
pub(crate) struct Shop {
    pub(crate) folder: tempfile::TempDir,
}

impl Shop {
    /// Opens a shop with the usual pipeline and policy.
    pub(crate) fn open() -> Self {
        let shop = Self { folder: tempfile::tempdir().expect("a folder") };
        shop.fill("customers.db", CUSTOMERS);
        shop.fill("orders.db", ORDERS);
        shop.write("pipeline.yaml", PIPELINE);
        shop.write("policy.yaml", POLICY);
        shop.ok(&["keys", "init", "keys"]);
        shop
    }

    /// A path in the shop's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("writes");
    }

    /// Runs statements on a SQLite file.
    pub(crate) fn fill(&self, name: &str, sql: &str) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.path(name)).create_if_missing(true);
            let mut connection = sqlx::SqliteConnection::connect_with(&options).await.expect("opens");
            connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()))).await.expect("fills");
            connection.close().await.expect("closes");
        });
    }

    /// The program, ready to be run in the shop's folder.
    pub(crate) fn command(&self) -> Command {
        let url = |name: &str| format!("sqlite://{}", self.path(name).display());
        let mut command = Command::new(env!("CARGO_BIN_EXE_reenact"));
        command
            .current_dir(self.folder.path())
            .env("CUSTOMERS_URL", url("customers.db"))
            .env("ORDERS_URL", url("orders.db"))
            .env("REENACT_KEYRING", self.path("keys"))
            .env("REENACT_STATE_DIR", self.path("state"));
        command
    }

    /// Runs the program.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command().args(args).output().expect("runs")
    }

    /// Runs the program, which must succeed; gives stdout.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", text(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Captures order 7.
    pub(crate) fn capture(&self, to: &str) -> Output {
        self.run(&["capture", "pipeline.yaml", "--seed", "order=7", "--to", to])
    }

    /// Whether nothing of a bundle is left in the folder.
    pub(crate) fn no_bundle(&self, name: &str) -> bool {
        let left = std::fs::read_dir(self.folder.path()).expect("reads").filter_map(Result::ok);
        !left.map(|e| e.file_name().to_string_lossy().into_owned()).any(|n| n.contains(name))
    }
}

/// Everything that a run printed.
pub(crate) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The members of a bundle, largest first.
pub(crate) fn members(bundle: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(bundle)
        .expect("a bundle")
        .map(|e| e.expect("an entry").path())
        .filter(|p| !p.ends_with("manifest.json") && !p.ends_with("manifest"))
        .collect();
    files.sort_by_key(|p| std::cmp::Reverse(p.metadata().expect("metadata").len()));
    files
}

/// Checks a run, which must have failed with a code, tell `told`, and print no original; gives what it printed.
pub(crate) fn fails(code: i32, told: &[&str], output: &Output) -> String {
    let text = text(output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    let flat = text.split_whitespace().filter(|w| *w != "│").collect::<Vec<_>>().join(" ");
    for part in told {
        assert!(flat.contains(part), "`{part}` is not told in:\n{text}");
    }
    assert!(!text.to_lowercase().contains("canary"), "an original is told in:\n{text}");
    text
}

/// A server in a register of its own, taken down whether or not the test passes.
pub(crate) struct Production {
    pub(crate) runtime: tokio::runtime::Runtime,
    provider: Process,
    lease: Lease,
    _state: tempfile::TempDir,
}

impl Production {
    /// Starts a server of a kind, with settings in the words of its own configuration.
    pub(crate) fn start(kind: Kind, settings: &[(&str, &str)]) -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let state = tempfile::tempdir().expect("a folder");
        let provider = Process::new(Registry::at(state.path()).expect("a register"));
        let provider = settings.iter().fold(provider, |provider, (name, value)| provider.setting(kind, *name, *value));
        let lease = runtime.block_on(provider.lease(&Wanted::new([("one", kind)]))).expect("a server");
        Self { runtime, provider, lease, _state: state }
    }

    /// The server's URL.
    pub(crate) fn url(&self) -> &str {
        self.lease.dsn("one").expect("a service").expose()
    }
}

impl Drop for Production {
    fn drop(&mut self) {
        let _ = self.runtime.block_on(self.provider.release(&self.lease));
    }
}
