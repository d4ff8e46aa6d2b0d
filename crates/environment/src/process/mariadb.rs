//! MariaDB (or MySQL): one server per lease, a database and an account per service.
//!
//! Hidden here: that the accounts of a fresh installation, one of which is `root` without a password, are gone before the
//! server takes its first connection: the statements stand in the file that the server runs while it starts.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use reenact_model::{Class, Dsn, Error, Kind, Result};
use sqlx::ConnectOptions as _;
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};

use super::{Options, Up};
use crate::child::{Attempts, Failure, Ground, free_port, remove_file};
use crate::lease::WantedService;
use crate::names::{databases, random_hex};
use crate::programs::{missing, require};

const ADMIN: &str = "reenact_admin";
const HELP: &str = "install the Debian package `mariadb-server`";
/// The longest path of a Unix socket that every system takes.
const SOCKET_LIMIT: usize = 103;

/// An account of the server.
struct Login {
    service: String,
    name: String,
    password: String,
}

/// Where the parts of the server's folder are.
struct Home {
    folder: PathBuf,
    data: PathBuf,
    init: PathBuf,
    socket: PathBuf,
}

pub(super) async fn start(ground: &Ground, services: &[WantedService], options: &Options) -> Result<Vec<Up>> {
    let program = require(&ground.search, &["mariadbd", "mysqld"], HELP)?;
    let folder = ground.folder("mysql")?;
    let at = |name: &str| folder.join(name);
    let home = Home { data: at("data"), init: at("init.sql"), socket: at("s"), folder: folder.clone() };
    if home.socket.as_os_str().len() > SOCKET_LIMIT {
        return Err(Error::new(Class::Input, "the folder for temporary files has too long a path for a Unix socket")
            .help("set `TMPDIR` to a folder with a shorter path"));
    }
    let mariadb = install(ground, &program, &home).await?;

    let names = databases(services);
    let mut logins = Vec::new();
    for service in services {
        let name = names[&service.name].clone();
        logins.push(Login { service: service.name.clone(), name, password: random_hex(24)? });
    }
    let admin = if options.admins { Some(random_hex(24)?) } else { None };
    ground.file(&home.init, init_statements(&logins, admin.as_deref(), mariadb))?;

    let mut attempts = Attempts::default();
    let port = loop {
        let port = free_port()?;
        match serve(ground, &program, &home, &logins, options, port).await {
            Ok(()) => break port,
            Err(failure) => attempts.again(failure)?,
        }
    };
    remove_file(&home.init)?;
    let up = logins.into_iter().map(|Login { service, name, password }| {
        let url = |user: &str, password: &str| Dsn::new(format!("mysql://{user}:{password}@127.0.0.1:{port}/{name}"));
        let dsn = url(&name, &password);
        Up { service, kind: Kind::Mysql, dsn, admin: admin.as_deref().map(|secret| url(ADMIN, secret)), open: None }
    });
    Ok(up.collect())
}

/// Makes the system tables; returns whether the server is MariaDB.
async fn install(ground: &Ground, program: &Path, home: &Home) -> Result<bool> {
    if let Some(installer) = ground.search.find(&["mariadb-install-db", "mysql_install_db"]) {
        let mut command = ground.command(&installer, &home.folder);
        command.arg("--no-defaults").arg(datadir(home)).arg("--auth-root-authentication-method=normal");
        command.args(["--skip-test-db", "--skip-name-resolve"]);
        ground.run("mariadb-install-db", command, &home.folder).await?;
        return Ok(true);
    }
    if program.ends_with("mariadbd") {
        return Err(missing("mariadb-install-db", HELP));
    }
    let mut command = ground.command(program, &home.folder);
    command.arg("--no-defaults").arg("--initialize-insecure").arg(datadir(home));
    ground.run("mysqld", command, &home.folder).await?;
    Ok(false)
}

fn datadir(home: &Home) -> std::ffi::OsString {
    path_argument("--datadir=", &home.data)
}

fn path_argument(option: &str, path: &Path) -> std::ffi::OsString {
    let mut argument = std::ffi::OsString::from(option);
    argument.push(path);
    argument
}

/// What the server runs before it takes connections, one statement a line: all accounts removed, then ours made.
fn init_statements(logins: &[Login], admin: Option<&str>, mariadb: bool) -> String {
    let mut text = if mariadb {
        "DELETE FROM mysql.global_priv WHERE User <> 'mariadb.sys';\nFLUSH PRIVILEGES;\n".to_owned()
    } else {
        "DROP USER IF EXISTS 'root'@'localhost';\n".to_owned()
    };
    // Writing into a string can't fail. Names are of letters, digits and `_`, passwords of hexadecimal digits.
    for Login { name, password, .. } in logins {
        let prefix = name.replace('_', "\\_");
        let _ = writeln!(text, "CREATE USER IF NOT EXISTS '{name}'@'127.0.0.1' IDENTIFIED BY '{password}';");
        let _ = writeln!(text, "CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET utf8mb4;");
        let _ = writeln!(text, "GRANT ALL ON `{prefix}`.* TO '{name}'@'127.0.0.1';");
        let _ = writeln!(text, "GRANT ALL ON `{prefix}\\_\\_%`.* TO '{name}'@'127.0.0.1';");
    }
    if let Some(secret) = admin {
        let _ = writeln!(text, "CREATE USER IF NOT EXISTS '{ADMIN}'@'127.0.0.1' IDENTIFIED BY '{secret}';");
        let _ = writeln!(text, "GRANT ALL ON *.* TO '{ADMIN}'@'127.0.0.1' WITH GRANT OPTION;");
    }
    text
}

async fn serve(
    ground: &Ground,
    program: &Path,
    home: &Home,
    logins: &[Login],
    options: &Options,
    port: u16,
) -> std::result::Result<(), Failure> {
    let mut command = ground.command(program, &home.folder);
    command.arg("--no-defaults").arg(datadir(home)).arg(path_argument("--socket=", &home.socket));
    command.arg(path_argument("--pid-file=", &home.folder.join("pid"))).arg(path_argument("--init-file=", &home.init));
    command.arg(path_argument("--tmpdir=", &home.folder)).arg(format!("--port={port}"));
    command.args(["--skip-networking=0", "--bind-address=127.0.0.1", "--skip-name-resolve", "--local-infile=0"]);
    command.args(["--character-set-server=utf8mb4", "--skip-log-bin", "--performance-schema=OFF"]);
    // Data that is thrown away needs no durability.
    command.args(["--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0", "--sync-binlog=0"]);
    command.args(options.settings(Kind::Mysql).map(|(name, value)| format!("--{name}={value}")));
    let mut server = ground.spawn("mysqld", command, &home.folder)?;
    for login in logins {
        let account = MySqlConnectOptions::new().host("127.0.0.1").port(port).username(&login.name);
        let account = account.password(&login.password).database(&login.name).ssl_mode(MySqlSslMode::Disabled);
        let account = account.disable_statement_logging();
        server
            .until_ready(|| async {
                let mut connection = account.connect().await.ok()?;
                sqlx::query("SELECT 1").execute(&mut connection).await.ok()
            })
            .await?;
    }
    Ok(())
}
