//! The account under which servers run when this process is root.
//!
//! Hidden here: dropping root. PostgreSQL refuses to run as root, and none of the other servers should. A lease's folder
//! then belongs to that account, so every folder above it must let the account pass.

use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};

use reenact_model::{Class, Error, Result};

/// A user of this machine that is not root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// The home of the user whom this process runs as: what `HOME` tells, or the list of users where it tells nothing.
pub(crate) fn home() -> Option<PathBuf> {
    let told = std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    told.or_else(|| home_in(&std::fs::read_to_string("/etc/passwd").ok()?, rustix::process::geteuid().as_raw()))
}

fn home_in(users: &str, uid: u32) -> Option<PathBuf> {
    let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let mut own = fields.filter(|fields| fields.get(2).is_some_and(|id| id.parse() == Ok(uid)));
    let home = PathBuf::from(own.next()?.get(5)?);
    home.is_absolute().then_some(home)
}

impl Account {
    /// The account to run servers under: none unless this process is root; `postgres` before `nobody`.
    pub(crate) fn to_drop_to() -> Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let users = std::fs::read_to_string("/etc/passwd").map_err(|error| {
            Error::new(Class::Unreachable, format!("can't read the users of this machine: {error}"))
        })?;
        ["postgres", "nobody"].iter().find_map(|name| Self::find(&users, name)).map(Some).ok_or_else(|| {
            Error::new(Class::Unreachable, "servers are not run as root, and there is no user `postgres` or `nobody`")
                .help("run `reenact` as a user other than root, or add the user `nobody`")
        })
    }

    fn find(users: &str, name: &str) -> Option<Self> {
        users.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let (uid, gid) = (fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?);
            (fields.first() == Some(&name) && uid != 0).then(|| Self { name: name.to_owned(), uid, gid })
        })
    }

    /// Gives a file or folder to the account.
    pub(crate) fn own(&self, path: &Path) -> Result<()> {
        chown(path, Some(self.uid), Some(self.gid)).map_err(|error| {
            Error::new(Class::Write, format!("can't give `{}` to user `{}`: {error}", path.display(), self.name))
        })
    }

    /// Refuses a folder that the account can't reach.
    pub(crate) fn check_reach(&self, folder: &Path) -> Result<()> {
        for above in folder.ancestors() {
            let Ok(meta) = above.metadata() else { continue };
            let passes = match (meta.uid() == self.uid, meta.gid() == self.gid) {
                (true, _) => meta.mode() & 0o100 != 0,
                (false, true) => meta.mode() & 0o010 != 0,
                (false, false) => meta.mode() & 0o001 != 0,
            };
            if !passes {
                let message =
                    format!("user `{}`, under which servers run, can't enter `{}`", self.name, above.display());
                return Err(Error::new(Class::Unreachable, message)
                    .help(format!("set `TMPDIR` to a folder that user `{}` can reach", self.name)));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_is_read_by_its_exact_name_and_is_never_root() {
        let users =
            "root:x:0:0::/root:/bin/sh\nnobody2:x:7:7::/:/x\nnobody:x:65534:65533::/:/x\npostgres:x:0:0::/:/x\n";
        assert_eq!(Account::find(users, "nobody").map(|a| (a.uid, a.gid)), Some((65534, 65533)));
        assert_eq!(Account::find(users, "postgres"), None);
    }

    #[test]
    fn a_home_is_found_by_the_number_of_its_user() {
        let users = "a:x:10:0::/home/a:/bin/sh\nb:x:1:0:10:/home/b:/bin/sh\nc:x:7:7:::\n";
        assert_eq!(home_in(users, 1), Some(PathBuf::from("/home/b")));
        assert_eq!((home_in(users, 7), home_in(users, 8)), (None, None));
    }
}
