//! What the tests of this folder share: a sandbox beside the engine, scenarios, and what a run is asked.

use serde_json::Value;
use std::time::Duration;
use testkit::{
    engine::{self, Engine},
    mallard::{Run, Sandbox},
};

/// Long enough for anything that is waited for here, short enough for a person to wait.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const RUN: [&str; 4] = ["run", "s.yaml", "--cluster", "c.yaml"];

/// A sandbox on the machine of the Docker engine, with `s.yaml` and `c.yaml`.
pub(crate) fn sandbox(scenario: &str, cluster: &str) -> (&'static Engine, Sandbox) {
    let engine = engine::docker();
    (engine, sandbox_on(engine, scenario, cluster))
}

/// The same on any engine's machine.
pub(crate) fn sandbox_on(engine: &Engine, scenario: &str, cluster: &str) -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.set("DOCKER_HOST", engine.address()).run_behind(engine.enter());
    sandbox.file("s.yaml", scenario).file("c.yaml", cluster);
    sandbox
}

/// A scenario of one topic, a producer and a consumer, two instances each, at a constant rate.
pub(crate) fn steady(hold: &str, replication: u32) -> String {
    format!(
        "name: steady\n\
         topics:\n  orders: {{partitions: 6, replication: {replication}}}\n\
         load:\n  - warm-up: {{rate: 200/s, for: 1s}}\n  - hold: {{rate: 200/s, for: {hold}}}\n  \
         - drain: {{within: 15s}}\n\
         producers:\n  shop: {{topic: orders, instances: 2, payload: {{size: 200B}}}}\n\
         consumers:\n  billing: {{topics: [orders], group: billing, instances: 2}}\n"
    )
}

/// Deadlines for a machine that tests share with brokers and builds.
pub(crate) const SLOW: &str = "deadlines: {connect: 60s, topics: 60s, ready: 60s, agent_silence: 20s, collect: 30s, teardown: 30s}\n";

/// Codes and texts of a result's reasons.
pub(crate) fn reasons(result: &Value) -> Vec<(String, String)> {
    let text = |reason: &Value, key: &str| reason[key].as_str().unwrap_or_default().to_owned();
    let all = result["reasons"].as_array().into_iter().flatten();
    all.map(|reason| (text(reason, "code"), text(reason, "text"))).collect()
}

/// A number of a result's accounts.
#[track_caller]
pub(crate) fn count(result: &Value, name: &str) -> u64 {
    let value = result["accounts_whole"][name].as_u64();
    value.unwrap_or_else(|| panic!("there is no {name} in {result:#}"))
}

/// Nothing of a run is left: no container, no network, no process.
#[track_caller]
pub(crate) fn assert_nothing_left(engine: &Engine, run: &Run) {
    assert_eq!(engine.labelled(&run.id()), Vec::<String>::new());
    run.wait_for_no_orphans(PATIENCE);
}
