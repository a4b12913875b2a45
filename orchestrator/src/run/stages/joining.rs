//! Agents create their clients, consumers get their partitions, and leaders answer their first fetches.

use super::{finishing::Finishing, start::StartOffsets};
use crate::run::{
    joined::{Joined, consumers},
    shared::Shared,
    stage::{CLOSING, Next, Stage},
    stage_id::StageId,
};
use mallard_protocol::message::ToAgent;
use std::time::Duration;

/// Agents create their clients.
#[derive(Debug, Default)]
pub(super) struct Preparing {
    joined: Joined,
}

impl Preparing {
    pub(super) fn enter(case: &mut Shared) -> Next {
        case.enter(StageId::Preparing, case.plan.deadlines.ready);
        case.step("creating clients".to_owned());
        case.assign();
        for agent in 0..case.agents.len() {
            let assignment = Box::new(case.assignments[agent].clone());
            case.send(agent, ToAgent::Prepare(assignment));
        }
        Some(Box::new(Self::default()))
    }
}

impl Stage for Preparing {
    fn advance(&mut self, case: &mut Shared) -> Next {
        if !case.agents.iter().all(|agent| agent.prepared || agent.gone.is_some()) {
            return None;
        }
        case.enter(StageId::Joining, case.plan.deadlines.ready);
        if consumers(case).next().is_some() {
            case.step("waiting for consumers to get their partitions".to_owned());
        }
        Some(Box::new(Joining { joined: std::mem::take(&mut self.joined) }))
    }

    fn waiting_for(&self, case: &Shared) -> String {
        format!("clients of {}", case.names_where(|agent| !agent.prepared))
    }

    fn limit(&self, case: &Shared) -> Option<Duration> {
        Some(case.plan.deadlines.ready)
    }

    fn break_off(&mut self, case: &mut Shared, _: Duration) -> Next {
        leave(case)
    }

    fn joined(&mut self) -> Option<&mut Joined> {
        Some(&mut self.joined)
    }
}

/// Consumers get their partitions.
#[derive(Debug)]
struct Joining {
    joined: Joined,
}

impl Stage for Joining {
    fn advance(&mut self, case: &mut Shared) -> Next {
        if !self.joined.has_joined(case) {
            return None;
        }
        case.enter(StageId::Fetching, case.plan.deadlines.ready);
        Some(Box::new(Fetching { joined: std::mem::take(&mut self.joined) }))
    }

    fn waiting_for(&self, case: &Shared) -> String {
        self.joined.waiting_for(case)
    }

    fn limit(&self, case: &Shared) -> Option<Duration> {
        Some(case.plan.deadlines.ready)
    }

    fn break_off(&mut self, case: &mut Shared, _: Duration) -> Next {
        leave(case)
    }

    fn joined(&mut self) -> Option<&mut Joined> {
        Some(&mut self.joined)
    }
}

/// Leaders answer consumers' first fetches.
#[derive(Debug)]
struct Fetching {
    joined: Joined,
}

impl Stage for Fetching {
    fn advance(&mut self, case: &mut Shared) -> Next {
        // A group may have rebalanced once more.
        let is_ready = self.joined.has_joined(case) && self.joined.unread(case).is_empty();
        if is_ready { StartOffsets::enter(case) } else { None }
    }

    fn waiting_for(&self, case: &Shared) -> String {
        self.joined.waiting_for(case)
    }

    fn limit(&self, case: &Shared) -> Option<Duration> {
        Some(case.plan.deadlines.ready)
    }

    fn break_off(&mut self, case: &mut Shared, _: Duration) -> Next {
        leave(case)
    }

    fn joined(&mut self) -> Option<&mut Joined> {
        Some(&mut self.joined)
    }
}

/// Consumers that have joined leave their groups, or those could not be deleted for a session's time.
fn leave(case: &mut Shared) -> Next {
    Finishing::within(case, CLOSING)
}
