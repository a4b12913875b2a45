//! Producing at a constant rate that everybody can reach: how exactly, and at what cost.

use anyhow::Result;

use super::produce::sample;
use super::tools::{JAVA_PRODUCER, MALLARD, RDKAFKA};
use super::{Bench, Contestant, Experiment, Kind, Scale};
use crate::options::{Name, Options};
use crate::peers::{java, rdkafka};
use crate::sample::Sample;

const VALUE_BYTES: u32 = 100;

/// The experiment at one rate. The loop over franz-go has no pacing of its own and takes no part.
pub(super) fn experiment(name: Name, rate_per_s: u64, options: &Options) -> Experiment {
    let seconds = options.paced_seconds();
    let paced = move |scale: Scale| Scale { seconds, records: rate_per_s * seconds, ..scale };
    Experiment {
        name,
        title: format!("Producing {rate_per_s} records a second for {seconds} s, {VALUE_BYTES} B"),
        kind: Kind::Pacing { rate_per_s },
        contestants: vec![
            Contestant::new(MALLARD, move |bench, scale| mallard(bench, paced(scale), rate_per_s)),
            Contestant::new(RDKAFKA, move |bench, scale| rdkafka(bench, paced(scale), rate_per_s)),
            Contestant::new(JAVA_PRODUCER, move |bench, scale| {
                java(bench, paced(scale), rate_per_s)
            }),
        ],
    }
}

fn mallard(bench: &Bench, scale: Scale, rate_per_s: u64) -> Result<Sample> {
    let settings = [format!("hold={}s", scale.seconds), format!("rate={rate_per_s}/s")];
    let done = bench.mallard.run("paced", &settings)?;
    let slip = |statistic| done.metric(&format!("produce.slip.{statistic}"));
    let note = format!("slip p99 {:.0} us, p99.9 {:.0} us", slip("p99")?, slip("p999")?);
    Ok(Sample {
        tool: MALLARD,
        records: done.account("acked")?,
        rate_per_s: done.metric("produce.acked.rate")?,
        value_bytes: VALUE_BYTES,
        cpu_s: done.cpu_s,
        cpu_records: done.whole_account("acked")?,
        broker_cpu_s: 0.0,
        latencies: vec![done.latency("response"), done.latency("service")],
        note: Some(done.doubt().map_or(note.clone(), |doubt| format!("{note}; {doubt}"))),
    })
}

fn rdkafka(bench: &Bench, scale: Scale, rate_per_s: u64) -> Result<Sample> {
    bench.on_fresh_topic(scale, |topic| {
        let done = bench.rdkafka.produce(&rdkafka::Produce {
            broker: bench.broker.address(),
            topic,
            records: scale.records,
            value_bytes: VALUE_BYTES,
            rate_per_s: Some(rate_per_s),
            client: &[],
            latencies: true,
        })?;
        let counted = sample(RDKAFKA, VALUE_BYTES, (done.records, done.rate_per_s, done.cpu_s));
        Ok(Sample { latencies: done.latency.into_iter().collect(), ..counted })
    })
}

fn java(bench: &Bench, scale: Scale, rate_per_s: u64) -> Result<Sample> {
    bench.on_fresh_topic(scale, |topic| {
        let done = java::produce(&java::Produce {
            broker: bench.broker.address(),
            topic,
            records: scale.records,
            value_bytes: VALUE_BYTES,
            rate_per_s: Some(rate_per_s),
            client: &[],
        })?;
        let counted =
            sample(JAVA_PRODUCER, VALUE_BYTES, (done.records, done.rate_per_s, done.cpu_s));
        Ok(Sample { latencies: done.latency.into_iter().collect(), ..counted })
    })
}
