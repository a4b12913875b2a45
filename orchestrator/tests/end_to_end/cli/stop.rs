//! Ending a run early: in order, with a verdict on what was measured, or broken off.

use crate::world::{
    EMBEDDED, PATIENCE, assert_accounts_add_up, count, metric, sandbox, steady, under_load,
};
use serde_json::Value;
use testkit::{
    mallard::Sandbox,
    process::{Running, Signal},
};

/// A soak that no test waits for; its windows are short enough to be complete by the time of the stop.
fn soak(more: &str) -> Sandbox {
    let scenario = steady("200/s", "10m", more);
    sandbox(&scenario.replace("billing, instances: 2", "billing, instances: 1"), EMBEDDED)
}

/// A run whose load has been measured for some seconds.
fn measured(sandbox: &Sandbox) -> Running {
    under_load(sandbox, 4).0
}

fn warnings(result: &Value) -> Vec<&str> {
    let warnings = result["warnings"].as_array().into_iter().flatten();
    warnings.filter_map(|warning| warning["code"].as_str()).collect()
}

/// The verdict is on the load until then: nothing of it says that the rest is missing.
fn assert_judged_by_what_was_measured(result: &Value, code: Option<i32>) {
    // A busy machine may spoil the measurement; it never makes it an interruption.
    let verdict = result["verdict"].as_str().unwrap_or_default();
    let expected = match verdict {
        "pass" => 0,
        "invalid" => 4,
        other => panic!("{other}: {:#}", result["reasons"]),
    };
    assert_eq!(code, Some(expected), "{:#}", result["reasons"]);
    assert!(warnings(result).contains(&"stopped_early"), "{:#}", result["warnings"]);
    let reasons = result["reasons"].to_string();
    for consequence in ["intervals_missing", "nothing_measured", "expectation_failed"] {
        assert!(!reasons.contains(consequence), "{reasons}");
    }
    assert_accounts_add_up(result);
    let (scheduled, acked) = (count(result, "accounts/scheduled"), count(result, "accounts/acked"));
    assert!(scheduled > 200 && acked == scheduled, "{acked} of {scheduled}");
    // Not diluted by the time in which consumers caught up.
    let rate = metric(result, "produce.acked.rate");
    assert!((150.0..250.0).contains(&rate), "{rate}");
}

#[test]
fn sigterm_ends_a_soak_with_a_verdict_on_what_was_measured() {
    let sandbox = soak("expect: [records.lost == 0, produce.acked.rate >= 20/s in every 1s]");
    let running = measured(&sandbox);
    running.signal(Signal::TERM);
    let outcome = running.wait(PATIENCE);
    let run = sandbox.latest_run();
    assert_judged_by_what_was_measured(&run.only_result(), outcome.code());
    assert!(outcome.stdout.contains("(stopped early)"), "{}", outcome.stdout);
    assert!(run.text("report.html").contains("stopped early: SIGTERM ended the load at"));
    run.wait_for_no_orphans(PATIENCE);
}

#[test]
fn mallard_stop_ends_a_run_waits_for_it_and_exits_with_its_verdict() {
    let sandbox = soak("expect: [records.lost == 0]");
    let running = measured(&sandbox);
    let stopped = sandbox.mallard(["stop", "latest"]);
    let outcome = running.wait(PATIENCE);
    let run = sandbox.latest_run();
    assert_eq!(stopped.code(), outcome.code(), "{}\n{}", stopped.stdout, stopped.stderr);
    assert_judged_by_what_was_measured(&run.only_result(), stopped.code());
    for words in ["ends the load, judges what was measured", "(stopped early)", "report: "] {
        assert!(stopped.stdout.contains(words), "no {words} in {}", stopped.stdout);
    }
    assert!(run.path("run.json").is_file(), "it waits until results are written");

    let again = sandbox.mallard(["stop", "latest"]);
    assert_eq!(again.code(), Some(2));
    assert!(again.stderr.contains("it is over; its report is"), "{}", again.stderr);
    let unknown = sandbox.mallard(["stop", "nowhere"]);
    assert_eq!(unknown.code(), Some(2), "{}", unknown.stderr);
}

#[test]
fn a_run_that_no_controller_runs_cannot_be_stopped_and_is_told_what_can_be_done() {
    let sandbox = soak("");
    let running = measured(&sandbox);
    running.signal(Signal::KILL);
    let _ = running.wait(PATIENCE);
    let stopped = sandbox.mallard(["stop", "latest"]);
    assert_eq!(stopped.code(), Some(2), "{}", stopped.stdout);
    assert!(stopped.stderr.contains("no controller runs it"), "{}", stopped.stderr);
    assert!(stopped.stderr.contains("mallard resume"), "{}", stopped.stderr);
    sandbox.latest_run().wait_for_no_orphans(PATIENCE);
}

#[test]
fn an_expectation_that_was_not_reached_makes_an_early_stop_an_interruption() {
    let sandbox = soak("expect: [records.lost == 0, produce.acked.rate >= 100/s in the last 1m]");
    let running = measured(&sandbox);
    running.signal(Signal::TERM);
    let outcome = running.wait(PATIENCE);
    sandbox.latest_run().assert_ended(&outcome, 130);
    let result = sandbox.latest_run().only_result();
    assert_eq!(result["expectations"][1]["not_reached"], true, "{:#}", result["expectations"]);
    assert!(outcome.stdout.contains("not reached"), "{}", outcome.stdout);
}

#[test]
fn cases_that_were_not_started_keep_a_stopped_run_from_passing() {
    let scenario =
        steady("200/s", "10m", "").replace("name: steady", "name: steady\nmatrix: {x: [1, 2]}");
    let sandbox = sandbox(&scenario, EMBEDDED);
    let running = measured(&sandbox);
    running.signal(Signal::TERM);
    let outcome = running.wait(PATIENCE);
    outcome.assert_code(130);
    let run = sandbox.latest_run().text("run.json");
    assert!(run.contains("1 case was not started"), "{run}");
}
