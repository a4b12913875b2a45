//! What became of records, by count: lost, unexpected, and what the broker's offsets say about it.
//!
//! A reader should receive every record that was acknowledged in the partitions it reads, warm-up
//! included. Three things bound what counts can tell. A duplicate hides a loss in the same partition, so
//! zero lost records is a claim about counts; so does a record without a stamp that somebody else put
//! there, since it cannot be told from this run's. And a consumer with `read_committed` never sees records of
//! aborted transactions; how many of these there are is known of a topic, not of a partition, so for
//! transactional topics that were not committed in full a loss is told of the topic alone.

use super::{
    collector::Collector,
    roster::Role,
    watch::{Who, is_slot_of, lag_of, pairs},
};
use crate::metrics::tally::{Outcome, ThroughOutcome};
use mallard_protocol::ids::{InstanceId, TopicId};

/// A partition in which the broker's offsets grew by less than what was acknowledged, or by more than
/// what was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetMismatch {
    /// Topic, by its name in the scenario.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// End offset less start offset.
    pub on_broker: u64,
    /// Records acknowledged.
    pub acked: u64,
    /// Records acknowledged, failed or without a fate: what there may be at most.
    pub at_most: u64,
}

/// Counts of one topic, over the whole load.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    acked: u64,
    /// Acknowledged outside transactions, or in committed ones.
    visible: u64,
    outstanding: u64,
    transactional: bool,
    producers: bool,
}

impl Collector {
    fn sent_to(&self, topic: TopicId) -> Sent {
        let mut sent = Sent::default();
        let ledgers = self.roster.instances.iter().zip(&self.ledgers);
        for (instance, ledger) in ledgers {
            let Some(Role::Producer { producer }) = instance.as_ref().map(|i| i.role) else {
                continue;
            };
            let producer = &self.roster.producers[producer];
            if producer.topic != topic {
                continue;
            }
            sent.producers = true;
            sent.transactional |= producer.transactional;
            sent.acked += ledger.produced.acked;
            sent.outstanding += ledger.produced.outstanding;
            sent.visible += if producer.transactional {
                ledger.committed_records
            } else {
                ledger.produced.acked
            };
        }
        sent
    }

    /// Records lost and unexpected in one partition of one reader; `None` where counts cannot tell.
    fn partition_fate(&self, reader: usize, slot: usize) -> Option<(u64, u64)> {
        let (topic, _) = self.roster.partition_of(slot);
        let sent = self.sent_to(topic);
        let hidden = self.roster.readers[reader].read_committed && sent.visible != sent.acked;
        if !sent.producers || hidden {
            return None;
        }
        let acked = self.partitions.totals()[slot].acked_whole;
        let received = self.partitions.received_whole(reader)[slot];
        Some((acked.saturating_sub(received), received.saturating_sub(acked)))
    }

    /// The same of a topic that a reader reads: the sum over partitions where they can tell, else the
    /// difference of the topic's sums.
    fn topic_fate(&self, reader: usize, topic: TopicId) -> Option<(u64, u64)> {
        let reads = &self.roster.readers[reader].reads;
        let slots: Vec<_> = self.roster.partitions(topic).collect();
        let read = slots.iter().filter(|slot| reads[**slot]).count();
        if read == 0 {
            return None;
        }
        let fates = slots.iter().filter(|slot| reads[**slot]);
        let fates: Option<Vec<_>> = fates.map(|slot| self.partition_fate(reader, *slot)).collect();
        if let Some(fates) = fates {
            return Some(fates.iter().fold((0, 0), |(a, b), (c, d)| (a + c, b + d)));
        }
        let sent = self.sent_to(topic);
        if !sent.producers || read < slots.len() {
            return None;
        }
        let received: u64 =
            slots.iter().map(|slot| self.partitions.received_whole(reader)[*slot]).sum();
        Some((sent.visible.saturating_sub(received), received.saturating_sub(sent.visible)))
    }

    /// What only the end tells about a member of a scope.
    pub(super) fn outcome(&self, who: &Who, member: usize) -> Outcome {
        let fates: Vec<Option<(u64, u64)>> = match who {
            Who::Partitions(_) => pairs(who, member, &self.roster)
                .map(|(reader, slot)| self.partition_fate(reader, slot))
                .collect(),
            Who::Topic(topic) => {
                (0..self.readers.len()).map(|reader| self.topic_fate(reader, *topic)).collect()
            }
            Who::Reader(reader) => self.reader_fates(*reader),
            Who::All => (0..self.readers.len()).flat_map(|r| self.reader_fates(r)).collect(),
            Who::Producer(_) | Who::Agents(_) | Who::Group(_) => Vec::new(),
        };
        let known = fates.into_iter().flatten();
        let fate = known.reduce(|(lost, extra), (a, b)| (lost + a, extra + b));
        Outcome {
            lost: fate.map(|(lost, _)| lost),
            unexpected: fate.map(|(_, unexpected)| unexpected),
            lag_end: lag_of(who, member, &self.roster, &|reader, slot| self.lag.of(reader, slot)),
            through: self.through_outcome(who),
            audited_intervals: self.audited,
        }
    }

    /// What became of records that went into pipelines of others.
    fn through_outcome(&self, who: &Who) -> Option<ThroughOutcome> {
        let readers = match who {
            Who::All => 0..self.readers.len(),
            Who::Reader(reader) => *reader..*reader + 1,
            _ => 0..0,
        };
        readers.filter_map(|reader| self.through_of(reader)).reduce(ThroughOutcome::and)
    }

    fn through_of(&self, reader: usize) -> Option<ThroughOutcome> {
        let plan = self.roster.readers[reader].through.as_ref()?;
        let inputs = plan.sources.iter().map(|source| self.visible_of(*source)).sum();
        Some(self.throughs[reader].outcome(inputs, plan))
    }

    /// Records of a producer instance that were acknowledged, and not in a transaction that was not
    /// committed.
    fn visible_of(&self, instance: InstanceId) -> u64 {
        let role = self.roster.instance(instance).map(|instance| instance.role);
        let (Some(Role::Producer { producer }), Some(ledger)) =
            (role, self.ledgers.get(instance.index()))
        else {
            return 0;
        };
        match self.roster.producers[producer].transactional {
            true => ledger.committed_records,
            false => ledger.produced.acked,
        }
    }

    /// Whether every input of every pipeline came out, as far as that can be told.
    #[must_use]
    pub fn came_through(&self) -> bool {
        let outcomes = (0..self.readers.len()).filter_map(|reader| self.through_of(reader));
        let mut outcomes = outcomes;
        outcomes.all(|through| through.lost == 0 && through.incomplete.unwrap_or(0) == 0)
    }

    /// Lag of observed groups after the drain, of a member of a scope.
    pub(super) fn group_lag_end(&self, who: &Who, member: usize) -> Option<u64> {
        let groups = match who {
            Who::Group(group) => *group..group.saturating_add(1),
            Who::All | Who::Topic(_) | Who::Partitions(_) => 0..self.groups.len(),
            Who::Producer(_) | Who::Reader(_) | Who::Agents(_) => 0..0,
        };
        let in_slot = |slot: usize| is_slot_of(who, member, slot, &self.roster);
        self.group_table.lag_end(groups, &in_slot, &self.lag, &self.roster)
    }

    fn reader_fates(&self, reader: usize) -> Vec<Option<(u64, u64)>> {
        let topics = 0..u16::try_from(self.roster.topics.len()).unwrap_or(u16::MAX);
        topics.map(|topic| self.topic_fate(reader, TopicId(topic))).collect()
    }

    /// Of a partition, in the reader that misses most.
    pub(super) fn lost_in(&self, slot: usize) -> Option<u64> {
        let readers = (0..self.readers.len()).filter(|r| self.roster.readers[*r].reads[slot]);
        readers.filter_map(|reader| self.partition_fate(reader, slot)).map(|(lost, _)| lost).max()
    }

    /// Partitions in which offsets and accounts disagree. Transactional topics are left out: their
    /// offsets count markers too.
    pub(super) fn offset_mismatches(&self) -> Vec<OffsetMismatch> {
        let slots = 0..self.roster.slots();
        slots.filter_map(|slot| self.offset_mismatch(slot)).collect()
    }

    fn offset_mismatch(&self, slot: usize) -> Option<OffsetMismatch> {
        let (topic, partition) = self.roster.partition_of(slot);
        let sent = self.sent_to(topic);
        let grown = self.lag.end(slot)?.saturating_sub(self.lag.start(slot)?);
        if sent.transactional || !sent.producers || partition < 0 {
            return None;
        }
        let totals = &self.partitions.totals()[slot];
        let (acked, on_broker) = (totals.acked_whole, u64::try_from(grown).unwrap_or(0));
        let at_most = acked + totals.failed_whole + sent.outstanding;
        let topic = self.roster.topics[topic.index()].alias.clone();
        (!(acked..=at_most).contains(&on_broker)).then_some(OffsetMismatch {
            topic,
            partition,
            on_broker,
            acked,
            at_most,
        })
    }

    /// Consumers that had not caught up when the drain ended: name, lag, records missing. A lag of
    /// markers alone, with nothing missing, is none.
    pub(super) fn behind(&self) -> Vec<(String, u64, u64)> {
        let readers = self.roster.readers.iter().enumerate();
        let behind = readers.filter_map(|(at, reader)| {
            let outcome = self.outcome(&Who::Reader(at), 0);
            let lag = outcome.lag_end.filter(|lag| *lag > 0)?;
            let missing = outcome.lost.unwrap_or(lag);

            (missing > 0).then(|| (reader.name(), lag, missing))
        });
        behind.collect()
    }
}
