//! Faults of a scenario, on brokers in containers: what is said of them is held against what the engine says.

use crate::world::{PATIENCE, SLOW, assert_nothing_left, sandbox};
use serde_json::Value;
use testkit::{engine::KAFKA, wait};

/// Pauses the only broker and kills it, with time enough to start again.
const FAULTS: &str = "faults:\n\
    \x20 - pause: {node: leader of orders/3, at: 4s, for: 5s}\n\
    \x20 - kill: {node: any broker, at: 14s, for: 6s}\n";

#[test]
fn a_broker_in_a_container_is_paused_and_killed_and_serves_clients_again() {
    testkit::require!(docker, kafka);
    let cluster = format!(
        "kafka: {{container: {{image: '{KAFKA}'}}}}\nhosts:\n  - local: {{}}\n{}",
        SLOW.replace("teardown: 30s", "teardown: 30s, undo: 40s")
    );
    let scenario = format!(
        "name: harmed\ntopics:\n  orders: {{partitions: 6, replication: 1}}\n\
         load:\n  - hold: {{rate: 50/s, for: 80s}}\n  - drain: {{within: 30s}}\n\
         producers:\n  shop: {{topic: orders, payload: {{size: 200B}}}}\n\
         consumers:\n  billing: {{topics: [orders], group: billing}}\n{FAULTS}"
    );
    let (engine, sandbox) = sandbox(&scenario, &cluster);
    let mut running = sandbox.spawn(crate::world::RUN);
    running.wait_for_output("fault pause begun", 3 * PATIENCE);
    let run = sandbox.latest_run();
    let broker = format!("mallard-{}-broker-1", run.id());
    let state = || {
        let found = engine.docker(&["inspect", "--format", "{{.State.Status}}", &broker]);
        found.trim().to_owned()
    };
    assert_eq!(state(), "paused");
    wait::until("the broker to go on", PATIENCE, || (state() == "running").then_some(()));
    running.wait_for_output("fault kill effect", PATIENCE);
    assert_eq!(state(), "exited");
    wait::until("the broker to start", PATIENCE, || (state() == "running").then_some(()));
    let outcome = running.wait(4 * PATIENCE);
    let result = run.only_result();
    let faults = result["faults"].as_array().expect("faults");
    let text = |fault: &Value, key: &str| fault[key].as_str().unwrap_or_default().to_owned();
    for (fault, proof) in faults.iter().zip(["is silent", "refuses connections"]) {
        assert_eq!(fault["broker"], 1, "{fault:#}");
        assert_eq!(text(fault, "victim"), format!("container {broker}"));
        assert!(text(fault, "effect").contains(proof), "{fault:#}");
        assert!(text(fault, "undone").ends_with("answers"), "{fault:#}");
    }
    assert_eq!(faults.len(), 2);
    assert_eq!(result["metrics"]["records.lost"]["value"], 0.0, "{}", outcome.stdout);
    run.assert_went_well(&outcome);
    assert_nothing_left(engine, &run);
}

/// What a connection from one broker's container to another's inside port meets.
fn reaches(engine: &testkit::engine::Engine, from: &str, to: &str) -> bool {
    let script = format!("echo | busybox nc -w 2 {to} 9092");
    engine.try_docker(&["exec", from, "sh", "-c", &script]).code() == Some(0)
}

#[test]
fn two_brokers_in_containers_are_cut_apart_and_clients_reach_both() {
    testkit::require!(docker, kafka, nftables);
    let cluster = format!(
        "kafka: {{container: {{image: '{KAFKA}', brokers: 3, config: {{num.network.threads: 2}}}}}}\n\
         hosts:\n  - local: {{}}\n{}",
        SLOW.replace("teardown: 30s", "teardown: 30s, undo: 40s")
    );
    let scenario = "name: apart\ntopics:\n  orders: {partitions: 6, replication: 3}\n\
         load:\n  - hold: {rate: 50/s, for: 75s}\n  - drain: {within: 60s}\n\
         producers:\n  shop: {topic: orders, payload: {size: 200B}, client: {acks: all}}\n\
         consumers:\n  billing: {topics: [orders], group: billing}\n\
         faults: [cut: {between: [broker 1, broker 2], at: 5s, for: 25s}]\n";
    let (engine, sandbox) = sandbox(scenario, &cluster);
    let mut running = sandbox.spawn(crate::world::RUN);
    running.wait_for_output("fault cut effect", 4 * PATIENCE);
    let run = sandbox.latest_run();
    let container = |id: u32| format!("mallard-{}-broker-{id}", run.id());
    assert!(!reaches(engine, &container(1), "broker-2"), "they are cut apart");
    assert!(!reaches(engine, &container(2), "broker-1"), "in both directions");
    assert!(reaches(engine, &container(3), "broker-1"), "and from nobody else");
    assert!(reaches(engine, &container(2), "broker-3"), "and from nobody else");
    running.wait_for_output("fault cut undone", PATIENCE);
    assert!(reaches(engine, &container(1), "broker-2"), "they reach each other again");
    let outcome = running.wait(4 * PATIENCE);
    let result = run.only_result();
    let fault = &result["faults"][0];
    let text = |key: &str| fault[key].as_str().unwrap_or_default();
    assert!(text("effect").contains("to the victim, ") && fault["effect_us"].is_u64(), "{fault:#}");
    assert!(text("held_by").starts_with("the kernel: "), "{fault:#}");
    assert!(!text("held_by").contains("on the way out"), "{fault:#}");
    assert_eq!(result["metrics"]["records.lost"]["value"], 0.0, "{}", outcome.stdout);
    run.assert_went_well(&outcome);
    assert_nothing_left(engine, &run);
}
