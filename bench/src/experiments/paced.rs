//! Producing at a constant rate that everybody can reach: how exactly, and at what cost.

use anyhow::Result;

use super::{Bench, Contestant, Experiment, Kind, Scale};
use crate::{
    options::{Name, Options},
    peers::{Order, java},
    sample::Sample,
    tools::{JAVA_PRODUCER, MALLARD, RDKAFKA},
};

const VALUE_BYTES: u32 = 100;

/// The experiment at one rate. The loop over franz-go has no pacing of its own and takes no part.
pub(super) fn experiment(name: Name, rate_per_s: u32, options: &Options) -> Experiment {
    let seconds = options.paced_seconds();
    let paced =
        move |scale: Scale| Scale { seconds, records: u64::from(rate_per_s) * seconds, ..scale };
    Experiment {
        name,
        title: format!("Producing {rate_per_s} records a second for {seconds} s, {VALUE_BYTES} B"),
        kind: Kind::Pacing { rate_per_s: rate_per_s.into() },
        contestants: vec![
            Contestant::new(MALLARD, move |bench, scale| mallard(bench, paced(scale), rate_per_s)),
            Contestant::new(RDKAFKA, move |bench, scale| rdkafka(bench, paced(scale), rate_per_s)),
            Contestant::new(JAVA_PRODUCER, move |bench, scale| {
                java(bench, paced(scale), rate_per_s)
            }),
        ],
    }
}

fn mallard(bench: &Bench, scale: Scale, rate_per_s: u32) -> Result<Sample> {
    let settings = [format!("hold={}s", scale.seconds), format!("rate={rate_per_s}/s")];
    let done = bench.mallard.run("paced", &settings)?;
    let slip = |statistic| done.metric(&format!("produce.slip.{statistic}"));
    // What is acknowledged within the time lacks what is under way at its end, so it is not the pacing.
    let sent = done.metric("produce.sent.rate")?;
    let note = format!(
        "sent {sent:.1}/s, {:+.4} % off; slip p50 {:.0}, p99 {:.0}, p99.9 {:.0}, largest {:.0} us",
        100.0 * (sent / f64::from(rate_per_s) - 1.0),
        slip("p50")?,
        slip("p99")?,
        slip("p999")?,
        slip("max")?
    );
    Sample::of_producer(VALUE_BYTES, &done, Some(note))
}

fn rdkafka(bench: &Bench, scale: Scale, rate_per_s: u32) -> Result<Sample> {
    bench.on_fresh_topic(scale, |topic| {
        let done = bench.rdkafka.produce(&Order {
            access: bench.broker.plain(),
            topic,
            records: scale.records,
            value_bytes: VALUE_BYTES,
            rate_per_s: Some(rate_per_s.into()),
            client: &[],
            latencies: true,
        })?;
        Ok(Sample::of_peer(RDKAFKA, VALUE_BYTES, done))
    })
}

fn java(bench: &Bench, scale: Scale, rate_per_s: u32) -> Result<Sample> {
    bench.on_fresh_topic(scale, |topic| {
        let done = java::produce(&Order {
            access: bench.broker.plain(),
            topic,
            records: scale.records,
            value_bytes: VALUE_BYTES,
            rate_per_s: Some(rate_per_s.into()),
            client: &[],
            latencies: true,
        })?;
        Ok(Sample::of_peer(JAVA_PRODUCER, VALUE_BYTES, done))
    })
}
