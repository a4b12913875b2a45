//! Consumer groups that are not the case's own, looked at once an interval.

use super::{
    Deadline,
    client::Admin,
    native::{self, GroupFound},
    watch::{Reading, Watch},
};
use mallard_protocol::{
    ids::{GroupId, TopicId},
    interval::{GroupSample, GroupState, PartitionOffset},
    message::AgentFailure,
    workload::Assignment,
};
use std::collections::HashMap;

/// Looks at the groups that an assignment says to observe, once an interval.
pub type GroupsWatch = Watch<Vec<GroupSample>>;

impl GroupsWatch {
    /// A watch over the groups that an assignment says to observe; `None` if it names none.
    ///
    /// # Errors
    /// No thread.
    pub fn start(assignment: &Assignment) -> Result<Option<Self>, AgentFailure> {
        if assignment.observed_groups.is_empty() {
            return Ok(None);
        }
        let mut groups = Groups::of(assignment);
        let read = move |admin: &Admin, deadline: &Deadline| groups.read(admin, deadline);
        Watch::over("groups", assignment.connection.clone(), read).map(Some)
    }
}

/// Groups to look at, and how they looked before.
struct Groups {
    names: Vec<String>,
    /// The case's topics by name on the broker.
    topics: HashMap<String, TopicId>,
    /// By group: its members and their partitions in the sample before.
    layouts: Vec<Option<u64>>,
}

impl Groups {
    fn of(assignment: &Assignment) -> Self {
        let topics = assignment.topics.iter().zip(0..);
        Self {
            names: assignment.observed_groups.clone(),
            topics: topics.map(|(topic, id)| (topic.name.clone(), TopicId(id))).collect(),
            layouts: vec![None; assignment.observed_groups.len()],
        }
    }

    /// A sample of every group whose coordinator answered in time.
    fn read(&mut self, admin: &Admin, deadline: &Deadline) -> Reading<Vec<GroupSample>> {
        let client = admin.inner().inner();
        let described = match native::describe_groups(client, &self.names, deadline) {
            Ok(described) => described,
            Err(error) => {
                let text = admin.failure("describe consumer groups", &error, deadline).text;
                return (Vec::new(), Some(text));
            }
        };
        let (mut samples, mut complaint) = (Vec::new(), None);
        for (at, found) in described.into_iter().enumerate() {
            let name = &self.names[at];
            let found = match found {
                Ok(found) => found,
                Err(code) => {
                    complaint = Some(format!("describe consumer group {name}: {code}"));
                    continue;
                }
            };
            match native::committed_offsets(client, name, deadline) {
                Ok(committed) => samples.push(self.sample(at, &found, &committed)),
                Err(error) => {
                    let doing = format!("read what consumer group {name} has committed");
                    complaint = Some(admin.failure(&doing, &error, deadline).text);
                }
            }
        }
        (samples, complaint)
    }

    fn sample(
        &mut self,
        at: usize,
        found: &GroupFound,
        committed: &[(String, i32, i64)],
    ) -> GroupSample {
        let before = self.layouts[at].replace(found.layout);
        let moved = before.is_some_and(|before| before != found.layout);
        let of_case = committed.iter().filter_map(|(name, partition, offset)| {
            let topic = *self.topics.get(name)?;
            Some(PartitionOffset { topic, partition: *partition, offset: *offset })
        });
        // A group that nobody has joined yet may have offsets; then it is not missing.
        let state = match found.state {
            GroupState::Missing if !committed.is_empty() => GroupState::Empty,
            state => state,
        };
        GroupSample {
            group: GroupId(u16::try_from(at).unwrap_or(u16::MAX)),
            state,
            members: found.members,
            rebalanced: moved || found.state == GroupState::Rebalancing,
            committed: of_case.collect(),
        }
    }
}
