//! The deciding core of a producer instance: which records go out at a moment, how they are counted,
//! and when to look again. It has no clock and no client of its own; see [`Outlet`].
//!
//! Invariants: a record that was refused because the queue is full keeps its due time, its sequence
//! number and its bytes, and is offered again; `taken` and `handed` are counted apart from the slices,
//! so that the accounts can be checked against each other.

use super::{
    clock::{Cutter, Interval, NEVER, PhaseFinder},
    keys::Keys,
    pacer::Pacer,
    parts::SentPart,
    payload::{Payloads, RING_BODIES},
    transactions::{TransactionLoop, Turn},
};
use crate::librdkafka::{Code, Message, TransactionError};
use mallard_protocol::{
    LATE_AFTER_US,
    ids::{InstanceId, PhaseId},
    interval::{ProducedPartition, ProducerSlice},
    schedule::Timeline,
    stamp::Stamp,
    workload::{Partitioning, ProducerSpec, StampPlace},
};

/// After a refusal the client is asked again this much later: its queue drains by whole batches, so
/// asking more often takes CPU time and gains nothing.
const RETRY_US: u64 = 500;

/// Where records go: the client, or a test's stand-in.
pub(crate) trait Outlet {
    /// Offers records in order. Records at or after the returned index were held up; the others were
    /// taken, or refused for good and named in `refused`.
    fn offer(
        &mut self,
        arenas: (&[u8], &[u8]),
        messages: &[Message],
        now_us: u64,
        refused: &mut Vec<(usize, Code)>,
    ) -> (usize, Option<HeldUp>);
    /// The run's clock.
    fn now_us(&self) -> u64;
    /// Records acknowledged so far.
    fn acked(&self) -> u64;
    /// Records handed over and not yet reported on.
    fn in_flight(&self) -> u64;
    /// Waits a little for reports; whether all are in.
    fn flush(&mut self) -> bool;
    /// Begins a transaction.
    fn begin(&mut self) -> Result<(), TransactionError>;
    /// Commits it, or goes on doing so.
    fn commit(&mut self) -> Result<(), TransactionError>;
    /// Aborts it, or goes on doing so.
    fn abort(&mut self) -> Result<(), TransactionError>;
}

/// Why records have to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeldUp {
    /// The client's queue is full.
    Full,
    /// The transaction has failed and must be aborted first.
    Transaction,
}

/// A producer instance.
pub(crate) struct Sender<'s, O> {
    /// Where records go.
    pub(crate) outlet: O,
    pacer: Pacer<'s>,
    cutter: Cutter,
    maker: Maker,
    batch: Batch,
    counts: Counts,
    transactions: Option<TransactionLoop>,
    /// Records are late for a reason that is not the generator's.
    held: bool,
    /// Since when the client refuses records.
    refusing_since_us: Option<u64>,
    last_reading_us: u64,
    refused: Vec<(usize, Code)>,
    /// Why the client can do nothing more, until it is told.
    death: Option<String>,
}

/// Records that are prepared, from `next` on not yet taken.
#[derive(Default)]
struct Batch {
    messages: Vec<Message>,
    next: usize,
    closed_loop: bool,
}

impl<'s, O: Outlet> Sender<'s, O> {
    /// An instance; the reason if its payloads or keys are not possible.
    pub(crate) fn new(
        spec: &'s ProducerSpec,
        run: u32,
        partitions: i32,
        timeline: &Timeline,
        outlet: O,
    ) -> Result<Self, String> {
        Ok(Self {
            outlet,
            pacer: Pacer::new(&spec.schedule, spec.stride, spec.offset),
            cutter: Cutter::new(timeline),
            maker: Maker::new(spec, run, partitions)?,
            batch: Batch::default(),
            counts: Counts::new(timeline),
            transactions: spec.transactions.as_ref().map(|t| TransactionLoop::new(t, spec.seed)),
            held: false,
            refusing_since_us: None,
            last_reading_us: 0,
            refused: Vec::new(),
            death: None,
        })
    }

    /// Does what is to be done at a moment, and says when there is more to do. `hand_over` gets the part
    /// of every interval that has ended.
    pub(crate) fn turn(&mut self, now_us: u64, hand_over: &mut impl FnMut(SentPart)) -> u64 {
        self.last_reading_us = now_us;
        while let Some(interval) = self.cutter.cut(now_us) {
            hand_over(self.close(interval));
        }
        let wake = self.send(now_us);
        wake.min(self.cutter.current().end_us)
    }

    /// Cuts the schedule at a moment. Never before what was already looked at: what was counted as due
    /// stays due.
    pub(crate) fn stop_at(&mut self, at_us: u64) {
        if at_us != NEVER && !self.pacer.is_stopped() {
            self.pacer.stop(at_us.max(self.last_reading_us + 1));
        }
    }

    /// Whether nothing is due any more and no transaction is open.
    pub(crate) fn is_done(&mut self) -> bool {
        self.batch.is_empty()
            && self.pacer.wake_us(self.last_reading_us) == NEVER
            && self.transactions.as_ref().is_none_or(TransactionLoop::is_idle)
    }

    /// Ends an open transaction before its time.
    pub(crate) fn end_transaction(&mut self, now_us: u64) {
        let Some(transactions) = &mut self.transactions else { return };
        if !transactions.is_idle() && !transactions.is_ending() {
            let turn = transactions.end(&mut self.outlet, now_us);
            self.note_death(turn);
        }
    }

    /// Why the client died, once.
    pub(crate) fn take_death(&mut self) -> Option<String> {
        self.death.take()
    }

    /// Closes all intervals up to the run's end.
    pub(crate) fn finish(mut self, end_us: u64, hand_over: &mut impl FnMut(SentPart)) {
        while let Some(interval) = self.cutter.cut(end_us) {
            hand_over(self.close(interval));
        }
        if let Some(interval) = self.cutter.cut_short(end_us) {
            hand_over(self.close(interval));
        }
    }

    fn send(&mut self, now_us: u64) -> u64 {
        let mut limit = RING_BODIES;
        if let Some(transactions) = &mut self.transactions {
            let wanted = !self.batch.is_empty()
                || self.pacer.is_closed_loop(now_us)
                || self.pacer.is_due(now_us);
            match transactions.turn(&mut self.outlet, now_us, wanted) {
                Turn::Send(room) => limit = room,
                Turn::Wait(until_us) => {
                    self.held |= transactions.is_ending();
                    return until_us;
                }
                dead @ Turn::Dead(_) => {
                    self.note_death(dead);
                    return NEVER;
                }
            }
        }
        self.refill(now_us, limit);
        let deadline = self.transactions.as_ref().map_or(NEVER, TransactionLoop::wake_us);
        if self.batch.is_empty() {
            self.held = false;
            return self.pacer.wake_us(now_us).min(deadline);
        }
        self.offer(now_us, limit).min(deadline)
    }

    /// Prepares the records that are due, if none are prepared.
    fn refill(&mut self, now_us: u64, limit: usize) {
        let closed_loop = self.pacer.is_closed_loop(now_us);
        if self.batch.closed_loop && !self.batch.is_empty() {
            if closed_loop {
                // They are due when they are sent, which is now.
                self.maker.stamp_again(&mut self.batch.messages[self.batch.next..], now_us);
                return;
            }
            self.maker.give_back(&self.batch.messages[self.batch.next..]);
            self.batch.clear();
        }
        if !self.batch.is_empty() {
            return;
        }
        self.batch.clear();
        let limit = limit.min(self.maker.batch_limit());
        self.maker.due.clear();
        self.pacer.take_due(now_us, limit, &mut self.maker.due);
        self.batch.closed_loop = self.maker.due.is_empty() && closed_loop;
        if self.batch.closed_loop {
            self.maker.due.resize(limit, now_us);
        }
        if let Err(reason) = self.maker.make(&mut self.batch.messages) {
            self.death.get_or_insert(reason);
        }
    }

    /// Offers what is prepared, and says when to look again.
    fn offer(&mut self, now_us: u64, limit: usize) -> u64 {
        let from = self.batch.next;
        let to = self.batch.messages.len().min(from.saturating_add(limit));
        let messages = &self.batch.messages[from..to];
        self.refused.clear();
        let (handled, held_up) =
            self.outlet.offer(self.maker.arenas(), messages, now_us, &mut self.refused);
        let sending = Sending { now_us, closed_loop: self.batch.closed_loop, held: self.held };
        self.counts.sent(&messages[..handled], &self.refused, sending);
        if let Some(transactions) = &mut self.transactions {
            transactions.sent((handled - self.refused.len()) as u64);
        }
        self.batch.next += handled;
        match held_up {
            None => {
                self.counts.backpressure_ends(&mut self.refusing_since_us, now_us);
                now_us
            }
            Some(HeldUp::Full) => {
                self.held = true;
                self.counts.queue_full += 1;
                self.refusing_since_us.get_or_insert(now_us);
                now_us + RETRY_US
            }
            Some(HeldUp::Transaction) => {
                self.held = true;
                match &mut self.transactions {
                    Some(transactions) => transactions.refused(),
                    None => self.death = Some("the client is in a wrong state".to_owned()),
                }
                now_us + RETRY_US
            }
        }
    }

    fn close(&mut self, interval: Interval) -> SentPart {
        if let Some(since_us) = &mut self.refusing_since_us {
            let until_us = interval.end_us.max(*since_us);
            self.counts.backpressure_us += until_us - *since_us;
            *since_us = until_us;
        }
        let due = self.pacer.due_before(interval.end_us);
        let mut part = self.counts.close(interval, due);
        part.transactions =
            self.transactions.as_mut().map(TransactionLoop::take_ended).unwrap_or_default();
        part
    }

    fn note_death(&mut self, turn: Turn) {
        if let Turn::Dead(reason) = turn {
            self.death.get_or_insert(reason);
        }
    }
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.next >= self.messages.len()
    }

    fn clear(&mut self) {
        self.messages.clear();
        self.next = 0;
    }
}

/// Makes records: key, value, stamp and partition.
struct Maker {
    payloads: Payloads,
    keys: Keys,
    key_arena: Vec<u8>,
    stamp: Option<(u32, InstanceId)>,
    /// Partitions in turn; empty if the client chooses.
    partitions: Vec<i32>,
    next_partition: usize,
    next_sequence: u64,
    /// Due times of the batch in the making.
    due: Vec<u64>,
}

impl Maker {
    fn new(spec: &ProducerSpec, run: u32, partitions: i32) -> Result<Self, String> {
        let stamped = spec.stamp == StampPlace::Payload;
        let list = match &spec.partitioning {
            Partitioning::Client => Vec::new(),
            Partitioning::RoundRobin => (0..partitions).collect(),
            Partitioning::Fixed(list) => list.clone(),
        };
        if let Some(beyond) = list.iter().find(|p| !(0..partitions).contains(*p)) {
            return Err(format!("there is no partition {beyond}, the topic has {partitions}"));
        }
        // Instances start at different partitions, or they would all crowd the first one.
        let next_partition = spec.offset as usize % list.len().max(1);
        Ok(Self {
            payloads: Payloads::new(&spec.payload, spec.instance, spec.seed, stamped)?,
            keys: Keys::new(&spec.key, spec.seed)?,
            key_arena: Vec::new(),
            stamp: stamped.then_some((run, spec.instance)),
            partitions: list,
            next_partition,
            next_sequence: 0,
            due: Vec::new(),
        })
    }

    fn batch_limit(&self) -> usize {
        self.payloads.batch_limit()
    }

    fn arenas(&self) -> (&[u8], &[u8]) {
        (self.payloads.arena(), &self.key_arena)
    }

    /// Makes a record for every due time. Records of one partition stand together, in order of their due
    /// times: librdkafka then looks a partition up once and not for every record.
    fn make(&mut self, into: &mut Vec<Message>) -> Result<(), String> {
        self.payloads.start_batch();
        self.key_arena.clear();
        let count = self.due.len();
        let lanes = self.partitions.len().clamp(1, count.max(1));
        for lane in 0..lanes {
            let partition = match self.partitions.len() {
                0 => -1,
                all => self.partitions[(self.next_partition + lane) % all],
            };
            // Without partitions of ours there is one lane, which takes every record.
            for at in (lane..count).step_by(lanes) {
                let message = self.make_one(self.due[at], partition)?;
                into.push(message);
            }
        }
        if !self.partitions.is_empty() {
            self.next_partition = (self.next_partition + count) % self.partitions.len();
        }
        Ok(())
    }

    #[inline]
    fn make_one(&mut self, due_us: u64, partition: i32) -> Result<Message, String> {
        let sequence = self.next_sequence;
        let (value_at, value_len) = self.payloads.prepare(sequence)?;
        let (key_at, key_len) =
            self.keys.push(sequence, &mut self.key_arena).unwrap_or((0, Message::NO_KEY));
        self.write_stamp(value_at, sequence, due_us);
        self.next_sequence += 1;
        Ok(Message { due_us, sequence, value_at, value_len, key_at, key_len, partition })
    }

    #[inline]
    fn write_stamp(&mut self, value_at: u32, sequence: u64, due_us: u64) {
        if let Some((run, instance)) = self.stamp {
            let stamp = Stamp { run, instance, sequence, due_us };
            self.payloads.stamp_place(value_at).copy_from_slice(&stamp.to_bytes());
        }
    }

    fn stamp_again(&mut self, messages: &mut [Message], due_us: u64) {
        for message in messages {
            message.due_us = due_us;
            self.write_stamp(message.value_at, message.sequence, due_us);
        }
    }

    /// Takes records back that will never be sent, so that their sequence numbers are used by others.
    fn give_back(&mut self, messages: &[Message]) {
        if let Some(first) = messages.first() {
            self.next_sequence = first.sequence;
        }
    }
}

/// How a batch was sent.
#[derive(Clone, Copy)]
struct Sending {
    now_us: u64,
    closed_loop: bool,
    held: bool,
}

/// What an instance counts.
struct Counts {
    finder: PhaseFinder,
    slices: Vec<ProducerSlice>,
    refused: Vec<Vec<(Code, u64)>>,
    queue_full: u64,
    backpressure_us: u64,
    /// Since the common start: open-loop records that the client took or refused for good.
    taken: u64,
    /// Since the common start: closed-loop records that it took or refused for good.
    taken_closed_loop: u64,
    /// Since the common start: records that the client took.
    handed: u64,
    /// Open-loop records due before the open interval.
    due_before: u64,
    /// Closed-loop records before the open interval.
    closed_loop_before: u64,
}

impl Counts {
    fn new(timeline: &Timeline) -> Self {
        let finder = PhaseFinder::new(timeline);
        let phases = finder.count();
        Self {
            finder,
            slices: vec![ProducerSlice::default(); phases],
            refused: vec![Vec::new(); phases],
            queue_full: 0,
            backpressure_us: 0,
            taken: 0,
            taken_closed_loop: 0,
            handed: 0,
            due_before: 0,
            closed_loop_before: 0,
        }
    }

    fn sent(&mut self, messages: &[Message], refused: &[(usize, Code)], how: Sending) {
        let count = messages.len() as u64;
        *(if how.closed_loop { &mut self.taken_closed_loop } else { &mut self.taken }) += count;
        self.handed += count - refused.len() as u64;
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
                slice.slip.record(slip_us);
                if !how.held {
                    slice.unexplained_slip.record(slip_us);
                }
                slice.late += u64::from(slip_us > LATE_AFTER_US);
            }
        }
        self.sizes(run_slot, run_bytes, run);
        for (index, code) in refused {
            let slot = self.finder.find(messages[*index].due_us);
            add_code(&mut self.refused[slot], *code);
        }
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

    fn backpressure_ends(&mut self, since_us: &mut Option<u64>, now_us: u64) {
        if let Some(since) = since_us.take() {
            self.backpressure_us += now_us.saturating_sub(since);
        }
    }

    fn close(&mut self, interval: Interval, due: u64) -> SentPart {
        let own = self.finder.find(interval.start_us);
        let new = (due - self.due_before) + (self.taken_closed_loop - self.closed_loop_before);
        self.slices[own].scheduled = new;
        self.due_before = due;
        self.closed_loop_before = self.taken_closed_loop;
        let mut slices = Vec::new();
        for (phase, slice) in self.slices.iter_mut().enumerate() {
            if slice.sent == 0 && slice.scheduled == 0 {
                continue;
            }
            let mut slice = std::mem::take(slice);
            slice.phase = phase_id(phase);
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
            queue_full: std::mem::take(&mut self.queue_full),
            backpressure_us: std::mem::take(&mut self.backpressure_us),
            transactions: mallard_protocol::interval::Transactions::default(),
        }
    }
}

/// Counts one more of a code in a short list.
pub(crate) fn add_code(list: &mut Vec<(Code, u64)>, code: Code) {
    match list.iter_mut().find(|(known, _)| *known == code) {
        Some((_, n)) => *n += 1,
        None => list.push((code, 1)),
    }
}

/// A phase's id from its index.
pub(crate) fn phase_id(index: usize) -> PhaseId {
    PhaseId(u16::try_from(index).unwrap_or(u16::MAX))
}
