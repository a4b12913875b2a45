//! `mallard compare` and `mallard baseline` on runs that were measured on the embedded broker.

use serde_json::Value;
use testkit::{mallard::Sandbox, process::Finished};

/// Two runs of three rounds each: on a quick broker and, if asked for, on one with a long round trip.
fn measured(base: &str, new: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    // Closed loop: without a schedule there is no lateness that a busy machine could cause. Few records wait in
    // the client, so that its latency is the broker's.
    let scenario = "name: short\n\
         topics: {orders: {partitions: 3}}\n\
         load: [{hold: {rate: max, for: 1s}}]\n\
         producers: {shop: {topic: orders, payload: {size: 100B}, \
         client: {queue.buffering.max.messages: 100}}}\n";
    sandbox.file("s.yaml", scenario);
    for (id, broker) in [("before", base), ("after", new)] {
        let cluster = format!("kafka: {broker}\nhosts: [{{local: {{agents: 2}}}}]\n");
        sandbox.file(&format!("{id}.yaml"), cluster);
        let cluster = format!("{id}.yaml");
        let words = ["run", "s.yaml", "--cluster", &*cluster, "--id", id, "--repeat", "3"];
        let outcome = sandbox.mallard(words);
        assert!(matches!(outcome.code(), Some(0)), "{outcome}");
    }
    sandbox
}

fn comparison(sandbox: &Sandbox, words: &[&str]) -> (Finished, Value) {
    let outcome = sandbox.mallard(words);
    let json = std::fs::read(sandbox.path("results/after/comparison.json"));
    let json = json.unwrap_or_else(|error| panic!("{error}: {outcome}"));
    (outcome, serde_json::from_slice(&json).expect("JSON"))
}

#[test]
fn a_slower_broker_is_found_named_and_held_against_a_baseline() {
    testkit::alone!();
    let sandbox = measured("embedded", "{embedded: {brokers: 1, round_trip: 80ms}}");
    let run: Value = sandbox.latest_run().json("run.json");
    let fingerprint = &run["cases"][2]["fingerprint"];
    assert_eq!(fingerprint["kafka"]["of"]["kind"], "embedded", "{fingerprint:#}");
    assert_eq!(fingerprint["plan"]["of"]["topics"]["orders"]["partitions"], "3");
    assert_eq!(fingerprint["tools"]["digest"].as_str().map(str::len), Some(32));

    sandbox.mallard(["baseline", "set", "main", "before", "--remark", "quick"]).assert_code(0);
    let listed = sandbox.mallard(["baseline", "list"]);
    assert!(listed.stdout.contains("main") && listed.stdout.contains("quick"), "{listed}");

    let asked = ["compare", "main", "--with", "latest", "--metric", "produce.service.p50"];
    let (outcome, first) = comparison(&sandbox, &asked);
    outcome.assert_code(1);
    assert!(outcome.stdout.contains("worse: produce.service.p50"), "{outcome}");
    let differs = outcome.stdout.find("differs: kafka.deployed").expect("what differs");
    assert!(differs < outcome.stdout.find("metric").expect("the table"), "{outcome}");
    let case = &first["cases"][0];
    assert_eq!(case["case"], "short");
    assert_eq!(case["base"].as_array().map(Vec::len), Some(3));
    assert!(sandbox.path("results/after/comparison.html").is_file());
    let (_, second) = comparison(&sandbox, &asked);
    assert_eq!(first, second, "the same archives give the same comparison");

    let on_purpose = ["compare", "main", "--with", "after", "--across", "kafka.deployed"];
    let (outcome, _) = comparison(&sandbox, &on_purpose);
    assert!(outcome.stdout.contains("varied: kafka.deployed"), "{outcome}");
    let json = sandbox.mallard(["compare", "main", "--with", "after", "--json"]);
    let printed: Value = serde_json::from_str(&json.stdout).expect("JSON and nothing else");
    assert_eq!(printed["schema_version"], 1);
    sandbox.mallard(["baseline", "remove", "main"]).assert_code(0);
    sandbox.mallard(["compare", "main", "--with", "after"]).assert_code(2);
}

#[test]
fn mistakes_are_refused_with_what_is_allowed() {
    let sandbox = Sandbox::new();
    std::fs::create_dir_all(sandbox.path("results/a")).expect("a folder");
    std::fs::write(sandbox.path("results/a/events.jsonl"), "").expect("a journal");
    let refused = |words: &[&str], says: &str| {
        let outcome = sandbox.mallard(words);
        outcome.assert_code(2);
        assert!(outcome.stderr.contains(says), "{outcome}");
    };
    refused(
        &["compare", "a", "--with", "nowhere"],
        "nor is there a baseline of that name: none is set",
    );
    refused(&["compare", "a", "--with", "a"], "run a is on both sides");
    refused(&["compare", "a"], "--with");
    refused(
        &["compare", "a", "--with", "b", "--metric", "produce.respnse.p99"],
        "did you mean produce.response.p99?",
    );
    refused(
        &["compare", "a", "--with", "b", "--tolerance", "5ms"],
        "expected a share from 0 to 100 %",
    );
    refused(&["baseline", "set", "main", "a"], "is not over");
    refused(&["baseline", "set", "latest", "a"], "means something else");
    refused(&["baseline", "remove", "main"], "there is no baseline main");
    std::fs::create_dir_all(sandbox.path("results/b")).expect("a folder");
    std::fs::write(sandbox.path("results/b/events.jsonl"), "").expect("a journal");
    let outcome = sandbox.mallard(["compare", "a", "--with", "b"]);
    outcome.assert_code(4);
    assert!(outcome.stdout.contains("nothing could be compared"), "{outcome}");
}
