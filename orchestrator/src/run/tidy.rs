//! What the run has made on the brokers, and the agent that deletes it if this controller dies and nobody takes
//! the run over.

use super::shared::Shared;
use crate::plan::AgentIndex;
use mallard_protocol::{message::ToAgent, workload::Membership};
use std::collections::BTreeSet;

impl Shared {
    /// Tells an agent what to delete if this controller dies and nobody takes the run over. Brokers of the
    /// run's own go as they are.
    pub(super) fn entrust(&mut self, agent: AgentIndex) {
        let topics = self.created_topics();
        if self.plan.kafka.is_of_run() || self.context.keep || topics.is_empty() {
            return;
        }
        self.trustee = Some(agent);
        let (connection, groups) = (self.connection(agent), self.created_groups());
        self.send(agent, ToAgent::CleanUpAfterLease { connection, topics, groups });
    }

    /// Another agent is told, if the one that was is lost.
    pub(super) fn entrust_another(&mut self, lost: AgentIndex) {
        if let (true, Some(next)) = (self.trustee == Some(lost), self.admin()) {
            self.entrust(next);
        }
    }

    pub(super) fn created_topics(&self) -> Vec<String> {
        let created = self.plan.topics.iter().filter(|topic| !topic.existing);
        created.map(|topic| topic.name.clone()).collect()
    }

    /// Groups that carry the run id, and so are nobody else's.
    pub(super) fn created_groups(&self) -> Vec<String> {
        let consumers = self.plan.agents.iter().flat_map(|agent| &agent.consumers);
        let groups: BTreeSet<_> = consumers
            .filter_map(|consumer| match &consumer.membership {
                Membership::Group(group) if group.contains(&self.context.run_id) => {
                    Some(group.clone())
                }
                _ => None,
            })
            .collect();
        groups.into_iter().collect()
    }
}
