//! A case whose controller died, taken over by another one.
//!
//! Agents go on by themselves: they run the load to its end, number their reports and keep them. So all
//! that a new controller needs is what the old one had settled before the load ([`Checkpoint`]), the
//! reports that stand in the archive, and the agents' own word for what has happened since. It feeds
//! the archived reports through a collector that is as new as the case's, and asks each agent for those
//! that come after.
//!
//! Invariant: a process that is not the one that ran the load hands in what that one left on disk, and
//! is lost afterwards: its load is over, and nothing of it is counted twice.

use super::{
    actions::Actions, agent::Agent, case::Case, checkpoint::Checkpoint, clocks::Clocks,
    context::CaseContext, io::Effect, shared::Shared, stage_id::StageId,
    stages::agents::Reconnecting,
};
use crate::{
    clock::{Moment, micros},
    measure,
    model::result::Cut,
    plan::{
        AgentIndex, CasePlan,
        workload::{CLEANUP_POLICY, is_compacted},
    },
};
use mallard_protocol::{
    interval::IntervalReport,
    message::{AgentState, HostFacts, ToAgent},
};

/// How long after the common start an agent that has not heard of it is still told, in microseconds.
/// Its records are late then, and counted so; later than this it counts as lost.
const LATEST_START_US: u64 = 5_000_000;

/// The property by which clients find brokers.
const BOOTSTRAP: &str = "bootstrap.servers";

/// How long a process that only hands in what another one left may take.
const HANDING_IN_MS: u64 = 1_000;

impl Case {
    /// A case whose load an earlier controller started. [`Case::begin`] comes next, then the archived
    /// reports ([`Case::replay`]), then what agents say.
    #[must_use]
    pub fn resume(
        mut plan: CasePlan,
        context: CaseContext,
        now: Moment,
        checkpoint: &Checkpoint,
    ) -> Self {
        for (topic, partitions) in plan.topics.iter_mut().zip(&checkpoint.partitions) {
            topic.partitions = *partitions;
        }
        for (topic, compacted) in plan.topics.iter_mut().zip(&checkpoint.compacted) {
            if *compacted && !is_compacted(topic) {
                topic.config.push((CLEANUP_POLICY.to_owned(), "compact".to_owned()));
            }
        }
        let start_clock_us = start_clock_us(checkpoint, &context, now);
        let by_our_clock = checkpoint.boot_id == context.boot_id;
        // Containers run, or their agents are lost: none is started in the middle of a load.
        let first = (StageId::Connecting, plan.deadlines.connect);
        let mut case = Shared::new(plan, context, now, first);
        case.connections = match case.plan.kafka.connection() {
            Some(connection) => vec![connection.clone(); case.plan.agents.len()],
            None => {
                let brokers = checkpoint.own_brokers.iter();
                brokers.map(|brokers| vec![(BOOTSTRAP.to_owned(), brokers.clone())]).collect()
            }
        };
        case.started_at.clone_from(&checkpoint.started_at);
        case.load.started_at = Some(checkpoint.load_started_at);
        case.load.start_clock_us = Some(start_clock_us);
        case.cluster = checkpoint.cluster.clone();
        case.clocks = Clocks::resume(&checkpoint.clocks, by_our_clock);
        case.topics_made = true;
        case.start_offsets.clone_from(&checkpoint.start_offsets);
        // Where they ran, for those that are never heard again.
        case.agents = checkpoint.agents.iter().map(|host| known(host.as_ref())).collect();
        case.agents.resize_with(case.plan.agents.len(), Agent::default);
        case.handovers.clone_from(&checkpoint.handovers);
        case.assign();
        case.collector.start_offsets(&checkpoint.start_offsets);
        let actions = Actions::after(&case.plan, case.run_clock_us().unwrap_or(0));
        Self { shared: case, stage: Box::new(Reconnecting { actions }) }
    }

    /// Notes the stretch in which nobody ran the case: from the last archived report on. Comes after
    /// [`Case::replay`].
    pub fn note_absence(&mut self) -> Vec<Effect> {
        let case = &mut self.shared;
        case.inherit_handovers();
        let start_us = case.load.start_clock_us.unwrap_or(0);
        let mut known_us = 0;
        for agent in 0..case.agents.len() {
            let reported_us = case.collector.progress_us(measure::AgentIndex(agent));
            // As far as anybody knows, its lease runs from then on.
            case.agents[agent].heard_us = start_us + reported_us;
            known_us = known_us.max(reported_us);
        }
        let until_us = case.run_clock_us().unwrap_or(known_us).max(known_us);
        case.cuts.push(Cut { agent: None, from_us: known_us, until_us: Some(until_us) });
        std::mem::take(&mut case.effects)
    }

    /// Whether an earlier controller has lost an agent for good: its load has moved to others.
    #[must_use]
    pub fn is_gone(&self, agent: AgentIndex) -> bool {
        self.shared.agents[agent].gone.is_some()
    }

    /// Takes in a report that stands in the archive. It is not reported again.
    pub fn replay(&mut self, agent: AgentIndex, report: &IntervalReport) -> Vec<Effect> {
        self.take_in(agent, report);
        std::mem::take(&mut self.shared.effects)
    }

    /// Sequence of the first report that is needed from an agent.
    #[must_use]
    pub fn resume_at(&self, agent: AgentIndex) -> u64 {
        self.shared.collector.resume_at(measure::AgentIndex(agent))
    }
}

impl Shared {
    /// What is settled at the common start.
    pub(super) fn checkpoint(&self) -> Checkpoint {
        let is_own = self.plan.kafka.is_of_run();
        let bootstraps = self.connections.iter().flatten().filter(|(key, _)| key == BOOTSTRAP);
        Checkpoint {
            started_at: self.started_at.clone(),
            load_started_at: self.load_started(),
            start_clock_us: self.load.start_clock_us.unwrap_or(self.now_us),
            // Whoever writes it down knows.
            slept_us: None,
            boot_id: self.context.boot_id.clone(),
            own_brokers: bootstraps.filter(|_| is_own).map(|(_, value)| value.clone()).collect(),
            cluster: self.cluster.clone(),
            partitions: self.plan.topics.iter().map(|topic| topic.partitions).collect(),
            compacted: self.plan.topics.iter().map(is_compacted).collect(),
            start_offsets: self.start_offsets.clone(),
            clocks: self.clocks.settled(),
            agents: self.agents.iter().map(|agent| agent.host.clone()).collect(),
            handovers: self.handovers.clone(),
        }
    }

    /// What an agent says of itself while the load runs, or should.
    pub(super) fn look_at_state(&mut self, agent: AgentIndex, state: AgentState) {
        match state {
            AgentState::Running | AgentState::Finished => self.repeat_takeovers(agent),
            AgentState::Prepared if self.run_clock_us().unwrap_or(0) < LATEST_START_US => {
                self.send_start(agent);
                self.repeat_takeovers(agent);
            }
            AgentState::Prepared => {
                self.inherit(agent, "it never heard of the common start");
            }
            AgentState::Idle => {
                self.inherit(agent, "its process ended, and another one hands in what it left");
            }
        }
    }

    /// Has a process hand in what it has, and then counts it as lost.
    fn inherit(&mut self, agent: AgentIndex, why: &str) {
        let known = &mut self.agents[agent];
        known.successor_of = Some(known.ended.clone().unwrap_or_else(|| why.to_owned()));
        self.send(agent, ToAgent::Finish { within_ms: HANDING_IN_MS });
    }
}

fn known(host: Option<&HostFacts>) -> Agent {
    Agent { host: host.cloned(), ..Agent::default() }
}

/// The common start on this machine's monotonic clock. On another boot, or another machine, wall time
/// has to do: it decides when phases are announced and how long is waited, and no measurement.
fn start_clock_us(checkpoint: &Checkpoint, context: &CaseContext, now: Moment) -> u64 {
    if checkpoint.boot_id == context.boot_id {
        return checkpoint.start_clock_us;
    }
    let ago = now.since(checkpoint.load_started_at);
    now.monotonic_us.saturating_sub(micros(ago))
}
