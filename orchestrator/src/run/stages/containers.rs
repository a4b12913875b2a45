//! Containers start: brokers, hosts of agents.

use super::{agents::Connecting, collecting::Collecting};
use crate::{
    run::{
        shared::Shared,
        stage::{Next, Stage},
    },
    verdict::RunError,
};
use mallard_protocol::workload::ClientProperties;
use std::{collections::BTreeSet, time::Duration};

/// Containers start.
#[derive(Debug, Default)]
pub(in crate::run) struct StartingContainers {
    /// The last step on the way.
    last_step: Option<String>,
}

impl Stage for StartingContainers {
    fn waiting_for(&self, case: &Shared) -> String {
        let step = self.last_step.as_deref().unwrap_or("reaching the engine");
        format!("the containers {} to start; the last step was: {step}", containers(case))
    }

    fn limit(&self, case: &Shared) -> Option<Duration> {
        Some(case.plan.deadlines.containers)
    }

    fn break_off(&mut self, case: &mut Shared, _: Duration) -> Next {
        Collecting::enter(case)
    }

    fn on_step(&mut self, text: &str) {
        self.last_step = Some(text.to_owned());
    }

    fn on_containers(
        &mut self,
        case: &mut Shared,
        outcome: Result<Vec<ClientProperties>, Vec<String>>,
    ) -> Next {
        match outcome {
            Ok(connections) => {
                case.connections = connections;
                Connecting::enter(case)
            }
            Err(problems) => {
                case.run_errors.extend(problems.into_iter().map(|text| RunError::Harness { text }));
                Collecting::enter(case)
            }
        }
    }
}

/// The names of the containers that the case needs.
fn containers(case: &Shared) -> String {
    let agents = case.plan.agents.iter();
    let hosts = agents.filter(|agent| agent.host.is_of_run());
    let mut names: BTreeSet<String> = hosts.map(|agent| agent.host_name.clone()).collect();
    if let Some(kafka) = case.plan.kafka.containers() {
        names.extend(kafka.names());
    }
    names.into_iter().collect::<Vec<_>>().join(", ")
}
