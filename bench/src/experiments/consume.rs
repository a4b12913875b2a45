//! Consuming a topic that is already full, from its beginning, as fast as it goes.

use anyhow::{Context, Result};

use super::tools::{FRANZ_GO, JAVA_CONSUMER, MALLARD, RDKAFKA};
use super::{Bench, Contestant, Experiment, Kind, Scale};
use crate::options::Name;
use crate::peers::{Order, java};
use crate::sample::Sample;

/// The topic, as the scenario names it.
const TOPIC: &str = "bench-consume";

const VALUE_BYTES: u32 = 100;

/// What fits into memory with room to spare: 24 million records take 2.6 GB.
const MOST_RECORDS: u64 = 24_000_000;

/// The experiment, with its topic filled.
pub(super) fn experiment(bench: &Bench) -> Result<Experiment> {
    let records = (2_500_000 * bench.options.seconds).min(MOST_RECORDS);
    let records = if bench.options.short { records / 5 } else { records };
    fill(bench, records)?;
    let all = move |scale: Scale| Scale { records, ..scale };
    Ok(Experiment {
        name: Name::Consume100,
        title: format!("Consuming at full speed, {VALUE_BYTES} B"),
        kind: Kind::Speed,
        contestants: vec![
            Contestant::new(MALLARD, move |bench, scale| mallard(bench, all(scale))),
            Contestant::new(RDKAFKA, move |bench, scale| rdkafka(bench, all(scale))),
            Contestant::new(FRANZ_GO, move |bench, scale| franz_go(bench, all(scale))),
            Contestant::new(JAVA_CONSUMER, move |bench, scale| java(bench, all(scale))),
        ],
    })
}

fn fill(bench: &Bench, records: u64) -> Result<()> {
    // Nothing of it may go before everybody has read it.
    bench.broker.create_topic(TOPIC, true)?;
    bench.rdkafka.produce(&Order {
        broker: bench.broker.address(),
        topic: TOPIC,
        records,
        value_bytes: VALUE_BYTES,
        rate_per_s: None,
        client: &[],
        latencies: false,
    })?;
    Ok(())
}

fn mallard(bench: &Bench, scale: Scale) -> Result<Sample> {
    let done = bench.mallard.run("consume-100", &[format!("hold={}s", scale.seconds)])?;
    let intervals = done.received()?;
    let all: u64 = intervals.iter().map(|(records, _)| records).sum();
    let (records, seconds) = full_intervals(&intervals).context("Mallard received nothing")?;
    Ok(Sample {
        tool: MALLARD,
        records,
        rate_per_s: to_real(records) / seconds,
        value_bytes: VALUE_BYTES,
        cpu_s: done.cpu_s,
        cpu_records: all,
        broker_cpu_s: 0.0,
        latencies: Vec::new(),
        note: done.doubt(),
    })
}

/// Records and seconds of the intervals in which records came all the time: those between the first
/// and the last one with records, where there are any.
fn full_intervals(intervals: &[(u64, f64)]) -> Option<(u64, f64)> {
    let first = intervals.iter().position(|(records, _)| *records > 0)?;
    let last = intervals.iter().rposition(|(records, _)| *records > 0)?;
    let inner = if last - first >= 2 { first + 1..last } else { first..last + 1 };
    let sum = |(records, seconds), (more, longer): &(u64, f64)| (records + more, seconds + longer);
    Some(intervals[inner].iter().fold((0, 0.0), sum))
}

fn rdkafka(bench: &Bench, scale: Scale) -> Result<Sample> {
    let (address, group) = (bench.broker.address(), group(scale));
    let done = bench.rdkafka.consume(address, TOPIC, &group, scale.records)?;
    Ok(Sample::of_peer(RDKAFKA, VALUE_BYTES, done))
}

fn franz_go(bench: &Bench, scale: Scale) -> Result<Sample> {
    let (address, group) = (bench.broker.address(), group(scale));
    let done = bench.franz_go.consume(address, TOPIC, &group, scale.records)?;
    Ok(Sample::of_peer(FRANZ_GO, VALUE_BYTES, done))
}

fn java(bench: &Bench, scale: Scale) -> Result<Sample> {
    let done = java::consume(bench.broker.address(), TOPIC, &group(scale), scale.records)?;
    Ok(Sample::of_peer(JAVA_CONSUMER, VALUE_BYTES, done))
}

/// A group that has read nothing yet.
fn group(scale: Scale) -> String {
    format!("bench-{}", scale.turn)
}

#[expect(clippy::cast_precision_loss, reason = "counts of records stay far below 2^53")]
fn to_real(records: u64) -> f64 {
    records as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_full_intervals_count() {
        let intervals = [(0, 1.0), (3, 1.0), (10, 1.0), (12, 1.0), (5, 1.0), (0, 1.0)];
        assert_eq!(full_intervals(&intervals), Some((22, 2.0)));
        assert_eq!(full_intervals(&[(0, 1.0), (3, 1.0)]), Some((3, 1.0)));
        assert_eq!(full_intervals(&[(0, 1.0)]), None);
    }
}
