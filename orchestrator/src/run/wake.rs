//! The time that a case is handed: wall time, and `CLOCK_MONOTONIC`, and what that leaves out while this machine sleeps.
//!
//! Agents on other machines go on while a laptop is closed, so once the load runs that time counts. Agents of
//! this machine sleep as well and share its clock: where there is one, nothing is added.

use super::{checkpoint::Checkpoint, context::CaseContext};
use crate::clock::{self, Moment, micros};

/// A shorter sleep is none: the two clocks are not read at one moment.
const SHORTEST_US: u64 = 1_000_000;

/// Knows how long this machine slept while a load ran.
#[derive(Debug)]
pub(super) struct Wake {
    /// What the case's time is ahead of `CLOCK_MONOTONIC`.
    ahead_us: u64,
    /// How long this machine had slept since it booted, when it was looked at last.
    slept_us: u64,
    /// `CLOCK_MONOTONIC` when it was looked at last.
    seen_us: u64,
}

impl Wake {
    /// For a case whose load has not started.
    pub(super) fn new() -> Self {
        Self { ahead_us: 0, slept_us: clock::slept_us(), seen_us: clock::monotonic_us() }
    }

    /// For a load that an earlier controller started: what this machine slept since then counts. On another
    /// boot, the whole load lies before this clock's 0.
    pub(super) fn resume(checkpoint: &Checkpoint, context: &CaseContext) -> Self {
        let slept_us = clock::slept_us();
        let mut hosts = checkpoint.agents.iter().flatten();
        let shared = hosts.any(|host| host.boot_id == context.boot_id);
        let ahead_us = match checkpoint.slept_us {
            _ if checkpoint.boot_id != context.boot_id => {
                micros(Moment::read(0).since(checkpoint.load_started_at))
            }
            Some(then_us) if !shared => {
                u64::try_from(signed(slept_us).saturating_sub(then_us)).unwrap_or(0)
            }
            _ => 0,
        };
        Self { ahead_us, slept_us, seen_us: clock::monotonic_us() }
    }

    /// Now, as the case is given it.
    pub(super) fn now(&self) -> Moment {
        Moment::read(clock::monotonic_us() + self.ahead_us)
    }

    /// How long this machine has slept since it was looked at last; `None` if it has not, or if that does not
    /// count.
    pub(super) fn look(&mut self, counts: bool) -> Option<u64> {
        self.take(clock::slept_us(), counts)
    }

    /// How long this process has not looked, where that is longer than a busy machine explains: it was
    /// stopped. It looks many times a second.
    pub(super) fn held_up(&mut self) -> Option<u64> {
        let now_us = clock::monotonic_us();
        let us = now_us.saturating_sub(std::mem::replace(&mut self.seen_us, now_us));
        Some(us).filter(|us| *us >= SHORTEST_US)
    }

    fn take(&mut self, slept_us: u64, counts: bool) -> Option<u64> {
        let us = slept_us.checked_sub(self.slept_us).filter(|us| *us >= SHORTEST_US)?;
        self.slept_us = slept_us;
        if !counts {
            return None;
        }
        self.ahead_us += us;
        Some(us)
    }

    /// How long this machine had slept when the load started, for whoever takes the case over. Less than 0
    /// where the load started before this boot.
    pub(super) fn slept_at_start_us(&self) -> i64 {
        signed(self.slept_us).saturating_sub(signed(self.ahead_us))
    }
}

fn signed(us: u64) -> i64 {
    i64::try_from(us).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::simulate::context;

    fn resumed(boot_id: &str, slept_us: i64) -> Wake {
        let checkpoint: Checkpoint = serde_json::from_value(serde_json::json!({
            "started_at": "2026-01-01T12:00:00Z",
            "load_started_at": "2026-01-01T12:00:00Z",
            "start_clock_us": 1_000_000,
            "slept_us": slept_us,
            "boot_id": boot_id,
            "own_brokers": [],
            "cluster": {"brokers": []},
            "partitions": [3],
            "start_offsets": [],
            "clocks": {},
            "agents": [null],
        }))
        .unwrap();
        Wake::resume(&checkpoint, &context())
    }

    #[test]
    fn who_takes_a_case_over_counts_what_was_slept_since_the_start_or_all_since_on_another_boot() {
        let now_us = signed(clock::slept_us());
        let slept = resumed("this boot", now_us - 5_000_000);
        assert!((4_900_000..5_100_000).contains(&slept.ahead_us), "{slept:?}");
        assert_eq!(resumed("this boot", now_us + 5_000_000).ahead_us, 0);
        let booted = resumed("another one", now_us);
        let since_us = micros(Moment::read(0).since("2026-01-01T12:00:00Z".parse().unwrap()));
        assert!(since_us - booted.ahead_us < 60_000_000, "{booted:?}");
    }

    #[test]
    fn only_a_time_without_a_look_that_a_busy_machine_does_not_explain_is_one() {
        let mut wake = Wake::new();
        assert_eq!(wake.held_up(), None);
        wake.seen_us -= 13_000_000;
        assert!(wake.held_up().is_some_and(|us| us >= 13_000_000));
        assert_eq!(wake.held_up(), None, "it is told once");
    }

    #[test]
    fn time_asleep_counts_once_the_load_runs_and_what_it_was_at_the_start_stays() {
        let mut wake = Wake { ahead_us: 0, slept_us: 7_000_000, seen_us: 0 };
        assert_eq!(wake.take(60_000_000, false), None, "before the load");
        assert_eq!((wake.ahead_us, wake.slept_at_start_us()), (0, 60_000_000));
        assert_eq!(wake.take(60_400_000, true), None, "that is how clocks are read");
        assert_eq!(wake.take(3_660_000_000, true), Some(3_600_000_000));
        assert_eq!(wake.take(3_660_000_000, true), None);
        assert_eq!((wake.ahead_us, wake.slept_at_start_us()), (3_600_000_000, 60_000_000));
    }
}
