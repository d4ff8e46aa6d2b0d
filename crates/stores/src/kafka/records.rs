//! Records of a topic as batches.
//!
//! Hidden here: what is null and what is empty. A key, a value (tombstone) and a header's value may each be either, and
//! headers keep their order and may repeat.

use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, BinaryArray, BinaryBuilder, Int32Builder, Int64Builder, RecordBatch,
    StringBuilder,
};
use arrow::datatypes::{ArrowPrimitiveType, Int32Type, Int64Type};
use rdkafka::Timestamp;
use rdkafka::message::{BorrowedMessage, Header, Headers as _, Message as _, OwnedHeaders};
use reenact_model::payload::Headers;
use reenact_model::{Class, Entity, Error, Result, Site};

/// The greatest number of records in a batch.
const ROWS: usize = 8_192;
/// About the greatest size of a batch, in bytes.
const BYTES: usize = 8 << 20;

/// Records on their way into a batch.
#[derive(Default)]
pub(super) struct Rows {
    partitions: Int32Builder,
    offsets: Int64Builder,
    timestamps: Int64Builder,
    types: StringBuilder,
    keys: BinaryBuilder,
    values: BinaryBuilder,
    headers: BinaryBuilder,
    count: usize,
    bytes: usize,
}

impl Rows {
    /// Takes a record, if it can be written again: the driver takes a time of 0 for none, and writes the present one.
    pub(super) fn push(&mut self, entity: &Entity, message: &BorrowedMessage<'_>) -> Result<()> {
        if message.timestamp().to_millis().is_none_or(|millis| millis <= 0) {
            let (partition, offset) = (message.partition(), message.offset());
            let message =
                format!("the record at {partition}/{offset} has no time, or one before 1970-01-01T00:00:00.001Z");
            return Err(Error::new(Class::Input, message)
                .at(Site::entity(&entity.id))
                .help("a replay could not write it; leave it out by the topic's `window`, or leave out the topic"));
        }
        let (timestamp, kind) = match message.timestamp() {
            Timestamp::NotAvailable => (None, "none"),
            Timestamp::CreateTime(millis) => (Some(millis), "create"),
            Timestamp::LogAppendTime(millis) => (Some(millis), "append"),
        };
        let headers = message.headers().filter(|headers| headers.count() > 0).map(|headers| {
            let header = |header: Header<'_, &[u8]>| (header.key.to_owned(), header.value.map(<[u8]>::to_vec));
            Headers(headers.iter().map(header).collect()).write()
        });
        self.count += 1;
        let lengths = [message.key(), message.payload(), headers.as_deref()];
        self.bytes += 48 + lengths.iter().flatten().map(|bytes| bytes.len()).sum::<usize>();
        self.partitions.append_value(message.partition());
        self.offsets.append_value(message.offset());
        self.timestamps.append_option(timestamp);
        self.types.append_value(kind);
        self.keys.append_option(message.key());
        self.values.append_option(message.payload());
        self.headers.append_option(headers);
        Ok(())
    }

    pub(super) fn is_full(&self) -> bool {
        self.count >= ROWS || self.bytes >= BYTES
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn finish(&mut self, entity: &Entity) -> Result<RecordBatch> {
        (self.count, self.bytes) = (0, 0);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.partitions.finish()),
            Arc::new(self.offsets.finish()),
            Arc::new(self.timestamps.finish()),
            Arc::new(self.types.finish()),
            Arc::new(self.keys.finish()),
            Arc::new(self.values.finish()),
            Arc::new(self.headers.finish()),
        ];
        let names = ["partition", "offset", "timestamp", "timestamp_type", "key", "value", "headers"];
        RecordBatch::try_new(entity.schema_of(&names.map(str::to_owned)), columns)
            .map_err(|_| Error::new(Class::Unexpected, "the entity has not the fields of a topic"))
    }
}

/// One record that is to be written.
pub(super) struct Produced<'a> {
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) timestamp: i64,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    pub(super) headers: Option<OwnedHeaders>,
}

/// The columns of a batch that is to be written.
pub(super) struct Columns<'a> {
    partitions: &'a [i32],
    offsets: &'a [i64],
    timestamps: &'a [i64],
    keys: &'a BinaryArray,
    values: &'a BinaryArray,
    headers: &'a BinaryArray,
}

impl<'a> Columns<'a> {
    pub(super) fn of(batch: &'a RecordBatch) -> Result<Self> {
        fn whole<'a, T: ArrowPrimitiveType>(batch: &'a RecordBatch, name: &str) -> Result<&'a [T::Native]> {
            let array = batch.column_by_name(name).and_then(|array| array.as_primitive_opt::<T>());
            let array = array.filter(|array| array.null_count() == 0);
            array.map(|array| array.values().as_ref()).ok_or_else(|| {
                Error::new(Class::Bundle, format!("the column `{name}` is missing, of another type, or holds NULL"))
            })
        }
        let binary = |name: &str| {
            let array = batch.column_by_name(name).and_then(|array| array.as_binary_opt::<i32>());
            array.ok_or_else(|| Error::new(Class::Bundle, format!("the column `{name}` is missing or of another type")))
        };
        Ok(Self {
            partitions: whole::<Int32Type>(batch, "partition")?,
            offsets: whole::<Int64Type>(batch, "offset")?,
            timestamps: whole::<Int64Type>(batch, "timestamp")?,
            keys: binary("key")?,
            values: binary("value")?,
            headers: binary("headers")?,
        })
    }

    pub(super) fn row(&self, row: usize) -> Result<Produced<'a>> {
        fn cell(array: &BinaryArray, row: usize) -> Option<&[u8]> {
            array.is_valid(row).then(|| array.value(row))
        }
        let headers = cell(self.headers, row).map(|cell| {
            let headers = Headers::read(cell).ok_or_else(|| Error::new(Class::Bundle, "headers do not decode"))?;
            let empty = OwnedHeaders::new_with_capacity(headers.0.len());
            Ok(headers.0.iter().fold(empty, |all, (key, value)| all.insert(Header { key, value: value.as_ref() })))
        });
        let timestamp = self.timestamps[row];
        if timestamp <= 0 {
            // The driver would write the present time instead.
            return Err(Error::new(Class::Differences, "a record's time lies before 1970, which can't be written"));
        }
        Ok(Produced {
            partition: self.partitions[row],
            offset: self.offsets[row],
            timestamp,
            key: cell(self.keys, row),
            value: cell(self.values, row),
            headers: headers.transpose()?,
        })
    }
}
