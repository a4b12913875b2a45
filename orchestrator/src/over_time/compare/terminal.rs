//! A comparison as text.

use super::{
    change::change,
    model::{
        CaseComparison, CasePairs, Comparison, Difference, Distribution, Figure, PairsOf, SideOf,
    },
    pairs::alarms,
};
use crate::{
    over_time::{
        judge::{Basis, Judged},
        judge_pairs::Wolf,
    },
    text::{
        format::{date, percent, quantity},
        plural::noun,
        table::Table,
        untrusted,
    },
};
use serde_json::Value;
use std::fmt::Write;

/// Figures that are shown beside those that decide, where both sides have them.
const BESIDE: [&str; 12] = [
    "produce.response.p50",
    "produce.response.p95",
    "produce.response.p999",
    "produce.service.p50",
    "produce.service.p99",
    "end_to_end.p50",
    "end_to_end.p999",
    "produce.error_rate",
    "records.not_read",
    "consume.lag.max",
    "agent.cpu.mean",
    "agent.memory.peak",
];

/// Pairs whose changes are listed.
const PAIRS_SHOWN: usize = 20;

/// Differences of one case that are listed.
const DIFFERENCES: usize = 20;

/// The comparison for a terminal.
#[must_use]
pub fn text(of: &Comparison) -> String {
    let mut text = String::new();
    match &of.pairs {
        Some(pairs) => text.push_str(&paired(of, pairs)),
        None => {
            side(&mut text, "base", &of.base);
            side(&mut text, "new ", &of.with);
        }
    }
    for left in &of.left_out {
        let case = left.case.as_ref().map(|case| format!(", case {case}")).unwrap_or_default();
        let why = untrusted::line(&left.why);
        let _ = writeln!(text, "left out: {}{case}: {why}", left.run_id);
    }
    for case in &of.cases {
        text.push('\n');
        one_case(&mut text, case);
    }
    let _ = writeln!(text, "\n{}: {}", of.word.as_str(), of.said());
    plain_spaces(&text)
}

/// No-break spaces belong on pages.
fn plain_spaces(text: &str) -> String {
    text.replace('\u{a0}', " ")
}

/// The sides of pairs, which are of one run.
fn paired(of: &Comparison, pairs: &PairsOf) -> String {
    format!(
        "base  {}\nnew   {}\n{} of {} pairs can be compared, run {}, seed {}\n",
        untrusted::line(&of.base.asked.join(", ")),
        untrusted::line(&of.with.asked.join(", ")),
        pairs.complete,
        pairs.asked,
        pairs.run_id,
        pairs.seed
    )
}

fn side(text: &mut String, name: &str, side: &SideOf) {
    let runs = side.runs.iter().map(|run| {
        let at = if run.started_at.is_empty() { String::new() } else { date(&run.started_at) };
        format!("{}  {at}", run.run_id)
    });
    for (at, run) in runs.enumerate() {
        let head = if at == 0 { name } else { "    " };
        let _ = writeln!(text, "{head}  {}", run.trim_end());
    }
}

fn one_case(text: &mut String, case: &CaseComparison) {
    let (base, with) = (case.base.len(), case.with.len());
    let _ = match &case.pairs {
        Some(_) => writeln!(text, "{} ({base} {})", case.case, noun(base, "pair")),
        None => writeln!(text, "{} ({base} against {with} {})", case.case, noun(with, "run")),
    };
    for of in case.differences.iter().take(DIFFERENCES) {
        let _ = writeln!(text, "  {}", difference(of));
    }
    let more = case.differences.len().saturating_sub(DIFFERENCES);
    if more > 0 {
        let _ = writeln!(text, "  {more} more differences are in comparison.json");
    }
    if case.differences.is_empty() {
        let _ = writeln!(text, "  nothing that is known to determine figures differs");
    }
    if !case.unknown.is_empty() {
        let _ = writeln!(text, "  not known: {}", case.unknown.join(", "));
    }
    text.push('\n');
    text.push_str(&figures(case));
    if let Some(pairs) = &case.pairs {
        text.push_str(&pair_by_pair(case));
        text.push_str(&wolves(case, pairs));
    }
    for of in &case.distributions {
        let _ = writeln!(text, "  {}", distribution(of));
    }
}

/// The changes of each pair, for the figures that decide.
fn pair_by_pair(case: &CaseComparison) -> String {
    let mut text = String::new();
    for figure in case.figures.iter().filter(|of| of.gates && of.judged.ratio.is_some()) {
        let ratios = figure.base_runs.iter().zip(&figure.with_runs).take(PAIRS_SHOWN);
        let each: Vec<String> = ratios.map(|(base, new)| change(new / base)).collect();
        let more = if figure.base_runs.len() > PAIRS_SHOWN { ", …" } else { "" };
        let metric = untrusted::line(&figure.metric);
        let _ = writeln!(text, "  pair by pair, {metric}: {}{more}", each.join(", "));
    }
    text
}

/// What an A/A test tells of the lab.
fn wolves(case: &CaseComparison, pairs: &CasePairs) -> String {
    if !pairs.is_same {
        return String::new();
    }
    let gates = case.figures.iter().filter(|figure| figure.gates).count();
    let mut text = format!(
        "  A/A: both sides are the same; of {gates} {} that decide {} called worse or better\n",
        noun(gates, "figure"),
        match alarms(&case.figures) {
            0 => "none was".to_owned(),
            1 => "1 was".to_owned(),
            n => format!("{n} were"),
        }
    );
    for of in &pairs.wolves {
        let _ = writeln!(text, "    {}: {}", of.metric, wolf(of));
    }
    text
}

/// What an A/A test tells of the lab, for one figure.
pub(super) fn wolf(of: &Wolf) -> String {
    format!(
        "pairs spread by {}; {} of {} are further apart than the tolerance; {} of such comparisons cry wolf; a change from \
         {} on is found",
        percent(of.spread),
        of.beyond,
        of.of,
        percent(of.alarms),
        change(1.0 + of.finds),
    )
}

/// `differs: plan.client.shop.linger.ms: 5 → 20`.
pub(super) fn difference(of: &Difference) -> String {
    let word = if of.on_purpose { "varied" } else { "differs" };
    format!("{word}: {}: {} → {}", of.path, values(&of.base), values(&of.with))
}

/// Values of a side: as they are, without the quotes of JSON.
pub(in crate::over_time) fn values(values: &[Value]) -> String {
    let one = |value: &Value| match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => untrusted::line(text),
        other => other.to_string(),
    };
    values.iter().map(one).collect::<Vec<_>>().join(" or ")
}

fn figures(case: &CaseComparison) -> String {
    let mut table = Table::new(&["  metric", "base", "new", "change", "interval", "word", ""]);
    let mut aside = false;
    let shown = |figure: &&Figure| figure.gates || BESIDE.contains(&&*figure.metric);
    for figure in case.figures.iter().filter(shown) {
        let value = |of: Option<f64>| of.map_or("–".to_owned(), |of| quantity(of, &figure.unit));
        let word = figure.judged.word.map_or("", |word| word.as_str());
        let word = if figure.gates { word.to_owned() } else { format!("({word})") };
        aside |= !figure.gates;
        table.row([
            &format!("  {}", untrusted::line(&figure.metric)),
            &value(figure.base),
            &value(figure.with),
            &changed(figure),
            &interval(&figure.judged),
            &word,
            &remark(figure),
        ]);
    }
    let note = if aside { "  figures with their word in parentheses do not decide\n" } else { "" };
    table.text() + note
}

/// The change: of the ratio, else the difference.
pub(in crate::over_time) fn changed(figure: &Figure) -> String {
    match (figure.judged.ratio, figure.judged.difference) {
        (_, Some(0.0)) => "0".to_owned(),
        (Some(ratio), _) => change(ratio),
        (None, Some(difference)) => {
            let sign = if difference > 0.0 { "+" } else { "" };
            format!("{sign}{}", quantity(difference, &figure.unit))
        }
        (None, None) => "–".to_owned(),
    }
}

/// `[−1.2 %, +3.4 %]`.
pub(in crate::over_time) fn interval(of: &Judged) -> String {
    match (of.low, of.high) {
        (Some(low), Some(high)) => format!("[{}, {}]", change(low), change(high)),
        _ => String::new(),
    }
}

/// What the interval rests on, and the second opinion.
pub(super) fn remark(figure: &Figure) -> String {
    let ranks = figure
        .judged
        .ranks
        .filter(|_| matches!(figure.judged.basis, Basis::BetweenRuns | Basis::Pairs));
    let ranks = ranks.map(|of| format!("ranks p {:.3} of at least {:.3}", of.p, of.smallest_p));
    let parts = [Some(figure.says.clone()).filter(|says| !says.is_empty()), ranks];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// A latency as a whole, in a sentence.
pub(super) fn distribution(of: &Distribution) -> String {
    let p =
        of.distance_p.map(|p| format!(" (p {p:.3} by dealing out the runs)")).unwrap_or_default();
    format!(
        "{}: quantiles are {} apart on average; the distributions differ by {}{p}",
        of.latency.replace('_', " "),
        percent(of.mean_shift.exp_m1()),
        percent(of.distance),
    )
}
