//! Producing as fast as it goes.

use anyhow::Result;

use super::{Bench, Contestant, Experiment, Kind, Scale};
use crate::{
    options::Name,
    peers::{Order, java},
    sample::Sample,
    tools::{FRANZ_GO, JAVA_PRODUCER, JAVA_TUNED, MALLARD, RDKAFKA},
};

/// The experiment with records of one size.
pub(super) fn experiment(name: Name, value_bytes: u32) -> Experiment {
    let scenario = name.as_str();
    Experiment {
        name,
        title: format!("Producing at full speed, {value_bytes} B"),
        kind: Kind::Speed,
        contestants: vec![
            Contestant::new(MALLARD, move |bench, scale| {
                mallard(bench, scale, scenario, value_bytes)
            }),
            Contestant::new(RDKAFKA, move |bench, scale| rdkafka(bench, scale, value_bytes)),
            Contestant::new(FRANZ_GO, move |bench, scale| franz_go(bench, scale, value_bytes)),
            Contestant::new(JAVA_PRODUCER, move |bench, scale| {
                java(bench, scale, (JAVA_PRODUCER, &[]), value_bytes)
            }),
            Contestant::new(JAVA_TUNED, move |bench, scale| {
                java(bench, scale, (JAVA_TUNED, &LARGE_BATCHES), value_bytes)
            }),
        ],
    }
}

/// The default of 16 KiB costs the Java client much of its speed on this broker.
const LARGE_BATCHES: [&str; 2] = ["batch.size=262144", "buffer.memory=134217728"];

/// With its default of 100,000 records, the program waits for acknowledgements more often.
const LARGE_QUEUE: [&str; 1] = ["queue.buffering.max.messages=1000000"];

fn mallard(bench: &Bench, scale: Scale, scenario: &str, value_bytes: u32) -> Result<Sample> {
    let warm_up = if bench.options.short { "500ms" } else { "2s" };
    let settings = [format!("hold={}s", scale.seconds), format!("warm_up={warm_up}")];
    let done = bench.mallard.run(scenario, &settings)?;
    Sample::of_producer(value_bytes, &done, None)
}

fn rdkafka(bench: &Bench, scale: Scale, value_bytes: u32) -> Result<Sample> {
    bench.on_fresh_topic(scale, |topic| {
        let done = bench.rdkafka.produce(&Order {
            access: bench.broker.plain(),
            topic,
            records: scale.records,
            value_bytes,
            rate_per_s: None,
            client: &LARGE_QUEUE,
            latencies: false,
        })?;
        Ok(Sample::of_peer(RDKAFKA, value_bytes, done))
    })
}

fn franz_go(bench: &Bench, scale: Scale, value_bytes: u32) -> Result<Sample> {
    bench.on_fresh_topic(scale, |topic| {
        let access = bench.broker.plain();
        let done = bench.franz_go.produce(access, topic, scale.records, value_bytes)?;
        Ok(Sample::of_peer(FRANZ_GO, value_bytes, done))
    })
}

fn java(
    bench: &Bench,
    scale: Scale,
    (tool, client): (&'static str, &[&str]),
    value_bytes: u32,
) -> Result<Sample> {
    bench.on_fresh_topic(scale, |topic| {
        let done = java::produce(&Order {
            access: bench.broker.plain(),
            topic,
            records: scale.records,
            value_bytes,
            rate_per_s: None,
            client,
            latencies: false,
        })?;
        Ok(Sample::of_peer(tool, value_bytes, done))
    })
}
