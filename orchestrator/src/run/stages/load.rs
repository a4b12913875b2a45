//! The load runs, or is about to.

use super::{draining::Draining, finishing::Finishing, settling::Flushing};
use crate::{
    clock::micros,
    run::{
        actions::Actions,
        shared::Shared,
        stage::{Next, Stage},
        stage_id::StageId,
    },
    verdict::RunError,
};
use mallard_protocol::message::ToAgent;
use std::time::Duration;

/// The load runs, or is about to.
#[derive(Debug)]
pub(super) struct Running {
    actions: Actions,
}

impl Running {
    /// `rest` is how long the load takes from now on, by plan.
    pub(super) fn enter(case: &mut Shared, rest: Duration, actions: Actions) -> Next {
        case.enter(StageId::Running, rest + Duration::from_secs(60));
        Some(Box::new(Self { actions }))
    }
}

impl Stage for Running {
    fn advance(&mut self, case: &mut Shared) -> Next {
        let at_us = case.run_clock_us()?;
        self.actions.carry_out(case, at_us);
        look_for_an_early_end(case);
        if at_us < case.load_end_us() {
            return None;
        }
        Draining::enter(case, std::mem::take(&mut self.actions))
    }

    fn break_off(&mut self, case: &mut Shared, within: Duration) -> Next {
        Finishing::broken_off(case, within)
    }

    fn wind_up(&mut self, case: &mut Shared) -> Next {
        case.stop_load();
        Flushing::enter(case)
    }

    fn stop(&mut self, case: &mut Shared) -> Next {
        case.send_all(&ToAgent::StopLoad);
        let at_us = case.run_clock_us().unwrap_or(0);
        case.load.stopped_us = Some(at_us);
        case.collector.stop(at_us);
        None
    }
}

/// Agents end their load by themselves when nobody was there for as long as the lease.
fn look_for_an_early_end(case: &mut Shared) {
    if case.load.stopped_us.is_some() || case.living().is_empty() || !case.have_all_finished() {
        return;
    }
    let until_us = case.reported_us().min().unwrap_or(0);
    case.load.stopped_us = Some(until_us);
    let planned_us = case.plan.timeline.load_end_us();
    if until_us < planned_us {
        let lease_us = micros(case.plan.lease);
        case.run_errors.push(RunError::Abandoned { until_us, planned_us, lease_us });
    }
}
