//! A broker that stands still under a steady load: what responses must then be is arithmetic.
//!
//! Records are due at a rate *r* for *D* seconds; for *S* of them the broker answers nothing, and then
//! takes what has piled up at its capacity *c*. A record that is due *x* seconds into the standstill is
//! acknowledged when all before it are, *S + x·r/c* into it, so it waits *S − x·(1 − r/c)*. [`waits`]
//! plays this record by record.

use crate::world::{PATIENCE, RUN, assert_accounts_add_up, cluster_file, count, sandbox};
use serde_json::Value;
use std::time::{Duration, Instant};
use testkit::{kafka::KafkaCluster, mallard::Run, wait};

const RATE_PER_S: f64 = 1_000.0;
const LOAD_S: f64 = 16.0;
const STANDSTILL: Duration = Duration::from_secs(4);

/// What may come on top of any response, in seconds: a process that stood still takes a moment before it
/// answers again, and a busy machine makes that longer.
const NOISE_S: f64 = 0.5;

/// What is left to the arithmetic's own assumptions: the process stands still at once, all partitions
/// come back together.
const TOLERANCE: f64 = 0.02;

/// How long each record of a load waits for its acknowledgement, sorted.
fn waits(stopped_s: f64, capacity_per_s: f64) -> Vec<f64> {
    let stop_s = LOAD_S / 3.0;
    let mut free_s = 0.0_f64;
    let mut due_s = 0.0;
    let mut waits = Vec::new();
    while due_s < LOAD_S {
        let mut start_s = free_s.max(due_s);
        if (stop_s..stop_s + stopped_s).contains(&start_s) {
            start_s = stop_s + stopped_s;
        }
        free_s = start_s + 1.0 / capacity_per_s;
        waits.push(free_s - due_s);
        due_s += 1.0 / RATE_PER_S;
    }
    waits.sort_by(f64::total_cmp);
    waits
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "an index among thousands"
)]
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = (sorted.len() as f64 * share).ceil() as usize;
    sorted[at.clamp(1, sorted.len()) - 1]
}

#[test]
fn the_arithmetic_agrees_with_what_is_known_in_closed_form() {
    let sorted = waits(4.0, 1e9);
    assert!((quantile(&sorted, 0.99) - 3.84).abs() < 0.002);
    assert!((quantile(&sorted, 1.0) - 4.0).abs() < 0.002);
    assert!(quantile(&sorted, 0.7) < 0.002);
    // Catching up takes time as well: ten times the rate makes a wait last a ninth longer.
    let slow = waits(4.0, 10.0 * RATE_PER_S);
    let affected = 4.0 / 0.9 / LOAD_S;
    assert!((quantile(&slow, 0.9) - 4.0 * (1.0 - 0.1 / affected)).abs() < 0.01);
}

/// Two producers at the same rate: one whose client takes an eighth of a second of records, so that the
/// standstill reaches the generator, and one whose client takes them all.
fn scenario() -> String {
    let figures = |producer: &str| {
        let metrics = ["response.p50", "response.p90", "response.p99", "response.max"];
        let lines = metrics.into_iter().chain(["service.p50", "service.p90", "service.max"]);
        lines
            .map(|metric| format!("  - produce.{metric} of producer {producer} < 3600s\n"))
            .collect::<String>()
    };
    format!(
        "name: standstill\n\
         topics:\n  narrow: {{partitions: 2, replication: 1}}\n  wide: {{partitions: 2, replication: 1}}\n\
         load:\n  - warm-up: {{rate: {both}/s, for: 2s}}\n  - hold: {{rate: {both}/s, for: {LOAD_S}s}}\n  \
         - drain: {{within: 30s}}\n\
         producers:\n  \
         narrow: {{topic: narrow, payload: {{size: 1KiB}}, client: {{queue.buffering.max.kbytes: \"128\"}}}}\n  \
         wide: {{topic: wide, payload: {{size: 100B}}}}\n\
         expect:\n{}{}",
        figures("narrow"),
        figures("wide"),
        both = 2.0 * RATE_PER_S,
    )
}

/// A judged figure in seconds.
#[track_caller]
fn seconds(result: &Value, producer: &str, metric: &str) -> f64 {
    let text = format!("produce.{metric} of producer {producer} <");
    let expectations = result["expectations"].as_array().expect("expectations");
    let found =
        expectations.iter().find(|e| e["text"].as_str().is_some_and(|t| t.starts_with(&text)));
    let value = found.and_then(|expectation| expectation["value"].as_f64());
    value.unwrap_or_else(|| panic!("{text} has no value: {expectations:#?}")) / 1e6
}

/// Stops the only broker in the middle of the hold, and gives the least and the most time for which it
/// can have stood still.
fn stand_still(kafka: &KafkaCluster, run: &Run) -> (f64, f64) {
    let rows = || {
        let series = std::fs::read_to_string(run.path("cases/standstill/series.csv"));
        series.map_or(0, |text| text.lines().count())
    };
    wait::until("five seconds of load", PATIENCE, || (rows() > 5).then_some(()));
    let before = Instant::now();
    kafka.stop_broker(1);
    let stopped = Instant::now();
    // The standstill itself, not a wait for anything.
    std::thread::sleep(STANDSTILL);
    let least = stopped.elapsed();
    kafka.cont_broker(1);
    (least.as_secs_f64(), before.elapsed().as_secs_f64())
}

#[test]
fn responses_over_a_standstill_are_what_arithmetic_says() {
    testkit::require!(kafka);
    testkit::alone!();
    let kafka = KafkaCluster::start(1);
    let sandbox = sandbox(&scenario(), &cluster_file(&kafka, 2, ""));
    let mut running = sandbox.spawn(RUN);
    running.wait_for_output("load starts", PATIENCE);
    let run = sandbox.latest_run();
    let (least_s, most_s) = stand_still(&kafka, &run);
    let outcome = running.wait(PATIENCE);
    run.assert_went_well(&outcome);
    let result = run.only_result();

    assert_accounts_add_up(&result);
    assert_eq!(count(&result, "accounts/scheduled"), 2 * 16_000, "no record is forgotten");
    assert_eq!(count(&result, "accounts/not_sent"), 0);
    assert_eq!(count(&result, "accounts/acked"), 2 * 16_000);

    // At best all is caught up at once; at worst a busy machine does ten times the rate.
    let (best, worst) = (waits(least_s, 1e9), waits(most_s, 10.0 * RATE_PER_S));
    for producer in ["narrow", "wide"] {
        for (metric, share) in [("p90", 0.9), ("p99", 0.99), ("max", 1.0)] {
            let measured = seconds(&result, producer, &format!("response.{metric}"));
            let low = quantile(&best, share) * (1.0 - TOLERANCE);
            let high = quantile(&worst, share) * (1.0 + TOLERANCE) + NOISE_S;
            assert!(
                (low..=high).contains(&measured),
                "{producer}: response {metric} is {measured} s, by arithmetic {low} to {high} s"
            );
        }
        let median = seconds(&result, producer, "response.p50");
        assert!(median < NOISE_S, "{producer}: half of all records are not concerned: {median} s");
    }
    // A client that takes all records itself shows the standstill in its service; one that is full does
    // not: there it is the generator that waits, and service alone would look well.
    assert!(seconds(&result, "wide", "service.p90") > quantile(&best, 0.9) * (1.0 - TOLERANCE));
    assert!(seconds(&result, "narrow", "service.p90") < quantile(&best, 0.9) / 2.0);
    let page = run.text("report.html");
    assert!(page.contains("The client was refused room for"), "the page explains the difference");
}
