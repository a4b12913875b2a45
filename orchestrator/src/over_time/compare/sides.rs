//! Reads the runs of both sides.

use super::model::{LeftOut, RunRef, SideOf};
use crate::{
    archive::{ArchiveError, read::RunArchive},
    over_time::observation::{self, Observation},
};
use std::{collections::BTreeSet, path::PathBuf};

/// Both sides, read.
#[derive(Debug)]
pub struct Sides {
    /// What runs are held against.
    pub base: SideOf,
    /// What is held against it.
    pub with: SideOf,
    /// Cases of the base.
    pub base_cases: Vec<Observation>,
    /// Cases that are held against them.
    pub with_cases: Vec<Observation>,
    /// What cannot be compared.
    pub left_out: Vec<LeftOut>,
}

impl Sides {
    /// The same sides with these cases only, by their names without the number of a repetition.
    #[must_use]
    pub fn only(&self, cases: &BTreeSet<&str>) -> Self {
        let some = |all: &[Observation]| -> Vec<Observation> {
            all.iter().filter(|of| cases.contains(of.key())).cloned().collect()
        };
        let is_meant = |of: &&LeftOut| {
            of.case.as_deref().is_none_or(|case| cases.contains(observation::key(case)))
        };
        Self {
            base: self.base.clone(),
            with: self.with.clone(),
            base_cases: some(&self.base_cases),
            with_cases: some(&self.with_cases),
            left_out: self.left_out.iter().filter(is_meant).cloned().collect(),
        }
    }
}

/// Reads both sides: names as they were asked for, and the folders of runs.
///
/// # Errors
///
/// When a folder holds no run.
pub fn read(
    base: (Vec<String>, &[PathBuf]),
    with: (Vec<String>, &[PathBuf]),
) -> Result<Sides, ArchiveError> {
    let mut left_out = Vec::new();
    let (base, base_cases) = side(base, &mut left_out)?;
    let (with, with_cases) = side(with, &mut left_out)?;
    Ok(Sides { base, with, base_cases, with_cases, left_out })
}

fn side(
    (asked, folders): (Vec<String>, &[PathBuf]),
    left_out: &mut Vec<LeftOut>,
) -> Result<(SideOf, Vec<Observation>), ArchiveError> {
    let mut runs = Vec::new();
    for folder in folders {
        // One at a time: what is compared of a run is far less than the run.
        let archive = RunArchive::read_without_tables(folder)?;
        let result = archive.result.as_ref();
        let started_at = result.map(|result| result.started_at.clone()).unwrap_or_default();
        let mut cases = Vec::new();
        for case in &archive.cases {
            match Observation::read(result, &archive.id, case) {
                Ok(observation) => cases.push(observation),
                Err(why) => left_out.push(LeftOut {
                    run_id: archive.id.clone(),
                    case: Some(case.name.clone()),
                    why,
                }),
            }
        }
        if archive.cases.is_empty() {
            let why = "it has no cases".to_owned();
            left_out.push(LeftOut { run_id: archive.id.clone(), case: None, why });
        }
        runs.push((RunRef { run_id: archive.id, started_at }, cases));
    }
    runs.sort_by(|(a, _), (b, _)| (&a.started_at, &a.run_id).cmp(&(&b.started_at, &b.run_id)));
    let (runs, cases): (Vec<_>, Vec<_>) = runs.into_iter().unzip();
    Ok((SideOf { asked, runs }, cases.into_iter().flatten().collect()))
}
