//! The clocks of agents against the controller's: four-timestamp probes through the whole run.
//!
//! A probe leaves at `t1` and comes back at `t4` by our clock, and is read at `t2` and answered at `t3` by
//! the agent's. The agent's clock is then ahead by `((t2 − t1) + (t3 − t4)) / 2`, and wrong by half the
//! round trip `(t4 − t1) − (t3 − t2)` at most, however unequal the two ways are (RFC 5905, section 8).
//! Of many probes the one with the shortest round trip knows best.
//!
//! What matters is how far agents are apart, not how far they are from us: a laptop that slept, that was booted
//! again or whose clock drifts moves all that is found in one filter by as much. So clocks are held against each
//! other filter by filter, and against ours only where agents go by it.
//!
//! Invariants: processes of one kernel and time namespace share one monotonic clock, so there is one
//! estimate for each, whoever was asked; what was settled at the common start is kept and never corrected, and
//! every later filter in which clocks are further apart widens the error that is told.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Probes that are wanted of a clock before the load starts.
const PROBES_WANTED: u32 = 8;

/// Between two probes of a clock before the load, in microseconds.
const BEFORE_LOAD_US: u64 = 30_000;

/// Between two probes of a clock during the load, in microseconds: a hundred bytes a second.
const DURING_LOAD_US: u64 = 1_000_000;

/// A probe that takes longer than this is lost, or of no use, in microseconds.
const LOST_US: u64 = 3_000_000;

/// Of so many probes, the one with the shortest round trip is believed.
const FILTER: u32 = 16;

/// How long a filter lasts during the load, in microseconds: the same for all clocks, so that what they say is of
/// one time.
const FILTER_US: u64 = FILTER as u64 * DURING_LOAD_US;

/// With fewer probes than this a clock is left out of a filter: the best of so few may be a bad one.
const ENOUGH: u32 = 4;

/// A probe that contradicts an earlier one of its filter by more than this, in microseconds, says that a clock
/// was moved, ours or its own. No clock drifts so much in a filter: it would be 1,250 parts per million.
const MOVED_US: u64 = 20_000;

/// How far a clock is ahead of ours, and how wrong that may be, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offset {
    /// Ahead of ours; negative if it is behind.
    pub ahead_us: i64,
    /// Half the width of what is possible.
    pub error_us: u64,
}

/// One clock that is not ours.
#[derive(Clone, Debug, Default)]
struct Watched {
    /// The probe of the present filter with the shortest round trip.
    best: Option<Offset>,
    /// Probes in the present filter.
    probes: u32,
    /// What the common start was told by.
    settled: Option<Offset>,
    /// The largest error of what was settled that filters until the last one allow, against our clock.
    worst_us: u64,
    /// Number of the question that is out, and when it was asked.
    out: Option<(u32, u64)>,
    next_us: u64,
}

/// The clocks of a case's agents, by what they share: see [`crate::clock::boot_id`].
#[derive(Clone, Debug, Default)]
pub(super) struct Clocks {
    watched: BTreeMap<String, Watched>,
    /// When the present filter began.
    filter_us: u64,
    /// How far two of these clocks were apart at most, against what was settled, in filters until the last one.
    apart_us: u64,
    /// What was settled was settled by another clock than ours: only differences say something.
    by_another: bool,
}

impl Clocks {
    /// Whether a clock is to be asked now.
    pub(super) fn is_due(&mut self, clock: &str, now_us: u64) -> bool {
        let watched = self.watched.entry(clock.to_owned()).or_default();
        if watched.out.is_some_and(|(_, asked_us)| now_us.saturating_sub(asked_us) < LOST_US) {
            return false;
        }
        now_us >= watched.next_us
    }

    /// Notes that a clock was asked.
    pub(super) fn asked(&mut self, clock: &str, request: u32, now_us: u64, in_load: bool) {
        let watched = self.watched.entry(clock.to_owned()).or_default();
        watched.out = Some((request, now_us));
        watched.next_us = now_us + if in_load { DURING_LOAD_US } else { BEFORE_LOAD_US };
    }

    /// Takes an answer. One that was not waited for any more is passed over.
    pub(super) fn answered(
        &mut self,
        clock: &str,
        request: u32,
        (received_us, sent_us): (u64, u64),
        now_us: u64,
    ) {
        let Some(watched) = self.watched.get_mut(clock) else { return };
        let Some((_, asked_us)) = watched.out.take_if(|(out, _)| *out == request) else { return };
        // Its way was long, or this machine slept meanwhile.
        if now_us.saturating_sub(asked_us) > LOST_US {
            return;
        }
        let probe = probe(asked_us, received_us, sent_us, now_us);
        let was_moved = watched.best.is_some_and(|best| best.contradicts(probe));
        let is_over = now_us.saturating_sub(self.filter_us) >= FILTER_US;
        let in_load = self.watched.values().any(|watched| watched.settled.is_some());
        if was_moved || (is_over && in_load) {
            self.next_filter(now_us);
        }
        if let Some(watched) = self.watched.get_mut(clock) {
            watched.take(probe);
        }
    }

    /// Takes the present filter for what is true, and starts the next one.
    fn next_filter(&mut self, now_us: u64) {
        self.apart_us = self.apart_us();
        for watched in self.watched.values_mut().filter(|_| !self.by_another) {
            watched.worst_us = watched.error_us();
        }
        self.start_over(now_us);
    }

    /// Forgets the present filter: it would hold what one clock said before our own was moved against what
    /// another one says now.
    pub(super) fn start_over(&mut self, now_us: u64) {
        for watched in self.watched.values_mut() {
            (watched.best, watched.probes) = (None, 0);
        }
        self.filter_us = now_us;
    }

    /// Whether enough is known of these clocks to tell them a common start.
    pub(super) fn are_known<'a>(&self, clocks: impl IntoIterator<Item = &'a str>) -> bool {
        let is_known =
            |watched: &Watched| watched.settled.is_some() || watched.probes >= PROBES_WANTED;
        clocks.into_iter().all(|clock| self.watched.get(clock).is_some_and(is_known))
    }

    /// Settles how far a clock is ahead; the same from then on.
    pub(super) fn settle(&mut self, clock: &str) {
        let Some(watched) = self.watched.get_mut(clock) else { return };
        if watched.settled.is_none() {
            watched.settled = watched.best.take();
            watched.worst_us = watched.settled.map_or(0, |settled| settled.error_us);
            watched.probes = 0;
        }
    }

    /// What was settled of a clock.
    pub(super) fn settled_of(&self, clock: &str) -> Option<Offset> {
        self.watched.get(clock)?.settled
    }

    /// What was settled, by clock.
    pub(super) fn settled(&self) -> BTreeMap<String, Offset> {
        let settled = |watched: &Watched| watched.settled;
        let all = self.watched.iter();
        all.filter_map(|(clock, of)| Some((clock.clone(), settled(of)?))).collect()
    }

    /// Goes on with what an earlier controller has settled, by our clock or by that of another boot.
    pub(super) fn resume(settled: &BTreeMap<String, Offset>, by_our_clock: bool) -> Self {
        let watched = |of: &Offset| Watched {
            settled: Some(*of),
            worst_us: of.error_us,
            ..Watched::default()
        };
        let watched = settled.iter().map(|(clock, of)| (clock.clone(), watched(of))).collect();
        Self { watched, by_another: !by_our_clock, ..Self::default() }
    }

    /// How wrong what was settled of a clock against ours may be, in microseconds. None if it is not known.
    pub(super) fn error_of(&self, clock: &str) -> Option<u64> {
        let watched = self.watched.get(clock).filter(|watched| watched.settled.is_some())?;
        Some(if self.by_another { watched.worst_us } else { watched.error_us() })
    }

    /// How wrong the difference of two agents' run clocks may be, in microseconds: what was settled of the two
    /// worst clocks, added, or as far as two clocks were apart since. `ours` says for each clock whether it is
    /// the controller's own. None if one is not known.
    pub(super) fn error_us<'a>(
        &self,
        clocks: impl IntoIterator<Item = (&'a str, bool)>,
    ) -> Option<u64> {
        let clocks: BTreeMap<&str, bool> = clocks.into_iter().collect();
        let settled = |(clock, ours): (&&str, &bool)| match ours {
            true => Some(0),
            false => Some(self.settled_of(clock)?.error_us),
        };
        let mut errors = clocks.iter().map(settled).collect::<Option<Vec<u64>>>()?;
        errors.sort_unstable_by(|a, b| b.cmp(a));
        // One clock for all agents is in agreement with itself.
        let [worst, next, ..] = errors[..] else { return Some(0) };
        let from_ours = if clocks.values().any(|ours| *ours) {
            clocks.keys().filter_map(|clock| self.error_of(clock)).max().unwrap_or(0)
        } else {
            0
        };
        Some((worst + next).max(self.apart_us()).max(from_ours))
    }

    /// How far two of these clocks may be apart at most, against what was settled, by all filters and the
    /// present one.
    fn apart_us(&self) -> u64 {
        let ranges: Vec<_> = self.watched.values().filter_map(Watched::range_us).collect();
        let mut most_us = 0_i64;
        for (at, (_, high_us)) in ranges.iter().enumerate() {
            let others = ranges.iter().enumerate().filter(|(other, _)| *other != at);
            if let Some(low_us) = others.map(|(_, (low_us, _))| *low_us).min() {
                most_us = most_us.max(high_us.saturating_sub(low_us));
            }
        }
        self.apart_us.max(u64::try_from(most_us).unwrap_or(0))
    }
}

impl Offset {
    /// Whether another probe of the same clock cannot be true as well.
    fn contradicts(self, other: Self) -> bool {
        let off_us = self.ahead_us.abs_diff(other.ahead_us);
        off_us > self.error_us.saturating_add(other.error_us).saturating_add(MOVED_US)
    }
}

impl Watched {
    fn take(&mut self, probe: Offset) {
        self.probes = self.probes.saturating_add(1);
        if self.best.is_none_or(|best| probe.error_us < best.error_us) {
            self.best = Some(probe);
        }
    }

    /// From where to where the clock may be by the present filter, against what was settled. None without
    /// enough probes.
    fn range_us(&self) -> Option<(i64, i64)> {
        let best = self.best.filter(|_| self.probes >= ENOUGH)?;
        let off_us = best.ahead_us.saturating_sub(self.settled?.ahead_us);
        let error_us = i64::try_from(best.error_us).unwrap_or(i64::MAX);
        Some((off_us.saturating_sub(error_us), off_us.saturating_add(error_us)))
    }

    /// The largest error of what was settled that filters until now allow, against our clock.
    fn error_us(&self) -> u64 {
        let range = self.range_us();
        let end_us = range.map_or(0, |(low, high)| low.unsigned_abs().max(high.unsigned_abs()));
        self.worst_us.max(end_us)
    }
}

/// What four timestamps say: `asked` and `now` by our clock, the others by the agent's.
fn probe(asked_us: u64, received_us: u64, sent_us: u64, now_us: u64) -> Offset {
    let signed = |us: u64| i64::try_from(us).unwrap_or(i64::MAX);
    let there = signed(received_us) - signed(asked_us);
    let back = signed(sent_us) - signed(now_us);
    let held = sent_us.saturating_sub(received_us);
    let round_trip = now_us.saturating_sub(asked_us).saturating_sub(held);
    // Rounded up, with a microsecond for the clocks' own grain.
    Offset { ahead_us: (there + back) / 2, error_us: round_trip / 2 + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A clock that is ahead, drifts (parts per million), and is reached by two unequal ways.
    #[derive(Clone, Copy, Debug)]
    struct Simulated {
        ahead_us: i64,
        drift_ppm: i64,
    }

    impl Simulated {
        fn read(self, true_us: u64) -> u64 {
            let us = true_us as i64;
            (us + self.ahead_us + us * self.drift_ppm / 1_000_000) as u64
        }
    }

    /// Probes for a while; ways there and back take turns from lists.
    fn watch(clock: Simulated, there: &[u64], back: &[u64], probes: u32) -> (Clocks, u64) {
        let mut clocks = Clocks::default();
        let mut now = 10_000_000_000;
        for request in 0..probes {
            let at = request as usize;
            assert!(clocks.is_due("far", now), "{at}");
            let in_load = clocks.are_known(["far"]);
            clocks.asked("far", request, now, in_load);
            let received = now + there[at % there.len()];
            let returned = received + 50 + back[at % back.len()];
            let read = (clock.read(received), clock.read(received + 50));
            clocks.answered("far", request, read, returned);
            if clocks.are_known(["far"]) {
                clocks.settle("far");
            }
            now += DURING_LOAD_US;
        }
        (clocks, now)
    }

    proptest! {
        #[test]
        fn the_error_told_covers_the_true_one_however_unequal_the_ways_and_whatever_the_drift(
            ahead_us in -9_000_000_000_i64..9_000_000_000,
            drift_ppm in -200_i64..200,
            there in prop::collection::vec(20_u64..40_000, 1..5),
            back in prop::collection::vec(20_u64..40_000, 1..5),
        ) {
            let clock = Simulated { ahead_us, drift_ppm };
            let (clocks, now) = watch(clock, &there, &back, PROBES_WANTED + 4 * FILTER);
            let settled = clocks.settled()["far"];
            let truly = clock.read(now) as i64 - now as i64;
            let told = clocks.error_us([("ours", true), ("far", false)]).unwrap();
            // What drifted since the best probe of the last filter's length is not known yet.
            let since = FILTER as i64 * DURING_LOAD_US as i64 * drift_ppm.abs() / 1_000_000 * 2;
            let off = (truly - settled.ahead_us).unsigned_abs();
            prop_assert!(off <= told + since as u64 + 20, "{off} > {told} + {since}");
        }
    }

    #[test]
    fn the_shortest_round_trip_is_believed() {
        let clock = Simulated { ahead_us: 5_000_000, drift_ppm: 0 };
        let (clocks, _) = watch(clock, &[30_000, 200, 9_000], &[100], PROBES_WANTED);
        let settled = clocks.settled()["far"];
        assert!(settled.ahead_us.abs_diff(5_000_000) <= settled.error_us, "{settled:?}");
        assert!(settled.error_us < 200, "{settled:?}");
    }

    #[test]
    fn one_clock_for_all_agents_is_in_agreement_with_itself() {
        let clock = Simulated { ahead_us: 7, drift_ppm: 0 };
        let (clocks, _) = watch(clock, &[500], &[500], PROBES_WANTED);
        assert_eq!(clocks.error_us([("far", false), ("far", false)]), Some(0));
        assert!(clocks.error_us([("far", false), ("ours", true)]).unwrap() > 0);
        assert_eq!(clocks.error_us([("ours", true), ("unheard of", false)]), None);
        assert!(clocks.error_of("far").unwrap() > 0, "against ours it may be wrong all the same");
        assert_eq!(clocks.error_of("unheard of"), None);
    }

    /// Asks a clock at a true time; `ours` reads our clock.
    fn ask(
        clocks: &mut Clocks,
        (name, clock): (&str, Simulated),
        asked: u64,
        ours: impl Fn(u64) -> u64,
    ) {
        let (received, answered) = (asked + 200, asked + 250);
        clocks.asked(name, 1, ours(asked), true);
        let read = (clock.read(received), clock.read(answered));
        clocks.answered(name, 1, read, ours(answered + 200));
    }

    /// Asks two clocks once a second for so many seconds, and settles both as soon as they are known.
    fn watch_two(
        clocks: &mut Clocks,
        two: [Simulated; 2],
        seconds: std::ops::Range<u64>,
        ours: impl Fn(u64) -> u64,
    ) {
        for second in seconds {
            let asked = (10_000 + second) * 1_000_000;
            ask(clocks, ("a", two[0]), asked, &ours);
            ask(clocks, ("b", two[1]), asked + 300_000, &ours);
            if clocks.are_known(["a", "b"]) {
                ["a", "b"].iter().for_each(|name| clocks.settle(name));
            }
        }
    }

    const BOTH: [(&str, bool); 2] = [("a", false), ("b", false)];
    const WITH_OURS: [(&str, bool); 3] = [("a", false), ("b", false), ("ours", true)];
    const STEADY: [Simulated; 2] = [
        Simulated { ahead_us: 5_000_000, drift_ppm: 0 },
        Simulated { ahead_us: 90_000_000, drift_ppm: 0 },
    ];

    #[test]
    fn a_controller_that_slept_is_wrong_itself_and_agents_are_not() {
        // For an hour our clock stood still.
        let mut clocks = Clocks::default();
        watch_two(&mut clocks, STEADY, 0..40, |at| at);
        watch_two(&mut clocks, STEADY, 3_640..3_800, |at| at - 3_600_000_000);
        assert!(clocks.error_us(BOTH).unwrap() < 1_000, "{clocks:?}");
        assert!(clocks.error_us(WITH_OURS).unwrap() > 3_500_000_000, "an agent here slept as well");
        assert!(clocks.error_of("a").unwrap() > 3_500_000_000);
    }

    #[test]
    fn what_was_heard_before_a_sleep_is_not_held_against_what_is_heard_after_it() {
        let mut clocks = Clocks::default();
        watch_two(&mut clocks, STEADY, 0..20, |at| at);
        clocks.start_over(10_020_000_000);
        let probes = u64::from(ENOUGH);
        for second in 0..probes {
            ask(&mut clocks, ("a", STEADY[0]), 10_020_000_000 + second * 1_000_000, |at| at);
        }
        clocks.start_over(10_025_000_000);
        for second in 0..probes {
            let asked = 13_626_000_000 + second * 1_000_000;
            ask(&mut clocks, ("b", STEADY[1]), asked, |at| at - 3_600_000_000);
        }
        assert!(clocks.error_us(BOTH).unwrap() < 1_000, "{clocks:?}");
    }

    #[test]
    fn a_controller_that_drifts_takes_nothing_from_agents_that_agree() {
        let mut clocks = Clocks::default();
        let ours = |at: u64| at + (at - 10_000_000_000) / 10_000;
        watch_two(&mut clocks, STEADY, 0..3_600, ours);
        // A hundredth of a per cent, in the length of a filter.
        assert!(clocks.error_us(BOTH).unwrap() < 3_000, "{clocks:?}");
        assert!(clocks.error_us(WITH_OURS).unwrap() > 300_000, "{clocks:?}");
    }

    #[test]
    fn agents_that_drift_apart_are_told_whatever_the_controller_does() {
        let mut clocks = Clocks::default();
        let apart = [STEADY[0], Simulated { ahead_us: 90_000_000, drift_ppm: 100 }];
        watch_two(&mut clocks, apart, 0..500, |at| at);
        watch_two(&mut clocks, apart, 4_100..4_600, |at| at - 3_600_000_000);
        let told = clocks.error_us(BOTH).unwrap();
        assert!((450_000..470_000).contains(&told), "{told}");
    }

    #[test]
    fn a_controller_of_another_boot_goes_on_with_what_the_first_one_settled() {
        let mut first = Clocks::default();
        watch_two(&mut first, STEADY, 0..20, |at| at);
        let mut next = Clocks::resume(&first.settled(), false);
        watch_two(&mut next, STEADY, 100..300, |at| at - 9_000_000_000);
        assert!(next.error_us(BOTH).unwrap() < 1_000, "{next:?}");
        assert!(next.error_of("a").unwrap() < 1_000, "{next:?}");
        let mut same = Clocks::resume(&first.settled(), true);
        watch_two(&mut same, STEADY, 100..300, |at| at - 9_000_000_000);
        assert!(same.error_of("a").unwrap() > 8_000_000_000, "{same:?}");
    }

    #[test]
    fn a_probe_that_came_back_after_a_sleep_says_nothing() {
        let mut clocks = Clocks::default();
        clocks.asked("far", 1, 0, false);
        clocks.answered("far", 1, (5, 6), LOST_US + 1);
        assert!(clocks.watched["far"].best.is_none());
    }

    #[test]
    fn a_probe_that_is_lost_is_asked_again() {
        let mut clocks = Clocks::default();
        clocks.asked("far", 1, 0, false);
        assert!(!clocks.is_due("far", LOST_US - 1));
        assert!(clocks.is_due("far", LOST_US));
        clocks.asked("far", 2, LOST_US, false);
        clocks.answered("far", 1, (5, 6), LOST_US + 1);
        assert!(!clocks.are_known(["far"]));
    }
}
