//! A case of any size whose agents are made up: their frames are decoded, audited and merged, archived
//! as a run archives them, judged, and shown on a page. For the benchmark, and for a test of it.
#![expect(unreachable_pub, clippy::unwrap_used, reason = "support of tests")]

#[expect(dead_code, reason = "a part of it is enough here")]
mod simulate;

use mallard::{
    archive::{CaseFolder, IntervalLog, Latencies, RunFolder, intervals},
    measure::{AgentIndex, Collector, MergedInterval},
    model::{
        events::{RunEvent, TimedEvent},
        result::{Accounts, RunResult, SCHEMA_VERSION, TimeSpent},
    },
    over_time::index,
    plan::CasePlan,
    report::templates::Templates,
    run::io::Totals,
    text::figures::bytes_text,
    verdict::{self, AgentFacts, CaseFacts},
};
use mallard_protocol::{
    counters::{Counter, Counters},
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
use simulate::{Shape, mix};
use std::{
    fmt, fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// Name of the run's folder.
pub const RUN: &str = "merge";

/// When the made-up load began.
const ZERO: &str = "2026-03-14T14:02:41.500Z";

/// Bytes of a record.
const RECORD_BYTES: u64 = 100;

/// How large the case is. Every agent sends to all partitions and reads its part of them.
#[derive(Clone, Copy)]
pub struct Scale {
    pub agents: u64,
    pub partitions: u64,
    pub seconds: u64,
    pub records_per_s: u64,
}

impl Scale {
    /// What a test has time for.
    pub const SHORT: Self = Self { agents: 10, partitions: 50, seconds: 5, records_per_s: 50_000 };

    /// Records of the whole case.
    pub fn total(&self) -> u64 {
        self.records() * self.agents * self.partitions * self.seconds
    }

    /// Records that an agent sends to a partition in a second.
    fn records(&self) -> u64 {
        (self.records_per_s / self.agents / self.partitions).max(1)
    }

    fn plan(&self) -> CasePlan {
        let shape = Shape {
            agents: u16::try_from(self.agents).unwrap(),
            partitions: number(self.partitions),
            rate_per_s: None,
            phases: vec![
                ("hold", PhaseKind::Hold, self.seconds * 1_000_000),
                ("drain", PhaseKind::Drain, 1_000_000),
            ],
            expect: vec![
                "produce.service.p99 < 250ms in every 2s",
                "produce.acked.rate >= 1/s",
                "end_to_end.p99 < 1s in every 2s",
                "records.lost == 0",
                "agent.memory.slope of every agent < 1GiB/h",
            ],
        };
        shape.plan()
    }
}

/// CPU time by stage.
#[derive(Default)]
struct Spent {
    decoding: Duration,
    merging: Duration,
    series: Duration,
    intervals: Duration,
    /// All of them in the worst second.
    worst: Duration,
}

/// What came of it.
pub struct Outcome {
    pub accounts: Accounts,
    scale: Scale,
    merged: usize,
    spent: Spent,
    judging: Duration,
    page: Duration,
    page_bytes: u64,
    wire_bytes: u64,
    intervals_bytes: u64,
    archive_bytes: u64,
    /// Resident memory in bytes with made-up reports alone, and at most.
    resident: (u64, u64),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scale, spent) = (&self.scale, &self.spent);
        let cores = |time: Duration| time.as_secs_f64() / scale.seconds as f64;
        let all = spent.decoding + spent.merging + spent.series + spent.intervals;
        let reports = scale.agents * scale.seconds;
        let a_day = |bytes: u64| bytes_text(bytes / scale.seconds * 86_400);
        writeln!(
            f,
            "{} agents x {} partitions for {} s: {} of {} records acknowledged, {} intervals",
            scale.agents,
            scale.partitions,
            scale.seconds,
            self.accounts.acked,
            scale.total(),
            self.merged
        )?;
        writeln!(
            f,
            "cores: decoding {:.3}, auditing and merging {:.3}, series and histograms {:.3}, raw intervals \
             {:.3}; together {:.3}, {:.3} in the worst second",
            cores(spent.decoding),
            cores(spent.merging),
            cores(spent.series),
            cores(spent.intervals),
            cores(all),
            spent.worst.as_secs_f64()
        )?;
        writeln!(
            f,
            "at the end: judged and written in {:.3} s of CPU, page of {} in {:.3} s",
            self.judging.as_secs_f64(),
            bytes_text(self.page_bytes),
            self.page.as_secs_f64()
        )?;
        writeln!(
            f,
            "resident: {} at most, of which {} are the reports made up beforehand",
            bytes_text(self.resident.1),
            bytes_text(self.resident.0)
        )?;
        write!(
            f,
            "a report: {} on the wire, {} in the archive; raw intervals {}, {} a day; all else {}",
            bytes_text(self.wire_bytes / reports),
            bytes_text(self.intervals_bytes / reports),
            bytes_text(self.intervals_bytes),
            a_day(self.intervals_bytes),
            bytes_text(self.archive_bytes - self.intervals_bytes)
        )
    }
}

/// Runs the case, and leaves its archive in `results`.
pub fn run(results: &Path, scale: Scale) -> Outcome {
    let plan = scale.plan();
    let mut reports: Vec<_> = (0..scale.agents).map(|agent| template(agent, &scale)).collect();
    let resident = resident_bytes("VmRSS:");
    // From here on the highest is of this work; where the kernel refuses, of the whole process.
    let _ = fs::write("/proc/self/clear_refs", "5");
    let mut work = Work::new(results, plan);
    for _ in 0..scale.seconds {
        let frames: Vec<_> =
            reports.iter_mut().map(|report| advance(report, scale.records())).collect();
        work.second(&frames);
    }
    work.end(scale, resident)
}

/// A controller at work, without anything but its work.
struct Work {
    plan: CasePlan,
    run: RunFolder,
    folder: CaseFolder,
    logs: Vec<IntervalLog>,
    collector: Collector,
    spent: Spent,
    merged: usize,
    wire_bytes: u64,
}

impl Work {
    fn new(results: &Path, plan: CasePlan) -> Self {
        let run = RunFolder::create(results, RUN, Some(RUN)).unwrap();
        let mut folder = run.case(&plan.name).unwrap();
        folder.inputs("name: simulated\n", "kafka: embedded\n").unwrap();
        folder.load_started(ZERO.parse().unwrap());
        let logs = plan.agents.iter().map(|agent| folder.interval_log(&agent.name, 0).unwrap());
        let (logs, collector) = (logs.collect(), Collector::new(&plan));
        let (spent, merged, wire_bytes) = (Spent::default(), 0, 0);
        Self { plan, run, folder, logs, collector, spent, merged, wire_bytes }
    }

    /// What a second brings: a frame from every agent. A function of its own in the program, too: its
    /// instructions are counted.
    #[inline(never)]
    fn second(&mut self, frames: &[Vec<u8>]) {
        let (mut watch, begun) = (Watch::start(), cpu_time());
        let reports: Vec<IntervalReport> =
            frames.iter().map(|frame| decode(&frame[4..]).unwrap()).collect();
        self.spent.decoding += watch.lap();
        let mut merged = Vec::new();
        for (agent, report) in reports.iter().enumerate() {
            merged.extend(self.collector.interval(AgentIndex(agent), report).unwrap());
        }
        self.spent.merging += watch.lap();
        merged.iter().for_each(|interval| self.store(interval));
        self.spent.series += watch.lap();
        for (log, report) in self.logs.iter_mut().zip(&reports) {
            log.append(report).unwrap();
        }
        self.spent.intervals += watch.lap();
        self.spent.worst = self.spent.worst.max(cpu_time().saturating_sub(begun));
        self.wire_bytes += frames.iter().map(|frame| frame.len() as u64).sum::<u64>();
    }

    fn store(&mut self, interval: &MergedInterval) {
        let MergedInterval { row, resources, errors, lag, .. } = interval;
        let event = RunEvent::Interval(Box::new(row.clone()));
        self.run.event(&TimedEvent { at: ZERO.into(), event }).unwrap();
        let latencies = Latencies {
            service: &interval.service,
            response: &interval.response,
            end_to_end: &interval.end_to_end,
            slip: &interval.slip,
        };
        self.folder.append_interval(row, resources, errors, lag, latencies).unwrap();
        self.merged += 1;
    }

    /// Judges the case, writes its results and its page.
    fn end(mut self, scale: Scale, resident: u64) -> Outcome {
        let mut watch = Watch::start();
        let last = self.collector.flush();
        last.iter().for_each(|interval| self.store(interval));
        let Self { plan, run, mut folder, collector, spent, merged, wire_bytes, .. } = self;
        let measured = collector.conclude(&Default::default());
        let (totals, accounts) = (Totals::of(&measured.whole), measured.accounts.clone());
        let judgement = verdict::judge(&plan, measured, &facts(plan.agents.len()));
        let latencies = Latencies {
            service: &totals.service,
            response: &totals.response,
            end_to_end: &totals.end_to_end,
            slip: &totals.slip,
        };
        folder.finish(&judgement.result, &judgement.partition_series, Some(latencies)).unwrap();
        let path = finish(run, &judgement);
        let judging = watch.lap();
        let files = intervals::files(folder.path()).unwrap();
        let page = index::with_reports(&path, &Templates::load(None).unwrap()).unwrap();
        Outcome {
            accounts,
            scale,
            merged,
            spent,
            judging,
            page: watch.lap(),
            page_bytes: bytes_of(&page),
            wire_bytes,
            intervals_bytes: files.iter().map(|(_, path)| bytes_of(path)).sum(),
            archive_bytes: bytes_of(&path),
            resident: (resident, resident_bytes("VmHWM:")),
        }
    }
}

/// Writes `run.json`, lets go of the run's folder, and says where it is.
fn finish(mut run: RunFolder, judgement: &verdict::Judgement) -> PathBuf {
    let result = RunResult {
        schema_version: SCHEMA_VERSION,
        run_id: RUN.into(),
        name: RUN.into(),
        started_at: ZERO.into(),
        ended_at: ZERO.into(),
        verdict: judgement.result.verdict,
        sentence: judgement.sentence.clone(),
        reasons: Vec::new(),
        cases: vec![verdict::summary(judgement, 1_000_000)],
        across: Vec::new(),
        compared: Vec::new(),
        comparisons: Vec::new(),
        warnings: Vec::new(),
        parent: None,
        shard: None,
        merged: Vec::new(),
        versions: Default::default(),
        command_line: Vec::new(),
        time: TimeSpent::default(),
    };
    run.finish(&result).unwrap();
    run.path().to_owned()
}

fn facts(agents: usize) -> CaseFacts {
    CaseFacts {
        run_id: RUN.into(),
        started_at: ZERO.into(),
        ended_at: ZERO.into(),
        load_started_at: Some(ZERO.into()),
        agents: vec![AgentFacts::default(); agents],
        ..CaseFacts::default()
    }
}

/// A report that each second repeats.
fn template(agent: u64, scale: &Scale) -> IntervalReport {
    let instance = |consumer: u64| InstanceId(u16::try_from(2 * agent + consumer).unwrap());
    IntervalReport {
        producers: vec![producer(instance(0), agent, scale)],
        consumers: vec![consumer(instance(1), agent, scale)],
        resources: Resources { host_cores: 8, ..Resources::default() },
        ..IntervalReport::default()
    }
}

fn producer(instance: InstanceId, agent: u64, scale: &Scale) -> ProducerInterval {
    let records = scale.records();
    let produced = (0..scale.partitions).map(|partition| {
        let (service, response) = latencies(agent * scale.partitions + partition, records);
        ProducedPartition {
            partition: number(partition),
            acked: records,
            acked_bytes: records * RECORD_BYTES,
            failed: 0,
            service,
            response,
            next_offset: 0,
        }
    });
    let sent = records * scale.partitions;
    let mut record_bytes = Histogram::new();
    record_bytes.record_n(RECORD_BYTES, sent);
    let slice = ProducerSlice {
        phase: PhaseId(0),
        scheduled: sent,
        sent,
        sent_bytes: sent * RECORD_BYTES,
        record_bytes,
        partitions: produced.collect(),
        ..ProducerSlice::default()
    };
    ProducerInterval {
        instance,
        totals: ProducerTotals::default(),
        slices: vec![slice],
        counters: Counters::default().with(Counter::ReportPolls, 100),
        transactions: Transactions::default(),
        client: None,
        numbers: Vec::new(),
    }
}

fn consumer(instance: InstanceId, agent: u64, scale: &Scale) -> ConsumerInterval {
    let received = scale.records() * scale.agents;
    let mine = (0..scale.partitions).filter(|partition| partition % scale.agents == agent);
    let consumed = mine.clone().map(|partition| ConsumedPartition {
        topic: TopicId(0),
        partition: number(partition),
        received,
        received_bytes: received * RECORD_BYTES,
        end_to_end: latencies(partition, received).1,
        negative: 0,
    });
    let consumed = consumed.collect();
    let positions = mine.map(|partition| PartitionOffset {
        topic: TopicId(0),
        partition: number(partition),
        offset: 0,
    });
    ConsumerInterval {
        instance,
        totals: ConsumerTotals::default(),
        slices: vec![ConsumerSlice { partitions: consumed, ..ConsumerSlice::default() }],
        positions: positions.collect(),
        counters: Counters::default().with(Counter::Polls, 100).with(Counter::EmptyPolls, 10),
        rebalances: Vec::new(),
        commit: Histogram::new(),
        errors: Vec::new(),
        through: None,
        client: None,
        integrity: None,
    }
}

/// Service and response of so many records, each of which was due a little before it was sent.
fn latencies(seed: u64, count: u64) -> (Histogram, Histogram) {
    let (mut service, mut response) = (Histogram::new(), Histogram::new());
    for record in 0..count {
        let bits = mix((seed << 32) | record);
        let took = 500 + bits % 1_000 + (bits >> 32) % 20 * 500;
        service.record(took);
        response.record(took + (bits >> 16) % 150);
    }
    (service, response)
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
    encode(report).unwrap()
}

fn number(partition: u64) -> i32 {
    i32::try_from(partition).unwrap()
}

/// Tells how much CPU time each lap took.
struct Watch(Duration);

impl Watch {
    fn start() -> Self {
        Self(cpu_time())
    }

    fn lap(&mut self) -> Duration {
        let now = cpu_time();
        now.saturating_sub(std::mem::replace(&mut self.0, now))
    }
}

/// CPU time of this thread, so that a busy machine does not spoil the figure.
fn cpu_time() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let ns = text.split(' ').next().and_then(|ns| ns.parse().ok());
    Duration::from_nanos(ns.unwrap_or(0))
}

/// Resident memory of this process, now (`VmRSS:`) or at most (`VmHWM:`).
fn resident_bytes(line: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status.lines().find_map(|text| text.strip_prefix(line));
    let kib = kib.and_then(|text| text.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) * 1_024
}

/// Bytes of a file, or of all that lies in a folder.
fn bytes_of(path: &Path) -> u64 {
    if !path.is_dir() {
        return fs::metadata(path).unwrap().len();
    }
    fs::read_dir(path).unwrap().map(|entry| bytes_of(&entry.unwrap().path())).sum()
}
