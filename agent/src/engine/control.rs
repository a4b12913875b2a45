//! What all threads of an engine look at: the run's clock, and what they are told to do.

use super::{clock::NEVER, sys};
use mallard_protocol::schedule::Share;
use std::{
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

/// Sleeps up to this long use the kernel's timer directly; longer ones wait on a condition, so that a
/// change of the engine's state wakes them.
const SHORT_SLEEP_US: u64 = 3_000;

/// What all threads of an engine look at: the clock, and what they are told to do.
#[derive(Debug)]
pub(crate) struct Control {
    /// The reading of `CLOCK_MONOTONIC` that is 0 of the run's clock, in microseconds.
    start_clock_us: AtomicU64,
    /// From here on nothing more is due, on the run's clock.
    stop_us: AtomicU64,
    /// Until then records may still be sent and flushed, as a reading of `CLOCK_MONOTONIC`.
    finish_clock_us: AtomicU64,
    /// Consumers leave their groups.
    closing: AtomicBool,
    /// Threads leave their loops.
    ended: AtomicBool,
    /// Counts what was changed, so that no change is slept through.
    changes: AtomicU64,
    lock: Mutex<Rest>,
    changed: Condvar,
}

/// How far threads have come in ending.
#[derive(Debug, Default)]
struct Rest {
    /// Producers that have flushed and consumers that have closed.
    settled: usize,
    /// Threads that count nothing more.
    parked: usize,
    /// The run's end, for the last cut: `Some(None)` if the run never began.
    end_us: Option<Option<u64>>,
    /// What producers take over from lost ones, by slot, until they have seen it.
    taken_over: Vec<(usize, Share)>,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            start_clock_us: AtomicU64::new(NEVER),
            stop_us: AtomicU64::new(NEVER),
            finish_clock_us: AtomicU64::new(NEVER),
            closing: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            changes: AtomicU64::new(0),
            lock: Mutex::new(Rest::default()),
            changed: Condvar::new(),
        }
    }
}

impl Control {
    /// The time on the run's clock; `None` before the common start.
    #[inline]
    pub(crate) fn now_us(&self) -> Option<u64> {
        sys::monotonic_us().checked_sub(self.start_clock_us.load(Ordering::Acquire))
    }

    /// Sets the common start.
    pub(crate) fn start(&self, at_clock_us: u64) {
        self.change(|| self.start_clock_us.store(at_clock_us, Ordering::Release));
    }

    /// The common start as a reading of `CLOCK_MONOTONIC`, once it is set.
    pub(crate) fn started_at(&self) -> Option<u64> {
        Some(self.start_clock_us.load(Ordering::Acquire)).filter(|at| *at != NEVER)
    }

    /// Ends the schedule now. The first call counts.
    pub(crate) fn stop_load(&self) {
        let now_us = self.now_us().unwrap_or(0);
        self.change(|| self.stop_us.fetch_min(now_us, Ordering::AcqRel));
    }

    /// Has producers, by slot, send shares of others that are lost.
    pub(crate) fn take_over(&self, shares: impl IntoIterator<Item = (usize, Share)>) {
        self.guard().taken_over.extend(shares);
        // Told only now, so that whoever sees the change finds what was changed.
        self.change(|| ());
    }

    /// What a producer is to take over, once.
    pub(crate) fn taken_over_by(&self, slot: usize) -> Vec<Share> {
        let mut rest = self.guard();
        let mine = rest.taken_over.extract_if(.., |(other, _)| *other == slot);
        mine.map(|(_, share)| share).collect()
    }

    /// From when on nothing more is due; [`NEVER`] while the schedule runs.
    #[inline]
    pub(crate) fn stop_us(&self) -> u64 {
        self.stop_us.load(Ordering::Acquire)
    }

    /// Has producers flush and consumers close, within this time.
    pub(crate) fn finish(&self, within: Duration) {
        let within_us = u64::try_from(within.as_micros()).unwrap_or(u64::MAX);
        let until = sys::monotonic_us().saturating_add(within_us).min(NEVER - 1);
        self.change(|| self.finish_clock_us.store(until, Ordering::Release));
    }

    /// Microseconds that are left for flushing; `None` while the load is not to be finished.
    pub(crate) fn finishing_us(&self) -> Option<u64> {
        let until = self.finish_clock_us.load(Ordering::Acquire);
        (until != NEVER).then(|| until.saturating_sub(sys::monotonic_us()))
    }

    /// Has consumers leave their groups.
    pub(crate) fn close_consumers(&self) {
        self.change(|| self.closing.store(true, Ordering::Release));
    }

    /// Whether consumers are to leave their groups.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// A producer says that it has flushed, or a consumer that it has closed.
    pub(crate) fn settle(&self) {
        self.guard().settled += 1;
        self.changed.notify_all();
    }

    /// Waits until so many have settled, at most this long; whether they have.
    pub(crate) fn wait_settled(&self, count: usize, within: Duration) -> bool {
        self.wait_for(within, |rest| rest.settled >= count)
    }

    /// Waits until so many threads are parked, at most this long; whether they are.
    pub(crate) fn wait_parked(&self, count: usize, within: Duration) -> bool {
        self.wait_for(within, |rest| rest.parked >= count)
    }

    /// Says when the run ended, after all threads are parked.
    pub(crate) fn set_end(&self, end_us: Option<u64>) {
        self.guard().end_us = Some(end_us);
        self.changed.notify_all();
    }

    /// A thread counts nothing more, and waits for the run's end; `None` if it never began.
    pub(crate) fn park(&self) -> Option<u64> {
        let mut rest = self.guard();
        rest.parked += 1;
        self.changed.notify_all();
        loop {
            if let Some(end_us) = rest.end_us {
                return end_us;
            }
            rest = self.changed.wait(rest).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn wait_for(&self, within: Duration, done: impl Fn(&Rest) -> bool) -> bool {
        let waited = self.changed.wait_timeout_while(self.guard(), within, |rest| !done(rest));
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Has threads leave their loops.
    pub(crate) fn end(&self) {
        self.change(|| self.ended.store(true, Ordering::Release));
    }

    /// Whether threads are to leave their loops.
    #[inline]
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// How often something was changed. To be read before looking at what to do.
    #[inline]
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Sleeps until a moment of the run's clock; before the start, until something changes. Comes back
    /// early when something changes after `seen` was read, unless the moment is close.
    pub(crate) fn sleep_until(&self, at_us: u64, seen: u64) {
        let Some(start) = self.started_at() else { return self.wait_for_change(None, seen) };
        let target = start.saturating_add(at_us);
        let Some(left) = target.checked_sub(sys::monotonic_us()).filter(|left| *left > 0) else {
            return;
        };
        if left <= SHORT_SLEEP_US {
            sys::sleep_until_us(target);
        } else {
            self.wait_for_change(Some(Duration::from_micros(left)), seen);
        }
    }

    fn wait_for_change(&self, most: Option<Duration>, seen: u64) {
        let guard = self.guard();
        // Looked at under the lock, under which changes are made: none is missed.
        if self.changes() != seen {
            return;
        }
        match most {
            None => drop(self.changed.wait(guard).unwrap_or_else(PoisonError::into_inner)),
            Some(most) => {
                drop(self.changed.wait_timeout(guard, most).unwrap_or_else(PoisonError::into_inner))
            }
        }
    }

    fn change<T>(&self, how: impl FnOnce() -> T) {
        let guard = self.guard();
        how();
        self.changes.fetch_add(1, Ordering::AcqRel);
        drop(guard);
        self.changed.notify_all();
    }

    fn guard(&self) -> MutexGuard<'_, Rest> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mallard_protocol::INTERVAL_US;

    #[test]
    fn before_the_start_there_is_no_time() {
        let control = Control::default();
        assert_eq!(control.now_us(), None);
        control.start(sys::monotonic_us() + INTERVAL_US);
        assert_eq!(control.now_us(), None);
        control.stop_load();
        assert_eq!(control.stop_us(), 0);
    }
}
