//! Pairs of runs of one run, taken in turns: from its archive to a comparison.

use super::{
    asked::Asked,
    build::{finish, one_case},
    model::{CasePairs, Comparison, Figure, LeftOut, PairRef, PairsOf, RunRef, SideOf},
};
use crate::{
    archive::{ArchiveError, read::RunArchive},
    over_time::{
        history::History,
        judge::{Basis, Rules, Word},
        judge_pairs::{Wolf, log_ratios, wolf},
        observation::Observation,
        statistics::Dice,
    },
};
use std::{collections::BTreeMap, path::Path};

/// A pair of cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairOf {
    /// What the cases of both sides are called together.
    pub name: String,
    /// Which pair of these, from 1.
    pub number: u32,
    /// The case that is held against.
    pub base: String,
    /// The case that is held against it.
    pub new: String,
    /// Whether the base goes first.
    pub base_first: bool,
}

/// The pairs of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pairing {
    /// The scenario that is held against.
    pub base: String,
    /// The scenario that is held against it.
    pub new: String,
    /// What drew who goes first.
    pub seed: u64,
    /// In the order in which they are run.
    pub pairs: Vec<PairOf>,
}

/// Compares the sides of a run that is over, pair by pair. Pairs of which a side cannot be compared are left out.
///
/// # Errors
///
/// When the folder holds no run.
pub fn pairs(
    run: &Path,
    started_at: &str,
    of: &Pairing,
    asked: &Asked,
) -> Result<Comparison, ArchiveError> {
    let archive = RunArchive::read_without_tables(run)?;
    let mut left_out: Vec<LeftOut> = Vec::new();
    let mut cases: BTreeMap<&str, Result<Observation, String>> = BTreeMap::new();
    for case in &archive.cases {
        cases.insert(&case.name, Observation::read(archive.result.as_ref(), &archive.id, case));
    }
    let mut compared = Vec::new();
    for name in names(&of.pairs) {
        let mut complete: Vec<(&PairOf, &Observation, &Observation)> = Vec::new();
        let mut own: Vec<&PairOf> = of.pairs.iter().filter(|pair| pair.name == name).collect();
        own.sort_by_key(|pair| pair.number);
        for pair in own {
            match (cases.get(&*pair.base), cases.get(&*pair.new)) {
                (Some(Ok(base)), Some(Ok(new))) => complete.push((pair, base, new)),
                (base, new) => {
                    let why = |of: Option<&Result<Observation, String>>| match of {
                        Some(Ok(_)) => None,
                        Some(Err(why)) => Some(why.clone()),
                        None => Some("it was not run".to_owned()),
                    };
                    left_out.extend(
                        [(&pair.base, why(base)), (&pair.new, why(new))].into_iter().filter_map(
                            |(case, why)| {
                                let (run_id, case) = (archive.id.clone(), Some(case.clone()));
                                Some(LeftOut { run_id, case, why: why? })
                            },
                        ),
                    );
                }
            }
        }
        if !complete.is_empty() {
            compared.push(compared_case(name, &complete, asked));
        }
    }
    let side = |asked: &str| SideOf {
        asked: vec![asked.to_owned()],
        runs: vec![RunRef { run_id: archive.id.clone(), started_at: started_at.to_owned() }],
    };
    let pairs = PairsOf {
        run_id: archive.id.clone(),
        seed: of.seed,
        asked: of.pairs.len(),
        complete: compared
            .iter()
            .map(|case| case.pairs.as_ref().map_or(0, |of| of.pairs.len()))
            .sum(),
    };
    Ok(finish(compared, (side(&of.base), side(&of.new)), left_out, asked, Some(pairs)))
}

/// What cases are called, each once, in the order in which they are run.
fn names(pairs: &[PairOf]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for pair in pairs {
        if !names.contains(&&*pair.name) {
            names.push(&pair.name);
        }
    }
    names
}

fn compared_case(
    name: &str,
    complete: &[(&PairOf, &Observation, &Observation)],
    asked: &Asked,
) -> super::model::CaseComparison {
    let base: Vec<&Observation> = complete.iter().map(|(_, base, _)| *base).collect();
    let new: Vec<&Observation> = complete.iter().map(|(_, _, new)| *new).collect();
    let asked = Asked { paired: true, ..asked.clone() };
    let mut case = one_case(name.to_owned(), &base, &new, &asked, &History::default());
    let is_same = case.differences.is_empty();
    let pairs = complete
        .iter()
        .map(|(pair, ..)| PairRef { number: pair.number, base_first: pair.base_first })
        .collect();
    let wolves = if is_same { wolves(&case.figures, asked.tolerance, name) } else { Vec::new() };
    case.pairs = Some(CasePairs { is_same, pairs, wolves });
    case
}

/// What equal sides tell of the lab, for the figures that decide.
fn wolves(figures: &[Figure], tolerance: f64, name: &str) -> Vec<Wolf> {
    let gates = || figures.iter().filter(|figure| figure.gates);
    let rules = Rules { tolerance, gates: gates().count() };
    let mut dice = Dice::from_texts(["wolf", name]);
    let by_ratio =
        gates().filter(|of| of.judged.basis == Basis::Pairs && of.judged.ratio.is_some());
    by_ratio
        .filter_map(|figure| {
            let d = log_ratios(&figure.base_runs, &figure.with_runs);
            wolf(&figure.metric, &d, figure.within, true, rules, &mut dice)
        })
        .collect()
}

/// Figures that decide, of equal sides, that were called worse or better: false alarms.
#[must_use]
pub(super) fn alarms(figures: &[Figure]) -> usize {
    let word = |figure: &&Figure| matches!(figure.judged.word, Some(Word::Worse | Word::Better));
    figures.iter().filter(|figure| figure.gates).filter(word).count()
}
