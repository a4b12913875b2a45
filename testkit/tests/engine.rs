//! The tests' own engines: they have their images, and nothing of them is left.

use std::time::Duration;
use testkit::engine::{self, Engine, Kind};
use testkit::wait;

/// Far longer than the kernel takes to end a process namespace.
const SOON: Duration = Duration::from_secs(20);

#[test]
fn containers_of_docker_find_each_other_and_end_with_their_engine() {
    testkit::require!(docker, kafka);
    containers_find_each_other_and_end_with(Engine::start(Kind::Docker), "61987", "10.213.");
}

#[test]
fn containers_of_podman_find_each_other_and_end_with_their_engine() {
    testkit::require!(podman, kafka);
    containers_find_each_other_and_end_with(Engine::start(Kind::Podman), "61988", "10.215.");
}

/// `seconds` is how long a container would sleep: of no other process; `addresses` is how addresses in
/// networks of this engine begin.
fn containers_find_each_other_and_end_with(engine: Engine, seconds: &str, addresses: &str) {
    engine.docker(&["network", "create", "--label", "test=one", "lan"]);
    let serve = ["--network", "lan", engine::BARE, "sleep", seconds];
    engine.docker(
        &[&["run", "--detach", "--name", "server", "--label", "test=one"][..], &serve].concat(),
    );
    let found =
        engine.docker(&["run", "--rm", "--network", "lan", engine::LIBC, "nslookup", "server"]);
    assert!(found.contains(addresses), "{found}");
    assert_eq!(engine.labelled("test=one").len(), 2);
    let sleeping = format!("sleep {seconds}");
    assert!(!testkit::process::with_command_line(&sleeping).is_empty());
    let folder = engine.socket().parent().expect("a folder").to_path_buf();
    drop(engine);
    let gone = || testkit::process::with_command_line(&sleeping).is_empty().then_some(());
    wait::until("the container's process to end", SOON, gone);
    assert!(!folder.exists());
}
