//! The audit finds every kind of mistake.

use super::lively;
use crate::measure::{
    AgentIndex, AuditFailure, Collector,
    simulate::{Shape, reports},
};
use mallard_protocol::{ids::InstanceId, interval::IntervalReport};

fn audited(spoil: impl Fn(&mut IntervalReport)) -> Option<AuditFailure> {
    let plan = Shape::default().plan();
    let mut collector = Collector::new(&plan);
    let mut first = None;
    for (agent, mut report) in reports(&plan, lively) {
        if report.sequence == 4 && agent == AgentIndex(0) {
            spoil(&mut report);
        }
        if let Err(failure) = collector.interval(agent, &report) {
            first.get_or_insert(failure);
        }
    }
    first
}

/// Intervals of the default shape: a load of 12.5 s, and a drain whose first ones are short.
const INTERVALS: u64 = 26;

#[test]
fn a_sound_load_passes_the_audit() {
    assert_eq!(audited(|_| {}), None);
}

#[test]
fn every_identity_is_checked() {
    type Spoil = fn(&mut IntervalReport);
    let spoils: [(&str, Spoil); 15] = [
        ("scheduled is", |r| r.producers[0].totals.scheduled += 1),
        ("sent is", |r| r.producers[0].totals.outstanding += 1),
        ("the total of scheduled is", |r| {
            r.producers[0].totals.scheduled += 1;
            r.producers[0].totals.not_sent += 1;
        }),
        ("the total of acked is", |r| {
            r.producers[0].totals.acked += 1;
            r.producers[0].totals.outstanding -= 1;
        }),
        ("failed by code is", |r| r.producers[0].slices[0].failed.push(("X".into(), 1))),
        ("the count of service times", |r| {
            r.producers[0].slices[0].partitions[0].service.record(1);
        }),
        ("the count of response times", |r| {
            r.producers[0].slices[0].partitions[0].response.record(1);
        }),
        ("the count of sizes", |r| r.producers[0].slices[0].record_bytes.record(1)),
        ("the count of slips", |r| r.producers[0].slices[0].slip.record(1)),
        ("topic 0 has no partition 4", |r| r.producers[0].slices[0].partitions[0].partition = 4),
        ("there is no phase 9", |r| r.producers[0].slices[0].phase.0 = 9),
        ("instance 2 is not one of this agent's", |r| r.producers[0].instance = InstanceId(2)),
        ("its start is", |r| r.start_us += 1),
        ("lies in two phases", |r| r.end_us = 13_000_000),
        ("the total of received is", |r| r.consumers[0].totals.received += 1),
    ];
    for (text, spoil) in spoils {
        let failure = audited(spoil).unwrap_or_else(|| panic!("not found: {text}"));
        assert!(failure.what.contains(text), "{text}: {failure}");
        assert_eq!((failure.agent.as_str(), failure.sequence), ("local-1", 4));
    }
}

#[test]
fn a_failure_says_who_when_and_what() {
    let failure = audited(|r| r.producers[0].totals.outstanding += 1).unwrap();
    testkit::snapshot!("measure/a_failure_says_who_when_and_what", failure);
}

#[test]
fn a_mistake_is_told_once_and_the_rest_is_merged() {
    let plan = Shape::default().plan();
    let mut collector = Collector::new(&plan);
    let mut failures = 0;
    for (agent, mut report) in reports(&plan, lively) {
        if report.sequence == 4 && agent == AgentIndex(0) {
            report.producers[0].slices[0].record_bytes.record(1);
        }
        failures += u32::from(collector.interval(agent, &report).is_err());
    }
    let measured = collector.conclude(&Default::default());
    assert_eq!((failures, measured.quality.failures.len()), (1, 1));
    assert!(measured.accounts.acked > 1_500);
}

#[test]
fn a_hole_is_counted_and_the_rest_still_audited() {
    let plan = Shape::default().plan();
    let mut collector = Collector::new(&plan);
    for (agent, report) in reports(&plan, lively) {
        if agent == AgentIndex(1) && (3..6).contains(&report.sequence) {
            continue;
        }
        collector.interval(agent, &report).unwrap();
    }
    assert_eq!(collector.resume_at(AgentIndex(1)), INTERVALS);
    let measured = collector.conclude(&Default::default());
    assert_eq!((measured.agents[0].missing, measured.agents[1].missing), (0, 3));
}

#[test]
fn a_lost_agent_holds_nobody_up() {
    let plan = Shape::default().plan();
    let mut collector = Collector::new(&plan);
    let mut merged = Vec::new();
    for (agent, report) in reports(&plan, lively) {
        if agent == AgentIndex(1) && report.sequence >= 5 {
            continue;
        }
        merged.extend(collector.interval(agent, &report).unwrap());
    }
    assert_eq!(merged.len(), 5);
    assert_eq!(collector.waiting() as u64, INTERVALS - 5);
    merged.extend(collector.agent_lost(AgentIndex(1), 5_500_000));
    // The last interval ends with the drain and not on a cut: it waits for `Finished`.
    assert_eq!(merged.len() as u64, INTERVALS - 1);
    merged.extend(collector.agent_finished(AgentIndex(0)));
    assert_eq!(merged.len() as u64, INTERVALS);
    assert_eq!((merged[4].row.agents, merged[5].row.agents), (2, 1));
    let measured = collector.conclude(&Default::default());
    assert_eq!(measured.agents[1].lost_at_us, Some(5_500_000));
    assert_eq!(measured.quality.incomplete, 0);
}

#[test]
fn an_agent_that_finishes_early_holds_nobody_up() {
    let plan = Shape::default().plan();
    let mut collector = Collector::new(&plan);
    let mut merged = Vec::new();
    for (agent, report) in reports(&plan, lively) {
        if agent == AgentIndex(1) && report.sequence == INTERVALS - 1 {
            merged.extend(collector.agent_finished(AgentIndex(1)));
            continue;
        }
        merged.extend(collector.interval(agent, &report).unwrap());
    }
    merged.extend(collector.agent_finished(AgentIndex(0)));
    assert_eq!(merged.len() as u64, INTERVALS);
}
