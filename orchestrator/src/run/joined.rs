//! Whether consumers have what they are to have, and read it: what the load waits for.
//!
//! Nothing is sent to find out. Members tell what they were assigned, the assignor's rule says how much
//! that is in the end, and a consumer tells which leaders have answered its fetches.

use super::shared::Shared;
use crate::plan::{assignor::Assignor, workload::workload_of};
use mallard_protocol::{
    ids::{InstanceId, TopicId},
    workload::{ConsumerSpec, Membership},
};
use std::collections::{BTreeMap, BTreeSet};

/// A partition that a consumer, by the scenario's name for it, does not have or read yet.
type Missing = (String, TopicId, i32);

/// Partitions that consumers have, and those whose leaders have answered them, as they tell.
#[derive(Debug, Default)]
pub(super) struct Joined {
    assigned: BTreeMap<InstanceId, BTreeSet<(TopicId, i32)>>,
    reading: BTreeMap<InstanceId, BTreeSet<(TopicId, i32)>>,
}

/// Members of one group, or a consumer without one.
struct Readers<'a> {
    members: Vec<&'a ConsumerSpec>,
    /// All partitions of their topics, or those that are assigned by hand.
    wanted: BTreeSet<(TopicId, i32)>,
}

/// The consumers of a case.
pub(super) fn consumers(case: &Shared) -> impl Iterator<Item = &ConsumerSpec> {
    case.plan.agents.iter().flat_map(|agent| &agent.consumers)
}

impl Joined {
    /// A consumer has these partitions now.
    pub(super) fn assign(&mut self, consumer: InstanceId, partitions: Vec<(TopicId, i32)>) {
        self.assigned.insert(consumer, partitions.into_iter().collect());
    }

    /// The leaders of these partitions have answered a consumer.
    pub(super) fn read(&mut self, consumer: InstanceId, partitions: Vec<(TopicId, i32)>) {
        self.reading.insert(consumer, partitions.into_iter().collect());
    }

    /// What is waited for, in words.
    pub(super) fn waiting_for(&self, case: &Shared) -> String {
        match self.unassigned(case) {
            missing if !missing.is_empty() => {
                format!("an assignment of {}", some_of(case, &missing))
            }
            _ => match self.unsettled(case) {
                unsettled if !unsettled.is_empty() => unsettled.join(", and "),
                _ => {
                    format!("the leader to answer a fetch of {}", some_of(case, &self.unread(case)))
                }
            },
        }
    }

    /// Whether every consumer has its partitions for good.
    pub(super) fn has_joined(&self, case: &Shared) -> bool {
        self.unassigned(case).is_empty() && self.unsettled(case).is_empty()
    }

    /// Partitions that nobody of those has who are to have them.
    fn unassigned(&self, case: &Shared) -> Vec<Missing> {
        let mut missing = Vec::new();
        for Readers { members, wanted } in readers(case) {
            let told = members.iter().filter_map(|member| self.assigned.get(&member.instance));
            let have: BTreeSet<_> = told.flatten().collect();
            let name = members.first().map_or("", |member| workload_of(&member.name));
            let lacking = wanted.iter().filter(|place| !have.contains(place));
            missing.extend(lacking.map(|(t, p)| (name.to_owned(), *t, *p)));
        }
        missing
    }

    /// What groups still wait for whose partitions are all somebody's, in words. Until each member has what
    /// the assignor gives it the group is about to rebalance, and the load must not start into that.
    fn unsettled(&self, case: &Shared) -> Vec<String> {
        readers(case).filter_map(|readers| self.unsettled_in(case, &readers.members)).collect()
    }

    fn unsettled_in(&self, case: &Shared, members: &[&ConsumerSpec]) -> Option<String> {
        let first = members.first()?;
        if matches!(first.membership, Membership::Assigned(_)) {
            return None;
        }
        let assignor = assignor_of(case, first);
        let unheard: Vec<_> = members
            .iter()
            .filter(|member| {
                assignor.tells_of_nothing && !self.assigned.contains_key(&member.instance)
            })
            .map(|member| member.name.as_str())
            .collect();
        if !unheard.is_empty() {
            return Some(format!("a first assignment of {}", unheard.join(", ")));
        }
        // Who gets how much is only foreseen where all members read the same.
        if members.iter().any(|member| member.topics != first.topics) {
            return None;
        }
        let none = BTreeSet::new();
        let have: Vec<_> =
            members.iter().map(|m| self.assigned.get(&m.instance).unwrap_or(&none)).collect();
        let topics: Vec<_> =
            first.topics.iter().map(|topic| (*topic, partitions_of(case, *topic).len())).collect();
        if assignor.is_dealt(&topics, &have) {
            return None;
        }
        let counts =
            |counts: &[usize]| counts.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
        let partitions: Vec<_> = topics.iter().map(|(_, partitions)| *partitions).collect();
        let have: Vec<_> = have.into_iter().map(BTreeSet::len).collect();
        let wanted = assignor.shares(&partitions, members.len()).unwrap_or_default();
        let name = workload_of(&first.name);
        Some(format!(
            "the members of {name} to have {} partitions each, in some order; they have {}",
            counts(&wanted),
            counts(&have)
        ))
    }

    /// Partitions whose leaders have not answered the consumers that have them.
    pub(super) fn unread(&self, case: &Shared) -> Vec<Missing> {
        let mut unread = Vec::new();
        for consumer in consumers(case) {
            let Some(assigned) = self.assigned.get(&consumer.instance) else { continue };
            let read = self.reading.get(&consumer.instance);
            let lacking =
                assigned.iter().filter(|place| read.is_none_or(|read| !read.contains(*place)));
            let name = workload_of(&consumer.name);
            unread.extend(lacking.map(|(t, p)| (name.to_owned(), *t, *p)));
        }
        unread
    }
}

/// Consumers by group, those without a group each on its own.
fn readers(case: &Shared) -> impl Iterator<Item = Readers<'_>> {
    let mut groups: BTreeMap<&str, Readers<'_>> = BTreeMap::new();
    let mut alone = Vec::new();
    for consumer in consumers(case) {
        let all = consumer.topics.iter().flat_map(|topic| partitions_of(case, *topic));
        match &consumer.membership {
            Membership::Group(group) => {
                let known = groups
                    .entry(group)
                    .or_insert_with(|| Readers { members: Vec::new(), wanted: BTreeSet::new() });
                if known.members.iter().all(|member| member.topics != consumer.topics) {
                    known.wanted.extend(all);
                }
                known.members.push(consumer);
            }
            Membership::Assigned(partitions) => {
                let wanted = all.filter(|(_, p)| partitions.contains(p)).collect();
                alone.push(Readers { members: vec![consumer], wanted });
            }
        }
    }
    groups.into_values().chain(alone)
}

/// The assignor that a member's client properties choose.
fn assignor_of(case: &Shared, member: &ConsumerSpec) -> Assignor {
    let connection = case.connections.first();
    Assignor::of(|key| {
        let mut given = connection.into_iter().flatten().chain(&member.client);
        given.rfind(|(known, _)| known == key).map(|(_, value)| value.as_str())
    })
}

fn partitions_of(case: &Shared, topic: TopicId) -> BTreeSet<(TopicId, i32)> {
    (0..case.plan.topics[topic.index()].partitions).map(|partition| (topic, partition)).collect()
}

/// The first few partitions, in words.
fn some_of(case: &Shared, missing: &[Missing]) -> String {
    let few = missing.iter().take(5).map(|(consumer, topic, partition)| {
        format!("{}/{partition} at {consumer}", case.plan.topics[topic.index()].alias)
    });
    let more = missing.len().saturating_sub(5);
    let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{tail}", few.collect::<Vec<_>>().join(", "))
}
