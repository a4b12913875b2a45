//! Producers are done; consumers catch up.

use super::{finishing::Finishing, settling::Flushing};
use crate::{
    clock::micros,
    run::{
        actions::Actions,
        shared::Shared,
        stage::{CATCHING_UP, Next, Stage},
        stage_id::StageId,
    },
};
use std::time::Duration;

/// How long a drain may still take when somebody asked to stop.
const STOPPED_DRAIN: Duration = Duration::from_secs(10);

/// Consumers catch up.
#[derive(Debug)]
pub(super) struct Draining {
    actions: Actions,
}

impl Draining {
    pub(super) fn enter(case: &mut Shared, actions: Actions) -> Next {
        // A load that is ended in order is judged, so what it sent has the time to arrive.
        let within = match case.load.stopped_us {
            Some(_) if !case.ends_in_order() => case.drain_limit().min(STOPPED_DRAIN),
            _ => case.drain_limit(),
        };
        case.enter(StageId::Draining, within);
        Some(Box::new(Self { actions }))
    }
}

impl Stage for Draining {
    fn advance(&mut self, case: &mut Shared) -> Next {
        if let Some(at_us) = case.run_clock_us() {
            self.actions.carry_out(case, at_us);
        }
        let late = case.is_late();
        let over = all_reported(case) && has_drained(case) && case.collector.came_through();
        if over {
            case.load.drained_at_us = case.run_clock_us();
        }
        // Agents that have closed their clients, as they do when nobody was there for too long, will
        // not send or receive any more.
        if over || late || case.have_all_finished() { Flushing::enter(case) } else { None }
    }

    fn break_off(&mut self, case: &mut Shared, within: Duration) -> Next {
        Finishing::broken_off(case, within)
    }

    fn wind_up(&mut self, case: &mut Shared) -> Next {
        case.stop_load();
        Flushing::enter(case)
    }

    fn stop(&mut self, case: &mut Shared) -> Next {
        let soon_us = case.now_us + micros(STOPPED_DRAIN);
        case.timing.deadline_us = case.timing.deadline_us.min(soon_us);
        None
    }

    fn time_to_catch_up(&self, case: &Shared) -> Duration {
        case.drain_limit().max(CATCHING_UP)
    }
}

/// Whether every agent that lives has reported all of its load. Before that, accounts in which nothing
/// is missing only say that the last seconds are not in them.
fn all_reported(case: &Shared) -> bool {
    let end_us = case.load_end_us();
    case.reported_us().all(|reported_us| reported_us >= end_us)
}

fn has_drained(case: &Shared) -> bool {
    case.drain.is_over(|consumer| case.collector.has_read_all(consumer))
}
