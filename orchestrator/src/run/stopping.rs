//! Ends that do not come by themselves: somebody asks for one, or the case cannot go on.

use super::{case::Case, shared::Shared, signals::TERMINATE, stage::Next, stage_id::StageId};
use crate::{
    model::events::{Level, RunEvent},
    verdict::RunError,
};

impl Case {
    /// The stage that follows, if one does.
    pub(super) fn go_on(&mut self, next: Next) {
        if let Some(next) = next {
            self.stage = next;
        }
    }

    /// The case cannot go on: says why, and goes towards the end from wherever it is.
    pub(super) fn fail(&mut self, error: RunError) {
        self.shared.run_errors.push(error);
        self.give_up();
    }

    /// A client can do nothing more: says why, and ends what goes on in order.
    pub(super) fn wind_up(&mut self, error: RunError) {
        self.shared.run_errors.push(error);
        self.shared.has_failed = true;
        let next = self.stage.wind_up(&mut self.shared);
        self.go_on(next);
    }

    /// Ends the load or the preparations at once.
    pub(super) fn give_up(&mut self) {
        let within = self.shared.plan.deadlines.finish;
        let next = self.stage.break_off(&mut self.shared, within);
        self.go_on(next);
    }

    /// Somebody wants an end. Once: the load stops, everything else follows in order. Twice: results
    /// are written from what is here and agents are killed.
    pub(super) fn on_stop(&mut self, times: u32, by: &'static str) {
        let case = &mut self.shared;
        case.stop.times = times;
        if case.timing.stage >= StageId::Deleting && times < 2 {
            return;
        }
        if case.stop.by.is_none() {
            case.emit(RunEvent::StopRequested { by: by.to_owned() });
            case.stop.by = Some(by);
        }
        if case.timing.stage < StageId::Running {
            return self.give_up();
        }
        let next = match times {
            0 | 1 => self.stage.stop(case),
            _ => self.stage.hurry(case),
        };
        self.go_on(next);
    }

    /// Once the load runs it goes on: agents keep what they measure, and whoever takes the case over when there
    /// is room finds all of it.
    pub(super) fn on_archive_failed(&mut self, cause: &str, is_resumable: bool) {
        let archive = &mut self.shared.archive;
        if archive.has_failed || std::mem::replace(&mut archive.is_resumable, is_resumable) {
            return;
        }
        let text = format!("the archive could not be written: {cause}");
        if !is_resumable {
            archive.has_failed = true;
            return self.fail(RunError::Harness { text });
        }
        self.shared.run_errors.push(RunError::Harness { text: text.clone() });
        let id = &self.shared.context.run_id;
        let text = format!(
            "{text}; the load goes on and agents keep what they measure: make room, then `mallard resume {id}` \
             archives it"
        );
        let (level, source) = (Level::Error, "mallard".to_owned());
        self.shared.emit(RunEvent::Note { level, source, text });
    }
}

impl Shared {
    /// Whether the load was asked to end in order: once, by SIGTERM. Then the case is judged by what was
    /// measured until then.
    pub(super) fn ends_in_order(&self) -> bool {
        self.stop.by == Some(TERMINATE) && self.stop.times < 2 && self.load.start_clock_us.is_some()
    }
}
