//! What goes into a case and what comes out of it.

use super::checkpoint::Checkpoint;
use crate::{
    measure::MergedInterval,
    metrics::tally::Tally,
    model::{events::RunEvent, fault::FaultResult},
    plan::AgentIndex,
    verdict::Judgement,
};
use mallard_protocol::{
    fault::Act, histogram::Histogram, interval::IntervalReport, message::ToAgent,
};

/// What a case wants done.
#[derive(Debug)]
pub enum Effect {
    /// Start what runs in containers.
    StartContainers,
    /// Start the agents and the conversations with them.
    Connect,
    /// Say something to an agent.
    Send {
        /// Whom.
        agent: AgentIndex,
        /// What.
        message: ToAgent,
    },
    /// Tell the world.
    Emit(RunEvent),
    /// Write an interval into the archive.
    Store(Box<MergedInterval>),
    /// Keep an agent's report as it came. Comes before the agent is told to let go of it.
    Keep {
        /// Whose.
        agent: AgentIndex,
        /// The report.
        report: Box<IntervalReport>,
    },
    /// Write down what a controller that takes over has to know.
    Checkpoint(Box<Checkpoint>),
    /// Keep a piece of an agent's log.
    StoreLog {
        /// Whose.
        agent: AgentIndex,
        /// Bytes.
        bytes: Vec<u8>,
    },
    /// The case is judged: write its results, before anything is torn down.
    Judged(Box<Judged>),
    /// End an agent's process by force.
    Kill {
        /// Whose.
        agent: AgentIndex,
        /// Its process, as it said itself.
        pid: u32,
    },
    /// Begin a fault, or have its guard stand ready for it.
    BeginFault(FaultOrder),
    /// Begin a fault whose guard stands ready.
    ReleaseFault {
        /// Which, by its place in the plan.
        fault: usize,
    },
    /// End a fault before its time.
    EndFault {
        /// Which, by its place in the plan.
        fault: usize,
    },
    /// Write down what became of a fault.
    StoreFault(Box<FaultResult>),
    /// Nothing is left to do.
    Done,
}

/// A fault that is to begin now, or once it is told to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultOrder {
    /// Its place in the plan.
    pub fault: usize,
    /// The broker that it is about.
    pub broker: i32,
    /// What is done.
    pub act: Act,
    /// Where the broker says that agents reach it.
    pub address: Option<String>,
    /// Between whom packets are dropped, for a cut.
    pub wire: WireOrder,
    /// Whether it speaks TLS there.
    pub tls: bool,
    /// How long it lasts, in milliseconds.
    pub for_ms: u64,
    /// How long undoing may take before it is late, in milliseconds.
    pub undo_ms: u64,
    /// How long it goes on without a controller, in milliseconds.
    pub lease_ms: u64,
    /// Whether its guard waits until it is told to begin.
    pub waits: bool,
}

/// Brokers of a cut beside its victim, each with where it says that agents reach it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WireOrder {
    /// On the victim's side.
    pub near: Vec<(i32, Option<String>)>,
    /// On the other side.
    pub far: Vec<(i32, Option<String>)>,
    /// Whoever is no broker is on the other side, too.
    pub clients: bool,
    /// On neither side.
    pub rest: Vec<(i32, Option<String>)>,
}

/// A judged case.
#[derive(Debug)]
pub struct Judged {
    /// Result, sentence and series of partitions.
    pub judgement: Judgement,
    /// Latencies of the measured phases.
    pub totals: Totals,
}

/// Latencies of the measured phases, as the metrics have them.
#[derive(Debug)]
pub struct Totals {
    /// Sent to acknowledged.
    pub service: Histogram,
    /// Due to acknowledged.
    pub response: Histogram,
    /// Due to received.
    pub end_to_end: Histogram,
    /// Due to sent.
    pub slip: Histogram,
}

impl Totals {
    /// The latencies of a tally of the measured phases.
    #[must_use]
    pub fn of(whole: &Tally) -> Self {
        Self {
            service: whole.due.service.clone(),
            response: whole.due.response.clone(),
            end_to_end: whole.arrived.end_to_end.clone(),
            slip: whole.due.slip.clone(),
        }
    }
}
