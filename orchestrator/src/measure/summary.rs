//! One instance's interval, summed over its partitions: what all tallies are fed with, so that each
//! partition's histograms are touched once and not once a tally.

use super::{
    audit::Ledger,
    partitions::PartitionTable,
    roster::{AgentIndex, Instance, Role, Roster},
};
use crate::metrics::tally::{
    Arrived, ClientTally, Due, PipelineTally, Receiving, Sending, add_codes,
};
use mallard_protocol::{
    ids::{PhaseId, TopicId},
    interval::{ConsumerInterval, IntervalReport, ProducerInterval},
};

/// Where a summary comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) agent: AgentIndex,
    pub(super) role: Role,
    /// Topic of a producer; a consumer's topics stand in its parts.
    pub(super) topic: Option<TopicId>,
}

/// A producer instance's interval.
pub(super) struct Sent {
    pub(super) origin: Origin,
    pub(super) sending: Sending,
    pub(super) client: ClientTally,
    /// By the phase in which records were due.
    pub(super) dues: Vec<(PhaseId, Due)>,
}

/// A consumer instance's interval.
pub(super) struct Received {
    pub(super) origin: Origin,
    /// All topics together.
    pub(super) receiving: Receiving,
    /// Records and bytes received, by topic.
    pub(super) topics: Vec<(TopicId, u64, u64)>,
    /// By topic and by the phase in which records were due.
    pub(super) arrived: Vec<(TopicId, PhaseId, Arrived)>,
    /// What a pipeline did, by phase of due.
    pub(super) pipeline: Vec<(PhaseId, PipelineTally)>,
}

impl Sent {
    /// Sums a producer's interval and feeds its partitions. The ledger is as it was before.
    pub(super) fn new(
        report: &IntervalReport,
        interval: &ProducerInterval,
        ledger: &Ledger,
        instance: &Instance,
        roster: &Roster,
        partitions: &mut PartitionTable,
    ) -> Self {
        let topic = match instance.role {
            Role::Producer { producer } => roster.producers[producer].topic,
            Role::Consumer { .. } => TopicId(0),
        };
        let origin = Origin { agent: instance.agent, role: instance.role, topic: Some(topic) };
        let mut sending = Sending {
            instance_time_us: report.end_us.saturating_sub(report.start_us),
            counters: interval.counters,
            committed: interval.transactions.committed,
            aborted: interval.transactions.aborted,
            transactions_failed: interval.transactions.failed,
            transaction_commit: interval.transactions.commit.clone(),
            ..Sending::default()
        };
        let mut dues = Vec::with_capacity(interval.slices.len());
        for slice in &interval.slices {
            let due = due_of(slice);
            let measured = roster.is_measured(slice.phase);
            for part in &slice.partitions {
                if let Some(slot) = roster.slot(topic, part.partition) {
                    partitions.sent(slot, report.start_us, measured, part);
                }
            }
            add_due(&mut sending, &due);
            dues.push((slice.phase, due));
        }
        let mut client = ClientTally::default();
        if let Some(now) = &interval.client {
            client.record(now, ledger.client.as_ref());
            client.acked_bytes = ledger.acked_bytes_since_client + sending.acked_bytes;
        }
        Self { origin, sending, client, dues }
    }
}

fn due_of(slice: &mallard_protocol::interval::ProducerSlice) -> Due {
    let mut due = Due {
        scheduled: slice.scheduled,
        sent: slice.sent,
        sent_bytes: slice.sent_bytes,
        late: slice.late,
        slip: slice.slip.clone(),
        unexplained_slip: slice.unexplained_slip.clone(),
        record_bytes: slice.record_bytes.clone(),
        ..Due::default()
    };
    add_codes(&mut due.failed_by_code, slice.failed.iter().map(|(code, n)| (code, *n)));
    for part in &slice.partitions {
        due.acked += part.acked;
        due.acked_bytes += part.acked_bytes;
        due.failed += part.failed;
        due.service.add(&part.service);
        due.response.add(&part.response);
    }
    due
}

fn add_due(sending: &mut Sending, due: &Due) {
    sending.scheduled += due.scheduled;
    sending.sent += due.sent;
    sending.sent_bytes += due.sent_bytes;
    sending.acked += due.acked;
    sending.acked_bytes += due.acked_bytes;
    sending.failed += due.failed;
}

impl Received {
    /// Sums a consumer's interval and feeds its partitions.
    pub(super) fn new(
        report: &IntervalReport,
        interval: &ConsumerInterval,
        foreign: u64,
        instance: &Instance,
        roster: &Roster,
        partitions: &mut PartitionTable,
    ) -> Self {
        let reader = match instance.role {
            Role::Consumer { reader } => reader,
            Role::Producer { .. } => 0,
        };
        let mut summary = Self {
            origin: Origin { agent: instance.agent, role: instance.role, topic: None },
            receiving: Receiving {
                instance_time_us: report.end_us.saturating_sub(report.start_us),
                ..receiving_of(interval, foreign)
            },
            topics: Vec::new(),
            arrived: Vec::new(),
            pipeline: Vec::new(),
        };
        for slice in &interval.slices {
            let measured = roster.is_measured(slice.phase);
            if let Some(pipeline) = &slice.pipeline {
                summary.receiving.payloads += pipeline.messages;
                summary.receiving.samples += pipeline.samples;
                let mut tally = PipelineTally::default();
                tally.add(pipeline);
                summary.pipeline.push((slice.phase, tally));
            }
            for part in &slice.partitions {
                if let Some(slot) = roster.slot(part.topic, part.partition) {
                    partitions.received(reader, slot, report.start_us, measured, part);
                }
                let arrived = summary.arrived_mut(part.topic, slice.phase);
                arrived.received += part.received;
                arrived.received_bytes += part.received_bytes;
                arrived.negative += part.negative;
                arrived.end_to_end.add(&part.end_to_end);
                summary.add_topic(part.topic, part.received, part.received_bytes);
            }
        }
        summary
    }

    fn arrived_mut(&mut self, topic: TopicId, phase: PhaseId) -> &mut Arrived {
        let found = self.arrived.iter().position(|(t, p, _)| (*t, *p) == (topic, phase));
        let at = found.unwrap_or_else(|| {
            self.arrived.push((topic, phase, Arrived::default()));
            self.arrived.len() - 1
        });
        &mut self.arrived[at].2
    }

    fn add_topic(&mut self, topic: TopicId, records: u64, bytes: u64) {
        self.receiving.received += records;
        self.receiving.received_bytes += bytes;
        match self.topics.iter_mut().find(|(t, ..)| *t == topic) {
            Some((_, sum, sum_bytes)) => {
                *sum += records;
                *sum_bytes += bytes;
            }
            None => self.topics.push((topic, records, bytes)),
        }
    }
}

fn receiving_of(interval: &ConsumerInterval, foreign: u64) -> Receiving {
    let mut receiving = Receiving {
        foreign,
        counters: interval.counters,
        commit: interval.commit.clone(),
        ..Receiving::default()
    };
    add_codes(&mut receiving.errors, interval.errors.iter().map(|(code, n)| (code, *n)));
    for rebalance in &interval.rebalances {
        receiving.rebalances += 1;
        receiving.rebalance_total_us += rebalance.duration_us;
        receiving.rebalance_max_us = receiving.rebalance_max_us.max(rebalance.duration_us);
        receiving.partitions_moved += u64::from(rebalance.gained);
    }
    receiving
}
