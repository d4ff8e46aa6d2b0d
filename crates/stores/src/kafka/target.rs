//! The writing side of a cluster.
//!
//! Hidden here: how a topic is made again so that nothing of it is lost by itself (no retention, no compaction, the given
//! times), and how a group's offsets are set while nobody is in it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::{Offset, TopicPartitionList};
use reenact_model::captured::Extractor;
use reenact_model::catalog::{Condition, Identity};
use reenact_model::digest::EntityDigest;
use reenact_model::{Class, Entity, Error, FieldPath, KeySet, Relationship, Result, ServiceCatalog, Site, Via};
use tokio::sync::mpsc;

use super::client::{Cluster, NO_GROUP, blocking};
use super::produce::{Writer, touch};
use super::scan::Range;
use super::source::{committed, next, start};
use super::{MARKER, PARTITIONS};
use crate::{GroupOffsets, LoadStep, Loaded, Read, Selection, Target};

/// How long a broker may take to make a topic.
const MAKE: Duration = Duration::from_secs(15);

pub(super) struct KafkaTarget {
    cluster: Cluster,
    service: String,
    sources: Vec<Identity>,
}

impl KafkaTarget {
    pub(super) fn new(cluster: Cluster, service: &str) -> Self {
        Self { cluster, service: service.to_owned(), sources: Vec::new() }
    }

    async fn with_consumer<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Cluster, &BaseConsumer) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.cluster.ask(NO_GROUP, work).await.map_err(|error| error.at(Site::service(&self.service)))
    }

    /// Asked before each destructive step.
    async fn check(&self) -> Result<()> {
        let site = Site::service(&self.service);
        let (marked, identity) = self
            .with_consumer(|cluster, consumer| {
                Ok((cluster.partitions(consumer, MARKER)?.is_some(), cluster.identity(consumer)?))
            })
            .await?;
        if !marked {
            return Err(Error::new(Class::Refused, "the target has no topic `reenact.target`")
                .at(site)
                .help("if it is meant to be overwritten, mark it: create a topic `reenact.target`"));
        }
        if self.sources.contains(&identity) {
            return Err(Error::new(Class::Refused, "the target is a cluster that the bundle was captured from")
                .at(site)
                .help("load into a cluster that was made anew"));
        }
        Ok(())
    }

    /// Begins to read a whole topic back.
    async fn all(&self, entity: &Entity) -> Result<mpsc::Receiver<Result<Option<RecordBatch>>>> {
        let topic = entity.id.name.clone();
        let ranges = self.with_consumer(move |cluster, consumer| whole(cluster, consumer, &topic)).await?;
        let ranges = ranges
            .ok_or_else(|| Error::new(Class::Differences, "the topic is not there").at(Site::entity(&entity.id)))?;
        let read = Read {
            entity: Arc::new(entity.clone()),
            columns: Vec::new(),
            selection: Selection::All,
            via: Via::root(0),
            limit: None,
            ordered: true,
        };
        start(self.cluster.clone(), read, ranges, Arc::default())
    }
}

/// All offsets of a topic; `None` if it is not there.
fn whole(cluster: &Cluster, consumer: &BaseConsumer, topic: &str) -> Result<Option<Vec<Range>>> {
    let Some(partitions) = cluster.partitions(consumer, topic)? else { return Ok(None) };
    let range = |partition| {
        let (from, to) = cluster.ends(consumer, topic, partition)?;
        Ok(Range { partition, from, to })
    };
    (0..i32::try_from(partitions).unwrap_or(i32::MAX)).map(range).collect::<Result<_>>().map(Some)
}

/// Makes the marker topic.
pub(super) async fn mark(cluster: &Cluster) -> Result<()> {
    let there = cluster.ask(NO_GROUP, |cluster, consumer| cluster.partitions(consumer, MARKER)).await?;
    if there.is_some() {
        return Ok(());
    }
    // A mock cluster answers no such request, but makes the topics that are written to.
    if make(cluster, MARKER, 1, Duration::from_secs(2)).await.is_err() {
        let touched = cluster.clone();
        blocking(move || touch(&touched, MARKER)).await?;
    }
    appears(cluster, MARKER, None).await
}

async fn make(cluster: &Cluster, topic: &str, partitions: i32, patience: Duration) -> Result<()> {
    let admin: AdminClient<DefaultClientContext> = cluster.config().create().map_err(|error| cluster.told(&error))?;
    let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1))
        .set("cleanup.policy", "delete")
        .set("retention.ms", "-1")
        .set("retention.bytes", "-1")
        .set("message.timestamp.type", "CreateTime");
    let options = AdminOptions::new().request_timeout(Some(patience)).operation_timeout(Some(patience));
    cluster.count();
    let results = admin.create_topics([&new], &options).await.map_err(|error| cluster.told(&error));
    // Taking the client down waits for its thread.
    tokio::task::spawn_blocking(move || drop(admin));
    match results?.pop() {
        Some(Ok(_) | Err((_, Code::TopicAlreadyExists))) => Ok(()),
        Some(Err((_, code))) => Err(Error::new(Class::Write, format!("the topic can't be made: {code}"))
            .help("check the right to create topics in the target")),
        None => Err(cluster.silent()),
    }
}

/// Waits until a topic that was made is seen, with all its partitions if their number was given.
async fn appears(cluster: &Cluster, topic: &str, expected: Option<usize>) -> Result<()> {
    let topic = topic.to_owned();
    let look = move |cluster: &Cluster, consumer: &BaseConsumer| {
        let begun = Instant::now();
        while begun.elapsed() < MAKE {
            let there = cluster.partitions(consumer, &topic)?;
            if let Some(partitions) = there.filter(|there| expected.is_none_or(|expected| expected == *there)) {
                let ends =
                    (0..i32::try_from(partitions).unwrap_or(i32::MAX)).map(|n| cluster.ends(consumer, &topic, n));
                if ends.collect::<Result<Vec<_>>>().is_ok() {
                    return Ok(());
                }
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(Error::new(Class::Unreachable, "a topic that was made does not appear").help("check the target's brokers"))
    };
    cluster.ask(NO_GROUP, look).await
}

#[async_trait]
impl Target for KafkaTarget {
    async fn identity(&mut self) -> Result<Identity> {
        self.with_consumer(Cluster::identity).await
    }

    async fn gates(&mut self, sources: &[Identity]) -> Result<()> {
        self.sources = sources.to_vec();
        self.check().await
    }

    async fn prepare(&mut self, catalog: &ServiceCatalog) -> Result<()> {
        self.check().await?;
        for entity in &catalog.entities {
            let site = || Site::entity(&entity.id);
            let wanted = entity.properties.get(PARTITIONS).and_then(|text| text.parse::<i32>().ok());
            let wanted = wanted
                .filter(|wanted| *wanted > 0)
                .ok_or_else(|| Error::new(Class::Bundle, "the topic's number of partitions is not known").at(site()))?;
            let topic = entity.id.name.clone();
            let there = self.with_consumer(move |cluster, consumer| whole(cluster, consumer, &topic)).await;
            let refused = |message: String| Err(Error::new(Class::Refused, message).at(site()));
            match there.map_err(|error| error.at(site()))? {
                None => {
                    let topic = &entity.id.name;
                    make(&self.cluster, topic, wanted, MAKE).await.map_err(|error| error.at(site()))?;
                    let count = usize::try_from(wanted).unwrap_or(usize::MAX);
                    appears(&self.cluster, topic, Some(count)).await.map_err(|error| error.at(site()))?;
                }
                Some(ranges) if i32::try_from(ranges.len()) != Ok(wanted) => {
                    return refused(format!("the topic has {} partitions, the source has {wanted}", ranges.len()));
                }
                Some(ranges) if ranges.iter().any(|range| range.from < range.to) => {
                    return refused("the topic holds records already".to_owned());
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    async fn defer(&mut self, _constraints: &[String]) -> Result<()> {
        self.check().await
    }

    async fn load(&mut self, step: &LoadStep, mut batches: BoxStream<'_, Result<RecordBatch>>) -> Result<Loaded> {
        self.check().await?;
        let LoadStep::Insert { entity, .. } = step else {
            return Err(Error::new(Class::Unexpected, "records are never patched").at(Site::service(&self.service)));
        };
        let site = Site::entity(&entity.id);
        let (cluster, topic) = (self.cluster.clone(), entity.id.name.clone());
        let mut writer = blocking(move || Writer::open(&cluster, &topic)).await?;
        let mut loaded = Loaded::default();
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            let written = blocking(move || writer.write(&batch).map(|rows| (writer, rows)));
            let (back, rows) = written.await.map_err(|error| error.at(site.clone()))?;
            loaded.rows += rows;
            writer = back;
        }
        loaded.offsets = blocking(move || writer.finish()).await.map_err(|error| error.at(site.clone()))?;
        if loaded.offsets.len() as u64 == loaded.rows {
            Ok(loaded)
        } else {
            let missing = loaded.rows.abs_diff(loaded.offsets.len() as u64);
            Err(Error::new(Class::Write, format!("{missing} records were not acknowledged")).at(site))
        }
    }

    async fn settle(&mut self, _catalog: &ServiceCatalog, groups: &[GroupOffsets]) -> Result<()> {
        self.check().await?;
        let site = Site::service(&self.service);
        for group in groups {
            let offsets = group.clone();
            let set = move |cluster: &Cluster, consumer: &BaseConsumer| set_group(cluster, consumer, &offsets);
            self.cluster.ask(&group.group, set).await.map_err(|error| error.at(site.clone()))?;
        }
        Ok(())
    }

    async fn digest(&mut self, entity: &Entity) -> Result<EntityDigest> {
        let mut digest = EntityDigest::default();
        let mut receiver = self.all(entity).await?;
        while let Some(batch) = next(&mut receiver).await.map_err(|error| error.at(Site::entity(&entity.id)))? {
            digest.add(&batch, entity.compared());
        }
        Ok(digest)
    }

    async fn keys(&mut self, entity: &Entity, fields: &[FieldPath], condition: Option<&Condition>) -> Result<KeySet> {
        let extractor = Extractor::new(entity, fields, condition)?;
        let mut keys = KeySet::new();
        let mut receiver = self.all(entity).await?;
        while let Some(batch) = next(&mut receiver).await.map_err(|error| error.at(Site::entity(&entity.id)))? {
            keys.extend(&extractor.key_set(&batch)?);
        }
        Ok(keys)
    }

    async fn dangling(&mut self, edge: &Relationship, child: &Entity, parent: &Entity) -> Result<KeySet> {
        let children = self.keys(child, &edge.child.fields, edge.condition.as_ref()).await?;
        let parents = self.keys(parent, &edge.parent.fields, None).await?;
        Ok(children.minus(&parents))
    }
}

/// Commits a group's offsets and reads them back.
fn set_group(cluster: &Cluster, consumer: &BaseConsumer, group: &GroupOffsets) -> Result<()> {
    let name = &group.group;
    let mut offsets = TopicPartitionList::new();
    for (topic, partition, offset) in group.offsets.iter().filter(|(.., offset)| *offset >= 0) {
        offsets
            .add_partition_offset(topic, *partition, Offset::Offset(*offset))
            .map_err(|error| cluster.told(&error))?;
    }
    if offsets.count() == 0 {
        return Ok(());
    }
    cluster.count();
    consumer.commit(&offsets, CommitMode::Sync).map_err(|error| match error.rdkafka_error_code() {
        Some(Code::UnknownMemberId | Code::IllegalGeneration | Code::RebalanceInProgress) => {
            Error::new(Class::Refused, format!("the group `{name}` has members in the target"))
                .help("stop its consumers before the replay")
        }
        _ => cluster.told(&error),
    })?;
    let mut topics: Vec<(&str, usize)> = Vec::new();
    for (topic, ..) in &group.offsets {
        if !topics.iter().any(|(seen, _)| seen == topic) {
            topics.push((topic, cluster.partitions(consumer, topic)?.unwrap_or(0)));
        }
    }
    let there = committed(cluster, consumer, topics.into_iter())?;
    let wrong =
        group.offsets.iter().filter(|(.., offset)| *offset >= 0).filter(|offset| !there.contains(offset)).count();
    match wrong {
        0 => Ok(()),
        wrong => Err(Error::new(Class::Differences, format!("{wrong} offsets of the group `{name}` were not kept"))),
    }
}
