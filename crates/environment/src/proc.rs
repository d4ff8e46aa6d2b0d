//! What runs on this machine, told apart by process id *and* start time.
//!
//! Hidden here: `/proc`. A process id alone is reused; together with the start time (field 22 of `/proc/<pid>/stat`) and
//! the boot id it names one process for ever. Signals go through a pidfd where the kernel has them, so that the
//! process that was looked at is the one that is signalled.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

use crate::LEASE_VARIABLE;

/// How long servers may take for an orderly stop.
const ORDERLY: Duration = Duration::from_secs(5);
/// How long the kernel may take to remove a killed process.
const KILLED: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(10);

/// One process of one boot of one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Stamp {
    pub(crate) pid: i32,
    /// Clock ticks between boot and its start.
    pub(crate) start: u64,
}

/// A process as `/proc` shows it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) stamp: Stamp,
    parent: i32,
    state: char,
    program: String,
}

impl Seen {
    fn parse(pid: i32, stat: &str) -> Option<Self> {
        // The program's name may itself hold spaces and parentheses.
        let (head, tail) = stat.rsplit_once(')')?;
        let program = head.split_once('(')?.1.to_owned();
        let fields: Vec<&str> = tail.split_ascii_whitespace().collect();
        Some(Self {
            stamp: Stamp { pid, start: fields.get(19)?.parse().ok()? },
            parent: fields.get(1)?.parse().ok()?,
            state: fields.first()?.chars().next()?,
            program,
        })
    }

    fn of(pid: i32) -> Option<Self> {
        Self::parse(pid, &std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Whether it still executes; a zombie only waits for its parent.
    fn runs(&self) -> bool {
        !matches!(self.state, 'Z' | 'X' | 'x')
    }

    /// Whether it can only be a child of the lease's owner: it is no older than the owner, and it writes to a log of the
    /// lease, or its environment names the lease and it works in a folder of the lease, as all of those children do.
    ///
    /// The environment alone says nothing, since whoever inherited it has it too. Nor would it suffice: Redis and
    /// PostgreSQL's children write their title over theirs, and a child that was forked and did not yet call `exec` has
    /// its parent's.
    fn belongs(&self, lease: Claim<'_>) -> bool {
        if self.stamp.start < lease.owner.start || self.stamp == lease.owner {
            return false;
        }
        let process = Path::new("/proc").join(self.stamp.pid.to_string());
        let wanted = format!("{LEASE_VARIABLE}={}", lease.id);
        let named = std::fs::read(process.join("environ"))
            .is_ok_and(|environ| environ.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes()));
        let at_home = || {
            std::fs::read_link(process.join("cwd")).is_ok_and(|cwd| {
                lease.paths.iter().map(PathBuf::as_path).chain([lease.dir]).any(|p| cwd.starts_with(p))
            })
        };
        let is_log = |file: &Path| file.starts_with(lease.dir) && is_log(file);
        (named && at_home())
            || std::fs::read_dir(process.join("fd")).into_iter().flatten().flatten().any(|open| {
                std::fs::read_link(open.path()).is_ok_and(|file| is_log(&file)) && writes(&process, &open.file_name())
            })
    }
}

/// What makes a process part of a lease.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim<'a> {
    pub(crate) id: &'a str,
    pub(crate) dir: &'a Path,
    /// What else is the lease's, outside of its folder.
    pub(crate) paths: &'a [PathBuf],
    /// The process that made the lease, in this boot of the machine.
    pub(crate) owner: Stamp,
    pub(crate) registered: &'a [Stamp],
}

/// The name of the file that a child writes its output to.
pub(crate) const LOG: &str = "log";

fn is_log(file: &Path) -> bool {
    // The kernel marks a file that is removed already.
    file.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.trim_end_matches(" (deleted)") == LOG)
}

/// Whether a file is open for writing; somebody may be reading along.
fn writes(process: &Path, descriptor: &std::ffi::OsStr) -> bool {
    let info = std::fs::read_to_string(process.join("fdinfo").join(descriptor)).unwrap_or_default();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok()).is_some_and(|flags| flags & 0o3 != 0)
}

/// The start time of a process id, if it runs.
pub(crate) fn stamp(pid: i32) -> Option<Stamp> {
    Seen::of(pid).filter(Seen::runs).map(|seen| seen.stamp)
}

/// Whether exactly this process still runs.
pub(crate) fn alive(process: Stamp) -> bool {
    stamp(process.pid) == Some(process)
}

/// This process.
pub(crate) fn own() -> Stamp {
    let pid = i32::try_from(std::process::id()).unwrap_or(i32::MAX);
    stamp(pid).unwrap_or(Stamp { pid, start: 0 })
}

/// The id of this boot of the machine; empty if the system tells none.
pub(crate) fn boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
}

/// The namespace in which process ids mean something; empty if the system tells none.
pub(crate) fn namespace() -> String {
    std::fs::read_link("/proc/self/ns/pid").map(|link| link.display().to_string()).unwrap_or_default()
}

fn all() -> Vec<Seen> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(Seen::of).filter(Seen::runs).collect()
}

/// This process and those that started it: never to be stopped, even if they carry the lease's variable.
fn lineage(processes: &[Seen]) -> BTreeSet<i32> {
    let mut pid = own().pid;
    let mut lineage = BTreeSet::from([pid]);
    while let Some(seen) = processes.iter().find(|seen| seen.stamp.pid == pid) {
        pid = seen.parent;
        if !lineage.insert(pid) {
            break;
        }
    }
    lineage
}

/// The processes of a lease: those registered, those that show that they belong to it, and what descends from either.
///
/// Returned are the heads (to be asked to stop) and then their descendants.
fn family(lease: Claim<'_>) -> (Vec<Seen>, Vec<Seen>) {
    let processes = all();
    let spared = lineage(&processes);
    let (mut heads, mut rest): (Vec<Seen>, Vec<Seen>) = processes
        .into_iter()
        .filter(|seen| !spared.contains(&seen.stamp.pid))
        .partition(|seen| lease.registered.contains(&seen.stamp) || seen.belongs(lease));
    let mut members: BTreeSet<i32> = heads.iter().map(|seen| seen.stamp.pid).collect();
    let mut descendants = Vec::new();
    loop {
        let (found, others): (Vec<Seen>, Vec<Seen>) = rest.into_iter().partition(|seen| members.contains(&seen.parent));
        if found.is_empty() {
            break;
        }
        members.extend(found.iter().map(|seen| seen.stamp.pid));
        descendants.extend(found);
        rest = others;
    }
    // A head below another head is its parent's business: PostgreSQL stops its own children.
    let all_heads: BTreeSet<i32> = heads.iter().map(|seen| seen.stamp.pid).collect();
    let below: Vec<Seen> = heads.extract_if(.., |seen| all_heads.contains(&seen.parent)).collect();
    descendants.extend(below);
    (heads, descendants)
}

fn signal(process: Stamp, signal: Signal) {
    let Some(pid) = Pid::from_raw(process.pid) else { return };
    // The pidfd holds on to whatever has the id now; the look at the start time then says whether that is the one meant.
    // Every failure means "gone", or shows as a process that is still there at the deadline.
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(handle) if alive(process) => {
            let _ = pidfd_send_signal(handle, signal);
        }
        Err(rustix::io::Errno::NOSYS) if alive(process) => {
            let _ = kill_process(pid, signal);
        }
        _ => {}
    }
}

/// Stops every process of a lease and waits until none is left; returns those that could not be stopped.
pub(crate) async fn stop(lease: Claim<'_>) -> Vec<String> {
    let (heads, descendants) = family(lease);
    let mut known: BTreeSet<Stamp> = descendants.iter().map(|seen| seen.stamp).collect();
    for head in &heads {
        known.insert(head.stamp);
        // PostgreSQL's fast shutdown; to everybody else an interrupt may mean something milder.
        let orderly = if head.program == "postgres" { Signal::INT } else { Signal::TERM };
        signal(head.stamp, orderly);
    }
    let deadline = Instant::now() + ORDERLY;
    while Instant::now() < deadline && known.iter().any(|process| alive(*process)) {
        tokio::time::sleep(POLL).await;
    }
    let deadline = Instant::now() + KILLED;
    loop {
        // Looked for anew: a child may have been forked meanwhile.
        let (heads, descendants) = family(lease);
        known.extend(heads.iter().chain(&descendants).map(|seen| seen.stamp));
        let left: Vec<Seen> = known
            .iter()
            .filter_map(|process| Seen::of(process.pid).filter(|seen| seen.stamp == *process && seen.runs()))
            .collect();
        if left.is_empty() {
            return Vec::new();
        }
        if Instant::now() >= deadline {
            return left.iter().map(|seen| format!("process {} (`{}`)", seen.stamp.pid, seen.program)).collect();
        }
        for process in &left {
            signal(process.stamp, Signal::KILL);
        }
        tokio::time::sleep(POLL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "42 (a) b (c) S 7 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 1000 10 18446744073709551615";
        let seen = Seen::parse(42, stat).unwrap();
        assert_eq!((seen.parent, seen.state, seen.stamp.start), (7, 'S', 98765));
        assert_eq!(seen.program, "a) b (c");
    }

    #[test]
    fn this_process_is_alive_and_with_another_start_time_is_not() {
        let own = own();
        assert!(alive(own));
        assert!(!alive(Stamp { start: own.start + 1, ..own }));
    }

    fn claim() -> Claim<'static> {
        let owner = Stamp { pid: own().pid, start: own().start };
        Claim { id: "0000000000000000", dir: Path::new("/nowhere"), paths: &[], owner, registered: &[] }
    }

    #[tokio::test]
    async fn who_merely_carries_the_variable_lives() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        let outside = tempfile::tempdir().unwrap();
        let outside = outside.path().canonicalize().unwrap();
        let id = claim().id;
        let sleep = |folder: &Path, id: &str| {
            let mut command = std::process::Command::new("sleep");
            command.arg("60").env(LEASE_VARIABLE, id).current_dir(folder).spawn().unwrap()
        };
        let (elsewhere, other) = (sleep(Path::new("/"), id), sleep(&dir, "1111111111111111"));
        let (server, maven) = (sleep(&dir, id), sleep(&outside, id));
        // One that is older than the owner can't be a child of it.
        let of = |child: &std::process::Child| stamp(i32::try_from(child.id()).unwrap()).unwrap();
        let young = Stamp { start: of(&maven).start + 1, ..claim().owner };
        let lease = Claim { dir: &dir, paths: &[outside], ..claim() };
        assert!(stop(Claim { owner: young, ..lease }).await.is_empty());
        let mut children = [server, maven, elsewhere, other];
        let ended = children.each_mut().map(|child| child.try_wait().unwrap().is_some());
        assert_eq!(ended, [false; 4], "a process older than the owner was stopped");

        assert!(stop(lease).await.is_empty());
        for (child, theirs) in children.iter_mut().zip([true, true, false, false]) {
            if !theirs {
                assert!(child.try_wait().unwrap().is_none(), "a process of somebody else was stopped");
                child.kill().unwrap();
            }
            child.wait().unwrap();
        }
    }

    #[tokio::test]
    async fn a_stranger_with_a_registered_id_and_another_start_time_lives() {
        let mut stranger = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(stranger.id()).unwrap();
        let real = stamp(pid).unwrap();
        let claim = Claim { dir: Path::new("/nowhere"), ..claim() };
        let other = [Stamp { start: real.start.wrapping_sub(1), ..real }];
        let left = stop(Claim { registered: &other, ..claim }).await;
        assert!(left.is_empty());
        assert!(alive(real), "a foreign process was stopped");
        let left = stop(Claim { registered: &[real], ..claim }).await;
        assert!(left.is_empty());
        assert!(!alive(real));
        stranger.wait().unwrap();
    }

    #[tokio::test]
    async fn who_writes_a_log_of_the_lease_is_stopped_and_who_reads_it_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let log = std::fs::File::create(dir.path().join(LOG)).unwrap();
        let data = std::fs::File::create(dir.path().join("data")).unwrap();
        let sleep = || {
            let mut command = std::process::Command::new("sleep");
            command.arg("60").env_clear();
            command
        };
        let mut server = sleep().stderr(log).spawn().unwrap();
        let mut reader = sleep().stdin(std::fs::File::open(dir.path().join(LOG)).unwrap()).spawn().unwrap();
        let mut application = sleep().stdout(data).spawn().unwrap();
        assert!(stop(Claim { dir: dir.path(), ..claim() }).await.is_empty());
        server.wait().unwrap();
        for other in [&mut reader, &mut application] {
            assert!(other.try_wait().unwrap().is_none(), "a process of somebody else was stopped");
            other.kill().unwrap();
            other.wait().unwrap();
        }
    }
}
