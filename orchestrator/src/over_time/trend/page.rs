//! A trend as a page.

use super::{
    model::{Series, Trend},
    spark::{Spark, spark},
    terminal::{marks, now, said},
};
use crate::{
    report::{ReportError, templates::Templates, words},
    text::format::{date, percent, quantity},
};
use serde::Serialize;

/// Runs of a chart.
const SHOWN: usize = 400;

/// Size of a chart.
const SIZE: (f64, f64) = (900.0, 180.0);

#[derive(Serialize)]
struct Page<'a> {
    scenario: &'a str,
    word: &'static str,
    tone: &'static str,
    sign: &'static str,
    sentence: &'a str,
    tolerance: String,
    runs: usize,
    warnings: &'a [String],
    series: Vec<SeriesView<'a>>,
}

#[derive(Serialize)]
struct SeriesView<'a> {
    case: &'a str,
    metric: &'a str,
    explain: String,
    tone: &'static str,
    word: &'static str,
    now: String,
    low: String,
    high: String,
    first: String,
    last: String,
    chart: Spark,
    marks: Vec<(usize, &'static str, String)>,
    not_analysed: Option<&'a str>,
}

/// `trend-SCENARIO.json`.
///
/// # Errors
///
/// When a figure has no form in JSON: a defect of Mallard.
pub fn json(of: &Trend) -> Result<String, ReportError> {
    let made = serde_json::to_string_pretty(of).map(|text| text + "\n");
    made.map_err(|error| ReportError::Format { name: "trend.json", what: error.to_string() })
}

/// Makes the page.
///
/// # Errors
///
/// When a template is wrong.
pub fn page(of: &Trend, templates: &Templates) -> Result<Vec<u8>, ReportError> {
    let (tone, sign) = match of.word {
        "worse" => ("fail", "✗"),
        "suspect" => ("invalid", "?"),
        _ => ("pass", "✓"),
    };
    let page = Page {
        scenario: &of.scenario,
        word: of.word,
        tone,
        sign,
        sentence: said(of),
        tolerance: percent(of.tolerance),
        runs: of.runs,
        warnings: &of.warnings,
        series: of.series.iter().map(view).collect(),
    };
    templates.render("trend.html", &page)
}

fn view(of: &Series) -> SeriesView<'_> {
    let value = |value: f64| quantity(value, &of.unit);
    let say = |at: usize| {
        let point = &of.points[at];
        format!("{}: {} ({})", date(&point.started_at), value(point.value), point.run)
    };
    let chart = spark(of, SHOWN, SIZE, say);
    let (tone, word) = match (of.is_worse(), of.is_suspect()) {
        (true, _) => ("fail", "✗ worse"),
        (_, true) => ("invalid", "? suspect"),
        _ => ("pass", "✓ steady"),
    };
    let shown = &of.points[of.points.len().saturating_sub(SHOWN)..];
    let day = |point: Option<&super::model::Point>| {
        point.map_or(String::new(), |point| date(&point.started_at))
    };
    SeriesView {
        case: &of.case,
        metric: &of.metric,
        explain: words::explain(&of.metric),
        tone,
        word,
        now: now(of),
        low: value(chart.range.0),
        high: value(chart.range.1),
        first: day(shown.first()),
        last: day(shown.last()),
        marks: marks(of),
        not_analysed: of.not_analysed.as_deref(),
        chart,
    }
}
