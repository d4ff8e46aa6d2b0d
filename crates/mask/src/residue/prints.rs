//! Sets of fingerprints that stay small: eight bytes for each, however many there are.

/// So many low bits of a fingerprint say what kind of value it is.
const CLASS_BITS: u32 = 3;

/// Puts a value's class, below 8, into its fingerprint.
pub(super) fn classed(print: u64, class: u8) -> u64 {
    print >> CLASS_BITS << CLASS_BITS | u64::from(class)
}

/// Buckets, by the fingerprint's first byte: each is sorted by itself, in scratch space that stays small.
const BUCKETS: usize = 256;
/// Fingerprints of a block. All blocks are of one size, so memory that one gave back fits the next.
const BLOCK: usize = 512;
/// So many fingerprints are sorted by several threads.
const MANY: usize = 1 << 20;

/// A set that grows.
#[derive(Debug)]
pub(super) struct Prints {
    buckets: Vec<Bucket>,
}

/// Fingerprints in blocks that are full but for the last.
#[derive(Clone, Debug, Default)]
struct Bucket {
    blocks: Vec<Vec<u64>>,
    /// How many there were when they were sorted last.
    settled: usize,
}

impl Bucket {
    fn len(&self) -> usize {
        self.blocks.last().map_or(0, |last| (self.blocks.len() - 1) * BLOCK + last.len())
    }

    fn push(&mut self, print: u64) {
        match self.blocks.last_mut() {
            Some(last) if last.len() < BLOCK => last.push(print),
            _ => {
                // What came twice is taken out now and then.
                if self.len() >= 4 * self.settled.max(BLOCK) {
                    self.settle(&mut Vec::new());
                    return self.push(print);
                }
                let mut block = Vec::with_capacity(BLOCK);
                block.push(print);
                self.blocks.push(block);
            }
        }
    }

    fn settle(&mut self, scratch: &mut Vec<u64>) {
        if self.settled == self.len() {
            return;
        }
        scratch.clear();
        scratch.extend(self.blocks.iter().flatten());
        // Most of them are sorted from the last time, and this sort goes on from there.
        scratch.sort_unstable();
        scratch.dedup();
        self.settled = scratch.len();
        self.blocks.truncate(scratch.len().div_ceil(BLOCK));
        for (block, sorted) in self.blocks.iter_mut().zip(scratch.chunks(BLOCK)) {
            block.clear();
            block.extend_from_slice(sorted);
        }
    }

    /// Of a settled bucket, the least fingerprint from `print` on.
    fn at_least(&self, print: u64) -> Option<u64> {
        // They are spread evenly, so the block is near to where it would be if they were spread exactly.
        let share = (u128::from(print << 8) * self.blocks.len() as u128) >> 64;
        let mut at = usize::try_from(share).ok()?.min(self.blocks.len().checked_sub(1)?);
        while at > 0 && self.blocks[at].first().is_some_and(|first| *first > print) {
            at -= 1;
        }
        while self.blocks.get(at)?.last().is_some_and(|last| *last < print) {
            at += 1;
        }
        let block = &self.blocks[at];
        block.get(block.partition_point(|known| *known < print)).copied()
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
        self.buckets[bucket(print)].push(print);
    }

    pub(super) fn len(&self) -> usize {
        self.buckets.iter().map(Bucket::len).sum()
    }

    /// Sorts, and takes out what is there twice.
    pub(super) fn settle(&mut self) {
        let threads = if self.len() < MANY { 1 } else { std::thread::available_parallelism().map_or(1, usize::from) };
        let settle = |buckets: &mut [Bucket]| {
            let mut scratch = Vec::new();
            for bucket in buckets {
                bucket.settle(&mut scratch);
            }
        };
        std::thread::scope(|scope| {
            let mut parts = self.buckets.chunks_mut(BUCKETS.div_ceil(threads));
            let own = parts.next();
            for part in parts {
                scope.spawn(move || settle(part));
            }
            own.map(settle);
        });
    }

    fn each(&self) -> impl Iterator<Item = u64> {
        self.buckets.iter().flat_map(|bucket| &bucket.blocks).flatten().copied()
    }

    /// The n-th piece of a settled set; empty after the last.
    pub(super) fn block(&self, number: usize, size: usize) -> Vec<u64> {
        let mut skip = number * size;
        let mut out = Vec::new();
        for block in self.buckets.iter().flat_map(|bucket| &bucket.blocks) {
            let from = skip.min(block.len());
            skip -= from;
            out.extend(block[from..].iter().take(size - out.len()));
            if out.len() == size {
                break;
            }
        }
        out
    }

    pub(super) fn into_each(self, take: impl FnMut(u64)) {
        self.buckets.into_iter().flat_map(|bucket| bucket.blocks).flatten().for_each(take);
    }

    pub(super) fn lookup(mut self) -> Lookup {
        self.settle();
        let filter = Filter::new(self.len(), self.each());
        Lookup { prints: self, filter }
    }
}

/// A set that is asked.
#[derive(Debug)]
pub(super) struct Lookup {
    prints: Prints,
    filter: Filter,
}

impl Lookup {
    pub(super) fn len(&self) -> usize {
        self.prints.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it is worth to ask for the class of the value with this fingerprint.
    #[inline]
    pub(super) fn may_contain(&self, print: u64) -> bool {
        self.filter.may_contain(classed(print, 0))
    }

    /// The class of the value with this fingerprint, if there is one.
    pub(super) fn class(&self, print: u64) -> Option<u8> {
        let plain = classed(print, 0);
        let found = self.prints.buckets[bucket(print)].at_least(plain)?;
        (classed(found, 0) == plain).then(|| (found - plain).to_le_bytes()[0])
    }
}

/// A Bloom filter with all bits of a fingerprint in one word (Putze, Sanders and Singler, 2007): most questions are about what
/// is not there, and cost one access to memory. Words follow the order of fingerprints, so a sorted set fills it in one sweep.
#[derive(Debug)]
struct Filter {
    words: Vec<u64>,
}

impl Filter {
    fn new(count: usize, prints: impl Iterator<Item = u64>) -> Self {
        let mut filter = Self { words: vec![0; (count / 5).max(1)] };
        for print in prints {
            let (at, bits) = filter.place(classed(print, 0));
            filter.words[at] |= bits;
        }
        filter
    }

    #[inline]
    fn place(&self, print: u64) -> (usize, u64) {
        let bits = 1 << (print >> 3 & 63) | 1 << (print >> 9 & 63) | 1 << (print >> 15 & 63) | 1 << (print >> 21 & 63);
        // The upper half of the product is below the number of words.
        let at = (u128::from(print) * self.words.len() as u128) >> 64;
        (usize::try_from(at).unwrap_or(0), bits)
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
        prints.settle();
        assert_eq!(prints.len(), 100_000);
        let blocks: Vec<u64> = (0..40).flat_map(|n| prints.block(n, 3_000)).collect();
        assert!(blocks.len() == 100_000 && blocks.is_sorted() && prints.block(40, 3_000).is_empty());
        let lookup = prints.lookup();
        assert!((0..100_000).all(|n| lookup.class(of(n)) == Some(5)));
        assert!(!(100_000..200_000).any(|n| lookup.class(of(n)).is_some()));
        let passed = (100_000..200_000).filter(|n| lookup.may_contain(of(*n))).count();
        assert!(passed < 10_000, "{passed}");
    }
}
