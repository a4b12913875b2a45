//! Runs on the embedded broker: what a newcomer sees first.

use crate::world::{PATIENCE, assert_accounts_add_up, codes, count, metric};
use std::{
    ffi::OsString,
    time::{Duration, Instant},
};
use testkit::mallard::Sandbox;

#[test]
fn the_quickstart_passes_and_leaves_a_complete_archive() {
    testkit::alone!();
    let sandbox = Sandbox::new();
    sandbox.shipped("scenarios").shipped("cluster.yaml");
    let outcome = sandbox.mallard(["run", "scenarios/quickstart.yaml"]);
    let run = sandbox.latest_run();
    run.assert_went_well(&outcome);
    assert!(outcome.stdout.contains("report: "), "{}", outcome.stdout);
    for file in ["report.html", "run.json", "junit.xml", "events.jsonl"] {
        assert!(run.path(file).is_file(), "{file} is missing");
    }
    for file in ["series.csv", "partitions.csv", "latency.hlog", "scenario.yaml", "cluster.yaml"] {
        assert!(run.cases()[0].join(file).is_file(), "{file} is missing");
    }
    let log = std::fs::File::open(run.cases()[0].join("agents/local-1/agent.log.gz"));
    let log = flate2::read::GzDecoder::new(log.expect("the agent's log"));
    let log = std::io::read_to_string(log).expect("it can be unpacked");
    assert!(log.contains(&format!("agent local-1 of run {}", run.id())), "{log}");
    assert!(sandbox.path("results/index.html").is_file());
    let result = run.only_result();
    assert_accounts_add_up(&result);
    assert_eq!(count(&result, "accounts/scheduled"), count(&result, "accounts/acked"));
    assert_eq!(count(&result, "accounts_whole/received"), count(&result, "accounts_whole/acked"));
    run.wait_for_no_orphans(PATIENCE);
    let left = sandbox.files_below(sandbox.home().join(".cache/mallard"));
    assert!(left.is_empty(), "left behind: {left:?}");
}

#[test]
fn a_report_made_again_is_the_same_byte_for_byte() {
    let sandbox = Sandbox::new();
    sandbox.file("s.yaml", short("expect: [records.lost == 0]"));
    let outcome = sandbox.mallard(["run", "s.yaml"]);
    sandbox.latest_run().assert_went_well(&outcome);
    let run = sandbox.latest_run();
    let before = (run.text("report.html"), run.text("junit.xml"));
    sandbox.mallard(["report", "latest"]).assert_code(0);
    assert_eq!(before, (run.text("report.html"), run.text("junit.xml")));
}

#[test]
fn an_expectation_that_does_not_hold_exits_1_and_says_value_and_limit() {
    let sandbox = Sandbox::new();
    // Closed loop: without a schedule there is no lateness that a busy machine could cause.
    let scenario = short("expect: [produce.acked.rate >= 1000000000/s]");
    sandbox.file("s.yaml", scenario.replace("rate: 200/s", "rate: max").replace("3s", "1s"));
    let outcome = sandbox.mallard(["run", "s.yaml"]);
    outcome.assert_code(1);
    assert!(outcome.stdout.contains("limit 1,000,000,000/s"), "{}", outcome.stdout);
    let expectation = &sandbox.latest_run().only_result()["expectations"][0];
    assert_eq!(expectation["passed"], false);
    assert!(expectation["margin"].as_f64().is_some_and(|margin| margin < -0.5), "{expectation}");
}

#[test]
fn a_known_round_trip_is_measured_as_what_it_is() {
    testkit::alone!();
    let sandbox = Sandbox::new();
    let cluster =
        "kafka: {embedded: {brokers: 1, round_trip: 80ms}}\nhosts: [{local: {agents: 2}}]\n";
    // With few requests in flight some records would wait for the answers to earlier ones, too.
    let unlimited =
        short("").replace("size: 100B}", "size: 100B}, client: {max.in.flight: 1000000}");
    sandbox.file("c.yaml", cluster).file("s.yaml", unlimited);
    let outcome = sandbox.mallard(["run", "s.yaml", "--cluster", "c.yaml"]);
    sandbox.latest_run().assert_went_well(&outcome);
    let result = sandbox.latest_run().only_result();
    // The client lingers 5 ms at most by default; what is left is the machine's own.
    for latency in ["produce.service.min", "produce.service.p50", "produce.response.p50"] {
        let us = metric(&result, latency);
        assert!((80_000.0..105_000.0).contains(&us), "{latency} is {us} µs");
    }
}

#[test]
fn warm_up_stays_out_of_accounts_and_rates_are_those_of_the_schedule() {
    let sandbox = Sandbox::new();
    sandbox.file("s.yaml", short(""));
    let outcome = sandbox.mallard(["run", "s.yaml"]);
    sandbox.latest_run().assert_went_well(&outcome);
    let result = sandbox.latest_run().only_result();
    assert_eq!(count(&result, "accounts/scheduled"), 600);
    assert_eq!(count(&result, "accounts_whole/scheduled"), 800);
    let rate = metric(&result, "produce.scheduled.rate");
    assert!((rate - 200.0).abs() < 0.5, "{rate}");
    let run = sandbox.latest_run().json("run.json");
    let spent = |stage: &str| count(&run, &format!("time/{stage}_us"));
    assert!(spent("load") >= 4_000_000, "the load alone: {:#}", run["time"]);
    let stages = ["setup", "drain", "results", "teardown", "report"];
    // Everything may have arrived when the load ends: then there is nothing to drain.
    let mut never_free = stages.iter().filter(|stage| **stage != "drain");
    assert!(never_free.all(|stage| spent(stage) > 0), "{:#}", run["time"]);
    let all = stages.iter().map(|stage| spent(stage)).sum::<u64>() + spent("load");
    let took = outcome.took.as_micros();
    assert!(u128::from(all) <= took, "no time is counted twice: {all} of {took}");
}

#[test]
fn mallard_may_open_as_many_files_as_it_may_at_all() {
    let mut sandbox = Sandbox::new();
    sandbox.file("s.yaml", short(""));
    sandbox.run_behind(["prlimit", "--nofile=256:4096", "--"].map(OsString::from).into());
    let mut running = sandbox.spawn(["run", "s.yaml"]);
    running.wait_for_output("load starts", PATIENCE);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", running.pid()));
    let limits = limits.expect("it runs");
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap_or_default();
    assert_eq!(files.matches("4096").count(), 2, "{limits}");
    let outcome = running.wait(PATIENCE);
    sandbox.latest_run().assert_went_well(&outcome);
}

/// What a run may cost beside its load. The README has figures; this is for a machine that does more.
const BESIDE_THE_LOAD: Duration = Duration::from_secs(15);

#[test]
fn a_run_takes_little_longer_than_its_load_even_if_there_is_next_to_none() {
    testkit::alone!();
    let next_to_nothing = "name: nothing\n\
         topics: {orders: {partitions: 1}}\n\
         load: [{hold: {rate: 100/s, for: 100ms}}]\n\
         producers: {shop: {topic: orders, payload: {size: 100B}}}\n";
    let loads = [(short(""), 4_000), (next_to_nothing.to_owned(), 100)];
    for (scenario, load_ms) in loads {
        let sandbox = Sandbox::new();
        sandbox.file("s.yaml", scenario);
        let outcome = sandbox.mallard(["run", "s.yaml"]);
        let run = sandbox.latest_run();
        run.assert_went_well(&outcome);
        assert!(run.path("report.html").is_file());
        let longest = Duration::from_millis(load_ms) + BESIDE_THE_LOAD;
        let time = &run.json("run.json")["time"];
        assert!(outcome.took < longest, "{:?}, of which {time:#}", outcome.took);
    }
}

#[test]
fn an_agent_with_a_thousand_partitions_takes_little_memory() {
    let sandbox = Sandbox::new();
    // One agent carries the broker and nothing else, the other one a producer and a consumer.
    sandbox.file("c.yaml", "kafka: embedded\nhosts: [{local: {agents: 2}}]\n");
    let scenario = short("").replace("partitions: 3", "partitions: 1000");
    sandbox.file("s.yaml", scenario.replace("200/s", "2000/s"));
    let outcome = sandbox.mallard(["run", "s.yaml", "--cluster", "c.yaml"]);
    sandbox.latest_run().assert_went_well(&outcome);
    let result = sandbox.latest_run().only_result();
    assert_eq!(result["partitions"].as_array().map(Vec::len), Some(1_000));
    let agents = result["agents"].as_array().expect("agents").iter();
    let mut loaded = agents.filter(|agent| agent["instances"].as_array().map(Vec::len) == Some(2));
    let loaded = loaded.next().unwrap_or_else(|| panic!("no agent has both: {result:#}"));
    let peak = loaded["memory_peak_bytes"].as_u64().expect("its memory");
    // What librdkafka's queues hold at this rate is less than a megabyte of it.
    assert!(peak < 64 << 20, "{} MiB", peak >> 20);
}

#[test]
fn two_hundred_instances_in_an_agent_wait_without_spinning() {
    let sandbox = Sandbox::new();
    sandbox.file("c.yaml", "kafka: embedded\nhosts: [{local: {agents: 1}}]\n");
    let scenario = "name: many\n\
         topics: {orders: {partitions: 6}}\n\
         load: [{warm-up: {rate: 1000/s, for: 2s}}, {hold: {rate: 1000/s, for: 4s}}]\n\
         producers: {shop: {topic: orders, instances: 200, payload: {size: 100B}}}\n";
    sandbox.file("s.yaml", scenario);
    let mut running = sandbox.spawn(["run", "s.yaml", "--cluster", "c.yaml"]);
    let run = sandbox.wait_for_run(PATIENCE);
    let (mut threads, deadline) = (0, Instant::now() + 2 * PATIENCE);
    while running.is_running() && Instant::now() < deadline {
        for process in run.processes() {
            let tasks = std::fs::read_dir(format!("/proc/{}/task", process.pid));
            threads = threads.max(tasks.map_or(0, Iterator::count));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let outcome = running.wait(PATIENCE);
    run.assert_went_well(&outcome);
    let result = run.only_result();
    assert_accounts_add_up(&result);
    assert_eq!(count(&result, "accounts/scheduled"), 4_000);
    assert_eq!(count(&result, "accounts/acked"), 4_000);
    // Of each two are Mallard's own, and a handful librdkafka's. All of them sleep but for a few moments.
    assert!((200..200 * 8 + 100).contains(&threads), "{threads} threads");
    let cores = result["agents"][0]["cpu_cores_mean"].as_f64().expect("its CPU");
    assert!(cores < 0.8, "{cores} cores for 1,000 records a second");
}

#[test]
fn a_missing_agent_exits_2_and_says_how_to_get_it() {
    let sandbox = Sandbox::new();
    sandbox.file("s.yaml", short(""));
    let outcome = sandbox.mallard(["run", "s.yaml", "--agent", "/nowhere/mallard-agent"]);
    outcome.assert_code(2);
    assert!(outcome.stderr.contains("cargo build --release"), "{}", outcome.stderr);
    assert!(sandbox.runs().is_empty(), "nothing was touched");
}

#[test]
fn a_property_that_librdkafka_refuses_is_shown_with_its_line_before_any_load() {
    let sandbox = Sandbox::new();
    let scenario = short("").replace("payload:", "client: {linger.mss: 5}, payload:");
    sandbox.file("s.yaml", scenario);
    for command in ["run", "validate"] {
        let outcome = sandbox.mallard([command, "s.yaml"]);
        outcome.assert_code(2);
        assert!(outcome.stderr.contains("linger.mss"), "{}", outcome.stderr);
        assert!(outcome.stderr.contains("s.yaml:8:"), "{}", outcome.stderr);
    }
    assert!(sandbox.runs().is_empty(), "nothing was touched");
}

#[test]
fn two_runs_at_once_in_one_folder_do_not_disturb_each_other() {
    let sandbox = Sandbox::new();
    sandbox.file("s.yaml", short("expect: [records.lost == 0]"));
    let first = sandbox.spawn(["run", "s.yaml", "--id", "first"]);
    let second = sandbox.spawn(["run", "s.yaml", "--id", "second"]);
    let outcomes = [first.wait(PATIENCE), second.wait(PATIENCE)];
    assert_eq!(sandbox.runs().len(), 2);
    for (run, outcome) in sandbox.runs().iter().zip(&outcomes) {
        run.assert_went_well(outcome);
        assert_accounts_add_up(&run.only_result());
        assert!(run.path("report.html").is_file());
    }
}

#[test]
fn closed_loop_says_so_and_has_no_slip() {
    let sandbox = Sandbox::new();
    let scenario = short("").replace("rate: 200/s", "rate: max");
    sandbox.file("s.yaml", scenario.replace("for: 3s", "for: 2s"));
    let outcome = sandbox.mallard(["run", "s.yaml"]);
    let result = sandbox.latest_run().only_result();
    assert_eq!(result["closed_loop"], true, "{}", outcome.stdout);
    assert_accounts_add_up(&result);
    assert!(!codes(&result).contains(&"accounts_do_not_add_up"));
}

/// A scenario of 4 s at 200/s, the first of them a warm-up.
fn short(more: &str) -> String {
    format!(
        "name: short\n\
         topics:\n  orders: {{partitions: 3}}\n\
         load:\n  - warm-up: {{rate: 200/s, for: 1s}}\n  - hold: {{rate: 200/s, for: 3s}}\n\
         producers:\n  shop: {{topic: orders, payload: {{size: 100B}}}}\n\
         consumers:\n  billing: {{topics: [orders], group: billing}}\n\
         {more}\n"
    )
}
