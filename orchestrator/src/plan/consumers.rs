//! Consumers: what they read, as whom, and their instances.

use super::{assignor::Assignor, case::Building};
use crate::{
    config::shape::Located,
    scenario::{
        consumers::{Assign, Consumer},
        process::{Process, Rows},
        producers::Instances,
    },
    text::plural::noun,
};
use mallard_protocol::{
    ids::TopicId,
    pipeline::{MemorySpec, ProcessSpec, RowsSpec},
    workload::{ClientProperties, CommitPolicy, ConsumerSpec, Membership, StartFrom},
};

/// How often the client of a group commits by itself, in milliseconds: librdkafka's own default.
const AUTO_COMMIT_MS: u32 = 5_000;

impl Building<'_> {
    /// Places all consumers.
    pub(super) fn consumers(&mut self) {
        let scenario = self.scenario;
        for (name, consumer) in &scenario.consumers {
            self.consumer(name, consumer);
        }
    }

    fn consumer(&mut self, name: &Located<String>, consumer: &Consumer) {
        let mentions = &consumer.topics.value;
        let topics: Vec<_> = mentions.iter().map(|topic| self.topic_id(topic)).collect();
        for (index, topic) in mentions.iter().enumerate() {
            if mentions[..index].iter().any(|other| other.value == topic.value) {
                let message = format!("the topic `{}` is named twice", topic.value);
                self.reader.error(&topic.at, message, "remove one");
            }
        }
        let mut client = self.client(&consumer.client, "consumer");
        client.push(("isolation.level".to_owned(), consumer.isolation.to_owned()));
        let eligible = self.placement.eligible(&consumer.on, self.reader);
        let process = consumer.process.as_ref().map(|process| self.process(consumer, process));
        let topics: Option<Vec<TopicId>> = topics.into_iter().collect();
        let (Some(topics), Some(eligible)) = (topics, eligible) else { return };
        let process = match process {
            Some(None) => return,
            process => process.flatten(),
        };
        self.warn_of_silence(consumer);
        let Some(parts) = self.memberships(name, consumer, &topics, &eligible) else { return };
        self.warn_of_idle_members(consumer, &topics, &client, parts.len());
        for (offset, (agent, membership)) in parts.into_iter().enumerate() {
            let Some(instance) = self.instance(&name.at) else { return };
            let commit = consumer.commit.as_ref().map(|commit| commit.value);
            let default = match membership {
                Membership::Group(_) => CommitPolicy::Auto { every_ms: AUTO_COMMIT_MS },
                Membership::Assigned(_) => CommitPolicy::Never,
            };
            let agent = agent.unwrap_or_else(|| self.placement.next(&eligible));
            self.placement.agent(agent).consumers.push(ConsumerSpec {
                instance,
                name: format!("{}-{}", name.value, offset + 1),
                topics: topics.clone(),
                membership,
                from: consumer.from.value,
                commit: commit.unwrap_or(default),
                work_us: crate::clock::micros(consumer.work),
                stamped: !self.scenario.producers.is_empty(),
                // The producers before it are looked up when all are placed.
                through: None,
                process: process.clone(),
                client: client.clone(),
            });
        }
    }

    /// A pipeline, its topics found.
    fn process(&mut self, consumer: &Consumer, process: &Located<Process>) -> Option<ProcessSpec> {
        let Located { value: process, .. } = process;
        let dead_letter = match &process.dead_letter {
            None => None,
            Some(topic) => Some(self.topic_id(topic)?),
        };
        let rows = match &process.rows {
            Rows::Nowhere => RowsSpec::Nowhere,
            Rows::Files { folder, batch_rows } => {
                RowsSpec::Files { folder: folder.clone(), batch_rows: *batch_rows }
            }
            Rows::Topic(topic) => RowsSpec::Topic(self.topic_id(topic)?),
        };
        for written in process.topics() {
            if consumer.topics.value.iter().any(|read| read.value == written.value) {
                let message =
                    format!("`{}` is read and written by the same pipeline", written.value);
                self.reader.error(&written.at, message, "it would feed itself; take another topic");
            }
        }
        let memory = consumer.source.as_ref();
        Some(ProcessSpec {
            decode: process.decode.spec(),
            validate: process.validate,
            strict: process.strict,
            flatten: process.flatten,
            parallelism: process.parallelism,
            dead_letter,
            rows,
            memory: memory.map(|memory| MemorySpec {
                payloads: memory.payloads,
                health: memory.health.clone(),
            }),
        })
    }

    /// How every instance comes to its partitions, with its agent where that is settled.
    fn memberships(
        &mut self,
        name: &Located<String>,
        consumer: &Consumer,
        topics: &[TopicId],
        eligible: &[usize],
    ) -> Option<Vec<(Option<usize>, Membership)>> {
        if consumer.source.is_some() {
            let agents = self.agents_for(&consumer.instances, None, eligible);
            let assigned = |agent| (agent, Membership::Assigned(Vec::new()));
            return Some(agents.into_iter().map(assigned).collect());
        }
        let per_partition = consumer.instances.value == Instances::PerPartition;
        let partitions = if per_partition {
            Some(self.partitions_of(
                topics,
                &consumer.instances.at,
                "`instances: per-partition`",
            )?)
        } else {
            None
        };
        let agents = self.agents_for(&consumer.instances, partitions, eligible);
        let Some(assign) = &consumer.assign else {
            let group = self.group_id(name, consumer, topics);
            return Some(
                agents.into_iter().map(|a| (a, Membership::Group(group.clone()))).collect(),
            );
        };
        let all = match &assign.value {
            Assign::All => {
                let count = self.partitions_of(topics, &assign.at, "`assign: all`")?;
                (0..i32::try_from(count).unwrap_or(i32::MAX)).collect()
            }
            Assign::These(partitions) => {
                for topic in topics {
                    self.check_partitions(partitions, *topic, &assign.at);
                }
                partitions.clone()
            }
        };
        if agents.len() > all.len() {
            let message =
                format!("{} instances share {} assigned partitions", agents.len(), all.len());
            self.reader.error(&consumer.instances.at, message, "each instance needs one at least");
            return None;
        }
        let count = agents.len();
        // Partitions are dealt out like cards: instance k has partitions k, k + n, k + 2n, …
        let share = |k: usize| all.iter().skip(k).step_by(count.max(1)).copied().collect();
        Some(
            agents
                .into_iter()
                .enumerate()
                .map(|(k, a)| (a, Membership::Assigned(share(k))))
                .collect(),
        )
    }

    /// The group's id on the broker: with the run's id, unless the group reads topics of the user's and
    /// so may be the user's as well.
    fn group_id(&self, name: &Located<String>, consumer: &Consumer, topics: &[TopicId]) -> String {
        let group = consumer.group.as_ref().map_or(&name.value, |group| &group.value);
        let existing = |topic: &TopicId| self.scenario.topics[topic.index()].1.existing;
        if topics.iter().any(existing) { group.clone() } else { self.own_name(group) }
    }

    fn warn_of_idle_members(
        &mut self,
        consumer: &Consumer,
        topics: &[TopicId],
        client: &ClientProperties,
        instances: usize,
    ) {
        if consumer.assign.is_some() || consumer.source.is_some() {
            return;
        }
        let known = topics.iter().map(|topic| self.scenario.topics[topic.index()].1.partitions);
        let counts = known.map(|count| usize::try_from(count?).ok());
        let Some(partitions) = counts.collect::<Option<Vec<usize>>>() else { return };
        let connection = self.cluster.kafka.client_properties();
        let property = |key: &str| {
            let mut given = connection.iter().chain(client);
            given.rfind(|(known, _)| known == key).map(|(_, value)| value.as_str())
        };
        let Some(shares) = Assignor::of(property).shares(&partitions, instances) else { return };
        let idle = shares.into_iter().filter(|share| *share == 0).count();
        if idle == 0 {
            return;
        }
        let all: usize = partitions.iter().sum();
        let of_topics = match partitions.len() {
            1 => String::new(),
            several => format!(" of {several} topics"),
        };
        let of_topics = format!("{}{of_topics}", noun(all, "partition"));
        let message = format!("{instances} instances in a group, and {all} {of_topics}");
        let help = match all < instances {
            true => format!(
                "a partition is read by one member of a group, so {idle} of them will have nothing to do"
            ),
            false => format!(
                "the assignor `range` deals out every topic on its own, so {idle} of them will have nothing to do; \
                 `client: {{partition.assignment.strategy: cooperative-sticky}}` deals out all topics together"
            ),
        };
        self.reader.warn(&consumer.instances.anchor, message, help);
    }

    fn warn_of_silence(&mut self, consumer: &Consumer) {
        if consumer.from.value == StartFrom::Earliest || consumer.through.is_some() {
            return;
        }
        for topic in &consumer.topics.value {
            let fed = self.scenario.producers.iter().any(|(_, p)| p.sends_to(&topic.value))
                || self.scenario.consumers.iter().any(|(_, c)| c.writes_to(&topic.value));
            let existing = self
                .scenario
                .topics
                .iter()
                .any(|(name, t)| name.value == topic.value && t.existing);
            if !fed && !existing {
                let message = format!(
                    "no producer writes to `{}`: there will be nothing to read",
                    topic.value
                );
                self.reader.warn(&topic.at, message, "add a producer, or read an existing topic");
            } else if !fed {
                let message = format!("no producer of this scenario sends to `{}`", topic.value);
                let help = "only what others send during the run is read; `from: earliest` reads what is there";
                self.reader.warn(&topic.at, message, help);
            }
        }
    }
}
