//! Kinds of reasons and warnings: one table, a row a kind.
//!
//! A kind is added by adding its row. There is no other list, and no remedy that stands for several
//! kinds.

use super::result::Reason;

/// Defines [`Kind`] and its rows: `Variant "code" "remedy";`.
macro_rules! kinds {
    ($($kind:ident $code:literal $remedy:literal;)+) => {
        /// What a reason or a warning is about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $(#[doc = concat!("`", $code, "`: ", $remedy, ".")] $kind,)+
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$kind,)+];
        }

        /// Code and remedy, in the order of [`Kind::ALL`].
        const ROWS: &[(&str, &str)] = &[$(($code, $remedy),)+];
    };
}

kinds! {
    AccountsDoNotAddUp "accounts_do_not_add_up"
        "this is a defect of Mallard itself: use no figure of this case, keep the run's folder and \
         report it";
    BrokerUnreachable "broker_unreachable"
        "check `kafka:` in the cluster file, that the brokers run, and that the agents' hosts reach the \
         addresses that the brokers advertise";
    HostUnusable "host_unusable"
        "`mallard check` looks at every host of a cluster file and says what each one lacks";
    AgentLost "agent_lost"
        "look at the agent's log and the host's kernel log (OOM killer, power, network); \
         `on_agent_loss: continue` lets the others go on, and `respread` has them send its share";
    AgentFailed "agent_failed"
        "the agent's log in the run's folder says more";
    TopicFailed "topic_failed"
        "check the topic's partitions, replication and configuration against the brokers, that no other \
         topic has its name, and what this user may do on the cluster";
    DeadlineMissed "deadline_missed"
        "look at what was being waited for; if it is only slow, raise its deadline in the cluster file";
    HarnessFailed "harness_failed"
        "fix what the message names and run again; nothing was judged";
    ArchiveFailed "archive_failed"
        "make room, or check who may write to the results folder, and run again";
    FaultNotUndone "fault_not_undone"
        "what was broken on purpose is still broken: undo it by hand as the text says, or by \
         `mallard-agent guard --sweep` on the broker's host, before anything else runs there";
    FaultNotBegun "fault_not_begun"
        "the case went without this fault: see that the broker runs, that the cluster file says how it is \
         found, and that this user may do that to it";
    FaultWithoutEffect "fault_without_effect"
        "what was measured is no answer to the fault: see that the cluster file names the broker's own \
         process, and how it is reached";
    FaultsMissed "faults_missed"
        "no controller was running the case when they were due, and they are not repeated later: run it again";
    UndoLate "undo_late"
        "the broker was away for longer than the fault: raise `deadlines: {undo: …}` of the cluster file if \
         that is how long it takes to start";
    Abandoned "abandoned"
        "take a run over with `mallard resume` before its lease ends, or raise `lease` in the cluster \
         file; what was measured until then is in the archive";
    Interrupted "interrupted"
        "run again and let it end; what was measured until then is in the archive";
    SchemaRegistryFailed "schema_registry_failed"
        "check `registry` in the scenario, that the agents' hosts reach it, who may register there, and \
         that the subject has no other schema: `subject` names another one";
    TopicConfigurationRefused "topic_configuration_refused"
        "the topic is not the one that the scenario describes: ask for what the cluster allows, or have \
         its limits changed";
    NothingMeasured "nothing_measured"
        "no interval lies in a measured phase: give the load a hold, ramp or burst, and let it run to \
         there";
    GeneratorSlip "generator_slip"
        "the agents were too slow or were not scheduled, so latencies include their own delay: lower the \
         rate, spread it over more instances or hosts, and keep other work off the agents' hosts";
    AgentCpuSaturated "agent_cpu_saturated"
        "the agents are the bottleneck, not Kafka: spread the load over more instances, agents or hosts, \
         or lower the rate";
    HostCpuSaturated "host_cpu_saturated"
        "some of each latency is waiting for a CPU: put brokers and agents on hosts of their own, keep \
         other work off them, or lower the rate";
    CeilingReached "ceiling_reached"
        "the rate is above what an agent can send, whatever Kafka does: spread the load over more agents \
         on more hosts, lower the rate, or calibrate again if the hosts have changed";
    IntervalsMissing "intervals_missing"
        "a part of the measurement never arrived, so the figures leave it out: look at the agent's log \
         and the disk that it spools to";
    IntervalsLate "intervals_late"
        "the agents' hosts were too busy to cut intervals on time, so neighbouring intervals are blurred: \
         keep other work off them, or give them more cores";
    NeverCaughtUp "never_caught_up"
        "records that wait in the log have no end-to-end latency: lengthen `drain`, or `deadlines.finish` \
         where records are acknowledged late, add consumers or partitions, or lower the rate; a position \
         that stands still has a cause of its own: a partition without a leader, an open transaction, an \
         error in the consumer's log";
    RecordsUnaccounted "records_unaccounted"
        "neither a loss nor its absence can be shown: see that the brokers answer when the load is over \
         and that no agent is lost, and run again";
    ClientHeldRecords "client_held_records"
        "the client's own count contradicts the accounts: lengthen `drain`, raise `delivery.timeout.ms` \
         no further than it, and report it if it stays";
    ClockUncertain "clock_uncertain"
        "run the agents on one host, or synchronise the hosts' clocks (chrony, PTP) and keep the control \
         channel quick; or judge produce.response instead";
    FigureUnknown "figure_unknown"
        "what was expected can neither hold nor fail, since its figure cannot be known: `mallard metrics` says what \
         it is made from; let the load run for longer before and after each fault, and lengthen `drain`";
    ExpectationFailed "expectation_failed"
        "the report shows when it failed, and which topic, partition or agent";
    AcrossCasesFailed "expectation_across_cases_failed"
        "see the cases side by side; each has its own verdict";
    WorseThanBaseline "worse_than_baseline"
        "`mallard compare` shows what differs and every figure with its interval; if the change is meant, set \
         the baseline anew with `mallard baseline set`";
    BaselineUnclear "baseline_unclear"
        "run the case more often on both sides with `--repeat`, as the sentence says, or allow a larger \
         share; eight earlier runs of the same kind in the archive tell how much single ones spread";
    BaselineMissing "baseline_missing"
        "`mallard baseline set NAME RUN` gives a run that is good the name, and the next run is held against \
         it";
    ShardsDiffer "shards_differ"
        "figures of different shards were taken under different conditions: compare them with care; an \
         expectation across cases may hold or fail for that";
    NothingAcknowledged "nothing_acknowledged"
        "the report lists the errors by code; the client's properties and the topic's \
         `min.insync.replicas` are the usual causes";
    StoppedEarly "stopped_early"
        "figures and verdict are of what was measured until then; run again without a stop for the whole \
         load";
    Degraded "degraded"
        "figures after the loss are of the agents that were left; run again for a full result";
    RateNotReached "rate_not_reached"
        "where backpressure explains it, the cluster did not take the rate; where it does not, the agents \
         could not send it";
    FateUnknown "fate_unknown"
        "lengthen `drain`, or lower `delivery.timeout.ms` below it, so that every record is acknowledged \
         or fails before the end";
    ForeignRecords "foreign_records"
        "other producers write to these topics; use topics of this run's own, or keep others off";
    UnexpectedRecords "unexpected_records"
        "duplicates by retries without `enable.idempotence`, records that the broker kept although the \
         client was told of a failure, or records of others without a stamp";
    RecordsLost "records_lost"
        "a log that ends below what was acknowledged was truncated: `acks` below `all`, \
         `min.insync.replicas` of 1, or an unclean leader election; a consumer that was never given records \
         was reset beyond them, or its group's committed offsets were";
    RecordsExpired "records_expired"
        "no loss: the topic's `retention.ms` or `retention.bytes` is shorter than consumers are behind; \
         raise it, add consumers, or lower the rate";
    RecordsCompacted "records_compacted"
        "no loss: with `cleanup.policy` compact older records of a key go; give records distinct keys, \
         raise `min.compaction.lag.ms`, or use a topic with `delete` to count every record";
    OffsetsDisagree "offsets_disagree"
        "too few on the broker: acknowledged records are gone (`acks` below `all`, or an unclean leader \
         election); too many: another producer, or duplicates by retries without `enable.idempotence`";
    SaturatedHistogram "saturated_histogram"
        "values beyond an hour are counted as one hour: read largest values as `at least`";
    StartedApart "started_apart"
        "the first interval of the agents does not cover the same time; a warm-up hides it";
    ChannelCut "channel_cut"
        "no figure is affected; the journal says when each channel broke and came back";
    EmbeddedBroker "embedded_broker"
        "a rehearsal: the embedded broker stores nothing and shares the agents' CPU; judge Kafka with \
         `--cluster`";
    ClosedLoop "closed_loop"
        "with `rate: max` a slow answer delays the next request, so latencies look better than users \
         would find them; judge latency at a rate";
    ObservedGroupMissing "observed_group_missing"
        "check the group's id under `observe`, that its application runs and commits offsets, and that it \
         reads topics of this scenario (`existing: true` for topics of others)";
}

impl Kind {
    /// The stable code, as it stands in `result.json` and `run.json`.
    #[must_use]
    pub fn code(self) -> &'static str {
        ROWS[self as usize].0
    }

    /// Likely cause, and what to do.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        ROWS[self as usize].1
    }

    /// A reason of this kind, with the kind's remedy. The text carries its numbers already.
    #[must_use]
    pub fn reason(self, text: impl Into<String>) -> Reason {
        Reason { code: self.code().to_owned(), text: text.into(), remedy: self.remedy().to_owned() }
    }

    /// Whether a reason is of this kind.
    #[must_use]
    pub fn is(self, reason: &Reason) -> bool {
        reason.code == self.code()
    }
}
