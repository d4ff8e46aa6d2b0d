//! `br_cpf`: Brazil's CPF.
//!
//! By default the check digit is wrong, so the result is the number of nobody: no range is set aside for tests that
//! could hold a unique column.

use std::sync::Arc;

use crate::checks;
use crate::kernels::compact::{LEAKS, Numbers, VALID, sample};
use crate::kernels::{Args, Facts, Group, Injective, Keeps, MaskSpec, Shape};

/// `br_cpf`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "br_cpf",
    group: Group::Government,
    doc: "permutes CPFs; by default the check digits are wrong",
    args: &[VALID],
    facts: Facts {
        deterministic: true,
        injective: Injective::Always,
        keeps: Keeps { format: false, length: true, order: false },
        leaks: LEAKS,
    },
    build: |args: &Args, _: &[Shape]| Ok(Arc::new(Numbers::new(&[&checks::BR_CPF], args.is_true("valid"), None))),
    sample: |n| sample(&checks::BR_CPF, n),
    vectors: &[
        (&[], "111.444.777-35", Some("469.268.794-10")),
        (&[], "52998224725", Some("20389242709")),
        (&[("valid", "true")], "111.444.777-35", Some("469.268.794-00")),
    ],
};
