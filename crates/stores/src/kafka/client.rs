//! One cluster: its address, its settings, and how its failures are told.
//!
//! Hidden here: the driver's configuration and its deadlines. Settings that keep a capture harmless can't be overridden by
//! the URL.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::types::RDKafkaRespErr;
use reenact_model::catalog::Identity;
use reenact_model::{Class, Dsn, Error, Result};
use tokio::sync::oneshot;

/// How long a broker may take to answer the first request.
pub(super) const FIRST: Duration = Duration::from_secs(4);
/// How long it may take to answer any other one.
pub(super) const ANSWER: Duration = Duration::from_secs(15);
/// A group that nobody joins and that never commits: a consumer must name one.
pub(super) const NO_GROUP: &str = "reenact-reads-only";

#[derive(Clone)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct Cluster {
    servers: String,
    properties: Vec<(String, String)>,
    requests: Arc<AtomicU64>,
}

impl Cluster {
    /// A cluster that answers.
    pub(super) async fn open(dsn: &Dsn) -> Result<Self> {
        let cluster = Self::of(dsn)?;
        let ask = |cluster: &Self, consumer: &BaseConsumer| {
            cluster.count();
            // The list of brokers comes with every answer; a topic that can't exist keeps the answer short.
            let answer = consumer.fetch_metadata(Some("reenact.nothing"), FIRST);
            match answer {
                Ok(_) | Err(KafkaError::MetadataFetch(Code::UnknownTopicOrPartition | Code::UnknownTopic)) => Ok(()),
                Err(error) => Err(cluster.told(&error)),
            }
        };
        cluster.ask(NO_GROUP, ask).await?;
        Ok(cluster)
    }

    /// What some work with a consumer of a group gives, done where it may block.
    ///
    /// The answer does not wait until the consumer is taken down, which takes longer than most work.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        group: &str,
        work: impl FnOnce(&Self, &BaseConsumer) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (cluster, group) = (self.clone(), group.to_owned());
        let (sender, receiver) = oneshot::channel();
        tokio::task::spawn_blocking(move || {
            let consumer = cluster.consumer(&group);
            // Nobody listens if the question was dropped.
            let _ = sender.send(consumer.as_ref().map_err(Error::clone).and_then(|consumer| work(&cluster, consumer)));
        });
        receiver.await.map_err(|_| Error::new(Class::Unexpected, "a read of Kafka broke off"))?
    }

    fn of(dsn: &Dsn) -> Result<Self> {
        let wrong = |message: &str| {
            Error::new(Class::Input, message.to_owned()).help("write the URL like `kafka://host:9092,other:9092`")
        };
        let text = dsn.expose();
        let text = text.strip_prefix("kafka://").ok_or_else(|| wrong("the URL does not begin with `kafka://`"))?;
        let (servers, query) = text.split_once('?').unwrap_or((text, ""));
        let servers = servers.trim_end_matches('/');
        if servers.is_empty() {
            return Err(wrong("the URL names no broker"));
        }
        if servers.contains(['@', '/']) {
            return Err(wrong("the URL holds more than brokers before its `?`")
                .help("give credentials as `sasl.username` and `sasl.password` after the `?`"));
        }
        let property = |pair: &str| {
            let (name, value) = pair.split_once('=').ok_or_else(|| wrong("a parameter of the URL has no value"))?;
            let plain = |text: &str| decoded(text).ok_or_else(|| wrong("a parameter of the URL is badly escaped"));
            Ok((plain(name)?, plain(value)?))
        };
        let properties: Vec<(String, String)> =
            query.split('&').filter(|pair| !pair.is_empty()).map(property).collect::<Result<_>>()?;
        if let Some((name, _)) = properties.iter().find(|(name, value)| needs_tls(name, value)) {
            return Err(Error::new(Class::Input, format!("this build has no TLS for Kafka, which `{name}` asks for"))
                .help(
                    "use a listener without TLS (`PLAINTEXT` or `SASL_PLAINTEXT`), through a tunnel if it is far away",
                ));
        }
        Ok(Self { servers: servers.to_owned(), properties, requests: Arc::default() })
    }

    /// Hosts and ports that a URL names.
    pub(super) fn brokers(dsn: &Dsn) -> Vec<(String, u16)> {
        let Ok(cluster) = Self::of(dsn) else { return Vec::new() };
        let broker = |server: &str| match server.rsplit_once(':') {
            Some((host, port)) if !host.ends_with(':') => Some((host.to_owned(), port.parse().ok()?)),
            // The driver's own port.
            _ => Some((server.to_owned(), 9092)),
        };
        cluster.servers.split(',').map(str::trim).filter_map(broker).collect()
    }

    pub(super) fn count(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    pub(super) fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("client.id", "reenact").set("socket.connection.setup.timeout.ms", "3000");
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config.set("bootstrap.servers", &self.servers);
        config
    }

    /// A consumer that reads committed records only, joins no group and commits nothing by itself. Making and dropping it
    /// blocks.
    pub(super) fn consumer(&self, group: &str) -> Result<BaseConsumer> {
        self.config()
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("isolation.level", "read_committed")
            .set("allow.auto.create.topics", "false")
            .set("enable.partition.eof", "true")
            .set("check.crcs", "true")
            .set("fetch.wait.max.ms", "50")
            .set("queued.max.messages.kbytes", "16384")
            .create()
            .map_err(|error| self.told(&error))
    }

    /// What tells this cluster from every other.
    pub(super) fn identity(&self, consumer: &BaseConsumer) -> Result<Identity> {
        self.count();
        consumer.client().fetch_cluster_id(ANSWER).map(Identity).ok_or_else(|| self.silent())
    }

    /// The number of partitions; `None` if there is no such topic.
    pub(super) fn partitions(&self, consumer: &BaseConsumer, topic: &str) -> Result<Option<usize>> {
        self.count();
        let metadata = match consumer.fetch_metadata(Some(topic), ANSWER) {
            Err(KafkaError::MetadataFetch(Code::UnknownTopicOrPartition | Code::UnknownTopic)) => return Ok(None),
            answer => answer.map_err(|error| self.told(&error))?,
        };
        let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else { return Ok(None) };
        match found.error() {
            Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) => Ok(None),
            Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) => Err(self.closed()),
            _ if found.partitions().is_empty() => Ok(None),
            _ => Ok(Some(found.partitions().len())),
        }
    }

    /// The first offset and the last stable one.
    pub(super) fn ends(&self, consumer: &BaseConsumer, topic: &str, partition: i32) -> Result<(i64, i64)> {
        self.count();
        consumer.fetch_watermarks(topic, partition, ANSWER).map_err(|error| self.told(&error))
    }

    fn closed(&self) -> Error {
        Error::new(Class::Unreachable, format!("the Kafka cluster at `{}` does not let us in", self.servers))
            .help("check the credentials, and the rights to describe and read topics and groups")
    }

    pub(super) fn silent(&self) -> Error {
        Error::new(Class::Unreachable, format!("the Kafka cluster at `{}` does not answer", self.servers))
            .help("check that the brokers run, and that the addresses that they advertise can be reached from here")
    }

    /// A failure of the driver; its texts hold no record, but they do hold values of settings.
    pub(super) fn told(&self, error: &KafkaError) -> Error {
        if let KafkaError::ClientConfig(_, _, name, _) = error {
            return Error::new(
                Class::Input,
                format!("the setting `{name}` of the Kafka client is unknown or has a wrong value"),
            )
            .help("check the parameters of the URL");
        }
        if matches!(error, KafkaError::ClientCreation(_)) {
            return Error::new(Class::Input, "a Kafka client can't be made with the settings of the URL")
                .help("check the parameters of the URL, such as `security.protocol` and `sasl.mechanisms`");
        }
        match error.rdkafka_error_code() {
            Some(
                Code::BrokerTransportFailure
                | Code::AllBrokersDown
                | Code::OperationTimedOut
                | Code::RequestTimedOut
                | Code::MessageTimedOut,
            ) => self.silent(),
            Some(
                Code::Authentication
                | Code::SaslAuthenticationFailed
                | Code::TopicAuthorizationFailed
                | Code::GroupAuthorizationFailed
                | Code::ClusterAuthorizationFailed,
            ) => self.closed(),
            Some(Code::AutoOffsetReset | Code::OffsetOutOfRange) => {
                Error::new(Class::Partial, "records of the window were deleted while it was read")
                    .help("narrow the topic's window, or raise the topic's retention, and capture again")
            }
            Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition) => {
                Error::new(Class::Input, "there is no such topic or partition").help("check the topic's name")
            }
            Some(Code::MessageSizeTooLarge) => Error::new(Class::Write, "a record is larger than the broker takes")
                .help("raise `max.message.bytes` of the topic, or `message.max.bytes` of the broker"),
            Some(code) => Error::new(Class::Unexpected, format!("the Kafka client fails: {code}")),
            None => Error::new(Class::Unexpected, "the Kafka client fails"),
        }
    }
}

/// Runs what blocks where it may.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::new(Class::Unexpected, "a read of Kafka broke off"))?
}

/// Whether a setting makes sense over TLS alone.
fn needs_tls(name: &str, value: &str) -> bool {
    let protocol = name.eq_ignore_ascii_case("security.protocol");
    (protocol && value.to_ascii_lowercase().ends_with("ssl")) || name.to_ascii_lowercase().starts_with("ssl.")
}

/// A coordinate of a partition, such as `orders/0`.
pub(super) fn place(topic: &str, partition: impl Display) -> String {
    format!("{topic}/{partition}")
}

/// A part of a URL with its `%` escapes undone.
fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
            let value = digit(bytes.next())? * 16 + digit(bytes.next())?;
            out.push(u8::try_from(value).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_brokers_and_settings() {
        let cluster = Cluster::of(&Dsn::new("kafka://a:1,b:2/?sasl.password=x%26%25&group.id=mine")).expect("a URL");
        assert_eq!(cluster.servers, "a:1,b:2");
        assert_eq!(cluster.config().get("sasl.password"), Some("x&%"));
        for url in ["kafka://", "http://a", "kafka://u:canary@a:1", "kafka://a?x", "kafka://a?x=%zz"] {
            let error = Cluster::of(&Dsn::new(url)).expect_err("no URL");
            assert!(error.class() == Class::Input && !error.to_string().contains("canary"), "{url}");
        }
    }

    #[test]
    fn tls_is_refused_by_name() {
        for query in
            ["security.protocol=ssl", "security.protocol=SASL_SSL", "Security.Protocol=SSL", "ssl.ca.location=x"]
        {
            let error = Cluster::of(&Dsn::new(format!("kafka://a:1?{query}"))).expect_err("refused");
            assert_eq!(error.class(), Class::Input, "{query}");
            assert!(error.message().contains("no TLS for Kafka") && error.help_text().is_some(), "{error}");
        }
        for query in ["security.protocol=plaintext", "security.protocol=SASL_PLAINTEXT"] {
            Cluster::of(&Dsn::new(format!("kafka://a:1?{query}"))).expect("taken");
        }
    }
}
