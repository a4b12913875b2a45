//! Latency at a rate far below what anybody can do, by listener: what is waited for is decided by the client's settings.
//!
//! Mallard appears with its defaults and with those settings changed that decide, Java's client as Kafka's own tool
//! and as a loop that measures in microseconds. Everybody sends by the same clock and waits for all replicas.

use anyhow::Result;

use super::{Bench, Contestant, Experiment, Kind, Scale};
use crate::{
    access::Listener,
    mallard::Mallard,
    options::Name,
    peers::{Order, Paced, java},
    sample::Sample,
    tools::{self, FRANZ_GO, JAVA_LOOP, JAVA_PRODUCER},
};

const RATE_PER_S: u32 = 2_000;
const VALUE_BYTES: u32 = 400;

/// What precedes the time that is measured: JVMs compile, connections are made.
const WARM_UP_S: u64 = 5;

/// One of the tools with some of its client's properties changed.
type Variant = (&'static str, &'static [(&'static str, &'static str)]);

const NAGLE: (&str, &str) = ("socket.nagle.disable", "false");
const NOT_IDEMPOTENT: (&str, &str) = ("enable.idempotence", "false");
const MILLION_IN_FLIGHT: (&str, &str) = ("max.in.flight", "1000000");

const MALLARDS: [Variant; 5] = [
    (tools::MALLARD, &[]),
    (tools::MALLARD_NAGLE, &[NAGLE]),
    (tools::MALLARD_NOT_IDEMPOTENT, &[NOT_IDEMPOTENT]),
    (tools::MALLARD_MILLION, &[NOT_IDEMPOTENT, MILLION_IN_FLIGHT]),
    (tools::MALLARD_MILLION_NAGLE, &[NOT_IDEMPOTENT, MILLION_IN_FLIGHT, NAGLE]),
];

const JAVA_LOOPS: [Variant; 2] =
    [(JAVA_LOOP, &[]), (tools::JAVA_NOT_IDEMPOTENT, &[("enable.idempotence", "false")])];

/// How long it is measured for, and how long it takes with what precedes.
#[derive(Clone, Copy)]
struct Course {
    warm_up_s: u64,
    hold_s: u64,
}

impl Course {
    fn records(self) -> u64 {
        u64::from(RATE_PER_S) * (self.warm_up_s + self.hold_s)
    }
}

/// The experiment on one listener.
pub(super) fn experiment(name: Name, listener: Listener, bench: &Bench) -> Experiment {
    let short = bench.options.short;
    let course = if short {
        Course { warm_up_s: 1, hold_s: 1 }
    } else {
        Course { warm_up_s: WARM_UP_S, hold_s: bench.options.latency_seconds() }
    };
    let mut contestants: Vec<Contestant> = MALLARDS
        .into_iter()
        .map(|of| Contestant::new(of.0, move |bench, _| mallard(bench, listener, of, course)))
        .collect();
    contestants.extend(JAVA_LOOPS.into_iter().map(|of| {
        Contestant::new(of.0, move |bench, scale| java_loop(bench, listener, of, (scale, course)))
    }));
    contestants.push(Contestant::new(JAVA_PRODUCER, move |bench, scale| {
        java_tool(bench, listener, scale, course)
    }));
    contestants.push(Contestant::new(FRANZ_GO, move |bench, scale| {
        franz_go(bench, listener, scale, course)
    }));
    Experiment {
        name,
        title: format!(
            "Latency at {RATE_PER_S} records a second for {} s, {VALUE_BYTES} B, acks=all, {}",
            course.hold_s,
            listener.protocol()
        ),
        kind: Kind::Latency,
        contestants,
    }
}

fn mallard(
    bench: &Bench,
    listener: Listener,
    (tool, client): Variant,
    course: Course,
) -> Result<Sample> {
    let mallard = Mallard::at("cluster-latency.yaml", bench.broker.by(listener), client)?;
    let settings = [format!("warm_up={}s", course.warm_up_s), format!("hold={}s", course.hold_s)];
    let done = mallard.run("latency", &settings)?;
    Ok(Sample { tool, ..Sample::of_producer(VALUE_BYTES, &done, None)? })
}

fn paced<'a>(bench: &'a Bench, listener: Listener, topic: &'a str, course: Course) -> Paced<'a> {
    Paced {
        access: bench.broker.by(listener),
        topic,
        value_bytes: VALUE_BYTES,
        rate_per_s: RATE_PER_S,
        warm_up_s: course.warm_up_s,
        seconds: course.hold_s,
        client: &[],
    }
}

fn java_loop(
    bench: &Bench,
    listener: Listener,
    (tool, client): Variant,
    (scale, course): (Scale, Course),
) -> Result<Sample> {
    bench.on_fresh_topic(scale, |topic| {
        let order = Paced { client, ..paced(bench, listener, topic, course) };
        Ok(Sample::of_peer(tool, VALUE_BYTES, bench.java_loop.produce(&order)?))
    })
}

fn franz_go(bench: &Bench, listener: Listener, scale: Scale, course: Course) -> Result<Sample> {
    bench.on_fresh_topic(scale, |topic| {
        let done = bench.franz_go.produce_paced(&paced(bench, listener, topic, course))?;
        Ok(Sample::of_peer(FRANZ_GO, VALUE_BYTES, done))
    })
}

/// The tool has no warm-up: what it takes to start is in its figures.
fn java_tool(bench: &Bench, listener: Listener, scale: Scale, course: Course) -> Result<Sample> {
    bench.on_fresh_topic(scale, |topic| {
        let done = java::produce(&Order {
            access: bench.broker.by(listener),
            topic,
            records: course.records(),
            value_bytes: VALUE_BYTES,
            rate_per_s: Some(RATE_PER_S.into()),
            client: &["acks=all"],
            latencies: true,
        })?;
        Ok(Sample::of_peer(JAVA_PRODUCER, VALUE_BYTES, done))
    })
}
