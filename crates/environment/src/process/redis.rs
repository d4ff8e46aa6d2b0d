//! Redis or Valkey: one server per service.
//!
//! Hidden here: that the password reaches the server by its configuration file (0600) and never by its arguments, which
//! every user of the machine can read.

use std::fmt::Write as _;
use std::path::Path;

use reenact_model::{Dsn, Result};

use super::Single;
use crate::child::{Attempts, Failure, Ground, free_port, remove_file};
use crate::names::random_hex;
use crate::programs::require;

/// The programs that speak Redis, best first.
pub(crate) const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];
const HELP: &str = "install the Debian package `redis-server` (or `valkey-server`)";

pub(crate) async fn start(
    ground: &Ground,
    number: usize,
    service: &str,
    settings: impl Iterator<Item = (&str, &str)> + Send,
) -> Result<Single> {
    let program = require(&ground.search, &PROGRAMS, HELP)?;
    let home = ground.folder(&format!("redis-{number}"))?;
    let secret = random_hex(24)?;
    let mut common = "bind 127.0.0.1\nprotected-mode yes\ndaemonize no\nsave \"\"\nappendonly no\n".to_owned();
    // Writing into a string can't fail.
    let _ = writeln!(common, "requirepass {secret}");
    for (name, value) in settings {
        let _ = writeln!(common, "{name} {value}");
    }
    let mut attempts = Attempts::default();
    loop {
        let port = free_port()?;
        // The name of the account that `requirepass` gives its password to: `redis-cli -u` takes no URL without one.
        let url = format!("redis://default:{secret}@127.0.0.1:{port}/0");
        match serve(ground, &program, &home, &format!("port {port}\n{common}"), &url).await {
            Ok(()) => return Ok(Single { dsn: Dsn::new(url), open: None }),
            Err(failure) => attempts.again(failure).map_err(|e| e.at(reenact_model::Site::service(service)))?,
        }
    }
}

async fn serve(
    ground: &Ground,
    program: &Path,
    home: &Path,
    config: &str,
    url: &str,
) -> std::result::Result<(), Failure> {
    let file = home.join("server.conf");
    ground.file(&file, config)?;
    let mut command = ground.command(program, home);
    command.arg(&file);
    let mut server = ground.spawn("redis-server", command, home)?;
    server
        .until_ready(|| async {
            let client = redis::Client::open(url).ok()?;
            let mut connection = client.get_multiplexed_async_connection().await.ok()?;
            redis::cmd("PING").query_async::<String>(&mut connection).await.ok()
        })
        .await?;
    // It has been read; the password then stands in the lease's own file only.
    remove_file(&file)?;
    Ok(())
}
