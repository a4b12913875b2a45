//! Everything that keeps a case from a plain pass: meaning, likely cause, remedy.

use crate::model::result::{Reason, Verdict};

/// A reason for a verdict other than pass, or a warning. Texts carry their numbers already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// What it is.
    pub kind: Kind,
    /// What it means here, with numbers.
    pub text: String,
    /// What it does to the verdict; `None` for a warning.
    pub verdict: Option<Verdict>,
}

/// Kinds of doubts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each says itself in `code` and `remedy`")]
pub enum Kind {
    AccountsDoNotAddUp,
    BrokerUnreachable,
    AgentLost,
    AgentFailed,
    TopicFailed,
    DeadlineMissed,
    HarnessFailed,
    Abandoned,
    Interrupted,
    SchemaRegistryFailed,
    TopicConfigurationRefused,
    NothingMeasured,
    GeneratorSlip,
    AgentCpuSaturated,
    HostCpuSaturated,
    CeilingReached,
    IntervalsMissing,
    IntervalsLate,
    NeverCaughtUp,
    RecordsUnaccounted,
    ClientHeldRecords,
    ClockUncertain,
    ExpectationFailed,
    NothingAcknowledged,
    Degraded,
    RateNotReached,
    FateUnknown,
    ForeignRecords,
    UnexpectedRecords,
    RecordsLost,
    RecordsExpired,
    RecordsCompacted,
    OffsetsDisagree,
    SaturatedHistogram,
    StartedApart,
    ChannelCut,
    EmbeddedBroker,
    ClosedLoop,
    ObservedGroupMissing,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 39] = [
        Self::AccountsDoNotAddUp,
        Self::BrokerUnreachable,
        Self::AgentLost,
        Self::AgentFailed,
        Self::TopicFailed,
        Self::DeadlineMissed,
        Self::HarnessFailed,
        Self::Abandoned,
        Self::Interrupted,
        Self::SchemaRegistryFailed,
        Self::TopicConfigurationRefused,
        Self::NothingMeasured,
        Self::GeneratorSlip,
        Self::AgentCpuSaturated,
        Self::HostCpuSaturated,
        Self::CeilingReached,
        Self::IntervalsMissing,
        Self::IntervalsLate,
        Self::NeverCaughtUp,
        Self::RecordsUnaccounted,
        Self::ClientHeldRecords,
        Self::ClockUncertain,
        Self::ExpectationFailed,
        Self::NothingAcknowledged,
        Self::Degraded,
        Self::RateNotReached,
        Self::FateUnknown,
        Self::ForeignRecords,
        Self::UnexpectedRecords,
        Self::RecordsLost,
        Self::RecordsExpired,
        Self::RecordsCompacted,
        Self::OffsetsDisagree,
        Self::SaturatedHistogram,
        Self::StartedApart,
        Self::ChannelCut,
        Self::EmbeddedBroker,
        Self::ClosedLoop,
        Self::ObservedGroupMissing,
    ];

    /// The stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::AccountsDoNotAddUp => "accounts_do_not_add_up",
            Self::BrokerUnreachable => "broker_unreachable",
            Self::AgentLost => "agent_lost",
            Self::AgentFailed => "agent_failed",
            Self::TopicFailed => "topic_failed",
            Self::DeadlineMissed => "deadline_missed",
            Self::HarnessFailed => "harness_failed",
            Self::Abandoned => "abandoned",
            Self::Interrupted => "interrupted",
            Self::SchemaRegistryFailed => "schema_registry_failed",
            Self::TopicConfigurationRefused => "topic_configuration_refused",
            Self::NothingMeasured => "nothing_measured",
            Self::GeneratorSlip => "generator_slip",
            Self::AgentCpuSaturated => "agent_cpu_saturated",
            Self::HostCpuSaturated => "host_cpu_saturated",
            Self::CeilingReached => "ceiling_reached",
            Self::IntervalsMissing => "intervals_missing",
            Self::IntervalsLate => "intervals_late",
            Self::NeverCaughtUp => "never_caught_up",
            Self::RecordsUnaccounted => "records_unaccounted",
            Self::ClientHeldRecords => "client_held_records",
            Self::ClockUncertain => "clock_uncertain",
            Self::ExpectationFailed => "expectation_failed",
            Self::NothingAcknowledged => "nothing_acknowledged",
            Self::Degraded => "degraded",
            Self::RateNotReached => "rate_not_reached",
            Self::FateUnknown => "fate_unknown",
            Self::ForeignRecords => "foreign_records",
            Self::UnexpectedRecords => "unexpected_records",
            Self::RecordsLost => "records_lost",
            Self::RecordsExpired => "records_expired",
            Self::RecordsCompacted => "records_compacted",
            Self::OffsetsDisagree => "offsets_disagree",
            Self::SaturatedHistogram => "saturated_histogram",
            Self::StartedApart => "started_apart",
            Self::ChannelCut => "channel_cut",
            Self::EmbeddedBroker => "embedded_broker",
            Self::ClosedLoop => "closed_loop",
            Self::ObservedGroupMissing => "observed_group_missing",
        }
    }

    /// Likely cause, and what to do.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Self::AccountsDoNotAddUp
            | Self::BrokerUnreachable
            | Self::AgentLost
            | Self::AgentFailed
            | Self::TopicFailed
            | Self::DeadlineMissed
            | Self::HarnessFailed
            | Self::Abandoned
            | Self::SchemaRegistryFailed
            | Self::Interrupted => self.remedy_of_errors(),
            Self::TopicConfigurationRefused
            | Self::NothingMeasured
            | Self::GeneratorSlip
            | Self::AgentCpuSaturated
            | Self::HostCpuSaturated
            | Self::CeilingReached
            | Self::IntervalsMissing
            | Self::IntervalsLate
            | Self::NeverCaughtUp
            | Self::RecordsUnaccounted
            | Self::ClientHeldRecords
            | Self::ClockUncertain => self.remedy_of_invalid(),
            _ => self.remedy_of_others(),
        }
    }

    fn remedy_of_errors(self) -> &'static str {
        match self {
            Self::AccountsDoNotAddUp => {
                "this is a mistake in Mallard itself: no figure of this case is to be used; keep the \
                 run's folder and report it"
            }
            Self::BrokerUnreachable => {
                "check `kafka:` in the cluster file, that the brokers run, and that the agents' hosts \
                 reach the addresses that the brokers advertise"
            }
            Self::AgentLost => {
                "look at the agent's log and the host's kernel log (memory killer, power, network); \
                 `on_agent_loss: continue` lets the others go on, and `respread` has them send its share"
            }
            Self::AgentFailed => "the agent's log in the run's folder says more",
            Self::TopicFailed => {
                "check the topic's partitions and replication against the number of brokers, and what \
                 the user may do on the cluster"
            }
            Self::DeadlineMissed => {
                "look at what was being waited for; if it is only slow, raise its deadline in the \
                 cluster file"
            }
            Self::Abandoned => {
                "take a run over with `mallard resume` before its lease ends, or raise `lease` in the \
                 cluster file; what was measured until then is in the archive"
            }
            Self::SchemaRegistryFailed => {
                "check `registry` in the scenario, that the agents' hosts reach it, who may register \
                 there, and that the subject has no other schema: `subject` names another one"
            }
            Self::HarnessFailed => "mend what the text names and run again; nothing was judged",
            _ => "run again and let it end; what was measured until then is in the archive",
        }
    }

    fn remedy_of_invalid(self) -> &'static str {
        match self {
            Self::TopicConfigurationRefused => {
                "the test did not run against the topic that the scenario describes: ask for what the \
                 cluster allows, or have its limits changed"
            }
            Self::NothingMeasured => {
                "no interval lies in a measured phase: give the load a hold, ramp or burst, and let it \
                 run to there"
            }
            Self::GeneratorSlip => {
                "the agents were too slow or were not scheduled, so latencies include their own delay: \
                 lower the rate, spread it over more instances or hosts, and keep other work off the \
                 agents' hosts"
            }
            Self::AgentCpuSaturated => {
                "the agents are the bottleneck, not Kafka: spread the load over more instances, agents \
                 or hosts, or lower the rate"
            }
            Self::HostCpuSaturated => {
                "some of each latency is waiting for a CPU: put brokers and agents on hosts of their own, \
                 keep other work off them, or lower the rate"
            }
            Self::CeilingReached => {
                "the rate asks more of an agent than it can make, whatever Kafka does: spread the load over \
                 more agents on more hosts, lower the rate, or calibrate again if the hosts have changed"
            }
            Self::IntervalsMissing => {
                "a part of the measurement never arrived, so figures are of what did: look at the \
                 agent's log and the disk that it spools to"
            }
            Self::IntervalsLate => {
                "the agents' hosts were too busy to cut intervals on time, so neighbouring intervals \
                 are blurred: keep other work off them, or give them more cores"
            }
            Self::NeverCaughtUp => {
                "records that wait in the log have no end-to-end latency: lengthen `drain`, or \
                 `deadlines.finish` where records are acknowledged late, add consumers or partitions, or \
                 lower the rate; a position that stands still has a cause of its own: a partition without a \
                 leader, an open transaction, an error in the consumer's log"
            }
            Self::RecordsUnaccounted => {
                "neither a loss nor its absence can be shown: see that the brokers answer when the load is \
                 over and that no agent is lost, and run again"
            }
            Self::ClientHeldRecords => {
                "the client's own count contradicts the accounts: lengthen `drain`, raise \
                 `delivery.timeout.ms` no further than it, and report it if it stays"
            }
            _ => {
                "run the agents on one host, or synchronise the hosts' clocks (chrony, PTP) and keep the \
                 control channel quick; or judge produce.response instead"
            }
        }
    }

    fn remedy_of_others(self) -> &'static str {
        match self {
            Self::ExpectationFailed => {
                "the report shows when it failed, and which topic, partition or agent"
            }
            Self::NothingAcknowledged => {
                "the report lists the errors by code; the client's properties and the topic's \
                 `min.insync.replicas` are the usual causes"
            }
            Self::Degraded => {
                "figures after the loss are of the agents that were left; run again for a full result"
            }
            Self::RateNotReached => {
                "where backpressure explains it, the cluster did not take the rate; where it does not, \
                 the agents could not make it"
            }
            Self::FateUnknown => {
                "lengthen `drain`, or lower `delivery.timeout.ms` below it, so that every record is \
                 acknowledged or fails before the end"
            }
            Self::ForeignRecords => {
                "somebody else writes to these topics; use topics of this run's own, or keep others off"
            }
            Self::UnexpectedRecords => {
                "duplicates by retries without `enable.idempotence`, records that the broker kept \
                 although the client was told of a failure, or records of others without a stamp"
            }
            Self::RecordsLost => {
                "a log that ends below what was acknowledged was truncated: `acks` below `all`, \
                 `min.insync.replicas` of 1, or an unclean leader election; a consumer that was never given \
                 records was reset beyond them, or its group's committed offsets were"
            }
            Self::RecordsExpired => {
                "no loss: the topic's `retention.ms` or `retention.bytes` is shorter than consumers are \
                 behind; raise it, add consumers, or lower the rate"
            }
            Self::RecordsCompacted => {
                "no loss: with `cleanup.policy` compact older records of a key go; give records distinct \
                 keys, raise `min.compaction.lag.ms`, or use a topic with `delete` to count every record"
            }
            Self::OffsetsDisagree => {
                "too few on the broker: acknowledged records are gone (`acks` below `all`, or an unclean \
                 leader election); too many: another producer, or duplicates by retries without \
                 `enable.idempotence`"
            }
            Self::SaturatedHistogram => {
                "values beyond an hour are counted as one hour: read largest values as `at least`"
            }
            Self::ChannelCut => {
                "no figure is spoiled by it; the journal says when each channel broke and came back"
            }
            Self::StartedApart => {
                "the first interval of the agents does not cover the same time; a warm-up hides it"
            }
            Self::EmbeddedBroker => {
                "a rehearsal: the embedded broker stores nothing and shares the agents' CPU; judge Kafka \
                 with `--cluster`"
            }
            Self::ObservedGroupMissing => {
                "check the group's id under `observe`, that its application runs and commits offsets, \
                 and that it reads topics of this scenario (`existing: true` for topics of others)"
            }
            _ => {
                "with `rate: max` a slow answer delays the next question, so latencies look better than \
                 users would find them; judge latency at a rate"
            }
        }
    }
}

impl Doubt {
    /// A reason that makes the case `verdict`.
    pub(super) fn reason(kind: Kind, verdict: Verdict, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), verdict: Some(verdict) }
    }

    /// A warning.
    pub(super) fn warning(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), verdict: None }
    }
}

impl From<&Doubt> for Reason {
    fn from(doubt: &Doubt) -> Self {
        Self {
            code: doubt.kind.code().to_owned(),
            text: doubt.text.clone(),
            remedy: doubt.kind.remedy().to_owned(),
        }
    }
}
