//! How much the engine's own counting takes: of memory over a long time, and of the wire with many
//! partitions.
//!
//! Resident memory belongs to a process, and tests share theirs: what looks at it runs in a process of
//! its own, which is this test program again with one test to do.

use super::{
    clock::{Cutter, Interval},
    deliveries::{Alike, Deliveries},
    opaque::pack,
    receipts::{Item, Receipts},
    topics::Topics,
};
use crate::librdkafka::{Code, Report};
use mallard_protocol::{
    counters::{Counter, Counters},
    ids::InstanceId,
    interval::{
        ConsumerInterval, ConsumerTotals, IntervalReport, ProducerInterval, ProducerSlice,
        ProducerTotals, Transactions,
    },
    message::FromAgent,
    schedule::{Phase, PhaseKind, Timeline},
};
use std::{process::Command, sync::Arc, time::Duration};

/// Set in the process that does the work.
const ALONE: &str = "MALLARD_TEST_ALONE";

/// Runs one test of this file in a process of its own; whether this is that process.
fn is_alone(test: &str) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let mut alone = Command::new(std::env::current_exe().unwrap());
    alone.args(["--exact", &format!("engine::memory_tests::{test}"), "--nocapture"]);
    let outcome = testkit::process::run(alone.env(ALONE, "1"), Duration::from_secs(300));
    let outcome = outcome.expect_code(0);
    assert!(outcome.stdout.contains("1 passed"), "{outcome}");
    false
}

fn resident_bytes() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = pages.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4_096
}

/// A producer and a consumer on all partitions of one topic, without their clients.
struct Both {
    deliveries: Deliveries,
    receipts: Receipts,
    cutter: Cutter,
    sent: u64,
}

impl Both {
    fn new(partitions: usize) -> Self {
        let hold = |start_us, end_us| Phase {
            name: "hold".into(),
            kind: PhaseKind::Hold,
            start_us,
            end_us,
        };
        let timeline = Timeline(vec![hold(0, u64::MAX)]);
        let topics = Arc::new(Topics::of_one(partitions));
        Self {
            deliveries: Deliveries::new(&timeline),
            receipts: Receipts::new(&timeline, topics),
            cutter: Cutter::new(&timeline),
            sent: 0,
        }
    }

    /// A record of 100 B that is acknowledged and received some hundred microseconds later, as loads
    /// are: between 300 us and 20 ms, most of them short.
    fn record(&mut self, partition: i32, due_us: u64) {
        self.sent += 1;
        let noise = self.sent.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
        let took_us = 300 + ((noise * noise * noise) >> 34).min(20_000);
        let report = Report {
            code: Code::OK,
            partition,
            offset: 7,
            bytes: 100,
            opaque: pack(due_us, due_us + 20),
        };
        self.deliveries.record(Alike::new(report), due_us + took_us);
        let offset = self.sent.cast_signed();
        let item = Item { place: (0, partition), offset, bytes: 100, due_us };
        self.receipts.record(&item, due_us + took_us + 150);
    }

    fn end_interval(&mut self) -> IntervalReport {
        let Interval { index, start_us, end_us } = self.cutter.current();
        let interval = self.cutter.cut(end_us).unwrap();
        let delivered = self.deliveries.close(interval);
        let processed = self.receipts.close(interval);
        let slices = delivered.slices.into_iter().map(|slice| ProducerSlice {
            phase: slice.phase,
            partitions: slice.partitions,
            ..ProducerSlice::default()
        });
        IntervalReport {
            sequence: index,
            start_us,
            end_us,
            producers: vec![ProducerInterval {
                instance: InstanceId(0),
                totals: ProducerTotals::default(),
                slices: slices.collect(),
                counters: delivered.counters.with(Counter::ReportPolls, 1),
                transactions: Transactions::default(),
                client: None,
                numbers: Vec::new(),
            }],
            consumers: vec![ConsumerInterval {
                instance: InstanceId(1),
                totals: ConsumerTotals::default(),
                slices: processed.slices,
                positions: processed.positions,
                counters: Counters::default().with(Counter::Polls, 1),
                rebalances: Vec::new(),
                commit: mallard_protocol::histogram::Histogram::new(),
                errors: Vec::new(),
                through: None,
                client: None,
                integrity: None,
            }],
            ..IntervalReport::default()
        }
    }
}

#[test]
fn an_interval_of_a_thousand_partitions_takes_few_bytes() {
    let mut both = Both::new(1_000);
    for record in 0..20_000_u64 {
        both.record(i32::try_from(record % 1_000).unwrap(), record * 50);
    }
    let report = FromAgent::Interval(Box::new(both.end_interval()));
    let bytes = mallard_protocol::frame::encode(&report).unwrap().len();
    println!("{bytes} bytes an interval");
    // Three histograms of twenty records for each partition, and its counts and position.
    assert!(bytes < 300_000, "{bytes} bytes an interval");
}

/// The largest number of bytes that counting takes while an agent reports a minute of a load on a
/// thousand partitions, the reports' own bytes included.
fn most_bytes_of_a_thousand_partitions(records_per_s: u64) -> usize {
    let before = resident_bytes();
    let mut both = Both::new(1_000);
    let mut most = 0;
    for interval in 0..60_u64 {
        for record in 0..records_per_s {
            let partition = i32::try_from(record % 1_000).unwrap();
            both.record(partition, interval * 1_000_000 + record * 1_000_000 / records_per_s);
        }
        let report = FromAgent::Interval(Box::new(both.end_interval()));
        let frame = mallard_protocol::frame::encode(&report).unwrap();
        most = most.max(resident_bytes().saturating_sub(before));
        drop((report, frame));
    }
    println!("{} KiB at {records_per_s} records a second", most >> 10);
    most
}

#[test]
fn a_thousand_partitions_take_little_memory() {
    if !is_alone("a_thousand_partitions_take_little_memory") {
        return;
    }
    // The whole agent is to stay below 64 MiB beside librdkafka's own queues.
    assert!(most_bytes_of_a_thousand_partitions(20_000) < 8 << 20);
    assert!(most_bytes_of_a_thousand_partitions(500_000) < 24 << 20);
}

#[test]
fn memory_does_not_grow_over_a_million_intervals() {
    if !is_alone("memory_does_not_grow_over_a_million_intervals") {
        return;
    }
    let mut both = Both::new(100);
    let mut after_the_first = 0;
    for interval in 0..1_000_000_u64 {
        for record in 0..4_u64 {
            let partition = i32::try_from((interval * 7 + record * 31) % 100).unwrap();
            both.record(partition, interval * 1_000_000 + record * 250_000);
        }
        assert_eq!(both.end_interval().sequence, interval);
        if interval == 50_000 {
            after_the_first = resident_bytes();
        }
    }
    let grown = resident_bytes().saturating_sub(after_the_first);
    println!("{} KiB grown over a million intervals", grown >> 10);
    assert!(grown < 8 << 20, "{grown} bytes in 950,000 intervals, eleven days");
}
