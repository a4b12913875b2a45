//! Hosts whose clocks are not the controller's, behind wires that are slower one way than the other.

use crate::world::{self, PATIENCE, RUN};
use testkit::{
    lab::{HostOptions, Lab, Slowness},
    mallard::{Run, codes},
};

/// How far the hosts' monotonic clocks are ahead, in seconds.
const AHEAD_S: [i64; 3] = [0, 7_200, 86_400];

/// How far apart agents may start at most: what a slow wire leaves of uncertainty, and what a machine that is busy
/// with tests takes to wake three processes.
const STARTED_TOGETHER_US: i64 = 50_000;

#[test]
fn clocks_of_hosts_are_found_within_the_error_that_is_told_and_hosts_start_together() {
    testkit::require!(netns, sshd, kafka, slow_wires);
    let options = AHEAD_S.map(|ahead_s| {
        // Nothing may go by the time of day, so that is wrong as well.
        HostOptions::default().clock(12.5, 100.0).monotonic_clock(ahead_s)
    });
    let lab = Lab::start_with(&options);
    lab.host(3).slow(Slowness { out_ms: 12.0, back_ms: 2.0, loss: 0.0 });
    let kafka = lab.kafka(1);
    let sandbox = world::sandbox(&lab, &kafka.bootstrap(), "  - ssh: {name: 'load-[1-3]'}");
    let mut running = sandbox.spawn(RUN);
    running.wait_for_output("load starts", PATIENCE);
    let run = sandbox.latest_run();
    // What the common start was told by; it goes when the case is judged.
    let case = Run::at(run.cases()[0].clone());
    let checkpoint = case.json("checkpoint.json");
    let outcome = running.wait(PATIENCE);
    run.assert_went_well(&outcome);
    let result = run.only_result();
    world::assert_complete(&result, 800);

    let agents = result["agents"].as_array().unwrap();
    let (mut largest, mut told) = (0, 0);
    let mut starts_us = Vec::new();
    for (agent, ahead_s) in agents.iter().zip(AHEAD_S) {
        let found = &checkpoint["clocks"][agent["host"]["boot_id"].as_str().unwrap()];
        let ahead_us = found["ahead_us"].as_i64().unwrap_or_else(|| panic!("{checkpoint:#}"));
        let error_us = found["error_us"].as_i64().unwrap();
        let off_us = ahead_us - ahead_s * 1_000_000;
        // The moment of the start, as it was told the agent, was off by as much.
        starts_us.push(off_us + agent["start_late_us"].as_i64().unwrap());
        let wrong_us = off_us.abs();
        println!("{}: wrong by {wrong_us} µs, ± {error_us} µs told", agent["name"]);
        assert!(wrong_us <= error_us, "{agent:#}: wrong by {wrong_us} µs: {found}");
        (largest, told) = (wrong_us.max(largest), error_us.max(told));
    }
    // Half of what is lost by going out slowly and coming back fast.
    assert!(largest > 3_000, "the wires were not slow: wrong by {largest} µs only");
    let spread_us = starts_us.iter().max().unwrap() - starts_us.iter().min().unwrap();
    println!("the agents truly started within {spread_us} µs: {starts_us:?}");
    let is_told = codes(&result).contains(&"started_apart");
    assert!(spread_us < STARTED_TOGETHER_US || is_told, "{spread_us} µs apart: {starts_us:?}");
    let uncertainty = result["metrics"]["end_to_end.p95"]["uncertainty"].as_f64().unwrap();
    assert!(uncertainty >= told as f64, "{uncertainty} µs, and a clock is known to {told} µs");
    world::print_figures("clocks hours apart", &run);
    world::assert_nothing_left(&lab, &sandbox);
}

/// How fast the monotonic clock of the second host is: ten times what a bad quartz is.
const FAST_PPM: f64 = 500.0;

/// How long the load lasts, warm-up included, in microseconds, and how long a filter of the clocks lasts in it,
/// which is how long it may take until a drift is known.
const LOAD_US: f64 = 25_000_000.0;
const FILTER_US: f64 = 17_000_000.0;

#[test]
fn a_clock_that_drifts_widens_the_error_that_is_told_and_makes_a_narrow_limit_invalid() {
    testkit::require!(netns, sshd, kafka);
    let steady = HostOptions::default().own_boot_id();
    let lab = Lab::start_with(&[steady, HostOptions::default().monotonic_drift(FAST_PPM)]);
    let kafka = lab.kafka(1);
    let sandbox = world::sandbox(&lab, &kafka.bootstrap(), "  - ssh: {name: 'load-[1-2]'}");
    let narrow = world::steady("24s", "").replace("records.lost == 0", "end_to_end.min < 30ms");
    sandbox.file("s.yaml", narrow);
    let outcome = sandbox.mallard(RUN).expect_code(4);
    let run = sandbox.latest_run();
    let result = run.only_result();
    world::assert_complete(&result, 5_000);
    assert!(codes(&result).contains(&"clock_uncertain"), "{result:#}");
    assert!(outcome.stdout.contains("synchronise the hosts' clocks"), "{outcome}");

    let told_us = result["metrics"]["end_to_end.p95"]["uncertainty"].as_f64().unwrap();
    let drifted_us = |us: f64| us * FAST_PPM / 1e6;
    println!("± {told_us} µs told of a clock that went {} µs in the load", drifted_us(LOAD_US));
    assert!(told_us >= drifted_us(LOAD_US - FILTER_US), "± {told_us} µs is too little");
    assert!(told_us < drifted_us(4.0 * LOAD_US), "± {told_us} µs is too much");
    world::assert_nothing_left(&lab, &sandbox);
}
