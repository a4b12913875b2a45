//! What an agent measured in one interval.
//!
//! Two clocks sort a record. *When something happened* decides the interval: an acknowledgement is in
//! the interval in which it came. *When a record was due* decides the phase: a warm-up record that is
//! acknowledged during the hold is counted in a slice of the warm-up. Rates use the first, accounts and
//! latencies the second, so a warm-up never leaks into a result and a backlog never flatters a rate.
//!
//! Invariants, checked by the controller for every instance and interval (all figures cumulative):
//! `scheduled = sent + not_sent`, `sent = acked + failed + outstanding`, the sum of all slices equals
//! the totals, and sequences have no holes.

use crate::{
    cluster::ClusterSample,
    counters::Counters,
    histogram::Histogram,
    ids::{GroupId, InstanceId, PhaseId, TopicId},
    integrity::{ReceivedIntegrity, SentNumbers},
    pipeline::PipelineSlice,
};
use serde::{Deserialize, Serialize};

/// One interval of one agent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IntervalReport {
    /// The agent's own count of intervals, from 0, without holes.
    pub sequence: u64,
    /// First microsecond of the interval on the run's clock.
    pub start_us: u64,
    /// First microsecond after it.
    pub end_us: u64,
    /// How long after `end_us` the last thread handed in its part, in microseconds.
    pub late_by_us: u64,
    /// One for every producer instance of the agent.
    pub producers: Vec<ProducerInterval>,
    /// One for every consumer instance of the agent.
    pub consumers: Vec<ConsumerInterval>,
    /// End offsets on the broker, where this agent observes them.
    pub end_offsets: Vec<PartitionOffset>,
    /// Groups that are not the case's own, where this agent observes them; a group whose coordinator did
    /// not answer in time is left out.
    pub groups: Vec<GroupSample>,
    /// Brokers, leaders and replicas, where this agent observes them; `None` if that was not known in time.
    pub cluster: Option<ClusterSample>,
    /// What the agent's process and host used.
    pub resources: Resources,
}

/// An offset in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionOffset {
    /// The topic.
    pub topic: TopicId,
    /// The partition.
    pub partition: i32,
    /// The next offset: one beyond the last record.
    pub offset: i64,
}

/// A consumer group that is not the case's own, as its coordinator described it at an interval's end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSample {
    /// Which.
    pub group: GroupId,
    /// Its state.
    pub state: GroupState,
    /// Its members. A group that only commits, as Flink's connector does, has none.
    pub members: u32,
    /// Whether it is rebalancing, or has other members or other partitions for them than in the sample
    /// before. Two rebalances between two samples look like one.
    pub rebalanced: bool,
    /// Committed offsets, of the case's topics. A partition without one is left out.
    pub committed: Vec<PartitionOffset>,
}

/// State of a consumer group, as its coordinator says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GroupState {
    /// There is no such group.
    Missing,
    /// It has no members, and may have committed offsets.
    Empty,
    /// Members come, go or wait for their partitions.
    Rebalancing,
    /// Every member has its partitions.
    Stable,
    /// A state that the client does not know.
    Other,
}

/// One interval of one producer instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProducerInterval {
    /// Who.
    pub instance: InstanceId,
    /// Totals since the common start, at the interval's end.
    pub totals: ProducerTotals,
    /// What happened in this interval, by the phase in which records were due.
    pub slices: Vec<ProducerSlice>,
    /// What it counted in this interval beside its records.
    #[serde(with = "crate::counters::of_producers")]
    pub counters: Counters,
    /// Transactions that ended in this interval.
    pub transactions: Transactions,
    /// The client's own statistics, when they came in this interval.
    pub client: Option<ClientStats>,
    /// Where integrity is checked: by partition, what was sent to those in which anything happened.
    pub numbers: Vec<SentNumbers>,
}

/// A producer's accounts. Every figure counts records since the common start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProducerTotals {
    /// Due by the schedule. In a closed loop, the same as `sent`.
    pub scheduled: u64,
    /// Due, but not handed to the client yet.
    pub not_sent: u64,
    /// Handed to the client, and taken or finally refused by it.
    pub sent: u64,
    /// Acknowledged by the broker.
    pub acked: u64,
    /// Failed for good.
    pub failed: u64,
    /// Handed to the client, and neither acknowledged nor failed: counted by the client's side, not
    /// derived from the others.
    pub outstanding: u64,
}

/// A producer's interval, for the records that were due in one phase.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProducerSlice {
    /// The phase in which these records were due.
    pub phase: PhaseId,
    /// Records that became due in this interval.
    pub scheduled: u64,
    /// Records handed to the client in this interval.
    pub sent: u64,
    /// Of these, sent later than [`crate::LATE_AFTER_US`] after they were due.
    pub late: u64,
    /// Key and value bytes of the records sent.
    pub sent_bytes: u64,
    /// Due to sent, of the records sent. Empty in a closed loop.
    pub slip: Histogram,
    /// The same, of records that were not held up by a full queue before them: the generator's own
    /// fault.
    pub unexplained_slip: Histogram,
    /// Key and value bytes of each record sent.
    pub record_bytes: Histogram,
    /// Failures by librdkafka's code name (`_MSG_TIMED_OUT`, `NOT_ENOUGH_REPLICAS`).
    pub failed: Vec<(String, u64)>,
    /// Acknowledgements by partition. The partition is the one in the delivery report.
    pub partitions: Vec<ProducedPartition>,
}

/// Delivery reports of one partition.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProducedPartition {
    /// The partition; -1 for records that failed before they had one.
    pub partition: i32,
    /// Records acknowledged.
    pub acked: u64,
    /// Their key and value bytes.
    pub acked_bytes: u64,
    /// Records failed.
    pub failed: u64,
    /// Sent to acknowledged.
    pub service: Histogram,
    /// Due to acknowledged. In a closed loop, the same as `service`.
    pub response: Histogram,
    /// One beyond the highest offset at which a record was acknowledged; 0 where the broker told none.
    pub next_offset: i64,
}

/// Transactions that ended in an interval.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Transactions {
    /// Committed.
    pub committed: u64,
    /// Aborted on purpose.
    pub aborted: u64,
    /// Failed: neither.
    pub failed: u64,
    /// Records in committed transactions.
    pub committed_records: u64,
    /// Records in aborted transactions: acknowledged, and never seen by a read_committed consumer.
    pub aborted_records: u64,
    /// Duration of commits.
    pub commit: Histogram,
}

/// What the client says of itself (librdkafka's statistics), over one of its windows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClientStats {
    /// Batches in the window: what the means of batches are over.
    pub batches: u64,
    /// Records that left the queue in the window.
    pub dequeued: u64,
    /// Requests that were answered in the window.
    pub requests: u64,
    /// Answers in the window that said whether they throttle.
    pub throttle_answers: u64,
    /// Mean batch size in bytes over all partitions.
    pub batch_bytes_mean: f64,
    /// Mean records in a batch.
    pub batch_records_mean: f64,
    /// Mean time from the client taking a record to its request being sent, in microseconds.
    pub queue_us_mean: f64,
    /// Mean round trip to the brokers, in microseconds.
    pub round_trip_us_mean: f64,
    /// Mean time that brokers throttled the client, in milliseconds.
    pub throttle_ms_mean: f64,
    /// Most requests that were sent to one broker and not answered, when the client was asked.
    pub in_flight: u64,
    /// Requests that waited to be sent, when the client was asked.
    pub waiting_requests: u64,
    /// Records sent again, no less, since the client started; none for consumers.
    pub retries: u64,
    /// Request and connection errors, since the client started.
    pub errors: u64,
    /// Bytes sent to the brokers, since the client started.
    pub wire_sent_bytes: u64,
}

/// One interval of one consumer instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConsumerInterval {
    /// Who.
    pub instance: InstanceId,
    /// Totals since the common start, at the interval's end.
    pub totals: ConsumerTotals,
    /// What was received in this interval, by the phase in which records were due. Records without a
    /// due time are in the phase in which they came.
    pub slices: Vec<ConsumerSlice>,
    /// The next offset that each assigned partition is read from, after what was processed.
    pub positions: Vec<PartitionOffset>,
    /// What it counted in this interval beside its records.
    #[serde(with = "crate::counters::of_consumers")]
    pub counters: Counters,
    /// Rebalances that ended in this interval.
    pub rebalances: Vec<Rebalance>,
    /// Commits that were timed.
    pub commit: Histogram,
    /// Errors by librdkafka's code name.
    pub errors: Vec<(String, u64)>,
    /// Which inputs of a pipeline of others were seen, if this consumer looks for them.
    pub through: Option<ThroughInterval>,
    /// The client's own statistics, when they came in this interval.
    pub client: Option<ClientStats>,
    /// Where integrity is checked: which records were received.
    pub integrity: Option<Box<ReceivedIntegrity>>,
}

/// What a consumer behind a pipeline of others saw of its inputs. Everything received in the interval is
/// either sighted or unmatched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThroughInterval {
    /// By producer instance and part, each once.
    pub sightings: Vec<Sightings>,
    /// Records that match no input.
    pub unmatched: u64,
}

/// Records of one producer instance that were seen behind a pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sightings {
    /// The producer.
    pub instance: InstanceId,
    /// Which piece of each record; 0 where pieces are not told apart.
    pub part: u16,
    /// Sequences, in order: the first one, how many from there on, how often each of them was seen.
    pub runs: Vec<(u64, u64, u32)>,
}

/// A consumer's accounts. Every figure counts records since the common start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumerTotals {
    /// Records of this run.
    pub received: u64,
    /// Records of somebody else.
    pub foreign: u64,
    /// Received, and waiting for their work to be done or at it: the depth of the queue.
    pub in_work: u64,
}

/// A consumer's interval, for the records that were due in one phase.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ConsumerSlice {
    /// The phase in which these records were due.
    pub phase: PhaseId,
    /// By partition.
    pub partitions: Vec<ConsumedPartition>,
    /// What a pipeline did with these records.
    pub pipeline: Option<Box<PipelineSlice>>,
}

/// Records of one partition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConsumedPartition {
    /// The topic.
    pub topic: TopicId,
    /// The partition.
    pub partition: i32,
    /// Records received.
    pub received: u64,
    /// Their key and value bytes.
    pub received_bytes: u64,
    /// Due to received, of records with a stamp.
    pub end_to_end: Histogram,
    /// Records received before they were due, by clocks that disagree: in the histogram as 0, and
    /// counted here.
    pub negative: u64,
}

/// A rebalance as one consumer saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebalance {
    /// When partitions were taken away, or when the consumer got its first ones.
    pub at_us: u64,
    /// From losing partitions to having an assignment again.
    pub duration_us: u64,
    /// Partitions it has now and had not before.
    pub gained: u32,
    /// Partitions it had and has no more.
    pub lost: u32,
}

/// What an agent's process and its host used in an interval.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Resources {
    /// CPU time of the agent's process in the interval, in microseconds.
    pub cpu_us: u64,
    /// The same, of its busiest thread.
    pub busiest_thread_cpu_us: u64,
    /// Name of that thread.
    pub busiest_thread: String,
    /// Resident memory of the agent's process at the interval's end.
    pub resident_bytes: u64,
    /// CPU time of the whole host in the interval, all cores, in microseconds.
    pub host_cpu_us: u64,
    /// Cores of the host.
    pub host_cores: u32,
    /// Memory in use on the host.
    pub host_memory_used_bytes: u64,
    /// Bytes the host received on all interfaces in the interval, loopback included.
    pub host_received_bytes: u64,
    /// Bytes the host sent on all interfaces in the interval, loopback included.
    pub host_sent_bytes: u64,
    /// What the agent saw of its brokers and of the way to them, beside the load.
    pub witness: Option<Box<Witness>>,
}

/// What an agent sees of brokers and network by itself in an interval: witnesses of where time goes that
/// do not go through the clients of the load.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Witness {
    /// Round trips of small requests on connections of their own, a few times a second to each broker
    /// that leads a partition, in microseconds. A request that waits is in it once it is answered.
    pub round_trip: Histogram,
    /// Time in which at least one of these brokers had not answered for a second or longer.
    pub broker_silent_us: u64,
    /// Time in which none of them had.
    pub all_silent_us: u64,
    /// The shortest round trip that the kernel has measured on a TCP connection; of all connections of
    /// the agent, the largest. 0 where it is not known.
    pub wire_us: u64,
    /// TCP segments that were sent.
    pub segments: u64,
    /// Of these, those that had been sent before.
    pub segments_again: u64,
    /// Most segments on one connection that were sent and not acknowledged, at the interval's end.
    pub unacked_max: u32,
    /// Bytes that the kernel held back and had not sent at the interval's end, all connections.
    pub unsent_bytes: u64,
}
