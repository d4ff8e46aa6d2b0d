//! Values per second on one core: `cargo bench -p reenact-mask`. Every mask of the registry is here by itself; so is what the
//! residue proof costs for each value that is masked and for each value that is written.

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a benchmark prints, and stops where it can't go on")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use reenact_mask::kernels::{Args, Cell, Group, MASKS, Mask, Shape};
use reenact_mask::residue::Seen;
use reenact_mask::{RootKey, Salt, ScopeKeys};

const VALUES: u64 = 50_000;

/// The n-th value of a kind.
type Kind = fn(u64) -> String;

fn rate(values: &[String], mut each: impl FnMut(&str)) -> f64 {
    let least = Duration::from_millis(300);
    let (mut done, start) = (0_u32, Instant::now());
    while start.elapsed() < least {
        for value in values {
            each(value);
        }
        done += u32::try_from(values.len()).expect("few");
    }
    f64::from(done) / start.elapsed().as_secs_f64() / 1e6
}

fn main() {
    let root = RootKey::from_hex(&"07".repeat(32)).expect("a key");
    let keys = ScopeKeys::new(&root, &Salt::from_bytes([9; 32]));
    let (key, shape) = (keys.domain("bench"), Shape::leaf());
    println!("| mask | M values/s on one core, all different |\n|---|---|");
    // `-- NAME` times one; `-- residue` none of them.
    let only = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    for spec in MASKS.iter().filter(|spec| only.as_deref().is_none_or(|only| only == spec.name)) {
        let values: Vec<String> = (0..VALUES).map(spec.sample).collect();
        let args = spec.vectors.first().map_or(&[][..], |(args, ..)| args);
        let args = Args(args.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect());
        let mask: Arc<dyn Mask> = (spec.build)(&args, std::slice::from_ref(&shape)).expect("builds");
        let mut out = String::new();
        let cell = Cell { key: &key, shape: &shape, subject: None };
        let found = rate(&values, |value| {
            out.clear();
            let _ = mask.apply(&cell, value, &mut out);
        });
        println!("| `{}` | {found:.2} |", spec.name);
    }
    let values: Vec<String> =
        (0..2_000_000).map(|n| format!("person{n}.smith{}@example{}.com", n % 977, n % 13)).collect();
    if only.is_some_and(|only| only != "residue") {
        return;
    }
    let mut seen = Seen::new(&keys);
    let start = Instant::now();
    for value in &values {
        seen.see(Group::Contact, value);
    }
    let remembered = 2.0 / start.elapsed().as_secs_f64();
    let start = Instant::now();
    let mut search = seen.search();
    println!("\n| residue proof, two million addresses known | M values/s |\n|---|---|");
    println!("| an original remembered | {remembered:.2} |");
    println!("| (made ready to be searched once, in {:.2} s) | |", start.elapsed().as_secs_f64());
    let kinds: [(&str, bool, Kind); 4] = [
        ("a pseudonym of an address", true, |n| format!("hw3a3fa{:09x}@mail.example", n * 7_919)),
        ("a telephone number", false, |n| format!("+1 202 {:03} {:04}", n % 1000, n * 7 % 10_000)),
        ("a city", false, |n| format!("New City {}", n % 100)),
        ("a sentence", false, |n| format!("order {n} was sent to the warehouse on Monday, and came back on Friday")),
    ];
    for (name, made, kind) in kinds {
        let values: Vec<String> = (0..VALUES).map(kind).collect();
        let found = rate(&values, |value| {
            search.look(value, made);
        });

        println!("| {name} | {found:.2} |");
    }
}
