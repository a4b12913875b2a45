//! From the first agent to the common start: the stages before the load.

use super::{
    case::{Asked, Case, Stage, micros},
    io::Effect,
};
use crate::{
    measure::Collector,
    plan::{AgentIndex, workload::CLEANUP_POLICY},
    scenario::cluster::{HostPlan, KafkaPlan},
    verdict::Trouble,
};
use mallard_protocol::{
    ids::TopicId,
    message::{AgentFailure, Answer, ClusterFacts, FailureKind, Question, ToAgent, TopicFacts},
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
                Stage::Fetching => self.while_fetching(),
                Stage::StartOffsets => self.while_reading_start_offsets(),
                Stage::Running => self.while_running(),
                Stage::Draining => self.while_draining(),
                Stage::Flushing => self.while_flushing(),
                Stage::EndOffsets => self.while_reading_end_offsets(),
                Stage::ReadingOn => self.while_reading_on(),
                Stage::LastOffsets => self.while_reading_last_offsets(),
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
        if self.has_joined() {
            self.enter(Stage::Fetching, self.plan.deadlines.ready);
        }
    }

    fn while_fetching(&mut self) {
        // A group may have rebalanced once more.
        if !self.has_joined() || !self.unread().is_empty() {
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
        self.load_started_at = Some(self.moment().wall_in(lead));
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

    pub(super) fn on_answered(&mut self, agent: AgentIndex, asked: Asked, answer: Answer) {
        match (asked, answer) {
            // An answer that comes when the end has begun is too late.
            (Asked::Broker, Answer::Bootstrap(_)) if self.stage != Stage::StartingBroker => {}
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
            (Asked::EndOffsets | Asked::LastOffsets, Answer::Offsets(log)) => {
                self.on_offsets(agent, log);
            }
            (Asked::Delete | Asked::DeleteGroups, Answer::Deleted(left)) => {
                self.on_left_behind(left);
            }
            (asked, answer) => {
                let text = format!("an agent answered {asked:?} with {answer:?}");
                self.fail(Trouble::Harness { text });
            }
        }
    }

    pub(super) fn on_refused(&mut self, agent: AgentIndex, asked: Asked, failure: AgentFailure) {
        let name = self.plan.agents[agent].name.clone();
        match asked {
            Asked::Delete => self.on_left_behind(vec![("topics".into(), failure.text)]),
            Asked::DeleteGroups => {
                self.on_left_behind(vec![("consumer groups".into(), failure.text)]);
            }
            // Another probe follows.
            Asked::Clock(_) => {}
            // Without them no loss can be shown, and the verdict says so.
            Asked::StartOffsets | Asked::EndOffsets | Asked::LastOffsets => {
                self.emit(crate::model::events::RunEvent::Note {
                    level: "warning".to_owned(),
                    source: name,
                    text: format!("offsets could not be read: {}", failure.text),
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
            // Whether compaction removes records decides what a missing one is.
            let policy = fact.config.iter().find(|(key, _)| key == CLEANUP_POLICY);
            let is_set = topic.config.iter().any(|(key, _)| key == CLEANUP_POLICY);
            let compacts = policy.filter(|(_, value)| !is_set && value.contains("compact"));
            topic.config.extend(compacts.cloned());
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
