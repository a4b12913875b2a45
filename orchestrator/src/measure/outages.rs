//! Outages: when partitions went without acknowledgements, and what the cluster did meanwhile.
//!
//! A partition without acknowledgements proves nothing by itself, since nothing may have been due there.
//! It counts only if the records that ended the silence had waited for it and no longer, or if records
//! failed in it.

use super::{cluster::ClusterTable, roster::Roster};
use crate::model::outage::{Outage, Silence};
use mallard_protocol::{
    ids::TopicId,
    interval::{ProducedPartition, ProducerInterval},
};
use std::{cmp::Reverse, collections::BTreeMap};

/// Shortest silence that counts, in microseconds.
const SILENCE_MIN_US: u64 = 2_000_000;

/// A record acknowledged this long after it was due was late, in microseconds.
const LATE_US: u64 = 1_000_000;

/// Failures that are no further apart than this are one outage, in microseconds: clients need some
/// seconds to find a broker that is back.
const TOGETHER_US: u64 = 5_000_000;

/// For how long after an outage it becomes known which records were sent again, in microseconds: clients tell once
/// a second, and what waits to be sent hides some of them.
const TOLD_LATER_US: u64 = 2_000_000;

/// Most silences that are kept; of more, the first ones.
const SILENCES_MAX: usize = 10_000;

/// Most moments at which counts changed that are kept. Beyond that every second one goes.
const COUNTS_MAX: usize = 86_400;

/// One partition in one interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flow {
    pub(super) acked: u64,
    pub(super) failed: u64,
    /// Acknowledged late.
    pub(super) late: u64,
    /// Longest wait of those that were acknowledged.
    pub(super) wait_us: u64,
}

impl Flow {
    fn of(part: &ProducedPartition) -> Self {
        let wait_us = part.response.max().unwrap_or(0);
        // Counting touches every cell of a histogram, which is seldom needed.
        let late = match wait_us > LATE_US {
            true => part.response.count() - part.response.count_at_most(LATE_US),
            false => 0,
        };
        Self { acked: part.acked, failed: part.failed, late, wait_us }
    }
}

/// All partitions in one interval, by slot; empty until something was acknowledged or failed.
#[derive(Clone, Debug, Default)]
pub(super) struct Flows {
    pub(super) by_slot: Vec<Flow>,
    /// Requests that clients sent again.
    pub(super) retried: u64,
}

impl Flows {
    /// Adds what flowed in some slots.
    pub(super) fn add(&mut self, flows: &[(usize, Flow)]) {
        for (slot, flow) in flows {
            if self.by_slot.len() <= *slot {
                self.by_slot.resize(slot + 1, Flow::default());
            }
            let sum = &mut self.by_slot[*slot];
            sum.acked += flow.acked;
            sum.failed += flow.failed;
            sum.late += flow.late;
            sum.wait_us = sum.wait_us.max(flow.wait_us);
        }
    }
}

/// What one producer instance says of its topic's partitions.
pub(super) fn flows(
    topic: TopicId,
    interval: &ProducerInterval,
    roster: &Roster,
) -> Vec<(usize, Flow)> {
    let parts = interval.slices.iter().flat_map(|slice| &slice.partitions);
    parts.filter_map(|part| Some((roster.slot(topic, part.partition)?, Flow::of(part)))).collect()
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// End of the last interval with an acknowledgement.
    acked_us: u64,
    /// Records that have failed since.
    failed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Gap {
    slot: usize,
    from_us: u64,
    to_us: u64,
    /// Whether acknowledgements came again.
    ended: bool,
}

/// Counts since the load's start, at the end of an interval.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    start_us: u64,
    end_us: u64,
    late: u64,
    failed: u64,
    retried: u64,
    wait_us: u64,
}

/// What outages are made from.
#[derive(Clone, Debug, Default)]
pub(super) struct OutageTable {
    pub(super) cluster: ClusterTable,
    slots: Vec<Slot>,
    silences: Vec<Gap>,
    /// Where something changed, in order.
    counts: Vec<Counts>,
    end_us: u64,
}

impl OutageTable {
    /// Takes a complete interval.
    pub(super) fn take(&mut self, (start_us, end_us): (u64, u64), flows: &Flows, roster: &Roster) {
        self.end_us = self.end_us.max(end_us);
        self.slots.resize(roster.slots(), Slot::default());
        let mut now =
            Counts { start_us, end_us, ..self.counts.last().copied().unwrap_or_default() };
        (now.wait_us, now.retried) = (0, now.retried + flows.retried);
        let mut changed = flows.retried > 0;
        for (slot, flow) in flows.by_slot.iter().enumerate() {
            now.late += flow.late;
            now.failed += flow.failed;
            changed |= flow.late > 0 || flow.failed > 0;
            now.wait_us = now.wait_us.max(flow.wait_us);
            let known = &mut self.slots[slot];
            known.failed += flow.failed;
            if flow.acked == 0 {
                continue;
            }
            let gap_us = start_us.saturating_sub(known.acked_us);
            let waited = waited_for(gap_us, flow.wait_us) || known.failed > 0;
            if gap_us >= SILENCE_MIN_US && waited && self.silences.len() < SILENCES_MAX {
                let from_us = known.acked_us;
                self.silences.push(Gap { slot, from_us, to_us: start_us, ended: true });
            }
            *known = Slot { acked_us: end_us, failed: 0 };
        }
        if changed {
            self.note(now);
        }
    }

    fn note(&mut self, now: Counts) {
        if self.counts.len() >= COUNTS_MAX {
            let mut keep = false;
            self.counts.retain(|_| {
                keep = !keep;
                !keep
            });
        }
        self.counts.push(now);
    }

    /// The outages of the load, in order.
    pub(super) fn finish(mut self, roster: &Roster) -> Vec<Outage> {
        self.cluster.close();
        let end_us = self.end_us;
        for (slot, known) in self.slots.iter().enumerate() {
            let is_silent = end_us.saturating_sub(known.acked_us) >= SILENCE_MIN_US;
            if roster.partition_of(slot).1 >= 0 && is_silent && known.failed > 0 {
                let from_us = known.acked_us;
                self.silences.push(Gap { slot, from_us, to_us: end_us, ended: false });
            }
        }
        let silences = self.silences.iter().map(|silence| (silence.from_us, silence.to_us));
        let absences = self.cluster.absences.iter();
        let absences = absences.map(|absence| (absence.from_us, absence.to_us.unwrap_or(end_us)));
        let spans = join(silences.chain(absences).collect());
        spans.into_iter().map(|span| self.outage(span, roster)).collect()
    }

    fn outage(&self, (from_us, to_us): (u64, u64), roster: &Roster) -> Outage {
        let inside = move |at_us: u64| (from_us..=to_us).contains(&at_us);
        let near = move |at_us: u64| inside(at_us) || inside(at_us.saturating_sub(TOGETHER_US / 2));
        let silences = || self.silences.iter().filter(move |silence| inside(silence.from_us));
        let silent_to = silences().map(|silence| silence.to_us).max();
        let ended = silences().all(|silence| silence.ended);
        let recovered_us =
            self.recovered_us(from_us, silent_to.unwrap_or(from_us)).filter(|_| ended);
        let until_us = recovered_us.unwrap_or(self.end_us);
        let (before, after) = (self.counts_at(from_us), self.counts_at(until_us));
        let told = self.counts_at(until_us.saturating_add(TOLD_LATER_US));
        let cells = self.counts.iter().filter(|c| c.start_us >= from_us && c.end_us <= until_us);
        let thin = self.cluster.thin.iter();
        let thin =
            thin.filter(|(thin_from, thin_to, _)| *thin_from <= to_us && from_us <= *thin_to);
        let absences = self.cluster.absences.iter().filter(|absence| inside(absence.from_us));
        Outage {
            from_us,
            to_us,
            silences: together(silences(), roster),
            brokers: absences.cloned().collect(),
            leaders: self.cluster.moves.iter().filter(|m| near(m.at_us)).cloned().collect(),
            under_replicated: thin.map(|(_, _, most)| *most).max().unwrap_or(0),
            longest_wait_us: cells.map(|counts| counts.wait_us).max().unwrap_or(0),
            late: after.late - before.late,
            retried: told.retried - before.retried,
            failed: after.failed - before.failed,
            recovered_after_us: recovered_us.map(|us| us - from_us),
        }
    }

    /// Counts at a moment: those of the last interval that ended by then and changed them.
    fn counts_at(&self, at_us: u64) -> Counts {
        let after = self.counts.partition_point(|counts| counts.end_us <= at_us);
        after.checked_sub(1).map_or_else(Counts::default, |at| self.counts[at])
    }

    /// From when on no record was late any more: the end of the run of intervals with late records that
    /// begins in the outage. `None` if it lasts to the end of what was measured.
    fn recovered_us(&self, from_us: u64, silent_to_us: u64) -> Option<u64> {
        let mut until_us = silent_to_us;
        let mut late = self.counts_at(from_us).late;
        let first = self.counts.partition_point(|counts| counts.end_us <= from_us);
        for counts in &self.counts[first..] {
            if counts.late > late {
                if counts.start_us > until_us.saturating_add(TOGETHER_US) {
                    break;
                }
                until_us = until_us.max(counts.end_us);
            }
            late = counts.late;
        }
        (until_us < self.end_us).then_some(until_us)
    }
}

/// Whether the longest wait of the records that ended a silence comes from it: from no less, and not from a
/// backlog that was there before, under which acknowledgements come in bursts.
fn waited_for(gap_us: u64, wait_us: u64) -> bool {
    (gap_us / 2..=gap_us.saturating_mul(2) + SILENCE_MIN_US).contains(&wait_us)
}

/// Silences of several partitions as one where they began and ended together, the longest first.
fn together<'a>(silences: impl Iterator<Item = &'a Gap>, roster: &Roster) -> Vec<Silence> {
    let mut by_span: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for gap in silences {
        let long_us = gap.to_us.saturating_sub(gap.from_us);
        let key = (Reverse(long_us), gap.from_us, gap.to_us, gap.ended);
        by_span.entry(key).or_default().push(gap.slot);
    }
    let silence = |((_, from_us, to_us, ended), mut slots): (_, Vec<usize>)| {
        slots.sort_unstable();
        let partitions = slots.into_iter().map(|slot| roster.partition_name(slot)).collect();
        Silence { from_us, to_us, ended, partitions }
    };
    by_span.into_iter().map(silence).collect()
}

/// Joins spans that overlap or nearly do, in order.
fn join(mut spans: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    spans.sort_unstable();
    let mut joined: Vec<(u64, u64)> = Vec::new();
    for (from_us, to_us) in spans {
        match joined.last_mut().filter(|last| from_us <= last.1.saturating_add(TOGETHER_US)) {
            Some(last) => last.1 = last.1.max(to_us),
            None => joined.push((from_us, to_us)),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::simulate::Shape;
    use crate::model::events::RunEvent;
    use mallard_protocol::cluster::ClusterSample;
    use mallard_protocol::cluster::{BrokerProblem, BrokerSample, PartitionSample};

    const SECOND_US: u64 = 1_000_000;

    struct Scene {
        roster: Roster,
        table: OutageTable,
        events: Vec<RunEvent>,
        /// Whether each second had a problem.
        problems: Vec<bool>,
        at_s: u64,
    }

    impl Scene {
        /// A topic `orders` with two partitions.
        fn new() -> Self {
            let roster = Roster::new(&Shape { partitions: 2, ..Shape::default() }.plan());
            Self {
                roster,
                table: OutageTable::default(),
                events: Vec::new(),
                problems: Vec::new(),
                at_s: 0,
            }
        }

        /// A second: by partition what was acknowledged and how long the longest of it had waited, and how
        /// broker 2 was found, which leads partition 0.
        fn second(&mut self, acked: [(u64, u64); 2], problem: Option<BrokerProblem>, leader: i32) {
            self.problems.push(problem.is_some());
            // A record is sent again in every second with a problem, and the client tells two seconds later.
            let told = self.problems.iter().rev().nth(2).is_some_and(|problem| *problem);
            let mut flows = Flows { retried: u64::from(told), ..Flows::default() };
            for (partition, (acked, wait_s)) in (0..).zip(acked) {
                let slot = self.roster.slot(TopicId(0), partition).expect("a partition");
                let late = if wait_s > 1 { acked } else { 0 };
                let flow = Flow { acked, failed: 0, late, wait_us: wait_s * SECOND_US };
                flows.add(&[(slot, flow)]);
            }
            let (start_us, end_us) = (self.at_s * SECOND_US, (self.at_s + 1) * SECOND_US);
            let in_sync = if leader == 2 { 3 } else { 2 };
            let of = |partition, leader| PartitionSample {
                topic: TopicId(0),
                partition,
                leader,
                replicas: 3,
                in_sync,
            };
            let sample = ClusterSample {
                brokers: vec![BrokerSample { id: 2, problem }],
                partitions: vec![of(0, leader), of(1, 1)],
            };
            self.table.take((start_us, end_us), &flows, &self.roster);
            self.events.extend(self.table.cluster.take(Some(&sample), end_us, &self.roster));
            self.at_s += 1;
        }

        fn finish(self) -> Vec<Outage> {
            self.table.finish(&self.roster)
        }
    }

    fn refused() -> Option<BrokerProblem> {
        Some(BrokerProblem::Unconnected("connection refused".to_owned()))
    }

    #[test]
    fn a_killed_broker_is_one_outage_with_all_that_goes_with_it() {
        let mut scene = Scene::new();
        (0..10).for_each(|_| scene.second([(100, 0), (100, 0)], None, 2));
        (0..6).for_each(|_| scene.second([(0, 0), (100, 0)], refused(), 2));
        (0..4).for_each(|_| scene.second([(0, 0), (100, 0)], refused(), 1));
        scene.second([(900, 10), (100, 0)], refused(), 1);
        scene.second([(200, 2), (100, 0)], None, 1);
        (0..10).for_each(|_| scene.second([(100, 0), (100, 0)], None, 1));
        let told = scene.events.len();
        let outages = scene.finish();
        let [outage] = outages.as_slice() else { panic!("{outages:?}") };
        let [silence] = outage.silences.as_slice() else { panic!("{outage:?}") };
        assert_eq!((silence.from_us, silence.to_us), (10 * SECOND_US, 20 * SECOND_US));
        assert_eq!(
            (silence.partitions.as_slice(), silence.ended),
            (&["orders/0".to_owned()][..], true)
        );
        let [broker] = outage.brokers.as_slice() else { panic!("{outage:?}") };
        assert_eq!((broker.broker, broker.cause.as_str()), (2, "connection refused"));
        assert_eq!((broker.from_us, broker.to_us), (11 * SECOND_US, Some(22 * SECOND_US)));
        let [moved] = outage.leaders.as_slice() else { panic!("{outage:?}") };
        assert_eq!((moved.from, moved.to, moved.at_us), (2, 1, 17 * SECOND_US));
        assert_eq!((outage.late, outage.failed, outage.retried), (1_100, 0, 11));
        assert_eq!(outage.longest_wait_us, 10 * SECOND_US);
        assert_eq!(outage.recovered_after_us, Some(12 * SECOND_US), "from 10 to 22 s");
        assert_eq!(outage.under_replicated, 2);
        assert_eq!(told, 4, "gone, leader, replicas, back");
    }

    #[test]
    fn silence_without_records_that_waited_is_no_outage() {
        let mut scene = Scene::new();
        scene.second([(100, 0), (100, 0)], None, 2);
        (0..8).for_each(|_| scene.second([(0, 0), (100, 0)], None, 2));
        scene.second([(100, 0), (100, 0)], None, 2);
        (0..8).for_each(|_| scene.second([(0, 0), (0, 0)], None, 2));
        assert_eq!(scene.finish(), []);
    }

    #[test]
    fn bursts_out_of_a_backlog_are_no_outage() {
        let mut scene = Scene::new();
        for second in 0..30 {
            let acked = if second % 3 == 0 { (100, 12) } else { (0, 0) };
            scene.second([acked, (100, 0)], None, 2);
        }
        assert_eq!(scene.finish(), []);
    }

    #[test]
    fn one_answer_that_does_not_come_is_no_unreachable_broker_and_three_are() {
        let mut scene = Scene::new();
        let silent = || Some(BrokerProblem::Silent);
        (0..2).for_each(|_| scene.second([(1, 0), (1, 0)], silent(), 2));
        scene.second([(1, 0), (1, 0)], None, 2);
        assert_eq!(scene.events, []);
        (0..3).for_each(|_| scene.second([(1, 0), (1, 0)], silent(), 2));
        let (cause, at_us) = ("no answer".to_owned(), 4 * SECOND_US);
        assert_eq!(scene.events, [RunEvent::BrokerUnreachable { broker: 2, cause, at_us }]);
        let outages = scene.finish();
        assert_eq!(outages[0].brokers[0].to_us, None);
        assert_eq!(outages[0].silences, []);
    }

    #[test]
    fn a_partition_that_never_recovers_is_silent_to_the_end() {
        let mut scene = Scene::new();
        (0..3).for_each(|_| scene.second([(100, 0), (100, 0)], None, 2));
        (0..4).for_each(|_| scene.second([(0, 0), (100, 0)], refused(), -1));
        let slot = scene.roster.slot(TopicId(0), 0).expect("a partition");
        let mut flows = Flows::default();
        flows.add(&[(slot, Flow { failed: 400, ..Flow::default() })]);
        scene.table.take((7 * SECOND_US, 8 * SECOND_US), &flows, &scene.roster);
        let outages = scene.finish();
        let [outage] = outages.as_slice() else { panic!("{outages:?}") };
        let [silence] = outage.silences.as_slice() else { panic!("{outage:?}") };
        assert_eq!((silence.from_us, silence.to_us), (3 * SECOND_US, 8 * SECOND_US));
        assert!(!silence.ended);
        assert_eq!((outage.failed, outage.recovered_after_us), (400, None));
    }
}
