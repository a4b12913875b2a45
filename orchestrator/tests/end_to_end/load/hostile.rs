//! What is not what it should be: programs that are no agent, files without an end, names that mean something else.

use std::{
    os::unix::fs::PermissionsExt as _,
    time::{Duration, Instant},
};
use testkit::mallard::Sandbox;

/// Longer than the question for a version may take, on a machine that is busy with other tests.
const SOON: Duration = Duration::from_secs(60);

const SCENARIO: &str = "name: s\ntopics: {t: {}}\nload: [hold: {rate: 10/s, for: 1s}]\n\
                        producers: {p: {topic: t, payload: {size: 100}}}\n";

/// What `mallard run` says with a script in the place of the agent's program.
fn run_with_agent(script: &str) -> String {
    let sandbox = Sandbox::new();
    sandbox.file("s.yaml", SCENARIO).file("agent", format!("#!/bin/sh\n{script}\n"));
    let agent = sandbox.path("agent");
    std::fs::set_permissions(&agent, std::fs::Permissions::from_mode(0o755))
        .expect("a file of this test can be made a program");
    let started = Instant::now();
    let outcome =
        sandbox.mallard(["run", "s.yaml", "--agent", agent.to_str().expect("a path in UTF-8")]);
    assert!(started.elapsed() < SOON, "{:?}: {}", started.elapsed(), outcome.stderr);
    outcome.assert_code(2);
    assert!(sandbox.runs().is_empty(), "nothing was touched");
    outcome.stderr
}

#[test]
fn a_program_that_is_no_agent_is_not_waited_for() {
    let endless = run_with_agent("exec yes");
    assert!(endless.contains("it goes on saying things: more than 65536 bytes"), "{endless}");
    let silent = run_with_agent("echo thinking >&2; sleep 1000");
    assert!(silent.contains("it has not answered within 10 s: thinking"), "{silent}");
    let broken = run_with_agent("printf 'no \\033[31mlibssl\\n' >&2; exit 3");
    assert!(broken.contains("it ended with exit status: 3: no \\u{1b}[31mlibssl"), "{broken}");
    assert!(!broken.contains('\x1b'), "{broken:?}");
}

#[test]
fn a_run_is_not_named_like_a_part_of_the_archive() {
    let sandbox = Sandbox::new();
    sandbox.file("s.yaml", SCENARIO);
    for more in [&["--detach"][..], &[]] {
        let words = ["run", "s.yaml", "--id", "latest"];
        let outcome = sandbox.mallard(words.iter().chain(more));
        outcome.assert_code(2);
        assert!(outcome.stderr.contains("no run can be named so"), "{}", outcome.stderr);
    }
    assert!(sandbox.runs().is_empty(), "nothing was touched");
}

#[test]
fn validate_takes_what_run_takes_and_judges_by_no_cluster_that_was_not_named() {
    let sandbox = Sandbox::new();
    let scenario = SCENARIO
        .replace(
            "name: s\n",
            "name: s\nparameters: {size: 100}\nexpect: [produce.response.p99 < 1s]\n",
        )
        .replace("{t: {}}", "{t: {replication: 3}}")
        .replace("size: 100}}", "size: $size}, on: [fast]}");
    sandbox.file("s.yaml", scenario).file("c.yaml", "kafka: embedded\nhosts: [local: {}]\n");
    let alone = sandbox.mallard(["validate", "s.yaml"]);
    alone.assert_code(0);
    assert!(alone.stdout.contains("no cluster file to judge it by"), "{}", alone.stdout);
    let judged = sandbox.mallard(["validate", "s.yaml", "--cluster", "c.yaml"]);
    judged.assert_code(2);
    for part in ["replication 3 needs as many brokers", "no host has the label `fast`"] {
        assert!(judged.stderr.contains(part), "{part} is not in {}", judged.stderr);
    }
    let set =
        sandbox.mallard(["validate", "s.yaml", "--set", "size=-5", "--bounds", "nowhere.json"]);
    set.assert_code(2);
    for part in ["the value comes from `--set size=-5`", "nowhere.json"] {
        assert!(set.stderr.contains(part), "{part} is not in {}", set.stderr);
    }
    // A cluster file with a mistake does not hide those of the scenario.
    sandbox.file("bad.yaml", "kafka: embeded\nhosts: [local: {}]\n");
    sandbox.file("t.yaml", SCENARIO.replace("rate: 10/s", "rate: 10"));
    let both = sandbox.mallard(["validate", "t.yaml", "--cluster", "bad.yaml"]);
    both.assert_code(2);
    for part in ["bad.yaml:1:", "`10` has no unit"] {
        assert!(both.stderr.contains(part), "{part} is not in {}", both.stderr);
    }
}

#[test]
fn agents_use_no_folder_that_others_could_replace() {
    let mut sandbox = Sandbox::new();
    let open = sandbox.path("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
    sandbox.file("s.yaml", SCENARIO);
    sandbox.set("XDG_CACHE_HOME", open.display().to_string());
    let outcome = sandbox.mallard(["run", "s.yaml"]);
    outcome.assert_code(3);
    assert!(outcome.stdout.contains("others can write to it (mode 777)"), "{}", outcome.stdout);
    assert!(open.read_dir().unwrap().next().is_none(), "nothing was made there");
}
