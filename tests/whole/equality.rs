//! References that hold by a server's own rule (a collation), and by a domain's canonical form.

use std::process::Output;

use reenact_model::Kind;
use sqlx::{Connection as _, Executor as _};

use crate::support::{Production, Shop, fails, text};

const PIPELINE: &str =
    "version: 1\nservices: { one: { kind: KIND, url: \"${ONE_URL}\" } }\nroots: [ ROOT ]\npolicy: policy.yaml\n";
const RULES: &str = "  - { name: ids, on: [ \"**.id\" ], mask: integer }\n";
const ORDER: &str = "{ from: one/ORDERS, where: { id: \"${seed.order}\" } }";
const CUSTOMER: &str = "{ from: one/CUSTOMERS, where: { code: \"${seed.customer}\" }, children: true }";
const WHOLE: &str = "{ from: one/ORDERS }, { from: one/CUSTOMERS }";

/// A database in which orders 1, 2 and 3 refer to one customer in three spellings, and order 4 to another.
struct Held {
    shop: Shop,
    kind: Kind,
    schema: &'static str,
    url: String,
    _server: Option<Production>,
}

/// What a bundle says that it holds.
struct Counts {
    entities: serde_json::Value,
    dangling: usize,
}

impl Counts {
    fn of(shop: &Shop, bundle: &str) -> Self {
        let told = shop.ok(&["inspect", bundle, "-o", "json"]);
        let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
        let dangling = told["record"]["dangling"].as_array().expect("dangling");
        let dangling = dangling.iter().map(|one| one["keys"].as_array().expect("keys").len()).sum();
        Self { entities: told["entities"].clone(), dangling }
    }

    fn entity(&self, name: &str) -> u64 {
        let all = self.entities.as_object().expect("entities");
        let found = all.iter().find(|(entity, _)| entity.ends_with(name));
        found.map_or(0, |(_, digest)| digest["count"].as_u64().expect("a count"))
    }
}

impl Held {
    fn by(kind: Kind, schema: &'static str, statements: &[&str]) -> Self {
        let shop = Shop::open();
        if kind == Kind::Sqlite {
            for statement in statements {
                shop.fill("one.db", statement);
            }
            let url = format!("sqlite://{}", shop.path("one.db").display());
            return Self { shop, kind, schema, url, _server: None };
        }
        let server = Production::start(kind, &[]);
        server.runtime.block_on(async {
            for statement in statements {
                let statement = sqlx::raw_sql(sqlx::AssertSqlSafe((*statement).to_owned()));
                if kind == Kind::Postgres {
                    let mut to = sqlx::PgConnection::connect(server.url()).await.expect("connects");
                    to.execute(statement).await.expect("fills");
                } else {
                    let mut to = sqlx::MySqlConnection::connect(server.url()).await.expect("connects");
                    to.execute(statement).await.expect("fills");
                }
            }
        });
        Self { shop, kind, schema, url: server.url().to_owned(), _server: Some(server) }
    }

    /// Captures a root under rules.
    fn capture(&self, root: &str, seed: &str, rules: &str) -> Output {
        let name = |table: &str| format!("{}{table}", self.schema);
        let root = root.replace("ORDERS", &name("orders")).replace("CUSTOMERS", &name("customers"));
        self.shop.write("one.yaml", &PIPELINE.replace("KIND", self.kind.name()).replace("ROOT", &root));
        self.shop.write("policy.yaml", &format!("version: 1\n{rules}"));
        let _ = std::fs::remove_dir_all(self.shop.path("b.reenact"));
        let mut args = vec!["capture", "one.yaml", "--to", "b.reenact"];
        if !seed.is_empty() {
            args.extend(["--seed", seed]);
        }
        self.shop.command().env("ONE_URL", &self.url).args(args).output().expect("runs")
    }

    /// Captures what must be captured; gives how many orders and customers it took, and how many references dangle.
    fn taken(&self, root: &str, seed: &str, rules: &str) -> (u64, u64, usize) {
        let output = self.capture(root, seed, rules);
        assert!(output.status.success(), "{}", text(&output));
        let counts = Counts::of(&self.shop, "b.reenact");
        // Loads it into a server of its own, and compares all of it.
        self.shop.ok(&["run", "b.reenact", "--", "true"]);
        (counts.entity("orders"), counts.entity("customers"), counts.dangling)
    }

    /// What must hold whatever the server's rule is.
    fn holds(&self, rule: &str) {
        let token = format!(
            "domains: {{ code: {{ mask: token }} }}\nrules:\n{RULES}  - {{ name: codes, on: [ \"**.code\" ], domain: code }}\n"
        );
        let folded = token.replace("{ mask: token }", "{ canonical: folded, mask: token }");
        let kept =
            format!("rules:\n{RULES}  - {{ name: codes, on: [ {} ], keep: {{ reason: test }} }}\n", self.codes());
        for root in [(ORDER, "order=1"), (ORDER, "order=2"), (WHOLE, "")] {
            fails(
                12,
                &["holds only because", rule, ".code", "rule `codes`", "canonical: folded"],
                &self.capture(root.0, root.1, &token),
            );
            assert!(self.shop.no_bundle("b.reenact"));
        }
        // Same spelling, no other rule needed.
        assert_eq!(self.taken(ORDER, "order=4", &token), (1, 1, 0));
        for rules in [&folded, &kept] {
            for order in 1..=3 {
                assert_eq!(self.taken(ORDER, &format!("order={order}"), rules), (1, 1, 0), "order {order}\n{rules}");
            }
            assert_eq!(self.taken(CUSTOMER, "customer=ABC", rules), (3, 1, 0), "{rules}");
            assert_eq!(self.taken(WHOLE, "", rules), (4, 2, 0), "{rules}");
        }
    }

    fn codes(&self) -> String {
        format!("one/{0}orders.code, one/{0}customers.code", self.schema)
    }
}

#[test]
fn by_a_collation_of_mariadb() {
    let held = Held::by(
        Kind::Mysql,
        "",
        &[
            "create table customers (code varchar(20) character set utf8mb4 collate utf8mb4_general_ci primary key)",
            "create table orders (id int primary key, code varchar(20) character set utf8mb4 collate utf8mb4_general_ci not null,
             foreign key (code) references customers (code))",
            "insert into customers values ('ABC'), ('def')",
            "insert into orders values (1, 'abc'), (2, 'äbc  '), (3, 'ABC'), (4, 'def')",
        ],
    );
    held.holds("utf8mb4_general_ci");
}

#[test]
fn by_a_type_of_postgres() {
    let held = Held::by(
        Kind::Postgres,
        "public.",
        &[
            "create extension citext",
            "create table customers (code citext primary key)",
            "create table orders (id int primary key, code citext not null references customers)",
            "insert into customers values ('ABC'), ('def')",
            "insert into orders values (1, 'abc'), (2, 'aBc'), (3, 'ABC'), (4, 'def')",
        ],
    );
    held.holds("citext");
}

#[test]
fn by_a_collation_of_postgres() {
    let held = Held::by(
        Kind::Postgres,
        "public.",
        &[
            "create collation loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false)",
            "create table customers (code text collate loose primary key)",
            "create table orders (id int primary key, code text collate loose not null references customers)",
            "insert into customers values ('ABC'), ('def')",
            "insert into orders values (1, 'abc'), (2, 'äbc'), (3, 'ABC'), (4, 'def')",
        ],
    );
    held.holds("loose");
}

#[test]
fn by_a_collation_of_sqlite() {
    // The collation of the parent counts, whatever the child's is.
    for child in ["text collate nocase", "text"] {
        let orders =
            format!("create table orders (id integer primary key, code {child} not null references customers (code))");
        let held = Held::by(
            Kind::Sqlite,
            "",
            &[
                "create table customers (code text collate nocase primary key) without rowid",
                &orders,
                "insert into customers values ('ABC'), ('def')",
                "insert into orders values (1, 'abc'), (2, 'aBc'), (3, 'ABC'), (4, 'def')",
            ],
        );
        held.holds("NOCASE");
    }
}

#[test]
fn by_blanks_and_by_the_sign_of_zero() {
    let held = Held::by(
        Kind::Postgres,
        "public.",
        &[
            "create table customers (code varchar(9) primary key, zero float8 unique)",
            "create table orders (id int primary key, code char(5) not null references customers, zero float8 references customers (zero))",
            "insert into customers values ('ABC', 0)",
            "insert into orders values (1, 'ABC', '-0')",
        ],
    );
    let rules = format!(
        "domains: {{ code: {{ mask: alnum }} }}\nrules:\n{RULES}  - {{ name: codes, on: [ \"**.code\" ], domain: code }}\n  \
         - {{ name: zeros, on: [ one/public.orders.zero, one/public.customers.zero ], keep: {{ reason: test }} }}\n"
    );
    assert_eq!(held.taken(ORDER, "order=1", &rules), (1, 1, 0));
    assert_eq!(held.taken(CUSTOMER, "customer=ABC", &rules), (1, 1, 0));
}

#[test]
fn a_reference_by_a_type_that_has_its_own_equality_is_refused() {
    let held = Held::by(
        Kind::Postgres,
        "public.",
        &[
            "create table customers (code interval primary key)",
            "create table orders (id int primary key, code interval not null references customers)",
            "insert into customers values ('1 month')",
            "insert into orders values (1, '30 days')",
        ],
    );
    let rules = format!("rules:\n{RULES}  - {{ name: codes, on: [ {} ], keep: {{ reason: test }} }}\n", held.codes());
    fails(2, &["interval", "one/public.orders.code", "help:"], &held.capture(ORDER, "order=1", &rules));
}

#[test]
fn by_a_canonical_form_between_services() {
    let shop = Shop::open();
    // A text with leading zeros, and a number: the domain says that they are one customer.
    shop.fill(
        "orders.db",
        "drop table items; drop table orders;
        create table orders (id integer primary key, customer_id text not null);
        insert into orders values (7, '0042'), (8, '42'), (9, '0099');",
    );
    shop.fill("customers.db", "insert into customers values (42, 'Eve Canary', 'eve@canary.test');");
    let policy =
        crate::support::POLICY.replace("  - { name: notes, on: [ \"**.note\", \"**.doc\" ], mask: redact }\n", "");
    let policy = policy.lines().filter(|line| !line.contains("goods")).collect::<Vec<_>>().join("\n");
    let policy = policy.replace("\"**.order_id\" ", "").replace("orders/orders.id, ]", "orders/orders.id ]");
    shop.write("policy.yaml", &policy);
    shop.write("pipeline.yaml", &crate::support::PIPELINE.replace(", children: true", ""));
    for (order, customers, dangling) in [("7", 1, 0), ("8", 1, 0), ("9", 0, 1), ("007", 1, 0)] {
        let to = format!("b{order}.reenact");
        let output = shop.run(&["capture", "pipeline.yaml", "--seed", &format!("order={order}"), "--to", &to]);
        assert!(output.status.success(), "{}", text(&output));
        let counts = Counts::of(&shop, &to);
        assert_eq!((counts.entity("customers/customers"), counts.dangling), (customers, dangling), "order {order}");
        shop.ok(&["run", &to, "--", "true"]);
    }
}
