//! What the run has made on the brokers is deleted: in the end, or by an agent that nobody came back to.

use super::case::{Asked, Case, Stage, micros};
use crate::{plan::AgentIndex, scenario::cluster::KafkaPlan};
use mallard_protocol::{
    message::{Question, ToAgent},
    workload::Membership,
};
use std::{collections::BTreeSet, time::Duration};

/// How long deleting topics may take when somebody asked twice to stop.
pub(super) const HURRIED_DELETE: Duration = Duration::from_secs(4);

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

    pub(super) fn delete(&mut self) {
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
            connection: self.connection(admin),
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
            let left =
                self.created_topics().into_iter().map(|t| (format!("topic {t}"), cause.clone()));
            self.on_left_behind(left.collect());
        }
        self.enter(Stage::Exiting, Duration::from_secs(3));
        self.send_all(&ToAgent::Exit { keep_folder: false });
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
