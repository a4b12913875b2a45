//! The producer suite in a short form, its bounds, and what three hindered runs are said to suffer from.

use crate::world::{assert_accounts_add_up, cluster_file, codes, metric, sandbox, steady};
use serde_json::Value;
use testkit::{
    kafka,
    mallard::{Run, Sandbox},
};

/// What the suite reports of every producer, under the names that expectations use.
const PRODUCER_TABLE: [&str; 25] = [
    "produce.service.mean",
    "produce.service.p50",
    "produce.service.p95",
    "produce.service.p99",
    "produce.service.max",
    "produce.response.p50",
    "produce.response.p95",
    "produce.response.p99",
    "produce.send_throughput",
    "produce.delivery_throughput",
    "produce.data_throughput",
    "produce.error_rate",
    "produce.success_rate",
    "produce.buffer_full_rate",
    "produce.messages_per_poll",
    "produce.client.batch_records",
    "produce.client.wire_bytes_rate",
    "produce.client.compression_ratio",
    "produce.record_size.mean",
    "produce.record_size.p50",
    "produce.record_size.min",
    "produce.record_size.max",
    "agent.memory.start",
    "agent.memory.peak",
    "agent.memory.growth",
];

/// A few seconds a case; ranges and bounds are those of a busy machine. So few transactions that every tenth
/// may be none.
const SHORT: [&str; 8] = [
    "--set",
    "hold=3s",
    "--set",
    "rate=1000/s",
    "--set",
    "abort=50%",
    "--bounds",
    "scenarios/producer/ci_bounds.json",
];

fn results(run: &Run) -> Vec<(String, Value)> {
    let case = |folder: std::path::PathBuf| {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        (name, Run::at(folder).json("result.json"))
    };
    run.cases().into_iter().map(case).collect()
}

/// Runs the whole suite in its short form, and looks whether each case reports what it should.
fn the_suite_reports_everything(sandbox: &Sandbox, cluster: &[&str]) {
    let outcome = sandbox.mallard([&["run", "scenarios/producer"], &SHORT[..], cluster].concat());
    let run = sandbox.latest_run();
    run.assert_went_well(&outcome);
    let results = results(&run);
    assert_eq!(results.len(), 9, "{:?}", results.iter().map(|(name, _)| name).collect::<Vec<_>>());
    for (name, result) in &results {
        assert_accounts_add_up(result);
        for figure in PRODUCER_TABLE {
            let value = result["metrics"][figure]["value"].as_f64();
            assert!(value.is_some(), "{name} has no {figure}: {:#}", result["metrics"][figure]);
        }
        let partitions = result["partitions"].as_array().map_or(0, Vec::len);
        assert!(partitions >= 3, "{name}: {partitions} partitions");
        let bounds = result["expectations"].as_array().into_iter().flatten();
        let bounds = bounds.filter(|e| e["source"] == "scenarios/producer/ci_bounds.json");
        // One case has a bound of its own.
        let own = usize::from(name == "producer.transactions");
        assert_eq!(bounds.count(), 8 - own, "{name}");
    }
    let of = |name: &str| &results.iter().find(|(case, _)| case == name).expect(name).1;
    // A quarter of every value is noise, so no codec can save more than three quarters.
    let ratio = |codec: &str| {
        let name = format!("producer.compression@codec={codec}");
        metric(of(&name), "produce.client.compression_ratio")
    };
    // Records and requests are counted at slightly different moments, so it may be a little more than nothing.
    assert!(ratio("none") < 1.05, "{}", ratio("none"));
    for codec in ["gzip", "snappy", "lz4", "zstd"] {
        assert!((1.5..4.2).contains(&ratio(codec)), "{codec} {}", ratio(codec));
    }
    // Four codecs against none, in two metrics.
    let across = run.json("run.json")["across"].as_array().cloned().unwrap_or_default();
    assert_eq!(across.len(), 8, "{across:#?}");
    for judged in &across {
        assert_eq!(judged["passed"], true, "{judged:#}");
        assert!(outcome.stdout.contains(judged["sentence"].as_str().unwrap_or("?")), "{judged:#}");
    }
    assert!(run.text("report.html").contains("Side by side: producer.compression"));
    let consumer = of("producer.consumer");
    for figure in ["consume.received.rate", "consume.messages_per_poll"] {
        assert!(metric(consumer, figure) > 0.0, "{figure}");
    }
    for figure in ["consume.empty_poll_rate", "consume.rebalance_time.max"] {
        assert!(metric(consumer, figure) >= 0.0, "{figure}");
    }
    let transactions = of("producer.transactions");
    for figure in ["committed.rate", "aborted.rate", "commit.p95"] {
        let figure = format!("produce.transactions.{figure}");
        assert!(metric(transactions, &figure) > 0.0, "{figure}");
    }
}

#[test]
fn the_producer_suite_reports_everything_on_the_embedded_broker() {
    let sandbox = Sandbox::new();
    sandbox.shipped("scenarios");
    the_suite_reports_everything(&sandbox, &[]);
}

#[test]
fn the_producer_suite_reports_everything_on_kafka() {
    testkit::require!(kafka);
    let kafka = kafka::shared(3);
    let sandbox = Sandbox::new();
    sandbox.shipped("scenarios").file("c.yaml", cluster_file(kafka, 2, ""));
    the_suite_reports_everything(&sandbox, &["--cluster", "c.yaml"]);
}

#[test]
fn one_case_of_the_suite_is_run_by_name() {
    let sandbox = Sandbox::new();
    sandbox.shipped("scenarios");
    let listed = sandbox.mallard(["list", "scenarios/producer", "--only", "producer.basic"]);
    listed.assert_code(0);
    assert_eq!(listed.stdout.trim(), "producer.basic");
}

#[test]
fn a_violated_bound_is_told_everywhere_with_value_limit_and_margin() {
    let mut sandbox = Sandbox::new();
    sandbox.shipped("scenarios");
    let bounds = std::fs::read_to_string(sandbox.path("scenarios/producer/ci_bounds.json"))
        .expect("the shipped bounds")
        .replace("\"min_throughput_msg_per_sec\": 500.0", "\"min_throughput_msg_per_sec\": 1e9");
    sandbox.file("strict.json", bounds);
    sandbox.set("BENCHMARK_BOUNDS_CONFIG", "strict.json");
    let one = ["run", "scenarios/producer", "--only", "producer.basic"];
    let short = ["--set", "hold=2s", "--set", "rate=max"];
    let outcome = sandbox.mallard([&one[..], &short].concat());
    let run = sandbox.latest_run();
    let result = run.only_result();
    // A busy machine may make the measurement invalid on top of it.
    run.assert_ended(&outcome, 1);
    let failed = result["expectations"].as_array().into_iter().flatten();
    let failed = failed.filter(|e| e["text"] == "min_throughput_msg_per_sec: 1e9");
    let failed: Vec<_> = failed.collect();
    assert_eq!(failed.len(), 1, "{:#}", result["expectations"]);
    assert_eq!(failed[0]["passed"], false);
    assert_eq!(failed[0]["limit"], 1e9);
    assert_eq!((&failed[0]["source"], &failed[0]["line"]), (&"strict.json".into(), &3.into()));
    let margin = failed[0]["margin"].as_f64().expect("a margin") * 100.0;
    assert!(margin < 0.0, "{margin}");
    let margin = format!("margin {margin:+.1} %");
    for (place, text) in [("terminal", &outcome.stdout), ("JUnit", &run.text("junit.xml"))] {
        assert!(text.contains("min_throughput_msg_per_sec: 1e9"), "{place}: {text}");
        assert!(text.contains("limit 1,000,000,000/s"), "{place}: {text}");
        assert!(text.contains(&margin), "{place}: no {margin} in {text}");
    }
    // A slash is escaped in the page.
    let page = run.text("report.html").replace("&#x2f;", "/");
    for words in ["min_throughput_msg_per_sec: 1e9", "strict.json, line 3", "1,000,000,000/s"] {
        assert!(page.contains(words), "the page has no {words}");
    }
}

#[test]
fn an_expectation_across_cases_that_fails_makes_the_run_fail() {
    let sandbox = Sandbox::new();
    let scenario = steady(
        "max",
        "1s",
        "across:\n  - produce.acked.rate at bytes=2KiB >= 1000 of that at bytes=1KiB",
    )
    .replace("size: 200B", "size: $bytes")
    .replace("topics:\n", "matrix: {bytes: [1KiB, 2KiB]}\ntopics:\n");
    sandbox.file("s.yaml", scenario);
    let outcome = sandbox.mallard(["run", "s.yaml"]);
    let run = sandbox.latest_run();
    run.assert_ended(&outcome, 1);
    let result = run.json("run.json");
    let across = &result["across"][0];
    assert_eq!((&across["passed"], &across["line"]), (&false.into(), &14.into()), "{across:#}");
    assert!(across["margin"].as_f64().is_some_and(|margin| margin < -0.9), "{across:#}");
    let sentence = across["sentence"].as_str().unwrap_or("?");
    assert!(outcome.stdout.contains(sentence), "{}", outcome.stdout);
    assert!(run.text("junit.xml").contains("produce.acked.rate at bytes=2KiB"));
    let reasons = result["reasons"].as_array().cloned().unwrap_or_default();
    assert!(reasons.iter().any(|r| r["code"] == "expectation_across_cases_failed"), "{reasons:#?}");
    // With one of the two cases there is nothing to compare, and that is said.
    let outcome = sandbox.mallard(["plan", "s.yaml", "--only", "steady@bytes=1KiB"]);
    outcome.assert_code(0);
    assert!(outcome.stderr.contains("this is not judged in this run"), "{}", outcome.stderr);
}

/// Codes of a case's diagnoses, and its diagnosis with one of them.
fn diagnosed(result: &Value, code: &str) -> String {
    let all = result["interpretation"]["diagnoses"].as_array().cloned().unwrap_or_default();
    let found = all.iter().find(|diagnosis| diagnosis["code"] == code);
    let found = found.unwrap_or_else(|| panic!("no {code} in {all:#?}, {:?}", codes(result)));
    assert!(found["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty()), "{found}");
    found["text"].as_str().unwrap_or_default().to_owned()
}

/// Runs a scenario on Kafka and returns its result, whatever the verdict.
fn hindered(scenario: &str) -> (Value, String) {
    let kafka = kafka::shared(3);
    let sandbox = sandbox(scenario, &cluster_file(kafka, 2, ""));
    let outcome = sandbox.mallard(["run", "s.yaml", "--cluster", "c.yaml"]);
    (sandbox.latest_run().only_result(), outcome.stdout)
}

#[test]
fn a_slow_consumer_is_diagnosed_as_such() {
    testkit::require!(kafka);
    // Two instances at 10 ms a record do 200/s, of 1000/s.
    let scenario = steady("1000/s", "6s", "")
        .replace("billing, instances: 2", "billing, instances: 2, work: 10ms");
    let (result, told) = hindered(&scenario);
    let text = diagnosed(&result, "consumer_limits");
    assert!(text.contains("billing does not keep up"), "{text}");
    assert!(told.contains("diagnosis: The consumer billing"), "{told}");
}

#[test]
fn a_partition_that_gets_nearly_everything_is_diagnosed_as_hot() {
    testkit::require!(kafka);
    let key = "payload: {size: 200B}, key: {hot: {count: 100, hot: 1, share: 90%}}";
    let scenario = steady("1000/s", "5s", "").replace("payload: {size: 200B}", key);
    let text = diagnosed(&hindered(&scenario).0, "hot_partition");
    assert!(text.contains("Partition orders/") && text.contains("times an even share"), "{text}");
}

#[test]
fn batches_of_one_record_are_diagnosed_as_small() {
    testkit::require!(kafka);
    testkit::alone!();
    // One request in flight at a time, or so many of them would saturate the host, which is named first.
    let client = "payload: {size: 200B}, \
                  client: {batch.num.messages: 1, linger.ms: 0, max.in.flight: 1}";
    let scenario = steady("max", "5s", "").replace("payload: {size: 200B}", client);
    let text = diagnosed(&hindered(&scenario).0, "small_batches");
    assert!(text.contains("The batches of shop are small"), "{text}");
}
