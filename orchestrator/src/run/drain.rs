//! When the drain is over: everything that was sent is acknowledged or failed, and every consumer has
//! read what its topics got.

use crate::measure::workload_of;
use mallard_protocol::{
    ids::{InstanceId, TopicId},
    interval::{ConsumerTotals, IntervalReport, ProducerTotals},
    workload::Assignment,
};
use std::collections::{BTreeMap, BTreeSet};

/// Follows accounts until nothing is missing.
#[derive(Debug, Default)]
pub struct DrainWatch {
    producers: BTreeMap<InstanceId, Producer>,
    consumers: BTreeMap<InstanceId, ConsumerTotals>,
    workloads: Vec<ConsumerWorkload>,
}

#[derive(Debug)]
struct Producer {
    topic: TopicId,
    totals: ProducerTotals,
    aborted_records: u64,
}

/// Consumers that share their partitions, and so receive each record once between them.
#[derive(Debug)]
struct ConsumerWorkload {
    name: String,
    topics: BTreeSet<TopicId>,
    members: Vec<InstanceId>,
    sees_aborted: bool,
    /// Some partitions only, or a start that skips or repeats: received cannot be held against sent.
    partial: bool,
}

/// What a consumer still misses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The consumer's name in the scenario.
    pub consumer: String,
    /// Records that its topics got in this run.
    pub expected: u64,
    /// Records it has received.
    pub received: u64,
}

impl DrainWatch {
    /// Watches the instances of an assignment as well.
    pub fn watch(&mut self, assignment: &Assignment) {
        for producer in &assignment.producers {
            let (topic, totals) = (producer.topic, ProducerTotals::default());
            let watched = Producer { topic, totals, aborted_records: 0 };
            self.producers.insert(producer.instance, watched);
        }
        for consumer in &assignment.consumers {
            self.consumers.insert(consumer.instance, ConsumerTotals::default());
            let name = workload_of(&consumer.name);
            if let Some(known) = self.workloads.iter_mut().find(|w| w.name == name) {
                known.members.push(consumer.instance);
                continue;
            }
            let property = |key: &str| consumer.client.iter().rev().find(|(k, _)| k == key);
            self.workloads.push(ConsumerWorkload {
                name: name.to_owned(),
                topics: consumer.topics.iter().copied().collect(),
                members: vec![consumer.instance],
                sees_aborted: property("isolation.level")
                    .is_some_and(|(_, v)| v == "read_uncommitted"),
                partial: matches!(
                    consumer.membership,
                    mallard_protocol::workload::Membership::Assigned(_)
                ),
            });
        }
    }

    /// Takes in an interval.
    pub fn interval(&mut self, report: &IntervalReport) {
        for interval in &report.producers {
            if let Some(producer) = self.producers.get_mut(&interval.instance) {
                producer.totals = interval.totals;
                producer.aborted_records += interval.transactions.aborted_records;
            }
        }
        for interval in &report.consumers {
            self.consumers.insert(interval.instance, interval.totals);
        }
    }

    /// An agent is lost: its instances are no longer waited for.
    pub fn forget(&mut self, assignment: &Assignment) {
        for producer in &assignment.producers {
            if let Some(lost) = self.producers.get_mut(&producer.instance) {
                lost.totals.outstanding = 0;
                lost.totals.not_sent = 0;
            }
        }
        for consumer in &assignment.consumers {
            self.workloads.iter_mut().for_each(|w| w.members.retain(|m| *m != consumer.instance));
        }
        self.workloads.retain(|workload| !workload.members.is_empty());
    }

    /// Records that are due or out, and neither acknowledged nor failed.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.producers.values().map(|p| p.totals.not_sent + p.totals.outstanding).sum()
    }

    /// Consumers that have not received all yet.
    #[must_use]
    pub fn missing(&self) -> Vec<Missing> {
        self.workloads.iter().filter_map(|workload| self.missing_of(workload)).collect()
    }

    /// Whether the drain is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.in_flight() == 0 && self.missing().is_empty()
    }

    fn missing_of(&self, workload: &ConsumerWorkload) -> Option<Missing> {
        let of_topics = self.producers.values().filter(|p| workload.topics.contains(&p.topic));
        let expected = of_topics
            .map(|p| {
                p.totals.acked
                    - if workload.sees_aborted { 0 } else { p.aborted_records.min(p.totals.acked) }
            })
            .sum();
        let totals = workload.members.iter().filter_map(|member| self.consumers.get(member));
        let (received, in_work) =
            totals.fold((0, 0), |(r, w), totals| (r + totals.received, w + totals.in_work));
        let behind = if workload.partial { in_work > 0 } else { received < expected };
        behind.then(|| Missing { consumer: workload.name.clone(), expected, received })
    }
}
