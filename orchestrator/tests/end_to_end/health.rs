//! The health suite in its short form, on the embedded broker.

use crate::world::{RUN, assert_accounts_add_up, cluster_file, count, metric, sandbox};
use serde_json::Value;
use std::time::Duration;
use testkit::{
    kafka,
    mallard::{Run, Sandbox},
    paths,
};

/// Runs cases of the shipped suite, which must come to an end and be judged. The run lives as long as its sandbox.
fn run_suite(arguments: &[&str]) -> (Sandbox, Run) {
    let suite = paths::workspace().join("scenarios/health");
    let sandbox = Sandbox::new();
    let suite = suite.to_str().expect("a path").to_owned();
    let running = sandbox.spawn([&["run", &suite], arguments].concat());
    let outcome = running.wait(Duration::from_secs(180));
    let run = sandbox.latest_run();
    // On a busy machine the embedded broker may miss a target, or the agents their schedule.
    assert!(matches!(outcome.code(), Some(0 | 1 | 4)), "{outcome}");
    for case in run.cases() {
        let text = std::fs::read_to_string(case.join("result.json")).expect("a result");
        let result: Value = serde_json::from_str(&text).expect("JSON");
        assert_accounts_add_up(&result);
        assert_eq!(metric(&result, "records.lost"), 0.0, "{outcome}");
        assert!(metric(&result, "end_to_end.p95") > 0.0);
    }
    (sandbox, run)
}

#[test]
fn both_batches_send_as_many_payloads_as_they_say() {
    let (_sandbox, run) = run_suite(&["--only", "health.*-batch"]);
    let scheduled: Vec<_> = run
        .cases()
        .iter()
        .map(|case| {
            let text = std::fs::read_to_string(case.join("result.json")).expect("a result");
            let result: Value = serde_json::from_str(&text).expect("JSON");
            count(&result, "accounts/scheduled")
        })
        .collect();
    assert_eq!(scheduled.iter().sum::<u64>(), 6_000, "{scheduled:?}");
}

#[test]
fn the_load_scenarios_keep_their_shape_when_they_are_short() {
    let judged = "targets=[records.lost == 0, consume.recovery_time.max < 1m]";
    let set = ["rate=200/s", "hold=4s", "base=100/s", "peak=400/s", "calm=2s", "burst=3s", judged];
    let mut arguments = vec!["--only", "health.steady", "--only", "health.burst"];
    arguments.extend(["--only", "health.sustained"]);
    arguments.extend(set.iter().flat_map(|set| ["--set", *set]));
    let (_sandbox, run) = run_suite(&arguments);
    assert_eq!(run.cases().len(), 3);
}

/// The shipped burst in its short form, on a real Kafka; `change` rewrites the file first.
fn burst_on_kafka(
    set: &[&str],
    change: impl FnOnce(&Sandbox, String) -> String,
) -> (Sandbox, Value) {
    let kafka = kafka::shared(3);
    let file = paths::workspace().join("scenarios/health/burst.yaml");
    let text = std::fs::read_to_string(file).expect("the shipped file");
    let sandbox = sandbox("", &cluster_file(kafka, 2, ""));
    sandbox.file("s.yaml", change(&sandbox, text));
    let set = set.iter().flat_map(|set| ["--set", *set]);
    let outcome = sandbox.mallard(RUN.into_iter().chain(set));
    let run = sandbox.latest_run();
    run.assert_went_well(&outcome);
    let result = run.only_result();
    assert_accounts_add_up(&result);
    (sandbox, result)
}

#[test]
fn a_burst_is_measured_in_backpressure_queue_lag_and_recovery() {
    testkit::require!(kafka);
    let targets = "targets=[records.lost == 0, consume.recovery_time.max < 1m, \
                   consume.queue.max of phase hold-2 < 100000, \
                   consume.backpressure_share of consumer flink <= 1]";
    let set = ["base=200/s", "peak=800/s", "calm=2s", "burst=3s", targets];
    let (sandbox, result) = burst_on_kafka(&set, |_, text| text);
    for name in ["produce.backpressure_share", "consume.backpressure_share", "consume.queue.mean"] {
        assert!(metric(&result, name) >= 0.0);
    }
    assert_eq!(metric(&result, "pipeline.samples"), (200 * 4 + 800 * 3) as f64 * 5.0);
    assert!(!column(&sandbox, "queue").is_empty(), "intervals have a depth");
}

#[test]
fn a_consumer_that_cannot_take_a_burst_queues_and_holds_back() {
    testkit::require!(kafka);
    // 200 records a second, whatever the machine, and no more than 400 of them in the queue.
    let slow = |_: &Sandbox, text: String| {
        let process = text.lines().find(|line| line.contains("process:")).expect("a pipeline");
        let text = text.replace(process, "    work: 5ms").replace("    instances: 4\n", "");
        let dead_letters = "  health-data-dlq: {partitions: 3}\n";
        text.replace(dead_letters, "")
    };
    let set = ["base=50/s", "peak=1500/s", "calm=2s", "burst=2s", "targets=[records.lost == 0]"];
    let (sandbox, _result) = burst_on_kafka(&set, slow);
    // A busy broker may be late with the burst, so that it is felt in the drain: intervals have it all.
    let deepest = column(&sandbox, "queue").into_iter().max();
    assert!(deepest.is_some_and(|depth| depth > 200), "the deepest queue was {deepest:?}");
    assert!(column(&sandbox, "paused_us").iter().any(|paused_us| *paused_us > 0), "never paused");
}

/// A column of the newest run's series, in every interval that has a value.
fn column(sandbox: &Sandbox, name: &str) -> Vec<u64> {
    let path = sandbox.latest_run().cases()[0].join("series.csv");
    let series = std::fs::read_to_string(path).expect("a series");
    let mut rows = series.lines();
    let at = rows.next().expect("a head").split(',').position(|column| column == name);
    let at = at.unwrap_or_else(|| panic!("there is no column {name}"));
    rows.filter_map(|row| row.split(',').nth(at)?.parse().ok()).collect()
}
