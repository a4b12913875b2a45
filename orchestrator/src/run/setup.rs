//! From the first agent to the common start: the stages before the load.

use super::{case::Case, io::Effect, questions::Asked, stage_id::StageId};
use crate::{
    clock::micros,
    measure::Collector,
    plan::AgentIndex,
    scenario::cluster::{HostPlan, KafkaPlan},
};
use mallard_protocol::{
    ids::TopicId,
    message::{ClusterFacts, Question, ToAgent},
    workload::{Assignment, ClientProperties},
};
use std::{collections::BTreeSet, time::Duration};

/// From the moment `Start` is sent to the common start: long enough for every agent to hear of it.
const START_LEAD: Duration = Duration::from_millis(400);

/// The same where every agent is on this machine.
const START_LEAD_HERE: Duration = Duration::from_millis(150);

/// Between two looks at a cluster whose brokers are still starting.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

impl Case {
    pub(super) fn while_connecting(&mut self) {
        if self.start_clock_us.is_some() {
            return self.while_reconnecting();
        }
        if !self.agents.iter().all(|agent| agent.host.is_some()) {
            return;
        }
        let Some(admin) = self.admin() else { return };
        match self.plan.kafka.clone() {
            KafkaPlan::Embedded { brokers, round_trip_ms } => {
                self.enter(StageId::StartingBroker, self.plan.deadlines.topics);
                self.step("starting the embedded broker".to_owned());
                let topics = self.plan.topics.clone();
                self.ask(
                    admin,
                    Asked::Broker,
                    Question::StartBroker { brokers, topics, round_trip_ms },
                );
            }
            KafkaPlan::External { connection } => self.reach(vec![connection; self.agents.len()]),
            KafkaPlan::Containers(_) => self.reach(self.connections.clone()),
        }
    }

    pub(super) fn reach(&mut self, connections: Vec<ClientProperties>) {
        self.connections = connections;
        self.enter(StageId::Reaching, self.reach_within() + Duration::from_secs(1));
        self.step("reaching the brokers from every agent".to_owned());
        for agent in self.living() {
            self.ask_for_brokers(agent);
        }
    }

    /// Brokers in containers are still starting.
    pub(super) fn reach_within(&self) -> Duration {
        match self.plan.kafka {
            KafkaPlan::Containers(_) => self.plan.deadlines.containers,
            _ => self.plan.deadlines.topics,
        }
    }

    fn ask_for_brokers(&mut self, agent: AgentIndex) {
        let question = Question::DescribeCluster {
            connection: self.connection(agent),
            within_ms: micros(self.reach_within()) / 1_000,
        };
        self.ask(agent, Asked::Cluster(agent), question);
    }

    pub(super) fn while_reaching(&mut self) {
        let now_us = self.now_us;
        let due: Vec<_> =
            self.ask_again_us.iter().filter(|(_, at)| **at <= now_us).map(|(a, _)| *a).collect();
        for agent in due {
            self.ask_again_us.remove(&agent);
            self.ask_for_brokers(agent);
        }
        let waiting = self.is_asking(|asked| matches!(asked, Asked::Cluster(_)));
        if !waiting && self.ask_again_us.is_empty() {
            self.make_topics();
        }
    }

    /// Takes in what an agent sees of the cluster. One in containers is complete when all of its
    /// brokers are there; until then it is looked at again.
    pub(super) fn on_cluster(&mut self, agent: AgentIndex, facts: ClusterFacts) {
        let complete = match &self.plan.kafka {
            KafkaPlan::Containers(kafka) => facts.brokers.len() >= usize::from(kafka.brokers),
            _ => true,
        };
        if !complete && self.stage == StageId::Reaching {
            self.ask_again_us.insert(agent, self.now_us + micros(LOOK_AGAIN));
        }
        self.cluster = facts;
    }

    fn make_topics(&mut self) {
        let Some(admin) = self.admin() else { return };
        self.enter(StageId::Topics, self.plan.deadlines.topics + Duration::from_secs(1));
        let within_ms = micros(self.plan.deadlines.topics) / 1_000;
        let (existing, created): (Vec<_>, Vec<_>) =
            self.plan.topics.iter().cloned().partition(|topic| topic.existing);
        let embedded = matches!(self.plan.kafka, KafkaPlan::Embedded { .. });
        if !created.is_empty() && !embedded {
            let names: Vec<_> = created.iter().map(|topic| topic.alias.as_str()).collect();
            self.step(format!("creating topic{} {}", plural(names.len()), names.join(", ")));
            self.topics_made = true;
            // Before there is anything to delete: a controller that dies in between leaves nothing.
            self.entrust(admin);
            let connection = self.connection(admin);
            let may_exist = self.context.begun_before;
            let question =
                Question::CreateTopics { connection, topics: created, may_exist, within_ms };
            self.ask(admin, Asked::CreateTopics, question);
        }
        if !existing.is_empty() {
            let names: Vec<_> = existing.iter().map(|topic| topic.name.clone()).collect();
            self.step(format!("looking at topic{} {}", plural(names.len()), names.join(", ")));
            let connection = self.connection(admin);
            let question = Question::DescribeTopics { connection, names, within_ms };
            self.ask(admin, Asked::DescribeTopics, question);
        }
        self.after_topics();
    }

    pub(super) fn after_topics(&mut self) {
        let waiting =
            self.is_asking(|asked| matches!(asked, Asked::CreateTopics | Asked::DescribeTopics));
        if waiting || self.stage != StageId::Topics {
            return;
        }
        self.enter(StageId::Preparing, self.plan.deadlines.ready);
        self.step("creating clients".to_owned());
        self.assign();
        for agent in 0..self.agents.len() {
            let assignment = Box::new(self.assignments[agent].clone());
            self.send(agent, ToAgent::Prepare(assignment));
        }
    }

    /// Settles what every agent is to do. Only now are the partitions of existing topics known.
    pub(super) fn assign(&mut self) {
        let fingerprint =
            mallard_protocol::stamp::run_fingerprint(&self.context.run_id, &self.plan.name);
        for agent in 0..self.agents.len() {
            let mut assignment = self.plan.assignment(agent, fingerprint, self.connection(agent));
            if matches!(self.plan.kafka, KafkaPlan::Embedded { .. }) {
                suit_embedded_broker(&mut assignment);
            }
            self.drain.watch(&assignment);
            self.assignments.push(assignment);
        }
        self.collector = Collector::new(&self.plan);
    }

    pub(super) fn while_preparing(&mut self) {
        if self.agents.iter().all(|agent| agent.prepared || agent.gone.is_some()) {
            self.enter(StageId::Joining, self.plan.deadlines.ready);
            if self.consumers().next().is_some() {
                self.step("waiting for consumers to get their partitions".to_owned());
            }
        }
    }

    pub(super) fn while_joining(&mut self) {
        if self.has_joined() {
            self.enter(StageId::Fetching, self.plan.deadlines.ready);
        }
    }

    pub(super) fn while_fetching(&mut self) {
        // A group may have rebalanced once more.
        if !self.has_joined() || !self.unread().is_empty() {
            return;
        }
        let Some(admin) = self.admin() else { return };
        let topics = self.topic_ids();
        self.enter(StageId::StartOffsets, self.plan.deadlines.ready);
        let within_ms = micros(self.plan.deadlines.topics) / 1_000;
        self.ask(admin, Asked::StartOffsets, Question::EndOffsets { topics, within_ms });
    }

    pub(super) fn while_reading_start_offsets(&mut self) {
        let foreign: BTreeSet<_> =
            self.living().into_iter().filter_map(|agent| self.clock_of(agent)).collect();
        let known = self.clocks.are_known(foreign.iter().map(String::as_str));
        if known && !self.is_asking(|asked| asked == Asked::StartOffsets) {
            foreign.iter().for_each(|clock| self.clocks.settle(clock));
            self.start_load();
        }
    }

    /// Tells every agent the common start, on its own clock.
    fn start_load(&mut self) {
        let is_here = |agent: AgentIndex| self.plan.agents[agent].host == HostPlan::Local;
        let lead =
            if self.living().into_iter().all(is_here) { START_LEAD_HERE } else { START_LEAD };
        self.start_clock_us = Some(self.now_us + micros(lead));
        self.load_started_at = Some(self.moment().wall_in(lead));
        self.enter(StageId::Running, lead + self.plan.longest() + Duration::from_secs(60));
        // Before anybody is told: an agent that runs is never one that nobody knows of.
        self.effects.push(Effect::Checkpoint(Box::new(self.checkpoint())));
        for agent in self.living() {
            self.send_start(agent);
            self.agents[agent].heard_us = self.now_us;
        }
    }

    pub(super) fn topic_ids(&self) -> Vec<TopicId> {
        (0..self.plan.topics.len())
            .map(|topic| TopicId(u16::try_from(topic).unwrap_or(0)))
            .collect()
    }
}

/// Consumer properties that the embedded broker needs, unless a scenario says otherwise. It holds a
/// fetch for as long as the client allows, records or none, where a real one answers when there is
/// something; and it takes a change of members in only when a session would time out.
const EMBEDDED_CONSUMER: [(&str, &str); 2] =
    [("fetch.wait.max.ms", "10"), ("session.timeout.ms", "10000")];

fn suit_embedded_broker(assignment: &mut Assignment) {
    for consumer in &mut assignment.consumers {
        for (key, value) in EMBEDDED_CONSUMER {
            if consumer.client.iter().all(|(known, _)| known != key) {
                consumer.client.push((key.to_owned(), value.to_owned()));
            }
        }
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
