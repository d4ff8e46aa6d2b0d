//! Real requests to what a lease offers, and a look at what runs and lies around.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::producer::{FutureProducer, FutureRecord};
use reenact_environment::Registry;
use reenact_model::{Dsn, Kind};
use sqlx::Connection as _;

pub(crate) const NAME: &str = "reenact_mark";

/// A place for one test: a register, and a folder for leases that any account may enter.
pub(crate) struct Sandbox {
    pub(crate) base: tempfile::TempDir,
    state: tempfile::TempDir,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        let open = std::fs::Permissions::from_mode(0o755);
        let base = tempfile::Builder::new().prefix("env-").permissions(open).tempdir().unwrap();
        Self { base, state: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn state(&self) -> &Path {
        self.state.path()
    }

    pub(crate) fn registry(&self) -> Registry {
        Registry::at(self.state.path()).unwrap()
    }

    /// The text of every record.
    pub(crate) fn records(&self) -> String {
        let folder = std::fs::read_dir(self.state.path().join("leases")).unwrap();
        folder.map(|item| std::fs::read_to_string(item.unwrap().path()).unwrap()).collect()
    }

    /// Asserts that nothing is left: no process, no folder, no record.
    pub(crate) fn assert_empty(&self, when: &str) {
        let marker = self.base.path().file_name().unwrap().to_str().unwrap();
        assert_eq!(processes_with(marker), Vec::<String>::new(), "processes left {when}");
        let left: Vec<PathBuf> =
            std::fs::read_dir(self.base.path()).unwrap().map(|item| item.unwrap().path()).collect();
        assert_eq!(left, Vec::<PathBuf>::new(), "folders left {when}");
        let left: Vec<PathBuf> =
            std::fs::read_dir(self.state.path().join("leases")).unwrap().map(|item| item.unwrap().path()).collect();
        assert_eq!(left, Vec::<PathBuf>::new(), "records left {when}");
    }
}

fn pids() -> Vec<i32> {
    let items = std::fs::read_dir("/proc").unwrap().flatten();
    items.filter_map(|item| item.file_name().to_str()?.parse().ok()).collect()
}

fn is_zombie(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_none_or(|(_, tail)| tail.trim_start().starts_with(['Z', 'X']))
}

/// The running processes whose environment, arguments or folder hold a text.
pub(crate) fn processes_with(text: &str) -> Vec<String> {
    let own = i32::try_from(std::process::id()).unwrap();
    let holds = |pid: i32| {
        let file = |name: &str| std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let cwd = std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
        let all = [file("environ"), file("cmdline"), cwd.into_os_string().into_encoded_bytes()];
        all.iter().any(|bytes| String::from_utf8_lossy(bytes).contains(text))
    };
    let found = pids().into_iter().filter(|pid| *pid != own && holds(*pid) && !is_zombie(*pid));
    found.map(|pid| format!("{pid} {}", command_line(pid))).collect()
}

fn command_line(pid: i32) -> String {
    String::from_utf8_lossy(&std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()).replace('\0', " ")
}

/// The arguments of everything that runs here.
pub(crate) fn all_arguments() -> String {
    pids().into_iter().map(command_line).collect::<Vec<_>>().join("\n")
}

/// The password of a URL.
pub(crate) fn password(dsn: &Dsn) -> Option<String> {
    let user_info = dsn.expose().split_once("://")?.1.rsplit_once('@')?.0;
    Some(user_info.split_once(':')?.1.to_owned())
}

fn bootstrap(dsn: &Dsn) -> String {
    dsn.expose().strip_prefix("kafka://").unwrap().to_owned()
}

/// Writes something that carries [`NAME`] and reads it back.
pub(crate) async fn write_and_read(kind: Kind, dsn: &Dsn) {
    let url = dsn.expose();
    let table = format!("CREATE TABLE {NAME} (id bigint PRIMARY KEY, note varchar(40))");
    let insert = format!("INSERT INTO {NAME} VALUES (42, 'kept')");
    let select = format!("SELECT note FROM {NAME} WHERE id = 42");
    macro_rules! sql {
        ($connection:ty) => {{
            let mut connection = <$connection>::connect(url).await.unwrap();
            for statement in [table, insert] {
                sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
            }
            let query = sqlx::query_scalar::<_, String>(sqlx::AssertSqlSafe(select));
            assert_eq!(query.fetch_one(&mut connection).await.unwrap(), "kept");
            connection.close().await.unwrap();
        }};
    }
    match kind {
        Kind::Postgres => sql!(sqlx::PgConnection),
        Kind::Mysql => sql!(sqlx::MySqlConnection),
        Kind::Sqlite => sql!(sqlx::SqliteConnection),
        Kind::Redis => {
            let mut connection = redis(dsn).await.unwrap();
            redis::cmd("SET").arg(NAME).arg("kept").query_async::<String>(&mut connection).await.unwrap();
            let read: String = redis::cmd("GET").arg(NAME).query_async(&mut connection).await.unwrap();
            assert_eq!(read, "kept");
        }
        Kind::Kafka => {
            let producer: FutureProducer =
                ClientConfig::new().set("bootstrap.servers", bootstrap(dsn)).create().unwrap();
            let record = FutureRecord::to(NAME).partition(0).key("k").payload("kept");
            producer.send(record, Duration::from_secs(30)).await.unwrap();
            let read = tokio::task::spawn_blocking({
                let servers = bootstrap(dsn);
                move || first_record(&servers)
            });
            assert_eq!(read.await.unwrap(), "kept");
        }
        Kind::Memory => assert!(url.starts_with("memory:")),
    }
}

fn first_record(servers: &str) -> String {
    let consumer: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", servers).set("group.id", "g").create().unwrap();
    let mut partitions = rdkafka::TopicPartitionList::new();
    partitions.add_partition_offset(NAME, 0, rdkafka::Offset::Beginning).unwrap();
    consumer.assign(&partitions).unwrap();
    let record = consumer.poll(Duration::from_secs(30)).expect("a record in time").unwrap();
    String::from_utf8(record.payload().unwrap().to_vec()).unwrap()
}

async fn redis(dsn: &Dsn) -> redis::RedisResult<redis::aio::MultiplexedConnection> {
    redis::Client::open(dsn.expose()).unwrap().get_multiplexed_async_connection().await
}

/// Everything that the service holds, by name.
pub(crate) async fn names_in(kind: Kind, dsn: &Dsn) -> BTreeSet<String> {
    let url = dsn.expose();
    macro_rules! sql {
        ($connection:ty, $query:literal) => {{
            let mut connection = <$connection>::connect(url).await.unwrap();
            sqlx::query_scalar::<_, String>($query).fetch_all(&mut connection).await.unwrap().into_iter().collect()
        }};
    }
    match kind {
        Kind::Postgres => sql!(sqlx::PgConnection, "SELECT relname::text FROM pg_class WHERE relkind = 'r'"),
        Kind::Mysql => {
            sql!(sqlx::MySqlConnection, "SELECT CAST(table_name AS CHAR) FROM information_schema.tables")
        }
        Kind::Sqlite => sql!(sqlx::SqliteConnection, "SELECT name FROM sqlite_master"),
        Kind::Redis => {
            let mut connection = redis(dsn).await.unwrap();
            redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap()
        }
        Kind::Kafka => {
            let consumer: BaseConsumer = ClientConfig::new().set("bootstrap.servers", bootstrap(dsn)).create().unwrap();
            let asked = tokio::task::spawn_blocking(move || {
                let metadata = consumer.fetch_metadata(None, Duration::from_secs(30)).unwrap();
                metadata.topics().iter().map(|topic| topic.name().to_owned()).collect()
            });
            asked.await.unwrap()
        }
        Kind::Memory => BTreeSet::new(),
    }
}

/// Whether the service lets this URL in.
pub(crate) async fn lets_in(kind: Kind, url: &str) -> bool {
    match kind {
        Kind::Postgres => sqlx::PgConnection::connect(url).await.is_ok(),
        Kind::Mysql => sqlx::MySqlConnection::connect(url).await.is_ok(),
        Kind::Redis => match redis(&Dsn::new(url)).await {
            Ok(mut connection) => redis::cmd("PING").query_async::<String>(&mut connection).await.is_ok(),
            Err(_) => false,
        },
        Kind::Sqlite | Kind::Kafka | Kind::Memory => panic!("a `{kind}` service has no credentials"),
    }
}
