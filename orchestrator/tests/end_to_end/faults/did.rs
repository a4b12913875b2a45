//! What Mallard says that a fault did, held against the broker's own log: when it appended which records.

use super::injected::{Notes, cluster, watch};
use crate::world::{PATIENCE, assert_accounts_add_up, metric};
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Instant,
};
use testkit::{
    kafka::{Isolation, KafkaCluster, TopicContent},
    mallard::Sandbox,
};

/// Two partitions a broker and no replicas: what the killed one leads is away for as long as it is.
const SCENARIO: &str = "name: did\n\
    topics: {orders: {partitions: 6, replication: 1, config: {message.timestamp.type: LogAppendTime}}}\n\
    load: [warm-up: {rate: 300/s, for: 2s}, hold: {rate: 300/s, for: 76s}, drain: {within: 40s}]\n\
    producers: {shop: {topic: orders, instances: 2, payload: {size: 200B}}}\n\
    faults: [kill: {node: broker 2, at: 16s, for: 8s}]\n\
    expect:\n\
    - produce.unavailable.max of fault kill < 60s\n\
    - produce.unavailable.max outside faults < 60s\n\
    - produce.response.max outside faults < 60s\n\
    - produce.response.max of fault kill < 60s\n\
    - produce.client.retries of fault kill < 1000000\n\
    - fault.detected.max < 60s\n\
    - fault.shortfall of fault kill < 100000\n\
    - produce.response.max < 1s in every 5s\n";

/// Apache's description of the run's topic as the broker has it, and its records with the times of their appending.
fn log_of(kafka: &KafkaCluster) -> TopicContent {
    let topics = kafka.list_topics();
    let topic = topics.iter().find(|name| name.starts_with("orders")).expect("the run's topic");
    kafka.read_topic(topic, Isolation::ReadUncommitted, 100_000)
}

/// The longest time in which a partition was appended nothing, in seconds, that meets a stretch of wall time.
fn longest_gap_s(log: &TopicContent, from_ms: i64, to_ms: i64) -> f64 {
    let mut last: BTreeMap<i32, i64> = BTreeMap::new();
    let mut longest_ms = 0;
    let mut records: Vec<_> =
        log.records.iter().map(|of| (of.partition, of.timestamp_ms)).collect();
    records.sort_unstable();
    for (partition, at_ms) in records {
        let before_ms = last.insert(partition, at_ms).unwrap_or(at_ms);
        if before_ms < to_ms && from_ms < at_ms {
            longest_ms = longest_ms.max(at_ms - before_ms);
        }
    }
    f64::from(i32::try_from(longest_ms).expect("seconds")) / 1e3
}

#[track_caller]
fn within(what: &str, value: f64, low: f64, high: f64) {
    assert!((low..=high).contains(&value), "{what}: {value:.2} is not from {low:.2} to {high:.2}");
}

#[test]
fn what_a_fault_did_is_what_the_brokers_own_log_says() {
    testkit::require!(kafka);
    let kafka = KafkaCluster::start(3);
    let sandbox = Sandbox::new();
    let _notes = Notes(&sandbox);
    sandbox.file("s.yaml", SCENARIO).file("c.yaml", cluster(&kafka, &sandbox, "kill"));
    let mut running = sandbox.spawn(["run", "s.yaml", "--cluster", "c.yaml", "--keep"]);
    running.wait_for_output("load starts", 3 * PATIENCE);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| watch(&kafka, &sandbox, Instant::now(), &over));
        let _ = running.wait(4 * PATIENCE);
        over.store(true, Ordering::Relaxed);
    });
    let run = sandbox.latest_run();
    let result = run.only_result();
    assert_accounts_add_up(&result);
    let fault = &result["faults"][0];
    let at_s = |key: &str| fault[key].as_f64().unwrap_or_else(|| panic!("{key}: {fault:#}")) / 1e6;
    let (begun_s, undone_s) = (at_s("begun_us"), at_s("undone_us"));
    let text = result["load_started_at"].as_str().expect("a start");
    let started: jiff::Timestamp = text.parse().expect("a time");
    let started_ms = started.as_millisecond();
    #[expect(clippy::cast_possible_truncation, reason = "seconds of a test")]
    let wall_ms = |s: f64| started_ms + (s * 1e3) as i64;
    let log = log_of(&kafka);
    assert_eq!(log.total(), result["accounts_whole"]["acked"].as_u64().expect("acked"));

    // The longest gap in the log, and the partitions that had it.
    let value = |at: usize| {
        let expectation = &result["expectations"][at];
        expectation["value"].as_f64().unwrap_or_else(|| panic!("{expectation:#}"))
    };
    let gap_s = longest_gap_s(&log, wall_ms(begun_s), wall_ms(undone_s));
    assert!(gap_s > 8.0, "{gap_s}");
    within("unavailable", value(0) / 1e6, gap_s - 1.0, gap_s + 1.0);
    assert_eq!(metric(&result, "produce.unavailable.max"), value(0));
    let silent = fault["did"]["silent"].as_array().expect("partitions");
    assert!(!silent.is_empty() && silent.len() <= 2, "{fault:#}");
    let total_s = metric(&result, "produce.unavailable.total") / 1e6;
    within("in total", total_s, value(0) / 1e6, gap_s.mul_add(2.0, 1.0));

    // What was appended until the last interval that the fault has a part in, against what was due by then.
    let end_s = undone_s.ceil();
    let appended = log.records.iter().filter(|of| of.timestamp_ms < wall_ms(end_s)).count();
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    let short = 300.0f64.mul_add(end_s, -(appended as f64));
    within("shortfall", value(6), short - 150.0, short + 150.0);

    // Felt within the time that the log was silent; the time outside has none of it.
    within("felt after s", value(5) / 1e6, 0.0, gap_s + 2.0);
    assert!(value(3) > value(2), "of the fault {} µs, outside {} µs", value(3), value(2));
    let did = &fault["did"];
    assert!(did["late"].as_u64() > Some(100) && did["failed"] == 0, "{did:#}");

    // A broken expectation names the fault in its window.
    let sentence = result["expectations"][7]["sentence"].as_str().expect("a sentence");
    assert!(sentence.contains("while fault kill was there (kill of broker 2, "), "{sentence}");
    // On a machine that others keep busy too, no ten seconds may be as good as before: then nobody knows a recovery.
    let recovery = &result["metrics"]["fault.recovery.max"]["value"];
    println!("recovered after {recovery} µs");
    assert_eq!(recovery.as_f64(), did["recovered_after_us"].as_f64());
}
