//! What a collector has measured once a case is over.

use super::{
    audit::AuditFailure,
    collector::{AgentBook, Collector},
    fate::{OffsetMismatch, Shortfall},
    faults::{Findings, When},
    observed::GroupSeen,
    partitions::PartitionTotals,
    roster::Roster,
    watch::{Judged, Who, is_slot_of},
};
use crate::{
    metrics::{
        resources::ResourceTally,
        tally::{Outcome, Tally},
    },
    model::{
        fault::{FaultEffect, SilentPartition},
        outage::Outage,
        result::{
            Accounts, EvidenceRow, PartitionFate, PartitionResult, PartitionSeriesRow, TopicResult,
        },
    },
};
use mallard_protocol::message::LogBounds;

/// Everything that was measured in a case.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Everybody in the case.
    pub roster: Roster,
    /// The measured phases.
    pub whole: Tally,
    /// By producer, in the roster's order.
    pub producers: Vec<Tally>,
    /// By reader, in the roster's order.
    pub readers: Vec<Tally>,
    /// By observed group, in the roster's order.
    pub groups: Vec<Tally>,
    /// How each observed group was found.
    pub groups_seen: Vec<GroupSeen>,
    /// Accounts of the measured phases.
    pub accounts: Accounts,
    /// Accounts of the whole load.
    pub accounts_whole: Accounts,
    /// By partition. Partition -1 is left out where nothing failed there.
    pub partitions: Vec<PartitionResult>,
    /// By topic.
    pub topics: Vec<TopicResult>,
    /// By partition, then by time.
    pub partition_series: Vec<PartitionSeriesRow>,
    /// By expectation, in the plan's order.
    pub judged: Vec<Judged>,
    /// By agent.
    pub agents: Vec<AgentMeasured>,
    /// Stretches in which brokers or acknowledgements were missing.
    pub outages: Vec<Outage>,
    /// What each fault did, in the plan's order.
    pub faults: Vec<FaultEffect>,
    /// Records with which something is wrong, where integrity is checked.
    pub evidence: Vec<EvidenceRow>,
    /// What the trust in all this hangs on.
    pub quality: Quality,
}

/// An agent over the whole load.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AgentMeasured {
    /// Its resources.
    pub whole: ResourceTally,
    /// Resident memory when the load started.
    pub memory_start_bytes: Option<u64>,
    /// End of the last interval it told.
    pub progress_us: u64,
    /// Whether it told that there are no more.
    pub finished: bool,
    /// When it was lost.
    pub lost_at_us: Option<u64>,
    /// Intervals that never came.
    pub missing: u64,
    /// Intervals that came without the part of an instance.
    pub partial: u64,
    /// Measured intervals that it handed in late.
    pub late: u64,
    /// The worst of them, in microseconds.
    pub late_by_us_max: u64,
}

/// What the trust in figures hangs on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Quality {
    /// Intervals of the measured phases.
    pub measured_intervals: u64,
    /// Intervals that went out without a part.
    pub incomplete: u64,
    /// Accounts that do not add up.
    pub failures: Vec<AuditFailure>,
    /// Partitions in which offsets and accounts disagree.
    pub offset_mismatches: Vec<OffsetMismatch>,
    /// Partitions, else topics, of which a reader did not receive all.
    pub shortfalls: Vec<Shortfall>,
    /// Partitions without a reader of which acknowledged records are gone: place and how many.
    pub gone_unread: Vec<(String, u64)>,
    /// Readers of topics that others write to, which had not come to the end: name and lag.
    pub behind_others: Vec<(String, u64)>,
}

impl Collector {
    /// Ends the collection. `log` is where logs start and end after the last acknowledgement, as far as the
    /// brokers said it. [`Collector::flush`] comes before it, for the last intervals.
    #[must_use]
    pub fn conclude(mut self, log: &LogBounds) -> Measured {
        let _ = self.flush();
        self.lag.settle(log, &self.roster);
        let faults = std::mem::take(&mut self.faults);
        let faults = faults.finish(|slot| self.roster.partition_of(slot).1 >= 0);
        let mut outcome = self.outcome(&Who::All, 0);
        self.note_faults(&faults, (&Who::All, 0), &When::Any, &mut outcome);
        self.whole.outcome = outcome;
        self.whole.observed.lag_end = self.group_lag_end(&Who::All, 0);
        for reader in 0..self.readers.len() {
            self.readers[reader].outcome = self.outcome(&Who::Reader(reader), 0);
        }
        for group in 0..self.groups.len() {
            self.groups[group].observed.lag_end = self.group_lag_end(&Who::Group(group), 0);
        }
        let watches = std::mem::take(&mut self.watches);
        let judged = watches.into_iter().map(|watch| {
            let outcome = |who: &Who, member, when: &When, tally: &mut Tally| {
                tally.outcome = self.outcome(who, member);
                self.note_faults(&faults, (who, member), when, &mut tally.outcome);
                tally.observed.lag_end = self.group_lag_end(who, member);
            };
            let is_known = |when: &When| faults.are_known(when);
            watch.finish(self.released_us, &self.roster, &outcome, &is_known)
        });
        let judged = judged.collect();
        let quality = Quality {
            measured_intervals: self.measured_intervals,
            incomplete: self.incomplete,
            failures: self.failures.clone(),
            offset_mismatches: self.offset_mismatches(),
            shortfalls: self.shortfalls(),
            gone_unread: self.gone_unread(),
            behind_others: self.behind_others(),
        };
        Measured {
            faults: self.fault_effects(&faults),
            evidence: self.evidence(),
            outages: std::mem::take(&mut self.outages).finish(&self.roster),
            accounts: accounts_of(&self.whole),
            accounts_whole: self.accounts_whole(),
            partitions: self.partition_results(),
            topics: self.topic_results(),
            partition_series: self.partition_series(),
            judged,
            agents: self.agents.iter().map(agent_of).collect(),
            quality,
            whole: self.whole,
            producers: self.producers,
            readers: self.readers,
            groups: self.groups,
            groups_seen: self.group_table.seen(),
            roster: self.roster,
        }
    }

    /// What faults did to a scope in a part of the time.
    fn note_faults(
        &self,
        faults: &Findings,
        (who, member): (&Who, usize),
        when: &When,
        outcome: &mut Outcome,
    ) {
        let is_wanted = |slot| is_slot_of(who, member, slot, &self.roster);
        outcome.unavailable = faults.unavailable(when, &self.roster.measured, is_wanted);
        outcome.faults = faults.outcome(when);
    }

    fn fault_effects(&self, faults: &Findings) -> Vec<FaultEffect> {
        let effect = |at: usize| {
            let of = &faults.of[at];
            let silent = faults.silent_in(at).into_iter().map(|span| SilentPartition {
                partition: self.roster.partition_name(span.slot),
                from_us: span.from_us,
                to_us: span.to_us,
            });
            FaultEffect {
                detected_after_us: of.detected_after_us(),
                recovered_after_us: of.recovered_after_us(),
                shortfall: of.shortfall(),
                late: of.late,
                failed: of.failed,
                retried: of.retried,
                silent: silent.collect(),
            }
        };
        (0..faults.of.len()).map(effect).collect()
    }

    fn accounts_whole(&self) -> Accounts {
        let mut accounts = Accounts {
            late: self.whole_late,
            failed_by_code: self.whole_failed_by_code.clone(),
            ..Accounts::default()
        };
        for ledger in &self.ledgers {
            accounts.scheduled += ledger.produced.scheduled;
            accounts.not_sent += ledger.produced.not_sent;
            accounts.sent += ledger.produced.sent;
            accounts.acked += ledger.produced.acked;
            accounts.failed += ledger.produced.failed;
            accounts.outstanding += ledger.produced.outstanding;
            accounts.received += ledger.consumed.received;
        }
        accounts
    }

    fn partition_results(&self) -> Vec<PartitionResult> {
        let slots = 0..self.roster.slots();
        let results = slots.filter_map(|slot| {
            let totals = &self.partitions.totals()[slot];
            let (topic, partition) = self.roster.partition_of(slot);
            if partition < 0 && totals.failed == 0 {
                return None;
            }
            Some(PartitionResult {
                topic: self.roster.topics[topic.index()].alias.clone(),
                partition,
                acked: totals.acked,
                acked_bytes: totals.acked_bytes,
                failed: totals.failed,
                received: totals.received,
                received_bytes: totals.received_bytes,
                fate: self.partition_fate(slot),
                lost: self.worst_fate_in(slot).map(|(_, _, fate)| fate.lost()),
                start_offset: self.lag.start(slot),
                end_offset: self.lag.end(slot),
                lag_max: self.lag.max(slot),
                lag_end: self.lag_end(slot),
                service: totals.service.percentiles(),
                response: totals.response.percentiles(),
                end_to_end: totals.end_to_end.percentiles(),
            })
        });
        results.collect()
    }

    fn partition_fate(&self, slot: usize) -> Option<PartitionFate> {
        let (reader, standing, fate) = self.worst_fate_in(slot)?;
        Some(PartitionFate {
            consumer: self.roster.readers[reader].name(),
            acked: standing.acked,
            received: standing.received,
            unexpected: fate.unexpected,
            lost_unread: fate.lost_unread,
            lost_read: fate.lost_read,
            not_read: fate.not_read,
            expired: fate.expired,
            compacted: fate.compacted,
            unaccounted: fate.unaccounted,
            position: self.lag.position(reader, slot),
            log_start_offset: self.lag.log_start(slot),
        })
    }

    fn topic_results(&self) -> Vec<TopicResult> {
        let topics = self.roster.topics.iter().enumerate().map(|(at, topic)| {
            let mut totals = PartitionTotals::default();
            let own = |slot: &usize| self.roster.partition_of(*slot).0.index() == at;
            for slot in (0..self.roster.slots()).filter(own) {
                totals.add(&self.partitions.totals()[slot]);
            }
            TopicResult {
                topic: topic.alias.clone(),
                partitions: u32::try_from(topic.partitions).unwrap_or(0),
                acked: totals.acked,
                acked_bytes: totals.acked_bytes,
                failed: totals.failed,
                received: totals.received,
                received_bytes: totals.received_bytes,
                service: totals.service.percentiles(),
                response: totals.response.percentiles(),
                end_to_end: totals.end_to_end.percentiles(),
            }
        });
        topics.collect()
    }

    /// Lag at the end of the reader that lags most. A group that reads other topics alone has no lag in this one.
    fn lag_end(&self, slot: usize) -> Option<u64> {
        let readers = self.roster.readers.iter().enumerate().filter(|(_, of)| of.reads[slot]);
        readers.filter_map(|(reader, _)| self.lag.of(reader, slot)).max()
    }

    pub(super) fn is_read(&self, slot: usize) -> bool {
        self.roster.readers.iter().any(|reader| reader.reads[slot])
    }

    fn partition_series(&self) -> Vec<PartitionSeriesRow> {
        let mut rows = Vec::new();
        for slot in 0..self.roster.slots() {
            let (topic, partition) = self.roster.partition_of(slot);
            if partition < 0 {
                continue;
            }
            let points = self.partitions.points();
            rows.extend(points.map(|(start_us, end_us, points)| PartitionSeriesRow {
                start_us,
                end_us,
                topic: self.roster.topics[topic.index()].alias.clone(),
                partition,
                acked: points[slot].acked,
                received: points[slot].received,
                response_p99_us: points[slot].response_p99_us,
                end_to_end_p99_us: points[slot].end_to_end_p99_us,
                lag: points[slot].lag,
            }));
        }
        rows
    }
}

/// Accounts of the records due in the measured phases.
fn accounts_of(whole: &Tally) -> Accounts {
    Accounts {
        scheduled: whole.due.scheduled,
        not_sent: whole.due.not_sent(),
        sent: whole.due.sent,
        acked: whole.due.acked,
        failed: whole.due.failed,
        failed_by_code: whole.due.failed_by_code.clone(),
        outstanding: whole.due.outstanding(),
        received: whole.arrived.received,
        late: whole.due.late,
    }
}

fn agent_of(book: &AgentBook) -> AgentMeasured {
    AgentMeasured {
        whole: book.whole.clone(),
        memory_start_bytes: book.memory_start_bytes,
        progress_us: book.progress_us,
        finished: book.finished,
        lost_at_us: book.lost_at_us,
        missing: book.missing,
        partial: book.partial,
        late: book.late,
        late_by_us_max: book.late_by_us_max,
    }
}
