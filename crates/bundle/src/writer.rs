//! Writing a bundle: many members at once, then one commit.
//!
//! Hidden here: what a member costs while it is open (one chunk of rows, one row group, one segment), what is removed when
//! something fails, and the order of the end: contents, removal of what is not kept, manifest. A writer takes masked rows
//! and nothing else.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use reenact_mask::Masked;
use reenact_model::digest::EntityDigest;
use reenact_model::{Class, Entity, EntityId, Error, Result, Site};
use serde::{Deserialize, Serialize};

use crate::columns::{self, Chunker};
use crate::contents::{CONTENTS_LIMIT, Contents, MemberInfo};
use crate::failure::damaged;
use crate::ids::{BundleId, MemberId};
use crate::keys::{MemberKey, Recipient, SigningKey};
use crate::manifest::{Manifest, ManifestMember};
use crate::place::Place;
use crate::rows::Reread;
use crate::seal::{Container, Sealer};

/// Writes one bundle. All methods take `&self`: agents write many members at once.
pub struct BundleWriter {
    place: Arc<dyn Place>,
    recipients: Arc<[Recipient]>,
    finished: AtomicBool,
}

impl BundleWriter {
    /// Begins a bundle that the recipients will be able to open.
    ///
    /// # Errors
    /// [`Class::Input`] if there is no recipient.
    pub fn create(place: Arc<dyn Place>, recipients: &[Recipient]) -> Result<Self> {
        if recipients.is_empty() {
            return Err(Error::new(Class::Input, "a bundle without a recipient could be read by nobody")
                .help("name at least one recipient, `age1…`"));
        }
        Ok(Self { place, recipients: recipients.into(), finished: AtomicBool::new(false) })
    }

    /// Begins a member for records of an entity, under a random id and a fresh key.
    ///
    /// # Errors
    /// [`Class::Write`] if the place does not take it.
    pub fn member(&self, entity: &Arc<Entity>) -> Result<MemberWriter> {
        let sealer = Sealer::create(&self.place, &self.recipients).map_err(|e| e.at(Site::entity(&entity.id)))?;
        Ok(MemberWriter {
            id: sealer.id(),
            key: sealer.key().clone(),
            schema: columns::schema(entity),
            entity: Arc::clone(entity),
            place: Arc::clone(&self.place),
            stage: Stage::Fresh(Box::new(sealer)),
            chunker: Chunker::default(),
            group: 0,
            digest: EntityDigest::default(),
            sealed: false,
        })
    }

    /// Removes a sealed member that will not be kept.
    ///
    /// # Errors
    /// [`Class::Write`] if it can't be removed.
    pub fn remove(&self, sealed: &Sealed) -> Result<()> {
        self.place.remove(&sealed.id)
    }

    /// Completes the bundle: seals the contents, removes every member that is not kept, signs the manifest and commits.
    ///
    /// # Errors
    /// [`Class::Unexpected`] if `contents` do not list exactly the members kept or do not describe their entities, or if
    /// the bundle is finished already; [`Class::Bundle`] if a member kept is missing or has another size;
    /// [`Class::Limit`] if the contents or the manifest grow too large; [`Class::Write`] if the place does not take it.
    pub fn finish(
        &self,
        keep: Vec<Sealed>,
        contents: &Contents,
        signer: &SigningKey,
        expires_ms: Option<i64>,
    ) -> Result<BundleId> {
        if self.finished.swap(true, Ordering::SeqCst) {
            return Err(Error::new(Class::Unexpected, "the bundle is finished already"));
        }
        self.check(&keep, contents)?;
        let mut members: Vec<ManifestMember> = keep.into_iter().map(ManifestMember::from).collect();
        let described = self.seal_contents(contents)?;
        let id = described.id;
        members.push(described);
        let manifest = Manifest::new(id, members, signer.public(), contents.tool.clone(), (now_ms(), expires_ms));
        let (file, bundle) = manifest.sign(signer)?;
        for stray in self.place.list()?.iter().filter(|id| manifest.member(id).is_none()) {
            self.place.remove(stray)?;
        }
        self.place.commit(&file)?;
        Ok(bundle)
    }

    /// Removes everything that was written and not committed.
    ///
    /// # Errors
    /// [`Class::Write`] if something can't be removed.
    pub fn abandon(&self) -> Result<()> {
        self.place.abandon()
    }

    fn check(&self, keep: &[Sealed], contents: &Contents) -> Result<()> {
        let mut kept: Vec<MemberInfo> = keep.iter().map(MemberInfo::from).collect();
        let mut listed = contents.members.clone();
        kept.sort_by_key(|member| member.id);
        listed.sort_by_key(|member| member.id);
        if kept != listed || kept.windows(2).any(|pair| pair[0].id == pair[1].id) {
            return Err(Error::new(Class::Unexpected, "the contents do not list exactly the members kept"));
        }
        for sealed in keep {
            if contents.entity(&sealed.entity).is_none() {
                return Err(Error::new(Class::Unexpected, "the contents do not describe the entity of a member")
                    .at(Site::entity(&sealed.entity)));
            }
            if self.place.size(&sealed.id)? != sealed.size {
                return Err(damaged(format_args!("member {}", sealed.id), "it has another size than was sealed")
                    .at(Site::entity(&sealed.entity)));
            }
        }
        Ok(())
    }

    fn seal_contents(&self, contents: &Contents) -> Result<ManifestMember> {
        let json = serde_json::to_vec(contents)
            .map_err(|_| Error::new(Class::Unexpected, "the contents can't be written as JSON"))?;
        if json.len() as u64 > CONTENTS_LIMIT {
            return Err(Error::new(Class::Limit, "the description of the bundle is larger than 256 MiB"));
        }
        let mut sealer = Sealer::create(&self.place, &self.recipients)?;
        sealer.append(&json)?;
        let id = sealer.id();
        sealer.finish().map(|container| entry(id, container))
    }
}

impl fmt::Debug for BundleWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BundleWriter({})", self.place.describe())
    }
}

fn entry(id: MemberId, container: Container) -> ManifestMember {
    ManifestMember {
        commitment: hex::encode(container.commitment),
        id,
        sha256: hex::encode(container.sha256),
        size: container.size,
        wrapped_key: container.wrapped_key,
    }
}

/// Milliseconds since 1970 UTC.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A member that is written to its last byte, provisional until the bundle is finished with it.
///
/// It holds no secret: its key is wrapped for the recipients. It travels from the agent that sealed it to the coordinator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// The member.
    pub id: MemberId,
    /// The entity whose records it holds.
    pub entity: EntityId,
    /// Count and content digest over the columns that a replay must reproduce ([`Entity::compared`]), in the entity's order.
    pub digest: EntityDigest,
    /// The SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// The size of the file in bytes, padding included.
    pub size: u64,
    /// What the member's key commits to, in hexadecimal.
    pub commitment: String,
    /// The member's key, sealed to all recipients: an age file in base64.
    pub wrapped_key: String,
}

impl From<Sealed> for ManifestMember {
    fn from(sealed: Sealed) -> Self {
        Self {
            commitment: sealed.commitment,
            id: sealed.id,
            sha256: sealed.sha256,
            size: sealed.size,
            wrapped_key: sealed.wrapped_key,
        }
    }
}

/// Writes one member. Dropped before [`MemberWriter::seal`], it removes what it wrote.
///
/// Only masked rows can be written. This compiles,
///
/// ```
/// fn write(writer: &mut reenact_bundle::MemberWriter, rows: &reenact_mask::Masked) {
///     let _ = writer.write(rows);
/// }
/// ```
///
/// and this, which differs in the type of the rows alone, does not:
///
/// ```compile_fail,E0308
/// fn write(writer: &mut reenact_bundle::MemberWriter, rows: &reenact_model::Captured) {
///     let _ = writer.write(rows);
/// }
/// ```
pub struct MemberWriter {
    id: MemberId,
    key: MemberKey,
    entity: Arc<Entity>,
    schema: SchemaRef,
    place: Arc<dyn Place>,
    stage: Stage,
    chunker: Chunker,
    /// The bytes of values in the row group that is being written.
    group: u64,
    digest: EntityDigest,
    sealed: bool,
}

enum Stage {
    /// No chunk is whole yet, so nothing is known of the columns.
    Fresh(Box<Sealer>),
    Writing(Box<ArrowWriter<Sealer>>),
    /// Sealed, or failed.
    Closed,
}

impl MemberWriter {
    /// Writes masked rows of this member's entity.
    ///
    /// # Errors
    /// [`Class::Write`] if the place does not take them, [`Class::Unexpected`] if they are rows of another entity; the
    /// member can't be sealed after an error.
    pub fn write(&mut self, rows: &Masked) -> Result<()> {
        let result = self.take(rows);
        if result.is_err() {
            self.stage = Stage::Closed;
        }
        result.map_err(|error| error.at(Site::entity(&self.entity.id)))
    }

    /// What reads this member again once it is sealed, with the key that only its writer has.
    pub fn reread(&self) -> Reread {
        Reread::new(Arc::clone(&self.entity), Arc::clone(&self.place), self.key.clone())
    }

    /// Writes the last rows and makes the member durable.
    ///
    /// # Errors
    /// [`Class::Write`] if the place does not take them, [`Class::Unexpected`] if an earlier write failed; the member is
    /// then removed.
    pub fn seal(mut self) -> Result<Sealed> {
        let container = self.close().map_err(|error| error.at(Site::entity(&self.entity.id)))?;
        self.stage = Stage::Closed;
        let sealed = Sealed {
            id: self.id,
            entity: self.entity.id.clone(),
            digest: self.digest,
            sha256: hex::encode(container.sha256),
            size: container.size,
            commitment: hex::encode(container.commitment),
            wrapped_key: container.wrapped_key,
        };
        self.sealed = true;
        Ok(sealed)
    }

    /// The size so far in bytes: what is written, and an estimate of what waits to be.
    pub fn bytes(&self) -> u64 {
        let waiting = self.chunker.waiting_bytes();
        match &self.stage {
            Stage::Fresh(sealer) => sealer.written() + waiting,
            Stage::Writing(writer) => writer.inner().written() + writer.in_progress_size() as u64 + waiting,
            Stage::Closed => 0,
        }
    }

    fn take(&mut self, rows: &Masked) -> Result<()> {
        if let Stage::Closed = self.stage {
            return Err(failed_before());
        }
        if rows.entity().id != self.entity.id {
            return Err(Error::new(Class::Unexpected, "rows of another entity"));
        }
        let batch = columns::with_via(&self.entity, &self.schema, rows.batch(), rows.via())?;
        self.digest.add(rows.batch(), self.entity.compared());
        self.chunker.push(batch)?;
        self.encode()
    }

    fn encode(&mut self) -> Result<()> {
        while let Some((chunk, bytes)) = self.chunker.pop() {
            let writer = self.writer(Some(&chunk))?;
            writer.write(&chunk).map_err(|error| unwritten(writer, error))?;
            let (rows, encoded) = (writer.in_progress_rows(), writer.in_progress_size());
            self.group += bytes;
            if rows >= columns::GROUP_ROWS || encoded >= columns::GROUP_ENCODED || self.group >= columns::GROUP_VALUES {
                self.end_group()?;
            }
        }
        Ok(())
    }

    /// Ends the row group; one that no reader would take is refused here already.
    fn end_group(&mut self) -> Result<()> {
        self.group = 0;
        let writer = self.writer(None)?;
        writer.flush().map_err(|error| unwritten(writer, error))?;
        match writer.flushed_row_groups().last().and_then(|group| columns::beyond_limits(group, u64::MAX)) {
            Some(why) => Err(Error::new(Class::Limit, format!("these rows can't be read back: {why}"))),
            None => Ok(()),
        }
    }

    fn close(&mut self) -> Result<Container> {
        self.chunker.close()?;
        self.encode()?;
        self.end_group()?;
        let writer = self.writer(None)?;
        writer.finish().map_err(|error| unwritten(writer, error))?;
        writer.inner_mut().finish()
    }

    /// The Parquet writer, begun by the first chunk.
    fn writer(&mut self, sample: Option<&RecordBatch>) -> Result<&mut ArrowWriter<Sealer>> {
        if let Stage::Fresh(_) = self.stage
            && let Stage::Fresh(sealer) = std::mem::replace(&mut self.stage, Stage::Closed)
        {
            let options = columns::options(&self.schema, sample);
            let writer = ArrowWriter::try_new_with_options(*sealer, Arc::clone(&self.schema), options)
                .map_err(|_| Error::new(Class::Unexpected, "the columns have no form in Parquet"))?;
            self.stage = Stage::Writing(Box::new(writer));
        }
        match &mut self.stage {
            Stage::Writing(writer) => Ok(writer),
            _ => Err(failed_before()),
        }
    }
}

fn failed_before() -> Error {
    Error::new(Class::Unexpected, "an earlier write of this member failed")
}

/// What stands behind a failure of the Parquet writer: the place's own error, if there is one.
fn unwritten(writer: &mut ArrowWriter<Sealer>, _: ParquetError) -> Error {
    let failure = writer.inner_mut().take_failure();
    failure.unwrap_or_else(|| Error::new(Class::Unexpected, "the rows can't be written as Parquet"))
}

impl Drop for MemberWriter {
    fn drop(&mut self) {
        // The sink goes first, so that a place may refuse to remove what is open.
        self.stage = Stage::Closed;
        if self.sealed {
            return;
        }
        // What can't be removed here is not in the manifest, and `abandon` or `gc` takes it.
        let _ = self.place.remove(&self.id);
    }
}

impl fmt::Debug for MemberWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemberWriter({} of {}, {})", self.id, self.entity.id, self.digest.count)
    }
}
