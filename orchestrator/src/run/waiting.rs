//! What a case is about and what it waits for, in words: results name who was waited for.

use super::{case::Case, questions::Asked, stage_id::StageId};
use crate::{
    clock::micros,
    plan::AgentIndex,
    scenario::cluster::{HostPlan, KafkaPlan},
};
use mallard_protocol::ids::TopicId;
use std::collections::BTreeSet;

impl Case {
    /// What the present stage waits for, in words.
    pub(super) fn waiting_for(&self) -> String {
        let agents = |still: &dyn Fn(usize) -> bool| {
            self.names_of((0..self.agents.len()).filter(|agent| still(*agent)))
        };
        let partitions = |missing: Vec<(String, TopicId, i32)>| {
            let few = missing.iter().take(5).map(|(consumer, topic, partition)| {
                format!("{}/{partition} at {consumer}", self.plan.topics[topic.index()].alias)
            });
            let more = missing.len().saturating_sub(5);
            let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("{}{tail}", few.collect::<Vec<_>>().join(", "))
        };
        match self.stage {
            StageId::Raising => {
                let step = self.raising.as_deref().unwrap_or("reaching the engine");
                format!("the containers {} to start; the last step was: {step}", self.containers())
            }
            StageId::Connecting => {
                format!("a hello from {}", agents(&|a| self.agents[a].host.is_none()))
            }
            StageId::StartingBroker => {
                let asked = self.names_of(self.asked_agents(|asked| asked == Asked::Broker));
                format!("the embedded broker to start in {asked}")
            }
            StageId::Reaching => {
                let mut agents = self.asked_agents(|asked| matches!(asked, Asked::Cluster(_)));
                agents.extend(self.ask_again_us.keys());
                format!("the brokers to answer {}", self.names_of(agents))
            }
            StageId::Topics => {
                let asked = self.asked_agents(|asked| {
                    matches!(asked, Asked::CreateTopics | Asked::DescribeTopics)
                });
                format!("the topics to be ready, by the word of {}", self.names_of(asked))
            }
            StageId::Preparing => format!("clients of {}", agents(&|a| !self.agents[a].prepared)),
            StageId::Joining | StageId::Fetching => match self.unassigned() {
                missing if !missing.is_empty() => {
                    format!("an assignment of {}", partitions(missing))
                }
                _ => match self.unsettled() {
                    unsettled if !unsettled.is_empty() => unsettled.join(", and "),
                    _ => format!("the leader to answer a fetch of {}", partitions(self.unread())),
                },
            },
            StageId::StartOffsets | StageId::EndOffsets | StageId::LastOffsets => {
                self.offsets_and_clocks()
            }
            StageId::Flushing => format!("{} to flush", agents(&|a| self.has_to_flush(a))),
            StageId::Finishing => format!(
                "{} to flush and close",
                agents(&|a| self.agents[a].finished.is_none() && self.agents[a].gone.is_none())
            ),
            _ => format!("{} to end", self.stage_name()),
        }
    }

    /// What of end offsets and clocks is not there, and whose.
    fn offsets_and_clocks(&self) -> String {
        let readers = self.asked_agents(|asked| {
            matches!(asked, Asked::StartOffsets | Asked::EndOffsets | Asked::LastOffsets)
        });
        let mut unknown = self.living();
        unknown.retain(|agent| {
            let clock = self.clock_of(*agent);
            clock.is_some_and(|clock| !self.clocks.are_known([clock.as_str()]))
        });
        let mut missing = Vec::new();
        if !readers.is_empty() {
            missing.push(format!("end offsets, which {} reads", self.names_of(readers)));
        }
        if !unknown.is_empty() {
            missing.push(format!("enough probes of the clocks of {}", self.names_of(unknown)));
        }
        missing.join(", and ")
    }

    /// Agents that owe an answer to a question of some kind.
    fn asked_agents(&self, kind: impl Fn(Asked) -> bool) -> BTreeSet<AgentIndex> {
        let open = self.questions.iter();
        let of_kind =
            open.filter(|(request, _)| self.asked.get(*request).is_some_and(|asked| kind(*asked)));
        of_kind.map(|(_, (agent, _))| *agent).collect()
    }

    /// The names of the containers that the case needs.
    fn containers(&self) -> String {
        let agents = self.plan.agents.iter();
        let hosts = agents.filter(|agent| matches!(agent.host, HostPlan::Container(_)));
        let mut names: BTreeSet<String> = hosts.map(|agent| agent.host_name.clone()).collect();
        if let KafkaPlan::Containers(kafka) = &self.plan.kafka {
            names.extend((1..=kafka.brokers).map(|broker| format!("broker-{broker}")));
        }
        names.into_iter().collect::<Vec<_>>().join(", ")
    }

    /// The present stage, in words.
    pub(super) fn stage_name(&self) -> &'static str {
        match self.stage {
            StageId::Raising => "starting containers",
            StageId::Connecting => "starting agents",
            StageId::StartingBroker => "starting the embedded broker",
            StageId::Reaching => "reaching the brokers",
            StageId::Topics => "setting up topics",
            StageId::Preparing => "creating clients",
            StageId::Joining => "waiting for consumers to be assigned",
            StageId::Fetching => "waiting for consumers to read their partitions",
            StageId::StartOffsets => "reading end offsets before the load",
            StageId::Running => "the load",
            StageId::Draining => "the drain",
            StageId::Flushing => "flushing producers",
            StageId::EndOffsets | StageId::LastOffsets => "reading offsets after the load",
            StageId::ReadingOn => "reading on to the ends of the logs",
            StageId::Finishing => "flushing and closing clients",
            StageId::Collecting => "collecting logs",
            StageId::Deleting => "deleting topics",
            StageId::Exiting | StageId::Done => "ending agents",
        }
    }

    /// How long the present stage may take, in microseconds.
    pub(super) fn stage_limit_us(&self) -> u64 {
        let limits = self.plan.deadlines;
        micros(match self.stage {
            StageId::Raising => limits.containers,
            StageId::Connecting => limits.connect,
            StageId::Reaching => self.reach_within(),
            StageId::StartingBroker | StageId::Topics => limits.topics,
            _ => limits.ready,
        })
    }
}
