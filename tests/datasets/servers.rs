//! Throw-away servers for a test, and other people's dumps loaded into them by the servers' own clients.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use futures::FutureExt as _;
use reenact_environment::{Endpoint, Lease, Process, Provider as _, Registry, Wanted};
use reenact_model::{Dsn, Kind};

/// A lease of servers that lives as long as a test.
pub(crate) struct Servers(Lease);

impl Servers {
    /// Runs a test with servers, and takes them away whether or not the test passes.
    pub(crate) async fn with(wanted: &[(&str, Kind)], body: impl AsyncFnOnce(&Servers)) {
        let open = std::fs::Permissions::from_mode(0o755);
        let folder = tempfile::Builder::new().prefix("ds-").permissions(open).tempdir().expect("a folder");
        let state = tempfile::tempdir().expect("a folder");
        let provider = Process::new(Registry::at(state.path()).expect("a register")).base(folder.path()).with_admins();
        let lease = provider.lease(&Wanted::new(wanted.iter().copied())).await.unwrap_or_else(|e| panic!("{e}"));
        let servers = Self(lease.clone());
        let result = AssertUnwindSafe(body(&servers)).catch_unwind().await;
        provider.release(&lease).await.expect("released");
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    }

    /// The URL of a service.
    pub(crate) fn dsn(&self, service: &str) -> &Dsn {
        self.0.dsn(service).expect("a service of the lease")
    }

    /// The URL of the account that may do everything on a SQL service's server.
    pub(crate) fn admin(&self, service: &str) -> &Dsn {
        &self.0.admins[service]
    }

    /// A service of the lease.
    pub(crate) fn endpoint(&self, service: &str) -> Endpoint {
        self.0.endpoints[service].clone()
    }
}

/// Feeds dumps to PostgreSQL's client, without the lines that `skip` names. Dumps give tables to owners that are not here and
/// ask for extensions that are not installed: those statements fail, and the counts of a test tell whether any other did.
pub(crate) fn psql(dsn: &Dsn, files: &[PathBuf], skip: &dyn Fn(&str) -> bool) {
    let mut url = url::Url::parse(dsn.expose()).expect("a url");
    let password = url.password().unwrap_or_default().to_owned();
    url.set_password(None).expect("a url with a host");
    let mut client = Command::new("psql");
    client.args(["-X", "-q", "-d", url.as_str()]).env("PGPASSWORD", password);
    feed(client, files, skip);
}

/// Feeds dumps to MariaDB's client, without the lines that `skip` names, after a statement of ours.
pub(crate) fn mariadb(dsn: &Dsn, first: &str, files: &[PathBuf], skip: &dyn Fn(&str) -> bool) {
    let url = url::Url::parse(dsn.expose()).expect("a url");
    let mut client = Command::new("mariadb");
    client.args(["--no-defaults", "--force", "--protocol=tcp", "--default-character-set=utf8mb4"]);
    client.arg(format!("--init-command={first}"));
    client.arg(format!("--host={}", url.host_str().unwrap_or_default()));
    client.arg(format!("--port={}", url.port().unwrap_or(3306)));
    client.arg(format!("--user={}", url.username())).arg(url.path().trim_start_matches('/'));
    client.env("MYSQL_PWD", url.password().unwrap_or_default());
    feed(client, files, skip);
}

fn feed(mut client: Command, files: &[PathBuf], skip: &dyn Fn(&str) -> bool) {
    let mut child = client
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|e| panic!("the client does not start: {e}"));
    let mut input = child.stdin.take().expect("a pipe");
    for file in files {
        let text = read(file);
        for line in text.split_inclusive('\n').filter(|line| !skip(line)) {
            input.write_all(line.as_bytes()).expect("the client reads");
        }
        input.write_all(b"\n").expect("the client reads");
    }
    drop(input);
    child.wait().expect("the client ends");
}

/// The text of a file of a set.
pub(crate) fn read(file: &Path) -> String {
    let bytes = std::fs::read(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    String::from_utf8(bytes).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}
