//! Reading records back.
//!
//! Hidden here: the Parquet reader, and how far it is trusted. It sees only bytes whose tags hold, after the footer was
//! measured; it reads one row group at a time, so that memory stays bounded; a panic of it becomes an error; and at the end
//! of a member the count and the content digest must be those that the contents state.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use reenact_mask::Masked;
use reenact_model::digest::EntityDigest;
use reenact_model::{Entity, Error, Result, Site};

use crate::bundle::Opener;
use crate::columns;
use crate::contents::MemberInfo;
use crate::failure::{beyond, damaged};
use crate::keys::MemberKey;
use crate::place::Place;
use crate::unseal::{Chunks, Unsealed};
use crate::writer::Sealed;

/// The greatest number of rows of a batch.
const BATCH: usize = 65_536;
/// What a Parquet file ends with: the footer's length and the magic.
const TAIL: usize = 8;

/// The records of an entity, member after member, in the order in which they were written: batches of at most 65,536
/// rows, all rows of which came the same way. After an error it ends.
pub struct Rows {
    entity: Arc<Entity>,
    opener: Arc<Opener>,
    members: VecDeque<MemberInfo>,
    current: Option<Member>,
    ready: VecDeque<Masked>,
}

impl Rows {
    pub(crate) fn new(entity: Arc<Entity>, opener: Arc<Opener>, members: VecDeque<MemberInfo>) -> Self {
        Self { entity, opener, members, current: None, ready: VecDeque::new() }
    }

    fn advance(&mut self) -> Result<Option<Masked>> {
        loop {
            if let Some(rows) = self.ready.pop_front() {
                return Ok(Some(rows));
            }
            if let Some(member) = &mut self.current {
                match member.batch()? {
                    Some(batch) => self.ready.extend(member.masked(&batch)?),
                    None => self.current = None,
                }
                continue;
            }
            let Some(info) = self.members.pop_front() else { return Ok(None) };
            let unsealed = self.opener.open(&info.id)?;
            self.current = Some(Member::open(Arc::clone(&self.entity), info, unsealed)?);
        }
    }
}

impl Iterator for Rows {
    type Item = Result<Masked>;

    fn next(&mut self) -> Option<Self::Item> {
        let result = self.advance();
        if result.is_err() {
            self.members.clear();
            self.current = None;
            self.ready.clear();
        }
        result.map_err(|error| error.at(Site::entity(&self.entity.id))).transpose()
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rows(of {})", self.entity.id)
    }
}

/// Reads a member that this process wrote, before the bundle is signed: what stands in it is what was meant to.
pub struct Reread {
    entity: Arc<Entity>,
    place: Arc<dyn Place>,
    key: MemberKey,
}

impl Reread {
    pub(crate) fn new(entity: Arc<Entity>, place: Arc<dyn Place>, key: MemberKey) -> Self {
        Self { entity, place, key }
    }

    /// Opens the member as it was sealed.
    ///
    /// # Errors
    /// [`reenact_model::Class::Bundle`] if it is not what was written.
    pub fn open(&self, sealed: &Sealed) -> Result<Written> {
        let info = MemberInfo::from(sealed);
        let mut commitment = [0; 32];
        hex::decode_to_slice(&sealed.commitment, &mut commitment)
            .map_err(|_| broken(&info, "its commitment is no digest"))?;
        let unsealed = Unsealed::open(&self.place, sealed.id, &self.key, &commitment, sealed.size)?;
        Ok(Written(Member::open(Arc::clone(&self.entity), info, unsealed)?))
    }
}

impl fmt::Debug for Reread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reread({})", self.entity.id)
    }
}

/// A member as it was written, in row groups that may be read side by side.
pub struct Written(Member);

impl Written {
    /// The entity whose records it holds.
    pub fn entity(&self) -> &Arc<Entity> {
        &self.0.entity
    }

    /// How many row groups it has.
    pub fn groups(&self) -> usize {
        self.0.metadata.metadata().num_row_groups()
    }

    /// Gives some columns of a row group, batch by batch; texts and bytes that were written with a dictionary come as one.
    ///
    /// # Errors
    /// [`reenact_model::Class::Bundle`] if it can't be read, and what `take` gives.
    pub fn group(
        &self,
        group: usize,
        columns: &[String],
        take: &mut dyn FnMut(&RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let (info, chunks) = (&self.0.info, &self.0.chunks);
        let wanted = ProjectionMask::columns(self.0.metadata.parquet_schema(), columns.iter().map(String::as_str));
        let file = self.0.metadata.metadata();
        let typed = |(n, field): (usize, &Arc<Field>)| {
            let has_dictionary = file.row_group(group).column(n).dictionary_page_offset().is_some();
            if has_dictionary && matches!(field.data_type(), DataType::Utf8 | DataType::Binary) {
                let values = Box::new(field.data_type().clone());
                let dictionary = DataType::Dictionary(Box::new(DataType::Int32), values);
                return Arc::new(Field::new(field.name(), dictionary, field.is_nullable()));
            }
            Arc::clone(field)
        };
        let fields = self.0.metadata.schema().fields().iter().enumerate().map(typed).collect::<Vec<_>>();
        let options =
            ArrowReaderOptions::new().with_skip_arrow_metadata(true).with_schema(Arc::new(Schema::new(fields)));
        let metadata =
            guarded(info, chunks, || ArrowReaderMetadata::try_new(Arc::clone(file), options).map_err(|_| ()))?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(chunks.clone(), metadata)
            .with_row_groups(vec![group])
            .with_projection(wanted)
            .with_batch_size(columns::CHUNK_ROWS);
        let mut reader = guarded(info, chunks, || builder.build().map_err(|_| ()))?;
        while let Some(batch) = guarded(info, chunks, || reader.next().transpose().map_err(|_| ()))? {
            take(&batch)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Written({} row groups of {})", self.groups(), self.0.entity.id)
    }
}

/// One member while it is read.
struct Member {
    entity: Arc<Entity>,
    info: MemberInfo,
    chunks: Chunks,
    metadata: ArrowReaderMetadata,
    /// The columns without the hidden ones.
    written: SchemaRef,
    next_group: usize,
    reader: Option<ParquetRecordBatchReader>,
    digest: EntityDigest,
}

impl Member {
    fn open(entity: Arc<Entity>, info: MemberInfo, unsealed: Unsealed) -> Result<Self> {
        let chunks = Chunks(Arc::new(unsealed));
        let metadata = footer(&info, &chunks)?;
        let expected = columns::schema(&entity);
        let found = metadata.schema();
        let same = found.fields().len() == expected.fields().len()
            && found.fields().iter().zip(expected.fields()).all(|(a, b)| {
                a.name() == b.name() && a.data_type() == b.data_type() && a.is_nullable() == b.is_nullable()
            });
        if !same {
            return Err(broken(&info, "its columns are not those of its entity"));
        }
        let names: Vec<String> = entity.writable().map(|field| field.name.clone()).collect();
        let written = entity.schema_of(&names);
        Ok(Self {
            entity,
            info,
            chunks,
            metadata,
            written,
            next_group: 0,
            reader: None,
            digest: EntityDigest::default(),
        })
    }

    /// The next batch with its hidden columns; at the end, the digest is compared.
    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(reader) = &mut self.reader {
                let next = guarded(&self.info, &self.chunks, || reader.next().transpose().map_err(|_| ()))?;
                match next {
                    Some(batch) => {
                        self.digest.add(&batch, self.entity.compared());
                        return Ok(Some(batch));
                    }
                    None => self.reader = None,
                }
            }
            if self.next_group == self.metadata.metadata().num_row_groups() {
                if self.digest != self.info.digest {
                    return Err(broken(&self.info, "its records are not those that the contents state"));
                }
                return Ok(None);
            }
            let builder =
                ParquetRecordBatchReaderBuilder::new_with_metadata(self.chunks.clone(), self.metadata.clone())
                    .with_row_groups(vec![self.next_group])
                    .with_batch_size(BATCH);
            self.reader = Some(guarded(&self.info, &self.chunks, || builder.build().map_err(|_| ()))?);
            self.next_group += 1;
        }
    }

    /// The rows of a batch by how they came.
    fn masked(&self, batch: &RecordBatch) -> Result<Vec<Masked>> {
        let columns = batch.columns()[..self.written.fields().len()].to_vec();
        let size = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let rows = RecordBatch::try_new_with_options(Arc::clone(&self.written), columns, &size)
            .map_err(|_| broken(&self.info, "its columns are not those of its entity"))?;
        let mut start = 0;
        let cut = |(via, length)| {
            let slice = rows.slice(start, length);
            start += length;
            reopened(&self.entity, slice, via)
        };
        Ok(columns::without_via(batch).into_iter().map(cut).collect())
    }
}

#[expect(clippy::disallowed_methods, reason = "these rows come out of a member whose signature, digest and tags hold")]
fn reopened(entity: &Arc<Entity>, rows: RecordBatch, via: reenact_model::Via) -> Masked {
    Masked::reopened(Arc::clone(entity), rows, via)
}

/// Reads the footer, once its size was measured.
fn footer(info: &MemberInfo, chunks: &Chunks) -> Result<ArrowReaderMetadata> {
    let length = chunks.0.length();
    let no_parquet = || broken(info, "it does not end as a Parquet file does");
    let tail_at = length.checked_sub(TAIL as u64).ok_or_else(no_parquet)?;
    let tail = chunks.0.read(tail_at, TAIL)?;
    let Some((size, b"PAR1")) = tail.split_first_chunk::<4>() else { return Err(no_parquet()) };
    let size = u64::from(u32::from_le_bytes(*size));
    if size > columns::FOOTER_LIMIT || size > tail_at {
        return Err(beyond(member(info), "its footer is too large"));
    }
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let metadata = guarded(info, chunks, || ArrowReaderMetadata::load(chunks, options).map_err(|_| ()))?;
    let file = metadata.metadata();
    if let Some(why) = file.row_groups().iter().find_map(|group| columns::beyond_limits(group, length)) {
        return Err(beyond(member(info), why));
    }
    let in_groups: i64 = file.row_groups().iter().map(parquet::file::metadata::RowGroupMetaData::num_rows).sum();
    let declared = i64::try_from(info.digest.count).unwrap_or(i64::MAX);
    if file.file_metadata().num_rows() != declared || in_groups != declared {
        return Err(broken(info, "it has another number of records than the contents state"));
    }
    Ok(metadata)
}

/// Runs a step of the parser: an error of the container is told as it is, one of the parser in our words, and a panic is
/// an error.
fn guarded<T>(info: &MemberInfo, chunks: &Chunks, step: impl FnOnce() -> std::result::Result<T, ()>) -> Result<T> {
    contained(step)
        .ok_or_else(|| chunks.0.take_failure().unwrap_or_else(|| broken(info, "it can't be parsed as Parquet")))
}

/// What a step gives, unless it fails or panics.
fn contained<T>(step: impl FnOnce() -> std::result::Result<T, ()>) -> Option<T> {
    catch_unwind(AssertUnwindSafe(step)).ok()?.ok()
}

fn member(info: &MemberInfo) -> String {
    format!("member {}", info.id)
}

fn broken(info: &MemberInfo, why: &str) -> Error {
    damaged(member(info), why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_parser_is_an_error() {
        assert_eq!(contained(|| Ok(1)), Some(1));
        assert_eq!(contained(|| Err::<u8, ()>(())), None);
        assert_eq!(contained::<u8>(|| panic!("as a parser may")), None);
    }
}
