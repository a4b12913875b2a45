//! The same on Podman: it speaks Docker's language with an accent of its own.

use crate::{left, runs};
use std::time::Instant;
use testkit::engine;

#[test]
fn agents_in_containers_of_podman_and_on_this_machine_share_a_kafka_in_containers() {
    testkit::require!(podman, kafka);
    let engine = engine::podman();
    let (began, taken) = (Instant::now(), engine.cpu_time());
    runs::containers_and_this_machine_share_a_kafka(engine);
    // Asked whether a broker runs, Podman would look without a pause.
    let (took, taken) = (began.elapsed(), engine.cpu_time() - taken);
    assert!(taken < took / 4, "Podman took {taken:?} of a processor's time in {took:?}");
}

#[test]
fn a_run_on_podman_that_is_interrupted_twice_leaves_nothing() {
    testkit::require!(podman, kafka);
    left::what_is_interrupted_twice_leaves_nothing(engine::podman());
}

#[test]
fn what_a_killed_run_leaves_on_podman_can_be_cleaned_up_by_hand() {
    testkit::require!(podman, kafka);
    left::what_is_killed_is_cleaned_up(engine::podman());
}
