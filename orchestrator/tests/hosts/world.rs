//! What the tests of this folder share.

use serde_json::Value;
use std::time::Duration;
use testkit::{
    lab::Lab,
    mallard::{Run, Sandbox},
};

/// How long processes that were told to end may take.
const SOON: Duration = Duration::from_secs(20);

/// Long enough for anything these tests wait for, short enough for a person to wait.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A scenario of one topic, three producers and three consumers: 200 records a second for a second and
/// then for as long as `hold` says.
pub(crate) fn steady(hold: &str, more: &str) -> String {
    format!(
        "name: steady\n\
         topics:\n  orders: {{partitions: 5, replication: 1}}\n\
         load:\n  - warm-up: {{rate: 200/s, for: 1s}}\n  - hold: {{rate: 200/s, for: {hold}}}\n  \
         - drain: {{within: 20s}}\n\
         producers:\n  shop: {{topic: orders, instances: 3, payload: {{size: 200B}}}}\n\
         consumers:\n  billing: {{topics: [orders], group: billing, instances: 3}}\n\
         expect: [records.lost == 0]\n{more}"
    )
}

pub(crate) const RUN: [&str; 4] = ["run", "s.yaml", "--cluster", "c.yaml"];

/// An address where no broker is: for tests whose run ends before one would be looked for.
pub(crate) const NO_KAFKA: &str = "127.0.0.1:1";

/// A sandbox with a scenario of four seconds and a cluster file whose hosts are those of the lab.
pub(crate) fn sandbox(lab: &Lab, bootstrap: &str, hosts_and_more: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let config = lab.ssh_config();
    let cluster = format!(
        "kafka: {{bootstrap: \"{bootstrap}\"}}\nssh_config: {}\nhosts:\n{hosts_and_more}\n",
        config.display()
    );
    sandbox.file("s.yaml", steady("3s", "")).file("c.yaml", cluster);
    sandbox
}

/// Events of a run of one kind, in order.
pub(crate) fn events(run: &Run, kind: &str) -> Vec<Value> {
    let text = run.text("events.jsonl");
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|event| event["what"].clone()).filter(|what| what["event"] == kind).collect()
}

/// For whoever wants figures (`-- --nocapture`): how long hosts took to be ready, and how far apart the
/// agents started.
pub(crate) fn print_figures(what: &str, run: &Run) {
    let ready = events(run, "host_ready");
    let slowest_us = ready.iter().filter_map(|host| host["took_us"].as_u64()).max();
    let bytes: u64 = ready.iter().filter_map(|host| host["copied_bytes"].as_u64()).sum();
    let spread_us = events(run, "load_started").first().and_then(|it| it["spread_us"].as_u64());
    println!(
        "{what}: {} hosts ready after {} µs, {bytes} bytes sent, start spread {} µs",
        ready.len(),
        slowest_us.unwrap_or(0),
        spread_us.unwrap_or(0)
    );
}

/// A number of a result's accounts.
#[track_caller]
pub(crate) fn account(result: &Value, name: &str) -> u64 {
    result["accounts_whole"][name].as_u64().unwrap_or_else(|| panic!("{name}: {result:#}"))
}

/// Accounts add up, however a case ended.
#[track_caller]
pub(crate) fn assert_balanced(result: &Value) {
    let of = |name| account(result, name);
    assert!(of("acked") > 0, "{result:#}");
    assert_eq!(of("scheduled"), of("sent") + of("not_sent"), "{result:#}");
    assert_eq!(of("sent"), of("acked") + of("failed") + of("outstanding"), "{result:#}");
}

/// So many records were due, and every one of them was sent, acknowledged and received.
#[track_caller]
pub(crate) fn assert_complete(result: &Value, scheduled: u64) {
    assert_balanced(result);
    for name in ["scheduled", "acked", "received"] {
        assert_eq!(account(result, name), scheduled, "{name}: {result:#}");
    }
}

/// Nothing of a run is left on a host but the agent's program, and nothing of ssh on this machine.
#[track_caller]
pub(crate) fn assert_nothing_left(lab: &Lab, sandbox: &Sandbox) {
    for host in lab.hosts() {
        let left = host.run(
            "ls ~/.cache/mallard/runs 2>/dev/null; grep -l '[m]allard-agent' /proc/[0-9]*/cmdline",
        );
        assert_eq!(left.stdout, "", "{}: {left}", host.name());
    }
    let files = sandbox.files_below("tmp");
    assert!(files.is_empty(), "{files:?}");
    let folder = sandbox.temporary().display().to_string();
    testkit::wait::until("the end of ssh's masters", SOON, || {
        testkit::process::with_command_line(&folder).is_empty().then_some(())
    });
}
