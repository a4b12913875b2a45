//! Consuming a topic that is already full, from its beginning, as fast as it goes.
//!
//! There are two of it. In one everybody reads the same records, which are nobody's. In the other Mallard
//! reads records that it has sent itself, and measures the end-to-end latency of each: it sends as fast as it
//! can while a quota holds its reader back, and then the quota goes.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Bench, Contestant, Experiment, Kind, Scale};
use crate::{
    options::Name,
    peers::{Order, java},
    sample::{Sample, to_real},
    tools::{FRANZ_GO, JAVA_CONSUMER, MALLARD, RDKAFKA},
};

/// The topic, as the scenario names it.
const TOPIC: &str = "bench-consume";

const VALUE_BYTES: u32 = 100;

/// What fits into memory with room to spare: 24 million records take 2.6 GB.
const MOST_RECORDS: u64 = 24_000_000;

/// The reader of the scenario, as the broker knows it.
const READER: &str = "reader-1";

/// What it may fetch before its time: the first answers, and little more.
const HELD_BACK_BYTES_PER_S: u32 = 20_000;

/// How long the broker remembers what a client has fetched: eleven windows of a second.
const QUOTA_MEMORY: Duration = Duration::from_secs(12);

/// The experiment, with its topic filled.
pub(super) fn experiment(name: Name, bench: &Bench) -> Result<Experiment> {
    let stamped = name == Name::ConsumeStamped;
    let records = (2_500_000 * bench.options.seconds).min(MOST_RECORDS);
    let records = if bench.options.short { records / 5 } else { records };
    fill(bench, records)?;
    let all = move |scale: Scale| Scale { records, ..scale };
    Ok(Experiment {
        name,
        title: match stamped {
            false => format!("Consuming at full speed, {VALUE_BYTES} B"),
            true => format!(
                "Consuming at full speed, {VALUE_BYTES} B, Mallard with the end-to-end latency of each record"
            ),
        },
        kind: Kind::Speed,
        contestants: vec![
            Contestant::new(MALLARD, move |bench, scale| match stamped {
                false => mallard(bench, all(scale)),
                true => mallard_stamped(bench, scale),
            }),
            Contestant::new(RDKAFKA, move |bench, scale| rdkafka(bench, name, all(scale))),
            Contestant::new(FRANZ_GO, move |bench, scale| franz_go(bench, name, all(scale))),
            Contestant::new(JAVA_CONSUMER, move |bench, scale| java(bench, name, all(scale))),
        ],
    })
}

fn fill(bench: &Bench, records: u64) -> Result<()> {
    if bench.broker.has_topic(TOPIC) {
        return Ok(());
    }
    // Nothing of it may go before everybody has read it.
    bench.broker.create_topic(TOPIC, true)?;
    bench.rdkafka.produce(&Order {
        access: bench.broker.plain(),
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
    let full = Full::of(&intervals).context("Mallard received nothing")?;
    Ok(Sample::of_consumer(VALUE_BYTES, &done, full.inner, all, full.note()))
}

/// CPU time is that of sending and of receiving, over the records of both.
fn mallard_stamped(bench: &Bench, scale: Scale) -> Result<Sample> {
    std::thread::sleep(QUOTA_MEMORY);
    bench.broker.hold_back(READER, Some(HELD_BACK_BYTES_PER_S))?;
    let run = bench.mallard.start("consume-stamped", &[format!("hold={}s", scale.seconds)])?;
    let released = bench.broker.wait_for_records(Duration::from_secs(60)).and_then(|_| {
        std::thread::sleep(Duration::from_secs(scale.seconds + 1));
        bench.broker.hold_back(READER, None)
    });
    let done = bench.mallard.finish(run)?;
    released?;
    let full = Full::of(&done.received()?).context("Mallard received nothing")?;
    let (sent, received) = (done.whole_account("acked")?, done.whole_account("received")?);
    ensure!(sent == received, "Mallard sent {sent} records and received {received}");
    let measured = done.metric("end_to_end.p50")? / 1e6;
    let mut note = format!(
        "{received} records, half of them more than {measured:.1} s on their way; CPU time is that of sending and receiving"
    );
    if let Some(bounds) = full.note() {
        note = format!("{note}; {bounds}");
    }
    Ok(Sample::of_consumer(VALUE_BYTES, &done, full.inner, sent + received, Some(note)))
}

/// The part of full speed that is no more than what a quota lets through.
const TRICKLE: f64 = 0.05;

/// What Mallard received while it read. Its intervals do not say when in them the first record came and the
/// last one: other tools count from the one to the other, so that what is not known is bounded.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Full {
    /// Records and seconds of the intervals in which records came all the time: those between the first
    /// and the last one with more than a trickle, where there are any.
    inner: (u64, f64),
    /// The same with the first and the last one.
    outer: (u64, f64),
}

impl Full {
    fn of(intervals: &[(u64, f64)]) -> Option<Self> {
        let rate = |(records, seconds): &(u64, f64)| to_real(*records) / seconds;
        let fastest = intervals.iter().map(rate).fold(0.0, f64::max);
        let busy = |interval| rate(interval) > TRICKLE * fastest;
        let first = intervals.iter().position(busy)?;
        let last = intervals.iter().rposition(busy)?;
        let inner = if last - first >= 2 { first + 1..last } else { first..last + 1 };
        let all = |intervals: &[(u64, f64)]| -> (u64, f64) {
            let records = intervals.iter().map(|(records, _)| records).sum();
            (records, intervals.iter().map(|(_, seconds)| seconds).sum())
        };
        Some(Self { inner: all(&intervals[inner]), outer: all(&intervals[first..=last]) })
    }

    /// The rate from the first record to the last, as other tools count it: no less and no more than this.
    /// None where no interval lies between both.
    fn bounds_per_s(self) -> Option<(f64, f64)> {
        let records = to_real(self.outer.0);
        let bounds = (records / self.outer.1, records / self.inner.1);
        (self.inner.1 < self.outer.1).then_some(bounds)
    }

    fn note(self) -> Option<String> {
        let (least, most) = self.bounds_per_s()?;
        let (least, most) = (least / 1e6, most / 1e6);
        Some(format!(
            "without the seconds in which reading began and ended; with them, as peers count, between {least:.2} and {most:.2} million records a second"
        ))
    }
}

fn rdkafka(bench: &Bench, name: Name, scale: Scale) -> Result<Sample> {
    let (access, group) = (bench.broker.plain(), group(name, scale));
    let done = bench.rdkafka.consume(access, TOPIC, &group, scale.records)?;
    Ok(Sample::of_peer(RDKAFKA, VALUE_BYTES, done))
}

fn franz_go(bench: &Bench, name: Name, scale: Scale) -> Result<Sample> {
    let (access, group) = (bench.broker.plain(), group(name, scale));
    let done = bench.franz_go.consume(access, TOPIC, &group, scale.records)?;
    Ok(Sample::of_peer(FRANZ_GO, VALUE_BYTES, done))
}

fn java(bench: &Bench, name: Name, scale: Scale) -> Result<Sample> {
    let done = java::consume(bench.broker.plain(), TOPIC, &group(name, scale), scale.records)?;
    Ok(Sample::of_peer(JAVA_CONSUMER, VALUE_BYTES, done))
}

/// A group that has read nothing yet.
fn group(name: Name, scale: Scale) -> String {
    format!("{}-{}", name.as_str(), scale.turn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_full_intervals_count() {
        let intervals = [
            (0, 1.0),
            (9, 1.0),
            (0, 1.0),
            (300, 1.0),
            (1000, 1.0),
            (240, 0.2),
            (500, 1.0),
            (0, 1.0),
        ];
        let inner = |intervals: &[(u64, f64)]| Full::of(intervals).map(|full| full.inner);
        assert_eq!(inner(&intervals), Some((1240, 1.2)));
        let intervals = [(0, 1.0), (3, 1.0), (10, 1.0), (12, 1.0), (5, 1.0), (0, 1.0)];
        assert_eq!(inner(&intervals), Some((22, 2.0)));
        assert_eq!(inner(&[(0, 1.0), (3, 1.0)]), Some((3, 1.0)));
        assert_eq!(inner(&[(0, 1.0)]), None);
    }

    #[test]
    fn the_rate_from_the_first_record_to_the_last_is_bounded() {
        // Between 2 s and 4 s for 36 records.
        let full = Full::of(&[(0, 1.0), (4, 1.0), (10, 1.0), (12, 1.0), (10, 1.0)]).unwrap();
        assert_eq!(full.bounds_per_s(), Some((9.0, 18.0)));
        assert!(full.note().unwrap().contains("between 0.00 and 0.00 million"));
        assert_eq!(Full::of(&[(7, 1.0), (9, 1.0)]).unwrap().bounds_per_s(), None);
    }
}
