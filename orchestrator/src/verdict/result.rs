//! Judges a case and puts its result together.

use super::{
    CaseFacts, Doubt, Kind,
    checks::{self, Case, real},
    clock::Clock,
    early_stop, expectations,
    fates::fates,
    faults, hosts, run_errors,
};
use crate::{
    diagnosis::{self, Facts},
    expect::{Vocabulary, is_produced},
    measure::{AgentMeasured, Measured},
    metrics::{Metric, Scopes, registry, tally::Tally},
    model::fault::{FaultEffect, FaultResult},
    model::result::{
        AgentResult, CaseResult, CaseSummary, ExpectationResult, Interpretation, MetricValue,
        PartitionSeriesRow, PhaseResult, Reason, SCHEMA_VERSION, TimeSpent, Verdict,
    },
    plan::CasePlan,
    text::{margin, units::count},
};
use mallard_protocol::{
    message::HostFacts,
    schedule::{Phase, PhaseKind},
};
use std::collections::BTreeMap;

/// A case, judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// What `result.json` holds.
    pub result: CaseResult,
    /// The verdict in one sentence, with numbers.
    pub sentence: String,
    /// Rows of `partition_series.csv`.
    pub partition_series: Vec<PartitionSeriesRow>,
    /// Where the case's time went; filled in when it is over.
    pub spent: TimeSpent,
}

/// Metrics that tables and trends show of a case.
const HEADLINE: [&str; 8] = [
    "produce.scheduled.rate",
    "produce.acked.rate",
    "produce.response.p99",
    "produce.service.p99",
    "end_to_end.p99",
    "consume.received.rate",
    "produce.error_rate",
    "records.lost",
];

/// Judges a case from its plan, what was measured, and what is known of its run.
#[must_use]
pub fn judge(plan: &CasePlan, measured: Measured, facts: &CaseFacts) -> Judgement {
    let clock = Clock::new(facts.load_started_at.as_deref());
    let judged = plan.expectations.iter().zip(&measured.judged);
    let known_faults = faults_of(&measured, facts);
    let expectations: Vec<_> = judged
        .map(|(expectation, judged)| {
            let mut result = expectations::result(expectation, judged, &clock, &plan.file);
            result.sentence.push_str(&faults::beside(&result, &known_faults, &clock));
            result
        })
        .collect();
    let doubts = doubts(plan, &measured, facts, &expectations);
    let verdict = Verdict::worst(doubts.iter().filter_map(|doubt| doubt.verdict));
    let (reasons, warnings): (Vec<_>, Vec<_>) =
        doubts.into_iter().partition(|doubt| doubt.verdict.is_some());
    let reasons: Vec<Reason> = reasons.iter().map(Reason::from).collect();
    let sentence = sentence(verdict, &reasons, &warnings, &expectations, &measured);
    let warnings = warnings.iter().map(Reason::from).collect();
    let vocabulary = measured.roster.vocabulary();
    let mut result = CaseResult {
        schema_version: SCHEMA_VERSION,
        run_id: facts.run_id.clone(),
        scenario: plan.scenario.clone(),
        description: plan.description.clone(),
        case: plan.name.clone(),
        parameters: plan.parameters.clone(),
        started_at: facts.started_at.clone(),
        ended_at: facts.ended_at.clone(),
        load_started_at: facts.load_started_at.clone(),
        cuts: facts.cuts.clone(),
        outages: measured.outages.clone(),
        faults: known_faults,
        verdict,
        reasons,
        warnings,
        metrics: metrics(&measured.whole, &vocabulary, facts, |_| true),
        workloads: workloads(&measured, &vocabulary, facts),
        expectations,
        phases: phases(plan, facts),
        agents: agents(plan, &measured, facts),
        versions: facts.versions.clone(),
        brokers: facts.brokers.clone(),
        client_properties: facts.client_properties.clone(),
        clients_in_effect: facts.clients_in_effect.clone(),
        closed_loop: measured.roster.producers.iter().any(|p| p.schedule.has_closed_loop()),
        accounts: measured.accounts,
        accounts_whole: measured.accounts_whole,
        partitions: measured.partitions,
        topics: measured.topics,
        interpretation: Interpretation::default(),
        evidence: measured.evidence,
    };
    result.interpretation = diagnosis::interpret(&Facts::of(plan, &result));
    let spent = TimeSpent::default();
    Judgement { result, sentence, partition_series: measured.partition_series, spent }
}

/// Faults with what they did.
fn faults_of(measured: &Measured, facts: &CaseFacts) -> Vec<FaultResult> {
    let effects = measured.faults.iter().cloned().map(Some).chain(std::iter::repeat(None));
    let did = |(fault, did): (&FaultResult, Option<FaultEffect>)| FaultResult {
        did: did.filter(|_| fault.begun_us.is_some()),
        ..fault.clone()
    };
    facts.faults.iter().zip(effects).map(did).collect()
}

/// A case's line in `run.json`.
#[must_use]
pub fn summary(judgement: &Judgement, duration_us: u64) -> CaseSummary {
    summary_of(&judgement.result, &judgement.sentence, duration_us)
}

/// The same of a result that was read back.
#[must_use]
pub fn summary_of(result: &CaseResult, sentence: &str, duration_us: u64) -> CaseSummary {
    let headline = HEADLINE
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), result.metrics.get(*name)?.clone())));
    CaseSummary {
        name: result.case.clone(),
        scenario: result.scenario.clone(),
        verdict: result.verdict,
        sentence: sentence.to_owned(),
        duration_us,
        headline: headline.collect(),
        fingerprint: None,
        earlier: Vec::new(),
    }
}

/// Every doubt, worst first.
fn doubts(
    plan: &CasePlan,
    measured: &Measured,
    facts: &CaseFacts,
    expectations: &[ExpectationResult],
) -> Vec<Doubt> {
    let mut case = Case { plan, measured, facts, is_whole: false };
    let mut doubts = faults::doubts(&case);
    doubts.extend(run_errors(&case));
    let broken = |doubt: &Doubt| doubt.verdict > Some(Verdict::Invalid);
    // What kept the load from starting is the one reason: that nothing was measured follows from it.
    let kept_from_starting =
        facts.load_started_at.is_none() && doubts.iter().any(|doubt| doubt.verdict.is_some());
    let nothing_yet = facts.early_stop.is_some() && measured.quality.measured_intervals == 0;
    case.is_whole = !kept_from_starting && !nothing_yet && !doubts.iter().any(broken);
    // A host without a core to spare explains much of what follows.
    doubts.extend(hosts::doubts(&case));
    doubts.extend(checks::doubts(&case));
    doubts.extend(fates(&case));
    let failed = expectations.iter().filter(|expectation| {
        !expectation.passed && !expectation.not_reached && !kept_from_starting && !nothing_yet
    });
    doubts.extend(failed.map(|expectation| {
        let (kind, verdict) = match expectation.is_unknown {
            true => (Kind::FigureUnknown, Verdict::Invalid),
            false => (Kind::ExpectationFailed, Verdict::Fail),
        };
        Doubt::reason(kind, verdict, expectation.sentence.clone())
    }));
    doubts.extend(early_stop::doubt(&case, expectations, &doubts));
    doubts.sort_by_key(|doubt| std::cmp::Reverse(doubt.verdict));
    doubts
}

fn sentence(
    verdict: Verdict,
    reasons: &[Reason],
    warnings: &[Doubt],
    expectations: &[ExpectationResult],
    measured: &Measured,
) -> String {
    let word = format!("{}{}", verdict.as_str(), qualification(warnings));
    let Some(first) = reasons.first() else {
        return format!("{word}: {}", what_held(expectations, measured));
    };
    // Beside a worse verdict, expectations that failed are said on their own: they are no doubt about
    // the measurement.
    let failed = reasons.iter().filter(|reason| Kind::ExpectationFailed.is(reason)).count();
    let (others, failed) = match verdict {
        Verdict::Fail => (reasons.len() - 1, 0),
        _ => (reasons.len() - 1 - failed, failed),
    };
    let more = match others {
        0 => String::new(),
        1 => "; and 1 more reason".to_owned(),
        n => format!("; and {n} more reasons"),
    };
    let failed = match (failed, expectations.len()) {
        (0, _) => String::new(),
        (1, 1) => "; its expectation failed".to_owned(),
        (n, all) => format!("; {n} of {all} expectations failed"),
    };
    format!("{word}: {}{more}{failed}", first.text)
}

/// What a verdict's word has to be read with: `(stopped early)`.
fn qualification(warnings: &[Doubt]) -> &'static str {
    let has = |kind| warnings.iter().any(|doubt| doubt.kind == kind);
    match (has(Kind::Degraded), has(Kind::StoppedEarly)) {
        (true, true) => " (degraded, stopped early)",
        (true, false) => " (degraded)",
        (false, true) => " (stopped early)",
        (false, false) => "",
    }
}

/// `4 expectations held; nearest to its limit: produce.response.p99 was 212 ms, limit 250 ms`.
fn what_held(expectations: &[ExpectationResult], measured: &Measured) -> String {
    let nearest = expectations.iter().filter(|e| e.margin.is_some());
    let nearest =
        nearest.min_by(|a, b| a.margin.partial_cmp(&b.margin).unwrap_or(std::cmp::Ordering::Equal));
    let held = match expectations.len() {
        0 => {
            let accounts = &measured.accounts;
            return format!(
                "nothing was expected; {} acknowledged, {} received",
                checks::records(accounts.acked),
                count(accounts.received)
            );
        }
        1 => "the expectation held".to_owned(),
        n => format!("all {n} expectations held"),
    };
    nearest.map_or(held.clone(), |nearest| {
        let margin = nearest.margin.unwrap_or(0.0);
        let margin = margin::in_sentence(margin, nearest.value, Some(nearest.limit));
        format!("{held}; nearest to its limit: {} ({margin})", nearest.sentence)
    })
}

fn metrics(
    tally: &Tally,
    vocabulary: &Vocabulary,
    facts: &CaseFacts,
    wanted: impl Fn(&Metric) -> bool,
) -> BTreeMap<String, MetricValue> {
    let known = registry().iter().filter(|m| is_produced(m, vocabulary) && wanted(m));
    let values = known.map(|metric| {
        let end_to_end = metric.name.starts_with("end_to_end.");
        let value = MetricValue {
            value: (tally.time_us > 0)
                .then(|| (metric.value)(tally))
                .flatten()
                .filter(|value| value.is_finite()),
            unit: metric.unit.to_owned(),
            uncertainty: facts.clock_error_us.filter(|us| end_to_end && *us > 0).map(real),
        };
        (metric.name.to_owned(), value)
    });
    values.collect()
}

fn workloads(
    measured: &Measured,
    vocabulary: &Vocabulary,
    facts: &CaseFacts,
) -> BTreeMap<String, BTreeMap<String, MetricValue>> {
    let mut workloads: BTreeMap<String, BTreeMap<String, MetricValue>> = BTreeMap::new();
    for (producer, tally) in measured.roster.producers.iter().zip(&measured.producers) {
        let of = |metric: &Metric| metric.scopes.has(Scopes::PRODUCER);
        let values = metrics(tally, vocabulary, facts, of);
        workloads.entry(producer.name.clone()).or_default().extend(values);
    }
    for (reader, tally) in measured.roster.readers.iter().zip(&measured.readers) {
        let of = |metric: &Metric| metric.scopes.has(Scopes::CONSUMER);
        let values = metrics(tally, vocabulary, facts, of);
        workloads.entry(reader.name()).or_default().extend(values);
    }
    for (group, tally) in measured.roster.groups.iter().zip(&measured.groups) {
        let of = |metric: &Metric| metric.scopes.has(Scopes::GROUP);
        let values = metrics(tally, vocabulary, facts, of);
        workloads.entry(group.clone()).or_default().extend(values);
    }
    workloads
}

/// Phases as they were: a load that was stopped ends its phase there, the drain ends when it was over,
/// and what never came is left out.
fn phases(plan: &CasePlan, facts: &CaseFacts) -> Vec<PhaseResult> {
    let stopped_us = facts.early_stop.as_ref().map_or(u64::MAX, |stop| stop.at_us);
    let ended_us = facts.drained_at_us.unwrap_or(u64::MAX);
    let phase = |phase: &Phase| {
        let drains = phase.kind == PhaseKind::Drain;
        let (from_us, to_us) = match drains {
            // The drain follows the load, whenever that ended.
            true if stopped_us < phase.start_us => {
                (stopped_us, stopped_us + (phase.end_us - phase.start_us))
            }
            true => (phase.start_us, phase.end_us),
            false => (phase.start_us, phase.end_us.min(stopped_us)),
        };
        PhaseResult {
            name: phase.name.clone(),
            kind: phase.kind.as_str().to_owned(),
            start_us: from_us,
            end_us: to_us.min(ended_us),
            measured: phase.kind.is_measured(),
        }
    };
    let phases = plan.timeline.0.iter().map(phase);
    phases.filter(|phase| phase.start_us < phase.end_us).collect()
}

fn agents(plan: &CasePlan, measured: &Measured, facts: &CaseFacts) -> Vec<AgentResult> {
    let none = super::AgentFacts::default();
    let agents = plan.agents.iter().zip(&measured.agents).enumerate();
    let agents = agents.map(
        |(
            at,
            (agent, AgentMeasured { whole, memory_start_bytes, lost_at_us, progress_us, .. }),
        )| {
            let known = facts.agents.get(at).unwrap_or(&none);
            let producers = agent.producers.iter().map(|spec| spec.name.clone());
            let consumers = agent.consumers.iter().map(|spec| spec.name.clone());
            let used = measured.whole.resources.get(at);
            AgentResult {
                name: agent.name.clone(),
                host: known.host.as_ref().map(host_facts).unwrap_or_default(),
                instances: producers.chain(consumers).collect(),
                memory_start_bytes: *memory_start_bytes,
                memory_peak_bytes: whole.memory_peak_bytes,
                busiest_thread_cpu_max: (whole.intervals > 0).then_some(whole.thread_cpu_max),
                cpu_cores_mean: used
                    .and_then(crate::metrics::resources::ResourceTally::cpu_cores_mean),
                start_late_us: known.start_late_us,
                clock_error_us: known.clock_error_us,
                lost_at_us: *lost_at_us,
                last_report_us: lost_at_us.map(|_| *progress_us),
                taken_over_at_us: taken_over_at_us(known),
            }
        },
    );
    agents.collect()
}

/// When others took over, if there were any who did.
fn taken_over_at_us(agent: &super::AgentFacts) -> Option<u64> {
    let handover = agent.handover.as_ref().filter(|handover| !handover.taken.is_empty());
    handover.map(|handover| handover.from_us)
}

fn host_facts(host: &HostFacts) -> BTreeMap<String, String> {
    let facts = [
        ("hostname", host.hostname.clone()),
        ("architecture", host.architecture.clone()),
        ("kernel", host.kernel.clone()),
        ("os", host.os.clone()),
        ("cpu", host.cpu.clone()),
        ("cores", host.cores.to_string()),
        ("memory_bytes", host.memory_bytes.to_string()),
        ("boot_id", host.boot_id.clone()),
        ("pid", host.pid.to_string()),
        ("librdkafka", host.librdkafka.clone()),
    ];
    facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
