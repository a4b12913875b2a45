//! Answers to questions, and what follows from them.

use super::{case::Case, questions::Asked, shared::Shared, stage_id::StageId};
use crate::{
    model::events::{Level, RunEvent},
    plan::{AgentIndex, workload::CLEANUP_POLICY},
    verdict::RunError,
};
use mallard_protocol::message::{AgentFailure, Answer, FailureKind, TopicFacts};

impl Case {
    pub(super) fn on_answer(
        &mut self,
        agent: AgentIndex,
        request: u32,
        result: Result<Answer, AgentFailure>,
    ) {
        let case = &mut self.shared;
        let Some(asked) = case.questions.answered(request) else { return };
        match result {
            Ok(Answer::Clock { received_us, sent_us }) => {
                let read = (received_us, sent_us);
                if let Some(clock) = case.clock_of(agent).filter(|_| asked == Asked::Clock(agent)) {
                    case.clocks.answered(&clock, request, read, case.now_us);
                }
            }
            Ok(answer) => match case.learn(agent, asked, answer) {
                Ok(()) => {
                    let next = self.stage.answered(&mut self.shared, asked);
                    self.go_on(next);
                }
                Err(error) => self.fail(error),
            },
            Err(failure) => {
                if let Err(error) = case.on_refused(agent, asked, failure) {
                    self.fail(error);
                }
            }
        }
    }
}

impl Shared {
    /// Takes an answer in. It is a run error if it does not fit its question.
    fn learn(&mut self, agent: AgentIndex, asked: Asked, answer: Answer) -> Result<(), RunError> {
        match (asked, answer) {
            // An answer that comes when the end has begun is too late.
            (Asked::Broker, Answer::Bootstrap(_))
                if self.timing.stage != StageId::StartingBroker => {}
            (Asked::Broker, Answer::Bootstrap(bootstrap)) => {
                let connection = vec![("bootstrap.servers".to_owned(), bootstrap)];
                self.connections = vec![connection; self.agents.len()];
            }
            (Asked::Cluster(_), Answer::Cluster(facts)) => self.cluster = facts,
            (Asked::CreateTopics | Asked::DescribeTopics, Answer::Topics(facts)) => {
                self.learn_topics(&facts);
            }
            (Asked::Leader(fault), Answer::Topics(facts)) => self.learn_leader(fault, &facts),
            (Asked::StartOffsets, Answer::EndOffsets(offsets)) => {
                self.collector.start_offsets(&offsets);
                self.start_offsets = offsets;
            }
            (Asked::EndOffsets | Asked::LastOffsets, Answer::Offsets(log)) => {
                self.on_offsets(agent, log);
            }
            (Asked::Delete | Asked::DeleteGroups, Answer::Deleted(left)) => self.report_left(left),
            (asked, answer) => {
                let text = format!("an agent answered {asked:?} with {answer:?}");
                return Err(RunError::Harness { text });
            }
        }
        Ok(())
    }

    /// Takes in that an agent could not do what it was asked. It is a run error if the case cannot do without.
    fn on_refused(
        &mut self,
        agent: AgentIndex,
        asked: Asked,
        failure: AgentFailure,
    ) -> Result<(), RunError> {
        match asked {
            Asked::Delete => self.report_left(vec![("topics".into(), failure.text)]),
            Asked::DeleteGroups => {
                self.report_left(vec![("consumer groups".into(), failure.text)]);
            }
            Asked::Leader(fault) => {
                let cause = format!("its leader could not be asked for: {}", failure.text);
                self.put_off(fault, &cause);
            }
            // Another probe follows.
            Asked::Clock(_) => {}
            // Without them no loss can be shown, and the verdict says so.
            Asked::StartOffsets | Asked::EndOffsets | Asked::LastOffsets => {
                self.emit(RunEvent::Note {
                    level: Level::Warning,
                    source: self.plan.agents[agent].name.clone(),
                    text: format!("offsets could not be read: {}", failure.text),
                });
            }
            _ => return Err(self.run_error_of(agent, failure)),
        }
        Ok(())
    }

    /// What an agent's failure means for the case.
    pub(super) fn run_error_of(&self, agent: AgentIndex, failure: AgentFailure) -> RunError {
        let agent = self.plan.agents[agent].name.clone();
        match failure.kind {
            FailureKind::Unreachable => {
                RunError::BrokerUnreachable { text: format!("{agent}: {}", failure.text) }
            }
            FailureKind::Topic => RunError::Topic { text: failure.text },
            FailureKind::TopicDiffers => RunError::TopicConfiguration { text: failure.text },
            _ => RunError::Agent { agent, failure },
        }
    }

    /// Takes over what the broker says of topics: partitions of existing ones.
    fn learn_topics(&mut self, facts: &[TopicFacts]) {
        for fact in facts {
            let Some(topic) = self.plan.topics.iter_mut().find(|t| t.name == fact.name) else {
                continue;
            };
            if topic.existing {
                topic.partitions = i32::try_from(fact.partitions.len()).unwrap_or(i32::MAX);
            }
            // Whether compaction removes records decides what a missing one is.
            let policy = fact.config.iter().find(|(key, _)| key == CLEANUP_POLICY);
            let is_set = topic.config.iter().any(|(key, _)| key == CLEANUP_POLICY);
            let compacts = policy.filter(|(_, value)| !is_set && value.contains("compact"));
            topic.config.extend(compacts.cloned());
        }
    }
}
