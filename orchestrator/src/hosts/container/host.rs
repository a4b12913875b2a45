//! A container as a host of agents.

use super::{RunContainers, agent::ContainerAgent};
use crate::{
    hosts::{AgentLocation, Host, Phase, Problem, Ready, channel::Bridge},
    scenario::cluster::Deadlines,
};
use mallard_protocol::preflight::Facts;
use std::{sync::Arc, time::Duration};

/// A container of a run. [`RunContainers::start`] makes all of them together, for the first case that needs them, and
/// again for a later one where they died; so nothing is to be made ready, and nothing to be let go of.
#[derive(Debug)]
pub(in crate::hosts) struct ContainerHost {
    name: String,
    run_containers: Arc<RunContainers>,
}

impl ContainerHost {
    /// The container of a name, which need not be there yet.
    pub(in crate::hosts) fn new(name: &str, run_containers: Arc<RunContainers>) -> Self {
        Self { name: name.to_owned(), run_containers }
    }
}

#[async_trait::async_trait]
impl Host for ContainerHost {
    fn is_of_run(&self) -> bool {
        true
    }

    async fn prepare(&self, _: &Deadlines) -> Result<Ready, Problem> {
        Ok(Ready::default())
    }

    async fn inspect(&self, _: &[u8], _: Duration) -> Result<Facts, Problem> {
        let cause = "a container is made for a case, and is not there before";
        Err(Problem::new(&self.name, Phase::Inspect, cause, "look at it while a case runs"))
    }

    async fn sweep(&self, _: &str) -> Result<(), Problem> {
        Ok(())
    }

    fn bridge(&self, location: AgentLocation) -> Arc<dyn Bridge> {
        let (run_containers, host) = (Arc::clone(&self.run_containers), self.name.clone());
        Arc::new(ContainerAgent { run_containers, host, location })
    }

    async fn close(&self) {}
}
