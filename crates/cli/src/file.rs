//! Files that are there whole or not at all.
//!
//! Hidden here: a file is written under a temporary name beside its place, synced, and then renamed. A full disk, an error
//! or a signal leaves what was there before, and nothing beside it.

use std::fs::{self, File, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use reenact_model::{Class, Error, Result};
use tempfile::{Builder, NamedTempFile};

/// Who may read a new file: everybody whom the user's mask lets.
const USUAL: u32 = 0o666;
/// Who may read a new secret: its owner.
const SECRET: u32 = 0o600;

/// Writes a file, in the place of what was there.
pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    let failed = |error: &std::io::Error| cannot(path, error);
    let there = path.metadata().ok();
    let device = there.as_ref().is_some_and(|there| !there.is_file());
    if device || ["/dev", "/proc"].iter().any(|folder| path.starts_with(folder)) {
        // A pipe or a terminal is not replaced: it is written to.
        return fs::write(path, text).map_err(|error| failed(&error));
    }
    // What a link leads to is replaced, and not the link.
    let place = if there.is_some() { path.canonicalize().map_err(|e| failed(&e))? } else { path.to_owned() };
    let mode = there.map_or(USUAL, |there| there.permissions().mode() & 0o777);
    let temporary = beside(&place, text, mode).map_err(|error| failed(&error))?;
    temporary.persist(&place).map_err(|error| failed(&error.error))?;
    sync(&place).map_err(|error| failed(&error))
}

/// Makes a folder (0700) with secrets (0600), by name: all of them or none. What is there already is not replaced.
pub(crate) fn secrets(folder: &Path, files: &[(&str, String)]) -> Result<()> {
    let fresh = !folder.exists();
    let done = all_secrets(folder, files);
    if done.is_err() && fresh {
        // Only an empty one goes.
        let _ = fs::remove_dir(folder);
    }
    done
}

fn all_secrets(folder: &Path, files: &[(&str, String)]) -> Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|e| cannot(folder, &e))?;
    let mut written = Vec::new();
    for (name, text) in files {
        let path = folder.join(name);
        written.push((beside(&path, text, SECRET).map_err(|e| cannot(&path, &e))?, path));
    }
    let mut placed: Vec<PathBuf> = Vec::new();
    for (temporary, path) in written {
        if let Err(error) = temporary.persist_noclobber(&path) {
            for path in placed {
                let _ = fs::remove_file(path);
            }
            return Err(cannot(&path, &error.error));
        }
        placed.push(path);
    }
    sync(&folder.join(".")).map_err(|e| cannot(folder, &e))
}

/// A file with a text, on disk, beside the place that it is meant for; dropping it removes it.
fn beside(place: &Path, text: &str, mode: u32) -> std::io::Result<NamedTempFile> {
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    let mut file = Builder::new()
        .prefix(&format!(".{name}."))
        .suffix(".tmp")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder(place))?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Makes a rename in a file's folder last.
fn sync(place: &Path) -> std::io::Result<()> {
    File::open(folder(place))?.sync_all()
}

fn folder(place: &Path) -> &Path {
    place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn cannot(path: &Path, error: &std::io::Error) -> Error {
    let help = match error.kind() {
        ErrorKind::AlreadyExists => "name another place, or move away what is there",
        _ => "name a place that you may write to, with enough space",
    };
    Error::new(Class::Write, format!("`{}` can't be written: {}", path.display(), reenact_model::error::refused(error)))
        .help(help)
}
