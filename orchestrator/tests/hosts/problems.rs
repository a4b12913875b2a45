//! What keeps a host from being used is told with its phase, cause and remedy, for all hosts together.

use crate::world::{self, NO_KAFKA, RUN};
use serde_json::Value;
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
};
use tempfile::TempDir;
use testkit::{
    lab::{HostOptions, Lab},
    mallard::Sandbox,
};

/// Runs, and returns phase, cause and remedy of each host's problem, after looking that all of them are
/// on the terminal and in `run.json`.
#[track_caller]
fn problems(sandbox: &Sandbox) -> Vec<(String, String, String)> {
    let outcome = sandbox.mallard(RUN);
    outcome.assert_code(3);
    let run = sandbox.latest_run();
    assert!(run.cases().is_empty(), "a case was begun\n{outcome}");
    let result = run.json("run.json");
    let reasons = result["reasons"].as_array().unwrap();
    let mut all = Vec::new();
    let text = |event: &Value, key: &str| event[key].as_str().unwrap().to_owned();
    let mut events = world::events(&run, "host_problem");
    events.sort_by_key(|event| text(event, "host"));
    for event in &events {
        let (cause, remedy) = (text(event, "cause"), text(event, "remedy"));
        assert!(outcome.stdout.contains(&cause) && outcome.stdout.contains(&remedy), "{outcome}");
        let in_result = |reason: &Value| reason["text"].as_str().unwrap().contains(&cause);
        assert!(reasons.iter().any(in_result), "{result:#}");
        all.push((text(event, "phase"), cause, remedy));
    }
    all
}

#[track_caller]
fn assert_told(problem: &(String, String, String), phase: &str, cause: &str, remedy: &str) {
    let fits = problem.0 == phase && problem.1.contains(cause) && problem.2.contains(remedy);
    assert!(fits, "expected {phase}, {cause:?}, {remedy:?}, got {problem:#?}");
}

/// Hosts whose tools do what this machine's would not.
struct Fakes(TempDir);

impl Fakes {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("mallard-test-fakes-").tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        Self(folder)
    }

    /// A host on which this tool is a shell script; no two have the same one.
    fn host(&self, tool: &str, script: &str) -> HostOptions {
        let folder = self.0.path().join(format!("with-{tool}"));
        fs::create_dir(&folder).unwrap();
        let file = folder.join(tool);
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:/usr/bin:/bin", folder.display());
        HostOptions::default().variable("PATH", &path)
    }
}

#[test]
fn every_way_not_to_get_in_is_told_and_all_at_once() {
    testkit::require!(netns, sshd);
    let lab = Lab::start(5);
    lab.host(3).cut();
    // The second host's key is another one than it was; the first host's was never seen.
    let known = fs::read_to_string(lab.known_hosts()).unwrap();
    let of = |number: usize| format!("{} ", lab.host(number).address());
    let line = |number: usize| known.lines().find(|line| line.starts_with(&of(number))).unwrap();
    let changed = line(1).replace(&of(1), &of(2));
    let others: Vec<&str> = [3, 4, 5].map(line).to_vec();
    fs::write(lab.known_hosts(), format!("{changed}\n{}\n", others.join("\n"))).unwrap();
    let hosts = "  - ssh: {name: a-new, host: load-1}\n  - ssh: {name: b-changed, host: load-2}\n  \
                 - ssh: {name: c-cut, host: load-3}\n  - ssh: {name: d-refused, host: load-4, port: 2222}\n  \
                 - ssh: {name: e-stranger, host: load-5, user: stranger}\n  \
                 - ssh: {name: f-nowhere, host: nowhere.invalid}\ndeadlines: {connect: 15s}";
    let sandbox = world::sandbox(&lab, NO_KAFKA, hosts);
    let told = problems(&sandbox);
    assert_eq!(told.len(), 6, "{told:#?}");
    assert_told(&told[0], "connect", "is not known here", "ssh-keygen -lf");
    assert_told(&told[1], "connect", "another host key", "ssh-keygen -R");
    assert_told(&told[2], "connect", "cannot be reached", "packet filter");
    assert_told(&told[3], "connect", "connection refused", "`port`");
    assert_told(&told[4], "connect", "authentication failed", "authorized_keys");
    assert_told(&told[5], "connect", "not known", "`host`");
}

#[test]
fn every_way_not_to_get_the_agent_there_is_told() {
    testkit::require!(netns, sshd);
    let mut options: Vec<HostOptions> = vec![
        HostOptions::default().home("size=512k"),
        HostOptions::default().home("noexec"),
        HostOptions::default().home("ro"),
    ];
    let fakes = Fakes::new();
    options.push(fakes.host("uname", "case $1 in -m) echo aarch64;; *) echo Linux;; esac"));
    options.push(fakes.host("getconf", "echo glibc 2.2"));
    // As a login shell does whose ~/.bashrc has an `echo`.
    options.push(fakes.host("sh", "echo Welcome to load-6!\nexec /bin/sh \"$@\""));
    let lab = Lab::start_with(&options);
    let sandbox = world::sandbox(&lab, NO_KAFKA, "  - ssh: {name: 'load-[1-6]'}");
    let told = problems(&sandbox);
    assert_eq!(told.len(), 6, "{told:#?}");
    assert_told(&told[0], "deploy", "is full", "make room");
    assert_told(&told[1], "start", "may not be executed", "noexec");
    assert_told(&told[2], "deploy", "cannot be made", "`cache`");
    assert_told(&told[3], "inspect", "it is aarch64", "--agent aarch64=PATH");
    assert_told(&told[4], "inspect", "its C library is 2.2", "scripts/portable-agent");
    assert_told(&told[5], "inspect", "`Welcome to load-6!`", "not interactive");
}

#[test]
fn a_run_looks_at_its_hosts_and_at_the_brokers_from_each_before_it_begins() {
    testkit::require!(netns, sshd);
    // Room for the agent's program, and not for what it keeps.
    let lab = Lab::start_with(&[HostOptions::default().home("size=128m"), HostOptions::default()]);
    let hosts = "  - ssh: {name: 'load-[1-2]'}\ndeadlines: {topics: 1s}";
    let mut told = problems(&world::sandbox(&lab, NO_KAFKA, hosts));
    told.retain(|(_, cause, _)| !cause.contains("do not answer"));
    // Sorted by host, and what is said of one in the order in which it is looked at.
    assert_eq!(told.len(), 3, "{told:#?}");
    assert_told(&told[0], "inspect", "it does not reach 127.0.0.1:1", "advertised.listeners");
    assert_told(&told[1], "inspect", "of disk are free", "make room");
    assert_told(&told[2], "inspect", "it does not reach 127.0.0.1:1", "advertised.listeners");
}

#[test]
fn hosts_that_hang_are_told_with_what_they_hung_in_and_how_far_it_was() {
    testkit::require!(netns, sshd);
    let fakes = Fakes::new();
    let forever = "exec sleep 600";
    // One takes no byte of the program, one takes it all and never says that it is whole; one does not even
    // say what it is.
    let options = ["gzip", "sha256sum", "getconf"].map(|tool| fakes.host(tool, forever)).to_vec();
    let lab = Lab::start_with(&options);
    let hosts = "  - ssh: {name: 'load-[1-3]'}\ndeadlines: {connect: 10s, deploy: 15s}";
    let told = problems(&world::sandbox(&lab, NO_KAFKA, hosts));
    assert_eq!(told.len(), 3, "{told:#?}");
    for hung in &told[..2] {
        assert_told(hung, "deploy", "not done after 15 s", "`deadlines: {deploy: …}`");
    }
    let figures = |problem: &(String, String, String)| -> Vec<u64> {
        let digits = problem.1.split(|c: char| !c.is_ascii_digit()).filter(|word| !word.is_empty());
        digits.map(|digits| digits.parse().unwrap()).collect()
    };
    let [_, some, whole] = figures(&told[0])[..] else { panic!("{told:#?}") };
    assert!(some < whole, "a pipe and a channel's window were filled: {told:#?}");
    let [_, all, whole] = figures(&told[1])[..] else { panic!("{told:#?}") };
    assert_eq!(all, whole, "{told:#?}");
    assert_told(&told[2], "inspect", "not done after 10 s", "`sh -c`");
}
