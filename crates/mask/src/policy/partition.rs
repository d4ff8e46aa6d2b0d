//! Domains whose pseudonyms stay in the partitions of topics.
//!
//! Hidden here: how many partitions there are. A policy names topics, their catalogs tell the counts, and the masks take the least
//! common multiple: who agrees modulo that agrees modulo each.

use reenact_model::{EntityId, Finding, ServiceCatalog, Site};

use super::syntax::PartitionText;
use super::{MaskUse, Partition, Policy};
use crate::kernels::{ArgKind, Args};

/// The most that the masks take.
const MOST: u64 = 1_000;

/// Reads what a domain says of partitions; what is wrong goes to `findings`.
pub(super) fn read(
    text: &PartitionText,
    mask: &MaskUse,
    site: &Site,
    findings: &mut Vec<Finding>,
) -> Option<Partition> {
    let mut wrong = |message: String, help: &str| {
        findings.push(Finding::error("POL-027", site.clone(), message).help(help));
        None
    };
    let Some(argument) = mask.spec.args.iter().find(|argument| argument.name == "partition_by") else {
        let message = format!("mask `{}` can't keep a partition", mask.spec.name);
        return wrong(message, "use `integer`, `digits`, `alnum`, `pattern`, `uuid` or `token`");
    };
    if mask.args.text("partition_by").is_some() {
        return wrong("the mask has `partition_by` already".to_owned(), "say it in one place");
    }
    if let ArgKind::Choice(words) = argument.kind
        && !words.contains(&text.by.as_str())
    {
        return wrong(
            format!("there is no partitioner `{}`", text.by),
            "write `by: murmur2` (Java) or `by: crc32` (librdkafka)",
        );
    }
    let topic = |name: &String| name.split_once('/').map(|(service, topic)| EntityId::new(service, topic));
    let topics: Option<Vec<EntityId>> = text.topics.0.iter().map(topic).collect();
    match topics {
        Some(topics) if !topics.is_empty() => {
            let span = site.span.clone().unwrap_or_else(|| mask.span.clone());
            Some(Partition { by: text.by.clone(), topics, span })
        }
        _ => wrong("a topic is `service/topic`".to_owned(), "write `topics: [ events/orders ]`"),
    }
}

impl Policy {
    /// The policy with the counts of its domains' topics as arguments of their masks.
    pub(crate) fn partitioned(mut self, catalogs: &[ServiceCatalog], findings: &mut Vec<Finding>) -> Self {
        for domain in self.domains.values_mut() {
            let Some(partition) = &domain.partition else { continue };
            match count(partition, catalogs) {
                Ok(count) => {
                    let more = [("partition_by", partition.by.clone()), ("partitions", count.to_string())];
                    let mut args = domain.mask.args.0.clone();
                    args.extend(more.map(|(name, value)| (name.to_owned(), value)));
                    domain.mask.args = Args(args);
                }
                Err((topic, message)) => {
                    let site = topic.map_or_else(Site::default, Site::entity);
                    findings.push(
                        Finding::error("POL-027", site.with_span(Some(partition.span.clone())), message)
                            .help("name topics that the pipeline captures, with few partitions in common multiples"),
                    );
                }
            }
        }
        self
    }
}

/// The least common multiple of the topics' counts.
fn count<'a>(partition: &'a Partition, catalogs: &[ServiceCatalog]) -> Result<u64, (Option<&'a EntityId>, String)> {
    let mut all = 1;
    for topic in &partition.topics {
        let entity = catalogs.iter().flat_map(|c| &c.entities).find(|e| e.id == *topic);
        let Some(count) = entity.and_then(|e| e.properties.get("partitions")?.parse::<u64>().ok()).filter(|n| *n > 0)
        else {
            return Err((Some(topic), "there is no such topic".to_owned()));
        };
        all = all / common(all, count) * count;
        if all > MOST {
            return Err((None, format!("the topics have more than {MOST} partitions in a common multiple")));
        }
    }
    Ok(all)
}

/// The greatest common divisor.
fn common(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { common(b, a % b) }
}
