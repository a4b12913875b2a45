//! Consumer groups that are not the case's own.

use super::case::Building;

/// Most groups that a case observes: they are looked at within an interval, one after the other.
const GROUPS_LIMIT: usize = 16;

impl Building<'_> {
    /// Checks the groups under `observe` against the rest of the case and its cluster.
    pub(super) fn check_observed(&mut self) {
        let scenario = self.scenario;
        let groups = &scenario.observe.groups;
        let Some(first) = groups.first() else { return };
        if self.cluster.kafka.is_embedded() {
            let help = "name a real cluster with `--cluster FILE`; the embedded broker lives inside an \
                        agent of this run, so nobody else can read from it";
            self.reader.error(&first.at, "the embedded broker has no groups to observe", help);
        }
        if let Some(beyond) = groups.get(GROUPS_LIMIT) {
            let message = format!("more than {GROUPS_LIMIT} groups to observe");
            self.reader.error(&beyond.at, message, "leave out the least informative ones");
        }
        for (at, group) in groups.iter().enumerate() {
            if groups[..at].iter().any(|other| other.value == group.value) {
                let message = format!("the group `{}` is named twice", group.value);
                self.reader.error(&group.at, message, "remove one");
            }
        }
        if scenario.topics_known && scenario.topics.is_empty() {
            let help = "name the topics that the group reads under `topics`, with `existing: true`";
            self.reader.error(&first.at, "there is no topic to see the groups' lag in", help);
        }
    }
}
