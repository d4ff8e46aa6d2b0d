//! Pseudonyms of a Kafka key that stay in the key's partition.
//!
//! Hidden here: how partitioners hash, and how a pseudonym is found that hashes alike. A replayed topic must have the order of
//! the captured one, and order holds within a partition; consumers also meet tables by partition. The walk goes on
//! until the partition agrees, on the cycle of a permutation (so it stays a bijection) or along a chain of keyed hashes. It tells
//! the partition only, which the record's coordinates tell anyway. Agreeing modulo a count is agreeing modulo all its
//! divisors, so one domain can serve topics of 6, 12 and 24 partitions with `partitions: 24`.

use super::{ArgKind, ArgSpec, Args};
use crate::domain::DomainKey;

/// The argument that says which partitioner.
pub(super) const BY: ArgSpec = ArgSpec {
    name: "partition_by",
    kind: ArgKind::Choice(&["murmur2", "crc32"]),
    doc: "keeps the Kafka partition of a key that is this text in UTF-8: `murmur2` (the Java client's default) or `crc32` (librdkafka's `consistent`); needs `partitions`",
};
/// The argument that says how many partitions.
pub(super) const COUNT: ArgSpec = ArgSpec {
    name: "partitions",
    kind: ArgKind::Integer(1, 1_000),
    doc: "the topic's partitions; for topics with different counts, their least common multiple",
};

/// A partitioner and a count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Partition {
    hash: fn(&[u8]) -> u32,
    count: u32,
}

impl Partition {
    /// What the two arguments ask for.
    pub(super) fn of(args: &Args) -> Result<Option<Self>, String> {
        match (args.text("partition_by"), args.integer("partitions")) {
            (None, None) => Ok(None),
            (Some(by), Some(count)) => {
                // Kafka takes the sign off, librdkafka has none.
                let hash = if by == "crc32" { crc32 } else { |key: &[u8]| murmur2(key) & 0x7fff_ffff };
                Ok(Some(Self { hash, count: u32::try_from(count).unwrap_or(1).max(1) }))
            }
            _ => Err("`partition_by` and `partitions` belong together".to_owned()),
        }
    }

    /// The partition of a key.
    pub(super) fn number(&self, key: &str) -> u32 {
        (self.hash)(key.as_bytes()) % self.count
    }
}

/// Walks from a text to the next one that has its partition: the first without a partition. `step` is a permutation, and then
/// the walk is one.
pub(super) fn walk<E>(
    partition: Option<&Partition>,
    text: &str,
    mut step: impl FnMut(&mut String) -> Result<(), E>,
    out: &mut String,
) -> Result<(), E> {
    out.push_str(text);
    let Some(partition) = partition else { return step(out) };
    let wanted = partition.number(text);
    loop {
        step(out)?;
        if partition.number(out) == wanted {
            return Ok(());
        }
    }
}

/// Renders keyed hashes of a text, each the hash of the one before, until the partition agrees.
pub(super) fn chain(
    partition: Option<&Partition>,
    key: &DomainKey,
    text: &str,
    out: &mut String,
    render: impl Fn(&[u8; 32], &mut String),
) {
    let mut hash = key.hash(text.as_bytes());
    render(&hash, out);
    let Some(partition) = partition else { return };
    let wanted = partition.number(text);
    while partition.number(out) != wanted {
        hash = key.hash(&[hash.as_slice(), b"partition"].concat());
        out.clear();
        render(&hash, out);
    }
}

/// `MurmurHash2` as Kafka's Java client computes it.
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c_u32 ^ u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let k = u32::from_le_bytes([word[0], word[1], word[2], word[3]]).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ (k ^ k >> 24).wrapping_mul(M);
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        for (n, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * n);
        }
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ hash >> 13).wrapping_mul(M);
    hash ^ hash >> 15
}

/// CRC-32 as zlib computes it.
fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 })
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::kernels::Shape;
    use crate::kernels::testing::{apply, build};

    #[test]
    fn hashes_agree_with_kafka_and_zlib() {
        // Kafka, UtilsTest.testMurmur2.
        for (key, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
        }
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn partitions_stay_for_every_divisor_and_keys_stay_apart() {
        type Sample = (&'static str, fn(u32) -> String);
        let samples: &[Sample] = &[
            ("integer", |n| n.to_string()),
            ("digits", |n| format!("{n:04}-7")),
            ("token", |n| format!("k{n}")),
            ("uuid", |n| format!("{n:08x}-0000-4000-8000-000000000000")),
            ("alnum", |n| format!("K{n:05}")),
            ("pattern", |n| format!("Kx-{n:05}")),
        ];
        for (mask, sample) in samples {
            for by in ["murmur2", "crc32"] {
                let args = [("partition_by", by), ("partitions", "24")];
                let mask = build(mask, &args, &[Shape::leaf()]).expect("builds");
                let mut seen = HashSet::new();
                for n in 0..if cfg!(debug_assertions) { 300 } else { 9_000 } {
                    let (text, image) = (sample(n), apply(&*mask, "d", &sample(n)).expect("some"));
                    for divisor in [1, 2, 3, 4, 6, 8, 12, 24] {
                        let args = Args(
                            [("partition_by", by), ("partitions", &divisor.to_string())]
                                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                                .into(),
                        );
                        let partition = Partition::of(&args).expect("valid").expect("some");
                        assert_eq!(partition.number(&text), partition.number(&image));
                    }
                    assert!(seen.insert(image), "{mask:?}");
                }
            }
        }
    }

    #[test]
    fn the_two_arguments_belong_together() {
        assert!(build("token", &[("partitions", "6")], &[]).is_err());
        assert!(build("token", &[("partition_by", "crc32"), ("partitions", "6"), ("length", "3")], &[]).is_err());
    }
}
