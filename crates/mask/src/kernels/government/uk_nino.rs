//! `uk_nino`: the United Kingdom's national insurance number.
//!
//! There is no check digit: by default the suffix is E to H instead of A to D, so the number can not be issued.

use std::sync::Arc;

use crate::checks;
use crate::kernels::compact::{LEAKS, Numbers, VALID, sample};
use crate::kernels::{Args, Facts, Group, Injective, Keeps, MaskSpec, Shape};

/// `uk_nino`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "uk_nino",
    group: Group::Government,
    doc: "permutes national insurance numbers; by default the suffix letter is one that is never issued",
    args: &[VALID],
    facts: Facts {
        deterministic: true,
        injective: Injective::Always,
        keeps: Keeps { format: false, length: true, order: false },
        leaks: LEAKS,
    },
    build: |args: &Args, _: &[Shape]| {
        Ok(Arc::new(Numbers::new(
            &[&checks::UK_NINO],
            args.is_true("valid"),
            Some((
                |number| {
                    if let Some(suffix) = number.last_mut() {
                        *suffix += 4;
                    }
                },
                true,
            )),
        )))
    },
    sample: |n| sample(&checks::UK_NINO, n),
    vectors: &[
        (&[], "AB 12 34 56 C", Some("WK 51 91 42 F")),
        (&[], "jg103759a", Some("xa094496h")),
        (&[("valid", "true")], "AB 12 34 56 C", Some("WK 51 91 42 B")),
    ],
};
