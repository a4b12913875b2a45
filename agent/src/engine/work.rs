//! A slow consumer's work: done on a thread of its own, beside the poll loop, which never waits for it.
//!
//! Records wait in a queue. When it is full the poll loop pauses the partitions and goes on polling, as
//! a well-made consumer does. End-to-end latency ends when a record's work is done.

use super::{
    clock::Cutter,
    commit::Committer,
    control::Control,
    parts::{Part, ProcessedPart},
    receipts::{Item, Receipts},
    topics::Place,
};
use crate::librdkafka::Queue;
use std::{
    collections::{BTreeSet, VecDeque},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::Sender,
    },
    time::Duration,
};

/// Work that waits in the queue when paused partitions are resumed, in microseconds: more than it takes the
/// client to fetch again, so that the worker never runs dry.
const LOW_US: u64 = 1_000_000;

/// The same in records, at least and at most: memory is bounded, and so is the time that very slow work
/// keeps a record from its next owner.
const LOW_RECORDS: (u64, u64) = (100, 50_000);

/// Short works are done together up to this long, in microseconds, so that a thread is not woken for
/// each of them.
const TOGETHER_US: u64 = 500;

/// Longest wait for records, so that a change of the engine's state is noticed.
const LOOK_UP: Duration = Duration::from_millis(20);

/// Where records wait for their work.
pub(crate) struct WorkQueue {
    /// Records below which partitions are resumed. They are paused above twice as many; what a batch
    /// brings comes on top.
    low: usize,
    state: Mutex<State>,
    filled: Condvar,
    /// Whether the poll loop waits for the queue to run low.
    paused: AtomicBool,
}

#[derive(Default)]
struct State {
    items: VecDeque<Item>,
    given_up: u64,
    /// Records that were put here and are neither processed and counted nor given up.
    open: usize,
}

impl WorkQueue {
    /// A queue for records that take so much work each.
    pub(crate) fn new(work_us: u64) -> Self {
        let low = (LOW_US / work_us.max(1)).clamp(LOW_RECORDS.0, LOW_RECORDS.1);
        Self {
            low: usize::try_from(low).unwrap_or(usize::MAX),
            state: Mutex::default(),
            filled: Condvar::new(),
            paused: AtomicBool::new(false),
        }
    }

    /// Puts records into the queue.
    pub(crate) fn put(&self, items: impl IntoIterator<Item = Item>) {
        let mut state = self.lock();
        let before = state.items.len();
        state.items.extend(items);
        state.open += state.items.len() - before;
        drop(state);
        self.filled.notify_one();
    }

    /// Records that were taken are processed and counted.
    fn done(&self, records: usize) {
        self.lock().open -= records;
    }

    /// Whether all that was put here is processed and counted, or given up.
    pub(crate) fn is_clear(&self) -> bool {
        self.lock().open == 0
    }

    /// Whether partitions are paused.
    pub(crate) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Acquire)
    }

    /// Notes that partitions are paused, or no longer are.
    pub(crate) fn set_paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::Release);
    }

    /// Whether partitions should be paused. Once they are, it takes a nearly empty queue to end that.
    pub(crate) fn wants_pause(&self) -> bool {
        self.lock().items.len() > if self.is_paused() { self.low } else { 2 * self.low }
    }

    /// Gives up records of partitions that were taken away: their next owner reads them again.
    pub(crate) fn drop_partitions(&self, lost: &BTreeSet<Place>) {
        let mut state = self.lock();
        let before = state.items.len();
        state.items.retain(|item| !lost.contains(&item.place));
        let given_up = before - state.items.len();
        state.open -= given_up;
        state.given_up += given_up as u64;
    }

    fn take(&self, most: usize, into: &mut Vec<Item>) -> u64 {
        let mut state = self.lock();
        if state.items.is_empty() {
            let waited = self.filled.wait_timeout(state, LOOK_UP);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let count = most.min(state.items.len());
        into.extend(state.items.drain(..count));
        std::mem::take(&mut state.given_up)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread that does the work.
pub(crate) struct Worker {
    pub(crate) slot: usize,
    pub(crate) work_us: u64,
    pub(crate) control: Arc<Control>,
    pub(crate) work_queue: Arc<WorkQueue>,
    pub(crate) receipts: Receipts,
    pub(crate) committer: Committer,
    pub(crate) cutter: Cutter,
    pub(crate) parts: Sender<Part>,
    /// The poll loop's queue, to wake it when the queue runs low.
    pub(crate) queue: Arc<Queue>,
}

impl Worker {
    /// Works until the engine ends, then closes the last intervals.
    pub(crate) fn run(mut self) {
        let together = usize::try_from(TOGETHER_US / self.work_us.max(1)).unwrap_or(1).max(1);
        let mut items = Vec::with_capacity(together);
        // When the worker is done with everything so far. Work that was done late does not make the
        // next work shorter: a consumer has no debt to catch up with.
        let mut free_us = 0;
        while !self.control.has_ended() {
            items.clear();
            let given_up = self.work_queue.take(together, &mut items);
            self.receipts.give_up(given_up);
            let Some(now_us) = self.control.now_us() else {
                self.work_queue.done(items.len());
                continue;
            };
            self.cut(now_us);
            free_us = now_us.max(free_us);
            if !items.is_empty() {
                free_us += self.work_us * items.len() as u64;
                self.work(free_us, &items);
            }
            if self.work_queue.is_paused() && !self.work_queue.wants_pause() {
                self.queue.wake();
            }
        }
        self.queue.wake();
        if let Some(end_us) = self.control.park() {
            while let Some(interval) = self.cutter.cut(end_us) {
                self.hand_over(interval);
            }
            if let Some(interval) = self.cutter.cut_short(end_us) {
                self.hand_over(interval);
            }
        }
    }

    fn work(&mut self, until_us: u64, items: &[Item]) {
        let mut now_us = self.control.now_us().unwrap_or(until_us);
        while now_us < until_us && !self.control.has_ended() {
            let seen = self.control.changes();
            self.control.sleep_until(until_us.min(self.cutter.current().end_us), seen);
            now_us = self.control.now_us().unwrap_or(until_us);
            self.cut(now_us);
        }
        for item in items {
            self.receipts.record(item, now_us);
        }
        self.committer.processed(items.len() as u64);
        self.work_queue.done(items.len());
    }

    fn cut(&mut self, now_us: u64) {
        while let Some(interval) = self.cutter.cut(now_us) {
            self.hand_over(interval);
        }
    }

    fn hand_over(&mut self, interval: super::clock::Interval) {
        self.committer.interval_ended();
        let part: ProcessedPart = self.receipts.close(interval);
        let _ = self.parts.send(Part::Processed(self.slot, part));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(partition: i32, count: i64) -> Vec<Item> {
        let item = |offset| Item { place: (0, partition), offset, bytes: 1, due_us: 0 };
        (0..count).map(item).collect()
    }

    #[test]
    fn a_work_queue_is_clear_when_all_was_counted_or_given_up() {
        let work_queue = WorkQueue::new(1_000);
        assert!(work_queue.is_clear());
        work_queue.put(items(0, 3));
        work_queue.put(items(1, 2));
        let mut taken = Vec::new();
        assert_eq!(work_queue.take(3, &mut taken), 0);
        assert!(!work_queue.is_clear(), "some wait, others are in progress");
        work_queue.drop_partitions(&BTreeSet::from([(0, 1)]));
        assert!(!work_queue.is_clear(), "what is in progress is not processed");
        work_queue.done(taken.len());
        assert!(work_queue.is_clear());
        assert_eq!(work_queue.take(1, &mut taken), 2, "given up");
    }
}
