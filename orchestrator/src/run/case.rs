//! One case from its first agent to its last: a synchronous state machine.
//!
//! It is fed with [`Input`]s, each with its [`Moment`], and gives back [`Effect`]s; it opens nothing, waits for
//! nothing and reads no clock, so its tests have neither sockets nor sleeps.
//!
//! Invariants:
//! - [`Effect::Judged`] comes exactly once and before anything is torn down.
//! - Every stage has a deadline; when it passes, the case says what it was waiting for and goes on
//!   towards its end.
//! - Once started, load is always stopped, and every agent is told to exit or killed.

use super::{clocks::Clocks, drain::DrainWatch, io::Effect};
use crate::{
    calibrate::AgentLoad,
    clock::{self, Moment},
    hosts::channel::event::Input,
    measure::Collector,
    model::{
        events::RunEvent,
        result::{Cut, TimeSpent},
    },
    plan::{AgentIndex, CasePlan, handover::Handover, workload::workload_of},
    verdict::Trouble,
};
use jiff::Timestamp;
use mallard_protocol::{
    ids::{InstanceId, TopicId},
    interval::PartitionOffset,
    message::{
        AgentFailure, AgentState, Answer, ClusterFacts, FromAgent, HostFacts, LogBounds, Question,
        ToAgent,
    },
    workload::{Assignment, ClientProperties},
};
use std::collections::{BTreeMap, BTreeSet};

/// What a case has to know beside its plan.
#[derive(Clone, Debug)]
pub struct CaseContext {
    /// The run's id.
    pub run_id: String,
    /// The case's place among the run's cases, from 0.
    pub index: usize,
    /// Leave created topics and groups on the broker.
    pub keep: bool,
    /// An earlier controller began the run, and may have made topics before it died.
    pub begun_before: bool,
    /// Boot id of this machine: agents with the same one share its monotonic clock.
    pub boot_id: String,
    /// Loads of agents that were calibrated.
    pub loads: Vec<AgentLoad>,
}

/// How far a case is. Stages follow each other in this order and are never gone back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Containers start.
    Raising,
    /// Agents start and say hello.
    Connecting,
    /// The embedded broker starts.
    StartingBroker,
    /// Every agent reaches the brokers.
    Reaching,
    /// Topics are created or looked at.
    Topics,
    /// Agents create their clients.
    Preparing,
    /// Consumers get their partitions.
    Joining,
    /// Leaders answer consumers' first fetches.
    Fetching,
    /// End offsets before the load are read.
    StartOffsets,
    /// The load runs, or is about to.
    Running,
    /// Producers are done; consumers catch up.
    Draining,
    /// Producers flush: the last records are acknowledged or fail.
    Flushing,
    /// It is read where logs start and end after the last acknowledgement.
    EndOffsets,
    /// Consumers read on, up to these ends.
    ReadingOn,
    /// It is read where logs start now: what lies before that was removed.
    LastOffsets,
    /// Agents close, and cut their last interval.
    Finishing,
    /// Logs come home.
    Collecting,
    /// Topics and groups are deleted.
    Deleting,
    /// Agents exit.
    Exiting,
    /// Nothing is left to do.
    Done,
}

/// An agent as the case knows it.
#[derive(Debug, Default)]
pub(super) struct Agent {
    pub(super) connected: bool,
    pub(super) gone: Option<String>,
    pub(super) heard_us: u64,
    pub(super) host: Option<HostFacts>,
    pub(super) prepared: bool,
    pub(super) flushed: bool,
    pub(super) finished: Option<u64>,
    pub(super) log_done: bool,
    pub(super) start_late_us: Option<u64>,
    pub(super) lost_at_us: Option<u64>,
    /// It was given up because no channel could be opened, and may be well.
    pub(super) unreachable: bool,
    pub(super) intervals: u64,
    /// What became of the process that ran the load, where this one has taken its place: it only hands
    /// in what that one left.
    pub(super) heir_of: Option<String>,
    /// What became of its process, where that has ended and another one is being started in its place.
    pub(super) ended: Option<String>,
    /// That it is lost was told already, although what it left is still being collected.
    pub(super) loss_is_told: bool,
    /// When it was lost, on this machine's monotonic clock.
    pub(super) gone_us: Option<u64>,
}

impl Agent {
    /// Whether this controller or an earlier one ever heard of it. That it never came to be has reasons of its own,
    /// which are told.
    pub(super) fn was_heard(&self) -> bool {
        self.host.is_some() || self.heard_us > 0
    }
}

/// What a question was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Broker,
    Cluster(AgentIndex),
    CreateTopics,
    DescribeTopics,
    StartOffsets,
    EndOffsets,
    LastOffsets,
    /// Topics.
    Delete,
    /// Consumer groups.
    DeleteGroups,
    /// An agent's clock.
    Clock(AgentIndex),
}

/// A case that is being run.
#[derive(Debug)]
pub struct Case {
    pub(super) plan: CasePlan,
    pub(super) context: CaseContext,
    pub(super) stage: Stage,
    pub(super) deadline_us: u64,
    pub(super) now_us: u64,
    /// Wall time now.
    pub(super) wall: Timestamp,
    pub(super) agents: Vec<Agent>,
    pub(super) assignments: Vec<Assignment>,
    /// How each agent's clients connect.
    pub(super) connections: Vec<ClientProperties>,
    /// The last step on the way to containers.
    pub(super) raising: Option<String>,
    /// Whether agents were started: without that, nobody is left to end.
    pub(super) linked: bool,
    /// When the brokers are asked again whether all of them are there, agent by agent.
    pub(super) ask_again_us: BTreeMap<AgentIndex, u64>,
    pub(super) asked: BTreeMap<u32, Asked>,
    /// What was asked, and whom, until it is answered: asked again over the next channel.
    pub(super) questions: BTreeMap<u32, (AgentIndex, Question)>,
    /// How far agents' clocks are ahead of this machine's.
    pub(super) clocks: Clocks,
    /// Stretches of the load without a channel to an agent.
    pub(super) cuts: Vec<Cut>,
    /// It was told that the end waits for agents without a channel.
    pub(super) waits_for_channels: bool,
    /// What became of the load of lost agents.
    pub(super) handovers: Vec<Handover>,
    pub(super) next_request: u32,
    pub(super) cluster: ClusterFacts,
    /// What each workload's clients were made with, as they tell.
    pub(super) clients: BTreeMap<String, BTreeMap<String, String>>,
    pub(super) assigned: BTreeMap<InstanceId, BTreeSet<(TopicId, i32)>>,
    pub(super) reading: BTreeMap<InstanceId, BTreeSet<(TopicId, i32)>>,
    pub(super) start_offsets: Vec<PartitionOffset>,
    /// Where logs start and end after the last acknowledgement.
    pub(super) log: LogBounds,
    pub(super) collector: Collector,
    pub(super) drain: DrainWatch,
    pub(super) start_clock_us: Option<u64>,
    pub(super) load_stopped_us: Option<u64>,
    pub(super) phase: Option<usize>,
    pub(super) topics_made: bool,
    pub(super) troubles: Vec<Trouble>,
    pub(super) interrupted_by: Option<&'static str>,
    pub(super) drained_at_us: Option<u64>,
    pub(super) archive_failed: bool,
    /// Nothing more can be archived now, and agents keep what they measure for later.
    pub(super) is_unarchived: bool,
    pub(super) started_at: String,
    pub(super) load_started_at: Option<Timestamp>,
    /// The agent that reads end offsets.
    pub(super) observer: AgentIndex,
    /// The agent that deletes topics if this controller dies and nobody takes over.
    pub(super) trustee: Option<AgentIndex>,
    pub(super) stops: u32,
    /// When the present stage was entered, on this machine's monotonic clock.
    pub(super) entered_us: u64,
    spent: TimeSpent,
    pub(super) effects: Vec<Effect>,
}

impl Case {
    /// A case that is about to begin.
    #[must_use]
    pub fn new(plan: CasePlan, context: CaseContext, now: Moment) -> Self {
        let Moment { monotonic_us: now_us, wall } = now;
        let agents = plan.agents.iter().map(|_| Agent::default()).collect();
        let (stage, within) = match plan.needs_engine() {
            true => (Stage::Raising, plan.deadlines.containers),
            false => (Stage::Connecting, plan.deadlines.connect),
        };
        let deadline_us = now_us + micros(within);
        Self {
            collector: Collector::new(&plan),
            agents,
            context,
            stage,
            deadline_us,
            now_us,
            wall,
            assignments: Vec::new(),
            connections: Vec::new(),
            raising: None,
            linked: false,
            ask_again_us: BTreeMap::new(),
            asked: BTreeMap::new(),
            questions: BTreeMap::new(),
            clocks: Clocks::default(),
            cuts: Vec::new(),
            waits_for_channels: false,
            handovers: Vec::new(),
            clients: BTreeMap::new(),
            next_request: 1,
            cluster: ClusterFacts::default(),
            assigned: BTreeMap::new(),
            reading: BTreeMap::new(),
            start_offsets: Vec::new(),
            log: LogBounds::default(),
            drain: DrainWatch::default(),
            start_clock_us: None,
            load_stopped_us: None,
            phase: None,
            topics_made: false,
            troubles: Vec::new(),
            interrupted_by: None,
            drained_at_us: None,
            archive_failed: false,
            is_unarchived: false,
            started_at: clock::rfc3339(wall),
            load_started_at: None,
            observer: plan.observer(),
            trustee: None,
            stops: 0,
            entered_us: now_us,
            spent: TimeSpent::default(),
            effects: Vec::new(),
            plan,
        }
    }

    /// Begins the case: the first effects. Agents are being started meanwhile.
    pub fn begin(&mut self) -> Vec<Effect> {
        let phases = self.plan.timeline.0.iter().map(|p| (p.name.clone(), p.start_us)).collect();
        self.emit(RunEvent::CaseStarted {
            case: self.plan.name.clone(),
            index: self.context.index,
            planned_us: micros(self.plan.longest()),
            phases,
        });
        match (self.stage, self.run_clock_us()) {
            (Stage::Raising, _) => self.effects.push(Effect::Raise),
            (_, Some(at_us)) => {
                self.emit(RunEvent::CaseResumed { case: self.plan.name.clone(), at_us });
                self.connect();
            }
            (_, None) => self.start_agents(),
        }
        std::mem::take(&mut self.effects)
    }

    fn start_agents(&mut self) {
        let count = self.agents.len();
        self.step(format!("starting {count} agent{}", if count == 1 { "" } else { "s" }));
        self.connect();
    }

    fn connect(&mut self) {
        self.linked = true;
        self.effects.push(Effect::Connect);
    }

    /// Takes in what happened at a moment.
    pub fn handle(&mut self, now: Moment, input: Input) -> Vec<Effect> {
        (self.now_us, self.wall) = (now.monotonic_us, now.wall);
        match input {
            Input::Message { agent, message } => self.on_message(agent, *message),
            Input::AgentGone { agent, cause } => self.on_gone(agent, cause),
            Input::AgentEnded { agent, cause, was_stuck } => self.on_ended(agent, cause, was_stuck),
            Input::Channel { agent, up } => self.on_channel(agent, up),
            Input::Step(text) => {
                self.raising = Some(text.clone());
                self.step(text);
            }
            Input::Raised { connections } => self.on_raised(connections),
            Input::NotRaised { problems } => self.on_not_raised(&problems),
            Input::BrokerEnded { broker, cause } => self.on_broker_ended(broker, cause),
            Input::Stop { times, by } => self.on_stop(times, by),
            Input::ArchiveFailed { cause, is_resumable } => {
                self.on_archive_failed(cause, is_resumable);
            }
            Input::Slept { us } => self.on_slept(us),
            Input::HeldUp { us } => self.on_held_up(us),
            Input::Tick => {}
        }
        self.look_for_the_unreachable();
        self.probe_clocks();
        self.advance();
        std::mem::take(&mut self.effects)
    }

    /// Whether the load was started, by this controller or an earlier one.
    #[must_use]
    pub fn has_started(&self) -> bool {
        self.start_clock_us.is_some()
    }

    /// Whether an agent has ever spoken: then it has a log.
    #[must_use]
    pub fn has_greeted(&self, agent: AgentIndex) -> bool {
        self.agents[agent].host.is_some()
    }

    /// Whether nothing is left to do.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// Whether the load runs, or is about to.
    #[must_use]
    pub fn is_under_load(&self) -> bool {
        self.stage == Stage::Running
    }

    /// Wall time of 0 on the run's clock; now, if the load has not started.
    #[must_use]
    pub fn load_started(&self) -> Timestamp {
        self.load_started_at.unwrap_or(self.wall)
    }

    fn on_raised(&mut self, connections: Vec<ClientProperties>) {
        if self.stage == Stage::Raising {
            self.connections = connections;
            self.enter(Stage::Connecting, self.plan.deadlines.connect);
            self.start_agents();
        }
    }

    fn on_not_raised(&mut self, problems: &[String]) {
        if self.stage == Stage::Raising {
            for text in problems {
                self.troubles.push(Trouble::Harness { text: text.clone() });
            }
            self.give_up();
        }
    }

    /// Before the load, nothing works without it; in the load, a broker that is lost may be what is
    /// tested, and records tell what became of them.
    fn on_broker_ended(&mut self, broker: String, cause: String) {
        if self.stage < Stage::Running {
            self.fail(Trouble::Harness { text: format!("{broker}: {cause}") });
        } else if self.stage < Stage::Finishing {
            self.emit(RunEvent::Note { level: "warning".to_owned(), source: broker, text: cause });
        }
    }

    fn on_message(&mut self, agent: AgentIndex, message: FromAgent) {
        self.agents[agent].heard_us = self.now_us;
        match message {
            FromAgent::Hello { host, state, .. } => self.on_hello(agent, *host, state),
            FromAgent::Heartbeat => {}
            FromAgent::Answer { request, result } => self.on_answer(agent, request, result),
            FromAgent::Client { instance, properties } => self.on_client(instance, properties),
            FromAgent::Prepared => self.agents[agent].prepared = true,
            FromAgent::Assigned { instance, partitions } => {
                self.assigned.insert(instance, partitions.into_iter().collect());
            }
            FromAgent::Reading { instance, partitions } => {
                self.reading.insert(instance, partitions.into_iter().collect());
            }
            FromAgent::Started { late_by_us } => {
                self.agents[agent].start_late_us = Some(late_by_us)
            }
            FromAgent::Interval(report) => self.on_interval(agent, *report),
            FromAgent::Flushed => self.on_flushed(agent),
            FromAgent::Finished { client_queue } => self.on_finished(agent, client_queue),
            FromAgent::Log { bytes, last } => {
                self.agents[agent].log_done |= last;
                self.effects.push(Effect::StoreLog { agent, bytes });
            }
            FromAgent::Note { level, instance, text } => self.on_note(agent, level, instance, text),
            FromAgent::Failed(failure) => self.on_failed(agent, failure),
        }
    }

    fn on_hello(&mut self, agent: AgentIndex, host: HostFacts, state: AgentState) {
        let event = RunEvent::AgentConnected {
            agent: self.plan.agents[agent].name.clone(),
            host: host.hostname.clone(),
            pid: host.pid,
        };
        let was_waited_for = self.start_clock_us.is_some() && self.stage > Stage::Connecting;
        let known = &mut self.agents[agent];
        let first = known.host.is_none();
        // Not a word was heard of it since an earlier controller's end.
        let is_back = was_waited_for && !known.connected && known.gone.is_none();
        known.connected = true;
        known.host = Some(host);
        if first {
            self.emit(event);
        }
        if is_back {
            self.come_back(agent);
            self.tell_of_channel(agent, true);
        }
        if self.start_clock_us.is_some() {
            self.look_at_state(agent, state);
        }
    }

    /// Instances of a workload differ in their names alone: what the first one tells is kept.
    fn on_client(&mut self, instance: InstanceId, properties: ClientProperties) {
        if let Some(name) = self.plan.instance_name(instance) {
            let workload = workload_of(name).to_owned();
            self.clients.entry(workload).or_insert_with(|| properties.into_iter().collect());
        }
    }

    pub(super) fn on_channel(&mut self, agent: AgentIndex, up: bool) {
        if up == self.agents[agent].connected || self.agents[agent].gone.is_some() {
            return;
        }
        self.agents[agent].connected = up;
        match up {
            true => self.come_back(agent),
            false => self.begin_cut(agent),
        }
        self.tell_of_channel(agent, up);
    }

    fn on_note(
        &mut self,
        agent: AgentIndex,
        level: mallard_protocol::message::Level,
        instance: Option<InstanceId>,
        text: String,
    ) {
        use mallard_protocol::message::Level;
        let level = match level {
            // What clients say while they close, of commits that come too late for instance, is about
            // nothing that was measured.
            _ if self.stage >= Stage::Finishing => "info",
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Error => "error",
        };
        let named = instance.and_then(|instance| self.plan.instance_name(instance));
        let source = named.unwrap_or(&self.plan.agents[agent].name).to_owned();
        self.emit(RunEvent::Note { level: level.to_owned(), source, text });
    }

    fn on_failed(&mut self, agent: AgentIndex, failure: AgentFailure) {
        let trouble = self.trouble_of(agent, failure);
        self.fail(trouble);
    }

    fn on_answer(&mut self, agent: AgentIndex, request: u32, result: Result<Answer, AgentFailure>) {
        self.questions.remove(&request);
        let Some(asked) = self.asked.remove(&request) else { return };
        match result {
            Ok(Answer::Clock { received_us, sent_us }) => {
                let read = (received_us, sent_us);
                if let Some(clock) = self.clock_of(agent).filter(|_| asked == Asked::Clock(agent)) {
                    self.clocks.answered(&clock, request, read, self.now_us);
                }
            }
            Ok(answer) => self.on_answered(agent, asked, answer),
            Err(failure) => self.on_refused(agent, asked, failure),
        }
    }

    /// Asks an agent something.
    pub(super) fn ask(&mut self, agent: AgentIndex, asked: Asked, question: Question) {
        let request = self.next_request;
        self.next_request += 1;
        self.asked.insert(request, asked);
        self.questions.insert(request, (agent, question.clone()));
        self.send(agent, ToAgent::Ask { request, question });
    }

    /// Whether an answer is still waited for.
    pub(super) fn is_asking(&self, what: impl Fn(Asked) -> bool) -> bool {
        self.asked.values().any(|asked| what(*asked))
    }

    pub(super) fn send(&mut self, agent: AgentIndex, message: ToAgent) {
        self.effects.push(Effect::Send { agent, message });
    }

    pub(super) fn send_all(&mut self, message: &ToAgent) {
        for agent in self.living() {
            self.send(agent, message.clone());
        }
    }

    pub(super) fn emit(&mut self, event: RunEvent) {
        self.effects.push(Effect::Emit(event));
    }

    pub(super) fn step(&mut self, text: String) {
        self.emit(RunEvent::Step { case: self.plan.name.clone(), text });
    }

    /// The names of agents, for a sentence.
    pub(super) fn names_of(&self, agents: impl IntoIterator<Item = AgentIndex>) -> String {
        let names = agents.into_iter().map(|agent| self.plan.agents[agent].name.as_str());
        names.collect::<Vec<_>>().join(", ")
    }

    /// Agents that are not lost.
    pub(super) fn living(&self) -> Vec<AgentIndex> {
        (0..self.agents.len()).filter(|agent| self.agents[*agent].gone.is_none()).collect()
    }

    /// The agent that asks the broker on behalf of the case: the one that carries the embedded broker,
    /// else the first that lives and can be told something.
    pub(super) fn admin(&self) -> Option<AgentIndex> {
        let living = self.living();
        let carrier = living.iter().copied().find(|agent| self.plan.agents[*agent].carries_broker);
        let reachable = || living.iter().copied().find(|agent| self.agents[*agent].connected);
        carrier.or_else(reachable).or_else(|| living.first().copied())
    }

    /// Books the time since the last stage was entered.
    fn book(&mut self) {
        let (entered_us, spent) = (self.entered_us, &mut self.spent);
        let us = self.now_us.saturating_sub(entered_us);
        match self.stage {
            Stage::Running => {
                // The moment between telling agents the common start and that start is no load yet.
                let lead = self.start_clock_us.map_or(0, |start| start.saturating_sub(entered_us));
                spent.setup_us += lead.min(us);
                spent.load_us += us - lead.min(us);
            }
            stage if stage < Stage::Running => spent.setup_us += us,
            Stage::Draining => spent.drain_us += us,
            stage if stage <= Stage::Collecting => spent.results_us += us,
            _ => spent.teardown_us += us,
        }
        self.entered_us = self.now_us;
    }

    /// Where the time went until now.
    #[must_use]
    pub fn spent(&self) -> TimeSpent {
        self.spent
    }

    /// Moves on to a stage that may take so long.
    pub(super) fn enter(&mut self, stage: Stage, within: std::time::Duration) {
        debug_assert!(stage > self.stage, "a stage is never gone back to");
        self.book();
        self.stage = stage;
        self.deadline_us = self.now_us + micros(within);
    }

    /// How the clients of an agent connect.
    pub(super) fn connection(&self, agent: AgentIndex) -> ClientProperties {
        self.connections.get(agent).cloned().unwrap_or_default()
    }

    /// The moment that is being handled.
    pub(super) fn moment(&self) -> Moment {
        Moment { monotonic_us: self.now_us, wall: self.wall }
    }

    /// Now on the run's clock: microseconds since the common start, if that is past.
    pub(super) fn run_clock_us(&self) -> Option<u64> {
        self.start_clock_us.and_then(|start| self.now_us.checked_sub(start))
    }
}

pub(super) fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
