//! What agents can do, found by running them; and what is made of it.

use crate::world::codes;
use serde_json::Value;
use testkit::mallard::Sandbox;

const CLUSTER: &str = "kafka: embedded\nhosts: [{local: {agents: 1}}]\n";

#[test]
fn a_ceiling_is_found_and_kept_and_plans_and_runs_beyond_it_are_doubted() {
    testkit::alone!();
    let sandbox = Sandbox::new();
    sandbox.file("c.yaml", CLUSTER);
    let outcome = sandbox.mallard(["calibrate", "c.yaml", "--seconds", "1"]);
    outcome.assert_code(0);
    assert!(outcome.stdout.contains("safe (70 %)"), "{}", outcome.stdout);
    let kept = sandbox.home().join(".local/share/mallard/calibration.json");
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(kept).unwrap()).unwrap();
    let host = kept["hosts"].as_object().and_then(|hosts| hosts.values().next());
    let found = host.and_then(Value::as_object).and_then(|builds| builds.values().next());
    let ceiling = found.and_then(|found| found["alone"]["small_per_s"].as_f64());
    let ceiling = ceiling.unwrap_or_else(|| panic!("no ceiling is kept: {kept:#}"));
    assert!(ceiling > 1_000.0, "{kept:#}");
    let clock_error_us = found.and_then(|found| found["clock_error_us"].as_u64());
    assert_eq!(clock_error_us, Some(0), "agent and controller share a clock: {kept:#}");
    assert!(sandbox.files_below(sandbox.temporary()).is_empty(), "its runs are not kept");

    let asked = |rate: f64| {
        format!(
            "name: asked\n\
             topics: {{orders: {{partitions: 6}}}}\n\
             load: [{{hold: {{rate: {rate:.0}/s, for: 2s}}}}, {{drain: {{within: 1s}}}}]\n\
             producers: {{shop: {{topic: orders, payload: {{size: 100B}}}}}}\n"
        )
    };
    sandbox.file("calm.yaml", asked(ceiling / 10.0)).file("wild.yaml", asked(ceiling * 20.0));
    let plan = |scenario: &str| sandbox.mallard(["plan", scenario, "--cluster", "c.yaml"]);
    assert!(!plan("calm.yaml").stderr.contains("mallard calibrate"));
    let warned = plan("wild.yaml");
    warned.assert_code(0);
    assert!(
        warned.stderr.contains("that `mallard calibrate` found it can send"),
        "{}",
        warned.stderr
    );

    let outcome = sandbox.mallard(["run", "wild.yaml", "--cluster", "c.yaml"]);
    // What it could not send is given up at the end, which a busy machine may not manage in time.
    assert!(matches!(outcome.code(), Some(3 | 4)), "{outcome}");
    let result = sandbox.latest_run().only_result();
    let codes = codes(&result);
    assert!(codes.contains(&"ceiling_reached"), "{codes:?}");
}
