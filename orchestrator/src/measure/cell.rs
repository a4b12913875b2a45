//! An interval that waits until every agent has told its part.

use super::{
    observed::GroupInterval,
    outages::Flows,
    roster::{AgentIndex, Roster},
    summary::{Received, Sent},
};
use crate::{
    metrics::tally::{Arrived, Due, Sending, Tally, add_codes},
    model::{
        events::RunEvent,
        figures::{ConsumedFigures, ProducedFigures},
        result::{ErrorRow, LagRow, ResourceRow, SeriesRow},
    },
};
use mallard_protocol::{
    cluster::ClusterSample,
    histogram::Histogram,
    ids::TopicId,
    interval::{GroupSample, IntervalReport, PartitionOffset, Resources},
};
use std::collections::BTreeMap;

/// One interval, merged over all agents: what the archive's growing files get.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MergedInterval {
    /// A row of `series.csv`. Counts are by event time, latencies are of the records acknowledged and
    /// received in the interval, whenever they were due.
    pub row: SeriesRow,
    /// Sent to acknowledged.
    pub service: Histogram,
    /// Due to acknowledged.
    pub response: Histogram,
    /// Due to sent.
    pub slip: Histogram,
    /// Due to received.
    pub end_to_end: Histogram,
    /// Rows of `resources.csv`, one an agent.
    pub resources: Vec<ResourceRow>,
    /// Rows of `errors.csv`, one a side and code.
    pub errors: Vec<ErrorRow>,
    /// Rows of `lag.csv`, one a consumer and one a group that is observed.
    pub lag: Vec<LagRow>,
    /// By producer.
    pub produced: Vec<ProducedFigures>,
    /// By consumer and topic.
    pub consumed: Vec<ConsumedFigures>,
    /// What became of brokers, leaders and replicas at its end.
    pub events: Vec<RunEvent>,
}

/// An interval that is not complete.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    /// First microsecond, on the grid of cuts.
    pub(super) start_us: u64,
    /// The next cut.
    pub(super) cut_us: u64,
    /// Where the agents' reports end: the cut, but for the last interval of a load.
    pub(super) end_us: u64,
    /// By agent: whether its report is in.
    told: Vec<bool>,
    /// Without what was due and what arrived.
    tally: Tally,
    /// By producer.
    due: BTreeMap<usize, Due>,
    /// By reader and topic.
    arrived: BTreeMap<(usize, TopicId), Arrived>,
    resources: Vec<ResourceRow>,
    produce_errors: BTreeMap<String, u64>,
    not_sent: u64,
    outstanding: u64,
    /// End offsets and positions (reader, slot, offset), applied when the cell is complete, so that
    /// lag compares offsets of the same interval.
    pub(super) end_offsets: Vec<PartitionOffset>,
    pub(super) positions: Vec<(usize, usize, i64)>,
    /// By consumer instance: its reader, and what it had received and not processed at the end.
    pub(super) queues: Vec<(usize, u64)>,
    /// Groups that are not the case's own.
    pub(super) groups: Vec<GroupSample>,
    /// Acknowledgements by partition.
    pub(super) flows: Flows,
    /// Brokers, leaders and replicas.
    pub(super) cluster: Option<ClusterSample>,
}

impl Cell {
    pub(super) fn new(start_us: u64, cut_us: u64, agents: usize) -> Self {
        Self {
            start_us,
            cut_us,
            end_us: start_us,
            told: vec![false; agents],
            tally: Tally::default(),
            due: BTreeMap::new(),
            arrived: BTreeMap::new(),
            resources: Vec::new(),
            produce_errors: BTreeMap::new(),
            not_sent: 0,
            outstanding: 0,
            end_offsets: Vec::new(),
            positions: Vec::new(),
            queues: Vec::new(),
            groups: Vec::new(),
            flows: Flows::default(),
            cluster: None,
        }
    }

    /// Adds what an agent's report says of itself.
    pub(super) fn add_report(&mut self, agent: AgentIndex, name: &str, report: &IntervalReport) {
        self.end_us = self.end_us.max(report.end_us);
        self.told[agent.0] = true;
        for producer in &report.producers {
            self.not_sent += producer.totals.not_sent;
            self.outstanding += producer.totals.outstanding;
        }
        self.end_offsets.extend_from_slice(&report.end_offsets);
        self.groups.extend_from_slice(&report.groups);
        if report.cluster.is_some() {
            self.cluster.clone_from(&report.cluster);
        }
        self.resources.push(resource_row(report, name, &report.resources));
    }

    pub(super) fn add_sent(&mut self, producer: usize, sent: &Sent) {
        self.tally.sending.absorb(&sent.sending);
        self.flows.retried += sent.client.retries;
        for (_, due) in &sent.dues {
            self.due.entry(producer).or_default().absorb(due);
            let failed = due.failed_by_code.iter().map(|(code, n)| (code, *n));
            add_codes(&mut self.produce_errors, failed);
        }
    }

    pub(super) fn add_received(&mut self, reader: usize, received: &Received) {
        self.tally.receiving.absorb(&received.receiving);
        for (topic, _, part) in &received.arrived {
            self.arrived.entry((reader, *topic)).or_default().absorb(part);
        }
    }

    /// What a reader's instances had received and not processed, of all readers without one; `None`
    /// without instances.
    pub(super) fn queue_of(&self, reader: Option<usize>) -> Option<u64> {
        let wanted = self.queues.iter().filter(|(of, _)| reader.is_none_or(|wanted| wanted == *of));
        wanted.map(|(_, depth)| *depth).reduce(|a, b| a + b)
    }

    /// What producers did.
    pub(super) fn sending(&self) -> &Sending {
        &self.tally.sending
    }

    /// Whether every agent has told its part.
    pub(super) fn is_whole(&self) -> bool {
        self.told.iter().all(|told| *told)
    }

    /// Turns the cell into rows. `lag` is by reader: sum and largest.
    pub(super) fn merge(
        mut self,
        roster: &Roster,
        lag: &[Option<(u64, u64)>],
        groups: &[GroupInterval],
    ) -> MergedInterval {
        let (start_us, end_us) = (self.start_us, self.end_us);
        self.due.values().for_each(|due| self.tally.due.absorb(due));
        self.arrived.values().for_each(|arrived| self.tally.arrived.absorb(arrived));
        let error = |side: &str, (code, count): (&String, &u64)| {
            let (side, code) = (side.to_owned(), code.clone());
            ErrorRow { start_us, end_us, side, code, count: *count }
        };
        let produce = self.produce_errors.iter().map(|entry| error("produce", entry));
        let consume = self.tally.receiving.errors.iter().map(|entry| error("consume", entry));
        let errors = produce.chain(consume).collect();
        let lag_rows = roster.readers.iter().zip(lag).filter_map(|(reader, lag)| {
            let (lag, lag_max) = (*lag)?;
            Some(LagRow { start_us, end_us, consumer: reader.name(), lag, lag_max })
        });
        let group_rows = groups.iter().filter_map(|interval| {
            let (lag, lag_max) = interval.lag_sum_and_max()?;
            let consumer = format!("{} (observed)", roster.groups[interval.group]);
            Some(LagRow { start_us, end_us, consumer, lag, lag_max })
        });
        let lag_rows = lag_rows.chain(group_rows).collect();
        let row = self.row(roster, lag.iter().flatten().map(|(sum, _)| *sum).reduce(|a, b| a + b));
        let produced = std::mem::take(&mut self.due).into_iter();
        let consumed = std::mem::take(&mut self.arrived).into_iter();
        let Tally { due, arrived, .. } = self.tally;
        MergedInterval {
            row,
            produced: produced.map(|(producer, due)| produced_by(producer, due, roster)).collect(),
            consumed: consumed.map(|(of, arrived)| consumed_by(of, arrived, roster)).collect(),
            service: due.service,
            response: due.response,
            slip: due.slip,
            end_to_end: arrived.end_to_end,
            resources: self.resources,
            errors,
            lag: lag_rows,
            events: Vec::new(),
        }
    }

    fn row(&self, roster: &Roster, lag: Option<u64>) -> SeriesRow {
        let Tally { sending, due, receiving, arrived, .. } = &self.tally;
        let middle_us = self.start_us + (self.end_us - self.start_us) / 2;
        let phase = roster.timeline.0.get(roster.timeline.phase_at(self.start_us).index());
        let at = |histogram: &Histogram, quantile| histogram.value_at_quantile(quantile);
        SeriesRow {
            start_us: self.start_us,
            end_us: self.end_us,
            phase: phase.map_or_else(String::new, |phase| phase.name.clone()),
            agents: self.told.iter().map(|told| u32::from(*told)).sum(),
            target_per_s: roster.target_per_s(middle_us),
            scheduled: sending.scheduled,
            sent: sending.sent,
            acked: sending.acked,
            failed: sending.failed,
            received: receiving.received,
            acked_bytes: sending.acked_bytes,
            received_bytes: receiving.received_bytes,
            not_sent: self.not_sent,
            outstanding: self.outstanding,
            late: due.late,
            slip_p99_us: at(&due.slip, 0.99),
            slip_max_us: due.slip.max(),
            service_p50_us: at(&due.service, 0.5),
            service_p95_us: at(&due.service, 0.95),
            service_p99_us: at(&due.service, 0.99),
            service_max_us: due.service.max(),
            response_p50_us: at(&due.response, 0.5),
            response_p95_us: at(&due.response, 0.95),
            response_p99_us: at(&due.response, 0.99),
            response_max_us: due.response.max(),
            end_to_end_p50_us: at(&arrived.end_to_end, 0.5),
            end_to_end_p95_us: at(&arrived.end_to_end, 0.95),
            end_to_end_p99_us: at(&arrived.end_to_end, 0.99),
            end_to_end_max_us: arrived.end_to_end.max(),
            lag,
            queue: self.queue_of(None),
            rebalances: receiving.rebalances,
            counters: self.tally.counters(),
        }
    }
}

/// An interval in which nothing has happened: it names producers, consumers and topics.
pub(super) fn nothing_yet(roster: &Roster) -> MergedInterval {
    let produced = (0..roster.producers.len()).map(|at| produced_by(at, Due::default(), roster));
    let read = roster.readers.iter().enumerate().flat_map(|(reader, of)| {
        let topics = (0..).map(TopicId).take(roster.topics.len());
        let reads = |topic: &TopicId| roster.partitions(*topic).any(|slot| of.reads[slot]);
        topics.filter(reads).map(move |topic| (reader, topic))
    });
    let consumed = read.map(|of| consumed_by(of, Arrived::default(), roster));
    MergedInterval {
        produced: produced.collect(),
        consumed: consumed.collect(),
        ..MergedInterval::default()
    }
}

fn produced_by(producer: usize, due: Due, roster: &Roster) -> ProducedFigures {
    let producer = &roster.producers[producer];
    ProducedFigures {
        producer: producer.name.clone(),
        topic: topic_name(producer.topic, roster),
        scheduled: due.scheduled,
        sent: due.sent,
        acked: due.acked,
        acked_bytes: due.acked_bytes,
        failed: due.failed,
        service: due.service,
        response: due.response,
        slip: due.slip,
    }
}

fn consumed_by(
    (reader, topic): (usize, TopicId),
    arrived: Arrived,
    roster: &Roster,
) -> ConsumedFigures {
    ConsumedFigures {
        consumer: roster.readers[reader].name(),
        topic: topic_name(topic, roster),
        received: arrived.received,
        received_bytes: arrived.received_bytes,
        end_to_end: arrived.end_to_end,
    }
}

fn topic_name(topic: TopicId, roster: &Roster) -> String {
    roster.topics.get(topic.index()).map_or_else(String::new, |topic| topic.alias.clone())
}

#[expect(clippy::cast_precision_loss, reason = "shares need no more than 53 bits")]
fn resource_row(report: &IntervalReport, agent: &str, used: &Resources) -> ResourceRow {
    let length_us = report.end_us.saturating_sub(report.start_us).max(1) as f64;
    let per_s = |bytes: u64| bytes as f64 / length_us * 1e6;
    ResourceRow {
        start_us: report.start_us,
        end_us: report.end_us,
        agent: agent.to_owned(),
        cpu_cores: used.cpu_us as f64 / length_us,
        busiest_thread_cpu: used.busiest_thread_cpu_us as f64 / length_us,
        host_cpu: used.host_cpu_us as f64 / length_us / f64::from(used.host_cores.max(1)),
        resident_bytes: used.resident_bytes,
        host_memory_used_bytes: used.host_memory_used_bytes,
        host_received_bytes_per_s: per_s(used.host_received_bytes),
        host_sent_bytes_per_s: per_s(used.host_sent_bytes),
    }
}
