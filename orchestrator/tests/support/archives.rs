//! The archives that tests and design work use, by name.

use super::synthetic::*;
use mallard::model::{
    outage::{Outage, Silence},
    result::{ErrorRow, ExpectationResult, SeriesRow, Verdict},
};
use mallard_protocol::histogram::Histogram;
use std::path::{Path, PathBuf};

/// Twenty seconds in which everything is well.
pub fn passing(results: &Path) -> PathBuf {
    let mut run = start_run(results, "20260314-140238-steady-0a11", "steady", &["steady"]);
    let mut dice = Dice::new(1);
    let phases = vec![
        phase("warm-up", "warm-up", 0..3),
        phase("hold", "hold", 3..18),
        phase("drain", "drain", 18..20),
    ];
    let mut case = Case::start(&run, "steady", 2, phases);
    simulate(&mut case, 20, 18, 0..0, &mut dice);
    let mut result = case.result(
        &run,
        vec![
            expect(
                "produce.acked.rate >= 17000/s",
                "produce.acked.rate",
                18_000.0,
                17_000.0,
                "per_s",
                false,
            ),
            expect(
                "produce.response.p99 < 250ms",
                "produce.response.p99",
                4_250.0,
                250_000.0,
                "us",
                true,
            ),
            expect("end_to_end.p95 < 10ms", "end_to_end.p95", 9_996.0, 10_000.0, "us", true),
            expect("produce.error_rate <= 1%", "produce.error_rate", 0.0, 0.01, "ratio", true),
            expect(
                "agent.memory.growth <= 600MiB",
                "agent.memory.growth",
                3_200_000.0,
                629_145_600.0,
                "bytes",
                true,
            ),
            expect("records.lost == 0", "records.lost", 0.0, 0.0, "records", true),
        ],
    );
    let (rows, series) = partitions(&case, "health-data-raw", 6, 20, &mut dice);
    result.partitions = rows;
    let sentence = "pass: 6 expectations held; produce.response.p99 was 4.25 ms, limit 250 ms";
    case_events(&mut run, "steady", &result, sentence);
    let totals = case.totals.clone();
    let latencies = mallard::archive::Latencies {
        service: &totals[0],
        response: &totals[1],
        end_to_end: &totals[2],
        slip: &totals[3],
    };
    case.folder.finish(&result, &series, Some(latencies)).unwrap();
    let summary = summary(&result, sentence, 26_000_000);
    finish_run(&mut run, "steady", vec![summary], "2026-03-14T14:02:38Z", "2026-03-14T14:03:04Z")
}

/// The same with a broker that stood still for five seconds.
pub fn failing(results: &Path) -> PathBuf {
    let mut run = start_run(results, "20260315-090000-steady-0b22", "steady", &["steady"]);
    let mut dice = Dice::new(2);
    let phases = vec![
        phase("warm-up", "warm-up", 0..3),
        phase("hold", "hold", 3..18),
        phase("drain", "drain", 18..22),
    ];
    let mut case = Case::start(&run, "steady", 2, phases);
    simulate(&mut case, 22, 18, 8_000..13_000, &mut dice);
    let mut result = case.result(&run, missed());
    result.reasons = vec![reason(
        "expectation_failed",
        "produce.response.p99 was 4.81 s in 14:02:54–14:02:55, limit 250 ms",
        "The client was refused room from 14:02:49 on: the broker did not acknowledge. Look at the broker's log for that time, and at its disk.",
    )];
    result.outages = vec![Outage {
        from_us: 8_000_000,
        to_us: 13_000_000,
        silences: vec![Silence {
            from_us: 8_000_000,
            to_us: 13_000_000,
            ended: true,
            partitions: vec!["health-data-raw/3".into()],
        }],
        late: 72_000,
        longest_wait_us: 4_990_000,
        retried: 180,
        recovered_after_us: Some(6_000_000),
        ..Outage::default()
    }];
    result.warnings = vec![reason(
        "few_samples_p9999",
        "the 99.99th percentile rests on 30 records",
        "Run for longer, or judge the 99.9th percentile.",
    )];
    let (rows, series) = partitions(&case, "health-data-raw", 6, 22, &mut dice);
    result.partitions = rows;
    let sentence = "fail: produce.response.p99 was 4.81 s in 14:02:54–14:02:55, limit 250 ms (and 1 more expectation)";
    case_events(&mut run, "steady", &result, sentence);
    let totals = case.totals.clone();
    let latencies = mallard::archive::Latencies {
        service: &totals[0],
        response: &totals[1],
        end_to_end: &totals[2],
        slip: &totals[3],
    };
    case.folder.finish(&result, &series, Some(latencies)).unwrap();
    let summary = summary(&result, sentence, 28_000_000);
    finish_run(&mut run, "steady", vec![summary], "2026-03-15T09:00:00Z", "2026-03-15T09:00:28Z")
}

/// What was expected of brokers that stood still, and by how much it was missed.
fn missed() -> Vec<ExpectationResult> {
    let mut p99 = expect(
        "produce.response.p99 < 250ms in every 1s",
        "produce.response.p99",
        4_812_000.0,
        250_000.0,
        "us",
        true,
    );
    p99.first_failing_window_us = Some((13_000_000, 14_000_000));
    p99.windows = Some((15, 5));
    p99.sentence = "produce.response.p99 was 4.81 s in 14:02:54–14:02:55, limit 250 ms; 5 of 15 windows failed".into();
    let mut lag = expect(
        "consume.lag.max of every partition < 1000",
        "consume.lag.max",
        1_210.0,
        1_000.0,
        "records",
        true,
    );
    lag.scope = Some("partition health-data-raw/3".into());
    vec![
        expect(
            "produce.acked.rate >= 17000/s",
            "produce.acked.rate",
            18_000.0,
            17_000.0,
            "per_s",
            false,
        ),
        p99,
        lag,
        expect("produce.error_rate <= 1%", "produce.error_rate", 0.0, 0.01, "ratio", true),
        expect("records.lost == 0", "records.lost", 0.0, 0.0, "records", true),
    ]
}

/// One interval of a long case: latencies from a distribution that swells over the day.
fn drawn(case: &mut Case, second: u64, load_until: u64, rate: u64, dice: &mut Dice) {
    let day = (second as f64 / 86_400.0 * std::f64::consts::TAU).sin();
    let spike = if second % 7_201 > 7_150 { 8.0 } else { 1.0 };
    let middle = 2_500.0 * (1.3 + 0.6 * day) * spike;
    let running = second < load_until;
    let due = if running { rate } else { 0 };
    let mut h: [Histogram; 4] = Default::default();
    let draws = 80;
    for _ in 0..if running { draws } else { 0 } {
        let service = dice.latency(middle);
        let n = due / draws;
        h[0].record_n(service, n);
        h[1].record_n(service + dice.next() % 150, n);
        h[2].record_n(service + dice.latency(1_500.0), n);
        h[3].record_n(dice.next() % 150, n);
    }
    let n = h[0].count();
    let fails = u64::from(running && second % 997 == 5) * 12;
    let (start_us, end_us) = (second * 1_000_000, (second + 1) * 1_000_000);
    let row = SeriesRow {
        start_us,
        end_us,
        agents: if (40_000..40_060).contains(&second) { case.agents as u32 - 1 } else { 0 },
        target_per_s: running.then_some(rate as f64),
        scheduled: n + fails,
        sent: n + fails,
        acked: n,
        failed: fails,
        received: n,
        acked_bytes: n * 1024,
        received_bytes: n * 1024,
        lag: Some(dice.latency(400.0 * spike)),
        ..SeriesRow::default()
    };
    let code = if second.is_multiple_of(2) { "_MSG_TIMED_OUT" } else { "NOT_ENOUGH_REPLICAS" };
    let error =
        ErrorRow { start_us, end_us, side: "produce".into(), code: code.into(), count: fails };
    case.append(row, &h, if fails > 0 { std::slice::from_ref(&error) } else { &[] }, dice);
}

/// A soak: so many hours, agents and partitions.
pub fn soak(results: &Path, hours: u64, agents: usize, count: i32) -> PathBuf {
    let id = format!("20260401-000000-soak-{count:04x}");
    let mut run = start_run(results, &id, "soak", &["soak"]);
    let mut dice = Dice::new(3);
    let end = hours * 3600;
    let phases = vec![
        phase("warm-up", "warm-up", 0..60),
        phase("hold", "hold", 60..end),
        phase("drain", "drain", end..end + 20),
    ];
    let mut case = Case::start(&run, "soak", agents, phases);
    for second in 0..end + 20 {
        // Ten minutes of which nothing was reported.
        if !(30_000..30_600).contains(&second) {
            drawn(&mut case, second, end, 5_120, &mut dice);
        }
    }
    let mut result = case.result(
        &run,
        vec![
            expect(
                "produce.acked.rate >= 4950/s",
                "produce.acked.rate",
                5_118.0,
                4_950.0,
                "per_s",
                false,
            ),
            expect(
                "agent.memory.slope <= 1MiB/h",
                "agent.memory.slope",
                410_000.0,
                1_048_576.0,
                "bytes_per_hour",
                true,
            ),
            expect(
                "produce.response.p99 < 250ms in every 1m",
                "produce.response.p99",
                61_200.0,
                250_000.0,
                "us",
                true,
            ),
        ],
    );
    result.verdict = Verdict::Invalid;
    result.reasons = vec![reason(
        "intervals_missing",
        "no interval was reported for 10 min, from 8:20:00 on",
        "An agent or its channel was gone. See its log under agents/, and the kernel's for a host that ran out of memory.",
    )];
    let (rows, series) = partitions(&case, "orders", count, 120, &mut dice);
    result.partitions = rows;
    let sentence = "invalid: no interval was reported for 10 min, from 8:20:00 on";
    case_events(&mut run, "soak", &result, sentence);
    let totals = case.totals.clone();
    let latencies = mallard::archive::Latencies {
        service: &totals[0],
        response: &totals[1],
        end_to_end: &totals[2],
        slip: &totals[3],
    };
    case.folder.finish(&result, &series, Some(latencies)).unwrap();
    let summary = summary(&result, sentence, end * 1_000_000 + 50_000_000);
    finish_run(&mut run, "soak", vec![summary], "2026-04-01T00:00:00Z", "2026-04-02T00:00:50Z")
}

/// A matrix of five cases, one of which failed and one of which broke.
pub fn matrix(results: &Path) -> PathBuf {
    let codecs = ["none", "gzip", "snappy", "lz4", "zstd"];
    let names: Vec<String> = codecs.iter().map(|codec| format!("codecs@codec={codec}")).collect();
    let mut run = start_run(
        results,
        "20260316-101500-codecs-0c33",
        "codecs",
        &names.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    let mut summaries = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let mut dice = Dice::new(10 + at as u64);
        let mut case = Case::start(
            &run,
            name,
            2,
            vec![phase("hold", "hold", 0..10), phase("drain", "drain", 10..12)],
        );
        simulate(&mut case, 12, 10, if at == 1 { 4_000..6_000 } else { 0..0 }, &mut dice);
        let value = if at == 1 { 1_900_000.0 } else { 5_000.0 };
        let mut result = case.result(
            &run,
            vec![expect(
                "produce.response.p99 < 250ms",
                "produce.response.p99",
                value,
                250_000.0,
                "us",
                true,
            )],
        );
        let mut sentence = if at == 1 {
            "fail: produce.response.p99 was 1.90 s, limit 250 ms".to_owned()
        } else {
            "pass: 1 expectation held".to_owned()
        };
        if at == 3 {
            result.verdict = Verdict::Error;
            result.agents[1].lost_at_us = Some(7_300_000);
            result.reasons = vec![reason(
                "agent_lost",
                "agent local-2 was lost 7.30 s after the load began: no word for 4 s",
                "Look at its log, and for the kernel's out-of-memory killer on its host.",
            )];
            sentence = "error: agent local-2 was lost 7.30 s after the load began".into();
        }
        let (rows, series) = partitions(&case, "orders", 12, 12, &mut dice);
        result.partitions = rows;
        result.scenario = "codecs".into();
        result.parameters.insert("codec".into(), codecs[at].into());
        result.interpretation = interpretation("The batches of gateway are small: 1.2 records");
        case_events(&mut run, name, &result, &sentence);
        let totals = case.totals.clone();
        let latencies = mallard::archive::Latencies {
            service: &totals[0],
            response: &totals[1],
            end_to_end: &totals[2],
            slip: &totals[3],
        };
        case.folder.finish(&result, &series, Some(latencies)).unwrap();
        summaries.push(summary(&result, &sentence, 14_000_000));
    }
    let text = "produce.acked.rate at every codec >= 90% of that at codec=none";
    let across = vec![against_none("gzip", 15_000.0, text), against_none("zstd", 17_500.0, text)];
    let times = ("2026-03-16T10:15:00Z", "2026-03-16T10:16:10Z");
    finish_set(&mut run, "codecs", summaries, (across, against_main()), times)
}

/// What an attacker would put into names and messages.
pub const HOSTILE: &str = "</script><script>window.pwned=1</script><img src=x onerror=\"window.pwned=2\">'\"&\u{2028}\u{202e}\u{0}ü";

/// Hostile text wherever text comes from outside.
pub fn hostile(results: &Path) -> PathBuf {
    let mut run = start_run(results, "20260317-000000-hostile-0d44", HOSTILE, &["hostile"]);
    let mut dice = Dice::new(4);
    let mut case = Case::start(&run, "hostile", 1, vec![phase(HOSTILE, "hold", 0..5)]);
    case.folder.inputs(HOSTILE, HOSTILE).unwrap();
    case.scenario = HOSTILE.into();
    simulate(&mut case, 5, 5, 0..0, &mut dice);
    let error = ErrorRow {
        start_us: 5_000_000,
        end_us: 6_000_000,
        side: "consume".into(),
        code: HOSTILE.into(),
        count: 3,
    };
    case.append(
        SeriesRow { start_us: 5_000_000, end_us: 6_000_000, ..SeriesRow::default() },
        &Default::default(),
        &[error],
        &mut dice,
    );
    let mut failed = expect(HOSTILE, HOSTILE, 2.0, 1.0, HOSTILE, true);
    failed.scope = Some(HOSTILE.into());
    failed.first_failing_window_us = Some((1_000_000, 2_000_000));
    let mut result = case.result(&run, vec![failed]);
    result.description = HOSTILE.into();
    result.parameters.insert(HOSTILE.into(), HOSTILE.into());
    result.reasons = vec![reason(HOSTILE, HOSTILE, HOSTILE)];
    result.interpretation = interpretation(HOSTILE);
    result.expectations[0].source = Some(HOSTILE.into());
    result.metrics.insert(HOSTILE.into(), metric(Some(1.0), HOSTILE));
    result.agents[0].name = HOSTILE.into();
    result.agents[0].lost_at_us = Some(2_000_000);
    result.agents[0].host.insert(HOSTILE.into(), HOSTILE.into());
    let (mut rows, mut series) = partitions(&case, "orders", 3, 5, &mut dice);
    rows.iter_mut().for_each(|row| row.topic = HOSTILE.into());
    series.iter_mut().for_each(|row| row.topic = HOSTILE.into());
    result.partitions = rows;
    case_events(&mut run, "hostile", &result, HOSTILE);
    event(
        &mut run,
        20_000,
        mallard::model::events::RunEvent::Note {
            level: mallard::model::events::Level::Warning,
            source: HOSTILE.into(),
            text: HOSTILE.into(),
        },
    );
    case.folder.finish(&result, &series, None).unwrap();
    let summary = summary(&result, HOSTILE, 5_000_000);
    finish_run(&mut run, HOSTILE, vec![summary], "2026-03-17T00:00:00Z", "2026-03-17T00:00:06Z")
}

/// A run that was cut off in the middle of its load.
pub fn unfinished(results: &Path) -> PathBuf {
    let mut run = start_run(results, "20260318-120000-steady-0e55", "steady", &["steady"]);
    let mut dice = Dice::new(5);
    let mut case = Case::start(
        &run,
        "steady",
        2,
        vec![phase("warm-up", "warm-up", 0..3), phase("hold", "hold", 3..18)],
    );
    simulate(&mut case, 9, 18, 0..0, &mut dice);
    event(
        &mut run,
        12_000,
        mallard::model::events::RunEvent::AgentLost {
            agent: "local-2".into(),
            cause: "no word for 4 s".into(),
            at_us: Some(8_000_000),
        },
    );
    run.path().to_owned()
}
