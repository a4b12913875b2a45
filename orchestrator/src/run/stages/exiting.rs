//! Agents exit, and nothing is left to do.

use crate::{
    plan::AgentIndex,
    run::{
        io::Effect,
        shared::Shared,
        stage::{Next, Stage},
        stage_id::StageId,
    },
};
use mallard_protocol::message::ToAgent;
use std::time::Duration;

/// How long agents may take to exit before they are killed.
const EXIT_WITHIN: Duration = Duration::from_secs(3);

/// Agents exit.
#[derive(Debug)]
pub(super) struct Exiting;

impl Exiting {
    pub(super) fn enter(case: &mut Shared) -> Next {
        case.enter(StageId::Exiting, EXIT_WITHIN);
        case.send_all(&exit());
        Some(Box::new(Self))
    }
}

fn exit() -> ToAgent {
    ToAgent::Exit { keep_folder: false }
}

impl Stage for Exiting {
    fn advance(&mut self, case: &mut Shared) -> Next {
        let late = case.now_us >= case.timing.deadline_us;
        if case.linked && !case.living().is_empty() && !late {
            return None;
        }
        for agent in case.living() {
            case.kill(agent);
        }
        case.enter(StageId::Done, Duration::ZERO);
        case.effects.push(Effect::Done);
        Some(Box::new(Done))
    }

    fn repeat(&self, case: &mut Shared, agent: AgentIndex) {
        case.send(agent, exit());
    }
}

/// Nothing is left to do.
#[derive(Debug)]
struct Done;

impl Stage for Done {}
