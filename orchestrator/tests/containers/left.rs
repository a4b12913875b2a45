//! However a run ends, nothing of it is left in the engine; at the latest, the next run sees to that.

use crate::world::{
    PATIENCE, RUN, SLOW, assert_nothing_left, reasons, sandbox, sandbox_on, steady,
};
use testkit::{
    engine::{self, Engine, LIBC},
    mallard::{Run, Sandbox},
    process::Signal,
    wait,
};

/// One container with two agents and a broker inside: the quickest there is.
fn quick(more: &str) -> String {
    format!("kafka: embedded\nhosts:\n  - container: {{image: '{LIBC}', agents: 2{more}}}\n{SLOW}")
}

/// A run whose orchestrator was killed under load, with `more` said of its container.
fn killed(engine: &Engine, more: &str) -> (Sandbox, Run) {
    let cluster = format!("{}lease: 10s\n", quick(more));
    let sandbox = sandbox_on(engine, &steady("60s", 1), &cluster);
    let mut running = sandbox.spawn(RUN);
    running.wait_for_output("hold", PATIENCE);
    let killed = sandbox.latest_run();
    running.signal(Signal::KILL);
    let _ended = running.wait(PATIENCE);
    (sandbox, killed)
}

/// The container of a run that has one.
fn container_of(run: &Run) -> String {
    format!("mallard-{}-container-1", run.id())
}

/// Agents that nobody asks anything end by themselves.
fn wait_for_the_lease(engine: &Engine, run: &Run) {
    let container = container_of(run);
    let agents = || engine.docker(&["top", &container]).contains("daemon");
    wait::until("the lease to end the agents", PATIENCE, || (!agents()).then_some(()));
}

#[test]
fn a_run_that_is_interrupted_twice_leaves_nothing() {
    testkit::require!(docker, kafka);
    what_is_interrupted_twice_leaves_nothing(engine::docker());
}

/// A run is interrupted twice under load.
pub(crate) fn what_is_interrupted_twice_leaves_nothing(engine: &Engine) {
    let sandbox = sandbox_on(engine, &steady("60s", 1), &quick(""));
    let mut running = sandbox.spawn(RUN);
    running.wait_for_output("hold", PATIENCE);
    let run = sandbox.latest_run();
    assert!(!engine.labelled(&run.id()).is_empty());
    running.signal(Signal::INT);
    running.wait_for_output("Ctrl-C", PATIENCE);
    running.signal(Signal::INT);
    running.wait(PATIENCE).assert_code(130);
    assert_nothing_left(engine, &run);
}

#[test]
fn what_a_killed_run_has_measured_stays_with_the_next_one_and_goes_when_somebody_says_so() {
    testkit::require!(docker, kafka);
    let more =
        ", cpus: 0.5, memory: 512MiB, volumes: ['/usr/share:/data:ro'], env: {GREETING: hello}";
    let engine = engine::docker();
    let (sandbox, killed) = killed(engine, more);
    // Its agents still work: a run beside it leaves it alone.
    let container = container_of(&killed);
    let config = engine.docker(&["inspect", "--format", "{{json .HostConfig}}", &container]);
    assert!(config.contains("\"NanoCpus\":500000000"), "{config}");
    assert!(config.contains("\"Memory\":536870912"), "{config}");
    assert!(config.contains("/usr/share:/data:ro"), "{config}");
    let environment = engine.docker(&["inspect", "--format", "{{.Config.Env}}", &container]);
    assert!(environment.contains("GREETING=hello"), "{environment}");

    let cleaned = sandbox.mallard(["clean", "c.yaml", "--run", &killed.id(), "--yes"]);
    assert!(cleaned.stdout.contains("stays: it lives"), "{cleaned}");
    assert_eq!(engine.labelled(&killed.id()).len(), 2, "{:?}", engine.labelled(&killed.id()));

    wait_for_the_lease(engine, &killed);
    assert_eq!(engine.labelled(&killed.id()).len(), 2, "{:?}", engine.labelled(&killed.id()));
    let shown = sandbox.mallard(["clean", "c.yaml", "--run", &killed.id(), "--dry-run"]);
    assert!(shown.stdout.contains("is dead") && shown.stdout.contains(&container), "{shown}");
    sandbox.file("s.yaml", steady("1s", 1)).file("c.yaml", quick(""));
    let outcome = sandbox.mallard(RUN);
    assert!(!outcome.stdout.contains("leftovers of dead runs"), "{outcome}");
    assert_nothing_left(engine, &sandbox.latest_run());
    let spared = sandbox.mallard(["clean", "c.yaml", "--run", &killed.id(), "--yes"]);
    assert!(spared.stdout.contains("--discard"), "{spared}");
    assert_eq!(engine.labelled(&killed.id()).len(), 2, "{spared}");
    let discards = ["clean", "c.yaml", "--run", &killed.id(), "--yes", "--discard"];
    sandbox.mallard(discards).assert_code(0);
    assert_nothing_left(engine, &killed);
}

#[test]
fn what_a_killed_run_leaves_can_be_cleaned_up_by_hand() {
    testkit::require!(docker, kafka);
    what_is_killed_is_cleaned_up(engine::docker());
}

/// A run is killed, and `mallard clean` removes what it left, once its agents have ended.
pub(crate) fn what_is_killed_is_cleaned_up(engine: &Engine) {
    let (sandbox, killed) = killed(engine, "");
    assert_eq!(engine.labelled(&killed.id()).len(), 2, "{:?}", engine.labelled(&killed.id()));
    wait_for_the_lease(engine, &killed);
    let discards = ["clean", "c.yaml", "--run", &killed.id(), "--yes", "--discard"];
    let cleaned = sandbox.mallard(discards);
    cleaned.assert_code(0);
    assert!(cleaned.stdout.contains("removed 2 of 2"), "{cleaned}");
    assert_nothing_left(engine, &killed);
}

#[test]
fn a_run_beside_another_leaves_its_containers_alone() {
    testkit::require!(docker, kafka);
    let (engine, first) = sandbox(&steady("120s", 1), &quick(""));
    let mut running = first.spawn(RUN);
    running.wait_for_output("hold", PATIENCE);
    let (_, second) = sandbox(&steady("1s", 1), &quick(""));
    let outcome = second.mallard(RUN);
    second.latest_run().assert_went_well(&outcome);
    assert_eq!(engine.labelled(&first.latest_run().id()).len(), 2);
    running.signal(Signal::INT);
    running.wait(PATIENCE).assert_code(130);
    let lost = reasons(&first.latest_run().only_result());
    assert!(lost.iter().all(|(code, _)| code != "agent_lost"), "{lost:?}");
    assert_nothing_left(engine, &first.latest_run());
}
