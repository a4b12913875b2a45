//! Containers and networks of runs.

use super::{Leftover, Place, Sort, runs::Runs};
use crate::hosts::container::{Engine, Problem, leftovers};

/// Finds what runs have in the engine, and tells which of them live by it.
///
/// # Errors
///
/// The engine does not answer.
pub async fn find(engine: &Engine, runs: &mut Runs) -> Result<Vec<Leftover>, Problem> {
    let found = leftovers::find(engine, None).await?;
    for leftover in found.iter().filter(|leftover| !leftover.is_dead) {
        runs.lives(&leftover.run_id, "its containers are in use");
    }
    Ok(found.into_iter().map(Leftover::from).collect())
}

/// Removes containers, then networks, and returns what could not be removed, with the cause.
pub async fn remove(engine: &Engine, leftovers: &[Leftover]) -> Vec<(String, String)> {
    // Looked at again: what was in use a moment ago may have ended, and the other way round.
    let found = match leftovers::find(engine, None).await {
        Ok(found) => found,
        Err(problem) => return vec![("containers".to_owned(), problem.to_string())],
    };
    let wanted = |found: &leftovers::Leftover| {
        found.is_dead && leftovers.iter().any(|leftover| leftover.name == found.name)
    };
    let found: Vec<_> = found.into_iter().filter(wanted).collect();
    leftovers::remove(engine, &found).await
}

impl From<leftovers::Leftover> for Leftover {
    fn from(found: leftovers::Leftover) -> Self {
        let sort = match found.sort {
            leftovers::Sort::Container => Sort::Container,
            leftovers::Sort::Network => Sort::Network,
        };
        let (run_id, name) = (found.run_id, found.name);
        let has_measurements = found.has_measurements;
        let note = match has_measurements {
            true => super::note_of_spool(1, &run_id, true),
            false => String::new(),
        };
        Self { run_id, place: Place::Engine, sort, name, note, has_measurements }
    }
}
