//! From the end of the load to the last agent's exit: flush, collect, judge, and only then tear down.

use super::{
    case::{Asked, Case, Stage, micros},
    io::{Effect, Judged, Totals},
    problem::Problem,
};
use crate::{
    events::RunEvent,
    measure::{AgentIndex, Collector},
    plan::KafkaPlan,
    verdict,
};
use mallard_protocol::{
    message::{Question, ToAgent},
    workload::Membership,
};
use std::{collections::BTreeSet, time::Duration};

/// How long agents may take to flush and close.
const FINISH_WITHIN: Duration = Duration::from_secs(10);

/// An agent's log comes home up to this size; of a longer one, head and tail.
const LOG_LIMIT_BYTES: u64 = 4 * 1024 * 1024;

/// How long deleting topics may take when somebody asked twice to stop.
const HURRIED_DELETE: Duration = Duration::from_secs(4);

impl Case {
    /// The case cannot go on: says why, and goes towards the end from wherever it is.
    pub(super) fn fail(&mut self, problem: Problem) {
        self.problems.push(problem);
        self.give_up();
    }

    /// Ends the load or the preparations at once.
    pub(super) fn give_up(&mut self) {
        match self.stage {
            Stage::Running | Stage::Draining | Stage::EndOffsets => {
                self.send_all(&ToAgent::StopLoad);
                self.load_stopped_us.get_or_insert(self.start_clock_us.map_or(0, |start| {
                    self.now_us.saturating_sub(start)
                }));
                self.finish_agents();
            }
            stage if stage < Stage::Running => self.collect(),
            _ => {}
        }
    }

    pub(super) fn finish_agents(&mut self) {
        let within_ms = micros(FINISH_WITHIN) / 1_000;
        self.enter(Stage::Finishing, FINISH_WITHIN + Duration::from_secs(3));
        self.send_all(&ToAgent::Finish { within_ms });
    }

    pub(super) fn on_finished(&mut self, agent: usize, client_queue: u64) {
        self.agents[agent].finished = Some(client_queue);
        let merged = self.collector.agent_finished(AgentIndex(agent));
        self.store(merged);
    }

    pub(super) fn while_finishing(&mut self) {
        let waiting = self.living().into_iter().any(|agent| self.agents[agent].finished.is_none());
        if waiting && self.now_us < self.deadline_us {
            return;
        }
        if waiting {
            let (waiting_for, after_us) = (self.waiting_for(), micros(FINISH_WITHIN));
            self.problems.push(Problem::TimedOut { waiting_for, after_us });
        }
        self.collect();
    }

    fn collect(&mut self) {
        self.enter(Stage::Collecting, self.plan.deadlines.collect);
        for agent in self.living() {
            if self.agents[agent].connected {
                self.send(agent, ToAgent::SendLog { limit_bytes: LOG_LIMIT_BYTES });
            } else {
                self.agents[agent].log_done = true;
            }
        }
    }

    pub(super) fn while_collecting(&mut self) {
        let waiting = self.living().into_iter().any(|agent| !self.agents[agent].log_done);
        if waiting && self.now_us < self.deadline_us {
            return;
        }
        self.judge();
        self.delete();
    }

    /// Judges the case. Results are safe before anything is torn down.
    fn judge(&mut self) {
        let merged = self.collector.flush();
        self.store(merged);
        let collector = std::mem::replace(&mut self.collector, Collector::new(&self.plan));
        let measured = collector.conclude(&self.end_offsets);
        let result = verdict::judge(&self.plan, &measured, &self.run_facts());
        let partition_series = measured.partition_series;
        let totals = Totals::of(measured.whole);
        self.effects.push(Effect::Judged(Box::new(Judged { result, partition_series, totals })));
    }

    fn delete(&mut self) {
        let within = if self.stops >= 2 { HURRIED_DELETE } else { self.plan.deadlines.teardown };
        self.enter(Stage::Deleting, within);
        let embedded = matches!(self.plan.kafka, KafkaPlan::Embedded { .. });
        if !self.topics_made || self.context.keep || embedded {
            return;
        }
        let Some(admin) = self.admin() else {
            let topics: Vec<_> = self.created_topics();
            let cause = "no agent is left that could delete it".to_owned();
            let left = topics.into_iter().map(|topic| (format!("topic {topic}"), cause.clone()));
            return self.on_left_behind(left.collect());
        };
        self.step("deleting topics".to_owned());
        let question = Question::Delete {
            connection: self.connection.clone(),
            topics: self.created_topics(),
            groups: self.created_groups(),
            within_ms: micros(within) / 1_000,
        };
        self.ask(admin, Asked::Delete, question);
    }

    pub(super) fn while_deleting(&mut self) {
        let waiting = self.is_asking(|asked| asked == Asked::Delete);
        if waiting && self.now_us < self.deadline_us {
            return;
        }
        if waiting {
            let cause = "the broker did not answer in time".to_owned();
            let left = self.created_topics().into_iter().map(|t| (format!("topic {t}"), cause.clone()));
            self.on_left_behind(left.collect());
        }
        self.enter(Stage::Exiting, Duration::from_secs(3));
        self.send_all(&ToAgent::Exit { keep_folder: false });
    }

    pub(super) fn while_exiting(&mut self) {
        let late = self.now_us >= self.deadline_us;
        if !self.living().is_empty() && !late {
            return;
        }
        for agent in self.living() {
            if let Some(host) = &self.agents[agent].host {
                let pid = host.pid;
                self.effects.push(Effect::Kill { agent, pid });
            }
        }
        self.enter(Stage::Done, Duration::ZERO);
        self.effects.push(Effect::Done);
    }

    /// Somebody asked twice: agents that are not needed to delete topics are killed, and nothing is
    /// waited for any more.
    pub(super) fn hurry(&mut self) {
        if self.stage < Stage::Collecting {
            self.enter(Stage::Collecting, Duration::ZERO);
            self.judge();
            self.kill_all_but(self.admin());
            self.delete();
        } else {
            self.deadline_us = self.deadline_us.min(self.now_us + micros(HURRIED_DELETE));
        }
    }

    fn kill_all_but(&mut self, spared: Option<usize>) {
        for agent in self.living() {
            if Some(agent) == spared {
                continue;
            }
            if let Some(host) = &self.agents[agent].host {
                let pid = host.pid;
                self.effects.push(Effect::Kill { agent, pid });
            }
            self.agents[agent].gone = Some("killed because somebody asked twice".to_owned());
        }
    }

    pub(super) fn on_archive_failed(&mut self, cause: String) {
        if !self.problems.iter().any(|p| matches!(p, Problem::ArchiveFailed { .. })) {
            self.fail(Problem::ArchiveFailed { cause });
        }
    }

    pub(super) fn on_left_behind(&mut self, left: Vec<(String, String)>) {
        for (what, cause) in left {
            self.emit(RunEvent::LeftBehind { what, cause });
        }
    }

    /// An agent that is gone answers no more.
    pub(super) fn forget_questions_of(&mut self, agent: usize) {
        self.asked.retain(|_, asked| match asked {
            Asked::Cluster(asked) => *asked != agent,
            _ => true,
        });
    }

    fn created_topics(&self) -> Vec<String> {
        let created = self.plan.topics.iter().filter(|topic| !topic.existing);
        created.map(|topic| topic.name.clone()).collect()
    }

    /// Groups that carry the run id, and so are nobody else's.
    fn created_groups(&self) -> Vec<String> {
        let consumers = self.plan.agents.iter().flat_map(|agent| &agent.consumers);
        let groups: BTreeSet<_> = consumers
            .filter_map(|consumer| match &consumer.membership {
                Membership::Group(group) if group.contains(&self.context.run_id) => Some(group.clone()),
                _ => None,
            })
            .collect();
        groups.into_iter().collect()
    }

    fn run_facts(&self) -> verdict::RunFacts {
        let unknown = Vec::new();
        verdict::RunFacts {
            run_id: self.context.run_id.clone(),
            started_at: self.started_at.clone(),
            ended_at: crate::clock::now_rfc3339(),
            load_started_at: self.load_started_at.map(crate::clock::rfc3339),
            problems: self.problems.clone(),
            cluster: self.cluster.clone(),
            start_offsets: self.start_offsets.clone(),
            end_offsets: self.end_offsets.clone(),
            hosts: self.agents.iter().map(|agent| agent.host.clone()).collect(),
            start_late_us: self.agents.iter().map(|agent| agent.start_late_us).collect(),
            client_queue: self.agents.iter().map(|agent| agent.finished).collect(),
            lost_at_us: self.agents.iter().map(|agent| agent.lost_at_us).collect(),
            load_stopped_us: self.load_stopped_us,
            assignments: if self.assignments.is_empty() { unknown } else { self.assignments.clone() },
        }
    }
}
