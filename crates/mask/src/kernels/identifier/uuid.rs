//! `uuid`: a random-looking UUID (version 4) for each value.

use std::fmt::Write as _;
use std::sync::Arc;

use reenact_model::ValueType;

use crate::kernels::partition::{self, Partition};
use crate::kernels::{Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit};

/// `uuid`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "uuid",
    group: Group::Identifier,
    doc: "gives a UUID of version 4 (RFC 9562) whose 122 free bits are a keyed hash; takes any text, upper case being equal",
    args: &[partition::BY, partition::COUNT],
    facts: Facts {
        deterministic: true,
        injective: Injective::Always,
        keeps: Keeps::FORMAT,
        leaks: "which values are equal; with `partition_by` the partition",
    },
    build: |args: &Args, _: &[Shape]| Ok(Arc::new(Uuid { partition: Partition::of(args)? })),
    sample: |n| format!("value {n}"),
    vectors: &[
        (&[], "ab13dfae-6276-45da-a05f-11193ceaaf30", Some("f4fc0d30-1d45-47df-8f26-619e26f8e432")),
        (
            &[("partition_by", "murmur2"), ("partitions", "12")],
            "ab13dfae-6276-45da-a05f-11193ceaaf30",
            Some("76b9dd2a-71c2-4ecc-966a-3982ae64d92f"),
        ),
    ],
};

#[derive(Debug)]
struct Uuid {
    partition: Option<Partition>,
}

/// Writes sixteen bytes as a UUID of a version.
pub(super) fn write_uuid(bytes: &[u8], version: u8, out: &mut String) {
    for (n, byte) in bytes.iter().take(16).enumerate() {
        if matches!(n, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        let byte = match n {
            6 => byte & 0x0f | version << 4,
            8 => byte & 0x3f | 0x80,
            _ => *byte,
        };
        let _ = write!(out, "{byte:02x}");
    }
}

impl Mask for Uuid {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        if shape.value == ValueType::Uuid { Ok(()) } else { shape.takes_text(36) }
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::PSEUDONYM
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        if text.is_empty() {
            return Ok(Some(()));
        }
        partition::chain(self.partition.as_ref(), cell.key, &text.to_ascii_lowercase(), out, |hash, out| {
            write_uuid(hash, 4, out);
        });
        Ok(Some(()))
    }
}

#[cfg(test)]
mod tests {
    use crate::kernels::Shape;
    use crate::kernels::testing::{apply, build};

    #[test]
    fn the_version_and_variant_are_set() {
        let mask = build("uuid", &[], &[Shape::leaf()]).expect("builds");
        let image = apply(&*mask, "d", "ab13dfae-6276-45da-a05f-11193ceaaf30").expect("some");
        assert_eq!((image.len(), &image[14..15]), (36, "4"));
        assert!("89ab".contains(&image[19..20]));
        assert_eq!(Some(image), apply(&*mask, "d", "AB13DFAE-6276-45DA-A05F-11193CEAAF30"));
    }
}
