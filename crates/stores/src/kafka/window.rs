//! The window of a topic that a capture may read.
//!
//! Hidden here: where a window begins. Offsets by time are asked of the broker and then checked against the records at that
//! place; where they do not fit, the beginning is searched for by the records' own times. Everything that the window
//! leaves out is told.

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};
use reenact_model::Result;
use reenact_model::catalog::Topic;

use super::client::{ANSWER, Cluster, place};
use super::scan::{Range, first, last};

/// One topic's window, and what lies outside.
pub(super) struct Window {
    pub(super) ranges: Vec<Range>,
    pub(super) gaps: Vec<String>,
}

/// The window of a topic as it is now; `now` in milliseconds since 1970.
pub(super) fn window(
    cluster: &Cluster,
    consumer: &BaseConsumer,
    topic: &Topic,
    partitions: usize,
    now: i64,
) -> Result<Window> {
    let mut whole = Vec::with_capacity(partitions);
    // All ends come first: what is appended while the beginnings are searched for is in no window.
    for partition in 0..i32::try_from(partitions).unwrap_or(i32::MAX) {
        let (from, to) = cluster.ends(consumer, &topic.name, partition)?;
        whole.push(Range { partition, from, to: to.max(from) });
    }
    let mut ranges = whole.clone();
    if let Some(back) = topic.back_ms {
        for range in &mut ranges {
            range.from = since(cluster, consumer, &topic.name, *range, now.saturating_sub(back))?;
        }
    }
    if let Some(records) = topic.records {
        bound(&mut ranges, records);
    }
    let mut gaps = Vec::new();
    for (whole, range) in whole.iter().zip(&ranges) {
        let place = place(&topic.name, range.partition);
        if whole.from > 0 {
            gaps.push(format!("{place}: offsets 0..{} are on the broker no longer", whole.from));
        }
        if range.from > whole.from {
            gaps.push(format!("{place}: offsets {}..{} lie before the window", whole.from, range.from));
        }
    }
    Ok(Window { ranges, gaps })
}

/// Keeps at most so many offsets of all partitions together, from their ends, each partition its share.
fn bound(ranges: &mut [Range], records: u64) {
    let length = |range: &Range| u128::from((range.to - range.from).unsigned_abs());
    let total: u128 = ranges.iter().map(length).sum();
    if total > u128::from(records) {
        for range in ranges {
            let share = length(range) * u128::from(records) / total;
            range.from = range.to - i64::try_from(share).unwrap_or(i64::MAX);
        }
    }
}

/// The first offset whose record is not older than `time`; the end of the range if there is none.
pub(super) fn since(cluster: &Cluster, consumer: &BaseConsumer, topic: &str, range: Range, time: i64) -> Result<i64> {
    if range.from == range.to {
        return Ok(range.to);
    }
    // A record without a time may be as young as any other.
    let is_young = |record: (i64, Option<i64>)| record.1.is_none_or(|at| at >= time);
    if let Some(claimed) = claimed(cluster, consumer, topic, range, time) {
        let before = last(cluster, consumer, topic, Range { to: claimed, ..range })?;
        let at = first(cluster, consumer, topic, Range { from: claimed, ..range })?;
        if at.is_none_or(is_young) && !before.is_some_and(is_young) {
            return Ok(claimed);
        }
    }
    let (mut low, mut high) = (range.from, range.to);
    while low < high {
        let middle = low + (high - low) / 2;
        match first(cluster, consumer, topic, Range { from: middle, to: high, ..range })? {
            Some(record) if !is_young(record) => low = record.0 + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// What the broker says, within the range.
fn claimed(cluster: &Cluster, consumer: &BaseConsumer, topic: &str, range: Range, time: i64) -> Option<i64> {
    let mut times = TopicPartitionList::new();
    times.add_partition_offset(topic, range.partition, Offset::Offset(time.max(0))).ok()?;
    cluster.count();
    let answer = consumer.offsets_for_times(times, ANSWER).ok()?;
    match answer.find_partition(topic, range.partition)?.offset() {
        Offset::Offset(offset) => Some(offset.clamp(range.from, range.to)),
        Offset::End => Some(range.to),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_keeps_the_ends() {
        let range = |from, to| Range { partition: 0, from, to };
        let mut ranges = [range(0, 100), range(50, 350), range(7, 7)];
        bound(&mut ranges, 40);
        assert_eq!(ranges, [range(90, 100), range(320, 350), range(7, 7)]);
        bound(&mut ranges, 40);
        assert_eq!(ranges[0], range(90, 100));
    }
}
