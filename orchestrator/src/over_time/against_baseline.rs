//! A run held against baselines when it is over: what its scenarios expect, and the comparisons that they ask for.

use super::{
    baselines::{self, BaselineError, Baselines},
    compare::{self, Asked, Comparison, Figure, HeldAgainst, Sides},
    history::History,
    judge::{Rules, Word},
    observation::{Observation, key},
};
use crate::{
    archive::{ArchiveError, read},
    expect::against_baseline::AgainstBaseline,
    model::result::{ComparedResult, Standing},
    text::{format::percent, units::human},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// Places of differences that a sentence names.
const NAMED: usize = 3;

/// What one case asks for; repetitions of a case ask together.
#[derive(Clone, Debug)]
pub struct CaseAsks {
    /// The case, without the number of a repetition.
    pub case: String,
    /// Its scenario.
    pub scenario: String,
    /// What must hold, each with its line.
    pub expectations: Vec<(AgainstBaseline, usize)>,
    /// The comparison that it asks for.
    pub compare: Option<Comparing>,
}

/// A comparison that a scenario asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparing {
    /// The baseline.
    pub with: String,
    /// Within which share figures count as the same.
    pub tolerance: f64,
    /// Metrics that decide; none: the headline metrics.
    pub metrics: Vec<String>,
}

/// What came out.
#[derive(Debug, Default)]
pub struct Held {
    /// Expectations, judged.
    pub results: Vec<ComparedResult>,
    /// Comparisons, each with the name of its baseline.
    pub comparisons: Vec<(String, Comparison)>,
    /// Baselines that are asked for and not set, each once.
    pub missing: Vec<String>,
}

/// Holds a run, of which the cases are over, against the baselines that they name.
///
/// # Errors
///
/// When the baselines, the run or a run of a baseline cannot be read.
pub fn hold(run: &Path, started_at: &str, asks: &[CaseAsks]) -> Result<Held, BaselineError> {
    let results = run.parent().unwrap_or(Path::new(""));
    let set = baselines::all(results)?;
    let mut held = Held::default();
    for name in named(asks) {
        match sides(results, run, &name, &set)? {
            Some(mut sides) => {
                // `run.json` is written when this is known.
                sides.with.runs.iter_mut().for_each(|run| run.started_at = started_at.to_owned());
                against_one(results, &name, &sides, asks, &mut held);
            }
            None => {
                let judged = of_baseline(asks, &name);
                held.results.extend(judged.map(|(ask, of)| not_set(ask, of)));
                held.missing.push(name);
            }
        }
    }
    Ok(held)
}

/// Baselines that cases name, sorted.
fn named(asks: &[CaseAsks]) -> BTreeSet<String> {
    let expected = asks.iter().flat_map(|ask| &ask.expectations);
    let expected = expected.map(|(expectation, _)| expectation.baseline.clone());
    let compared = asks.iter().filter_map(|ask| Some(ask.compare.as_ref()?.with.clone()));
    expected.chain(compared).collect()
}

/// A case with one of its expectations and the line that it is written in.
type Asking<'a> = (&'a CaseAsks, &'a (AgainstBaseline, usize));

fn of_baseline<'a>(asks: &'a [CaseAsks], name: &'a str) -> impl Iterator<Item = Asking<'a>> {
    let all = asks.iter().flat_map(|ask| ask.expectations.iter().map(move |of| (ask, of)));
    all.filter(move |(_, (expectation, _))| expectation.baseline == name)
}

/// Both sides, read; `None` where the baseline is not set.
fn sides(
    results: &Path,
    run: &Path,
    name: &str,
    set: &Baselines,
) -> Result<Option<Sides>, ArchiveError> {
    let Some(baseline) = set.get(name) else { return Ok(None) };
    let folders = baseline.runs.iter().map(|run| read::find_run(results, run));
    let folders: Vec<PathBuf> = folders.collect::<Result<_, _>>()?;
    let asked = (vec![name.to_owned()], vec![id(run)]);
    compare::read((asked.0, &folders), (asked.1, &[run.to_owned()])).map(Some)
}

fn id(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn against_one(results: &Path, name: &str, sides: &Sides, asks: &[CaseAsks], held: &mut Held) {
    let runs = sides.base.runs.iter().chain(&sides.with.runs);
    let ids: Vec<String> = runs.map(|run| run.run_id.clone()).collect();
    let history = |case: &str| History::read(results, case, &ids);
    for ask in asks {
        let expectations: Vec<_> =
            ask.expectations.iter().filter(|(of, _)| of.baseline == name).collect();
        if expectations.is_empty() {
            continue;
        }
        let (base, with) = (of_case(&sides.base_cases, ask), of_case(&sides.with_cases, ask));
        let history = history(&ask.case);
        let held_against = HeldAgainst::new(&base, &with, &history);
        let differs = compare::differs(&base, &with);
        for (expectation, line) in &expectations {
            let rules = Rules { tolerance: expectation.by, gates: expectations.len() };
            let figure = held_against.figure(expectation.metric.name, true, rules);
            held.results.push(judged(ask, (expectation, *line), &figure, &differs, &base));
        }
    }
    let mut groups: Vec<(Comparing, BTreeSet<&str>)> = Vec::new();
    for ask in asks {
        let Some(asked) = ask.compare.as_ref().filter(|asked| asked.with == name) else { continue };
        match groups.iter_mut().find(|(known, _)| known == asked) {
            Some((_, cases)) => drop(cases.insert(&ask.case)),
            None => groups.push((asked.clone(), BTreeSet::from([ask.case.as_str()]))),
        }
    }
    for (asked, cases) in groups {
        let sides = sides.only(&cases);
        let asked =
            Asked { tolerance: asked.tolerance, metrics: asked.metrics, ..Asked::default() };
        let comparison = compare::compare(sides, &asked, &|of| history(of.key()));
        held.comparisons.push((name.to_owned(), comparison));
    }
}

fn of_case<'a>(side: &'a [Observation], ask: &CaseAsks) -> Vec<&'a Observation> {
    side.iter().filter(|of| key(&of.case) == ask.case).collect()
}

/// An expectation of which the baseline is not set.
fn not_set(ask: &CaseAsks, (of, line): &(AgainstBaseline, usize)) -> ComparedResult {
    let sentence = format!("not judged: the baseline {} is not set", of.baseline);
    ComparedResult { sentence, ..blank(ask, of, *line) }
}

fn blank(ask: &CaseAsks, of: &AgainstBaseline, line: usize) -> ComparedResult {
    ComparedResult {
        text: of.text.clone(),
        scenario: ask.scenario.clone(),
        case: ask.case.clone(),
        metric: of.metric.name.to_owned(),
        unit: of.metric.unit.to_owned(),
        with: of.baseline.clone(),
        by: of.by,
        value: None,
        base: None,
        ratio: None,
        low: None,
        high: None,
        word: None,
        repeats: None,
        standing: Standing::NotJudged,
        line,
        sentence: String::new(),
    }
}

fn judged(
    ask: &CaseAsks,
    (of, line): (&AgainstBaseline, usize),
    figure: &Figure,
    differs: &[String],
    base: &[&Observation],
) -> ComparedResult {
    let judged = &figure.judged;
    let standing = match (figure.base, figure.with) {
        (None, _) => Standing::NotJudged,
        (_, None) => Standing::Failed,
        _ if judged.word == Some(Word::Worse) => Standing::Failed,
        _ if judged.no_worse => Standing::Held,
        _ => Standing::Unclear,
    };
    ComparedResult {
        value: figure.with,
        base: figure.base,
        ratio: judged.ratio,
        low: judged.low,
        high: judged.high,
        word: judged.word.map(|word| word.as_str().to_owned()),
        repeats: judged.repeats.filter(|_| standing == Standing::Unclear),
        standing,
        sentence: sentence(of, figure, standing, differs, base.is_empty()),
        ..blank(ask, of, line)
    }
}

/// `produce.response.p99 was 4.10 ms, 3.90 ms in main: +5.1 % [−1.0 %, +12.0 %], 10 % worse is allowed`.
fn sentence(
    of: &AgainstBaseline,
    figure: &Figure,
    standing: Standing,
    differs: &[String],
    no_case: bool,
) -> String {
    let (metric, baseline) = (of.metric.name, &of.baseline);
    let (Some(value), Some(base)) = (figure.with, figure.base) else {
        return match figure.base {
            None if no_case => {
                format!("not judged: no run of {baseline} has this case with figures that count")
            }
            None => format!("not judged: {baseline} has no value of {metric}"),
            Some(_) => {
                format!("{metric} could not be judged: no run has a value of it that counts")
            }
        };
    };
    let (value, base) = (human(value, of.metric.unit), human(base, of.metric.unit));
    let runs = format!("{} against {} runs", figure.with_runs.len(), figure.base_runs.len());
    let change = compare::changed(figure);
    let interval = compare::interval(&figure.judged);
    let interval = if interval.is_empty() { interval } else { format!(" {interval}") };
    let outcome = match standing {
        Standing::Unclear => "; it is unclear",
        _ => "",
    };
    let says = if figure.says.is_empty() { String::new() } else { format!("; {}", figure.says) };
    let text = format!(
        "{metric} was {value}, {base} in {baseline}: {change}{interval}, {} worse is allowed{outcome}; {runs}{says}{}",
        percent(of.by),
        differing(differs)
    );
    text.replace('\u{a0}', " ")
}

/// What differs between the runs and the baseline, as far as a sentence has room.
fn differing(paths: &[String]) -> String {
    let more = paths.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    match paths {
        [] => String::new(),
        paths => {
            let named: Vec<&str> = paths.iter().take(NAMED).map(String::as_str).collect();
            format!("; what differs: {}{more}", named.join(", "))
        }
    }
}

/// Names of comparisons' files without their ends, in their order: `comparison-main`, `comparison-main-2`.
#[must_use]
pub fn files(comparisons: &[(String, Comparison)]) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut file = |baseline| {
        let count = counts.entry(baseline).or_default();
        *count += 1;
        let number = if *count > 1 { format!("-{count}") } else { String::new() };
        format!("comparison-{baseline}{number}")
    };
    comparisons.iter().map(|(baseline, _)| file(baseline.as_str())).collect()
}
