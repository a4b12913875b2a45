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

use super::{
    agent::Agent, clocks::Clocks, context::CaseContext, drain::DrainWatch, io::Effect,
    questions::Asked, stage_id::StageId,
};
use crate::{
    clock::{self, Moment, micros},
    hosts::channel::event::Input,
    measure::Collector,
    model::{
        events::RunEvent,
        result::{Cut, TimeSpent},
    },
    plan::{AgentIndex, CasePlan, handover::Handover},
    verdict::Trouble,
};
use jiff::Timestamp;
use mallard_protocol::{
    ids::{InstanceId, TopicId},
    interval::PartitionOffset,
    message::{ClusterFacts, LogBounds, Question, ToAgent},
    workload::{Assignment, ClientProperties},
};
use std::collections::{BTreeMap, BTreeSet};

/// A case that is being run.
#[derive(Debug)]
pub struct Case {
    pub(super) plan: CasePlan,
    pub(super) context: CaseContext,
    pub(super) stage: StageId,
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
            true => (StageId::Raising, plan.deadlines.containers),
            false => (StageId::Connecting, plan.deadlines.connect),
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
            (StageId::Raising, _) => self.effects.push(Effect::Raise),
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

    /// Moves on as far as what has happened allows.
    pub(super) fn advance(&mut self) {
        loop {
            let before = self.stage;
            match self.stage {
                StageId::Connecting => self.while_connecting(),
                StageId::Reaching => self.while_reaching(),
                StageId::Raising | StageId::StartingBroker | StageId::Topics => {}
                StageId::Preparing => self.while_preparing(),
                StageId::Joining => self.while_joining(),
                StageId::Fetching => self.while_fetching(),
                StageId::StartOffsets => self.while_reading_start_offsets(),
                StageId::Running => self.while_running(),
                StageId::Draining => self.while_draining(),
                StageId::Flushing => self.while_flushing(),
                StageId::EndOffsets => self.while_reading_end_offsets(),
                StageId::ReadingOn => self.while_reading_on(),
                StageId::LastOffsets => self.while_reading_last_offsets(),
                StageId::Finishing => self.while_finishing(),
                StageId::Collecting => self.while_collecting(),
                StageId::Deleting => self.while_deleting(),
                StageId::Exiting => self.while_exiting(),
                StageId::Done => {}
            }
            if self.stage == before {
                break;
            }
        }
        if self.now_us >= self.deadline_us && self.stage < StageId::Running {
            let trouble = Trouble::Deadline {
                step: self.stage_name().to_owned(),
                progress: format!("still waiting for {}", self.waiting_for()),
                within_us: self.stage_limit_us(),
            };
            self.fail(trouble);
        }
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
        self.stage == StageId::Done
    }

    /// Whether the load runs, or is about to.
    #[must_use]
    pub fn is_under_load(&self) -> bool {
        self.stage == StageId::Running
    }

    /// Wall time of 0 on the run's clock; now, if the load has not started.
    #[must_use]
    pub fn load_started(&self) -> Timestamp {
        self.load_started_at.unwrap_or(self.wall)
    }

    fn on_raised(&mut self, connections: Vec<ClientProperties>) {
        if self.stage == StageId::Raising {
            self.connections = connections;
            self.enter(StageId::Connecting, self.plan.deadlines.connect);
            self.start_agents();
        }
    }

    fn on_not_raised(&mut self, problems: &[String]) {
        if self.stage == StageId::Raising {
            for text in problems {
                self.troubles.push(Trouble::Harness { text: text.clone() });
            }
            self.give_up();
        }
    }

    /// Before the load, nothing works without it; in the load, a broker that is lost may be what is
    /// tested, and records tell what became of them.
    fn on_broker_ended(&mut self, broker: String, cause: String) {
        if self.stage < StageId::Running {
            self.fail(Trouble::Harness { text: format!("{broker}: {cause}") });
        } else if self.stage < StageId::Finishing {
            self.emit(RunEvent::Note { level: "warning".to_owned(), source: broker, text: cause });
        }
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
            StageId::Running => {
                // The moment between telling agents the common start and that start is no load yet.
                let lead = self.start_clock_us.map_or(0, |start| start.saturating_sub(entered_us));
                spent.setup_us += lead.min(us);
                spent.load_us += us - lead.min(us);
            }
            stage if stage < StageId::Running => spent.setup_us += us,
            StageId::Draining => spent.drain_us += us,
            stage if stage <= StageId::Collecting => spent.results_us += us,
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
    pub(super) fn enter(&mut self, stage: StageId, within: std::time::Duration) {
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
