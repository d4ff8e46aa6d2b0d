//! How rows become a Parquet file, and which Parquet files are read back.
//!
//! Hidden here: the hidden columns that keep how a row came, the encoding of each column, and the sizes of chunks and row
//! groups. All of it depends on the sequence of rows alone, never on how they were cut into batches, so that the same rows
//! in the same order give the same bytes. Sizes are bounded on both sides by the same rules.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use reenact_model::{Class, Entity, Error, Result, Site, Via};

/// Rows of a chunk, the unit in which rows are encoded, if they are not wide.
pub(crate) const CHUNK_ROWS: usize = 8192;
/// Bytes of a chunk, if rows are wide.
const CHUNK_BYTES: u64 = 4 << 20;
/// A row group ends after so many rows,
pub(crate) const GROUP_ROWS: usize = 131_072;
/// or so many encoded bytes,
pub(crate) const GROUP_ENCODED: usize = 8 << 20;
/// or so many bytes of values, so that reading one back never needs much more.
pub(crate) const GROUP_VALUES: u64 = 32 << 20;
/// Pages of a column chunk may hold so many bytes uncompressed,
const FREE_BYTES: i64 = 128 << 20;
/// and beyond that no more than so many times their size in the file.
const MAX_RATIO: i64 = 1000;
/// The greatest footer that is read.
pub(crate) const FOOTER_LIMIT: u64 = 64 << 20;
/// So many values decide how a column is encoded.
const SAMPLE: usize = 4096;

const VIA: &str = "__via";
const DEPTH: &str = "__depth";

/// The columns of an entity's member: all writable ones in the entity's order, then the hidden ones.
pub(crate) fn schema(entity: &Entity) -> SchemaRef {
    let written = entity.writable().map(|field| Field::new(&field.name, field.value.arrow(), true));
    let hidden = [VIA, DEPTH].map(|name| Field::new(name, DataType::Int32, false));
    Arc::new(Schema::new(written.chain(hidden).collect::<Vec<_>>()))
}

/// Adds the hidden columns to the rows of an entity.
pub(crate) fn with_via(entity: &Entity, schema: &SchemaRef, rows: &RecordBatch, via: Via) -> Result<RecordBatch> {
    let expected = &schema.fields()[..schema.fields().len() - 2];
    let given = rows.schema_ref().fields();
    let fits = given.len() == expected.len()
        && given.iter().zip(expected).all(|(a, b)| a.name() == b.name() && a.data_type() == b.data_type());
    let unfit =
        || Error::new(Class::Unexpected, "rows do not have their entity's columns").at(Site::entity(&entity.id));
    if !fits {
        return Err(unfit());
    }
    let hidden =
        [via.code, via.depth].map(|value| Arc::new(Int32Array::from_value(value, rows.num_rows())) as ArrayRef);
    let columns = rows.columns().iter().cloned().chain(hidden).collect();
    RecordBatch::try_new(Arc::clone(schema), columns).map_err(|_| unfit())
}

/// Takes the hidden columns off again: the rows by how they came, in order, and the rows of each run.
pub(crate) fn without_via(batch: &RecordBatch) -> Vec<(Via, usize)> {
    let columns = batch.columns();
    let [.., codes, depths] = columns else { return Vec::new() };
    let codes = codes.as_primitive::<arrow::datatypes::Int32Type>().values();
    let depths = depths.as_primitive::<arrow::datatypes::Int32Type>().values();
    let mut runs: Vec<(Via, usize)> = Vec::new();
    for (code, depth) in codes.iter().zip(depths) {
        let via = Via { code: *code, depth: *depth };
        match runs.last_mut() {
            Some((last, rows)) if *last == via => *rows += 1,
            _ => runs.push((via, 1)),
        }
    }
    runs
}

/// Cuts a sequence of batches into chunks that depend on the rows alone.
#[derive(Default)]
pub(crate) struct Chunker {
    waiting: Vec<RecordBatch>,
    rows: usize,
    bytes: u64,
    /// Whole chunks and the bytes of their values.
    ready: VecDeque<(RecordBatch, u64)>,
}

impl Chunker {
    /// Takes the next rows.
    pub(crate) fn push(&mut self, mut batch: RecordBatch) -> Result<()> {
        while batch.num_rows() > 0 {
            let widths = Widths::new(&batch);
            let most = batch.num_rows().min(CHUNK_ROWS - self.rows);
            let take = widths.rows_until(CHUNK_BYTES.saturating_sub(self.bytes), most);
            self.rows += take;
            self.bytes += widths.first(take);
            self.waiting.push(batch.slice(0, take));
            if self.rows == CHUNK_ROWS || self.bytes >= CHUNK_BYTES {
                self.close()?;
            }
            batch = batch.slice(take, batch.num_rows() - take);
        }
        Ok(())
    }

    /// Makes a chunk of what waits.
    pub(crate) fn close(&mut self) -> Result<()> {
        let Some(first) = self.waiting.first() else { return Ok(()) };
        let chunk = if self.waiting.len() == 1 {
            self.waiting.remove(0)
        } else {
            concat_batches(&first.schema(), &self.waiting)
                .map_err(|_| Error::new(Class::Unexpected, "batches can't be joined"))?
        };
        self.ready.push_back((chunk, self.bytes));
        self.waiting.clear();
        (self.rows, self.bytes) = (0, 0);
        Ok(())
    }

    /// The next whole chunk, and the bytes of its values.
    pub(crate) fn pop(&mut self) -> Option<(RecordBatch, u64)> {
        self.ready.pop_front()
    }

    /// The bytes of the values that wait.
    pub(crate) fn waiting_bytes(&self) -> u64 {
        self.bytes
    }
}

/// The bytes that the first rows of a batch take.
struct Widths<'a> {
    fixed: u64,
    offsets: Vec<&'a [i32]>,
}

impl<'a> Widths<'a> {
    fn new(batch: &'a RecordBatch) -> Self {
        let (mut fixed, mut offsets) = (0, Vec::new());
        for column in batch.columns() {
            match column.data_type() {
                DataType::Utf8 => offsets.push(column.as_string::<i32>().value_offsets()),
                DataType::Binary => offsets.push(column.as_binary::<i32>().value_offsets()),
                other => fixed += other.primitive_width().unwrap_or(1) as u64,
            }
        }
        Self { fixed: fixed + 4 * offsets.len() as u64, offsets }
    }

    fn first(&self, rows: usize) -> u64 {
        let variable: u64 = self.offsets.iter().map(|o| u64::from(o[rows].abs_diff(o[0]))).sum();
        self.fixed * rows as u64 + variable
    }

    /// The least number of rows, at least one and at most `most`, that reach `bytes`.
    fn rows_until(&self, bytes: u64, most: usize) -> usize {
        let (mut low, mut high) = (1, most);
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.first(middle) >= bytes { high = middle } else { low = middle + 1 }
        }
        low
    }
}

/// How a file is written, decided by its first rows.
pub(crate) fn options(schema: &Schema, sample: Option<&RecordBatch>) -> ArrowWriterOptions {
    let level = ZstdLevel::try_new(1).unwrap_or_default();
    let mut properties = WriterProperties::builder()
        .set_created_by("reenact version 1.0.0".to_owned())
        .set_compression(Compression::ZSTD(level))
        // Statistics and indexes would tell values twice, and nothing here searches by them.
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .set_data_page_row_count_limit(GROUP_ROWS)
        .set_data_page_size_limit(1 << 20)
        .set_max_row_group_row_count(None)
        .set_max_row_group_bytes(None);
    let hidden = schema.fields().len() - 2;
    for (index, field) in schema.fields().iter().enumerate() {
        let path = ColumnPath::new(vec![field.name().clone()]);
        let repetitive = index >= hidden || sample.is_some_and(|rows| is_repetitive(rows.column(index)));
        properties = properties.set_column_dictionary_enabled(path.clone(), repetitive);
        if let (false, Some(encoding)) = (repetitive, plain_encoding(field.data_type())) {
            properties = properties.set_column_encoding(path, encoding);
        }
    }
    ArrowWriterOptions::new()
        .with_properties(properties.build())
        .with_skip_arrow_metadata(true)
        .with_schema_root("records".to_owned())
}

/// The encoding of a column without a dictionary, if it is not `PLAIN`.
fn plain_encoding(data_type: &DataType) -> Option<Encoding> {
    match data_type {
        DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt64
        | DataType::Date32
        | DataType::Time64(_)
        | DataType::Timestamp(..) => Some(Encoding::DELTA_BINARY_PACKED),
        // Lengths apart from bytes: one copy less, and the compressor sees nothing but text.
        DataType::Utf8 | DataType::Binary => Some(Encoding::DELTA_LENGTH_BYTE_ARRAY),
        _ => None,
    }
}

/// Whether a dictionary pays: a row group has at least three times as many rows as the column has distinct values, by what a
/// sample tells.
fn is_repetitive(column: &ArrayRef) -> bool {
    let present: Vec<usize> = (0..column.len().min(SAMPLE)).filter(|row| column.is_valid(*row)).collect();
    let distinct = match column.data_type() {
        DataType::Boolean => return false,
        DataType::Utf8 => {
            let texts = column.as_string::<i32>();
            estimate(present.iter().map(|row| texts.value(*row).as_bytes()))
        }
        DataType::Binary => {
            let values = column.as_binary::<i32>();
            estimate(present.iter().map(|row| values.value(*row)))
        }
        other => {
            let data = column.to_data();
            let (Some(width), Some(buffer)) = (other.primitive_width(), data.buffers().first()) else { return false };
            let bytes = &buffer.as_slice()[data.offset() * width..];
            estimate(present.iter().map(|row| &bytes[row * width..(row + 1) * width]))
        }
    };
    // Fewer rows than a sample are all that there are.
    let rows = if column.len() < SAMPLE { present.len() } else { GROUP_ROWS };
    distinct.saturating_mul(3) <= rows
}

/// How many distinct values there are, by how many of a sample came once and twice (Chao, 1984).
fn estimate<'a>(sample: impl Iterator<Item = &'a [u8]>) -> usize {
    let mut counts: HashMap<&[u8], usize> = HashMap::new();
    for value in sample {
        *counts.entry(value).or_default() += 1;
    }
    let came = |times: usize| counts.values().filter(|count| **count == times).count();
    let (once, twice) = (came(1), came(2));
    counts.len() + once * once.saturating_sub(1) / (2 * (twice + 1))
}

/// Why a row group is beyond what a reader takes, if it is.
pub(crate) fn beyond_limits(group: &RowGroupMetaData, file: u64) -> Option<&'static str> {
    if usize::try_from(group.num_rows()).map_or(true, |rows| rows > GROUP_ROWS + CHUNK_ROWS) {
        return Some("a row group has too many rows");
    }
    for column in group.columns() {
        let (packed, plain) = (column.compressed_size(), column.uncompressed_size());
        let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
        if packed < 0 || plain < 0 || start < 0 || column.data_page_offset() < 0 {
            return Some("a size or an offset is negative");
        }
        let end = start.checked_add(packed).and_then(|end| u64::try_from(end).ok());
        if end.is_none_or(|end| end > file) {
            return Some("a column lies outside of the file");
        }
        if plain > FREE_BYTES && plain / MAX_RATIO > packed {
            return Some("a column is compressed too far to be true");
        }
    }
    None
}
