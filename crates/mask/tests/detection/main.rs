//! Detection held against its targets on labelled data, where `REENACT_DATASETS` names it.
//!
//! `cargo test -p reenact-mask --test detection -- --nocapture` prints the cases that go wrong if `REENACT_WRONG` is set.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub,
    reason = "a test stops where it can't go on"
)]

use std::path::PathBuf;

mod measure;

fn folder() -> Option<PathBuf> {
    std::env::var_os("REENACT_DATASETS").map(|root| PathBuf::from(root).join("pii"))
}

fn show(wrong: &[String]) {
    if std::env::var_os("REENACT_WRONG").is_some() {
        for line in wrong {
            println!("{line}");
        }
    }
}

#[test]
fn columns_are_told_by_their_values() {
    let Some(folder) = folder() else { return };
    let (by, classes, wrong) = measure::columns(&folder);
    show(&wrong);
    for (key, tally) in by.iter().chain(&classes) {
        println!("{key:24} recall {:.3} precision {:.3}", tally.recall(), tally.precision());
    }
    for key in ["", "half a", "half b"] {
        assert!(by[key].recall() >= 0.9 && by[key].precision() >= 0.9, "{key}: {:?}", by[key]);
    }
}

#[test]
fn columns_are_told_by_their_names() {
    let Some(folder) = folder() else { return };
    let (by, classes, wrong) = measure::names(&folder);
    show(&wrong);
    println!("{by:?} {:?}", classes[""]);
    assert!(by[""].recall() >= 0.95 && classes[""].recall() >= 0.95, "{:?} {:?}", by[""], classes[""]);
}

#[test]
fn look_alikes_are_let_pass() {
    let Some(folder) = folder() else { return };
    let (by, alike, wrong) = measure::recognisers(&folder);
    show(&wrong);
    println!("found {:?}, look-alikes {:?}", by[""], alike);
    assert!(alike.recall() <= 0.05, "{alike:?}");
}

#[test]
fn identifiers_are_found_in_sentences() {
    let Some(folder) = folder() else { return };
    let (by, wrong) = measure::sentences(&folder);
    show(&wrong);
    for (key, tally) in &by {
        println!("{key:16} recall {:.3} precision {:.3}", tally.recall(), tally.precision());
        assert!(tally.recall() >= 0.85, "{key}: {tally:?}");
    }
}
