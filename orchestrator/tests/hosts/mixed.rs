//! Hosts over ssh and containers in one run, with a Kafka that both reach.

use crate::world::{self, PATIENCE, RUN};
use testkit::{
    engine::{self, KAFKA, LIBC},
    lab::Lab,
};

/// The shipped scenario for as short as a test may take, without limits that a busy machine would break.
fn short_steady() -> String {
    let shipped = testkit::paths::workspace().join("scenarios/steady.yaml");
    let text = std::fs::read_to_string(shipped).unwrap();
    let (text, _) = text.split_once("expect:").unwrap();
    assert!(text.contains("for: 30s"), "{text}");
    text.replace("for: 30s", "for: 1s") + "expect:\n  - records.lost == 0\n"
}

#[test]
fn hosts_over_ssh_and_containers_share_a_run_and_a_kafka() {
    testkit::require!(netns, sshd, docker, kafka);
    let lab = Lab::start(3);
    let engine = engine::docker();
    let address = lab.admit(engine.network_pid());
    let hosts = format!(
        "  - ssh: {{name: 'load-[1-3]', labels: [far]}}\n  - container: {{image: '{LIBC}', count: 2}}\n\
         deadlines: {{connect: 60s, topics: 60s, ready: 60s, agent_silence: 20s, collect: 30s, teardown: 30s}}"
    );
    let mut sandbox = world::sandbox(&lab, world::NO_KAFKA, &hosts);
    let cluster = std::fs::read_to_string(sandbox.path("c.yaml")).unwrap();
    let (_, rest) = cluster.split_once('\n').unwrap();
    let kafka = format!("kafka: {{container: {{image: '{KAFKA}', advertise: {address}}}}}");
    sandbox.file("c.yaml", format!("{kafka}\n{rest}")).file("s.yaml", short_steady());
    sandbox.set("DOCKER_HOST", engine.address()).run_behind(engine.enter());

    let short = ["--set", "hold=4s", "--set", "rate=500/s"];
    let outcome = sandbox.mallard([&RUN[..], &short].concat());
    let run = sandbox.latest_run();
    run.assert_went_well(&outcome);
    let result = run.only_result();
    world::assert_complete(&result, 5 * 500);
    let agents = result["agents"].as_array().unwrap();
    let names: Vec<_> = agents.iter().filter_map(|agent| agent["name"].as_str()).collect();
    assert_eq!(names, ["load-1", "load-2", "load-3", "container-1", "container-2"]);
    world::assert_nothing_left(&lab, &sandbox);
    assert_eq!(engine.labelled(&run.id()), Vec::<String>::new());
    run.wait_for_no_orphans(PATIENCE);
}
