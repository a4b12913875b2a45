//! What a run knows of a case beside its measurements.

use crate::{
    calibrate::AgentLoad,
    model::{fault::FaultResult, result::Cut},
    plan::handover::Handover,
};
use mallard_protocol::message::{AgentFailure, HostFacts, LogBounds};
use std::collections::BTreeMap;

/// Facts of a case, filled in by whoever ran it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CaseFacts {
    /// The run's id.
    pub run_id: String,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// RFC 3339, UTC.
    pub ended_at: String,
    /// RFC 3339, UTC, of 0 on the run's clock; `None` if the load never started.
    pub load_started_at: Option<String>,
    /// When the drain was over on the run's clock, if it came to that.
    pub drained_at_us: Option<u64>,
    /// Who broke it off before its end: `Ctrl-C`, `SIGHUP`, or whoever asked twice.
    pub interrupted_by: Option<String>,
    /// How its load was ended in order before its planned end.
    pub early_stop: Option<EarlyStop>,
    /// What went wrong.
    pub run_errors: Vec<RunError>,
    /// Stretches of the load without a channel.
    pub cuts: Vec<Cut>,
    /// What became of faults, in the plan's order.
    pub faults: Vec<FaultResult>,
    /// By agent, in the plan's order.
    pub agents: Vec<AgentFacts>,
    /// Where logs start and end after the last acknowledgement.
    pub log: LogBounds,
    /// Largest error of a clock against the run's, half its width, in microseconds. Zero where all
    /// agents share one kernel; `None` where it was not measured.
    pub clock_error_us: Option<u64>,
    /// Planned loads of agents that were calibrated.
    pub loads: Vec<AgentLoad>,
    /// Versions: `mallard`, `librdkafka`, `kafka`, `protocol`.
    pub versions: BTreeMap<String, String>,
    /// The cluster's brokers: address by id.
    pub brokers: BTreeMap<String, String>,
    /// Client properties of each workload, secrets removed.
    pub client_properties: BTreeMap<String, BTreeMap<String, String>>,
    /// What each workload's clients were made with, defaults among it, secrets removed.
    pub clients_in_effect: BTreeMap<String, BTreeMap<String, String>>,
}

/// Facts of an agent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AgentFacts {
    /// Where it ran, if it ever said.
    pub host: Option<HostFacts>,
    /// How long after the common start it started, in microseconds.
    pub start_late_us: Option<u64>,
    /// How wrong what is known of its clock against the controller's may be, half the width, in
    /// microseconds. Zero where both are one clock; `None` where it was not measured.
    pub clock_error_us: Option<u64>,
    /// Records that its clients held, by librdkafka's own count, when all was flushed.
    pub client_queue: Option<u64>,
    /// Why it was lost, if it was.
    pub lost: Option<String>,
    /// What became of its load, if others took it over.
    pub handover: Option<Handover>,
}

/// The end of a load before its planned end, asked for by SIGTERM or `mallard stop`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EarlyStop {
    /// Who asked: `SIGTERM`.
    pub by: String,
    /// How far the load came, in microseconds.
    pub at_us: u64,
    /// How long it was to be.
    pub planned_us: u64,
}

/// Something that went wrong outside the measurement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunError {
    /// No broker answered.
    BrokerUnreachable {
        /// Agent, broker and librdkafka's reason.
        text: String,
    },
    /// The broker has a topic, but not as it was asked for.
    TopicConfiguration {
        /// The topic and what differs: `topic orders has min.insync.replicas=1, asked for was 2`.
        text: String,
    },
    /// A topic could not be created or found.
    Topic {
        /// Which topic, with the broker's reason.
        text: String,
    },
    /// An agent said that it cannot go on.
    Agent {
        /// The agent.
        agent: String,
        /// Why.
        failure: AgentFailure,
    },
    /// A step took too long.
    Deadline {
        /// The step: `waiting for consumers to be assigned`.
        step: String,
        /// What had been reached: `2 of 4 consumers assigned`.
        progress: String,
        /// How long was waited, in microseconds.
        within_us: u64,
    },
    /// The controller was gone for longer than the lease, and the agents ended their load.
    Abandoned {
        /// How far the load came, in microseconds.
        until_us: u64,
        /// How long it was to be.
        planned_us: u64,
        /// The lease.
        lease_us: u64,
    },
    /// Something in the controller failed: results could not be written, an agent could not be started.
    Harness {
        /// What and why.
        text: String,
    },
}
