//! The feeder: puts payloads from memory into the queue as fast as the workers take them.

use super::chunk_queue::{Chunk, ChunkQueue};
use crate::engine::{Control, Cutter, Interval, Item, Part, PolledPart};
use mallard_protocol::{
    counters::Counters,
    histogram::Histogram,
    schedule::{PhaseKind, Timeline},
};
use std::sync::{Arc, mpsc::Sender};

/// Chunks that wait for each worker at most: enough that none is ever idle.
const CHUNKS_PER_WORKER: usize = 4;

/// The thread in the place of a poll loop.
pub(crate) struct Feeder {
    pub(crate) slot: usize,
    pub(crate) workers: usize,
    pub(crate) control: Arc<Control>,
    pub(crate) chunk_queue: Arc<ChunkQueue>,
    pub(crate) cutter: Cutter,
    pub(crate) parts: Sender<Part>,
    /// Payloads given so far.
    pub(crate) given: u64,
}

impl Feeder {
    /// Feeds from the common start to the end of the load, then closes the last intervals.
    pub(crate) fn run(mut self, timeline: &Timeline) {
        let drain = timeline.0.iter().find(|phase| phase.kind == PhaseKind::Drain);
        let load_end_us = drain.map_or(u64::MAX, |phase| phase.start_us);
        while !self.control.has_ended() {
            let seen = self.control.changes();
            let now_us = self.control.now_us();
            if let Some(now_us) = now_us {
                self.cut(now_us);
            }
            match now_us {
                Some(now_us) if now_us < load_end_us.min(self.control.stop_us()) => {
                    if self.chunk_queue.wait_for_room(CHUNKS_PER_WORKER * self.workers) {
                        self.put(now_us);
                    }
                }
                Some(_) => self.control.sleep_until(self.cutter.current().end_us, seen),
                None => self.control.sleep_until(0, seen),
            }
            if self.control.is_closing() {
                break;
            }
        }
        self.control.settle();
        while !self.control.has_ended() {
            let seen = self.control.changes();
            if self.control.has_ended() {
                break;
            }
            self.control.sleep_until(self.cutter.current().end_us, seen);
            if let Some(now_us) = self.control.now_us() {
                self.cut(now_us);
            }
        }
        if let Some(end_us) = self.control.park() {
            self.cut(end_us);
            if let Some(interval) = self.cutter.cut_short(end_us) {
                self.hand_over(interval);
            }
        }
    }

    fn put(&mut self, now_us: u64) {
        let mut chunk = Chunk::default();
        while !chunk.is_full() {
            let offset = i64::try_from(self.given).unwrap_or(i64::MAX);
            chunk.push(Item { place: (0, 0), offset, bytes: 0, due_us: now_us }, None, &[]);
            self.given += 1;
        }
        self.chunk_queue.put(chunk);
    }

    fn cut(&mut self, now_us: u64) {
        while let Some(interval) = self.cutter.cut(now_us) {
            self.hand_over(interval);
        }
    }

    fn hand_over(&mut self, interval: Interval) {
        let part = PolledPart {
            interval,
            foreign: 0,
            given: self.given,
            counters: Counters::default(),
            rebalances: Vec::new(),
            commit: Histogram::new(),
            errors: Vec::new(),
            client: None,
            through: None,
            integrity: None,
        };
        let _ = self.parts.send(Part::Polled(self.slot, part));
    }
}
