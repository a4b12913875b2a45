//! One case from its first agent to its last: a synchronous state machine.
//!
//! It is fed with [`Input`]s, each with its [`Moment`], and gives back [`Effect`]s; it opens nothing, waits for
//! nothing and reads no clock, so its tests have neither sockets nor sleeps.
//!
//! What all stages share is in `Shared`; what one stage alone needs is in that stage (`stages/`). An input changes
//! what is shared, or goes to the stage; then the stage looks whether what it waits for has come.
//!
//! Invariants:
//! - [`Effect::Judged`] comes exactly once and before anything is torn down.
//! - Every stage has a deadline; when it passes, the case says what it was waiting for and goes on
//!   towards its end.
//! - Once started, load is always stopped, and every agent is told to exit or killed.

use super::{
    context::CaseContext,
    io::Effect,
    shared::Shared,
    stage::{self, Stage},
    stage_id::StageId,
    stages::{agents::Connecting, containers::StartingContainers},
};
use crate::{
    clock::{Moment, micros},
    hosts::channel::event::Input,
    measure::MergedInterval,
    model::{
        events::{Level, RunEvent},
        result::TimeSpent,
    },
    plan::{AgentIndex, CasePlan},
    verdict::RunError,
};
use jiff::Timestamp;
use std::time::Duration;

/// A case that is being run.
#[derive(Debug)]
pub struct Case {
    pub(super) shared: Shared,
    pub(super) stage: Box<dyn Stage>,
}

impl Case {
    /// A case that is about to begin.
    #[must_use]
    pub fn new(plan: CasePlan, context: CaseContext, now: Moment) -> Self {
        let (first, stage): (_, Box<dyn Stage>) = if plan.needs_engine() {
            (
                (StageId::StartingContainers, plan.deadlines.containers),
                Box::new(StartingContainers::default()),
            )
        } else {
            ((StageId::Connecting, plan.deadlines.connect), Box::new(Connecting))
        };
        Self { shared: Shared::new(plan, context, now, first), stage }
    }

    /// Begins the case: the first effects. Agents are being started meanwhile.
    pub fn begin(&mut self) -> Vec<Effect> {
        let case = &mut self.shared;
        let phases = case.plan.timeline.0.iter().map(|p| (p.name.clone(), p.start_us)).collect();
        case.emit(RunEvent::CaseStarted {
            case: case.plan.name.clone(),
            index: case.context.index,
            planned_us: micros(case.plan.longest()),
            phases,
        });
        match (case.timing.stage, case.run_clock_us()) {
            (StageId::StartingContainers, _) => case.effects.push(Effect::StartContainers),
            (_, Some(at_us)) => {
                case.emit(RunEvent::CaseResumed { case: case.plan.name.clone(), at_us });
                case.connect();
            }
            (_, None) => case.start_agents(),
        }
        std::mem::take(&mut case.effects)
    }

    /// Takes in what happened at a moment.
    pub fn handle(&mut self, now: Moment, input: Input) -> Vec<Effect> {
        (self.shared.now_us, self.shared.wall) = (now.monotonic_us, now.wall);
        self.take(input);
        self.look_for_the_unreachable();
        self.shared.probe_clocks();
        self.advance();
        if self.shared.timing.stage > StageId::Running {
            self.shared.end_faults();
        }
        std::mem::take(&mut self.shared.effects)
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Message { agent, message } => self.on_message(agent, *message),
            Input::AgentGone { agent, cause } => self.on_gone(agent, cause),
            Input::AgentEnded { agent, cause, was_stuck } => self.on_ended(agent, cause, was_stuck),
            Input::Channel { agent, up } => self.on_channel(agent, up),
            Input::Step(text) => {
                self.stage.on_step(&text);
                self.shared.step(text);
            }
            Input::ContainersStarted { connections } => {
                let next = self.stage.on_containers(&mut self.shared, Ok(connections));
                self.go_on(next);
            }
            Input::ContainersFailed { problems } => {
                let next = self.stage.on_containers(&mut self.shared, Err(problems));
                self.go_on(next);
            }
            Input::BrokerEnded { broker, cause } => self.on_broker_ended(broker, cause),
            Input::Fault { fault, report } => self.on_fault(fault, report),
            Input::Stop { times, by } => self.on_stop(times, by),
            Input::ArchiveFailed { cause, is_resumable } => {
                self.on_archive_failed(&cause, is_resumable);
            }
            Input::Slept { us } => self.shared.on_slept(us),
            Input::HeldUp { us } => self.shared.on_held_up(us),
            Input::Tick => {}
        }
    }

    /// Moves on as far as what has happened allows.
    fn advance(&mut self) {
        while let Some(next) = self.stage.advance(&mut self.shared) {
            self.stage = next;
        }
        let case = &self.shared;
        if case.now_us >= case.timing.deadline_us
            && let Some(within) = self.stage.limit(case)
        {
            let error = stage::late(&*self.stage, case, within);
            self.fail(error);
        }
    }

    /// Before the load, nothing works without it; in the load, a broker that is lost may be what is
    /// tested, and records tell what became of them.
    fn on_broker_ended(&mut self, broker: String, cause: String) {
        if self.shared.timing.stage < StageId::Running {
            self.fail(RunError::Harness { text: format!("{broker}: {cause}") });
        } else if self.shared.timing.stage < StageId::Finishing && !self.is_harmed(&broker) {
            let level = Level::Warning;
            self.shared.emit(RunEvent::Note { level, source: broker, text: cause });
        }
    }

    /// What the case is to do.
    #[must_use]
    pub fn plan(&self) -> &CasePlan {
        &self.shared.plan
    }

    /// An interval in which nothing has happened: it names producers, consumers and topics.
    #[must_use]
    pub fn nothing_yet(&self) -> MergedInterval {
        self.shared.collector.nothing_yet()
    }

    /// Whether the load was started, by this controller or an earlier one.
    #[must_use]
    pub fn has_started(&self) -> bool {
        self.shared.load.start_clock_us.is_some()
    }

    /// Whether an agent has ever spoken: then it has a log.
    #[must_use]
    pub fn has_greeted(&self, agent: AgentIndex) -> bool {
        self.shared.agents[agent].host.is_some()
    }

    /// Whether nothing is left to do.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.shared.timing.stage == StageId::Done
    }

    /// Whether the load runs, or is about to.
    #[must_use]
    pub fn is_under_load(&self) -> bool {
        self.shared.timing.stage == StageId::Running
    }

    /// Wall time of 0 on the run's clock; now, if the load has not started.
    #[must_use]
    pub fn load_started(&self) -> Timestamp {
        self.shared.load_started()
    }

    /// How long a channel may be silent before another one is opened. Less than `agent_silence`: the
    /// rest is for the host to say whether the agent is there.
    #[must_use]
    pub fn channel_silence(&self) -> Duration {
        self.shared.plan.deadlines.agent_silence * 3 / 4
    }

    /// Where the time went until now.
    #[must_use]
    pub fn spent(&self) -> TimeSpent {
        self.shared.timing.spent
    }
}
