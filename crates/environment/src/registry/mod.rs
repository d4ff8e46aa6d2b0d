//! The clean-up registry: what was created on this machine, written down before it was created.
//!
//! Hidden here: how a lease is found and removed after its owner was killed at any instant. Order is what makes it work:
//! the record with the lease's folder is on disk before the folder is made; a child's process id is added as soon as
//! there is one, and in the instant before that the child is found by the log of the lease that it writes to, or by the
//! variable in its environment together with the folder that it works in. Removal goes the other way: processes, folders, record. Each step takes "not found" for done, so it can be repeated.
//! Passwords are never here.

mod entry;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reenact_model::{Class, Error, Result};

pub use entry::Place;
use entry::{Entry, FORMAT, Started, writer_of};

use crate::account::{self, Account};
use crate::lease::Lease;
use crate::names::random_hex;
use crate::proc;

/// The register of one user's leases: a folder with one record per lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registry {
    folder: PathBuf,
}

/// What the register knows of a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseInfo {
    /// The lease's id.
    pub id: String,
    /// When it was begun.
    pub created: SystemTime,
    /// The name of the provider that made it.
    pub provider: String,
    /// Whether the process that made it still runs.
    pub owner_alive: bool,
    /// Whether it is to outlive that process.
    pub kept: bool,
    /// Its services without credentials; empty until all of them answer.
    pub endpoints: BTreeMap<String, Place>,
    /// The lease's own folder.
    pub dir: PathBuf,
}

impl Registry {
    /// Opens the user's register: `$REENACT_STATE_DIR`, else `$XDG_STATE_HOME/reenact`, else `~/.local/state/reenact`.
    ///
    /// # Errors
    ///
    /// [`Class::Input`] if no such folder can be named, [`Class::Write`] if it can't be made.
    pub fn open() -> Result<Self> {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let state = variable("REENACT_STATE_DIR")
            .or_else(|| variable("XDG_STATE_HOME").map(|state| state.join("reenact")))
            .or_else(|| account::home().map(|home| home.join(".local/state/reenact")))
            .ok_or_else(|| {
                Error::new(Class::Input, "there is no folder to register what is created")
                    .help("set `REENACT_STATE_DIR`")
            })?;
        Self::at(state)
    }

    /// Opens the register in a state folder, which is made (0700) if it is missing.
    ///
    /// # Errors
    ///
    /// [`Class::Write`] if the folder can't be made.
    pub fn at(state: impl AsRef<Path>) -> Result<Self> {
        let folder = state.as_ref().join("leases");
        let made = std::fs::DirBuilder::new().mode(0o700).recursive(true).create(&folder);
        let folder = made.and_then(|()| folder.canonicalize()).map_err(|error| {
            Error::new(Class::Write, format!("can't use the state folder `{}`: {error}", state.as_ref().display()))
                .help("set `REENACT_STATE_DIR` to a folder that you may write to")
        })?;
        Ok(Self { folder })
    }

    /// All leases, oldest first.
    ///
    /// # Errors
    ///
    /// [`Class::Cleanup`] if a record does not parse.
    pub fn list(&self) -> Result<Vec<LeaseInfo>> {
        let mut leases = Vec::new();
        for id in self.ids()? {
            if let Some(entry) = self.entry(&id)? {
                leases.push(LeaseInfo {
                    owner_alive: entry.owner_alive(),
                    created: UNIX_EPOCH + Duration::from_millis(entry.created_ms),
                    id: entry.id,
                    provider: entry.provider,
                    kept: entry.kept,
                    endpoints: entry.endpoints,
                    dir: entry.dir,
                });
            }
        }
        leases.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        Ok(leases)
    }

    /// Marks a lease that is to outlive the process that made it.
    ///
    /// # Errors
    ///
    /// [`Class::Input`] if there is no such lease.
    pub fn keep(&self, id: &str) -> Result<()> {
        let mut entry = self.entry(id)?.ok_or_else(|| unknown(id))?;
        entry.kept = true;
        entry.write(&self.folder)
    }

    /// Loads a lease, credentials included, that this or another process made.
    ///
    /// # Errors
    ///
    /// [`Class::Input`] if there is no such lease, or if it never came up as a whole.
    pub fn load(&self, id: &str) -> Result<Lease> {
        let entry = self.entry(id)?.ok_or_else(|| unknown(id))?;
        Lease::read(&entry.dir)?.ok_or_else(|| {
            Error::new(Class::Input, format!("lease `{id}` never came up as a whole"))
                .help(format!("remove it with `reenact down {id}`"))
        })
    }

    /// Removes a lease and everything that belongs to it; one that is gone already is no error.
    ///
    /// # Errors
    ///
    /// [`Class::Cleanup`] lists what could not be removed.
    pub async fn down(&self, id: &str) -> Result<()> {
        let Some(entry) = self.entry(id)? else { return Ok(()) };
        let registered: Vec<_> =
            if entry.same_boot() { entry.processes.iter().map(|p| p.stamp).collect() } else { Vec::new() };
        let claim =
            proc::Claim { id, dir: &entry.dir, paths: &entry.paths, owner: entry.owner, registered: &registered };
        // No process outlives the machine's restart.
        let mut left = if entry.this_boot() { proc::stop(claim).await } else { Vec::new() };
        if left.is_empty() {
            for path in entry.paths.iter().rev().chain([&entry.dir]) {
                left.extend(remove_tree(path, id).await.err());
            }
        }
        if !left.is_empty() {
            return Err(leftovers(&left));
        }
        self.forget(id)
    }

    /// Removes every lease of this register, kept ones too; returns their ids.
    ///
    /// # Errors
    ///
    /// [`Class::Cleanup`] lists what could not be removed.
    pub async fn down_all(&self) -> Result<Vec<String>> {
        self.remove(|_| true).await
    }

    /// Removes the leases that this process made and that are not kept: for the end after an interrupt.
    ///
    /// # Errors
    ///
    /// [`Class::Cleanup`] lists what could not be removed.
    pub async fn down_own(&self) -> Result<Vec<String>> {
        let own = proc::own();
        self.remove(|entry| entry.owner == own && entry.same_boot() && !entry.kept).await
    }

    /// Removes the leases whose owner is gone and that are not kept; returns their ids.
    ///
    /// # Errors
    ///
    /// [`Class::Cleanup`] lists what could not be removed.
    pub async fn gc(&self) -> Result<Vec<String>> {
        for name in self.names()? {
            if writer_of(&name).is_some_and(|writer| !proc::alive(writer)) {
                // Nothing was created for a record that was never put in place.
                let _ = std::fs::remove_file(self.folder.join(&name));
            }
        }
        self.remove(|entry| !entry.kept && !entry.owner_alive()).await
    }

    /// Registers a folder without services, then makes it (0700) where the system keeps temporary files; its name begins
    /// with `prefix`. It goes away like a lease: by [`Registry::down`], or by [`Registry::gc`] once this process is gone.
    ///
    /// # Errors
    ///
    /// [`Class::Write`] if it can't be registered or made.
    pub fn folder(&self, prefix: &str) -> Result<(String, PathBuf)> {
        let draft = self.begin_as(prefix, &std::env::temp_dir(), None, |id| format!("{prefix}-{id}"))?;
        Ok((draft.id, draft.dir))
    }

    /// Takes a folder of [`Registry::folder`] off the register, so that it stays.
    ///
    /// # Errors
    ///
    /// [`Class::Cleanup`] if the record can't be removed.
    pub fn forget(&self, id: &str) -> Result<()> {
        if !is_id(id) {
            return Err(no_id());
        }
        match std::fs::remove_file(self.record(id)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(leftovers(&[format!("the record of lease `{id}`: {error}")]))
            }
            _ => Ok(()),
        }
    }

    /// Registers a new lease, then makes its folder below `base`.
    pub(crate) fn begin(&self, provider: &str, base: &Path, account: Option<&Account>) -> Result<Draft> {
        self.begin_as(provider, base, account, folder_name)
    }

    fn begin_as(
        &self,
        provider: &str,
        base: &Path,
        account: Option<&Account>,
        name: impl Fn(&str) -> String,
    ) -> Result<Draft> {
        let cannot = |error| Error::new(Class::Write, format!("can't use the folder `{}`: {error}", base.display()));
        let base = base.canonicalize().map_err(cannot)?;
        if let Some(account) = account {
            account.check_reach(&base)?;
        }
        let id = random_hex(8)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let entry = Entry {
            format: FORMAT,
            dir: base.join(name(&id)),
            id,
            created_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            provider: provider.to_owned(),
            owner: proc::own(),
            boot: proc::boot(),
            namespace: proc::namespace(),
            kept: false,
            paths: Vec::new(),
            processes: Vec::new(),
            endpoints: BTreeMap::new(),
        };
        entry.write(&self.folder)?;
        std::fs::DirBuilder::new().mode(0o700).create(&entry.dir).map_err(cannot)?;
        if let Some(account) = account {
            account.own(&entry.dir)?;
        }
        Ok(Draft { id: entry.id.clone(), dir: entry.dir.clone(), registry: self.clone(), entry: Mutex::new(entry) })
    }

    async fn remove(&self, which: impl Fn(&Entry) -> bool) -> Result<Vec<String>> {
        let (mut removed, mut left) = (Vec::new(), Vec::new());
        for id in self.ids()? {
            match self.entry(&id) {
                Ok(Some(entry)) if which(&entry) => match self.down(&id).await {
                    Ok(()) => removed.push(id),
                    Err(error) => left.push(error.message().to_owned()),
                },
                Ok(_) => {}
                Err(error) => left.push(error.message().to_owned()),
            }
        }
        if left.is_empty() { Ok(removed) } else { Err(leftovers(&left)) }
    }

    fn entry(&self, id: &str) -> Result<Option<Entry>> {
        if !is_id(id) {
            return Err(no_id());
        }
        Entry::read(&self.record(id))
    }

    fn record(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}.json"))
    }

    fn names(&self) -> Result<Vec<String>> {
        let cannot = |error| Error::new(Class::Unexpected, format!("can't read `{}`: {error}", self.folder.display()));
        let mut names = Vec::new();
        for item in std::fs::read_dir(&self.folder).map_err(cannot)? {
            names.extend(item.map_err(cannot)?.file_name().into_string());
        }
        names.sort();
        Ok(names)
    }

    fn ids(&self) -> Result<Vec<String>> {
        let id = |name: String| name.strip_suffix(".json").filter(|id| is_id(id)).map(str::to_owned);
        Ok(self.names()?.into_iter().filter_map(id).collect())
    }
}

/// A lease that is coming up: its record in memory and on disk.
#[derive(Debug)]
pub(crate) struct Draft {
    id: String,
    dir: PathBuf,
    registry: Registry,
    entry: Mutex<Entry>,
}

impl Draft {
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Registers a child process.
    pub(crate) fn process(&self, pid: u32, program: &str) -> Result<()> {
        // One that has ended already needs no record.
        let Some(stamp) = i32::try_from(pid).ok().and_then(proc::stamp) else { return Ok(()) };
        let mut entry = self.lock();
        entry.processes.push(Started { stamp, program: program.to_owned() });
        entry.write(&self.registry.folder)
    }

    /// Registers a path outside the lease's folder that is about to be created; its name must hold the lease's id.
    pub(crate) fn path(&self, path: &Path) -> Result<()> {
        let mut entry = self.lock();
        entry.paths.push(path.to_owned());
        entry.write(&self.registry.folder)
    }

    /// Registers the services and saves their credentials in the lease's folder.
    pub(crate) fn finish(&self, lease: &Lease) -> Result<()> {
        lease.save()?;
        let mut entry = self.lock();
        let place = |(name, endpoint): (&String, &crate::Endpoint)| {
            (name.clone(), Place { kind: endpoint.kind, place: endpoint.dsn.place() })
        };
        entry.endpoints = lease.endpoints.iter().map(place).collect();
        entry.write(&self.registry.folder)
    }

    fn lock(&self) -> MutexGuard<'_, Entry> {
        self.entry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_id(id: &str) -> bool {
    id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn no_id() -> Error {
    Error::new(Class::Input, "a lease's id has 16 hexadecimal digits")
}

fn folder_name(id: &str) -> String {
    format!("reenact-{id}")
}

fn unknown(id: &str) -> Error {
    Error::new(Class::Input, format!("there is no lease `{id}`")).help("list them with `reenact ps`")
}

fn leftovers(left: &[String]) -> Error {
    let prefix = "could not be removed: ";
    let items: Vec<&str> = left.iter().map(|item| item.strip_prefix(prefix).unwrap_or(item)).collect();
    Error::new(Class::Cleanup, format!("{prefix}{}", items.join("; "))).help("repeat with `reenact gc`")
}

/// Removes a folder or file of a lease, unless a damaged record points at something else.
async fn remove_tree(path: &Path, id: &str) -> std::result::Result<(), String> {
    let ours = path.is_absolute() && path.file_name().and_then(|name| name.to_str()).is_some_and(|n| n.contains(id));
    if !ours {
        return Err(format!("`{}`, which does not look like a part of lease `{id}`", path.display()));
    }
    let target = path.to_owned();
    let removed = tokio::task::spawn_blocking(move || match std::fs::remove_dir_all(&target) {
        Err(error) if error.kind() == ErrorKind::NotADirectory => std::fs::remove_file(&target),
        other => other,
    })
    .await;
    match removed {
        Ok(Err(error)) if error.kind() != ErrorKind::NotFound => Err(format!("`{}`: {error}", path.display())),
        Ok(_) => Ok(()),
        Err(error) => Err(format!("`{}`: {error}", path.display())),
    }
}
