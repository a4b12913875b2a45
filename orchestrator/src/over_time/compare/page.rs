//! `comparison.html`: one file with everything inside, made like the pages of runs.

use super::{
    model::{CaseComparison, Comparison, Figure, LeftOut, PartitionChange, SideOf, Timeline},
    terminal,
};
use crate::{
    over_time::judge::{TOLERANCE_FLOOR, Word},
    report::{
        ReportError,
        column::Column,
        shape::Curve,
        templates::{Templates, script_json},
        words,
    },
    text::format::{percent, quantity},
};
use minijinja::Value;
use serde::Serialize;

/// Widest change that the picture of an interval reaches, as a factor.
const WIDEST: f64 = 4.0;

/// What the template gets.
#[derive(Serialize)]
struct Page<'a> {
    word: &'static str,
    tone: &'static str,
    sign: &'static str,
    sentence: &'a str,
    base: &'a SideOf,
    new: &'a SideOf,
    tolerance: String,
    left_out: &'a [LeftOut],
    cases: Vec<CaseView<'a>>,
}

#[derive(Serialize)]
struct CaseView<'a> {
    name: &'a str,
    anchor: String,
    word: &'static str,
    tone: &'static str,
    sign: &'static str,
    base: &'a [String],
    new: &'a [String],
    differences: Vec<DifferenceView<'a>>,
    unknown: &'a [String],
    gates: Vec<FigureView<'a>>,
    others: Vec<FigureView<'a>>,
    distributions: Vec<String>,
    partitions: Vec<PartitionView<'a>>,
    data: Value,
}

#[derive(Serialize)]
struct DifferenceView<'a> {
    path: &'a str,
    base: String,
    new: String,
    on_purpose: bool,
}

#[derive(Serialize)]
struct FigureView<'a> {
    metric: &'a str,
    explain: String,
    word: &'static str,
    tone: &'static str,
    sign: &'static str,
    base: String,
    new: String,
    base_runs: String,
    new_runs: String,
    change: String,
    interval: String,
    confidence: String,
    remark: String,
    picture: Option<Picture>,
}

/// Where things lie in the picture of an interval, in per cent of its width.
#[derive(Debug, PartialEq, Serialize)]
struct Picture {
    /// The tolerance: start and width.
    tolerance: (f64, f64),
    /// The interval: start and width.
    interval: Option<(f64, f64)>,
    /// The ratio.
    at: f64,
}

#[derive(Serialize)]
struct PartitionView<'a> {
    name: String,
    what: &'a str,
    base: String,
    new: String,
    change: String,
}

/// What the charts of a case are drawn from.
#[derive(Serialize)]
struct Data<'a> {
    latencies: Vec<Latency<'a>>,
    runs: &'a [Timeline],
}

#[derive(Serialize)]
struct Latency<'a> {
    name: &'static str,
    curves: &'a [Curve],
    nines: &'a Column,
    ratio: &'a Column,
    low: &'a Column,
    high: &'a Column,
}

/// `comparison.json`.
///
/// # Errors
///
/// When a figure has no form in JSON: a defect of Mallard.
pub fn json(of: &Comparison) -> Result<String, ReportError> {
    let made = serde_json::to_string_pretty(of).map(|text| text + "\n");
    made.map_err(|error| ReportError::Format { name: "comparison.json", what: error.to_string() })
}

/// Makes the page.
///
/// # Errors
///
/// When a template is wrong.
pub fn page(of: &Comparison, templates: &Templates) -> Result<Vec<u8>, ReportError> {
    let view = |(at, case)| case_view(at, case, of.tolerance);
    let page = Page {
        word: of.word.as_str(),
        tone: tone(Some(of.word)),
        sign: sign(Some(of.word)),
        sentence: of.said(),
        base: &of.base,
        new: &of.with,
        tolerance: percent(of.tolerance.max(TOLERANCE_FLOOR)),
        left_out: &of.left_out,
        cases: of.cases.iter().enumerate().map(view).collect::<Result<_, _>>()?,
    };
    templates.render("comparison.html", &page)
}

fn case_view(
    at: usize,
    case: &CaseComparison,
    tolerance: f64,
) -> Result<CaseView<'_>, ReportError> {
    let margin = (1.0 + tolerance.max(TOLERANCE_FLOOR)).ln();
    let (gates, others): (Vec<_>, Vec<_>) = case.figures.iter().partition(|figure| figure.gates);
    let latencies = case.distributions.iter().map(|of| Latency {
        name: of.latency,
        curves: &of.curves,
        nines: &of.shift.nines,
        ratio: &of.shift.ratio,
        low: &of.shift.low,
        high: &of.shift.high,
    });
    let data = Data { latencies: latencies.collect(), runs: &case.timelines };
    Ok(CaseView {
        name: &case.case,
        anchor: format!("case-{at}"),
        word: case.word.as_str(),
        tone: tone(Some(case.word)),
        sign: sign(Some(case.word)),
        base: &case.base,
        new: &case.with,
        differences: case.differences.iter().map(difference_view).collect(),
        unknown: &case.unknown,
        gates: figure_views(gates, margin),
        others: figure_views(others, margin),
        distributions: case.distributions.iter().map(terminal::distribution).collect(),
        partitions: case.partitions.iter().map(partition_view).collect(),
        data: Value::from_safe_string(script_json(&data)?),
    })
}

fn difference_view(of: &super::model::Difference) -> DifferenceView<'_> {
    DifferenceView {
        path: &of.path,
        base: terminal::values(&of.base),
        new: terminal::values(&of.with),
        on_purpose: of.on_purpose,
    }
}

fn partition_view(of: &PartitionChange) -> PartitionView<'_> {
    PartitionView {
        name: format!("{}/{}", of.topic, of.partition),
        what: of.what,
        base: quantity(of.base, of.unit),
        new: quantity(of.with, of.unit),
        change: super::change::change(of.ratio),
    }
}

fn figure_views(figures: Vec<&Figure>, margin: f64) -> Vec<FigureView<'_>> {
    let reach = reach(&figures, margin);
    figures.into_iter().map(|figure| figure_view(figure, margin, reach)).collect()
}

fn figure_view(figure: &Figure, margin: f64, reach: f64) -> FigureView<'_> {
    let value = |of: Option<f64>| of.map_or("–".to_owned(), |of| quantity(of, &figure.unit));
    let runs = |values: &[f64]| {
        let each: Vec<_> = values.iter().map(|of| quantity(*of, &figure.unit)).collect();
        if each.len() > 1 { each.join(", ") } else { String::new() }
    };
    FigureView {
        metric: &figure.metric,
        explain: words::explain(&figure.metric),
        word: figure.judged.word.map_or("", Word::as_str),
        tone: tone(figure.judged.word),
        sign: sign(figure.judged.word),
        base: value(figure.base),
        new: value(figure.with),
        base_runs: runs(&figure.base_runs),
        new_runs: runs(&figure.with_runs),
        change: terminal::changed(figure),
        interval: terminal::interval(&figure.judged),
        confidence: percent(figure.judged.confidence),
        remark: terminal::remark(figure),
        picture: figure.judged.ratio.map(|ratio| picture(ratio, figure, margin, reach)),
    }
}

/// How far the pictures of some figures reach to either side, on the scale of logarithms.
fn reach(figures: &[&Figure], margin: f64) -> f64 {
    let ends = |figure: &&Figure| {
        let of = &figure.judged;
        [of.ratio, of.low, of.high].into_iter().flatten().map(|ratio| ratio.ln().abs())
    };
    let most = figures.iter().flat_map(ends).filter(|of| of.is_finite()).fold(0.0, f64::max);
    most.clamp(2.0 * margin, WIDEST.ln()) * 1.05
}

fn picture(ratio: f64, figure: &Figure, margin: f64, reach: f64) -> Picture {
    let tenth = |of: f64| (of * 10.0).round() / 10.0;
    let place = |ln: f64| tenth((50.0 + 50.0 * ln / reach).clamp(0.0, 100.0));
    let stretch = |low: f64, high: f64| (place(low), tenth(place(high) - place(low)));
    let interval = figure.judged.low.zip(figure.judged.high);
    Picture {
        tolerance: stretch(-margin, margin),
        interval: interval.map(|(low, high)| stretch(low.ln(), high.ln())),
        at: place(ratio.ln()),
    }
}

/// The colours of verdicts stand for words, too.
fn tone(word: Option<Word>) -> &'static str {
    match word {
        Some(Word::Worse) => "fail",
        Some(Word::Better | Word::Same) => "pass",
        Some(Word::Unclear) => "invalid",
        None => "unfinished",
    }
}

fn sign(word: Option<Word>) -> &'static str {
    match word {
        Some(Word::Worse) => "✗",
        Some(Word::Better) => "↑",
        Some(Word::Same) => "=",
        Some(Word::Unclear) => "?",
        None => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::over_time::judge::{Rules, Side, judge};

    #[test]
    fn a_picture_has_no_change_in_its_middle_and_ends_at_its_edges() {
        let rules = Rules { tolerance: 0.05, gates: 1 };
        let values = [[10.0, 10.1, 9.9], [30.0, 31.0, 29.0]];
        let side = |at: usize| Side { values: &values[at], within: 0.0 };
        let figure = Figure {
            metric: "end_to_end.p99".into(),
            unit: "us".into(),
            better: None,
            gates: true,
            base: Some(10.0),
            with: Some(30.0),
            base_runs: vec![],
            with_runs: vec![],
            judged: judge(side(0), side(1), None, true, None, rules),
            says: String::new(),
        };
        let margin = 1.05_f64.ln();
        let of = picture(1.0, &figure, margin, 2.0 * margin);
        assert_eq!((of.at, of.tolerance), (50.0, (25.0, 50.0)));
        assert_eq!(of.interval, Some((100.0, 0.0)));
        let wide = reach(&[&figure], margin);
        assert!(picture(3.0, &figure, margin, wide).at < 100.0);
    }
}
