//! `comparison.html`: one file with everything inside, made like the pages of runs.

use super::{
    change::change,
    model::{
        CaseComparison, CasePairs, Comparison, Figure, LeftOut, PairsOf, PartitionChange, SideOf,
        Timeline,
    },
    pairs::alarms,
    terminal,
};
use crate::{
    over_time::{
        judge::{TOLERANCE_FLOOR, Word},
        judge_pairs::{Wolf, log_ratios},
    },
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
    pairs: Option<&'a PairsOf>,
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
    /// Pair by pair, where these are pairs.
    strips: Vec<StripView<'a>>,
    /// Of an A/A test: how many figures were called worse or better, and what it tells of the lab.
    alarms: Option<usize>,
    wolves: Vec<WolfView<'a>>,
    data: Value,
}

/// The changes of all pairs in one figure.
#[derive(Serialize)]
struct StripView<'a> {
    metric: &'a str,
    explain: String,
    /// The tolerance: start and width, in per cent of the picture's width.
    tolerance: (f64, f64),
    /// How far the picture reaches to either side.
    reach: String,
    marks: Vec<Mark>,
}

/// A pair's change in the picture.
#[derive(Serialize)]
struct Mark {
    at: f64,
    /// Place of the row in which it stands, in per cent: pairs in their order from top to bottom.
    top: f64,
    base_first: bool,
    text: String,
}

#[derive(Serialize)]
struct WolfView<'a> {
    metric: &'a str,
    spread: String,
    beyond: usize,
    of: usize,
    alarms: String,
    finds: String,
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
        pairs: of.pairs.as_ref(),
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
    let pairs = case.pairs.as_ref();
    let strips = pairs.map(|of| gates.iter().filter_map(|figure| strip(figure, of, margin)));
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
        strips: strips.into_iter().flatten().collect(),
        alarms: pairs.filter(|of| of.is_same).map(|_| alarms(&case.figures)),
        wolves: pairs.iter().flat_map(|of| &of.wolves).map(wolf_view).collect(),
        gates: figure_views(gates, margin),
        others: figure_views(others, margin),
        distributions: case.distributions.iter().map(terminal::distribution).collect(),
        partitions: case.partitions.iter().map(partition_view).collect(),
        data: Value::from_safe_string(script_json(&data)?),
    })
}

/// A figure pair by pair; none where a ratio cannot be formed.
fn strip<'a>(figure: &'a Figure, of: &CasePairs, margin: f64) -> Option<StripView<'a>> {
    let d = log_ratios(&figure.base_runs, &figure.with_runs);
    if d.len() != of.pairs.len() || d.iter().any(|d| !d.is_finite()) {
        return None;
    }
    let most = d.iter().map(|d| d.abs()).fold(0.0, f64::max);
    let reach = most.clamp(1.5 * margin, WIDEST.ln()) * 1.08;
    let place = |ln: f64| tenth((50.0 + 50.0 * ln / reach).clamp(0.0, 100.0));
    let rows = d.len() as f64;
    let marks = d.iter().zip(&of.pairs).enumerate().map(|(row, (d, pair))| Mark {
        at: place(*d),
        top: tenth(100.0 * (row as f64 + 0.5) / rows),
        base_first: pair.base_first,
        text: format!(
            "pair {}, {} first: {}",
            pair.number,
            if pair.base_first { "base" } else { "new" },
            change(d.exp())
        ),
    });
    Some(StripView {
        metric: &figure.metric,
        explain: words::explain(&figure.metric),
        tolerance: (place(-margin), tenth(place(margin) - place(-margin))),
        reach: change(reach.exp()),
        marks: marks.collect(),
    })
}

fn tenth(of: f64) -> f64 {
    (of * 10.0).round() / 10.0
}

fn wolf_view(of: &Wolf) -> WolfView<'_> {
    WolfView {
        metric: &of.metric,
        spread: percent(of.spread),
        beyond: of.beyond,
        of: of.of,
        alarms: percent(of.alarms),
        finds: change(1.0 + of.finds),
    }
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
        change: change(of.ratio),
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
            within: 0.0,
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
