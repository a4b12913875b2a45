//! Runs on Apache Kafka, with Kafka's own tools as witnesses.

use crate::world::{
    PATIENCE, RUN, assert_accounts_add_up, cluster_file, codes, count, metric, sandbox, steady,
};
use serde_json::{Value, json};
use testkit::{
    browser::{Page, View},
    java,
    kafka::{self, Isolation, PerfRun},
};

#[test]
fn counts_are_those_of_the_brokers_end_offsets_and_lag_that_of_kafkas_own_tool() {
    testkit::require!(kafka);
    let kafka = kafka::shared(3);
    let scenario = steady("1000/s", "5s", "expect: [records.lost == 0, consume.lag.end == 0]")
        .replace("replication: 1", "replication: 3, config: {min.insync.replicas: \"2\"}");
    let sandbox = sandbox(&scenario, &cluster_file(kafka, 2, ""));
    let outcome = sandbox.mallard([&RUN[..], &["--keep"]].concat());
    let run = sandbox.latest_run();
    run.assert_went_well(&outcome);
    let result = run.only_result();
    assert_accounts_add_up(&result);
    assert_eq!(count(&result, "accounts/scheduled"), 5_000);
    assert_eq!(count(&result, "accounts_whole/acked"), 6_000);

    let topic = kafka.list_topics().into_iter().find(|name| name.contains(&run.id()));
    let topic = topic.expect("--keep leaves the topic");
    let described = kafka.describe_topic(&topic).expect("the topic exists");
    assert_eq!((described.partitions.len(), described.replication), (6, 3));
    assert!(described.config.iter().any(|(k, v)| k == "min.insync.replicas" && v == "2"));
    let stored: i64 = kafka.end_offsets(&topic).values().sum();
    assert_eq!(stored, 6_000);
    assert_eq!(kafka.consume_count(&topic, Isolation::ReadUncommitted), 6_000);
    let group = kafka.list_groups().into_iter().find(|name| name.contains(&run.id()));
    let lag: i64 = kafka
        .group_lag(&group.expect("--keep leaves the group"))
        .iter()
        .filter_map(|p| p.lag)
        .sum();
    assert_eq!(lag, 0);
}

#[test]
fn topics_and_groups_are_gone_when_results_are_safe() {
    testkit::require!(kafka);
    let kafka = kafka::shared(3);
    let sandbox = sandbox(&steady("200/s", "2s", ""), &cluster_file(kafka, 2, ""));
    let outcome = sandbox.mallard(RUN);
    sandbox.latest_run().assert_went_well(&outcome);
    let run = sandbox.latest_run();
    let left = |names: Vec<String>| names.into_iter().filter(|n| n.contains(&run.id())).count();
    assert_eq!(left(kafka.list_topics()), 0);
    assert_eq!(left(kafka.list_groups()), 0);
    run.wait_for_no_orphans(PATIENCE);
}

#[test]
fn a_paced_rate_is_what_kafkas_own_perf_test_finds_at_that_throttle() {
    testkit::require!(kafka);
    testkit::alone!();
    let kafka = kafka::shared(3);
    // What new brokers hold back in their first second is acknowledged before what is measured.
    let scenario = steady("2000/s", "8s", "").replace("for: 1s", "for: 5s");
    let sandbox = sandbox(&scenario, &cluster_file(kafka, 2, ""));
    let outcome = sandbox.mallard(RUN);
    sandbox.latest_run().assert_went_well(&outcome);
    let ours = metric(&sandbox.latest_run().only_result(), "produce.acked.rate");
    kafka.create_topic("perf", 6, 1, &[]);
    let theirs = kafka.producer_perf(PerfRun {
        topic: "perf",
        records: 16_000,
        record_bytes: 200,
        rate_per_s: Some(2_000),
        client: &[],
    });
    kafka.delete_topic("perf");
    let ratio = ours / theirs.rate_per_s;
    assert!((0.97..1.03).contains(&ratio), "Mallard {ours}/s, perf-test {}/s", theirs.rate_per_s);
}

#[test]
fn an_existing_topic_is_neither_created_nor_changed_nor_deleted() {
    testkit::require!(kafka);
    let kafka = kafka::shared(3);
    kafka.create_topic("theirs", 4, 1, &[]);
    let scenario = steady("200/s", "2s", "expect: [records.lost == 0]")
        .replace("orders: {partitions: 6, replication: 1}", "theirs: {existing: true}")
        .replace("topic: orders", "topic: theirs")
        .replace("[orders]", "[theirs]");
    let sandbox = sandbox(&scenario, &cluster_file(kafka, 2, ""));
    let outcome = sandbox.mallard(RUN);
    sandbox.latest_run().assert_went_well(&outcome);
    let described = kafka.describe_topic("theirs").expect("it is still there");
    assert_eq!(described.partitions.len(), 4);
    assert_eq!(kafka.end_offsets("theirs").values().sum::<i64>(), 600);
    kafka.delete_topic("theirs");
}

#[test]
fn transactions_commit_and_abort_and_committed_readers_see_the_committed_ones() {
    testkit::require!(kafka);
    let kafka = kafka::shared(3);
    let scenario = steady("500/s", "4s", "expect: [records.lost == 0]")
        .replace("payload:", "transactions: {every: 50, abort: 20%}, payload:");
    let sandbox = sandbox(&scenario, &cluster_file(kafka, 2, ""));
    let outcome = sandbox.mallard([&RUN[..], &["--keep"]].concat());
    let run = sandbox.latest_run();
    run.assert_went_well(&outcome);
    let result = run.only_result();
    assert_accounts_add_up(&result);
    let (acked, received) =
        (count(&result, "accounts_whole/acked"), count(&result, "accounts_whole/received"));
    assert!(received < acked && received > 0, "{received} of {acked} received");
    let topic = kafka.list_topics().into_iter().find(|name| name.contains(&run.id()));
    let committed = kafka.consume_count(&topic.expect("kept"), Isolation::ReadCommitted);
    assert_eq!(committed, received, "what Kafka's own consumer reads");
}

#[test]
fn every_codec_works_and_the_page_of_all_opens_without_an_error() {
    testkit::require!(kafka, chromium);
    let kafka = kafka::shared(3);
    let scenario = steady("300/s", "1s", "")
        .replace("name: steady", "name: codecs\nmatrix: {codec: [none, gzip, snappy, lz4, zstd]}")
        .replace("payload:", "client: {compression.type: $codec}, payload:");
    let sandbox = sandbox(&scenario, &cluster_file(kafka, 2, ""));
    let outcome = sandbox.mallard(RUN);
    sandbox.latest_run().assert_went_well(&outcome);
    let run = sandbox.latest_run();
    assert_eq!(run.cases().len(), 5);
    for case in run.cases() {
        let text = std::fs::read_to_string(case.join("result.json")).expect("a result");
        let result: Value = serde_json::from_str(&text).expect("JSON");
        let (given, effect) =
            (&result["client_properties"]["shop"], &result["clients_in_effect"]["shop"]);
        assert_eq!(given["compression.type"], effect["compression.codec"], "{effect:#}");
        // What nobody has set is told as well.
        assert_eq!((&effect["acks"], &effect["linger.ms"]), (&json!("-1"), &json!("5")));
        assert_eq!(result["clients_in_effect"]["billing"]["enable.auto.offset.store"], "true");
    }
    let mut page = Page::open(&run.path("report.html"), View::DESKTOP);
    assert!(page.errors().is_empty(), "{:?}", page.errors());
    assert!(page.requests().is_empty(), "the page is one file: {:?}", page.requests());
    for case in ["none", "gzip", "snappy", "lz4", "zstd"] {
        assert!(page.dom().contains(&format!("codecs@codec={case}")), "{case}");
    }
}

#[test]
fn kafkas_and_hdrhistograms_own_readers_accept_what_is_archived() {
    testkit::require!(kafka, java);
    let kafka = kafka::shared(3);
    let sandbox = sandbox(&steady("500/s", "3s", ""), &cluster_file(kafka, 2, ""));
    let outcome = sandbox.mallard(RUN);
    sandbox.latest_run().assert_went_well(&outcome);
    let run = sandbox.latest_run();
    java::validate_junit(&run.path("junit.xml")).expect("the schema accepts it");
    let intervals = java::read_hlog(&run.cases()[0].join("latency.hlog"));
    let responses: u64 =
        intervals.iter().filter(|i| i.tag.as_deref() == Some("response")).map(|i| i.count).sum();
    assert_eq!(responses, count(&run.only_result(), "accounts_whole/acked"));
}

#[test]
fn a_topic_that_the_broker_refuses_ends_the_case_and_says_why() {
    testkit::require!(kafka);
    let kafka = kafka::shared(3);
    for (refused, why) in [
        ("replication: 1, config: {retention.ms: \"soon\"}", "retention.ms"),
        ("replication: 5", "replication factor of 5"),
    ] {
        let scenario =
            steady("200/s", "2s", "expect: [records.lost == 0]").replace("replication: 1", refused);
        let sandbox = sandbox(&scenario, &cluster_file(kafka, 2, ""));
        let outcome = sandbox.mallard(RUN);
        let result = sandbox.latest_run().only_result();
        outcome.assert_code(3);
        assert!(outcome.stdout.contains(why), "{}", outcome.stdout);
        // The one cause, and nothing that only follows from it.
        assert_eq!(codes(&result), ["topic_failed"], "{:#}", result["reasons"]);
    }
}
