//! Which instance runs on which agent.
//!
//! Instances go one by one to the agent with the least to do among those whose host has the labels. The
//! embedded broker counts as one instance, and loses ties, so its agent gets less than the others.

use super::AgentPlan;
use crate::{
    config::shape::{Located, Reader},
    scenario::cluster::Cluster,
    text::nearest::{listed, suggest},
};
use mallard_protocol::workload::{ConsumerSpec, ProducerSpec};

/// What the embedded broker weighs beside instances.
const BROKER_WEIGHT: usize = 1;

/// The agents of a cluster while instances are given to them.
pub(super) struct Placement {
    agents: Vec<AgentPlan>,
    /// Index of each agent's host.
    hosts: Vec<usize>,
}

impl Placement {
    pub(super) fn new(cluster: &Cluster) -> Self {
        let mut agents: Vec<AgentPlan> = Vec::new();
        let mut hosts = Vec::new();
        let mut made = 0;
        for (index, host) in cluster.hosts.iter().enumerate() {
            made += usize::from(host.kind.is_of_run());
            let host_name = host.name.clone().unwrap_or_else(|| host.kind.default_name(made));
            for number in 1..=host.agents {
                let embedded = cluster.kafka.is_embedded();
                let among_all = agents.len() + 1;
                agents.push(AgentPlan {
                    name: host.kind.agent_name(&host_name, number, host.agents, among_all),
                    host: host.kind.clone(),
                    host_name: host_name.clone(),
                    labels: host.labels.clone(),
                    carries_broker: embedded && agents.is_empty(),
                    producers: Vec::new(),
                    consumers: Vec::new(),
                });
                hosts.push(index);
            }
        }
        Self { agents, hosts }
    }

    pub(super) fn into_agents(self) -> Vec<AgentPlan> {
        self.agents
    }

    /// All producer instances so far.
    pub(super) fn producers(&self) -> impl Iterator<Item = &ProducerSpec> {
        self.agents.iter().flat_map(|agent| &agent.producers)
    }

    /// All consumer instances so far.
    pub(super) fn consumers_mut(&mut self) -> impl Iterator<Item = &mut ConsumerSpec> {
        self.agents.iter_mut().flat_map(|agent| &mut agent.consumers)
    }

    pub(super) fn agent(&mut self, index: usize) -> &mut AgentPlan {
        &mut self.agents[index]
    }

    /// Agents whose hosts have all labels; `None` if there are none, which is noted.
    pub(super) fn eligible(
        &self,
        on: &[Located<String>],
        reader: &mut Reader,
    ) -> Option<Vec<usize>> {
        let has = |agent: &AgentPlan, label: &str| agent.labels.iter().any(|own| own == label);
        let mut known: Vec<&str> =
            self.agents.iter().flat_map(|a| &a.labels).map(String::as_str).collect();
        known.sort_unstable();
        known.dedup();
        let mut sound = true;
        for label in on.iter().filter(|label| !known.contains(&&*label.value)) {
            let message = format!("no host has the label `{}`", label.value);
            reader.error(
                &label.at,
                message,
                suggest(&label.value, &known, "labels of the cluster file"),
            );
            sound = false;
        }
        let fits = |index: &usize| on.iter().all(|label| has(&self.agents[*index], &label.value));
        let eligible: Vec<_> = (0..self.agents.len()).filter(fits).collect();
        if eligible.is_empty() && sound {
            let last = on.last().map(|label| &label.at)?;
            let labels: Vec<_> = on.iter().map(|label| &*label.value).collect();
            let message = format!("no host has all of the labels {}", listed(&labels));
            reader.error(last, message, "a host must have every label of `on`");
        }
        (sound && !eligible.is_empty()).then_some(eligible)
    }

    /// One agent for each host of the eligible ones: the one with the least to do.
    pub(super) fn one_per_host(&self, eligible: &[usize]) -> Vec<usize> {
        let mut hosts: Vec<_> = eligible.iter().map(|agent| self.hosts[*agent]).collect();
        hosts.dedup();
        let on_host =
            |host: usize| eligible.iter().copied().filter(move |a| self.hosts[*a] == host);
        hosts.iter().filter_map(|host| on_host(*host).min_by_key(|a| self.weight(*a))).collect()
    }

    /// The agent with the least to do among the eligible ones.
    pub(super) fn next(&self, eligible: &[usize]) -> usize {
        eligible.iter().copied().min_by_key(|agent| self.weight(*agent)).unwrap_or(0)
    }

    fn weight(&self, index: usize) -> (usize, bool, usize) {
        let agent = &self.agents[index];
        let broker = if agent.carries_broker { BROKER_WEIGHT } else { 0 };
        (agent.producers.len() + agent.consumers.len() + broker, agent.carries_broker, index)
    }
}
