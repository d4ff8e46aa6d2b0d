//! `fr_nir`: France's social security number (NIR).
//!
//! By default the check key is wrong, so the result is the number of nobody: no range is set aside for tests that
//! could hold a unique column.

use std::sync::Arc;

use crate::checks;
use crate::kernels::compact::{LEAKS, Numbers, VALID, sample};
use crate::kernels::{Args, Facts, Group, Injective, Keeps, MaskSpec, Shape};

/// `fr_nir`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "fr_nir",
    group: Group::Government,
    doc: "permutes French NIRs of fifteen characters, Corsica too; by default the key is wrong",
    args: &[VALID],
    facts: Facts {
        deterministic: true,
        injective: Injective::Always,
        keeps: Keeps { format: false, length: true, order: false },
        leaks: LEAKS,
    },
    build: |args: &Args, _: &[Shape]| Ok(Arc::new(Numbers::new(&[&checks::FR_NIR], args.is_true("valid"), None))),
    sample: |n| sample(&checks::FR_NIR, n),
    vectors: &[
        (&[], "2 55 08 14 168 025 38", Some("2 64 23 06 087 135 55")),
        (&[], "180126955222380", Some("295994031447526")),
        (&[("valid", "true")], "2 55 08 14 168 025 38", Some("2 64 23 06 087 135 45")),
    ],
};
