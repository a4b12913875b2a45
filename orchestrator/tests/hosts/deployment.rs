//! The agent's program on its way to hosts.

use crate::world::{self, NO_KAFKA, RUN};
use std::time::Duration;
use testkit::{lab::Lab, process};

/// Long enough for a run that ends because no broker is there.
const SOON: Duration = Duration::from_secs(120);

/// Ends soon after the hosts are ready: nobody listens where Kafka should be.
const SHORT: &str = "deadlines: {topics: 1s}";

/// The only program in the cache of `load-1`.
fn program(lab: &Lab) -> String {
    let found = lab.host(1).run("ls -d ~/.cache/mallard/*/mallard-agent").expect_code(0);
    let lines: Vec<&str> = found.stdout.lines().collect();
    let [only] = lines.as_slice() else { panic!("not one program: {found}") };
    (*only).to_owned()
}

#[test]
fn two_runs_that_deploy_at_once_do_not_harm_each_other() {
    testkit::require!(netns, sshd);
    let lab = Lab::start(1);
    let hosts = format!("  - ssh: {{name: load-1}}\n{SHORT}");
    let sandboxes = [(); 2].map(|()| world::sandbox(&lab, NO_KAFKA, &hosts));
    let running: Vec<_> = sandboxes.iter().map(|sandbox| sandbox.spawn(RUN)).collect();
    for (running, sandbox) in running.into_iter().zip(&sandboxes) {
        let outcome = running.wait(SOON);
        outcome.assert_code(3);
        let ready = world::events(&sandbox.latest_run(), "host_ready");
        assert_eq!(ready.len(), 1, "{outcome}");
    }
    let program = program(&lab);
    let sum = lab.host(1).run(&format!("sha256sum {program}")).expect_code(0).stdout;
    let (sum, _) = sum.split_once(' ').unwrap();
    assert!(program.contains(sum), "{sum} {program}");
    assert_eq!(lab.host(1).run(&format!("ls -A $(dirname {program})")).stdout, "mallard-agent\n");
}

#[test]
fn a_damaged_program_is_copied_again_and_old_ones_go() {
    testkit::require!(netns, sshd);
    let lab = Lab::start(1);
    let sandbox = world::sandbox(&lab, NO_KAFKA, &format!("  - ssh: {{name: load-1}}\n{SHORT}"));
    sandbox.mallard(RUN).assert_code(3);
    let program = program(&lab);
    // A week and more ago; one of them is running, and three may stay in any case.
    let old = "cd ~/.cache/mallard; for c in 1 2 3 4 5 6; do d=$(printf \"$c%.0s\" $(seq 64)); \
               mkdir $d; cp /bin/sleep $d/mallard-agent; touch -d \"$((c + 20)) days ago\" $d; done";
    lab.host(1).run(old).assert_code(0);
    let used = format!("/home/bench/.cache/mallard/{}/mallard-agent", "6".repeat(64));
    let host = lab.host(1);
    host.run(&format!("nohup {used} 600 >/dev/null 2>&1 </dev/null &")).assert_code(0);
    host.run(&format!("echo x >> {program}")).assert_code(0);

    sandbox.mallard(RUN).assert_code(3);
    let ready = world::events(&sandbox.latest_run(), "host_ready");
    assert!(ready[0]["copied_bytes"].as_u64() > Some(0), "{ready:?}");
    let left = host.run("ls ~/.cache/mallard").stdout;
    let old = ["1", "2", "3", "4", "5", "6"];
    let kept: Vec<&str> =
        old.into_iter().filter(|c| left.lines().any(|line| line == c.repeat(64))).collect();
    assert!(kept.contains(&"1") && kept.contains(&"3"), "the newest stay: {kept:?}");
    assert!(kept.contains(&"6"), "what runs stays: {kept:?}");
    assert!(!kept.contains(&"4") && !kept.contains(&"5"), "the oldest go: {kept:?}");
}

#[test]
fn a_killed_run_leaves_no_connection_behind() {
    testkit::require!(netns, sshd);
    let lab = Lab::start(1);
    let sandbox =
        world::sandbox(&lab, NO_KAFKA, "  - ssh: {name: load-1}\ndeadlines: {topics: 20s}");
    let mut running = sandbox.spawn(RUN);
    // Then it looks for brokers from there, in vain and for as long as it may.
    running.wait_for_output("1 of 1 hosts ready", SOON);
    let folder = sandbox.temporary().display().to_string();
    assert!(!process::with_command_line(&folder).is_empty(), "no master of ssh");
    running.signal(process::Signal::KILL);
    let _ended = running.wait(SOON);
    testkit::wait::until("the end of ssh's masters", SOON, || {
        process::with_command_line(&folder).is_empty().then_some(())
    });
    // What its folder held is removed by the next run.
    sandbox.file("c.yaml", format!("kafka: {{bootstrap: \"{NO_KAFKA}\"}}\nhosts:\n  - ssh: {{name: load-1, host: nowhere.invalid}}\n"));
    sandbox.mallard(RUN).assert_code(3);
    let left = std::fs::read_dir(sandbox.temporary()).unwrap().count();
    assert_eq!(left, 0);
}

/// What is open in a process and its helpers at a moment.
#[derive(Debug, Default)]
struct Open {
    connections: usize,
    files: usize,
}

#[test]
fn fifty_hosts_are_made_ready_at_once_by_a_bounded_number_of_processes_and_files() {
    const HOSTS: usize = 50;
    testkit::require!(netns, sshd);
    let lab = Lab::start(HOSTS);
    // They all share the cores of one machine here.
    let hosts =
        format!("  - ssh: {{name: 'load-[1-{HOSTS}]'}}\ndeadlines: {{connect: 1m, deploy: 4m}}");
    let sandbox = world::sandbox(&lab, NO_KAFKA, &hosts);
    let folder = sandbox.temporary().display().to_string();
    for what in ["cold", "warm"] {
        let began = std::time::Instant::now();
        let mut check = sandbox.spawn(["check", "c.yaml"]);
        let files = format!("/proc/{}/fd", check.pid());
        let mut most = Open::default();
        while check.is_running() {
            let files = std::fs::read_dir(&files).map_or(0, Iterator::count);
            most.files = most.files.max(files);
            most.connections = most.connections.max(process::with_command_line(&folder).len());
            std::thread::sleep(Duration::from_millis(50));
        }
        let outcome = check.wait(SOON);
        println!("{what}: {HOSTS} hosts checked in {:.1?}, at most {most:?}", began.elapsed());
        // No broker is there: everything else is.
        outcome.assert_code(3);
        let ready = |line: &&str| line.starts_with("load-") && line.contains(" yes ");
        assert_eq!(outcome.stdout.lines().filter(ready).count(), HOSTS, "{outcome}");
        // A master for each host, and at most eight more that log in at the moment.
        assert!((HOSTS..=HOSTS + 8).contains(&most.connections), "{most:?}");
        assert!(most.files < 12 * HOSTS, "{most:?}");
    }
}
