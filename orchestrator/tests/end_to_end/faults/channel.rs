//! Channels are cut while the load runs; then the archive is read.

use crate::world::{
    PATIENCE, RUN, assert_nothing_is_lost, codes, sandbox, steady, wait_for_intervals,
};
use testkit::{
    mallard::Run,
    process::{self, Signal},
};

const EMBEDDED: &str = "kafka: embedded\nhosts: [{local: {agents: 2}}]\n";

/// The processes that carry the channels.
fn bridges(run: &Run) -> Vec<u32> {
    let all = run.processes().into_iter();
    let bridges = all.filter(|process| process.command_line.contains(" connect "));
    bridges.map(|process| process.pid).collect()
}

fn cut(signal: Signal) {
    let sandbox = sandbox(&steady("200/s", "11s", ""), EMBEDDED);
    let mut running = sandbox.spawn(RUN);
    running.wait_for_output("load starts", PATIENCE);
    let run = sandbox.latest_run();
    wait_for_intervals(&run, 2);
    let cut = bridges(&run);
    assert!(!cut.is_empty(), "there are channels");
    cut.into_iter().for_each(|pid| process::send(pid, signal));
    running.wait_for_output("is broken", PATIENCE);
    running.wait_for_output("is back", PATIENCE);
    run.assert_went_well(&running.wait(PATIENCE));
    let result = run.only_result();
    assert_nothing_is_lost(&result, 12 * 200);
    run.assert_no_hole();
    assert!(codes(&result).contains(&"channel_cut"), "{:?}", codes(&result));
    assert!(!result["cuts"].as_array().expect("cuts").is_empty());
    run.wait_for_no_orphans(PATIENCE);
}

#[test]
fn when_the_processes_that_carry_the_channels_die_nothing_is_lost() {
    cut(Signal::KILL);
}

#[test]
fn channels_that_are_open_and_carry_nothing_are_noticed_and_nothing_is_lost() {
    cut(Signal::STOP);
}
