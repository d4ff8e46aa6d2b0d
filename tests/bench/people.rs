//! The benchmark of whole tables: `cargo bench --bench whole -- people`.
//!
//! One table of 5 million rows, captured with three of its eight columns masked, and loaded again, beside the tools that do
//! nothing else than copy it, all on one server in one run. Ratios are what counts.

use crate::support::{self, Measured, Postgres, median, report, sh};

const PIPELINE: &str = r#"version: 1
services:
  people: { kind: postgres, url: "${PEOPLE_URL}" }
roots: [ { from: "people/**" } ]
limits: { rows: 100000000, bytes: 64GiB, read_time: 1h }
policy: policy.yaml
"#;
const POLICY: &str = r"version: 1
rules:
  - { name: first, on: [ people/public.people5m.first_name ], mask: { name: { part: first } } }
  - { name: last, on: [ people/public.people5m.last_name ], mask: { name: { part: last } } }
  - { name: mail, on: [ people/public.people5m.email ], mask: email }
  - name: rest
    on: [ people/public.people5m.id, people/public.people5m.city, people/public.people5m.balance, people/public.people5m.created_at ]
    keep: { reason: benchmark }
  - { name: phones, on: [ people/public.people5m.phone ], keep: { reason: benchmark }, accept: [ personal-data ] }
";

/// The same, with nothing masked: what the masks and the proof cost is the difference.
const KEEPS: &str = r"version: 1
rules:
  - name: all
    on:
      - people/public.people5m.id
      - people/public.people5m.first_name
      - people/public.people5m.last_name
      - people/public.people5m.email
      - people/public.people5m.phone
      - people/public.people5m.city
      - people/public.people5m.balance
      - people/public.people5m.created_at
    keep: { reason: benchmark }
    accept: [ personal-data ]
";

pub(crate) fn run() {
    let rows: u64 = std::env::var("REENACT_BENCH_ROWS").ok().and_then(|r| r.parse().ok()).unwrap_or(5_000_000);
    let rounds = 3;
    let server = Postgres::start();
    let sql = support::dataset("bench/people5m.sql").replace("5000000", &rows.to_string());
    server.psql("people", &sql);
    let folder = server.folder();
    std::fs::write(folder.join("pipeline.yaml"), PIPELINE).expect("writes");
    std::fs::write(folder.join("policy.yaml"), POLICY).expect("writes");
    std::fs::write(folder.join("kept.yaml"), PIPELINE.replace("policy.yaml", "keeps.yaml")).expect("writes");
    std::fs::write(folder.join("keeps.yaml"), KEEPS).expect("writes");
    support::reenact(&server, &["keys", "init", "keys"]);
    let binary = folder.join("people.bin").display().to_string();
    let dump = folder.join("people.dump").display().to_string();
    let url = server.url("people");
    let (mut copy, mut capture, mut kept, mut load) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut copy_in, mut pg_dump, mut pg_restore) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        copy.push(sh(&["psql", &url, "-qc", "\\copy people5m to /dev/null (format binary)"]));
        let bundle = format!("people{round}.reenact");
        capture.push(support::reenact(&server, &["capture", "pipeline.yaml", "--to", &bundle]));
        kept.push(support::reenact(&server, &["capture", "kept.yaml", "--to", &format!("kept{round}.reenact")]));
        server.fresh("target");
        support::reenact_with(&server, &[("TARGET", server.url("target"))], &["mark", "--url-env", "TARGET"]);
        let measured = support::reenact_with(
            &server,
            &[("TARGET", server.url("target"))],
            &["-o", "json", "replay", &bundle, "--target-env", "people=TARGET"],
        );
        load.push(measured);
    }
    pg_dump.push(sh(&["pg_dump", "-Fc", "-f", &dump, &url]));
    for _ in 0..rounds {
        server.fresh("target");
        pg_restore.push(sh(&["pg_restore", "-j2", "--no-owner", "-d", &server.url("target"), &dump]));
    }
    sh(&["psql", &url, "-qc", &format!("\\copy people5m to '{binary}' (format binary)")]);
    for _ in 0..rounds {
        server.fresh("target");
        let create = "create table people5m (id bigint not null, first_name text, last_name text, email text, phone text, city text, balance numeric(12,2), created_at timestamptz)";
        let into = format!("\\copy people5m from '{binary}' (format binary)");
        let key = "alter table people5m add primary key (id)";
        copy_in.push(sh(&["psql", &server.url("target"), "-qc", create, "-c", &into, "-c", key]));
    }
    let base = median(&copy);
    let restored = median(&pg_restore);
    println!(
        "\n{rows} rows, 8 columns; medians of {rounds} runs (`pg_dump` once); client and server share the machine\n"
    );
    println!("| work | s | M rows/s | ratio | client RSS | client CPU |");
    println!("|---|---|---|---|---|---|");
    let line = |what: &str, runs: &[Measured], against: f64| report(what, runs, rows, against);
    println!("{}", line("psql `\\copy … to /dev/null` (binary)", &copy, base));
    println!(
        "{}",
        line("reenact capture, 3 of 8 columns masked, sealed, searched for residue, signed", &capture, base)
    );
    println!("{}", line("the same with all 8 columns kept", &kept, base));
    println!("{}", line("`pg_dump -Fc`", &pg_dump, base));
    println!("| | | | ratio to `pg_restore -j2` | | |");
    println!("{}", line("`pg_restore -j2`", &pg_restore, restored));
    println!("{}", line("binary COPY in, then the primary key", &copy_in, restored));
    println!("{}", line("reenact replay, with its verification by reading all back", &load, restored));
    for field in ["load_ms", "verify_ms"] {
        let values: Vec<String> = load.iter().map(|m| support::json_number(&m.stdout, field)).collect();
        println!("reenact replay, {field} of each run: {}", values.join(", "));
    }
    println!("{}", support::added(&capture, &kept));
    println!("bundle: {} MB", support::size_of(&folder.join("people0.reenact")) / 1_000_000);
}
