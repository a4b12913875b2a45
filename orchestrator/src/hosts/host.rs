//! A place for agents.

use super::{Problem, channel::Bridge};
use crate::scenario::cluster::Deadlines;
use mallard_protocol::{agent_command, preflight::Facts};
use std::{sync::Arc, time::Duration};

/// Where one agent of one case sits on its host.
#[derive(Clone, Debug)]
pub struct AgentLocation {
    /// The run.
    pub run_id: String,
    /// The case's place among the run's cases, from 0.
    pub case: usize,
    /// The agent's name.
    pub agent: String,
    /// How long it goes on alone.
    pub lease: Duration,
}

impl AgentLocation {
    /// The agent's folder, below a host's folder of runs.
    #[must_use]
    pub fn folder(&self) -> String {
        format!("{}/{}", self.run_id, self.folder_in_run())
    }

    /// The agent's folder, below that of its run.
    #[must_use]
    pub fn folder_in_run(&self) -> String {
        agent_command::folder(self.case, &self.agent)
    }

    /// Whose agent it is, as its program is told.
    #[must_use]
    pub fn identity(&self) -> agent_command::Identity<'_> {
        let Self { run_id, agent, lease, .. } = self;
        agent_command::Identity { name: agent, run: run_id, lease_s: lease.as_secs() }
    }
}

/// A place for agents.
#[async_trait::async_trait]
pub trait Host: Send + Sync + 'static {
    /// Whether it is this machine.
    fn is_local(&self) -> bool {
        false
    }

    /// Whether it is made for a run and goes with it, as a container does. Then it need not be made ready, nothing can
    /// be asked of it before its case runs, and nothing of dead runs is on it.
    fn is_of_run(&self) -> bool {
        false
    }

    /// Makes it ready: it can be reached, and the agent's program is there and starts.
    ///
    /// # Errors
    /// What keeps it from being used.
    async fn prepare(&self, deadlines: &Deadlines) -> Result<Ready, Problem>;

    /// What the host is, and what can be reached from it: has its agent's program answer a
    /// [`preflight::Question`](mallard_protocol::preflight::Question) in JSON. It must be ready.
    ///
    /// # Errors
    /// Why it cannot be inspected.
    async fn inspect(&self, question: &[u8], within: Duration) -> Result<Facts, Problem>;

    /// Removes the folder that a dead run has left on it. It must be ready.
    ///
    /// # Errors
    /// It is still there.
    async fn sweep(&self, run_id: &str) -> Result<(), Problem>;

    /// The way to an agent on it.
    fn bridge(&self, location: AgentLocation) -> Arc<dyn Bridge>;

    /// Lets go of it. Agents that live on are not harmed.
    async fn close(&self);
}

/// How a host came to be ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// Bytes that were sent to it; 0 where the agent's program was there already.
    pub copied_bytes: u64,
}
