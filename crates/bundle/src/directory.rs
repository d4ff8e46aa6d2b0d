//! A bundle as a directory.
//!
//! Hidden here: the write protocol. Everything is written into a sibling `.<name>.partial-<random>` (0700, files 0600); the
//! commit writes the manifest beside the members (temporary file, fsync, rename, fsync of the directory), renames the whole
//! directory to its name and fsyncs the parent. A process that dies at any instant leaves a whole bundle or a `.partial`
//! directory. The writer holds a lock on the latter while it lives, so that [`Directory::garbage`] tells a dead one.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reenact_model::{Class, Error, Result};

use crate::failure::{beyond, cannot_read, cannot_write, damaged, random};
use crate::ids::{MemberId, unhex};
use crate::place::{MANIFEST_LIMIT, MemberSink, Place};

const MANIFEST: &str = "manifest.json";
const MANIFEST_BEFORE: &str = ".manifest.json";
const MEMBER: &str = ".member";
const PARTIAL: &str = ".partial-";
/// So many files are kept open for reading.
const OPEN_FILES: usize = 64;

/// A [`Place`] that is a directory of the file system.
#[derive(Debug)]
pub struct Directory {
    /// Where the bundle is to be, or is.
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Where the files are now.
    root: PathBuf,
    /// The lock on the partial directory, until the commit.
    writing: Option<File>,
    open: BTreeMap<MemberId, Arc<File>>,
}

/// The error of a path at which no bundle stands.
fn none(path: &Path) -> Error {
    damaged(format_args!("`{}`", path.display()), "there is no bundle")
        .help("name the folder that `reenact capture … --to` wrote; one that was not finished holds no manifest")
}

impl Directory {
    /// Begins a bundle that will stand at `path`. Nothing is visible there before [`Place::commit`]; a value dropped
    /// before that leaves a `.partial` directory, which [`Directory::garbage`] lists.
    ///
    /// # Errors
    /// [`Class::Input`] if something stands at `path` already or the path has no last name, [`Class::Write`] if its
    /// parent does not exist or can't be written.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let name = path
            .file_name()
            .ok_or_else(|| Error::new(Class::Input, format!("`{}` names no bundle", path.display())))?;
        vacant(&path)?;
        let mut partial = OsString::from(".");
        partial.push(name);
        partial.push(PARTIAL);
        partial.push(hex::encode(random::<8>()?));
        let root = parent(&path).join(partial);
        let failed = |error: &io::Error| cannot_write(format_args!("`{}`", path.display()), error);
        DirBuilder::new().mode(0o700).create(&root).map_err(|error| failed(&error))?;
        let lock = File::open(&root).map_err(|error| failed(&error))?;
        // Some network file systems have no locks; there, nothing ever counts as garbage, and a person has to remove it.
        let _ = lock.try_lock();
        let state = State { root, writing: Some(lock), open: BTreeMap::new() };
        Ok(Self { path, state: Mutex::new(state) })
    }

    /// Opens the bundle that stands at `path`, to read it.
    ///
    /// # Errors
    /// [`Class::Bundle`] if there is no directory with a manifest.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        match fs::metadata(&path) {
            Ok(found) if found.is_dir() => {}
            _ => return Err(none(&path)),
        }
        if matches!(fs::symlink_metadata(path.join(MANIFEST)), Err(error) if error.kind() == io::ErrorKind::NotFound) {
            return Err(none(&path));
        }
        let state = State { root: path.clone(), writing: None, open: BTreeMap::new() };
        Ok(Self { path, state: Mutex::new(state) })
    }

    /// What captures left in `parent` that died before their commit: directories that can be removed. A directory whose
    /// writer lives is not among them, nor is one of which that can't be told.
    pub fn garbage(parent: &Path) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(parent) else { return Vec::new() };
        let mut found: Vec<PathBuf> = entries
            .filter_map(std::result::Result::ok)
            .filter(|entry| is_partial(&entry.file_name().to_string_lossy()))
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .map(|entry| entry.path())
            .filter(|path| is_abandoned(path))
            .collect();
        found.sort();
        found
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn root(&self) -> PathBuf {
        self.state().root.clone()
    }

    /// The partial directory, as long as it is one. While the answer is held nobody else creates, removes or renames
    /// anything in it, so that a bundle is never completed while it is abandoned.
    fn partial(&self) -> Result<MutexGuard<'_, State>> {
        let state = self.state();
        match state.writing {
            Some(_) => Ok(state),
            None => Err(Error::new(Class::Unexpected, "the bundle is complete and takes no more writes")),
        }
    }

    fn file(&self, id: &MemberId) -> Result<Arc<File>> {
        let mut state = self.state();
        if let Some(file) = state.open.get(id) {
            return Ok(Arc::clone(file));
        }
        let file = File::open(member(&state.root, id))
            .map(Arc::new)
            .map_err(|error| cannot_read(format_args!("member {id}"), &error))?;
        if state.open.len() >= OPEN_FILES {
            state.open.clear();
        }
        state.open.insert(*id, Arc::clone(&file));
        Ok(file)
    }
}

fn member(root: &Path, id: &MemberId) -> PathBuf {
    root.join(format!("{id}{MEMBER}"))
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn vacant(path: &Path) -> Result<()> {
    if fs::symlink_metadata(path).is_ok() {
        return Err(Error::new(Class::Input, format!("`{}` exists already", path.display()))
            .help("name another path, or remove what stands there"));
    }
    Ok(())
}

fn is_partial(name: &str) -> bool {
    name.starts_with('.') && name.rsplit_once(PARTIAL).is_some_and(|(_, random)| unhex::<8>(random).is_some())
}

fn is_abandoned(path: &Path) -> bool {
    File::open(path).is_ok_and(|directory| shows_dead_writer(&directory.try_lock()))
}

/// Whether an attempt to lock a partial directory proves that its writer is gone. Only the lock itself is a proof: whatever
/// else went wrong, a capture may still be writing there.
pub(crate) fn shows_dead_writer(attempt: &std::result::Result<(), TryLockError>) -> bool {
    attempt.is_ok()
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

struct Sink {
    file: File,
    id: MemberId,
}

impl Write for Sink {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.file.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl MemberSink for Sink {
    fn finish(self: Box<Self>) -> Result<()> {
        self.file.sync_all().map_err(|error| cannot_write(format_args!("member {}", self.id), &error))
    }
}

fn create_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

impl Place for Directory {
    fn put(&self, id: &MemberId) -> Result<Box<dyn MemberSink>> {
        let state = self.partial()?;
        let file =
            create_file(&member(&state.root, id)).map_err(|error| cannot_write(format_args!("member {id}"), &error))?;
        Ok(Box::new(Sink { file, id: *id }))
    }

    fn read_at(&self, id: &MemberId, at: u64, buf: &mut [u8]) -> Result<usize> {
        let file = self.file(id)?;
        loop {
            match file.read_at(buf, at) {
                Ok(read) => return Ok(read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(cannot_read(format_args!("member {id}"), &error)),
            }
        }
    }

    fn size(&self, id: &MemberId) -> Result<u64> {
        let found = fs::symlink_metadata(member(&self.root(), id))
            .map_err(|error| cannot_read(format_args!("member {id}"), &error))?;
        if !found.is_file() {
            return Err(damaged(format_args!("member {id}"), "it is no file"));
        }
        Ok(found.len())
    }

    fn remove(&self, id: &MemberId) -> Result<()> {
        let mut state = self.partial()?;
        state.open.remove(id);
        match fs::remove_file(member(&state.root, id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(cannot_write(format_args!("member {id}"), &error))
            }
            _ => Ok(()),
        }
    }

    fn list(&self) -> Result<Vec<MemberId>> {
        let entries = fs::read_dir(self.root()).map_err(|error| cannot_read("the directory", &error))?;
        let mut members: Vec<MemberId> = entries
            .filter_map(std::result::Result::ok)
            .filter_map(|entry| entry.file_name().to_string_lossy().strip_suffix(MEMBER)?.parse().ok())
            .collect();
        members.sort();
        Ok(members)
    }

    fn manifest(&self) -> Result<Vec<u8>> {
        let file = File::open(self.root().join(MANIFEST)).map_err(|error| cannot_read("manifest", &error))?;
        let mut bytes = Vec::new();
        file.take(MANIFEST_LIMIT + 1).read_to_end(&mut bytes).map_err(|error| cannot_read("manifest", &error))?;
        if bytes.len() as u64 > MANIFEST_LIMIT {
            return Err(beyond("manifest", "larger than 16 MiB"));
        }
        Ok(bytes)
    }

    fn commit(&self, manifest: &[u8]) -> Result<()> {
        let mut state = self.partial()?;
        let root = state.root.clone();
        vacant(&self.path)?;
        let failed = |error: io::Error| cannot_write("manifest", &error);
        let before = root.join(MANIFEST_BEFORE);
        let mut file = create_file(&before).map_err(failed)?;
        file.write_all(manifest).and_then(|()| file.sync_all()).map_err(failed)?;
        fs::rename(&before, root.join(MANIFEST)).map_err(failed)?;
        sync_directory(&root).map_err(failed)?;
        let failed = |error: io::Error| cannot_write(format_args!("`{}`", self.path.display()), &error);
        fs::rename(&root, &self.path).map_err(failed)?;
        state.root.clone_from(&self.path);
        state.writing = None;
        drop(state);
        sync_directory(&parent(&self.path)).map_err(failed)
    }

    fn abandon(&self) -> Result<()> {
        let mut state = self.state();
        if state.writing.is_none() {
            return Ok(());
        }
        state.open.clear();
        match fs::remove_dir_all(&state.root) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(cannot_write(format_args!("`{}`", state.root.display()), &error))
            }
            _ => Ok(()),
        }
    }

    fn describe(&self) -> String {
        self.path.display().to_string()
    }
}
