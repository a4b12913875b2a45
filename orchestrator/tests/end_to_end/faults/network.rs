//! Faults of the network on a real broker of this machine: what Mallard says of them is held against what a connection
//! of the test's own meets, and against the kernel's packet rules before and afterwards.

use super::injected::{Notes, cluster, notes_left, run};
use crate::world::{PATIENCE, assert_accounts_add_up, metric};
use serde_json::Value;
use std::{
    net::{SocketAddr, TcpStream},
    process::Command,
    time::Duration,
};
use testkit::{
    kafka::KafkaCluster,
    mallard::{Sandbox, codes},
    wait,
};

/// How long a connection may take that nobody hinders.
const CONNECTING: Duration = Duration::from_millis(500);

/// The packet rules of this machine that are not of a fault, without counters.
fn tables() -> Vec<String> {
    let output = Command::new("nft").args(["list", "tables"]).output().expect("nft");
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(str::to_owned).collect()
}

/// What the broker's packets go through while each fault is there.
fn scenario(faults: &str) -> String {
    format!(
        "name: wire\ntopics: {{orders: {{partitions: 3}}}}\n\
         load: [hold: {{rate: 500/s, for: 55s}}, drain: {{within: 30s}}]\n\
         producers: {{shop: {{topic: orders, payload: {{size: 1KB}}, client: {{acks: all}}}}}}\n\
         consumers: {{billing: {{topics: [orders], group: billing}}}}\n\
         faults:\n{faults}"
    )
}

#[track_caller]
fn fault<'a>(result: &'a Value, name: &str) -> &'a Value {
    let faults = result["faults"].as_array().expect("faults");
    faults.iter().find(|fault| fault["name"] == name).unwrap_or_else(|| panic!("{faults:#?}"))
}

#[test]
fn packets_are_cut_lost_and_limited_and_records_are_late_and_not_lost() {
    testkit::require!(kafka, nftables);
    let kafka = KafkaCluster::start(1);
    let sandbox = Sandbox::new();
    let _notes = Notes(&sandbox);
    let faults = "  - cut: {between: [agents, broker 1], at: 3s, for: 6s}\n\
                  \x20 - loss: {node: broker 1, share: 20%, at: 22s, for: 4s}\n\
                  \x20 - limit: {node: leader of orders/0, to: 200KB/s, at: 30s, for: 4s}\n";
    sandbox
        .file("s.yaml", scenario(faults))
        .file("c.yaml", cluster(&kafka, &sandbox, "cut, loss, limit"));
    let mut running = sandbox.spawn(["run", "s.yaml", "--cluster", "c.yaml"]);
    running.wait_for_output("fault cut effect", 2 * PATIENCE);
    let run = sandbox.latest_run();
    let broker: SocketAddr = kafka.bootstrap().parse().expect("an address");
    let connects = || TcpStream::connect_timeout(&broker, CONNECTING).is_ok();
    let mine = run.id().replace('-', "_");
    let own = || tables().into_iter().filter(|table| table.contains(&mine)).count();
    assert!(!connects(), "it is cut off");
    assert_eq!(own(), 1, "{:?}", tables());
    wait::until("the broker to be reached", PATIENCE, || connects().then_some(()));
    let outcome = running.wait(4 * PATIENCE);
    assert_eq!(own(), 0, "{:?}", tables());
    let result = run.only_result();
    assert_accounts_add_up(&result);
    for name in ["cut", "loss", "limit"] {
        let fault = fault(&result, name);
        assert_eq!(fault["broker"], 1, "{fault:#}");
        let text = |key: &str| fault[key].as_str().unwrap_or_default();
        assert!(fault["effect_us"].is_u64() && text("effect").contains("dropped"), "{fault:#}");
        assert!(text("held_by").starts_with("the kernel: the table mallard_"), "{fault:#}");
        assert!(text("undone").contains(" is gone, and ") && text("undone").ends_with("answers"));
    }
    assert_eq!(fault(&result, "cut")["node"], "the wire between broker 1 and agents");
    // What was due when the wire was cut waited for at least as long as it was.
    assert!(metric(&result, "produce.response.max") > 5e6, "{:#}", result["metrics"]);
    assert_eq!(metric(&result, "records.lost"), 0.0);
    let of_faults = codes(&result).into_iter().filter(|code| code.starts_with("fault"));
    assert_eq!(of_faults.collect::<Vec<_>>(), Vec::<&str>::new(), "{}", outcome.stdout);
    run.assert_went_well(&outcome);
    assert!(notes_left().iter().all(|note| !note.contains(&run.id())), "{:?}", notes_left());
}

/// A load that never comes near the rate is not limited by it.
#[test]
fn a_limit_that_the_load_never_reaches_is_no_pass() {
    testkit::require!(kafka, nftables);
    let kafka = testkit::kafka::shared(1);
    let sandbox = Sandbox::new();
    let _notes = Notes(&sandbox);
    let limit = "  - limit: {node: broker 1, to: 10GB/s, at: 2s, for: 3s}\n";
    sandbox
        .file("s.yaml", scenario(limit).replace("55s", "30s"))
        .file("c.yaml", cluster(kafka, &sandbox, "limit"));
    let outcome = sandbox.mallard(["run", "s.yaml", "--cluster", "c.yaml"]);
    let result = sandbox.latest_run().only_result();
    assert_eq!(outcome.code(), Some(4), "{}", outcome.stdout);
    assert!(codes(&result).contains(&"fault_without_effect"), "{:#}", result["reasons"]);
    let seen = fault(&result, "limit")["effect"].as_str().expect("what was seen");
    assert!(seen.starts_with("0 of "), "{seen}");
}

/// A shipped scenario in a short form, on three brokers of one address.
fn assert_stood(scenario: &str, allowed: &str) {
    let kafka = KafkaCluster::start(3);
    let sandbox = Sandbox::new();
    let _notes = Notes(&sandbox);
    sandbox.file("c.yaml", cluster(&kafka, &sandbox, allowed));
    let (outcome, seen) = run(&kafka, &sandbox, &format!("scenarios/faults/{scenario}.yaml"));
    assert!(seen.is_empty(), "no broker ends or stands still: {seen:?}");
    let run = sandbox.latest_run();
    let result = run.only_result();
    assert_accounts_add_up(&result);
    let of_faults = codes(&result).into_iter().filter(|code| code.starts_with("fault"));
    assert_eq!(of_faults.collect::<Vec<_>>(), Vec::<&str>::new(), "{}", outcome.stdout);
    assert_eq!(metric(&result, "records.lost"), 0.0, "{}", outcome.stdout);
    assert!(result["faults"][0]["undone_us"].is_u64(), "{:#}", result["faults"]);
    run.assert_went_well(&outcome);
}

#[test]
fn three_brokers_stand_that_a_leader_is_cut_off() {
    testkit::require!(kafka, nftables);
    assert_stood("leader-cut-off", "cut");
}

#[test]
fn three_brokers_stand_a_wire_that_loses_packets() {
    testkit::require!(kafka, nftables);
    assert_stood("wire-loses", "loss");
}
