//! Cases that machines share, and one run of all their parts.

use crate::world::PATIENCE;
use serde_json::Value;
use std::path::Path;
use testkit::{mallard::Sandbox, process::Signal};

/// Closed loop: without a schedule there is no lateness that a busy machine could cause.
fn scenario(sandbox: &Sandbox, hold: &str) {
    let text = format!(
        "name: short\n\
         matrix: {{partitions: [1, 2, 3]}}\n\
         parameters: {{partitions: 1}}\n\
         topics: {{orders: {{partitions: $partitions}}}}\n\
         load: [{{hold: {{rate: max, for: {hold}}}}}]\n\
         producers: {{shop: {{topic: orders, payload: {{size: 100B}}, \
         client: {{queue.buffering.max.messages: 100}}}}}}\n\
         expect: [produce.acked.rate >= 1/s]\n\
         across: [produce.acked.rate at every partitions >= 9000% of that at partitions=1]\n"
    );
    sandbox.file("s.yaml", text);
}

fn started() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.file("cluster.yaml", "kafka: embedded\nhosts: [{local: {}}]\n");
    scenario(&sandbox, "1s");
    sandbox
}

fn shard(sandbox: &Sandbox, of: &str, id: &str) {
    sandbox.mallard(["run", "s.yaml", "--shard", of, "--id", id]).assert_code(0);
}

fn run_json(sandbox: &Sandbox, id: &str) -> Value {
    let text = std::fs::read(sandbox.path(format!("results/{id}/run.json"))).expect("run.json");
    serde_json::from_slice(&text).expect("JSON")
}

fn names(of: &Value) -> Vec<String> {
    let cases = of["cases"].as_array().expect("cases");
    cases.iter().filter_map(|case| Some(case["name"].as_str()?.to_owned())).collect()
}

#[test]
fn shards_are_one_run_with_expectations_across_cases_judged_over_all() {
    testkit::alone!();
    let sandbox = started();
    let listed = |of: &str| sandbox.mallard(["list", "s.yaml", "--shard", of]).stdout;
    assert_eq!(listed("1/2"), "short@partitions=1\nshort@partitions=3\n");
    let plan = sandbox.mallard(["plan", "s.yaml", "--shard", "2/2", "--balance"]);
    assert!(plan.stdout.contains("shard 2 of 2, balanced by length: 1 of 3 cases"), "{plan}");
    for (of, id) in [("1/3", "one"), ("2/3", "two"), ("3/3", "three")] {
        shard(&sandbox, of, id);
    }
    let page = |id: &str| {
        let page = std::fs::read_to_string(sandbox.path(format!("results/{id}/report.html")));
        page.expect("a page")
    };
    assert!(page("two").contains("Shard 2 of 3: 1 of 3 cases."));
    assert_eq!(run_json(&sandbox, "two")["across"].as_array().map(Vec::len), Some(0));

    // The order in which they are named does not count. More partitions are not ninety times as fast.
    let merged = sandbox.mallard(["merge", "three", "one", "two", "--id", "whole"]);
    merged.assert_code(1);
    assert!(merged.stdout.contains("3 of 3 cases passed, 0 of 2 expectations across"), "{merged}");
    let whole = run_json(&sandbox, "whole");
    assert_eq!(names(&whole), ["short@partitions=1", "short@partitions=2", "short@partitions=3"]);
    assert_eq!(whole["verdict"], "fail");
    assert_eq!(whole["across"].as_array().map(Vec::len), Some(2));
    assert_eq!(whole["merged"][2]["run_id"], "three");
    let junit = std::fs::read_to_string(sandbox.path("results/whole/junit.xml")).expect("junit");
    assert_eq!(junit.matches("<testcase ").count(), 5, "{junit}");
    assert!(page("whole").contains("../two/report.html"));
    for case in names(&whole) {
        let folder = sandbox.path(format!("results/whole/cases/{case}"));
        assert!(folder.join("latency.hlog").is_file() && folder.join("series.csv").is_file());
    }
    reads_like_any_other(&sandbox);
}

/// Everything that reads runs reads a merged one, and counts its cases once.
fn reads_like_any_other(sandbox: &Sandbox) {
    let status = sandbox.mallard(["status", "whole"]);
    assert!(status.stdout.contains("whole is over"), "{status}");
    let before = std::fs::read(sandbox.path("results/whole/report.html")).expect("a page");
    sandbox.mallard(["report", "whole"]).assert_code(0);
    let after = std::fs::read(sandbox.path("results/whole/report.html")).expect("a page");
    assert_eq!(before, after);
    let trend = sandbox.mallard(["trend", "short", "--json"]);
    let trend: Value = serde_json::from_str(&trend.stdout).expect("JSON");
    assert_eq!(trend["runs"], 1, "the shards are the merged run");
    let compared = sandbox.mallard(["compare", "whole", "--with", "one", "--json"]);
    let compared: Value = serde_json::from_str(&compared.stdout).expect("JSON");
    assert_eq!(compared["cases"][0]["case"], "short@partitions=1", "{compared:#}");
    let again = sandbox.mallard(["run", "--rerun", "whole"]);
    again.assert_code(0);
    assert!(again.stdout.contains("nothing to run again"), "{again}");
    let over = sandbox.mallard(["resume", "whole"]);
    over.assert_code(2);
}

#[test]
fn shards_that_do_not_belong_together_are_refused_by_name() {
    testkit::alone!();
    let sandbox = started();
    for (of, id) in [("1/5", "one"), ("4/5", "four")] {
        shard(&sandbox, of, id);
    }
    let four = run_json(&sandbox, "four");
    assert_eq!(four["verdict"], "pass", "a part without cases passes: {four:#}");
    assert!(four["sentence"].as_str().is_some_and(|of| of.contains("falls to shard 4 of 5")));
    let refused = |words: &[&str], says: &[&str]| {
        let outcome = sandbox.mallard(words);
        outcome.assert_code(2);
        says.iter().for_each(|says| assert!(outcome.stderr.contains(says), "{outcome}"));
    };
    refused(&["merge", "one", "four"], &["shards 2, 3, 5 of 5 are missing"]);
    refused(&["merge", "one", "one", "four"], &["shard 1 is there 2 times: one, one"]);
    refused(&["merge", "one", "nowhere"], &["find the run nowhere"]);
    refused(&["run", "s.yaml", "--shard", "0/5"], &["such as 2/5"]);
    refused(&["run", "s.yaml", "--balance"], &["--shard"]);

    sandbox.mallard(["run", "s.yaml", "--only", "*=3", "--id", "alone"]).assert_code(0);
    refused(&["merge", "one", "alone"], &["alone is no shard"]);
    scenario(&sandbox, "2s");
    shard(&sandbox, "2/5", "two");
    refused(&["merge", "one", "two"], &["one and two are of different plans: `load` differs"]);
    let kept = |id: &str| Path::new(&sandbox.path(format!("results/{id}/run.json"))).is_file();
    assert!(kept("one") && kept("four"), "shards stay as they are");
    let folders = std::fs::read_dir(sandbox.path("results")).expect("an archive").flatten();
    let strays =
        folders.filter(|entry| entry.file_name().to_string_lossy().starts_with(".merging"));
    assert_eq!(strays.count(), 0);
}

#[test]
fn a_shard_that_was_interrupted_is_taken_as_it_is() {
    let sandbox = started();
    scenario(&sandbox, "30s");
    let mut running = sandbox.spawn(["run", "s.yaml", "--shard", "1/1", "--id", "only"]);
    running.wait_for_output("load starts", PATIENCE);
    sandbox.mallard(["merge", "only"]).assert_code(2);
    running.signal(Signal::INT);
    assert_eq!(running.wait(PATIENCE).code(), Some(130));
    let merged = sandbox.mallard(["merge", "only", "--id", "whole"]);
    merged.assert_code(130);
    assert!(merged.stdout.contains("short@partitions=2 has no value of it"), "{merged}");
    let whole = run_json(&sandbox, "whole");
    assert_eq!((names(&whole).len(), &whole["verdict"]), (1, &"interrupted".into()));
    let reasons = whole["reasons"].to_string();
    assert!(reasons.contains("2 cases were not started"), "{reasons}");
}
