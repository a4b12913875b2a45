//! The messages, named by direction.
//!
//! A conversation: the agent speaks first ([`FromAgent::Hello`]), the controller answers
//! ([`ToAgent::Hello`]) with the first interval that it still needs, and a mismatch of builds ends it
//! there. Questions carry a request number and are answered by [`FromAgent::Answer`] with the same
//! number, in any order. A case then goes `Prepare`, `Prepared`, `Assigned`…, `Reading`…, `Start`,
//! `Interval`…, `Flush`, `Flushed`, `Finish`, `Finished`, `Exit`.

use crate::{
    ids::{InstanceId, TopicId},
    interval::{IntervalReport, PartitionOffset},
    schedule::Share,
    workload::{Assignment, ClientProperties, TopicSpec},
};
use serde::{Deserialize, Serialize};

/// What the controller says. `Hello` stays the first variant, and its first two fields stay: other
/// builds read them ([`crate::frame::hello_head`]).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ToAgent {
    /// Opens or opens again the conversation.
    Hello {
        /// [`crate::PROTOCOL_VERSION`] of the controller.
        protocol_version: u32,
        /// [`crate::BUILD_ID`] of the controller.
        build_id: String,
        /// Sequence of the first interval that the controller does not have yet; earlier ones may be
        /// dropped from the spool, this one and later ones are sent (again).
        resume_at: u64,
    },
    /// Sent once a second in either direction, so that a dead channel is noticed.
    Heartbeat,
    /// Asks something.
    Ask {
        /// Echoed by the answer.
        request: u32,
        /// What.
        question: Question,
    },
    /// Creates clients and joins groups. Answered by `Prepared` or `Failed`, then by `Assigned` and
    /// `Reading`.
    Prepare(Box<Assignment>),
    /// Starts the schedule. The agent's clock is the one it reports in `HostFacts::clock_us`.
    Start {
        /// The common start: this reading of the agent's clock is 0 on the run's clock.
        at_clock_us: u64,
    },
    /// From now on this agent looks at these once an interval: the one that did is lost.
    Observe {
        /// Topics whose end offsets it reads.
        topics: Vec<TopicId>,
        /// Groups that are not the case's own.
        groups: Vec<String>,
    },
    /// From now on producers of this agent also send what a lost agent's would have sent. Carried out once
    /// for each number, and never for a number that is not higher than the last one.
    TakeOver {
        /// Number of the order, rising.
        order: u32,
        /// Producer instances of this agent, with records of their own schedule.
        shares: Vec<(InstanceId, Share)>,
    },
    /// Tells what the run has made on the brokers: if the lease ends this agent, it deletes that.
    CleanUpAfterLease {
        /// Connection properties.
        connection: ClientProperties,
        /// Topics, by name on the broker.
        topics: Vec<String>,
        /// Consumer groups.
        groups: Vec<String>,
    },
    /// Ends the schedule now: nothing more is due. Records that are out are still waited for.
    StopLoad,
    /// Intervals before this one are safe with the controller.
    Collected {
        /// Sequence of the first interval still needed.
        resume_at: u64,
    },
    /// Ends the schedule and flushes producers; consumers go on reading. Answered by `Flushed`.
    Flush {
        /// How long flushing may take, in milliseconds. What is out then fails as `_PURGE_QUEUE`.
        within_ms: u64,
    },
    /// Flushes producers, closes consumers, and cuts the last interval. Answered by `Finished`.
    Finish {
        /// How long flushing may take, in milliseconds. What is out then fails as `_PURGE_QUEUE`.
        within_ms: u64,
    },
    /// Asks for the log, which comes in `Log` pieces.
    SendLog {
        /// At most this many bytes; of a longer log, head and tail are sent.
        limit_bytes: u64,
    },
    /// Ends the agent's process. Its folder is removed unless `keep_folder`, or intervals are in it that
    /// were not collected.
    Exit {
        /// Leave log and spool where they are.
        keep_folder: bool,
    },
}

/// What the controller asks. Only agents talk to Kafka, so this is also how topics are managed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Question {
    /// Starts the embedded broker (librdkafka's mock cluster). Answered by `Bootstrap`.
    StartBroker {
        /// Number of brokers.
        brokers: u16,
        /// Topics to make; the mock cluster has no request for that.
        topics: Vec<TopicSpec>,
        /// Round-trip time that every broker adds, in milliseconds.
        round_trip_ms: u32,
    },
    /// Describes the cluster, which proves that it can be reached. Answered by `Cluster`.
    DescribeCluster {
        /// Connection properties.
        connection: ClientProperties,
        /// How long it may take, in milliseconds.
        within_ms: u64,
    },
    /// Creates topics, and waits until every partition has a leader. Answered by `Topics`.
    CreateTopics {
        /// Connection properties.
        connection: ClientProperties,
        /// Topics.
        topics: Vec<TopicSpec>,
        /// Whether an earlier agent of this run may have created them: one that exists is used then, if it
        /// is what is asked for.
        may_exist: bool,
        /// How long it may take, in milliseconds.
        within_ms: u64,
    },
    /// Describes topics and their configuration. Answered by `Topics`.
    DescribeTopics {
        /// Connection properties.
        connection: ClientProperties,
        /// Names on the broker.
        names: Vec<String>,
        /// How long it may take, in milliseconds.
        within_ms: u64,
    },
    /// Deletes topics and consumer groups. Answered by `Deleted`.
    Delete {
        /// Connection properties.
        connection: ClientProperties,
        /// Topics, by name on the broker.
        topics: Vec<String>,
        /// Consumer groups.
        groups: Vec<String>,
        /// How long it may take, in milliseconds.
        within_ms: u64,
    },
    /// Reads end offsets of all partitions of the assignment's topics. Answered by `EndOffsets`.
    EndOffsets {
        /// Topics.
        topics: Vec<TopicId>,
        /// How long it may take, in milliseconds.
        within_ms: u64,
    },
    /// Reads where the log of every partition of the assignment's topics starts and ends. Answered by
    /// `Offsets`.
    Offsets {
        /// Topics.
        topics: Vec<TopicId>,
        /// How long it may take, in milliseconds.
        within_ms: u64,
    },
    /// Reads the agent's clock, for four-timestamp probes. Answered by `Clock`.
    Clock,
}

/// What the agent says. `Hello` stays the first variant, and its first two fields stay: other builds
/// read them ([`crate::frame::hello_head`]).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum FromAgent {
    /// Opens or opens again the conversation.
    Hello {
        /// [`crate::PROTOCOL_VERSION`] of the agent.
        protocol_version: u32,
        /// [`crate::BUILD_ID`] of the agent.
        build_id: String,
        /// Where the agent runs.
        host: Box<HostFacts>,
        /// What it is doing.
        state: AgentState,
    },
    /// Sent once a second in either direction, so that a dead channel is noticed.
    Heartbeat,
    /// Answers a question.
    Answer {
        /// The question's number.
        request: u32,
        /// The answer, or why there is none.
        result: Result<Answer, AgentFailure>,
    },
    /// A client exists.
    Client {
        /// Whose it is.
        instance: InstanceId,
        /// Its properties as librdkafka has them, those that nobody has set among them. Secrets are
        /// masked.
        properties: ClientProperties,
    },
    /// All clients exist.
    Prepared,
    /// A consumer's partitions, each time they change.
    Assigned {
        /// The consumer.
        instance: InstanceId,
        /// All that it has now.
        partitions: Vec<(TopicId, i32)>,
    },
    /// A consumer's partitions whose leaders have answered its fetches, each time they change before the
    /// common start.
    Reading {
        /// The consumer.
        instance: InstanceId,
        /// All of which that is so now.
        partitions: Vec<(TopicId, i32)>,
    },
    /// The load has started.
    Started {
        /// How long after the common start the first thread woke up, in microseconds.
        late_by_us: u64,
    },
    /// An interval is over.
    Interval(Box<IntervalReport>),
    /// Every record that producers sent is acknowledged or has failed; consumers go on reading.
    Flushed,
    /// All is flushed and closed; every interval has been sent.
    Finished {
        /// Records that librdkafka itself still holds, by its own count. Zero if all went well.
        client_queue: u64,
    },
    /// A piece of the agent's log.
    Log {
        /// Bytes.
        bytes: Vec<u8>,
        /// Whether this is the last piece.
        last: bool,
    },
    /// Something that a reader of the report should know.
    Note {
        /// How bad.
        level: Level,
        /// Which instance says it, if one does.
        instance: Option<InstanceId>,
        /// What happened. Never holds a secret.
        text: String,
    },
    /// The agent cannot go on with the case.
    Failed(AgentFailure),
}

/// What an agent is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AgentState {
    /// Nothing yet.
    Idle,
    /// Clients exist or are being made.
    Prepared,
    /// The schedule runs.
    Running,
    /// All is flushed and closed.
    Finished,
}

/// How bad a note is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Good to know.
    Info,
    /// May spoil a result.
    Warning,
    /// Something failed.
    Error,
}

impl Level {
    /// As the journal and the terminal have it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// Where the embedded broker listens.
    Bootstrap(String),
    /// The cluster.
    Cluster(ClusterFacts),
    /// Topics as the broker has them.
    Topics(Vec<TopicFacts>),
    /// What could not be deleted (`topic NAME`, `consumer group NAME`), and the reason.
    Deleted(Vec<(String, String)>),
    /// End offsets.
    EndOffsets(Vec<PartitionOffset>),
    /// Where logs start and end.
    Offsets(LogBounds),
    /// The agent's clock when it read the question and when it wrote the answer, in microseconds.
    Clock {
        /// When the question came.
        received_us: u64,
        /// When the answer left.
        sent_us: u64,
    },
}

/// Where the logs of partitions start and end, by the brokers' own word. A partition whose leader did not
/// answer in time is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogBounds {
    /// The first offset that can still be read, by partition.
    pub starts: Vec<PartitionOffset>,
    /// The next offset: one beyond the last record or transaction marker, by partition.
    pub ends: Vec<PartitionOffset>,
    /// Why some partitions are left out; `None` if none is.
    pub missing: Option<String>,
}

/// Why an agent could not do what it was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentFailure {
    /// What kind of failure.
    pub kind: FailureKind,
    /// What failed, with librdkafka's reason, and the broker where one is known.
    pub text: String,
}

/// Kinds of failures that the controller tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailureKind {
    /// No broker answered.
    Unreachable,
    /// A client property was refused.
    Property,
    /// A topic could not be created or found.
    Topic,
    /// A topic is there, but not as it was asked for.
    TopicDiffers,
    /// A schema registry did not answer, or refused the schema.
    Registry,
    /// Not allowed: authentication or authorisation.
    Denied,
    /// It took too long.
    TimedOut,
    /// Anything else.
    Other,
}

/// A cluster as its brokers describe it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterFacts {
    /// Id and address of every broker.
    pub brokers: Vec<(i32, String)>,
}

/// A topic as the broker has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicFacts {
    /// Name on the broker.
    pub name: String,
    /// For each partition: its leader (-1 for none) and its replicas.
    pub partitions: Vec<(i32, Vec<i32>)>,
    /// Configuration that is set on the topic or that was asked for.
    pub config: Vec<(String, String)>,
}

/// Where an agent runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFacts {
    /// The host's own name.
    pub hostname: String,
    /// The kernel's boot id: agents with the same one share `CLOCK_MONOTONIC`.
    pub boot_id: String,
    /// `x86_64`, `aarch64`.
    pub architecture: String,
    /// Kernel release.
    pub kernel: String,
    /// Distribution.
    pub os: String,
    /// CPU model.
    pub cpu: String,
    /// Cores that the agent may use.
    pub cores: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// The agent's process id.
    pub pid: u32,
    /// The agent's clock, `CLOCK_MONOTONIC`, when it wrote this, in microseconds.
    pub clock_us: u64,
    /// Version of librdkafka.
    pub librdkafka: String,
}
