//! What both benchmarks share: a server, and commands measured from outside.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use reenact_environment::{Lease, Process, Provider as _, Registry, Wanted};
use reenact_model::Kind;

/// A PostgreSQL server of the benchmark's own.
pub(crate) struct Postgres {
    lease: Lease,
    provider: Process,
    runtime: tokio::runtime::Runtime,
}

impl Postgres {
    /// Starts one with settings of a server that is used.
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let provider = Process::new(Registry::open().expect("a registry"))
            .with_admins()
            .setting(Kind::Postgres, "shared_buffers", "2GB")
            .setting(Kind::Postgres, "max_wal_size", "8GB")
            .setting(Kind::Postgres, "synchronous_commit", "off");
        let wanted = Wanted::new([("people", Kind::Postgres), ("shop", Kind::Postgres), ("target", Kind::Postgres)]);
        let lease = runtime.block_on(provider.lease(&wanted)).expect("a server");
        Self { lease, provider, runtime }
    }

    /// The URL of a database.
    pub(crate) fn url(&self, service: &str) -> String {
        self.lease.dsn(service).expect("a service").expose().to_owned()
    }

    /// The benchmark's folder.
    pub(crate) fn folder(&self) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("reenact-bench-{}", self.lease.id));
        std::fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    /// Runs a script.
    pub(crate) fn psql(&self, service: &str, sql: &str) {
        let file = self.folder().join("script.sql");
        std::fs::write(&file, sql).expect("writes");
        sh(&["psql", &self.url(service), "-qv", "ON_ERROR_STOP=1", "-f", &file.display().to_string()]);
    }

    /// Empties a database.
    pub(crate) fn fresh(&self, service: &str) {
        let sql = "do $$ declare t text; begin for t in select tablename from pg_tables where schemaname = 'public' loop \
                   execute format('drop table public.%I cascade', t); end loop; end $$; checkpoint;";
        sh(&["psql", &self.url(service), "-qc", sql.trim_end_matches(" checkpoint;")]);
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.folder());
        let _ = self.runtime.block_on(self.provider.release(&self.lease));
    }
}

/// A command as it was seen from outside.
pub(crate) struct Measured {
    pub(crate) wall: Duration,
    /// The greatest resident set, in KiB.
    pub(crate) rss: u64,
    /// User and system time.
    pub(crate) cpu: Duration,
    /// Time and CPU time until all was read, masked and sealed, and the search for residue begins; of a capture.
    pub(crate) sealed: Option<(Duration, Duration)>,
    pub(crate) stdout: String,
}

/// Runs a command to its end, which must be a good one.
pub(crate) fn sh(args: &[&str]) -> Measured {
    let mut command = Command::new(args[0]);
    command.args(&args[1..]);
    measure(command)
}

/// Runs the program under test in the benchmark's folder.
pub(crate) fn reenact(server: &Postgres, args: &[&str]) -> Measured {
    reenact_with(server, &[], args)
}

/// Runs the program under test with more in its environment.
pub(crate) fn reenact_with(server: &Postgres, env: &[(&str, String)], args: &[&str]) -> Measured {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reenact"));
    command
        .current_dir(server.folder())
        .env("PEOPLE_URL", server.url("people"))
        .env("SHOP_URL", server.url("shop"))
        .env("REENACT_KEYRING", server.folder().join("keys"))
        .envs(env.iter().map(|(k, v)| (*k, v)))
        .args(args);
    measure(command)
}

fn measure(mut command: Command) -> Measured {
    let start = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    let pid = child.id();
    let (mut rss, mut cpu) = (0, Duration::ZERO);
    let mut out = child.stdout.take().expect("stdout");
    let err = child.stderr.take().expect("stderr");
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = out.read_to_string(&mut text);
        text
    });
    let errors = std::thread::spawn(move || {
        let (mut text, mut sealed) = (String::new(), None);
        for line in BufReader::new(err).lines().map_while(Result::ok) {
            if sealed.is_none() && line.starts_with("sealed ") {
                sealed = look(pid).map(|(_, cpu)| (start.elapsed(), cpu));
            }
            text += &line;
            text.push('\n');
        }
        (text, sealed)
    });
    // The peak is kept by the kernel and only grows; CPU time is what the last look shows.
    let status = loop {
        if let Some(status) = child.try_wait().expect("waits") {
            break status;
        }
        if let Some((r, c)) = look(pid) {
            rss = r.max(rss);
            cpu = c.max(cpu);
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let wall = start.elapsed();
    let stdout = reader.join().expect("stdout");
    let (told, sealed) = errors.join().expect("stderr");
    assert!(status.success(), "{command:?}: {told}");
    Measured { wall, rss, cpu, sealed, stdout }
}

/// Peak memory and CPU time of a living process.
fn look(pid: u32) -> Option<(u64, Duration)> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?.trim().trim_end_matches(" kB").parse().ok()?;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some((peak, Duration::from_millis(ticks * 10)))
}

/// The median wall time in seconds.
pub(crate) fn median(runs: &[Measured]) -> f64 {
    let mut walls: Vec<f64> = runs.iter().map(|r| r.wall.as_secs_f64()).collect();
    walls.sort_by(f64::total_cmp);
    walls[walls.len() / 2]
}

/// A line of the table.
#[expect(clippy::cast_precision_loss, reason = "row counts are small")]
pub(crate) fn report(what: &str, runs: &[Measured], rows: u64, against: f64) -> String {
    let wall = median(runs);
    let rss = runs.iter().map(|r| r.rss).max().unwrap_or(0) / 1024;
    let cpu = runs.iter().map(|r| r.cpu).max().unwrap_or_default().as_secs_f64();
    format!("| {what} | {wall:.2} | {:.3} | {:.2} | {rss} MiB | {cpu:.1} s |", rows as f64 / wall / 1e6, against / wall)
}

/// What masks and the proof add to a capture, by the medians: the CPU time of the masks (which gather what the proof looks for), the CPU
/// time of the search and its share of the whole capture's time.
pub(crate) fn added(masked: &[Measured], kept: &[Measured]) -> String {
    let of = |runs: &[Measured], what: &dyn Fn(&Measured) -> Option<f64>| {
        let mut all: Vec<f64> = runs.iter().filter_map(what).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    let before = |m: &Measured| m.sealed.map(|(_, cpu)| cpu.as_secs_f64());
    let after = |m: &Measured| m.sealed.map(|(_, cpu)| m.cpu.saturating_sub(cpu).as_secs_f64());
    let share =
        |m: &Measured| m.sealed.map(|(wall, _)| m.wall.saturating_sub(wall).as_secs_f64() / m.wall.as_secs_f64());
    let whole = of(kept, &|m| Some(m.cpu.as_secs_f64()));
    let masks = of(masked, &before) - of(kept, &before);
    let search = of(masked, &after) - of(kept, &after);
    format!(
        "of {whole:.1} s of CPU with all kept: masks add {masks:.1} s ({:.0} %), the search for residue {search:.1} s ({:.0} %); \
         from the last sealed row to the end: {:.0} % of the capture's time",
        masks / whole * 100.0,
        search / whole * 100.0,
        of(masked, &share) * 100.0
    )
}

/// The text of a data set.
pub(crate) fn dataset(name: &str) -> String {
    let root = std::env::var("REENACT_DATASETS")
        .map_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/datasets"), PathBuf::from);
    let path = root.join(name);
    std::fs::read_to_string(&path)
        .unwrap_or_else(|e| panic!("{}: {e}: name the folder of data sets in `REENACT_DATASETS`", path.display()))
}

/// A number in a JSON document, as text.
pub(crate) fn json_number(json: &str, field: &str) -> String {
    let value: Option<serde_json::Value> = serde_json::from_str(json).ok();
    value.and_then(|v| v.get(field).cloned()).map_or("?".to_owned(), |v| v.to_string())
}

/// The size of a folder's files, in bytes.
pub(crate) fn size_of(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).expect("a folder");
    entries.filter_map(Result::ok).filter_map(|e| e.metadata().ok()).map(|m| m.len()).sum()
}
