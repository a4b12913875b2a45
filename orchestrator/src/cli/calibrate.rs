//! `mallard calibrate`: what the hosts' agents can do, found by running, and kept for later plans.

use super::{
    Outcome,
    args::{CalibrateArgs, ExportArgs, PlanArgs, RunArgs},
    files,
    order::Order,
    run,
};
use crate::{
    archive::{self, RunFolder, read::RunArchive},
    calibrate::{self, Calibration, Figures, Measure, Store, StoreError},
    hosts::deploy::Programs,
    model::exit_code,
    sinks::EventSinks,
    terminal::Style,
    text::error_chain::error_text,
};
use jiff::Timestamp;
use mallard_protocol::BUILD_ID;
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// Measures every host, prints the table, and keeps what was found.
pub(super) fn calibrate(args: &CalibrateArgs) -> Outcome {
    let cluster = match files::cluster(args.cluster.as_deref()) {
        Ok(cluster) => cluster,
        Err(mistakes) => return files::refused(&mistakes),
    };
    let run_id = archive::new_id("calibrate", Timestamp::now());
    let (plan, hosts) = match calibrate::plan(&cluster, &run_id, args.seconds) {
        Ok(planned) => planned,
        Err(mistakes) => return files::refused(&mistakes),
    };
    let results = match Workplace::new(&run_id) {
        Ok(results) => results,
        Err(cause) => return Outcome::failed(exit_code::ERROR, error_text(&cause)),
    };
    let run_args = RunArgs {
        plan: PlanArgs::default(),
        results: results.folder.clone(),
        rerun: None,
        id: Some(run_id.clone()),
        quiet: true,
        keep: false,
        detach: false,
        detached: false,
        agent: args.agent.clone(),
        templates: None,
        export: ExportArgs::default(),
    };
    let programs = match Programs::find(&args.agent) {
        Ok(programs) => programs,
        Err(cause) => return Outcome::failed(exit_code::USAGE, error_text(&cause)),
    };
    let order = match Order::new(&run_args, (&run_args.plan, None), &programs, &plan) {
        Ok(order) => order,
        Err(cause) => return Outcome::failed(exit_code::ERROR, error_text(&cause)),
    };
    let folder = RunFolder::create(&results.folder, &plan.name, Some(&run_id));
    let ran = run::begin(folder, plan, order, EventSinks::to_terminal(Style::Silent));
    if !archive::read::is_run(&results.folder.join(&run_id)) {
        return ran;
    }
    let found = found(&results.folder.join(&run_id), &hosts);
    let mut outcome = Outcome::ok(calibrate::table(&found));
    if found.iter().any(|(_, found)| found.is_err()) {
        outcome.code = exit_code::ERROR;
        outcome.stderr.push_str(&ran.stderr);
    }
    match keep(&found) {
        Ok(Some(path)) => outcome.stdout.push_str(&format!("kept in {}\n", path.display())),
        Ok(None) => outcome.stderr.push_str("not kept: neither HOME nor XDG_DATA_HOME is set\n"),
        Err(cause) => {
            outcome.stderr.push_str(&error_text(&cause));
            outcome.code = exit_code::ERROR;
        }
    }
    outcome
}

type Found = Vec<(String, Result<Calibration, String>)>;

/// What the run's results say, host by host.
fn found(run: &Path, hosts: &[String]) -> Found {
    let cases = RunArchive::read(run).map(|run| run.cases).unwrap_or_default();
    let of_host = |number: usize| {
        let mine = cases
            .iter()
            .filter(|case| case.name.split_once('-').is_some_and(|(n, _)| n == number.to_string()));
        let results: BTreeMap<Measure, _> = mine
            .filter_map(|case| {
                Some((case.name.parse().ok()?, Figures::from(case.result.as_ref()?)))
            })
            .collect();
        calibrate::read(&results)
    };
    let numbered = hosts.iter().enumerate();
    numbered.map(|(index, host)| (host.clone(), of_host(index + 1))).collect()
}

/// Adds what was found to the user's store.
fn keep(found: &Found) -> Result<Option<PathBuf>, StoreError> {
    let Some(path) = Store::place() else { return Ok(None) };
    let mut store = Store::read(&path)?;
    for (host, found) in found {
        if let Ok(found) = found {
            store.keep(host, BUILD_ID, found.clone());
        }
    }
    store.write(&path)?;
    Ok(Some(path))
}

/// A folder for the archive of a calibration, which nobody wants to keep.
struct Workplace {
    folder: PathBuf,
}

impl Workplace {
    fn new(run_id: &str) -> io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("mallard-{run_id}"));
        fs::create_dir(&folder)?;
        Ok(Self { folder })
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
