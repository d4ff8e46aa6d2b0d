//! `se_personnummer`: Sweden's personal and coordination number.
//!
//! By default the check digit is wrong, so the result is the number of nobody: no range is set aside for tests that
//! could hold a unique column.

use std::sync::Arc;

use crate::checks;
use crate::kernels::compact::{LEAKS, Numbers, VALID, sample};
use crate::kernels::{Args, Facts, Group, Injective, Keeps, MaskSpec, Shape};

/// `se_personnummer`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "se_personnummer",
    group: Group::Government,
    doc: "permutes Swedish personal numbers of ten or twelve digits, with other birth dates; by default the check digit is wrong",
    args: &[VALID],
    facts: Facts {
        deterministic: true,
        injective: Injective::Always,
        keeps: Keeps { format: false, length: true, order: false },
        leaks: LEAKS,
    },
    build: |args: &Args, _: &[Shape]| {
        Ok(Arc::new(Numbers::new(
            &[&checks::SE_PERSONNUMMER_12, &checks::SE_PERSONNUMMER],
            args.is_true("valid"),
            None,
        )))
    },
    sample: |n| sample(&checks::SE_PERSONNUMMER, n),
    vectors: &[
        (&[], "811218-9876", Some("440313-6339")),
        (&[], "198112189876", Some("188005146661")),
        (&[("valid", "true")], "811218-9876", Some("440313-6338")),
    ],
};
