//! Puts a comparison together.

use super::{
    asked::Asked,
    change::change,
    differences::{differences, unknown},
    distributions::distributions,
    figures::figures,
    model::{
        COMPARISON_VERSION, CaseComparison, Comparison, Figure, LeftOut, PairsOf, SideOf, Timeline,
    },
    partitions,
    sides::Sides,
};
use crate::{
    metrics::direction,
    over_time::{
        history::History,
        judge::Word,
        observation::{Observation, key},
        statistics::Dice,
    },
    report::column::Column,
    text::format::percent,
};
use std::collections::{BTreeMap, BTreeSet};

/// Runs of a side that are drawn over time.
const DRAWN: usize = 6;

/// Compares two sides. `history` gives what is known of a case's earlier runs.
#[must_use]
pub fn compare(
    sides: Sides,
    asked: &Asked,
    history: &dyn Fn(&Observation) -> History,
) -> Comparison {
    let Sides { base, with, base_cases, with_cases, mut left_out } = sides;
    let pairs = pair(&base_cases, &with_cases, &mut left_out);
    let cases: Vec<CaseComparison> = pairs
        .into_iter()
        .map(|(name, base, with)| {
            let history = base.first().map(|first| history(first)).unwrap_or_default();
            one_case(name, &base, &with, asked, &history)
        })
        .collect();
    finish(cases, (base, with), left_out, asked, None)
}

/// The whole, of cases that are compared.
pub(super) fn finish(
    cases: Vec<CaseComparison>,
    (base, with): (SideOf, SideOf),
    left_out: Vec<LeftOut>,
    asked: &Asked,
    pairs: Option<PairsOf>,
) -> Comparison {
    let word = cases.iter().map(|case| case.word).max().unwrap_or(Word::Unclear);
    Comparison {
        schema_version: COMPARISON_VERSION,
        word,
        sentence: sentence(&cases, asked.tolerance),
        base,
        with,
        pairs,
        tolerance: asked.tolerance,
        across: asked.across.clone(),
        left_out,
        cases,
    }
}

type Pair<'a> = (String, Vec<&'a Observation>, Vec<&'a Observation>);

/// Cases of one name on both sides. Where each side has one case only, these are held against each other,
/// whatever they are called.
fn pair<'a>(
    base: &'a [Observation],
    with: &'a [Observation],
    left_out: &mut Vec<LeftOut>,
) -> Vec<Pair<'a>> {
    let (base, mut with) = (by_key(base), by_key(with));
    if let (Some((a, of_a)), Some((b, of_b))) = (only(&base), only(&with))
        && a != b
    {
        return vec![(format!("{a} → {b}"), of_a.clone(), of_b.clone())];
    }
    let mut pairs = Vec::new();
    let mut alone = |runs: &[&Observation], side: &str| {
        left_out.extend(runs.iter().map(|of| LeftOut {
            run_id: of.run_id.clone(),
            case: Some(of.case.clone()),
            why: format!("{side} has no such case"),
        }));
    };
    for (name, of_base) in base {
        match with.remove(name) {
            Some(of_with) => pairs.push((name.to_owned(), of_base, of_with)),
            None => alone(&of_base, "what is held against it"),
        }
    }
    with.values().for_each(|of_with| alone(of_with, "the base"));
    pairs
}

fn by_key(cases: &[Observation]) -> BTreeMap<&str, Vec<&Observation>> {
    let mut by_key: BTreeMap<&str, Vec<&Observation>> = BTreeMap::new();
    cases.iter().for_each(|case| by_key.entry(key(&case.case)).or_default().push(case));
    by_key
}

fn only<'b, 'a>(
    cases: &'b BTreeMap<&'a str, Vec<&'a Observation>>,
) -> Option<(&'b &'a str, &'b Vec<&'a Observation>)> {
    cases.iter().next().filter(|_| cases.len() == 1)
}

/// A case with the runs of both sides.
pub(super) fn one_case(
    name: String,
    base: &[&Observation],
    with: &[&Observation],
    asked: &Asked,
    history: &History,
) -> CaseComparison {
    let has = |metric: &str| {
        let any = |side: &[&Observation]| side.iter().any(|of| of.value(metric).is_some());
        any(base) && any(with)
    };
    let gates: Vec<String> = match asked.metrics.is_empty() {
        true => direction::headline(has).into_iter().map(str::to_owned).collect(),
        false => asked.metrics.clone(),
    };
    let figures = figures((base, with), &gates, asked, history);
    let ids = base.iter().chain(with).flat_map(|of| [&*of.run_id, &*of.case]);
    let mut dice = Dice::from_texts(ids);
    let timelines = [(true, base), (false, with)]
        .into_iter()
        .flat_map(|(is_base, side)| side.iter().take(DRAWN).map(move |of| timeline(of, is_base)));
    CaseComparison {
        word: worst(&figures, gates.len()),
        base: base.iter().map(|of| called(of)).collect(),
        with: with.iter().map(|of| called(of)).collect(),
        differences: differences(base, with, &asked.across),
        unknown: unknown(base, with),
        distributions: distributions(base, with, &mut dice),
        partitions: partitions::changes(base, with),
        timelines: timelines.collect(),
        pairs: None,
        missing: gates.iter().filter(|gate| !has(gate)).cloned().collect(),
        case: name,
        figures,
    }
}

/// The worst word of the figures that gate. One that was asked for and is not there cannot be told.
fn worst(figures: &[Figure], gates: usize) -> Word {
    let words: Vec<Word> = figures
        .iter()
        .filter(|figure| figure.gates)
        .filter_map(|figure| figure.judged.word)
        .collect();
    let missing = if words.len() < gates || gates == 0 { Some(Word::Unclear) } else { None };
    words.into_iter().chain(missing).max().unwrap_or(Word::Unclear)
}

/// A run's name, with that of the case where it is a repetition.
fn called(of: &Observation) -> String {
    match of.case.strip_prefix(of.key()) {
        Some(round) if !round.is_empty() => format!("{} ({round})", of.run_id),
        _ => of.run_id.clone(),
    }
}

fn timeline(of: &Observation, is_base: bool) -> Timeline {
    let column = |names: &[&str]| {
        let found = names.iter().find_map(|name| of.level.columns.get(name));
        found.cloned().unwrap_or_default()
    };
    Timeline {
        run: called(of),
        is_base,
        step: of.level.step,
        from: of.level.from.clone(),
        to: of.level.to.clone(),
        acked: column(&["acked"]),
        lag: column(&["lag"]),
        cpu: Column(of.cpu.clone()),
        p99: column(&["response_p99", "service_p99"]),
    }
}

/// The whole in one sentence.
fn sentence(cases: &[CaseComparison], tolerance: f64) -> String {
    if cases.is_empty() {
        return "nothing could be compared".to_owned();
    }
    let gates = || cases.iter().flat_map(|case| case.figures.iter().filter(|figure| figure.gates));
    let of = |word: Word| -> Vec<String> {
        let named = |figure: &Figure| match figure.judged.ratio.filter(|_| word != Word::Same) {
            Some(ratio) => format!("{} ({})", figure.metric, change(ratio)),
            None => figure.metric.clone(),
        };
        gates().filter(|figure| figure.judged.word == Some(word)).map(named).collect()
    };
    let said = |word: Word| {
        let figures = of(word);
        (!figures.is_empty()).then(|| format!("{}: {}", word.as_str(), figures.join(", ")))
    };
    let parts: Vec<String> = [Word::Worse, Word::Unclear, Word::Better, Word::Same]
        .into_iter()
        .filter_map(said)
        .collect();
    let missing: BTreeSet<&str> =
        cases.iter().flat_map(|case| case.missing.iter().map(String::as_str)).collect();
    let missing: Vec<&str> = missing.into_iter().collect();
    let missing = match missing.is_empty() {
        true => String::new(),
        false => format!("; not on both sides: {}", missing.join(", ")),
    };
    let is_same = |case: &CaseComparison| case.pairs.as_ref().is_some_and(|of| of.is_same);
    let same = if cases.iter().all(is_same) { "; both sides are the same: A/A" } else { "" };
    if parts.is_empty() {
        return format!("no figure that decides is on both sides{missing}");
    }
    format!("{}{missing}; tolerance {}{same}", parts.join("; "), percent(tolerance))
}
