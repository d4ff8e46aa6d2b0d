//! `it_fiscal_code`: Italy's tax code of a person.
//!
//! By default the check letter is wrong, so the result is the number of nobody: no range is set aside for tests
//! that could hold a unique column.

use std::sync::Arc;

use crate::checks;
use crate::kernels::compact::{LEAKS, Numbers, VALID, sample};
use crate::kernels::{Args, Facts, Group, Injective, Keeps, MaskSpec, Shape};

/// `it_fiscal_code`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "it_fiscal_code",
    group: Group::Government,
    doc: "permutes Italian tax codes (not those whose digits are letters); by default the last letter is wrong",
    args: &[VALID],
    facts: Facts {
        deterministic: true,
        injective: Injective::Always,
        keeps: Keeps { format: false, length: true, order: false },
        leaks: LEAKS,
    },
    build: |args: &Args, _: &[Shape]| {
        Ok(Arc::new(Numbers::new(&[&checks::IT_FISCAL_CODE], args.is_true("valid"), None)))
    },
    sample: |n| sample(&checks::IT_FISCAL_CODE, n),
    vectors: &[
        (&[], "RSSMRA85T10A562S", Some("WTZKAG80S05W134E")),
        (&[], "mrtmtt25d09f205z", Some("jkrveh57m62q697b")),
        (&[("valid", "true")], "RSSMRA85T10A562S", Some("WTZKAG80S05W134D")),
    ],
};
