//! Topics: their names on the broker, and what a scenario may ask of them.

use super::case::Building;
use crate::{
    config::shape::Located,
    scenario::{TOPIC_NAME_LIMIT, Topic},
    text::nearest::suggest,
};
use mallard_protocol::{ids::TopicId, workload::TopicSpec};

/// Most topics of a case; a `TopicId` has 16 bits, and a broker its patience.
const TOPIC_LIMIT: usize = 1_000;

impl Building<'_> {
    /// The case's topics, in the order of the file.
    pub(super) fn topics(&mut self) -> Vec<TopicSpec> {
        let topics = &self.scenario.topics;
        if let Some((name, _)) = topics.get(TOPIC_LIMIT) {
            self.reader.error(&name.at, format!("more than {TOPIC_LIMIT} topics"), "");
        }
        for (name, topic) in topics {
            self.check_topic(name, topic);
        }
        topics.iter().map(|(name, topic)| self.topic_spec(name, topic)).collect()
    }

    fn topic_spec(&self, name: &Located<String>, topic: &Topic) -> TopicSpec {
        let pair =
            |p: &crate::config::shape::Property| (p.key.value.clone(), p.value.value.clone());
        TopicSpec {
            name: if topic.existing { name.value.clone() } else { self.own_name(&name.value) },
            alias: name.value.clone(),
            partitions: topic.partitions.unwrap_or(0),
            replication: topic.replication.as_ref().map(|replication| replication.value),
            config: topic.config.iter().map(pair).collect(),
            existing: topic.existing,
        }
    }

    /// A name on the broker that says which run it belongs to, and differs from case to case.
    pub(super) fn own_name(&self, name: &str) -> String {
        format!("{name}-{}-{}", self.identity.run_id, self.identity.number)
    }

    fn check_topic(&mut self, name: &Located<String>, topic: &Topic) {
        if !topic.existing && self.own_name(&name.value).len() > TOPIC_NAME_LIMIT {
            let message = format!(
                "with the run's id the topic's name has more than {TOPIC_NAME_LIMIT} characters"
            );
            self.reader.error(&name.at, message, "shorten it, or give the run a shorter `--id`");
        }
        let consumers = self.scenario.consumers.iter();
        let used = self.scenario.producers.iter().any(|(_, p)| p.sends_to(&name.value))
            || consumers.clone().any(|(_, c)| c.writes_to(&name.value))
            || consumers.flat_map(|(_, c)| &c.topics.value).any(|read| read.value == name.value);
        // A group that is observed may read any topic.
        if !used && self.scenario.observe.groups.is_empty() {
            let message = format!("no producer or consumer uses the topic `{}`", name.value);
            self.reader.warn(&name.at, message, "remove it, or name it in a producer or consumer");
        }
        let kafka = &self.cluster.kafka;
        let Some(brokers) = kafka.brokers() else { return };
        let embedded = kafka.is_embedded();
        let what = if embedded { "embedded" } else { "container" };
        if topic.existing {
            let help = "it begins empty with every case; remove `existing`, or take a real cluster with `--cluster`";
            let help = if embedded { help } else { "it begins empty; remove `existing`" };
            let owner = if embedded { "the embedded broker" } else { "Kafka in containers" };
            self.reader.error(&name.at, format!("{owner} has no existing topics"), help);
        }
        let replicas = topic.replication.as_ref();
        if let Some(wish) = replicas.filter(|wish| i32::from(wish.value) > i32::from(brokers)) {
            let owner = if embedded { "the embedded cluster" } else { "Kafka in containers" };
            let message = format!(
                "replication {} needs as many brokers, and {owner} has {brokers}",
                wish.value
            );
            let more = if embedded { "" } else { "image: …, " };
            let help = format!(
                "write `kafka: {{{what}: {{{more}brokers: {}}}}}` in the cluster file, or leave `replication` out",
                wish.value
            );
            self.reader.error(&wish.at, message, help);
        }
        if !embedded {
            return;
        }
        if let Some(property) = topic.config.first() {
            let help = "it counts on a real cluster; see `--cluster`";
            self.reader.warn(
                &property.key.at,
                "the embedded broker ignores topic configuration",
                help,
            );
        }
    }

    /// The topic that a producer or consumer mentions.
    pub(super) fn topic_id(&mut self, mention: &Located<String>) -> Option<TopicId> {
        let names: Vec<_> = self.scenario.topics.iter().map(|(name, _)| &*name.value).collect();
        let index = names.iter().position(|name| *name == mention.value);
        if index.is_none() && self.scenario.topics_known {
            let message = format!("no topic `{}` is declared", mention.value);
            self.reader.error(&mention.at, message, suggest(&mention.value, &names, "topics"));
        }
        index.and_then(|index| u16::try_from(index).ok()).map(TopicId)
    }

    /// The number of partitions that topics have, the most of any; noted if it is not known, with what
    /// needs it.
    pub(super) fn partitions_of(
        &mut self,
        topics: &[TopicId],
        at: &crate::config::source::Place,
        what: &str,
    ) -> Option<u32> {
        let counts: Vec<_> =
            topics.iter().map(|id| self.scenario.topics[id.index()].1.partitions).collect();
        if topics.iter().any(|id| self.scenario.topics[id.index()].1.broken) {
            return None;
        }
        if counts.contains(&None) {
            let message = format!("{what} needs to know how many partitions the topic has");
            let help = "write `partitions` beside `existing: true`; the run checks it";
            self.reader.error(at, message, help);
            return None;
        }
        counts.into_iter().flatten().max().and_then(|most| u32::try_from(most).ok())
    }
}
