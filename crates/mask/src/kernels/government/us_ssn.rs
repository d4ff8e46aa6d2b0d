//! `us_ssn`: the United States' social security number.
//!
//! There is no check digit, and too few numbers are never issued to hold all: by default the area is 9 and two
//! digits and the group 00, a million numbers that are no social security number and no taxpayer number (ITIN).
//! With `valid: true` numbers are permuted among those that can be issued.

use std::sync::Arc;

use crate::checks;
use crate::kernels::compact::{LEAKS, Numbers, VALID, sample};
use crate::kernels::{Args, Facts, Group, Injective, Keeps, MaskSpec, Shape};

/// `us_ssn`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "us_ssn",
    group: Group::Government,
    doc: "replaces a social security number by one that is never issued (9xx-00-xxxx; many share one), or with `valid: true` by another that may be",
    args: &[VALID],
    facts: Facts {
        deterministic: true,
        injective: Injective::If("`valid` is `true`"),
        keeps: Keeps { format: false, length: true, order: false },
        leaks: LEAKS,
    },
    build: |args: &Args, _: &[Shape]| {
        Ok(Arc::new(Numbers::new(
            &[&checks::US_SSN],
            args.is_true("valid"),
            Some((
                |number| {
                    number[0] = b'9';
                    number[3..5].copy_from_slice(b"00");
                },
                false,
            )),
        )))
    },
    sample: |n| sample(&checks::US_SSN, n),
    vectors: &[
        (&[], "078-05-1120", Some("984-00-8275")),
        (&[], "899999999", Some("951009337")),
        (&[("valid", "true")], "078-05-1120", Some("684-54-8275")),
    ],
};
