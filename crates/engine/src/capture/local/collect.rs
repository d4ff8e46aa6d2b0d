//! Reading, masking and sealing, within the limits.
//!
//! Hidden here: the three stages and the channels between them, which bound the memory of an agent to a few batches.

use std::sync::Arc;

use futures::StreamExt;
use reenact_bundle::{MemberWriter, Reread, Sealed};
use reenact_mask::{Masked, Masker};
use reenact_model::captured::Came;
use reenact_model::catalog::Relationship;
use reenact_model::{Captured, Class, Error, Result, Site};
use reenact_stores::{Read, Source};
use tokio::sync::mpsc;

/// What an agent may still read. The coordinator adds up what all agents read, so a capture as a whole keeps the limits too.
pub(super) struct Budget {
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) limits: (u64, u64),
}

impl Budget {
    fn spend(&mut self, rows: &Captured, relationships: &[Relationship]) -> Result<()> {
        self.rows += rows.rows() as u64;
        self.bytes += rows.bytes();
        let (most_rows, most_bytes) = self.limits;
        let (limit, what, word) = match () {
            () if self.rows > most_rows => (most_rows, "records", "rows"),
            () if self.bytes > most_bytes => (most_bytes, "bytes", "bytes"),
            () => return Ok(()),
        };
        let how = match rows.via().came() {
            Came::Root(n) => format!("of root {}", n + 1),
            Came::AsParent(n) => format!("along {}", relationships[n]),
            Came::AsChild(n) => format!("along the children of {}", relationships[n]),
        };
        let message = format!("with its records {how} the capture has more than the limit of {limit} {what}");
        Err(Error::new(Class::Limit, message)
            .help(format!("raise `limits: {{ {word}: … }}` in the pipeline, or narrow the root")))
    }
}

/// Reads, masks and seals one entity: three stages on bounded channels, so that memory is a few batches.
pub(super) async fn collect_entity(
    source: &dyn Source,
    reads: Vec<Read>,
    mut masker: Masker,
    mut member: MemberWriter,
    budget: &mut Budget,
    relationships: &[Relationship],
) -> Result<(Masker, Option<(Reread, Sealed)>)> {
    let reread = member.reread();
    let (to_mask, mut captured) = mpsc::channel::<Captured>(2);
    let (to_write, mut to_seal) = mpsc::channel::<Masked>(2);
    let masking = tokio::task::spawn_blocking(move || -> Result<Masker> {
        while let Some(rows) = captured.blocking_recv() {
            let rows = masker.apply(rows)?;
            if to_write.blocking_send(rows).is_err() {
                break;
            }
        }
        Ok(masker)
    });
    let writing = tokio::task::spawn_blocking(move || -> Result<Option<Sealed>> {
        let mut rows = 0;
        while let Some(batch) = to_seal.blocking_recv() {
            rows += batch.batch().num_rows();
            member.write(&batch)?;
        }
        if rows == 0 { Ok(None) } else { member.seal().map(Some) }
    });
    let reading = async {
        for read in reads {
            let entity = Arc::clone(&read.entity);
            let mut batches = source.read(read);
            while let Some(rows) = batches.next().await {
                let rows = rows?;
                budget.spend(&rows, relationships).map_err(|error| error.at(Site::entity(&entity.id)))?;
                // A closed channel means that a later stage failed; its own error is told below.
                if to_mask.send(rows).await.is_err() {
                    break;
                }
            }
        }
        drop(to_mask);
        Ok(())
    };
    let read = reading.await;
    let join = |_| Error::new(Class::Unexpected, "a worker stopped unexpectedly");
    let masker = masking.await.map_err(join)?;
    let sealed = writing.await.map_err(join)?;
    read?;
    let sealed = sealed?;
    Ok((masker?, sealed.map(|sealed| (reread, sealed))))
}
