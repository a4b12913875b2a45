//! What the run has made on the brokers is deleted: in the end, or by an agent that nobody came back to.

use super::{case::Case, questions::Asked, stage_id::StageId};
use crate::{
    clock::micros,
    plan::{AgentIndex, workload::workload_of},
    scenario::cluster::KafkaPlan,
};
use mallard_protocol::{
    message::{Question, ToAgent},
    workload::{ConsumerSpec, Membership},
};
use std::{collections::BTreeSet, time::Duration};

/// How long deleting topics may take when somebody asked twice to stop. It takes a fraction of a second where
/// brokers answer.
const HURRIED_DELETE: Duration = Duration::from_secs(10);

/// How long deleting groups may take then. Members that are joining cannot leave before the brokers answer them,
/// which takes `group.initial.rebalance.delay.ms`, 3 s by default.
const HURRIED_GROUPS: Duration = Duration::from_secs(5);

/// A member's session where nobody has set it, on the clients' side or, with `group.protocol: consumer`, on the
/// brokers'.
const SESSION: Duration = Duration::from_secs(45);

/// How long an answer may take beyond the time that the question allows.
const ANSWERING: Duration = Duration::from_secs(1);

/// How long brokers may take to notice that a session is over.
const NOTICING: Duration = Duration::from_secs(3);

impl Case {
    /// Tells an agent what to delete if this controller dies and nobody takes the run over. Brokers of the
    /// run's own go as they are.
    pub(super) fn entrust(&mut self, agent: AgentIndex) {
        let is_external = matches!(self.plan.kafka, KafkaPlan::External { .. });
        let topics = self.created_topics();
        if !is_external || self.context.keep || topics.is_empty() {
            return;
        }
        self.trustee = Some(agent);
        let (connection, groups) = (self.connection(agent), self.created_groups());
        self.send(agent, ToAgent::TidyUp { connection, topics, groups });
    }

    /// Another agent is told, if the one that was is lost.
    pub(super) fn entrust_another(&mut self, lost: AgentIndex) {
        if let (true, Some(next)) = (self.trustee == Some(lost), self.admin()) {
            self.entrust(next);
        }
    }

    /// Has topics and groups deleted, each by a question of its own: a group that still has members must not
    /// keep topics.
    pub(super) fn delete(&mut self) {
        let teardown = self.plan.deadlines.teardown;
        let dead = self.session_left();
        let (of_topics, of_groups) = match self.stops {
            0 | 1 => (teardown, dead.map_or(teardown, |left| teardown.max(left + NOTICING))),
            _ => (HURRIED_DELETE, HURRIED_GROUPS),
        };
        let groups = self.created_groups();
        let longest = if groups.is_empty() { of_topics } else { of_topics.max(of_groups) };
        self.enter(StageId::Deleting, longest + ANSWERING);
        let embedded = matches!(self.plan.kafka, KafkaPlan::Embedded { .. });
        if !self.topics_made || self.context.keep || embedded {
            return;
        }
        let Some(admin) = self.admin() else {
            let cause = "no agent is left that could delete it".to_owned();
            return self.on_left_behind(self.not_deleted(true, true, &cause));
        };
        self.step("deleting topics".to_owned());
        self.tell_of_waiting(dead.filter(|_| of_groups > teardown), &groups);
        let topics = self.created_topics();
        let mut ask = |asked, topics: Vec<String>, groups: Vec<String>, within: Duration| {
            if !(topics.is_empty() && groups.is_empty()) {
                let (connection, within_ms) = (self.connection(admin), micros(within) / 1_000);
                self.ask(admin, asked, Question::Delete { connection, topics, groups, within_ms });
            }
        };
        ask(Asked::Delete, topics, Vec::new(), of_topics);
        ask(Asked::DeleteGroups, Vec::new(), groups, of_groups);
    }

    /// Says how long the deletion of groups waits for members that ended without leaving. Nobody can make a
    /// member of another client leave: brokers remove it when its session is over.
    fn tell_of_waiting(&mut self, left: Option<Duration>, groups: &[String]) {
        if let Some(left) = left.filter(|_| !groups.is_empty()) {
            let text = format!(
                "waiting up to {} s for brokers to remove lost members from consumer group{} {} \
                 (`session.timeout.ms`); Ctrl-C leaves that to `mallard clean`",
                (left + NOTICING).as_secs(),
                if groups.len() == 1 { "" } else { "s" },
                groups.join(", ")
            );
            self.step(text);
        }
    }

    /// How long sessions of members go on that ended without leaving their groups; `None` if all have left.
    fn session_left(&self) -> Option<Duration> {
        let lost = self.agents.iter().zip(&self.plan.agents);
        let ends = lost.filter_map(|(agent, plan)| {
            let gone_us = agent.gone_us.filter(|_| agent.finished.is_none())?;
            let in_groups = |spec: &&ConsumerSpec| matches!(spec.membership, Membership::Group(_));
            let sessions = plan.consumers.iter().filter(in_groups).map(|spec| self.session(spec));
            Some(gone_us + micros(sessions.max()?))
        });
        let left_us = ends.max()?.checked_sub(self.now_us)?;
        Some(Duration::from_micros(left_us))
    }

    /// A consumer's session, as its client has it.
    fn session(&self, spec: &ConsumerSpec) -> Duration {
        let client = self.clients.get(workload_of(&spec.name));
        let ms = client.and_then(|client| client.get("session.timeout.ms")?.parse().ok());
        ms.map_or(SESSION, Duration::from_millis)
    }

    /// Topics must go; groups may be left.
    pub(super) fn hurry_deletion(&mut self) {
        let topics = self.is_asking(|asked| asked == Asked::Delete);
        let within = if topics { HURRIED_DELETE } else { HURRIED_GROUPS };
        self.deadline_us = self.deadline_us.min(self.now_us + micros(within));
    }

    pub(super) fn while_deleting(&mut self) {
        let topics = self.is_asking(|asked| asked == Asked::Delete);
        let groups = self.is_asking(|asked| asked == Asked::DeleteGroups);
        if (topics || groups) && self.now_us < self.deadline_us {
            return;
        }
        let cause = "the broker did not do it in time; `mallard clean` does it later";
        self.on_left_behind(self.not_deleted(topics, groups, cause));
        self.enter(StageId::Exiting, Duration::from_secs(3));
        self.send_all(&ToAgent::Exit { keep_folder: false });
    }

    /// What is still there, with the cause.
    fn not_deleted(&self, topics: bool, groups: bool, cause: &str) -> Vec<(String, String)> {
        let topics = self.created_topics().into_iter().filter(|_| topics);
        let groups = self.created_groups().into_iter().filter(|_| groups);
        let names = topics.map(|name| format!("topic {name}"));
        let names = names.chain(groups.map(|name| format!("consumer group {name}")));
        names.map(|what| (what, cause.to_owned())).collect()
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
                Membership::Group(group) if group.contains(&self.context.run_id) => {
                    Some(group.clone())
                }
                _ => None,
            })
            .collect();
        groups.into_iter().collect()
    }
}
