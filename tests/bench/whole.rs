//! Benchmarks of the whole binary: `cargo bench --bench whole -- people` and `… -- closure`.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

mod closure;
mod people;
mod support;

fn main() {
    match std::env::args().find(|arg| !arg.starts_with('-') && !arg.contains('/')).as_deref() {
        Some("people") => people::run(),
        Some("closure") => closure::run(),
        _ => println!(
            "name a benchmark: `cargo bench --bench whole -- people` or `cargo bench --bench whole -- closure`"
        ),
    }
}
