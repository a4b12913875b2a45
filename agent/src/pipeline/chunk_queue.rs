//! The queue: chunks of records on their way to the workers, and what is done with them on its way back.
//!
//! Chunks are numbered. They are taken in order, done in any, and handed back in order again.

use super::outcome::Outcome;
use crate::engine::{Item, Place};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Records in a chunk: enough that a worker is not woken for each of them, few enough that workers share
/// what a poll brings.
const CHUNK_RECORDS: usize = 64;

/// Records in the queue below which partitions are resumed. They are paused above twice as many, so
/// that memory is bounded whatever the workers do.
const LOW_RECORDS: usize = 10_000;

/// The same in bytes of keys and values.
const LOW_BYTES: usize = 32 << 20;

/// Longest wait for work, so that a change of the engine's state is noticed.
const LOOK_UP: Duration = Duration::from_millis(20);

/// A record with its place in the chunk's bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    /// What is counted of it.
    pub(crate) item: Item,
    key: (usize, usize),
    value: (usize, usize),
}

/// Records that one worker processes together.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    pub(super) number: u64,
    pub(super) records: Vec<Record>,
    bytes: Vec<u8>,
}

/// What was done with a chunk: each record and what became of it.
pub(crate) type Done = Vec<(Item, Outcome)>;

/// The queue of one consumer.
#[derive(Debug, Default)]
pub(crate) struct ChunkQueue {
    state: Mutex<State>,
    /// Something was put into the queue, or it was closed.
    filled: Condvar,
    /// Something was done, or a worker has stopped.
    emptied: Condvar,
    paused: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    waiting: VecDeque<Chunk>,
    /// Records and bytes that are waiting or in progress.
    records: usize,
    bytes: usize,
    done: BTreeMap<u64, (Done, usize)>,
    next_done: u64,
    given_up: u64,
    /// Records that were put into the queue and are neither counted by who collects nor given up.
    open: usize,
    gone_home: usize,
}

impl Chunk {
    /// Adds a record, copying its bytes.
    pub(crate) fn push(&mut self, item: Item, key: Option<&[u8]>, value: &[u8]) {
        let mut place = |bytes: &[u8]| {
            let at = self.bytes.len();
            self.bytes.extend_from_slice(bytes);
            (at, bytes.len())
        };
        let (key, value) = (place(key.unwrap_or_default()), place(value));
        self.records.push(Record { item, key, value });
    }

    /// Whether no more should go in.
    pub(crate) fn is_full(&self) -> bool {
        self.records.len() >= CHUNK_RECORDS
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub(super) fn key(&self, record: &Record) -> &[u8] {
        &self.bytes[record.key.0..][..record.key.1]
    }

    pub(super) fn value(&self, record: &Record) -> &[u8] {
        &self.bytes[record.value.0..][..record.value.1]
    }
}

impl ChunkQueue {
    /// Puts a chunk into the queue.
    pub(crate) fn put(&self, mut chunk: Chunk) {
        let mut state = self.lock();
        chunk.number = state.next;
        state.next += 1;
        state.records += chunk.records.len();
        state.open += chunk.records.len();
        state.bytes += chunk.bytes.len();
        state.waiting.push_back(chunk);
        drop(state);
        self.filled.notify_one();
    }

    /// Takes the next chunk; `None` if none came for a moment.
    pub(super) fn take(&self) -> Option<Chunk> {
        let mut state = self.lock();
        if state.waiting.is_empty() {
            let waited = self.filled.wait_timeout(state, LOOK_UP);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.waiting.pop_front()
    }

    /// Says what became of a chunk.
    pub(super) fn give_back(&self, chunk: &Chunk, done: Done) {
        let mut state = self.lock();
        state.records -= done.len();
        state.done.insert(chunk.number, (done, chunk.bytes.len()));
        drop(state);
        self.emptied.notify_all();
    }

    /// Takes what is done in order, and how many records were given up meanwhile. Waits a moment if
    /// there is nothing.
    pub(super) fn collect(&self, into: &mut Done) -> u64 {
        let mut state = self.lock();
        let next = state.next_done;
        if !state.done.contains_key(&next) {
            let waited = self.emptied.wait_timeout(state, LOOK_UP);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        loop {
            let next = state.next_done;
            let Some((done, bytes)) = state.done.remove(&next) else { break };
            state.next_done += 1;
            state.bytes -= bytes;
            into.extend(done);
        }
        std::mem::take(&mut state.given_up)
    }

    /// Gives up waiting records of partitions that were taken away: their next owner reads them again.
    pub(crate) fn drop_partitions(&self, lost: &BTreeSet<Place>) {
        let mut state = self.lock();
        let mut given_up = 0;
        for chunk in &mut state.waiting {
            let before = chunk.records.len();
            chunk.records.retain(|record| !lost.contains(&record.item.place));
            given_up += before - chunk.records.len();
        }
        state.records -= given_up;
        state.open -= given_up;
        state.given_up += given_up as u64;
    }

    /// Records that were collected are counted.
    pub(super) fn counted(&self, records: usize) {
        self.lock().open -= records;
    }

    /// Whether all that was put into the queue is processed and counted, or given up.
    pub(crate) fn is_clear(&self) -> bool {
        self.lock().open == 0
    }

    /// A worker takes nothing any more.
    pub(super) fn worker_stopped(&self) {
        self.lock().gone_home += 1;
        self.emptied.notify_all();
    }

    /// Waits until so many workers have stopped, at most this long.
    pub(super) fn wait_for_workers(&self, count: usize, within: Duration) {
        let home = |state: &mut State| state.gone_home < count;
        drop(self.emptied.wait_timeout_while(self.lock(), within, home));
    }

    /// Waits for room, at most a moment; whether there is some.
    pub(super) fn wait_for_room(&self, chunks: usize) -> bool {
        let full = |state: &mut State| state.waiting.len() >= chunks;
        let waited = self.emptied.wait_timeout_while(self.lock(), LOOK_UP, full);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Whether partitions are paused.
    pub(crate) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Acquire)
    }

    /// Notes that partitions are paused, or no longer are.
    pub(crate) fn set_paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::Release);
    }

    /// Whether partitions should be paused. Once they are, it takes a shorter queue to end that.
    pub(crate) fn wants_pause(&self) -> bool {
        let times = if self.is_paused() { 1 } else { 2 };
        let state = self.lock();
        state.records > times * LOW_RECORDS || state.bytes > times * LOW_BYTES
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(partition: i32, offsets: std::ops::Range<i64>) -> Chunk {
        let mut chunk = Chunk::default();
        for offset in offsets {
            let item = Item { place: (0, partition), offset, bytes: 3, due_us: 0 };
            chunk.push(item, Some(b"k"), b"vv");
        }
        chunk
    }

    fn finish(chunk_queue: &ChunkQueue, chunk: &Chunk) {
        let done = chunk.records.iter().map(|r| (r.item, Outcome::default())).collect();
        chunk_queue.give_back(chunk, done);
    }

    #[test]
    fn what_is_done_out_of_order_comes_back_in_order() {
        let chunk_queue = ChunkQueue::default();
        (0..3).for_each(|n| chunk_queue.put(chunk(0, n * 10..n * 10 + 2)));
        let taken: Vec<_> = (0..3).map(|_| chunk_queue.take().unwrap()).collect();
        assert_eq!(
            (taken[1].key(&taken[1].records[0]), taken[1].value(&taken[1].records[1])),
            (&b"k"[..], &b"vv"[..])
        );
        let mut done = Vec::new();
        finish(&chunk_queue, &taken[2]);
        finish(&chunk_queue, &taken[1]);
        chunk_queue.collect(&mut done);
        assert!(done.is_empty());
        finish(&chunk_queue, &taken[0]);
        chunk_queue.collect(&mut done);
        let offsets: Vec<_> = done.iter().map(|(item, _)| item.offset).collect();
        assert_eq!(offsets, [0, 1, 10, 11, 20, 21]);
    }

    #[test]
    fn lost_partitions_are_given_up_and_counted() {
        let chunk_queue = ChunkQueue::default();
        chunk_queue.put(chunk(0, 0..5));
        chunk_queue.put(chunk(1, 0..7));
        chunk_queue.drop_partitions(&BTreeSet::from([(0, 1)]));
        let taken: Vec<_> = (0..2).map(|_| chunk_queue.take().unwrap()).collect();
        taken.iter().for_each(|chunk| finish(&chunk_queue, chunk));
        let mut done = Vec::new();
        assert_eq!(chunk_queue.collect(&mut done), 7);
        assert_eq!(done.len(), 5);
        assert!(!chunk_queue.is_clear(), "what was collected is not counted yet");
        chunk_queue.counted(done.len());
        assert!(chunk_queue.is_clear());
    }

    #[test]
    fn a_full_belt_pauses_until_it_is_half_empty() {
        let chunk_queue = ChunkQueue::default();
        let chunks = 2 * LOW_RECORDS / CHUNK_RECORDS + 1;
        for _ in 0..chunks {
            chunk_queue.put(chunk(0, 0..i64::try_from(CHUNK_RECORDS).unwrap()));
        }
        assert!(chunk_queue.wants_pause());
        chunk_queue.set_paused(true);
        finish(&chunk_queue, &chunk_queue.take().unwrap());
        assert!(chunk_queue.wants_pause());
        for _ in 0..chunks / 2 + 1 {
            finish(&chunk_queue, &chunk_queue.take().unwrap());
        }
        assert!(!chunk_queue.wants_pause());
    }
}
