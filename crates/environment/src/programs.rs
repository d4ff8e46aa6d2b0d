//! Where server programs stand on this machine, and which package brings them.
//!
//! Hidden here: folders that distributions keep off `PATH`, and the choice between two versions.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use reenact_model::{Class, Error, Result};

/// The folders that are searched, in order.
#[derive(Clone, Debug)]
pub(crate) struct SearchPath(Vec<PathBuf>);

impl SearchPath {
    /// `PATH`, then the folders where distributions put servers; or exactly those of `REENACT_PROGRAMS`.
    pub(crate) fn of_system() -> Self {
        if let Some(folders) = std::env::var_os("REENACT_PROGRAMS").filter(|folders| !folders.is_empty()) {
            return Self(std::env::split_paths(&folders).collect());
        }
        let mut folders: Vec<PathBuf> =
            std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
        let fixed = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/libexec"];
        folders.extend(fixed.iter().map(PathBuf::from));
        folders.extend(versions(Path::new("/usr/lib/postgresql")));
        folders.extend(std::env::var_os("JAVA_HOME").map(|home| PathBuf::from(home).join("bin")));
        Self(folders)
    }

    /// Exactly these folders.
    pub(crate) fn only(folders: Vec<PathBuf>) -> Self {
        Self(folders)
    }

    /// The first of the programs that is there, trying each name in every folder before the next name.
    pub(crate) fn find(&self, names: &[&str]) -> Option<PathBuf> {
        names.iter().find_map(|name| self.0.iter().map(|folder| folder.join(name)).find(|path| executable(path)))
    }

    /// The first folder that holds all of the programs.
    pub(crate) fn folder_of(&self, names: &[&str]) -> Option<&Path> {
        self.0.iter().find(|folder| names.iter().all(|name| executable(&folder.join(name)))).map(PathBuf::as_path)
    }

    /// As the value of `PATH`, for a child process.
    pub(crate) fn joined(&self) -> std::ffi::OsString {
        std::env::join_paths(&self.0).unwrap_or_default()
    }
}

/// The `bin` folders below, the highest version first.
fn versions(root: &Path) -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir(root)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, folder)| folder).collect()
}

fn executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// The error for a program that is nowhere.
pub(crate) fn missing(program: &str, help: &str) -> Error {
    Error::new(Class::Unreachable, format!("the program `{program}` is not on this machine")).help(help)
}

/// The first of the programs, or the error that says what to install.
pub(crate) fn require(search: &SearchPath, names: &[&str], help: &str) -> Result<PathBuf> {
    search.find(names).ok_or_else(|| missing(names.first().copied().unwrap_or_default(), help))
}
