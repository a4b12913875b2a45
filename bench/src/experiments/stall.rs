//! A broker that stands still in the middle of a steady load: what is true, and who says so.
//!
//! The client's buffer is small, 2 MiB, so that it fills within a tenth of a second and the rest of the
//! standstill reaches the tool itself. A tool that then stops its own clock reports a good latency.

use std::time::Duration;

use anyhow::Result;

use super::tools::{JAVA_PRODUCER, MALLARD, RDKAFKA};
use super::{Bench, Contestant, Experiment, Kind, Scale};
use crate::arithmetic::Standstill;
use crate::options::Name;
use crate::peers::{Order, java};
use crate::sample::Sample;

const RATE_PER_S: u64 = 20_000;
const VALUE_BYTES: u32 = 1024;

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
pub(super) fn experiment(bench: &Bench) -> Result<Experiment> {
    let course = if bench.options.short { SHORT } else { FULL };
    let scaled = move |scale: Scale| Scale {
        seconds: u64::from(course.load),
        records: RATE_PER_S * u64::from(course.load),
        ..scale
    };
    let title = format!(
        "A broker that stands still for {} s of {} s at {RATE_PER_S} records a second, {VALUE_BYTES} B, client \
         buffer 2 MiB",
        course.stopped, course.load
    );
    let standstill = Standstill {
        rate_per_s: 20_000.0,
        capacity_per_s: capacity_per_s(bench)?,
        stopped_s: f64::from(course.stopped),
        load_s: f64::from(course.load),
    };
    Ok(Experiment {
        name: Name::Stall,
        title,
        kind: Kind::Stall(standstill),
        contestants: vec![
            Contestant::new(MALLARD, move |bench, scale| mallard(bench, scaled(scale), course)),
            Contestant::new(RDKAFKA, move |bench, scale| rdkafka(bench, scaled(scale), course)),
            Contestant::new(JAVA_PRODUCER, move |bench, scale| java(bench, scaled(scale), course)),
        ],
    })
}

/// How fast librdkafka sends to this broker out of a buffer of this size. A peer measures it, so that
/// Mallard is not compared with itself.
fn capacity_per_s(bench: &Bench) -> Result<f64> {
    let records = if bench.options.short { 100_000 } else { 1_000_000 };
    let scale = Scale { seconds: 0, records, turn: usize::MAX };
    let order = |topic: &str| rdkafka_produce(bench, topic, records, None);
    Ok(bench.on_fresh_topic(scale, order)?.rate_per_s)
}

fn mallard(bench: &Bench, scale: Scale, course: Course) -> Result<Sample> {
    let settings = [format!("hold={}s", scale.seconds)];
    let (done, stopped) = with_standstill(bench, course, || {
        bench.mallard.finish(bench.mallard.start("stall", &settings)?)
    })?;
    let scheduled = done.account("scheduled")?;
    let note = format!("{scheduled} records scheduled, {} late; {stopped}", done.account("late")?);
    Sample::of_producer(VALUE_BYTES, &done, Some(note))
}

fn rdkafka(bench: &Bench, scale: Scale, course: Course) -> Result<Sample> {
    bench.on_fresh_topic(scale, |topic| {
        let work = || rdkafka_produce(bench, topic, scale.records, Some(RATE_PER_S));
        let (sample, stopped) = with_standstill(bench, course, work)?;
        Ok(Sample { note: Some(stopped), ..sample })
    })
}

fn rdkafka_produce(bench: &Bench, topic: &str, records: u64, rate: Option<u64>) -> Result<Sample> {
    let done = bench.rdkafka.produce(&Order {
        broker: bench.broker.address(),
        topic,
        records,
        value_bytes: VALUE_BYTES,
        rate_per_s: rate,
        client: &["queue.buffering.max.kbytes=2048"],
        latencies: true,
    })?;
    Ok(Sample::of_peer(RDKAFKA, VALUE_BYTES, done))
}

fn java(bench: &Bench, scale: Scale, course: Course) -> Result<Sample> {
    bench.on_fresh_topic(scale, |topic| {
        let (done, stopped) = with_standstill(bench, course, || {
            java::produce(&Order {
                broker: bench.broker.address(),
                topic,
                records: scale.records,
                value_bytes: VALUE_BYTES,
                rate_per_s: Some(RATE_PER_S),
                client: &["buffer.memory=2097152"],
                latencies: true,
            })
        })?;
        Ok(Sample { note: Some(stopped), ..Sample::of_peer(JAVA_PRODUCER, VALUE_BYTES, done) })
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
