//! Writes records, and learns where they came to lie.
//!
//! Hidden here: delivery reports. They alone tell a record's offset in the target, which no arithmetic can.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use reenact_model::{Class, Error, Result};

use super::client::{Cluster, FIRST};
use super::records::Columns;

/// How long the last records may take to be acknowledged.
const FLUSH: Duration = Duration::from_secs(60);

/// Writes to one topic, in the order given.
pub(super) struct Writer {
    cluster: Cluster,
    producer: BaseProducer<Reports>,
    topic: String,
}

#[derive(Default)]
struct Reports {
    state: Mutex<Reported>,
}

#[derive(Default)]
struct Reported {
    /// Partition, source offset, target offset.
    offsets: Vec<(i32, i64, i64)>,
    failed: Option<KafkaError>,
}

impl Reports {
    fn state(&self) -> MutexGuard<'_, Reported> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    /// The source offset.
    type DeliveryOpaque = Box<i64>;

    fn delivery(&self, result: &DeliveryResult<'_>, source: Self::DeliveryOpaque) {
        let mut state = self.state();
        match result {
            Ok(message) => state.offsets.push((message.partition(), *source, message.offset())),
            Err((error, _)) => {
                state.failed.get_or_insert_with(|| error.clone());
            }
        }
    }
}

impl Writer {
    pub(super) fn open(cluster: &Cluster, topic: &str) -> Result<Self> {
        let producer = cluster
            .config()
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("message.timeout.ms", "60000")
            .set("linger.ms", "5")
            .set("compression.type", "none")
            // The topic's own bound decides.
            .set("message.max.bytes", "1000000000")
            .create_with_context(Reports::default())
            .map_err(|error| cluster.told(&error))?;
        Ok(Self { cluster: cluster.clone(), producer, topic: topic.to_owned() })
    }

    /// Hands a batch to the driver; what failed before is an error.
    pub(super) fn write(&self, batch: &RecordBatch) -> Result<u64> {
        let columns = Columns::of(batch)?;
        for row in 0..batch.num_rows() {
            let record = columns.row(row)?;
            let mut message: BaseRecord<'_, [u8], [u8], Box<i64>> =
                BaseRecord::with_opaque_to(&self.topic, Box::new(record.offset))
                    .partition(record.partition)
                    .timestamp(record.timestamp);
            (message.key, message.payload, message.headers) = (record.key, record.value, record.headers);
            let begun = Instant::now();
            while let Err((error, back)) = self.producer.send(message) {
                if error.rdkafka_error_code() != Some(Code::QueueFull) || begun.elapsed() > FLUSH {
                    return Err(self.cluster.told(&error));
                }
                self.producer.poll(Duration::from_millis(50));
                message = back;
            }
        }
        self.producer.poll(Duration::ZERO);
        self.check()?;
        Ok(batch.num_rows() as u64)
    }

    /// Waits for all records; gives their offsets.
    pub(super) fn finish(self) -> Result<Vec<(i32, i64, i64)>> {
        let flushed = self.producer.flush(FLUSH);
        self.check()?;
        flushed.map_err(|error| self.cluster.told(&error))?;
        let mut offsets = std::mem::take(&mut self.producer.context().state().offsets);
        offsets.sort_unstable();
        Ok(offsets)
    }

    fn check(&self) -> Result<()> {
        match self.producer.context().state().failed.take() {
            Some(error) => Err(self.cluster.told(&error)),
            None => Ok(()),
        }
    }
}

/// Writes one record to a topic that a broker makes by itself at that.
pub(super) fn touch(cluster: &Cluster, topic: &str) -> Result<()> {
    let producer: BaseProducer = cluster
        .config()
        .set("message.timeout.ms", FIRST.as_millis().to_string())
        .create()
        .map_err(|error| cluster.told(&error))?;
    let record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic).payload(b"1");
    producer.send(record).map_err(|(error, _)| cluster.told(&error))?;
    producer.flush(FIRST).map_err(|error| {
        Error::new(Class::Write, "the marker topic can't be made").help(cluster.told(&error).message().to_owned())
    })
}
