//! A run that is over, held against the baselines that its scenarios name.

use crate::{
    archive::{self, RunFolder},
    config::{Diagnostic, shape::Reader, source::Place, tidy},
    model::{
        kind::Kind,
        result::{ComparedResult, ComparisonMade, Reason, Standing},
    },
    over_time::{
        against_baseline::{self, CaseAsks, Comparing, Held},
        baselines::{self, BaselineError},
        compare::{self, Comparison},
        observation::key,
    },
    plan::{CasePlan, Plan},
    report::{ReportError, templates::Templates},
    text::nearest::suggest,
};
use std::path::Path;

/// What came of it, and the comparisons that are still to be written.
#[derive(Debug, Default)]
pub(super) struct Against {
    /// Expectations, judged.
    pub(super) results: Vec<ComparedResult>,
    /// Comparisons as `run.json` has them.
    pub(super) made: Vec<ComparisonMade>,
    /// Baselines that are asked for and not set.
    pub(super) missing: Vec<String>,
    /// What is still to be written.
    pub(super) comparisons: Comparisons,
}

/// Comparisons, by the names of their files without the end.
#[derive(Debug, Default)]
pub(super) struct Comparisons(pub(super) Vec<(String, Comparison)>);

/// What the cases of a plan ask for, each case once.
pub(super) fn asks(plan: &Plan) -> Vec<CaseAsks> {
    let mut asks: Vec<CaseAsks> = Vec::new();
    for case in &plan.cases {
        let name = key(&case.name);
        let is_new = !asks.iter().any(|ask| ask.case == name);
        if is_new && (!case.against.is_empty() || case.compare.is_some()) {
            asks.push(ask(name, case));
        }
    }
    asks
}

fn ask(name: &str, case: &CasePlan) -> CaseAsks {
    let expectations = case.against.iter().map(|of| (of.expectation.clone(), of.line));
    let compare = case.compare.as_ref().map(|of| Comparing {
        with: of.with.value.clone(),
        tolerance: of.tolerance,
        metrics: of.metrics.iter().map(|metric| metric.value.clone()).collect(),
    });
    CaseAsks {
        case: name.to_owned(),
        scenario: case.scenario.clone(),
        expectations: expectations.collect(),
        compare,
    }
}

/// Holds a run against what its cases ask for.
pub(super) fn hold(
    folder: &RunFolder,
    started_at: &str,
    asks: &[CaseAsks],
) -> Result<Against, BaselineError> {
    if asks.is_empty() {
        return Ok(Against::default());
    }
    let Held { results, comparisons, missing } =
        against_baseline::hold(folder.path(), started_at, asks)?;
    let files = against_baseline::files(&comparisons);
    let made = files.iter().zip(&comparisons).map(|(file, (with, of))| ComparisonMade {
        with: with.clone(),
        file: format!("{file}.html"),
        word: of.word.as_str().to_owned(),
        sentence: of.said().to_owned(),
    });
    let made = made.collect();
    let comparisons = files.into_iter().zip(comparisons.into_iter().map(|(_, of)| of)).collect();
    Ok(Against { results, made, missing, comparisons: Comparisons(comparisons) })
}

impl Against {
    /// Why the run did not pass, as far as it is for a baseline.
    pub(super) fn reasons(&self) -> Vec<Reason> {
        let kind = |standing| match standing {
            Standing::Failed => Some(Kind::WorseThanBaseline),
            Standing::Unclear => Some(Kind::BaselineUnclear),
            Standing::Held | Standing::NotJudged => None,
        };
        let reason = |of: &ComparedResult| {
            let text = format!("{}: {}", of.case, of.sentence);
            Some(kind(of.standing)?.reason(text))
        };
        self.results.iter().filter_map(reason).collect()
    }

    /// Baselines that are not set, and expectations that have nothing to be held against.
    pub(super) fn warnings(&self) -> Vec<Reason> {
        let missing = self
            .missing
            .iter()
            .map(|name| Kind::BaselineMissing.reason(format!("the baseline {name} is not set")));
        let is_alone = |of: &&ComparedResult| {
            of.standing == Standing::NotJudged && !self.missing.contains(&of.with)
        };
        let alone = self.results.iter().filter(is_alone).map(|of| {
            Kind::BaselineMissing.reason(format!("{}: {}: {}", of.case, of.text, of.sentence))
        });
        missing.chain(alone).collect()
    }
}

impl Comparisons {
    /// Writes the pages of comparisons, and the same as JSON, into the run's folder.
    pub(super) fn write(&self, run: &Path, templates: &Templates) -> Result<(), ReportError> {
        for (file, of) in &self.0 {
            let page = compare::page(of, templates)?;
            archive::write_whole(&run.join(format!("{file}.html")), &page)?;
            archive::write_whole(&run.join(format!("{file}.json")), compare::json(of)?.as_bytes())?;
        }
        Ok(())
    }
}

/// Notes where scenarios name baselines that an archive does not have.
pub(super) fn unset(
    plan: &Plan,
    results: &Path,
    note: fn(&mut Reader, &Place, String, String),
) -> Result<Vec<Diagnostic>, BaselineError> {
    let set = baselines::all(results)?;
    let names: Vec<&str> = set.keys().map(String::as_str).collect();
    let mut reader = Reader::default();
    for case in &plan.cases {
        let expected = case.against.iter().map(|of| (&of.expectation.baseline, &of.baseline_at));
        let compared = case.compare.iter().map(|of| (&of.with.value, &of.with.at));
        for (name, at) in expected.chain(compared).filter(|(name, _)| !set.contains_key(*name)) {
            let message = format!("there is no baseline `{name}` in {}", results.display());
            let known = suggest(name, &names, "baselines");
            let help = format!("{known}; `mallard baseline set {name} RUN` sets one");
            note(&mut reader, at, message, help);
        }
    }
    // Cases of one scenario name the same baselines.
    tidy(&mut reader.diagnostics);
    Ok(reader.diagnostics)
}
