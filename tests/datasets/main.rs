//! The pipelines of the project on other people's schemas and rows: captured from real servers, masked, replayed into others, compared.
//!
//! The sets are not ours and not in this repository. `REENACT_DATASETS` names their folder, or they lie in
//! `shared/datasets` beside the repository. Without them these tests say so, and pass.

mod astronomy;
mod detection;
mod incident;
mod junit;
mod music;
mod servers;
mod subsets;

use std::future::Future;
use std::io::Write as _;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Once;

use futures::FutureExt as _;

/// The tests of this file that need the sets.
const TESTS: usize = 8;

/// The folder of the sets; tells loudly, once, if it is missing.
fn datasets() -> Option<PathBuf> {
    static TOLD: Once = Once::new();
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let folder = std::env::var_os("REENACT_DATASETS").map_or_else(|| beside.join("datasets"), PathBuf::from);
    if folder.join("sql").is_dir() {
        return Some(folder);
    }
    let must = std::env::var("CI").is_ok_and(|ci| ci == "true") && beside.is_dir();
    assert!(!must, "there is `shared` beside the repository, but no datasets in it");
    TOLD.call_once(|| {
        // Past the test harness, which keeps what passing tests print to itself.
        let told = format!("\n*** NOT RUN: {TESTS} tests on data sets; set REENACT_DATASETS to their folder ***\n\n");
        let _ = std::io::stderr().write_all(told.as_bytes());
    });
    None
}

/// What went wrong in the cases of one test, so that one failure does not hide the others.
#[derive(Default)]
struct Failures(Vec<String>);

impl Failures {
    /// Runs a case; a panic in it is a failure of the case.
    async fn case(&mut self, name: &str, body: impl Future<Output = ()>) {
        if let Err(panic) = AssertUnwindSafe(body).catch_unwind().await {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
            self.0.push(format!("{name}: {}", text.unwrap_or_default()));
        }
    }

    /// Tells all failures.
    fn tell(self) {
        assert!(self.0.is_empty(), "{} cases failed:\n{}", self.0.len(), self.0.join("\n\n"));
    }
}
