//! What dead runs leave is found and removed; what living ones have stays.

use crate::world::{PATIENCE, RUN, sandbox, steady, wait_for_intervals};
use std::{fs, path::PathBuf};
use testkit::{
    mallard::{Run, Sandbox},
    process::{self, Running, Signal},
    wait,
};

/// A run whose controller and agents are all killed on the spot.
fn dead(sandbox: &Sandbox) -> Run {
    let mut running: Running = sandbox.spawn(RUN);
    running.wait_for_output("load starts", PATIENCE);
    let run = sandbox.latest_run();
    wait_for_intervals(&run, 2);
    running.signal(Signal::KILL);
    let _ended = running.wait(PATIENCE);
    // What was measured before this is in the archive, and off the agents' disks.
    wait::until("both agents keep what nobody collects", PATIENCE, || {
        let agents = agents_folder(sandbox, &run);
        let kept = |agent: &str| {
            let spool = fs::read_dir(agents.join(agent).join("spool")).into_iter().flatten();
            spool.flatten().any(|file| file.metadata().is_ok_and(|it| it.len() > 0))
        };
        (kept("0-local-1") && kept("0-local-2")).then_some(())
    });
    run.processes().iter().for_each(|process| process::send(process.pid, Signal::KILL));
    run.wait_for_no_orphans(PATIENCE);
    run
}

fn agents_folder(sandbox: &Sandbox, run: &Run) -> PathBuf {
    sandbox.home().join(".cache/mallard/runs").join(run.id())
}

fn folders(sandbox: &Sandbox, run: &Run) -> usize {
    fs::read_dir(agents_folder(sandbox, run)).map_or(0, Iterator::count)
}

#[test]
fn folders_of_dead_runs_go_and_those_of_living_ones_stay() {
    let embedded = "kafka: embedded\nhosts: [{local: {agents: 2}}]\n";
    let sandbox = sandbox(&steady("200/s", "60s", ""), embedded);
    let dead = dead(&sandbox);
    assert_eq!(folders(&sandbox, &dead), 2);
    sandbox.file("s.yaml", steady("200/s", "12s", ""));
    let mut running = sandbox.spawn(RUN);
    running.wait_for_output("load starts", PATIENCE);
    let living = sandbox.latest_run();

    let shown = sandbox.mallard(["clean", "c.yaml", "--dry-run"]);
    shown.assert_code(0);
    let line = |run: &Run, is: &str| format!("{} {is}", run.id());
    assert!(shown.stdout.contains(&line(&dead, "is dead")), "{}", shown.stdout);
    assert!(shown.stdout.contains(&line(&living, "stays: it lives")), "{}", shown.stdout);
    assert!(
        shown.stdout.contains("mallard resume"),
        "there is something to lose: {}",
        shown.stdout
    );
    let unasked = sandbox.mallard(["clean", "c.yaml", "--discard"]);
    unasked.assert_code(2);
    assert!(unasked.stderr.contains("--yes"), "{}", unasked.stderr);
    assert_eq!(folders(&sandbox, &dead), 2, "nobody has said yes");

    let spared = sandbox.mallard(["clean", "c.yaml", "--run", &dead.id(), "--yes"]);
    spared.assert_code(0);
    assert!(spared.stdout.contains("--discard"), "{}", spared.stdout);
    assert_eq!(folders(&sandbox, &dead), 2, "nobody has collected what was measured");
    let discards = ["clean", "c.yaml", "--run", &dead.id(), "--yes", "--discard"];
    sandbox.mallard(discards).assert_code(0);
    assert_eq!((folders(&sandbox, &dead), folders(&sandbox, &living)), (0, 2));
    let again = sandbox.mallard(["clean", "c.yaml", "--yes"]);
    again.assert_code(0);
    assert!(!again.stdout.contains("removed"), "{}", again.stdout);
    assert_eq!(folders(&sandbox, &living), 2);
    let outcome = running.wait(PATIENCE);
    living.assert_went_well(&outcome);
    assert!(outcome.stderr.contains("dead runs have left"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains(&dead.id()), "{}", outcome.stderr);
    living.wait_for_no_orphans(PATIENCE);
}
