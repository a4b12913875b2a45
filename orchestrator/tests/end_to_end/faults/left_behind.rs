//! However a run ends, nothing of it stays on the brokers.

use crate::world::{
    PATIENCE, RUN, assert_nothing_is_lost, cluster_file, sandbox, steady, under_load,
};
use std::{
    thread,
    time::{Duration, Instant},
};
use testkit::{
    kafka::{self, KafkaCluster},
    mallard::{Run, Sandbox},
    process::{self, Running, Signal},
};

/// Brokers that let a new group wait for more members, so that consumers join for so long.
fn brokers_that_wait() -> KafkaCluster {
    KafkaCluster::start_with(1, &[("group.initial.rebalance.delay.ms", "3000")])
}

/// A load whose consumers' sessions are over soon.
fn short_sessions(hold: &str, more: &str) -> String {
    let scenario = steady("200/s", hold, more);
    let short = "client: {session.timeout.ms: \"6000\"}";
    scenario.replace(
        "group: billing, instances: 2}",
        &format!("group: billing, instances: 2, {short}}}"),
    )
}

/// Topics and groups of a run.
fn on_brokers(kafka: &KafkaCluster, run: &Run) -> Vec<String> {
    let all = kafka.list_topics().into_iter().chain(kafka.list_groups());
    all.filter(|name| name.contains(&run.id())).collect()
}

/// A run whose consumers are joining their group.
fn joining(sandbox: &Sandbox) -> (Running, Run) {
    let mut running = sandbox.spawn(RUN);
    running.wait_for_output("waiting for consumers to get their partitions", PATIENCE);
    let run = sandbox.latest_run();
    thread::sleep(Duration::from_secs(1));
    (running, run)
}

#[test]
fn ctrl_c_while_consumers_join_leaves_nothing_and_does_not_take_long() {
    testkit::require!(kafka);
    let kafka = brokers_that_wait();
    let sandbox = sandbox(&steady("200/s", "30s", ""), &cluster_file(&kafka, 2, ""));
    for times in [1, 2] {
        let (running, run) = joining(&sandbox);
        let asked = Instant::now();
        for _ in 0..times {
            running.signal(Signal::INT);
            thread::sleep(Duration::from_millis(100));
        }
        let outcome = running.wait(PATIENCE);
        outcome.assert_code(130);
        assert!(asked.elapsed() < Duration::from_secs(12), "{:?}: {outcome}", asked.elapsed());
        assert_eq!(on_brokers(&kafka, &run), Vec::<String>::new(), "{times}: {outcome}");
        run.wait_for_no_orphans(PATIENCE);
    }
}

#[test]
fn ctrl_c_twice_under_load_leaves_neither_topics_nor_groups() {
    testkit::require!(kafka);
    let kafka = kafka::shared(3);
    let sandbox = sandbox(&steady("200/s", "60s", ""), &cluster_file(kafka, 2, ""));
    let (running, run) = under_load(&sandbox, 2);
    for _ in 0..2 {
        running.signal(Signal::INT);
        thread::sleep(Duration::from_millis(100));
    }
    let outcome = running.wait(PATIENCE);
    outcome.assert_code(130);
    assert_eq!(on_brokers(kafka, &run), Vec::<String>::new(), "{outcome}");
    let left = sandbox.files_below(sandbox.home().join(".cache/mallard/runs"));
    assert!(left.is_empty(), "{left:?}");
    run.wait_for_no_orphans(PATIENCE);
}

#[test]
fn members_of_a_killed_agent_are_waited_for_and_that_is_said_with_its_time() {
    testkit::require!(kafka);
    let kafka = kafka::shared(3);
    let scenario = short_sessions("6s", "on_agent_loss: continue");
    let sandbox = sandbox(&scenario, &cluster_file(kafka, 2, ""));
    // So late that its session outlasts the load.
    let (running, run) = under_load(&sandbox, 6);
    process::send(agent(&run, "local-2"), Signal::KILL);
    let outcome = running.wait(PATIENCE);
    assert_eq!(on_brokers(kafka, &run), Vec::<String>::new(), "{outcome}");
}

#[test]
fn clean_waits_for_members_that_nobody_can_make_leave() {
    testkit::require!(kafka);
    let kafka = kafka::shared(3);
    let scenario = short_sessions("60s", "").replace("\"6000\"", "\"12000\"");
    let sandbox = sandbox(&scenario, &cluster_file(kafka, 2, ""));
    let (running, run) = under_load(&sandbox, 2);
    kill_all(running, &run);
    let cleaned = sandbox.mallard(["clean", "c.yaml", "--run", &run.id(), "--yes", "--discard"]);
    cleaned.assert_code(0);
    assert!(cleaned.stdout.contains("waiting up to"), "its members' sessions go on: {cleaned}");
    assert_eq!(on_brokers(kafka, &run), Vec::<String>::new(), "{cleaned}");
}

#[test]
fn a_run_that_was_killed_in_set_up_with_its_agents_finds_its_topic_again() {
    testkit::require!(kafka);
    let kafka = brokers_that_wait();
    let sandbox = sandbox(&short_sessions("2s", ""), &cluster_file(&kafka, 2, ""));
    let (running, run) = joining(&sandbox);
    kill_all(running, &run);
    assert!(kafka.list_topics().iter().any(|topic| topic.contains(&run.id())));
    let resumed = sandbox.mallard(["resume", "latest"]);
    assert!(!resumed.stdout.contains("already exists"), "{resumed}");
    assert_nothing_is_lost(&run.only_result(), 600);
    assert_eq!(on_brokers(&kafka, &run), Vec::<String>::new(), "{resumed}");
    run.wait_for_no_orphans(PATIENCE);
}

fn kill_all(running: Running, run: &Run) {
    running.signal(Signal::KILL);
    assert_eq!(running.wait(PATIENCE).code(), None);
    run.processes().iter().for_each(|process| process::send(process.pid, Signal::KILL));
    run.wait_for_no_orphans(PATIENCE);
}

/// The process of an agent, by its name on its own command line.
fn agent(run: &Run, name: &str) -> u32 {
    let processes = run.processes();
    let daemon = processes.iter().find(|process| {
        process.command_line.contains("daemon") && process.command_line.contains(name)
    });
    daemon.unwrap_or_else(|| panic!("no daemon of {name} among {processes:?}")).pid
}
