//! What happens to hosts, wires and the controller in real life, done on purpose; then the archive is read.

use crate::world::{self, NO_KAFKA, PATIENCE, RUN};
use serde_json::Value;
use std::{
    fs,
    time::{Duration, Instant},
};
use testkit::{
    lab::Lab,
    mallard::{Run, Sandbox, codes},
    process::{self, Running, Signal},
    wait,
};

/// Within which a connection that says nothing any more is to be noticed, and what a test takes to see that.
const NOTICED: Duration = Duration::from_secs(10 + 1);

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
    assert!(noticed < NOTICED, "noticed after {noticed:.1?}");
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

#[test]
fn a_host_that_is_cut_off_when_a_run_is_taken_over_comes_back_with_all_that_it_measured() {
    testkit::require!(netns, sshd, kafka);
    let lab = Lab::start(2);
    let kafka = lab.kafka(1);
    let hosts = "  - ssh: {name: 'load-[1-2]'}\nlease: 90s\ndeadlines: {connect: 8s}";
    let sandbox = world::sandbox(&lab, &kafka.bootstrap(), hosts);
    sandbox.file("s.yaml", world::steady("30s", ""));
    let (running, run) = begun(&sandbox);
    lab.host(2).cut();
    running.signal(Signal::KILL);
    assert_eq!(running.wait(PATIENCE).code(), None);
    let mut resumed = sandbox.spawn(["resume", "latest"]);
    resumed.wait_for_output("taken over", PATIENCE);
    resumed.wait_for_output("channel to load-2 is broken", PATIENCE);
    lab.host(2).heal();
    resumed.wait_for_output("channel to load-2 is back", PATIENCE);
    let outcome = resumed.wait(PATIENCE);
    run.assert_went_well(&outcome);
    let result = run.only_result();
    world::assert_complete(&result, 31 * 200);
    run.assert_no_hole();
    let cuts = result["cuts"].as_array().unwrap();
    let its = cuts.iter().find(|cut| cut["agent"] == "load-2").unwrap();
    assert!(its["until_us"].as_u64() > its["from_us"].as_u64(), "{cuts:#?}");
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
    assert!(noticed < NOTICED, "noticed after {noticed:.1?}");
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

    // Not before they have measured something that nobody has collected.
    for host in [1, 2] {
        wait::until("intervals in the spool", PATIENCE, || {
            let spool = format!("cat ~/.cache/mallard/runs/{}/*/spool/* | wc -c", run.id());
            let bytes = lab.host(host).run(&spool).stdout;
            (bytes.trim() != "0").then_some(())
        });
    }
    run.processes().into_iter().for_each(|agent| process::send(agent.pid, Signal::KILL));
    let shown = wait::until("the end of its agents", PATIENCE, || {
        let shown = clean("--dry-run").expect_code(0);
        shown.stdout.contains("is dead").then_some(shown)
    });
    let folder = "over ssh      agent's folder  load-1";
    for what in [folder, "the brokers   topic           orders-"] {
        assert!(shown.stdout.contains(what), "no {what:?}: {shown}");
    }
    // What was measured since then lies there: one should know before it goes.
    let noted = format!("{folder}  (with measurements that were not collected: `mallard resume");
    assert!(shown.stdout.contains(&noted), "{shown}");
    let spared = clean("--yes").expect_code(0);
    assert!(spared.stdout.contains("removed 1 of 1"), "the topic: {spared}");
    let discards = ["clean", "c.yaml", "--run", &run.id(), "--yes", "--discard"];
    let removed = sandbox.mallard(discards).expect_code(0);
    assert!(removed.stdout.contains("removed 2 of 2"), "{removed}");
    let nothing = clean("--dry-run").expect_code(0);
    assert!(nothing.stdout.contains("nothing is left of any run"), "{nothing}");
    world::assert_nothing_left(&lab, &sandbox);
}

#[test]
fn what_somebody_elses_run_has_left_on_a_host_stays_unless_it_is_named() {
    testkit::require!(netns, sshd);
    let lab = Lab::start(1);
    // No brokers, which would be looked at, too.
    let sandbox = world::sandbox(&lab, NO_KAFKA, "  - ssh: {name: load-1}");
    let cluster = fs::read_to_string(sandbox.path("c.yaml")).unwrap();
    let (_, rest) = cluster.split_once('\n').unwrap();
    sandbox.file("c.yaml", format!("kafka: embedded\n{rest}"));
    let theirs = "20250101-000000-theirs-0000";
    let spool = format!("~/.cache/mallard/runs/{theirs}/0-load-1/spool");
    let host = lab.host(1);
    host.run(&format!("mkdir -p {spool} && echo measured > {spool}/1")).assert_code(0);

    let kept = sandbox.mallard(["clean", "c.yaml", "--yes"]).expect_code(0);
    assert!(kept.stdout.contains(&format!("{theirs} stays: ")), "{kept}");
    assert!(kept.stdout.contains("(with measurements that were not collected)"), "{kept}");
    host.run(&format!("test -f {spool}/1")).assert_code(0);

    let named = ["clean", "c.yaml", "--run", theirs, "--yes", "--discard"];
    let named = sandbox.mallard(named).expect_code(0);
    assert!(named.stdout.contains("removed 1 of 1"), "{named}");
    world::assert_nothing_left(&lab, &sandbox);
}

#[test]
fn a_dozen_agents_on_a_host_are_ended_by_force_within_what_its_sshd_allows() {
    testkit::require!(netns, sshd, kafka);
    let lab = Lab::start(1);
    let kafka = lab.kafka(1);
    let hosts = "  - ssh: {name: load-1, agents: 12}\n\
                 deadlines: {connect: 60s, topics: 60s, ready: 60s, agent_silence: 20s}";
    let sandbox = world::sandbox(&lab, &kafka.bootstrap(), hosts);
    let scenario = world::steady("60s", "");
    sandbox.file("s.yaml", scenario.replace("orders, instances: 3", "orders, instances: 12"));
    let (mut running, run) = begun(&sandbox);
    running.signal(Signal::INT);
    running.wait_for_output("Ctrl-C", PATIENCE);
    running.signal(Signal::INT);
    let outcome = running.wait(PATIENCE);
    outcome.assert_code(130);
    // Whoever ends a run by force waits neither for a broker that is slow to delete nor for the session
    // of a killed consumer to end, without which its group cannot be deleted.
    let left = world::events(&run, "left_behind");
    let of_brokers = |event: &Value| {
        let what = event["what"].as_str().unwrap_or_default();
        what.starts_with("topic ") || what.starts_with("consumer group ")
    };
    assert!(left.iter().all(of_brokers), "{outcome}");
    let log = lab.host(1).sshd_log();
    assert!(!log.contains("no more sessions"), "{log}");
    world::assert_nothing_left(&lab, &sandbox);
}
