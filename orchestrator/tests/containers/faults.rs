//! What goes wrong, and what is told then.

use crate::world::{PATIENCE, RUN, SLOW, assert_nothing_left, reasons, sandbox, steady};
use std::process::Command;
use testkit::{
    engine::{BARE, Engine, KAFKA, LIBC},
    mallard::Sandbox,
    process,
};

/// The texts of all reasons of a case that ended as an error.
#[track_caller]
fn told(sandbox: &Sandbox) -> String {
    let outcome = sandbox.mallard(RUN);
    outcome.assert_code(3);
    let reasons = reasons(&sandbox.latest_run().only_result());
    reasons.into_iter().map(|(code, text)| format!("{code}: {text}\n")).collect()
}

#[test]
fn a_killed_container_is_a_lost_agent_with_its_cause() {
    testkit::require!(docker, kafka);
    let cluster = format!(
        "kafka: {{container: {{image: '{KAFKA}'}}}}\n\
         hosts:\n  - container: {{image: '{LIBC}', count: 2}}\n{SLOW}"
    );
    let (engine, sandbox) = sandbox(&steady("60s", 1), &cluster);
    let mut running = sandbox.spawn(RUN);
    running.wait_for_output("hold", PATIENCE * 2);
    let run = sandbox.latest_run();
    engine.docker(&["kill", &format!("mallard-{}-container-2", run.id())]);
    running.wait(PATIENCE).assert_code(3);
    let result = run.only_result();
    let lost = reasons(&result);
    let lost = lost.iter().find(|(code, _)| code == "agent_lost").expect("an agent was lost");
    assert!(lost.1.contains("container-2"), "{lost:?}");
    assert!(lost.1.contains("its container ended with exit code 137"), "{lost:?}");
    assert_nothing_left(engine, &run);
}

#[test]
fn a_memory_limit_that_is_hit_is_named() {
    testkit::require!(docker, kafka);
    let cluster = format!(
        "kafka: embedded\nhosts:\n  - container: {{image: '{LIBC}', memory: 40MiB}}\n{SLOW}"
    );
    let scenario = steady("60s", 1).replace("200B", "50KB").replace("200/s", "2000/s");
    let (engine, sandbox) = sandbox(&scenario, &cluster);
    let told = told(&sandbox);
    assert!(told.contains("its 40 MiB (OOM-killed); raise `memory`"), "{told}");
    assert_nothing_left(engine, &sandbox.latest_run());
}

/// Runs with one broker that has this setting, and returns what is told of its end.
#[track_caller]
fn told_of_a_broker_with(setting: &str) -> String {
    let cluster = format!(
        "kafka: {{container: {{image: '{KAFKA}', config: {{{setting}}}}}}}\n\
         hosts:\n  - container: {{image: '{LIBC}'}}\n{SLOW}"
    );
    let (engine, sandbox) = sandbox(&steady("60s", 1), &cluster);
    let told = told(&sandbox);
    assert_nothing_left(engine, &sandbox.latest_run());
    let (_, words) = told
        .split_once("broker-1: its container ended with exit code 1, saying: ")
        .unwrap_or_else(|| panic!("{told}"));
    words.to_owned()
}

#[test]
fn a_broker_that_refuses_its_settings_is_told_with_its_words() {
    testkit::require!(docker, kafka);
    let words = told_of_a_broker_with("num.io.threads: none");
    let why = "Exception in thread \"main\" org.apache.kafka.common.config.ConfigException: Invalid value none \
               for configuration num.io.threads: Not a number of type INT";
    assert!(words.starts_with(why), "{words}");
}

#[test]
fn a_broker_that_fails_to_start_is_told_with_the_cause_and_not_with_how_it_shut_down() {
    testkit::require!(docker, kafka);
    let words = told_of_a_broker_with("metric.reporters: nobody.Knows");
    let why = "Fatal error during broker startup. Prepare to shutdown / \
               org.apache.kafka.common.KafkaException: Class nobody.Knows cannot be found / \
               Caused by: java.lang.ClassNotFoundException: nobody.Knows";
    assert!(words.contains(why), "{words}");
    assert!(!words.contains(" INFO "), "{words}");
}

#[test]
fn images_that_do_not_do_are_told_together() {
    testkit::require!(docker, kafka);
    // Nobody is asked for it: there is no registry at this address.
    let cluster = format!(
        "kafka: {{bootstrap: 'localhost:1'}}\n\
         hosts:\n\
         \x20 - container: {{image: 'localhost:1/nobody/knows:1'}}\n\
         \x20 - container: {{image: '{BARE}', network: nowhere}}\n"
    );
    let (engine, sandbox) = sandbox(&steady("1s", 1), &cluster);
    let missing = told(&sandbox);
    assert!(missing.contains("image localhost:1/nobody/knows:1, pulling it"), "{missing}");
    assert!(missing.contains("`docker load`"), "{missing}");

    sandbox.file(
        "c.yaml",
        format!(
            "kafka: {{bootstrap: 'localhost:1'}}\n\
             hosts:\n\
             \x20 - container: {{image: '{BARE}'}}\n\
             \x20 - container: {{image: '{LIBC}', network: nowhere}}\n"
        ),
    );
    let both = told(&sandbox);
    assert!(both.contains("container-1 (mallard-test/bare:1)"), "{both}");
    assert!(both.contains("the image has no C library"), "{both}");
    assert!(both.contains("container-2 (mallard-test/libc:1)"), "{both}");
    assert!(both.contains("docker network create"), "{both}");
    assert_nothing_left(engine, &sandbox.latest_run());
}

#[test]
fn an_image_of_another_architecture_is_refused() {
    testkit::require!(docker, kafka);
    let (engine, sandbox) = sandbox(&steady("1s", 1), "");
    let other = if cfg!(target_arch = "x86_64") { "arm64" } else { "amd64" };
    let image = format!("mallard-test/{other}:1");
    relabel(engine, &sandbox, other, &image);
    let cluster = format!("kafka: embedded\nhosts:\n  - container: {{image: '{image}'}}\n");
    sandbox.file("c.yaml", cluster);
    let told = told(&sandbox);
    assert!(told.contains(&format!("it is for {other}, and the agent's program is for")), "{told}");
    assert!(told.contains("`docker pull --platform linux/"), "{told}");
    engine.docker(&["rmi", &image]);
}

#[test]
fn an_engine_that_does_not_answer_is_told() {
    testkit::require!(docker, kafka);
    let cluster = format!("kafka: embedded\nhosts:\n  - container: {{image: '{LIBC}'}}\n");
    let (_, mut sandbox) = sandbox(&steady("1s", 1), &cluster);
    let nobody = format!("unix://{}", sandbox.path("nobody.sock").display());
    sandbox.set("DOCKER_HOST", &nobody);
    let told = told(&sandbox);
    assert!(told.contains(&format!("the engine at {nobody}, reaching it")), "{told}");
    assert!(told.contains("DOCKER_HOST"), "{told}");
}

/// Makes an image that says that it is for another architecture. The engine's import does not take one,
/// so an image is saved, changed and loaded again.
fn relabel(engine: &Engine, sandbox: &Sandbox, architecture: &str, image: &str) {
    let path = |name: &str| sandbox.path(name).display().to_string();
    engine.docker(&["save", "--output", &path("saved.tar"), BARE]);
    let script = format!(
        "mkdir image && tar -xf saved.tar -C image && rm -f image/repositories && \
         sed -i 's/\"architecture\":\"[a-z0-9]*\"/\"architecture\":\"{architecture}\"/' image/*.json && \
         sed -i 's,{BARE},{image},' image/manifest.json && tar -C image -cf loaded.tar ."
    );
    let mut sh = Command::new("sh");
    process::run(sh.args(["-c", &script]).current_dir(sandbox.path("")), PATIENCE).assert_code(0);
    engine.docker(&["load", "--input", &path("loaded.tar")]);
}
