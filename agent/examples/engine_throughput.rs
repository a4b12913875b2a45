//! How fast the load engine is and what it costs, alone: without controller, socket or report.
//!
//! ```text
//! cargo run --release -p mallard-agent --example engine_throughput -- \
//!     BOOTSTRAP|mock TOPIC PARTITIONS BYTES RATE|max SECONDS [consume] [integrity] [KEY=VALUE…]
//! ```
//!
//! The topic must exist, unless the broker is the mock cluster, which runs in this process and is part
//! of the CPU time. `KEY=VALUE` are client properties of the producer.

#![expect(clippy::print_stdout, reason = "the figures are all that this program is for")]

use anyhow::{Context, Result, bail};
use mallard_agent::engine::{self, Hooks, monotonic_us};
use mallard_protocol::{
    counters::Counter,
    histogram::Histogram,
    ids::{InstanceId, TopicId},
    interval::{IntervalReport, ProducerTotals, Resources},
    message::FromAgent,
    schedule::{Pace, Phase, PhaseKind, Schedule, Segment, Timeline},
    workload::{
        Assignment, CommitPolicy, ConsumerSpec, KeySpec, Membership, Partitioning, PayloadSpec,
        ProducerSpec, SizeSpec, StampPlace, StartFrom, TopicSpec,
    },
};
use rdkafka::mocking::MockCluster;
use std::{fs, sync::mpsc, time::Duration};

/// Before this, figures are left out: connections are made and queues fill.
const WARM_UP_US: u64 = 2_000_000;

struct Arguments {
    bootstrap: String,
    topic: String,
    partitions: i32,
    bytes: u32,
    pace: Pace,
    load_us: u64,
    consume: bool,
    integrity: bool,
    client: Vec<(String, String)>,
}

fn main() -> Result<()> {
    let mut arguments = arguments()?;
    let mock = if arguments.bootstrap == "mock" {
        let mock = MockCluster::new(1)?;
        mock.create_topic(&arguments.topic, arguments.partitions, 1)?;
        arguments.bootstrap = mock.bootstrap_servers();
        Some(mock)
    } else {
        None
    };
    let (sink, said) = mpsc::channel();
    let hooks = Hooks {
        sample_resources: Box::new(Resources::default),
        observe: None,
        is_wanted: Box::new(|| true),
    };
    let mut engine = engine::prepare(assignment(&arguments), sink, hooks)
        .map_err(|failure| anyhow::anyhow!("{}", failure.text))?;
    if arguments.consume {
        await_reading(&said, arguments.partitions)?;
    }
    let end_us = WARM_UP_US + arguments.load_us;
    // Added up as they come: kept until the end, intervals would be most of the memory.
    let collecting = std::thread::spawn(move || Figures::collect(&said, end_us));
    engine.start(monotonic_us() + 10_000);
    std::thread::sleep(Duration::from_micros(10_000 + WARM_UP_US));
    let before = cpu_s()?;
    std::thread::sleep(Duration::from_micros(arguments.load_us));
    let cpu = cpu_s()? - before;
    let resident = resident_mib()?;
    std::thread::sleep(Duration::from_secs(1));
    engine.finish(Duration::from_secs(20));
    drop((engine, mock));
    let figures =
        collecting.join().map_err(|_| anyhow::anyhow!("collecting the figures failed"))?;
    figures.print(cpu, resident, &arguments);
    Ok(())
}

fn arguments() -> Result<Arguments> {
    let usage = "BOOTSTRAP|mock TOPIC PARTITIONS BYTES RATE|max SECONDS [consume] [KEY=VALUE…]";
    let all: Vec<String> = std::env::args().skip(1).collect();
    let [bootstrap, topic, partitions, bytes, rate, seconds, rest @ ..] = all.as_slice() else {
        bail!("usage: engine_throughput {usage}");
    };
    let pace = match rate.as_str() {
        "max" => Pace::Max,
        rate => {
            let per_s = rate.parse().context("the rate in records per second, or max")?;
            Pace::Rate { from_per_s: per_s, to_per_s: per_s }
        }
    };
    let property =
        |text: &String| text.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
    Ok(Arguments {
        bootstrap: bootstrap.clone(),
        topic: topic.clone(),
        partitions: partitions.parse().context("the number of partitions")?,
        bytes: bytes.parse().context("the size of a record's value in bytes")?,
        pace,
        load_us: seconds.parse::<u64>().context("the length in seconds")? * 1_000_000,
        consume: rest.iter().any(|word| word == "consume"),
        integrity: rest.iter().any(|word| word == "integrity"),
        client: rest.iter().filter_map(property).collect(),
    })
}

fn assignment(arguments: &Arguments) -> Assignment {
    let end_us = WARM_UP_US + arguments.load_us;
    let phase = |name: &str, kind, start_us, end_us| Phase {
        name: name.to_owned(),
        kind,
        start_us,
        end_us,
    };
    let producer = ProducerSpec {
        instance: InstanceId(0),
        name: "bench".to_owned(),
        topic: TopicId(0),
        schedule: Schedule::new([Segment { start_us: 0, end_us, pace: arguments.pace }]),
        stride: 1,
        offset: 0,
        partitioning: Partitioning::RoundRobin,
        payload: PayloadSpec::Bytes { size: SizeSpec::Fixed(arguments.bytes), random_share: 0.5 },
        key: KeySpec::None,
        headers: Vec::new(),
        stamp: StampPlace::Payload,
        client: arguments.client.clone(),
        transactions: None,
        seed: 1,
    };
    let consumer = ConsumerSpec {
        instance: InstanceId(1),
        name: "bench-in".to_owned(),
        topics: vec![TopicId(0)],
        membership: Membership::Assigned((0..arguments.partitions).collect()),
        from: StartFrom::RunStart,
        commit: CommitPolicy::Never,
        work_us: 0,
        stamped: true,
        through: None,
        process: None,
        client: Vec::new(),
    };
    Assignment {
        run: 1,
        connection: vec![("bootstrap.servers".to_owned(), arguments.bootstrap.clone())],
        topics: vec![TopicSpec {
            name: arguments.topic.clone(),
            alias: arguments.topic.clone(),
            partitions: arguments.partitions,
            replication: None,
            config: Vec::new(),
            existing: true,
        }],
        timeline: Timeline(vec![
            phase("warm-up", PhaseKind::WarmUp, 0, WARM_UP_US),
            phase("hold", PhaseKind::Hold, WARM_UP_US, end_us),
            phase("drain", PhaseKind::Drain, end_us, end_us + 30_000_000),
        ]),
        producers: vec![producer],
        consumers: if arguments.consume { vec![consumer] } else { Vec::new() },
        observes: Vec::new(),
        observed_groups: Vec::new(),
        watches_cluster: false,
        integrity: arguments.integrity,
    }
}

fn await_reading(said: &mpsc::Receiver<FromAgent>, partitions: i32) -> Result<()> {
    let (all, mut read) = (usize::try_from(partitions)?, 0);
    while read < all {
        if let FromAgent::Reading { partitions, .. } = said.recv_timeout(Duration::from_secs(10))? {
            read = partitions.len();
        }
    }
    Ok(())
}

/// CPU time of this process in seconds.
fn cpu_s() -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').context("a process has a name")?;
    let ticks: Vec<f64> =
        fields.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    // proc(5): in units of a hundredth of a second.
    Ok(ticks.iter().sum::<f64>() / 100.0)
}

/// Resident memory of this process in MiB.
fn resident_mib() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? / 1024)
}

#[derive(Default)]
struct Figures {
    acked: u64,
    received: u64,
    queue_full: u64,
    polls: u64,
    late_by_us: u64,
    service: Histogram,
    response: Histogram,
    end_to_end: Histogram,
    slip: Histogram,
    own_slip: Histogram,
    totals: ProducerTotals,
}

impl Figures {
    fn collect(said: &mpsc::Receiver<FromAgent>, end_us: u64) -> Self {
        let mut figures = Self::default();
        for message in said {
            match message {
                FromAgent::Interval(report) => {
                    figures.late_by_us = figures.late_by_us.max(report.late_by_us);
                    if report.start_us >= WARM_UP_US && report.end_us <= end_us {
                        figures.add(&report);
                    }
                    if let Some(producer) = report.producers.first() {
                        figures.totals = producer.totals;
                    }
                }
                FromAgent::Note { text, .. } => println!("note: {text}"),
                FromAgent::Finished { .. } => break,
                _ => {}
            }
        }
        figures
    }

    fn add(&mut self, report: &IntervalReport) {
        for producer in &report.producers {
            self.queue_full += producer.counters.get(Counter::QueueFull);
            self.polls += producer.counters.get(Counter::ReportPolls);
            for slice in &producer.slices {
                self.slip.add(&slice.slip);
                self.own_slip.add(&slice.unexplained_slip);
                for partition in &slice.partitions {
                    self.acked += partition.acked;
                    self.service.add(&partition.service);
                    self.response.add(&partition.response);
                }
            }
        }
        let slices = report.consumers.iter().flat_map(|c| &c.slices);
        for partition in slices.flat_map(|slice| &slice.partitions) {
            self.received += partition.received;
            self.end_to_end.add(&partition.end_to_end);
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "counts are below 2^53")]
    fn print(&self, cpu_s: f64, resident_mib: u64, arguments: &Arguments) {
        let load_s = arguments.load_us as f64 / 1e6;
        let acked = self.acked as f64;
        println!("acknowledged {:>12.0} /s", acked / load_s);
        println!("received     {:>12.0} /s", self.received as f64 / load_s);
        println!(
            "CPU          {:>12.3} s a million records, {:.1} % of a core; {resident_mib} MiB resident",
            cpu_s / acked * 1e6,
            cpu_s / load_s * 100.0
        );
        for (name, histogram) in [
            ("service", &self.service),
            ("response", &self.response),
            ("end to end", &self.end_to_end),
            ("slip", &self.slip),
            ("own slip", &self.own_slip),
        ] {
            let at = |quantile| histogram.value_at_quantile(quantile).unwrap_or(0);
            println!(
                "{name:<10} p50 {:>8} p99 {:>8} p99.9 {:>8} max {:>8} µs",
                at(0.5),
                at(0.99),
                at(0.999),
                at(1.0)
            );
        }
        println!(
            "queue full {} times, {:.0} records a poll, latest interval {} µs late",
            self.queue_full,
            acked / self.polls.max(1) as f64,
            self.late_by_us
        );
        println!("{:?}", self.totals);
    }
}
