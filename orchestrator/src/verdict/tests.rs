//! Every doubt, the rule of verdicts, and what sentences read like.

use super::*;
use crate::{
    calibrate::AgentLoad,
    measure::{
        AgentIndex, Collector,
        simulate::{End, Fate, Shape, reports},
    },
    model::result::{CaseResult, Reason, Verdict},
    plan::CasePlan,
    scenario::cluster::{KafkaPlan, OnAgentLoss},
};
use mallard_protocol::{
    counters::Counter,
    ids::TopicId,
    interval::{IntervalReport, PartitionOffset, ProducerInterval},
    message::{AgentFailure, FailureKind},
    schedule::PhaseKind,
};
use proptest::prelude::*;

mod early_stop;
mod one_reason;

type Model = fn(u64, u64) -> Fate;

fn well(_: u64, _: u64) -> Fate {
    Fate::default()
}

/// A case under test: what is expected, what records go through, what is spoiled on the way.
struct Trial {
    shape: Shape,
    model: Model,
    facts: CaseFacts,
    spoil_plan: fn(&mut CasePlan),
    spoil: fn(AgentIndex, &mut IntervalReport) -> bool,
    lost: Option<(AgentIndex, u64)>,
    /// Whether agents say that they have reported everything.
    finishes: bool,
}

impl Trial {
    fn new(expect: &[&'static str], model: Model) -> Self {
        let shape = Shape { expect: expect.to_vec(), ..Shape::default() };
        let facts = CaseFacts {
            load_started_at: Some("2026-03-01T14:00:00Z".into()),
            agents: vec![AgentFacts::default(); 2],
            ..CaseFacts::default()
        };
        Self {
            shape,
            model,
            facts,
            spoil_plan: |_| (),
            spoil: |_, _| true,
            lost: None,
            finishes: false,
        }
    }

    fn judge(&self) -> Judgement {
        let mut plan = self.shape.plan();
        (self.spoil_plan)(&mut plan);
        let mut collector = Collector::new(&plan);
        collector.start_offsets(&offsets(0, self.shape.partitions));
        if let Some(stop) = &self.facts.early_stop {
            collector.stop(stop.at_us);
        }
        for (agent, mut report) in reports(&plan, self.model) {
            if (self.spoil)(agent, &mut report) {
                let _ = collector.interval(agent, &report);
            }
        }
        if let Some((agent, at_us)) = self.lost {
            collector.agent_lost(agent, at_us);
        }
        if self.finishes {
            (0..2).map(AgentIndex).for_each(|agent| drop(collector.agent_finished(agent)));
        }
        judge(&plan, collector.conclude(&self.facts.log), &self.facts)
    }

    fn result(&self) -> CaseResult {
        self.judge().result
    }
}

fn offsets(offset: i64, partitions: i32) -> Vec<PartitionOffset> {
    let offset = |partition| PartitionOffset { topic: TopicId(0), partition, offset };
    (0..partitions).map(offset).collect()
}

fn find(reasons: &[Reason], kind: Kind) -> &Reason {
    let found = reasons.iter().find(|reason| reason.code == kind.code());
    found.unwrap_or_else(|| panic!("no {}: {reasons:#?}", kind.code()))
}

/// The trial's verdict is `verdict`, because of `kind`.
fn because(trial: &Trial, verdict: Verdict, kind: Kind) -> String {
    let result = trial.result();
    assert_eq!(result.verdict, verdict, "{:#?}", result.reasons);
    find(&result.reasons, kind).text.clone()
}

/// The trial passes, with a warning of `kind`.
fn warned(trial: &Trial, kind: Kind) -> String {
    let result = trial.result();
    assert_eq!(result.verdict, Verdict::Pass, "{:#?}", result.reasons);
    find(&result.warnings, kind).text.clone()
}

#[test]
fn a_sound_case_passes_without_a_doubt() {
    let trial = Trial::new(
        &["produce.acked.rate >= 198/s", "end_to_end.p99 < 100ms", "records.lost == 0"],
        well,
    );
    let judgement = trial.judge();
    assert_eq!(judgement.result.verdict, Verdict::Pass, "{:#?}", judgement.result);
    assert!(judgement.result.warnings.is_empty(), "{:#?}", judgement.result.warnings);
    testkit::snapshot!("verdict/a_sound_case_passes_without_a_doubt", judgement.sentence);
}

#[test]
fn an_expectation_that_does_not_hold_fails_the_case() {
    let trial = Trial::new(&["produce.service.p99 < 1ms"], well);
    testkit::snapshot!(
        "verdict/an_expectation_that_does_not_hold_fails_the_case",
        because(&trial, Verdict::Fail, Kind::ExpectationFailed)
    );
}

#[test]
fn nothing_acknowledged_is_a_failure_even_if_nothing_was_expected() {
    let fails =
        |_, _| Fate { end: End::Failed("_MSG_TIMED_OUT"), received_us: None, ..Fate::default() };
    because(&Trial::new(&[], fails), Verdict::Fail, Kind::NothingAcknowledged);
}

#[test]
fn slip_that_no_backpressure_explains_is_invalid() {
    fn slips(record: u64, _: u64) -> Fate {
        Fate { slip_us: if record.is_multiple_of(20) { 30_000 } else { 50 }, ..Fate::default() }
    }
    fn held_up(record: u64, due_us: u64) -> Fate {
        Fate { is_held_up: true, ..slips(record, due_us) }
    }
    let text = because(&Trial::new(&[], slips), Verdict::Invalid, Kind::GeneratorSlip);
    testkit::snapshot!("verdict/slip_that_no_backpressure_explains_is_invalid", text);
    assert_eq!(Trial::new(&[], held_up).result().verdict, Verdict::Pass);
}

#[test]
fn a_saturated_agent_is_invalid_only_if_records_were_late() {
    let busy = |_, report: &mut IntervalReport| {
        report.resources.busiest_thread_cpu_us = report.end_us - report.start_us;
        true
    };
    let mut trial = Trial::new(&[], well);
    trial.spoil = busy;
    warned(&trial, Kind::AgentCpuSaturated);
    trial.model = |record, _| Fate {
        slip_us: if record.is_multiple_of(20) { 9_000 } else { 50 },
        is_held_up: true,
        ..Fate::default()
    };
    testkit::snapshot!(
        "verdict/a_saturated_agent_is_invalid_only_if_records_were_late",
        because(&trial, Verdict::Invalid, Kind::AgentCpuSaturated)
    );
}

#[test]
fn a_host_without_a_core_to_spare_is_doubted_and_invalid_if_records_were_late() {
    let mut trial = Trial::new(&[], well);
    trial.spoil = |_, report| {
        let (used, length_us) = (&mut report.resources, report.end_us - report.start_us);
        (used.host_cores, used.host_cpu_us) = (2, 2 * length_us);
        true
    };
    let text = warned(&trial, Kind::HostCpuSaturated);
    assert!(
        text.starts_with("the host of local-1, local-2 was busy with all of its cores in"),
        "{text}"
    );
    trial.model = late;
    because(&trial, Verdict::Invalid, Kind::HostCpuSaturated);
}

/// An agent that is to send so many records a second, and can send 100.
fn load(planned_per_s: f64) -> AgentLoad {
    AgentLoad {
        agent: "local-1".into(),
        planned_per_s,
        ceiling_per_s: 100.0,
        calibrated_at: "2026-03-01T00:00:00Z".into(),
    }
}

#[test]
fn a_rate_beyond_an_agents_ceiling_is_invalid_once_records_are_late_with_the_numbers() {
    let mut trial = Trial::new(&[], well);
    trial.facts.loads = vec![load(120.0)];
    assert_eq!(trial.result().verdict, Verdict::Pass, "it made the rate all the same");
    trial.model = late;
    let text = because(&trial, Verdict::Invalid, Kind::CeilingReached);
    assert!(text.starts_with("local-1 was to send up to 120/s, 120 % of the 100/s"), "{text}");
    trial.facts.loads[0].ceiling_per_s = 200.0;
    assert_eq!(trial.result().verdict, Verdict::Pass, "it was not the agent");
}

#[test]
fn below_its_ceiling_an_agent_is_not_blamed_for_records_that_a_full_queue_held_up() {
    let mut trial = Trial::new(&[], late);
    trial.facts.loads = vec![load(96.0)];
    assert_eq!(trial.result().verdict, Verdict::Pass, "a broker stalled");
    trial.model = |record, due_us| Fate { is_held_up: false, ..late(record, due_us) };
    let text = because(&trial, Verdict::Invalid, Kind::CeilingReached);
    assert!(text.starts_with("local-1 was to send up to 96/s, 96 % of the 100/s"), "{text}");
    trial.facts.loads[0].planned_per_s = 94.0;
    let reasons = trial.result().reasons;
    assert!(reasons.iter().all(|reason| reason.code != Kind::CeilingReached.code()), "{reasons:?}");
}

fn refused(producer: &mut ProducerInterval, time_us: u64) {
    producer.counters.count(Counter::BackpressureUs, time_us);
}

#[test]
fn a_cpu_that_was_busy_for_a_while_is_not_blamed_for_a_stall_in_which_it_was_idle() {
    // The queue is full from 8 s to 11 s; then the agent catches up with all it has.
    let stall = |_, report: &mut IntervalReport| {
        let length_us = report.end_us - report.start_us;
        if (8_000_000..11_000_000).contains(&report.start_us) {
            refused(&mut report.producers[0], length_us);
        } else if (11_000_000..13_000_000).contains(&report.start_us) {
            refused(&mut report.producers[0], length_us / 2);
            report.resources.busiest_thread_cpu_us = length_us;
            report.resources.host_cpu_us = length_us * u64::from(report.resources.host_cores);
        }
        true
    };
    let mut trial = Trial::new(&[], late);
    trial.spoil = stall;
    warned(&trial, Kind::AgentCpuSaturated);
    warned(&trial, Kind::HostCpuSaturated);
    // Held up only while it was busy: it could not empty its queue itself.
    trial.spoil = |_, report| {
        if (11_000_000..13_000_000).contains(&report.start_us) {
            let length_us = report.end_us - report.start_us;
            refused(&mut report.producers[0], length_us / 2);
            report.resources.busiest_thread_cpu_us = length_us;
        }
        true
    };
    because(&trial, Verdict::Invalid, Kind::AgentCpuSaturated);
}

/// One record in twenty is sent late, held up by a full queue.
fn late(record: u64, _: u64) -> Fate {
    let slip_us = if record.is_multiple_of(20) { 9_000 } else { 50 };
    Fate { slip_us, is_held_up: true, ..Fate::default() }
}

#[test]
fn missing_intervals_are_invalid() {
    let mut trial = Trial::new(&[], well);
    trial.spoil = |agent, report| !(agent.0 == 1 && (5..8).contains(&report.sequence));
    let text = because(&trial, Verdict::Invalid, Kind::IntervalsMissing);
    assert_eq!(text, "3 intervals of local-2 never arrived");
    trial.spoil = |agent, report| !(agent.0 == 1 && report.sequence > 8);
    let text = because(&trial, Verdict::Invalid, Kind::IntervalsMissing);
    assert_eq!(text, "local-2 reported until 8 s of a load of 12.5 s");
    trial.spoil = |agent, report| {
        if agent.0 == 1 && report.sequence > 17 {
            report.consumers.clear();
        }
        true
    };
    let text = because(&trial, Verdict::Invalid, Kind::IntervalsMissing);
    assert_eq!(text, "8 intervals of local-2 came without the part of an instance");
}

#[test]
fn late_intervals_are_invalid_from_a_share_on() {
    let mut trial = Trial::new(&[], well);
    trial.spoil = |agent, report| {
        report.late_by_us = if agent.0 == 0 && report.sequence > 8 { 900_000 } else { 0 };
        true
    };
    because(&trial, Verdict::Invalid, Kind::IntervalsLate);
    trial.spoil = |agent, report| {
        report.late_by_us = if agent.0 == 0 && report.sequence == 8 { 900_000 } else { 0 };
        true
    };
    warned(&trial, Kind::IntervalsLate);
}

/// Every tenth record is acknowledged and not received.
fn swallows(record: u64, _: u64) -> Fate {
    Fate { received_us: (!record.is_multiple_of(10)).then_some(3_000), ..Fate::default() }
}

#[test]
fn consumers_that_never_caught_up_are_invalid_where_it_matters() {
    let mut trial = Trial::new(&["end_to_end.p50 < 1s"], swallows);
    // The simulated positions are counts of records received, so the missing ones are a lag.
    testkit::snapshot!(
        "verdict/consumers_that_never_caught_up_are_invalid_where_it_matters",
        because(&trial, Verdict::Invalid, Kind::NeverCaughtUp)
    );
    trial.shape.expect = vec!["produce.acked.rate > 1/s"];
    warned(&trial, Kind::NeverCaughtUp);
}

/// Sets every position beyond the end of the log.
fn read_to_the_end(_: AgentIndex, report: &mut IntervalReport) -> bool {
    report.consumers[0].positions.iter_mut().for_each(|position| position.offset = i64::MAX);
    true
}

#[test]
fn records_that_a_consumer_has_passed_without_being_given_them_are_lost() {
    let mut trial = Trial::new(&["records.lost == 0"], swallows);
    trial.spoil = read_to_the_end;
    trial.facts.log.ends = offsets(625, 4);
    trial.finishes = true;
    because(&trial, Verdict::Fail, Kind::ExpectationFailed);
    let result = trial.result();
    let text = &find(&result.warnings, Kind::RecordsLost).text;
    assert!(text.contains("was never given 250 records that were acknowledged"), "{text}");
}

#[test]
fn a_log_that_ends_below_what_was_acknowledged_has_lost_records() {
    let mut trial = Trial::new(&["records.lost == 0"], well);
    trial.facts.log.ends = offsets(600, 4);
    because(&trial, Verdict::Fail, Kind::ExpectationFailed);
    let result = trial.result();
    let text = &find(&result.warnings, Kind::RecordsLost).text;
    assert!(text.starts_with("100 records that were acknowledged are gone in "), "{text}");
    assert!(text.contains("100 of them after consumer"), "{text}");
}

#[test]
fn without_offsets_nothing_is_lost_and_nothing_is_shown_not_to_be() {
    let mut trial = Trial::new(&["records.lost == 0"], swallows);
    trial.spoil = read_to_the_end;
    let text = because(&trial, Verdict::Invalid, Kind::RecordsUnaccounted);
    assert!(text.contains("did not receive 250 records"), "{text}");
    assert!(text.ends_with("where the log ends could not be read after the load"), "{text}");
    assert!(trial.result().expectations[0].passed, "no loss is proven");
}

#[test]
fn what_retention_or_compaction_took_is_no_loss() {
    let mut trial = Trial::new(&["records.lost == 0"], swallows);
    trial.spoil = read_to_the_end;
    trial.facts.log.ends = offsets(625, 4);
    trial.facts.log.starts = offsets(500, 4);
    let text = warned(&trial, Kind::RecordsExpired);
    assert!(text.starts_with("retention removed 250 records in "), "{text}");
    trial.facts.log.starts = offsets(0, 4);
    trial.spoil_plan = |plan| {
        plan.topics[0].config = vec![("cleanup.policy".into(), "compact".into())];
    };
    let text = warned(&trial, Kind::RecordsCompacted);
    assert!(text.starts_with("compaction removed 250 records in "), "{text}");
}

#[test]
fn a_consumer_behind_the_log_start_is_said_to_be_so() {
    let mut trial = Trial::new(&[], swallows);
    trial.spoil = |_, report| {
        report.consumers[0].positions.iter_mut().for_each(|position| position.offset = 120);
        true
    };
    trial.facts.log.ends = offsets(625, 4);
    trial.facts.log.starts = offsets(620, 4);
    let text = warned(&trial, Kind::RecordsExpired);
    assert!(text.contains("its position is 120, and the log begins at 620"), "{text}");
    let text = warned(&trial, Kind::NeverCaughtUp);
    assert!(text.contains("had not read 10 records"), "{text}");
}

#[test]
fn accounts_that_do_not_add_up_are_an_error() {
    let mut trial = Trial::new(&[], well);
    trial.spoil = |agent, report| {
        report.producers[0].totals.acked += u64::from(agent.0 == 0 && report.sequence == 7);
        true
    };
    because(&trial, Verdict::Error, Kind::AccountsDoNotAddUp);
}

#[test]
fn a_client_that_holds_more_than_the_accounts_know_is_invalid() {
    let mut trial = Trial::new(&[], well);
    trial.facts.agents[1].client_queue = Some(3);
    because(&trial, Verdict::Invalid, Kind::ClientHeldRecords);
}

#[test]
fn a_lost_agent_is_an_error_or_a_degraded_case() {
    let mut trial = Trial::new(&[], well);
    trial.spoil = |agent, report| !(agent.0 == 1 && report.sequence > 5);
    trial.lost = Some((AgentIndex(1), 4_500_000));
    trial.facts.agents[1].lost = Some("silent for 4 s".into());
    let text = because(&trial, Verdict::Error, Kind::AgentLost);
    assert_eq!(text, "local-2 was lost at 4.5 s of the load: silent for 4 s");
    trial.spoil_plan = |plan| plan.on_agent_loss = OnAgentLoss::Continue;
    warned(&trial, Kind::Degraded);
    assert!(trial.judge().sentence.starts_with("pass (degraded): "));
}

#[test]
fn errors_of_the_run_are_reasons() {
    let run_errors = [
        (
            RunError::BrokerUnreachable { text: "local-1: broker-1:9092: refused".into() },
            Kind::BrokerUnreachable,
        ),
        (RunError::Topic { text: "replication 3 with 1 broker".into() }, Kind::TopicFailed),
        (
            RunError::Agent {
                agent: "local-1".into(),
                failure: AgentFailure { kind: FailureKind::Other, text: "no memory".into() },
            },
            Kind::AgentFailed,
        ),
        (
            RunError::Agent {
                agent: "local-1".into(),
                failure: AgentFailure { kind: FailureKind::Registry, text: "409".into() },
            },
            Kind::SchemaRegistryFailed,
        ),
        (
            RunError::Deadline {
                step: "assigning consumers".into(),
                progress: "1 of 2 assigned".into(),
                within_us: 30_000_000,
            },
            Kind::DeadlineMissed,
        ),
        (
            RunError::Abandoned {
                until_us: 31_000_000,
                planned_us: 60_000_000,
                lease_us: 30_000_000,
            },
            Kind::Abandoned,
        ),
        (RunError::Harness { text: "disk full".into() }, Kind::HarnessFailed),
    ];
    for (error, kind) in run_errors {
        let mut trial = Trial::new(&[], well);
        trial.facts.run_errors.push(error);
        because(&trial, Verdict::Error, kind);
    }
}

#[test]
fn a_refused_topic_configuration_is_invalid() {
    let mut trial = Trial::new(&[], well);
    trial.facts.run_errors.push(RunError::TopicConfiguration {
        text: "topic orders has min.insync.replicas=1, asked for was 2".into(),
    });
    because(&trial, Verdict::Invalid, Kind::TopicConfigurationRefused);
}

#[test]
fn an_interruption_outweighs_what_it_left_unfinished() {
    let mut trial = Trial::new(&["produce.acked.rate >= 10000/s"], well);
    trial.spoil = |_, report| report.sequence < 9;
    trial.facts.interrupted_by = Some("interrupt".into());
    let result = trial.result();
    assert_eq!(result.verdict, Verdict::Interrupted);
    assert_eq!(result.reasons[0].code, "interrupted");
    find(&result.reasons, Kind::ExpectationFailed);
}

#[test]
fn clocks_must_be_small_against_what_is_judged() {
    let mut trial = Trial::new(&["end_to_end.p99 < 100ms"], well);
    trial.facts.clock_error_us = Some(20_000);
    let text = because(&trial, Verdict::Invalid, Kind::ClockUncertain);
    assert_eq!(
        text,
        "clocks of different hosts are known to ± 20 ms, and an end-to-end limit of 100 ms is judged"
    );
    trial.facts.clock_error_us = Some(200);
    let result = trial.result();
    assert_eq!(result.verdict, Verdict::Pass);
    assert_eq!(result.metrics["end_to_end.p99"].uncertainty, Some(200.0));
    assert_eq!(result.metrics["produce.response.p99"].uncertainty, None);
}

#[test]
fn a_rate_that_was_not_reached_is_told_with_its_backpressure() {
    fn stalls(_: u64, due_us: u64) -> Fate {
        // Nothing is sent after 8 s: the records wait until long after the end.
        let slip_us = if due_us > 8_000_000 { 60_000_000 } else { 50 };
        Fate { slip_us, is_held_up: true, ..Fate::default() }
    }
    let mut trial = Trial::new(&[], stalls);
    trial.spoil = |_, report| {
        let half_us = (report.end_us - report.start_us) / 2;
        refused(&mut report.producers[0], half_us);
        true
    };
    testkit::snapshot!(
        "verdict/a_rate_that_was_not_reached_is_told_with_its_backpressure",
        warned(&trial, Kind::RateNotReached)
    );
}

#[test]
fn what_only_needs_saying_is_a_warning() {
    fn no_fate(record: u64, _: u64) -> Fate {
        let end = if record == 700 { End::Outstanding } else { End::Acked };
        Fate { end, received_us: (record != 700).then_some(3_000), ..Fate::default() }
    }
    warned(&Trial::new(&[], no_fate), Kind::FateUnknown);

    let mut hours = Trial::new(&[], well);
    hours.spoil = |_, report| {
        for part in report.producers[0].slices.iter_mut().flat_map(|slice| &mut slice.partitions) {
            part.response.clear();
            part.response.record_n(4_000_000_000, part.acked);
        }
        true
    };
    let text = warned(&hours, Kind::SaturatedHistogram);
    assert_eq!(text, "2,000 response times were beyond an hour");

    let mut foreign = Trial::new(&[], well);
    foreign.spoil = |_, report| {
        report.consumers[0].totals.foreign = report.sequence;
        true
    };
    warned(&foreign, Kind::ForeignRecords);

    fn kept(record: u64, _: u64) -> Fate {
        let failed = record.is_multiple_of(100);
        Fate { end: if failed { End::Failed("X") } else { End::Acked }, ..Fate::default() }
    }
    let text = warned(&Trial::new(&[], kept), Kind::UnexpectedRecords);
    assert!(text.starts_with("consumers received 25 records more"), "{text}");

    let mut apart = Trial::new(&[], well);
    apart.facts.agents[0].start_late_us = Some(1_000);
    apart.facts.agents[1].start_late_us = Some(91_000);
    assert_eq!(warned(&apart, Kind::StartedApart), "agents started 90 ms apart");

    let mut offset = Trial::new(&[], well);
    offset.facts.log.ends = offsets(626, 4);
    testkit::snapshot!(
        "verdict/what_only_needs_saying_is_a_warning",
        warned(&offset, Kind::OffsetsDisagree)
    );

    let mut embedded = Trial::new(&[], well);
    embedded.spoil_plan = |plan| plan.kafka = KafkaPlan::embedded(1, 0);
    warned(&embedded, Kind::EmbeddedBroker);
}

#[test]
fn a_closed_loop_says_so() {
    let mut trial = Trial::new(&[], well);
    trial.shape.rate_per_s = None;
    let result = trial.result();
    assert!(result.closed_loop);
    find(&result.warnings, Kind::ClosedLoop);
    assert!(!result.metrics.contains_key("produce.response.p99"));
    assert!(result.metrics.contains_key("produce.service.p99"));
}

#[test]
fn a_load_that_never_started_passes_nothing() {
    let mut trial =
        Trial::new(&["records.lost == 0", "records.failed == 0", "consume.errors == 0"], well);
    trial.spoil = |_, _| false;
    trial.facts.run_errors.push(RunError::Harness { text: "it never started".into() });
    let result = trial.result();
    assert!(result.expectations.iter().all(|e| !e.passed && e.value.is_none()), "{result:#?}");
    assert!(result.metrics.values().all(|metric| metric.value.is_none()));
}

#[test]
fn nothing_measured_is_invalid() {
    let mut trial = Trial::new(&[], well);
    trial.shape.phases =
        vec![("warm-up", PhaseKind::WarmUp, 5_000_000), ("drain", PhaseKind::Drain, 2_000_000)];
    because(&trial, Verdict::Invalid, Kind::NothingMeasured);
}

#[test]
fn a_value_at_its_limit_passes_unless_the_comparison_is_strict() {
    let trial = Trial::new(
        &[
            "produce.service.max <= 2ms",
            "produce.service.max >= 2ms",
            "produce.service.max < 2ms",
            "produce.service.max > 2ms",
            "produce.service.max == 2ms",
            "produce.service.max != 2ms",
        ],
        well,
    );
    let passed: Vec<_> = trial.result().expectations.iter().map(|e| e.passed).collect();
    assert_eq!(passed, [true, true, false, false, true, false]);
}

#[test]
fn sentences_read_like_this() {
    fn uneven(record: u64, due_us: u64) -> Fate {
        let slow = (9_200_000..9_600_000).contains(&due_us);
        let service_us = if slow { 312_000 } else { 2_000 + record % 4 * 1_000 };
        let end =
            if record.is_multiple_of(50) { End::Failed("_MSG_TIMED_OUT") } else { End::Acked };
        let received_us = (end == End::Acked).then_some(service_us + 700);
        Fate { service_us, end, received_us, ..Fate::default() }
    }
    let trial = Trial::new(
        &[
            "produce.acked.rate >= 4950/s",
            "produce.acked.rate >= 150/s",
            "produce.response.p99 < 250ms in every 2s",
            "produce.response.p99 < 5s in every 2s",
            "produce.response.p50 of every partition < 4ms",
            "produce.response.max of partition orders/1 < 1s",
            "produce.error_rate <= 1%",
            "end_to_end.p95 of consumer flink < 100ms in the last 5s",
            "records.lost == 0",
            "records.failed == 0",
            "agent.memory.growth <= 600MiB",
            "agent.memory.slope of every agent <= 1MiB/h",
            "produce.service.max < 312ms",
            "produce.record_size.mean != 100B",
            "consume.commit.p99 < 1s",
            "produce.acked.rate of phase warm-up >= 150/s in every 10s",
            "produce.service.mean slope per hour < 1s",
        ],
        uneven,
    );
    let judgement = trial.judge();
    let lines = judgement.result.expectations.iter().map(|e| {
        format!("{} {}\n     {}\n", if e.passed { "ok  " } else { "FAIL" }, e.text, e.sentence)
    });
    let lines: String = lines.collect();
    testkit::snapshot!(
        "verdict/sentences_read_like_this",
        format!("{}\n\n{lines}", judgement.sentence)
    );
}

#[test]
fn every_kind_has_a_code_and_a_remedy_of_its_own() {
    let all: String =
        Kind::ALL.iter().map(|kind| format!("{}\n    {}\n", kind.code(), kind.remedy())).collect();
    testkit::snapshot!("verdict/every_kind_has_a_code_and_a_remedy_of_its_own", all);
    let remedies: std::collections::BTreeSet<_> = Kind::ALL.iter().map(|k| k.remedy()).collect();
    assert_eq!(remedies.len(), Kind::ALL.len());
}

#[test]
fn the_result_holds_every_metric_that_could_be_expected() {
    let result = Trial::new(&[], well).result();
    let plan = Shape::default().plan();
    let vocabulary = crate::measure::Roster::new(&plan).vocabulary();
    for metric in crate::metrics::registry() {
        let expected = crate::expect::is_produced(metric, &vocabulary);
        assert_eq!(result.metrics.contains_key(metric.name), expected, "{}", metric.name);
    }
    assert!(result.workloads["gateway"].contains_key("produce.response.p99"));
    assert!(result.workloads["flink"].contains_key("end_to_end.p99"));
    assert_eq!(result.agents[0].instances, ["gateway-1", "flink-1"]);
}

#[test]
fn the_worst_verdict_wins() {
    use Verdict::{Error, Fail, Interrupted, Invalid, Pass};
    assert_eq!(Verdict::worst([]), Pass);
    assert_eq!(Verdict::worst([Pass, Fail, Invalid]), Invalid);
    assert_eq!(Verdict::worst([Error, Interrupted, Fail]), Error);
    assert_eq!(Verdict::worst([Interrupted, Invalid]), Interrupted);
    let in_order = [Pass, Fail, Invalid, Interrupted, Error];
    assert!(in_order.is_sorted(), "the derived order is the order of severity");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_margin_s_sign_agrees_with_passed(
        operator in prop::sample::select(vec!["<", "<=", ">", ">=", "==", "!="]),
        limit in prop_oneof![1_990_u64..2_010, 1_u64..1_000_000],
    ) {
        let text: &'static str = format!("produce.service.max {operator} {limit}us").leak();
        let mut trial = Trial::new(&[text], well);
        trial.shape.phases[1].2 = 1_000_000;
        let result = &trial.result().expectations[0];
        let margin = result.margin.unwrap();
        prop_assert!(if result.passed { margin >= 0.0 } else { margin <= 0.0 }, "{result:?}");
        prop_assert_eq!(result.value, Some(2_000.0));
    }
}
