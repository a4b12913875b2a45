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

/// What is waited for until the load can start: one after the other, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// Agents create their clients.
    Clients,
    /// Consumers get their partitions.
    Partitions,
    /// Leaders answer consumers' first fetches.
    FirstFetches,
}

/// Clients are created, and consumers come to read what they are to read.
#[derive(Debug)]
pub(super) struct Preparing {
    wait: Wait,
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
        Some(Box::new(Self { wait: Wait::Clients, joined: Joined::default() }))
    }

    fn is_over(&self, case: &Shared) -> bool {
        match self.wait {
            Wait::Clients => case.agents.iter().all(|agent| agent.prepared || agent.gone.is_some()),
            Wait::Partitions => self.joined.has_joined(case),
            // A group may have rebalanced once more.
            Wait::FirstFetches => {
                self.joined.has_joined(case) && self.joined.unread(case).is_empty()
            }
        }
    }

    /// The same stage, waiting for the next thing.
    fn wait_for(&mut self, case: &mut Shared, wait: Wait, id: StageId) -> Next {
        case.enter(id, case.plan.deadlines.ready);
        Some(Box::new(Self { wait, joined: std::mem::take(&mut self.joined) }))
    }
}

impl Stage for Preparing {
    fn advance(&mut self, case: &mut Shared) -> Next {
        if !self.is_over(case) {
            return None;
        }
        match self.wait {
            Wait::Clients => {
                let next = self.wait_for(case, Wait::Partitions, StageId::Joining);
                if consumers(case).next().is_some() {
                    case.step("waiting for consumers to get their partitions".to_owned());
                }
                next
            }
            Wait::Partitions => self.wait_for(case, Wait::FirstFetches, StageId::Fetching),
            Wait::FirstFetches => StartOffsets::enter(case),
        }
    }

    fn waiting_for(&self, case: &Shared) -> String {
        match self.wait {
            Wait::Clients => {
                format!("clients of {}", case.names_where(|agent| !agent.prepared))
            }
            Wait::Partitions | Wait::FirstFetches => self.joined.waiting_for(case),
        }
    }

    fn limit(&self, case: &Shared) -> Option<Duration> {
        Some(case.plan.deadlines.ready)
    }

    /// Consumers that have joined leave their groups, or those could not be deleted for a session's time.
    fn break_off(&mut self, case: &mut Shared, _: Duration) -> Next {
        Finishing::within(case, CLOSING)
    }

    fn joined(&mut self) -> Option<&mut Joined> {
        Some(&mut self.joined)
    }
}
