//! `alnum`: a bijection on the letters and digits of a code.

use std::sync::Arc;

use super::digits::{ALNUM, Digits};
use crate::kernels::partition::{self, Partition};
use crate::kernels::{ArgKind, ArgSpec, Args, Facts, Group, Injective, Keeps, MaskSpec, Shape};

const LOWER: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
const BOTH: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// `alnum`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "alnum",
    group: Group::Identifier,
    doc: "permutes letters and digits together, so that a letter may become a digit; keeps length and separators",
    args: &[
        ArgSpec {
            name: "case",
            kind: ArgKind::Choice(&["upper", "lower", "both"]),
            doc: "which letters there are: `upper` (default), `lower` or `both`, which is not for unique fields, since many of them ignore case",
        },
        partition::BY,
        partition::COUNT,
    ],
    facts: Facts {
        deterministic: true,
        injective: Injective::If("`case` is not `both`"),
        keeps: Keeps::SHAPE,
        leaks: "length, separators, and which values are equal; with `partition_by` the partition",
    },
    build: |args: &Args, _: &[Shape]| {
        let alphabet = match args.text("case") {
            Some("both") => BOTH,
            Some("lower") => LOWER,
            _ => ALNUM,
        };
        Ok(Arc::new(Digits::new(alphabet, alphabet.len() == 36, Partition::of(args)?)))
    },
    sample: |n| format!("AB-{:07X}", n * 7_919 % 0x0fff_ffff),
    vectors: &[
        (&[], "AB12-34", Some("OW4B-WT")),
        (&[("case", "both")], "aB3xK9", Some("6jfNG4")),
        (&[("case", "lower")], "x7", Some("31")),
    ],
};
