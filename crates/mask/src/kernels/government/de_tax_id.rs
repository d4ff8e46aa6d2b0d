//! `de_tax_id`: Germany's tax identification number.
//!
//! By default the check digit is wrong, so the result is the number of nobody: no range is set aside for tests that
//! could hold a unique column.

use std::sync::Arc;

use crate::checks;
use crate::kernels::compact::{LEAKS, Numbers, VALID, sample};
use crate::kernels::{Args, Facts, Group, Injective, Keeps, MaskSpec, Shape};

/// `de_tax_id`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "de_tax_id",
    group: Group::Government,
    doc: "permutes German tax identification numbers (eleven digits); by default the check digit is wrong",
    args: &[VALID],
    facts: Facts {
        deterministic: true,
        injective: Injective::Always,
        keeps: Keeps { format: false, length: true, order: false },
        leaks: LEAKS,
    },
    build: |args: &Args, _: &[Shape]| Ok(Arc::new(Numbers::new(&[&checks::DE_TAX_ID], args.is_true("valid"), None))),
    sample: |n| sample(&checks::DE_TAX_ID, n),
    vectors: &[
        (&[], "86095742719", Some("12638594746")),
        (&[], "65 929 970 489", Some("25 918 637 557")),
        (&[("valid", "true")], "86095742719", Some("12638594745")),
    ],
};
