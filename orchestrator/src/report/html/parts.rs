//! The tables of a case.

use crate::{
    archive::hlog::TAGS,
    model::result::{
        Accounts, AgentResult, CaseResult, EvidenceRow, ExpectationResult, MetricValue,
    },
    report::{column::figure, trust::contradictions, words},
    text::{
        format::{self, count, percent, quantity},
        margin,
    },
};
use mallard_protocol::{
    clients::{self, ClientDefault},
    histogram::Histogram,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// A record with which something is wrong.
#[derive(Serialize)]
pub(super) struct EvidenceView<'a> {
    anomaly: &'a str,
    topic: &'a str,
    partition: i32,
    offset: String,
    producer: &'a str,
    number: u64,
    sequence: String,
    due: String,
    received: String,
}

/// Records with which something is wrong.
pub(super) fn evidence(result: &CaseResult) -> Vec<EvidenceView<'_>> {
    fn view(row: &EvidenceRow) -> EvidenceView<'_> {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".into());
        EvidenceView {
            anomaly: &row.anomaly,
            topic: &row.topic,
            partition: row.partition,
            offset: or_dash(row.offset.map(|offset| offset.to_string())),
            producer: &row.producer,
            number: row.number,
            sequence: or_dash(row.sequence.map(|sequence| sequence.to_string())),
            due: or_dash(row.due_us.map(format::clock)),
            received: or_dash(row.received_us.map(format::clock)),
        }
    }
    result.evidence.iter().map(view).collect()
}

/// An expectation, judged.
#[derive(Serialize)]
pub(super) struct ExpectationView {
    passed: bool,
    /// Whether the load was stopped before it could be judged.
    not_reached: bool,
    text: String,
    explain: String,
    scope: Option<String>,
    value: String,
    limit: String,
    /// `+61 %`, `−25 %`.
    margin: Option<String>,
    /// Half-width of the bar in percent, and whether it points to the good side.
    bar: Option<f64>,
    sentence: String,
    line: Option<usize>,
    /// Of a bound: the metric it bounds, and the file it stands in.
    bound: Option<(String, String)>,
    /// The first window that failed, on the run's clock and by the time of day.
    window: Option<String>,
    /// How many windows were judged, where none failed: the sentence tells of those that did.
    windows: Option<String>,
}

/// Expectations: those that failed first.
pub(super) fn expectations(result: &CaseResult) -> Vec<ExpectationView> {
    let zero = result.load_started_at.as_deref();
    let (passed, failed): (Vec<_>, Vec<_>) = result.expectations.iter().partition(|e| e.passed);
    failed.into_iter().chain(passed).map(|of| expectation(of, zero)).collect()
}

fn expectation(of: &ExpectationResult, zero: Option<&str>) -> ExpectationView {
    let window = of.first_failing_window_us.map(|(from, to)| {
        let clock = format!("{}–{}", format::clock(from), format::clock(to));
        let times = (format::time_of_day(zero, from), format::time_of_day(zero, to));
        match times {
            (Some(from), Some(to)) => format!("{clock} ({from}–{to} UTC)"),
            _ => clock,
        }
    });
    ExpectationView {
        passed: of.passed,
        not_reached: of.not_reached,
        text: of.text.clone(),
        explain: words::explain(&of.metric),
        scope: of.scope.clone(),
        value: match of.value {
            Some(value) => format::beside(value, of.limit, &of.unit),
            None if of.not_reached => "not reached".into(),
            None => "no sample".into(),
        },
        limit: quantity(of.limit, &of.unit),
        margin: of.margin.map(|margin| margin::typeset(margin, of.value, Some(of.limit))),
        bar: of.margin.map(|margin| (margin.abs().min(1.0) * 1000.0).round() / 20.0),
        sentence: of.sentence.clone(),
        line: of.line,
        bound: of.source.clone().map(|file| (of.metric.clone(), file)),
        window,
        windows: of
            .windows
            .filter(|(_, failed)| *failed == 0)
            .map(|(judged, _)| format!("{} windows judged", count(judged))),
    }
}

/// Percentiles of one latency.
#[derive(Serialize)]
pub(super) struct LatencyRow {
    name: &'static str,
    label: &'static str,
    meaning: &'static str,
    count: u64,
    figures: Vec<String>,
}

/// Latencies: tag, label, meaning, prefix of the metrics' names.
const LATENCIES: [(&str, &str, &str, &str); 4] = [
    (
        "service",
        "service",
        "from handing a record to the client to its acknowledgement",
        "produce.service",
    ),
    (
        "response",
        "response",
        "from when a record was due to its acknowledgement",
        "produce.response",
    ),
    (
        "end_to_end",
        "end to end",
        "from when a record was due to when a consumer received it",
        "end_to_end",
    ),
    ("slip", "slip", "from when a record was due to handing it to the client", "produce.slip"),
];

/// Percentiles, as the judge had them; from the histograms where it had none.
pub(super) fn latency(result: Option<&CaseResult>, totals: &[Histogram; 4]) -> Vec<LatencyRow> {
    let mut rows = Vec::new();
    for (tag, label, meaning, prefix) in LATENCIES {
        let Some(at) = TAGS.iter().position(|known| *known == tag) else { continue };
        let histogram = &totals[at];
        if histogram.is_empty() {
            continue;
        }
        let judged = |suffix: &str| result?.metrics.get(&format!("{prefix}.{suffix}"))?.value;
        let quantile = |q: f64| histogram.value_at_quantile(q).map(figure);
        let figures = [
            ("min", histogram.min().map(figure)),
            ("mean", histogram.mean()),
            ("p50", quantile(0.5)),
            ("p90", quantile(0.9)),
            ("p95", quantile(0.95)),
            ("p99", quantile(0.99)),
            ("p999", quantile(0.999)),
            ("p9999", quantile(0.9999)),
            ("max", histogram.max().map(figure)),
        ];
        let shown = |(suffix, of): (&str, Option<f64>)| {
            judged(suffix).or(of).map_or_else(|| "–".into(), |us| quantity(us, "us"))
        };
        let figures = figures.into_iter().map(shown).collect();
        rows.push(LatencyRow { name: tag, label, meaning, count: histogram.count(), figures });
    }
    rows
}

/// The accounts as two bars that add up, and as a table.
#[derive(Serialize)]
pub(super) struct AccountsView {
    bars: Vec<AccountBar>,
    rows: Vec<AccountRow>,
    codes: Vec<(String, u64)>,
    contradictions: Vec<String>,
}

/// A bar: a whole and its parts.
#[derive(Serialize)]
struct AccountBar {
    label: &'static str,
    whole: u64,
    parts: Vec<AccountPart>,
}

/// A part of a bar.
#[derive(Serialize)]
struct AccountPart {
    label: &'static str,
    count: u64,
    share: String,
    /// Share for the drawing, in percent.
    width: f64,
}

/// A line of the table: measured phases, and the whole load.
#[derive(Serialize)]
struct AccountRow {
    label: &'static str,
    meaning: &'static str,
    measured: u64,
    whole: u64,
}

type Pick = fn(&Accounts) -> u64;

const ACCOUNTS: &[(&str, &str, Pick)] = &[
    ("scheduled", "due by the schedule", |a| a.scheduled),
    ("not sent", "due and never handed to a client", |a| a.not_sent),
    ("sent", "handed to a client", |a| a.sent),
    ("acknowledged", "acknowledged by the broker", |a| a.acked),
    ("failed", "failed for good", |a| a.failed),
    ("outstanding", "neither acknowledged nor failed when the case ended", |a| a.outstanding),
    ("received", "received by consumers, summed over groups", |a| a.received),
    ("sent late", "handed to a client more than 5 ms after they were due", |a| a.late),
];

/// The accounts of a case.
pub(super) fn accounts(result: &CaseResult) -> AccountsView {
    let of = &result.accounts;
    let bar = |label, whole: u64, parts: &[(&'static str, u64)]| AccountBar {
        label,
        whole,
        parts: parts.iter().map(|(label, count)| part(label, *count, whole)).collect(),
    };
    AccountsView {
        bars: vec![
            bar("scheduled", of.scheduled, &[("sent", of.sent), ("not sent", of.not_sent)]),
            bar(
                "sent",
                of.sent,
                &[
                    ("acknowledged", of.acked),
                    ("failed", of.failed),
                    ("outstanding", of.outstanding),
                ],
            ),
        ],
        rows: ACCOUNTS
            .iter()
            .map(|(label, meaning, pick)| AccountRow {
                label,
                meaning,
                measured: pick(of),
                whole: pick(&result.accounts_whole),
            })
            .collect(),
        codes: of.failed_by_code.iter().map(|(code, n)| (code.clone(), *n)).collect(),
        contradictions: contradictions(of),
    }
}

fn part(label: &'static str, count: u64, whole: u64) -> AccountPart {
    let share = if whole == 0 { 0.0 } else { figure(count) / figure(whole) };
    AccountPart { label, count, share: percent(share), width: (share * 1e5).round() / 1e3 }
}

/// A metric's value over the whole, and of each workload.
#[derive(Serialize)]
pub(super) struct MetricRow {
    name: String,
    explain: String,
    value: String,
    uncertainty: Option<String>,
    workloads: Vec<String>,
}

/// The clients of a workload.
#[derive(Serialize)]
pub(super) struct ClientView<'a> {
    workload: &'a str,
    properties: Vec<PropertyRow<'a>>,
}

/// A property that they have.
#[derive(Serialize)]
struct PropertyRow<'a> {
    key: &'a str,
    value: &'a str,
    /// Who says so.
    from: &'static str,
    /// The client's own default and why Mallard's is another, where that is so.
    instead: Option<&'static ClientDefault>,
}

/// What clients were made with: first what was given, then the rest.
pub(super) fn clients(result: &CaseResult) -> Vec<ClientView<'_>> {
    let clients = result.client_properties.iter().map(|(workload, given)| {
        let effect = result.clients_in_effect.get(workload);
        let said = given.iter().map(|(key, value)| PropertyRow {
            key,
            value,
            from: "scenario or cluster",
            instead: None,
        });
        let rest = effect.into_iter().flatten().filter(|(key, _)| !given.contains_key(*key));
        ClientView { workload, properties: said.chain(rest.map(unsaid)).collect() }
    });
    clients.collect()
}

/// A property that neither scenario nor cluster say.
fn unsaid<'a>((key, value): (&'a String, &'a String)) -> PropertyRow<'a> {
    let set = clients::row_of(key).filter(|row| row.is_set() && row.mallard == value);
    let from = if set.is_some() { "Mallard" } else { "Mallard or default" };
    PropertyRow { key, value, from, instead: set }
}

/// Metrics by name.
pub(super) fn metrics(
    of: &BTreeMap<String, MetricValue>,
    workloads: &[&BTreeMap<String, MetricValue>],
) -> Vec<MetricRow> {
    let shown = |metric: &MetricValue| {
        metric.value.map_or_else(|| "–".into(), |value| quantity(value, &metric.unit))
    };
    let row = |(name, metric): (&String, &MetricValue)| MetricRow {
        name: name.clone(),
        explain: words::explain(name),
        value: shown(metric),
        uncertainty: metric.uncertainty.map(|of| quantity(of, &metric.unit)),
        workloads: workloads.iter().map(|w| w.get(name).map_or_else(String::new, shown)).collect(),
    };
    of.iter().map(row).collect()
}

/// Names and values.
type Facts = Vec<(String, String)>;

/// Facts that some agents' hosts share.
#[derive(Serialize)]
pub(super) struct HostView {
    agents: String,
    facts: Facts,
}

/// Hosts by their facts; the process id, which differs, is left out.
pub(super) fn hosts(agents: &[AgentResult]) -> Vec<HostView> {
    let mut groups: Vec<(Facts, Vec<&str>)> = Vec::new();
    for agent in agents {
        let facts: Facts = agent
            .host
            .iter()
            .filter(|(name, _)| *name != "pid" && *name != "clock_us")
            .map(|(name, value)| (name.replace('_', " "), fact(name, value)))
            .collect();
        match groups.iter_mut().find(|(known, _)| *known == facts) {
            Some((_, names)) => names.push(&agent.name),
            None => groups.push((facts, vec![&agent.name])),
        }
    }
    let view = |(facts, names): (Facts, Vec<&str>)| HostView { agents: names.join(", "), facts };
    groups.into_iter().filter(|(facts, _)| !facts.is_empty()).map(view).collect()
}

fn fact(name: &str, value: &str) -> String {
    match value.parse::<f64>() {
        Ok(bytes) if name.ends_with("_bytes") => quantity(bytes, "bytes"),
        _ => value.to_owned(),
    }
}
