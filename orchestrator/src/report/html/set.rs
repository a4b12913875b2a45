//! Cases of one scenario side by side: charts over the parameter, one a metric that decides, and a table.

use crate::{
    archive::read::RunArchive,
    model::result::{AcrossResult, CaseResult},
    report::words,
    text::{
        format::{percent, quantity},
        margin,
    },
};
use serde::Serialize;

/// The cases of a scenario, as the template of the page gets them.
#[derive(Serialize)]
pub(super) struct SetView {
    anchor: String,
    scenario: String,
    /// Parameters whose values differ.
    axes: Vec<String>,
    across: Vec<AcrossView>,
    columns: Vec<ColumnView>,
    rows: Vec<RowView>,
    charts: Vec<ChartView>,
}

/// A chart of one metric: a bar a case.
#[derive(Serialize)]
struct ChartView {
    metric: String,
    explain: String,
    bars: Vec<BarView>,
    has_limit: bool,
}

/// An expectation across cases.
#[derive(Serialize)]
struct AcrossView {
    passed: bool,
    text: String,
    sentence: String,
    line: Option<usize>,
    value: String,
    limit: String,
    margin: String,
    /// Of a scaling: the share of linear scaling, and its tier.
    scaling: Option<String>,
}

/// A metric of the table.
#[derive(Serialize)]
struct ColumnView {
    /// Its name, in the pieces between which a line may break.
    pieces: Vec<String>,
    explain: String,
}

/// A case of the table.
#[derive(Serialize)]
struct RowView {
    anchor: String,
    values: Vec<String>,
    word: &'static str,
    sign: &'static str,
    figures: Vec<String>,
}

/// A case of the chart.
#[derive(Serialize)]
struct BarView {
    label: String,
    value: String,
    /// Length in percent of the longest bar.
    width: Option<f64>,
    /// Place of the limit, in the same measure.
    limit: Option<f64>,
}

/// Metrics of the table beside those that expectations across cases name: rates, then latencies, so that
/// both are in sight, then what explains them.
const COLUMNS: [&str; 13] = [
    "pipeline.samples.rate",
    "pipeline.messages.rate",
    "produce.acked.rate",
    "produce.response.p95",
    "produce.response.p99",
    "produce.service.p95",
    "end_to_end.p95",
    "end_to_end.p99",
    "pipeline.payload.p95",
    "agent.cpu.mean",
    "produce.acked.bytes_rate",
    "produce.client.wire_bytes_rate",
    "produce.client.compression_ratio",
];

/// Metrics of the charts, beside those that expectations across cases name: of each line the first one
/// that was measured. A closed loop has no response.
const CHARTS: [&[&str]; 3] = [
    &["pipeline.samples.rate", "produce.acked.rate"],
    &["produce.response.p99", "produce.service.p95"],
    &["end_to_end.p95"],
];

/// A judged case with its number on the page.
type Numbered<'a> = (usize, &'a CaseResult);

/// One view for every scenario of which there are several judged cases with different values.
pub(super) fn views(run: &RunArchive) -> Vec<SetView> {
    let mut scenarios: Vec<(&str, Vec<Numbered<'_>>)> = Vec::new();
    for (at, result) in
        run.cases.iter().enumerate().filter_map(|(at, c)| Some((at, c.result.as_ref()?)))
    {
        match scenarios.iter_mut().find(|(name, _)| *name == result.scenario) {
            Some((_, cases)) => cases.push((at, result)),
            None => scenarios.push((&result.scenario, vec![(at, result)])),
        }
    }
    let across = run.result.as_ref().map_or(&[][..], |result| &result.across);
    scenarios.iter().filter_map(|(name, cases)| view(name, cases, across)).collect()
}

fn view(scenario: &str, cases: &[Numbered<'_>], across: &[AcrossResult]) -> Option<SetView> {
    let axes = axes(cases);
    if cases.len() < 2 || axes.is_empty() {
        return None;
    }
    let across: Vec<_> = across.iter().filter(|across| across.scenario == scenario).collect();
    let named: Vec<&str> = across.iter().map(|across| across.metric.as_str()).collect();
    let names = measured(cases, named.iter().copied().chain(COLUMNS));
    let is_known = |name: &&&str| cases.iter().any(|(_, case)| value(case, name).is_some());
    let chosen = CHARTS.iter().filter_map(|line| line.iter().find(is_known).copied());
    let charts = measured(cases, named.iter().copied().chain(chosen));
    let charts = charts.iter().map(|metric| chart(cases, &axes, metric, &across)).collect();
    Some(SetView {
        anchor: format!("set-{scenario}"),
        scenario: scenario.to_owned(),
        across: across.iter().map(|across| across_view(across)).collect(),
        columns: names
            .iter()
            .map(|name| ColumnView {
                pieces: name.split_inclusive(['.', '_']).map(str::to_owned).collect(),
                explain: words::explain(name),
            })
            .collect(),
        rows: cases.iter().map(|case| row(case, &axes, &names)).collect(),
        charts,
        axes,
    })
}

/// Metrics that were measured in any of the cases, each once.
fn measured<'a>(cases: &[Numbered<'_>], names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = std::collections::BTreeSet::new();
    let wanted = names.filter(|name| {
        seen.insert(*name) && cases.iter().any(|(_, case)| value(case, name).is_some())
    });
    wanted.collect()
}

/// Parameters that do not have the same value in all cases.
fn axes(cases: &[Numbered<'_>]) -> Vec<String> {
    let Some((_, first)) = cases.first() else { return Vec::new() };
    let differs = |name: &&String| {
        cases.iter().any(|(_, case)| case.parameters.get(*name) != first.parameters.get(*name))
    };
    first.parameters.keys().filter(differs).cloned().collect()
}

fn value(case: &CaseResult, metric: &str) -> Option<f64> {
    case.metrics.get(metric)?.value
}

fn shown(case: &CaseResult, metric: &str) -> String {
    let unit = case.metrics.get(metric).map_or("", |metric| &metric.unit);
    value(case, metric).map_or_else(|| "–".into(), |value| quantity(value, unit))
}

fn row((at, case): &Numbered<'_>, axes: &[String], names: &[&str]) -> RowView {
    RowView {
        anchor: format!("case-{}", at + 1),
        values: axes
            .iter()
            .map(|axis| case.parameters.get(axis).cloned().unwrap_or_default())
            .collect(),
        word: words::word(Some(case.verdict)),
        sign: words::sign(Some(case.verdict)),
        figures: names.iter().map(|name| shown(case, name)).collect(),
    }
}

fn chart(
    cases: &[Numbered<'_>],
    axes: &[String],
    metric: &str,
    across: &[&AcrossResult],
) -> ChartView {
    let limit_of = |case: &CaseResult| {
        across.iter().find(|a| a.case == case.case && a.metric == metric).and_then(|a| a.limit)
    };
    let values = cases.iter().filter_map(|(_, case)| value(case, metric));
    let limits = cases.iter().filter_map(|(_, case)| limit_of(case));
    let longest = values.chain(limits).fold(0.0, f64::max);
    let place =
        |value: f64| (longest > 0.0).then(|| (value.max(0.0) / longest * 1e4).round() / 100.0);
    let bar = |(_, case): &Numbered<'_>| BarView {
        label: axes
            .iter()
            .map(|axis| case.parameters.get(axis).map_or("", String::as_str))
            .collect::<Vec<_>>()
            .join(", "),
        value: shown(case, metric),
        width: value(case, metric).and_then(place),
        limit: limit_of(case).and_then(place),
    };
    let bars: Vec<_> = cases.iter().map(bar).collect();
    let has_limit = bars.iter().any(|bar| bar.limit.is_some());
    ChartView { metric: metric.to_owned(), explain: words::explain(metric), bars, has_limit }
}

fn across_view(of: &AcrossResult) -> AcrossView {
    let figure = |value: Option<f64>| {
        value.map_or_else(|| "no value".into(), |value| quantity(value, &of.unit))
    };
    AcrossView {
        passed: of.passed,
        text: of.text.clone(),
        sentence: of.sentence.clone(),
        line: of.line,
        value: figure(of.value),
        limit: figure(of.limit),
        margin: of
            .margin
            .map_or_else(|| "–".into(), |margin| margin::typeset(margin, of.value, of.limit)),
        scaling: of
            .scaling
            .zip(of.tier)
            .map(|(share, tier)| format!("{} of linear, {}", percent(share), tier.as_str())),
    }
}
