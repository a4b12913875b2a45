//! Brokers that are slow or stand still, and what is said of it. They are slowed and stopped by signals:
//! their connections stay open, and their kernel still acknowledges what is sent.

use crate::world::{PATIENCE, RUN, cluster_file, count, metric, sandbox};
use serde_json::Value;
use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};
use testkit::kafka::KafkaCluster;

const BROKERS: usize = 3;

/// The cluster of these tests, which slow it and stop it one after another and leave it running.
fn cluster() -> &'static KafkaCluster {
    static CLUSTER: OnceLock<KafkaCluster> = OnceLock::new();
    CLUSTER.get_or_init(|| KafkaCluster::start(BROKERS))
}

/// 2,000 records a second to three brokers.
fn scenario(hold: &str, client: &str) -> String {
    format!(
        "name: slow\n\
         topics: {{t: {{partitions: 3, replication: 3}}}}\n\
         load: [{{warm-up: {{rate: 2000/s, for: 3s}}}}, {{hold: {{rate: 2000/s, for: {hold}}}}}, \
         {{drain: {{within: 30s}}}}]\n\
         producers: {{p: {{topic: t, payload: {{size: 500B}}, client: {{acks: all{client}}}}}}}\n"
    )
}

/// The codes of what a case's interpretation names, and its summary.
fn named(result: &Value) -> (Vec<&str>, &str) {
    let diagnoses = result["interpretation"]["diagnoses"].as_array().expect("diagnoses");
    let codes = diagnoses.iter().filter_map(|of| of["code"].as_str()).collect();
    (codes, result["interpretation"]["summary"].as_str().expect("a summary"))
}

/// Lets the brokers run for a tenth of the time, until told to stop that.
fn at_a_tenth(kafka: &KafkaCluster, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Relaxed) {
        (1..=BROKERS).for_each(|id| kafka.stop_broker(id));
        thread::sleep(Duration::from_millis(90));
        (1..=BROKERS).for_each(|id| kafka.cont_broker(id));
        thread::sleep(Duration::from_millis(10));
    }
}

/// A run on brokers at a tenth of their speed.
fn slowed(kafka: &KafkaCluster, client: &str) -> Value {
    let sandbox = sandbox(&scenario("12s", client), &cluster_file(kafka, 1, ""));
    let mut running = sandbox.spawn(RUN);
    running.wait_for_output("load starts", PATIENCE);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| at_a_tenth(kafka, &is_over));
        // The load and what is still to be acknowledged then.
        thread::sleep(Duration::from_secs(15));
        is_over.store(true, Ordering::Relaxed);
    });
    let _ = running.wait(PATIENCE);
    sandbox.latest_run().only_result()
}

#[test]
fn slow_brokers_take_the_load_with_a_few_requests_in_flight() {
    testkit::require!(kafka);
    testkit::alone!();
    let kafka = cluster();
    let result = slowed(kafka, "");
    let in_effect = &result["clients_in_effect"]["p"];
    assert_eq!(in_effect["max.in.flight"], "5", "{in_effect:#}");
    assert!(metric(&result, "produce.client.in_flight.max") < 10.0, "{result:#}");
    assert_eq!(count(&result, "accounts/acked"), 24_000, "{:#}", result["accounts"]);
    let acked_per_s = metric(&result, "produce.acked.rate");
    assert!(acked_per_s >= 1_900.0, "acknowledged {acked_per_s}/s of 2,000/s");
    let probe_us = metric(&result, "broker.probe.p50");
    assert!(probe_us >= 10_000.0, "brokers at a tenth answer a probe in {probe_us} µs");
    // Their kernels acknowledge late, and segments are sent again that the loopback has not lost.
    let (codes, _) = named(&result);
    assert!(!codes.contains(&"network_limits"), "{:#}", result["interpretation"]);
}

#[test]
fn brokers_that_stood_still_are_named() {
    testkit::require!(kafka);
    testkit::alone!();
    let kafka = cluster();
    let sandbox = sandbox(&scenario("14s", ""), &cluster_file(kafka, 1, ""));
    let mut running = sandbox.spawn(RUN);
    running.wait_for_output("load starts", PATIENCE);
    thread::sleep(Duration::from_secs(6));
    (1..=BROKERS).for_each(|id| kafka.stop_broker(id));
    // The standstill itself, not a wait for anything.
    thread::sleep(Duration::from_secs(5));
    (1..=BROKERS).for_each(|id| kafka.cont_broker(id));
    let _ = running.wait(PATIENCE);
    let result = sandbox.latest_run().only_result();

    let silent_s = metric(&result, "broker.silent.all") / 1e6;
    assert!((4.0..=7.0).contains(&silent_s), "silent for {silent_s} s instead of 5");
    let (codes, summary) = named(&result);
    assert!(!summary.starts_with("Nothing stands out"), "{summary}");
    // On a machine without a core to spare it is the generator that is doubted.
    assert!(
        codes == ["broker_unresponsive"] || codes.first() == Some(&"generator_limits"),
        "{:#}",
        result["interpretation"]
    );
}

#[test]
fn linger_is_named_and_not_the_broker() {
    let scenario = "name: patient\n\
         topics: {t: {partitions: 1}}\n\
         load: [{warm-up: {rate: 200/s, for: 1s}}, {hold: {rate: 200/s, for: 4s}}]\n\
         producers: {p: {topic: t, payload: {size: 100B}, client: {linger.ms: 300}}}\n";
    let sandbox = sandbox(scenario, "kafka: {embedded: {}}\nhosts: [{local: {agents: 1}}]\n");
    let _ = sandbox.mallard(RUN);
    let result = sandbox.latest_run().only_result();
    let (codes, _) = named(&result);
    assert!(
        codes == ["client_linger"] || codes.first() == Some(&"generator_limits"),
        "{:#}",
        result["interpretation"]
    );
}
