//! From the end of the load to the last agent's exit: flush, collect, judge, and only then tear down.

use super::{
    case::{Asked, Case, Stage, micros},
    io::{Effect, Judged, Totals},
};
use crate::{
    config::emit::is_secret_key,
    measure::{AgentIndex, Collector},
    model::events::RunEvent,
    plan::workload::workload_of,
    scenario::cluster::KafkaPlan,
    verdict::{self, AgentFacts, CaseFacts, EarlyStop, Trouble},
};
use mallard_protocol::message::ToAgent;
use std::{collections::BTreeMap, time::Duration};

/// What agents that have flushed and closed may take beyond that time to hand in their last interval.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// How long agents may take to close their clients where there is nothing to flush, or nobody wants to wait.
const CLOSING: Duration = Duration::from_secs(2);

/// An agent's log comes home up to this size; of a longer one, head and tail.
pub(super) const LOG_LIMIT_BYTES: usize = 4 * 1024 * 1024;

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
                if (Stage::Running..=Stage::LastOffsets).contains(&stage)
                    || (stage < Stage::Running && self.start_clock_us.is_some()) =>
            {
                self.send_all(&ToAgent::StopLoad);
                self.load_stopped_us.get_or_insert(
                    self.start_clock_us.map_or(0, |start| self.now_us.saturating_sub(start)),
                );
                self.finish_agents();
            }
            // Consumers that have joined leave their groups, or those could not be deleted for a session's time.
            stage if (Stage::Preparing..Stage::Running).contains(&stage) => {
                self.finish_agents_within(CLOSING);
            }
            stage if stage < Stage::Running => self.collect(),
            _ => {}
        }
    }

    pub(super) fn finish_agents(&mut self) {
        self.finish_agents_within(self.plan.deadlines.finish);
    }

    /// Has agents flush and close within less than `deadlines.finish`, where nothing was measured or nobody
    /// wants to wait.
    fn finish_agents_within(&mut self, within: Duration) {
        let within = within.min(self.plan.deadlines.finish);
        self.enter(Stage::Finishing, within + LAST_WORDS);
        self.send_all(&ToAgent::Finish { within_ms: micros(within) / 1_000 });
    }

    /// How long that may take until the last agent has said that it did.
    pub(super) fn finish_limit(&self) -> Duration {
        self.plan.deadlines.finish + LAST_WORDS
    }

    /// What agents are told when all is flushed and read.
    pub(super) fn finish_order(&self) -> ToAgent {
        ToAgent::Finish { within_ms: micros(self.plan.deadlines.finish) / 1_000 }
    }

    pub(super) fn on_finished(&mut self, agent: usize, client_queue: u64) {
        if let Some(why) = self.agents[agent].heir_of.clone() {
            return self.on_gone(agent, why);
        }
        self.agents[agent].finished = Some(client_queue);
        let merged = self.collector.agent_finished(AgentIndex(agent));
        self.store(merged);
    }

    pub(super) fn while_finishing(&mut self) {
        let waiting = self.living().into_iter().any(|agent| self.agents[agent].finished.is_none());
        if waiting && !self.is_late() {
            return;
        }
        // Whoever has asked twice, or ended it before the load, knows that something is cut short.
        if waiting && self.stops < 2 && self.start_clock_us.is_some() {
            self.troubles.push(Trouble::Deadline {
                step: self.stage_name().to_owned(),
                progress: format!("still waiting for {}", self.waiting_for()),
                within_us: micros(self.plan.deadlines.finish),
            });
        }
        self.collect();
    }

    fn collect(&mut self) {
        if self.stops >= 2 {
            // Nobody waits for logs any more.
            return self.enter(Stage::Collecting, Duration::ZERO);
        }
        self.enter(Stage::Collecting, self.plan.deadlines.collect);
        for agent in self.living() {
            if self.agents[agent].connected {
                self.send(agent, ToAgent::SendLog { limit_bytes: LOG_LIMIT_BYTES as u64 });
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
        if self.stops >= 2 {
            self.kill_unfinished();
        }
        self.delete();
    }

    /// Judges the case. Results are safe before anything is torn down.
    fn judge(&mut self) {
        let merged = self.collector.flush();
        self.store(merged);
        let collector = std::mem::replace(&mut self.collector, Collector::new(&self.plan));
        let measured = collector.conclude(&self.log);
        let totals = Totals::of(&measured.whole);
        let judgement = verdict::judge(&self.plan, measured, &self.facts());
        self.effects.push(Effect::Judged(Box::new(Judged { judgement, totals })));
    }

    pub(super) fn while_exiting(&mut self) {
        let late = self.now_us >= self.deadline_us;
        if self.linked && !self.living().is_empty() && !late {
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

    /// Somebody asked twice: agents have a moment to close their clients, so that they leave their groups and
    /// hand in what they have measured; those that do not manage are killed. Logs and groups are not waited for.
    pub(super) fn hurry(&mut self) {
        let soon_us = self.now_us + micros(CLOSING);
        match self.stage {
            stage if stage < Stage::Finishing => {
                self.send_all(&ToAgent::StopLoad);
                self.load_stopped_us.get_or_insert(
                    self.start_clock_us.map_or(0, |start| self.now_us.saturating_sub(start)),
                );
                self.finish_agents_within(CLOSING);
            }
            Stage::Finishing => self.deadline_us = self.deadline_us.min(soon_us),
            Stage::Collecting => self.deadline_us = self.now_us,
            Stage::Deleting => self.hurry_deletion(),
            _ => {}
        }
    }

    /// Kills agents that have not closed, but for the one that deletes topics.
    fn kill_unfinished(&mut self) {
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

    pub(super) fn on_left_behind(&mut self, left: Vec<(String, String)>) {
        for (what, cause) in left {
            self.emit(RunEvent::LeftBehind { what, cause });
        }
    }

    /// An agent that is gone answers no more.
    pub(super) fn forget_questions_of(&mut self, agent: usize) {
        self.questions.retain(|_, (asked, _)| *asked != agent);
        self.asked.retain(|_, asked| match asked {
            Asked::Cluster(asked) | Asked::Clock(asked) => *asked != agent,
            _ => true,
        });
    }

    fn facts(&self) -> CaseFacts {
        let agents = self.agents.iter().enumerate().map(|(at, agent)| AgentFacts {
            host: agent.host.clone(),
            start_late_us: agent.start_late_us,
            clock_error_us: self.clock_error_of(at),
            client_queue: agent.finished,
            lost: agent.gone.clone(),
            handover: self.handovers.iter().find(|handover| handover.lost == at).cloned(),
        });
        let brokers = self.cluster.brokers.iter();
        CaseFacts {
            run_id: self.context.run_id.clone(),
            started_at: self.started_at.clone(),
            ended_at: crate::clock::rfc3339(self.wall),
            load_started_at: self.load_started_at.map(crate::clock::rfc3339),
            drained_at_us: self.drained_at_us,
            interrupted_by: self
                .interrupted_by
                .filter(|_| !self.ends_in_order())
                .map(str::to_owned),
            early_stop: self.early_stop(),
            troubles: self.troubles.clone(),
            cuts: self.cuts.clone(),
            agents: agents.collect(),
            log: self.log.clone(),
            loads: self.context.loads.clone(),
            clock_error_us: self.clock_error_us(),
            versions: self.versions(),
            brokers: brokers.map(|(id, address)| (id.to_string(), address.clone())).collect(),
            client_properties: self.client_properties(),
            clients_in_effect: self.clients.clone(),
        }
    }

    /// How the load was ended in order before its planned end, if it was.
    fn early_stop(&self) -> Option<EarlyStop> {
        let planned_us = self.plan.timeline.load_end_us();
        let by = self.interrupted_by.filter(|_| self.ends_in_order())?.to_owned();
        let at_us = self.load_stopped_us.filter(|at_us| *at_us < planned_us)?;
        Some(EarlyStop { by, at_us, planned_us })
    }

    fn versions(&self) -> BTreeMap<String, String> {
        let librdkafka =
            self.agents.iter().find_map(|agent| agent.host.as_ref()).map(|h| &h.librdkafka);
        let mut versions = BTreeMap::from([
            ("mallard".to_owned(), mallard_protocol::BUILD_ID.to_owned()),
            ("protocol".to_owned(), mallard_protocol::PROTOCOL_VERSION.to_string()),
        ]);
        if let Some(librdkafka) = librdkafka {
            versions.insert("librdkafka".to_owned(), librdkafka.clone());
        }
        if matches!(self.plan.kafka, KafkaPlan::Embedded { .. }) {
            versions.insert("kafka".to_owned(), "embedded (librdkafka's mock cluster)".to_owned());
        }
        versions
    }

    /// What each workload's clients are given, by the workload's name. Secrets are masked.
    fn client_properties(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        let producers = self.plan.agents.iter().flat_map(|agent| &agent.producers);
        let consumers = self.plan.agents.iter().flat_map(|agent| &agent.consumers);
        let clients = producers
            .map(|producer| (&producer.name, &producer.client))
            .chain(consumers.map(|consumer| (&consumer.name, &consumer.client)));
        // In containers and outside, they differ in addresses alone.
        let connection = self.connection(0);
        let properties = clients.map(|(name, client)| {
            let all = connection.iter().chain(client);
            let shown = all.map(|(key, value)| {
                let hidden = is_secret_key(key);
                (key.clone(), if hidden { "***".to_owned() } else { value.clone() })
            });
            (workload_of(name).to_owned(), shown.collect())
        });
        properties.collect()
    }
}
