//! Child processes of a lease: where they run, under whom, and how long one waits for them.
//!
//! Hidden here: that every child is in a process group of its own (so that Ctrl-C reaches us and not the servers), sees
//! none of our environment but what it needs (so that no production URL leaks into a server), carries the lease's id, is
//! registered the moment it has a process id, and is watched for an early death while one waits for its first answer.

use std::collections::VecDeque;
use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use reenact_model::{Class, Error, Result};
use tokio::process::{Child, Command};

use crate::LEASE_VARIABLE;
use crate::account::Account;
use crate::lease::secret_file;
use crate::proc::LOG;
use crate::programs::SearchPath;
use crate::registry::Draft;

/// How long a server may take until it answers.
const READY: Duration = Duration::from_mins(1);
/// How long one request may take before it is asked again.
const PROBE: Duration = Duration::from_secs(3);
/// Between two requests.
const POLL: Duration = Duration::from_millis(20);
/// How often a server is started anew after an early death: somebody may have taken its port.
const ATTEMPTS: u32 = 3;
/// What of our own environment a server sees.
const PASSED_ON: [&str; 3] = ["JAVA_HOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"];
/// How many ports this process remembers to have handed out.
const REMEMBERED: usize = 512;

/// What a server is started on: the lease's folder and record, the account, and the programs.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) draft: Draft,
    pub(crate) account: Option<Account>,
    pub(crate) search: SearchPath,
}

impl Ground {
    /// Makes a folder (0700) inside the lease's.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.draft.dir().join(name);
        std::fs::DirBuilder::new().mode(0o700).create(&path).map_err(|error| {
            Error::new(Class::Write, format!("can't create the folder `{}`: {error}", path.display()))
        })?;
        self.hand_over(&path)?;
        Ok(path)
    }

    /// Writes a file (0600) that the servers' account may read; what is there already is replaced.
    pub(crate) fn file(&self, path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
        remove_file(path)?;
        secret_file(path, content.as_ref())
            .map_err(|error| Error::new(Class::Write, format!("can't write `{}`: {error}", path.display())))?;
        self.hand_over(path)
    }

    /// Gives something to the servers' account, if they run under one of their own.
    pub(crate) fn hand_over(&self, path: &Path) -> Result<()> {
        self.account.as_ref().map_or(Ok(()), |account| account.own(path))
    }

    /// A command that runs in a folder, under the servers' account, with next to nothing in its environment.
    pub(crate) fn command(&self, program: &Path, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear();
        for name in PASSED_ON {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("PATH", self.search.joined()).env("HOME", folder).env("TMPDIR", folder).env("TZ", "UTC");
        command.env("LC_ALL", "C").current_dir(folder);
        if let Some(account) = &self.account {
            command.uid(account.uid).gid(account.gid);
        }
        command
    }

    /// Starts a command whose output goes to the log in a folder; by this log, too, it is known to belong to the lease.
    pub(crate) fn spawn(&self, name: &'static str, mut command: Command, folder: &Path) -> Result<Server> {
        let log = folder.join(LOG);
        let output = File::options().append(true).create(true).open(&log);
        let (out, err) = output
            .and_then(|file| Ok((file.try_clone()?, file)))
            .map_err(|error| Error::new(Class::Write, format!("can't write `{}`: {error}", log.display())))?;
        command.env(LEASE_VARIABLE, self.draft.id()).process_group(0);
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        let child = command
            .spawn()
            .map_err(|error| Error::new(Class::Unreachable, format!("`{name}` does not start: {error}")))?;
        if let Some(pid) = child.id() {
            self.draft.process(pid, name)?;
        }
        Ok(Server { name, child, log })
    }

    /// Runs a command to its end, which must be a good one; its output goes to the log in a folder.
    pub(crate) async fn run(&self, name: &'static str, command: Command, folder: &Path) -> Result<()> {
        let mut server = self.spawn(name, command, folder)?;
        match server.child.wait().await {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(server.failure(&status.to_string())),
            Err(error) => Err(Error::new(Class::Unexpected, format!("can't wait for `{name}`: {error}"))),
        }
    }
}

/// Removes a file that may be gone already.
pub(crate) fn remove_file(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::new(Class::Write, format!("can't remove `{}`: {error}", path.display())))
        }
        _ => Ok(()),
    }
}

/// Why a server did not come up.
pub(crate) enum Failure {
    /// It ended by itself; another port may help.
    Ended(Error),
    /// Trying again would not help.
    Final(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

/// Counts how often a server was started.
#[derive(Debug, Default)]
pub(crate) struct Attempts(u32);

impl Attempts {
    /// Returns if another attempt is due, else the error.
    pub(crate) fn again(&mut self, failure: Failure) -> Result<()> {
        self.0 += 1;
        match failure {
            Failure::Ended(_) if self.0 < ATTEMPTS => Ok(()),
            Failure::Ended(error) | Failure::Final(error) => Err(error),
        }
    }
}

/// A started server. Dropping it leaves the server running; the lease's record knows it.
#[derive(Debug)]
pub(crate) struct Server {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Asks until a request succeeds, the server ends, or the time is over.
    pub(crate) async fn until_ready<T, F: Future<Output = Option<T>>>(
        &mut self,
        mut request: impl FnMut() -> F,
    ) -> std::result::Result<T, Failure> {
        let deadline = Instant::now() + READY;
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(Failure::Ended(self.failure(&status.to_string())));
            }
            if let Ok(Some(answer)) = tokio::time::timeout(PROBE, request()).await {
                return Ok(answer);
            }
            if Instant::now() >= deadline {
                let why = format!("no answer within {} s", READY.as_secs());
                return Err(Failure::Final(self.failure(&why)));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn failure(&self, why: &str) -> Error {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let folder = self.log.parent().unwrap_or(&self.log);
        if is_full(folder) || tells_of_no_space(&log) {
            let message = format!("no space is left in `{}`, where `{}` runs", folder.display(), self.name);
            return Error::new(Class::Write, message)
                .help("free some space there, or set `TMPDIR` to a folder that has more");
        }
        let said = last_words(&log);
        let said = if said.is_empty() { String::new() } else { format!("; it said: {said}") };
        Error::new(Class::Unreachable, format!("`{}` did not come up ({why}){said}", self.name))
    }
}

/// Whether nothing more can be written into a folder.
fn is_full(folder: &Path) -> bool {
    rustix::fs::statvfs(folder).is_ok_and(|found| found.f_bavail == 0 && found.f_blocks > 0)
}

/// Whether a server said in its last words that its disk is full; some remove what they wrote before they end.
fn tells_of_no_space(log: &[u8]) -> bool {
    let tail = String::from_utf8_lossy(&log[log.len().saturating_sub(64 << 10)..]).to_lowercase();
    ["no space left on device", "errcode: 28", "disk is full", "disk quota exceeded"]
        .iter()
        .any(|words| tail.contains(words))
}

/// The last lines of a log, short, and without anything that could be one of our passwords.
fn last_words(log: &[u8]) -> String {
    let tail = &log[log.len().saturating_sub(4096)..];
    let text = String::from_utf8_lossy(tail);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(4)..];
    let words: Vec<String> =
        last.iter().map(|line| without_secrets(&line.chars().take(240).collect::<String>())).collect();
    words.join(" | ")
}

/// Replaces what looks like a password of ours: 32 or more hexadecimal digits in a row.
fn without_secrets(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut run = String::new();
    for c in line.chars().map(Some).chain([None]) {
        match c {
            Some(c) if c.is_ascii_hexdigit() => run.push(c),
            other => {
                out.push_str(if run.len() >= 32 { "***" } else { &run });
                run.clear();
                out.extend(other);
            }
        }
    }
    out
}

/// A TCP port of the loopback interface that nobody listens on now, and that this process did not hand out lately.
pub(crate) fn free_port() -> Result<u16> {
    static HANDED_OUT: Mutex<VecDeque<u16>> = Mutex::new(VecDeque::new());
    let no_port = |error| Error::new(Class::Unreachable, format!("no free port on the loopback interface: {error}"));
    let mut handed_out = HANDED_OUT.lock().unwrap_or_else(PoisonError::into_inner);
    // Held until one is found, so that the system does not offer the same port again.
    let mut passed_over = Vec::new();
    loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(no_port)?;
        let port = listener.local_addr().map_err(no_port)?.port();
        if !handed_out.contains(&port) {
            handed_out.push_back(port);
            if handed_out.len() > REMEMBERED {
                handed_out.pop_front();
            }
            return Ok(port);
        }
        passed_over.push(listener);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_words_are_short_and_hold_no_password() {
        let secret = "0123456789abcdef0123456789abcdef0123456789abcdef";
        let log = format!("one\ntwo\nthree\n\nfour {secret}!\nfive deadbeef\n");
        assert_eq!(last_words(log.as_bytes()), "two | three | four ***! | five deadbeef");
        assert!(last_words(&[b'x'; 10_000]).len() <= 240);
        assert_eq!(last_words(b""), "");
    }

    #[test]
    fn ports_differ() {
        let ports: std::collections::BTreeSet<u16> = (0..100).map(|_| free_port().unwrap()).collect();
        assert_eq!(ports.len(), 100);
    }
}
