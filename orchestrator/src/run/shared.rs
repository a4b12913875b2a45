//! What all stages of a case share: its plan, its agents, its accounts, and what it wants done.
//!
//! A stage's own state stands in the stage. Here is what outlives it.

use super::{
    agent::Agent,
    clocks::Clocks,
    context::CaseContext,
    drain::DrainWatch,
    fault_states::Faults,
    io::Effect,
    questions::{Asked, Questions},
    stage_id::StageId,
    timing::Timing,
};
use crate::{
    clock::{self, Moment},
    measure::{self, Collector},
    model::{events::RunEvent, result::Cut},
    plan::{AgentIndex, CasePlan, handover::Handover},
    text::plural::noun,
    verdict::RunError,
};
use jiff::Timestamp;
use mallard_protocol::{
    ids::TopicId,
    interval::PartitionOffset,
    message::{ClusterFacts, LogBounds, Question, ToAgent},
    schedule::PhaseKind,
    workload::{Assignment, ClientProperties},
};
use std::{collections::BTreeMap, time::Duration};

/// What agents that have flushed and closed may take beyond that time to hand in their last interval.
pub(super) const LAST_INTERVAL: Duration = Duration::from_secs(3);

/// When a load began and ended.
#[derive(Debug, Default)]
pub(super) struct LoadTimes {
    /// The common start, on this machine's monotonic clock.
    pub(super) start_clock_us: Option<u64>,
    /// The common start by the wall clock.
    pub(super) started_at: Option<Timestamp>,
    /// When it was ended before its time, on the run's clock.
    pub(super) stopped_us: Option<u64>,
    /// When everything had arrived, on the run's clock.
    pub(super) drained_at_us: Option<u64>,
}

/// Who wants an end.
#[derive(Debug, Default)]
pub(super) struct StopWish {
    /// How it was asked for first.
    pub(super) by: Option<&'static str>,
    /// How often.
    pub(super) times: u32,
}

/// What became of the archive.
#[derive(Debug, Default)]
pub(super) struct ArchiveState {
    /// It cannot be written, and nobody could take the case over later.
    pub(super) has_failed: bool,
    /// Nothing more can be archived now, and agents keep what they measure for later.
    pub(super) is_resumable: bool,
}

/// What all stages of a case share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) plan: CasePlan,
    pub(super) context: CaseContext,
    /// Now, on this machine's monotonic clock.
    pub(super) now_us: u64,
    /// Wall time now.
    pub(super) wall: Timestamp,
    pub(super) timing: Timing,
    pub(super) agents: Vec<Agent>,
    /// What each agent is to do; empty until partitions of existing topics are known.
    pub(super) assignments: Vec<Assignment>,
    /// How each agent's clients connect.
    pub(super) connections: Vec<ClientProperties>,
    /// Whether agents were started: without that, nobody is left to end.
    pub(super) linked: bool,
    pub(super) questions: Questions,
    /// How far agents' clocks are ahead of this machine's.
    pub(super) clocks: Clocks,
    pub(super) cluster: ClusterFacts,
    /// What each workload's clients were made with, as they tell.
    pub(super) clients: BTreeMap<String, BTreeMap<String, String>>,
    pub(super) topics_made: bool,
    pub(super) start_offsets: Vec<PartitionOffset>,
    /// Where logs start and end after the last acknowledgement.
    pub(super) log: LogBounds,
    /// Whether every producer had flushed when these were asked for.
    pub(super) log_is_final: bool,
    /// A client of an agent can do nothing more.
    pub(super) has_failed: bool,
    pub(super) collector: Collector,
    pub(super) drain: DrainWatch,
    pub(super) load: LoadTimes,
    /// What became of faults.
    pub(super) faults: Faults,
    pub(super) stop: StopWish,
    pub(super) archive: ArchiveState,
    pub(super) run_errors: Vec<RunError>,
    /// Stretches of the load without a channel to an agent.
    pub(super) cuts: Vec<Cut>,
    /// It was told that the end waits for agents without a channel.
    pub(super) waits_for_channels: bool,
    /// What became of the load of lost agents.
    pub(super) handovers: Vec<Handover>,
    pub(super) started_at: String,
    /// The agent that reads end offsets.
    pub(super) observer: AgentIndex,
    /// The agent that deletes topics if this controller dies and nobody takes over.
    pub(super) trustee: Option<AgentIndex>,
    pub(super) effects: Vec<Effect>,
}

impl Shared {
    /// A case in its first stage, which may take so long.
    pub(super) fn new(
        plan: CasePlan,
        context: CaseContext,
        now: Moment,
        (stage, within): (StageId, Duration),
    ) -> Self {
        Self {
            context,
            now_us: now.monotonic_us,
            wall: now.wall,
            timing: Timing::begin(stage, now.monotonic_us, within),
            agents: plan.agents.iter().map(|_| Agent::default()).collect(),
            assignments: Vec::new(),
            connections: Vec::new(),
            linked: false,
            questions: Questions::default(),
            clocks: Clocks::default(),
            cluster: ClusterFacts::default(),
            clients: BTreeMap::new(),
            topics_made: false,
            start_offsets: Vec::new(),
            log: LogBounds::default(),
            log_is_final: false,
            has_failed: false,
            collector: Collector::new(&plan),
            drain: DrainWatch::default(),
            load: LoadTimes::default(),
            faults: Faults::of(&plan.faults, plan.deadlines.undo),
            stop: StopWish::default(),
            archive: ArchiveState::default(),
            run_errors: Vec::new(),
            cuts: Vec::new(),
            waits_for_channels: false,
            handovers: Vec::new(),
            started_at: clock::rfc3339(now.wall),
            observer: plan.observer(),
            trustee: None,
            effects: Vec::new(),
            plan,
        }
    }

    pub(super) fn start_agents(&mut self) {
        let count = self.agents.len();
        self.step(format!("starting {count} {}", noun(count, "agent")));
        self.connect();
    }

    pub(super) fn connect(&mut self) {
        self.linked = true;
        self.effects.push(Effect::Connect);
    }

    /// Asks an agent something.
    pub(super) fn ask(&mut self, agent: AgentIndex, asked: Asked, question: Question) {
        let request = self.questions.ask(agent, asked, question.clone());
        self.send(agent, ToAgent::Ask { request, question });
    }

    /// Whether an answer is still waited for.
    pub(super) fn is_asking(&self, what: impl Fn(Asked) -> bool) -> bool {
        self.questions.is_asking(what)
    }

    pub(super) fn send(&mut self, agent: AgentIndex, message: ToAgent) {
        self.effects.push(Effect::Send { agent, message });
    }

    pub(super) fn send_all(&mut self, message: &ToAgent) {
        for agent in self.living() {
            self.send(agent, message.clone());
        }
    }

    /// Ends an agent's process by force, if it ever said which that is.
    pub(super) fn kill(&mut self, agent: AgentIndex) {
        if let Some(host) = &self.agents[agent].host {
            let pid = host.pid;
            self.effects.push(Effect::Kill { agent, pid });
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

    /// The names of agents of which something holds.
    pub(super) fn names_where(&self, holds: impl Fn(&Agent) -> bool) -> String {
        let agents = self.agents.iter().enumerate();
        self.names_of(agents.filter(|(_, agent)| holds(agent)).map(|(at, _)| at))
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

    /// Moves on to a stage that may take so long.
    pub(super) fn enter(&mut self, stage: StageId, within: Duration) {
        self.timing.enter(stage, self.now_us, within, self.load.start_clock_us);
    }

    /// How clients of an agent connect.
    pub(super) fn connection(&self, agent: AgentIndex) -> ClientProperties {
        self.connections.get(agent).cloned().unwrap_or_default()
    }

    pub(super) fn topic_ids(&self) -> Vec<TopicId> {
        (0..self.plan.topics.len())
            .map(|topic| TopicId(u16::try_from(topic).unwrap_or(0)))
            .collect()
    }

    /// The moment that is being handled.
    pub(super) fn moment(&self) -> Moment {
        Moment { monotonic_us: self.now_us, wall: self.wall }
    }

    /// Wall time of 0 on the run's clock; now, if the load has not started.
    pub(super) fn load_started(&self) -> Timestamp {
        self.load.started_at.unwrap_or(self.wall)
    }

    /// Now on the run's clock: microseconds since the common start, if that is past.
    pub(super) fn run_clock_us(&self) -> Option<u64> {
        self.load.start_clock_us.and_then(|start| self.now_us.checked_sub(start))
    }

    /// When the load ends on the run's clock, by plan or by request.
    pub(super) fn load_end_us(&self) -> u64 {
        self.load.stopped_us.unwrap_or_else(|| self.plan.timeline.load_end_us())
    }

    /// Stops a load that is to end before its time.
    pub(super) fn stop_load(&mut self) {
        self.send_all(&ToAgent::StopLoad);
        self.load.stopped_us.get_or_insert(
            self.load.start_clock_us.map_or(0, |start| self.now_us.saturating_sub(start)),
        );
    }

    /// How far agents that live have reported their load.
    pub(super) fn reported_us(&self) -> impl Iterator<Item = u64> {
        let living = self.living().into_iter().map(measure::AgentIndex);
        living.map(move |agent| self.collector.progress_us(agent))
    }

    /// Whether every agent that lives has flushed and closed its clients.
    pub(super) fn have_all_finished(&self) -> bool {
        self.living().into_iter().all(|agent| self.agents[agent].finished.is_some())
    }

    /// How long a drain may take.
    pub(super) fn drain_limit(&self) -> Duration {
        let drains = self.plan.timeline.0.iter().filter(|phase| phase.kind == PhaseKind::Drain);
        Duration::from_micros(drains.map(|phase| phase.end_us - phase.start_us).sum())
    }

    /// How long flushing and closing may take until the last agent has said that it did.
    pub(super) fn finish_limit(&self) -> Duration {
        self.plan.deadlines.finish + LAST_INTERVAL
    }

    pub(super) fn report_left(&mut self, left: Vec<(String, String)>) {
        for (what, cause) in left {
            self.emit(RunEvent::LeftBehind { what, cause });
        }
    }
}
