//! What an agent is told to do: fully resolved, so that an agent decides nothing that a plan could.

use crate::{
    health::HealthSpec,
    ids::{InstanceId, TopicId},
    pipeline::ProcessSpec,
    schedule::{Schedule, Timeline},
};
use serde::{Deserialize, Serialize};

/// Client properties as librdkafka takes them, in the order in which they are set.
pub type ClientProperties = Vec<(String, String)>;

/// The property that carries a program which prints OAUTHBEARER tokens: its words as a JSON list. Clients of
/// librdkafka never see it.
pub const TOKEN_COMMAND: &str = "mallard.token.command";

/// All that one agent does in one case.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// Fingerprint for [`crate::stamp::Stamp::run`].
    pub run: u32,
    /// Where Kafka is: properties that every client gets first (`bootstrap.servers`, security).
    pub connection: ClientProperties,
    /// The case's topics; a [`TopicId`] is an index into them.
    pub topics: Vec<TopicSpec>,
    /// The case's phases.
    pub timeline: Timeline,
    /// Producer instances of this agent.
    pub producers: Vec<ProducerSpec>,
    /// Consumer instances of this agent.
    pub consumers: Vec<ConsumerSpec>,
    /// Topics of which this agent reads the end offsets once an interval, for lag. One agent of a
    /// case has them, the others an empty list.
    pub observes: Vec<TopicId>,
    /// Consumer groups that are not the case's own and that this agent looks at once an interval, by
    /// their id on the broker. The agent that observes topics has them, the others an empty list.
    pub observed_groups: Vec<String>,
    /// Whether this agent looks at brokers, leaders and replicas once an interval. One agent of a case does.
    pub watches_cluster: bool,
    /// Whether records are numbered by partition ([`crate::stamp::Placed`]), and what was sent and received is told by
    /// these numbers ([`crate::integrity`]). Producers then choose partitions themselves.
    pub integrity: bool,
}

/// A topic of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicSpec {
    /// Its name on the broker, with the run id in it if Mallard creates it.
    pub name: String,
    /// Its name in the scenario.
    pub alias: String,
    /// Number of partitions. For an existing topic, as the broker describes it.
    pub partitions: i32,
    /// Replication factor; `None` takes the broker's default.
    pub replication: Option<i16>,
    /// Topic configuration to set and to verify.
    pub config: Vec<(String, String)>,
    /// Whether it is the user's: never created, changed or deleted.
    pub existing: bool,
}

/// One producer instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProducerSpec {
    /// Its id in the case.
    pub instance: InstanceId,
    /// Its name for people and for `client.id`: `gateway-2`.
    pub name: String,
    /// Where it sends.
    pub topic: TopicId,
    /// When records are due, for all instances of this producer together.
    pub schedule: Schedule,
    /// Number of instances that share the schedule.
    pub stride: u32,
    /// This instance's place among them, from 0.
    pub offset: u32,
    /// Who chooses each record's partition.
    pub partitioning: Partitioning,
    /// Record values.
    pub payload: PayloadSpec,
    /// Record keys.
    pub key: KeySpec,
    /// Headers of every record, beside the stamp.
    pub headers: Vec<(String, String)>,
    /// Where the stamp goes.
    pub stamp: StampPlace,
    /// Client properties, laid over [`Assignment::connection`].
    pub client: ClientProperties,
    /// Transactions, if records are sent in them.
    pub transactions: Option<TransactionSpec>,
    /// Seed of everything random in this instance.
    pub seed: u64,
}

/// Who chooses a record's partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Partitioning {
    /// The client's partitioner, as its properties say.
    Client,
    /// Every partition in turn.
    RoundRobin,
    /// One partition after the other, each for as long as the client's `sticky.partitioning.linger.ms`
    /// says, which is twice its `linger.ms` if nobody set it.
    Sticky,
    /// These partitions in turn.
    Fixed(Vec<i32>),
}

/// Where a record carries its stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StampPlace {
    /// In the first bytes of the payload: costs nothing, for payloads that Mallard makes up.
    Payload,
    /// In a header.
    Header,
    /// Nowhere: end-to-end latency is not measured.
    Nowhere,
}

/// Record values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum PayloadSpec {
    /// Bytes of a size.
    Bytes {
        /// Sizes in bytes.
        size: SizeSpec,
        /// Share of incompressible bytes, 0.0 to 1.0; the rest is text-like and compresses well.
        random_share: f64,
    },
    /// Lines of a file, one a record, over and over. The file's content travels with the assignment.
    Lines {
        /// The lines, without their ends.
        lines: Vec<Vec<u8>>,
    },
    /// A minijinja template, rendered for every record with `sequence`, `instance`, `now_ms`,
    /// and the functions `int(low, high)`, `float(low, high)`, `choice(list)`, `uuid()`.
    Template {
        /// The template's source.
        source: String,
    },
    /// Health data payloads.
    Health(HealthSpec),
}

/// Sizes of payloads in bytes, the stamp included.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SizeSpec {
    /// Always the same.
    Fixed(u32),
    /// Each size from `min` to `max` equally often.
    Uniform {
        /// Smallest.
        min: u32,
        /// Largest.
        max: u32,
    },
    /// Normally distributed, cut off at `min` and `max`.
    Normal {
        /// Mean.
        mean: f64,
        /// Standard deviation.
        deviation: f64,
        /// Smallest.
        min: u32,
        /// Largest.
        max: u32,
    },
    /// Log-normally distributed by the logarithm's parameters, cut off at `min` and `max`.
    LogNormal {
        /// Median size: e to the mean of the logarithm.
        median: f64,
        /// Standard deviation of the natural logarithm.
        sigma: f64,
        /// Smallest.
        min: u32,
        /// Largest.
        max: u32,
    },
}

/// Record keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum KeySpec {
    /// No key.
    None,
    /// The instance's sequence number modulo `count`.
    Sequential {
        /// Distinct keys.
        count: u64,
    },
    /// Every key equally often, at random.
    Uniform {
        /// Distinct keys.
        count: u64,
    },
    /// Zipf-distributed: key *k* (from 1) has a weight of `k^-exponent`.
    Zipf {
        /// Distinct keys.
        count: u64,
        /// Exponent, above 0.
        exponent: f64,
    },
    /// A few hot keys among many.
    Hot {
        /// Distinct keys.
        count: u64,
        /// How many of them are hot.
        hot: u64,
        /// Share of records that go to the hot ones, 0.0 to 1.0.
        share: f64,
    },
    /// The text or number that each value has in a field.
    Field {
        /// The field's name, at the top of the value.
        name: String,
    },
}

/// How records are put into transactions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransactionSpec {
    /// Commit after this many records.
    pub every_records: Option<u64>,
    /// Commit after this long, in microseconds.
    pub every_us: Option<u64>,
    /// Share of transactions aborted on purpose, 0.0 to 1.0.
    pub abort_share: f64,
}

/// One consumer instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConsumerSpec {
    /// Its id in the case.
    pub instance: InstanceId,
    /// Its name for people and for `client.id`: `flink-2`.
    pub name: String,
    /// Topics it reads.
    pub topics: Vec<TopicId>,
    /// Group, or partitions assigned by hand.
    pub membership: Membership,
    /// Where reading starts.
    pub from: StartFrom,
    /// When offsets are committed.
    pub commit: CommitPolicy,
    /// Work for each record, in microseconds. It is done beside the poll loop, which never waits.
    pub work_us: u64,
    /// Whether its records may carry stamps: whether anything produces in this case. Where nothing does,
    /// every record is somebody else's and all of them are the load.
    pub stamped: bool,
    /// The pipeline of others that its records come out of, if they are matched with what went in.
    pub through: Option<ThroughSpec>,
    /// What is done with every record instead of [`ConsumerSpec::work_us`].
    pub process: Option<ProcessSpec>,
    /// Client properties, laid over [`Assignment::connection`].
    pub client: ClientProperties,
}

/// A pipeline of others between producers of this case and a consumer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThroughSpec {
    /// How records are matched with inputs.
    pub matching: Matching,
    /// Producer instances whose records go in.
    pub sources: Vec<ThroughSource>,
    /// Outputs that each input should have; `None` if that is open.
    pub outputs: Option<u32>,
}

/// How a record that comes out of a pipeline is matched with the one that went in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Matching {
    /// By the stamp in the header [`crate::stamp::HEADER`].
    Header,
    /// By a [`crate::mark::Mark`] in this field of a JSON value; dots lead from one object into
    /// another.
    Field(String),
}

/// A producer instance whose records go into a pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThroughSource {
    /// Its id in the case.
    pub instance: InstanceId,
    /// When its producer's records are due: what a mark does not say.
    pub schedule: Schedule,
    /// Number of instances that share the schedule.
    pub stride: u32,
    /// This instance's place among them, from 0.
    pub offset: u32,
}

/// How a consumer comes to its partitions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Membership {
    /// As a member of a group: its id on the broker.
    Group(String),
    /// These partitions of every topic, without a group.
    Assigned(Vec<i32>),
}

/// Where a consumer starts to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StartFrom {
    /// The oldest record.
    Earliest,
    /// What comes after it has joined.
    Latest,
    /// The end offsets read before the run's first record, whatever a group has committed.
    RunStart,
}

/// When a consumer commits offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CommitPolicy {
    /// Never.
    Never,
    /// The client does it in the background at this interval, in milliseconds.
    Auto {
        /// Interval in milliseconds.
        every_ms: u32,
    },
    /// Mallard does it, and times it, after this many records.
    Every {
        /// Records between commits.
        records: u64,
    },
}
