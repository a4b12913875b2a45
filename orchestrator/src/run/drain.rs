//! When the drain is over: everything that was sent is acknowledged or failed, and every consumer has
//! read what its topics got.

use crate::{
    measure::records_end,
    plan::workload::{reads_committed, workload_of},
};
use mallard_protocol::{
    ids::{InstanceId, TopicId},
    interval::{ConsumerTotals, IntervalReport, PartitionOffset, ProducerTotals},
    workload::Assignment,
};
use std::collections::{BTreeMap, BTreeSet};

/// Follows accounts until nothing is missing.
#[derive(Debug, Default)]
pub struct DrainWatch {
    producers: BTreeMap<InstanceId, Producer>,
    consumers: BTreeMap<InstanceId, ConsumerTotals>,
    workloads: Vec<ConsumerWorkload>,
    groups: Vec<ObservedGroup>,
    end_offsets: BTreeMap<(TopicId, i32), i64>,
    /// One beyond the last record that was acknowledged.
    sent_to: BTreeMap<(TopicId, i32), i64>,
    /// End of the last interval in which a record was acknowledged.
    acked_us: u64,
    /// End of the last interval in which groups were looked at.
    observed_us: u64,
}

/// A group that is not the case's own. It is waited for as well, by the offsets that it commits, so that
/// its lag after the drain says something.
#[derive(Debug)]
struct ObservedGroup {
    name: String,
    committed: Vec<PartitionOffset>,
}

#[derive(Debug)]
struct Producer {
    topic: TopicId,
    totals: ProducerTotals,
    aborted_records: u64,
    transactional: bool,
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
        let groups = assignment.observed_groups.iter();
        self.groups
            .extend(groups.map(|name| ObservedGroup { name: name.clone(), committed: Vec::new() }));
        for producer in &assignment.producers {
            let (topic, totals) = (producer.topic, ProducerTotals::default());
            let transactional = producer.transactions.is_some();
            let watched = Producer { topic, totals, aborted_records: 0, transactional };
            self.producers.insert(producer.instance, watched);
        }
        for consumer in &assignment.consumers {
            self.consumers.insert(consumer.instance, ConsumerTotals::default());
            let name = workload_of(&consumer.name);
            if let Some(known) = self.workloads.iter_mut().find(|w| w.name == name) {
                known.members.push(consumer.instance);
                continue;
            }
            self.workloads.push(ConsumerWorkload {
                name: name.to_owned(),
                topics: consumer.topics.iter().copied().collect(),
                members: vec![consumer.instance],
                sees_aborted: !reads_committed(&consumer.client, &assignment.connection),
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
                if interval.totals.acked > producer.totals.acked {
                    self.acked_us = self.acked_us.max(report.end_us);
                }
                producer.totals = interval.totals;
                producer.aborted_records += interval.transactions.aborted_records;
                for part in interval.slices.iter().flat_map(|slice| &slice.partitions) {
                    let sent_to = self.sent_to.entry((producer.topic, part.partition)).or_default();
                    *sent_to = part.next_offset.max(*sent_to);
                }
            }
        }
        for interval in &report.consumers {
            self.consumers.insert(interval.instance, interval.totals);
        }
        let offsets = report.end_offsets.iter();
        self.end_offsets.extend(offsets.map(|at| ((at.topic, at.partition), at.offset)));
        if !report.groups.is_empty() {
            self.observed_us = self.observed_us.max(report.end_us);
        }
        for sample in &report.groups {
            if let Some(group) = self.groups.get_mut(sample.group.index()) {
                group.committed.clone_from(&sample.committed);
            }
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

    /// Consumers that have not received all yet. `has_read_all` says of a consumer whether it has come to
    /// the end of its partitions: what was removed before it was read will not come.
    #[must_use]
    pub fn missing(&self, has_read_all: impl Fn(&str) -> bool) -> Vec<Missing> {
        let workloads = self.workloads.iter().filter_map(|workload| self.missing_of(workload));
        let workloads = workloads.filter(|missing| !has_read_all(&missing.consumer));
        workloads.chain(self.groups.iter().filter_map(|group| self.uncommitted(group))).collect()
    }

    /// What an observed group has not committed yet, in the partitions in which it commits.
    fn uncommitted(&self, group: &ObservedGroup) -> Option<Missing> {
        let (mut expected, mut received) = (0, 0);
        for at in &group.committed {
            let end = self.records_end((at.topic, at.partition)).unwrap_or(at.offset);
            expected += u64::try_from(end.max(at.offset)).unwrap_or(0);
            received += u64::try_from(at.offset).unwrap_or(0);
        }
        let consumer = || format!("group {}", group.name);
        // Offsets that are older than the last acknowledgement do not tell of all records.
        let too_old = expected > 0 && self.observed_us < self.acked_us;
        (received < expected || too_old).then(|| Missing {
            consumer: consumer(),
            expected,
            received,
        })
    }

    /// One beyond the last record of a partition; markers of transactions are waited for by nobody.
    fn records_end(&self, place: (TopicId, i32)) -> Option<i64> {
        let end = *self.end_offsets.get(&place)?;
        let sent_to = self.sent_to.get(&place).copied().unwrap_or(0);
        let ours = self.producers.values().filter(|p| p.transactional && p.topic == place.0);
        Some(records_end(end, sent_to, i64::try_from(ours.count()).unwrap_or(0)))
    }

    /// Whether the drain is over; see [`DrainWatch::missing`].
    #[must_use]
    pub fn is_over(&self, has_read_all: impl Fn(&str) -> bool) -> bool {
        self.in_flight() == 0 && self.missing(has_read_all).is_empty()
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
        // Of some partitions only, nobody knows by counts; by offsets, if the brokers say where they end.
        let behind = if workload.partial {
            in_work > 0 || (expected > 0 && !self.end_offsets.is_empty())
        } else {
            received < expected
        };
        behind.then(|| Missing { consumer: workload.name.clone(), expected, received })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::simulate::{Fate, Shape, reports};
    use mallard_protocol::{
        ids::GroupId,
        interval::{GroupSample, GroupState},
        workload::{ClientProperties, Membership, TransactionSpec},
    };

    /// A load of which consumers miss every tenth record.
    fn swallows(record: u64, _: u64) -> Fate {
        Fate { received_us: (!record.is_multiple_of(10)).then_some(3_000), ..Fate::default() }
    }

    /// What is known when such a load is over, and its last report.
    fn watched(
        connection: ClientProperties,
        spoil: fn(&mut Assignment),
    ) -> (DrainWatch, IntervalReport) {
        let plan = Shape::default().plan();
        let mut watch = DrainWatch::default();
        for agent in 0..plan.agents.len() {
            let mut assignment = plan.assignment(agent, 7, connection.clone());
            spoil(&mut assignment);
            watch.watch(&assignment);
        }
        let all = reports(&plan, swallows);
        all.iter().for_each(|(_, report)| watch.interval(report));
        let (_, last) = all.into_iter().next_back().expect("reports");
        (watch, last)
    }

    /// Drops what a consumer sets itself, so that the connection's word counts.
    fn without_isolation(assignment: &mut Assignment) {
        for consumer in &mut assignment.consumers {
            consumer.client.retain(|(key, _)| key != "isolation.level");
        }
    }

    #[test]
    fn records_of_aborted_transactions_are_waited_for_by_who_sees_them() {
        let nothing_more = |_: &str| false;
        for (level, is_over) in [("read_committed", true), ("read_uncommitted", false)] {
            let connection = vec![("isolation.level".to_owned(), level.to_owned())];
            let (mut watch, mut last) = watched(connection, without_isolation);
            assert!(!watch.is_over(nothing_more), "{level}");
            let missing = &watch.missing(nothing_more)[0];
            last.producers[0].transactions.aborted_records = missing.expected - missing.received;
            watch.interval(&last);
            assert_eq!(watch.is_over(nothing_more), is_over, "{level}");
        }
    }

    #[test]
    fn nobody_waits_for_records_that_were_removed_before_they_were_read() {
        let (watch, _) = watched(vec![], |_| ());
        assert!(!watch.is_over(|_| false));
        assert!(watch.is_over(|_| true));
    }

    #[test]
    fn who_reads_some_partitions_is_waited_for_by_offsets() {
        let assigned = |assignment: &mut Assignment| {
            for consumer in &mut assignment.consumers {
                consumer.membership = Membership::Assigned(vec![0]);
            }
        };
        let (watch, _) = watched(vec![], assigned);
        assert!(!watch.is_over(|_| false));
        assert!(watch.is_over(|_| true));
    }

    #[test]
    fn an_observed_group_has_not_to_commit_the_markers_behind_the_last_record() {
        let (mut watch, mut last) = watched(vec![], |assignment| {
            assignment.observed_groups = vec!["flink-job".to_owned()];
            assignment.producers.iter_mut().for_each(|producer| {
                producer.transactions = Some(TransactionSpec {
                    every_records: Some(20),
                    every_us: None,
                    abort_share: 0.0,
                });
            });
        });
        let mut step = |committed: i64, next_offset: i64, end: i64| {
            let at = |offset| PartitionOffset { topic: TopicId(0), partition: 0, offset };
            last.end_us += 1_000_000;
            last.end_offsets = vec![at(end)];
            for slice in &mut last.producers[0].slices {
                slice.partitions.iter_mut().for_each(|part| part.next_offset = 0);
            }
            let sent_to = watch.sent_to.entry((TopicId(0), 0)).or_default();
            *sent_to = next_offset;
            last.groups = vec![GroupSample {
                group: GroupId(0),
                state: GroupState::Stable,
                members: 1,
                rebalanced: false,
                committed: vec![at(committed)],
            }];
            watch.interval(&last);
            watch.is_over(|_| true)
        };
        assert!(!step(90, 100, 102), "ten records are not committed");
        assert!(step(100, 100, 102), "two markers are behind the last record");
        assert!(!step(100, 100, 110), "somebody else writes as well");
    }
}
