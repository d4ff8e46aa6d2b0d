//! `pl_pesel`: Poland's PESEL.
//!
//! By default the check digit is wrong, so the result is the number of nobody: no range is set aside for tests that
//! could hold a unique column.

use std::sync::Arc;

use crate::checks;
use crate::kernels::compact::{LEAKS, Numbers, VALID, sample};
use crate::kernels::{Args, Facts, Group, Injective, Keeps, MaskSpec, Shape};

/// `pl_pesel`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "pl_pesel",
    group: Group::Government,
    doc: "permutes PESELs, with other birth dates; by default the check digit is wrong",
    args: &[VALID],
    facts: Facts {
        deterministic: true,
        injective: Injective::Always,
        keeps: Keeps { format: false, length: true, order: false },
        leaks: LEAKS,
    },
    build: |args: &Args, _: &[Shape]| Ok(Arc::new(Numbers::new(&[&checks::PL_PESEL], args.is_true("valid"), None))),
    sample: |n| sample(&checks::PL_PESEL, n),
    vectors: &[
        (&[], "44051401359", Some("55920986058")),
        (&[], "02070803628", Some("53682351466")),
        (&[("valid", "true")], "44051401359", Some("55920986057")),
    ],
};
