//! Runs that go well.

use crate::world::{PATIENCE, RUN, SLOW, assert_nothing_left, count, sandbox, sandbox_on, steady};
use testkit::{
    engine::{self, Engine, KAFKA, LIBC},
    process::Signal,
};

#[test]
fn agents_in_containers_and_on_this_machine_share_a_kafka_in_containers() {
    testkit::require!(docker, kafka);
    containers_and_this_machine_share_a_kafka(engine::docker());
}

/// Two agents in containers and one beside them, with a Kafka of three brokers in containers.
pub(crate) fn containers_and_this_machine_share_a_kafka(engine: &Engine) {
    let cluster = format!(
        "kafka: {{container: {{image: '{KAFKA}', brokers: 3, config: {{num.network.threads: 2}}}}}}\n\
         hosts:\n\
         \x20 - container: {{image: '{LIBC}', count: 2, cpus: 1.5, memory: 1GiB}}\n\
         \x20 - local: {{agents: 1}}\n{SLOW}"
    );
    let sandbox = sandbox_on(engine, &steady("4s", 3), &cluster);
    let outcome = sandbox.mallard(RUN);
    let run = sandbox.latest_run();
    run.assert_went_well(&outcome);
    let result = run.only_result();
    for account in ["scheduled", "acked", "received"] {
        assert_eq!(count(&result, account), 1_000, "{account}: {result:#}");
    }
    let names: Vec<&str> = result["agents"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|a| a["name"].as_str())
        .collect();
    assert_eq!(names, ["container-1", "container-2", "local-3"]);
    for broker in 1..=3 {
        let log = run.cases()[0].join(format!("brokers/broker-{broker}.log.gz"));
        let log = flate2::read::GzDecoder::new(std::fs::File::open(log).expect("a broker's log"));
        let log = std::io::read_to_string(log).expect("it can be unpacked");
        assert!(log.contains("num.network.threads = 2") && log.contains("Kafka Server started"));
    }
    for agent in names {
        assert!(run.cases()[0].join(format!("agents/{agent}/agent.log.gz")).exists(), "{agent}");
    }
    assert_nothing_left(engine, &run);
}

#[test]
fn cases_of_a_run_share_containers() {
    testkit::require!(docker, kafka);
    let cluster =
        format!("kafka: embedded\nhosts:\n  - container: {{image: '{LIBC}', agents: 2}}\n{SLOW}");
    let scenario = steady("1s", 1).replace("200B", "$size") + "matrix: {size: [100B, 200B]}\n";
    let (engine, sandbox) = sandbox(&scenario, &cluster);
    let outcome = sandbox.mallard(RUN);
    let run = sandbox.latest_run();
    run.assert_went_well(&outcome);
    assert_eq!(run.cases().len(), 2);
    let started = outcome.stdout.matches("starting a container for agents").count();
    assert_eq!(started, 1, "{outcome}");
    assert_nothing_left(engine, &run);
}

#[test]
fn agents_run_on_a_network_that_is_there_and_on_that_of_the_engines_machine() {
    testkit::require!(docker, kafka);
    let network = format!("mallard-test-named-{}", std::process::id());
    let cluster = format!(
        "kafka: {{container: {{image: '{KAFKA}'}}}}\n\
         hosts:\n\
         \x20 - container: {{image: '{LIBC}', network: {network}}}\n\
         \x20 - container: {{image: '{LIBC}', network: host}}\n{SLOW}"
    );
    let (engine, sandbox) = sandbox(&steady("6s", 1), &cluster);
    engine.docker(&["network", "create", &network]);
    let mut running = sandbox.spawn(RUN);
    running.wait_for_output("load starts", PATIENCE * 2);
    let run = sandbox.latest_run();
    let networks = |number: u32| {
        let container = format!("mallard-{}-container-{number}", run.id());
        let format = "{{json .NetworkSettings.Networks}}";
        engine.docker(&["inspect", "--format", format, &container])
    };
    let (named, of_machine) = (networks(1), networks(2));
    assert!(named.contains(&format!("\"{network}\":")), "{named}");
    assert!(of_machine.contains("\"host\":"), "{of_machine}");
    let outcome = running.wait(PATIENCE);
    run.assert_went_well(&outcome);
    let result = run.only_result();
    assert_eq!((count(&result, "scheduled"), count(&result, "acked")), (1_400, 1_400));
    assert_nothing_left(engine, &run);
    // It was there before the run, and is there after it.
    engine.docker(&["network", "rm", &network]);
}

#[test]
fn a_run_in_containers_whose_controller_was_killed_is_taken_over_with_a_complete_archive() {
    testkit::require!(docker, kafka);
    let cluster = format!(
        "kafka: {{container: {{image: '{KAFKA}'}}}}\n\
         hosts:\n  - container: {{image: '{LIBC}', count: 2}}\n{SLOW}lease: 60s\n"
    );
    let (engine, sandbox) = sandbox(&steady("15s", 1), &cluster);
    let mut running = sandbox.spawn(RUN);
    running.wait_for_output("hold", PATIENCE * 2);
    let run = sandbox.latest_run();
    running.signal(Signal::KILL);
    let _ended = running.wait(PATIENCE);
    let resumed = sandbox.mallard(["resume", "latest"]);
    assert!(resumed.stdout.contains("taken over"), "{resumed}");
    run.assert_went_well(&resumed);
    let result = run.only_result();
    for account in ["scheduled", "acked", "received"] {
        assert_eq!(count(&result, account), 16 * 200, "{account}: {result:#}");
    }
    run.assert_no_hole();
    assert_nothing_left(engine, &run);
}
