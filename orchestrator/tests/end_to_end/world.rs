//! What the tests of this folder share: scenarios, cluster files, and laws that every result keeps.

use serde_json::Value;
use std::time::Duration;
pub(crate) use testkit::mallard::codes;
use testkit::{
    kafka::KafkaCluster,
    mallard::{Run, Sandbox},
    process::Running,
    wait,
};

/// Long enough for anything these tests run, short enough for a person to wait.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A scenario of one topic, a producer and a consumer, at a constant rate.
pub(crate) fn steady(rate: &str, hold: &str, more: &str) -> String {
    format!(
        "name: steady\n\
         topics:\n  orders: {{partitions: 6, replication: 1}}\n\
         load:\n  - warm-up: {{rate: {rate}, for: 1s}}\n  - hold: {{rate: {rate}, for: {hold}}}\n  \
         - drain: {{within: 15s}}\n\
         producers:\n  shop: {{topic: orders, instances: 2, payload: {{size: 200B}}}}\n\
         consumers:\n  billing: {{topics: [orders], group: billing, instances: 2}}\n\
         {more}\n"
    )
}

/// A cluster file with an embedded broker, and agents that end soon when nobody asks for them.
pub(crate) const EMBEDDED: &str = "kafka: embedded\nhosts: [{local: {agents: 2}}]\nlease: 3s\n";

/// A cluster file for a real cluster, with agents of this machine.
pub(crate) fn cluster_file(kafka: &KafkaCluster, agents: u32, more: &str) -> String {
    let bootstrap = kafka.bootstrap();
    format!(
        "kafka: {{bootstrap: \"{bootstrap}\"}}\nhosts:\n  - local: {{agents: {agents}}}\n{more}\n"
    )
}

/// A sandbox with `s.yaml` and `c.yaml`.
pub(crate) fn sandbox(scenario: &str, cluster: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.file("s.yaml", scenario).file("c.yaml", cluster);
    sandbox
}

/// Starts a run of `s.yaml` on `c.yaml`, and waits until so many intervals of its load, a second each, have been
/// measured.
#[track_caller]
pub(crate) fn under_load(sandbox: &Sandbox, intervals: usize) -> (Running, Run) {
    let mut running = sandbox.spawn(RUN);
    running.wait_for_output("load starts", PATIENCE);
    let run = sandbox.latest_run();
    wait_for_intervals(&run, intervals);
    (running, run)
}

/// Waits until so many intervals of a run's load have been measured.
#[track_caller]
pub(crate) fn wait_for_intervals(run: &Run, intervals: usize) {
    wait::until("intervals in the journal", PATIENCE, || {
        (intervals_of(run) >= intervals).then_some(())
    });
}

/// How many intervals of a run's load have been measured.
pub(crate) fn intervals_of(run: &Run) -> usize {
    let journal = std::fs::read_to_string(run.path("events.jsonl")).unwrap_or_default();
    journal.matches("\"event\":\"interval\"").count()
}

pub(crate) const RUN: [&str; 4] = ["run", "s.yaml", "--cluster", "c.yaml"];

/// A number in a result, by its path (`accounts/acked`).
#[track_caller]
pub(crate) fn count(result: &Value, path: &str) -> u64 {
    let value = result.pointer(&format!("/{path}")).and_then(Value::as_u64);
    value.unwrap_or_else(|| panic!("there is no count at {path} in {result:#}"))
}

/// A metric's value.
#[track_caller]
pub(crate) fn metric(result: &Value, name: &str) -> f64 {
    let value = result["metrics"][name]["value"].as_f64();
    value.unwrap_or_else(|| panic!("{name} has no value: {:#}", result["metrics"][name]))
}

/// Accounts add up, however a case ended.
#[track_caller]
pub(crate) fn assert_accounts_add_up(result: &Value) {
    for accounts in ["accounts", "accounts_whole"] {
        let of = |name: &str| count(result, &format!("{accounts}/{name}"));
        assert_eq!(of("scheduled"), of("sent") + of("not_sent"), "{accounts}: {result:#}");
        assert_eq!(of("sent"), of("acked") + of("failed") + of("outstanding"), "{accounts}");
    }
}

/// So many records were due, and every one of them was sent, acknowledged and received.
#[track_caller]
pub(crate) fn assert_nothing_is_lost(result: &Value, scheduled: u64) {
    assert_accounts_add_up(result);
    for account in ["scheduled", "sent", "acked", "received"] {
        assert_eq!(count(result, &format!("accounts_whole/{account}")), scheduled, "{account}");
    }
}
