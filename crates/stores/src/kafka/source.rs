//! The reading side of a cluster.
//!
//! Hidden here: what a pin is. A log only grows, so a pin holds offsets and no data; a group's offsets are asked of its
//! coordinator without joining the group, and only when no transaction is about to change them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arrow::array::RecordBatch;
use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt as _, try_unfold};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};
use reenact_model::catalog::{Kind, Scope, Topic};
use reenact_model::{Captured, Class, Entity, EntityId, Error, Part, Position, Result, ServiceCatalog, Site};
use tokio::sync::mpsc;

use super::client::{ANSWER, Cluster, NO_GROUP, place};
use super::entity;
use super::gaps::{Gaps, Seen};
use super::records::Rows;
use super::scan::{Range, scan};
use super::window::window;
use crate::keyspace::Filter;
use crate::{Estimate, Pinned, Read, Selection, Source};

/// Two wanted records that are not further apart are read in one go.
const NEAR: i64 = 500;

type Ranges = BTreeMap<String, Vec<Range>>;

pub(super) struct KafkaSource {
    cluster: Cluster,
    scope: Scope,
    pinned: Option<Ranges>,
    gaps: Arc<Gaps>,
}

impl KafkaSource {
    pub(super) fn new(cluster: Cluster, scope: &Scope) -> Self {
        Self { cluster, scope: scope.clone(), pinned: None, gaps: Arc::default() }
    }

    fn missing(&self, topic: &str) -> Error {
        Error::new(Class::Input, "there is no such topic")
            .at(Site::entity(&EntityId::new(&self.scope.service, topic)))
            .help("check the topic's name, and the right to describe it")
    }

    /// The topics with their numbers of partitions, and the cluster's identity.
    async fn survey(&self) -> Result<(reenact_model::catalog::Identity, Vec<usize>)> {
        let topics = self.scope.topics.clone();
        let ask = move |cluster: &Cluster, consumer: &BaseConsumer| {
            let partitions = |topic: &Topic| cluster.partitions(consumer, &topic.name);
            Ok((cluster.identity(consumer)?, topics.iter().map(partitions).collect::<Result<Vec<_>>>()?))
        };
        let (identity, found) = self.cluster.ask(NO_GROUP, ask).await?;
        let partitions = self.scope.topics.iter().zip(found);
        let partitions = partitions.map(|(topic, found)| found.ok_or_else(|| self.missing(&topic.name)));
        Ok((identity, partitions.collect::<Result<_>>()?))
    }

    /// The windows of some topics as they are now.
    async fn windows(&self, topics: Vec<Topic>) -> Result<(Ranges, Vec<String>)> {
        let service = self.scope.service.clone();
        let ask = move |cluster: &Cluster, consumer: &BaseConsumer| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
            let now = i64::try_from(now).unwrap_or(i64::MAX);
            let mut out = Vec::new();
            for topic in topics {
                let site = Site::entity(&EntityId::new(&service, &topic.name));
                let one = cluster.partitions(consumer, &topic.name).and_then(|partitions| match partitions {
                    Some(partitions) => window(cluster, consumer, &topic, partitions, now).map(Some),
                    None => Ok(None),
                });
                out.push((topic.name, one.map_err(|error| error.at(site))?));
            }
            Ok(out)
        };
        let found = self.cluster.ask(NO_GROUP, ask).await?;
        let (mut ranges, mut gaps) = (Ranges::new(), Vec::new());
        for (topic, window) in found {
            let window = window.ok_or_else(|| self.missing(&topic))?;
            gaps.extend(window.gaps);
            ranges.insert(topic, window.ranges);
        }
        Ok((ranges, gaps))
    }

    /// What may be read of a topic: since the pin, or now.
    async fn ranges(&self, entity: &Entity) -> Result<Vec<Range>> {
        let name = &entity.id.name;
        if let Some(ranges) = self.pinned.as_ref().and_then(|pinned| pinned.get(name)) {
            return Ok(ranges.clone());
        }
        let topic = self.scope.topics.iter().find(|topic| topic.name == *name);
        let topic = topic.ok_or_else(|| self.missing(name))?;
        let (mut ranges, _) = self.windows(vec![topic.clone()]).await?;
        ranges.remove(name).ok_or_else(|| self.missing(name))
    }

    async fn pin_group(&self, group: &str) -> Result<Position> {
        let (_, partitions) = self.survey().await?;
        let topics: Vec<(String, usize)> =
            self.scope.topics.iter().map(|topic| topic.name.clone()).zip(partitions).collect();
        let ask = move |cluster: &Cluster, consumer: &BaseConsumer| {
            committed(cluster, consumer, topics.iter().map(|(topic, partitions)| (topic.as_str(), *partitions)))
        };
        let offsets = self.cluster.ask(group, ask).await?;
        let position = Position::default();
        Ok(offsets
            .into_iter()
            .fold(position, |position, (topic, partition, offset)| position.with(&place(&topic, partition), offset)))
    }
}

/// The committed offsets of a consumer's group; -1 where it has none.
pub(super) fn committed<'a>(
    cluster: &Cluster,
    consumer: &BaseConsumer,
    topics: impl Iterator<Item = (&'a str, usize)>,
) -> Result<Vec<(String, i32, i64)>> {
    let mut asked = TopicPartitionList::new();
    for (topic, partitions) in topics {
        for partition in 0..i32::try_from(partitions).unwrap_or(i32::MAX) {
            asked.add_partition(topic, partition);
        }
    }
    cluster.count();
    // With `read_committed` the driver asks for stable offsets, and waits while a transaction is about to change them.
    let answer = consumer.committed_offsets(asked, ANSWER).map_err(|error| cluster.told(&error))?;
    let one = |element: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
        element.error().map_err(|error| cluster.told(&error))?;
        let offset = if let Offset::Offset(offset) = element.offset() { offset } else { -1 };
        Ok((element.topic().to_owned(), element.partition(), offset))
    };
    answer.elements().iter().map(one).collect()
}

#[async_trait]
impl Source for KafkaSource {
    async fn describe(&self) -> Result<ServiceCatalog> {
        let (identity, partitions) = self.survey().await?;
        let service = &self.scope.service;
        let groups = self.scope.groups.iter().map(|group| Part::Group(group.name.clone()));
        let topics = self.scope.topics.iter().zip(partitions);
        Ok(ServiceCatalog {
            service: service.clone(),
            kind: Kind::Kafka,
            // The protocol does not tell it.
            version: "kafka".to_owned(),
            identity,
            entities: topics.map(|(topic, partitions)| entity(service, topic, partitions)).collect(),
            relationships: Vec::new(),
            ddl: Vec::new(),
            parts: std::iter::once(Part::TopicEnds).chain(groups).collect(),
        })
    }

    async fn estimate(&self, read: &Read) -> Result<Estimate> {
        let ranges = self.ranges(&read.entity).await?;
        let all = ranges.len();
        let wanted = narrowed(&read.selection, ranges);
        let rows = |range: &Range| (range.to - range.from).unsigned_abs();
        Ok(match wanted {
            Narrowed::Few(ranges, count) => Estimate {
                rows: Some(count),
                full_scan: false,
                how: format!("{} seeks by partition and offset", ranges.len()),
            },
            Narrowed::All(ranges) => Estimate {
                rows: Some(ranges.iter().map(rows).sum()),
                full_scan: true,
                how: format!("a scan over the window of {all} partitions"),
            },
        })
    }

    async fn pin(&mut self, part: &Part, _known: &[(Arc<Entity>, reenact_model::KeySet)]) -> Result<Pinned> {
        let site = Site::service(&self.scope.service);
        match part {
            Part::TopicEnds => {
                let (ranges, gaps) = self.windows(self.scope.topics.clone()).await.map_err(|error| error.at(site))?;
                let mut position = Position::default();
                for (topic, range) in ranges.iter().flat_map(|(topic, ranges)| ranges.iter().map(move |r| (topic, r))) {
                    let place = place(topic, range.partition);
                    position = position.with(&place, range.to).with(&format!("{place}:from"), range.from);
                }
                self.pinned = Some(ranges);
                self.gaps.forget();
                Ok(Pinned { position, gaps })
            }
            Part::Group(group) if self.scope.groups.iter().any(|declared| declared.name == *group) => {
                let position = self.pin_group(group).await.map_err(|error| error.at(site))?;
                Ok(Pinned { position, gaps: Vec::new() })
            }
            part => Err(Error::new(Class::Input, format!("there is no part `{part}` to pin")).at(site)),
        }
    }

    fn read(&self, read: Read) -> BoxStream<'_, Result<Captured>> {
        let (entity, via) = (Arc::clone(&read.entity), read.via);
        let site = Site::entity(&entity.id);
        let batches = try_unfold((None, Some(read)), move |(receiver, read)| async move {
            let mut receiver: mpsc::Receiver<_> = match (receiver, read) {
                (Some(receiver), _) => receiver,
                (None, Some(read)) => {
                    let ranges = self.ranges(&read.entity).await?;
                    start(self.cluster.clone(), read, ranges, Arc::clone(&self.gaps))?
                }
                (None, None) => return Ok(None),
            };
            Ok(next(&mut receiver).await?.map(|batch| (batch, (Some(receiver), None))))
        });
        batches
            .map(move |batch: Result<RecordBatch>| match batch {
                Ok(batch) => Ok(Captured::new(Arc::clone(&entity), batch, via)),
                Err(error) => Err(error.at(site.clone())),
            })
            .boxed()
    }

    fn gaps(&self) -> Vec<String> {
        self.pinned.as_ref().map(|windows| self.gaps.told(windows)).unwrap_or_default()
    }

    fn queries(&self) -> u64 {
        self.cluster.requests()
    }
}

/// What a reading thread sends: batches, and at its end nothing; without that it broke off.
type Sent = Result<Option<RecordBatch>>;

/// The next batch of a reading thread.
pub(super) async fn next(receiver: &mut mpsc::Receiver<Sent>) -> Sent {
    receiver.recv().await.unwrap_or_else(|| Err(Error::new(Class::Unexpected, "a read of Kafka broke off")))
}

/// Starts a thread that reads; it ends when the receiver is dropped.
pub(super) fn start(cluster: Cluster, read: Read, ranges: Vec<Range>, gaps: Arc<Gaps>) -> Result<mpsc::Receiver<Sent>> {
    let filter = Filter::new(&read)?;
    let (Narrowed::Few(ranges, _) | Narrowed::All(ranges)) = narrowed(&read.selection, ranges);
    let (sender, receiver) = mpsc::channel(2);
    tokio::task::spawn_blocking(move || {
        let consumer = cluster.consumer(NO_GROUP);
        let end = consumer.as_ref().map_err(Error::clone);
        let end = end.and_then(|consumer| work(&cluster, consumer, &read.entity, filter, &ranges, &gaps, &sender));
        // Nobody listens if the read was dropped; who does need not wait until the consumer is taken down.
        let _ = sender.blocking_send(end.map(|()| None));
    });
    Ok(receiver)
}

fn work(
    cluster: &Cluster,
    consumer: &BaseConsumer,
    entity: &Entity,
    mut filter: Filter,
    ranges: &[Range],
    gaps: &Gaps,
    sender: &mpsc::Sender<Sent>,
) -> Result<()> {
    let mut rows = Rows::default();
    let mut send = |rows: &mut Rows| {
        let batch = filter.take(&rows.finish(entity)?)?;
        Ok(batch.num_rows() == 0 || sender.blocking_send(Ok(Some(batch))).is_ok())
    };
    for range in ranges {
        let mut seen = Seen::new(*range);
        scan(cluster, consumer, &entity.id.name, *range, &|| !sender.is_closed(), &mut |message| {
            seen.record(message.offset());
            rows.push(entity, message)?;
            if rows.is_full() { send(&mut rows) } else { Ok(true) }
        })?;
        let is_over = sender.is_closed();
        if !is_over {
            seen.until(range.to);
        }
        gaps.add(&entity.id.name, &seen);
        if is_over {
            return Ok(());
        }
    }
    if !rows.is_empty() {
        send(&mut rows)?;
    }
    Ok(())
}

/// What must be looked at for a selection.
enum Narrowed {
    All(Vec<Range>),
    /// Ranges, and how many records are wanted.
    Few(Vec<Range>, u64),
}

/// Narrows a window where the selection names partitions and offsets.
fn narrowed(selection: &Selection, ranges: Vec<Range>) -> Narrowed {
    let Selection::Match { any, .. } = selection else { return Narrowed::All(ranges) };
    let mut wanted: BTreeSet<(i32, i64)> = BTreeSet::new();
    for one in any {
        let place = |name: &str| one.fields.iter().position(|field| field.column == name && field.path.is_none());
        let (Some(partition), Some(offset)) = (place("partition"), place("offset")) else {
            return Narrowed::All(ranges);
        };
        // What is no number is no coordinate of a record.
        wanted.extend(one.keys.iter().filter_map(|key| {
            Some((key.parts().get(partition)?.parse().ok()?, key.parts().get(offset)?.parse().ok()?))
        }));
    }
    let mut few: Vec<Range> = Vec::new();
    let mut count = 0;
    for (partition, offset) in wanted {
        let Some(whole) = ranges.iter().find(|range| range.partition == partition) else { continue };
        if offset < whole.from || offset >= whole.to {
            continue;
        }
        count += 1;
        match few.last_mut() {
            Some(last) if last.partition == partition && offset - last.to <= NEAR => last.to = offset + 1,
            _ => few.push(Range { partition, from: offset, to: offset + 1 }),
        }
    }
    Narrowed::Few(few, count)
}
