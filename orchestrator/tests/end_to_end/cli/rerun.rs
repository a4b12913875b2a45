//! Runs that repeat what did not pass.

use serde_json::Value;
use testkit::mallard::Sandbox;

fn scenario(sandbox: &Sandbox, least: &str) {
    let text = format!(
        "name: short\n\
         matrix: {{rate: [100/s, 200/s]}}\n\
         parameters: {{rate: 100/s}}\n\
         topics: {{orders: {{}}}}\n\
         load: [{{hold: {{rate: $rate, for: 2s}}}}]\n\
         producers: {{shop: {{topic: orders, payload: {{size: 100B}}}}}}\n\
         expect: [produce.acked.rate >= {least}]\n"
    );
    sandbox.file("s.yaml", text);
}

fn run_json(sandbox: &Sandbox, id: &str) -> Value {
    let text = std::fs::read(sandbox.path(format!("results/{id}/run.json"))).expect("run.json");
    serde_json::from_slice(&text).expect("JSON")
}

#[test]
fn what_failed_is_run_again_and_is_flaky_once_it_passes() {
    testkit::alone!();
    let sandbox = Sandbox::new();
    sandbox.file("cluster.yaml", "kafka: embedded\nhosts: [{local: {}}]\n");
    sandbox.mallard(["run", "--rerun", "latest"]).assert_code(2);
    sandbox.mallard(["run"]).assert_code(2);
    scenario(&sandbox, "150/s");
    sandbox.mallard(["run", "s.yaml", "--id", "first"]).assert_code(1);

    let second = sandbox.mallard(["run", "--rerun", "latest", "--id", "second"]);
    second.assert_code(1);
    let of_second = run_json(&sandbox, "second");
    assert_eq!(of_second["parent"], "first");
    let cases = of_second["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), 1, "what passed is not run again: {cases:#?}");
    assert_eq!(cases[0]["earlier"][0]["run_id"], "first");

    // The lab is better now: the same case holds what it did not hold before.
    scenario(&sandbox, "50/s");
    let third = sandbox.mallard([
        "run",
        "s.yaml",
        "--rerun",
        "second",
        "--id",
        "third",
        "--only",
        "*rate=100*",
    ]);
    third.assert_code(0);
    assert!(third.stdout.contains("flaky, passed after it had failed: short@rate=100"), "{third}");
    let of_third = run_json(&sandbox, "third");
    let earlier = of_third["cases"][0]["earlier"].as_array().expect("attempts");
    let runs: Vec<_> = earlier.iter().filter_map(|of| of["run_id"].as_str()).collect();
    assert_eq!(runs, ["first", "second"]);
    assert!(of_third["sentence"].as_str().is_some_and(|of| of.starts_with("pass: flaky")));
    let read = |file: &str| std::fs::read_to_string(sandbox.path(format!("results/third/{file}")));
    let junit = read("junit.xml").expect("junit");
    assert_eq!(junit.matches("<flakyFailure").count(), 2, "{junit}");
    let page = read("report.html").expect("a page");
    assert!(page.contains("<h1>flaky</h1>") && page.contains("../first/report.html"));
    let nothing = sandbox.mallard(["run", "--rerun", "third"]);
    nothing.assert_code(0);
    assert!(nothing.stdout.contains("nothing to run again"), "{nothing}");
}
