//! From the first agent to the common start: the stages before the load.

use super::{
    case::{Asked, Case, Stage, micros},
    io::Effect,
};
use crate::{
    measure::Collector,
    plan::{AgentIndex, workload::workload_of},
    scenario::cluster::{HostPlan, KafkaPlan},
    verdict::Trouble,
};
use mallard_protocol::{
    ids::TopicId,
    message::{AgentFailure, Answer, ClusterFacts, FailureKind, Question, ToAgent, TopicFacts},
    workload::{Assignment, ClientProperties, ConsumerSpec, Membership, StartFrom},
};
use std::{collections::BTreeSet, time::Duration};

/// From the moment `Start` is sent to the common start: long enough for every agent to hear of it.
const START_LEAD: Duration = Duration::from_millis(400);

/// The same where every agent is on this machine.
const START_LEAD_HERE: Duration = Duration::from_millis(150);

/// Between two looks at a cluster whose brokers are still starting.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

impl Case {
    /// Moves on as far as what has happened allows.
    pub(super) fn advance(&mut self) {
        loop {
            let before = self.stage;
            match self.stage {
                Stage::Connecting => self.while_connecting(),
                Stage::Reaching => self.while_reaching(),
                Stage::Raising | Stage::StartingBroker | Stage::Topics => {}
                Stage::Preparing => self.while_preparing(),
                Stage::Joining => self.while_joining(),
                Stage::Probing => self.while_probing(),
                Stage::StartOffsets => self.while_reading_start_offsets(),
                Stage::Running => self.while_running(),
                Stage::Draining => self.while_draining(),
                Stage::EndOffsets => self.while_reading_end_offsets(),
                Stage::Finishing => self.while_finishing(),
                Stage::Collecting => self.while_collecting(),
                Stage::Deleting => self.while_deleting(),
                Stage::Exiting => self.while_exiting(),
                Stage::Done => {}
            }
            if self.stage == before {
                break;
            }
        }
        if self.now_us >= self.deadline_us && self.stage < Stage::Running {
            let trouble = Trouble::Deadline {
                step: self.stage_name().to_owned(),
                progress: format!("still waiting for {}", self.waiting_for()),
                within_us: self.stage_limit_us(),
            };
            self.fail(trouble);
        }
    }

    fn while_connecting(&mut self) {
        if self.start_clock_us.is_some() {
            return self.while_reconnecting();
        }
        if !self.agents.iter().all(|agent| agent.host.is_some()) {
            return;
        }
        let Some(admin) = self.admin() else { return };
        match self.plan.kafka.clone() {
            KafkaPlan::Embedded { brokers, round_trip_ms } => {
                self.enter(Stage::StartingBroker, self.plan.deadlines.topics);
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

    fn reach(&mut self, connections: Vec<ClientProperties>) {
        self.connections = connections;
        self.enter(Stage::Reaching, self.reach_within() + Duration::from_secs(1));
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

    fn while_reaching(&mut self) {
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
    fn on_cluster(&mut self, agent: AgentIndex, facts: ClusterFacts) {
        let complete = match &self.plan.kafka {
            KafkaPlan::Containers(kafka) => facts.brokers.len() >= usize::from(kafka.brokers),
            _ => true,
        };
        if !complete && self.stage == Stage::Reaching {
            self.ask_again_us.insert(agent, self.now_us + micros(LOOK_AGAIN));
        }
        self.cluster = facts;
    }

    fn make_topics(&mut self) {
        let Some(admin) = self.admin() else { return };
        self.enter(Stage::Topics, self.plan.deadlines.topics + Duration::from_secs(1));
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
            let question = Question::CreateTopics { connection, topics: created, within_ms };
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

    fn after_topics(&mut self) {
        let waiting =
            self.is_asking(|asked| matches!(asked, Asked::CreateTopics | Asked::DescribeTopics));
        if waiting || self.stage != Stage::Topics {
            return;
        }
        self.enter(Stage::Preparing, self.plan.deadlines.ready);
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

    fn while_preparing(&mut self) {
        if self.agents.iter().all(|agent| agent.prepared || agent.gone.is_some()) {
            self.enter(Stage::Joining, self.plan.deadlines.ready);
            if self.consumers().next().is_some() {
                self.step("waiting for consumers to get their partitions".to_owned());
            }
        }
    }

    fn while_joining(&mut self) {
        if !self.unassigned().is_empty() || !self.idle_members().is_empty() {
            return;
        }
        let topics = self.topics_to_probe();
        self.enter(Stage::Probing, self.plan.deadlines.ready);
        if let Some(prober) = self.prober().filter(|_| !topics.is_empty()) {
            self.step("sending a probe through every partition".to_owned());
            self.send(prober, ToAgent::Probe { topics });
        }
    }

    /// The agent that sends the probes.
    pub(super) fn prober(&self) -> Option<AgentIndex> {
        self.living().into_iter().find(|agent| !self.plan.agents[*agent].producers.is_empty())
    }

    /// The topics that it sends them to.
    pub(super) fn topics_to_probe(&self) -> Vec<TopicId> {
        self.probed_topics().into_iter().collect()
    }

    fn while_probing(&mut self) {
        if !self.unprobed().is_empty() {
            return;
        }
        let Some(admin) = self.admin() else { return };
        let topics = self.topic_ids();
        self.enter(Stage::StartOffsets, self.plan.deadlines.ready);
        let within_ms = micros(self.plan.deadlines.topics) / 1_000;
        self.ask(admin, Asked::StartOffsets, Question::EndOffsets { topics, within_ms });
    }

    fn while_reading_start_offsets(&mut self) {
        let foreign: BTreeSet<_> =
            self.living().into_iter().filter_map(|agent| self.clock_of(agent)).collect();
        let known = self.clocks.are_known(foreign.iter().map(String::as_str));
        if known && !self.is_asking(|asked| asked == Asked::StartOffsets) {
            foreign.iter().for_each(|clock| self.clocks.settle(clock));
            self.start_load();
        }
    }

    /// The clock of an agent, where it is not this machine's.
    pub(super) fn clock_of(&self, agent: AgentIndex) -> Option<String> {
        let clock = &self.agents[agent].host.as_ref()?.boot_id;
        (*clock != self.context.boot_id).then(|| clock.clone())
    }

    /// Clocks that are not this machine's, each with an agent that can be asked for it.
    fn foreign_clocks(&self) -> std::collections::BTreeMap<String, AgentIndex> {
        let reachable = self.living().into_iter().filter(|agent| self.agents[*agent].connected);
        reachable.filter_map(|agent| Some((self.clock_of(agent)?, agent))).collect()
    }

    /// Asks for clocks that are due. Not once an end has begun: nothing is measured any more.
    pub(super) fn probe_clocks(&mut self) {
        if self.stage >= Stage::Collecting {
            return;
        }
        for (clock, agent) in self.foreign_clocks() {
            if self.clocks.is_due(&clock, self.now_us) {
                let request = self.next_request;
                self.next_request += 1;
                self.asked.insert(request, Asked::Clock(agent));
                let in_load = self.start_clock_us.is_some();
                self.clocks.asked(&clock, request, self.now_us, in_load);
                self.send(agent, ToAgent::Ask { request, question: Question::Clock });
            }
        }
    }

    /// Tells every agent the common start, on its own clock.
    fn start_load(&mut self) {
        let is_here = |agent: AgentIndex| self.plan.agents[agent].host == HostPlan::Local;
        let lead =
            if self.living().into_iter().all(is_here) { START_LEAD_HERE } else { START_LEAD };
        self.start_clock_us = Some(self.now_us + micros(lead));
        self.load_started_at = Some(crate::clock::wall_time_in(lead));
        self.enter(Stage::Running, lead + self.plan.longest() + Duration::from_secs(60));
        // Before anybody is told: an agent that runs is never one that nobody knows of.
        self.effects.push(Effect::Checkpoint(Box::new(self.checkpoint())));
        for agent in self.living() {
            self.send_start(agent);
            self.agents[agent].heard_us = self.now_us;
        }
    }

    /// Tells an agent the common start.
    pub(super) fn send_start(&mut self, agent: AgentIndex) {
        if let Some(start) = self.start_clock_us {
            self.send(agent, ToAgent::Start { at_clock_us: self.agent_clock(agent, start) });
        }
    }

    /// Translates a moment of this machine's clock to an agent's. Agents of one kernel share
    /// `CLOCK_MONOTONIC`; what others are ahead was settled before the common start.
    fn agent_clock(&self, agent: AgentIndex, at_us: u64) -> u64 {
        let settled = self.clock_of(agent).and_then(|clock| self.clocks.settled_of(&clock));
        settled.map_or(at_us, |offset| at_us.saturating_add_signed(offset.ahead_us))
    }

    /// How wrong what is known of an agent's clock against this machine's may be; `None` if it is not
    /// known.
    pub(super) fn clock_error_of(&self, agent: AgentIndex) -> Option<u64> {
        let clock = &self.agents[agent].host.as_ref()?.boot_id;
        if *clock == self.context.boot_id { Some(0) } else { self.clocks.error_of(clock) }
    }

    /// How wrong the difference of two agents' run clocks may be; `None` if it is not known.
    pub(super) fn clock_error_us(&self) -> Option<u64> {
        let hosts = self.agents.iter().filter_map(|agent| agent.host.as_ref());
        let clocks = hosts.map(|host| {
            let clock = host.boot_id.as_str();
            (clock, clock == self.context.boot_id)
        });
        self.clocks.error_us(clocks)
    }

    pub(super) fn on_answered(&mut self, asked: Asked, answer: Answer) {
        match (asked, answer) {
            (Asked::Broker, Answer::Bootstrap(bootstrap)) => {
                let connection = vec![("bootstrap.servers".to_owned(), bootstrap)];
                self.reach(vec![connection; self.agents.len()]);
            }
            (Asked::Cluster(agent), Answer::Cluster(facts)) => self.on_cluster(agent, facts),
            (Asked::CreateTopics | Asked::DescribeTopics, Answer::Topics(facts)) => {
                self.learn_topics(&facts);
                self.after_topics();
            }
            (Asked::StartOffsets, Answer::EndOffsets(offsets)) => {
                self.collector.start_offsets(&offsets);
                self.start_offsets = offsets;
            }
            (Asked::EndOffsets, Answer::EndOffsets(offsets)) => self.end_offsets = offsets,
            (Asked::Delete, Answer::Deleted(left)) => self.on_left_behind(left),
            (asked, answer) => {
                let text = format!("an agent answered {asked:?} with {answer:?}");
                self.fail(Trouble::Harness { text });
            }
        }
    }

    pub(super) fn on_refused(&mut self, agent: AgentIndex, asked: Asked, failure: AgentFailure) {
        let name = self.plan.agents[agent].name.clone();
        match asked {
            Asked::Delete => self.on_left_behind(vec![("topics and groups".into(), failure.text)]),
            // Another probe follows.
            Asked::Clock(_) => {}
            // Without them the check of acknowledged against stored records is left out, and said so.
            Asked::StartOffsets | Asked::EndOffsets => {
                self.emit(crate::model::events::RunEvent::Note {
                    level: "warning".to_owned(),
                    source: name,
                    text: format!("end offsets could not be read: {}", failure.text),
                })
            }
            _ => {
                let trouble = self.trouble_of(agent, failure);
                self.fail(trouble);
            }
        }
    }

    /// What an agent's failure means for the case.
    pub(super) fn trouble_of(&self, agent: AgentIndex, failure: AgentFailure) -> Trouble {
        let agent = self.plan.agents[agent].name.clone();
        match failure.kind {
            FailureKind::Unreachable => {
                Trouble::BrokerUnreachable { text: format!("{agent}: {}", failure.text) }
            }
            FailureKind::Topic => Trouble::Topic { text: failure.text },
            FailureKind::TopicDiffers => Trouble::TopicConfiguration { text: failure.text },
            _ => Trouble::Agent { agent, failure },
        }
    }

    /// Takes over what the broker says of topics: partitions of existing ones.
    fn learn_topics(&mut self, facts: &[TopicFacts]) {
        for fact in facts {
            let Some(topic) = self.plan.topics.iter_mut().find(|t| t.name == fact.name) else {
                continue;
            };
            if topic.existing {
                topic.partitions = i32::try_from(fact.partitions.len()).unwrap_or(i32::MAX);
            }
        }
    }

    fn consumers(&self) -> impl Iterator<Item = &ConsumerSpec> {
        self.plan.agents.iter().flat_map(|agent| &agent.consumers)
    }

    pub(super) fn topic_ids(&self) -> Vec<TopicId> {
        (0..self.plan.topics.len())
            .map(|topic| TopicId(u16::try_from(topic).unwrap_or(0)))
            .collect()
    }

    fn partitions_of(&self, topic: TopicId) -> BTreeSet<(TopicId, i32)> {
        (0..self.plan.topics[topic.index()].partitions)
            .map(|partition| (topic, partition))
            .collect()
    }

    /// Partitions that a consumer's members together are to have.
    fn wanted(&self, consumer: &ConsumerSpec) -> BTreeSet<(TopicId, i32)> {
        let all = consumer.topics.iter().flat_map(|topic| self.partitions_of(*topic));
        match &consumer.membership {
            Membership::Group(_) => all.collect(),
            Membership::Assigned(wanted) => all.filter(|(_, p)| wanted.contains(p)).collect(),
        }
    }

    /// Partitions of which a set of instances together is to have told, and has not.
    fn untold(
        &self,
        told: &std::collections::BTreeMap<
            mallard_protocol::ids::InstanceId,
            BTreeSet<(TopicId, i32)>,
        >,
        of_topic: impl Fn(&ConsumerSpec, TopicId) -> bool,
    ) -> Vec<(String, TopicId, i32)> {
        let mut untold = BTreeSet::new();
        for consumer in self.consumers() {
            let workload = workload_of(&consumer.name);
            let members = self.consumers().filter(|c| workload_of(&c.name) == workload);
            let have: BTreeSet<_> =
                members.filter_map(|c| told.get(&c.instance)).flatten().copied().collect();
            let wanted = self.wanted(consumer).into_iter().filter(|(t, _)| of_topic(consumer, *t));
            untold.extend(
                wanted.filter(|p| !have.contains(p)).map(|(t, p)| (workload.to_owned(), t, p)),
            );
        }
        untold.into_iter().collect()
    }

    pub(super) fn unassigned(&self) -> Vec<(String, TopicId, i32)> {
        self.untold(&self.assigned, |_, _| true)
    }

    /// Members that have no partition yet although there are enough for all. Until each one has its
    /// share the group is about to rebalance, and the load must not start into that.
    pub(super) fn idle_members(&self) -> Vec<&ConsumerSpec> {
        let has_none = |consumer: &&ConsumerSpec| {
            self.assigned.get(&consumer.instance).is_none_or(BTreeSet::is_empty)
        };
        let has_room = |consumer: &&ConsumerSpec| {
            let workload = workload_of(&consumer.name);
            let members = self.consumers().filter(|c| workload_of(&c.name) == workload).count();
            members <= self.wanted(consumer).len()
        };
        self.consumers().filter(has_none).filter(has_room).collect()
    }

    pub(super) fn unprobed(&self) -> Vec<(String, TopicId, i32)> {
        let probed = self.probed_topics();
        // A consumer that starts at the oldest record of a topic that is not ours would have to read
        // all of it before it saw a probe.
        self.untold(&self.probed, |consumer, topic| {
            let existing = self.plan.topics[topic.index()].existing;
            probed.contains(&topic) && !(existing && consumer.from == StartFrom::Earliest)
        })
    }

    /// Topics that are probed: those that this case both writes and reads. A topic that it only reads
    /// belongs to somebody else, who did not ask for probes in it.
    fn probed_topics(&self) -> BTreeSet<TopicId> {
        let written: BTreeSet<_> =
            self.plan.agents.iter().flat_map(|agent| &agent.producers).map(|p| p.topic).collect();
        self.consumers()
            .flat_map(|c| c.topics.iter().copied())
            .filter(|t| written.contains(t))
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
