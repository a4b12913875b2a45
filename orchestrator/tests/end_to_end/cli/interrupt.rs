//! Ctrl-C, once and twice.

use crate::world::{PATIENCE, assert_accounts_add_up, cluster_file, sandbox, steady, under_load};
use std::time::Duration;
use testkit::{
    kafka,
    mallard::{Run, Sandbox},
    process::Signal,
};

#[test]
fn ctrl_c_stops_the_load_writes_the_report_and_exits_130() {
    testkit::require!(kafka);
    let kafka = kafka::shared(3);
    let sandbox = sandbox(&steady("200/s", "60s", ""), &cluster_file(kafka, 2, ""));
    let run = interrupted(&sandbox, 1);
    let result = run.only_result();
    assert_accounts_add_up(&result);
    assert_eq!(result["verdict"], "interrupted");
    assert!(run.path("report.html").is_file());
    assert!(!kafka.list_topics().iter().any(|topic| topic.contains(&run.id())));
    run.wait_for_no_orphans(PATIENCE);
}

#[test]
fn ctrl_c_twice_kills_the_agents_and_still_leaves_neither_process_nor_topic() {
    testkit::require!(kafka);
    let kafka = kafka::shared(3);
    let sandbox = sandbox(&steady("200/s", "60s", ""), &cluster_file(kafka, 2, ""));
    let run = interrupted(&sandbox, 2);
    assert!(run.path("report.html").is_file());
    // Whoever ends a run by force does not wait long for a broker that is slow to delete, but is told.
    let journal = run.text("events.jsonl");
    let is_told = |line: &str| line.contains("\"left_behind\"") && line.contains("topic ");
    let is_left = kafka.list_topics().iter().any(|topic| topic.contains(&run.id()));
    assert!(!is_left || journal.lines().any(is_told), "{journal}");
    run.wait_for_no_orphans(PATIENCE);
}

fn interrupted(sandbox: &Sandbox, times: u32) -> Run {
    let (running, run) = under_load(sandbox, 2);
    for _ in 0..times {
        running.signal(Signal::INT);
        std::thread::sleep(Duration::from_millis(100));
    }
    running.wait(PATIENCE).assert_code(130);
    run
}
