//! A tally: everything that is counted over one scope and one stretch of time, and the only thing that
//! metrics are computed from.
//!
//! Two clocks sort a record (see `mallard_protocol::interval`). [`Sending`] and [`Receiving`] count
//! what *happened* in the stretch, whenever it was due: rates come from them. [`Due`] and [`Arrived`]
//! count records that were *due* in the measured phases, whenever their fate was known: accounts and
//! latencies come from them.
//!
//! Invariant: absorbing is addition; it is associative and commutative, so the order in which reports
//! arrive changes nothing. A tally's size does not depend on how much was absorbed.

use super::{
    fate::Fate,
    integrity::IntegrityOutcome,
    resources::{MEMORY_SLOPE_SPAN_US, ResourceTally},
    slope::LeastSquares,
};
use mallard_protocol::{
    counters::{Counter, Counters},
    histogram::Histogram,
    interval::ClientStats,
    pipeline::PipelineSlice,
};
use std::collections::BTreeMap;

/// Distinct error codes that are told apart. librdkafka has fewer than 200; what goes beyond is counted
/// as [`OTHER_CODES`], so that a broken agent cannot fill the memory.
pub const ERROR_CODES_MAX: usize = 256;

/// The code under which errors beyond [`ERROR_CODES_MAX`] codes are counted.
pub const OTHER_CODES: &str = "OTHER";

/// Counts of one scope over one stretch of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Measured time covered, in microseconds.
    pub time_us: u64,
    /// What producers did in that time.
    pub sending: Sending,
    /// What became of the records due in the measured phases.
    pub due: Due,
    /// What consumers did in that time.
    pub receiving: Receiving,
    /// What arrived of the records due in the measured phases.
    pub arrived: Arrived,
    /// What pipelines did with the payloads due in the measured phases.
    pub pipeline: PipelineTally,
    /// What producers' clients say of themselves.
    pub client: ClientTally,
    /// What agents used, by the agent's index; empty where no agent is looked at.
    pub resources: Vec<ResourceTally>,
    /// Lag of consumers.
    pub lag: LagTally,
    /// What consumers have received and not processed yet.
    pub queue: Depth,
    /// Groups that are not the case's own.
    pub observed: ObservedTally,
    /// Brokers, leaders and replicas.
    pub cluster: ClusterTally,
    /// What is known at the end only.
    pub outcome: Outcome,
}

/// Producers by event time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sending {
    /// Time of all instances together, in microseconds.
    pub instance_time_us: u64,
    /// Records that became due.
    pub scheduled: u64,
    /// Records handed to clients.
    pub sent: u64,
    /// Key and value bytes of these.
    pub sent_bytes: u64,
    /// Records acknowledged.
    pub acked: u64,
    /// Key and value bytes of these.
    pub acked_bytes: u64,
    /// Records failed for good.
    pub failed: u64,
    /// What instances counted beside their records.
    pub counters: Counters,
    /// Transactions committed.
    pub committed: u64,
    /// Transactions aborted on purpose.
    pub aborted: u64,
    /// Transactions failed.
    pub transactions_failed: u64,
    /// Duration of commits of transactions.
    pub transaction_commit: Histogram,
}

/// Records sent, by the phase in which they were due.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Due {
    /// Due by the schedule.
    pub scheduled: u64,
    /// Handed to clients.
    pub sent: u64,
    /// Key and value bytes of these.
    pub sent_bytes: u64,
    /// Sent late.
    pub late: u64,
    /// Acknowledged.
    pub acked: u64,
    /// Key and value bytes of these.
    pub acked_bytes: u64,
    /// Failed for good.
    pub failed: u64,
    /// Failures by code.
    pub failed_by_code: BTreeMap<String, u64>,
    /// Sent to acknowledged.
    pub service: Histogram,
    /// Due to acknowledged.
    pub response: Histogram,
    /// Due to sent.
    pub slip: Histogram,
    /// Due to sent, of records that no full queue held up.
    pub unexplained_slip: Histogram,
    /// Bytes of each record.
    pub record_bytes: Histogram,
}

/// Consumers by event time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Receiving {
    /// Time of all instances together, in microseconds.
    pub instance_time_us: u64,
    /// What instances counted beside their records.
    pub counters: Counters,
    /// Records received.
    pub received: u64,
    /// Key and value bytes of these.
    pub received_bytes: u64,
    /// Records of somebody else.
    pub foreign: u64,
    /// Errors by code.
    pub errors: BTreeMap<String, u64>,
    /// Rebalances that ended.
    pub rebalances: u64,
    /// Their time together, in microseconds.
    pub rebalance_total_us: u64,
    /// The longest, in microseconds.
    pub rebalance_max_us: u64,
    /// Partitions that got a new owner.
    pub partitions_moved: u64,
    /// Duration of commits of offsets.
    pub commit: Histogram,
    /// Payloads that pipelines processed.
    pub payloads: u64,
    /// Samples of those that were not rejected.
    pub samples: u64,
}

/// Records received, by the phase in which they were due.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arrived {
    /// Received.
    pub received: u64,
    /// Key and value bytes of these.
    pub received_bytes: u64,
    /// Due to received.
    pub end_to_end: Histogram,
    /// Received before they were due, by clocks that disagree.
    pub negative: u64,
}

/// What pipelines did, by the phase in which payloads were due.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PipelineTally {
    /// Counts and times.
    pub slice: PipelineSlice,
    /// Payloads rejected, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Samples dropped, by reason.
    pub dropped: BTreeMap<String, u64>,
}

/// Statistics of producers' clients. Clients give means for each of their windows; here are the sums that
/// these are means of, and the counts they are over, so that a window in which little happened weighs
/// little.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClientTally {
    /// Windows summed.
    pub windows: u64,
    /// Batches.
    pub batches: u64,
    /// Their bytes.
    pub batch_bytes: f64,
    /// Records in them.
    pub batch_records: f64,
    /// Records that left the queue.
    pub dequeued: u64,
    /// Their time in it, in microseconds.
    pub queue_us: f64,
    /// Requests that were answered.
    pub requests: u64,
    /// Their round trips, in microseconds.
    pub round_trip_us: f64,
    /// Answers that said whether they throttle.
    pub throttle_answers: u64,
    /// The time they throttled for, in microseconds.
    pub throttle_us: f64,
    /// Records sent again.
    pub retries: u64,
    /// Request and connection errors.
    pub errors: u64,
    /// Bytes sent to brokers.
    pub wire_sent_bytes: u64,
    /// Most requests that were in flight to one broker, whenever a client was asked.
    pub in_flight_max: u64,
    /// Bytes acknowledged from one client's statistics to its next: while the wire's bytes were sent.
    pub acked_bytes: u64,
}

/// The depth of a queue, once an interval.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Depth {
    /// Intervals with a depth, weighted by their time in microseconds.
    pub time_us: u64,
    /// Sum of depth times microseconds.
    pub record_us: f64,
    /// Largest.
    pub max: u64,
}

/// Lag, once an interval.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LagTally {
    /// Intervals with a lag, weighted by their time in microseconds.
    pub time_us: u64,
    /// Sum of lag times microseconds.
    pub record_us: f64,
    /// Largest.
    pub max: u64,
    /// The latest with its time.
    pub last: Option<(u64, u64)>,
    /// Time up to the last interval in which lag has been more than a second of load without a break.
    pub behind_us: u64,
    /// The longest such time.
    pub behind_max_us: u64,
    /// Time in which a target rate said how much a second of load is.
    pub paced_us: u64,
}

/// How long partitions acknowledged nothing that was due, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unavailable {
    /// The longest stretch.
    pub max_us: u64,
    /// All stretches of all partitions.
    pub total_us: u64,
}

/// What faults did; `None` where that cannot be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultOutcome {
    /// Longest time from a fault's begin to the first record that was late or failed, in microseconds.
    pub detected_us: Option<u64>,
    /// Longest time from undone to recovered, in microseconds.
    pub recovery_us: Option<u64>,
    /// Records due in a fault and not acknowledged in it.
    pub shortfall: Option<u64>,
}

/// What only the end of a case tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What became of acknowledged records that were not received, and what came beyond them.
    pub fate: Option<Fate>,
    /// Lag after the drain.
    pub lag_end: Option<u64>,
    /// What became of records that went into pipelines of others.
    pub through: Option<ThroughOutcome>,
    /// What integrity found, where it is checked.
    pub integrity: Option<IntegrityOutcome>,
    /// Interval reports whose accounts were checked and add up.
    pub audited_intervals: u64,
    /// How long partitions acknowledged nothing; `None` where that cannot be told.
    pub unavailable: Option<Unavailable>,
    /// What faults did.
    pub faults: FaultOutcome,
}

impl Tally {
    /// Adds all that another tally counted. Time is not added: stretches of several scopes overlap, so
    /// whoever knows the stretch sets it.
    pub fn absorb(&mut self, other: &Self) {
        self.sending.absorb(&other.sending);
        self.due.absorb(&other.due);
        self.receiving.absorb(&other.receiving);
        self.arrived.absorb(&other.arrived);
        self.pipeline.absorb(&other.pipeline);
        self.client.absorb(&other.client);
    }

    /// Adds all that one later interval counted, its lag and its queues among it, but for agents' resources and
    /// groups of others.
    pub(crate) fn append(&mut self, later: &Self) {
        self.absorb(later);
        self.lag.append(&later.lag);
        self.queue.append(&later.queue);
        self.cluster.absorb(&later.cluster);
    }

    /// What instances of both sides counted.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let mut both = self.sending.counters;
        both.absorb(&self.receiving.counters);
        both
    }

    /// What instances counted, of producers or of consumers.
    #[must_use]
    pub fn get(&self, counter: Counter) -> u64 {
        match counter.is_of_producers() {
            true => self.sending.counters.get(counter),
            false => self.receiving.counters.get(counter),
        }
    }

    /// The tally of one agent's resources, made when it is first needed.
    pub fn resources_of(&mut self, agent: usize) -> &mut ResourceTally {
        if self.resources.len() <= agent {
            self.resources.resize_with(agent + 1, ResourceTally::default);
        }
        &mut self.resources[agent]
    }

    /// Least squares of resident memory over time for the agent whose memory rises fastest, of those
    /// that were measured for [`MEMORY_SLOPE_SPAN_US`] or longer.
    #[must_use]
    pub fn steepest_memory(&self) -> Option<f64> {
        let slopes = self.resources.iter().map(|agent| &agent.memory_over_time);
        let slopes = slopes.filter(|slope| slope.span_us() >= MEMORY_SLOPE_SPAN_US);
        slopes.filter_map(LeastSquares::per_hour).max_by(f64::total_cmp)
    }
}

impl Sending {
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.instance_time_us += other.instance_time_us;
        self.scheduled += other.scheduled;
        self.sent += other.sent;
        self.sent_bytes += other.sent_bytes;
        self.acked += other.acked;
        self.acked_bytes += other.acked_bytes;
        self.failed += other.failed;
        self.counters.absorb(&other.counters);
        self.committed += other.committed;
        self.aborted += other.aborted;
        self.transactions_failed += other.transactions_failed;
        self.transaction_commit.add(&other.transaction_commit);
    }
}

impl Due {
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.scheduled += other.scheduled;
        self.sent += other.sent;
        self.sent_bytes += other.sent_bytes;
        self.late += other.late;
        self.acked += other.acked;
        self.acked_bytes += other.acked_bytes;
        self.failed += other.failed;
        add_codes(&mut self.failed_by_code, other.failed_by_code.iter().map(|(c, n)| (c, *n)));
        self.service.add(&other.service);
        self.response.add(&other.response);
        self.slip.add(&other.slip);
        self.unexplained_slip.add(&other.unexplained_slip);
        self.record_bytes.add(&other.record_bytes);
    }

    /// Due and not handed to a client. Never below zero: the audit has seen to it.
    #[must_use]
    pub fn not_sent(&self) -> u64 {
        self.scheduled.saturating_sub(self.sent)
    }

    /// Handed to a client, and neither acknowledged nor failed.
    #[must_use]
    pub fn outstanding(&self) -> u64 {
        self.sent.saturating_sub(self.acked + self.failed)
    }
}

impl Receiving {
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.instance_time_us += other.instance_time_us;
        self.counters.absorb(&other.counters);
        self.received += other.received;
        self.received_bytes += other.received_bytes;
        self.foreign += other.foreign;
        add_codes(&mut self.errors, other.errors.iter().map(|(c, n)| (c, *n)));
        self.rebalances += other.rebalances;
        self.rebalance_total_us += other.rebalance_total_us;
        self.rebalance_max_us = self.rebalance_max_us.max(other.rebalance_max_us);
        self.partitions_moved += other.partitions_moved;
        self.commit.add(&other.commit);
        self.payloads += other.payloads;
        self.samples += other.samples;
    }
}

impl PipelineTally {
    /// Adds what a pipeline did in one interval.
    pub(crate) fn add(&mut self, slice: &PipelineSlice) {
        add_codes(&mut self.rejected, slice.rejected.iter().map(|(reason, n)| (reason, *n)));
        add_codes(&mut self.dropped, slice.dropped.iter().map(|(reason, n)| (reason, *n)));
        self.add_counts(slice);
    }

    pub(crate) fn absorb(&mut self, other: &Self) {
        add_codes(&mut self.rejected, other.rejected.iter().map(|(reason, n)| (reason, *n)));
        add_codes(&mut self.dropped, other.dropped.iter().map(|(reason, n)| (reason, *n)));
        self.add_counts(&other.slice);
    }

    fn add_counts(&mut self, other: &PipelineSlice) {
        let mine = &mut self.slice;
        mine.messages += other.messages;
        mine.samples += other.samples;
        mine.rows += other.rows;
        mine.rows_written += other.rows_written;
        mine.dead_letters += other.dead_letters;
        mine.decode_ns.add(&other.decode_ns);
        mine.validate_ns.add(&other.validate_ns);
        mine.flatten_ns.add(&other.flatten_ns);
        mine.write_ns.add(&other.write_ns);
        mine.payload_ns.add(&other.payload_ns);
    }
}

impl Arrived {
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.received += other.received;
        self.received_bytes += other.received_bytes;
        self.end_to_end.add(&other.end_to_end);
        self.negative += other.negative;
    }
}

impl ClientTally {
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.windows += other.windows;
        self.batches += other.batches;
        self.dequeued += other.dequeued;
        self.requests += other.requests;
        self.throttle_answers += other.throttle_answers;
        self.batch_bytes += other.batch_bytes;
        self.batch_records += other.batch_records;
        self.queue_us += other.queue_us;
        self.round_trip_us += other.round_trip_us;
        self.throttle_us += other.throttle_us;
        self.retries += other.retries;
        self.errors += other.errors;
        self.wire_sent_bytes += other.wire_sent_bytes;
        self.acked_bytes += other.acked_bytes;
        self.in_flight_max = self.in_flight_max.max(other.in_flight_max);
    }

    /// Adds one client's window. The counters that run since the client started enter as their growth
    /// since the window before.
    pub fn record(&mut self, now: &ClientStats, before: Option<&ClientStats>) {
        let since =
            |pick: fn(&ClientStats) -> u64| pick(now).saturating_sub(before.map_or(0, pick));
        self.windows += 1;
        self.batches += now.batches;
        self.dequeued += now.dequeued;
        self.requests += now.requests;
        self.throttle_answers += now.throttle_answers;
        self.batch_bytes += sum(now.batch_bytes_mean, now.batches);
        self.batch_records += sum(now.batch_records_mean, now.batches);
        self.queue_us += sum(now.queue_us_mean, now.dequeued);
        self.round_trip_us += sum(now.round_trip_us_mean, now.requests);
        self.throttle_us += sum(now.throttle_ms_mean * 1_000.0, now.throttle_answers);
        self.in_flight_max = self.in_flight_max.max(now.in_flight);
        self.retries += since(|stats| stats.retries);
        self.errors += since(|stats| stats.errors);
        self.wire_sent_bytes += since(|stats| stats.wire_sent_bytes);
    }
}

impl Depth {
    /// Adds the depth at the end of an interval that took `time_us`.
    #[expect(clippy::cast_precision_loss, reason = "a mean needs no more than 53 bits")]
    pub fn record(&mut self, depth: u64, time_us: u64) {
        self.time_us += time_us;
        self.record_us += depth as f64 * time_us as f64;
        self.max = self.max.max(depth);
    }

    fn append(&mut self, later: &Self) {
        self.time_us += later.time_us;
        self.record_us += later.record_us;
        self.max = self.max.max(later.max);
    }
}

impl LagTally {
    /// Adds the lag of an interval that ended at `end_us` and took `time_us`, in which so many records a
    /// second were due; `None` in a closed loop.
    #[expect(clippy::cast_precision_loss, reason = "a mean needs no more than 53 bits")]
    pub fn record(&mut self, lag: u64, (end_us, time_us): (u64, u64), due_per_s: Option<f64>) {
        if let Some(due_per_s) = due_per_s {
            self.paced_us += time_us;
            self.behind_us = if lag as f64 > due_per_s { self.behind_us + time_us } else { 0 };
            self.behind_max_us = self.behind_max_us.max(self.behind_us);
        }
        self.time_us += time_us;
        self.record_us += lag as f64 * time_us as f64;
        self.max = self.max.max(lag);
        if self.last.is_none_or(|(_, at)| at <= end_us) {
            self.last = Some((lag, end_us));
        }
    }

    /// Adds a later interval's.
    fn append(&mut self, later: &Self) {
        if later.paced_us > 0 {
            let goes_on = later.behind_us > 0;
            self.behind_us = if goes_on { self.behind_us + later.behind_us } else { 0 };
            self.behind_max_us = self.behind_max_us.max(self.behind_us).max(later.behind_max_us);
        }
        self.paced_us += later.paced_us;
        self.time_us += later.time_us;
        self.record_us += later.record_us;
        self.max = self.max.max(later.max);
        self.last = later.last.or(self.last);
    }
}

/// What a mean is over.
#[expect(clippy::cast_precision_loss, reason = "counts of a few seconds")]
fn sum(mean: f64, count: u64) -> f64 {
    mean * count as f64
}

/// Adds counts by code, with a limit on the number of codes.
pub fn add_codes<'a>(
    into: &mut BTreeMap<String, u64>,
    from: impl IntoIterator<Item = (&'a String, u64)>,
) {
    for (code, count) in from {
        if let Some(sum) = into.get_mut(code) {
            *sum += count;
        } else {
            let room = into.len() < ERROR_CODES_MAX;
            *into.entry(if room { code.clone() } else { OTHER_CODES.to_owned() }).or_default() +=
                count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics;

    #[test]
    fn a_window_of_a_client_weighs_what_happened_in_it() {
        let window = |batches: u64, records: f64| ClientStats {
            batches,
            batch_records_mean: records,
            ..ClientStats::default()
        };
        let mut tally = Tally::default();
        // The last one is a drain: nothing was sent.
        for window in [window(90, 10.0), window(10, 30.0), window(0, 0.0)] {
            tally.client.record(&window, None);
        }
        let value = |name: &str| (metrics::find(name).expect("a metric").value)(&tally);
        assert_eq!(value("produce.client.batch_records"), Some(12.0));
        assert_eq!(value("produce.client.round_trip"), None);
    }

    #[test]
    fn a_queues_depth_is_weighed_by_time() {
        let mut tally = Tally::default();
        tally.queue.record(100, 3_000_000);
        tally.queue.record(500, 1_000_000);
        let value = |name: &str| (metrics::find(name).expect("a metric").value)(&tally);
        assert_eq!(value("consume.queue.mean"), Some(200.0));
        assert_eq!(value("consume.queue.max"), Some(500.0));
    }
}

/// What is counted of observed groups.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObservedTally {
    /// Lag: end offsets less committed offsets.
    pub lag: LagTally,
    /// Growth of committed offsets.
    pub committed: u64,
    /// Time in which it was followed, in microseconds.
    pub committed_time_us: u64,
    /// Fewest members.
    pub members_min: Option<u64>,
    /// Most members.
    pub members_max: Option<u64>,
    /// Samples of groups that exist.
    pub samples: u64,
    /// Of these, samples that differ from the one before in members or partitions.
    pub rebalances: u64,
    /// Lag after the drain.
    pub lag_end: Option<u64>,
}

/// What became of the inputs of one consumer's pipeline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThroughOutcome {
    /// Records acknowledged in the pipeline's input topics, warm-up included.
    pub inputs: u64,
    /// Of these, records of which an output came.
    pub matched: u64,
    /// Records of which none came.
    pub lost: u64,
    /// Records of which some outputs came, and fewer than there should be; `None` where that is open.
    pub incomplete: Option<u64>,
    /// Outputs that match an input.
    pub outputs: u64,
    /// Outputs that came more often than they should; `None` where that is open.
    pub duplicates: Option<u64>,
    /// Records received that match no input.
    pub unmatched: u64,
}

impl ThroughOutcome {
    /// Both together, of two consumers.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let both = |a: Option<u64>, b: Option<u64>| Some(a? + b?);
        Self {
            inputs: self.inputs + other.inputs,
            matched: self.matched + other.matched,
            lost: self.lost + other.lost,
            incomplete: both(self.incomplete, other.incomplete),
            outputs: self.outputs + other.outputs,
            duplicates: both(self.duplicates, other.duplicates),
            unmatched: self.unmatched + other.unmatched,
        }
    }
}

/// What is counted of brokers, leaders and replicas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterTally {
    /// Time in which they were watched, in microseconds.
    pub time_us: u64,
    /// Of this, with a broker that could not be reached.
    pub unreachable_us: u64,
    /// Of this, with a partition that had no leader.
    pub without_leader_us: u64,
    /// Most partitions that lacked a replica in sync; `None` if no broker described them.
    pub under_replicated_max: Option<u64>,
}

impl ClusterTally {
    /// Adds another interval's.
    pub fn absorb(&mut self, other: &Self) {
        self.time_us += other.time_us;
        self.unreachable_us += other.unreachable_us;
        self.without_leader_us += other.without_leader_us;
        self.under_replicated_max = self.under_replicated_max.max(other.under_replicated_max);
    }
}
