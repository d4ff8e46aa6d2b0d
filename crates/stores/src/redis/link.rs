//! One connection to one server.
//!
//! Hidden here: the driver, its deadlines, and how its failures are told. A transaction belongs to a connection, so one
//! exchange at a time has it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::redis::aio::{ConnectionLike as _, MultiplexedConnection};
use ::redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, IntoConnectionInfo as _, Pipeline, ProtocolVersion, RedisError,
    ServerErrorKind, Value,
};
use reenact_model::{Class, Dsn, Error, Result};
use tokio::sync::{Mutex, MutexGuard};

const CONNECT: Duration = Duration::from_secs(3);
const ANSWER: Duration = Duration::from_secs(30);

/// Where the authorities come from that a server's certificate must be signed by.
const TRUST: &str = "name the file of its authority in `SSL_CERT_FILE` unless this machine trusts it anyway";

pub(super) struct Link {
    connection: Mutex<MultiplexedConnection>,
    place: String,
    database: i64,
    sent: AtomicU64,
}

/// The connection for several exchanges in a row, such as those between `WATCH` and `EXEC`.
pub(super) struct Held<'a> {
    connection: MutexGuard<'a, MultiplexedConnection>,
    link: &'a Link,
}

impl Link {
    pub(super) async fn open(dsn: &Dsn) -> Result<Self> {
        let unusable = |_| {
            Error::new(Class::Input, "the URL of the Redis server does not parse")
                .help("write it like `redis://user:password@host:6379/0`")
        };
        if dsn.expose().ends_with("#insecure") {
            let message = "TLS without a check of the server's certificate is not supported";
            return Err(Error::new(Class::Input, message).help(format!("leave `#insecure` out, and {TRUST}")));
        }
        let info = dsn.expose().into_connection_info().map_err(unusable)?;
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP2);
        let database = settings.db();
        let client = Client::open(info.set_redis_settings(settings)).map_err(unusable)?;
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(ANSWER));
        let place = dsn.place();
        let connecting = client.get_multiplexed_async_connection_with_config(&config);
        // The handshake has its own exchanges, which a server that accepts and never answers would hold up.
        let connection = match tokio::time::timeout(CONNECT, connecting).await {
            Ok(connection) => connection.map_err(|error| refused(&error, &place))?,
            Err(_) => return Err(silent(&place)),
        };
        Ok(Self { connection: Mutex::new(connection), place, database, sent: AtomicU64::new(0) })
    }

    pub(super) fn database(&self) -> i64 {
        self.database
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    pub(super) async fn hold(&self) -> Held<'_> {
        Held { connection: self.connection.lock().await, link: self }
    }

    /// The answers to a pipeline, errors of single commands among them.
    pub(super) async fn raw(&self, commands: Vec<Cmd>) -> Result<Vec<Value>> {
        self.hold().await.raw(commands).await
    }

    /// The answers to a pipeline; an error of any command is an error.
    pub(super) async fn ask(&self, commands: Vec<Cmd>) -> Result<Vec<Value>> {
        self.hold().await.ask(commands).await
    }
}

impl Held<'_> {
    pub(super) async fn raw(&mut self, commands: Vec<Cmd>) -> Result<Vec<Value>> {
        let count = commands.len();
        if count == 0 {
            return Ok(Vec::new());
        }
        let mut pipeline = Pipeline::with_capacity(count);
        for command in commands {
            pipeline.add_command(command);
        }
        self.link.sent.fetch_add(count as u64, Ordering::Relaxed);
        let answers = self.connection.req_packed_commands(&pipeline, 0, count).await;
        answers.map_err(|error| told(&error, &self.link.place))
    }

    pub(super) async fn ask(&mut self, commands: Vec<Cmd>) -> Result<Vec<Value>> {
        let answers = self.raw(commands).await?;
        answers.into_iter().map(|answer| self.checked(answer)).collect()
    }

    /// An answer that must be no error.
    pub(super) fn checked(&self, answer: Value) -> Result<Value> {
        match answer {
            Value::ServerError(error) => Err(told(&error.into(), &self.link.place)),
            answer => Ok(answer),
        }
    }
}

fn silent(place: &str) -> Error {
    Error::new(Class::Unreachable, format!("the Redis server at `{place}` does not answer"))
        .help("check that it runs and can be reached from here")
}

/// A failure of the handshake: what the server refuses there is what the URL asks for.
fn refused(error: &RedisError, place: &str) -> Error {
    if error.code() != Some("ERR") {
        return told(error, place);
    }
    Error::new(Class::Unreachable, format!("the Redis server at `{place}` refuses what the URL asks for"))
        .help("check the number of the database, and whether the server asks for a password at all")
}

/// A failure without the server's own words: it quotes keys in some of them.
fn told(error: &RedisError, place: &str) -> Error {
    let code = error.code().unwrap_or("?");
    let by_account = |message: &str| {
        Error::new(Class::Unreachable, format!("the Redis server at `{place}` {message}"))
            .help("check the user and the password, and the rights that the server gives them")
    };
    match error.kind() {
        ErrorKind::AuthenticationFailed => by_account("does not let us in"),
        ErrorKind::Server(ServerErrorKind::NoPerm) => by_account("does not allow a command that is needed"),
        ErrorKind::Server(ServerErrorKind::ReadOnly) => {
            Error::new(Class::Write, format!("the Redis server at `{place}` is a replica and can't be written"))
        }
        ErrorKind::Server(ServerErrorKind::BusyLoading | ServerErrorKind::MasterDown) => silent(place),
        _ if matches!(code, "NOAUTH" | "WRONGPASS") => by_account("does not let us in"),
        _ if code == "OOM" => Error::new(Class::Write, format!("the Redis server at `{place}` has no memory left"))
            .help("raise `maxmemory`"),
        _ if is_handshake(error) => {
            Error::new(Class::Unreachable, format!("the TLS handshake with the Redis server at `{place}` fails"))
                .help(format!("check that this port speaks TLS and that the certificate is for this name, and {TRUST}"))
        }
        _ if error.is_io_error() || error.is_timeout() || error.is_connection_dropped() => silent(place),
        _ => Error::new(Class::Unexpected, format!("the Redis server at `{place}` refuses a command: `{code}`")),
    }
}

/// Whether TLS found something that it can't accept, such as a certificate.
fn is_handshake(error: &RedisError) -> bool {
    let inner =
        std::error::Error::source(error).and_then(|e| e.downcast_ref::<Arc<dyn std::error::Error + Send + Sync>>());
    let io = inner.and_then(|e| e.downcast_ref::<std::io::Error>());
    io.is_some_and(|e| e.kind() == std::io::ErrorKind::InvalidData)
}
