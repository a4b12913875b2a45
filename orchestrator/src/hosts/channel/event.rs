//! What happens to a case: what channels hear, and what the driver sees beside them.

use crate::plan::AgentIndex;
use mallard_protocol::{fault::GuardReport, message::FromAgent, workload::ClientProperties};

/// What happens to a case.
#[derive(Debug)]
pub enum Input {
    /// An agent said something.
    Message {
        /// Who.
        agent: AgentIndex,
        /// What.
        message: Box<FromAgent>,
    },
    /// An agent could not be started or reached, or its process is gone for good.
    AgentGone {
        /// Who.
        agent: AgentIndex,
        /// What was noticed.
        cause: String,
    },
    /// An agent's process has ended while it measured, or was ended because it did not answer. Another one is
    /// started in its folder, which hands in what was not collected.
    AgentEnded {
        /// Who.
        agent: AgentIndex,
        /// What was noticed.
        cause: String,
        /// It was there and did not answer, so it was ended by force.
        was_stuck: bool,
    },
    /// The channel to an agent broke or came back; the agent itself may be well.
    Channel {
        /// Who.
        agent: AgentIndex,
        /// Whether it is up.
        up: bool,
    },
    /// Nothing but time passed.
    Tick,
    /// This machine slept, and the time that comes with this is that much later. Agents went on.
    Slept {
        /// For how long, in microseconds.
        us: u64,
    },
    /// This process was stopped, or did not get to run, and the time that comes with this is that much later.
    /// Agents went on, and what they have said in that time is still to be heard.
    HeldUp {
        /// For how long, in microseconds.
        us: u64,
    },
    /// Somebody wants the case to end.
    Stop {
        /// How often they asked, from 1.
        times: u32,
        /// How they asked: `Ctrl-C`, `SIGTERM`.
        by: &'static str,
    },
    /// A step of starting containers began.
    Step(String),
    /// What runs in containers runs, and agents can be reached.
    ContainersStarted {
        /// How the clients of each agent connect with a Kafka in containers; none where it is elsewhere.
        connections: Vec<ClientProperties>,
    },
    /// What is to run in containers does not.
    ContainersFailed {
        /// Each container with what is wrong and what to do.
        problems: Vec<String>,
    },
    /// A broker's container has ended.
    BrokerEnded {
        /// `broker-1`.
        broker: String,
        /// What became of it.
        cause: String,
    },
    /// The guard of a fault reports.
    Fault {
        /// Which fault, by its place in the plan.
        fault: usize,
        /// What it says.
        report: GuardReport,
    },
    /// The archive could not be written.
    ArchiveFailed {
        /// Which file, and why.
        cause: String,
        /// What stands in the archive is enough to take the case over later: agents keep the rest.
        is_resumable: bool,
    },
}
