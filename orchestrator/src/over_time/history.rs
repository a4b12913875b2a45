//! How much a case's figures spread between runs that nothing told apart.

use super::{
    fingerprint,
    judge::Earlier,
    observation::key,
    statistics::robust::{deviation, residuals},
};
use crate::{
    archive::read,
    model::result::{CaseResult, RunResult, Verdict},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Runs of one fingerprint from which their spread is known.
pub const ENOUGH: usize = 8;

/// Earlier runs of a case: groups of one fingerprint, each the logarithms of a metric's values.
#[derive(Clone, Debug, Default)]
pub struct History {
    groups: Vec<BTreeMap<String, Vec<f64>>>,
}

impl History {
    /// Reads every judged run of a case in an archive, but for those that are compared now.
    #[must_use]
    pub fn read(results: &Path, case: &str, but: &[String]) -> Self {
        let mut groups: BTreeMap<String, BTreeMap<String, Vec<f64>>> = BTreeMap::new();
        for run in runs(results) {
            let id = run.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if but.contains(&id) {
                continue;
            }
            for (digest, result) in cases(&run, case) {
                let group = groups.entry(digest).or_default();
                for (metric, value) in result.metrics {
                    if let Some(value) = value.value.filter(|value| *value > 0.0) {
                        group.entry(metric).or_default().push(value.ln());
                    }
                }
            }
        }
        Self { groups: groups.into_values().collect() }
    }

    /// The spread between runs of a metric's logarithm: the robust deviation of residuals around the medians
    /// of groups of at least [`ENOUGH`] runs; `None` if there is no such group.
    #[must_use]
    pub fn spread(&self, metric: &str) -> Option<Earlier> {
        let groups = self.groups.iter().filter_map(|group| group.get(metric));
        let groups: Vec<_> = groups.filter(|values| values.len() >= ENOUGH).collect();
        let all: Vec<f64> = groups.iter().flat_map(|values| residuals(values)).collect();
        let df = all.len().checked_sub(groups.len()).filter(|df| *df > 0)?;
        Some(Earlier { sigma: deviation(&all)?, df: df as f64 })
    }
}

/// Folders of finished runs, by name, without those that another one was put together from: their cases are that one's.
pub(super) fn runs(results: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(results).into_iter().flatten().flatten();
    let is_run = |path: &PathBuf| !path.is_symlink() && path.join("run.json").is_file();
    let mut runs: Vec<_> = entries.map(|entry| entry.path()).filter(is_run).collect();
    let parts = parts(runs.iter().filter_map(|run| merged(run)).collect::<Vec<_>>().iter());
    runs.retain(|run| !run.file_name().is_some_and(|id| parts.contains(&*id.to_string_lossy())));
    runs.sort();
    runs
}

/// A run, if it was put together from others. Most are not, and thousands of them are not taken apart for that.
fn merged(run: &Path) -> Option<RunResult> {
    let text = fs::read_to_string(run.join("run.json")).ok()?;
    text.contains("\"merged\"").then(|| serde_json::from_str(&text).ok())?
}

/// Runs that others were put together from, in the same archive.
pub(super) fn parts<'a>(runs: impl Iterator<Item = &'a RunResult>) -> BTreeSet<String> {
    let parts = runs.flat_map(|run| &run.merged).filter(|part| part.beside);
    parts.map(|part| part.run_id.clone()).collect()
}

/// Judged cases of a name in a run, each with the digests of its fingerprint.
fn cases(run: &Path, name: &str) -> Vec<(String, CaseResult)> {
    let Some(summary) = read::read_summary(run) else { return Vec::new() };
    let folders = read::case_folders(run).unwrap_or_default();
    let wanted = folders.into_iter().filter(|(case, _)| key(case) == name);
    let judged = wanted.filter_map(|(case, folder)| {
        let summary = summary.cases.iter().find(|summary| summary.name == case)?;
        if !matches!(summary.verdict, Verdict::Pass | Verdict::Fail) {
            return None;
        }
        let text = |file: &str| fs::read_to_string(folder.join(file)).ok();
        let result: CaseResult = serde_json::from_str(&text("result.json")?).ok()?;
        let made = || {
            let yaml = (text("scenario.yaml"), text("cluster.yaml"));
            fingerprint::of(&result, yaml.0.as_deref(), yaml.1.as_deref())
        };
        let fingerprint = summary.fingerprint.clone().unwrap_or_else(made);
        Some((fingerprint::digests(&fingerprint), result))
    });
    judged.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_runs_of_one_fingerprint_tell_their_spread_and_seven_do_not() {
        let group = |n: i32| -> BTreeMap<String, Vec<f64>> {
            let values = (0..n).map(|at| f64::from(at % 2) * 0.02).collect();
            BTreeMap::from([("m".to_owned(), values)])
        };
        let of = |sizes: &[i32]| History { groups: sizes.iter().map(|n| group(*n)).collect() };
        assert_eq!(of(&[7, 7]).spread("m"), None);
        let told = of(&[8, 10, 3]).spread("m").unwrap();
        assert!((told.df - 16.0).abs() < 1e-9);
        assert!((told.sigma - 0.014_826).abs() < 1e-5, "{}", told.sigma);
        assert_eq!(of(&[8]).spread("other"), None);
    }

    #[test]
    fn an_archive_that_is_not_there_has_no_history() {
        let folder = tempfile::tempdir().unwrap();
        let history = History::read(&folder.path().join("none"), "steady", &[]);
        assert_eq!(history.spread("produce.acked.rate"), None);
    }
}
