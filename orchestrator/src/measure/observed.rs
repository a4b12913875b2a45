//! Consumer groups that are not the case's own: what the broker says of them, once an interval.
//!
//! A group reads the topics in which it has ever committed an offset. In a partition of these without
//! an offset it has read nothing yet, so its lag there is counted from where the partition ended when the
//! load started, as for the case's own consumers. Markers of transactions at the end of a log are no lag: a
//! group commits what it has read, and there is nothing to read in them.

use super::{lag::LagTable, roster::Roster};
use crate::metrics::tally::Tally;
use mallard_protocol::{
    ids::TopicId,
    interval::{GroupSample, GroupState},
};

/// What became known of one group in one interval.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct GroupInterval {
    pub(super) group: usize,
    /// Lag by slot.
    pub(super) lag: Vec<(usize, u64)>,
    /// Growth of committed offsets, and the time that it took; `None` without an earlier sample.
    committed: Option<(u64, u64)>,
    members: u64,
    rebalanced: bool,
}

/// How an observed group was found, over the whole load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupSeen {
    /// Samples that came.
    pub samples: u64,
    /// Of these, samples in which the group did not exist.
    pub missing: u64,
    /// Whether it committed anything in the case's topics.
    pub committed: bool,
}

/// Groups, and where each of them stands.
#[derive(Clone, Debug, Default)]
pub(super) struct GroupTable(Vec<Group>);

#[derive(Clone, Debug)]
struct Group {
    /// By slot.
    committed: Vec<Option<i64>>,
    /// By topic.
    reads: Vec<bool>,
    /// End of the last interval with a sample.
    sampled_us: Option<u64>,
    seen: GroupSeen,
}

impl GroupTable {
    pub(super) fn new(roster: &Roster) -> Self {
        let group = Group {
            committed: vec![None; roster.slots()],
            reads: vec![false; roster.topics.len()],
            sampled_us: None,
            seen: GroupSeen::default(),
        };
        Self(vec![group; roster.groups.len()])
    }

    /// Takes a sample of the end of an interval, once the interval's end offsets are in.
    pub(super) fn take(
        &mut self,
        sample: &GroupSample,
        end_us: u64,
        lag: &LagTable,
        roster: &Roster,
    ) -> Option<GroupInterval> {
        let index = sample.group.index();
        let group = self.0.get_mut(index)?;
        group.seen.samples += 1;
        if sample.state == GroupState::Missing {
            group.seen.missing += 1;
            return None;
        }
        let mut growth = 0;
        for at in &sample.committed {
            let Some(slot) = roster.slot(at.topic, at.partition) else { continue };
            let before = group.committed[slot].or(lag.start(slot)).unwrap_or(at.offset);
            growth += u64::try_from(at.offset - before).unwrap_or(0);
            group.committed[slot] = Some(at.offset);
            group.reads[at.topic.index()] = true;
            group.seen.committed = true;
        }
        let before_us = group.sampled_us.replace(end_us);
        Some(GroupInterval {
            group: index,
            lag: self.lags(index, lag, roster),
            committed: before_us.map(|before_us| (growth, end_us - before_us)),
            members: u64::from(sample.members),
            rebalanced: sample.rebalanced,
        })
    }

    /// Lag of a group in every partition that it reads.
    fn lags(&self, group: usize, lag: &LagTable, roster: &Roster) -> Vec<(usize, u64)> {
        let Some(group) = self.0.get(group) else { return Vec::new() };
        let topics = (0..roster.topics.len()).filter(|topic| group.reads[*topic]);
        let slots = topics
            .flat_map(|topic| roster.partitions(TopicId(u16::try_from(topic).unwrap_or(u16::MAX))));
        let of = |slot: usize| {
            let position = group.committed[slot].or(lag.start(slot))?;
            let behind = lag.records_end(slot)?.saturating_sub(position);
            Some((slot, u64::try_from(behind).unwrap_or(0)))
        };
        slots.filter_map(of).collect()
    }

    /// Lag in some partitions, by the offsets known last, of the group that lags most; `None` where none
    /// is known.
    pub(super) fn lag_end(
        &self,
        groups: impl Iterator<Item = usize>,
        in_slot: &dyn Fn(usize) -> bool,
        lag: &LagTable,
        roster: &Roster,
    ) -> Option<u64> {
        let of = |group: usize| {
            let lags = self.lags(group, lag, roster).into_iter();
            lags.filter(|(slot, _)| in_slot(*slot)).map(|(_, lag)| lag).reduce(|a, b| a + b)
        };
        groups.filter_map(of).max()
    }

    pub(super) fn seen(&self) -> Vec<GroupSeen> {
        self.0.iter().map(|group| group.seen).collect()
    }
}

impl GroupInterval {
    /// Sum and largest of its lag; `None` where it is not known.
    pub(super) fn lag_sum_and_max(&self) -> Option<(u64, u64)> {
        let lags = self.lag.iter().map(|(_, lag)| *lag);
        (!self.lag.is_empty()).then(|| (lags.clone().sum(), lags.max().unwrap_or(0)))
    }
}

/// Adds an interval of some groups to a tally. Lag is summed over the partitions asked for, and is that
/// of the group that lags most.
pub(super) fn add_groups<'a>(
    tally: &mut Tally,
    groups: impl Iterator<Item = &'a GroupInterval>,
    in_slot: &dyn Fn(usize) -> bool,
    (start_us, end_us): (u64, u64),
    due_per_s: Option<f64>,
) {
    let observed = &mut tally.observed;
    let mut most = None;
    let mut committed: Option<(u64, u64)> = None;
    for group in groups {
        let lags = group.lag.iter().filter(|(slot, _)| in_slot(*slot)).map(|(_, lag)| *lag);
        most = most.max(lags.reduce(|a, b| a + b));
        if let Some((growth, time_us)) = group.committed {
            let (before, longest_us) = committed.unwrap_or_default();
            committed = Some((before + growth, longest_us.max(time_us)));
        }
        observed.members_min =
            Some(observed.members_min.map_or(group.members, |n| n.min(group.members)));
        observed.members_max = observed.members_max.max(Some(group.members));
        observed.samples += 1;
        observed.rebalances += u64::from(group.rebalanced);
    }
    if let Some((growth, time_us)) = committed {
        observed.committed += growth;
        observed.committed_time_us += time_us;
    }
    if let Some(most) = most {
        observed.lag.record(most, (end_us, end_us - start_us), due_per_s);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::simulate::Shape;
    use mallard_protocol::{ids::GroupId, interval::PartitionOffset};

    const SECOND_US: u64 = 1_000_000;

    fn at(partition: i32, offset: i64) -> PartitionOffset {
        PartitionOffset { topic: TopicId(0), partition, offset }
    }

    fn sample(state: GroupState, committed: Vec<PartitionOffset>) -> GroupSample {
        GroupSample { group: GroupId(0), state, members: 2, rebalanced: false, committed }
    }

    /// A case with one observed group, whose topic began at 100 and ends at 150 in both partitions.
    fn scene() -> (Roster, GroupTable, LagTable) {
        let mut plan = Shape { partitions: 2, ..Shape::default() }.plan();
        plan.observed_groups = vec!["flink-job".into()];
        let roster = Roster::new(&plan);
        let mut lag = LagTable::new(roster.slots(), roster.readers.len());
        lag.set_start(&[at(0, 100), at(1, 100)], &roster);
        lag.set_end(&[at(0, 150), at(1, 150)], 0, &roster);
        let table = GroupTable::new(&roster);
        (roster, table, lag)
    }

    #[test]
    fn a_partition_without_a_commit_counts_from_the_loads_start() {
        let (roster, mut table, lag) = scene();
        let first = sample(GroupState::Stable, vec![at(0, 140)]);
        let interval = table.take(&first, SECOND_US, &lag, &roster).expect("it exists");
        assert_eq!(interval.lag_sum_and_max(), Some((10 + 50, 50)));
        let second = sample(GroupState::Stable, vec![at(0, 145), at(1, 120)]);
        let interval = table.take(&second, 3 * SECOND_US, &lag, &roster).expect("it exists");
        let mut tally = Tally::default();
        let of_cell = (2 * SECOND_US, 3 * SECOND_US);
        add_groups(&mut tally, [&interval].into_iter(), &|_| true, of_cell, None);
        let observed = tally.observed;
        assert_eq!((observed.committed, observed.committed_time_us), (5 + 20, 2 * SECOND_US));
        assert_eq!((observed.lag.max, observed.members_min), (5 + 30, Some(2)));
    }

    #[test]
    fn the_lag_of_several_groups_is_that_of_the_one_that_lags_most() {
        let interval = |group, lags: [u64; 2]| GroupInterval {
            group,
            members: 1,
            rebalanced: false,
            committed: None,
            lag: vec![(1, lags[0]), (2, lags[1])],
        };
        let groups = [interval(0, [30, 40]), interval(1, [500, 0]), interval(2, [1, 1])];
        let mut tally = Tally::default();
        add_groups(&mut tally, groups.iter(), &|_| true, (0, SECOND_US), None);
        assert_eq!(tally.observed.lag.max, 500);
        let mut tally = Tally::default();
        add_groups(&mut tally, groups.iter(), &|slot| slot == 2, (0, SECOND_US), None);
        assert_eq!(tally.observed.lag.max, 40);
    }

    #[test]
    fn a_group_that_is_missing_or_commits_nothing_has_no_lag() {
        let (roster, mut table, lag) = scene();
        assert_eq!(table.take(&sample(GroupState::Missing, vec![]), 1, &lag, &roster), None);
        let silent = table.take(&sample(GroupState::Stable, vec![]), 2, &lag, &roster);
        assert_eq!(silent.and_then(|interval| interval.lag_sum_and_max()), None);
        assert_eq!(table.lag_end(0..1, &|_| true, &lag, &roster), None);
        let seen = GroupSeen { samples: 2, missing: 1, committed: false };
        assert_eq!(table.seen(), [seen]);
    }
}
