//! What a load needs before it starts, on Apache Kafka: nothing is written to find out, and groups start as
//! their assignors deal them out.

use crate::world::{RUN, assert_accounts_add_up, cluster_file, count, metric, sandbox};
use serde_json::Value;
use std::collections::BTreeSet;
use testkit::{
    kafka::{self, Isolation, KafkaCluster, PerfRun},
    mallard::Sandbox,
};

/// A load of five seconds at 100/s from a producer `writer` to the topic, read by two members.
fn scenario(topic: &str, more: &str) -> String {
    format!(
        "name: ready\n\
         topics:\n  {topic}\n\
         load:\n  - hold: {{rate: 100/s, for: 5s}}\n  - drain: {{within: 15s}}\n\
         {more}\n\
         expect: [records.lost == 0]\n"
    )
}

/// The case's result, after a run that went well and whose accounts add up.
#[track_caller]
fn result_of(sandbox: &Sandbox, more: &[&str]) -> Value {
    let outcome = sandbox.mallard([&RUN[..], more].concat());
    let run = sandbox.latest_run();
    run.assert_went_well(&outcome);
    let result = run.only_result();
    assert_accounts_add_up(&result);
    result
}

fn stored(kafka: &KafkaCluster, topic: &str) -> u64 {
    kafka.end_offsets(topic).values().sum::<i64>().unsigned_abs()
}

#[test]
fn a_compacted_topic_takes_the_load_and_nothing_else() {
    testkit::require!(kafka);
    let kafka = kafka::shared(3);
    let scenario = scenario(
        "state: {partitions: 3, replication: 1, config: {cleanup.policy: compact}}",
        "producers: {writer: {topic: state, payload: {size: 200B}, key: {uniform: 100}}}\n\
         consumers: {reader: {topics: [state], instances: 2}}",
    );
    let sandbox = sandbox(&scenario, &cluster_file(kafka, 2, ""));
    let result = result_of(&sandbox, &["--keep"]);
    assert_eq!(count(&result, "accounts_whole/acked"), 500);
    assert_eq!(count(&result, "accounts_whole/received"), 500);
    let id = sandbox.latest_run().id();
    let topic =
        kafka.list_topics().into_iter().find(|name| name.contains(&id)).expect("it is kept");
    assert_eq!(stored(kafka, &topic), 500);
    kafka.delete_topic(&topic);
}

#[test]
fn a_users_topic_grows_by_what_the_accounts_say() {
    testkit::require!(kafka);
    let kafka = kafka::shared(3);
    kafka.create_topic("ready-raw", 3, 1, &[]);
    let before = PerfRun {
        topic: "ready-raw",
        records: 70,
        record_bytes: 100,
        rate_per_s: None,
        client: &[],
    };
    assert_eq!(kafka.producer_perf(before).records, 70);
    let scenario = scenario(
        "ready-raw: {existing: true, partitions: 3}",
        "producers: {writer: {topic: ready-raw, instances: 2, payload: {size: 200B}, key: {uniform: 100}}}\n\
         consumers:\n  now: {topics: [ready-raw], group: ready-now, instances: 2}\n  \
         all: {topics: [ready-raw], assign: all}\n  \
         late: {topics: [ready-raw], group: ready-late, from: latest}",
    );
    let sandbox = sandbox(&scenario, &cluster_file(kafka, 2, ""));
    let result = result_of(&sandbox, &[]);
    assert_eq!(count(&result, "accounts_whole/acked"), 500);
    assert_eq!(stored(kafka, "ready-raw"), 70 + 500);
    let content = kafka.read_topic("ready-raw", Isolation::ReadUncommitted, 1_000);
    let keyless = content.records.iter().filter(|record| record.key.is_none()).count();
    assert_eq!((content.total(), keyless), (570, 70), "the records of before have no keys");
    kafka.delete_topic("ready-raw");
}

#[test]
fn four_instances_send_every_line_of_a_file_once() {
    testkit::require!(kafka);
    let kafka = kafka::shared(3);
    kafka.create_topic("ready-lines", 4, 1, &[]);
    let scenario = "name: recorded\n\
        topics: {ready-lines: {existing: true}}\n\
        load: [{hold: {rate: 1000/s, for: 4s}}]\n\
        producers: {shop: {topic: ready-lines, instances: 4, payload: {lines: n.jsonl}}}\n";
    let sandbox = sandbox(scenario, &cluster_file(kafka, 2, ""));
    let lines: Vec<String> = (1..=4_000).map(|n| format!("{{\"n\": {n}}}")).collect();
    sandbox.file("n.jsonl", lines.join("\n"));
    let result = result_of(&sandbox, &[]);
    assert_eq!(count(&result, "accounts_whole/acked"), 4_000);
    let content = kafka.read_topic("ready-lines", Isolation::ReadUncommitted, 5_000);
    let values = content.records.into_iter().filter_map(|record| record.value);
    let texts: Vec<String> = values.map(|value| String::from_utf8(value).expect("UTF-8")).collect();
    assert_eq!(texts.len(), 4_000);
    let distinct: BTreeSet<_> = texts.into_iter().collect();
    assert_eq!(distinct, lines.into_iter().collect::<BTreeSet<_>>(), "each line once");
    kafka.delete_topic("ready-lines");
}

#[test]
fn groups_start_with_what_their_assignors_give_them() {
    testkit::require!(kafka);
    let kafka = kafka::shared(3);
    let scenario = scenario(
        "a: {partitions: 1, replication: 1}\n  b: {partitions: 1, replication: 1}",
        "producers:\n  to-a: {topic: a, payload: {size: 200B}}\n  to-b: {topic: b, payload: {size: 200B}}\n\
         consumers:\n  ranged: {topics: [a, b], instances: 2}\n  \
         turns: {topics: [a, b], instances: 2, client: {partition.assignment.strategy: roundrobin}}\n  \
         sticky: {topics: [a, b], instances: 2, client: {partition.assignment.strategy: cooperative-sticky}}\n  \
         new: {topics: [a, b], instances: 3, client: {group.protocol: consumer}}",
    );
    let sandbox = sandbox(&scenario, &cluster_file(kafka, 2, ""));
    let planned = sandbox.mallard(["plan", "s.yaml", "--cluster", "c.yaml"]);
    let told = format!("{planned}");
    assert!(told.contains("`range` deals out every topic on its own, so 1 of them"), "{told}");
    assert!(told.contains("3 instances in a group, and 2 partitions of 2 topics"), "{told}");
    let result = result_of(&sandbox, &[]);
    // Both producers share 100/s for 5 s, and each of four groups reads all of it.
    assert_eq!(count(&result, "accounts_whole/acked"), 500);
    assert_eq!(count(&result, "accounts_whole/received"), 4 * 500);
    // The load did not start into a rebalance.
    assert_eq!(metric(&result, "consume.rebalances"), 0.0);
}

#[test]
fn a_dead_broker_in_bootstrap_is_a_warning() {
    testkit::require!(kafka);
    let kafka = kafka::shared(3);
    let scenario = scenario(
        "orders: {partitions: 3, replication: 1}",
        "producers: {writer: {topic: orders, payload: {size: 200B}}}\n\
         consumers: {reader: {topics: [orders], instances: 2}}",
    );
    let cluster = cluster_file(kafka, 2, "").replace("bootstrap: \"", "bootstrap: \"127.0.0.1:1,");
    let sandbox = sandbox(&scenario, &cluster);
    let outcome = sandbox.mallard(RUN);
    let told = format!("{outcome}");
    assert!(told.contains("warning from local: it does not reach 127.0.0.1:1"), "{told}");
    let run = sandbox.latest_run();
    run.assert_went_well(&outcome);
    assert_eq!(count(&run.only_result(), "accounts_whole/acked"), 500);
}
