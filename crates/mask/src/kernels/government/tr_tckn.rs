//! `tr_tckn`: Turkey's identity number.
//!
//! By default the check digit is wrong, so the result is the number of nobody: no range is set aside for tests that
//! could hold a unique column.

use std::sync::Arc;

use crate::checks;
use crate::kernels::compact::{LEAKS, Numbers, VALID, sample};
use crate::kernels::{Args, Facts, Group, Injective, Keeps, MaskSpec, Shape};

/// `tr_tckn`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "tr_tckn",
    group: Group::Government,
    doc: "permutes Turkish identity numbers; by default the check digits are wrong",
    args: &[VALID],
    facts: Facts {
        deterministic: true,
        injective: Injective::Always,
        keeps: Keeps { format: false, length: true, order: false },
        leaks: LEAKS,
    },
    build: |args: &Args, _: &[Shape]| Ok(Arc::new(Numbers::new(&[&checks::TR_TCKN], args.is_true("valid"), None))),
    sample: |n| sample(&checks::TR_TCKN, n),
    vectors: &[(&[], "10000000146", Some("19779573434")), (&[("valid", "true")], "10000000146", Some("19779573424"))],
};
