//! `es_nif`: Spain's DNI and NIE.
//!
//! By default the check letter is wrong, so the result is the number of nobody: no range is set aside for tests
//! that could hold a unique column.

use std::sync::Arc;

use crate::checks;
use crate::kernels::compact::{LEAKS, Numbers, VALID, sample};
use crate::kernels::{Args, Facts, Group, Injective, Keeps, MaskSpec, Shape};

/// `es_nif`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "es_nif",
    group: Group::Government,
    doc: "permutes Spanish DNIs and NIEs, one may become the other; by default the letter is wrong",
    args: &[VALID],
    facts: Facts {
        deterministic: true,
        injective: Injective::Always,
        keeps: Keeps { format: false, length: true, order: false },
        leaks: LEAKS,
    },
    build: |args: &Args, _: &[Shape]| Ok(Arc::new(Numbers::new(&[&checks::ES_NIF], args.is_true("valid"), None))),
    sample: |n| sample(&checks::ES_NIF, n),
    vectors: &[
        (&[], "12345678Z", Some("94711187R")),
        (&[], "x1234567l", Some("13615336b")),
        (&[("valid", "true")], "12345678Z", Some("94711187Q")),
    ],
};
