//! Sets of fingerprints that stay small: eight bytes for each, however many there are.

/// So many low bits of a fingerprint say what kind of value it is.
const CLASS_BITS: u32 = 3;

/// Puts a value's class, below 8, into its fingerprint.
pub(super) fn classed(print: u64, class: u8) -> u64 {
    print >> CLASS_BITS << CLASS_BITS | u64::from(class)
}

/// Buckets, by the fingerprint's first byte: each grows and is sorted by itself, so memory never doubles at once.
const BUCKETS: usize = 256;

/// A set that grows.
#[derive(Debug)]
pub(super) struct Prints {
    buckets: Vec<Bucket>,
}

#[derive(Clone, Debug, Default)]
struct Bucket {
    prints: Vec<u64>,
    /// How many there were when they were sorted last.
    settled: usize,
}

impl Bucket {
    fn settle(&mut self) {
        self.prints.sort_unstable();
        self.prints.dedup();
        self.settled = self.prints.len();
    }
}

impl Default for Prints {
    fn default() -> Self {
        Self { buckets: vec![Bucket::default(); BUCKETS] }
    }
}

fn bucket(print: u64) -> usize {
    (print >> 56) as usize
}

impl Prints {
    pub(super) fn insert(&mut self, print: u64) {
        let bucket = &mut self.buckets[bucket(print)];
        if bucket.prints.len() == bucket.prints.capacity() {
            // What came twice is taken out now and then, and an eighth more is what new ones need for a while.
            if bucket.prints.len() >= 2 * bucket.settled.max(32) {
                bucket.settle();
            }
            bucket.prints.reserve_exact((bucket.prints.len() / 8).max(16));
        }
        bucket.prints.push(print);
    }

    pub(super) fn len(&self) -> usize {
        self.buckets.iter().map(|bucket| bucket.prints.len()).sum()
    }

    /// Sorts, and takes out what is there twice.
    pub(super) fn settle(&mut self) {
        self.buckets.iter_mut().for_each(Bucket::settle);
    }

    /// The n-th piece of a settled set; empty after the last.
    pub(super) fn block(&self, number: usize, size: usize) -> Vec<u64> {
        let mut skip = number * size;
        let mut out = Vec::new();
        for Bucket { prints, .. } in &self.buckets {
            let from = skip.min(prints.len());
            skip -= from;
            out.extend(prints[from..].iter().take(size - out.len()));
            if out.len() == size {
                break;
            }
        }
        out
    }

    pub(super) fn into_each(self, mut take: impl FnMut(u64)) {
        for bucket in self.buckets {
            bucket.prints.into_iter().for_each(&mut take);
        }
    }

    pub(super) fn lookup(mut self) -> Lookup {
        self.settle();
        let buckets: Vec<Vec<u64>> = self.buckets.into_iter().map(|bucket| bucket.prints).collect();
        let count = buckets.iter().map(Vec::len).sum();
        let filter = Filter::new(count, buckets.iter().flatten().copied());
        Lookup { buckets, filter }
    }
}

/// A set that is asked.
#[derive(Debug)]
pub(super) struct Lookup {
    buckets: Vec<Vec<u64>>,
    filter: Filter,
}

impl Lookup {
    pub(super) fn len(&self) -> usize {
        self.buckets.iter().map(Vec::len).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.buckets.iter().all(Vec::is_empty)
    }

    /// The class of the value with this fingerprint, if there is one.
    #[inline]
    pub(super) fn class(&self, print: u64) -> Option<u8> {
        let plain = classed(print, 0);
        if !self.filter.may_contain(plain) {
            return None;
        }
        let bucket = &self.buckets[bucket(print)];
        let found = bucket.get(bucket.partition_point(|known| *known < plain))?;
        (classed(*found, 0) == plain).then(|| (*found - plain).to_le_bytes()[0])
    }
}

/// A Bloom filter with all bits of a fingerprint in one word (Putze, Sanders and Singler, 2007): most questions are about what
/// is not there, and cost one access to memory.
#[derive(Debug)]
struct Filter {
    words: Vec<u64>,
}

impl Filter {
    fn new(count: usize, prints: impl Iterator<Item = u64>) -> Self {
        let mut filter = Self { words: vec![0; (count / 5).next_power_of_two().max(1)] };
        for print in prints {
            let (at, bits) = filter.place(classed(print, 0));
            filter.words[at] |= bits;
        }
        filter
    }

    fn place(&self, print: u64) -> (usize, u64) {
        let bits = 1 << (print >> 3 & 63) | 1 << (print >> 9 & 63) | 1 << (print >> 15 & 63) | 1 << (print >> 21 & 63);
        ((print >> 27) as usize & (self.words.len() - 1), bits)
    }

    #[inline]
    fn may_contain(&self, print: u64) -> bool {
        let (at, bits) = self.place(print);
        self.words[at] & bits == bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_is_found_and_little_else() {
        let mut prints = Prints::default();
        let of = |n: u64| n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        for n in (0..100_000).chain(0..100_000) {
            prints.insert(classed(of(n), 5));
        }
        assert!(prints.buckets.iter().map(|bucket| bucket.prints.capacity()).sum::<usize>() < 260_000);
        prints.settle();
        assert_eq!(prints.len(), 100_000);
        let blocks: Vec<u64> = (0..40).flat_map(|n| prints.block(n, 3_000)).collect();
        assert!(blocks.len() == 100_000 && blocks.is_sorted() && prints.block(40, 3_000).is_empty());
        let lookup = prints.lookup();
        assert!((0..100_000).all(|n| lookup.class(of(n)) == Some(5)));
        assert!(!(100_000..200_000).any(|n| lookup.class(of(n)).is_some()));
        let passed = (100_000..200_000).filter(|n| lookup.filter.may_contain(classed(of(*n), 0))).count();
        assert!(passed < 10_000, "{passed}");
    }
}
