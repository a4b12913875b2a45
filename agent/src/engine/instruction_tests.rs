//! Instructions that a record costs on the ways that every record goes, counted by callgrind: time on a busy
//! machine says nothing, and a count says a regression of three per cent.
//!
//! Each way is a test of its own, which does nothing unless it is the one that is counted: this program runs
//! itself once more for each under callgrind. What librdkafka does for a record is not in it.

use super::{
    clock::Interval,
    deliveries::{Alike, Deliveries},
    opaque::pack,
    outlet::{Offer, Outlet},
    pacer::SHORTEST_TICK_US,
    partitioner::Partitioner,
    payload::RING_BODIES,
    receipts::{Item, Receipts},
    sender::{Sender, SenderSettings},
    sender_tests::{rate, spec},
    topics::Topics,
};
use crate::librdkafka::{Code, Message, Report, TransactionError};
use mallard_protocol::{
    ids::InstanceId,
    schedule::{Pace, Phase, PhaseKind, Timeline},
    stamp::Stamp,
    workload::{PayloadSpec, ProducerSpec, SizeSpec},
};
use std::{hint::black_box, sync::Arc};
use testkit::callgrind;

/// How many per cent a count may be off.
const MARGIN: u64 = 3;

/// Records of each way: so many that what is done once does not count.
const RECORDS: u64 = 400_000;

/// Name of the variable that says which way is counted.
const COUNTED: &str = "MALLARD_COUNT_INSTRUCTIONS";

/// The ways of a record, with the instructions that 100 records cost: those of the release profile on x86-64.
const WAYS: [(&str, u64); 6] = [
    ("sends_100_bytes_in_a_closed_loop", 39_096),
    ("sends_1_kib_in_a_closed_loop", 61_418),
    ("sends_100_bytes_at_a_rate", 69_506),
    ("acknowledges_records_that_are_alike", 9_345),
    ("acknowledges_records_that_differ", 28_943),
    ("receives", 19_305),
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

/// A client that takes everything.
#[derive(Default)]
struct Everything {
    now_us: u64,
    taken: u64,
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
fn send(way: &str, pace: Pace, bytes: u32) {
    let payload = PayloadSpec::Bytes { size: SizeSpec::Fixed(bytes), random_share: 0.5 };
    let spec = ProducerSpec { payload, ..spec(pace, HOUR_US) };
    let partitioner = Partitioner::new(&spec, 6, 0).unwrap();
    let settings = SenderSettings { partitioner, tick_us: SHORTEST_TICK_US, numbered: None };
    let mut sender = Sender::new(&spec, 5, settings, &timeline(), Everything::default()).unwrap();
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
    send("sends_100_bytes_in_a_closed_loop", Pace::Max, 100);
}

#[test]
fn sends_1_kib_in_a_closed_loop() {
    send("sends_1_kib_in_a_closed_loop", Pace::Max, 1_024);
}

#[test]
fn sends_100_bytes_at_a_rate() {
    send("sends_100_bytes_at_a_rate", rate(20_000.0), 100);
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
        number: None,
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

#[test]
fn receives() {
    let mut receipts = Receipts::new(&timeline(), Arc::new(Topics::of_one(6)));
    let mut value = [7; 100];
    let stamp = Stamp { run: 5, instance: InstanceId(9), sequence: 1, due_us: 1_000 };
    value[..stamp.to_bytes().len()].copy_from_slice(&stamp.to_bytes());
    let mut all = |from: u64, to: u64| {
        for number in from..to {
            let stamp = Stamp::from_bytes(black_box(&value)).unwrap();
            let place = (0, i32::try_from(number / 64 % 6).unwrap());
            let offset = i64::try_from(number).unwrap();
            let item = Item { place, offset, bytes: 100, due_us: stamp.due_us };
            receipts.record(black_box(&item), number + 2_000);
        }
    };
    all(0, 1_000);
    count("receives", || all(1_000, 1_000 + RECORDS));
    let end = Interval { index: 0, start_us: 0, end_us: HOUR_US };
    assert!(receipts.close(end).taken >= 1_000);
}
