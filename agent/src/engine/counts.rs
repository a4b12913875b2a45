//! What a producer's sending thread counts.

use super::{
    clock::{Interval, PhaseFinder},
    parts::SentPart,
};
use crate::librdkafka::{Code, Message};
use mallard_protocol::{
    LATE_AFTER_US,
    counters::{Counter, Counters},
    ids::PhaseId,
    integrity::SentNumbers,
    interval::{ProducedPartition, ProducerSlice, Transactions},
    schedule::Timeline,
};

/// How a batch was sent.
#[derive(Clone, Copy)]
pub(crate) struct Sending {
    pub(crate) now_us: u64,
    pub(crate) closed_loop: bool,
    pub(crate) held: bool,
}

/// What an instance counts.
pub(crate) struct Counts {
    finder: PhaseFinder,
    slices: Vec<ProducerSlice>,
    refused: Vec<Vec<(Code, u64)>>,
    /// What is counted of the open interval beside its records.
    pub(crate) counters: Counters,
    /// Since the common start: open-loop records that the client took or refused for good.
    taken: u64,
    /// Since the common start: closed-loop records that it took or refused for good.
    taken_closed_loop: u64,
    /// Since the common start: records that the client took, by its own word.
    pub(crate) handed: u64,
    /// Open-loop records due before the open interval.
    due_before: u64,
    /// Closed-loop records before the open interval.
    closed_loop_before: u64,
    /// By partition, where records are numbered.
    numbers: Vec<SentNumbers>,
}

impl Counts {
    /// Nothing counted yet; with `numbered`, records are numbered in each of so many partitions.
    pub(crate) fn new(timeline: &Timeline, numbered: Option<usize>) -> Self {
        let finder = PhaseFinder::new(timeline);
        let phases = finder.count();
        Self {
            finder,
            slices: vec![ProducerSlice::default(); phases],
            refused: vec![Vec::new(); phases],
            counters: Counters::default(),
            taken: 0,
            taken_closed_loop: 0,
            handed: 0,
            due_before: 0,
            closed_loop_before: 0,
            numbers: (0..numbered.unwrap_or(0)).map(|_| SentNumbers::default()).collect(),
        }
    }

    pub(crate) fn sent(&mut self, messages: &[Message], refused: &[(usize, Code)], how: Sending) {
        let count = messages.len() as u64;
        *(if how.closed_loop { &mut self.taken_closed_loop } else { &mut self.taken }) += count;
        // Sizes mostly repeat: they are recorded a run at a time.
        let (mut run_slot, mut run_bytes, mut run) = (0, 0, 0);
        for message in messages {
            let slot = self.finder.find(message.due_us);
            let bytes = message.bytes();
            if (slot, bytes) != (run_slot, run_bytes) {
                self.sizes(run_slot, run_bytes, run);
                (run_slot, run_bytes, run) = (slot, bytes, 0);
            }
            run += 1;
            if !how.closed_loop {
                let slice = &mut self.slices[slot];
                let slip_us = how.now_us.saturating_sub(message.due_us);
                // One of the two for each record: they are put together when the interval ends.
                match how.held {
                    true => slice.slip.record(slip_us),
                    false => slice.unexplained_slip.record(slip_us),
                }
                slice.late += u64::from(slip_us > LATE_AFTER_US);
            }
        }
        self.sizes(run_slot, run_bytes, run);
        for (index, code) in refused {
            let slot = self.finder.find(messages[*index].due_us);
            add_code(&mut self.refused[slot], *code, 1);
        }
        if !self.numbers.is_empty() {
            self.numbered(messages, refused);
        }
    }

    fn numbered(&mut self, messages: &[Message], refused: &[(usize, Code)]) {
        let index = |message: &Message| usize::try_from(message.partition).unwrap_or(usize::MAX);
        for run in messages.chunk_by(|a, b| a.partition == b.partition) {
            if let (Some(last), Some(numbers)) =
                (run.last(), run.first().and_then(|first| self.numbers.get_mut(index(first))))
            {
                numbers.next = last.number + 1;
            }
        }
        for (at, _) in refused {
            let message = &messages[*at];
            if let Some(numbers) = self.numbers.get_mut(index(message)) {
                numbers.fail(message.number);
            }
        }
    }

    /// What is told of numbers: of partitions to which anything was sent in the interval.
    fn close_numbers(&mut self) -> Vec<SentNumbers> {
        let mut told = Vec::new();
        for (partition, numbers) in (0..).zip(&mut self.numbers) {
            if numbers.next > 0 {
                let next = numbers.next;
                told.push(SentNumbers { partition, ..std::mem::take(numbers) });
                numbers.next = next;
            }
        }
        told
    }

    #[inline]
    fn sizes(&mut self, slot: usize, bytes: u64, records: u64) {
        if records > 0 {
            let slice = &mut self.slices[slot];
            slice.sent += records;
            slice.sent_bytes += bytes * records;
            slice.record_bytes.record_n(bytes, records);
        }
    }

    /// Looks at how many open-loop records wait, at a moment by which so many were due.
    #[inline]
    pub(crate) fn look_behind(&mut self, due: u64) {
        self.look_behind_by(due.saturating_sub(self.taken));
    }

    /// As [`Counts::look_behind`], for who knows how many wait.
    #[inline]
    pub(crate) fn look_behind_by(&mut self, records: u64) {
        self.counters.count(Counter::BehindMax, records);
    }

    pub(crate) fn backpressure_ends(&mut self, since_us: &mut Option<u64>, now_us: u64) {
        if let Some(since) = since_us.take() {
            self.counters.count(Counter::BackpressureUs, now_us.saturating_sub(since));
        }
    }

    pub(crate) fn close(&mut self, interval: Interval, due: u64) -> SentPart {
        let own = self.finder.find(interval.start_us);
        let new = (due - self.due_before) + (self.taken_closed_loop - self.closed_loop_before);
        self.slices[own].scheduled = new;
        self.look_behind(due);
        self.due_before = due;
        self.closed_loop_before = self.taken_closed_loop;
        let mut slices = Vec::new();
        for (phase, slice) in self.slices.iter_mut().enumerate() {
            if slice.sent == 0 && slice.scheduled == 0 {
                continue;
            }
            let mut slice = std::mem::take(slice);
            slice.phase = phase_id(phase);
            slice.slip.add(&slice.unexplained_slip);
            let refused = std::mem::take(&mut self.refused[phase]);
            let failed = refused.iter().map(|(_, n)| n).sum();
            if failed > 0 {
                let partition = -1;
                slice.partitions =
                    vec![ProducedPartition { partition, failed, ..ProducedPartition::default() }];
            }
            slice.failed = refused.into_iter().map(|(code, n)| (code.name(), n)).collect();
            slices.push(slice);
        }
        SentPart {
            interval,
            scheduled: due + self.taken_closed_loop,
            not_sent: due - self.taken,
            handed: self.handed,
            slices,
            counters: std::mem::take(&mut self.counters),
            transactions: Transactions::default(),
            numbers: self.close_numbers(),
        }
    }
}

/// Counts more of a code in a short list.
pub(crate) fn add_code(list: &mut Vec<(Code, u64)>, code: Code, records: u64) {
    match list.iter_mut().find(|(known, _)| *known == code) {
        Some((_, n)) => *n += records,
        None => list.push((code, records)),
    }
}

/// A phase's id from its index.
pub(crate) fn phase_id(index: usize) -> PhaseId {
    PhaseId(u16::try_from(index).unwrap_or(u16::MAX))
}
