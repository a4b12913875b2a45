//! Runs whose agents are on other hosts.

use crate::world::{self, RUN};
use testkit::lab::{Lab, Slowness};

#[test]
fn a_steady_run_on_five_hosts_has_complete_accounts_and_leaves_nothing() {
    testkit::require!(netns, sshd, kafka);
    let lab = Lab::start(5);
    let kafka = lab.kafka(1);
    let sandbox = world::sandbox(&lab, &kafka.bootstrap(), "  - ssh: {name: 'load-[1-5]'}");

    let cold = sandbox.mallard(RUN);
    let run = sandbox.latest_run();
    run.assert_went_well(&cold);
    let result = run.only_result();
    world::assert_complete(&result, 800);
    let agents = result["agents"].as_array().unwrap();
    let names: Vec<_> = agents.iter().filter_map(|agent| agent["name"].as_str()).collect();
    assert_eq!(names, ["load-1", "load-2", "load-3", "load-4", "load-5"]);
    let ready = world::events(&run, "host_ready");
    assert_eq!(ready.len(), 5, "{ready:#?}");
    assert!(ready.iter().all(|host| host["copied_bytes"].as_u64() > Some(100_000)), "{ready:#?}");
    world::print_figures("cold", &run);
    assert!(cold.stdout.contains("5 of 5 hosts ready"), "{cold}");
    for name in names {
        let log = run.cases()[0].join(format!("agents/{name}/agent.log"));
        assert!(log.is_file() || log.with_extension("log.gz").is_file(), "no log of {name}");
    }
    world::assert_nothing_left(&lab, &sandbox);

    // Nothing is copied twice.
    let warm = sandbox.mallard(RUN);
    let run = sandbox.latest_run();
    run.assert_went_well(&warm);
    let ready = world::events(&run, "host_ready");
    assert_eq!(ready.len(), 5, "{ready:#?}");
    assert!(ready.iter().all(|host| host["copied_bytes"] == 0), "{ready:#?}");
    world::print_figures("warm", &run);
    world::assert_nothing_left(&lab, &sandbox);
    println!("whole run, cold: {:.2?}, warm: {:.2?}", cold.took, warm.took);
}

#[test]
fn hosts_of_two_kinds_and_a_jump_host_share_a_run() {
    testkit::require!(netns, sshd, kafka);
    let lab = Lab::start(2);
    let kafka = lab.kafka(1);
    let hosts = "  - ssh: {name: first, host: load-1, agents: 2, labels: [far]}\n  \
                 - ssh: {name: second, host: behind, cache: /var/tmp/mallard}\n  - local: {}";
    let sandbox = world::sandbox(&lab, &kafka.bootstrap(), hosts);
    let (lab_config, address) = (lab.ssh_config(), lab.host(2).address());
    let config = format!(
        "Include {}\nHost behind\n  HostName {address}\n  ProxyJump load-1\n",
        lab_config.display()
    );
    let cluster = std::fs::read_to_string(sandbox.path("c.yaml")).unwrap();
    // Paths of a cluster file are meant from its folder.
    let cluster = cluster.replace(&lab_config.display().to_string(), "lab/ssh_config");
    sandbox.file("lab/ssh_config", config).file("c.yaml", cluster);

    let outcome = sandbox.mallard(RUN);
    let run = sandbox.latest_run();
    run.assert_went_well(&outcome);
    let result = run.only_result();
    world::assert_complete(&result, 800);
    let agents = result["agents"].as_array().unwrap();
    let names: Vec<_> = agents.iter().filter_map(|agent| agent["name"].as_str()).collect();
    assert_eq!(names, ["first.1", "first.2", "second", "local-4"]);
    let through = format!("Accepted publickey for bench from {}", lab.host(1).address());
    assert!(lab.host(2).sshd_log().contains(&through), "{}", lab.host(2).sshd_log());
    lab.host(2).run("ls /var/tmp/mallard/*/mallard-agent").assert_code(0);
    assert_eq!(lab.host(2).run("ls ~/.cache/mallard 2>/dev/null").stdout, "");
    world::assert_nothing_left(&lab, &sandbox);
}

#[test]
fn a_wire_that_loses_packets_costs_time_and_no_record() {
    testkit::require!(netns, sshd, kafka, slow_wires);
    let lab = Lab::start(2);
    // In either direction, for logging in, copying the agent, its channel and its load.
    lab.host(2).slow(Slowness { loss: 0.02, ..Slowness::default() });
    let kafka = lab.kafka(1);
    let hosts = "  - ssh: {name: 'load-[1-2]'}\nlease: 60s\ndeadlines: {connect: 30s, topics: 30s}";
    let sandbox = world::sandbox(&lab, &kafka.bootstrap(), hosts);
    sandbox.file("s.yaml", world::steady("10s", ""));
    let outcome = sandbox.mallard(RUN);
    let run = sandbox.latest_run();
    run.assert_went_well(&outcome);
    world::assert_complete(&run.only_result(), 11 * 200);
    run.assert_no_hole();
    world::print_figures("two packets of a hundred lost", &run);
    world::assert_nothing_left(&lab, &sandbox);
}
