//! Agents whose monotonic clocks are not the controller's: each in a time namespace of its own, hours apart.

use crate::world::{PATIENCE, RUN, assert_nothing_is_lost, metric, sandbox, steady};
use std::os::unix::fs::PermissionsExt;
use testkit::mallard::Sandbox;

/// Starts the agent where the monotonic clock is hours ahead; each time by another number of them.
fn shifted_agent(agent: &std::path::Path) -> String {
    let agent = agent.display();
    format!(
        "#!/bin/sh\n[ \"$1\" = connect ] || exec {agent} \"$@\"\n\
         exec unshare --fork --time --monotonic $(( $$ % 90000 + 3600 )) {agent} \"$@\"\n"
    )
}

/// The same as a program in a sandbox: its path.
fn install_shifted_agent(sandbox: &Sandbox) -> String {
    sandbox.file("shifted", shifted_agent(&testkit::paths::built("mallard-agent")));
    let path = sandbox.path("shifted");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    path.display().to_string()
}

#[test]
fn calibrating_tells_the_error_of_a_clock_that_is_not_the_controller_s() {
    testkit::require!(netns);
    let sandbox = Sandbox::new();
    sandbox.file("c.yaml", "kafka: embedded\nhosts: [{local: {agents: 1}}]\n");
    let shifted = install_shifted_agent(&sandbox);
    let outcome =
        sandbox.mallard(["calibrate", "c.yaml", "--seconds", "1", "--agent", shifted.as_str()]);
    outcome.assert_code(0);
    assert!(outcome.stdout.contains("± "), "{}", outcome.stdout);
    let kept = sandbox.home().join(".local/share/mallard/calibration.json");
    let kept = std::fs::read_to_string(kept).expect("what was found is kept");
    let kept: serde_json::Value = serde_json::from_str(&kept).expect("a store");
    let host = kept["hosts"].as_object().and_then(|hosts| hosts.values().next());
    let found = host.and_then(|builds| builds.as_object()?.values().next());
    let error_us = found.and_then(|found| found["clock_error_us"].as_u64());
    assert!(error_us.is_some_and(|us| (1..1_000_000).contains(&us)), "{kept:#}");
}

#[test]
fn agents_on_other_clocks_start_together_and_end_to_end_figures_carry_their_error() {
    testkit::require!(netns);
    let sandbox = sandbox(
        &steady("200/s", "4s", ""),
        "kafka: embedded\nhosts: [{local: {agents: 2}}]\nlease: 30s\n",
    );
    let shifted = install_shifted_agent(&sandbox);
    let outcome = sandbox.mallard([&RUN[..], &["--agent", &shifted]].concat());
    let run = sandbox.latest_run();
    let result = run.only_result();
    assert_nothing_is_lost(&result, 1_000);
    let error_us = result["metrics"]["end_to_end.max"]["uncertainty"].as_f64();
    let error_us = error_us.unwrap_or_else(|| panic!("no uncertainty: {}", outcome.stdout));
    assert!((1.0..1e6).contains(&error_us), "{error_us} µs");
    let max_us = metric(&result, "end_to_end.max");
    assert!(max_us < 60e6, "clocks are hours apart, and that is corrected: {max_us} µs");
    let boots = result["agents"].as_array().expect("agents").iter().map(|a| &a["host"]["boot_id"]);
    let boots: std::collections::BTreeSet<_> = boots.map(ToString::to_string).collect();
    assert_eq!(boots.len(), 2, "each agent had a clock of its own: {boots:?}");
    run.wait_for_no_orphans(PATIENCE);
}
