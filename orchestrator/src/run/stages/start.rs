//! End offsets before the load are read, clocks are settled, and every agent is told the common start.

use super::{finishing::Finishing, load::Running};
use crate::{
    clock::micros,
    plan::AgentIndex,
    run::{
        actions::Actions,
        io::Effect,
        questions::Asked,
        shared::Shared,
        stage::{CLOSING, Next, Stage},
        stage_id::StageId,
    },
};
use mallard_protocol::message::Question;
use std::{collections::BTreeSet, time::Duration};

/// From the moment `Start` is sent to the common start: long enough for every agent to hear of it.
const START_LEAD: Duration = Duration::from_millis(400);

/// The same where every agent is on this machine.
const START_LEAD_HERE: Duration = Duration::from_millis(150);

/// End offsets before the load are read, and enough probes of clocks are waited for.
#[derive(Debug)]
pub(super) struct StartOffsets;

impl StartOffsets {
    pub(super) fn enter(case: &mut Shared) -> Next {
        let admin = case.admin()?;
        let topics = case.topic_ids();
        case.enter(StageId::StartOffsets, case.plan.deadlines.ready);
        let within_ms = micros(case.plan.deadlines.topics) / 1_000;
        case.ask(admin, Asked::StartOffsets, Question::EndOffsets { topics, within_ms });
        Some(Box::new(Self))
    }
}

impl Stage for StartOffsets {
    fn advance(&mut self, case: &mut Shared) -> Next {
        let foreign: BTreeSet<_> =
            case.living().into_iter().filter_map(|agent| case.clock_of(agent)).collect();
        let known = case.clocks.are_known(foreign.iter().map(String::as_str));
        if !known || case.is_asking(|asked| asked == Asked::StartOffsets) {
            return None;
        }
        foreign.iter().for_each(|clock| case.clocks.settle(clock));
        start_load(case)
    }

    fn waiting_for(&self, case: &Shared) -> String {
        case.offsets_and_clocks()
    }

    fn limit(&self, case: &Shared) -> Option<Duration> {
        Some(case.plan.deadlines.ready)
    }

    fn break_off(&mut self, case: &mut Shared, _: Duration) -> Next {
        Finishing::within(case, CLOSING)
    }
}

/// Tells every agent the common start, on its own clock.
fn start_load(case: &mut Shared) -> Next {
    let is_here = |agent: AgentIndex| case.plan.agents[agent].host.is_local();
    let lead = if case.living().into_iter().all(is_here) { START_LEAD_HERE } else { START_LEAD };
    case.load.start_clock_us = Some(case.now_us + micros(lead));
    case.load.started_at = Some(case.moment().wall_in(lead));
    let actions = Actions::of(&case.plan);
    let next = Running::enter(case, lead + case.plan.longest(), actions);
    // Before anybody is told: an agent that runs is never one that nobody knows of.
    case.effects.push(Effect::Checkpoint(Box::new(case.checkpoint())));
    for agent in case.living() {
        case.send_start(agent);
        case.agents[agent].heard_us = case.now_us;
    }
    next
}
