//! Apache Kafka: one broker per service, out of the jars of its release on Maven Central.
//!
//! Hidden here: a KRaft node without ZooKeeper, scripts or log files; where its jars come from; and that a broker which
//! answers on our port is ours, by its cluster id. Such a broker knows no passwords: the lease says so.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use reenact_model::{Class, Dsn, Error, Kind, Result};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::sync::OnceCell;

use super::{Options, Single};
use crate::child::{Attempts, Failure, Ground, free_port};
use crate::names::random_hex;
use crate::programs::require;
use crate::{LEASE_VARIABLE, account};

const VERSION: &str = "4.2.0";
const JAR: &str = "kafka_2.13-";
const BOOTSTRAP: &str = "bootstrap.checkpoint";
const JAVA_HELP: &str = "install the Debian package `openjdk-17-jre-headless`";
const JARS_HELP: &str = "install the Debian package `maven`, which then fetches them once, or set `REENACT_KAFKA_JARS` to a \
                         folder with the jars of `org.apache.kafka:kafka_2.13:4.2.0`";
/// A short-lived broker on a shared machine: quick to start rather than quick for long, and no files outside its folder.
const JVM: [&str; 5] =
    ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Djava.awt.headless=true"];
const METADATA: Duration = Duration::from_secs(2);

/// The folder of the jars, found or fetched once per lease.
pub(super) type Jars = OnceCell<PathBuf>;

pub(super) async fn start(
    ground: &Ground,
    number: usize,
    service: &str,
    options: &Options,
    jars: &Jars,
) -> Result<Single> {
    let java = require(&ground.search, &["java"], JAVA_HELP)?;
    let jars = jars.get_or_try_init(|| readable_jars(ground, options)).await?;
    let home = ground.folder(&format!("kafka-{number}"))?;
    let cluster = new_id()?;
    let broker = Broker { ground, java: &java, jars, home: &home, cluster: &cluster };
    let mut attempts = Attempts::default();
    let mut formatted = false;
    loop {
        let (port, controller) = (free_port()?, free_port()?);
        ground.file(&home.join("server.properties"), properties(&home, port, controller, options))?;
        if !formatted {
            broker.format(options).await?;
            formatted = true;
        }
        match broker.serve(port).await {
            Ok(()) => {
                let open = format!("kafka service `{service}`: no authentication, loopback only");
                return Ok(Single { dsn: Dsn::new(format!("kafka://127.0.0.1:{port}")), open: Some(open) });
            }
            Err(failure) => attempts.again(failure)?,
        }
    }
}

/// 16 bytes in URL-safe base64: hexadecimal digits are valid there, and none of them begins an option.
fn new_id() -> Result<String> {
    Ok(format!("{}A", &random_hex(11)?[..21]))
}

struct Broker<'a> {
    ground: &'a Ground,
    java: &'a Path,
    jars: &'a Path,
    home: &'a Path,
    cluster: &'a str,
}

impl Broker<'_> {
    fn command(&self, class: &str) -> Command {
        let mut temporary = std::ffi::OsString::from("-Djava.io.tmpdir=");
        temporary.push(self.home);
        let mut command = self.ground.command(self.java, self.home);
        command.args(JVM).arg(temporary).arg("-cp").arg(self.jars.join("*")).arg(class);
        command
    }

    /// Makes the broker's data folder.
    ///
    /// What Kafka's own tool writes there is the same for every broker of a release but for the ids, so it is asked once
    /// per machine: a second of CPU time saved at every start.
    async fn format(&self, options: &Options) -> Result<()> {
        let data = self.home.join("data");
        let cached = release(self.jars).and_then(|jar| Some(cache(options)?.join(format!("{jar}.{BOOTSTRAP}"))));
        if let Some(bootstrap) = cached.as_ref().and_then(|cached| std::fs::read(cached).ok()) {
            let folder =
                self.ground.folder(&format!("{}/data", self.home.file_name().unwrap_or_default().display()))?;
            let (cluster, directory) = (self.cluster, new_id()?);
            let ids = format!("version=1\nnode.id=1\ncluster.id={cluster}\ndirectory.id={directory}\n");
            self.ground.file(&folder.join("meta.properties"), ids)?;
            return self.ground.file(&folder.join(BOOTSTRAP), bootstrap);
        }
        let mut command = self.command("kafka.tools.StorageTool");
        command.args(["format", "-t", self.cluster, "-c", "server.properties"]);
        self.ground.run("kafka-storage", command, self.home).await?;
        if let Some(cached) = cached {
            // A cache that can't be written is no reason not to start.
            let _ = self.remember(&data.join(BOOTSTRAP), &cached);
        }
        Ok(())
    }

    /// Puts a file into the cache, as a whole or not at all.
    fn remember(&self, file: &Path, cached: &Path) -> Result<()> {
        let id = self.ground.draft.id();
        let partial = cached.with_file_name(format!("{id}-{}", self.home.file_name().unwrap_or_default().display()));
        self.ground.draft.path(&partial)?;
        let put = std::fs::copy(file, &partial).and_then(|_| std::fs::rename(&partial, cached));
        put.map_err(|error| Error::new(Class::Write, format!("can't write to the cache: {error}")))
    }

    async fn serve(&self, port: u16) -> std::result::Result<(), Failure> {
        let mut command = self.command("kafka.Kafka");
        command.arg("server.properties");
        let mut server = self.ground.spawn("kafka", command, self.home)?;
        server.until_ready(|| self.answers(port)).await
    }

    /// Whether a broker of this cluster gives metadata.
    async fn answers(&self, port: u16) -> Option<()> {
        TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        let cluster = self.cluster.to_owned();
        let asked = tokio::task::spawn_blocking(move || {
            let servers = format!("127.0.0.1:{port}");
            let consumer: BaseConsumer = ClientConfig::new().set("bootstrap.servers", servers).create().ok()?;
            let metadata = consumer.fetch_metadata(None, METADATA).ok()?;
            let ours = consumer.client().fetch_cluster_id(METADATA)? == cluster;
            (ours && !metadata.brokers().is_empty()).then_some(())
        });
        asked.await.ok().flatten()
    }
}

fn properties(home: &Path, port: u16, controller: u16, options: &Options) -> String {
    let mut text = format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
         controller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n\
         inter.broker.listener.name=PLAINTEXT\n\
         log.dirs={}\n\
         offsets.topic.replication.factor=1\n\
         offsets.topic.num.partitions=1\n\
         transaction.state.log.replication.factor=1\n\
         transaction.state.log.min.isr=1\n\
         transaction.state.log.num.partitions=1\n\
         share.coordinator.state.topic.replication.factor=1\n\
         share.coordinator.state.topic.min.isr=1\n\
         share.coordinator.state.topic.num.partitions=1\n\
         group.initial.rebalance.delay.ms=0\n\
         log.retention.ms=-1\n\
         log.message.timestamp.after.max.ms=9223372036854775807\n",
        property(&home.join("data").display().to_string())
    );
    for (name, value) in options.settings(Kind::Kafka) {
        // Writing into a string can't fail.
        let _ = writeln!(text, "{name}={}", property(value));
    }
    text
}

/// A value of a Java properties file.
fn property(value: &str) -> String {
    value.replace('\\', "\\\\").replace('\n', "\\n")
}

/// The jars, in a folder that the servers' account can read.
async fn readable_jars(ground: &Ground, options: &Options) -> Result<PathBuf> {
    let jars = find_jars(ground, options).await?;
    if ground.account.as_ref().is_none_or(|account| account.check_reach(&jars).is_ok()) {
        return Ok(jars);
    }
    let own = ground.folder("jars")?;
    let target = own.clone();
    let cannot = |error: &dyn std::fmt::Display| Error::new(Class::Write, format!("can't copy Kafka's jars: {error}"));
    let copying = tokio::task::spawn_blocking(move || -> std::io::Result<Vec<PathBuf>> {
        let mut copies = Vec::new();
        for jar in std::fs::read_dir(&jars)? {
            let jar = jar?;
            let copy = target.join(jar.file_name());
            std::fs::copy(jar.path(), &copy)?;
            copies.push(copy);
        }
        Ok(copies)
    });
    let copies = copying.await.map_err(|error| cannot(&error))?.map_err(|error| cannot(&error))?;
    copies.iter().try_for_each(|copy| ground.hand_over(copy))?;
    Ok(own)
}

/// `$REENACT_KAFKA_JARS`, else the cache, else the cache after Maven filled it.
async fn find_jars(ground: &Ground, options: &Options) -> Result<PathBuf> {
    if let Some(folder) = variable("REENACT_KAFKA_JARS").filter(|_| options.cache.is_none()) {
        return holds_jars(&folder).then_some(folder).ok_or_else(|| {
            Error::new(Class::Unreachable, format!("`REENACT_KAFKA_JARS` names a folder without `{JAR}….jar`"))
                .help(JARS_HELP)
        });
    }
    let cache = cache(options).ok_or_else(|| {
        Error::new(Class::Input, "there is no folder to cache Kafka's jars").help("set `XDG_CACHE_HOME`")
    })?;
    let folder = cache.join(VERSION);
    if !holds_jars(&folder) {
        fetch(ground, &cache, &folder).await?;
    }
    Ok(folder)
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Where what is fetched or computed once is kept.
fn cache(options: &Options) -> Option<PathBuf> {
    let user = || variable("XDG_CACHE_HOME").or_else(|| account::home().map(|home| home.join(".cache")));
    options.cache.clone().or_else(user).map(|cache| cache.join("reenact/kafka"))
}

fn holds_jars(folder: &Path) -> bool {
    release(folder).is_some()
}

/// The name of the jar that holds the broker.
fn release(folder: &Path) -> Option<String> {
    let is_jar = |name: &str| name.starts_with(JAR) && Path::new(name).extension().is_some_and(|e| e == "jar");
    let names = std::fs::read_dir(folder).ok()?.flatten().filter_map(|item| item.file_name().into_string().ok());
    names.into_iter().find(|name| is_jar(name))
}

/// Lets Maven resolve the broker and what it depends on, beside the cache, and puts all of it in place at once.
async fn fetch(ground: &Ground, cache: &Path, folder: &Path) -> Result<()> {
    let maven = ground.search.find(&["mvn"]).ok_or_else(|| {
        Error::new(Class::Unreachable, "the jars of Apache Kafka are not on this machine").help(JARS_HELP)
    })?;
    let cannot = |error: std::io::Error| Error::new(Class::Write, format!("can't fill `{}`: {error}", cache.display()));
    let partial = cache.join(format!("{VERSION}-{}", ground.draft.id()));
    ground.draft.path(&partial)?;
    std::fs::create_dir_all(&partial).map_err(cannot)?;
    let (pom, home) = (partial.join("pom.xml"), ground.folder("maven")?);
    let text = format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\
         <groupId>reenact</groupId><artifactId>jars</artifactId><version>1</version><dependencies><dependency>\
         <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version>\
         </dependency></dependencies></project>\n"
    );
    std::fs::write(&pom, text).map_err(cannot)?;
    // As the user, not as the servers' account: Maven needs the user's settings, mirrors and repository.
    let mut command = Command::new(maven);
    command.args(["-q", "-B", "-f"]).arg(&pom).arg("dependency:copy-dependencies").arg("-DincludeScope=runtime");
    command
        .arg("-DoutputDirectory=jars")
        .current_dir(&partial)
        .stdin(Stdio::null())
        .env(LEASE_VARIABLE, ground.draft.id());
    ground.run("mvn", command, &home).await.map_err(|error| error.help(JARS_HELP))?;
    match std::fs::rename(partial.join("jars"), folder) {
        // Somebody else was quicker.
        Err(_) if holds_jars(folder) => {}
        other => other.map_err(cannot)?,
    }
    std::fs::remove_dir_all(&partial).map_err(cannot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_id_is_sixteen_bytes_and_no_option() {
        let id = new_id().unwrap();
        assert_eq!(id.len(), 22);
        assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    }

    #[test]
    fn a_path_with_a_backslash_survives_a_properties_file() {
        assert_eq!(property("a\\b"), "a\\\\b");
    }
}
