//! Reads ranges of offsets.
//!
//! Hidden here: when a range has ended. Aborted records and control markers take offsets but are never given, so a range is
//! over as soon as a record at or beyond its end comes, or the broker says that nothing committed is left; never by a
//! last record. A broker that says neither for half a minute counts as gone.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::{Offset, TopicPartitionList};
use reenact_model::{Error, Result};

use super::client::Cluster;

/// How long a broker may be silent.
const SILENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);

/// The offsets of one partition from `from` up to, and without, `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) partition: i32,
    pub(super) from: i64,
    pub(super) to: i64,
}

/// Gives the records of a range in order until `each` answers `false`; `goes_on` is asked while nothing comes.
pub(super) fn scan(
    cluster: &Cluster,
    consumer: &BaseConsumer,
    topic: &str,
    range: Range,
    goes_on: &dyn Fn() -> bool,
    each: &mut dyn FnMut(&BorrowedMessage<'_>) -> Result<bool>,
) -> Result<()> {
    if range.from >= range.to {
        return Ok(());
    }
    let told = |error: KafkaError| cluster.told(&error);
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(topic, range.partition, Offset::Offset(range.from)).map_err(told)?;
    consumer.assign(&assignment).map_err(told)?;
    cluster.count();
    let outcome = poll(cluster, consumer, range, goes_on, each);
    consumer.unassign().map_err(told)?;
    outcome
}

fn poll(
    cluster: &Cluster,
    consumer: &BaseConsumer,
    range: Range,
    goes_on: &dyn Fn() -> bool,
    each: &mut dyn FnMut(&BorrowedMessage<'_>) -> Result<bool>,
) -> Result<()> {
    let mut heard = Instant::now();
    while goes_on() {
        match consumer.poll(POLL) {
            None if heard.elapsed() > SILENCE => return Err(cluster.silent()),
            None => {}
            Some(Ok(message)) => {
                heard = Instant::now();
                if message.partition() != range.partition || message.offset() < range.from {
                    continue;
                }
                if message.offset() >= range.to || !each(&message)? || message.offset() + 1 == range.to {
                    return Ok(());
                }
            }
            Some(Err(KafkaError::PartitionEOF(partition))) if partition == range.partition => return Ok(()),
            Some(Err(KafkaError::PartitionEOF(_))) => {}
            Some(Err(error)) if is_passing(&error) => {
                if heard.elapsed() > SILENCE {
                    return Err(cluster.silent());
                }
            }
            Some(Err(error)) => return Err(cluster.told(&error)),
        }
    }
    Ok(())
}

/// Whether the driver tries again by itself.
fn is_passing(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::BrokerTransportFailure
                | Code::AllBrokersDown
                | Code::OperationTimedOut
                | Code::RequestTimedOut
                | Code::LeaderNotAvailable
                | Code::Resolve
        )
    )
}

/// The first record of a range: its offset and time.
pub(super) fn first(
    cluster: &Cluster,
    consumer: &BaseConsumer,
    topic: &str,
    range: Range,
) -> Result<Option<(i64, Option<i64>)>> {
    let mut found = None;
    scan(cluster, consumer, topic, range, &|| true, &mut |message| {
        found = Some((message.offset(), message.timestamp().to_millis()));
        Ok::<_, Error>(false)
    })?;
    Ok(found)
}

/// The last record of a range: its offset and time. Looks from the end, since offsets may hold no record.
pub(super) fn last(
    cluster: &Cluster,
    consumer: &BaseConsumer,
    topic: &str,
    range: Range,
) -> Result<Option<(i64, Option<i64>)>> {
    let mut step = 1;
    loop {
        let from = range.to.saturating_sub(step).max(range.from);
        let mut found = None;
        scan(cluster, consumer, topic, Range { from, ..range }, &|| true, &mut |message| {
            found = Some((message.offset(), message.timestamp().to_millis()));
            Ok::<_, Error>(true)
        })?;
        if found.is_some() || from == range.from {
            return Ok(found);
        }
        step *= 4;
    }
}
