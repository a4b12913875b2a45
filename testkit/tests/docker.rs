//! The tests' own Docker engine: it has its images, and nothing of it is left.

use std::time::Duration;
use testkit::docker::{self, Engine};
use testkit::wait;

/// Far longer than the kernel takes to end a process namespace.
const SOON: Duration = Duration::from_secs(20);

#[test]
fn containers_find_each_other_and_end_with_their_engine() {
    testkit::require!(docker, kafka);
    let engine = Engine::start();
    engine.docker(&["network", "create", "--label", "test=one", "lan"]);
    let serve = ["--network", "lan", docker::BARE, "sleep", "61987"];
    engine.docker(
        &[&["run", "--detach", "--name", "server", "--label", "test=one"][..], &serve].concat(),
    );
    let found =
        engine.docker(&["run", "--rm", "--network", "lan", docker::LIBC, "nslookup", "server"]);
    assert!(found.contains("10.213."), "{found}");
    assert_eq!(engine.labelled("test=one").len(), 2);
    assert!(!testkit::process::with_command_line("sleep 61987").is_empty());
    let folder = engine.socket().parent().expect("a folder").to_path_buf();
    drop(engine);
    let gone = || testkit::process::with_command_line("sleep 61987").is_empty().then_some(());
    wait::until("the container's process to end", SOON, gone);
    assert!(!folder.exists());
}
