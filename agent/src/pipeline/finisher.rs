//! The finisher: counts what the workers have done, in the order in which it was received.

use super::{
    chunk_queue::{ChunkQueue, Done},
    outlet::Outlet,
    tally::PhaseTally,
};
use crate::{
    engine::{
        Committer, Control, Cutter, Interval, NEVER, Part, PhaseFinder, ProcessedPart, Receipts,
        phase_id,
    },
    librdkafka::Queue,
};
use mallard_protocol::{counters::Counters, interval::ConsumerSlice};
use std::{
    sync::{Arc, mpsc::Sender},
    time::Duration,
};

/// How long workers may take to empty the queue at the end, and then their client to deliver. Together they
/// stay below what the engine gives its threads.
const WORKERS_WITHIN: Duration = Duration::from_secs(2);
const FLUSH_WITHIN: Duration = Duration::from_secs(2);

/// The thread that counts.
pub(crate) struct Finisher {
    pub(crate) slot: usize,
    pub(crate) workers: usize,
    pub(crate) control: Arc<Control>,
    pub(crate) chunk_queue: Arc<ChunkQueue>,
    pub(crate) outlet: Arc<Outlet>,
    /// What was received, and the commits of it; `None` where payloads come from memory.
    pub(crate) received: Option<(Receipts, Committer)>,
    pub(crate) finder: PhaseFinder,
    pub(crate) cutter: Cutter,
    pub(crate) parts: Sender<Part>,
    /// The poll loop's queue, to wake it when the queue has room.
    pub(crate) queue: Option<Arc<Queue>>,
    pub(crate) counts: Counts,
}

/// What the finisher counts.
#[derive(Default)]
pub(crate) struct Counts {
    phases: Vec<PhaseTally>,
    /// Payloads from memory that were processed since the common start.
    taken: u64,
}

impl Finisher {
    /// Counts until the engine ends, then closes the last intervals.
    pub(crate) fn run(mut self) {
        self.counts.phases.resize_with(self.finder.count(), PhaseTally::default);
        let mut done = Vec::new();
        while !self.control.has_ended() {
            self.finish(&mut done);
            if self.chunk_queue.is_paused() && !self.chunk_queue.wants_pause() {
                self.wake();
            }
        }
        self.wake();
        self.chunk_queue.wait_for_workers(self.workers, WORKERS_WITHIN);
        self.finish(&mut done);
        self.outlet.flush(FLUSH_WITHIN);
        if let Some(end_us) = self.control.park() {
            self.cut(end_us);
            if let Some(interval) = self.cutter.cut_short(end_us) {
                self.hand_over(interval);
            }
        }
    }

    fn wake(&self) {
        if let Some(queue) = &self.queue {
            queue.wake();
        }
    }

    fn finish(&mut self, done: &mut Done) {
        done.clear();
        let given_up = self.chunk_queue.collect(done);
        let Some(now_us) = self.control.now_us() else {
            return self.chunk_queue.counted(done.len());
        };
        self.cut(now_us);
        for (item, outcome) in done.iter() {
            let due_us = if item.due_us == NEVER { now_us } else { item.due_us };
            let phase = self.finder.find(due_us);
            self.counts.phases[phase].record(outcome);
            if let Some((receipts, _)) = &mut self.received {
                receipts.record(item, now_us);
            }
        }
        match &mut self.received {
            None => self.counts.taken += done.len() as u64,
            Some((receipts, committer)) => {
                receipts.give_up(given_up);
                committer.processed(done.len() as u64);
            }
        }
        self.chunk_queue.counted(done.len());
    }

    fn cut(&mut self, now_us: u64) {
        while let Some(interval) = self.cutter.cut(now_us) {
            self.hand_over(interval);
        }
    }

    fn hand_over(&mut self, interval: Interval) {
        let mut part = match &mut self.received {
            Some((receipts, committer)) => {
                committer.interval_ended();
                receipts.close(interval)
            }
            None => ProcessedPart {
                interval,
                taken: self.counts.taken,
                counters: Counters::default(),
                slices: Vec::new(),
                positions: Vec::new(),
            },
        };
        for (index, phase) in self.counts.phases.iter_mut().enumerate() {
            phase.deliver(self.outlet.written(index));
            let Some(pipeline) = phase.close().map(Box::new) else { continue };
            let id = phase_id(index);
            match part.slices.iter_mut().find(|slice| slice.phase == id) {
                Some(slice) => slice.pipeline = Some(pipeline),
                None => part.slices.push(ConsumerSlice {
                    phase: id,
                    partitions: Vec::new(),
                    pipeline: Some(pipeline),
                }),
            }
        }
        let _ = self.parts.send(Part::Processed(self.slot, part));
    }
}
