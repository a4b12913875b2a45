//! What became of records: lost, not read, expired, compacted, unexpected, and what the brokers' offsets
//! say about it.
//!
//! A reader should receive every record that was acknowledged in the partitions it reads, warm-up
//! included; [`Standing::fate`] says what became of those that it did not. A consumer with `read_committed`
//! never sees records of aborted transactions; how many of these there are is known of a topic, not of a
//! partition, so for transactional topics that were not committed in full the fate is told of the topic
//! alone. A record without a stamp that somebody else put there cannot be told from this run's.

use super::{
    collector::Collector,
    integrity,
    roster::Role,
    watch::{Who, is_slot_of, lag_of, pairs},
};
use crate::{
    metrics::{
        fate::{Fate, Standing, gone},
        integrity::IntegrityOutcome,
        tally::{Outcome, ThroughOutcome},
    },
    model::result::EvidenceRow,
};
use mallard_protocol::{
    ids::{InstanceId, TopicId},
    integrity::{EVIDENCE_MAX, Evidence},
    interval::PartitionOffset,
};

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

/// A reader that did not receive all of a partition, or of a topic, and how it stood at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortfall {
    /// The reader.
    pub reader: String,
    /// `orders/0`, or `orders` where it is not known by partition.
    pub place: String,
    /// By what it is told.
    pub standing: Standing,
    /// What became of the records.
    pub fate: Fate,
    /// Where it stood, and where the log starts beyond that, of the first partition in which it does.
    pub behind_log_start: Option<(i64, i64)>,
    /// End of the last interval in which it got on, on the run's clock.
    pub moved_us: u64,
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

    /// How a reader stands to one partition; `None` where counts cannot tell.
    fn standing(&self, reader: usize, slot: usize) -> Option<Standing> {
        let (topic, _) = self.roster.partition_of(slot);
        let sent = self.sent_to(topic);
        let hidden = self.roster.readers[reader].read_committed && sent.visible != sent.acked;
        (sent.producers && !hidden).then(|| self.standing_of_all(reader, slot))
    }

    /// The same, whether or not the reader sees every record.
    fn standing_of_all(&self, reader: usize, slot: usize) -> Standing {
        let acked = self.partitions.totals()[slot].acked_whole;
        let topic = self.roster.partition_of(slot).0;
        Standing {
            acked,
            received: self.received_of(reader, slot),
            gone: self.gone_from(slot),
            is_settled: self.lag.settled(slot).is_some(),
            unread: self.lag.unread(reader, slot),
            removed: self.lag.removed(slot),
            is_compacted: self.roster.topics[topic.index()].is_compacted,
            is_told: self.is_told(reader),
        }
    }

    /// Records of a partition that a reader received: each once where they can be distinguished.
    fn received_of(&self, reader: usize, slot: usize) -> u64 {
        let counted = self.partitions.received_whole(reader)[slot];
        match self.roster.integrity {
            // A partition without numbers has nothing but records of others.
            true => self.integrity.distinct(reader, slot, &self.roster).min(counted),
            false => counted,
        }
    }

    /// What integrity found about a member of a scope.
    fn integrity_of(&self, who: &Who, member: usize) -> Option<IntegrityOutcome> {
        if !self.roster.integrity {
            return None;
        }
        let readers = match who {
            Who::Reader(reader) => *reader..*reader + 1,
            Who::All | Who::Topic(_) | Who::Partitions(_) => 0..self.readers.len(),
            Who::Producer(_) | Who::Agents(_) | Who::Group(_) => return None,
        };
        let reads = |reader: usize, slot: usize| self.roster.readers[reader].reads[slot];
        let slots = (0..self.roster.slots()).filter(|s| is_slot_of(who, member, *s, &self.roster));
        let pairs = slots.flat_map(|slot| readers.clone().map(move |reader| (reader, slot)));
        let outcomes = pairs
            .filter(|(reader, slot)| reads(*reader, *slot))
            .map(|(reader, slot)| self.integrity.outcome(reader, slot, &self.roster));
        outcomes.reduce(|a, b| a + b)
    }

    /// Records with which something is wrong, the first ones of each kind, and the first that did not come.
    pub(super) fn evidence(&self) -> Vec<EvidenceRow> {
        let mut rows: Vec<_> =
            self.integrity.evidence().iter().map(|of| self.evidence_row(of)).collect();
        let slots = 0..self.roster.slots();
        let pairs = slots.flat_map(|slot| (0..self.readers.len()).map(move |r| (r, slot)));
        let read = pairs.filter(|(reader, slot)| self.roster.readers[*reader].reads[*slot]);
        let missing = read.flat_map(|(reader, slot)| {
            let (topic, partition) = self.roster.partition_of(slot);
            let missing = self.integrity.missing(reader, slot, &self.roster).into_iter();
            missing.map(move |(instance, number)| EvidenceRow {
                anomaly: "missing".to_owned(),
                topic: self.roster.topics[topic.index()].alias.clone(),
                partition,
                producer: self.instance_name(instance),
                number,
                ..EvidenceRow::default()
            })
        });
        rows.extend(missing.take(EVIDENCE_MAX));
        rows
    }

    fn evidence_row(&self, of: &Evidence) -> EvidenceRow {
        EvidenceRow {
            anomaly: integrity::name(of.anomaly).to_owned(),
            topic: self
                .roster
                .topics
                .get(of.topic.index())
                .map_or_else(String::new, |topic| topic.alias.clone()),
            partition: of.partition,
            offset: Some(of.offset),
            producer: self.instance_name(of.instance),
            number: of.number,
            sequence: Some(of.sequence),
            due_us: Some(of.due_us),
            received_us: Some(of.received_us),
        }
    }

    fn instance_name(&self, instance: InstanceId) -> String {
        let known = self.roster.instance(instance).map(|instance| instance.name.clone());
        known.unwrap_or_else(|| format!("instance {}", instance.0))
    }

    /// Records of a partition that were acknowledged and cannot be in its log.
    fn gone_from(&self, slot: usize) -> u64 {
        let acked = self.partitions.totals()[slot].acked_whole;
        self.lag.settled(slot).map_or(0, |log| gone(acked, log))
    }

    /// Whether all that a reader received has been reported: what a lost agent had received since its last
    /// report is in nobody's accounts, although its group's position may be beyond it.
    fn is_told(&self, reader: usize) -> bool {
        let members = self.roster.instances.iter().flatten();
        let mut members = members.filter(|member| member.role == Role::Consumer { reader });
        members.all(|member| {
            let book = &self.agents[member.agent.0];
            book.finished && book.lost_at_us.is_none() && book.missing == 0 && book.partial == 0
        })
    }

    /// How a reader stands to a topic that it reads, by partition where that can be told, else the whole
    /// topic with its partitions' sums.
    fn standings(&self, reader: usize, topic: TopicId) -> Vec<(Option<usize>, Standing)> {
        let reads = &self.roster.readers[reader].reads;
        let slots: Vec<_> = self.roster.partitions(topic).collect();
        let read: Vec<_> = slots.iter().copied().filter(|slot| reads[*slot]).collect();
        let known = read.iter().map(|slot| Some((Some(*slot), self.standing(reader, *slot)?)));
        if let Some(known) = known.collect::<Option<Vec<_>>>() {
            return known;
        }
        let sent = self.sent_to(topic);
        if !sent.producers || read.len() < slots.len() {
            return Vec::new();
        }
        let parts = slots.iter().map(|slot| self.standing_of_all(reader, *slot));
        let sum = parts.reduce(|a, b| Standing {
            acked: sent.visible,
            received: a.received + b.received,
            gone: a.gone + b.gone,
            is_settled: a.is_settled && b.is_settled,
            unread: a.unread.zip(b.unread).map(|(a, b)| a + b),
            removed: a.removed + b.removed,
            ..a
        });
        sum.map(|sum| (None, Standing { acked: sent.visible, ..sum })).into_iter().collect()
    }

    fn topic_fate(&self, reader: usize, topic: TopicId) -> Option<Fate> {
        let standings = self.standings(reader, topic).into_iter();
        standings.map(|(_, standing)| standing.fate()).reduce(|a, b| a + b)
    }

    /// What only the end tells about a member of a scope.
    pub(super) fn outcome(&self, who: &Who, member: usize) -> Outcome {
        let fates: Vec<Option<Fate>> = match who {
            Who::Partitions(_) => pairs(who, member, &self.roster)
                .map(|(reader, slot)| Some(self.standing(reader, slot)?.fate()))
                .collect(),
            Who::Topic(topic) => {
                (0..self.readers.len()).map(|reader| self.topic_fate(reader, *topic)).collect()
            }
            Who::Reader(reader) => self.reader_fates(*reader),
            Who::All => (0..self.readers.len()).flat_map(|r| self.reader_fates(r)).collect(),
            Who::Producer(_) | Who::Agents(_) | Who::Group(_) => Vec::new(),
        };
        Outcome {
            fate: fates.into_iter().flatten().reduce(|a, b| a + b),
            lag_end: lag_of(who, member, &self.roster, &|reader, slot| self.lag.of(reader, slot)),
            through: self.through_outcome(who),
            integrity: self.integrity_of(who, member),
            audited_intervals: self.audited,
            ..Outcome::default()
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

    fn reader_fates(&self, reader: usize) -> Vec<Option<Fate>> {
        let topics = 0..u16::try_from(self.roster.topics.len()).unwrap_or(u16::MAX);
        topics.map(|topic| self.topic_fate(reader, TopicId(topic))).collect()
    }

    /// Of a partition, in the reader that misses most: the reader, how it stands, and what became of what
    /// it misses.
    pub(super) fn worst_fate_in(&self, slot: usize) -> Option<(usize, Standing, Fate)> {
        let readers = (0..self.readers.len()).filter(|r| self.roster.readers[*r].reads[slot]);
        let fates = readers.filter_map(|reader| {
            let standing = self.standing(reader, slot)?;
            Some((reader, standing, standing.fate()))
        });
        fates.max_by_key(|(_, _, fate)| (fate.lost(), fate.missing()))
    }

    /// Records that were acknowledged and that readers have not received, for whatever reason.
    #[must_use]
    pub fn missing(&self) -> u64 {
        let readers = (0..self.readers.len()).flat_map(|reader| self.reader_fates(reader));
        readers.flatten().map(|fate| fate.missing()).sum()
    }

    /// Partitions, else topics, of which a reader did not receive all, or that have lost what it received.
    pub(super) fn shortfalls(&self) -> Vec<Shortfall> {
        let topics = 0..u16::try_from(self.roster.topics.len()).unwrap_or(u16::MAX);
        let pairs =
            (0..self.readers.len()).flat_map(|r| topics.clone().map(move |t| (r, TopicId(t))));
        let all = pairs.flat_map(|(reader, topic)| {
            let standings = self.standings(reader, topic).into_iter();
            standings.map(move |(slot, standing)| self.shortfall(reader, topic, slot, standing))
        });
        all.filter(|short| short.fate.missing() + short.fate.lost() > 0).collect()
    }

    fn shortfall(
        &self,
        reader: usize,
        topic: TopicId,
        slot: Option<usize>,
        standing: Standing,
    ) -> Shortfall {
        let slots: Vec<_> = match slot {
            Some(slot) => vec![slot],
            None => self.roster.partitions(topic).collect(),
        };
        let alias = &self.roster.topics[topic.index()].alias;
        let bounds = slots
            .iter()
            .filter_map(|slot| self.lag.position(reader, *slot).zip(self.lag.log_start(*slot)));
        Shortfall {
            reader: self.roster.readers[reader].name(),
            place: slot.map_or_else(
                || alias.clone(),
                |slot| format!("{alias}/{}", self.roster.partition_of(slot).1),
            ),
            standing,
            fate: standing.fate(),
            behind_log_start: bounds.clone().find(|(position, start)| position < start),
            moved_us: slots.iter().map(|slot| self.lag.moved_us(reader, *slot)).max().unwrap_or(0),
        }
    }

    /// Partitions without a reader whose log ends below what was acknowledged: place, and how many
    /// records are gone.
    pub(super) fn gone_unread(&self) -> Vec<(String, u64)> {
        let slots = (0..self.roster.slots()).filter(|slot| !self.is_read(*slot));
        let gone = slots.map(|slot| (slot, self.gone_from(slot))).filter(|(_, gone)| *gone > 0);
        let named = gone.map(|(slot, gone)| {
            let (topic, partition) = self.roster.partition_of(slot);
            (format!("{}/{partition}", self.roster.topics[topic.index()].alias), gone)
        });
        named.collect()
    }

    /// Whether a reader has come to the end of its partitions, as it was after the last acknowledgement that
    /// was reported. Markers of transactions, and what was removed before it was read, hold nobody up.
    #[must_use]
    pub fn has_read_all(&self, consumer: &str) -> bool {
        let readers = self.roster.readers.iter().enumerate();
        let mut readers = readers.filter(|(_, reader)| reader.names.iter().any(|n| n == consumer));
        readers.all(|(at, reader)| {
            let mut slots = (0..self.roster.slots()).filter(|slot| reader.reads[*slot]);
            slots.all(|slot| self.lag.has_read_to_an_end_after(at, slot, self.acked_us))
        })
    }

    /// Records of this case's topics between readers' positions and these ends of their logs: by reader.
    #[must_use]
    pub fn unread_before(&self, ends: &[PartitionOffset]) -> Vec<(String, u64)> {
        let topics = 0..u16::try_from(self.roster.topics.len()).unwrap_or(u16::MAX);
        let is_sent_to: Vec<_> = topics.map(|t| self.sent_to(TopicId(t)).producers).collect();
        let readers = self.roster.readers.iter().enumerate();
        let unread = readers.map(|(at, reader)| {
            let of = |end: &PartitionOffset| {
                let slot = self.roster.slot(end.topic, end.partition)?;
                let is_ours = reader.reads[slot] && is_sent_to[end.topic.index()];
                let position = self.lag.position(at, slot).filter(|_| is_ours)?;
                u64::try_from(end.offset.saturating_sub(position)).ok()
            };
            (reader.name(), ends.iter().filter_map(of).sum::<u64>())
        });
        unread.filter(|(_, unread)| *unread > 0).collect()
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
        let (start, end) = self.lag.settled(slot)?;
        let grown = end.saturating_sub(start);
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

    /// Readers of topics that others write to, which had not come to the end: name and lag.
    pub(super) fn behind_others(&self) -> Vec<(String, u64)> {
        let readers = self.roster.readers.iter().enumerate();
        let behind = readers.filter_map(|(at, reader)| {
            let outcome = self.outcome(&Who::Reader(at), 0);
            let lag = outcome.lag_end.filter(|lag| *lag > 0 && outcome.fate.is_none())?;
            Some((reader.name(), lag))
        });
        behind.collect()
    }
}
