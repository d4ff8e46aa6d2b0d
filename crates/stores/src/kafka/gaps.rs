//! Offsets inside a window that gave no record.
//!
//! Hidden here: how little is kept of them. Control records, records of aborted transactions and what compaction took out
//! leave nothing but a hole between two offsets, and the driver tells no more of it; so they are counted together, and only
//! the first ranges of a partition are remembered one by one.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use super::client::place;
use super::scan::Range;

/// The most ranges of one partition that are told.
const TOLD: usize = 20;

/// What reads of a window did not find.
#[derive(Default)]
pub(super) struct Gaps(Mutex<BTreeMap<(String, i32), Partition>>);

/// What is known of one partition.
#[derive(Default)]
struct Partition {
    /// Stretches that were read, by their beginnings; they never overlap.
    read: BTreeMap<i64, i64>,
    /// The first ranges without a record, in the order in which they were found.
    ranges: Vec<(i64, i64)>,
    /// All such ranges, and the offsets in them.
    count: u64,
    offsets: u64,
}

impl Gaps {
    /// Forgets everything: the window is another one from now on.
    pub(super) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Adds what one scan has seen of a topic. What was seen before is not counted again.
    pub(super) fn add(&self, topic: &str, seen: &Seen) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry((topic.to_owned(), seen.partition)).or_default().add(seen);
    }

    /// Each partition's gaps in a sentence.
    pub(super) fn told(&self, windows: &BTreeMap<String, Vec<Range>>) -> Vec<String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = Vec::new();
        for (topic, range) in windows.iter().flat_map(|(topic, ranges)| ranges.iter().map(move |range| (topic, range)))
        {
            let Some(partition) = all.get(&(topic.clone(), range.partition)) else { continue };
            out.extend(partition.told(&place(topic, range.partition), *range));
        }
        out
    }
}

impl Partition {
    fn add(&mut self, seen: &Seen) {
        if seen.from >= seen.next {
            return;
        }
        let before: Vec<(i64, i64)> = self
            .read
            .iter()
            .map(|(from, to)| (*from, *to))
            .filter(|(from, to)| *from <= seen.next && *to >= seen.from)
            .collect();
        for &(from, to) in &seen.missing {
            // Without what an earlier read has told of.
            let mut at = from;
            for &(known, until) in before.iter().chain([&(to, to)]) {
                if at < known.min(to) {
                    self.miss(at, known.min(to));
                }
                at = at.max(until);
            }
        }
        let (mut from, mut to) = (seen.from, seen.next);
        for (known, until) in before {
            self.read.remove(&known);
            (from, to) = (from.min(known), to.max(until));
        }
        self.read.insert(from, to);
    }

    fn miss(&mut self, from: i64, to: i64) {
        self.count += 1;
        self.offsets += (to - from).unsigned_abs();
        if self.ranges.len() < TOLD {
            self.ranges.push((from, to));
        }
    }

    fn told(&self, place: &str, window: Range) -> Vec<String> {
        let mut out = Vec::new();
        if self.count > 0 {
            let mut ranges = self.ranges.clone();
            ranges.sort_unstable();
            let ranges: Vec<String> = ranges.iter().map(|(from, to)| format!("{from}..{to}")).collect();
            let mut text = format!(
                "{place}: {} offsets without a record (control records, aborted or compacted): {}",
                self.offsets,
                ranges.join(", ")
            );
            let more = self.count - self.ranges.len() as u64;
            if more > 0 {
                // Writing into a string can't fail.
                let _ = write!(text, " and {more} more ranges");
            }
            out.push(text);
        }
        let is_whole =
            window.from >= window.to || self.read.iter().any(|(from, to)| *from <= window.from && *to >= window.to);
        if !is_whole {
            let length: i64 = self.read.iter().map(|(from, to)| to - from).sum();
            let window = window.to - window.from;
            out.push(format!("{place}: only {length} of the window's {window} offsets were looked at; of the others it is not known which hold a record"));
        }
        out
    }
}

/// What one scan of a range has seen so far.
pub(super) struct Seen {
    partition: i32,
    from: i64,
    /// The offset up to which it has seen everything.
    next: i64,
    missing: Vec<(i64, i64)>,
}

impl Seen {
    /// Nothing yet of a range.
    pub(super) fn new(range: Range) -> Self {
        Self { partition: range.partition, from: range.from, next: range.from, missing: Vec::new() }
    }

    /// A record stands here, and none between it and the one before.
    pub(super) fn record(&mut self, offset: i64) {
        self.until(offset);
        self.next = self.next.max(offset + 1);
    }

    /// Up to here no more record came.
    pub(super) fn until(&mut self, end: i64) {
        if self.next < end {
            self.missing.push((self.next, end));
            self.next = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(from: i64, to: i64, records: &[i64]) -> Seen {
        let mut seen = Seen::new(Range { partition: 0, from, to });
        for offset in records {
            seen.record(*offset);
        }
        seen.until(to);
        seen
    }

    fn told(scans: &[Seen], to: i64) -> Vec<String> {
        let gaps = Gaps::default();
        for seen in scans {
            gaps.add("t", seen);
        }
        gaps.told(&[("t".to_owned(), vec![Range { partition: 0, from: 0, to }])].into())
    }

    const WHAT: &str = "offsets without a record (control records, aborted or compacted)";

    #[test]
    fn holes_are_told_once_however_often_they_are_read() {
        assert!(told(&[seen(0, 3, &[0, 1, 2])], 3).is_empty());
        let whole = || seen(0, 10, &[0, 1, 4, 7]);
        let expected = [format!("t/0: 6 {WHAT}: 2..4, 5..7, 8..10")];
        assert_eq!(told(&[whole()], 10), expected);
        assert_eq!(told(&[whole(), seen(2, 6, &[4]), whole()], 10), expected);
        // A part first, and then all: the ranges are cut where the part ended.
        let cut = [format!("t/0: 6 {WHAT}: 2..3, 3..4, 5..6, 6..7, 8..10")];
        assert_eq!(told(&[seen(3, 6, &[4]), whole()], 10), cut);
    }

    #[test]
    fn what_was_not_looked_at_is_said() {
        let rest =
            "t/0: only 3 of the window's 10 offsets were looked at; of the others it is not known which hold a record";
        assert_eq!(
            told(&[seen(2, 3, &[2]), seen(8, 10, &[8])], 10),
            [format!("t/0: 1 {WHAT}: 9..10"), rest.to_owned()]
        );
        let halves = [seen(0, 5, &[0, 1, 2, 3, 4]), seen(5, 10, &[5, 6, 7, 8, 9])];
        assert!(told(&halves, 10).is_empty(), "both halves are the whole");
    }

    #[test]
    fn very_many_holes_are_counted() {
        let records: Vec<i64> = (0..100).map(|n| n * 2).collect();
        let told = told(&[seen(0, 200, &records)], 200);
        assert!(told[0].starts_with(&format!("t/0: 100 {WHAT}: 1..2, 3..4,")), "{told:?}");
        assert!(told[0].ends_with("37..38, 39..40 and 80 more ranges"), "{told:?}");
    }
}
