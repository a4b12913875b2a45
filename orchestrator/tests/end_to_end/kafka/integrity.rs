//! Records followed by their own numbers, on Apache Kafka: what is written behind the producers' back is found, named and
//! counted to the record, and nothing else is.

use super::loss::{
    EXPIRING, HINDERED, LONG, REPLICATED, Row, TRUNCATED, UNCLEAN, WAYS, cells, created,
    delete_topics, sum, take, truncated,
};
use crate::world::{
    EMBEDDED, PATIENCE, RUN, assert_accounts_add_up, cluster_file, codes, intervals_of, metric,
    sandbox, wait_for_intervals,
};
use serde_json::Value;
use std::{collections::BTreeSet, time::Duration};
use testkit::{
    kafka::{self, Isolation, Record},
    wait,
};

const ANOMALIES: [&str; 7] = [
    "records.lost",
    "records.not_read",
    "records.duplicated",
    "records.redelivered",
    "records.reordered",
    "records.corrupt",
    "records.misplaced",
];

fn scenario(guarantee: &str, hold: &str) -> String {
    format!(
        "name: followed\n\
         integrity: {guarantee}\n\
         topics: {{orders: {{partitions: 3, replication: 1}}}}\n\
         load: [{{hold: {{rate: 300/s, for: {hold}}}}}, {{drain: {{within: 20s}}}}]\n\
         producers:\n  \
         shop: {{topic: orders, instances: 2, payload: {{size: 200B}}}}\n  \
         till: {{topic: orders, payload: {{template: '{{\"n\": {{{{ sequence }}}}}}'}}, key: {{uniform: 50}}}}\n\
         consumers: {{billing: {{topics: [orders], group: billing, instances: 2}}}}\n"
    )
}

fn found(result: &Value, kind: &str) -> usize {
    let evidence = result["evidence"].as_array().map_or(&[][..], Vec::as_slice);
    evidence.iter().filter(|of| of["anomaly"] == kind).count()
}

#[test]
fn a_sound_broker_keeps_the_strictest_guarantee() {
    let sandbox = sandbox(&scenario("exactly-once", "3s"), EMBEDDED);
    let outcome = sandbox.mallard(RUN);
    let run = sandbox.latest_run();
    run.assert_went_well(&outcome);
    let result = run.only_result();
    assert_accounts_add_up(&result);
    for name in ANOMALIES {
        assert_eq!(metric(&result, name), 0.0, "{name}");
    }
    assert!(result["evidence"].is_null(), "{result:#}");
    // The guarantee stands among what was judged, at its line.
    let judged = result["expectations"].as_array().expect("expectations");
    assert!(judged.iter().any(|e| e["metric"] == "records.duplicated" && e["line"] == 2));
}

#[test]
fn what_is_written_behind_the_producers_back_is_named_and_counted_to_the_record() {
    testkit::require!(kafka);
    let kafka = kafka::shared(3);
    let sandbox = sandbox(&scenario("exactly-once", "40s"), &cluster_file(kafka, 2, ""));
    let mut running = sandbox.spawn(RUN);
    running.wait_for_output("load starts", PATIENCE);
    let id = sandbox.latest_run().id();
    let topic = wait::until("the topic", PATIENCE, || {
        kafka.list_topics().into_iter().find(|name| name.contains(&id))
    });
    kafka.meddle(&topic, 1, [17, 5, 3]);
    let outcome = running.wait(PATIENCE);
    // A busy machine makes it invalid on top of it; what is counted is the same.
    let run = sandbox.latest_run();
    run.assert_ended(&outcome, 1);
    let result = run.only_result();
    let value = |name: &str| metric(&result, name);
    // A copy in another partition is a second copy as well.
    assert_eq!(value("records.duplicated"), 20.0, "{:#}", result["evidence"]);
    assert_eq!(value("records.corrupt"), 5.0);
    assert_eq!(value("records.misplaced"), 3.0);
    for name in ["records.lost", "records.not_read", "records.redelivered", "records.reordered"] {
        assert_eq!(value(name), 0.0, "{name}");
    }
    assert_eq!(found(&result, "duplicated"), 17, "{:#}", result["evidence"]);
    assert_eq!((found(&result, "corrupt"), found(&result, "misplaced")), (5, 3));
    assert_eq!((found(&result, "missing"), found(&result, "reordered")), (0, 0));
    let page = sandbox.latest_run().text("report.html");
    assert!(page.contains("Records with which something is wrong"));
}

/// Nobody's record has anything wrong with it.
#[track_caller]
fn assert_nothing_is_wrong(result: &Value) {
    for name in ANOMALIES {
        assert_eq!(metric(result, name), 0.0, "{name}: {:#}", result["evidence"]);
    }
    assert!(result["evidence"].is_null(), "{:#}", result["evidence"]);
}

#[test]
fn brokers_that_stop_and_die_break_no_guarantee_of_three_replicas() {
    testkit::require!(kafka);
    let kafka = take(&HINDERED);
    let row = Row { ways: &WAYS[..3], integrity: "exactly-once", ..REPLICATED };
    let row = Row { load: "[{hold: {rate: 900/s, for: 25s}}, {drain: {within: 40s}}]", ..row };
    let (sandbox, running) = row.start(&kafka);
    let run = sandbox.latest_run();
    wait_for_intervals(&run, 3);
    kafka.stop_broker(2);
    // The standstill itself, not a wait for anything.
    std::thread::sleep(Duration::from_secs(5));
    kafka.cont_broker(2);
    wait_for_intervals(&run, intervals_of(&run) + 3);
    kafka.kill_broker(3);
    let outcome = running.wait(LONG);
    kafka.restart_broker(3);
    let result = run.only_result();
    let cells = cells(&kafka, &row, &result, created(&kafka, &run));
    assert_accounts_add_up(&result);
    assert_nothing_is_wrong(&result);
    assert_eq!(sum(&cells, "received"), sum(&cells, "acked"), "{}", outcome.stdout);
}

#[test]
fn what_retention_removes_is_expired_by_number_and_nothing_is_wrong_with_it() {
    testkit::require!(kafka);
    let kafka = take(&HINDERED);
    let row = Row {
        ways: &WAYS[..3],
        integrity: "at-least-once",
        load: "[{hold: {rate: 900/s, for: 8s}}, {drain: {within: 3s}}]",
        ..EXPIRING
    };
    let (sandbox, running) = row.start(&kafka);
    let outcome = running.wait(LONG);
    let run = sandbox.latest_run();
    let result = run.only_result();
    let cells = cells(&kafka, &row, &result, created(&kafka, &run));
    assert_accounts_add_up(&result);
    assert!(sum(&cells, "expired") > 0, "{}", outcome.stdout);
    assert!(codes(&result).contains(&"records_expired"), "{}", outcome.stdout);
    for name in ["records.lost", "records.duplicated", "records.reordered", "records.corrupt"] {
        assert_eq!(metric(&result, name), 0.0, "{name}: {:#}", result["evidence"]);
    }
}

/// Producer instance and number, as they stand in a record's value.
fn identity(record: &Record) -> (Vec<u8>, u64) {
    let value = record.value.as_ref().expect("a value");
    let number: [u8; 8] = value[16..24].try_into().expect("8 bytes");
    (value[8..10].to_vec(), u64::from_be_bytes(number) >> 22)
}

#[test]
fn what_an_unclean_election_loses_is_lost_to_the_record() {
    testkit::require!(kafka);
    let kafka = take(&TRUNCATED);
    let row = Row { ways: &WAYS[..2], integrity: "at-least-once", ..UNCLEAN };
    let (sandbox, outcome) = truncated(&kafka, &row);
    let run = sandbox.latest_run();
    let result = run.only_result();
    let cells = cells(&kafka, &row, &result, str::to_owned);
    assert_accounts_add_up(&result);
    let mut in_log = 0;
    for (way, ..) in row.ways {
        let log = kafka.read_topic(way, Isolation::ReadUncommitted, 1_000_000);
        in_log += log.records.iter().map(identity).collect::<BTreeSet<_>>().len();
    }
    let acked = sum(&cells, "acked") as f64;
    let gone = acked + metric(&result, "records.unknown.written") - in_log as f64;
    assert!(gone > 0.0, "the election was to lose records: {}", outcome.stdout);
    assert_eq!(metric(&result, "records.lost"), gone, "{}", outcome.stdout);
    // The log was cut: what came at an offset that had come before was another record.
    for name in ["records.redelivered", "records.duplicated", "records.reordered"] {
        assert_eq!(metric(&result, name), 0.0, "{name}: {:#}", result["evidence"]);
    }
    // Brokers that start again may saturate the host, which makes the run invalid on top of it.
    run.assert_ended(&outcome, 1);
    delete_topics(&kafka);
}
