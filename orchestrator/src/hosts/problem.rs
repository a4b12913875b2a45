//! What keeps a host from being used: where, at which step, why, and what to do.

use crate::{model::events::RunEvent, text::untrusted};
use std::fmt;

/// A host cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{host}: {phase}: {cause}")]
pub struct Problem {
    /// The host's name in the cluster file.
    pub host: String,
    /// The step that failed.
    pub phase: Phase,
    /// Why.
    pub cause: String,
    /// What to do about it.
    pub remedy: String,
}

/// A step on the way to a host that agents can run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Logging in.
    Connect,
    /// Looking at what it is.
    Inspect,
    /// Bringing the agent's program there.
    Deploy,
    /// Starting that program.
    Start,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connect",
            Self::Inspect => "inspect",
            Self::Deploy => "deploy",
            Self::Start => "start",
        })
    }
}

impl From<Problem> for RunEvent {
    fn from(problem: Problem) -> Self {
        let Problem { host, phase, cause, remedy } = problem;
        Self::HostProblem { host, phase: phase.to_string(), cause, remedy }
    }
}

impl Problem {
    /// A problem of a host.
    #[must_use]
    pub fn new(
        host: &str,
        phase: Phase,
        cause: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        // It often quotes what ssh, a shell or the agent's program said.
        let (cause, remedy) = (untrusted::text(&cause.into()), remedy.into());
        Self { host: host.to_owned(), phase, cause, remedy }
    }

    /// A step that took longer than it may.
    #[must_use]
    pub fn late(host: &str, phase: Phase, within: std::time::Duration, deadline: &str) -> Self {
        let cause = format!("not done after {} s", within.as_secs());
        let remedy = format!(
            "look whether the host is overloaded or its network slow; `deadlines: {{{deadline}: …}}` in the cluster file allows more"
        );
        Self::new(host, phase, cause, remedy)
    }
}
