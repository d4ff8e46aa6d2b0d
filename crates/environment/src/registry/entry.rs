//! The record of one lease, as it stands on disk.
//!
//! Hidden here: the file format and its durability. A record is replaced as a whole: written beside, synced, renamed,
//! and the folder synced, before what it announces is done.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use reenact_model::{Class, Error, Kind, Result};
use serde::{Deserialize, Serialize};

use crate::proc::{self, Stamp};

pub(super) const FORMAT: u32 = 1;

/// A service of a lease, without its credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The service's kind.
    pub kind: Kind,
    /// `host:port`, or the path of a file.
    pub place: String,
}

/// A child process of a lease.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Started {
    #[serde(flatten)]
    pub(super) stamp: Stamp,
    pub(super) program: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) format: u32,
    pub(super) id: String,
    pub(super) created_ms: u64,
    pub(super) provider: String,
    pub(super) owner: Stamp,
    pub(super) boot: String,
    pub(super) namespace: String,
    pub(super) kept: bool,
    pub(super) dir: PathBuf,
    pub(super) paths: Vec<PathBuf>,
    pub(super) processes: Vec<Started>,
    pub(super) endpoints: BTreeMap<String, Place>,
}

impl Entry {
    /// Whether the machine was not restarted since.
    pub(super) fn this_boot(&self) -> bool {
        self.boot == proc::boot()
    }

    /// Whether process ids of the record mean the same processes to us.
    pub(super) fn same_boot(&self) -> bool {
        self.this_boot() && self.namespace == proc::namespace()
    }

    /// Whether the process that made the lease still runs.
    ///
    /// From within another container nobody can tell, so the answer is yes: only the machine's restart or an explicit
    /// `down` ends such a lease.
    pub(super) fn owner_alive(&self) -> bool {
        self.this_boot() && (self.namespace != proc::namespace() || proc::alive(self.owner))
    }

    pub(super) fn read(path: &Path) -> Result<Option<Self>> {
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(Error::new(Class::Unexpected, format!("can't read `{}`: {error}", path.display())));
            }
        };
        let entry: Self = serde_json::from_slice(&text).map_err(|error| {
            Error::new(Class::Cleanup, format!("the record `{}` does not parse: {error}", path.display()))
                .help("stop the servers that it names by hand, then remove the file")
        })?;
        if entry.format != FORMAT {
            let message =
                format!("the record `{}` has format {}, this program knows {FORMAT}", path.display(), entry.format);
            return Err(Error::new(Class::Cleanup, message).help("use the version of `reenact` that wrote it"));
        }
        Ok(Some(entry))
    }

    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let failed = |error: std::io::Error| {
            Error::new(Class::Write, format!("can't write the record of lease `{}`: {error}", self.id))
        };
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| Error::new(Class::Unexpected, format!("a lease's record does not serialise: {error}")))?;
        let own = proc::own();
        let beside = folder.join(format!("{}.{}-{}.tmp", self.id, own.pid, own.start));
        let mut file =
            File::options().write(true).create(true).truncate(true).mode(0o600).open(&beside).map_err(failed)?;
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(failed)?;
        std::fs::rename(&beside, folder.join(format!("{}.json", self.id))).map_err(failed)?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }
}

/// The process that was writing a record beside the real one, by the file's name.
pub(super) fn writer_of(name: &str) -> Option<Stamp> {
    let (pid, start) = name.strip_suffix(".tmp")?.split_once('.')?.1.split_once('-')?;
    Some(Stamp { pid: pid.parse().ok()?, start: start.parse().ok()? })
}
