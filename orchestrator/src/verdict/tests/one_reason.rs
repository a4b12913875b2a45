//! One cause is one reason: not what follows from it, and not once for each agent that shares it.

use super::*;
use mallard_protocol::message::HostFacts;

#[test]
fn a_topic_that_cannot_be_created_is_an_error_with_one_reason() {
    let mut trial = Trial::new(&["records.lost == 0", "produce.acked.rate >= 100/s"], well);
    trial.spoil = |_, _| false;
    trial.facts.load_started_at = None;
    let text = "create topics: topic t: Replication factor: 5 larger than available brokers: 1.";
    trial.facts.run_errors.push(RunError::Topic { text: text.into() });
    let judgement = trial.judge();
    let result = &judgement.result;
    assert_eq!(result.verdict, Verdict::Error);
    let told: Vec<_> = result.reasons.iter().map(|r| (r.code.as_str(), r.text.as_str())).collect();
    assert_eq!(told, [("topic_failed", text)]);
    assert_eq!(judgement.sentence, format!("error: {text}"));
    assert!(result.expectations.iter().all(|expectation| !expectation.passed));
}

#[test]
fn a_topic_that_differs_is_invalid_with_one_reason() {
    let mut trial = Trial::new(&["records.lost == 0"], well);
    trial.spoil = |_, _| false;
    trial.facts.load_started_at = None;
    let text = "create topics as asked: topic t has 3 partitions, asked for were 2";
    trial.facts.run_errors.push(RunError::TopicConfiguration { text: text.into() });
    let result = trial.result();
    assert_eq!(result.verdict, Verdict::Invalid);
    assert_eq!(result.reasons.len(), 1, "{:#?}", result.reasons);
}

#[test]
fn a_load_that_never_started_without_a_reason_does_not_pass() {
    let mut trial = Trial::new(&[], well);
    trial.spoil = |_, _| false;
    trial.facts.load_started_at = None;
    because(&trial, Verdict::Invalid, Kind::NothingMeasured);
}

fn on_host(boot_id: &str) -> AgentFacts {
    let host = HostFacts { boot_id: boot_id.into(), ..HostFacts::default() };
    AgentFacts { host: Some(host), ..AgentFacts::default() }
}

/// Every host is busy with all of its cores, and every agent hands in late.
fn busy(_: AgentIndex, report: &mut IntervalReport) -> bool {
    let length_us = report.end_us - report.start_us;
    (report.resources.host_cores, report.resources.host_cpu_us) = (2, 2 * length_us);
    report.late_by_us = if report.sequence > 8 { 900_000 } else { 0 };
    true
}

fn texts(result: &CaseResult, kind: Kind) -> Vec<&str> {
    let all = result.reasons.iter().chain(&result.warnings);
    all.filter(|reason| kind.is(reason)).map(|reason| reason.text.as_str()).collect()
}

#[test]
fn agents_that_share_a_host_share_its_doubt() {
    let mut trial = Trial::new(&[], late);
    trial.shape.agents = 6;
    trial.spoil = busy;
    trial.facts.agents = vec![on_host("one boot"); 6];
    let result = trial.result();
    let busy = texts(&result, Kind::HostCpuSaturated);
    assert_eq!(busy.len(), 1, "{busy:#?}");
    let who = "the host of local-1, local-2, local-3, local-4 and 2 more was busy";
    assert!(busy[0].starts_with(who), "{}", busy[0]);
    let late = texts(&result, Kind::IntervalsLate);
    assert_eq!(late.len(), 1, "{late:#?}");
    assert!(late[0].starts_with("up to "), "{}", late[0]);
}

#[test]
fn hosts_of_their_own_have_doubts_of_their_own() {
    let mut trial = Trial::new(&[], late);
    trial.spoil = busy;
    trial.facts.agents = vec![on_host("one boot"), on_host("another boot")];
    let result = trial.result();
    let busy = texts(&result, Kind::HostCpuSaturated);
    assert_eq!(busy.len(), 2, "{busy:#?}");
    assert!(busy[1].starts_with("the host of local-2 was busy"), "{}", busy[1]);
}

#[test]
fn a_bound_that_failed_is_said_beside_a_measurement_that_is_invalid() {
    let mut trial = Trial::new(&["produce.service.p99 < 1ms", "records.failed == 0"], late);
    trial.spoil = |_, report| {
        let length_us = report.end_us - report.start_us;
        (report.resources.host_cores, report.resources.host_cpu_us) = (2, 2 * length_us);
        true
    };
    let judgement = trial.judge();
    assert_eq!(judgement.result.verdict, Verdict::Invalid);
    assert!(judgement.sentence.starts_with("invalid: the host of"), "{}", judgement.sentence);
    assert!(judgement.sentence.ends_with("; 1 of 2 expectations failed"), "{}", judgement.sentence);
    find(&judgement.result.reasons, Kind::ExpectationFailed);
}
