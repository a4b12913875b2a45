//! How much of a core merging takes: 100 agents × 1,000 partitions × 1 s, decoded, audited, merged and
//! judged. `cargo run --release --example merge [AGENTS [PARTITIONS [SECONDS [RECORDS_PER_S]]]]`
#![expect(clippy::print_stdout, reason = "an example speaks for itself")]

use mallard::measure::{AgentIndex, Collector, simulate::Shape};
use mallard_protocol::{
    frame::{decode, encode},
    histogram::Histogram,
    ids::{InstanceId, PhaseId, TopicId},
    interval::{
        ConsumedPartition, ConsumerInterval, ConsumerSlice, ConsumerTotals, IntervalReport,
        PartitionOffset, ProducedPartition, ProducerInterval, ProducerSlice, ProducerTotals,
        Resources, Transactions,
    },
    schedule::PhaseKind,
};
use std::time::Duration;

fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|text| text.parse::<u64>().ok());
    let mut next = |default| arguments.next().unwrap_or(default);
    let (agents, partitions, seconds, rate) = (next(100), next(1_000), next(30), next(1_000_000));
    let shape = Shape {
        agents: u16::try_from(agents).unwrap_or(u16::MAX),
        partitions: i32::try_from(partitions).unwrap_or(i32::MAX),
        rate_per_s: None,
        phases: vec![
            ("hold", PhaseKind::Hold, seconds * 1_000_000),
            ("drain", PhaseKind::Drain, 1_000_000),
        ],
        expect: vec![
            "produce.service.p99 < 250ms in every 10s",
            "produce.acked.rate >= 1/s",
            "end_to_end.p99 < 1s in every 10s",
            "records.lost == 0",
            "agent.memory.slope of every agent < 1GiB/h",
        ],
    };
    let plan = shape.plan();
    let mut collector = Collector::new(&plan);
    let records = (rate / agents / partitions).max(1);
    let mut reports: Vec<_> =
        (0..agents).map(|agent| template(agent, agents, partitions, records)).collect();
    let (mut merging, mut worst, mut bytes, mut rows) = (Duration::ZERO, Duration::ZERO, 0, 0);
    for _ in 0..seconds {
        let frames: Vec<_> = reports.iter_mut().map(|report| advance(report, records)).collect();
        let begun = cpu_time();
        for (agent, frame) in frames.iter().enumerate() {
            let Ok(report) = decode::<IntervalReport>(&frame[4..]) else { continue };
            match collector.interval(AgentIndex(agent), &report) {
                Ok(merged) => rows += merged.len(),
                Err(failure) => println!("{failure}"),
            }
        }
        let took = cpu_time() - begun;
        merging += took;
        worst = worst.max(took);
        bytes += frames.iter().map(Vec::len).sum::<usize>();
    }
    let begun = cpu_time();
    let measured = collector.conclude(&[]);
    println!(
        "{agents} agents x {partitions} partitions, {} records/s: {} intervals merged, \
         {} KB a report",
        records * partitions * agents,
        rows,
        bytes / usize::try_from(agents * seconds).unwrap_or(1) / 1_000,
    );
    println!(
        "{:.3} cores on average, {:.3} s in the worst second; the end took {:.3} s; resident {} MiB, templates of \
         the agents included",
        merging.as_secs_f64() / Duration::from_secs(seconds).as_secs_f64(),
        worst.as_secs_f64(),
        (cpu_time() - begun).as_secs_f64(),
        resident_mib(),
    );
    println!("acknowledged {}, windows {:?}", measured.accounts.acked, measured.judged[0].windows);
}

/// A report that each second repeats.
#[expect(clippy::too_many_lines, reason = "a report, spelled out")]
fn template(agent: u64, agents: u64, partitions: u64, records: u64) -> IntervalReport {
    let instance = |consumer: u64| InstanceId(u16::try_from(2 * agent + consumer).unwrap_or(0));
    let latencies = |seed: u64, count: u64| {
        let mut histogram = Histogram::new();
        for record in 0..count {
            let bits = mallard::measure::simulate::mix(seed << 32 | record);
            histogram.record(500 + bits % 1_000 + (bits >> 32) % 20 * 500);
        }
        histogram
    };
    let produced = (0..partitions).map(|partition| ProducedPartition {
        partition: i32::try_from(partition).unwrap_or(0),
        acked: records,
        acked_bytes: records * 100,
        failed: 0,
        service: latencies(agent * partitions + partition, records),
        response: latencies(agent * partitions + partition, records),
    });
    let sent = records * partitions;
    let mut record_bytes = Histogram::new();
    record_bytes.record_n(100, sent);
    let slice = ProducerSlice {
        phase: PhaseId(0),
        scheduled: sent,
        sent,
        sent_bytes: sent * 100,
        record_bytes,
        partitions: produced.collect(),
        ..ProducerSlice::default()
    };
    let mine = (0..partitions).filter(|partition| partition % agents == agent);
    let consumed = mine.clone().map(|partition| ConsumedPartition {
        topic: TopicId(0),
        partition: i32::try_from(partition).unwrap_or(0),
        received: records * agents,
        received_bytes: records * agents * 100,
        end_to_end: latencies(partition, records * agents),
        negative: 0,
    });
    let positions = mine.map(|partition| PartitionOffset {
        topic: TopicId(0),
        partition: i32::try_from(partition).unwrap_or(0),
        offset: 0,
    });
    IntervalReport {
        producers: vec![ProducerInterval {
            instance: instance(0),
            totals: ProducerTotals::default(),
            slices: vec![slice],
            queue_full: 0,
            polls: 100,
            backpressure_us: 0,
            behind_max: 0,
            transactions: Transactions::default(),
            client: None,
        }],
        consumers: vec![ConsumerInterval {
            instance: instance(1),
            totals: ConsumerTotals::default(),
            slices: vec![ConsumerSlice { partitions: consumed.collect(), ..Default::default() }],
            positions: positions.collect(),
            polls: 100,
            empty_polls: 10,
            rebalances: Vec::new(),
            commit: Histogram::new(),
            errors: Vec::new(),
            through: None,
            client: None,
            paused_us: 0,
        }],
        resources: Resources { host_cores: 8, ..Resources::default() },
        ..IntervalReport::default()
    }
}

/// Moves a report to the next second and gives its frame.
fn advance(report: &mut IntervalReport, records: u64) -> Vec<u8> {
    report.sequence = report.end_us / 1_000_000;
    (report.start_us, report.end_us) = (report.end_us, report.end_us + 1_000_000);
    let partitions = report.producers[0].slices[0].partitions.len() as u64;
    let totals = &mut report.producers[0].totals;
    totals.scheduled += records * partitions;
    (totals.sent, totals.acked) = (totals.scheduled, totals.scheduled);
    let consumer = &mut report.consumers[0];
    let parts = consumer.slices.iter().flat_map(|slice| &slice.partitions);
    consumer.totals.received += parts.map(|part| part.received).sum::<u64>();
    encode(report).unwrap_or_default()
}

/// CPU time of this thread, so that a busy machine does not spoil the figure.
fn cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let ns = text.split(' ').next().and_then(|ns| ns.parse().ok());
    Duration::from_nanos(ns.unwrap_or(0))
}

/// Resident memory of this process.
fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) / 1_024
}
