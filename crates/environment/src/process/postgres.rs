//! PostgreSQL: one server per lease, a database and a role per service.
//!
//! Hidden here: a cluster that is safe to throw away and not safe to keep (no fsync), that takes SCRAM passwords over
//! loopback TCP and nothing else, and whose superuser can't log in once the roles are made.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use reenact_model::{Class, Dsn, Error, Kind, Result};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use super::{Options, Up};
use crate::child::{Attempts, Failure, Ground, free_port, remove_file};
use crate::lease::WantedService;
use crate::names::{databases, random_hex};
use crate::programs::missing;

const ADMIN: &str = "reenact_admin";
const HELP: &str = "install the Debian package `postgresql`, or put the folder of `initdb` and `postgres` on `PATH`";

/// Data that is thrown away needs no durability; statements and their values stay out of the log; shared memory lives in
/// the lease's folder, so that a killed server leaves nothing in `/dev/shm`.
const SETTINGS: &str = "\
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
password_encryption = 'scram-sha-256'
fsync = off
synchronous_commit = off
full_page_writes = off
max_wal_size = '4GB'
checkpoint_timeout = '30min'
dynamic_shared_memory_type = mmap
log_min_error_statement = panic
log_destination = 'stderr'
logging_collector = off
";

pub(super) async fn start(ground: &Ground, services: &[WantedService], options: &Options) -> Result<Vec<Up>> {
    let programs = ground.search.folder_of(&["initdb", "postgres"]).ok_or_else(|| missing("initdb", HELP))?;
    let home = ground.folder("postgres")?;
    let data = home.join("data");
    let secret = random_hex(24)?;
    init(ground, programs, &home, &secret).await?;
    let mut settings = SETTINGS.to_owned();
    for (name, value) in options.settings(Kind::Postgres) {
        // Writing into a string can't fail.
        let _ = writeln!(settings, "{name} = '{}'", value.replace('\'', "''"));
    }
    configure(&data, &settings)?;

    let mut attempts = Attempts::default();
    let (port, mut admin) = loop {
        let port = free_port()?;
        match serve(ground, programs, &home, &secret, port).await {
            Ok(admin) => break (port, admin),
            Err(failure) => attempts.again(failure)?,
        }
    };

    let mut up = Vec::new();
    let names = databases(services);
    for service in services {
        let (name, password) = (&names[&service.name], random_hex(24)?);
        // The names are of letters, digits and `_`, the passwords of hexadecimal digits.
        run(&mut admin, format!("CREATE ROLE {name} LOGIN CREATEDB PASSWORD '{password}'")).await?;
        run(&mut admin, format!("CREATE DATABASE {name} OWNER {name}")).await?;
        run(&mut admin, format!("REVOKE ALL ON DATABASE {name} FROM PUBLIC")).await?;
        let url =
            |user: &str, password: &str| Dsn::new(format!("postgres://{user}:{password}@127.0.0.1:{port}/{name}"));
        up.push(Up {
            service: service.name.clone(),
            kind: Kind::Postgres,
            dsn: url(name, &password),
            admin: options.admins.then(|| url(ADMIN, &secret)),
            open: None,
        });
        let mut own = login(port, name, &password, name).connect().await.map_err(|error| refused(&error))?;
        run(&mut own, "SELECT 1".to_owned()).await?;
        own.close().await.map_err(|error| refused(&error))?;
    }
    if !options.admins {
        run(&mut admin, format!("ALTER ROLE {ADMIN} PASSWORD NULL")).await?;
    }
    admin.close().await.map_err(|error| refused(&error))?;
    Ok(up)
}

/// Makes the cluster; its superuser has a password from the first instant on.
async fn init(ground: &Ground, programs: &Path, home: &Path, secret: &str) -> Result<()> {
    let password_file = home.join("password");
    ground.file(&password_file, secret)?;
    let mut outcome = Ok(());
    // Not every system has `C.UTF-8`; `C` is everywhere.
    for locale in ["C.UTF-8", "C"] {
        let mut command = ground.command(&programs.join("initdb"), home);
        command.arg("-D").arg(home.join("data")).args(["-U", ADMIN, "-A", "scram-sha-256", "-E", "UTF8", "--no-sync"]);
        command.arg(format!("--locale={locale}")).arg("--pwfile").arg(&password_file);
        outcome = ground.run("initdb", command, home).await;
        if outcome.is_ok() {
            break;
        }
    }
    remove_file(&password_file)?;
    outcome
}

fn configure(data: &Path, settings: &str) -> Result<()> {
    let append = std::fs::OpenOptions::new().append(true).open(data.join("postgresql.conf"));
    append
        .and_then(|mut file| file.write_all(settings.as_bytes()))
        .and_then(|()| std::fs::write(data.join("pg_hba.conf"), "host all all 127.0.0.1/32 scram-sha-256\n"))
        .map_err(|error| Error::new(Class::Write, format!("can't configure `postgres`: {error}")))
}

async fn serve(
    ground: &Ground,
    programs: &Path,
    home: &Path,
    secret: &str,
    port: u16,
) -> std::result::Result<PgConnection, Failure> {
    let mut command = ground.command(&programs.join("postgres"), home);
    command.arg("-D").arg(home.join("data")).arg("-p").arg(port.to_string());
    let mut server = ground.spawn("postgres", command, home)?;
    let options = login(port, ADMIN, secret, "postgres");
    server
        .until_ready(|| async {
            let mut connection = options.connect().await.ok()?;
            sqlx::query("SELECT 1").execute(&mut connection).await.ok()?;
            Some(connection)
        })
        .await
}

fn login(port: u16, user: &str, password: &str, database: &str) -> PgConnectOptions {
    let options = PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(port).username(user).password(password);
    options.database(database).ssl_mode(PgSslMode::Disable).disable_statement_logging()
}

async fn run(connection: &mut PgConnection, statement: String) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await.map(drop).map_err(|error| refused(&error))
}

fn refused(error: &sqlx::Error) -> Error {
    // A server's message names the object, never a value: no row is written here.
    Error::new(Class::Unreachable, format!("`postgres` came up and then refused a request: {error}"))
}
