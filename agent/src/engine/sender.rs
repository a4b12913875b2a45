//! The deciding core of a producer instance: which records go out at a moment, how they are counted,
//! and when to look again. It has no clock and no client of its own; see [`Outlet`].
//!
//! Invariants: a record that was refused because the queue is full keeps its due time, its sequence
//! number and its bytes, and is offered again; `taken` and `handed` are counted apart from the slices,
//! so that the accounts can be checked against each other.

use super::{
    clock::{Cutter, Interval, NEVER},
    counts::{Counts, Sending},
    maker::Maker,
    pacer::{Due, Pacer},
    partitioner::Partitioner,
    parts::SentPart,
    payload::RING_BODIES,
    transactions::{TransactionLoop, Turn},
};
use crate::{
    engine::outlet::{HeldUp, Offer, Outlet},
    librdkafka::{Code, Lender, Message},
};
use mallard_protocol::{
    counters::Counter,
    schedule::{Share, Timeline},
    workload::ProducerSpec,
};

/// After a refusal the client is asked again this much later: its queue drains by whole batches, so
/// asking more often takes CPU time and gains nothing.
const RETRY_US: u64 = 500;

/// What an instance takes from its client's properties.
pub(crate) struct SenderSettings {
    pub(crate) partitioner: Partitioner,
    pub(crate) tick_us: u64,
    /// Partitions in each of which its records are numbered; `None` where they are not.
    pub(crate) numbered: Option<usize>,
    /// Where its values lie, if the client does not copy them.
    pub(crate) lender: Option<Lender>,
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
    /// Nothing more is sent, whatever is due.
    has_given_up: bool,
    /// Why the instance can do nothing more, until it is told.
    death: Option<String>,
    is_dead: bool,
}

/// Records that are prepared, from `next` on not yet taken.
#[derive(Default)]
struct Batch {
    messages: Vec<Message>,
    next: usize,
    closed_loop: bool,
    /// When these are sent, nothing is left to send at that moment.
    is_all: bool,
}

impl<'s, O: Outlet> Sender<'s, O> {
    /// An instance; the reason if its payloads or keys are not possible.
    pub(crate) fn new(
        spec: &'s ProducerSpec,
        run: u32,
        settings: SenderSettings,
        timeline: &Timeline,
        outlet: O,
    ) -> Result<Self, String> {
        Ok(Self {
            outlet,
            pacer: Pacer::new(&spec.schedule, (spec.stride, spec.offset), settings.tick_us),
            cutter: Cutter::new(timeline),
            maker: Maker::new(spec, run, settings.partitioner, settings.numbered, settings.lender)?,
            batch: Batch::default(),
            counts: Counts::new(timeline, settings.numbered),
            transactions: spec.transactions.as_ref().map(|t| TransactionLoop::new(t, spec.seed)),
            held: false,
            refusing_since_us: None,
            last_reading_us: 0,
            refused: Vec::new(),
            has_given_up: false,
            death: None,
            is_dead: false,
        })
    }

    /// Does what is to be done at a moment, and says when there is more to do. `hand_over` gets the part
    /// of every interval that has ended.
    pub(crate) fn turn(&mut self, now_us: u64, hand_over: &mut impl FnMut(SentPart)) -> u64 {
        self.last_reading_us = now_us;
        while let Some(interval) = self.cutter.cut(now_us) {
            hand_over(self.close(interval));
        }
        let wake = if self.has_given_up { self.wind_up(now_us) } else { self.send(now_us) };
        wake.min(self.cutter.current().end_us)
    }

    /// Sends nothing more: what is still due is not sent. An open transaction comes to its end.
    pub(crate) fn give_up(&mut self, now_us: u64) {
        self.has_given_up = true;
        self.end_transaction(now_us);
    }

    /// Has an open transaction end, and begins no other.
    fn wind_up(&mut self, now_us: u64) -> u64 {
        let Some(transactions) = &mut self.transactions else { return NEVER };
        match transactions.turn(&mut self.outlet, now_us, false) {
            Turn::Wait(until_us) => until_us,
            Turn::Send(_) => NEVER,
            dead @ Turn::Dead(_) => {
                self.note_death(dead);
                NEVER
            }
        }
    }

    /// Cuts the schedule at a moment. Never before what was already looked at: what was counted as due
    /// stays due.
    pub(crate) fn stop_at(&mut self, at_us: u64) {
        if at_us != NEVER && !self.pacer.is_stopped() {
            self.pacer.stop(at_us.max(self.last_reading_us + 1));
        }
    }

    /// Takes over what somebody who is lost had to send, and says from when on: never before what was
    /// already looked at, because what was counted as due is not counted again.
    pub(crate) fn take_over(&mut self, share: Share) -> u64 {
        let from_us = share.from_us.max(self.last_reading_us.saturating_add(1));
        self.pacer.take_over(Share { from_us, ..share });
        from_us
    }

    /// Whether nothing more will be sent: nothing is due any more and no transaction is open, or the
    /// client is beyond help.
    pub(crate) fn is_done(&mut self) -> bool {
        let is_sent = self.batch.is_empty()
            && self.pacer.wake_us(self.last_reading_us) == NEVER
            && self.transactions.as_ref().is_none_or(TransactionLoop::is_idle);
        is_sent || self.is_dead
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
        // Read again, once for all of them: what it took to make them is slip, and no service.
        let sent_us = self.outlet.now_us().max(now_us);
        self.offer(sent_us, limit).min(deadline)
    }

    /// Prepares the records that are due, if none are prepared.
    fn refill(&mut self, now_us: u64, limit: usize) {
        let closed_loop = self.pacer.is_closed_loop(now_us);
        if self.batch.closed_loop && !self.batch.is_empty() {
            if closed_loop {
                // They are due when there is room for them, which is now.
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
        let due = self.maker.due.len();
        let is_all = due < limit;
        self.batch.is_all = is_all && !closed_loop;
        if is_all {
            // Nothing was waiting before.
            self.counts.look_behind_by(due as u64);
        } else {
            self.counts.look_behind(self.pacer.due_before(now_us.saturating_add(1)));
        }
        self.batch.closed_loop = self.maker.due.is_empty() && closed_loop;
        if self.batch.closed_loop {
            self.maker.due.resize(limit, Due { at_us: now_us, number: None });
        }
        if let Err(reason) = self.maker.make(&mut self.batch.messages) {
            self.die(reason);
        }
    }

    /// Offers what is prepared, and says when to look again.
    fn offer(&mut self, now_us: u64, limit: usize) -> u64 {
        let from = self.batch.next;
        let to = self.batch.messages.len().min(from.saturating_add(limit));
        let messages = &self.batch.messages[from..to];
        self.refused.clear();
        let offer = self.outlet.offer(self.maker.arenas(), messages, now_us, &mut self.refused);
        let Offer { handled, taken, held_up } = offer;
        if handled > 0 && self.refusing_since_us.is_some() {
            // Room at last: this was the most that waited for it.
            self.counts.look_behind(self.pacer.due_before(now_us.saturating_add(1)));
        }
        self.counts.handed += taken;
        let sending = Sending { now_us, closed_loop: self.batch.closed_loop, held: self.held };
        self.counts.sent(&messages[..handled], &self.refused, sending);
        for (index, _) in &self.refused {
            self.maker.drop_refused(&messages[*index]);
        }
        if let Some(transactions) = &mut self.transactions {
            transactions.sent(taken);
        }
        self.batch.next += handled;
        // Of what waits, more becomes due meanwhile.
        self.batch.is_all &= held_up.is_none();
        match held_up {
            None => {
                self.counts.backpressure_ends(&mut self.refusing_since_us, now_us);
                let is_sent = self.batch.is_all && self.batch.is_empty();
                if !is_sent || self.transactions.is_some() {
                    return now_us;
                }
                // To look again at once would take as long as sending a few records.
                self.held = false;
                self.pacer.wake_us(now_us)
            }
            Some(HeldUp::Full) => {
                self.held = true;
                self.counts.counters.count(Counter::QueueFull, 1);
                self.refusing_since_us.get_or_insert(now_us);
                now_us + RETRY_US
            }
            Some(HeldUp::Transaction) => {
                self.held = true;
                match &mut self.transactions {
                    Some(transactions) => transactions.refused(),
                    None => self.die("the client is in a wrong state".to_owned()),
                }
                now_us + RETRY_US
            }
        }
    }

    fn close(&mut self, interval: Interval) -> SentPart {
        if let Some(since_us) = &mut self.refusing_since_us {
            let until_us = interval.end_us.max(*since_us);
            self.counts.counters.count(Counter::BackpressureUs, until_us - *since_us);
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
            self.die(reason);
        }
    }

    fn die(&mut self, reason: String) {
        if !std::mem::replace(&mut self.is_dead, true) {
            self.death = Some(reason);
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
