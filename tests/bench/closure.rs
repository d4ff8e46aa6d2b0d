//! The benchmark of rooted closures: `cargo bench --bench whole -- closure`.
//!
//! 500 customers with everything that hangs on them, 10,500 rows out of 10.5 million, as a whole process: schema, plan, walk,
//! pin, read, mask, seal, sign.

use crate::support::{self, Postgres, median, report};

const PIPELINE: &str = r#"version: 1
services:
  shop: { kind: postgres, url: "${SHOP_URL}" }
roots: [ { from: shop/public.customers, where: { id: "${seed.customer}" }, children: all } ]
policy: policy.yaml
"#;
const POLICY: &str = r"version: 1
domains:
  customer: { canonical: integer, mask: integer }
rules:
  - { name: customers, on: [ shop/public.customers.id, shop/public.orders.customer_id ], domain: customer }
  - { name: names, on: [ shop/public.customers.name ], mask: name }
  - { name: mail, on: [ shop/public.customers.email ], mask: email }
  - name: rest
    on: [ shop/public.orders.id, shop/public.orders.at, shop/public.orders.total, shop/public.items.id, shop/public.items.order_id, shop/public.items.sku, shop/public.items.qty, shop/public.payments.id, shop/public.payments.order_id, shop/public.payments.amount ]
    keep: { reason: benchmark }
";

pub(crate) fn run() {
    let rounds = 5;
    let server = Postgres::start();
    server.psql("shop", &support::dataset("bench/shop10m.sql"));
    let folder = server.folder();
    std::fs::write(folder.join("pipeline.yaml"), PIPELINE).expect("writes");
    std::fs::write(folder.join("policy.yaml"), POLICY).expect("writes");
    let customers: Vec<String> = (1..=500).map(|n: u32| n.to_string()).collect();
    std::fs::write(folder.join("customers"), customers.join("\n")).expect("writes");
    support::reenact(&server, &["keys", "init", "keys"]);
    let runs: Vec<_> = (0..rounds)
        .map(|n| {
            let bundle = format!("b{n}.reenact");
            let args = ["-o", "json", "capture", "pipeline.yaml", "--seed-file", "customer=customers", "--to", &bundle];
            support::reenact(&server, &args)
        })
        .collect();
    println!("\n| work | s | M rows/s | ratio | client RSS | client CPU |");
    println!("|---|---|---|---|---|---|");
    println!("{}", report("rooted closure into a finished bundle, whole process", &runs, 10_500, median(&runs)));
    for field in ["records", "queries"] {
        println!("{field}: {}", support::json_number(&runs[0].stdout, field));
    }
}
