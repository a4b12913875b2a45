//! Logs of agents are collected, and the case is judged.

use super::deleting::Deleting;
use crate::{
    measure::Collector,
    plan::AgentIndex,
    run::{
        io::{Effect, Judged, Totals},
        shared::Shared,
        stage::{Next, Stage},
        stage_id::StageId,
    },
    verdict,
};
use mallard_protocol::message::ToAgent;
use std::time::Duration;

/// An agent's log is collected up to this size; of a longer one, head and tail.
pub(in crate::run) const LOG_LIMIT_BYTES: usize = 4 * 1024 * 1024;

/// Logs of agents are collected.
#[derive(Debug)]
pub(super) struct Collecting;

impl Collecting {
    pub(super) fn enter(case: &mut Shared) -> Next {
        if case.stop.times >= 2 {
            // Nobody waits for logs any more.
            case.enter(StageId::Collecting, Duration::ZERO);
            return Some(Box::new(Self));
        }
        case.enter(StageId::Collecting, case.plan.deadlines.collect);
        for agent in case.living() {
            if case.agents[agent].connected {
                case.send(agent, send_log());
            } else {
                case.agents[agent].log_done = true;
            }
        }
        Some(Box::new(Self))
    }
}

fn send_log() -> ToAgent {
    ToAgent::SendLog { limit_bytes: LOG_LIMIT_BYTES as u64 }
}

impl Stage for Collecting {
    fn advance(&mut self, case: &mut Shared) -> Next {
        let waiting = case.living().into_iter().any(|agent| !case.agents[agent].log_done);
        if waiting && case.now_us < case.timing.deadline_us {
            return None;
        }
        // Faults are undone before the case counts as over.
        if case.waits_for_undoing() {
            return None;
        }
        case.give_up_faults();
        judge(case);
        if case.stop.times >= 2 {
            kill_unfinished(case);
        }
        Deleting::enter(case)
    }

    fn hurry(&mut self, case: &mut Shared) -> Next {
        case.timing.deadline_us = case.now_us;
        None
    }

    fn repeat(&self, case: &mut Shared, agent: AgentIndex) {
        if !case.agents[agent].log_done {
            case.send(agent, send_log());
        }
    }
}

/// Judges the case. Results are safe before anything is torn down.
fn judge(case: &mut Shared) {
    let merged = case.collector.flush();
    case.store(merged);
    let collector = std::mem::replace(&mut case.collector, Collector::new(&case.plan));
    let measured = collector.conclude(&case.final_log());
    let totals = Totals::of(&measured.whole);
    let judgement = verdict::judge(&case.plan, measured, &case.facts());
    case.effects.push(Effect::Judged(Box::new(Judged { judgement, totals })));
}

/// Kills agents that have not closed, but for the one that deletes topics.
fn kill_unfinished(case: &mut Shared) {
    let spared = case.admin();
    for agent in case.living() {
        if Some(agent) == spared || case.agents[agent].finished.is_some() {
            continue;
        }
        case.kill(agent);
        let known = &mut case.agents[agent];
        known.gone = Some("killed by a second request to stop".to_owned());
        known.gone_us = Some(case.now_us);
    }
}
