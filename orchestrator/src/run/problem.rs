//! What can go wrong with a case as a whole, beside an expectation that does not hold.

use super::drain::Missing;
use mallard_protocol::message::{AgentFailure, FailureKind};

/// Something that spoils a case or casts doubt on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// An agent is gone or silent.
    AgentLost {
        /// Its name.
        agent: String,
        /// What was noticed, and its last progress.
        cause: String,
        /// When, on the run's clock.
        at_us: Option<u64>,
        /// Whether the others went on.
        tolerated: bool,
    },
    /// No broker answered.
    BrokerUnreachable {
        /// The agent that tried.
        agent: String,
        /// Broker and librdkafka's reason.
        cause: String,
    },
    /// The broker refused a topic or its configuration.
    TopicRefused {
        /// What it said.
        cause: String,
    },
    /// A client property was refused.
    PropertyRefused {
        /// The agent.
        agent: String,
        /// librdkafka's reason.
        cause: String,
    },
    /// Not allowed.
    Denied {
        /// The agent.
        agent: String,
        /// librdkafka's reason.
        cause: String,
    },
    /// An agent could not go on.
    AgentFailed {
        /// The agent.
        agent: String,
        /// What it said.
        cause: String,
    },
    /// A stage took too long.
    TimedOut {
        /// What was waited for.
        waiting_for: String,
        /// How long, in microseconds.
        after_us: u64,
    },
    /// Somebody stopped it.
    Interrupted {
        /// How.
        by: String,
    },
    /// The archive could not be written.
    ArchiveFailed {
        /// Which file, and why.
        cause: String,
    },
    /// An agent's accounts do not add up.
    AccountsDoNotAddUp {
        /// Who, when, which numbers.
        cause: String,
    },
    /// Consumers had not received everything when the drain's time was up.
    NeverCaughtUp {
        /// Who misses what.
        missing: Vec<Missing>,
        /// Records still out or not sent.
        in_flight: u64,
    },
}

impl Problem {
    /// The problem that an agent's failure is.
    #[must_use]
    pub fn from_failure(agent: &str, failure: &AgentFailure) -> Self {
        let (agent, cause) = (agent.to_owned(), failure.text.clone());
        match failure.kind {
            FailureKind::Unreachable => Self::BrokerUnreachable { agent, cause },
            FailureKind::Topic => Self::TopicRefused { cause },
            FailureKind::Property => Self::PropertyRefused { agent, cause },
            FailureKind::Denied => Self::Denied { agent, cause },
            FailureKind::TimedOut | FailureKind::Other => Self::AgentFailed { agent, cause },
        }
    }

    /// Whether the case can still be judged by what was measured.
    #[must_use]
    pub fn is_tolerated(&self) -> bool {
        matches!(self, Self::AgentLost { tolerated: true, .. } | Self::NeverCaughtUp { .. })
    }
}
