//! Expectations against baselines, on runs that were measured on the embedded broker.

use serde_json::Value;
use testkit::mallard::Sandbox;

/// Three rounds against a broker that answers after so long, into the run `id`.
fn run(sandbox: &Sandbox, id: &str, round_trip: &str) -> testkit::process::Finished {
    let kafka = format!("{{embedded: {{brokers: 1, round_trip: {round_trip}}}}}");
    sandbox.file("cluster.yaml", format!("kafka: {kafka}\nhosts: [{{local: {{}}}}]\n"));
    sandbox.mallard(["run", "s.yaml", "--id", id, "--repeat", "3"])
}

fn result(sandbox: &Sandbox, id: &str) -> Value {
    let text = std::fs::read(sandbox.path(format!("results/{id}/run.json"))).expect("run.json");
    serde_json::from_slice(&text).expect("JSON")
}

fn standings(result: &Value) -> Vec<&str> {
    let compared = result["compared"].as_array().map_or(&[][..], Vec::as_slice);
    compared.iter().filter_map(|of| of["standing"].as_str()).collect()
}

/// Closed loop: without a schedule there is no lateness that a busy machine could cause, and what the broker waits
/// is nearly all of the latency.
const SCENARIO: &str = "name: short\n\
     topics: {orders: {partitions: 3}}\n\
     load: [{hold: {rate: max, for: 1s}}]\n\
     producers: {shop: {topic: orders, payload: {size: 100B}, \
     client: {queue.buffering.max.messages: 100}}}\n\
     compare: {with: main, metrics: [produce.service.p50], tolerance: 30%}\n\
     expect:\n  \
       - produce.service.p50 no worse than main by 30%\n  \
       - produce.service.p50 no worse than other by 30%\n";

#[test]
fn a_run_that_is_worse_than_its_baseline_fails_and_one_without_a_baseline_is_warned_of() {
    testkit::alone!();
    let sandbox = Sandbox::new();
    sandbox
        .file("s.yaml", SCENARIO)
        .file("cluster.yaml", "kafka: embedded\nhosts: [{local: {}}]\n");
    let refused = sandbox.mallard(["validate", "s.yaml", "--results", "results"]);
    refused.assert_code(2);
    for said in ["s.yaml:7:39", "there is no baseline `main` in results", "s.yaml:5:17"] {
        assert!(refused.stderr.contains(said), "{said}: {refused}");
    }

    let first = run(&sandbox, "first", "80ms");
    first.assert_code(0);
    assert!(first.stderr.contains("warning: there is no baseline `main`"), "{first}");
    let of_first = result(&sandbox, "first");
    assert_eq!(standings(&of_first), ["not_judged", "not_judged"], "{of_first:#}");
    let warnings = of_first["warnings"].as_array().expect("warnings");
    assert!(warnings.iter().all(|of| of["code"] == "baseline_missing"), "{warnings:#?}");
    assert_eq!(warnings.len(), 2, "{warnings:#?}");

    sandbox.mallard(["baseline", "set", "main", "first"]).assert_code(0);
    let same = run(&sandbox, "same", "80ms");
    same.assert_code(0);
    let of_same = result(&sandbox, "same");
    assert_eq!(standings(&of_same), ["held", "not_judged"], "{of_same:#}");
    assert_eq!(of_same["comparisons"][0]["word"], "same", "{of_same:#}");
    let page = sandbox.path("results/same/comparison-main.html");
    assert!(page.is_file() && page.with_extension("json").is_file());

    let worse = run(&sandbox, "worse", "160ms");
    worse.assert_code(1);
    let of_worse = result(&sandbox, "worse");
    assert_eq!(standings(&of_worse), ["failed", "not_judged"], "{of_worse:#}");
    let sentence = of_worse["compared"][0]["sentence"].as_str().expect("a sentence");
    assert!(
        sentence.contains("30.0 % worse is allowed; 3 against 3 runs")
            && sentence.contains("kafka.deployed.round_trip"),
        "{sentence}"
    );
    assert_eq!(of_worse["compared"][0]["line"], 7);
    assert!(
        worse.stdout.contains("✗ short: produce.service.p50 no worse than main by 30%"),
        "{worse}"
    );
    let junit = std::fs::read_to_string(sandbox.path("results/worse/junit.xml")).expect("junit");
    let test = junit.split("<testcase name=\"produce.service.p50 no worse than main").nth(1);
    let end = test.and_then(|test| test.split("</testcase>").next()).expect("its test case");
    assert!(end.contains("<failure message=\"produce.service.p50 was"), "{junit}");

    // Once more from the archive: the same bytes.
    let report = sandbox.path("results/worse/report.html");
    let before = std::fs::read_to_string(&report).expect("a page");
    assert!(before.contains("Against baselines") && before.contains("comparison-main.html"));
    sandbox.mallard(["report", "worse"]).assert_code(0);
    assert_eq!(before, std::fs::read_to_string(&report).expect("a page"));
    sandbox.mallard(["validate", "s.yaml", "--results", "results"]).assert_code(2);
    sandbox.mallard(["baseline", "set", "other", "first"]).assert_code(0);
    sandbox.mallard(["validate", "s.yaml", "--results", "results"]).assert_code(0);
    follow(&sandbox);
}

/// The same runs over time: a broker that answers later breaks the series, and is no change of its own.
fn follow(sandbox: &Sandbox) {
    let metric = "produce.service.p50";
    let followed = sandbox.mallard(["trend", "short", "--metric", metric]);
    followed.assert_code(0);
    for said in ["short  produce.service.p50", "break: kafka.deployed.round_trip 80ms → 160ms"] {
        assert!(followed.stdout.contains(said), "{said}: {followed}");
    }
    let read = |end: &str| std::fs::read(sandbox.path(format!("results/trend-short.{end}")));
    let before = (read("html").expect("a page"), read("json").expect("JSON"));
    sandbox.mallard(["trend", "short", "--metric", metric]).assert_code(0);
    assert!(before == (read("html").expect("a page"), read("json").expect("JSON")));
    let unknown = sandbox.mallard(["trend", "shrt"]);
    unknown.assert_code(2);
    assert!(unknown.stderr.contains("did you mean `short`?"), "{unknown}");
    sandbox.file("results/accepted.yaml", "- {scenario: short, metric: x, run: a, reason: b}\n");
    let wrong = sandbox.mallard(["trend", "short"]);
    wrong.assert_code(2);
    assert!(wrong.stderr.contains("results/accepted.yaml:1:29"), "{wrong}");
}
