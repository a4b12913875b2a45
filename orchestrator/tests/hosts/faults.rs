//! What happens to hosts, wires and the controller in real life, done on purpose; then the archive is read.

use crate::world::{self, PATIENCE, RUN};
use serde_json::Value;
use std::{fs, time::Instant};
use testkit::{
    lab::Lab,
    mallard::{Run, Sandbox, codes},
    process::{self, Running, Signal},
    wait,
};

/// A run on all hosts of the lab, some intervals into its load.
fn begun(sandbox: &Sandbox) -> (Running, Run) {
    let mut running = sandbox.spawn(RUN);
    running.wait_for_output("load starts", PATIENCE);
    let run = sandbox.latest_run();
    wait::until("intervals in the journal", PATIENCE, || {
        (world::events(&run, "interval").len() >= 3).then_some(())
    });
    (running, run)
}

#[test]
fn a_run_whose_controller_was_killed_is_taken_over_from_hosts_with_a_complete_archive() {
    testkit::require!(netns, sshd, kafka);
    let lab = Lab::start(3);
    let kafka = lab.kafka(1);
    let hosts = "  - ssh: {name: 'load-[1-3]'}\nlease: 60s";
    let sandbox = world::sandbox(&lab, &kafka.bootstrap(), hosts);
    sandbox.file("s.yaml", world::steady("10s", ""));
    let (running, run) = begun(&sandbox);
    running.signal(Signal::KILL);
    assert_eq!(running.wait(PATIENCE).code(), None);
    let status = sandbox.mallard(["status"]).expect_code(0);
    assert!(status.stdout.contains("mallard resume"), "{status}");
    let resumed = sandbox.mallard(["resume", "latest"]);
    assert!(resumed.stdout.contains("taken over"), "{resumed}");
    run.assert_went_well(&resumed);
    world::assert_complete(&run.only_result(), 11 * 200);
    run.assert_no_hole();
    world::assert_nothing_left(&lab, &sandbox);
}

#[test]
fn when_the_wire_to_a_host_is_cut_load_goes_on_and_the_archive_is_whole() {
    testkit::require!(netns, sshd, kafka);
    let lab = Lab::start(2);
    let kafka = lab.kafka(1);
    let hosts = "  - ssh: {name: 'load-[1-2]'}\nlease: 60s";
    let sandbox = world::sandbox(&lab, &kafka.bootstrap(), hosts);
    sandbox.file("s.yaml", world::steady("16s", ""));
    let (mut running, run) = begun(&sandbox);
    let masters = sandbox.temporary().display().to_string();
    let connections = || process::with_command_line(&masters).len();
    let before = connections();
    lab.host(2).cut();
    let cut = Instant::now();
    running.wait_for_output("channel to load-2 is broken", PATIENCE);
    let noticed = cut.elapsed();
    // Nothing says that the connection is dead but its silence.
    wait::until("the end of dead connections", PATIENCE, || (connections() < before).then_some(()));
    let given_up = cut.elapsed();
    lab.host(2).heal();
    running.wait_for_output("channel to load-2 is back", PATIENCE);
    let back = cut.elapsed();
    println!(
        "cut: noticed after {noticed:.1?}, connection given up after {given_up:.1?}, back after {back:.1?}"
    );
    let outcome = running.wait(PATIENCE);
    run.assert_went_well(&outcome);
    let result = run.only_result();
    world::assert_complete(&result, 17 * 200);
    run.assert_no_hole();
    assert!(codes(&result).contains(&"channel_cut"), "{result:#}");
    let cuts = result["cuts"].as_array().unwrap();
    assert!(!cuts.is_empty() && cuts.iter().all(|cut| cut["agent"] == "load-2"), "{cuts:#?}");
    assert!(cuts[0]["until_us"].as_u64() > cuts[0]["from_us"].as_u64(), "{cuts:#?}");
    let page = fs::read_to_string(run.path("report.html")).unwrap();
    assert!(page.contains("the channel broke; the load goes on"), "the page says so");
    world::assert_nothing_left(&lab, &sandbox);
}

/// Pulls the plug of the last of three hosts while the load runs; returns what came of it.
fn without_power(more: &str) -> Value {
    let lab = Lab::start(3);
    let kafka = lab.kafka(1);
    let hosts = "  - ssh: {name: 'load-[1-3]'}\nlease: 5s";
    let sandbox = world::sandbox(&lab, &kafka.bootstrap(), hosts);
    sandbox.file("s.yaml", world::steady("14s", more));
    let (mut running, run) = begun(&sandbox);
    lab.host(3).power_off();
    let off = Instant::now();
    running.wait_for_output("channel to load-3 is broken", PATIENCE);
    let noticed = off.elapsed();
    running.wait_for_output("agent load-3 is lost", PATIENCE);
    let lost = off.elapsed();
    println!("power off: noticed after {noticed:.1?}, given up after {lost:.1?}");
    let outcome = running.wait(PATIENCE);
    let result = run.only_result();
    world::assert_balanced(&result);
    let told = world::events(&run, "agent_lost");
    assert_eq!(told.len(), 1, "{outcome}");
    assert!(told[0]["cause"].as_str().unwrap().contains("interval"), "{told:?}");
    assert!(run.path("report.html").is_file());
    run.assert_no_hole();
    for agent in ["load-1", "load-2"] {
        let log = run.cases()[0].join(format!("agents/{agent}/agent.log"));
        assert!(log.is_file() || log.with_extension("log.gz").is_file(), "no log of {agent}");
    }
    result
}

#[test]
fn a_host_without_power_ends_the_case_and_what_it_had_told_is_kept() {
    testkit::require!(netns, sshd, kafka);
    let result = without_power("");
    assert_eq!(result["verdict"], "error", "{result:#}");
    assert!(codes(&result).contains(&"agent_lost"), "{result:#}");
}

#[test]
fn with_on_agent_loss_continue_the_other_hosts_go_on_without_the_one_that_lost_power() {
    testkit::require!(netns, sshd, kafka);
    let result = without_power("on_agent_loss: continue\n");
    assert!(codes(&result).contains(&"degraded"), "{result:#}");
    assert!(!codes(&result).contains(&"agent_lost"), "{result:#}");
    // All of the schedule's time has passed, and the others have sent their shares to its end.
    let acked = world::account(&result, "acked");
    assert!(acked >= 15 * 200 * 2 / 3, "{acked}: {result:#}");
}

#[test]
fn what_a_dead_run_has_left_on_hosts_and_brokers_is_removed_and_a_living_one_is_let_alone() {
    testkit::require!(netns, sshd, kafka);
    let lab = Lab::start(2);
    let kafka = lab.kafka(1);
    let hosts = "  - ssh: {name: 'load-[1-2]'}\nlease: 60s";
    let sandbox = world::sandbox(&lab, &kafka.bootstrap(), hosts);
    // Without consumers, whose groups would have members for as long as their sessions last.
    let scenario = "name: left\ntopics:\n  orders: {partitions: 2, replication: 1}\nload:\n  - hold: {rate: 50/s, for: 60s}\n\
                    producers:\n  shop: {topic: orders, instances: 2, payload: {size: 100B}}\n";
    sandbox.file("s.yaml", scenario);
    let (running, run) = begun(&sandbox);
    running.signal(Signal::KILL);
    assert_eq!(running.wait(PATIENCE).code(), None);

    // Its agents work on, and so it may be taken over.
    let clean = |how: &str| sandbox.mallard(["clean", "c.yaml", "--run", &run.id(), how]);
    let alive = clean("--yes").expect_code(0);
    assert!(alive.stdout.contains("stays: it lives: an agent works"), "{alive}");
    assert!(!alive.stdout.contains("removed"), "{alive}");

    run.processes().into_iter().for_each(|agent| process::send(agent.pid, Signal::KILL));
    let shown = wait::until("the end of its agents", PATIENCE, || {
        let shown = clean("--dry-run").expect_code(0);
        shown.stdout.contains("is dead").then_some(shown)
    });
    for what in ["over ssh      agent's folder  load-1", "the brokers   topic           orders-"] {
        assert!(shown.stdout.contains(what), "no {what:?}: {shown}");
    }
    let removed = clean("--yes").expect_code(0);
    assert!(removed.stdout.contains("removed 3 of 3"), "{removed}");
    let nothing = clean("--dry-run").expect_code(0);
    assert!(nothing.stdout.contains("nothing is left of any run"), "{nothing}");
    world::assert_nothing_left(&lab, &sandbox);
}
