//! Instructions that a record costs on the ways that every record goes, counted by callgrind: time on a busy
//! machine says nothing, and a count says a regression of three per cent.
//!
//! Each way is a test of its own, which does nothing unless it is the one that is counted: this program runs
//! itself once more for each under callgrind. What librdkafka does for a record is not in it.

use super::{
    clock::{Interval, NEVER},
    deliveries::{Alike, Deliveries},
    intake::placed_of,
    integrity::{Checker, Sighting},
    opaque::pack,
    outlet::{Offer, Outlet},
    pacer::SHORTEST_TICK_US,
    partitioner::Partitioner,
    payload::{RING_BODIES, lendable},
    receipts::{Item, Receipts},
    sender::{Sender, SenderSettings},
    sender_tests::{rate, spec},
    topics::{Place, Topics},
};
use crate::librdkafka::{Code, Lender, Lent, Message, Report, TransactionError};
use mallard_protocol::{
    ids::InstanceId,
    schedule::{Pace, Phase, PhaseKind, Timeline},
    stamp::{Placed, STAMP_BYTES, Stamp, content_sum},
    workload::{PayloadSpec, ProducerSpec, SizeSpec},
};
use std::{hint::black_box, sync::Arc};
use testkit::callgrind;

/// How many per cent a count may be off.
const MARGIN: u64 = 3;

/// Records of each way: so many that what is done once does not count.
const RECORDS: u64 = 200 * POLL;

/// Records of a poll.
const POLL: u64 = 2_048;

/// Partitions that records are dealt to.
const PARTITIONS: usize = 6;

/// Name of the variable that says which way is counted.
const COUNTED: &str = "MALLARD_COUNT_INSTRUCTIONS";

/// The ways of a record, with the instructions that 100 records cost: those of the release profile on x86-64.
const WAYS: [(&str, u64); 10] = [
    ("sends_100_bytes_in_a_closed_loop", 25_966),
    ("sends_1_kib_in_a_closed_loop", 19_408),
    ("sends_100_bytes_at_a_rate", 56_775),
    ("sends_100_bytes_with_integrity", 40_293),
    ("acknowledges_records_that_are_alike", 8_711),
    ("acknowledges_records_that_differ", 26_240),
    ("receives", 13_957),
    ("receives_records_that_were_due_together", 9_326),
    ("receives_without_latencies", 4_879),
    ("receives_with_integrity", 32_458),
];

#[test]
fn no_record_costs_more_instructions_than_is_written_here() {
    testkit::require!(valgrind);
    let counts = WAYS.map(|(way, written)| {
        let test = format!("engine::instruction_tests::{way}");
        let all = callgrind::instructions(&test, "*counted_by_callgrind*", &[(COUNTED, way)]);
        (way, all * 100 / RECORDS, written)
    });
    let off = callgrind::off(&counts, MARGIN);
    assert!(off.is_empty(), "of 100 records each:\n{}", off.join("\n"));
}

/// Runs what is to be counted, if this is the process in which it is.
fn count(way: &str, work: impl FnOnce()) {
    if std::env::var(COUNTED).is_ok_and(|counted| counted == way) {
        counted_by_callgrind(work);
    }
}

#[inline(never)]
fn counted_by_callgrind(work: impl FnOnce()) {
    work();
    black_box(());
}

/// A client that takes everything, and gives values back at once that it was lent.
struct Everything {
    now_us: u64,
    taken: u64,
    lent: Option<Arc<Lent>>,
    slots: Vec<u32>,
}

impl Outlet for Everything {
    fn offer(
        &mut self,
        arenas: (&[u8], &[u8]),
        messages: &[Message],
        _: u64,
        _: &mut Vec<(usize, Code)>,
    ) -> Offer {
        black_box((arenas, messages));
        self.taken += messages.len() as u64;
        if let Some(lent) = &self.lent {
            self.slots.extend(messages.iter().map(|message| message.value_at));
            lent.give_back(&mut self.slots);
        }
        Offer { handled: messages.len(), taken: messages.len() as u64, held_up: None }
    }
    fn now_us(&self) -> u64 {
        self.now_us
    }
    fn acked(&self) -> u64 {
        self.taken
    }
    fn in_flight(&self) -> u64 {
        0
    }
    fn flush(&mut self) -> bool {
        true
    }
    fn begin(&mut self) -> Result<(), TransactionError> {
        Ok(())
    }
    fn commit(&mut self) -> Result<(), TransactionError> {
        Ok(())
    }
    fn abort(&mut self) -> Result<(), TransactionError> {
        Ok(())
    }
}

/// One phase of an hour.
fn timeline() -> Timeline {
    let hold = Phase { name: "hold".into(), kind: PhaseKind::Hold, start_us: 0, end_us: HOUR_US };
    Timeline(vec![hold])
}

const HOUR_US: u64 = 3_600_000_000;

/// Sends until [`RECORDS`] are taken, and looks again after a tick.
fn send(way: &str, pace: Pace, bytes: u32, numbered: Option<usize>) {
    let payload = PayloadSpec::Bytes { size: SizeSpec::Fixed(bytes), random_share: 0.5 };
    let spec = ProducerSpec { payload, ..spec(pace, HOUR_US) };
    let partitioner = Partitioner::new(&spec, 6, 0).unwrap();
    let lender = lendable(&spec).and_then(|values| Lender::new(values.slot_bytes, 10_000));
    let lent = lender.as_ref().map(|lender| Arc::clone(lender.lent()));
    let settings = SenderSettings { partitioner, tick_us: SHORTEST_TICK_US, numbered, lender };
    let client = Everything { now_us: 0, taken: 0, lent, slots: Vec::new() };
    let mut sender = Sender::new(&spec, 5, settings, &timeline(), client).unwrap();
    // Rings and tables are made by the first records.
    sender.turn(1, &mut |_| {});
    count(way, || {
        let until = sender.outlet.taken + RECORDS;
        let mut now_us = 1_000;
        while sender.outlet.taken < until {
            sender.outlet.now_us = now_us;
            let wake_us = sender.turn(now_us, &mut |part| drop(black_box(part)));
            now_us = wake_us.max(now_us + 1);
        }
    });
}

#[test]
fn sends_100_bytes_in_a_closed_loop() {
    send("sends_100_bytes_in_a_closed_loop", Pace::Max, 100, None);
}

#[test]
fn sends_1_kib_in_a_closed_loop() {
    send("sends_1_kib_in_a_closed_loop", Pace::Max, 1_024, None);
}

#[test]
fn sends_100_bytes_at_a_rate() {
    send("sends_100_bytes_at_a_rate", rate(20_000.0), 100, None);
}

#[test]
fn sends_100_bytes_with_integrity() {
    send("sends_100_bytes_with_integrity", Pace::Max, 100, Some(PARTITIONS));
}

/// Reports as they come: in runs of one partition, each for so many records that were sent together.
fn acknowledge(way: &str, together: u64) {
    let mut deliveries = Deliveries::new(&timeline());
    let report = |number: u64| Report {
        code: Code::OK,
        partition: i32::try_from(number / 64 % 6).unwrap(),
        offset: i64::try_from(number).unwrap(),
        bytes: 100,
        opaque: pack(number / together * 7, number / together * 7 + 3),
    };
    let mut all = |from: u64, to: u64| {
        let mut alike: Option<Alike> = None;
        for number in from..to {
            let report = black_box(report(number));
            if alike.as_mut().is_none_or(|alike| !alike.takes(&report))
                && let Some(ended) = alike.replace(Alike::new(report))
            {
                deliveries.record(ended, number * 7 + 1_000);
            }
        }
        alike.into_iter().for_each(|last| deliveries.record(last, to * 7 + 1_000));
    };
    all(0, 1_000);
    count(way, || all(1_000, 1_000 + RECORDS));
}

#[test]
fn acknowledges_records_that_are_alike() {
    acknowledge("acknowledges_records_that_are_alike", RING_BODIES as u64);
}

#[test]
fn acknowledges_records_that_differ() {
    acknowledge("acknowledges_records_that_differ", 1);
}

/// Values of a poll's records, which are due at times of their own, with what writes their stamps.
fn values(write: impl Fn(Stamp) -> [u8; STAMP_BYTES]) -> Vec<[u8; 100]> {
    let value = |number: u64| {
        let mut value = [7; 100];
        let due_us = 1_000 + number;
        let stamp = Stamp { run: 5, instance: InstanceId(9), sequence: number, due_us };
        value[..STAMP_BYTES].copy_from_slice(&write(stamp));
        value
    };
    (0..POLL).map(value).collect()
}

/// Receives in polls of [`POLL`] records, in runs of one partition; `read` finds out when a record was due.
fn receive(way: &str, values: &[[u8; 100]], mut read: impl FnMut(Place, i64, &[u8]) -> u64) {
    let mut receipts = Receipts::new(&timeline(), Arc::new(Topics::of_one(PARTITIONS)));
    let mut items = Vec::new();
    let mut offsets = [0; PARTITIONS];
    let mut poll = |number: u64| {
        items.clear();
        for (at, value) in values.iter().enumerate() {
            let partition = at / 64 % PARTITIONS;
            let (place, offset) = ((0, i32::try_from(partition).unwrap()), offsets[partition]);
            offsets[partition] += 1;
            let due_us = read(place, offset, black_box(value));
            items.push(Item { place, offset, bytes: 100, due_us });
        }
        receipts.record_all(black_box(&items), number * 50 + 2_000);
    };
    poll(0);
    count(way, || (1..=RECORDS / POLL).for_each(poll));
    let end = Interval { index: 0, start_us: 0, end_us: HOUR_US };
    assert!(receipts.close(end).taken >= POLL);
}

fn due_us(value: &[u8]) -> u64 {
    Stamp::from_bytes(value).unwrap().due_us
}

#[test]
fn receives() {
    let values = values(Stamp::to_bytes);
    receive("receives", &values, |_, _, value| due_us(value));
}

#[test]
fn receives_records_that_were_due_together() {
    let values = values(|stamp| Stamp { due_us: 1_000, ..stamp }.to_bytes());
    let way = "receives_records_that_were_due_together";
    receive(way, &values, |_, _, value| due_us(value));
}

#[test]
fn receives_without_latencies() {
    receive("receives_without_latencies", &values(Stamp::to_bytes), |_, _, _| NEVER);
}

#[test]
fn receives_with_integrity() {
    let content = content_sum(None, &[7; 100 - STAMP_BYTES]);
    let values = values(|stamp| {
        let partition = u16::try_from(stamp.sequence as usize / 64 % PARTITIONS).unwrap();
        Placed { stamp, partition, number: 0 }.to_bytes(content)
    });
    let topics = Topics::of_one(PARTITIONS);
    let mut checker = Checker::new();
    receive("receives_with_integrity", &values, |place, offset, value| {
        let (placed, is_sound) = placed_of(value, None, || None).unwrap();
        // Offsets follow each other as the numbers of a partition do.
        let placed = Placed { number: offset.unsigned_abs(), ..placed };
        checker.note(&Sighting { place, offset, placed, now_us: 5_000 }, is_sound, &topics);
        placed.stamp.due_us
    });
    let told = checker.close(&topics);
    assert!(told.evidence.is_empty() && told.partitions.len() == PARTITIONS, "{told:?}");
}
