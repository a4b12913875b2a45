//! Ends that do not come by themselves: somebody asks for one, or the case cannot go on.

use super::{case::Case, ending::CLOSING, io::Effect, signals::TERMINATE, stage_id::StageId};
use crate::{clock::micros, model::events::RunEvent, verdict::Trouble};
use mallard_protocol::message::ToAgent;
use std::time::Duration;

/// How long a drain may still take when somebody asked to stop.
pub(super) const STOPPED_DRAIN: Duration = Duration::from_secs(10);

impl Case {
    /// The case cannot go on: says why, and goes towards the end from wherever it is.
    pub(super) fn fail(&mut self, trouble: Trouble) {
        self.troubles.push(trouble);
        self.give_up();
    }

    /// Ends the load or the preparations at once.
    pub(super) fn give_up(&mut self) {
        match self.stage {
            // A load that was taken over runs, whether its agents have answered yet or not.
            stage
                if (StageId::Running..=StageId::LastOffsets).contains(&stage)
                    || (stage < StageId::Running && self.start_clock_us.is_some()) =>
            {
                self.send_all(&ToAgent::StopLoad);
                self.load_stopped_us.get_or_insert(
                    self.start_clock_us.map_or(0, |start| self.now_us.saturating_sub(start)),
                );
                self.finish_agents();
            }
            // Consumers that have joined leave their groups, or those could not be deleted for a session's time.
            stage if (StageId::Preparing..StageId::Running).contains(&stage) => {
                self.finish_agents_within(CLOSING);
            }
            stage if stage < StageId::Running => self.collect(),
            _ => {}
        }
    }

    /// Somebody asked twice: agents have a moment to close their clients, so that they leave their groups and
    /// hand in what they have measured; those that do not manage are killed. Logs and groups are not waited for.
    pub(super) fn hurry(&mut self) {
        let soon_us = self.now_us + micros(CLOSING);
        match self.stage {
            stage if stage < StageId::Finishing => {
                self.send_all(&ToAgent::StopLoad);
                self.load_stopped_us.get_or_insert(
                    self.start_clock_us.map_or(0, |start| self.now_us.saturating_sub(start)),
                );
                self.finish_agents_within(CLOSING);
            }
            StageId::Finishing => self.deadline_us = self.deadline_us.min(soon_us),
            StageId::Collecting => self.deadline_us = self.now_us,
            StageId::Deleting => self.hurry_deletion(),
            _ => {}
        }
    }

    /// Kills agents that have not closed, but for the one that deletes topics.
    pub(super) fn kill_unfinished(&mut self) {
        let spared = self.admin();
        for agent in self.living() {
            if Some(agent) == spared || self.agents[agent].finished.is_some() {
                continue;
            }
            if let Some(host) = &self.agents[agent].host {
                let pid = host.pid;
                self.effects.push(Effect::Kill { agent, pid });
            }
            let known = &mut self.agents[agent];
            known.gone = Some("killed by a second request to stop".to_owned());
            known.gone_us = Some(self.now_us);
        }
    }

    /// Once the load runs it goes on: agents keep what they measure, and whoever takes the case over when there
    /// is room finds all of it.
    pub(super) fn on_archive_failed(&mut self, cause: String, is_resumable: bool) {
        if self.archive_failed || std::mem::replace(&mut self.is_unarchived, is_resumable) {
            return;
        }
        let text = format!("the archive could not be written: {cause}");
        if !is_resumable {
            self.archive_failed = true;
            return self.fail(Trouble::Harness { text });
        }
        self.troubles.push(Trouble::Harness { text: text.clone() });
        let id = &self.context.run_id;
        let text = format!(
            "{text}; the load goes on and agents keep what they measure: make room, then `mallard resume {id}` \
             archives it"
        );
        self.emit(RunEvent::Note { level: "error".to_owned(), source: "mallard".to_owned(), text });
    }

    /// Whether the load was asked to end in order: once, by SIGTERM. Then the case is judged by what was
    /// measured until then.
    pub(super) fn ends_in_order(&self) -> bool {
        self.interrupted_by == Some(TERMINATE) && self.stops < 2 && self.start_clock_us.is_some()
    }

    /// Somebody wants an end. Once: the load stops, everything else follows in order. Twice: results
    /// are written from what is here and agents are killed.
    pub(super) fn on_stop(&mut self, times: u32, by: &'static str) {
        self.stops = times;
        if self.stage >= StageId::Deleting && times < 2 {
            return;
        }
        if self.interrupted_by.is_none() {
            self.emit(RunEvent::StopRequested { by: by.to_owned() });
            self.interrupted_by = Some(by);
        }
        match self.stage {
            StageId::Running if times < 2 => {
                self.send_all(&ToAgent::StopLoad);
                let at_us = self.run_clock_us().unwrap_or(0);
                self.load_stopped_us = Some(at_us);
                self.collector.stop(at_us);
            }
            StageId::Draining if times < 2 => {
                self.deadline_us = self.deadline_us.min(self.now_us + micros(STOPPED_DRAIN));
            }
            StageId::ReadingOn if times < 2 => self.shorten_reading(),
            stage if stage < StageId::Running => self.give_up(),
            _ if times >= 2 => self.hurry(),
            _ => {}
        }
    }
}
