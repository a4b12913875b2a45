//! Questions to agents, and what follows from the answers.

use super::{case::Case, questions::Asked, stage_id::StageId};
use crate::{
    model::events::RunEvent,
    plan::{AgentIndex, workload::CLEANUP_POLICY},
    verdict::Trouble,
};
use mallard_protocol::message::{AgentFailure, Answer, FailureKind, Question, ToAgent, TopicFacts};

impl Case {
    pub(super) fn on_answer(
        &mut self,
        agent: AgentIndex,
        request: u32,
        result: Result<Answer, AgentFailure>,
    ) {
        self.questions.remove(&request);
        let Some(asked) = self.asked.remove(&request) else { return };
        match result {
            Ok(Answer::Clock { received_us, sent_us }) => {
                let read = (received_us, sent_us);
                if let Some(clock) = self.clock_of(agent).filter(|_| asked == Asked::Clock(agent)) {
                    self.clocks.answered(&clock, request, read, self.now_us);
                }
            }
            Ok(answer) => self.on_answered(agent, asked, answer),
            Err(failure) => self.on_refused(agent, asked, failure),
        }
    }

    /// Asks an agent something.
    pub(super) fn ask(&mut self, agent: AgentIndex, asked: Asked, question: Question) {
        let request = self.next_request;
        self.next_request += 1;
        self.asked.insert(request, asked);
        self.questions.insert(request, (agent, question.clone()));
        self.send(agent, ToAgent::Ask { request, question });
    }

    /// Whether an answer is still waited for.
    pub(super) fn is_asking(&self, what: impl Fn(Asked) -> bool) -> bool {
        self.asked.values().any(|asked| what(*asked))
    }

    pub(super) fn on_answered(&mut self, agent: AgentIndex, asked: Asked, answer: Answer) {
        match (asked, answer) {
            // An answer that comes when the end has begun is too late.
            (Asked::Broker, Answer::Bootstrap(_)) if self.stage != StageId::StartingBroker => {}
            (Asked::Broker, Answer::Bootstrap(bootstrap)) => {
                let connection = vec![("bootstrap.servers".to_owned(), bootstrap)];
                self.reach(vec![connection; self.agents.len()]);
            }
            (Asked::Cluster(agent), Answer::Cluster(facts)) => self.on_cluster(agent, facts),
            (Asked::CreateTopics | Asked::DescribeTopics, Answer::Topics(facts)) => {
                self.learn_topics(&facts);
                self.after_topics();
            }
            (Asked::StartOffsets, Answer::EndOffsets(offsets)) => {
                self.collector.start_offsets(&offsets);
                self.start_offsets = offsets;
            }
            (Asked::EndOffsets | Asked::LastOffsets, Answer::Offsets(log)) => {
                self.on_offsets(agent, log);
            }
            (Asked::Delete | Asked::DeleteGroups, Answer::Deleted(left)) => {
                self.on_left_behind(left);
            }
            (asked, answer) => {
                let text = format!("an agent answered {asked:?} with {answer:?}");
                self.fail(Trouble::Harness { text });
            }
        }
    }

    pub(super) fn on_refused(&mut self, agent: AgentIndex, asked: Asked, failure: AgentFailure) {
        let name = self.plan.agents[agent].name.clone();
        match asked {
            Asked::Delete => self.on_left_behind(vec![("topics".into(), failure.text)]),
            Asked::DeleteGroups => {
                self.on_left_behind(vec![("consumer groups".into(), failure.text)]);
            }
            // Another probe follows.
            Asked::Clock(_) => {}
            // Without them no loss can be shown, and the verdict says so.
            Asked::StartOffsets | Asked::EndOffsets | Asked::LastOffsets => {
                self.emit(crate::model::events::RunEvent::Note {
                    level: "warning".to_owned(),
                    source: name,
                    text: format!("offsets could not be read: {}", failure.text),
                })
            }
            _ => {
                let trouble = self.trouble_of(agent, failure);
                self.fail(trouble);
            }
        }
    }

    /// What an agent's failure means for the case.
    pub(super) fn trouble_of(&self, agent: AgentIndex, failure: AgentFailure) -> Trouble {
        let agent = self.plan.agents[agent].name.clone();
        match failure.kind {
            FailureKind::Unreachable => {
                Trouble::BrokerUnreachable { text: format!("{agent}: {}", failure.text) }
            }
            FailureKind::Topic => Trouble::Topic { text: failure.text },
            FailureKind::TopicDiffers => Trouble::TopicConfiguration { text: failure.text },
            _ => Trouble::Agent { agent, failure },
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
}
