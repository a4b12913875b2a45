//! Systems that Mallard does not start: their groups are watched, with Kafka's own tools as foreigners
//! and as witnesses, and a Flink job is measured through.

use crate::world::{PATIENCE, RUN, cluster_file, codes, metric, sandbox, steady, under_load};
use serde_json::Value;
use std::{process::Command, time::Duration};
use testkit::{
    java,
    kafka::{self, Isolation, KafkaCluster},
    mallard::Run,
    paths,
    process::{self, Finished, Running, Signal},
    wait,
};

/// Kafka's console consumer as a member of a group, once the group has its partitions.
fn console_consumer(kafka: &KafkaCluster, topic: &str, group: &str) -> Running {
    let mut command = java::command();
    command.args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]);
    command.args(["org.apache.kafka.tools.consumer.ConsoleConsumer", "--from-beginning"]);
    command.args(["--bootstrap-server", &kafka.bootstrap(), "--topic", topic, "--group", group]);
    let consumer = process::start(&mut command);
    wait::until("the console consumer has its partitions", PATIENCE, || {
        let assigned = kafka.group_lag(group);
        (!assigned.is_empty()).then_some(())
    });
    consumer
}

/// Gives a group without members an offset in every partition of a topic: its beginning.
fn commit_the_beginning(kafka: &KafkaCluster, topic: &str, group: &str) {
    let args =
        ["--group", group, "--topic", topic, "--reset-offsets", "--to-earliest", "--execute"];
    let class = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
    kafka.tool(class, &args).assert_code(0);
}

fn lag_by_kafkas_own_tool(kafka: &KafkaCluster, group: &str) -> i64 {
    kafka.group_lag(group).iter().filter_map(|partition| partition.lag).sum()
}

#[track_caller]
fn of_group(result: &Value, group: &str, metric: &str) -> Option<f64> {
    result["workloads"][group][metric]["value"].as_f64()
}

#[test]
fn lag_and_commits_of_a_foreign_group_are_those_of_kafkas_own_tool() {
    testkit::require!(kafka);
    let kafka = kafka::shared(3);
    kafka.create_topic("watched", 4, 1, &[]);
    commit_the_beginning(kafka, "watched", "sleeper");
    let foreigner = console_consumer(kafka, "watched", "flink-job");
    let scenario = "name: watched\n\
         topics:\n  watched: {existing: true}\n\
         load:\n  - hold: {rate: 200/s, for: 8s}\n  - drain: {within: 8s}\n\
         producers:\n  shop: {topic: watched, payload: {size: 100B}}\n\
         observe: {groups: [flink-job, sleeper, nobody]}\n\
         expect:\n  - observe.members.max of group flink-job == 1\n  \
         - observe.lag.end of group flink-job == 0\n  \
         - observe.lag.max of group nobody < 10\n";
    let sandbox = sandbox(scenario, &cluster_file(kafka, 1, ""));
    let outcome = sandbox.mallard(RUN);
    sandbox.latest_run().assert_ended(&outcome, 1);
    let result = sandbox.latest_run().only_result();

    let stored: i64 = kafka.end_offsets("watched").values().sum();
    assert_eq!(stored, 1_600);
    assert_eq!(lag_by_kafkas_own_tool(kafka, "flink-job"), 0);
    assert_eq!(of_group(&result, "flink-job", "observe.lag.end"), Some(0.0));
    assert_eq!(lag_by_kafkas_own_tool(kafka, "sleeper"), 1_600);
    assert_eq!(of_group(&result, "sleeper", "observe.lag.end"), Some(1_600.0));
    assert_eq!(of_group(&result, "sleeper", "observe.committed.rate"), Some(0.0));
    assert_eq!(of_group(&result, "sleeper", "observe.members.max"), Some(0.0));
    assert_eq!(of_group(&result, "flink-job", "observe.members.min"), Some(1.0));
    let rate = of_group(&result, "flink-job", "observe.committed.rate").expect("it commits");
    assert!(rate > 0.0, "{rate}");

    // What is not there is said, and an expectation about it fails.
    assert!(outcome.stdout.contains("consumer group nobody does not exist"), "{outcome}");
    assert!(codes(&result).contains(&"observed_group_missing"), "{:?}", codes(&result));
    let judged = result["expectations"].as_array().cloned().unwrap_or_default();
    let passed: Vec<_> = judged.iter().map(|e| e["passed"].as_bool()).collect();
    assert_eq!(passed, [Some(true), Some(true), Some(false)], "{judged:#?}");
    assert_eq!(of_group(&result, "nobody", "observe.lag.max"), None);
    let lag = std::fs::read_to_string(sandbox.latest_run().cases()[0].join("lag.csv")).unwrap();
    assert!(lag.contains("sleeper (observed)"), "{lag}");

    foreigner.signal(Signal::TERM);
    let _ = foreigner.wait(PATIENCE);
    kafka.delete_topic("watched");
}

#[test]
fn a_rebalance_of_a_foreign_group_is_counted() {
    testkit::require!(kafka);
    let kafka = kafka::shared(3);
    kafka.create_topic("shared-out", 4, 1, &[]);
    let first = console_consumer(kafka, "shared-out", "growing");
    let scenario = "name: growing\n\
         topics:\n  shared-out: {existing: true}\n\
         load:\n  - hold: {rate: 50/s, for: 14s}\n  - drain: {within: 6s}\n\
         producers:\n  shop: {topic: shared-out, payload: {size: 100B}}\n\
         observe: {groups: [growing]}\n";
    let sandbox = sandbox(scenario, &cluster_file(kafka, 1, ""));
    // The group is seen with its one member first: that is asked once a second.
    let (running, _) = under_load(&sandbox, 3);
    let second = console_consumer(kafka, "shared-out", "growing");
    let _ = running.wait(PATIENCE + Duration::from_secs(30));
    let result = sandbox.latest_run().only_result();
    assert_eq!(of_group(&result, "growing", "observe.members.min"), Some(1.0));
    assert_eq!(of_group(&result, "growing", "observe.members.max"), Some(2.0));
    let rebalances = of_group(&result, "growing", "observe.rebalances").expect("samples");
    assert!(rebalances >= 1.0, "{rebalances}");
    for consumer in [first, second] {
        consumer.signal(Signal::TERM);
        let _ = consumer.wait(PATIENCE);
    }
    kafka.delete_topic("shared-out");
}

#[test]
fn what_a_rebalance_of_its_own_group_takes_is_measured() {
    testkit::require!(kafka);
    let kafka = kafka::shared(3);
    let sandbox = sandbox(&steady("200/s", "20s", ""), &cluster_file(kafka, 1, ""));
    let mut running = sandbox.spawn(RUN);
    // Finding names and starting an intruder takes three JVMs, and the load goes on for 21 s.
    running.wait_for_output("load starts", PATIENCE);
    let run = sandbox.latest_run();
    let of_run = |names: Vec<String>| names.into_iter().find(|name| name.contains(&run.id()));
    let topic = of_run(kafka.list_topics()).expect("a topic of the run");
    let group = of_run(kafka.list_groups()).expect("a group of the run");
    let intruder = console_consumer(kafka, &topic, &group);
    let _ = running.wait(PATIENCE + Duration::from_secs(30));
    let result = run.only_result();
    // The two members make room for a third; what that one reads is not received by them.
    assert!(metric(&result, "consume.rebalances") >= 1.0, "{result:#}");
    let longest_us = metric(&result, "consume.rebalance_time.max");
    assert!((1.0..20e6).contains(&longest_us), "{longest_us} µs");
    intruder.signal(Signal::TERM);
    let _ = intruder.wait(PATIENCE);
}

/// The Flink job of `examples/flink`, once its tasks run.
fn flink_job(kafka: &KafkaCluster, from: &str, to: &str, more: &[&str]) -> Running {
    let folder = paths::flink();
    let mut classes = folder.join("classes").into_os_string();
    classes.push(":");
    classes.push(folder.join("libs/*"));
    let mut command = Command::new(java::launcher().expect("a Java"));
    command.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx512m", "-cp"]).arg(classes);
    command.args(["mallard.flink.FlattenJob", "--bootstrap", &kafka.bootstrap()]);
    command.args(["--from", from, "--to", to]).args(more);
    let job = process::start(&mut command);
    wait::until("the Flink job runs", PATIENCE, || {
        job.stderr_so_far().contains("from INITIALIZING to RUNNING").then_some(())
    });
    job
}

/// What a run through the Flink job left.
struct Passage<'a> {
    kafka: &'a KafkaCluster,
    from: String,
    to: String,
    group: String,
    outcome: Finished,
    run: Run,
    result: Value,
}

/// Runs the shipped scenario through the Flink job, with what both are told besides, and has a look at
/// what it left.
fn through_flink(name: &str, job: &[&str], set: &[&str], look: impl FnOnce(&Passage<'_>)) {
    let kafka = kafka::shared(3);
    let (from, to) = (format!("raw-{name}"), format!("rows-{name}"));
    for topic in [&from, &to] {
        kafka.create_topic(topic, 3, 1, &[]);
    }
    let group = format!("flink-{name}");
    let job = flink_job(
        kafka,
        &from,
        &to,
        &[&["--group", &group, "--checkpoint-ms", "500"][..], job].concat(),
    );
    let shipped = paths::workspace().join("examples/flink/through.yaml");
    let scenario = std::fs::read_to_string(shipped).expect("the example is there");
    let scenario = scenario
        .replace("health-data-raw", &from)
        .replace("health-data-rows", &to)
        .replace("within: 30s", "within: 12s")
        .replace("flink-job", &group);
    let sandbox = sandbox(&scenario, &cluster_file(kafka, 2, ""));
    let set: Vec<_> = set.iter().flat_map(|one| ["--set", *one]).collect();
    let outcome = sandbox.mallard([&RUN[..], &["--set", "rate=100/s"], &set].concat());
    let run = sandbox.latest_run();
    let result = run.only_result();
    let passage = Passage { kafka, from, to, group, outcome, run, result };
    look(&passage);

    job.signal(Signal::TERM);
    let _ = job.wait(PATIENCE);
    for topic in [&passage.from, &passage.to] {
        kafka.delete_topic(topic);
    }
}

/// 11 s at 100/s, five samples each: every payload came out, whole, and none twice.
fn all_is_well(passage: &Passage<'_>) {
    let Passage { kafka, from, to, group, outcome, run, result } = passage;
    assert_eq!(metric(result, "through.inputs"), 1_100.0);
    assert_eq!(metric(result, "through.matched"), 1_100.0, "{outcome}");
    for none in ["lost", "incomplete", "duplicates", "unmatched"] {
        assert_eq!(metric(result, &format!("through.{none}")), 0.0, "{none}: {outcome}");
    }
    assert_eq!(metric(result, "through.outputs"), 5_500.0);
    assert_eq!(kafka.consume_count(to, Isolation::ReadUncommitted), 5_500);
    assert_eq!(kafka.end_offsets(from).values().sum::<i64>(), 1_100, "the load alone");
    assert_eq!(lag_by_kafkas_own_tool(kafka, group), 0);
    assert_eq!(of_group(result, group, "observe.lag.end"), Some(0.0));
    // Flink assigns partitions by itself: its group commits, and has no members.
    assert_eq!(of_group(result, group, "observe.members.max"), Some(0.0));
    assert!(metric(result, "end_to_end.p50") > 0.0);
    run.assert_went_well(outcome);
}

#[test]
fn every_payload_comes_out_of_a_flink_job_once_by_its_header() {
    testkit::require!(kafka, flink);
    through_flink("kept", &["--headers", "keep"], &["hold=6s", "match=header"], all_is_well);
}

#[test]
fn where_a_pipeline_drops_headers_a_field_tells_the_same() {
    testkit::require!(kafka, flink);
    let set = ["hold=6s", "match={field: sample_id}"];
    through_flink("dropped", &["--headers", "drop"], &set, all_is_well);
}

#[test]
fn what_a_flink_job_loses_halves_and_doubles_is_counted_to_the_record() {
    testkit::require!(kafka, flink);
    let bad = ["--headers", "keep", "--delay-ms", "5", "--spoil-every", "20"];
    through_flink("bad", &bad, &["hold=3s", "match=header"], |passage| {
        let Passage { outcome, run, result, .. } = passage;
        // 8 s at 100/s; of every 20 payloads one is lost, one lacks a row, one comes out twice.
        let expected = [
            ("inputs", 800.0),
            ("lost", 40.0),
            ("matched", 760.0),
            ("incomplete", 40.0),
            ("duplicates", 40.0 * 5.0),
            ("outputs", 800.0 * 5.0 - 40.0 * 5.0 - 40.0 + 40.0 * 5.0),
            ("unmatched", 0.0),
        ];
        for (name, count) in expected {
            assert_eq!(metric(result, &format!("through.{name}")), count, "{name}: {outcome}");
        }
        let median_us = metric(result, "end_to_end.p50");
        assert!(median_us >= 5_000.0, "the job takes 5 ms for a payload: {median_us} µs");
        // A busy machine may make the measurement invalid on top of it.
        run.assert_ended(outcome, 1);
        assert!(codes(result).contains(&"expectation_failed"), "{outcome}");
    });
}
