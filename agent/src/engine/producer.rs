//! A producer instance's two threads: one sends, one takes delivery reports.
//!
//! They share three counters, moved once a batch, and nothing else: no lock lies between a record and
//! its report.

use super::{
    clock::Cutter,
    control::Control,
    deliveries::{Alike, Deliveries},
    maker::placed,
    notes::Notes,
    opaque::pack,
    outlet::{HeldUp, Offer, Outlet},
    parts::Part,
    readiness::await_leaders,
    sender::Sender,
    stats, sys,
    transactor::{Ending, Transactor},
};
use crate::librdkafka::{
    Arguments, Client, Code, Event, Lent, Message, Outbox, Producer, Queue, TransactionError,
};
use mallard_health::headers;
use mallard_protocol::{
    message::{AgentFailure, FailureKind},
    stamp::{HEADER, STAMP_BYTES, Stamp, content_sum},
    workload::{PayloadSpec, ProducerSpec, StampPlace},
};
use std::{
    ffi::{CStr, CString},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
};

/// How long a call to the client may wait, in milliseconds: intervals must be cut in time.
const CALL_MS: i32 = 10;

/// Longest wait for an event before the start, in milliseconds.
const IDLE_MS: i32 = 200;

/// Time between two steps of closing, in microseconds.
const STEP_US: u64 = 1_000;

/// How long purged records may take to be reported, in microseconds.
const PURGE_US: u64 = 2_000_000;

/// How long registering with the transaction coordinator may take, in milliseconds.
const INIT_TRANSACTIONS_MS: i32 = 15_000;

/// What both threads count: records handed over, reported on, and acknowledged.
#[derive(Default)]
pub(crate) struct Flow {
    handed: AtomicU64,
    reported: AtomicU64,
    acked: AtomicU64,
}

impl Flow {
    fn in_flight(&self) -> u64 {
        // In this order: what is reported was handed over before.
        let reported = self.reported.load(Ordering::Acquire);
        self.handed.load(Ordering::Acquire).saturating_sub(reported)
    }
}

/// The client as a sender sees it.
pub(crate) struct Gate {
    producer: Producer,
    client: Arc<Client>,
    control: Arc<Control>,
    flow: Arc<Flow>,
    outbox: Outbox,
    arguments: Arguments,
    headers: Option<Headers>,
    transactor: Option<Transactor>,
}

/// What records carry beside key and value.
struct Headers {
    /// Those that every record has; from [`Headers::of_payload`] on, their values are the record's own.
    named: Vec<(CString, Vec<u8>)>,
    /// Where those begin whose values stand behind each record's value, if there are any.
    of_payload: Option<usize>,
    stamp: Option<(CString, Stamp)>,
    /// Whether records are numbered by partition.
    numbered: bool,
}

impl Headers {
    /// A record's stamp, if it has it in a header.
    fn stamp(
        &self,
        (values, keys): (&[u8], &[u8]),
        message: &Message,
    ) -> Option<[u8; STAMP_BYTES]> {
        let (_, stamp) = self.stamp.as_ref()?;
        let stamp = Stamp { sequence: message.sequence, due_us: message.due_us, ..*stamp };
        Some(match self.numbered {
            false => stamp.to_bytes(),
            true => placed(stamp, message)
                .to_bytes(content_sum(message.key(keys), message.value(values))),
        })
    }

    /// Takes over what stands behind a record's value.
    fn take_values(&mut self, values: &[u8], message: &Message) {
        let Some(first) = self.of_payload else { return };
        let end = message.value_at as usize + message.value_len as usize;
        let own = headers::read(&values[end..]);
        for ((_, slot), value) in self.named[first..].iter_mut().zip(own) {
            slot.clear();
            slot.extend_from_slice(value);
        }
    }
}

impl Gate {
    /// A gate for a producer.
    pub(crate) fn new(
        producer: Producer,
        spec: &ProducerSpec,
        (run, numbered): (u32, bool),
        control: &Arc<Control>,
        flow: &Arc<Flow>,
        transactor: Option<Transactor>,
    ) -> Self {
        let stamp = (spec.stamp == StampPlace::Header).then(|| {
            let stamp = Stamp { run, instance: spec.instance, sequence: 0, due_us: 0 };
            (crate::librdkafka::header_name(HEADER), stamp)
        });
        let mut named: Vec<_> = spec
            .headers
            .iter()
            .map(|(name, value)| (crate::librdkafka::header_name(name), value.clone().into_bytes()))
            .collect();
        let own = matches!(&spec.payload, PayloadSpec::Health(health) if health.headers);
        let of_payload = own.then_some(named.len());
        if own {
            let name = |name: &&str| (crate::librdkafka::header_name(name), Vec::new());
            named.extend(headers::NAMES.iter().map(name));
        }
        let headers = (stamp.is_some() || !named.is_empty()).then_some(Headers {
            named,
            of_payload,
            stamp,
            numbered,
        });
        Self {
            client: Arc::clone(producer.client()),
            producer,
            control: Arc::clone(control),
            flow: Arc::clone(flow),
            outbox: Outbox::default(),
            arguments: Arguments::default(),
            headers,
            transactor,
        }
    }

    fn get_ready(&self, name: &str) -> Result<(), AgentFailure> {
        await_leaders(&self.producer, name)?;
        match self.transactor {
            Some(_) => self
                .client
                .init_transactions(INIT_TRANSACTIONS_MS)
                .map_err(|error| transactions_failed(&error)),
            None => Ok(()),
        }
    }

    fn end(&mut self, ending: Ending) -> Result<(), TransactionError> {
        match &mut self.transactor {
            Some(transactor) => transactor.end(ending),
            None => Err(TransactionError::Fatal("it has no transactions".to_owned())),
        }
    }

    fn offer_batch(
        &mut self,
        arenas: (&[u8], &[u8]),
        messages: &[Message],
        now_us: u64,
        refused: &mut Vec<(usize, Code)>,
    ) -> Offer {
        let mut wall = None;
        let transactional = self.transactor.is_some();
        // Records of a closed loop are due together.
        let mut due_us = 0;
        let mut opaque = pack(due_us, now_us);
        let taken = self.producer.send_batch(
            &mut self.outbox,
            arenas,
            messages,
            |message| {
                if message.due_us != due_us {
                    due_us = message.due_us;
                    opaque = pack(due_us, now_us);
                }
                opaque
            },
            |index, code| match held_up(code, transactional) {
                // What stands behind the wall must wait too, or it would be sent again after it.
                Some(held_up) => {
                    wall.get_or_insert((index, held_up));
                    false
                }
                None => {
                    refused.push((index, code));
                    true
                }
            },
        );
        let (handled, held_up) = wall.unzip();
        Offer { handled: handled.unwrap_or(messages.len()), taken: taken as u64, held_up }
    }

    fn offer_one_by_one(
        &mut self,
        arenas: (&[u8], &[u8]),
        messages: &[Message],
        now_us: u64,
        refused: &mut Vec<(usize, Code)>,
    ) -> Offer {
        let mut offer = Offer { handled: 0, taken: 0, held_up: None };
        let Some(headers) = &mut self.headers else { return offer };
        for (index, message) in messages.iter().enumerate() {
            let bytes = headers.stamp(arenas, message);
            headers.take_values(arenas.0, message);
            let name = headers.stamp.as_ref().map(|(name, _)| name.as_c_str());
            let stamp: Option<(&CStr, &[u8])> =
                name.zip(bytes.as_ref().map(<[u8; STAMP_BYTES]>::as_slice));
            let outcome = self.producer.send_with_headers(
                arenas,
                message,
                &headers.named,
                stamp,
                pack(message.due_us, now_us),
                &mut self.arguments,
            );
            match outcome {
                Ok(()) => offer.taken += 1,
                Err(code) => match held_up(code, self.transactor.is_some()) {
                    None => refused.push((index, code)),
                    wall => return Offer { held_up: wall, ..offer },
                },
            }
            offer.handled += 1;
        }
        offer
    }
}

/// Whether a refusal is one to wait for.
fn held_up(code: Code, transactional: bool) -> Option<HeldUp> {
    match code {
        Code::QUEUE_FULL => Some(HeldUp::Full),
        Code::STATE if transactional => Some(HeldUp::Transaction),
        _ => None,
    }
}

fn transactions_failed(error: &TransactionError) -> AgentFailure {
    let (kind, reason) = match error {
        TransactionError::NotYet => (FailureKind::TimedOut, "no answer from the coordinator"),
        TransactionError::MustAbort(reason)
        | TransactionError::Fatal(reason)
        | TransactionError::OutOfStep(reason) => (FailureKind::Other, reason.as_str()),
    };
    AgentFailure { kind, text: format!("transactions cannot be initialised: {reason}") }
}

impl Outlet for Gate {
    fn offer(
        &mut self,
        arenas: (&[u8], &[u8]),
        messages: &[Message],
        now_us: u64,
        refused: &mut Vec<(usize, Code)>,
    ) -> Offer {
        // Counted before the call, so that a report is never counted before its record; what was not
        // taken is given back after it.
        let offered = messages.len() as u64;
        self.flow.handed.fetch_add(offered, Ordering::AcqRel);
        let offer = if self.headers.is_some() {
            self.offer_one_by_one(arenas, messages, now_us, refused)
        } else {
            self.offer_batch(arenas, messages, now_us, refused)
        };
        self.flow.handed.fetch_sub(offered - offer.taken, Ordering::AcqRel);
        offer
    }

    fn now_us(&self) -> u64 {
        self.control.now_us().unwrap_or(0)
    }

    fn acked(&self) -> u64 {
        self.flow.acked.load(Ordering::Acquire)
    }

    fn in_flight(&self) -> u64 {
        self.flow.in_flight()
    }

    fn flush(&mut self) -> bool {
        self.client.flush(CALL_MS).is_ok() && self.flow.in_flight() == 0
    }

    fn begin(&mut self) -> Result<(), TransactionError> {
        self.client.begin_transaction()
    }

    fn commit(&mut self) -> Result<(), TransactionError> {
        self.end(Ending::Commit)
    }

    fn abort(&mut self) -> Result<(), TransactionError> {
        self.end(Ending::Abort)
    }
}

/// The sending thread.
pub(crate) struct Sending<'a> {
    pub(crate) slot: usize,
    pub(crate) name: &'a str,
    pub(crate) sender: Sender<'a, Gate>,
    pub(crate) control: Arc<Control>,
    pub(crate) parts: mpsc::Sender<Part>,
    pub(crate) notes: Notes,
}

impl Sending<'_> {
    /// Waits for its partitions' leaders, registers for transactions, if there are any, and says how that
    /// went. Then sends until the engine ends, and closes the last intervals.
    pub(crate) fn run(mut self, ready: mpsc::Sender<Result<(), AgentFailure>>) {
        sys::sleep_precisely();
        let _ = ready.send(self.sender.outlet.get_ready(self.name));
        // Preparing is over when no thread holds the other end any more.
        drop(ready);
        let mut closing = Closing::No;
        let mut looked_at = 0;
        loop {
            let seen = self.control.changes();
            if self.control.has_ended() {
                break;
            }
            if std::mem::replace(&mut looked_at, seen) != seen {
                self.take_over();
            }
            let Some(now_us) = self.control.now_us() else {
                if self.control.finishing_us().is_some() {
                    self.settle_once(&mut closing);
                }
                self.control.sleep_until(0, seen);
                continue;
            };
            self.sender.stop_at(self.control.stop_us());
            let wake_us = self.turn(now_us);
            let until_us = match self.control.finishing_us() {
                None => wake_us,
                Some(left_us) => self.close(&mut closing, now_us, left_us, wake_us),
            };
            self.control.sleep_until(until_us, seen);
        }
        if let Some(end_us) = self.control.park() {
            let (slot, parts) = (self.slot, self.parts);
            self.sender.finish(end_us, &mut |part| drop(parts.send(Part::Sent(slot, part))));
        }
    }

    /// Takes over what it is told to send in the place of others.
    fn take_over(&mut self) {
        for share in self.control.taken_over_by(self.slot) {
            let from_us = self.sender.take_over(share);
            if from_us > share.from_us {
                self.notes.took_over_late(share.from_us, from_us);
            }
        }
    }

    fn turn(&mut self, now_us: u64) -> u64 {
        let (slot, parts) = (self.slot, &self.parts);
        let mut hand_over = |part| drop(parts.send(Part::Sent(slot, part)));
        let wake_us = self.sender.turn(now_us, &mut hand_over);
        if let Some(reason) = self.sender.take_death() {
            self.notes.fail(&reason);
        }
        wake_us
    }

    /// One step of closing: send what is due, end the transaction, wait for reports, give up. Says when
    /// the next step is.
    fn close(&mut self, closing: &mut Closing, now_us: u64, left_us: u64, wake_us: u64) -> u64 {
        // Where logs end is read once all have settled: what were sent after that would be beyond it.
        if left_us == 0 {
            self.sender.give_up(now_us);
        }
        match closing {
            Closing::No if !self.sender.is_done() && left_us > 0 => {
                self.sender.end_transaction(now_us);
                wake_us.min(now_us + STEP_US)
            }
            Closing::No if self.sender.outlet.in_flight() == 0 => {
                self.settle_once(closing);
                now_us
            }
            Closing::No if left_us > 0 => {
                self.sender.outlet.flush();
                now_us
            }
            Closing::No => {
                self.sender.outlet.client.purge();
                *closing = Closing::Purged(now_us + PURGE_US);
                now_us
            }
            Closing::Purged(until_us) => {
                if self.sender.outlet.in_flight() == 0 || now_us > *until_us {
                    self.settle_once(closing);
                }
                now_us + STEP_US
            }
            Closing::Done => wake_us.max(now_us + STEP_US),
        }
    }

    fn settle_once(&self, closing: &mut Closing) {
        if !matches!(closing, Closing::Done) {
            *closing = Closing::Done;
            self.control.settle();
        }
    }
}

/// How far closing has come.
#[derive(Clone, Copy)]
enum Closing {
    No,
    /// What is left was given up; its reports are waited for until this moment.
    Purged(u64),
    Done,
}

/// The delivery thread.
pub(crate) struct Delivering {
    pub(crate) slot: usize,
    pub(crate) queue: Arc<Queue>,
    pub(crate) control: Arc<Control>,
    pub(crate) flow: Arc<Flow>,
    pub(crate) deliveries: Deliveries,
    /// Where the records' values lie, if the client was lent them.
    pub(crate) lent: Option<Arc<Lent>>,
    pub(crate) cutter: Cutter,
    pub(crate) parts: mpsc::Sender<Part>,
    pub(crate) notes: Notes,
}

impl Delivering {
    /// Takes events until the engine ends, then closes the last intervals.
    pub(crate) fn run(mut self) {
        sys::sleep_precisely();
        while !self.control.has_ended() {
            let event = self.queue.poll(self.patience_ms());
            let now_us = self.control.now_us();
            if let Some(now_us) = now_us {
                while let Some(interval) = self.cutter.cut(now_us) {
                    self.hand_over(interval);
                }
            }
            if let Some(event) = event {
                self.take(event, now_us.unwrap_or(0));
            }
        }
        if let Some(end_us) = self.control.park() {
            while let Some(interval) = self.cutter.cut(end_us) {
                self.hand_over(interval);
            }
            if let Some(interval) = self.cutter.cut_short(end_us) {
                self.hand_over(interval);
            }
        }
    }

    /// How long to wait for an event: until the interval ends, so that it is cut in time.
    fn patience_ms(&self) -> i32 {
        let Some(now_us) = self.control.now_us() else { return IDLE_MS };
        let left_us = self.cutter.current().end_us.saturating_sub(now_us);
        i32::try_from(left_us / 1_000 + 1).unwrap_or(IDLE_MS)
    }

    fn take(&mut self, mut event: Event, now_us: u64) {
        let reports = event.report_count();
        if reports > 0 {
            let deliveries = &mut self.deliveries;
            deliveries.count_batch(reports);
            let mut acked = 0;
            let mut denied = None;
            let mut record = |alike: Alike| {
                acked += if alike.is_acked() { alike.records() } else { 0 };
                if denied.is_none() {
                    denied = alike.missing_right();
                }
                deliveries.record(alike, now_us);
            };
            let mut alike: Option<Alike> = None;
            let (mut failed, mut slots) = (Vec::new(), Vec::new());
            let lent = self.lent.as_deref();
            event.for_each_report(|report, message| {
                if !report.code.is_ok()
                    && let Some(number) = message.number()
                {
                    failed.push((report.partition, number));
                }
                slots.extend(lent.and_then(|lent| lent.slot_of(message.payload())));
                if alike.as_mut().is_some_and(|alike| alike.takes(&report)) {
                    return;
                }
                if let Some(complete) = alike.replace(Alike::new(report)) {
                    record(complete);
                }
            });
            if let Some(last) = alike {
                record(last);
            }
            self.deliveries.fail(failed);
            if let Some(lent) = lent {
                lent.give_back(&mut slots);
            }
            let before = self.flow.acked.fetch_add(acked, Ordering::AcqRel);
            self.flow.reported.fetch_add(reports, Ordering::AcqRel);
            // Who was never allowed to will not be; a right that was there may come back.
            if let Some(why) = denied.filter(|_| before + acked == 0) {
                self.notes.fail(&why);
            }
        } else if let Some(json) = event.statistics() {
            let handed = self.flow.handed.load(Ordering::Acquire);
            if let Some(statistics) = stats::parse(json, handed) {
                self.deliveries.keep_statistics(statistics);
            }
        } else if let Some(incident) = event.incident() {
            if incident.fatal {
                let reason = self.queue.client().fatal_error().unwrap_or(incident.text);
                return self.notes.fail(&reason);
            }
            self.notes.tell(&incident);
        }
    }

    fn hand_over(&mut self, interval: super::clock::Interval) {
        let part = self.deliveries.close(interval);
        let _ = self.parts.send(Part::Delivered(self.slot, part));
    }
}
