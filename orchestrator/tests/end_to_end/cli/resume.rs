//! The controller dies, or leaves; then the archive is read.

use crate::world::{
    PATIENCE, RUN, assert_accounts_add_up, assert_nothing_is_lost, codes, count, sandbox, steady,
    wait_for_intervals,
};
use serde_json::Value;
use std::time::Duration;
use testkit::{
    mallard::{Run, Sandbox},
    process::{Running, Signal},
    wait,
};

fn embedded(lease: &str) -> String {
    format!("kafka: embedded\nhosts: [{{local: {{agents: 2}}}}]\nlease: {lease}\n")
}

/// A run that is killed on the spot some seconds into its load.
fn killed(sandbox: &Sandbox, more: &[&str]) -> Run {
    let mut running: Running = sandbox.spawn([&RUN[..], more].concat());
    running.wait_for_output("load starts", PATIENCE);
    let run = sandbox.latest_run();
    wait_for_intervals(&run, 3);
    running.signal(Signal::KILL);
    assert_eq!(running.wait(PATIENCE).code(), None);
    run
}

#[test]
fn a_run_whose_controller_was_killed_is_taken_over_and_ends_as_if_nothing_had_happened() {
    let sandbox = sandbox(&steady("200/s", "12s", ""), &embedded("30s"));
    let run = killed(&sandbox, &[]);
    let status = sandbox.mallard(["status"]);
    assert!(status.stdout.contains("mallard resume"), "{}", status.stdout);
    let mut resumed = sandbox.spawn(["resume", "latest"]);
    resumed.wait_for_output("taken over", PATIENCE);
    let second = sandbox.mallard(["resume", "latest"]);
    second.assert_code(2);
    assert!(second.stderr.contains("runs it"), "{}", second.stderr);
    let status = sandbox.mallard(["status", "latest"]);
    assert!(status.stdout.contains("runs (process"), "{}", status.stdout);
    run.assert_went_well(&resumed.wait(PATIENCE));
    assert_nothing_is_lost(&run.only_result(), 13 * 200);
    run.assert_no_hole();
    let page = std::fs::read_to_string(run.path("report.html")).expect("a page");
    assert!(page.contains("another one has taken over"), "the page says so");
    let again = sandbox.mallard(["resume", "latest"]);
    again.assert_code(2);
    assert!(again.stderr.contains("it is over"), "{}", again.stderr);
    run.wait_for_no_orphans(PATIENCE);
}

#[test]
fn cases_that_were_judged_stay_and_those_that_are_left_are_run() {
    let sandbox = sandbox(&steady("200/s", "4s", ""), &embedded("30s"));
    let mut running = sandbox.spawn([&RUN[..], &["--repeat", "3"]].concat());
    running.wait_for_output("load starts", PATIENCE);
    let run = sandbox.latest_run();
    wait::until("the second case's load", PATIENCE, || {
        let journal = std::fs::read_to_string(run.path("events.jsonl")).unwrap_or_default();
        (journal.matches("\"event\":\"load_started\"").count() == 2).then_some(())
    });
    running.signal(Signal::KILL);
    assert_eq!(running.wait(PATIENCE).code(), None);
    let first = std::fs::read(run.cases()[0].join("result.json")).expect("the first result");
    run.assert_went_well(&sandbox.mallard(["resume", "latest"]));
    assert_eq!(std::fs::read(run.cases()[0].join("result.json")).expect("it"), first);
    assert_eq!(run.cases().len(), 3);
    for case in run.cases() {
        let text = std::fs::read_to_string(case.join("result.json")).expect("a result");
        assert_nothing_is_lost(&serde_json::from_str(&text).expect("JSON"), 1_000);
    }
    run.assert_no_hole();
    run.wait_for_no_orphans(PATIENCE);
}

/// Takes a run over that nobody was there for: what its agents kept is whole, and judged.
fn collect_what_was_kept(sandbox: &Sandbox, run: &Run) -> Value {
    let outcome = sandbox.mallard(["resume", "latest"]);
    outcome.assert_code(3);
    let result = run.only_result();
    assert!(codes(&result).contains(&"abandoned"), "{}", outcome.stdout);
    assert_accounts_add_up(&result);
    assert!(count(&result, "accounts_whole/acked") > 500, "{result:#}");
    run.assert_no_hole();
    run.wait_for_no_orphans(PATIENCE);
    result
}

#[test]
fn after_the_lease_what_the_agents_kept_is_collected_and_judged() {
    let sandbox = sandbox(&steady("200/s", "60s", ""), &embedded("2s"));
    let run = killed(&sandbox, &[]);
    run.wait_for_no_orphans(PATIENCE);
    collect_what_was_kept(&sandbox, &run);
    let left = sandbox.files_below(sandbox.home().join(".cache/mallard"));
    assert!(!left.iter().any(|file| file.to_string_lossy().contains("spool")), "{left:?}");
}

#[test]
fn after_the_lease_topics_are_deleted_and_what_was_measured_is_still_collected() {
    testkit::require!(kafka);
    let kafka = testkit::kafka::shared(3);
    let cluster = crate::world::cluster_file(kafka, 2, "lease: 2s");
    let sandbox = sandbox(&steady("200/s", "60s", ""), &cluster);
    let run = killed(&sandbox, &[]);
    let topics = || -> Vec<String> {
        let all = kafka.list_topics().into_iter();
        all.filter(|topic| topic.contains(&run.id())).collect()
    };
    assert_eq!(topics().len(), 1, "the topic is there while agents are");
    // The last one to go is the one that deletes.
    run.wait_for_no_orphans(PATIENCE * 2);
    assert_eq!(topics(), Vec::<String>::new());
    let result = collect_what_was_kept(&sandbox, &run);
    assert_eq!(count(&result, "accounts_whole/failed"), 0, "the load had ended before: {result:#}");
}

#[test]
fn what_a_killed_agent_left_on_disk_is_taken_in_and_nothing_counts_twice() {
    let scenario = steady("200/s", "60s", "on_agent_loss: continue");
    let sandbox = sandbox(&scenario, &embedded("30s"));
    let run = killed(&sandbox, &[]);
    let journal = std::fs::read_to_string(run.path("events.jsonl")).expect("a journal");
    let pids = journal.lines().filter_map(|line| {
        let event: Value = serde_json::from_str(line).ok()?;
        event["what"]["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok())
    });
    pids.for_each(|pid| testkit::process::send(pid, Signal::KILL));
    run.wait_for_no_orphans(PATIENCE);
    let outcome = sandbox.mallard(["resume", "latest"]);
    outcome.assert_code(3);
    let result = run.only_result();
    assert_accounts_add_up(&result);
    assert!(count(&result, "accounts_whole/acked") > 500, "{result:#}");
    assert!(outcome.stdout.contains("hands in what it left"), "{}", outcome.stdout);
    run.wait_for_no_orphans(PATIENCE);
}

#[test]
fn a_run_in_the_background_needs_no_terminal_and_can_be_watched() {
    let sandbox = sandbox(&steady("100/s", "4s", ""), &embedded("30s"));
    let begun = sandbox.mallard([&RUN[..], &["--detach"]].concat());
    begun.assert_code(0);
    assert!(begun.stdout.contains("runs in the background"), "{}", begun.stdout);
    let watched = sandbox.mallard(["status", "--follow"]);
    watched.assert_code(0);
    assert!(watched.stdout.contains("report: "), "{}", watched.stdout);
    let run = sandbox.latest_run();
    assert_nothing_is_lost(&run.only_result(), 500);
    let over = sandbox.mallard(["status"]);
    assert!(over.stdout.contains("is over"), "{}", over.stdout);
    run.wait_for_no_orphans(PATIENCE);
}

#[test]
fn a_mistake_is_told_before_anything_goes_to_the_background() {
    let sandbox = sandbox("name: x\nload: []\n", &embedded("30s"));
    let refused = sandbox.mallard([&RUN[..], &["--detach"]].concat());
    refused.assert_code(2);
    assert!(!sandbox.path("results").exists());
}

#[test]
fn files_that_were_changed_since_are_not_mistaken_for_those_of_the_run() {
    let sandbox = sandbox(&steady("200/s", "20s", ""), &embedded("4s"));
    let run = killed(&sandbox, &[]);
    sandbox.file("s.yaml", steady("300/s", "20s", ""));
    let refused = sandbox.mallard(["resume", "latest"]);
    refused.assert_code(2);
    assert!(refused.stderr.contains("s.yaml"), "{}", refused.stderr);
    run.wait_for_no_orphans(Duration::from_secs(30));
}
