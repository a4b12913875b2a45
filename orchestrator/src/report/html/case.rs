//! A case, as its template gets it.

use super::{
    events::{self, EventView},
    figures::{self, FigureGroup, TopicRow},
    meaning::{self, MeaningView},
    parts::{
        self, AccountsView, ClientView, EvidenceView, ExpectationView, HostView, LatencyRow,
        MetricRow,
    },
};
use crate::{
    archive::read::{CaseArchive, RunArchive},
    model::result::{AgentResult, Attempt, CaseSummary, Reason},
    report::{
        Budget, ReportError, charts,
        faults::{self, FaultView},
        outages::{self, OutageView},
        templates::script_json,
        trust::{self, Finding},
        words,
    },
    text::format,
};
use minijinja::Value;
use serde::Serialize;
use std::collections::BTreeMap;

/// What the template of a case gets.
#[derive(Serialize)]
pub(super) struct CaseView<'a> {
    pub(super) open: bool,
    pub(super) word: &'static str,
    sign: &'static str,
    /// What came of it in the runs that this one repeats.
    earlier: &'a [Attempt],
    anchor: String,
    name: &'a str,
    description: &'a str,
    sentence: String,
    duration_us: Option<u64>,
    load_started_at: Option<&'a str>,
    headline: Vec<MetricRow>,
    parameters: BTreeMap<&'a str, &'a str>,
    closed_loop: bool,
    gaps: Vec<String>,
    outages: Vec<OutageView>,
    faults: Vec<FaultView>,
    faults_left_out: usize,
    faults_did: bool,
    expectations: Vec<ExpectationView>,
    reasons: &'a [Reason],
    warnings: &'a [Reason],
    findings: Vec<Finding>,
    meaning: Option<MeaningView<'a>>,
    latency: Vec<LatencyRow>,
    explanation: Option<String>,
    figures: Vec<FigureGroup>,
    topic_columns: [&'static str; 10],
    topics: Vec<TopicRow>,
    evidence: Vec<EvidenceView<'a>>,
    accounts: Option<AccountsView>,
    metrics: Vec<MetricRow>,
    workloads: Vec<&'a str>,
    agents: &'a [AgentResult],
    hosts: Vec<HostView>,
    brokers: BTreeMap<&'a str, &'a str>,
    client_properties: Vec<ClientView<'a>>,
    versions: BTreeMap<&'a str, &'a str>,
    scenario_yaml: Option<&'a str>,
    cluster_yaml: Option<&'a str>,
    events: Vec<EventView>,
    events_left_out: usize,
    has_series: bool,
    has_partitions: bool,
    resolution: String,
    /// The charts' figures: JSON that may stand in a script element.
    data: Value,
}

/// Turns a case into what its template gets.
pub(super) fn view<'a>(
    run: &'a RunArchive,
    at: usize,
    case: &'a CaseArchive,
) -> Result<CaseView<'a>, ReportError> {
    let drawn = charts::draw(case, Budget::for_cases(run.cases.len()));
    let result = case.result.as_ref();
    let summary = run.result.iter().flat_map(|r| &r.cases).find(|s| s.name == case.name);
    let verdict = summary.map(|s| s.verdict).or(result.map(|r| r.verdict));
    let zero = result.and_then(|r| r.load_started_at.as_deref());
    let (events, events_left_out) = events::of_case(&run.events, at, &case.name);
    let faults_did = result.is_some_and(|r| r.faults.iter().any(|fault| fault.did.is_some()));
    let (faults, faults_left_out) = result.map(|r| faults::views(&r.faults)).unwrap_or_default();
    let pairs = |of: &'a BTreeMap<String, String>| {
        of.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect::<Vec<_>>()
    };
    let map = |of: Option<&'a BTreeMap<String, String>>| {
        of.map(pairs).unwrap_or_default().into_iter().collect::<BTreeMap<_, _>>()
    };
    Ok(CaseView {
        open: false,
        word: summary.map_or(words::state(verdict, run.is_running), |of| words::of_case(of).0),
        sign: summary.map_or(words::sign(verdict), |of| words::of_case(of).1),
        earlier: summary.map_or(&[], |of| &of.earlier),
        anchor: format!("case-{}", at + 1),
        name: &case.name,
        description: result.map_or("", |r| &r.description),
        sentence: sentence(run, case, summary),
        duration_us: summary.map(|s| s.duration_us),
        load_started_at: zero,
        headline: summary.map(|s| parts::metrics(&s.headline, &[])).unwrap_or_default(),
        parameters: map(result.map(|r| &r.parameters)),
        closed_loop: result.is_some_and(|r| r.closed_loop),
        gaps: case.gaps.iter().chain(&drawn.gaps).cloned().collect(),
        outages: result.map(|r| outages::views(&r.outages, &r.brokers)).unwrap_or_default(),
        faults,
        faults_left_out,
        faults_did,
        expectations: result.map(parts::expectations).unwrap_or_default(),
        reasons: result.map_or(&[], |r| &r.reasons),
        warnings: result.map_or(&[], |r| &r.warnings),
        findings: trust::findings(case, &drawn.totals),
        meaning: result.and_then(|r| meaning::view(&r.interpretation)),
        latency: parts::latency(result, &drawn.totals),
        explanation: words::service_and_response(&drawn.totals, &case.series, result),
        figures: result.map(figures::groups).unwrap_or_default(),
        topic_columns: figures::TOPIC_COLUMNS,
        topics: result.map(figures::topics).unwrap_or_default(),
        evidence: result.map(parts::evidence).unwrap_or_default(),
        accounts: result.map(parts::accounts),
        metrics: result
            .map(|r| parts::metrics(&r.metrics, &r.workloads.values().collect::<Vec<_>>()))
            .unwrap_or_default(),
        workloads: result.iter().flat_map(|r| r.workloads.keys()).map(String::as_str).collect(),
        agents: result.map_or(&[], |r| &r.agents),
        hosts: result.map(|r| parts::hosts(&r.agents)).unwrap_or_default(),
        brokers: map(result.map(|r| &r.brokers)),
        client_properties: result.map(parts::clients).unwrap_or_default(),
        versions: map(result.map(|r| &r.versions)),
        scenario_yaml: case.scenario_yaml.as_deref(),
        cluster_yaml: case.cluster_yaml.as_deref(),
        events,
        events_left_out,
        has_series: !case.series.is_empty(),
        has_partitions: drawn.data.partitions.is_some(),
        resolution: resolution(&drawn.data),
        data: Value::from_safe_string(script_json(&drawn.data)?),
    })
}

impl CaseView<'_> {
    /// Says nothing of files that are not there.
    pub(super) fn forget_gaps(&mut self) {
        self.gaps.clear();
    }
}

/// The case's sentence, without the verdict's word, which stands before it.
fn sentence(run: &RunArchive, case: &CaseArchive, summary: Option<&CaseSummary>) -> String {
    let verdict = case.result.as_ref().map(|result| result.verdict);
    let said = summary.map(|s| s.sentence.as_str());
    match said.or_else(|| events::sentence_of(&run.events, &case.name)) {
        Some(sentence) => {
            let word = words::word(summary.map(|s| s.verdict).or(verdict));
            let rest = sentence.strip_prefix(word).unwrap_or(sentence);
            rest.trim_start_matches([':', ' ']).to_owned()
        }
        None => match case.series.last() {
            Some(row) if run.is_running => {
                format!("{} of its load were measured so far", format::duration(row.end_us))
            }
            None if run.is_running => "its load has not begun".into(),
            Some(row) => {
                format!(
                    "the case was cut off {} after its load began",
                    format::duration(row.end_us)
                )
            }
            None => "the case was cut off before its load began".into(),
        },
    }
}

/// What a row of the charts stands for, in words.
fn resolution(data: &charts::ChartData) -> String {
    let steps: Vec<_> =
        data.levels.iter().map(|level| format::duration(level.step * 1000)).collect();
    match steps.as_slice() {
        [only] => format!("one point is {only}"),
        [coarse, fine, ..] => format!("one point is {coarse}, or {fine} once zoomed in"),
        [] => String::new(),
    }
}
