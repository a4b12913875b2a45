//! Two scenarios in turns, compared pair by pair.

use crate::world::PATIENCE;
use serde_json::Value;
use testkit::{mallard::Sandbox, process::Signal, wait};

/// Closed loop: without a schedule there is no lateness that a busy machine could cause. Few records wait in the client, so
/// that its latency is the broker's and the client's linger.
fn scenario(name: &str, linger_ms: u32) -> String {
    format!(
        "name: {name}\n\
         parameters: {{hold: 1s}}\n\
         topics: {{orders: {{partitions: 3}}}}\n\
         load: [{{hold: {{rate: max, for: $hold}}}}]\n\
         producers: {{shop: {{topic: orders, payload: {{size: 100B}}, \
         client: {{queue.buffering.max.messages: 100, linger.ms: \"{linger_ms}\"}}}}}}\n"
    )
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.file("quick.yaml", scenario("quick", 1)).file("slow.yaml", scenario("slow", 120));
    sandbox.file("cluster.yaml", "kafka: embedded\nhosts: [{local: {agents: 2}}]\n");
    sandbox
}

fn json(sandbox: &Sandbox, file: &str) -> Value {
    let text = std::fs::read(sandbox.path(format!("results/{file}")));
    let text = text.unwrap_or_else(|error| panic!("{file}: {error}"));
    serde_json::from_slice(&text).expect("JSON")
}

#[test]
fn a_slower_client_is_found_in_pairs_that_were_run_in_turns() {
    testkit::alone!();
    let sandbox = sandbox();
    let of = ["slow.yaml", "--against", "quick.yaml", "--pairs", "4"];
    let plan = sandbox.mallard([&["plan"][..], &of].concat());
    assert!(plan.stdout.contains("4 pairs in turns: base quick.yaml, new slow.yaml"), "{plan}");
    let listed = sandbox.mallard([&["list"][..], &of].concat()).stdout;
    let decide = ["--metric", "produce.service.p50", "--id", "turns"];
    let outcome = sandbox.mallard([&["run"][..], &of, &decide].concat());
    outcome.assert_code(1);
    assert!(outcome.stdout.contains("pair 4 of 4, "), "{outcome}");
    assert!(outcome.stdout.contains("worse: produce.service.p50"), "{outcome}");
    assert!(outcome.stdout.contains("pair by pair, produce.service.p50: "), "{outcome}");

    let run = json(&sandbox, "turns/run.json");
    let cases: Vec<&str> = run["cases"]
        .as_array()
        .expect("cases")
        .iter()
        .filter_map(|of| of["name"].as_str())
        .collect();
    assert_eq!(cases.join("\n") + "\n", listed, "they were run as they were planned");
    assert_eq!(run["comparisons"][0]["word"], "worse");
    let comparison = json(&sandbox, "turns/comparison.json");
    assert_eq!(comparison["pairs"]["complete"], 4);
    let case = &comparison["cases"][0];
    assert_eq!(case["case"], "quick → slow");
    let paths: Vec<&str> = case["differences"]
        .as_array()
        .expect("differences")
        .iter()
        .filter_map(|of| of["path"].as_str())
        .collect();
    assert!(paths.contains(&"plan.client.shop.linger.ms"), "{paths:?}");
    let gate = &case["figures"][0];
    assert_eq!((&gate["metric"], &gate["basis"]), (&"produce.service.p50".into(), &"pairs".into()));
    assert_eq!(gate["base_runs"].as_array().map(Vec::len), Some(4));
    let page = std::fs::read_to_string(sandbox.path("results/turns/comparison.html"));
    let page = page.expect("a page");
    assert!(page.contains("Pair by pair") && !page.contains("cry wolf?"));
    let report = std::fs::read_to_string(sandbox.path("results/turns/report.html"));
    assert!(report.expect("a page").contains("href=\"comparison.html\""));
}

#[test]
fn equal_sides_tell_how_often_the_lab_cries_wolf() {
    testkit::alone!();
    let sandbox = sandbox();
    // A tolerance that no lab misses: this is about what is said, not about this machine.
    let outcome = sandbox.mallard([
        "run",
        "quick.yaml",
        "--against",
        "quick.yaml",
        "--pairs",
        "3",
        "--tolerance",
        "100%",
        "--metric",
        "produce.acked.rate",
        "--seed",
        "7",
        "--id",
        "aa",
    ]);
    assert!(matches!(outcome.code(), Some(0 | 4)), "{outcome}");
    assert!(
        outcome
            .stdout
            .contains("A/A: both sides are the same; of 1 figure that decide none was called"),
        "{outcome}"
    );
    let comparison = json(&sandbox, "aa/comparison.json");
    let pairs = &comparison["cases"][0]["pairs"];
    assert_eq!((&pairs["is_same"], &comparison["pairs"]["seed"]), (&true.into(), &7.into()));
    assert_eq!(pairs["wolves"][0]["of"], 3);
    let page = std::fs::read_to_string(sandbox.path("results/aa/comparison.html"));
    assert!(page.expect("a page").contains("How often does this lab cry wolf?"));
}

#[test]
fn what_was_run_is_compared_when_somebody_interrupts_and_after_a_controller_was_killed() {
    testkit::alone!();
    let sandbox = sandbox();
    sandbox.file("cluster.yaml", "kafka: embedded\nhosts: [{local: {agents: 2}}]\nlease: 30s\n");
    let words = |id: &'static str| {
        ["run", "quick.yaml", "--against", "slow.yaml", "--pairs", "3", "--id", id]
    };
    let started = |id: &'static str| {
        let running = sandbox.spawn(words(id));
        let journal = sandbox.path(format!("results/{id}/events.jsonl"));
        wait::until("the second pair", PATIENCE, || {
            let text = std::fs::read_to_string(&journal).unwrap_or_default();
            (text.matches("\"event\":\"load_started\"").count() == 3).then_some(())
        });
        running
    };
    let running = started("broken");
    running.signal(Signal::INT);
    assert_eq!(running.wait(PATIENCE).code(), Some(130));
    let comparison = json(&sandbox, "broken/comparison.json");
    assert_eq!(comparison["pairs"]["complete"], 1, "{:#}", comparison["left_out"]);
    assert_eq!(comparison["word"], "unclear");

    let running = started("killed");
    running.signal(Signal::KILL);
    let _ = running.wait(PATIENCE);
    let resumed = sandbox.mallard(["resume", "killed"]);
    assert!(resumed.stdout.contains("3 of 3 pairs can be compared"), "{resumed}");
    assert_eq!(json(&sandbox, "killed/comparison.json")["pairs"]["complete"], 3);
}

#[test]
fn pairs_that_make_no_sense_are_refused() {
    let sandbox = sandbox();
    let refused = |words: &[&str], says: &str| {
        let outcome = sandbox.mallard([&["run", "quick.yaml"][..], words].concat());
        outcome.assert_code(2);
        assert!(outcome.stderr.contains(says), "{outcome}");
    };
    refused(&["--against", "slow.yaml"], "--pairs");
    refused(&["--pairs", "3"], "--against");
    refused(&["--against", "slow.yaml", "--pairs", "3", "--repeat", "2"], "--repeat");
    refused(&["--against", "nowhere.yaml", "--pairs", "3"], "nowhere.yaml");
    refused(&["--against", "slow.yaml", "--pairs", "3", "--against-set", "held=2s"], "held");
    refused(
        &["--against", "slow.yaml", "--pairs", "3", "--metric", "produce.respnse.p99"],
        "did you mean",
    );
    sandbox.file("two.yaml", scenario("two", 1) + "matrix: {hold: [1s, 2s]}\n");
    refused(&["--against", "two.yaml", "--pairs", "3"], "do not have the same cases");
}
