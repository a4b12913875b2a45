//! Agents are killed, stopped and lost; others go on, take over, or the case ends.

use crate::world::{
    EMBEDDED, PATIENCE, assert_accounts_add_up, cluster_file, codes, count, sandbox, steady,
    under_load,
};
use std::time::{Duration, Instant};
use testkit::{
    kafka,
    mallard::Run,
    process::{self, Finished, Signal},
};

#[test]
fn a_killed_agent_is_noticed_within_5_s_and_everything_until_then_is_kept() {
    agent_fault(Signal::KILL);
}

#[test]
fn a_stopped_agent_is_noticed_within_6_s_and_does_not_come_back() {
    agent_fault(Signal::STOP);
}

fn agent_fault(signal: Signal) {
    let sandbox = sandbox(&steady("200/s", "30s", ""), EMBEDDED);
    let (mut running, run) = under_load(&sandbox, 3);
    let hurt = Instant::now();
    let victim = agent(&run, "local-2");
    process::send(victim, signal);
    running.wait_for_output("local-2 is lost", PATIENCE);
    assert!(hurt.elapsed() < Duration::from_secs(6), "noticed after {:?}", hurt.elapsed());
    running.wait(PATIENCE).assert_code(3);
    let result = run.only_result();
    assert!(codes(&result).contains(&"agent_lost"), "{:?}", codes(&result));
    assert!(count(&result, "accounts_whole/acked") > 300, "{result:#}");
    assert!(run.path("report.html").is_file());
    run.wait_for_no_orphans(PATIENCE);
}

#[test]
fn with_on_agent_loss_continue_the_others_finish_and_the_verdict_says_degraded() {
    testkit::require!(kafka);
    let kafka = kafka::shared(3);
    let scenario = steady("200/s", "10s", "on_agent_loss: continue");
    let sandbox = sandbox(&scenario, &cluster_file(kafka, 3, ""));
    let (running, run) = under_load(&sandbox, 3);
    // The first agent is also the one that reads end offsets for lag.
    process::send(agent(&run, "local-1"), Signal::KILL);
    // The lost member's session has to end before its group can be deleted.
    let outcome = running.wait(PATIENCE * 2);
    let result = run.only_result();
    assert!(codes(&result).contains(&"degraded"), "{}", outcome.stdout);
    let rows = std::fs::read_to_string(run.cases()[0].join("series.csv")).expect("series");
    assert!(rows.lines().count() > 9, "the load went on:\n{rows}");
    let lag = std::fs::read_to_string(run.cases()[0].join("lag.csv")).expect("lag");
    let last = lag.lines().last().and_then(|row| row.split(',').next()?.parse::<u64>().ok());
    assert!(last.is_some_and(|at_us| at_us > 8_000_000), "lag ends with the agent:\n{lag}");
}

#[test]
fn with_on_agent_loss_respread_the_rate_recovers_and_every_record_is_accounted_for() {
    testkit::require!(kafka);
    let kafka = kafka::shared(3);
    let scenario = three_producers_and_a_reader("14s", "expect: [records.lost == 0]");
    let bootstrap = kafka.bootstrap();
    let cluster = format!("kafka: {{bootstrap: \"{bootstrap}\"}}\nhosts: {READER_AND_TWO}\n");
    let sandbox = sandbox(&scenario, &cluster);
    let (running, run) = under_load(&sandbox, 4);
    process::send(agent(&run, "local-2"), Signal::KILL);
    let outcome = running.wait(PATIENCE);
    assert!(
        outcome.stdout.contains("local-1, local-3 send what local-2 had"),
        "{}",
        outcome.stdout
    );
    let result = run.only_result();
    assert_accounts_add_up(&result);
    assert!(codes(&result).contains(&"degraded"), "{}", outcome.stdout);
    assert_eq!(result["expectations"][0]["passed"], true, "{:#}", result["expectations"]);
    let lost = &result["agents"][1];
    let (reported_us, taken_us) = (&lost["last_report_us"], &lost["taken_over_at_us"]);
    let (reported_us, taken_us) =
        (reported_us.as_u64().unwrap_or(0), taken_us.as_u64().unwrap_or(0));
    assert!(0 < reported_us && reported_us < taken_us, "{lost:#}");
    // A third of the rate belonged to the lost agent: 100 records a second, 100 of them in a second.
    let nobodys = (taken_us - reported_us) / 10_000;
    let scheduled = count(&result, "accounts_whole/scheduled");
    assert_all_was_due(scheduled + nobodys, 15 * 300, &outcome);
    assert!(outcome.stdout.contains("degraded"), "{}", outcome.stdout);
    let warnings = result["warnings"].to_string();
    assert!(warnings.contains(&format!("{nobodys} records that it was due to send")), "{warnings}");
    // One that heard of it late has an interval with less.
    assert_rate_from(&run, taken_us + if took_over_late(&outcome) { 2_000_000 } else { 0 }, 300);
    let page = std::fs::read_to_string(run.path("report.html")).expect("a page");
    assert!(
        page.contains("records that local-2 was due to send were not sent"),
        "the gap is marked"
    );
    run.wait_for_no_orphans(PATIENCE);
}

/// The reader's agent, and two more.
const READER_AND_TWO: &str = "[{local: {labels: [reader]}}, {local: {agents: 2}}]";

/// A producer on each of three agents, and a consumer on one that is not lost: what a consumer has
/// received since its last report is lost to the count with it.
fn three_producers_and_a_reader(hold: &str, more: &str) -> String {
    let scenario = steady("300/s", hold, &format!("on_agent_loss: respread\n{more}"))
        .replace("instances: 2, payload", "instances: 3, payload")
        .replace("group: billing, instances: 2}", "group: billing, instances: 1, on: [reader]}");
    assert!(scenario.contains("on: [reader]"), "{scenario}");
    scenario
}

/// Whether an agent heard of what it takes over only after the moment from which it was to send that. It says
/// so; what was due in between is sent by nobody.
fn took_over_late(outcome: &Finished) -> bool {
    outcome.stdout.contains("and was to do so from")
}

/// What was sent, and what nobody was to send, is the whole load.
fn assert_all_was_due(due: u64, planned: u64, outcome: &Finished) {
    let is_all = due == planned || (due < planned && took_over_late(outcome));
    assert!(is_all, "{due} of {planned}: {outcome}");
}

/// From a moment on, every whole interval of the load has so many records due.
fn assert_rate_from(run: &Run, from_us: u64, per_s: u64) {
    let series = std::fs::read_to_string(run.cases()[0].join("series.csv")).expect("series");
    let mut lines = series.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().expect("a header");
    let column = |name: &str| header.iter().position(|known| *known == name).expect(name);
    let (start, end, phase) = (column("start_us"), column("end_us"), column("phase"));
    let scheduled = column("scheduled");
    let number = |cell: &str| cell.parse::<u64>().expect("a number");
    let mut rows = 0;
    for row in lines.filter(|row| number(row[start]) >= from_us && row[phase] == "hold") {
        let due = number(row[scheduled]) * 1_000_000 / (number(row[end]) - number(row[start]));
        assert_eq!(due, per_s, "{series}");
        rows += 1;
    }
    assert!(rows >= 5, "the load goes on for a while: {series}");
}

#[test]
fn a_controller_that_takes_over_knows_whose_load_has_moved_and_moves_it_once() {
    let scenario = three_producers_and_a_reader("16s", "");
    let cluster = format!("kafka: embedded\nhosts: {READER_AND_TWO}\nlease: 30s\n");
    let sandbox = sandbox(&scenario, &cluster);
    let (mut running, run) = under_load(&sandbox, 3);
    process::send(agent(&run, "local-3"), Signal::KILL);
    running.wait_for_output("send what local-3 had to send", PATIENCE);
    running.signal(Signal::KILL);
    assert_eq!(running.wait(PATIENCE).code(), None);
    let outcome = sandbox.mallard(["resume", "latest"]);
    let result = run.only_result();
    assert_accounts_add_up(&result);
    assert!(codes(&result).contains(&"degraded"), "{}", outcome.stdout);
    let lost = &result["agents"][2];
    let (reported_us, taken_us) = (&lost["last_report_us"], &lost["taken_over_at_us"]);
    let nobodys = taken_us.as_u64().zip(reported_us.as_u64()).map(|(taken, told)| taken - told);
    let per_s = 300 * instances_of(lost, "shop") / 3;
    let nobodys = nobodys.expect("both are known") * per_s / 1_000_000;
    let due = count(&result, "accounts_whole/scheduled") + nobodys;
    assert_all_was_due(due, 17 * 300, &outcome);
    run.wait_for_no_orphans(PATIENCE);
}

fn instances_of(agent: &serde_json::Value, workload: &str) -> u64 {
    let names = agent["instances"].as_array().expect("instances").iter();
    names.filter(|name| name.as_str().is_some_and(|name| name.starts_with(workload))).count() as u64
}

/// The process of an agent, by its name on its own command line.
fn agent(run: &Run, name: &str) -> u32 {
    let processes = run.processes();
    let daemon = processes.iter().find(|process| {
        process.command_line.contains("daemon") && process.command_line.contains(name)
    });
    daemon.unwrap_or_else(|| panic!("no daemon of {name} among {processes:?}")).pid
}
