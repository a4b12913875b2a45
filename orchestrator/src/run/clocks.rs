//! The clocks of agents against the controller's: four-timestamp probes through the whole run.
//!
//! A probe leaves at `t1` and comes back at `t4` by our clock, and is read at `t2` and answered at `t3` by
//! the agent's. The agent's clock is then ahead by `((t2 − t1) + (t3 − t4)) / 2`, and wrong by half the
//! round trip `(t4 − t1) − (t3 − t2)` at most, however unequal the two ways are (RFC 5905, section 8).
//! Of many probes the one with the shortest round trip knows best.
//!
//! Invariants: processes of one kernel and time namespace share one monotonic clock, so there is one
//! estimate for each, whoever was asked; what was settled at the common start is kept, and every later
//! probe that disagrees with it (a clock that drifts) widens the error that is told.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Probes that are wanted of a clock before the load starts.
pub(super) const PROBES_WANTED: usize = 8;

/// Between two probes of a clock before the load, in microseconds.
const BEFORE_LOAD_US: u64 = 30_000;

/// Between two probes of a clock during the load, in microseconds: a hundred bytes a second.
const DURING_LOAD_US: u64 = 1_000_000;

/// A probe that takes longer than this is lost, or of no use, in microseconds.
const LOST_US: u64 = 3_000_000;

/// Of so many probes, the one with the shortest round trip is believed.
const FILTER: usize = 16;

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
    /// Since the last one was believed.
    fresh: Vec<Offset>,
    probes: usize,
    /// What the common start was told by.
    settled: Option<Offset>,
    /// The largest error of what was settled that any believed probe allows.
    worst_us: u64,
    /// Number of the question that is out, and when it was asked.
    out: Option<(u32, u64)>,
    next_us: u64,
}

/// The clocks of a case's agents, by what they share: see [`crate::clock::boot_id`].
#[derive(Clone, Debug, Default)]
pub(super) struct Clocks(BTreeMap<String, Watched>);

impl Clocks {
    /// Whether a clock is to be asked now.
    pub(super) fn is_due(&mut self, clock: &str, now_us: u64) -> bool {
        let watched = self.0.entry(clock.to_owned()).or_default();
        if watched.out.is_some_and(|(_, asked_us)| now_us.saturating_sub(asked_us) < LOST_US) {
            return false;
        }
        now_us >= watched.next_us
    }

    /// Notes that a clock was asked.
    pub(super) fn asked(&mut self, clock: &str, request: u32, now_us: u64, in_load: bool) {
        let watched = self.0.entry(clock.to_owned()).or_default();
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
        let Some(watched) = self.0.get_mut(clock) else { return };
        let Some((_, asked_us)) = watched.out.take_if(|(out, _)| *out == request) else { return };
        watched.take(probe(asked_us, received_us, sent_us, now_us));
    }

    /// Whether enough is known of these clocks to tell them a common start.
    pub(super) fn are_known<'a>(&self, clocks: impl IntoIterator<Item = &'a str>) -> bool {
        let probes = |clock| self.0.get(clock).map_or(0, |watched| watched.probes);
        clocks.into_iter().all(|clock| probes(clock) >= PROBES_WANTED)
    }

    /// Settles how far a clock is ahead; the same from then on.
    pub(super) fn settle(&mut self, clock: &str) {
        let Some(watched) = self.0.get_mut(clock) else { return };
        if watched.settled.is_none() {
            watched.settled = best(&watched.fresh);
            watched.worst_us = watched.settled.map_or(0, |settled| settled.error_us);
            watched.fresh.clear();
        }
    }

    /// What was settled of a clock.
    pub(super) fn settled_of(&self, clock: &str) -> Option<Offset> {
        self.0.get(clock)?.settled
    }

    /// What was settled, by clock.
    pub(super) fn settled(&self) -> BTreeMap<String, Offset> {
        let settled = |watched: &Watched| watched.settled;
        self.0.iter().filter_map(|(clock, of)| Some((clock.clone(), settled(of)?))).collect()
    }

    /// Goes on with what an earlier controller has settled.
    pub(super) fn resume(settled: &BTreeMap<String, Offset>) -> Self {
        let watched = |of: &Offset| Watched {
            settled: Some(*of),
            worst_us: of.error_us,
            ..Watched::default()
        };
        Self(settled.iter().map(|(clock, of)| (clock.clone(), watched(of))).collect())
    }

    /// How wrong the difference of two agents' run clocks may be, in microseconds: the two worst clocks,
    /// added. `ours` says for each clock whether it is the controller's own. None if one is not known.
    pub(super) fn error_us<'a>(
        &self,
        clocks: impl IntoIterator<Item = (&'a str, bool)>,
    ) -> Option<u64> {
        let errors: Option<BTreeMap<&str, u64>> = clocks
            .into_iter()
            .map(|(clock, ours)| {
                let watched = self.0.get(clock).filter(|watched| watched.settled.is_some());
                let error_us = if ours { 0 } else { watched?.error_us() };
                Some((clock, error_us))
            })
            .collect();
        let mut errors: Vec<u64> = errors?.into_values().collect();
        errors.sort_unstable_by(|a, b| b.cmp(a));
        // One clock for all agents is in agreement with itself.
        Some(if errors.len() < 2 { 0 } else { errors[0] + errors[1] })
    }
}

impl Watched {
    fn take(&mut self, probe: Offset) {
        self.probes += 1;
        self.fresh.push(probe);
        if self.settled.is_none() {
            return;
        }
        if self.fresh.len() >= FILTER {
            self.believe();
        }
    }

    /// Takes the best of the last probes for what is true, and starts the next filter.
    fn believe(&mut self) {
        self.worst_us = self.error_us();
        self.fresh.clear();
    }

    /// The largest error of what was settled that probes allow until now.
    fn error_us(&self) -> u64 {
        let (Some(best), Some(settled)) = (best(&self.fresh), self.settled) else {
            return self.worst_us;
        };
        let off_us = best.ahead_us.abs_diff(settled.ahead_us);
        self.worst_us.max(off_us + best.error_us)
    }
}

fn best(probes: &[Offset]) -> Option<Offset> {
    probes.iter().copied().min_by_key(|probe| probe.error_us)
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
    fn watch(clock: Simulated, there: &[u64], back: &[u64], probes: usize) -> (Clocks, u64) {
        let mut clocks = Clocks::default();
        let mut now = 10_000_000_000;
        for at in 0..probes {
            let request = at as u32;
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
