//! The health suite in its short form, on the embedded broker.

use crate::world::{assert_accounts_add_up, count, metric};
use serde_json::Value;
use std::time::Duration;
use testkit::{
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
