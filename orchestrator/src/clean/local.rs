//! Folders of agents on this machine.

use super::{Leftover, Place, Sort, runs::Runs};
use crate::hosts::local::{runs_folder, spool_bytes};
use std::{fs, io, path::Path};

/// Finds the folders of all agents.
///
/// # Errors
///
/// When they cannot be listed. A folder that is not there has none.
pub fn find(runs: &Runs) -> io::Result<Vec<Leftover>> {
    find_in(&runs_folder(), runs)
}

/// Runs that are dead, by their folders alone: what `mallard run` warns of.
#[must_use]
pub fn dead_runs(runs: &Runs) -> Vec<String> {
    let found = super::by_run(find(runs).unwrap_or_default(), runs, None);
    let dead = found.into_iter().filter(|run| matches!(run.fate, super::runs::Fate::Dead(_)));
    dead.map(|run| run.run_id).collect()
}

fn find_in(folder: &Path, runs: &Runs) -> io::Result<Vec<Leftover>> {
    let listed = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed?,
    };
    let unfinished = runs.unfinished();
    let mut found = Vec::new();
    for run in listed {
        let run = run?;
        let Ok(run_id) = run.file_name().into_string() else { continue };
        if !run.file_type()?.is_dir() {
            continue;
        }
        for agent in fs::read_dir(run.path())? {
            let agent = agent?.path();
            let can_resume = unfinished.contains(&run_id);
            let bytes = spool_bytes(&agent);
            found.push(Leftover {
                note: super::note_of_spool(bytes, &run_id, can_resume),
                has_measurements: bytes > 0,
                run_id: run_id.clone(),
                place: Place::Here,
                sort: Sort::Folder,
                name: agent.display().to_string(),
            });
        }
    }
    Ok(found)
}

/// Removes an agent's folder, and the run's where nothing else is in it.
///
/// # Errors
///
/// When it cannot be removed.
pub fn remove(leftover: &Leftover) -> io::Result<()> {
    let folder = Path::new(&leftover.name);
    let removed =
        if folder.is_dir() { fs::remove_dir_all(folder) } else { fs::remove_file(folder) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Not empty as long as other agents' folders are there.
    let _ = folder.parent().map(fs::remove_dir);
    Ok(())
}
