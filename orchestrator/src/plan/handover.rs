//! What became of the load of a lost agent's producers.

use crate::plan::{AgentIndex, AgentPlan, CasePlan, workload::workload_of};
use mallard_protocol::{
    ids::InstanceId,
    schedule::{Cursor, Share},
    workload::ProducerSpec,
};
use serde::{Deserialize, Serialize};

/// What became of the load of a lost agent's producers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handover {
    /// The lost agent.
    pub lost: AgentIndex,
    /// Why it was lost.
    pub cause: String,
    /// When that was noticed, on the run's clock.
    pub lost_at_us: u64,
    /// From when on others send what its producers had to send.
    pub from_us: u64,
    /// What its producers sent until then.
    pub given: Vec<(InstanceId, Share)>,
    /// Who sends it instead.
    pub taken: Vec<(InstanceId, Share)>,
}

impl Handover {
    /// Records that were due after the last report of the lost agent and before others took over. It may
    /// have sent some of them, and nobody else did.
    #[must_use]
    pub fn records_between(&self, plan: &CasePlan, reported_us: u64) -> u64 {
        let given = self.given.iter().filter_map(|(id, share)| Some((producer(plan, *id)?, share)));
        let due = given.map(|(spec, share)| {
            let cursor = Cursor::over(&spec.schedule, *share);
            cursor.due_before(self.from_us).saturating_sub(cursor.due_before(reported_us))
        });
        due.sum()
    }

    /// Names of the agents that took something over.
    #[must_use]
    pub fn successors(&self, plan: &CasePlan) -> Vec<String> {
        let has_some = |agent: &&AgentPlan| {
            let mut own = agent.producers.iter();
            own.any(|spec| self.taken.iter().any(|(id, _)| *id == spec.instance))
        };
        plan.agents.iter().filter(has_some).map(|agent| agent.name.clone()).collect()
    }

    /// Producers of which nobody was left to take anything over, by their names in the scenario.
    #[must_use]
    pub fn without_successors(&self, plan: &CasePlan) -> Vec<String> {
        let names = |of: &[(InstanceId, Share)]| -> std::collections::BTreeSet<String> {
            let specs = of.iter().filter_map(|(id, _)| producer(plan, *id));
            specs.map(|spec| workload_of(&spec.name).to_owned()).collect()
        };
        names(&self.given).difference(&names(&self.taken)).cloned().collect()
    }
}

pub(super) fn producer(plan: &CasePlan, instance: InstanceId) -> Option<&ProducerSpec> {
    let mut producers = plan.agents.iter().flat_map(|agent| &agent.producers);
    producers.find(|spec| spec.instance == instance)
}
