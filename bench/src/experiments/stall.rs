//! A broker that stands still in the middle of a steady load: what is true, and who says so.
//!
//! There are two of it. In one the client's buffer is small, 2 MiB, so that it fills within a tenth of a
//! second and the rest of the standstill reaches the tool itself. A tool that then stops its own clock
//! reports a good latency. In the other, records are small and the buffer is what clients have by default,
//! which takes all that is due or nearly so.

use std::time::Duration;

use anyhow::Result;

use super::{Bench, Contestant, Experiment, Kind, Scale};
use crate::{
    arithmetic::Standstill,
    options::Name,
    peers::{Order, java},
    sample::Sample,
    tools::{JAVA_PRODUCER, MALLARD, RDKAFKA},
};

const RATE_PER_S: u64 = 20_000;

/// What is sent, and through which buffer.
#[derive(Clone, Copy)]
struct Variant {
    /// Mallard's scenario.
    scenario: &'static str,
    value_bytes: u32,
    buffer: &'static str,
    rdkafka: &'static [&'static str],
    java: &'static [&'static str],
}

const NARROW: Variant = Variant {
    scenario: "stall",
    value_bytes: 1024,
    buffer: "client buffer 2 MiB",
    rdkafka: &["queue.buffering.max.kbytes=2048"],
    java: &["buffer.memory=2097152"],
};

const WIDE: Variant = Variant {
    scenario: "stall-100",
    value_bytes: 100,
    buffer: "each client's default buffer",
    // As librdkafka has it; its program has another default.
    rdkafka: &["queue.buffering.max.messages=100000"],
    java: &[],
};

/// When what happens, in seconds.
#[derive(Clone, Copy, Debug)]
struct Course {
    load: u32,
    stop_after: u32,
    stopped: u32,
}

const FULL: Course = Course { load: 20, stop_after: 7, stopped: 5 };
const SHORT: Course = Course { load: 3, stop_after: 1, stopped: 1 };

/// The experiment, with the capacity of broker and client measured for the arithmetic.
pub(super) fn experiment(name: Name, bench: &Bench) -> Result<Experiment> {
    let of = if name == Name::Stall { NARROW } else { WIDE };
    let course = if bench.options.short { SHORT } else { FULL };
    let scaled = move |scale: Scale| Scale {
        seconds: u64::from(course.load),
        records: RATE_PER_S * u64::from(course.load),
        ..scale
    };
    let title = format!(
        "A broker that stands still for {} s of {} s at {RATE_PER_S} records a second, {} B, {}",
        course.stopped, course.load, of.value_bytes, of.buffer
    );
    let standstill = Standstill {
        rate_per_s: 20_000.0,
        capacity_per_s: capacity_per_s(bench, of)?,
        stopped_s: f64::from(course.stopped),
        load_s: f64::from(course.load),
    };
    Ok(Experiment {
        name,
        title,
        kind: Kind::Stall(standstill),
        contestants: vec![
            Contestant::new(MALLARD, move |bench, scale| mallard(bench, of, scaled(scale), course)),
            Contestant::new(RDKAFKA, move |bench, scale| rdkafka(bench, of, scaled(scale), course)),
            Contestant::new(JAVA_PRODUCER, move |bench, scale| {
                java(bench, of, scaled(scale), course)
            }),
        ],
    })
}

/// How fast librdkafka sends to this broker out of a buffer of this size. A peer measures it, so that
/// Mallard is not compared with itself.
fn capacity_per_s(bench: &Bench, of: Variant) -> Result<f64> {
    let records = if bench.options.short { 100_000 } else { 1_000_000 };
    let scale = Scale { seconds: 0, records, turn: usize::MAX };
    let order = |topic: &str| rdkafka_produce(bench, of, topic, records, None);
    Ok(bench.on_fresh_topic(scale, order)?.rate_per_s)
}

fn mallard(bench: &Bench, of: Variant, scale: Scale, course: Course) -> Result<Sample> {
    let settings = [format!("hold={}s", scale.seconds)];
    let (done, stopped) = with_standstill(bench, course, || {
        bench.mallard.finish(bench.mallard.start(of.scenario, &settings)?)
    })?;
    let scheduled = done.account("scheduled")?;
    let note = format!("{scheduled} records scheduled, {} late; {stopped}", done.account("late")?);
    Sample::of_producer(of.value_bytes, &done, Some(note))
}

fn rdkafka(bench: &Bench, of: Variant, scale: Scale, course: Course) -> Result<Sample> {
    bench.on_fresh_topic(scale, |topic| {
        let work = || rdkafka_produce(bench, of, topic, scale.records, Some(RATE_PER_S));
        let (sample, stopped) = with_standstill(bench, course, work)?;
        Ok(Sample { note: Some(stopped), ..sample })
    })
}

fn rdkafka_produce(
    bench: &Bench,
    of: Variant,
    topic: &str,
    records: u64,
    rate: Option<u64>,
) -> Result<Sample> {
    let done = bench.rdkafka.produce(&Order {
        access: bench.broker.plain(),
        topic,
        records,
        value_bytes: of.value_bytes,
        rate_per_s: rate,
        client: of.rdkafka,
        latencies: true,
    })?;
    Ok(Sample::of_peer(RDKAFKA, of.value_bytes, done))
}

fn java(bench: &Bench, of: Variant, scale: Scale, course: Course) -> Result<Sample> {
    bench.on_fresh_topic(scale, |topic| {
        let (done, stopped) = with_standstill(bench, course, || {
            java::produce(&Order {
                access: bench.broker.plain(),
                topic,
                records: scale.records,
                value_bytes: of.value_bytes,
                rate_per_s: Some(RATE_PER_S),
                client: of.java,
                latencies: true,
            })
        })?;
        Ok(Sample { note: Some(stopped), ..Sample::of_peer(JAVA_PRODUCER, of.value_bytes, done) })
    })
}

/// Lets somebody work while the broker is stopped for a while, counted from its first records, and says
/// for how long it was.
fn with_standstill<T>(
    bench: &Bench,
    course: Course,
    work: impl FnOnce() -> Result<T>,
) -> Result<(T, String)> {
    let seconds = |count: u32| Duration::from_secs(u64::from(count));
    std::thread::scope(|scope| {
        let stall = scope.spawn(move || {
            let first = bench.broker.wait_for_records(seconds(60))?;
            std::thread::sleep(seconds(course.stop_after).saturating_sub(first.elapsed()));
            anyhow::Ok(bench.broker.stall(seconds(course.stopped)))
        });
        let done = work()?;
        let stopped = stall.join().map_err(|_| anyhow::anyhow!("the standstill failed"))??;
        Ok((done, format!("the broker stood still for {:.3} s", stopped.as_secs_f64())))
    })
}
