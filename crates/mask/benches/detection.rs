//! How well detection does on labelled data: `REENACT_DATASETS=… cargo test -p reenact-mask --bench detection` prints the tables of
//! `docs/detection.md`.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    missing_docs,
    unreachable_pub,
    dead_code,
    reason = "a benchmark prints"
)]

use std::path::PathBuf;

#[path = "../tests/detection/measure.rs"]
mod measure;

use measure::{Table, Tally};

fn row(name: &str, tally: Tally) {
    println!(
        "| {name} | {} | {:.3} | {:.3} | {:.3} |",
        tally.hit + tally.missed,
        tally.recall(),
        tally.precision(),
        tally.f2()
    );
}

fn rows(title: &str, table: &Table, prefix: &str) {
    println!("\n{title}\n\n| | cases | recall | precision | F2 |\n|---|---|---|---|---|");
    for (key, tally) in table {
        if let Some(name) = key.strip_prefix(prefix).filter(|name| !name.is_empty() || prefix.is_empty()) {
            row(if name.is_empty() { "all" } else { name }, *tally);
        }
    }
}

fn main() {
    let Some(folder) = std::env::var_os("REENACT_DATASETS").map(|root| PathBuf::from(root).join("pii")) else {
        println!("set REENACT_DATASETS to the folder of the data sets");
        return;
    };
    let (columns, classes, _) = measure::columns(&folder);
    let (names, categories, _) = measure::names(&folder);
    let (cases, alike, _) = measure::recognisers(&folder);
    let (sentences, _) = measure::sentences(&folder);
    println!("| measure | goal | result | half a | half b |\n|---|---|---|---|---|");
    let both = |table: &Table, of: fn(Tally) -> f64| {
        let part = |key: &str| of(table.get(key).copied().unwrap_or_default());
        format!("{:.3} | {:.3} | {:.3}", part(""), part("half a"), part("half b"))
    };
    println!("| columns by values alone: recall | ≥ 0.90 | {} |", both(&columns, Tally::recall));
    println!("| columns by values alone: precision | ≥ 0.90 | {} |", both(&columns, Tally::precision));
    println!("| names of columns alone: recall | ≥ 0.95 | {} |", both(&names, Tally::recall));
    println!("| the same, with the right class | | {:.3} | | |", categories[""].recall());
    println!("| look-alikes taken for the case's type | ≤ 0.05 | {:.3} | | |", alike.recall());
    println!("| cases of recognisers that are found | | {} |", both(&cases, Tally::recall));
    println!("| identifiers in sentences: recall | ≥ 0.85 | {} |", both(&sentences, Tally::recall));
    println!("| identifiers in sentences: precision | | {} |", both(&sentences, Tally::precision));
    rows("Columns by their values alone, personal or not, by locale", &columns, "locale ");
    rows("The same by label", &columns, "label ");
    rows("The same by label, counted only with the right class", &classes, "");
    rows("Identifiers in sentences", &sentences, "");
    rows("Cases of recognisers, by type", &cases, "");
}
