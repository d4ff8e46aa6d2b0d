//! `nl_bsn`: the Netherlands' citizen service number (BSN).
//!
//! By default the check digit is wrong, so the result is the number of nobody: no range is set aside for tests that
//! could hold a unique column.

use std::sync::Arc;

use crate::checks;
use crate::kernels::compact::{LEAKS, Numbers, VALID, sample};
use crate::kernels::{Args, Facts, Group, Injective, Keeps, MaskSpec, Shape};

/// `nl_bsn`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "nl_bsn",
    group: Group::Government,
    doc: "permutes Dutch BSNs of nine digits; by default the test of eleven fails",
    args: &[VALID],
    facts: Facts {
        deterministic: true,
        injective: Injective::Always,
        keeps: Keeps { format: false, length: true, order: false },
        leaks: LEAKS,
    },
    build: |args: &Args, _: &[Shape]| Ok(Arc::new(Numbers::new(&[&checks::NL_BSN], args.is_true("valid"), None))),
    sample: |n| sample(&checks::NL_BSN, n),
    vectors: &[
        (&[], "111222333", Some("107960190")),
        (&[], "1234.56.782", Some("5142.14.819")),
        (&[("valid", "true")], "111222333", Some("107960199")),
    ],
};
