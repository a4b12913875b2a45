//! What agents are asked, what that is for, and what is not answered yet.

use crate::plan::AgentIndex;
use mallard_protocol::message::Question;
use std::collections::{BTreeMap, BTreeSet};

/// What a question was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Broker,
    Cluster(AgentIndex),
    CreateTopics,
    DescribeTopics,
    /// The leader of a partition, for a fault by its place in the plan.
    Leader(usize),
    StartOffsets,
    EndOffsets,
    LastOffsets,
    /// Topics.
    Delete,
    /// Consumer groups.
    DeleteGroups,
    /// An agent's clock.
    Clock(AgentIndex),
}

/// A question without an answer.
#[derive(Debug)]
struct Open {
    asked: Asked,
    /// Whom, and what: asked again over the next channel. None for a clock, which is probed anew, and once the
    /// agent is gone.
    again: Option<(AgentIndex, Question)>,
}

/// Questions that are not answered yet, by number.
#[derive(Debug, Default)]
pub(super) struct Questions {
    last: u32,
    open: BTreeMap<u32, Open>,
}

impl Questions {
    /// Notes a question that is asked until it is answered. Returns its number.
    pub(super) fn ask(&mut self, agent: AgentIndex, asked: Asked, question: Question) -> u32 {
        self.note(Open { asked, again: Some((agent, question)) })
    }

    /// Notes a question after an agent's clock, which is asked once.
    pub(super) fn probe(&mut self, agent: AgentIndex) -> u32 {
        self.note(Open { asked: Asked::Clock(agent), again: None })
    }

    fn note(&mut self, open: Open) -> u32 {
        self.last += 1;
        self.open.insert(self.last, open);
        self.last
    }

    /// Takes an answer: what it was asked for, if that is not answered yet.
    pub(super) fn answered(&mut self, request: u32) -> Option<Asked> {
        Some(self.open.remove(&request)?.asked)
    }

    /// Whether an answer is still waited for.
    pub(super) fn is_asking(&self, what: impl Fn(Asked) -> bool) -> bool {
        self.open.values().any(|open| what(open.asked))
    }

    /// Agents that owe an answer to a question of some kind.
    pub(super) fn asked_agents(&self, kind: impl Fn(Asked) -> bool) -> BTreeSet<AgentIndex> {
        let of_kind = self.open.values().filter(|open| kind(open.asked));
        of_kind.filter_map(|open| Some(open.again.as_ref()?.0)).collect()
    }

    /// What an agent is to be asked again, with the numbers.
    pub(super) fn again(&self, agent: AgentIndex) -> Vec<(u32, Question)> {
        let open = self.open.iter().filter_map(|(request, open)| {
            let (asked, question) = open.again.as_ref()?;
            (*asked == agent).then(|| (*request, question.clone()))
        });
        open.collect()
    }

    /// An agent that is gone answers no more. What it alone could answer is not waited for; all else is, until
    /// its stage is late.
    pub(super) fn forget(&mut self, agent: AgentIndex) {
        self.open.retain(|_, open| match open.asked {
            Asked::Cluster(asked) | Asked::Clock(asked) => asked != agent,
            _ => true,
        });
        for open in self.open.values_mut() {
            open.again.take_if(|(asked, _)| *asked == agent);
        }
    }
}
