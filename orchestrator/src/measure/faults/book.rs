//! The book of faults: takes intervals in order and decides what they belong to.

use super::{
    Decided, FaultTimes, Interval, SETTLED_AFTER_US,
    outcome::{Finding, Findings},
    recovery::{Before, Latest, Recovery},
    shortfall::{Backlog, Shortfall},
    unavailable::Unavailable,
};
use crate::plan::FaultPlan;
use std::collections::VecDeque;

/// How far a fault is, as intervals tell it.
#[derive(Clone, Debug, Default)]
enum Stage {
    #[default]
    Ahead,
    /// Since an interval in which it was there; how it was before.
    There(Before),
    Recovering(Recovery),
    /// Recovered, or nobody will know.
    Over,
}

#[derive(Clone, Debug, Default)]
struct Known {
    name: String,
    group: String,
    stage: Stage,
    /// Partitions that its broker led when it began.
    led: Vec<usize>,
    finding: Finding,
}

/// Faults of a case, and the intervals that are not decided yet.
#[derive(Clone, Debug, Default)]
pub(in crate::measure) struct FaultBook {
    of: Vec<Known>,
    waiting: VecDeque<Interval>,
    /// In a recovery of which it is not known yet whether it was over then.
    undecided: VecDeque<Interval>,
    latest: Latest,
    backlog: Backlog,
    /// The stretch in which something is broken.
    broken: Option<Shortfall>,
    /// Of the stretches that are over; `None` once a part is not known.
    shortfall: Option<u64>,
    unavailable: Unavailable,
    /// By slot.
    leaders: Vec<i32>,
}

impl FaultBook {
    /// Nothing has happened yet.
    pub(in crate::measure) fn new(plan: &[FaultPlan]) -> Self {
        let known = |fault: &FaultPlan| Known {
            name: fault.name.clone(),
            group: fault.group.clone(),
            ..Known::default()
        };
        Self { of: plan.iter().map(known).collect(), shortfall: Some(0), ..Self::default() }
    }

    /// Faults by their name, or the name that they have in common.
    pub(in crate::measure) fn named(&self, name: &str) -> Vec<usize> {
        let of = self.of.iter().enumerate();
        let of = of.filter(|(_, known)| known.name == name || known.group == name);
        of.map(|(at, _)| at).collect()
    }

    /// What a fault's guard has told.
    pub(in crate::measure) fn tell(&mut self, fault: usize, times: FaultTimes) {
        if let Some(known) = self.of.get_mut(fault) {
            known.finding.times = times;
        }
    }

    /// Whether the whole of an interval is needed, and not only what partitions did in it.
    pub(in crate::measure) fn has_faults(&self) -> bool {
        !self.of.is_empty()
    }

    /// Takes the next complete interval.
    pub(in crate::measure) fn take(&mut self, interval: Interval) {
        self.waiting.push_back(interval);
    }

    /// Decides what is settled, once all intervals before a moment are complete.
    pub(in crate::measure) fn settle(&mut self, released_us: u64) -> Vec<Decided> {
        let mut decided = Vec::new();
        let is_settled =
            |front: &Interval| front.end_us.saturating_add(SETTLED_AFTER_US) <= released_us;
        while self.waiting.front().is_some_and(is_settled) {
            if let Some(interval) = self.waiting.pop_front() {
                self.settle_one(interval, &mut decided);
            }
        }
        decided
    }

    /// Decides all that is left: no more comes.
    pub(in crate::measure) fn settle_all(&mut self) -> Vec<Decided> {
        let mut decided = self.settle(u64::MAX);
        self.give_up_recovering();
        self.decide_before(u64::MAX, &mut decided);
        decided
    }

    /// What is known once all is settled.
    pub(in crate::measure) fn finish(self, is_partition: impl Fn(usize) -> bool) -> Findings {
        let open = self.broken.as_ref().map_or(Some(0), Shortfall::records);
        Findings {
            shortfall: self.shortfall.zip(open).map(|(over, open)| over + open),
            stretches: self.unavailable.finish(is_partition),
            of: self.of.into_iter().map(|known| known.finding).collect(),
        }
    }

    fn settle_one(&mut self, interval: Interval, decided: &mut Vec<Decided>) {
        let there = self.there_in(&interval);
        self.enter(&there, &interval);
        if !there.is_empty() {
            // What is broken again before all was as before has no recovery that anybody could tell.
            self.give_up_recovering();
        }
        self.count(&there, &interval);
        self.backlog.take(&interval);
        self.unavailable.take(&interval, !there.is_empty());
        for (slot, leader) in &interval.leaders {
            if self.leaders.len() <= *slot {
                self.leaders.resize(slot + 1, -1);
            }
            self.leaders[*slot] = *leader;
        }
        if !there.is_empty() {
            self.decide_before(u64::MAX, decided);
            let start_us = interval.start_us;
            decided.push(Decided { start_us, faults: there, is_outside: false });
            return;
        }
        self.recover(interval, decided);
    }

    /// Faults that are there in an interval.
    fn there_in(&self, interval: &Interval) -> Vec<usize> {
        let is_there = |known: &Known| {
            let FaultTimes { begun_us, undone_us, .. } = known.finding.times;
            let ends_later = undone_us.is_none_or(|undone_us| undone_us > interval.start_us);
            begun_us.is_some_and(|begun_us| begun_us < interval.end_us) && ends_later
        };
        let of = self.of.iter().enumerate();
        of.filter(|(_, known)| is_there(known)).map(|(at, _)| at).collect()
    }

    /// Takes notice of faults that begin, and of those that are undone.
    fn enter(&mut self, there: &[usize], interval: &Interval) {
        for (at, known) in self.of.iter_mut().enumerate() {
            let FaultTimes { begun_us, undone_us, broker, .. } = known.finding.times;
            match (&known.stage, there.contains(&at)) {
                (Stage::Ahead, true) => {
                    let before = self.latest.before(begun_us.unwrap_or(interval.start_us));
                    known.stage = Stage::There(before);
                    known.finding.shortfall = Some(Shortfall::from(self.backlog));
                    let slots = self.leaders.iter().enumerate();
                    let led = slots.filter(|(_, leader)| Some(**leader) == broker);
                    known.led = led.map(|(slot, _)| slot).collect();
                }
                (Stage::There(before), false) => {
                    let undone_us = undone_us.unwrap_or(interval.start_us);
                    known.stage = Stage::Recovering(Recovery::of(before.clone(), undone_us));
                }
                _ => {}
            }
        }
    }

    /// Counts what faults did in an interval.
    fn count(&mut self, there: &[usize], interval: &Interval) {
        let late: u64 = interval.flows.iter().map(|flow| flow.late).sum();
        for (at, known) in self.of.iter_mut().enumerate() {
            if there.contains(&at) {
                known.finding.shortfall.iter_mut().for_each(|sums| sums.take(interval));
            } else if !matches!(known.stage, Stage::Recovering(_)) {
                continue;
            }
            let finding = &mut known.finding;
            finding.late += late;
            finding.failed += interval.failed;
            finding.retried += interval.retried;
            let mut led = known.led.iter().filter_map(|slot| interval.flows.get(*slot));
            if finding.detected_us.is_none() && led.any(|flow| flow.late + flow.failed > 0) {
                finding.detected_us = Some(interval.end_us);
            }
        }
        if there.is_empty() {
            if let Some(over) = self.broken.take() {
                let both = self.shortfall.zip(over.records());
                self.shortfall = both.map(|(before, over)| before + over);
            }
        } else {
            self.broken.get_or_insert(Shortfall::from(self.backlog)).take(interval);
        }
    }

    /// Decides an interval in which nothing is broken.
    fn recover(&mut self, interval: Interval, decided: &mut Vec<Decided>) {
        let mut not_before_us = 0;
        let mut is_recovering = false;
        for known in &mut self.of {
            let Stage::Recovering(recovery) = &mut known.stage else { continue };
            match recovery.take(&interval) {
                Some(at_us) => {
                    known.finding.recovered_us = Some(at_us);
                    known.stage = Stage::Over;
                    not_before_us = not_before_us.max(at_us);
                }
                None => {
                    not_before_us = not_before_us.max(recovery.not_before_us);
                    is_recovering = true;
                }
            }
        }
        self.undecided.push_back(interval);
        self.decide_before(not_before_us, decided);
        if is_recovering {
            return;
        }
        for interval in std::mem::take(&mut self.undecided) {
            let start_us = interval.start_us;
            decided.push(Decided { start_us, faults: Vec::new(), is_outside: true });
            if interval.is_measured && self.has_faults() {
                self.latest.take(&interval);
            }
        }
    }

    /// Intervals before a moment belong to a recovery.
    fn decide_before(&mut self, at_us: u64, decided: &mut Vec<Decided>) {
        while let Some(start_us) = self.undecided.front().map(|front| front.start_us) {
            if start_us >= at_us {
                return;
            }
            self.undecided.pop_front();
            decided.push(Decided { start_us, faults: Vec::new(), is_outside: false });
        }
    }

    fn give_up_recovering(&mut self) {
        for known in &mut self.of {
            if matches!(known.stage, Stage::Recovering(_)) {
                known.stage = Stage::Over;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{faults::outcome::When, outages::Flow, spans::Spans};
    use mallard_protocol::histogram::Histogram;

    const SECOND_US: u64 = 1_000_000;

    fn plan(name: &str) -> FaultPlan {
        FaultPlan {
            name: name.to_owned(),
            group: "kill".to_owned(),
            act: mallard_protocol::fault::Act::Pause,
            node: crate::scenario::faults::Node::Broker(2),
            wire: crate::scenario::faults::Wire::default(),
            at_us: 0,
            for_us: 0,
        }
    }

    /// A second of a load of 100 a second on two partitions, of which broker 2 leads the second.
    fn second(at: u64, acked: [u64; 2], wait_us: u64) -> Interval {
        let mut response = Histogram::default();
        response.record_n(wait_us, acked[0] + acked[1]);
        let flow = |acked: u64| Flow {
            acked,
            failed: 0,
            late: if wait_us > SECOND_US { acked } else { 0 },
            wait_us,
        };
        Interval {
            start_us: at * SECOND_US,
            end_us: (at + 1) * SECOND_US,
            is_measured: true,
            is_whole: true,
            scheduled: 100,
            acked: acked[0] + acked[1],
            response,
            flows: acked.map(flow).to_vec(),
            leaders: vec![(0, 1), (1, 2)],
            ..Interval::default()
        }
    }

    struct Scene {
        book: FaultBook,
        decided: Vec<Decided>,
        at: u64,
    }

    impl Scene {
        fn new(faults: &[&str]) -> Self {
            let plan: Vec<_> = faults.iter().map(|name| plan(name)).collect();
            Self { book: FaultBook::new(&plan), decided: Vec::new(), at: 0 }
        }

        fn seconds(&mut self, count: u64, acked: [u64; 2], wait_us: u64) {
            for _ in 0..count {
                self.book.take(second(self.at, acked, wait_us));
                self.at += 1;
                self.decided.extend(self.book.settle(self.at * SECOND_US));
            }
        }

        fn tell(&mut self, fault: usize, begun_us: u64, undone_us: Option<u64>) {
            let times = FaultTimes {
                begun_us: Some(begun_us),
                undone_us,
                broker: Some(2),
                is_unknown: false,
            };
            self.book.tell(fault, times);
        }

        fn finish(mut self) -> (Vec<Decided>, Findings) {
            self.decided.extend(self.book.settle_all());
            (self.decided, self.book.finish(|_| true))
        }
    }

    fn seconds_of(decided: &[Decided], pick: impl Fn(&Decided) -> bool) -> Vec<u64> {
        decided.iter().filter(|of| pick(of)).map(|of| of.start_us / SECOND_US).collect()
    }

    const FINE: [u64; 2] = [50, 50];

    /// A broker is killed at 20.3 s, another leads from 26.5 s on, it is undone at 30.2 s, and all is well from 33 s.
    fn killed() -> Scene {
        let mut scene = Scene::new(&["kill-1", "kill-2"]);
        scene.seconds(20, FINE, 5_000);
        scene.tell(0, 20_300_000, None);
        scene.seconds(1, [50, 15], 5_000);
        scene.seconds(5, [50, 0], 5_000);
        scene.seconds(1, [50, 335], 6_200_000);
        scene.seconds(3, FINE, 5_000);
        scene.tell(0, 20_300_000, Some(30_200_000));
        scene.seconds(3, FINE, 5_000);
        scene
    }

    #[test]
    fn what_a_fault_did_adds_up() {
        let mut scene = killed();
        scene.seconds(1, FINE, 90_000);
        scene.seconds(20, FINE, 5_000);
        let (decided, findings) = scene.finish();
        assert_eq!(decided.len(), 54, "each interval once");
        assert!(decided.is_sorted_by_key(|of| of.start_us));
        let there = seconds_of(&decided, |of| of.faults == [0]);
        assert_eq!(there, (20..=30).collect::<Vec<_>>());
        let outside = seconds_of(&decided, |of| of.is_outside);
        assert_eq!(outside, (0..20).chain(34..54).collect::<Vec<_>>(), "second 33 was slow");
        let of_kill = When::Of(vec![0]);
        let outcome = findings.outcome(&of_kill);
        // Late records came in second 26; recovered from 34 s on, undone at 30.2 s.
        assert_eq!(outcome.detected_us, Some(27_000_000 - 20_300_000));
        assert_eq!(outcome.recovery_us, Some(3_800_000));
        assert_eq!(outcome.shortfall, Some(0), "all of it was acknowledged before the end");
        assert_eq!(findings.outcome(&When::Any), outcome);
        let measured = Spans::between(0, 54 * SECOND_US);
        let of = |when: &When| findings.unavailable(when, &measured, |_| true).unwrap();
        assert_eq!(of(&of_kill).max_us, 6_200_000);
        assert_eq!(of(&When::Any).total_us, 6_200_000);
        assert_eq!(of(&When::Outside), Default::default());
        assert_eq!(findings.silent_in(0)[0].slot, 1);
        assert_eq!(findings.of[0].late, 385);
    }

    #[test]
    fn a_fault_that_begins_before_the_recovery_from_another_leaves_it_unknown() {
        let mut scene = killed();
        scene.tell(1, 33_500_000, Some(40_500_000));
        scene.seconds(7, [50, 0], 5_000);
        scene.seconds(20, FINE, 5_000);
        let (decided, findings) = scene.finish();
        let outside = seconds_of(&decided, |of| of.is_outside);
        assert_eq!(outside, (0..20).chain(41..60).collect::<Vec<_>>());
        assert_eq!(findings.outcome(&When::Of(vec![0])).recovery_us, None);
        assert_eq!(findings.outcome(&When::Of(vec![1])).recovery_us, Some(500_000));
        assert_eq!(
            findings.outcome(&When::Any).recovery_us,
            None,
            "a maximum of what is not known"
        );
        assert_eq!(findings.outcome(&When::Of(vec![1])).shortfall, Some(350));
    }

    #[test]
    fn what_nobody_knows_is_no_number() {
        let (_, findings) = killed().finish();
        assert_eq!(findings.outcome(&When::Any).recovery_us, None, "three seconds tell nothing");
        let (_, findings) = Scene::new(&["kill-1"]).finish();
        assert_eq!(findings.outcome(&When::Any), Default::default(), "it never began");
        let mut scene = Scene::new(&["kill-1"]);
        scene.book.tell(0, FaultTimes { is_unknown: true, ..FaultTimes::default() });
        let (_, findings) = scene.finish();
        assert!(!findings.are_known(&When::Outside) && !findings.are_known(&When::Of(vec![0])));
    }

    #[test]
    fn several_faults_go_by_the_name_that_they_have_in_common() {
        let book = Scene::new(&["kill-1", "kill-2"]).book;
        assert_eq!((book.named("kill"), book.named("kill-2")), (vec![0, 1], vec![1]));
    }
}
