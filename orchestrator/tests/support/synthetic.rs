//! Archives that were never measured: for tests of the reports, and to design the pages with.
//!
//! Everything follows from arithmetic and a small generator of pseudo-random numbers, so the same call
//! writes the same archive. Short runs are a queue, simulated millisecond by millisecond; long ones
//! draw each interval's latencies from a distribution.

use mallard::{
    archive::{CaseFolder, Latencies, RunFolder},
    model::{
        events::{RunEvent, TimedEvent},
        result::{
            Accounts, AcrossResult, AgentResult, CaseResult, CaseSummary, ComparedResult,
            Diagnosis, ErrorRow, ExpectationResult, Interpretation, LagRow, MetricValue,
            PartitionResult, PartitionSeriesRow, Percentiles, PhaseResult, Reason, ResourceRow,
            RunResult, SCHEMA_VERSION, SeriesRow, Stage, Standing, Tier, TierResult, TimeSpent,
            Verdict,
        },
    },
};
use mallard_protocol::{counters::Counter, histogram::Histogram};
use std::{
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
};

/// When every synthetic load began.
pub const ZERO: &str = "2026-03-14T14:02:41.500Z";

/// xorshift64*: the same numbers everywhere.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    pub fn unit(&mut self) -> f64 {
        (self.next() % 1_000_003) as f64 / 1_000_003.0
    }

    /// Around `middle`, with a long tail to the right.
    pub fn latency(&mut self, middle: f64) -> u64 {
        let bell: f64 = (0..6).map(|_| self.unit()).sum::<f64>() - 3.0;
        let tail = if self.unit() < 0.01 { 2.0 + 6.0 * self.unit() } else { 1.0 };
        (middle * (bell * 0.35).exp() * tail) as u64
    }
}

/// A case in the making.
pub struct Case {
    pub folder: CaseFolder,
    pub name: String,
    pub scenario: String,
    pub agents: usize,
    pub totals: [Histogram; 4],
    pub accounts: Accounts,
    pub end_us: u64,
    pub phases: Vec<PhaseResult>,
    pub lag_max: u64,
}

impl Case {
    pub fn start(run: &RunFolder, name: &str, agents: usize, phases: Vec<PhaseResult>) -> Self {
        let mut folder = run.case(name).unwrap();
        folder.inputs(SCENARIO, CLUSTER).unwrap();
        folder.load_started(ZERO.parse().unwrap());
        for agent in 1..=agents {
            let mut log = folder.agent_log(&format!("local-{agent}")).unwrap();
            log.append(b"14:02:39.120 ready\n14:02:41.500 load starts\n").unwrap();
            log.finish().unwrap();
        }
        Self {
            folder,
            name: name.into(),
            scenario: name.split('@').next().unwrap_or(name).into(),
            agents,
            totals: Default::default(),
            accounts: Accounts::default(),
            end_us: 0,
            phases,
            lag_max: 0,
        }
    }

    pub fn phase_at(&self, at_us: u64) -> (String, bool) {
        let inside = |phase: &&PhaseResult| (phase.start_us..phase.end_us).contains(&at_us);
        self.phases
            .iter()
            .find(inside)
            .map_or(("drain".into(), false), |phase| (phase.name.clone(), phase.measured))
    }

    /// Appends an interval and keeps count.
    pub fn append(
        &mut self,
        mut row: SeriesRow,
        h: &[Histogram; 4],
        errors: &[ErrorRow],
        dice: &mut Dice,
    ) {
        let (phase, measured) = self.phase_at(row.start_us);
        row.phase = phase;
        row.agents = if row.agents == 0 { self.agents as u32 } else { row.agents };
        let quantile = |at: usize, q: f64| h[at].value_at_quantile(q);
        (row.service_p50_us, row.service_p95_us) = (quantile(0, 0.5), quantile(0, 0.95));
        (row.service_p99_us, row.service_max_us) = (quantile(0, 0.99), h[0].max());
        (row.response_p50_us, row.response_p95_us) = (quantile(1, 0.5), quantile(1, 0.95));
        (row.response_p99_us, row.response_max_us) = (quantile(1, 0.99), h[1].max());
        (row.end_to_end_p50_us, row.end_to_end_p95_us) = (quantile(2, 0.5), quantile(2, 0.95));
        (row.end_to_end_p99_us, row.end_to_end_max_us) = (quantile(2, 0.99), h[2].max());
        (row.slip_p99_us, row.slip_max_us) = (quantile(3, 0.99), h[3].max());
        let whole = &mut self.accounts;
        whole.scheduled += row.scheduled;
        whole.sent += row.sent;
        whole.acked += row.acked;
        whole.failed += row.failed;
        whole.received += row.received;
        whole.late += row.late;
        (whole.not_sent, whole.outstanding) = (row.not_sent, row.outstanding);
        for error in errors.iter().filter(|error| error.side == "produce") {
            *whole.failed_by_code.entry(error.code.clone()).or_default() += error.count;
        }
        if measured {
            self.totals.iter_mut().zip(h).for_each(|(sum, of)| sum.add(of));
        }
        self.lag_max = self.lag_max.max(row.lag.unwrap_or(0));
        self.end_us = row.end_us;
        let (start_us, end_us) = (row.start_us, row.end_us);
        let share = row.sent as f64 / (end_us - start_us) as f64 * 10.0;
        let resources: Vec<_> = (1..=row.agents as usize)
            .map(|agent| ResourceRow {
                start_us,
                end_us,
                agent: format!("local-{agent}"),
                cpu_cores: 0.1 + share + 0.05 * dice.unit(),
                busiest_thread_cpu: 0.05 + share * 0.7 + 0.04 * dice.unit(),
                host_cpu: 0.3 + 0.1 * dice.unit(),
                resident_bytes: (48 << 20)
                    + (start_us / 40_000_000 % 400) * 4096
                    + (agent as u64) * 700_000,
                host_memory_used_bytes: 9 << 30,
                host_received_bytes_per_s: 1e6 + 5e5 * dice.unit(),
                host_sent_bytes_per_s: 2e7 + 1e6 * dice.unit(),
            })
            .collect();
        let lag: Vec<_> = row
            .lag
            .into_iter()
            .map(|lag| LagRow { start_us, end_us, consumer: "flink".into(), lag, lag_max: lag / 3 })
            .collect();
        let latencies =
            Latencies { service: &h[0], response: &h[1], end_to_end: &h[2], slip: &h[3] };
        self.folder.append_interval(&row, &resources, errors, &lag, latencies).unwrap();
    }

    /// What a judge would have made of the totals.
    fn metrics(&self) -> BTreeMap<String, MetricValue> {
        let mut metrics = BTreeMap::new();
        for (at, prefix) in
            ["produce.service", "produce.response", "end_to_end", "produce.slip"].iter().enumerate()
        {
            let p = percentiles(&self.totals[at]);
            let rows =
                [("p50", p.p50), ("p95", p.p95), ("p99", p.p99), ("p999", p.p999), ("max", p.max)];
            for (suffix, value) in rows {
                let value = value.map(|us| us as f64);
                metrics.insert(format!("{prefix}.{suffix}"), metric(value, "us"));
            }
        }
        let measured_s = self.end_us as f64 / 1e6;
        let rate = self.accounts.acked as f64 / measured_s.max(1.0);
        metrics.insert("produce.acked.rate".into(), metric(Some(rate), "per_s"));
        metrics.insert(
            "produce.error_rate".into(),
            metric(Some(self.accounts.failed as f64 / self.accounts.sent.max(1) as f64), "ratio"),
        );
        metrics.insert("agent.memory.growth".into(), metric(Some(3_200_000.0), "bytes"));
        metrics.insert("agent.memory.slope".into(), metric(Some(410_000.0), "bytes_per_hour"));
        metrics.insert("consume.messages_per_poll".into(), metric(Some(212.4), "records_per_poll"));
        metrics.insert("consume.lag.max".into(), metric(Some(self.lag_max as f64), "records"));
        metrics.insert("produce.client.queue_time".into(), metric(Some(5_240.0), "us"));
        metrics.insert("produce.client.round_trip".into(), metric(Some(1_130.0), "us"));
        metrics.insert(
            "accounts.audited_intervals".into(),
            metric(Some((self.end_us / 1_000_000 * self.agents as u64) as f64), "count"),
        );
        metrics
    }

    /// The result, with what every case has.
    pub fn result(&self, run: &RunFolder, expectations: Vec<ExpectationResult>) -> CaseResult {
        let failed = expectations.iter().any(|expectation| !expectation.passed);
        let metrics = self.metrics();
        let of_gateway = |properties: &[(&str, &str)]| {
            BTreeMap::from([("gateway".to_owned(), text(properties))])
        };
        let agents = (1..=self.agents).map(|agent| AgentResult {
            name: format!("local-{agent}"),
            host: text(&[
                ("hostname", "bench-1"),
                ("boot_id", "6a0c3d1e"),
                ("kernel", "6.1.0-32-amd64"),
                ("os", "Debian GNU/Linux 12"),
                ("cpu", "AMD EPYC 7B13"),
                ("cores", "16"),
                ("memory_bytes", "67430653952"),
                ("librdkafka", "2.12.1"),
                ("pid", "4711"),
            ]),
            instances: vec![format!("gateway-{agent}"), format!("flink-{agent}")],
            memory_start_bytes: Some(48 << 20),
            memory_peak_bytes: Some(52 << 20),
            busiest_thread_cpu_max: Some(0.31),
            cpu_cores_mean: Some(0.42),
            start_late_us: Some(38),
            clock_error_us: Some(0),
            lost_at_us: None,
            last_report_us: None,
            taken_over_at_us: None,
        });
        CaseResult {
            evidence: Vec::new(),
            schema_version: SCHEMA_VERSION,
            run_id: run.id().into(),
            scenario: self.scenario.clone(),
            description: "Baseline at a constant rate.".into(),
            case: self.name.clone(),
            parameters: text(&[("rate", "5000/s"), ("codec", "snappy")]),
            started_at: "2026-03-14T14:02:38Z".into(),
            ended_at: "2026-03-14T14:03:04Z".into(),
            load_started_at: Some(ZERO.into()),
            verdict: if failed { Verdict::Fail } else { Verdict::Pass },
            reasons: Vec::new(),
            warnings: Vec::new(),
            accounts: self.accounts.clone(),
            accounts_whole: self.accounts.clone(),
            workloads: BTreeMap::from([("gateway".to_owned(), metrics.clone())]),
            metrics,
            expectations,
            phases: self.phases.clone(),
            partitions: Vec::new(),
            agents: agents.collect(),
            cuts: Vec::new(),
            outages: Vec::new(),
            faults: Vec::new(),
            versions: text(&[("mallard", "0.1.0"), ("librdkafka", "2.12.1"), ("kafka", "4.1.1")]),
            brokers: text(&[
                ("1", "127.0.0.1:9092"),
                ("2", "127.0.0.1:9093"),
                ("3", "127.0.0.1:9094"),
            ]),
            client_properties: of_gateway(&[("acks", "all"), ("linger.ms", "10")]),
            clients_in_effect: of_gateway(&[("acks", "-1"), ("batch.size", "1000000")]),
            topics: Vec::new(),
            closed_loop: false,
            interpretation: Interpretation::default(),
        }
    }
}

fn text(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// An interpretation with everything in it.
pub fn interpretation(text: &str) -> Interpretation {
    let stage = |name: &str, mean_us: f64, share: f64| Stage { name: name.into(), mean_us, share };
    let tier = |indicator: &str, tier: Option<Tier>| TierResult {
        indicator: indicator.into(),
        tier,
        text: text.into(),
    };
    Interpretation {
        tiers: vec![
            tier("throughput", Some(Tier::Good)),
            tier("latency", Some(Tier::Acceptable)),
            tier("scaling", Some(Tier::Poor)),
            tier("memory", None),
        ],
        stages: vec![
            stage("waiting to be sent", 500.0, 0.05),
            stage("in the client's queue", 6_000.0, 0.6),
            stage("round trip to the broker", 2_500.0, 0.25),
            stage("acknowledged to received", 1_000.0, 0.1),
        ],
        diagnoses: vec![Diagnosis {
            code: "small_batches".into(),
            text: text.into(),
            remedy: text.into(),
        }],
        summary: text.into(),
    }
}

/// An expectation that a codec's rate is not much below the rate without one.
pub fn against_none(codec: &str, value: f64, text: &str) -> AcrossResult {
    AcrossResult {
        text: text.into(),
        scenario: "codecs".into(),
        metric: "produce.acked.rate".into(),
        case: format!("codecs@codec={codec}"),
        reference: "codecs@codec=none".into(),
        value: Some(value),
        reference_value: Some(18_000.0),
        limit: Some(16_200.0),
        margin: Some((value - 16_200.0) / 16_200.0),
        unit: "per_s".into(),
        passed: value >= 16_200.0,
        scaling: None,
        tier: None,
        line: Some(31),
        sentence: format!("produce.acked.rate was {value}/s, limit at least 16,200/s"),
    }
}

/// An expectation against the baseline `main` in every way in which it can come out.
pub fn against_main() -> Vec<ComparedResult> {
    let standings = [Standing::Held, Standing::Failed, Standing::Unclear, Standing::NotJudged];
    let of = |standing: Standing| {
        let judged = standing != Standing::NotJudged;
        ComparedResult {
            text: "produce.response.p99 no worse than main by 10%".into(),
            scenario: "codecs".into(),
            case: format!("codecs@codec={}", standing.as_str()),
            metric: "produce.response.p99".into(),
            unit: "us".into(),
            with: "main".into(),
            by: 0.1,
            value: judged.then_some(4_100.0),
            base: judged.then_some(3_900.0),
            ratio: judged.then_some(1.051),
            low: judged.then_some(0.99),
            high: judged.then_some(1.12),
            word: judged.then(|| "unclear".to_owned()),
            repeats: (standing == Standing::Unclear).then_some(5),
            standing,
            line: 32,
            sentence: format!("produce.response.p99 {}", standing.as_str()),
        }
    };
    standings.map(of).to_vec()
}

pub fn metric(value: Option<f64>, unit: &str) -> MetricValue {
    MetricValue { value, unit: unit.into(), uncertainty: None }
}

pub fn percentiles(of: &Histogram) -> Percentiles {
    let quantile = |q: f64| of.value_at_quantile(q);
    Percentiles {
        count: of.count(),
        min: of.min(),
        mean: of.mean(),
        p50: quantile(0.5),
        p90: quantile(0.9),
        p95: quantile(0.95),
        p99: quantile(0.99),
        p999: quantile(0.999),
        p9999: quantile(0.9999),
        max: of.max(),
    }
}

pub fn phase(name: &str, kind: &str, seconds: std::ops::Range<u64>) -> PhaseResult {
    PhaseResult {
        name: name.into(),
        kind: kind.into(),
        start_us: seconds.start * 1_000_000,
        end_us: seconds.end * 1_000_000,
        measured: !matches!(kind, "warm-up" | "drain"),
    }
}

/// An expectation that an upper or lower limit is kept.
pub fn expect(
    text: &str,
    metric: &str,
    value: f64,
    limit: f64,
    unit: &str,
    at_most: bool,
) -> ExpectationResult {
    let passed = if at_most { value <= limit } else { value >= limit };
    let side = if at_most { limit - value } else { value - limit };
    ExpectationResult {
        text: text.into(),
        metric: metric.into(),
        scope: None,
        value: Some(value),
        limit,
        margin: (limit != 0.0).then(|| side / limit),
        unit: unit.into(),
        passed,
        not_reached: false,
        is_unknown: false,
        first_failing_window_us: None,
        failing_us: Vec::new(),
        windows: None,
        source: None,
        line: Some(24),
        sentence: format!("{metric} was {value} {unit}, limit {limit}"),
    }
}

/// A queue: records due 20 a millisecond, a client with room for 2,000, a broker that acknowledges
/// what is half a millisecond old, 60 a millisecond, and nothing while it stalls.
pub fn simulate(
    case: &mut Case,
    seconds: u64,
    load_until: u64,
    stall: std::ops::Range<u64>,
    dice: &mut Dice,
) {
    const PER_MS: u64 = 20;
    const ROOM: u64 = 2_000;
    let (mut waiting, mut flying) =
        (VecDeque::<(u64, u64)>::new(), VecDeque::<(u64, u64, u64)>::new());
    let (mut not_sent, mut outstanding) = (0_u64, 0_u64);
    for second in 0..seconds {
        let mut row = SeriesRow {
            start_us: second * 1_000_000,
            end_us: (second + 1) * 1_000_000,
            ..SeriesRow::default()
        };
        let mut h: [Histogram; 4] = Default::default();
        for ms in second * 1000..(second + 1) * 1000 {
            if ms < load_until * 1000 {
                waiting.push_back((ms, PER_MS));
                row.scheduled += PER_MS;
                not_sent += PER_MS;
            }
            while let Some((due, n)) = waiting.front_mut() {
                let now = (*n).min(ROOM - outstanding);
                if now == 0 {
                    row.counters.count(Counter::QueueFull, 1);
                    row.counters.count(Counter::BackpressureUs, 1000);
                    break;
                }
                flying.push_back((*due, ms, now));
                h[3].record_n((ms - *due) * 1000 + dice.next() % 80, now);
                row.late += if ms - *due > 5 { now } else { 0 };
                row.sent += now;
                (outstanding, not_sent, *n) = (outstanding + now, not_sent - now, *n - now);
                if *n == 0 {
                    waiting.pop_front();
                }
            }
            let mut capacity = if stall.contains(&ms) { 0 } else { 60 };
            while let Some((due, sent, n)) = flying.front_mut() {
                let now = (*n).min(capacity);
                if now == 0 {
                    break;
                }
                let extra = dice.latency(900.0);
                let (service, response) = ((ms - *sent) * 1000 + extra, (ms - *due) * 1000 + extra);
                h[0].record_n(service, now);
                h[1].record_n(response, now);
                h[2].record_n(response + dice.latency(700.0), now);
                row.acked += now;
                row.received += now;
                (outstanding, capacity, *n) = (outstanding - now, capacity - now, *n - now);
                if *n == 0 {
                    flying.pop_front();
                }
            }
        }
        row.target_per_s = (second < load_until).then_some(PER_MS as f64 * 1000.0);
        row.acked_bytes = row.acked * 1024;
        row.received_bytes = row.received * 1024;
        (row.not_sent, row.outstanding) = (not_sent, outstanding);
        row.lag = Some(outstanding / 4 + dice.next() % 40);
        case.append(row, &h, &[], dice);
    }
}

/// Partitions that share a case's records, with a series each.
pub fn partitions(
    case: &Case,
    topic: &str,
    count: i32,
    points: u64,
    dice: &mut Dice,
) -> (Vec<PartitionResult>, Vec<PartitionSeriesRow>) {
    let (mut rows, mut series) = (Vec::new(), Vec::new());
    let each = case.accounts.acked / count as u64;
    for partition in 0..count {
        let bend = 1.0 + 0.6 * dice.unit() + if partition % 97 == 13 { 4.0 } else { 0.0 };
        let scaled = |of: &Histogram| {
            let mut p = percentiles(of);
            for value in [&mut p.p50, &mut p.p90, &mut p.p95, &mut p.p99, &mut p.p999, &mut p.max] {
                *value = value.map(|us| (us as f64 * bend) as u64);
            }
            p
        };
        rows.push(PartitionResult {
            topic: topic.into(),
            partition,
            acked: each,
            acked_bytes: each * 1024,
            received: each,
            received_bytes: each * 1024,
            lost: Some(0),
            start_offset: Some(0),
            end_offset: Some(each as i64),
            lag_max: Some(dice.next() % 900),
            lag_end: Some(0),
            service: scaled(&case.totals[0]),
            response: scaled(&case.totals[1]),
            end_to_end: scaled(&case.totals[2]),
            ..PartitionResult::default()
        });
        let step = case.end_us / points;
        for point in 0..points {
            let swell = 1.0 + 0.5 * ((point as f64 + f64::from(partition) / 40.0) / 9.0).sin();
            series.push(PartitionSeriesRow {
                start_us: point * step,
                end_us: (point + 1) * step,
                topic: topic.into(),
                partition,
                acked: (each / points) + dice.next() % 30,
                received: (each / points) + dice.next() % 30,
                response_p99_us: Some(dice.latency(4000.0 * bend * swell)),
                end_to_end_p99_us: Some(dice.latency(6000.0 * bend * swell)),
                lag: Some(dice.next() % 900),
            });
        }
    }
    (rows, series)
}

/// A folder for a run, and its first events.
pub fn start_run(results: &Path, id: &str, name: &str, cases: &[&str]) -> RunFolder {
    let mut run = RunFolder::create(results, name, Some(id)).unwrap();
    let cases = cases.iter().map(|case| (*case).to_owned()).collect();
    let folder = run.path().display().to_string();
    event(&mut run, 0, RunEvent::RunStarted { run_id: id.into(), cases, folder });
    run
}

/// Appends an event, so many milliseconds after the run's start.
pub fn event(run: &mut RunFolder, ms: i64, event: RunEvent) {
    let start: jiff::Timestamp = "2026-03-14T14:02:38Z".parse().unwrap();
    let at = (start + jiff::SignedDuration::from_millis(ms)).to_string();
    run.event(&TimedEvent { at, event }).unwrap();
}

/// A case's events, from its start to its verdict.
pub fn case_events(run: &mut RunFolder, case: &str, result: &CaseResult, sentence: &str) {
    let phases = result.phases.iter().map(|p| (p.name.clone(), p.start_us)).collect();
    event(
        run,
        5,
        RunEvent::CaseStarted { case: case.into(), index: 0, planned_us: 20_000_000, phases },
    );
    event(run, 6, RunEvent::Step { case: case.into(), text: "starting 2 agents".into() });
    event(
        run,
        310,
        RunEvent::AgentConnected { agent: "local-1".into(), host: "local".into(), pid: 4711 },
    );
    event(run, 3500, RunEvent::LoadStarted { case: case.into(), spread_us: 41 });
    event(
        run,
        9000,
        RunEvent::Note {
            level: mallard::model::events::Level::Warning,
            source: "gateway-1".into(),
            text: "broker 2 is down: Connection refused".into(),
        },
    );
    let (reasons, expectations) = (result.reasons.clone(), result.expectations.clone());
    event(
        run,
        26_000,
        RunEvent::CaseFinished {
            case: case.into(),
            verdict: result.verdict,
            sentence: sentence.into(),
            reasons,
            expectations,
            diagnoses: Vec::new(),
        },
    );
}

pub fn summary(result: &CaseResult, sentence: &str, duration_us: u64) -> CaseSummary {
    let headline = ["produce.acked.rate", "produce.response.p99", "end_to_end.p99"];
    let headline = headline
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), result.metrics.get(*name)?.clone())));
    CaseSummary {
        name: result.case.clone(),
        scenario: result.scenario.clone(),
        verdict: result.verdict,
        sentence: sentence.into(),
        duration_us,
        headline: headline.collect(),
        fingerprint: None,
        earlier: Vec::new(),
    }
}

/// Writes `run.json`; the run is as bad as its worst case.
pub fn finish_run(
    run: &mut RunFolder,
    name: &str,
    cases: Vec<CaseSummary>,
    started_at: &str,
    ended_at: &str,
) -> PathBuf {
    finish_set(run, name, cases, (Vec::new(), Vec::new()), (started_at, ended_at))
}

/// The same, with expectations across the cases and against baselines.
pub fn finish_set(
    run: &mut RunFolder,
    name: &str,
    cases: Vec<CaseSummary>,
    (across, compared): (Vec<AcrossResult>, Vec<ComparedResult>),
    (started_at, ended_at): (&str, &str),
) -> PathBuf {
    let worst = cases.iter().max_by_key(|case| case.verdict).unwrap();
    let result = RunResult {
        schema_version: SCHEMA_VERSION,
        run_id: run.id().into(),
        name: name.into(),
        started_at: started_at.into(),
        ended_at: ended_at.into(),
        verdict: worst.verdict,
        sentence: worst.sentence.clone(),
        reasons: Vec::new(),
        compared,
        comparisons: Vec::new(),
        warnings: Vec::new(),
        parent: None,
        shard: None,
        merged: Vec::new(),
        versions: BTreeMap::from([("mallard".to_owned(), "0.1.0".to_owned())]),
        command_line: ["mallard", "run", "scenarios/steady.yaml", "--set", "rate=5000/s"]
            .map(str::to_owned)
            .to_vec(),
        across,
        time: TimeSpent::default(),
        cases,
    };
    run.finish(&result).unwrap();
    run.path().to_owned()
}

pub fn reason(code: &str, text: &str, remedy: &str) -> Reason {
    Reason { code: code.into(), text: text.into(), remedy: remedy.into() }
}

pub const SCENARIO: &str = "name: steady\ndescription: Baseline at a constant rate.\ntopics:\n  health-data-raw: {partitions: 6, replication: 3}\nload:\n  - warm-up: {rate: 20000/s, for: 3s}\n  - hold: {rate: 20000/s, for: 15s}\n  - drain: {within: 1m}\n";
pub const CLUSTER: &str = "kafka: {bootstrap: \"127.0.0.1:9092\", client: {sasl.password: ${KAFKA_PASSWORD}}}\nhosts:\n  - local: {agents: 2}\n";
